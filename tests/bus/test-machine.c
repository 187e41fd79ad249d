/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a machine does to the service: no space, damaged files, a bus that goes, kill -9. After each
 * of them: what was acknowledged is there, and what was refused has left nothing. */

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "tests/bus/harness.h"
#include "tests/bus/reader.h"

#define MODEL "test/tiny:latest"

static sd_bus_message *get_messages(Harness *h, sd_bus *bus, const char *path)
{
        return harness_call(h, bus, path, INTERFACE_CONVERSATION, "GetMessages", "tu", UINT64_C(0),
                UINT32_C(1000));
}

static unsigned count_messages(Harness *h, sd_bus *bus, const char *path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = get_messages(h, bus, path);
        unsigned n = 0;

        assert_true(sd_bus_message_enter_container(answer, 'a', "(ttssa{sv})") > 0);
        for (; sd_bus_message_skip(answer, "(ttssa{sv})") > 0; n++)
                ;
        return n;
}

/* ---- a disk without space: a limit on the size of files, which anybody may set ---- */

static void limit_files(const Harness *h, rlim_t size)
{
        struct rlimit limit = { size, RLIM_INFINITY };

        assert_return_code(prlimit(h->service, RLIMIT_FSIZE, &limit, NULL), errno);
}

/* The service's log is a file, too: what it says meanwhile is read on the bus. */
static void fill_disk(const Harness *h)
{
        limit_files(h, 0);
}

static void free_disk(const Harness *h)
{
        limit_files(h, RLIM_INFINITY);
}

static const struct {
        const char *member, *types;
} writers[] = {
        { "Send", "sa{sv}" },
        { "SetTitle", "s" },
        { "SetSystem", "s" },
};

static void refused_when_full(Harness *h, sd_bus *bus, const char *conversation)
{
        unsigned before = count_messages(h, bus, conversation);

        for (size_t i = 0; i < ELEMENTSOF(writers); i++) {
                _cleanup_free_ char *name = NULL, *sentence = NULL;

                name = harness_call_error(h, bus, &sentence, conversation, INTERFACE_CONVERSATION,
                        writers[i].member, writers[i].types, "A word that is not stored.", 0);
                assert_string_equal(name, "StoreFull");
                assert_non_null(strstr(sentence, h->database));
                assert_non_null(strstr(sentence, "Free some space"));
        }
        assert_int_equal(count_messages(h, bus, conversation), before);
}

/* The loop's own writes, which no thread's signal mask shields: it logs each connection. */
static void log_when_full(Harness *h, const char *conversation)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);

        (void) count_messages(h, bus, conversation);
}

static void test_disk_full(void **state)
{
        Harness *h = *state;

        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                _cleanup_free_ char *conversation = harness_create(h, bus, ""), *name = NULL,
                                    *sentence = NULL;
                _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
                uint64_t reply = harness_send(h, bus, conversation, "Before.");

                assert_string_equal(reader_wait(reader, reply), "stop");
                fill_disk(h);
                log_when_full(h, conversation);
                refused_when_full(h, bus, conversation);
                name = harness_call_error(h, bus, &sentence, PATH_ROOT, INTERFACE_MANAGER,
                        "CreateConversation", "a{sv}", 0);
                assert_string_equal(name, "StoreFull");

                /* Space again: the same process goes on. */
                free_disk(h);
                reply = harness_send(h, bus, conversation, "After.");
                assert_string_equal(reader_wait(reader, reply), "stop");
                assert_int_equal(count_messages(h, bus, conversation), 4);
        }
        assert_int_equal(harness_stop(h), 0);
}

typedef struct Notices {
        bool full, unstored, stored;
} Notices;

