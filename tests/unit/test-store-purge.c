/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/buffer.h"
#include "tests/unit/sqlite-util.h"
#include "tests/unit/store-fixture.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

/* As a file's bytes and as the search index spells them. */
#define SECRET "zyxsecretxyz"

/* In any file of the folder, in any case of letters. */
static bool is_on_disk(const Fixture *f, const char *word)
{
        _cleanup_free_ char *folder = strdup(f->path);
        struct dirent *entry;
        bool found = false;
        DIR *dir;

        *strrchr(folder, '/') = 0;
        dir = opendir(folder);
        assert_non_null(dir);
        while ((entry = readdir(dir))) {
                _cleanup_free_ char *name = NULL, *data = NULL;
                size_t size, length = strlen(word);
                struct stat st;
                FILE *file;

                assert_true(asprintf(&name, "%s/%s", folder, entry->d_name) > 0);
                file = fopen(name, "re");
                if (!file || fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode)) {
                        fclosep(&file);
                        continue;
                }
                data = malloc((size_t) st.st_size + 1);
                size = fread(data, 1, (size_t) st.st_size, file);
                (void) fclose(file);
                for (size_t i = 0; i + length <= size && !found; i++)
                        found = strncasecmp(data + i, word, length) == 0;
        }
        (void) closedir(dir);
        return found;
}

static uint64_t fill_secret(Fixture *f)
{
        uint64_t n = make_conversation(f, SECRET " title"), q, r;
        StoreMessage m = { .role = ROLE_USER };
        char text[128];

        assert_int_equal(do_set_system(f, n, SECRET " system"), FAILURE_NONE);
        for (unsigned i = 0; i < 40; i++) {
                (void) snprintf(text, sizeof text, "message %u with " SECRET "%u inside", i, i);
                (void) add_message(f, n, 0, ROLE_USER, text);
        }
        q = add_message(f, n, 0, ROLE_USER, SECRET);
        r = add_live(f, n, q);
        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 0, SECRET " part",
                                   17, NULL, NULL, NULL),
                0);
        assert_int_equal(do_end(f, n, r, "the reply says " SECRET, REASON_STOP), FAILURE_NONE);

        m.id = store_next_id(f->store);
        m.attachments = calloc(1, sizeof *m.attachments);
        m.n_attachments = 1;
        *m.attachments = (StoreAttachment){ strdup(SECRET ".txt"), strdup("text/plain"),
                strdup(SECRET " in a file"), strlen(SECRET " in a file") };
        assert_int_equal(do_add_all(f, n, &m, 1, m.id, SECRET " token"), FAILURE_NONE);
        return n;
}

static void test_bytes_are_gone(void **state)
{
        Fixture *f = *state;
        uint64_t kept = make_conversation(f, "kept"), n;

        /* Around it, so that their pages are shared. */
        for (unsigned i = 0; i < 30; i++)
                (void) add_message(f, kept, 0, ROLE_USER, "ordinary keptword text");
        n = fill_secret(f);
        for (unsigned i = 0; i < 30; i++)
                (void) add_message(f, kept, 0, ROLE_USER, "more keptword text");

        assert_true(is_on_disk(f, SECRET));
        assert_int_equal(do_purge(f, n), FAILURE_NONE);
        assert_false(is_on_disk(f, SECRET));

        assert_int_equal(do_search(f, SECRET, 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 0);
        assert_int_equal(do_search(f, "keptword", 0, 0, 64), FAILURE_NONE);
        assert_int_equal(f->n_hits, 60);
        assert_int_equal(do_page(f, n, 1, 10, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(do_purge(f, n), FAILURE_NO_SUCH_CONVERSATION);

        fixture_close(f);
        assert_false(is_on_disk(f, SECRET));
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 1);
}

/* Whoever remembers one is not to meet another message by it. */
static void test_ids_are_not_given_again(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), id = 0;

        for (unsigned i = 0; i < 5; i++)
                id = add_message(f, n, 0, ROLE_USER, "text");
        assert_int_equal(do_purge(f, n), FAILURE_NONE);
        /* Also where the service is killed now. */
        assert_int_equal(
                sqlite_number(f->path, "SELECT value FROM meta WHERE key = 'last-id'"), id);
        assert_int_equal(
                sqlite_number(f->path, "SELECT value FROM meta WHERE key = 'last-number'"), n);
        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 0);
        assert_true(store_next_id(f->store) > id);
        assert_true(store_next_number(f->store, /* private= */ false) > n);
}

