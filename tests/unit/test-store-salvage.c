/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/folder.h"
#include "tests/unit/sqlite-util.h"
#include "tests/unit/store-fixture.h"

#define MESSAGES 1500U

typedef struct Bytes {
        char *data;
        size_t size;
} Bytes;

static Bytes read_file(const char *path)
{
        Bytes b;

        b.data = file_read(path, &b.size);
        return b;
}

static void write_file(const char *path, const void *data, size_t size)
{
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
}

static void assert_same_file(const char *path, const Bytes *expected)
{
        Bytes got = read_file(path);

        assert_int_equal(got.size, expected->size);
        assert_memory_equal(got.data, expected->data, got.size);
        free(got.data);
}

static uint64_t fill(Fixture *f)
{
        uint64_t n = make_conversation(f, "long"), parent = 0;
        StoreMessage *m = calloc(MESSAGES, sizeof *m);
        char text[200];

        for (size_t i = 0; i < MESSAGES; i++) {
                (void) snprintf(text, sizeof text,
                        "message-%04zu with some words, so that not too many fit into one page; "
                        "and some more of them, and again some more of them.",
                        i);
                m[i] = (StoreMessage){
                        .id = store_next_id(f->store),
                        .parent = parent,
                        .role = ROLE_USER,
                        .content = strdup(text),
                        .content_size = strlen(text),
                };
                parent = m[i].id;
        }
        assert_int_equal(do_add_all(f, n, m, MESSAGES, parent, NULL), FAILURE_NONE);
        for (size_t i = 0; i < MESSAGES; i++)
                free(m[i].content);
        free(m);
        return n;
}

/* Makes the page that holds the text unreadable. */
static void damage_page_with(Bytes *b, const char *text)
{
        char *at = memmem(b->data, b->size, text, strlen(text));

        assert_non_null(at);
        memset(b->data + (size_t) (at - b->data) / 4096 * 4096, 0xa5, 4096);
}

static size_t count_readable(Fixture *f, uint64_t number)
{
        uint64_t after = 0;
        size_t n = 0;

        for (;;) {

                assert_int_equal(do_all(f, number, after, 500), FAILURE_NONE);
                if (f->messages->n_messages == 0)
                        return n;
                n += f->messages->n_messages;
                after = f->messages->messages[f->messages->n_messages - 1].id;
        }
}