static int on_notice(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Notices *n = ASSERT_PTR(userdata);
        const char *level, *title, *text;

        assert_return_code(sd_bus_message_read(m, "sss", &level, &title, &text), 0);
        if (streq(title, "A reply is stored now")) {
                n->stored = true;
                return 0;
        }
        assert_string_equal(level, "err");
        assert_non_null(strstr(text, "Free some space"));
        n->full = n->full || streq(title, "The disk is full");
        n->unstored = n->unstored || streq(title, "A reply could not be stored");
        return 0;
}

static void check_stored(Harness *h, const char *conversation, uint64_t reply, const char *expected)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);
        _cleanup_free_ char *text = NULL, *end = NULL;

        text = harness_get_reply(h, bus, conversation, reply, "content", &end);
        assert_string_equal(end, "stop");
        assert_string_equal(text, expected);
}

#define STREAM_TOKENS 3000U
#define STREAM_SIZE   1000U
#define HELD_TOKENS   2U

typedef enum SpaceAgain {
        SPACE_IN_STREAM, /* while the reply lives: what could not be saved is saved at its end */
        SPACE_AFTER_END, /* later: it ends as failed, and is stored with the next write */
} SpaceAgain;

/* Text goes on to those who look; that it is not kept is said, and it is kept when it can be. */
static void fill_in_stream(Harness *h, SpaceAgain when)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_free_ char *conversation = harness_create(h, bus, MODEL), *question = NULL,
                            *other = NULL, *page = NULL;
        _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        Notices notices = { 0 };
        const Buffer *text = &reader->text[CHANNEL_CONTENT];
        uint64_t reply;

        assert_return_code(sd_bus_match_signal(bus, &slot, BUS_NAME, PATH_ROOT, INTERFACE_MANAGER,
                                   "Notice", on_notice, &notices),
                0);
        assert_true(asprintf(&question, "@tokens=%u @size=%u @fault=hold:%u", STREAM_TOKENS,
                            STREAM_SIZE, HELD_TOKENS) > 0);
        reply = harness_send(h, bus, conversation, question);
        harness_run_until(h, text->size == HELD_TOKENS * STREAM_SIZE);
        fill_disk(h);
        if (when == SPACE_IN_STREAM) {
                harness_run_until(h, notices.full);
                free_disk(h);
        }
        page = harness_engine_page(h, "/release", "");
        harness_run_until(h, text->size == STREAM_TOKENS * STREAM_SIZE);
        if (when == SPACE_AFTER_END) {
                harness_run_until(h, notices.unstored);
                assert_string_equal(reader_wait(reader, reply), "failed");
                free_disk(h);
                other = harness_create(h, bus, MODEL);
                harness_run_until(h, notices.stored);
        } else
                assert_string_equal(reader_wait(reader, reply), "stop");

        check_stored(h, conversation, reply, buffer_text(text));
        harness_kill(h, SIGKILL);
        harness_start(h);
        check_stored(h, conversation, reply, buffer_text(text));
}

static void test_disk_full_in_stream(void **state)
{
        Harness *h = *state;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        fill_in_stream(h, SPACE_AFTER_END);
        fill_in_stream(h, SPACE_IN_STREAM);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- files that are not as they should be ---- */

/* Bytes from here on, over what is there. */
static void overwrite(const char *path, off_t offset, const void *data, size_t size)
{
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_return_code(fd, errno);
        assert_int_equal(pwrite(fd, data, size, offset), size);
}

/* user_version of an SQLite file, big endian. */
#define VERSION_OFFSET 60

static void test_newer_database(void **state)
{
        static const unsigned char newer[] = { 0, 0, 0x03, 0xe7 };
        Harness *h = *state;
        _cleanup_free_ char *before = NULL, *after = NULL, *conversation = NULL;
        size_t n, m;

        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);

                conversation = harness_create(h, bus, "");
        }
        assert_int_equal(harness_stop(h), 0);
        overwrite(h->database, VERSION_OFFSET, newer, sizeof newer);
        before = harness_read_file(h->database, &n);

        assert_int_equal(harness_try_start(h), EX_UNAVAILABLE);
        assert_true(
                harness_logged(h, "comes from a newer version of Conductor (its format is 999"));
        assert_non_null(strstr(h->status, "It was left untouched"));
        after = harness_read_file(h->database, &m);
        assert_int_equal(n, m);
        assert_memory_equal(before, after, n);
}