/* An index says that a message is in the conversation, its row that it is in another one. */
static void test_damaged_index(void **state)
{
        static const char format[] =
                "PRAGMA writable_schema = ON;"
                "CREATE TEMP TABLE saved AS SELECT * FROM sqlite_schema"
                " WHERE name = 'messages_by_conversation';"
                "DELETE FROM sqlite_schema WHERE name = 'messages_by_conversation';"
                "PRAGMA writable_schema = RESET;"
                "UPDATE messages SET conversation = %u WHERE id = %u;"
                "PRAGMA writable_schema = ON;"
                "INSERT INTO sqlite_schema SELECT * FROM saved;";
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), other = make_conversation(f, "other"), id;
        _cleanup_free_ char *sql = NULL;

        id = add_message(f, n, 0, ROLE_USER, "precious");
        fixture_close(f);
        assert_true(asprintf(&sql, format, (unsigned) other, (unsigned) id) > 0);
        (void) sqlite_change(f->path, sql);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(do_purge(f, n), FAILURE_STORE_FAILED);
        fixture_wait_notice(f, STORE_NOTICE_SALVAGED);
        assert_int_equal(do_message(f, other, id), FAILURE_NONE);
        assert_string_equal(f->messages->messages[0].content, "precious");
}

static void test_only_deleted(void **state)
{
        Fixture *f = *state;
        uint64_t old = fill_secret(f), young = make_conversation(f, "youngword");
        uint64_t kept = make_conversation(f, "keptword");
        StoreConversation c = { .number = old, .deleted = 100 };

        assert_int_equal(do_update(f, &c, STORE_DELETED), FAILURE_NONE);
        c = (StoreConversation){ .number = young, .deleted = 200 };
        assert_int_equal(do_update(f, &c, STORE_DELETED), FAILURE_NONE);

        assert_int_equal(do_purge_deleted(f, 100), FAILURE_NONE);
        assert_true(is_on_disk(f, SECRET));
        assert_int_equal(do_purge_deleted(f, 200), FAILURE_NONE);
        assert_false(is_on_disk(f, SECRET));
        assert_true(is_on_disk(f, "youngword"));
        assert_int_equal(do_purge_deleted(f, USEC_INFINITY), FAILURE_NONE);
        assert_false(is_on_disk(f, "youngword"));
        assert_int_equal(do_purge_deleted(f, USEC_INFINITY), FAILURE_NONE);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 1);
        assert_int_equal(f->index->conversations[0].number, kept);
}

/* Others are served between the steps of a purge; a search index of many parts is cleaned, too. */
static void test_between(void **state)
{
        Fixture *f = *state, reader = { .event = f->event, .store = f->store };
        uint64_t kept = make_conversation(f, ""), n = make_conversation(f, ""), id;
        char text[2048], *end;
        Call purge, read;

        for (unsigned i = 0; i < 600; i++) {
                end = text;
                for (unsigned k = 0; k < 60; k++)
                        end += sprintf(end, "w%u " SECRET "%u ", i * 60 + k, i * 7919 + k);
                (void) add_message(f, i % 2 ? n : kept, 0, ROLE_USER, i % 2 ? text : "plain");
        }
        id = add_message(f, kept, 0, ROLE_USER, "plain");

        purge = CALL(f);
        assert_return_code(store_purge(f->store, n, on_call_done, &purge, NULL), 0);
        read = (Call){ .f = &reader };
        assert_int_equal(
                call_wait(&read,
                        store_get_message(f->store, kept, id, on_call_messages, &read, NULL)),
                FAILURE_NONE);
        assert_false(purge.done);
        assert_int_equal(call_wait(&purge, 0), FAILURE_NONE);
        assert_false(is_on_disk(f, SECRET));
        fixture_forget(&reader);
}

static void check_search_index(Fixture *f)
{
        fixture_close(f);
        (void) sqlite_change(
                f->path, "INSERT INTO search (search, rank) VALUES ('integrity-check', 1)");
        assert_int_equal(fixture_open(f), FAILURE_NONE);
}

