/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a commit costs: its own pages into the log, and one fsync. The copying of the log into the
 * database and the merging of the search index, which take long, are calls of their own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "service/store/store-db.h"
#include "tests/unit/sqlite-util.h"

#define NUMBER UINT64_C(1) /* of the conversation */

typedef struct Fixture {
        char folder[32], path[64];
        StoreDb *db;
        uint64_t last_id;
} Fixture;

static int setup(void **state)
{
        Fixture *f = calloc(1, sizeof *f);
        StoreDbOpened opened = { 0 };
        char title[] = "A title", model[] = "test/tiny";
        StoreConversation c = { .number = NUMBER,
                .title = title,
                .model = model,
                .created = USEC_PER_SEC,
                .modified = USEC_PER_SEC };

        assert_non_null(f);
        *state = f;
        strcpy(f->folder, "/tmp/test-store-db-XXXXXX");
        assert_non_null(mkdtemp(f->folder));
        (void) snprintf(f->path, sizeof f->path, "%s/conversations.db", f->folder);
        assert_return_code(store_db_open(&f->db, f->path, &opened, NULL), 0);
        store_db_opened_done(&opened);
        assert_return_code(sd_id128_randomize(&c.id), 0);
        assert_return_code(store_db_savepoint(f->db, NUMBER, NULL), 0);
        assert_return_code(store_db_create_conversation(f->db, &c, "", NULL), 0);
        assert_return_code(store_db_savepoint_end(f->db, NUMBER, /* failed= */ false, NULL), 0);
        assert_return_code(store_db_commit(f->db, NULL), 0);
        return 0;
}

static int teardown(void **state)
{
        static const char *const ends[] = { "", "-wal", "-shm", ".lock" };
        Fixture *f = *state;

        store_db_free(f->db);
        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                char path[80];

                (void) snprintf(path, sizeof path, "%s%s", f->path, ends[i]);
                (void) unlink(path);
        }
        assert_return_code(rmdir(f->folder), errno);
        free(f);
        return 0;
}

static void commit_message(Fixture *f, char *text, size_t size)
{
        StoreMessage m = { .id = ++f->last_id,
                .role = ROLE_USER,
                .created = USEC_PER_SEC,
                .content = text,
                .content_size = size };

        assert_return_code(store_db_savepoint(f->db, NUMBER, NULL), 0);
        assert_return_code(
                store_db_add_messages(f->db, NUMBER, &m, 1, m.id, USEC_PER_SEC, NULL, NULL), 0);
        assert_return_code(store_db_savepoint_end(f->db, NUMBER, /* failed= */ false, NULL), 0);
        assert_return_code(store_db_commit(f->db, NULL), 0);
        assert_false(store_db_in_transaction(f->db));
}

static off_t file_size(const Fixture *f, const char *end)
{
        char path[80];
        struct stat st;

        (void) snprintf(path, sizeof path, "%s%s", f->path, end);
        assert_return_code(stat(path, &st), errno);
        return st.st_size;
}

/* More than the 1,000 pages after which SQLite would copy the log by itself. */
static void test_commits_copy_nothing(void **state)
{
        enum { N = 100, SIZE = 65536 };
        static char text[SIZE];
        Fixture *f = *state;
        off_t before = file_size(f, ""), log = file_size(f, "-wal");

        memset(text, 'x', sizeof text);
        for (unsigned i = 0; i < N; i++) {
                commit_message(f, text, sizeof text);
                assert_int_equal(file_size(f, ""), before);
                assert_true(file_size(f, "-wal") >= log + SIZE);
                log = file_size(f, "-wal");
        }
        assert_true(log > (off_t) N * SIZE);
        store_db_checkpoint(f->db);
        assert_true(file_size(f, "") > (off_t) N * SIZE);
}

static unsigned count_parts(const Fixture *f)
{
        return (unsigned) sqlite_number(f->path, "SELECT count(DISTINCT segid) FROM search_idx");
}

/* Each leaves one part; FTS5 would merge four of them by itself, in the fourth's commit. */
static void test_commits_merge_nothing(void **state)
{
        enum { N = 100 };
        Fixture *f = *state;
        char text[] = "Some words to be found.";
        int r;

        for (unsigned i = 1; i <= N; i++) {
                commit_message(f, text, strlen(text));
                assert_int_equal(count_parts(f), i);
        }
        while ((r = store_db_merge_index(f->db, NULL)) > 0)
                assert_false(store_db_in_transaction(f->db));
        assert_return_code(r, -r);
        assert_in_range(count_parts(f), 1, N / 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_commits_copy_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_commits_merge_nothing, setup, teardown),
        };

        return cmocka_run_group_tests_name("store-db", tests, NULL, NULL);
}
