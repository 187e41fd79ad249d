/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/utf8.h"
#include "tests/unit/tui-editor-world.h"
#include "tests/unit/tui-emulator.h"
#include "tests/unit/tui-rows.h"

/* The text with | where the cursor is. */
static void assert_at(Editor *e, const char *expected)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(4));
        const char *text = editor_text(e, NULL);

        assert_int_equal(buffer_append(&b, text, editor_cursor(e)), 0);
        assert_int_equal(buffer_append_string(&b, "|"), 0);
        assert_int_equal(buffer_append_string(&b, text + editor_cursor(e)), 0);
        assert_string_equal(b.data, expected);
}

/* An editor with the text, and its cursor at the |. */
static Editor *make_at(const char *marked)
{
        size_t at = (size_t) (strchr(marked, '|') - marked);
        _cleanup_free_ char *text = NULL;
        Editor *e;

        assert_true(asprintf(&text, "%.*s%s", (int) at, marked, marked + at + 1) >= 0);
        e = make(text);
        editor_set_cursor(e, at);
        return e;
}

/* ---- moving and cutting ---- */

static void test_moves(void **state)
{
        static const struct {
                const char *before;
                EditorMove move;
                const char *after;
        } cases[] = {
                { "ab|", MOVE_LEFT, "a|b" },
                { "|ab", MOVE_LEFT, "|ab" },
                { "a\n|b", MOVE_LEFT, "a|\nb" },
                { "a\n|b", MOVE_LEFT_IN_LINE, "a\n|b" },
                { "ab|\n", MOVE_LEFT_IN_LINE, "a|b\n" },
                { "a|\nb", MOVE_RIGHT_IN_LINE, "a|\nb" },
                { "|a\nb", MOVE_RIGHT_IN_LINE, "a|\nb" },
                { "a|\nb", MOVE_RIGHT, "a\n|b" },
                { "|" FAMILY "x", MOVE_RIGHT, FAMILY "|x" },
                { FAMILY "|x", MOVE_LEFT, "|" FAMILY "x" },
                { "|e\u0301x", MOVE_RIGHT, "e\u0301|x" },
                { "one, two|", MOVE_WORD_LEFT, "one, |two" },
                { "one, |two", MOVE_WORD_LEFT, "|one, two" },
                { "|one, two", MOVE_WORD_RIGHT, "one|, two" },
                { "one|, two", MOVE_WORD_RIGHT, "one, two|" },
                { "|\u00fcber-Stra\u00dfe", MOVE_WORD_RIGHT, "\u00fcber|-Stra\u00dfe" },
                { "\u00fcber-Stra\u00dfe|", MOVE_WORD_LEFT, "\u00fcber-|Stra\u00dfe" },
                { "\u65e5\u672c\u3002|", MOVE_WORD_LEFT, "|\u65e5\u672c\u3002" },
                { "a\nb|c\nd", MOVE_LINE_START, "a\n|bc\nd" },
                { "a\nb|c\nd", MOVE_LINE_END, "a\nbc|\nd" },
                { "a\nb|c\nd", MOVE_START, "|a\nbc\nd" },
                { "a\nb|c\nd", MOVE_END, "a\nbc\nd|" },
                { "abc\nd|ef", MOVE_UP, "a|bc\ndef" },
                { "a|bc\ndef", MOVE_DOWN, "abc\nd|ef" },
                { "abc\nd\n|", MOVE_UP, "abc\n|d\n" },
                { "ab|c", MOVE_UP, "ab|c" },
                { "ab|c", MOVE_DOWN, "ab|c" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(editor_freep) Editor *e = make_at(cases[i].before);

                assert_int_equal(
                        editor_move(e, cases[i].move), !streq(cases[i].before, cases[i].after));
                assert_at(e, cases[i].after);
        }
}

static void test_kills(void **state)
{
        static const struct {
                const char *before;
                EditorKill kill;
                const char *after, *kept; /* what is yanked then */
        } cases[] = {
                { "ab|c", KILL_LEFT, "a|c", "" },
                { "|c", KILL_LEFT, "|c", "" },
                { FAMILY "|c", KILL_LEFT, "|c", "" },
                { "a|bc", KILL_RIGHT, "a|c", "" },
                { "a|", KILL_RIGHT, "a|", "" },
                { "one two|x", KILL_WORD_LEFT, "one |x", "two" },
                { "one  |x", KILL_WORD_LEFT, "|x", "one  " },
                { "|one two", KILL_WORD_RIGHT, "| two", "one" },
                { "a\nbc|d", KILL_LINE_START, "a\n|d", "bc" },
                { "a\n|d", KILL_LINE_START, "a|d", "\n" },
                { "b|cd\ne", KILL_LINE_END, "b|\ne", "cd" },
                { "b|\ne", KILL_LINE_END, "b|e", "\n" },
                { "a\nb|c\nd", KILL_WHOLE_LINE, "a\n|d", "bc\n" },
                { "a\nb|c", KILL_WHOLE_LINE, "a|", "\nbc" },
                { "b|c", KILL_WHOLE_LINE, "|", "bc" },
                { "a\nb|c", KILL_ALL, "|", "a\nbc" },
                { "|", KILL_ALL, "|", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(editor_freep) Editor *e = make_at(cases[i].before);

                assert_int_equal(
                        editor_kill(e, cases[i].kill), !streq(cases[i].before, cases[i].after));
                assert_at(e, cases[i].after);
                assert_int_equal(editor_set_text(e, "<>", 2), 1);
                assert_int_equal(editor_yank(e), *cases[i].kept != 0);
                assert_int_equal(editor_text(e, NULL)[2] == 0, *cases[i].kept == 0);
                assert_string_equal(editor_text(e, NULL) + 2, cases[i].kept);
        }
}

static void test_kills_in_a_row_are_one(void **state)
{
        _cleanup_(editor_freep) Editor *e = make_at("one two |three four");

        assert_int_equal(editor_kill(e, KILL_WORD_LEFT), 1);
        assert_int_equal(editor_kill(e, KILL_WORD_LEFT), 1);
        assert_int_equal(editor_kill(e, KILL_WORD_RIGHT), 1);
        assert_at(e, "| four");
        assert_int_equal(editor_yank(e), 1);
        assert_at(e, "one two three| four");
}

static void test_ring(void **state)
{
        _cleanup_(editor_freep) Editor *e = make("");

        assert_int_equal(editor_yank(e), 0);
        for (char c = 'a'; c <= 'j'; c++) { /* ten, of which eight are kept */
                type(e, (char[]){ c, 0 });
                assert_int_equal(editor_kill(e, KILL_ALL), 1);
        }
        assert_int_equal(editor_yank_pop(e), 0); /* after a yank only */
        assert_int_equal(editor_yank(e), 1);
        for (char c = 'j'; c >= 'c'; c--) {
                assert_text(e, (char[]){ c, 0 });
                assert_int_equal(editor_yank_pop(e), 1);
        }
        assert_text(e, "j");
        assert_int_equal(editor_move(e, MOVE_LEFT), 1);
        assert_int_equal(editor_yank_pop(e), 0);
}

static void test_transpose(void **state)
{
        static const char *const cases[][2] = {
                { "a|bc", "ba|c" },
                { "abc|", "acb|" },
                { "abc|\nd", "acb|\nd" },
                { "|abc", "|abc" },
                { "a|", "a|" },
                { "a\n|b", "a\n|b" },
                { FAMILY "|x", "x" FAMILY "|" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(editor_freep) Editor *e = make_at(cases[i][0]);

                assert_int_equal(editor_transpose(e), !streq(cases[i][0], cases[i][1]));
                assert_at(e, cases[i][1]);
        }
}

static void test_replace(void **state)
{
        _cleanup_(editor_freep) Editor *e = make("open fo bar");

        assert_int_equal(editor_replace(e, 5, 7, "folder/"), 1);
        assert_at(e, "open folder/| bar");
        assert_int_equal(editor_undo(e), 1);
        assert_text(e, "open fo bar");
        assert_int_equal(editor_replace(e, 7, 5, ""), -EINVAL);
        assert_int_equal(editor_replace(e, 7, 12, ""), -EINVAL);
        assert_int_equal(editor_set_text(e, FAMILY, strlen(FAMILY)), 1);
        assert_int_equal(editor_replace(e, 0, 4, ""), -EINVAL); /* within a cluster */
        assert_text(e, FAMILY);
}

/* ---- undo ---- */

static void test_undo_by_words(void **state)
{
        static const char *const steps[] = { "one, two\nthree", "one, two\n", "one, two", "one, ",
                "" };
        _cleanup_(editor_freep) Editor *e = make("");

        type(e, steps[0]);
        for (size_t i = 1; i < ELEMENTSOF(steps); i++) {
                assert_int_equal(editor_undo(e), 1);
                assert_text(e, steps[i]);
        }
        assert_int_equal(editor_undo(e), 0);
        for (size_t i = ELEMENTSOF(steps) - 1; i-- > 0;) {
                assert_int_equal(editor_redo(e), 1);
                assert_text(e, steps[i]);
        }
        assert_int_equal(editor_redo(e), 0);
}

static void test_undo_of_erasing(void **state)
{
        _cleanup_(editor_freep) Editor *e = make("one two");

        for (int i = 0; i < 3; i++)
                assert_int_equal(editor_kill(e, KILL_LEFT), 1);
        assert_int_equal(editor_undo(e), 1);
        assert_text(e, "one two");
        editor_set_cursor(e, 0);
        for (int i = 0; i < 3; i++)
                assert_int_equal(editor_kill(e, KILL_RIGHT), 1);
        assert_text(e, " two");
        assert_int_equal(editor_undo(e), 1);
        assert_at(e, "|one two");
        type(e, "x");
        assert_int_equal(editor_redo(e), 0); /* what was undone is gone by a change */
}

/* What is remembered is full to the byte: the oldest goes, and erasing goes on. */
static void test_erasing_when_undo_is_full(void **state)
{
        _cleanup_(editor_freep) Editor *e = make("x");
        size_t size = EDITOR_TEXT_MAX;
        _cleanup_free_ char *text = malloc(size);

        assert_non_null(text);
        memset(text, 'a', size);
        assert_int_equal(editor_set_text(e, "y", 1), 1);
        assert_int_equal(editor_set_text(e, text, size), 1);
        assert_int_equal(editor_set_text(e, text, size - 2), 1);
        assert_int_equal(editor_set_text(e, "abc", 3), 1);
        for (size_t i = 3; i > 0; i--)
                assert_int_equal(editor_kill(e, KILL_LEFT), 1);
        assert_true(editor_is_empty(e));
}

static void test_undo_is_bounded(void **state)
{
        _cleanup_(editor_freep) Editor *e = make("");
        unsigned n = 0;

        for (unsigned i = 0; i < 2 * UNDO_MAX; i++) {
                assert_int_equal(editor_insert(e, "a", 1), 1);
                editor_set_cursor(e, SIZE_MAX); /* ends a step */
        }
        while (editor_undo(e) > 0)
                n++;
        assert_true(n <= UNDO_MAX && n >= UNDO_MAX / 2);
        assert_int_equal(strlen(editor_text(e, NULL)), 2 * UNDO_MAX - n);
}

/* ---- text from outside ---- */

static void test_cleaned(void **state)
{
        static const char *const cases[][2] = {
                { "a\tb\nc", "a\tb\nc" },
                { "a\x1b[31mb\x07\x7f", "a[31mb" },
                { "a\r\nb\rc", "a\nb\nc" },
                { "a\xc2\x85\xc2\x9b"
                  "b\u00a0",
                        "ab\u00a0" },
                { "a\xff\xc3", "a" UTF8_REPLACEMENT UTF8_REPLACEMENT },
                { "\x01", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(editor_freep) Editor *e = make("");
                const char *in = cases[i][0];

                assert_int_equal(editor_paste(e, in, strlen(in)), *cases[i][1] != 0);
                assert_text(e, cases[i][1]);
                assert_int_equal(editor_set_text(e, "", 0), *cases[i][1] != 0);
                assert_int_equal(editor_insert(e, in, strlen(in)), *cases[i][1] != 0);
                assert_text(e, cases[i][1]);
        }
}

static void test_limit(void **state)
{
        _cleanup_free_ char *text = malloc(EDITOR_TEXT_MAX + 1);
        _cleanup_(editor_freep) Editor *e = make("");

        assert_non_null(text);
        memset(text, 'a', EDITOR_TEXT_MAX + 1);
        assert_int_equal(editor_paste(e, text, EDITOR_TEXT_MAX + 1), -EFBIG);
        assert_true(editor_is_empty(e));
        assert_int_equal(editor_paste(e, text, EDITOR_TEXT_MAX), 1);
        assert_int_equal(editor_insert(e, "a", 1), -EFBIG);
        assert_int_equal(editor_cursor(e), EDITOR_TEXT_MAX);
        assert_int_equal(editor_set_text(e, text, EDITOR_TEXT_MAX + 1), -EFBIG);
        assert_int_equal(editor_kill(e, KILL_ALL), 1);
        assert_int_equal(editor_undo(e), 1);
        assert_int_equal(editor_cursor(e), EDITOR_TEXT_MAX);
}

/* ---- folded pastes ---- */

static char *lines_of(size_t n)
{
        char *text = malloc(2 * n + 1);

        assert_non_null(text);
        for (size_t i = 0; i < n; i++)
                memcpy(text + 2 * i, "x\n", 3);
        return text;
}

static void test_fold_borders(void **state)
{
        _cleanup_free_ char *few = lines_of(EDITOR_FOLD_LINES), *many = NULL;
        char bytes[EDITOR_FOLD_BYTES + 1];
        _cleanup_(editor_freep) Editor *e = make("");

        many = lines_of(EDITOR_FOLD_LINES + 1);
        memset(bytes, 'x', sizeof bytes);
        assert_int_equal(editor_paste(e, few, strlen(few)), 1);
        assert_int_equal(editor_paste(e, bytes, EDITOR_FOLD_BYTES), 1);
        assert_int_equal(editor_unfold(e), 0);
        assert_int_equal(editor_paste(e, many, strlen(many)), 1);
        assert_int_equal(editor_unfold(e), 1);
        assert_int_equal(editor_paste(e, bytes, EDITOR_FOLD_BYTES + 1), 1);
        assert_int_equal(editor_unfold(e), 1);
        assert_int_equal(editor_unfold(e), 0);
}

static void test_chip_is_one_cluster(void **state)
{
        _cleanup_free_ char *lines = lines_of(100), *whole = NULL;
        _cleanup_(editor_freep) Editor *e = make("ab");

        editor_set_cursor(e, 1);
        assert_int_equal(editor_paste(e, lines, 200), 1);
        assert_int_equal(editor_cursor(e), 201);
        assert_true(asprintf(&whole, "a%sb", lines) >= 0);
        assert_text(e, whole);

        assert_int_equal(editor_move(e, MOVE_LEFT), 1);
        assert_int_equal(editor_cursor(e), 1);
        assert_int_equal(editor_move(e, MOVE_WORD_RIGHT), 1);
        assert_int_equal(editor_cursor(e), 201);
        editor_set_cursor(e, 100); /* within: at its start */
        assert_int_equal(editor_cursor(e), 1);
        assert_int_equal(editor_move(e, MOVE_LINE_END), 1); /* its line ends are not lines */
        assert_int_equal(editor_cursor(e), 202);

        editor_set_cursor(e, 201);
        assert_int_equal(editor_kill(e, KILL_LEFT), 1);
        assert_text(e, "ab");
        assert_int_equal(editor_undo(e), 1);
        assert_text(e, whole);
        assert_int_equal(editor_unfold(e), 1); /* it came back as what it was */
        assert_int_equal(editor_unfold(e), 0);
        assert_text(e, whole);
}

static void test_chip_is_yanked_as_one(void **state)
{
        _cleanup_free_ char *lines = lines_of(100);
        _cleanup_(editor_freep) Editor *e = make("ab");

        assert_int_equal(editor_paste(e, lines, 200), 1);
        assert_int_equal(editor_kill(e, KILL_LINE_START), 1);
        assert_true(editor_is_empty(e));
        assert_int_equal(editor_yank(e), 1);
        assert_int_equal(editor_rows(e, 80, 10), 1);
        assert_int_equal(editor_move(e, MOVE_LEFT), 1);
        assert_int_equal(editor_cursor(e), 2);
}

static void test_many_chips(void **state)
{
        _cleanup_free_ char *lines = lines_of(100);
        _cleanup_(editor_freep) Editor *e = make("");

        for (unsigned i = 0; i < CHIPS_MAX + 2; i++)
                assert_int_equal(editor_paste(e, lines, 200), 1);
        assert_int_equal(e->n_chips, CHIPS_MAX);
        assert_int_equal(editor_kill(e, KILL_ALL), 1);
        assert_int_equal(e->n_chips, 0);
        assert_int_equal(editor_undo(e), 1);
        assert_int_equal(e->n_chips, CHIPS_MAX);
        assert_int_equal(editor_yank(e), 1); /* no room for as many again */
        assert_int_equal(e->n_chips, CHIPS_MAX);
        assert_int_equal(e->text.size, 2 * 200 * (CHIPS_MAX + 2));
}

/* ---- rows ---- */

static void test_wrap(void **state)
{
        static const struct {
                const char *text;
                int columns, rows;
                const char *first;
        } cases[] = {
                { "", 10, 1, "" },
                { "hello", 6, 1, "hello" },
                { "hello!", 6, 2, "hello" },
                { "hello world", 6, 2, "hello " }, /* the blank hangs over the edge */
                { "hello \nworld", 6, 2, "hello \n" },
                { "hello you", 10, 1, "hello you" },
                { "hello you all", 12, 2, "hello you " },
                { "a\n", 10, 2, "a\n" },
                { "a\n\nb", 10, 3, "a\n" },
                { "\u65e5\u672c\u8a9e", 5, 2, "\u65e5\u672c" },
                { "a\tb", 20, 1, "a\tb" },
                { "ab", 1, 2, "a" },
                { "\u65e5\u672c", 1, 2, "\u65e5" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(editor_freep) Editor *e = make(cases[i].text);
                size_t end;

                assert_int_equal(editor_rows(e, cases[i].columns, 100), cases[i].rows);
                (void) row_end(e, 0, &end);
                assert_int_equal(end, strlen(cases[i].first));
        }
}

static void test_goal_column(void **state)
{
        _cleanup_(editor_freep) Editor *e = make_at("long line|\nx\n\nanother");

        (void) editor_rows(e, 80, 10);
        for (int i = 0; i < 3; i++)
                assert_int_equal(editor_move(e, MOVE_DOWN), 1);
        assert_at(e, "long line\nx\n\nanother|");
        for (int i = 0; i < 3; i++)
                assert_int_equal(editor_move(e, MOVE_UP), 1);
        assert_at(e, "long line|\nx\n\nanother");
        assert_int_equal(editor_move(e, MOVE_UP), 0);

        /* Behind the last character of a wrapped row is the next one. */
        assert_int_equal(editor_set_text(e, "abcdefgh", 8), 1);
        (void) editor_rows(e, 5, 10);
        editor_set_cursor(e, 4);
        assert_int_equal(editor_move(e, MOVE_UP), 1);
        assert_int_equal(editor_cursor(e), 0);
        editor_set_cursor(e, 8);
        assert_int_equal(editor_move(e, MOVE_UP), 1);
        assert_int_equal(editor_cursor(e), 3);
}

/* ---- drawing ---- */

typedef struct Picture {
        Screen *screen;
        Buffer out;
} Picture;

static Picture draw(Editor *e, int rows, int columns, const char *placeholder)
{
        Picture p = { .out = BUFFER_INIT(MIB(1)) };

        assert_int_equal(screen_new(&p.screen), 0);
        assert_int_equal(screen_resize(p.screen, rows, columns), 0);
        screen_begin(p.screen);
        editor_draw(e, p.screen, (Area){ 0, 0, rows, columns }, placeholder);
        assert_int_equal(screen_render(p.screen, &p.out), 0);
        return p;
}

static void picture_done(Picture *p)
{
        screen_free(p->screen);
        buffer_done(&p->out);
}

static void test_draw(void **state)
{
        _cleanup_free_ char *lines = lines_of(312);
        _cleanup_(editor_freep) Editor *e = make("see: ");

        assert_int_equal(editor_paste(e, lines, 624), 1);
        type(e, "\na\tb\n\nend");
        {
                _cleanup_(picture_done) Picture p = draw(e, 4, 40, "Write here");

                assert_screen_row(p.screen, 0, "see: [pasted 312 lines, 624 bytes]");
                assert_screen_row(p.screen, 1, "a       b");
                assert_screen_row(p.screen, 2, "");
                assert_screen_row(p.screen, 3, "end");
        }
        {
                _cleanup_(picture_done) Picture p = draw(e, 2, 40, NULL); /* the cursor's rows */

                assert_screen_row(p.screen, 0, "");
                assert_screen_row(p.screen, 1, "end");
        }
        editor_set_cursor(e, 0);
        {
                _cleanup_(picture_done) Picture p = draw(e, 2, 10, NULL);

                assert_screen_row(p.screen, 0, "see:");
                assert_screen_row(p.screen, 1, "[pasted 3");
        }
}

static void test_draw_empty(void **state)
{
        _cleanup_(editor_freep) Editor *e = make("");
        _cleanup_(picture_done) Picture p = draw(e, 2, 40, "Write here");

        assert_screen_row(p.screen, 0, "Write here");
        assert_screen_row(p.screen, 1, "");
}

/* Taller again, or shorter text: no row stays blank while there is text above. */
static void test_draw_fills(void **state)
{
        _cleanup_(editor_freep) Editor *e = make("1\n2\n3\n4\n5");
        Picture p = draw(e, 2, 20, NULL);

        assert_screen_row(p.screen, 0, "4");
        picture_done(&p);
        p = draw(e, 4, 20, NULL);
        assert_screen_row(p.screen, 0, "2");
        assert_screen_row(p.screen, 3, "5");
        picture_done(&p);
        editor_set_cursor(e, 4);
        p = draw(e, 2, 20, NULL);
        assert_screen_row(p.screen, 0, "2");
        picture_done(&p);
        p = draw(e, 0, 0, NULL); /* no place at all */
        picture_done(&p);
}

/* Where the terminal's cursor is then. */
static void test_draw_cursor(void **state)
{
        static const struct {
                const char *text;
                int rows, columns, row, column;
        } cases[] = {
                { "|", 2, 10, 0, 0 },
                { "a\u65e5|b", 2, 10, 0, 3 },
                { "a\t|b", 2, 20, 0, 8 },
                { "a\n|", 2, 10, 1, 0 },
                { "123456789|", 2, 10, 0, 9 }, /* the last column is for it */
                { "1\n2\n3\n4|5", 2, 10, 1, 1 },
                { "12345678 |", 2, 9, 0, 8 }, /* a blank that hangs over the edge */
                { "12345678 |a", 2, 9, 1, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(editor_freep) Editor *e = make_at(cases[i].text);
                _cleanup_(picture_done)
                        Picture p = draw(e, cases[i].rows, cases[i].columns, "Write here");
                Emulator terminal;

                emulator_init(&terminal, cases[i].rows, cases[i].columns);
                emulator_feed(&terminal, p.out.data, p.out.size);
                assert_true(terminal.cursor_visible);
                assert_int_equal(terminal.row, cases[i].row);
                assert_int_equal(terminal.column, cases[i].column);
                emulator_done(&terminal);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_moves),
                cmocka_unit_test(test_kills),
                cmocka_unit_test(test_kills_in_a_row_are_one),
                cmocka_unit_test(test_ring),
                cmocka_unit_test(test_transpose),
                cmocka_unit_test(test_replace),
                cmocka_unit_test(test_undo_by_words),
                cmocka_unit_test(test_undo_of_erasing),
                cmocka_unit_test(test_erasing_when_undo_is_full),
                cmocka_unit_test(test_undo_is_bounded),
                cmocka_unit_test(test_cleaned),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_fold_borders),
                cmocka_unit_test(test_chip_is_one_cluster),
                cmocka_unit_test(test_chip_is_yanked_as_one),
                cmocka_unit_test(test_many_chips),
                cmocka_unit_test(test_wrap),
                cmocka_unit_test(test_goal_column),
                cmocka_unit_test(test_draw),
                cmocka_unit_test(test_draw_empty),
                cmocka_unit_test(test_draw_fills),
                cmocka_unit_test(test_draw_cursor),
        };

        return cmocka_run_group_tests_name("tui-editor", tests, NULL, NULL);
}
