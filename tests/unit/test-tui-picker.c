/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/view/picker-match.h"
#include "client/tui/view/picker.h"
#include "tests/unit/tui-rows.h"

typedef struct World {
        Screen *screen;
        Picker *picker;
        char picked[64], line[64], typed[64];
        unsigned n_cancelled;
} World;

static void on_picked(const PickerItem *item, const char *line, void *userdata)
{
        World *w = userdata;

        (void) snprintf(w->picked, sizeof w->picked, "%s",
                !item                 ? "(none)"
                        : item->value ? item->value
                                      : item->text);
        (void) snprintf(w->line, sizeof w->line, "%s", line);
        w->picker = picker_free(w->picker); /* as the owner may */
}

static void on_typed(const char *line, void *userdata)
{
        World *w = userdata;

        (void) snprintf(w->typed, sizeof w->typed, "%s", line);
}

static void on_cancelled(void *userdata)
{
        World *w = userdata;

        w->n_cancelled++;
        w->picker = picker_free(w->picker);
}

static const PickerOps narrowing = { .picked = on_picked, .cancelled = on_cancelled };
static const PickerOps asking = { .picked = on_picked, .typed = on_typed };

static int set_up(void **state)
{
        World *w = calloc(1, sizeof *w);

        assert_non_null(w);
        assert_int_equal(screen_new(&w->screen), 0);
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        World *w = *state;

        screen_free(w->screen);
        picker_free(w->picker);
        free(w);
        return 0;
}

static void open_actions(World *w)
{
        static const char *const actions[][2] = {
                { "send", "Enter" },
                { "new", "Ctrl-N" },
                { "new-private", NULL },
                { "newline", "Alt-Enter" },
                { "rename", "F6" },
                { "pager", "F5" },
        };

        assert_int_equal(picker_new("Actions", NULL, &narrowing, w, &w->picker), 0);
        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                assert_int_equal(picker_add(w->picker, actions[i][0], actions[i][1], NULL, i), 0);
}

static void type(World *w, const char *text)
{
        assert_true(editor_insert(picker_editor(w->picker), text, strlen(text)) > 0);
        assert_int_equal(picker_changed(w->picker), 0);
}

static void assert_screen(World *w, int rows, int columns, const char *expected)
{
        char text[KIB(16)] = "";
        size_t size = 0;

        assert_int_equal(screen_resize(w->screen, rows, columns), 0);
        screen_begin(w->screen);
        picker_draw(w->picker, w->screen);
        for (int i = 0; i < rows; i++) {
                _cleanup_free_ char *row = NULL;

                row = screen_row_text(w->screen, i);
                if (*row)
                        size += (size_t) snprintf(text + size, sizeof text - size, "%s\n", row);
        }
        assert_string_equal(text, expected);
}

/* Whether the terminal is told to draw it in the style of what was searched for. */
static bool is_marked(World *w, const char *word)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(KIB(64));
        _cleanup_free_ char *begins = NULL;

        assert_true(asprintf(&begins, "m%s\033[", word) > 0);
        style_load(THEME_DARK, COLOURS_256);
        screen_forget(w->screen);
        assert_int_equal(screen_render(w->screen, &out), 0);
        return strstr(buffer_text(&out), begins);
}

/* ---- the box ---- */

static void test_box(void **state)
{
        World *w = *state;

        open_actions(w);
        assert_screen(w, 10, 40,
                "┌─ Actions ────────────────────────────┐\n"
                "│                                      │\n"
                "├──────────────────────────────────────┤\n"
                "│ send                           Enter │\n"
                "│ new                           Ctrl-N │\n"
                "│ new-private                          │\n"
                "│ newline                    Alt-Enter │\n"
                "│ rename                            F6 │\n"
                "│ pager                             F5 │\n"
                "└──────────────────────────────── 1/6 ─┘\n");
        type(w, "new");
        picker_move(w->picker, 1);
        assert_screen(w, 10, 40,
                "┌─ Actions ────────────────────────────┐\n"
                "│ new                                  │\n"
                "├──────────────────────────────────────┤\n"
                "│ new                           Ctrl-N │\n"
                "│ new-private                          │\n"
                "│ newline                    Alt-Enter │\n"
                "│                                      │\n"
                "│                                      │\n"
                "│                                      │\n"
                "└──────────────────────────────── 2/3 ─┘\n");
        type(w, "zz");
        assert_screen(w, 10, 40,
                "┌─ Actions ────────────────────────────┐\n"
                "│ newzz                                │\n"
                "├──────────────────────────────────────┤\n"
                "│ Nothing is named like this           │\n"
                "│                                      │\n"
                "│                                      │\n"
                "│                                      │\n"
                "│                                      │\n"
                "│                                      │\n"
                "└──────────────────────────────────────┘\n");
}

