/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Messages, their branches, attachments and texts: written, and read in parts. */

#include <sys/eventfd.h>

#include "common/attachment-memory.h"
#include "service/store/store-internal.h"
#include "tests/unit/sqlite-util.h"
#include "tests/unit/store-fixture.h"

/* A question with two answers, the first of which goes on. */
typedef struct Tree {
        uint64_t n, other; /* conversations; this one is empty */
        uint64_t q, a1, a2, q2;
} Tree;

static Tree plant(Fixture *f)
{
        Tree t = { .n = make_conversation(f, ""), .other = make_conversation(f, "") };

        t.q = add_message(f, t.n, 0, ROLE_USER, "question");
        t.a1 = add_message(f, t.n, t.q, ROLE_ASSISTANT, "answer 1");
        t.a2 = add_message(f, t.n, t.q, ROLE_ASSISTANT, "answer 2");
        t.q2 = add_message(f, t.n, t.a1, ROLE_USER, "more");
        return t;
}

static void test_pages_of_a_branch(void **state)
{
        Fixture *f = *state;
        Tree t = plant(f);

        assert_int_equal(do_page(f, t.n, t.q2, 10, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 3);
        assert_int_equal(f->messages->messages[0].id, t.q);
        assert_int_equal(f->messages->messages[0].parent, 0);
        assert_int_equal(f->messages->messages[0].role, ROLE_USER);
        assert_int_equal(f->messages->messages[0].created, 100 + t.q);
        assert_string_equal(f->messages->messages[1].content, "answer 1");
        assert_int_equal(f->messages->messages[1].content_size, 8);
        assert_int_equal(f->messages->messages[1].reason, REASON_STOP);
        assert_string_equal(f->messages->messages[1].metadata, "{}");
        assert_int_equal(f->messages->messages[2].id, t.q2);
        assert_null(f->messages->system);

        /* Limits: messages, bytes (metadata counts), and one of whatever size. */
        assert_int_equal(do_page(f, t.n, t.q2, 2, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 2);
        assert_int_equal(f->messages->messages[0].id, t.a1);
        assert_int_equal(do_page(f, t.n, t.q2, 10, 4 + 2 + 8 + 2), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 2);
        assert_int_equal(do_page(f, t.n, t.q2, 10, 4 + 2 + 8 + 2 - 1), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 1);
        assert_int_equal(do_page(f, t.n, t.q2, 10, 0), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 1);
        assert_int_equal(do_page(f, t.n, 0, 10, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 0);

        assert_int_equal(do_page(f, t.n, 999, 10, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(do_page(f, t.other, t.q, 10, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);
}

static void test_siblings(void **state)
{
        Fixture *f = *state;
        Tree t = plant(f);

        assert_int_equal(do_siblings(f, t.n, t.a1), FAILURE_NONE);
        assert_int_equal(f->n_ids, 2);
        assert_int_equal(f->ids[0], t.a1);
        assert_int_equal(f->ids[1], t.a2);
        assert_int_equal(do_siblings(f, t.n, 0), FAILURE_NONE);
        assert_int_equal(f->n_ids, 1);
        assert_int_equal(f->ids[0], t.q);
        assert_int_equal(do_siblings(f, t.other, t.q), FAILURE_NO_SUCH_MESSAGE);
}

static void test_heads(void **state)
{
        Fixture *f = *state;
        Tree t = plant(f);

        assert_int_equal(do_head_below(f, t.n, t.q), FAILURE_NONE);
        assert_int_equal(f->ids[0], t.q2);
        assert_int_equal(do_head_below(f, t.n, t.a2), FAILURE_NONE);
        assert_int_equal(f->ids[0], t.a2);
        assert_int_equal(do_head_below(f, t.n, 99), FAILURE_NO_SUCH_MESSAGE);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->conversations[0].messages, 4);
        assert_int_equal(f->index->conversations[0].head, t.q2);
        assert_int_equal(f->index->conversations[1].messages, 0);
}

static void test_parents(void **state)
{
        Fixture *f = *state;
        Tree t = plant(f);

        /* Only below a message of the same conversation, and an older one. */
        assert_int_equal(do_add(f, t.other, store_next_id(f->store), t.q, ROLE_USER, "x"),
                FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(do_add(f, 4711, store_next_id(f->store), 0, ROLE_USER, "x"),
                FAILURE_NO_SUCH_CONVERSATION);
}

static void test_attachments(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, "");
        static const char data[] = { 'P', 'N', 'G', 0, (char) 0xff, 7 };
        StoreAttachment *a = calloc(2, sizeof *a);
        StoreMessage m = {
                .id = store_next_id(f->store),
                .role = ROLE_USER,
                .content = (char *) "see",
                .content_size = 3,
                .attachments = a,
                .n_attachments = 2,
        };
        const StoreAttachment *got;

        a[0] = (StoreAttachment){ strdup("a.png"), strdup("image/png"), malloc(sizeof data),
                sizeof data };
        memcpy(a[0].data, data, sizeof data);
        a[1] = (StoreAttachment){ strdup("empty"), strdup("text/plain"), NULL, 0 };
        assert_int_equal(do_add_all(f, n, &m, 1, m.id, NULL), FAILURE_NONE);
        assert_null(m.attachments);

        /* After a restart, too. */
        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);

        assert_int_equal(do_page(f, n, m.id, 1, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->messages[0].n_attachments, 2);
        got = &f->messages->messages[0].attachments[0];
        assert_string_equal(got->name, "a.png");
        assert_string_equal(got->type, "image/png");
        assert_int_equal(got->size, sizeof data);
        assert_null(got->data);

        assert_int_equal(do_message(f, n, m.id), FAILURE_NONE);
        got = f->messages->messages[0].attachments;
        assert_memory_equal(got[0].data, data, sizeof data);
        assert_string_equal(got[1].name, "empty");
        assert_int_equal(got[1].size, 0);

        assert_int_equal(do_context(f, n, m.id), FAILURE_NONE);
        assert_memory_equal(f->messages->messages[0].attachments[0].data, data, sizeof data);
        assert_string_equal(f->messages->system, "");

        /* One that is no text in a text's place: taken over and freed all the same. */
        a = calloc(1, sizeof *a);
        a[0] = (StoreAttachment){ strdup("\xff"), strdup("x/y"), NULL, 0 };
        m = (StoreMessage){ .id = store_next_id(f->store), .attachments = a, .n_attachments = 1 };
        assert_int_equal(do_add_all(f, n, &m, 1, m.id, NULL), FAILURE_INVALID_ARGUMENT);
}

/* What is on its way is counted until it is freed, wherever that is. */
static void test_attachments_counted(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, "");
        StoreAttachment *a = calloc(1, sizeof *a);
        StoreMessage m = {
                .id = store_next_id(f->store),
                .role = ROLE_USER,
                .content = (char *) "see",
                .content_size = 3,
                .attachments = a,
                .n_attachments = 1,
        };
        const struct {
                size_t others;
                FailureCode code;
        } table[] = {
                { 0, FAILURE_NONE },
                { ATTACHMENTS_ASKED_MAX - 5, FAILURE_NONE },
                { ATTACHMENTS_ASKED_MAX - 4, FAILURE_BUSY },
        };

        assert_non_null(a);
        assert_true(attachment_memory_take(5, 0, 5));
        a[0] = (StoreAttachment){ strdup("a"), strdup("x/y"), strdup("Hello"), 5, 5 };
        assert_int_equal(do_add_all(f, n, &m, 1, m.id, NULL), FAILURE_NONE);
        assert_int_equal(attachment_memory_used(), 0);

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                size_t others = table[i].others, taken = table[i].code == FAILURE_NONE ? 5 : 0;

                assert_true(attachment_memory_take(others, 0, others));
                assert_int_equal(do_context(f, n, m.id), table[i].code);
                assert_int_equal(attachment_memory_used(), others + taken);
                fixture_forget(f);
                assert_int_equal(attachment_memory_used(), others);

                assert_int_equal(do_message(f, n, m.id), table[i].code);
                /* Pages and exports are bounded by their own limits. */
                assert_int_equal(do_page(f, n, m.id, 1, SIZE_MAX), FAILURE_NONE);
                attachment_memory_give(others);
        }
}

#define LONG_BRANCH 1100U /* more than one step of reading it */

typedef struct Turns {
        unsigned n, written, read; /* the turn in which each ended */
        StoreMessages *context;
} Turns;

static void on_turn_written(const Failure *failure, void *userdata)
{
        ((Turns *) userdata)->written = ++((Turns *) userdata)->n;
}

static void on_turn_context(const Failure *failure, StoreMessages *messages, void *userdata)
{
        Turns *t = userdata;

        t->read = ++t->n;
        t->context = messages;
}

/* However long the branch is, a write that was asked for after it does not wait until it is read;
 * and a short one is read before it. */
static void test_steps(void **state)
{
        static const struct {
                unsigned messages;
                bool write_first;
        } cases[] = { { 1, false }, { 32, false }, { 33, true }, { LONG_BRANCH, true } };
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), parent = 0, ids[LONG_BRANCH];

        assert_int_equal(do_set_system(f, n, "Be brief."), FAILURE_NONE);
        for (unsigned i = 0; i < LONG_BRANCH; i++)
                parent = ids[i] = add_message(f, n, parent, i % 2, i % 2 ? "answer" : "question");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                unsigned messages = cases[i].messages;
                Turns t = { 0 };

                assert_return_code(store_get_context(f->store, n, ids[messages - 1],
                                           on_turn_context, &t, NULL),
                        0);
                assert_return_code(
                        store_set_setting(f->store, "key", "value", on_turn_written, &t, NULL), 0);
                while (t.n < 2)
                        assert_return_code(sd_event_run(f->event, UINT64_MAX), errno);

                assert_int_equal(t.written < t.read, cases[i].write_first);
                assert_int_equal(t.context->n_messages, messages);
                assert_string_equal(t.context->system, "Be brief.");
                for (unsigned k = 0; k < messages; k++)
                        assert_int_equal(t.context->messages[k].id, ids[k]);
                store_messages_free(t.context);
        }
}

static void wait_for_gate(void *gate)
{
        eventfd_t opened;

        (void) eventfd_read(*(int *) gate, &opened);
}

static void on_gate_passed(void *gate)
{
}

/* What is written does not wait for what is read behind it, however little that is. */
static void test_read_behind_write(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), id = add_message(f, n, 0, ROLE_USER, "question");
        _cleanup_close_ int gate = eventfd(0, EFD_CLOEXEC);
        Turns t = { 0 };

        /* Both wait when the thread comes to them. */
        assert_return_code(gate, errno);
        assert_return_code(
                worker_submit(f->store->worker,
                        &(WorkerJob){
                                .run = wait_for_gate, .done = on_gate_passed, .data = &gate }),
                0);
        assert_return_code(
                store_set_setting(f->store, "key", "value", on_turn_written, &t, NULL), 0);
        assert_return_code(store_get_context(f->store, n, id, on_turn_context, &t, NULL), 0);
        assert_return_code(eventfd_write(gate, 1), errno);
        while (t.n == 0)
                assert_return_code(sd_event_run(f->event, UINT64_MAX), errno);
        assert_int_equal(t.written, 1);
        assert_int_equal(t.read, 0);

        while (t.n < 2)
                assert_return_code(sd_event_run(f->event, UINT64_MAX), errno);
        assert_int_equal(t.context->n_messages, 1);
        assert_string_equal(t.context->messages[0].content, "question");
        store_messages_free(t.context);
}

