/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>

#include "common/buffer.h"
#include "common/paths.h"
#include "tests/skip.h"
#include "tests/unit/config-world.h"

/* So many entries of a folder are read, then it fails. */
static unsigned entries = UINT_MAX;

/* In the place of libc's. */
struct dirent *readdir(DIR *d)
{
        static struct dirent *(*real)(DIR * d);

        if (!real)
                *(void **) &real = dlsym(RTLD_NEXT, "readdir64");
        if (entries == 0) {
                errno = EIO;
                return NULL;
        }
        entries -= entries < UINT_MAX;
        return real(d);
}

/* ---- conductor.conf ---- */

static void test_defaults(void **state)
{
        _cleanup_(config_freep) Config *c = config_read();

        assert_string_equal(c->default_model, "");
        assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
        assert_int_equal(c->trash_keep, 7 * 86400 * USEC_PER_SEC);
        assert_true(c->avatar);
        assert_int_equal(c->log_level, -1);
        assert_string_equal(c->directory, config_folders[2]);
        assert_int_equal(config_warnings(c), 0);
}

static void test_settings(void **state)
{
        config_write(2, "conductor.conf",
                "[Service]\nIdleTimeoutSec=infinity\nTrashKeepDays=0\nLogLevel=debug\n"
                "[Conversation]\nDefaultModel=ollama/x\nAvatar=no\n");
        _cleanup_(config_freep) Config *c = config_read();

        assert_true(c->idle_timeout == USEC_INFINITY);
        assert_int_equal(c->trash_keep, 0);
        assert_int_equal(c->log_level, LOG_DEBUG);
        assert_string_equal(c->default_model, "ollama/x");
        assert_false(c->avatar);
        assert_int_equal(config_warnings(c), 0);
}

static void test_later_folder_replaces_and_dropins_add(void **state)
{
        config_write(0, "conductor.conf", "[Service]\nIdleTimeoutSec=1\nTrashKeepDays=1\n");
        config_write(1, "conductor.conf", "[Service]\nIdleTimeoutSec=2\n");
        config_write(2, "conductor.conf.d/10-a.conf", "[Conversation]\nDefaultModel=ten\n");
        config_write(0, "conductor.conf.d/20-b.conf", "[Conversation]\nDefaultModel=twenty\n");
        config_write(0, "conductor.conf.d/30-c.conf", "[Service]\nTrashKeepDays=9\n");
        config_write(1, "conductor.conf.d/30-c.conf", "[Service]\nTrashKeepDays=12h\n");
        config_write(0, "conductor.conf.d/40-d.conf", "[Conversation]\nAvatar=no\n");
        config_write(2, "conductor.conf.d/40-d.conf", ""); /* a mask */
        config_write(2, "conductor.conf.d/.hidden.conf", "[Service]\nLogLevel=err\n");
        config_write(2, "conductor.conf.d/50.conf~", "[Service]\nLogLevel=err\n");
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(c->idle_timeout, 2 * USEC_PER_SEC);
        assert_int_equal(c->trash_keep, 12 * 3600 * USEC_PER_SEC);
        assert_string_equal(c->default_model, "twenty");
        assert_true(c->avatar);
        assert_int_equal(c->log_level, -1);
        assert_int_equal(config_warnings(c), 0);
}

static void test_mask_of_the_main_file(void **state)
{
        _cleanup_free_ char *path = config_path(2, "conductor.conf");

        config_write(0, "conductor.conf", "[Service]\nIdleTimeoutSec=1\n");
        assert_int_equal(symlink("/dev/null", path), 0);
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
        assert_int_equal(config_warnings(c), 0);
}

static void test_empty_value_is_the_default(void **state)
{
        config_write(0, "conductor.conf",
                "[Service]\nIdleTimeoutSec=1\nTrashKeepDays=1\nLogLevel=err\n"
                "[Conversation]\nDefaultModel=x\nAvatar=no\n");
        config_write(2, "conductor.conf.d/a.conf",
                "[Service]\nIdleTimeoutSec=\nTrashKeepDays=\nLogLevel=\n"
                "[Conversation]\nDefaultModel=\nAvatar=\n");
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
        assert_int_equal(c->trash_keep, 7 * 86400 * USEC_PER_SEC);
        assert_int_equal(c->log_level, -1);
        assert_string_equal(c->default_model, "");
        assert_true(c->avatar);
        assert_int_equal(config_warnings(c), 0);
}