static void test_box_in_the_middle(void **state)
{
        static const struct {
                int rows, columns, row, column, end_column;
        } cases[] = {
                { 24, 80, 7, 4, 75 },
                { 60, 200, 25, 52, 147 },
                { 10, 40, 0, 0, 39 },
        };
        World *w = *state;

        open_actions(w);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *row = NULL;
                const char *corner;

                assert_int_equal(screen_resize(w->screen, cases[i].rows, cases[i].columns), 0);
                screen_begin(w->screen);
                picker_draw(w->picker, w->screen);
                row = screen_row_text(w->screen, cases[i].row);
                corner = strstr(row, "┌");
                assert_non_null(corner);
                assert_int_equal(corner - row, cases[i].column);
                assert_int_equal(text_cells(row, strlen(row)), cases[i].end_column + 1);
        }
        for (int rows = 1; rows < 8; rows++) /* too small, but no harm is done */
                for (int columns = 1; columns < 12; columns++) {
                        assert_int_equal(screen_resize(w->screen, rows, columns), 0);
                        screen_begin(w->screen);
                        picker_draw(w->picker, w->screen);
                }
}

static void test_long_rows(void **state)
{
        World *w = *state;

        assert_int_equal(picker_new("Models of all engines that there are, and more of them", NULL,
                                 &narrowing, w, &w->picker),
                0);
        assert_int_equal(picker_add(w->picker, "a-text-that-is-longer-than-the-row-that-it-has",
                                 NULL, NULL, 0),
                0);
        assert_int_equal(picker_add(w->picker, "a-text-that-is-longer-than-the-row-that-it-has",
                                 "with words that explain it", NULL, 0),
                0);
        assert_int_equal(picker_add(w->picker, "short",
                                 "a detail that is longer than the whole row", NULL, 0),
                0);
        assert_screen(w, 7, 40,
                "┌─ Models of all engines that there a…─┐\n"
                "│                                      │\n"
                "├──────────────────────────────────────┤\n"
                "│ a-text-that-is-longer-than-the-row-… │\n"
                "│ a-text-that-is-longer-t…  with word… │\n"
                "│ short  a detail that is longer than… │\n"
                "└──────────────────────────────── 1/3 ─┘\n");
        /* Where there is room, what is cut is whole below, when it is chosen. */
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(picker_add(w->picker, "another", NULL, NULL, 0), 0);
        picker_move(w->picker, 1);
        assert_screen(w, 10, 40,
                "┌─ Models of all engines that there a…─┐\n"
                "│                                      │\n"
                "├──────────────────────────────────────┤\n"
                "│ a-text-that-is-longer-than-the-row-… │\n"
                "│ a-text-that-is-longer-t…  with word… │\n"
                "│ short  a detail that is longer than… │\n"
                "│ a-text-that-is-longer-than-the-row-t │\n"
                "│ hat-it-has (with words that explain  │\n"
                "│ it)                                  │\n"
                "└──────────────────────────────── 2/6 ─┘\n");
}

static void test_line_alone(void **state)
{
        World *w = *state;

        assert_int_equal(picker_new("Title", "Old one", &narrowing, w, &w->picker), 0);
        assert_screen(w, 10, 40,
                "┌─ Title ──────────────────────────────┐\n"
                "│ Old one                              │\n"
                "└──────────────────────────────────────┘\n");
        type(w, "!");
        picker_accept(w->picker);
        assert_string_equal(w->picked, "(none)");
        assert_string_equal(w->line, "Old one!");
}

/* ---- choosing ---- */

static void test_scrolls(void **state)
{
        World *w = *state;
        char text[16];

        assert_int_equal(picker_new("Many", NULL, &narrowing, w, &w->picker), 0);
        for (unsigned i = 0; i < PICKER_ITEMS_MAX; i++) {
                (void) snprintf(text, sizeof text, "item %u", i);
                assert_int_equal(picker_add(w->picker, text, NULL, NULL, i), 0);
        }
        assert_int_equal(picker_add(w->picker, "one more", NULL, NULL, 0), -E2BIG);
        picker_move(w->picker, -5);
        picker_move(w->picker, 4);
        assert_screen(w, 7, 30,
                "┌─ Many ─────────────────────┐\n"
                "│                            │\n"
                "├────────────────────────────┤\n"
                "│ item 2                     │\n"
                "│ item 3                     │\n"
                "│ item 4                     │\n"
                "└─────────────────── 5/1000 ─┘\n");
        picker_move(w->picker, 100000);
        picker_move(w->picker, -1);
        assert_screen(w, 7, 30,
                "┌─ Many ─────────────────────┐\n"
                "│                            │\n"
                "├────────────────────────────┤\n"
                "│ item 996                   │\n"
                "│ item 997                   │\n"
                "│ item 998                   │\n"
                "└───────────────── 999/1000 ─┘\n");
        picker_accept(w->picker);
        assert_string_equal(w->picked, "item 998");
}