static void on_never(const Failure *failure, StoreMessages *messages, void *userdata)
{
        fail_msg("a request that was given up has ended");
}

/* A message larger than a step is a step, and nobody who went away is waited for. */
static void test_large_steps(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), parent = 0;
        _cleanup_free_ char *large = calloc(1, MIB(1) + 2);
        StoreSlot *slot;

        memset(large, 'x', MIB(1) + 1);
        for (unsigned i = 0; i < 4; i++)
                parent = add_message(f, n, parent, ROLE_USER, i % 2 ? large : "small");
        assert_int_equal(do_context(f, n, parent), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 4);
        assert_string_equal(f->messages->messages[1].content, large);
        assert_string_equal(f->messages->messages[2].content, "small");
        assert_int_equal(store_get_context(f->store, n, parent, on_never, NULL, &slot), 0);
        store_slot_free(slot);
        fixture_settle(f);
}

static void test_all_pages(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), other = make_conversation(f, "");
        uint64_t ids[7], after = 0;
        size_t seen = 0;

        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                ids[i] = add_message(f, n, i % 3 ? ids[i - 1] : 0, ROLE_USER, "text");
                (void) add_message(f, other, 0, ROLE_USER, "elsewhere");
        }
        for (;;) {
                assert_int_equal(do_all(f, n, after, /* limit= */ 3), FAILURE_NONE);
                if (f->messages->n_messages == 0)
                        break;
                assert_in_range(f->messages->n_messages, 1, 3);
                for (size_t i = 0; i < f->messages->n_messages; i++)
                        assert_int_equal(f->messages->messages[i].id, ids[seen++]);
                after = ids[seen - 1];
        }
        assert_int_equal(seen, ELEMENTSOF(ids));

        /* Purged in the middle of an export: it does not end as if it were whole. */
        assert_int_equal(do_all(f, n, ids[2], /* limit= */ 3), FAILURE_NONE);
        assert_int_equal(do_purge(f, n), FAILURE_NONE);
        assert_int_equal(do_all(f, n, ids[5], /* limit= */ 3), FAILURE_NO_SUCH_CONVERSATION);
        assert_int_equal(do_all(f, 4711, 0, /* limit= */ 3), FAILURE_NO_SUCH_CONVERSATION);
        assert_int_equal(do_all(f, make_conversation(f, ""), 0, /* limit= */ 3), FAILURE_NONE);
}