static void test_corrupt_database(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *conversation = NULL, *garbage = malloc(KIB(4));
        _cleanup_connection_ sd_bus *later = NULL;

        assert_non_null(garbage);
        memset(garbage, 0xa5, KIB(4));
        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
                _cleanup_(reader_freep) Reader *reader = NULL;

                conversation = harness_create(h, bus, "");
                reader = reader_new(h, bus, conversation);
                assert_string_equal(
                        reader_wait(reader, harness_send(h, bus, conversation, "Kept?")), "stop");
        }
        assert_int_equal(harness_stop(h), 0);
        overwrite(h->database, 0, garbage, KIB(4));
        harness_start(h);
        assert_true(harness_logged(h, "The database was damaged"));
        later = harness_connect(h, VIA_SESSION);
        free(harness_create(h, later, ""));
        assert_int_equal(harness_stop(h), 0);
}

/* The one that has the database goes on, and the other says why it does not. */
static void test_second_service(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *sentence = NULL;
        pid_t first;

        harness_start(h);
        first = h->service;
        h->service = 0;
        assert_int_equal(harness_try_start(h), EX_TEMPFAIL);
        h->service = first;
        assert_true(
                asprintf(&sentence, "in use by another conductord, process %d", (int) first) > 0);
        assert_true(harness_logged(h, sentence));
        bus = harness_connect(h, VIA_PRIVATE);
        free(harness_create(h, bus, ""));
        assert_int_equal(harness_stop(h), 0);
}

/* ---- the bus ---- */

static void test_no_bus(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL, *session = NULL;
        _cleanup_free_ char *conversation = NULL;

        harness_stop_bus(h);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        conversation = harness_create(h, bus, "");

        /* It comes while the service runs. */
        harness_start_bus(h);
        harness_wait_name(h, /* owned= */ true);
        session = harness_connect(h, VIA_SESSION);
        (void) harness_send(h, session, conversation, "Hello.");
        assert_int_equal(harness_stop(h), 0);
}

static void test_bus_restarts(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *private = NULL, *session = NULL, *again = NULL;
        _cleanup_free_ char *conversation = NULL, *page = NULL, *text = NULL;
        _cleanup_(reader_freep) Reader *here = NULL, *there = NULL, *back = NULL;
        uint64_t reply, from[_CHANNEL_MAX] = { 0 };

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        private = harness_connect(h, VIA_PRIVATE);
        session = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, private, MODEL);
        here = reader_new(h, private, conversation);
        there = reader_new(h, session, conversation);
        reply = harness_send(h, private, conversation, "@tokens=2000 @fault=hold:2");
        harness_run_until(h,
                here->text[CHANNEL_CONTENT].size == 12 && there->text[CHANNEL_CONTENT].size == 12);

        harness_stop_bus(h);
        harness_start_bus(h);
        harness_wait_name(h, /* owned= */ true);
        again = harness_connect(h, VIA_SESSION);
        from[CHANNEL_CONTENT] = there->text[CHANNEL_CONTENT].size;
        back = reader_new_from(h, again, conversation, reply, from);
        page = harness_engine_page(h, "/release", "");

        assert_string_equal(reader_wait(here, reply), "stop");
        assert_string_equal(reader_wait(back, reply), "stop");
        text = harness_get_reply(h, again, conversation, reply, "content", NULL);
        assert_string_equal(buffer_text(&here->text[CHANNEL_CONTENT]), text);
        assert_string_equal(buffer_text(&back->text[CHANNEL_CONTENT]), text + 12);
        assert_true(harness_logged(h, "The session bus is gone"));
        assert_int_equal(harness_stop(h), 0);
}

