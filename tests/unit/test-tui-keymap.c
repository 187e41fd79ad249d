/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/view/vi.h"

static Key key(const char *name)
{
        Key k = { 0 };

        assert_int_equal(key_from_string(name, &k), 0);
        return k;
}

static Keymap *make(bool vi)
{
        Keymap *k = NULL;

        assert_int_equal(keymap_new(vi, &k), 0);
        return k;
}

static void assert_keys(const Keymap *k, Action a, const char *expected)
{
        _cleanup_free_ char *keys = NULL;

        assert_int_equal(keymap_keys(k, a, &keys), 0);
        assert_string_equal(keys, expected);
}

/* ---- the table ---- */

/* A key that two actions of a context want would be the second one's alone. */
static void test_no_key_twice(void **state)
{
        _cleanup_(keymap_freep) Keymap *k = make(false);

        for (Action a = ACTION_NONE + 1; a < _ACTION_MAX; a++) {
                const ActionInfo *info = action_info(a);
                _cleanup_free_ char *words = strdup(info->keys);
                char *rest = words, *word;

                assert_non_null(words);
                while ((word = strsep(&rest, " ")))
                        if (*word && keymap_find(k, info->context, key(word)) != a)
                                fail_msg("%s is not %s", word, info->name);
        }
}

static void test_names(void **state)
{
        for (Action a = ACTION_NONE + 1; a < _ACTION_MAX; a++) {
                const ActionInfo *info = action_info(a);

                assert_int_equal(action_from_string(info->name), a);
                assert_true(strlen(info->description) > 3);
                assert_int_equal(
                        strspn(info->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(info->name));
        }
        assert_int_equal(action_from_string("nonsense"), ACTION_NONE);
        assert_int_equal(action_from_string(""), ACTION_NONE);
}

/* ---- finding ---- */

static void test_contexts(void **state)
{
        static const struct {
                KeyContext context;
                const char *key;
                Action action;
        } cases[] = {
                { CONTEXT_INPUT, "Enter", ACTION_SEND },
                { CONTEXT_TRANSCRIPT, "Enter", ACTION_WRITE },
                { CONTEXT_LIST, "Enter", ACTION_OPEN },
                { CONTEXT_ANY, "Enter", ACTION_NONE },
                { CONTEXT_INPUT, "Ctrl-P", ACTION_PALETTE },
                { CONTEXT_LIST, "Ctrl-P", ACTION_PALETTE },
                { CONTEXT_INPUT, "?", ACTION_NONE },
                { CONTEXT_TRANSCRIPT, "?", ACTION_HELP_READING },
                { CONTEXT_INPUT, "Esc", ACTION_CANCEL },
                { CONTEXT_INPUT, "Ctrl-_", ACTION_UNDO },
                { CONTEXT_INPUT, "x", ACTION_NONE },
        };
        _cleanup_(keymap_freep) Keymap *k = make(false);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(
                        keymap_find(k, cases[i].context, key(cases[i].key)), cases[i].action);
}

static void test_bind(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(keymap_freep) Keymap *k = make(false);

        assert_int_equal(keymap_set(k, "search", "Ctrl-P Ctrl-F", &failure), 0); /* was palette's */
        assert_int_equal(keymap_find(k, CONTEXT_INPUT, key("Ctrl-P")), ACTION_SEARCH);
        assert_keys(k, ACTION_PALETTE, "");
        assert_keys(k, ACTION_SEARCH, "Ctrl-P, Ctrl-F");
        assert_int_equal(keymap_set(k, "search", "", &failure), 0);
        assert_keys(k, ACTION_SEARCH, "");
        assert_int_equal(keymap_find(k, CONTEXT_INPUT, key("Ctrl-F")), ACTION_NONE);

        assert_int_equal(keymap_set(k, "leave", "F10  Alt-q", &failure), 0);
        assert_keys(k, ACTION_LEAVE, "F10, Alt-q");
        assert_int_equal(keymap_set(k, "leave", "", &failure), 0);
        assert_keys(k, ACTION_LEAVE, "");
        assert_int_equal(keymap_set(k, "scroll-up", "w", &failure), 0); /* nothing is typed there */
        assert_int_equal(keymap_find(k, CONTEXT_TRANSCRIPT, key("w")), ACTION_SCROLL_UP);
        assert_false(failure_is_set(&failure));
}

/* What a terminal sends for both is the same byte. */
static void test_keys_that_are_others(void **state)
{
        static const char *const cases[][2] = {
                { "Ctrl-H", "Backspace" },
                { "Ctrl-I", "Tab" },
                { "Ctrl-M", "Enter" },
                { "Ctrl-[", "Esc" },
        };
        _cleanup_(keymap_freep) Keymap *k = make(false);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(keymap_set(k, "leave-or-delete", cases[i][0], NULL), 0);
                assert_keys(k, ACTION_LEAVE_OR_DELETE, cases[i][1]);
        }
}