static void test_picks(void **state)
{
        World *w = *state;

        open_actions(w);
        type(w, "pa");
        picker_accept(w->picker);
        assert_string_equal(w->picked, "pager");
        assert_string_equal(w->line, "pa");
        assert_null(w->picker);

        open_actions(w);
        type(w, "xyz");
        picker_move(w->picker, 1);
        picker_accept(w->picker); /* something that is not in the list */
        assert_string_equal(w->picked, "(none)");
        assert_string_equal(w->line, "xyz");

        open_actions(w);
        picker_cancel(w->picker);
        assert_int_equal(w->n_cancelled, 1);
        assert_null(w->picker);
}

static void test_list_of_the_service(void **state)
{
        World *w = *state;

        assert_int_equal(picker_new("Search", NULL, &asking, w, &w->picker), 0);
        picker_set_message(w->picker, "Type words");
        assert_screen(w, 6, 30,
                "┌─ Search ───────────────────┐\n"
                "│                            │\n"
                "├────────────────────────────┤\n"
                "│ Type words                 │\n"
                "│                            │\n"
                "└────────────────────────────┘\n");
        type(w, "zebra");
        assert_string_equal(w->typed, "zebra");
        picker_clear(w->picker);
        /* Found by other rules than ours: what there is is shown, in the order in which it came. */
        assert_int_equal(picker_add(w->picker, "the horse", "Animals", "id", 7), 0);
        assert_int_equal(picker_add(w->picker, "zebra", NULL, NULL, 8), 0);
        assert_screen(w, 6, 30,
                "┌─ Search ───────────────────┐\n"
                "│ zebra                      │\n"
                "├────────────────────────────┤\n"
                "│ the horse          Animals │\n"
                "│ zebra                      │\n"
                "└────────────────────── 1/2 ─┘\n");
        /* The word that was looked for is in sight, and marked; the date is whole. */
        assert_int_equal(
                picker_add(w->picker, "what is long before it comes to the animals, like the Zebra",
                        "About animals\t2026-11-21", NULL, 9),
                0);
        assert_screen(w, 7, 60,
                "    ┌─ Search ─────────────────────────────────────────┐\n"
                "    │ zebra                                            │\n"
                "    ├──────────────────────────────────────────────────┤\n"
                "    │ the horse                                Animals │\n"
                "    │ zebra                                            │\n"
                "    │ …to the animals, like the Zebra  Ab…  2026-11-21 │\n"
                "    └──────────────────────────────────────────── 1/3 ─┘\n");
        assert_true(is_marked(w, "zebra"));
        assert_true(is_marked(w, "Zebra"));
        assert_false(is_marked(w, "animals"));
        picker_accept(w->picker);
        assert_string_equal(w->picked, "id");
}

/* ---- matching ---- */

/* Linked in place of match_score(): what all of its callers have looked at. */
static size_t all_steps;

int __real_match_score(
        const char *text, const char *letters, size_t *steps, uint16_t *places, size_t *ret_n);
int __wrap_match_score(
        const char *text, const char *letters, size_t *steps, uint16_t *places, size_t *ret_n);

int __wrap_match_score(
        const char *text, const char *letters, size_t *steps, uint16_t *places, size_t *ret_n)
{
        size_t before = *steps;
        int r = __real_match_score(text, letters, steps, places, ret_n);

        all_steps += *steps - before;
        return r;
}

static int score(const char *text, const char *letters)
{
        size_t steps = 0;

        return match_score(text, letters, &steps, NULL, NULL);
}

