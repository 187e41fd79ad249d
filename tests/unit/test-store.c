/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/attachment-memory.h"
#include "tests/unit/store-fixture.h"

#include <sqlite3.h>

static void test_modes(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *folder = strdup(f->path), *lock = fixture_beside(f, ".lock");
        const char *names[] = { f->path, lock };
        struct stat st;
        mode_t mask;

        fixture_close(f);
        remove_folder(f->folder);
        assert_return_code(mkdir(f->folder, 0755), errno);

        /* Whatever the umask takes or leaves. */
        for (unsigned i = 0; i < 2; i++) {
                mask = umask(i == 0 ? 0 : 0777);
                assert_int_equal(fixture_open(f), FAILURE_NONE);
                (void) umask(mask);
                (void) make_conversation(f, "modes");

                *strrchr(folder, '/') = 0;
                assert_return_code(stat(folder, &st), errno);
                assert_int_equal(st.st_mode & 07777, 0700);
                folder[strlen(folder)] = '/';
                for (size_t k = 0; k < ELEMENTSOF(names); k++) {
                        assert_return_code(stat(names[k], &st), errno);
                        assert_int_equal(st.st_mode & 07777, 0600);
                }
                fixture_close(f);
                remove_folder(f->folder);
                assert_return_code(mkdir(f->folder, 0755), errno);
        }
        assert_int_equal(fixture_open(f), FAILURE_NONE);
}

static void test_second_service(void **state)
{
        Fixture *f = *state, other = { 0 };
        char pid[32];

        (void) snprintf(other.path, sizeof other.path, "%s", f->path);
        assert_int_equal(fixture_open(&other), FAILURE_BUSY);
        (void) snprintf(pid, sizeof pid, "process %d", (int) getpid());
        assert_non_null(strstr(failure_message(&other.failure), pid));
        assert_non_null(strstr(failure_message(&other.failure), f->path));
        assert_null(other.index);

        /* What is asked all the same fails with the same reason. */
        assert_int_equal(do_page(&other, 1, 1, 1, 1), FAILURE_BUSY);
        fixture_close(&other);

        /* The first one does not notice. */
        (void) make_conversation(f, "still here");
        fixture_close(f);
        assert_int_equal(fixture_open(&other), FAILURE_NONE);
        fixture_close(&other);
        fixture_forget(&other);
        sd_event_unref(other.event);
        free(other.notice);
}

static void test_index(void **state)
{
        Fixture *f = *state;
        uint64_t a = make_conversation(f, "erste"), b = make_conversation(f, "zweite");
        StoreConversation c = {
                .number = a,
                .title = (char *) "Straße",
                .title_set = true,
                .model = (char *) "ollama/llama3",
                .modified = 9000,
                .deleted = 77,
                .head = 3,
                .read = 2,
                .context_used = 11,
                .context_size = 4096,
                .archived = true,
                .hidden = true,
        };
        StoreField all = STORE_TITLE | STORE_MODEL | STORE_MODIFIED | STORE_DELETED |
                STORE_ARCHIVED | STORE_HIDDEN | STORE_READ | STORE_CONTEXT | STORE_HEAD;
        sd_id128_t id;

        assert_int_equal(do_update(f, &c, all), FAILURE_NONE);
        c.number = b;
        c.title = (char *) "not written";
        assert_int_equal(do_update(f, &c, STORE_READ), FAILURE_NONE);
        c.number = 999;
        assert_int_equal(do_update(f, &c, STORE_READ), FAILURE_NO_SUCH_CONVERSATION);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 2);
        assert_string_equal(f->index->default_model, "");
        assert_int_equal(f->index->interrupted, 0);

        c = f->index->conversations[0];
        assert_int_equal(c.number, a);
        assert_string_equal(c.title, "Straße");
        assert_string_equal(c.model, "ollama/llama3");
        assert_true(c.title_set && c.archived && c.hidden);
        assert_int_equal(c.created, 1000 + a);
        assert_int_equal(c.modified, 9000);
        assert_int_equal(c.deleted, 77);
        assert_int_equal(c.head, 3);
        assert_int_equal(c.messages, 0);
        assert_int_equal(c.read, 2);
        assert_int_equal(c.context_used, 11);
        assert_int_equal(c.context_size, 4096);
        id = c.id;
        assert_false(sd_id128_is_null(id));

        c = f->index->conversations[1];
        assert_string_equal(c.title, "zweite");
        assert_int_equal(c.read, 2);
        assert_int_equal(c.deleted, 0);
        assert_false(c.archived || c.hidden || c.title_set);
        assert_false(sd_id128_equal(c.id, id));
}

