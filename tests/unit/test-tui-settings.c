/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "client/tui/settings.h"
#include "client/tui/view/vi.h"
#include "tests/unit/folder.h"

static char *folder;

static char *below(const char *name)
{
        return folder_below(folder, name);
}

static void make_folder(const char *name)
{
        _cleanup_free_ char *path = below(name);

        assert_true(mkdir(path, 0700) >= 0 || errno == EEXIST);
}

static void write_file(const char *name, const char *text)
{
        _cleanup_free_ char *path = below(name);
        _cleanup_fclose_ FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
}

static int setup(void **state)
{
        _cleanup_free_ char *config = NULL, *states = NULL;

        folder = folder_new();
        config = below("config");
        states = below("state");
        make_folder("config");
        make_folder("config/conductor");
        assert_int_equal(setenv("XDG_CONFIG_HOME", config, 1), 0);
        assert_int_equal(setenv("XDG_STATE_HOME", states, 1), 0);
        return 0;
}

static int teardown(void **state)
{
        static const char *const names[] = { "state/conductor/tui/settings", "state/conductor/tui",
                "state/conductor", "state", "config/conductor/tui.conf", "config/conductor",
                "config", "" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = below(names[i]);

                if (remove(path) < 0 && errno != ENOENT)
                        return -1;
        }
        folder = mfree(folder);
        return 0;
}

static void test_defaults(void **state)
{
        _cleanup_(settings_done) Settings s = { 0 };

        assert_int_equal(settings_read(&s), 0);
        assert_string_equal(s.theme, "auto");
        assert_true(s.mouse && s.list && s.avatar && !s.vi && s.keymap);
        assert_null(s.complaint);
}

static void test_all(void **state)
{
        _cleanup_(settings_done) Settings s = { 0 };
        Action actions[KEYMAP_ACTIONS_MAX];
        Key key;

        write_file("config/conductor/tui.conf",
                "[Keys]\nleave=F10 Alt-q\nsearch=\n"
                "[Screen]\nTheme=light\nMouse=no\nList=off\nAvatar=false\nEditing=vi\n");
        assert_int_equal(settings_read(&s), 0);
        assert_null(s.complaint);
        assert_string_equal(s.theme, "light");
        assert_true(!s.mouse && !s.list && !s.avatar && s.vi);
        assert_int_equal(key_from_string("Alt-q", &key), 0);
        assert_int_equal(keymap_find(s.keymap, CONTEXT_INPUT, key), ACTION_LEAVE);
        assert_int_equal(key_from_string("Ctrl-F", &key), 0);
        assert_int_equal(keymap_find(s.keymap, CONTEXT_INPUT, key), ACTION_NONE);
        /* The key map knows of vi, though [Keys] came before Editing=. */
        assert_int_equal(key_from_string("G", &key), 0);
        assert_int_equal(
                keymap_look_up(s.keymap, &(ViMode){ 0 }, CONTEXT_TRANSCRIPT, key, actions), 1);
}

static void test_complaints(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                { "[Screen]\n\nMouse=maybe\n", ":3: Mouse= wants yes or no, ignoring it." },
                { "[Screen]\nTheme=pink\n", ":2: Theme= wants auto, dark or light, ignoring it." },
                { "[Screen]\nEditing=ed\n", ":2: Editing= wants emacs or vi, ignoring it." },
                { "[Screen]\nColour=red\n", ":2: There is no setting 'Colour', ignoring it." },
                { "[Sound]\nBell=no\n", ":2: There is no section 'Sound', ignoring it." },
                { "Mouse=no\n", ":1: An assignment before the first [Section], ignoring it." },
                { "[Keys]\nfly=F1\n",
                        ":2: There is no action 'fly'; conductor-tui(1) has their names." },
                { "[Screen]\nMouse=x\nTheme=y\n", /* the first one */
                        ":2: Mouse= wants yes or no, ignoring it." },
        };
        _cleanup_free_ char *path = below("config/conductor/tui.conf");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(settings_done) Settings s = { 0 };
                const char *rest;

                write_file("config/conductor/tui.conf", cases[i].text);
                assert_int_equal(settings_read(&s), 0);
                assert_non_null(s.complaint);
                rest = startswith(s.complaint, path);
                assert_non_null(rest);
                assert_string_equal(rest, cases[i].sentence);
                assert_true(s.mouse); /* the default stands */
                assert_string_equal(s.theme, "auto");
        }
}

static void test_no_regular_file(void **state)
{
        _cleanup_free_ char *path = below("config/conductor/tui.conf");
        Settings s = { 0 };

        assert_int_equal(mkfifo(path, 0600), 0); /* is not waited for */
        assert_int_equal(settings_read(&s), 0);
        assert_non_null(strstr(strempty(s.complaint), "Cannot be read"));
        settings_done(&s);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_int_equal(settings_read(&s), 0);
        assert_null(s.complaint);
        settings_done(&s);
}

static void test_avatar_is_remembered(void **state)
{
        _cleanup_free_ char *path = below("state/conductor/tui/settings");
        struct stat st;

        write_file("config/conductor/tui.conf", "[Screen]\nAvatar=yes\n");
        for (int on = 0; on < 2; on++) {
                _cleanup_(settings_done) Settings s = { 0 };

                mode_t mask = umask(on ? 0777 : 0);

                assert_int_equal(settings_remember_avatar(on), 0);
                (void) umask(mask);
                assert_int_equal(settings_read(&s), 0);
                assert_int_equal(s.avatar, on);
                assert_null(s.complaint);
                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
                cmocka_unit_test_setup_teardown(test_all, setup, teardown),
                cmocka_unit_test_setup_teardown(test_complaints, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_regular_file, setup, teardown),
                cmocka_unit_test_setup_teardown(test_avatar_is_remembered, setup, teardown),
        };

        return cmocka_run_group_tests_name("tui-settings", tests, NULL, NULL);
}