/* Each is one warning with file and line, the default stays, and the value is not repeated. */
static void test_bad_settings(void **state)
{
        static const char *const bad[] = {
                "[Service]\nIdleTimeoutSec=0\n",
                "[Service]\nIdleTimeoutSec=SECRET\n",
                "[Service]\nIdleTimeoutSec=-1\n",
                "[Service]\nTrashKeepDays=SECRET\n",
                "[Service]\nTrashKeepDays=18446744073709551615\n",
                "[Service]\nLogLevel=SECRET\n",
                "[Service]\nLogLevel=emerg\n",
                "[Service]\nKey=SECRET\n",
                "[Conversation]\nAvatar=SECRET\n",
                "[Conversation]\nDefaultModel=SECRET\x1b[31m\n",
                "[Conversation]\nDefaultModel=SECRET\xff\n",
                "[Unknown]\nKey=SECRET\n",
                "[Service]\nsk-SECRET=\n",
                "[Service]\nSECRETabcdefghijklmnopqrs=\n",
                "[sk-SECRET=]\nKey=\n",
                "\nSECRET\n",
                "\nKey=SECRET\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                config_write(2, "conductor.conf", bad[i]);
                _cleanup_(config_freep) Config *c = config_read();

                assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
                assert_int_equal(c->trash_keep, 7 * 86400 * USEC_PER_SEC);
                assert_string_equal(c->default_model, "");
                if (config_warnings(c) != 1)
                        fail_msg("%zu warnings for %s", config_warnings(c), bad[i]);
                expect_warning(c, 0, "/home/conductor.conf:2: ", "ignoring it");
                assert_null(strstr(c->warnings[0], "SECRET"));
        }
}

static void test_file_sizes(void **state)
{
        static char text[CONFIG_FILE_MAX + 1];

        memset(text, '\n', sizeof text);
        memcpy(text, "[Service]\nIdleTimeoutSec=9\n", 27);
        config_write_bytes(2, "conductor.conf", text, CONFIG_FILE_MAX);
        {
                _cleanup_(config_freep) Config *c = config_read();

                assert_int_equal(c->idle_timeout, 9 * USEC_PER_SEC);
                assert_int_equal(config_warnings(c), 0);
        }
        config_write_bytes(2, "conductor.conf", text, sizeof text);
        {
                _cleanup_(config_freep) Config *c = config_read();

                assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
                expect_warning(c, 0, "conductor.conf: ", "larger than 1048576 bytes");
        }
}

static void test_number_of_dropins(void **state)
{
        for (unsigned i = 0; i <= CONFIG_DROPINS_MAX; i++) {
                char name[40];

                (void) snprintf(name, sizeof name, "conductor.conf.d/%03u.conf", i);
                config_write(2, name, "[Service]\nIdleTimeoutSec=9\n");
                if (i + 1 < CONFIG_DROPINS_MAX)
                        continue;
                _cleanup_(config_freep) Config *c = config_read();

                assert_int_equal(c->idle_timeout, 9 * USEC_PER_SEC);
                if (i < CONFIG_DROPINS_MAX)
                        assert_int_equal(config_warnings(c), 0);
                else
                        expect_warning(c, 0, "conductor.conf.d: ", "more than 256 files");
        }
}

/* Nothing that could stop a reader is read. */
static void test_what_is_no_file(void **state)
{
        _cleanup_free_ char *fifo = config_path(2, "conductor.conf"),
                            *folder = config_path(2, "conductor.conf.d/a.conf"),
                            *dangling = config_path(2, "conductor.conf.d/b.conf");

        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(mkdir(folder, 0700), 0);
        assert_int_equal(symlink("/nonexistent/file", dangling), 0);
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(config_warnings(c), 3);
        expect_warning(c, 0, "conductor.conf: ", "no regular file");
        expect_warning(c, 1, "a.conf: ", "no regular file");
        expect_warning(c, 2, "b.conf: ", "No such file");
}

static void test_writable_by_others(void **state)
{
        static const struct {
                mode_t mode;
                bool read;
        } modes[] = { { 0600, true }, { 0644, true }, { 0664, true }, { 0602, false },
                { 0646, false }, { 0666, false } };
        _cleanup_free_ char *path = config_path(2, "conductor.conf");

        config_write(2, "conductor.conf", "[Service]\nIdleTimeoutSec=9\n");
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                assert_int_equal(chmod(path, modes[i].mode), 0);
                _cleanup_(config_freep) Config *c = config_read();

                assert_int_equal(c->idle_timeout, (modes[i].read ? 9 : 300) * USEC_PER_SEC);
                assert_int_equal(config_warnings(c), !modes[i].read);
                if (!modes[i].read)
                        expect_warning(c, 0, "conductor.conf: ", "Every user can change it");
        }
}

static void test_folder_writable_by_others(void **state)
{
        _cleanup_free_ char *path = config_path(2, "engines.d");

        config_write(2, "engines.d/a.conf", "[Engine]\nType=builtin\n");
        assert_int_equal(chmod(path, 0707), 0);
        {
                _cleanup_(config_freep) Config *c = config_read();

                assert_null(find_engine(c, "a"));
                expect_warning(c, 0, "engines.d: ", "Every user can put files there");
        }
        assert_int_equal(chmod(path, 0770), 0);
        _cleanup_(config_freep) Config *c = config_read();

        assert_non_null(find_engine(c, "a"));
        assert_int_equal(config_warnings(c), 0);
}