static void test_letters(void **state)
{
        static const struct {
                const char *letters, *better, *worse;
        } cases[] = {
                { "np", "new-private", "snip" },
                { "new", "new", "n-e-w" },
                { "new", "newline", "renew" },
                { "re", "rename", "scroll-end" },
                { "PAGE", "page-up", "pxaxgxe" },
                { "p u", "page-up", "pxu" },
                { "ab", "xaxb ab", "xaxb" }, /* the best place, not the first */
                { "aab", "aab", "ab" },
                { "abc", "abc", "acb" },
                { "x", "x", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_true(score(cases[i].better, cases[i].letters) >
                        score(cases[i].worse, cases[i].letters));
        assert_int_equal(score("abc", "acb"), -1);
        assert_int_equal(score("", "x"), -1);
        assert_int_equal(score("abc", ""), 0);
        assert_int_equal(score("", " "), 0);
}

static void assert_places(const char *text, const char *letters, const char *expected)
{
        uint16_t places[MATCH_LETTERS_MAX];
        char marks[KIB(1)];
        size_t n, steps = 0;

        assert_true(strlen(text) < sizeof marks);
        assert_true(match_score(text, letters, &steps, places, &n) >= 0);
        memset(marks, '.', strlen(text));
        marks[strlen(text)] = 0;
        for (size_t i = 0; i < n; i++)
                marks[places[i]] = text[places[i]];
        assert_string_equal(marks, expected);
}

static void test_places(void **state)
{
        assert_places("xaxb ab", "ab", ".....ab");
        assert_places("new-private", "np", "n...p......");
        assert_places("page-up", "p u", "p....u.");
        assert_places("aaa", "aa", "aa.");
        assert_places("abc", "", "...");
}

static void test_borders_of_matching(void **state)
{
        char text[KIB(1)], letters[MATCH_LETTERS_MAX + 10];
        uint16_t places[MATCH_LETTERS_MAX];
        size_t n, steps = 0;

        memset(text, 'a', sizeof text - 1);
        text[sizeof text - 1] = 0;
        memset(letters, 'a', sizeof letters - 1);
        letters[sizeof letters - 1] = 0;
        assert_true(match_score(text, letters, &steps, places, &n) > 0);
        assert_int_equal(n, MATCH_LETTERS_MAX);
        for (size_t i = 1; i < n; i++)
                assert_true(places[i] > places[i - 1]);
        text[sizeof text - 2] = 'z'; /* too far behind to be looked at */
        assert_int_equal(score(text, "z"), -1);
}

/* When much was looked at already: the first that fit, and those of them that are together. */
static void test_many_steps(void **state)
{
        static const struct {
                const char *text, *letters, *expected;
        } cases[] = {
                { "xaxb ab", "ab", ".a.b..." },
                { "aaxab", "ab", "...ab" },
                { "new-private", "np", "n...p......" },
                { "aaa", "aa", "aa." },
                { "abc", "", "..." },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t steps = MATCH_STEPS_MAX, n;
                uint16_t places[MATCH_LETTERS_MAX];
                char marks[32];

                assert_true(match_score(cases[i].text, cases[i].letters, &steps, places, &n) >= 0);
                memset(marks, '.', sizeof marks);
                for (size_t k = 0; k < n; k++)
                        marks[places[k]] = cases[i].text[places[k]];
                assert_memory_equal(marks, cases[i].expected, strlen(cases[i].text));
                /* Which is what they are worth: no more than the best. */
                steps = MATCH_STEPS_MAX;
                assert_in_range(match_score(cases[i].text, cases[i].letters, &steps, NULL, NULL), 0,
                        score(cases[i].text, cases[i].letters));
        }
}

/* A list of a thousand texts that are made so that each place fits: what is looked at is bounded,
 * and all of them are found all the same. */
static void test_steps(void **state)
{
        World *w = *state;
        char text[MATCH_TEXT_MAX + 1];

        memset(text, 'a', sizeof text - 1);
        text[sizeof text - 1] = 0;
        assert_int_equal(picker_new("Many", NULL, &narrowing, w, &w->picker), 0);
        for (unsigned i = 0; i < PICKER_ITEMS_MAX; i++)
                assert_int_equal(picker_add(w->picker, text, text, text, i), 0);
        all_steps = 0;
        for (size_t i = 0; i < MATCH_LETTERS_MAX; i++)
                type(w, "a"); /* all in one turn: they count together */
        picker_move(w->picker, PICKER_ITEMS_MAX);
        assert_in_range(all_steps, MATCH_STEPS_MAX / 2,
                MATCH_STEPS_MAX + 2 * PICKER_ITEMS_MAX * (3 * MATCH_TEXT_MAX + MATCH_LETTERS_MAX));
        assert_screen(w, 6, 40,
                "┌─ Many ───────────────────────────────┐\n"
                "│ aaaaaaaaaaaaaaaaaaaaaaaaaaaaa        │\n"
                "├──────────────────────────────────────┤\n"
                "│ aaaaaaaaaaaaaaaaaaaaaaa…  aaaaaaaaa… │\n"
                "│ aaaaaaaaaaaaaaaaaaaaaaa…  aaaaaaaaa… │\n"
                "└────────────────────────── 1000/1000 ─┘\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_box),
                CASE(test_box_in_the_middle),
                CASE(test_long_rows),
                CASE(test_line_alone),
                CASE(test_scrolls),
                CASE(test_picks),
                CASE(test_list_of_the_service),
                cmocka_unit_test(test_letters),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_borders_of_matching),
                cmocka_unit_test(test_many_steps),
                CASE(test_steps),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
