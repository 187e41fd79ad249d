/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/folder.h"
#include "tests/unit/sqlite-util.h"
#include "tests/unit/store-fixture.h"

static void test_modes(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *folder = strdup(f->path), *lock = fixture_beside(f, ".lock");
        const char *names[] = { f->path, lock };
        struct stat st;
        mode_t mask;

        fixture_close(f);
        folder_remove(f->folder);
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
                folder_remove(f->folder);
                assert_return_code(mkdir(f->folder, 0755), errno);
        }
        assert_int_equal(fixture_open(f), FAILURE_NONE);
}

static void test_second_service(void **state)
{
        Fixture *f = *state, other = { .path = f->path };
        char pid[32];

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

        assert_int_equal(do_set_setting(f, "default_model", "a/b"), FAILURE_NONE);
        assert_int_equal(do_get_system(f, number), FAILURE_NONE);
        assert_string_equal(f->text, "");
        for (unsigned i = 0; i < 2; i++) {
                const char *prompt = i == 0 ? "You are kind." : "Short answers.";

                assert_int_equal(do_set_system(f, number, prompt), FAILURE_NONE);
                assert_int_equal(do_get_system(f, number), FAILURE_NONE);
                assert_string_equal(f->text, prompt);
        }
        assert_int_equal(do_set_system(f, 4711, "nobody's"), FAILURE_NO_SUCH_CONVERSATION);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_string_equal(f->index->default_model, "a/b");
        assert_string_equal(f->index->last_model, "");
}

static void test_tokens(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), other = make_conversation(f, "");
        StoreMessage pair[2] = {
                { .id = 10, .role = ROLE_USER, .content = (char *) "q", .content_size = 1 },
                { .id = 11, .parent = 10, .role = ROLE_ASSISTANT, .live = true },
        };

        assert_int_equal(do_find_token(f, n, "t"), FAILURE_NONE);
        assert_int_equal(f->ids[0], 0);
        assert_int_equal(f->ids[1], 0);

        assert_int_equal(do_add_all(f, n, pair, 2, 11, "t"), FAILURE_NONE);
        assert_int_equal(do_find_token(f, n, "t"), FAILURE_NONE);
        assert_int_equal(f->ids[0], 10);
        assert_int_equal(f->ids[1], 11);
        assert_int_equal(do_find_token(f, other, "t"), FAILURE_NONE);
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

        assert_true(
                asprintf(&sql, "UPDATE tokens SET created = created - %u000000 WHERE token = '%s'",
                        seconds, token) > 0);
        assert_int_equal(sqlite_change(f->path, sql), 1);
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

                assert_int_equal(do_find_token(f, n, tokens[i]), FAILURE_NONE);
                assert_int_equal(f->ids[0], i == 0 ? 0 : 10 + i);
                assert_int_equal(f->ids[1], 0);
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
        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_CONTENT, 0, "part", 4, NULL, NULL, NULL),
                0);
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

/* Of a conversation that comes with its messages all is there, or nothing. */
static void test_whole(void **state)
{
        Fixture *f = *state;
        StoreConversation c = { .number = store_next_number(f->store, /* private= */ false),
                .title = (char *) "whole",
                .created = 1,
                .modified = 2,
                .head = 2,
                .archived = true };
        StoreMessage m[] = { { .id = 1, .content = (char *) "one", .content_size = 3 },
                { .id = 2, .parent = 777, .content = (char *) "two", .content_size = 3 } };

        assert_return_code(sd_id128_randomize(&c.id), errno);
        for (unsigned attempt = 0; attempt < 2; attempt++) {
                Call call = CALL(f);

                assert_int_equal(
                        call_wait(&call,
                                store_create_whole(f->store, &c, "be brief", m, ELEMENTSOF(m),
                                        on_call_done, &call, /* ret_slot= */ NULL)),
                        attempt == 0 ? FAILURE_NO_SUCH_MESSAGE : FAILURE_NONE);
                fixture_close(f);
                assert_int_equal(fixture_open(f), FAILURE_NONE);
                assert_int_equal(f->index->n_conversations, attempt);
                m[1].parent = 1;
        }
        assert_string_equal(f->index->conversations[0].title, "whole");
        assert_int_equal(f->index->conversations[0].messages, 2);
        assert_int_equal(f->index->conversations[0].head, 2);
        assert_int_equal(f->index->conversations[0].modified, 2);
        assert_int_equal(f->index->conversations[0].deleted, 0);
        assert_true(f->index->conversations[0].archived);
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
                cmocka_unit_test_setup_teardown(test_tokens, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_old_tokens, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_private, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_ids, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_slots, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_batch, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_whole, fixture_setup, fixture_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
