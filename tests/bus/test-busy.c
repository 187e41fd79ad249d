/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every call is answered while a huge reply streams as fast as it can: none of them waits for the
 * reply's end, and the reply is whole all the same. */

#include <fcntl.h>
#include <inttypes.h>

#include "tests/bus/harness.h"
#include "tests/bus/reader.h"

#define MODEL "test/tiny:latest"

/* All at once, then nothing until it is released: the reply cannot end before the calls are
 * answered. */
#define TOKENS     5U
#define TOKEN_SIZE (harness_can_measure() ? 1000000U : 200000U)
#define QUESTION \
        (harness_can_measure() ? "@tokens=5 @size=1000000 @fault=hold:4" \
                               : "@tokens=5 @size=200000 @fault=hold:4")

typedef struct Streaming {
        Harness *harness;
        sd_bus *bus;
        char *conversation;
        uint64_t question, reply;
        Reader *reader;
} Streaming;

typedef enum RowFlags {
        ROW_PIPE = 1 << 0,  /* the answer is one, and closed with it */
        ROW_LARGE = 1 << 1, /* megabytes: of those a private connection may have one waiting */
} RowFlags;

typedef struct Row {
        const char *interface, *member;
        /* i: the conversation's id; q, r: the question, the reply; 0: none of them; N: a number; U:
         * one of 32 bits; B: a switch; O: no options; ': the word after it. */
        const char *arguments;
        const char *error; /* NULL: none */
        RowFlags flags;
} Row;

static const Row rows[] = {
        { INTERFACE_MANAGER, "GetSnapshot", "" },
        { INTERFACE_MANAGER, "ListConversations", "O" },
        { INTERFACE_MANAGER, "ListModels", "B" },
        { INTERFACE_MANAGER, "ListEngines", "" },
        { INTERFACE_MANAGER, "OpenConversation", "i" },
        { INTERFACE_MANAGER, "CreateConversation", "O" },
        { INTERFACE_MANAGER, "Search", "'word0 O" },
        { INTERFACE_MANAGER, "SetDefaultModel", "'" MODEL },
        { INTERFACE_MANAGER, "Reload", "" },
        { INTERFACE_CONVERSATION, "GetMessages", "0 U" },
        { INTERFACE_CONVERSATION, "GetMessages", "r U", NULL, ROW_LARGE },
        { INTERFACE_CONVERSATION, "GetMessagesAfter", "q U", NULL, ROW_LARGE },
        { INTERFACE_CONVERSATION, "GetReply", "r 'content 0 N" },
        { INTERFACE_CONVERSATION, "ListBranches", "r" },
        { INTERFACE_CONVERSATION, "SelectBranch", "r" },
        { INTERFACE_CONVERSATION, "SelectBranch", "q" },
        { INTERFACE_CONVERSATION, "SetTitle", "'title" },
        { INTERFACE_CONVERSATION, "SetModel", "'" MODEL },
        { INTERFACE_CONVERSATION, "SetSystem", "'system" },
        { INTERFACE_CONVERSATION, "GetSystem", "" },
        { INTERFACE_CONVERSATION, "Archive", "B" },
        { INTERFACE_CONVERSATION, "Hide", "B" },
        { INTERFACE_CONVERSATION, "Send", "'word O", ERROR_PREFIX "Busy" },
        { INTERFACE_CONVERSATION, "Regenerate", "r O", ERROR_PREFIX "Busy" },
        { INTERFACE_CONVERSATION, "Edit", "q 'word", ERROR_PREFIX "Busy" },
        { INTERFACE_CONVERSATION, "Continue", "r", ERROR_PREFIX "Busy" },
        { INTERFACE_CONVERSATION, "Export", "'jsonl", NULL, ROW_PIPE },
        { INTERFACE_CONVERSATION, "ExportPart", "'jsonl 0" },
        { INTERFACE_CONVERSATION, "OpenStream", "r", NULL, ROW_PIPE },
};

