/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files and folders: for nobody else to read whatever the umask is, and tricks with links, owners
 * and kinds of files in the places where the service looks. */

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "tests/bus/harness.h"
#include "tests/skip.h"

#define STRANGER 65534

static char *below(const char *folder, const char *name)
{
        char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
        return path;
}

/* Exactly what one needs who owns it. */
static int check_mode(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        mode_t wanted = S_ISDIR(st->st_mode) ? 0700 : 0600;

        if ((st->st_mode & 07777) != wanted)
                fail_msg("%s has the mode %o", path, st->st_mode & 07777);
        return 0;
}

static void write_something(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_free_ char *conversation = harness_create(h, bus, "");

        (void) harness_send(h, bus, conversation, "I am sad.");
}

/* For what a library makes, and between the making of a file and its chmod(). */
static void check_umask(const Harness *h)
{
        _cleanup_free_ char *path = NULL;
        char text[512] = "";
        FILE *f;

        if (!harness_can_measure()) /* it is in a wrapper, which has one of its own */
                return;
        assert_true(asprintf(&path, "/proc/%d/status", (int) h->service) > 0);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_true(fread(text, 1, sizeof text - 1, f) > 0);
        assert_int_equal(fclose(f), 0);
        assert_non_null(strstr(text, "\nUmask:\t0077\n"));
}

static void test_umask(void **state)
{
        static const mode_t masks[] = { 0, 0022, 0077, 0377, 0777 };
        Harness *h = *state;
        _cleanup_free_ char *folder = below(h->runtime, "conductor");

        for (size_t i = 0; i < ELEMENTSOF(masks); i++) {
                _cleanup_free_ char *text = NULL;
                mode_t before = umask(masks[i]);

                /* Its log is the test's, opened before. */
                (void) close(open(h->log, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
                (void) chmod(h->log, 0600);
                harness_start(h);
                (void) umask(before);
                check_umask(h);
                write_something(h, VIA_PRIVATE);
                assert_return_code(nftw(h->state, check_mode, 8, FTW_PHYS), errno);
                assert_return_code(nftw(folder, check_mode, 8, FTW_PHYS), errno);
                assert_int_equal(harness_stop(h), 0);
                assert_return_code(nftw(h->state, check_mode, 8, FTW_PHYS), errno);
                /* All is made anew with the next one. */
                text = below(h->state, "conversations.db");
                assert_return_code(unlink(text), errno);
                free(text);
                text = below(h->state, "conversations.db.lock");
                assert_return_code(unlink(text), errno);
                assert_return_code(rmdir(h->state), errno);
                assert_return_code(rmdir(folder), errno);
        }
        print_message(
                "# tried | files and folders made under another umask | %zu | all are 0600 or "
                "0700\n",
                ELEMENTSOF(masks));
}

/* ---- the runtime folder ---- */

static mode_t mode_of(const char *path)
{
        struct stat st;

        assert_return_code(lstat(path, &st), errno);
        return st.st_mode & 07777;
}

/* There is no private door, which is said, and the other one serves. */
static void check_door_refused(Harness *h)
{
        harness_start(h);
        assert_true(harness_logged(h, "going on without it"));
        write_something(h, VIA_SESSION);
        assert_int_equal(harness_stop(h), 0);
}

static void test_linked_folder(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *folder = below(h->runtime, "conductor"),
                            *elsewhere = below(h->folder, "elsewhere"),
                            *socket = below(elsewhere, "bus");

        assert_return_code(mkdir(elsewhere, 0755), errno);
        assert_return_code(chmod(elsewhere, 0755), errno);
        assert_return_code(symlink(elsewhere, folder), errno);
        check_door_refused(h);
        assert_int_equal(mode_of(elsewhere), 0755);
        assert_int_equal(access(socket, F_OK), -1);
}

/* What is no socket, or leads to one, is neither used nor removed. */
static void test_socket_is_another(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *folder = below(h->runtime, "conductor"),
                            *precious = below(h->folder, "precious");
        size_t n = 0;

        assert_return_code(mkdir(folder, 0700), errno);
        assert_return_code(close(open(precious, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)), errno);
        for (; n < 4; n++) {
                int r = n == 0   ? symlink(precious, h->socket)
                        : n == 1 ? symlink("/nowhere/at/all", h->socket)
                        : n == 2 ? mkfifo(h->socket, 0644)
                                 : mkdir(h->socket, 0755);
                mode_t before;

                assert_return_code(r, errno);
                before = mode_of(h->socket);
                check_door_refused(h);
                assert_int_equal(mode_of(h->socket), before);
                assert_int_equal(mode_of(precious), 0644);
                assert_return_code(remove(h->socket), errno);
        }
        print_message("# tried | links, a FIFO and a folder in place of the private socket | %zu | "
                      "neither used nor changed\n",
                n);
}

static void test_open_folder(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *folder = below(h->runtime, "conductor");

        assert_return_code(mkdir(folder, 0777), errno);
        assert_return_code(chmod(folder, 0777), errno);
        harness_start(h);
        assert_int_equal(mode_of(folder), 0700);
        write_something(h, VIA_PRIVATE);
        assert_int_equal(harness_stop(h), 0);
}

static void require_root(void)
{
        if (geteuid() == 0)
                return;
        skip_because("only root can give files away");
}

static void test_foreign_folder(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *folder = below(h->runtime, "conductor");

        require_root();
        assert_return_code(mkdir(folder, 0700), errno);
        assert_return_code(chown(folder, STRANGER, STRANGER), errno);
        check_door_refused(h);
        assert_int_equal(access(h->socket, F_OK), -1);
}

/* ---- the database's folder ---- */

static void check_start_refused(Harness *h, const char *why)
{
        assert_int_equal(harness_try_start(h), EX_UNAVAILABLE);
        assert_true(harness_logged(h, why));
}

static void test_state_open_to_others(void **state)
{
        Harness *h = *state;

        assert_return_code(mkdir(h->state, 0777), errno);
        assert_return_code(chmod(h->state, 0777), errno);
        harness_start(h);
        assert_int_equal(mode_of(h->state), 0700);
        assert_int_equal(harness_stop(h), 0);
}

static void test_state_of_another(void **state)
{
        Harness *h = *state;

        require_root();
        assert_return_code(mkdir(h->state, 0700), errno);
        assert_return_code(chown(h->state, STRANGER, STRANGER), errno);
        check_start_refused(h, "belongs to another user");
}

/* By its own name, by a link to it, and by a second name of it. */
static void test_database_of_another(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *foreign = below(h->folder, "foreign.db");
        size_t n = 0;

        require_root();
        assert_return_code(mkdir(h->state, 0700), errno);
        for (; n < 3; n++) {
                const char *path = n == 0 ? h->database : foreign;

                assert_return_code(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666)), errno);
                assert_return_code(chown(path, STRANGER, STRANGER), errno);
                assert_return_code(chmod(path, 0666), errno);
                if (n > 0)
                        assert_return_code(
                                n == 1 ? symlink(foreign, h->database) : link(foreign, h->database),
                                errno);
                check_start_refused(h, "belongs to another user");
                assert_int_equal(mode_of(path), 0666);
                assert_return_code(unlink(h->database), errno);
        }
        print_message(
                "# tried | another's file as the database: itself, by a link, by a second name "
                "| %zu | not opened, not changed\n",
                n);
}