static void test_settings_and_prompts(void **state)
{
        Fixture *f = *state;
        uint64_t number = make_conversation(f, "");
        Call call = CALL(f);

        assert_int_equal(call_wait(&call,
                                 store_set_setting(f->store, "default_model", "a/b", on_call_done,
                                         &call, NULL)),
                FAILURE_NONE);
        call = CALL(f);
        assert_int_equal(
                call_wait(&call, store_get_system(f->store, number, on_call_system, &call, NULL)),
                FAILURE_NONE);
        assert_string_equal(f->text, "");
        for (unsigned i = 0; i < 2; i++) {
                const char *prompt = i == 0 ? "You are kind." : "Short answers.";

                call = CALL(f);
                assert_int_equal(call_wait(&call,
                                         store_set_system(f->store, number, prompt, on_call_done,
                                                 &call, NULL)),
                        FAILURE_NONE);
                call = CALL(f);
                assert_int_equal(
                        call_wait(&call,
                                store_get_system(f->store, number, on_call_system, &call, NULL)),
                        FAILURE_NONE);
                assert_string_equal(f->text, prompt);
        }
        call = CALL(f);
        assert_int_equal(
                call_wait(&call,
                        store_set_system(f->store, 4711, "nobody's", on_call_done, &call, NULL)),
                FAILURE_NO_SUCH_CONVERSATION);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_string_equal(f->index->default_model, "a/b");
        assert_string_equal(f->index->last_model, "");
}