static void test_of_another_user(void **state)
{
        _cleanup_free_ char *path = config_path(2, "engines.d/a.conf");

        if (geteuid() != 0) {
                skip_because("only root can give files away");
        }
        config_write(2, "engines.d/a.conf", "[Engine]\nType=builtin\n");
        assert_int_equal(chown(path, 4711, -1), 0);
        _cleanup_(config_freep) Config *c = config_read();

        assert_non_null(find_engine(c, "a"));
        assert_int_equal(config_warnings(c), 1);
        expect_warning(c, 0, "a.conf: ", "Belongs to another user");
}

static void test_warnings_have_a_limit(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MIB(1));

        for (unsigned i = 0; i < CONFIG_WARNINGS_MAX + 10; i++)
                assert_int_equal(buffer_append_string(&text, "nonsense\n"), 0);
        config_write(2, "conductor.conf", text.data);
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(config_warnings(c), CONFIG_WARNINGS_MAX + 1);
        expect_warning(c, CONFIG_WARNINGS_MAX, "", "more warnings");
}

/* ---- what the machine does not let us read ---- */

static void test_part_of_a_folder(void **state)
{
        config_write(2, "engines.d/one.conf", "[Engine]\nType=builtin\n");
        config_write(2, "engines.d/two.conf", "[Engine]\nType=builtin\n");
        /* A folder has "." and ".." too, and then says that it ends. */
        for (unsigned n = 0; n < 7; n++) {
                _cleanup_(config_freep) Config *c = NULL;

                entries = n;
                c = config_read();
                if (n > 4) {
                        assert_null(c->unread);
                        assert_int_equal(config_warnings(c), 0);
                        assert_int_equal(c->n_engines, 3);
                        continue;
                }
                assert_non_null(
                        strstr(c->unread, "/engines.d cannot be read: Input/output error."));
                expect_warning(c, 0, "/engines.d", "Cannot be read: Input/output error.");
        }
        entries = UINT_MAX;
}

static void test_no_descriptors(void **state)
{
        struct rlimit had, none;

        config_write(2, "conductor.conf", "");
        config_write(2, "conductor.conf.d/x.conf", "[Service]\nTrashKeepDays=0\n");
        config_write(2, "engines.d/builtin.conf", "[Engine]\nType=builtin\n");
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
        none = (struct rlimit){ .rlim_max = had.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
        assert_non_null(
                strstr(c->unread, "/conductor.conf.d cannot be read: Too many open files."));
        expect_warning(c, 0, "/conductor.conf.d", "Cannot be read: Too many open files.");
}

/* Of that the file itself is the reason: it is as it will be the next time. */
static void test_unreadable_by_its_own_fault(void **state)
{
        _cleanup_free_ char *loop = config_path(2, "engines.d/loop.conf");

        assert_int_equal(symlink("loop.conf", loop), 0);
        _cleanup_(config_freep) Config *c = config_read();

        assert_null(c->unread);
        expect_warning(c, 0, "/loop.conf", "Cannot be read, ignoring it");
}

/* ---- watching ---- */

static void test_watched_folders(void **state)
{
        _cleanup_(strv_freep) char **list = NULL;
        _cleanup_free_ char *wanted = NULL;
        struct stat st;

        (void) setenv("XDG_CONFIG_HOME", config_top, 1);
        assert_int_equal(config_watched_folders(&list), 0);
        assert_true(asprintf(&wanted, "%s/conductor", config_top) > 0);
        assert_string_equal(list[0], wanted);
        assert_int_equal(stat(wanted, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_non_null(strstr(list[1], "/conductor/conductor.conf.d"));
        assert_non_null(strstr(list[2], "/conductor/engines.d"));
        for (size_t i = 0; list[i]; i++)
                assert_int_equal(stat(list[i], &st), 0);
        (void) unsetenv("XDG_CONFIG_HOME");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, config_setup, config_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_defaults),
                TEST(test_settings),
                TEST(test_later_folder_replaces_and_dropins_add),
                TEST(test_mask_of_the_main_file),
                TEST(test_empty_value_is_the_default),
                TEST(test_bad_settings),
                TEST(test_file_sizes),
                TEST(test_number_of_dropins),
                TEST(test_what_is_no_file),
                TEST(test_writable_by_others),
                TEST(test_folder_writable_by_others),
                TEST(test_of_another_user),
                TEST(test_warnings_have_a_limit),
                TEST(test_part_of_a_folder),
                TEST(test_no_descriptors),
                TEST(test_unreadable_by_its_own_fault),
                TEST(test_watched_folders),
        };

        return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