/* SQLite moves rows between pages and leaves copies of them in the gaps: not there either. */
static void test_again_and_again(void **state)
{
        Fixture *f = *state;
        uint64_t kept = make_conversation(f, "");
        char text[2048];

        for (unsigned i = 0; i < 40; i++) {
                uint64_t n = make_conversation(f, SECRET);

                for (unsigned k = 0; k < 40; k++) {
                        memset(text, 'y', sizeof text);
                        (void) snprintf(
                                text + (k % 2) * 1500, 256, " w%u " SECRET " v%u", i * k, k);
                        (void) add_message(f, n, 0, ROLE_USER, text);
                        (void) snprintf(text, sizeof text, "keptword w%u v%u", i, k * i * 31);
                        (void) add_message(f, kept, 0, ROLE_USER, text);
                }
                assert_int_equal(do_purge(f, n), FAILURE_NONE);
                if (is_on_disk(f, SECRET))
                        fail_msg("purge %u left the word on the disk", i);
        }
        check_search_index(f);
        assert_int_equal(do_search(f, "keptword", 0, 0, 64), FAILURE_NONE);
        assert_int_equal(f->n_hits, 64);
}

static int on_row(void *userdata, int n, char **values, char **names)
{
        return 1;
}

/* As after years of deleting, in a file that no service has open: as many levels as FTS5 just
 * takes. Their number is the first of its record, in bytes of seven bits. */