static void test_lock_is_a_link(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *lock = below(h->state, "conversations.db.lock"),
                            *precious = below(h->folder, "precious");
        struct stat st;

        assert_return_code(mkdir(h->state, 0700), errno);
        assert_return_code(close(open(precious, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)), errno);
        assert_return_code(symlink(precious, lock), errno);
        assert_int_equal(harness_try_start(h), EX_UNAVAILABLE);
        assert_return_code(stat(precious, &st), errno);
        assert_int_equal(st.st_size, 0);
        assert_int_equal(mode_of(precious), 0644);
}

/* ---- configuration ---- */

/* Nothing is waited for, and the rest is read. */
static void test_configuration_kinds(void **state)
{
        static const char *const names[] = { "conductor.conf", "engines.d/odd.conf" };
        Harness *h = *state;
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                for (unsigned kind = 0; kind < 4; kind++, n++) {
                        _cleanup_free_ char *path = below(h->config, names[i]);
                        int r = kind == 0   ? mkfifo(path, 0600)
                                : kind == 1 ? mkdir(path, 0700)
                                : kind == 2 ? symlink("/dev/zero", path)
                                            : symlink(path, path);

                        assert_return_code(r, errno);
                        harness_start(h);
                        write_something(h, VIA_SESSION);
                        assert_int_equal(harness_stop(h), 0);
                        assert_return_code(remove(path), errno);
                }
        print_message("# tried | a FIFO, a folder, /dev/zero, a link to itself as a file of the "
                      "configuration | %zu | passed over, the service works\n",
                n);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_umask),
                TEST(test_linked_folder),
                TEST(test_socket_is_another),
                TEST(test_open_folder),
                TEST(test_foreign_folder),
                TEST(test_state_open_to_others),
                TEST(test_state_of_another),
                TEST(test_database_of_another),
                TEST(test_lock_is_a_link),
                TEST(test_configuration_kinds),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("guards", tests, NULL, NULL);
}
