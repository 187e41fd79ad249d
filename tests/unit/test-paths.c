/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pwd.h>
#include <sys/stat.h>

#include "common/paths.h"
#include "tests/skip.h"

static int clear(void **state)
{
        (void) unsetenv("XDG_CONFIG_HOME");
        (void) unsetenv("XDG_STATE_HOME");
        (void) unsetenv("XDG_RUNTIME_DIR");
        return setenv("HOME", "/home/of/test", 1);
}

static void expect(int (*get)(char **), const char *wanted)
{
        _cleanup_free_ char *path = NULL;

        assert_int_equal(get(&path), 0);
        assert_string_equal(path, wanted);
}

static void test_defaults(void **state)
{
        expect(path_config_home, "/home/of/test/.config/conductor");
        expect(path_state, "/home/of/test/.local/state/conductor");
        expect(path_database, "/home/of/test/.local/state/conductor/conversations.db");
}

static void test_variables(void **state)
{
        (void) setenv("XDG_CONFIG_HOME", "/c", 1);
        (void) setenv("XDG_STATE_HOME", "/s", 1);
        (void) setenv("XDG_RUNTIME_DIR", "/r", 1);
        expect(path_config_home, "/c/conductor");
        expect(path_state, "/s/conductor");
        expect(path_database, "/s/conductor/conversations.db");
        expect(path_runtime_socket, "/r/conductor/bus");
}

static void test_only_absolute_counts(void **state)
{
        char *path = NULL;

        (void) setenv("XDG_CONFIG_HOME", "c", 1);
        (void) setenv("XDG_STATE_HOME", "", 1);
        (void) setenv("XDG_RUNTIME_DIR", "./r", 1);
        expect(path_config_home, "/home/of/test/.config/conductor");
        expect(path_state, "/home/of/test/.local/state/conductor");
        assert_int_equal(path_runtime_socket(&path), -ENXIO);
        (void) unsetenv("XDG_RUNTIME_DIR");
        assert_int_equal(path_runtime_socket(&path), -ENXIO);
        assert_null(path);
}

static void test_home_from_user_database(void **state)
{
        const struct passwd *entry = getpwuid(getuid());
        _cleanup_free_ char *wanted = NULL;

        if (!entry || entry->pw_dir[0] != '/')
                skip_because("this user has no folder of their own");
        assert_true(asprintf(&wanted, "%s/.config/conductor", entry->pw_dir) > 0);
        (void) unsetenv("HOME");
        expect(path_config_home, wanted);
        (void) setenv("HOME", "relative", 1);
        expect(path_config_home, wanted);
}

static void test_config_dirs(void **state)
{
        _cleanup_(strv_freep) char **dirs = NULL;

        assert_int_equal(path_config_dirs(&dirs), 0);
        assert_string_equal(dirs[0], "/usr/lib/conductor");
        assert_string_equal(dirs[1], "/etc/conductor");
        assert_string_equal(dirs[2], "/home/of/test/.config/conductor");
        assert_null(dirs[3]);
}

static void expect_private(const char *path)
{
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_mkdir_private(void **state)
{
        char top[] = "/tmp/test-paths-XXXXXX", deep[64], file[64], below[64];
        mode_t mask;
        FILE *f;

        assert_non_null(mkdtemp(top));
        (void) snprintf(deep, sizeof deep, "%s/a/b", top);
        mask = umask(0777);
        assert_int_equal(mkdir_private(deep), 0);
        (void) umask(mask);
        expect_private(deep);
        assert_int_equal(chmod(deep, 0755), 0);
        assert_int_equal(mkdir_private(deep), 0);
        expect_private(deep);

        (void) snprintf(file, sizeof file, "%s/file", top);
        (void) snprintf(below, sizeof below, "%s/file/x", top);
        f = fopen(file, "w");
        assert_non_null(f);
        (void) fclose(f);
        assert_int_equal(mkdir_private(file), -ENOTDIR);
        assert_int_equal(mkdir_private(below), -ENOTDIR);

        assert_int_equal(unlink(file), 0);
        assert_int_equal(rmdir(deep), 0);
        (void) snprintf(deep, sizeof deep, "%s/a", top);
        expect_private(deep);
        assert_int_equal(rmdir(deep), 0);
        assert_int_equal(rmdir(top), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_defaults, clear),
                cmocka_unit_test_setup(test_variables, clear),
                cmocka_unit_test_setup(test_only_absolute_counts, clear),
                cmocka_unit_test_setup(test_home_from_user_database, clear),
                cmocka_unit_test_setup(test_config_dirs, clear),
                cmocka_unit_test(test_mkdir_private),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
