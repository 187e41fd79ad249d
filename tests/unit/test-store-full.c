/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-internal.h"
#include "tests/skip.h"
#include "tests/unit/folder.h"
#include "tests/unit/sqlite-util.h"
#include "tests/unit/store-fixture.h"

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>

/* A disk without space, and one that cannot be written, or not now: by a limit on the size of
 * files, which anybody may set, and on a small file system of its own where that is allowed. */

#define BIG KIB(64)

static char *big_text(void)
{
        char *text = malloc(BIG + 1);

        /* Little for the search index, much for the disk. */
        memset(text, 'x', BIG);
        memcpy(text, "findme ", 7);
        text[BIG] = 0;
        return text;
}

static FailureCode add_big(Fixture *f, uint64_t number, uint64_t *ret_id)
{
        _cleanup_free_ char *text = big_text();

        *ret_id = store_next_id(f->store);
        return do_add(f, number, *ret_id, 0, ROLE_USER, text);
}

/* Fills the disk; then nothing is stored, and what is stored can be read. */
static uint64_t fill_disk(Fixture *f, uint64_t number)
{
        uint64_t id, last = 0;
        FailureCode code;
        unsigned n = 0;

        while ((code = add_big(f, number, &id)) == FAILURE_NONE) {
                last = id;
                n++;
                assert_in_range(n, 1, 1000);
        }
        assert_true(n > 0);
        assert_int_equal(code, FAILURE_STORE_FULL);
        assert_non_null(strstr(failure_message(&f->failure), "Free some space"));
        assert_non_null(strstr(failure_message(&f->failure), f->path));

        assert_int_equal(do_page(f, number, id, 1, SIZE_MAX), FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(do_page(f, number, last, 1, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(f->messages->messages[0].content_size, BIG);
        assert_int_equal(do_search(f, "findme", 0, 0, 1), FAILURE_NONE);
        assert_int_equal(f->hits[0].message, last);
        return last;
}

/* All that is committed together fails together, but reads do not. */
static void fail_together(Fixture *f, uint64_t number, uint64_t readable)
{
        _cleanup_free_ char *text = big_text();
        Fixture results[4] = { 0 };
        Call calls[4];

        fixture_forget(f);
        for (size_t i = 0; i < 4; i++) {
                StoreMessage m = {
                        .id = store_next_id(f->store),
                        .content = text,
                        .content_size = BIG,
                };

                results[i].event = f->event;
                calls[i] = (Call){ .f = &results[i] };
                if (i == 2)
                        assert_return_code(store_get_page(f->store, number, readable, 1, SIZE_MAX,
                                                   on_call_messages, &calls[i], NULL),
                                0);
                else
                        assert_return_code(store_add_messages(f->store, number, &m, 1, m.id, 1,
                                                   NULL, on_call_done, &calls[i], NULL),
                                0);
        }
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(
                        call_wait(&calls[i], 0), i == 2 ? FAILURE_NONE : FAILURE_STORE_FULL);
        assert_int_equal(results[2].messages->messages[0].content_size, BIG);
        for (size_t i = 0; i < 4; i++)
                fixture_forget(&results[i]);
}

static void wait_for_gate(void *data)
{
        eventfd_t n;

        (void) eventfd_read(*(int *) data, &n);
}

static void on_gate_passed(void *data)
{
}

/* What is read behind a write, in one transaction with it, is not there if that was not stored. */
static void read_unstored(Fixture *f, uint64_t number)
{
        _cleanup_close_ int gate = eventfd(0, EFD_CLOEXEC);
        _cleanup_free_ char *text = big_text();
        StoreMessage m = {
                .id = store_next_id(f->store),
                .content = text,
                .content_size = BIG,
        };
        Fixture results[2] = { { .event = f->event }, { .event = f->event } };
        Call write = { .f = &results[0] }, read = { .f = &results[1] };

        fixture_forget(f);
        assert_return_code(gate, errno);
        assert_return_code(
                worker_submit(f->store->worker,
                        &(WorkerJob){
                                .run = wait_for_gate, .done = on_gate_passed, .data = &gate }),
                0);
        assert_return_code(store_add_messages(f->store, number, &m, 1, m.id, 1, NULL, on_call_done,
                                   &write, NULL),
                0);
        assert_return_code(
                store_get_page(f->store, number, m.id, 1, SIZE_MAX, on_call_messages, &read, NULL),
                0);
        assert_return_code(eventfd_write(gate, 1), errno);
        assert_int_equal(call_wait(&write, 0), FAILURE_STORE_FULL);
        assert_int_equal(call_wait(&read, 0), FAILURE_NO_SUCH_MESSAGE);
        for (size_t i = 0; i < 2; i++)
                fixture_forget(&results[i]);
}

static void fail_in_background(Fixture *f, uint64_t number, uint64_t reply)
{
        _cleanup_free_ char *text = big_text();

        f->notices[STORE_NOTICE_FULL] = 0;
        /* A small one may fit in what is left. */
        for (unsigned i = 0; i < 4; i++)
                assert_return_code(store_append_reply(f->store, number, reply, CHANNEL_CONTENT,
                                           i * BIG, text, BIG, NULL, NULL, NULL),
                        0);
        fixture_wait_notice(f, STORE_NOTICE_FULL);
        fixture_settle(f);
}

static void check_after(Fixture *f, uint64_t number, uint64_t last)
{
        uint64_t id;

        assert_int_equal(add_big(f, number, &id), FAILURE_NONE);
        assert_int_equal(do_page(f, number, id, 1, SIZE_MAX), FAILURE_NONE);

        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->notices[STORE_NOTICE_SALVAGED], 0);
        assert_int_equal(do_page(f, number, last, 1, SIZE_MAX), FAILURE_NONE);
        assert_int_equal(do_page(f, number, id, 1, SIZE_MAX), FAILURE_NONE);
}

static void test_file_limit(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), reply = add_live(f, n, 0), last;
        struct rlimit saved, limit;

        assert_return_code(getrlimit(RLIMIT_FSIZE, &saved), errno);
        limit = saved;
        limit.rlim_cur = MIB(1);
        (void) signal(SIGXFSZ, SIG_IGN);
        assert_return_code(setrlimit(RLIMIT_FSIZE, &limit), errno);

        last = fill_disk(f, n);
        fail_together(f, n, last);
        read_unstored(f, n);
        fail_in_background(f, n, reply);

        assert_return_code(setrlimit(RLIMIT_FSIZE, &saved), errno);
        check_after(f, n, last);
}

/* A mount that only this process sees. Returns false where that is not allowed. */
static bool mount_small(const char *folder)
{
        if (unshare(CLONE_NEWNS) < 0)
                return false;
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return false;
        return mount("tmpfs", folder, "tmpfs", 0, "size=6m,mode=0700") >= 0;
}

static void test_small_disk(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *ballast = NULL;
        uint64_t n, reply, last;
        int fd;

        fixture_close(f);
        if (!mount_small(f->folder)) {
                assert_int_equal(fixture_open(f), FAILURE_NONE);
                skip_because("no file system can be mounted here");
        }
        assert_true(asprintf(&ballast, "%s/ballast", f->folder) > 0);
        fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_return_code(fd, errno);
        assert_int_equal(posix_fallocate(fd, 0, (off_t) MIB(4)), 0);
        (void) close(fd);

        assert_int_equal(fixture_open(f), FAILURE_NONE);
        n = make_conversation(f, "");
        reply = add_live(f, n, 0);
        last = fill_disk(f, n);
        fail_together(f, n, last);
        read_unstored(f, n);
        fail_in_background(f, n, reply);

        /* Space again, and the same process goes on. */
        assert_return_code(unlink(ballast), errno);
        check_after(f, n, last);
        fixture_close(f);
        assert_return_code(umount2(f->folder, MNT_DETACH), errno);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
}

static void test_no_space_to_open(void **state)
{
        Fixture *f = *state;
        struct rlimit saved, limit;

        fixture_close(f);
        folder_remove(f->folder);
        assert_return_code(mkdir(f->folder, 0700), errno);

        assert_return_code(getrlimit(RLIMIT_FSIZE, &saved), errno);
        limit = saved;
        limit.rlim_cur = KIB(8);
        (void) signal(SIGXFSZ, SIG_IGN);
        assert_return_code(setrlimit(RLIMIT_FSIZE, &limit), errno);
        assert_int_equal(fixture_open(f), FAILURE_STORE_FULL);
        assert_return_code(setrlimit(RLIMIT_FSIZE, &saved), errno);
        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        (void) make_conversation(f, "works");
}

static void test_read_only(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *folder = strdup(f->path);

        (void) make_conversation(f, "before");
        fixture_close(f);
        *strrchr(folder, '/') = 0;

        if (geteuid() != 0) {
                assert_return_code(chmod(f->path, 0400), errno);
                assert_return_code(chmod(folder, 0500), errno);
        } else if (unshare(CLONE_NEWNS) < 0 ||
                mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                mount(folder, folder, NULL, MS_BIND, NULL) < 0 ||
                mount(NULL, folder, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0) {
                assert_int_equal(fixture_open(f), FAILURE_NONE);
                skip_because("no file system can be mounted here");
        }

        assert_int_equal(fixture_open(f), FAILURE_STORE_FAILED);
        assert_non_null(strstr(failure_message(&f->failure), folder));
        assert_non_null(strstr(failure_message(&f->failure), "writable"));
        fixture_close(f);

        if (geteuid() != 0) {
                assert_return_code(chmod(folder, 0700), errno);
                assert_return_code(chmod(f->path, 0600), errno);
        } else
                assert_return_code(umount2(folder, MNT_DETACH), errno);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->n_conversations, 1);
}

/* ---- another program writes ---- */

static _Atomic unsigned n_waits;
static _Atomic bool give_up_late;
static sem_t waiting, given_up;

static int on_locked(void *userdata, int n)
{
        n_waits++;
        if (give_up_late) {
                (void) sem_post(&waiting);
                (void) sem_wait(&given_up);
        }
        return 0;
}

/* In SQLite's place: the time is over when the test says so. */
int sqlite3_busy_timeout(sqlite3 *sqlite, int ms)
{
        return sqlite3_busy_handler(sqlite, on_locked, NULL);
}

/* Those who waited meanwhile do not each begin to wait anew. */
static void test_locked(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, "");
        Fixture results[6] = { 0 };
        Call calls[6];
        sqlite3 *other;

        assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
        assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        assert_return_code(sem_init(&waiting, 0, 0), errno);
        assert_return_code(sem_init(&given_up, 0, 0), errno);
        give_up_late = true;
        n_waits = 0;
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                StoreConversation c = { .number = n, .title = (char *) "late" };

                results[i].event = f->event;
                calls[i] = (Call){ .f = &results[i] };
                assert_return_code(store_update_conversation(f->store, &c, STORE_TITLE,
                                           on_call_done, &calls[i], NULL),
                        0);
                /* The first alone, the others together. */
                if (i == 0)
                        assert_return_code(sem_wait(&waiting), errno);
        }
        give_up_late = false;
        assert_return_code(sem_post(&given_up), errno);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                assert_int_equal(call_wait(&calls[i], 0), FAILURE_BUSY);
                assert_non_null(strstr(failure_message(&results[i].failure), "locked"));
                fixture_forget(&results[i]);
        }
        assert_int_equal(n_waits, 2);

        /* Whoever comes now begins anew. */
        assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(other), SQLITE_OK);
        assert_int_equal(do_add(f, n, store_next_id(f->store), 0, ROLE_USER, "Hi"), FAILURE_NONE);
        assert_return_code(sem_destroy(&waiting), errno);
        assert_return_code(sem_destroy(&given_up), errno);
}

/* No folder can be made there. */
static void test_no_folder(void **state)
{
        Fixture f = { .path = (char *) "/proc/conductor/conversations.db" };

        assert_int_equal(fixture_open(&f), FAILURE_STORE_FAILED);
        assert_non_null(strstr(failure_message(&f.failure), "/proc/conductor"));
        fixture_close(&f);
        fixture_forget(&f);
        sd_event_unref(f.event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_file_limit, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_small_disk, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_no_space_to_open, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_read_only, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_locked, fixture_setup, fixture_teardown),
                cmocka_unit_test(test_no_folder),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