/* All but those of two pages, from either side of each hole; and what refers to them fits. */
static void check_salvaged(Fixture *f, uint64_t number, const Bytes *damaged)
{
        uint64_t head = MESSAGES;
        size_t n = count_readable(f, number);

        assert_in_range(n, MESSAGES - 60, MESSAGES - 20);
        assert_same_file(f->notice, damaged);
        assert_non_null(startswith(f->notice, f->path));
        assert_non_null(strstr(f->notice, ".damaged-2"));

        /* The branch goes over the holes. */
        assert_int_equal(do_page(f, number, head, UINT32_MAX, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, n);
        assert_non_null(startswith(f->messages->messages[0].content, "message-0000"));
        assert_int_equal(do_search(f, "0007", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 1);
        assert_int_equal(do_search(f, "0500", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 0);
        (void) add_message(f, number, head, ROLE_USER, "goes on");

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->notices[STORE_NOTICE_SALVAGED], 0);
        assert_int_equal(f->index->conversations[0].messages, n + 1);
        assert_string_equal(f->index->conversations[0].title, "long");
}

static Bytes make_damaged(Fixture *f)
{
        Bytes b;

        fixture_close(f);
        b = read_file(f->path);
        damage_page_with(&b, "message-0500");
        damage_page_with(&b, "message-1000");
        write_file(f->path, b.data, b.size);
        return b;
}

/* Before the notice. */
static void on_salvaged(StoreIndex *index, void *userdata)
{
        Fixture *f = userdata;

        assert_int_equal(f->notices[STORE_NOTICE_SALVAGED], 0);
        store_index_free(f->index);
        f->index = index;
}

/* Found while it is used. */
static void test_damaged_page(void **state)
{
        Fixture *f = *state;
        uint64_t n = fill(f);
        Bytes b = make_damaged(f);

        assert_int_equal(fixture_open(f), FAILURE_NONE);
        store_set_salvaged(f->store, on_salvaged, f);
        assert_int_equal(f->index->conversations[0].messages, MESSAGES);
        assert_int_equal(do_page(f, n, MESSAGES, UINT32_MAX, SIZE_MAX), FAILURE_STORE_FAILED);
        print_message("# %s\n", failure_message(&f->failure));
        assert_non_null(strstr(failure_message(&f->failure), "damaged"));
        fixture_wait_notice(f, STORE_NOTICE_SALVAGED);
        assert_int_equal(f->index->n_conversations, 1);
        assert_int_equal(f->index->conversations[0].messages, count_readable(f, n));
        check_salvaged(f, n, &b);
        free(b.data);
}

/* Found by the check that comes after an unclean end, which a log that is left tells. */
static void test_check(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *log = fixture_beside(f, "-wal");
        uint64_t n = fill(f);
        Bytes b;

        fixture_close(f);
        write_file(log, "no log", 6);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        fixture_wait_notice(f, STORE_NOTICE_CHECKED);
        assert_int_equal(f->notices[STORE_NOTICE_SALVAGED], 0);
        assert_int_equal(count_readable(f, n), MESSAGES);

        b = make_damaged(f);
        write_file(log, "no log", 6);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        fixture_wait_notice(f, STORE_NOTICE_SALVAGED);
        assert_int_equal(f->notices[STORE_NOTICE_CHECKED], 0);
        free(b.data);
        b = read_file(f->notice);
        check_salvaged(f, n, &b);
        free(b.data);
}

/* A reply goes on while the database is saved under it. */
static void test_live_reply(void **state)
{
        Fixture *f = *state;
        uint64_t n = fill(f), r;
        Bytes b = make_damaged(f);

        assert_int_equal(fixture_open(f), FAILURE_NONE);
        r = add_live(f, n, MESSAGES);
        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_CONTENT, 0, "one ", 4, NULL, NULL, NULL),
                0);
        fixture_settle(f);
        assert_int_equal(do_page(f, n, MESSAGES, UINT32_MAX, SIZE_MAX), FAILURE_STORE_FAILED);
        assert_return_code(
                store_append_reply(f->store, n, r, CHANNEL_CONTENT, 4, "two", 3, NULL, NULL, NULL),
                0);
        fixture_wait_notice(f, STORE_NOTICE_SALVAGED);
        assert_int_equal(do_page(f, n, r, 1, SIZE_MAX), FAILURE_NONE);
        assert_true(f->messages->messages[0].live);
        assert_string_equal(f->messages->messages[0].content, "one two");
        assert_int_equal(do_end(f, n, r, "one two three", REASON_STOP), FAILURE_NONE);
        assert_int_equal(do_search(f, "three", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 1);
        free(b.data);
}

/* The first page is lost, and with it the names of the tables; or it never was a database. */
static void test_no_database(void **state)
{
        static const char *const contents[] = { "x", "This is no database.\n", NULL };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(contents); i++) {
                Bytes b = { 0 };

                (void) make_conversation(f, "lost");
                fixture_close(f);
                if (contents[i])
                        b = (Bytes){ strdup(contents[i]), strlen(contents[i]) };
                else {
                        b = read_file(f->path);
                        memset(b.data + 100, 0xff, 3000);
                }
                write_file(f->path, b.data, b.size);

                assert_int_equal(fixture_open(f), FAILURE_NONE);
                fixture_wait_notice(f, STORE_NOTICE_SALVAGED);
                assert_same_file(f->notice, &b);
                assert_int_equal(f->index->n_conversations, 0);
                free(b.data);
        }
}

static void tamper(Fixture *f, const char *sql)
{
        fixture_close(f);
        (void) sqlite_change(f->path, sql);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
}