static void test_branches(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), other = make_conversation(f, "");
        uint64_t q = add_message(f, n, 0, ROLE_USER, "question");
        uint64_t a1 = add_message(f, n, q, ROLE_ASSISTANT, "answer 1");
        uint64_t a2 = add_message(f, n, q, ROLE_ASSISTANT, "answer 2");
        uint64_t q2 = add_message(f, n, a1, ROLE_USER, "more");
        Call call;

        assert_int_equal(do_page(f, n, q2, 10, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 3);
        assert_int_equal(f->messages->messages[0].id, q);
        assert_int_equal(f->messages->messages[0].parent, 0);
        assert_int_equal(f->messages->messages[0].role, ROLE_USER);
        assert_int_equal(f->messages->messages[0].created, 100 + q);
        assert_string_equal(f->messages->messages[1].content, "answer 1");
        assert_int_equal(f->messages->messages[1].content_size, 8);
        assert_int_equal(f->messages->messages[1].reason, REASON_STOP);
        assert_string_equal(f->messages->messages[1].metadata, "{}");
        assert_int_equal(f->messages->messages[2].id, q2);
        assert_null(f->messages->system);

        /* Limits: messages, bytes (metadata counts), and one of whatever size. */
        assert_int_equal(do_page(f, n, q2, 2, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 2);
        assert_int_equal(f->messages->messages[0].id, a1);
        assert_int_equal(do_page(f, n, q2, 10, 4 + 2 + 8 + 2), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 2);
        assert_int_equal(do_page(f, n, q2, 10, 4 + 2 + 8 + 2 - 1), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 1);
        assert_int_equal(do_page(f, n, q2, 10, 0), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 1);
        assert_int_equal(do_page(f, n, 0, 10, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 0);

        assert_int_equal(do_page(f, n, 999, 10, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(do_page(f, other, q, 10, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);

        call = CALL(f);
        assert_int_equal(
                call_wait(&call, store_list_siblings(f->store, n, a1, on_call_ids, &call, NULL)),
                FAILURE_NONE);
        assert_int_equal(f->n_ids, 2);
        assert_int_equal(f->ids[0], a1);
        assert_int_equal(f->ids[1], a2);
        call = CALL(f);
        assert_int_equal(
                call_wait(&call, store_list_siblings(f->store, n, 0, on_call_ids, &call, NULL)),
                FAILURE_NONE);
        assert_int_equal(f->n_ids, 1);
        assert_int_equal(f->ids[0], q);
        call = CALL(f);
        assert_int_equal(
                call_wait(&call, store_list_siblings(f->store, other, q, on_call_ids, &call, NULL)),
                FAILURE_NO_SUCH_MESSAGE);

        call = CALL(f);
        assert_int_equal(
                call_wait(&call, store_find_head_below(f->store, n, q, on_call_ids, &call, NULL)),
                FAILURE_NONE);
        assert_int_equal(f->ids[0], q2);
        call = CALL(f);
        assert_int_equal(
                call_wait(&call, store_find_head_below(f->store, n, a2, on_call_ids, &call, NULL)),
                FAILURE_NONE);
        assert_int_equal(f->ids[0], a2);
        call = CALL(f);
        assert_int_equal(
                call_wait(&call, store_find_head_below(f->store, n, 99, on_call_ids, &call, NULL)),
                FAILURE_NO_SUCH_MESSAGE);

        /* Only below a message of the same conversation, and an older one. */
        assert_int_equal(do_add(f, other, store_next_id(f->store), q, ROLE_USER, "x"),
                FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(do_add(f, 4711, store_next_id(f->store), 0, ROLE_USER, "x"),
                FAILURE_NO_SUCH_CONVERSATION);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->conversations[0].messages, 4);
        assert_int_equal(f->index->conversations[0].head, q2);
        assert_int_equal(f->index->conversations[1].messages, 0);
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
        Call call;

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

        call = CALL(f);
        assert_int_equal(
                call_wait(
                        &call, store_get_message(f->store, n, m.id, on_call_messages, &call, NULL)),
                FAILURE_NONE);
        got = f->messages->messages[0].attachments;
        assert_memory_equal(got[0].data, data, sizeof data);
        assert_string_equal(got[1].name, "empty");
        assert_int_equal(got[1].size, 0);

        call = CALL(f);
        assert_int_equal(
                call_wait(
                        &call, store_get_context(f->store, n, m.id, on_call_messages, &call, NULL)),
                FAILURE_NONE);
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
                Call call = CALL(f);

                assert_true(attachment_memory_take(others, 0, others));
                assert_int_equal(call_wait(&call,
                                         store_get_context(
                                                 f->store, n, m.id, on_call_messages, &call, NULL)),
                        table[i].code);
                assert_int_equal(attachment_memory_used(), others + taken);
                fixture_forget(f);
                assert_int_equal(attachment_memory_used(), others);

                call = CALL(f);
                assert_int_equal(call_wait(&call,
                                         store_get_message(
                                                 f->store, n, m.id, on_call_messages, &call, NULL)),
                        table[i].code);
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
        Call call = CALL(f);

        (void) call_wait(
                &call, store_set_system(f->store, n, "Be brief.", on_call_done, &call, NULL));
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

/* A message larger than a step is a step, and nobody who went away is waited for. */
static void test_large_steps(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), parent = 0;
        _cleanup_free_ char *large = calloc(1, MIB(1) + 2);
        StoreSlot *slot;
        Call call;

        memset(large, 'x', MIB(1) + 1);
        for (unsigned i = 0; i < 4; i++)
                parent = add_message(f, n, parent, ROLE_USER, i % 2 ? large : "small");
        call = CALL(f);
        (void) call_wait(
                &call, store_get_context(f->store, n, parent, on_call_messages, &call, NULL));
        assert_int_equal(f->messages->n_messages, 4);
        assert_string_equal(f->messages->messages[1].content, large);
        assert_string_equal(f->messages->messages[2].content, "small");
        assert_int_equal(store_get_context(f->store, n, parent, on_call_messages, &call, &slot), 0);
        store_slot_free(slot);
        while (store_pending(f->store) > 0)
                assert_return_code(sd_event_run(f->event, UINT64_MAX), errno);
}

static void test_all_pages(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), other = make_conversation(f, "");
        uint64_t ids[7], after = 0;
        size_t seen = 0;
        Call call;

        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                ids[i] = add_message(f, n, i % 3 ? ids[i - 1] : 0, ROLE_USER, "text");
                (void) add_message(f, other, 0, ROLE_USER, "elsewhere");
        }
        for (;;) {
                call = CALL(f);
                assert_int_equal(call_wait(&call,
                                         store_get_all(f->store, n, after, /* limit= */ 3, SIZE_MAX,
                                                 on_call_messages, &call, NULL)),
                        FAILURE_NONE);
                if (f->messages->n_messages == 0)
                        break;
                assert_in_range(f->messages->n_messages, 1, 3);
                for (size_t i = 0; i < f->messages->n_messages; i++)
                        assert_int_equal(f->messages->messages[i].id, ids[seen++]);
                after = ids[seen - 1];
        }
        assert_int_equal(seen, ELEMENTSOF(ids));
}

static void test_tokens(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), other = make_conversation(f, "");
        StoreMessage pair[2] = {
                { .id = 10, .role = ROLE_USER, .content = (char *) "q", .content_size = 1 },
                { .id = 11, .parent = 10, .role = ROLE_ASSISTANT, .live = true },
        };
        Call call = CALL(f);

        assert_int_equal(
                call_wait(&call, store_find_token(f->store, n, "t", on_call_token, &call, NULL)),
                FAILURE_NONE);
        assert_int_equal(f->ids[0], 0);
        assert_int_equal(f->ids[1], 0);

        assert_int_equal(do_add_all(f, n, pair, 2, 11, "t"), FAILURE_NONE);
        call = CALL(f);
        assert_int_equal(
                call_wait(&call, store_find_token(f->store, n, "t", on_call_token, &call, NULL)),
                FAILURE_NONE);
        assert_int_equal(f->ids[0], 10);
        assert_int_equal(f->ids[1], 11);
        call = CALL(f);
        assert_int_equal(
                call_wait(
                        &call, store_find_token(f->store, other, "t", on_call_token, &call, NULL)),
                FAILURE_NONE);
        assert_int_equal(f->ids[0], 0);

        /* The same one again stores nothing, so that two at once cannot send twice. */
        pair[0].id = 12;
        pair[1].id = 13;
        pair[1].parent = 12;
        assert_int_equal(do_add_all(f, n, pair, 2, 13, "t"), FAILURE_BUSY);
        assert_int_equal(do_page(f, n, 12, 1, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);
}

static void age_token(Fixture *f, const char *token, unsigned seconds)
{
        _cleanup_free_ char *sql = NULL;
        sqlite3 *sqlite;

        assert_true(
                asprintf(&sql, "UPDATE tokens SET created = created - %u000000 WHERE token = '%s'",
                        seconds, token) > 0);
        assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
        assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_changes(sqlite), 1);
        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

/* A token is kept for seven days, and goes with the next one. */
static void test_old_tokens(void **state)
{
        static const char *const tokens[] = { "older", "younger", "new" };
        const unsigned week = 7 * 24 * 3600;
        Fixture *f = *state;
        uint64_t n = make_conversation(f, "");

        for (size_t i = 0; i < ELEMENTSOF(tokens); i++) {
                StoreMessage m = { .id = 10 + i };

                if (i == 2) {
                        age_token(f, "older", week + 1);
                        age_token(f, "younger", week - 60);
                }
                assert_int_equal(do_add_all(f, n, &m, 1, m.id, tokens[i]), FAILURE_NONE);
        }
        for (size_t i = 0; i < ELEMENTSOF(tokens); i++) {
                Call call = CALL(f);

                assert_int_equal(call_wait(&call,
                                         store_find_token(f->store, n, tokens[i], on_call_token,
                                                 &call, NULL)),
                        FAILURE_NONE);
                assert_int_equal(f->ids[0], i == 0 ? 0 : 10 + i);
                assert_int_equal(f->ids[1], 0);
        }
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
        Call call;

        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_REASONING, 0, "hm", 2), 0);
        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 0, "Hä", 3), 0);
        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 3, "llo", 3), 0);
        /* Sent again, and more: what is there is not there twice. */
        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 3, "llo!", 4), 0);

        assert_int_equal(do_page(f, n, r, 1, SIZE_MAX), FAILURE_NONE);
        assert_true(f->messages->messages[0].live);
        assert_int_equal(f->messages->messages[0].reason, REASON_NONE);
        assert_string_equal(f->messages->messages[0].content, "Hällo!");
        assert_string_equal(f->messages->messages[0].reasoning, "hm");
        assert_int_equal(do_text(f, n, r, CHANNEL_CONTENT, 2, 100), FAILURE_NONE);
        assert_true(f->part.live);
        assert_string_equal(f->part.text, "ällo!");
        assert_int_equal(f->part.offset, 1);
        assert_int_equal(f->part.total, 7);

        /* A hole: what follows makes no sense. */
        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 99, "x", 1), 0);
        assert_int_equal(do_page(f, n, r, 1, SIZE_MAX), FAILURE_NONE);
        assert_string_equal(f->messages->messages[0].content, "Hällo!");

        assert_int_equal(do_end(f, n, r, "Hällo! Bye.", REASON_LENGTH), FAILURE_NONE);
        assert_int_equal(do_page(f, n, r, 1, SIZE_MAX), FAILURE_NONE);
        assert_false(f->messages->messages[0].live);
        assert_string_equal(f->messages->messages[0].content, "Hällo! Bye.");
        assert_int_equal(f->messages->messages[0].reason, REASON_LENGTH);

        /* Ended, it takes no more: nobody waits for it, so a notice says that. */
        assert_int_equal(f->notices[STORE_NOTICE_FAILED], 0);
        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 12, "x", 1), 0);
        wait_notice(f, STORE_NOTICE_FAILED);

        /* Continued: its text stays, and what comes is added to it. */
        call = CALL(f);
        assert_int_equal(
                call_wait(&call, store_reopen_reply(f->store, n, r, on_call_done, &call, NULL)),
                FAILURE_NONE);
        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 12, " More", 5), 0);
        fixture_close(f);

        /* A service that ended under it. */
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->interrupted, 1);
        assert_int_equal(do_page(f, n, r, 1, SIZE_MAX), FAILURE_NONE);
        assert_false(f->messages->messages[0].live);
        assert_int_equal(f->messages->messages[0].reason, REASON_INTERRUPTED);
        assert_string_equal(f->messages->messages[0].content, "Hällo! Bye. More");

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