static sd_bus_message *build(const Streaming *s, const Row *row)
{
        const char *path = streq(row->interface, INTERFACE_MANAGER) ? PATH_ROOT : s->conversation;
        sd_bus_message *m = harness_message(s->bus, path, row->interface, row->member);
        _cleanup_free_ char *arguments = strdup(row->arguments);
        char *state = NULL;
        int r = 0;

        assert_non_null(arguments);
        for (char *a = strtok_r(arguments, " ", &state); a; a = strtok_r(NULL, " ", &state)) {
                if (*a == 'i')
                        r = sd_bus_message_append(m, "s", strrchr(s->conversation, '/') + 1);
                else if (*a == 'q' || *a == 'r' || *a == '0')
                        r = sd_bus_message_append(m, "t",
                                *a == 'q'           ? s->question
                                        : *a == 'r' ? s->reply
                                                    : UINT64_C(0));
                else if (*a == 'N')
                        r = sd_bus_message_append(m, "t", UINT64_C(1000));
                else if (*a == 'U')
                        r = sd_bus_message_append(m, "u", UINT32_C(1000));
                else if (*a == 'B')
                        r = sd_bus_message_append(m, "b", 1);
                else if (*a == 'O')
                        r = sd_bus_message_append(m, "a{sv}", 0);
                else
                        r = sd_bus_message_append(m, "s", a + 1);
                assert_return_code(r, -r);
        }
        return m;
}

/* ---- a reply that streams ---- */

static void streaming_begin(Streaming *s, Harness *h, sd_bus *bus)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;

        *s = (Streaming){ .harness = h, .bus = bus, .conversation = harness_create(h, bus, MODEL) };
        s->reader = reader_new(h, bus, s->conversation);
        answer = harness_call(
                h, bus, s->conversation, INTERFACE_CONVERSATION, "Send", "sa{sv}", QUESTION, 0);
        assert_return_code(sd_bus_message_read(answer, "tt", &s->question, &s->reply), 0);
        harness_run_until(h, s->reader->text[CHANNEL_CONTENT].size > 0);
}

static void streaming_done(Streaming *s)
{
        reader_free(s->reader);
        free(s->conversation);
}
#define _cleanup_streaming_ _cleanup_(streaming_done)

static void check_whole(Streaming *s)
{
        const Buffer *text = &s->reader->text[CHANNEL_CONTENT];
        char word[16];

        harness_run_until(s->harness, text->size == (TOKENS - 1) * TOKEN_SIZE);
        free(harness_engine_page(s->harness, "/release", ""));
        assert_string_equal(reader_wait(s->reader, s->reply), "stop");
        assert_int_equal(text->size, TOKENS * TOKEN_SIZE);
        for (unsigned i = 0; i < TOKENS; i++) {
                (void) snprintf(word, sizeof word, "word%u ", i);
                assert_memory_equal(text->data + (size_t) i * TOKEN_SIZE, word, strlen(word));
        }
}

/* ---- all at once ---- */

typedef struct Pending {
        sd_bus_slot *slot;
        sd_bus_message *answer;
} Pending;

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Pending *p = userdata;

        p->answer = sd_bus_message_ref(m);
        return 0;
}

static void wait_answer(Streaming *s, const Row *row, const Pending *p)
{
        usec_t deadline = harness_now() + HARNESS_PATIENCE;
        _cleanup_free_ char *what = NULL;

        assert_true(asprintf(&what, "the answer to %s", row->member) > 0);
        while (!p->answer)
                harness_turn(s->harness, deadline, what);
}

static void check_answer(const Row *row, sd_bus_message *answer)
{
        const sd_bus_error *error = sd_bus_message_get_error(answer);
        int fd;

        if (row->error) {
                if (!error || !streq(error->name, row->error))
                        fail_msg("%s: %s instead of %s", row->member,
                                error ? error->name : "nothing", row->error);
                return;
        }
        if (error)
                fail_msg("%s: %s: %s", row->member, error->name, error->message);
        if (!(row->flags & ROW_PIPE))
                return;
        assert_return_code(sd_bus_message_read(answer, "h", &fd), 0);
        assert_return_code(fcntl(fd, F_GETFD), errno);
}