static void test_name_taken(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *owner = harness_connect(h, VIA_SESSION);
        int status;

        harness_run_until(h, sd_bus_is_ready(owner) > 0);
        assert_return_code(sd_bus_request_name(owner, BUS_NAME, 0), 0);
        status = harness_try_start(h);
        if (status < 0)
                status = harness_wait_exit(h);
        assert_int_equal(status, EX_TEMPFAIL);
        assert_true(harness_logged(h, "The name " BUS_NAME " is taken on the session bus. Stop"));
}

/* ---- kill -9 ---- */

#define KILLS          20U
#define ROUND_MESSAGES 64U

/* What was acknowledged in all rounds. */
typedef struct Kept {
        char *conversation;
        uint64_t replies[KILLS * ROUND_MESSAGES];
        unsigned n;
} Kept;

typedef struct Sent {
        Kept *kept;
        unsigned n_open;
} Sent;

static int on_sent(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Sent *s = ASSERT_PTR(userdata);
        uint64_t message, reply;

        s->n_open--;
        if (sd_bus_message_is_method_error(m, NULL))
                return 0; /* the kill was first */
        assert_return_code(sd_bus_message_read(m, "tt", &message, &reply), 0);
        s->kept->replies[s->kept->n++] = reply;
        return 0;
}

static void queue_messages(Harness *h, sd_bus *bus, Sent *s, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                        bus, s->kept->conversation, INTERFACE_CONVERSATION, "Send");

                assert_return_code(
                        sd_bus_message_append(m, "sa{sv}", "@tokens=20", 1, "queue", "b", 1), 0);
                assert_return_code(sd_bus_call_async(bus, NULL, m, on_sent, s, UINT64_MAX), 0);
                s->n_open++;
        }
}

static void check_kept(Harness *h, Kept *kept)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);
        _cleanup_free_ char *said = NULL;

        for (unsigned i = 0; i < kept->n; i++) {
                _cleanup_free_ char *end = NULL,
                                    *text = harness_get_reply(h, bus, kept->conversation,
                                            kept->replies[i], "content", &end);

                if (!streq(end, "stop"))
                        assert_string_equal(end, "interrupted");
                else {
                        if (!said)
                                said = TAKE_PTR(text);
                        else
                                assert_string_equal(text, said);
                }
        }
}

static void test_kills(void **state)
{
        Harness *h = *state;
        _cleanup_free_ Kept *kept = calloc(1, sizeof *kept);
        unsigned moment = 1;

        assert_non_null(kept);
        harness_start_engine(h, "ollama", "", NULL);
        for (unsigned i = 0; i < KILLS; i++) {
                _cleanup_connection_ sd_bus *bus = NULL;
                Sent sent = { .kept = kept };
                unsigned before;

                harness_start(h);
                bus = harness_connect(h, VIA_PRIVATE);
                if (!kept->conversation)
                        kept->conversation = harness_create(h, bus, MODEL);
                before = kept->n;
                queue_messages(h, bus, &sent, 8);
                /* A moment that differs in each round and is the same in each run. */
                moment = moment * 1103515245U + 12345U;
                for (unsigned turns = moment >> 16 & 31;
                        turns > 0 && (sent.n_open > 0 || kept->n == before); turns--)
                        harness_turn(h, harness_now() + HARNESS_PATIENCE, "an answer");
                harness_kill(h, SIGKILL);
                harness_run_until(h, sent.n_open == 0);
        }
        harness_start(h);
        assert_true(kept->n > KILLS);
        check_kept(h, kept);
        assert_false(harness_logged(h, "damaged"));
        assert_int_equal(harness_stop(h), 0);
        free(kept->conversation);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_disk_full),
                TEST(test_disk_full_in_stream),
                TEST(test_newer_database),
                TEST(test_corrupt_database),
                TEST(test_second_service),
                TEST(test_no_bus),
                TEST(test_bus_restarts),
                TEST(test_name_taken),
                TEST(test_kills),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