static void test_private(void **state)
{
        Fixture *f = *state;
        uint64_t n = store_next_number(f->store, /* private= */ true), q, r;

        assert_true(n & STORE_PRIVATE);
        assert_int_equal(do_create(f, n, "hushhush"), FAILURE_NONE);
        q = add_message(f, n, 0, ROLE_USER, "hushhush question");
        r = add_live(f, n, q);
        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 0, "part", 4), 0);
        assert_int_equal(do_page(f, n, r, 5, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, 2);
        assert_string_equal(f->messages->messages[1].content, "part");
        assert_int_equal(do_end(f, n, r, "hushhush answer", REASON_STOP), FAILURE_NONE);
        assert_int_equal(do_text(f, n, r, CHANNEL_CONTENT, 9, 100), FAILURE_NONE);
        assert_string_equal(f->part.text, "answer");
        /* Nothing on the disk knows of it, and a failure undoes what it had done. */
        assert_int_equal(do_page(f, n & ~STORE_PRIVATE, r, 5, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(do_add(f, n, store_next_id(f->store), 999, ROLE_USER, "x"),
                FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(do_search(f, "hushhush", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 0);

        assert_int_equal(do_purge(f, n), FAILURE_NONE);
        assert_int_equal(do_page(f, n, r, 5, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);
        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 0);
        /* Its ids are not given out again. */
        assert_true(store_next_id(f->store) > r);
}

static void test_ids(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), id = add_message(f, n, 0, ROLE_USER, "x");

        assert_true(n > 0 && id > 0);
        assert_int_equal(do_purge(f, n), FAILURE_NONE);
        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_true(store_next_id(f->store) > id);
        assert_true(store_next_number(f->store, false) > n);
}

static void on_never(const Failure *failure, void *userdata)
{
        fail();
}

static void test_slots(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, "");
        StoreConversation c = { .number = n, .read = 42 };
        StoreSlot *slot, *kept;
        Call call = CALL(f);

        /* Freed: carried out, but not heard of. */
        assert_return_code(
                store_update_conversation(f->store, &c, STORE_READ, on_never, NULL, &slot), 0);
        assert_non_null(slot);
        store_slot_free(slot);
        assert_int_equal(store_pending(f->store), 1);
        assert_int_equal(call_wait(&call,
                                 store_update_conversation(
                                         f->store, &c, STORE_MODIFIED, on_call_done, &call, &kept)),
                FAILURE_NONE);
        assert_int_equal(store_pending(f->store), 0);
        store_slot_free(kept);

        /* The store goes first. */
        assert_return_code(
                store_update_conversation(f->store, &c, STORE_READ, on_never, NULL, &slot), 0);
        fixture_close(f);
        store_slot_free(slot);

        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->conversations[0].read, 42);
}

/* One that fails takes nothing with it of those that are committed together. */
static void test_batch(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, "");
        StoreMessage m[3] = { { .id = 1, .content = (char *) "one", .content_size = 3 },
                { .id = 2, .parent = 777, .content = (char *) "two", .content_size = 3 },
                { .id = 3, .content = (char *) "three", .content_size = 5 } };
        Fixture results[3] = { 0 };
        Call calls[3];

        fixture_forget(f);
        for (size_t i = 0; i < 3; i++) {
                results[i].event = f->event;
                calls[i] = (Call){ .f = &results[i] };
                assert_return_code(store_add_messages(f->store, n, &m[i], 1, m[i].id, 1, NULL,
                                           on_call_done, &calls[i], NULL),
                        0);
        }
        for (size_t i = 0; i < 3; i++)
                (void) call_wait(&calls[i], 0);
        assert_int_equal(results[0].failure.code, FAILURE_NONE);
        assert_int_equal(results[1].failure.code, FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(results[2].failure.code, FAILURE_NONE);
        failure_done(&results[1].failure);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->conversations[0].messages, 2);
        assert_int_equal(f->index->conversations[0].head, 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_modes, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_second_service, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_index, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_settings_and_prompts, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_branches, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_attachments, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_attachments_counted, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_steps, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_large_steps, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_all_pages, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_tokens, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_old_tokens, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_binary, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_live_reply, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_text_parts, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_large_text, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_private, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_ids, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_slots, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_batch, fixture_setup, fixture_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