static void test_binary(void **state)
{
        static const struct {
                const char *text;
                size_t size;
                FailureCode code;
        } cases[] = {
                { "", 0, FAILURE_NONE },
                { "\xc3\xa4\n\x1b[1m", 7, FAILURE_NONE },
                { "\xff", 1, FAILURE_INVALID_ARGUMENT },
                { "a\0b", 3, FAILURE_INVALID_ARGUMENT },
                { "\xc3", 1, FAILURE_INVALID_ARGUMENT },
                { "\xed\xa0\x80", 3, FAILURE_INVALID_ARGUMENT },
        };
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), messages = 0;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                StoreMessage m = {
                        .id = store_next_id(f->store),
                        .content = (char *) cases[i].text,
                        .content_size = cases[i].size,
                };

                assert_int_equal(do_add_all(f, n, &m, 1, m.id, NULL), cases[i].code);
                messages += cases[i].code == FAILURE_NONE;

                m.id = store_next_id(f->store);
                m.reasoning = m.content;
                m.reasoning_size = m.content_size;
                m.content = NULL;
                m.content_size = 0;
                assert_int_equal(do_add_all(f, n, &m, 1, m.id, NULL), cases[i].code);
                messages += cases[i].code == FAILURE_NONE;
        }
        assert_int_equal(
                do_create(f, store_next_number(f->store, false), "\xfe"), FAILURE_INVALID_ARGUMENT);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 1);
        assert_int_equal(f->index->conversations[0].messages, messages);
}