static void merge_for_years(const Fixture *f)
{
        static const char statements[] =
                "INSERT INTO search (rowid, content) VALUES (1000000, 'word');"
                "INSERT INTO search (search, rank) VALUES ('merge', -64);"
                "SELECT 1 FROM search_data WHERE id = 10 AND hex(substr(block, 5, 2)) >= '8F40'";
        sqlite3 *sqlite;
        int r;

        assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
        assert_int_equal(
                sqlite3_exec(sqlite, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK);
        do
                r = sqlite3_exec(sqlite, statements, on_row, NULL, NULL);
        while (r == SQLITE_OK);
        assert_int_equal(r, SQLITE_ABORT); /* by on_row() */
        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

/* Each purge merges the search index, which puts it a level higher: FTS5 takes what has more than
 * 2,000 of them for damaged. */
static void test_for_years(void **state)
{
        Fixture *f = *state;
        uint64_t kept = make_conversation(f, "");
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MIB(1));

        /* More than one page of the index. */
        assert_return_code(buffer_append_string(&text, "keptword 字字"), 0);
        for (unsigned i = 0; i < 4000; i++)
                assert_return_code(buffer_append_format(&text, " w%u", i * 7919), 0);
        (void) add_message(f, kept, 0, ROLE_USER, buffer_text(&text));
        fixture_close(f);
        merge_for_years(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        for (unsigned i = 0; i < 40; i++)
                assert_int_equal(do_purge(f, fill_secret(f)), FAILURE_NONE);
        assert_false(is_on_disk(f, SECRET));
        assert_int_equal(do_search(f, "keptword", 0, 0, 64), FAILURE_NONE);
        assert_int_equal(f->n_hits, 1);
        assert_int_equal(do_search(f, "字字", 0, 0, 64), FAILURE_NONE);
        assert_int_equal(f->n_hits, 1);
        /* As it is written: what it had is what it is asked to forget. */
        assert_int_equal(do_purge(f, kept), FAILURE_NONE);
        assert_int_equal(do_search(f, "keptword", 0, 0, 64), FAILURE_NONE);
        assert_int_equal(f->n_hits, 0);
        assert_int_equal(f->notices[STORE_NOTICE_SALVAGED], 0);
}

/* More than one step of its rows. */
#define HUGE_MESSAGES 4000U

static uint64_t fill_huge(Fixture *f)
{
        uint64_t n = make_conversation(f, SECRET), first = store_next_id(f->store);
        StoreMessage *m = calloc(HUGE_MESSAGES, sizeof *m);
        char text[512];

        for (unsigned i = 0; i < HUGE_MESSAGES; i++) {
                int size = snprintf(text, sizeof text,
                        "w%u x%u y%u z%u " SECRET " among other words that make it longer than a "
                        "line would be, so that a page holds only few of them; w%u x%u y%u z%u",
                        i, i * 7, i * 31, i * 101, i * 3, i * 13, i * 17, i * 19);

                m[i] = (StoreMessage){
                        .id = i == 0 ? first : store_next_id(f->store),
                        .content = strndup(text, (size_t) size),
                        .content_size = (size_t) size,
                };
        }
        assert_int_equal(
                do_add_all(f, n, m, HUGE_MESSAGES, first + HUGE_MESSAGES - 1, NULL), FAILURE_NONE);
        for (unsigned i = 0; i < HUGE_MESSAGES; i++)
                free(m[i].content);
        free(m);
        return n;
}

/* A reader has its turn after each step; what is asked of the conversation itself is refused. */
static void test_huge(void **state)
{
        Fixture *f = *state, reader = { .event = f->event, .store = f->store };
        uint64_t kept = make_conversation(f, "kept"), n = fill_huge(f), id;
        StoreConversation restored = { .number = n };
        unsigned n_reads = 0;
        Call purge;

        id = add_message(f, kept, 0, ROLE_USER, "keptword");
        purge = CALL(f);
        assert_return_code(store_purge(f->store, n, on_call_done, &purge, NULL), 0);
        while (!purge.done) {
                Call read = { .f = &reader };

                fixture_forget(&reader);
                assert_int_equal(call_wait(&read,
                                         store_get_message(f->store, kept, id, on_call_messages,
                                                 &read, NULL)),
                        FAILURE_NONE);
                if (n_reads++ > 0 || purge.done)
                        continue;
                assert_int_equal(do_add(&reader, n, store_next_id(f->store), 0, ROLE_USER, "late"),
                        FAILURE_NO_SUCH_CONVERSATION);
                assert_int_equal(
                        do_update(&reader, &restored, STORE_DELETED), FAILURE_NO_SUCH_CONVERSATION);
                assert_int_equal(do_search(&reader, SECRET, 0, 0, 10), FAILURE_NONE);
                assert_int_equal(reader.n_hits, 0);
        }
        assert_int_equal(f->failure.code, FAILURE_NONE);
        assert_true(n_reads > 5);
        assert_false(is_on_disk(f, SECRET));
        fixture_forget(&reader);
}

/* Ended between the steps, the next start goes on. */
static void test_killed(void **state)
{
        Fixture *f = *state;
        uint64_t n = fill_secret(f), huge = fill_huge(f);
        int acked[2];
        pid_t pid;

        fixture_close(f);
        assert_return_code(pipe2(acked, O_CLOEXEC), errno);
        pid = fork();
        if (pid == 0) {
                Fixture child = { 0 };
                unsigned pending;
                Call call = { .f = &child };

                child.path = f->path;
                if (fixture_open(&child) != FAILURE_NONE)
                        _exit(1);
                /* Some rows are gone when its first step has come back. */
                if (store_purge(child.store, huge, on_call_done, &call, NULL) < 0)
                        _exit(1);
                pending = store_pending(child.store);
                (void) sd_event_run(child.event, UINT64_MAX);
                if (call.done || store_pending(child.store) != pending)
                        _exit(1);
                if (write(acked[1], "x", 1) != 1)
                        _exit(1);
                (void) poll(NULL, 0, -1);
        }
        (void) close(acked[1]);
        assert_int_equal(read(acked[0], &(char){ 0 }, 1), 1);
        (void) close(acked[0]);
        assert_return_code(kill(pid, SIGKILL), errno);
        assert_int_equal(waitpid(pid, NULL, 0), pid);

        /* Another purge may have ended meanwhile. */
        (void) sqlite_change(f->path, "UPDATE meta SET value = 0 WHERE key = 'purge-owed'");

        /* It does not come back, though most of it is still there. */
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 1);
        assert_int_equal(f->index->conversations[0].number, n);
        assert_int_equal(do_purge(f, n), FAILURE_NONE);
        fixture_settle(f);
        assert_false(is_on_disk(f, SECRET));
        assert_int_equal(do_page(f, huge, 1000, 1, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_bytes_are_gone, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_ids_are_not_given_again, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_damaged_index, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_only_deleted, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_between, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_again_and_again, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_for_years, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_huge, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_killed, fixture_setup, fixture_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