static void check_at_once(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_streaming_ Streaming s = { 0 };
        Pending pending[ELEMENTSOF(rows)] = { 0 };

        streaming_begin(&s, h, bus);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = build(&s, rows + i);

                if (rows[i].flags & ROW_LARGE)
                        continue;
                assert_return_code(sd_bus_call_async(bus, &pending[i].slot, m, on_answer,
                                           pending + i, /* usec= */ UINT64_MAX),
                        0);
        }
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                if (rows[i].flags & ROW_LARGE)
                        continue;
                wait_answer(&s, rows + i, pending + i);
                check_answer(rows + i, pending[i].answer);
                sd_bus_slot_unref(pending[i].slot);
                sd_bus_message_unref(pending[i].answer);
        }
        assert_null(s.reader->reason);
        check_whole(&s);
}

static void test_at_once(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_at_once(h, VIA_SESSION);
        check_at_once(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- one after another ---- */

/* Each has a reply of its own, which it meets at its beginning. */
static void check_alone(Harness *h, Via via, const Row *row)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_streaming_ Streaming s = { 0 };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        Pending pending = { 0 };

        streaming_begin(&s, h, bus);
        m = build(&s, row);
        assert_return_code(
                sd_bus_call_async(bus, &slot, m, on_answer, &pending, /* usec= */ UINT64_MAX), 0);
        wait_answer(&s, row, &pending);
        check_answer(row, pending.answer);
        sd_bus_message_unref(pending.answer);
        assert_null(s.reader->reason);
        check_whole(&s);
}

static void test_alone(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                check_alone(h, VIA_SESSION, rows + i);
                check_alone(h, VIA_PRIVATE, rows + i);
        }
        assert_int_equal(harness_stop(h), 0);
}

/* ---- what ends it ---- */

static void check_ending(Harness *h, Via via, const Row *row)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_streaming_ Streaming s = { 0 };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        uint64_t cancelled = harness_engine_count(h, "cancelled") + 1;
        _cleanup_free_ char *counter = NULL;

        streaming_begin(&s, h, bus);
        m = build(&s, row);
        answer = harness_call_message(h, bus, m);
        assert_true(asprintf(&counter, "cancelled=%" PRIu64, cancelled) > 0);
        harness_engine_wait(h, counter);
        /* The last of a deleted one may wait for its acknowledgement, and comes no more. */
        harness_run_until(h, s.reader->reason || s.reader->dropped);
        if (s.reader->reason)
                assert_string_equal(s.reader->reason, "cancelled");
        else
                assert_string_equal(row->member, "DeleteConversation");
}

static void test_ending(void **state)
{
        static const Row endings[] = {
                { INTERFACE_CONVERSATION, "Cancel", "r" },
                { INTERFACE_CONVERSATION, "Cancel", "0" },
                { INTERFACE_MANAGER, "DeleteConversation", "i" },
        };
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        for (size_t i = 0; i < ELEMENTSOF(endings); i++) {
                check_ending(h, VIA_SESSION, endings + i);
                check_ending(h, VIA_PRIVATE, endings + i);
        }
        assert_int_equal(harness_stop(h), 0);
}

/* Nothing more comes of it for a follower whose window is full; it is told that. */
static void check_deleted(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_streaming_ Streaming s = { 0 };

        streaming_begin(&s, h, bus);
        s.reader->silent = true;
        harness_engine_wait(h, via == VIA_SESSION ? "held=1" : "held=2");
        sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER,
                "DeleteConversation", "s", strrchr(s.conversation, '/') + 1));
        harness_run_until(h, s.reader->dropped);
        assert_null(s.reader->reason);
        assert_true(s.reader->text[CHANNEL_CONTENT].size < TOKENS * TOKEN_SIZE);
}

static void test_deleted(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        check_deleted(h, VIA_SESSION);
        check_deleted(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_at_once, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_alone, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_ending, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_deleted, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("busy", tests, NULL, NULL);
}