static void test_live_reply(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), r = add_live(f, n, 0);

        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_REASONING, 0, "hm", 2, NULL, NULL, NULL),
                0);
        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_CONTENT, 0, "Hä", 3, NULL, NULL, NULL),
                0);
        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_CONTENT, 3, "llo", 3, NULL, NULL, NULL),
                0);
        /* Sent again, and more: what is there is not there twice. */
        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_CONTENT, 3, "llo!", 4, NULL, NULL, NULL),
                0);

        assert_int_equal(do_page(f, n, r, 1, SIZE_MAX), FAILURE_NONE);
        assert_true(f->messages->messages[0].live);
        assert_int_equal(f->messages->messages[0].reason, REASON_NONE);
        assert_string_equal(f->messages->messages[0].content, "Hällo!");
        assert_string_equal(f->messages->messages[0].reasoning, "hm");
        /* An engine is not told what it thought, that may be much more than it said. */
        assert_int_equal(do_context(f, n, r), FAILURE_NONE);
        assert_string_equal(f->messages->messages[0].content, "Hällo!");
        assert_null(f->messages->messages[0].reasoning);
        assert_int_equal(f->messages->messages[0].reasoning_size, 0);
        assert_null(f->messages->messages[0].metadata);
        assert_int_equal(do_text(f, n, r, CHANNEL_CONTENT, 2, 100), FAILURE_NONE);
        assert_true(f->part.live);
        assert_string_equal(f->part.text, "ällo!");
        assert_int_equal(f->part.offset, 1);
        assert_int_equal(f->part.total, 7);

        /* A hole: what follows makes no sense. */
        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_CONTENT, 99, "x", 1, NULL, NULL, NULL),
                0);
        assert_int_equal(do_page(f, n, r, 1, SIZE_MAX), FAILURE_NONE);
        assert_string_equal(f->messages->messages[0].content, "Hällo!");

        assert_int_equal(do_end(f, n, r, "Hällo! Bye.", REASON_LENGTH), FAILURE_NONE);
        assert_int_equal(do_page(f, n, r, 1, SIZE_MAX), FAILURE_NONE);
        assert_false(f->messages->messages[0].live);
        assert_string_equal(f->messages->messages[0].content, "Hällo! Bye.");
        assert_int_equal(f->messages->messages[0].reason, REASON_LENGTH);
        /* Nothing of how it came stays: it would get into what it is continued with. */
        assert_int_equal(sqlite_number(f->path, "SELECT count(*) FROM parts"), 0);

        /* Ended, it takes no more: nobody waits for it, so a notice says that. */
        assert_int_equal(f->notices[STORE_NOTICE_FAILED], 0);
        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_CONTENT, 12, "x", 1, NULL, NULL, NULL),
                0);
        fixture_wait_notice(f, STORE_NOTICE_FAILED);

        /* Continued: its text stays, and what comes is added to it. */
        assert_int_equal(do_reopen(f, n, r), FAILURE_NONE);
        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 12, " More", 5, NULL,
                                   NULL, NULL),
                0);
        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_REASONING, 0, "so", 2, NULL, NULL, NULL),
                0);
        fixture_close(f);

        /* A service that ended under it. */
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->interrupted, 1);
        assert_int_equal(do_page(f, n, r, 1, SIZE_MAX), FAILURE_NONE);
        assert_false(f->messages->messages[0].live);
        assert_int_equal(f->messages->messages[0].reason, REASON_INTERRUPTED);
        assert_string_equal(f->messages->messages[0].content, "Hällo! Bye. More");
        assert_string_equal(f->messages->messages[0].reasoning, "so");

        assert_int_equal(do_end(f, n, 999, "", REASON_STOP), FAILURE_NO_SUCH_MESSAGE);
}