/* What somebody else put into the file is not run. */
static void test_trigger(void **state)
{
        Fixture *f = *state;
        uint64_t n = fill(f);

        tamper(f,
                "CREATE TRIGGER theirs AFTER INSERT ON messages"
                " BEGIN DELETE FROM messages WHERE id <> new.id; END");
        assert_int_equal(
                do_add(f, n, store_next_id(f->store), MESSAGES, ROLE_USER, "more"), FAILURE_NONE);
        assert_int_equal(do_page(f, n, MESSAGES, UINT32_MAX, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, MESSAGES);
}

/* An index that cannot be written to does not keep all questions from being asked for ever. */
static void test_tampered_index(void **state)
{
        Fixture *f = *state;
        uint64_t n = fill(f), last;

        tamper(f,
                "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 2000)"
                " INSERT OR IGNORE INTO search_idx (segid, term, pgno) SELECT i, x'', 2 FROM s");
        last = store_next_id(f->store);
        assert_int_equal(do_add(f, n, last, MESSAGES, ROLE_USER, "more"), FAILURE_STORE_FAILED);
        assert_non_null(strstr(failure_message(&f->failure), "damaged"));
        fixture_wait_notice(f, STORE_NOTICE_SALVAGED);
        last = store_next_id(f->store);
        assert_int_equal(do_add(f, n, last, MESSAGES, ROLE_USER, "more"), FAILURE_NONE);
        assert_int_equal(do_page(f, n, last, UINT32_MAX, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->n_messages, MESSAGES + 1);
}

/* A message that an index has lost is in no page: for whoever reads, it is lost. The index is left
 * as it is while a message is written, by a condition that none fits. */
static void test_hidden_message(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *log = fixture_beside(f, "-wal");
        uint64_t n = fill(f);

        tamper(f,
                "PRAGMA writable_schema = ON;"
                "UPDATE sqlite_schema SET sql = sql || ' WHERE id < 0'"
                " WHERE name = 'messages_by_conversation'");
        tamper(f,
                "INSERT INTO messages SELECT id + 1, conversation, id, role, reason, live, created,"
                " metadata, 'hidden', '' FROM messages ORDER BY id DESC LIMIT 1");
        tamper(f,
                "PRAGMA writable_schema = ON;"
                "UPDATE sqlite_schema SET sql = replace(sql, ' WHERE id < 0', '')"
                " WHERE name = 'messages_by_conversation'");
        assert_int_equal(count_readable(f, n), MESSAGES);
        fixture_close(f);

        write_file(log, "no log", 6);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        fixture_wait_notice(f, STORE_NOTICE_SALVAGED);
        assert_int_equal(count_readable(f, n), MESSAGES + 1);
}

/* A conversation's row is lost, its messages are not. */
static void test_lost_conversation(void **state)
{
        Fixture *f = *state;
        uint64_t n = fill(f);
        Bytes b;

        fixture_close(f);
        (void) sqlite_change(f->path,
                "PRAGMA journal_mode = DELETE; DELETE FROM conversations;"
                "PRAGMA journal_mode = WAL");
        b = make_damaged(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(do_page(f, n, MESSAGES, UINT32_MAX, SIZE_MAX), FAILURE_STORE_FAILED);
        fixture_wait_notice(f, STORE_NOTICE_SALVAGED);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 1);
        assert_string_equal(f->index->conversations[0].title, "Recovered");
        assert_int_equal(f->index->conversations[0].number, n);
        assert_int_equal(f->index->conversations[0].head, MESSAGES);
        assert_in_range(f->index->conversations[0].messages, MESSAGES - 60, MESSAGES - 20);
        free(b.data);
}

/* Ended between making the new database and putting it in its place, with and without the old one
 * still there. */
static void test_interrupted_salvage(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *salvaged = fixture_beside(f, ".salvaged"), *half = NULL;
        Bytes good, bad = { (char *) "damaged", 7 };

        (void) make_conversation(f, "saved");
        fixture_close(f);
        good = read_file(f->path);

        for (unsigned i = 0; i < 2; i++) {
                write_file(salvaged, good.data, good.size);
                if (i == 0)
                        write_file(f->path, bad.data, bad.size);
                else
                        assert_return_code(unlink(f->path), errno);
                assert_int_equal(fixture_open(f), FAILURE_NONE);
                assert_int_equal(f->index->n_conversations, 1);
                assert_string_equal(f->index->conversations[0].title, "saved");
                assert_int_equal(f->notices[STORE_NOTICE_SALVAGED], i == 0);
                if (i == 0)
                        assert_same_file(f->notice, &bad);
                assert_int_equal(access(salvaged, F_OK), -1);
                fixture_close(f);
        }

        /* Half of one is not taken for the whole. */
        half = fixture_beside(f, ".salvaging");
        write_file(half, "half", 4);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 1);
        free(good.data);
}

static void test_not_ours(void **state)
{
        static const struct {
                const char *sql, *says;
        } cases[] = {
                { "PRAGMA user_version = 4711", "newer version" },
                { "PRAGMA application_id = 4711", "another program" },
                { "PRAGMA application_id = 0; PRAGMA user_version = 0", "another program" },
        };
        Fixture *f = *state;
        _cleanup_free_ char *log = fixture_beside(f, "-wal");
        Bytes original, changed;

        (void) make_conversation(f, "old");
        fixture_close(f);
        original = read_file(f->path);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                write_file(f->path, original.data, original.size);
                (void) sqlite_change(f->path, cases[i].sql);
                changed = read_file(f->path);

                assert_int_equal(fixture_open(f), FAILURE_STORE_FAILED);
                assert_non_null(strstr(failure_message(&f->failure), cases[i].says));
                assert_non_null(strstr(failure_message(&f->failure), f->path));
                fixture_close(f);
                assert_same_file(f->path, &changed);
                free(changed.data);
        }
        write_file(f->path, original.data, original.size);
        (void) unlink(log);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_string_equal(f->index->conversations[0].title, "old");
        free(original.data);
}

/* The newer version ended uncleanly: its number is only in the log, which is left as it is. */
static void test_newer_in_log(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *log = fixture_beside(f, "-wal");
        Bytes database, left;
        sqlite3 *sqlite;

        fixture_close(f);
        assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
        assert_int_equal(
                sqlite3_db_config(sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
        assert_int_equal(
                sqlite3_exec(sqlite, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
        database = read_file(f->path);
        left = read_file(log);
        assert_true(left.size > 0);

        assert_int_equal(fixture_open(f), FAILURE_STORE_FAILED);
        assert_non_null(strstr(failure_message(&f->failure), "newer version"));
        fixture_close(f);
        assert_same_file(f->path, &database);
        assert_same_file(log, &left);
        free(database.data);
        free(left.data);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_damaged_page, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_trigger, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_tampered_index, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_check, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_hidden_message, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_live_reply, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_no_database, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_lost_conversation, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_interrupted_salvage, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_not_ours, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_newer_in_log, fixture_setup, fixture_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