static void test_refused(void **state)
{
        static const struct {
                const char *action, *keys, *sentence;
        } cases[] = {
                { "fly", "F1", "There is no action 'fly'; conductor-tui(1) has their names." },
                { "leave", "Strg-X",
                        "There is no key 'Strg-X'; write it as Ctrl-X, Alt-x, F1, PageUp or Esc." },
                { "leave", "F10 q", "'q' is typed into the input; use it with Ctrl or Alt." },
                { "send", "\u00e9", "'\u00e9' is typed into the input; use it with Ctrl or Alt." },
                { "leave", "F1 F2 F3 F4 F5 F6 F7 F8 F9", "An action has at most 8 keys." },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                _cleanup_(keymap_freep) Keymap *k = make(false);

                assert_true(keymap_set(k, cases[i].action, cases[i].keys, &failure) < 0);
                assert_string_equal(failure_message(&failure), cases[i].sentence);
                assert_keys(k, ACTION_SEND, "Enter"); /* nothing has changed */
                assert_keys(k, ACTION_LEAVE, "");
        }
}

/* ---- vi ---- */

/* The names of the actions of some keys, characters or <Name>; what is typed is itself. */
static void assert_vi(const char *keys, KeyContext context, const char *expected)
{
        _cleanup_(keymap_freep) Keymap *k = make(true);
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(1));
        ViMode mode = { 0 };

        for (const char *at = keys; *at; at++) {
                size_t n = *at == '<' ? strcspn(at, ">") : 0;
                _cleanup_free_ char *name = n > 0 ? strndup(at + 1, n - 1) : strndup(at, 1);
                Action actions[KEYMAP_ACTIONS_MAX];
                int r;

                assert_non_null(name);
                r = keymap_look_up(k, &mode, context, key(name), actions);
                if (r == -ENOENT)
                        assert_int_equal(buffer_append_format(&b, "%s ", name), 0);
                for (int i = 0; i < r; i++)
                        assert_int_equal(
                                buffer_append_format(&b, "%s ", action_info(actions[i])->name), 0);
                at += n;
        }
        if (b.size > 0)
                b.data[b.size - 1] = 0;
        assert_string_equal(buffer_text(&b), expected);
}

static void test_vi(void **state)
{
        static const struct {
                const char *keys, *expected;
        } cases[] = {
                { "hi", "h i" },
                { "<Esc>h", "left-in-line left-in-line" },
                { "<Esc>ih", "left-in-line h" },
                { "<Esc>ah", "left-in-line right-in-line h" },
                { "<Esc>Oh", "left-in-line line-start newline left h" },
                { "<Esc>oh", "left-in-line line-end newline h" },
                { "<Esc>dd", "left-in-line kill-whole-line" },
                { "<Esc>dwx", "left-in-line erase-right" }, /* no such command: nothing */
                { "<Esc>d<Esc>x", "left-in-line erase-right" },
                { "<Esc>qz", "left-in-line" },
                { "<Esc><Esc>", "left-in-line cancel" },
                { "<Esc><Enter>", "left-in-line send" },
                { "<Esc>u<Ctrl-R>", "left-in-line undo redo" },
                { "<Ctrl-R>", "reasoning" },
                { "<Esc>0$wbjkpDx",
                        "left-in-line line-start line-end word-right word-left down up yank "
                        "kill-line erase-right" },
                { "<Esc>d<Ctrl-C>d", "left-in-line cancel" },
                { "<Esc>gg", "left-in-line" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_vi(cases[i].keys, CONTEXT_INPUT, cases[i].expected);
}

static void test_vi_reading(void **state)
{
        assert_vi("ggG", CONTEXT_TRANSCRIPT, "start end");
        assert_vi("gjgg", CONTEXT_TRANSCRIPT, "scroll-down start");
        assert_vi("j<Esc>", CONTEXT_TRANSCRIPT, "scroll-down cancel");
        assert_vi("ggj", CONTEXT_LIST, "g g list-down");
}

static void test_without_vi(void **state)
{
        _cleanup_(keymap_freep) Keymap *k = make(false);
        ViMode mode = { .normal = true };
        Action actions[KEYMAP_ACTIONS_MAX];

        assert_int_equal(keymap_look_up(k, &mode, CONTEXT_INPUT, key("x"), actions), -ENOENT);
        assert_int_equal(keymap_look_up(k, &mode, CONTEXT_INPUT, key("Esc"), actions), 1);
        assert_int_equal(actions[0], ACTION_CANCEL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_key_twice),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_contexts),
                cmocka_unit_test(test_bind),
                cmocka_unit_test(test_keys_that_are_others),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_vi),
                cmocka_unit_test(test_vi_reading),
                cmocka_unit_test(test_without_vi),
        };

        return cmocka_run_group_tests_name("tui-keymap", tests, NULL, NULL);
}