static void test_text_parts(void **state)
{
        /* One to four bytes a character. */
        static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7z";
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), r = add_live(f, n, 0);
        size_t size = strlen(text);

        assert_int_equal(do_end(f, n, r, text, REASON_STOP), FAILURE_NONE);
        for (size_t offset = 0; offset <= size + 1; offset++)
                for (size_t maximum = 0; maximum <= size + 1; maximum++) {
                        size_t start = MIN(offset, size), end;

                        assert_int_equal(
                                do_text(f, n, r, CHANNEL_CONTENT, offset, maximum), FAILURE_NONE);
                        while (start < size && ((unsigned char) text[start] & 0xc0) == 0x80)
                                start--;
                        end = MIN(start + maximum, size);
                        while (end > start && end < size &&
                                ((unsigned char) text[end] & 0xc0) == 0x80)
                                end--;
                        assert_int_equal(f->part.offset, start);
                        assert_int_equal(f->part.size, end - start);
                        assert_memory_equal(f->part.text, text + start, end - start);
                        assert_int_equal(f->part.total, size);
                        assert_int_equal(f->part.reason, REASON_STOP);
                        assert_false(f->part.live);
                }
        assert_int_equal(do_text(f, n, r, CHANNEL_REASONING, 0, 10), FAILURE_NONE);
        assert_int_equal(f->part.total, 0);
        assert_int_equal(do_text(f, n, 999, CHANNEL_CONTENT, 0, 10), FAILURE_NO_SUCH_MESSAGE);
}

static void test_large_text(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), r = add_live(f, n, 0), offset = 0;
        size_t size = MIB(3) + 5;
        _cleanup_free_ char *text = malloc(size + 1);

        for (size_t i = 0; i < size; i++)
                text[i] = (char) ('a' + i % 23);
        text[size] = 0;
        assert_int_equal(do_end(f, n, r, text, REASON_STOP), FAILURE_NONE);
        while (offset < size) {
                assert_int_equal(do_text(f, n, r, CHANNEL_CONTENT, offset, SIZE_MAX), FAILURE_NONE);
                assert_int_equal(f->part.offset, offset);
                assert_int_equal(f->part.size, MIN(MIB(1), size - offset));
                assert_memory_equal(f->part.text, text + offset, f->part.size);
                offset += f->part.size;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_pages_of_a_branch, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_siblings, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_heads, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_parents, fixture_setup, fixture_teardown),

                cmocka_unit_test_setup_teardown(test_attachments, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_attachments_counted, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_steps, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_read_behind_write, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_large_steps, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_all_pages, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_binary, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_live_reply, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_text_parts, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_large_text, fixture_setup, fixture_teardown),
        };

        return cmocka_run_group_tests_name("store-messages", tests, NULL, NULL);
}
