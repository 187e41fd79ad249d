/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/terminal/width.h"
#include "client/tui/text/layout-build.h"
#include "client/tui/text/layout.h"
#include "tests/unit/tui-corpus.h"

#define MAXIMUM MIB(1)

#define _cleanup_segments_ _cleanup_(segments_done)
#define _cleanup_layout_   _cleanup_(layout_freep)

static void load(Segments *s, const char *text, size_t size, bool plain)
{
        *s = SEGMENTS_INIT(MAXIMUM);
        s->plain = plain;
        assert_int_equal(segments_append(s, text, size, NULL), 0);
        assert_int_equal(segments_finish(s, NULL), 0);
}

static void append(Buffer *out, const char *text, size_t size)
{
        assert_int_equal(buffer_append(out, text, size), 0);
}

static void append_row(const Layout *l, const Row *row, Buffer *out)
{
        for (size_t i = 0; i < row->n_runs; i++) {
                const Run *run = l->runs + row->first_run + i;

                append(out, l->text + run->start, run->size);
        }
}

/* What a screen would show, rows with their indentation; blank rows between segments too. */
static void draw(const char *text, unsigned width, LayoutFlags flags, Buffer *out)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(0);

        buffer_clear(out);
        load(&s, text, strlen(text), flags & LAYOUT_PLAIN);
        for (size_t i = 0; i < s.n_items; i++) {
                _cleanup_layout_ Layout *l = NULL;

                assert_int_equal(layout_new(&s, i, width, STYLE_NORMAL, flags, NULL, &l), 0);
                if (s.items[i].flags & SEGMENT_BLANK_BEFORE)
                        append(out, "\n", 1);
                for (size_t k = 0; k < l->n_rows; k++) {
                        for (unsigned c = 0; c < l->rows[k].indent; c++)
                                append(out, " ", 1);
                        append_row(l, l->rows + k, out);
                        append(out, "\n", 1);
                }
        }
}

typedef struct Case {
        const char *text;
        unsigned width;
        const char *expected;
} Case;

static void check(const Case *cases, size_t n, LayoutFlags flags)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(MAXIMUM);

        for (size_t i = 0; i < n; i++) {
                draw(cases[i].text, cases[i].width, flags, &out);
                assert_string_equal(buffer_text(&out), cases[i].expected);
        }
}

static void test_words(void **state)
{
        static const Case cases[] = {
                { "one two three", 8, "one two\nthree\n" },
                { "one two   three  ", 8, "one two\nthree\n" },
                { "12345678 9", 8, "12345678\n9\n" },
                { "123456789", 8, "12345678\n9\n" },
                { "a 123456789", 8, "a\n12345678\n9\n" },
                { "a\nb  \nc\\\nd", 8, "a\nb\nc\nd\n" },
                { "日本語日本語", 8, "日本語日\n本語\n" },
                { "日本語日。本語", 8, "日本語\n日。本語\n" },
                { "日本語「日本", 8, "日本語\n「日本\n" },
                { "ab日本語 cd", 8, "ab日本語\ncd\n" },
                { "a日本語日b", 8, "a日本語\n日b\n" },
                { "👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧",
                        8,
                        "👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧\n👩‍👩‍👧\n" },
                { "eeeeeeee\xcc\x81 x", 8, "eeeeeeee\xcc\x81\nx\n" },
        };

        check(cases, ELEMENTSOF(cases), 0);
}

static void test_blocks(void **state)
{
        static const Case cases[] = {
                { "# Head *x*\ntext", 20, "Head x\ntext\n" },
                { "- one two three four\n- b", 12, "• one two\n  three four\n• b\n" },
                { "- a\n  - b\n    - c\n      - d", 20, "• a\n  ◦ b\n    ▪ c\n      • d\n" },
                { "*   a\n    * b\n        * c", 20, "• a\n  ◦ b\n    ▪ c\n" },
                { "* a\n    ```\n    b\n    ```", 20, "• a\n  b\n" },
                { "9. a b c d\n10. b", 8, "9. a b c\n   d\n10. b\n" },
                { "1. a\n1. b\n   1) c\n   1) d", 20, "1. a\n2. b\n   1) c\n   2) d\n" },
                { "- [ ] a\n- [x] b", 20, "☐ a\n☑ b\n" },
                { "-", 8, "• \n" },
                { "> one two\n> > tree", 8, "│ one\n│ two\n│ │ tree\n" },
                { "> a\n>\n> b", 8, "│ a\n│ \n│ b\n" },
                { "***", 8, "────────\n" },
                { "```c\na\n```", 20, "c\na\n" },
                { "```c\na\n```", 40, "  c\n  a\n" },
                { "```\n\ta\n  \tb\n```", 20, "    a\n    b\n" },
                { "```\n123456789\n\n```", 8, "12345678\n9\n\n" },
                { "- a\n  ```\n    b\n  ```", 20, "• a\n    b\n" },
                { "> ```c\n> x;\n> ```", 20, "│ c\n│ x;\n" },
                { "x\n\n    code  x", 20, "x\n\ncode  x\n" },
                { "```sql\n```", 20, "sql\n" },
                { "#", 20, "#\n" },
                { "[x]: http://y", 20, "[x]: http://y\n" },
        };

        check(cases, ELEMENTSOF(cases), 0);
}

static void test_inline(void **state)
{
        static const Case cases[] = {
                { "[a](http://b) <http://c> www.d.e", 60, "a (http://b) http://c www.d.e\n" },
                { "[http://a](http://a) ![b](c)", 60, "http://a b (c)\n" },
                { "[](http://a) [![b](c)](d)", 60, "(http://a) b (c) (d)\n" },
                { "&amp;&#65;&#x42;&euro;&no; &#0;&#xd800;", 60,
                        "&AB€&no; \xef\xbf\xbd\xef\xbf\xbd\n" },
                { "<b>x</b> <br>y <!-- z -->", 60, "<b>x</b>\ny <!-- z -->\n" },
                { "<div>\n*x*\n</div>", 60, "<div>\nx\n</div>\n" },
                { "`a  b` \\* a_b_c $5 and $6", 60, "a  b * a_b_c $5 and $6\n" },
                { "a\tb", 60, "a b\n" },
                { "a\x1b[1mb", 60, "a\x1b[1mb\n" },
        };

        check(cases, ELEMENTSOF(cases), 0);
}

static void test_tables(void **state)
{
        static const Case cases[] = {
                { "|a|b|c|\n|-|:-:|-:|\n|1|long|x|\n|日本||12|", 40,
                        "┌──────┬──────┬────┐\n"
                        "│ a    │  b   │  c │\n"
                        "├──────┼──────┼────┤\n"
                        "│ 1    │ long │  x │\n"
                        "│ 日本 │      │ 12 │\n"
                        "└──────┴──────┴────┘\n" },
                { "|a|b|\n|-|-|\n|one two three|four five|", 25,
                        "┌───────────┬───────────┐\n"
                        "│ a         │ b         │\n"
                        "├───────────┼───────────┤\n"
                        "│ one two   │ four five │\n"
                        "│ three     │           │\n"
                        "└───────────┴───────────┘\n" },
                { "|a|b|\n|-|-|\n|one two three|four five six|", 24,
                        "┌───────────┬──────────┐\n"
                        "│ a         │ b        │\n"
                        "├───────────┼──────────┤\n"
                        "│ one two   │ four     │\n"
                        "│ three     │ five six │\n"
                        "└───────────┴──────────┘\n" },
                { "|a|b|\n|-|-|\n|one two three|four five|\n|x|y|", 20,
                        "a: one two three\nb: four five\n\na: x\nb: y\n" },
                { "|a|b|\n|-|-|\n|x<br>y|z|", 20,
                        "┌───┬───┐\n│ a │ b │\n├───┼───┤\n│ x │ z │\n│ y │   │\n└───┴───┘\n" },
                { "|head|\n|-|", 8, "┌──────┐\n│ head │\n├──────┤\n└──────┘\n" },
                { "|one two three|\n|-|", 8, "one two\nthree\n" },
        };

        check(cases, ELEMENTSOF(cases), 0);
}

static void test_ascii(void **state)
{
        static const Case cases[] = {
                { "- a\n  - b\n- [x] c\n\n> d\n\n---", 8,
                        "* a\n  - b\n[x] c\n\n| d\n\n--------\n" },
                { "|a|\n|-|\n|b|", 8, "+---+\n| a |\n+---+\n| b |\n+---+\n" },
        };

        check(cases, ELEMENTSOF(cases), LAYOUT_ASCII);
}

static void test_plain(void **state)
{
        static const Case cases[] = {
                { "# a\n- b\n\n\n  *c*  d", 20, "# a\n- b\n\n\n  *c*  d\n" },
                { "```\nx\n```\n", 20, "```\nx\n```\n" },
                { "a\tb\n\tc", 20, "a       b\n        c\n" },
                { "\n\na", 20, "\n\na\n" },
                { "one two three", 8, "one two\nthree\n" },
        };

        check(cases, ELEMENTSOF(cases), LAYOUT_PLAIN);
}

/* The style of the run that this word is in. */
static Style style_of(const char *text, const char *word)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(0);

        load(&s, text, strlen(text), /* plain= */ false);
        for (size_t i = 0; i < s.n_items; i++) {
                _cleanup_layout_ Layout *l = NULL;

                assert_int_equal(layout_new(&s, i, 60, STYLE_NORMAL, 0, NULL, &l), 0);
                for (size_t k = 0; k < l->n_runs; k++)
                        if (memmem(l->text + l->runs[k].start, l->runs[k].size, word, strlen(word)))
                                return l->runs[k].style;
        }
        fail_msg("%s is not in %s", word, text);
        return 0;
}

static void test_styles(void **state)
{
        static const struct {
                const char *text, *word;
                Style style;
        } table[] = {
                { "word", "word", STYLE_NORMAL },
                { "# head", "head", STYLE_TITLE | STYLE_BOLD | STYLE_UNDERLINE },
                { "## head", "head", STYLE_TITLE | STYLE_BOLD },
                { "### head", "head", STYLE_TITLE },
                { "**bold _both_**", "bold", STYLE_BOLD },
                { "**bold _both_**", "both", STYLE_BOLD | STYLE_ITALIC },
                { "~~gone~~", "gone", STYLE_STRIKE },
                { "a `code` b", "code", STYLE_CODE },
                { "[text](http://x)", "text", STYLE_ACCENT | STYLE_UNDERLINE },
                { "[text](http://x)", "http", STYLE_DIM },
                { "> quote", "quote", STYLE_QUOTE },
                { "> quote", "│", STYLE_QUOTE },
                { "- item", "•", STYLE_ACCENT },
                { "|h|\n|-|\n|c|", "h", STYLE_BOLD },
                { "|h|\n|-|\n|c|", "c", STYLE_NORMAL },
                { "|h|\n|-|\n|c|", "│", STYLE_DIM },
                { "```c\nint x;\n```", "int", STYLE_TYPE },
                { "```c\n/* a\nword */\n```", "word", STYLE_COMMENT },
                { "```zz\nint x;\n```", "int", STYLE_CODE },
                { "```zz\nint x;\n```", "zz", STYLE_COMMENT },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(style_of(table[i].text, table[i].word), table[i].style);
}

/* The lexer's state goes on from one segment of a block to the next. */
static void test_code_of_many_segments(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM);

        assert_int_equal(buffer_append_string(&text, "```c\n/*\n"), 0);
        for (unsigned i = 0; i < SEGMENT_LINES_MAX * 2; i++)
                assert_int_equal(buffer_append_string(&text, "x\n"), 0);
        assert_int_equal(buffer_append_string(&text, "word */ int y;\n"), 0);
        assert_int_equal(style_of(text.data, "word"), STYLE_COMMENT);
        assert_int_equal(style_of(text.data, "int"), STYLE_TYPE);
}

static void test_row_flags(void **state)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(0);
        _cleanup_layout_ Layout *l = NULL;

        load(&s, "```c\n123456789\n\n```\n", 20, /* plain= */ false);
        assert_int_equal(layout_new(&s, 0, 8, STYLE_NORMAL, 0, NULL, &l), 0);
        assert_int_equal(l->n_rows, 4);
        assert_int_equal(l->rows[0].flags, ROW_FILL | ROW_ADDED);
        assert_int_equal(l->rows[1].flags, ROW_FILL | ROW_SOFT);
        assert_int_equal(l->rows[2].flags, ROW_FILL);
        assert_int_equal(l->rows[3].flags, ROW_FILL);
        assert_int_equal(l->rows[3].n_runs, 1);
        assert_int_equal(l->runs[l->rows[3].first_run].style, STYLE_CODE);
        assert_int_equal(l->rows[1].source, 0);
        assert_int_equal(l->rows[2].source, 8);
        assert_int_equal(l->rows[3].source, 10);
}

static void test_source_of_rows(void **state)
{
        static const struct {
                const char *text;
                size_t segment, row;
                uint32_t source;
        } table[] = {
                { "one two three", 0, 1, 8 },
                { "- one two three", 0, 1, 10 },
                { "- a\n  - one two three", 1, 1, 8 },
                { "> one\n> two", 0, 1, 8 },
                { "|a|\n|-|\n|b|", 0, 1, 1 },
                { "|a|\n|-|\n|b|", 0, 3, 9 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_segments_ Segments s = SEGMENTS_INIT(0);
                _cleanup_layout_ Layout *l = NULL;

                load(&s, table[i].text, strlen(table[i].text), /* plain= */ false);
                assert_int_equal(layout_new(&s, table[i].segment, 9, STYLE_NORMAL, 0, NULL, &l), 0);
                assert_true(table[i].row < l->n_rows);
                assert_int_equal(l->rows[table[i].row].source, table[i].source);
        }
}

/* ---- what holds for every text ---- */

static void check_layout(const Segments *s, size_t index, const Layout *l)
{
        uint32_t source = 0, run = 0, byte = 0;

        assert_true(l->n_rows > 0);
        for (size_t i = 0; i < l->n_rows; i++) {
                const Row *row = l->rows + i;
                unsigned cells = row->indent, clusters = 0;

                assert_true(row->source >= source);
                assert_true(row->source <= s->items[index].size);
                source = row->source;
                assert_int_equal(row->first_run, run);
                if (row->flags & ROW_FILL)
                        assert_true(row->n_runs > 0);
                for (size_t k = 0; k < row->n_runs; k++) {
                        const Run *r = l->runs + row->first_run + k;

                        assert_int_equal(r->start, byte);
                        assert_int_equal(r->cells, text_cells(l->text + r->start, r->size));
                        byte += r->size;
                        cells += r->cells;
                        clusters += r->size > 0;
                }
                assert_true(cells <= l->width || clusters <= 1);
                run += row->n_runs;
        }
        assert_int_equal(run, l->n_runs);
        assert_true(l->bytes >= byte + l->n_runs * sizeof(Run) + l->n_rows * sizeof(Row));
}

static void check_text(const char *text, size_t size, unsigned width, LayoutFlags flags)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(0);

        load(&s, text, size, flags & LAYOUT_PLAIN);
        for (size_t i = 0; i < s.n_items; i++) {
                _cleanup_layout_ Layout *l = NULL;

                assert_int_equal(layout_new(&s, i, width, STYLE_USER, flags, NULL, &l), 0);
                check_layout(&s, i, l);
        }
}

static uint32_t next_random(uint32_t *seed)
{
        *seed = *seed * 1664525U + 1013904223U;
        return *seed >> 8;
}

static void test_every_layout_is_sound(void **state)
{
        static const unsigned widths[] = { 0, 8, 9, 13, 20, 40, 80, 120, 5000 };

        for (size_t i = 0; i < n_corpus; i++)
                for (size_t k = 0; k < ELEMENTSOF(widths); k++)
                        for (LayoutFlags flags = 0; flags < 4; flags++)
                                check_text(
                                        corpus[i].text, strlen(corpus[i].text), widths[k], flags);
}

static void test_garbage(void **state)
{
        static const char bytes[] =
                "\n\n -*>#|`~_[]()<>&;:!1.\t\r\x00\x1b\x80\xc3\xe6\x97\xa5\xf0\x9f";
        uint32_t seed = 11;

        for (unsigned n = 0; n < 1500; n++) {
                char text[200];
                size_t size = next_random(&seed) % sizeof text;

                for (size_t i = 0; i < size; i++)
                        text[i] = bytes[next_random(&seed) % (sizeof bytes - 1)];
                check_text(text, size, 8 + n % 40, n % 3);
        }
}

static void random_text(uint32_t *seed, Buffer *out)
{
        static const char *const pieces[] = { " ", " ", "  ", "\n", "a", "word", "longerword",
                "日本", "。", "「", "👩‍👩‍👧", "🇩🇪", "e\xcc\x81", "\t", "\x1b", ".", "(",
                "שלום" };

        buffer_clear(out);
        for (unsigned n = next_random(seed) % 60; n > 0; n--)
                assert_int_equal(
                        buffer_append_string(out, pieces[next_random(seed) % ELEMENTSOF(pieces)]),
                        0);
}

static void append_visible(Buffer *out, const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (!strchr(" \t\n", text[i]) || !text[i])
                        append(out, text + i, 1);
}

/* Rows joined give the text back, but for the blanks. */
static void test_nothing_of_a_text_is_lost(void **state)
{
        uint32_t seed = 5;

        for (unsigned n = 0; n < 800; n++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM), out = BUFFER_INIT(MAXIMUM),
                                        seen = BUFFER_INIT(MAXIMUM), source = BUFFER_INIT(MAXIMUM);
                unsigned width = 8 + n % 113;

                random_text(&seed, &text);
                draw(buffer_text(&text), width, LAYOUT_PLAIN, &out);
                append_visible(&seen, buffer_text(&out), out.size);
                append_visible(&source, buffer_text(&text), text.size);
                assert_string_equal(buffer_text(&seen), buffer_text(&source));
                check_text(buffer_text(&text), text.size, width, LAYOUT_PLAIN);
                check_text(buffer_text(&text), text.size, width, 0);
        }
}

/* A word is only cut where it is wider than a row. */
static void test_words_stay_whole(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM), out = BUFFER_INIT(MAXIMUM);

        for (unsigned i = 0; i < 300; i++)
                assert_int_equal(buffer_append_format(&text, "w%ue ", i), 0);
        for (unsigned width = 8; width <= 120; width++) {
                draw(text.data, width, 0, &out);
                for (const char *p = out.data; *p; p = strchr(p, '\n') + 1) {
                        const char *end = strchr(p, '\n');

                        assert_int_equal(*p, 'w');
                        assert_int_equal(end[-1], 'e');
                        /* … and there was no room for the next one. */
                        assert_true(!end[1] || (size_t) (end - p) + 5 > width - 1);
                }
        }
}

static void test_code_is_exact(void **state)
{
        uint32_t seed = 9;

        for (unsigned n = 0; n < 500; n++) {
                _cleanup_buffer_ Buffer code = BUFFER_INIT(MAXIMUM), text = BUFFER_INIT(MAXIMUM),
                                        out = BUFFER_INIT(MAXIMUM);
                _cleanup_segments_ Segments s = SEGMENTS_INIT(0);

                random_text(&seed, &code);
                for (size_t i = 0; i < code.size; i++)
                        if (code.data[i] == '\t')
                                code.data[i] = '-';
                assert_int_equal(
                        buffer_append_format(&text, "```c\n%s\n```\n", buffer_text(&code)), 0);
                load(&s, text.data, text.size, /* plain= */ false);
                assert_int_equal(s.n_items, 1);
                _cleanup_layout_ Layout *l = NULL;
                assert_int_equal(layout_new(&s, 0, 8 + n % 113, STYLE_NORMAL, 0, NULL, &l), 0);
                for (size_t i = 1; i < l->n_rows; i++) {
                        append_row(l, l->rows + i, &out);
                        if (!(l->rows[i].flags & ROW_SOFT) && i + 1 < l->n_rows)
                                append(&out, "\n", 1);
                }
                assert_string_equal(buffer_text(&out), buffer_text(&code));
        }
}

/* A long line in pieces: the rows of all of them give it back, and say that they go on. */
static void test_line_of_many_segments(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM), out = BUFFER_INIT(MAXIMUM),
                                seen = BUFFER_INIT(MAXIMUM), source = BUFFER_INIT(MAXIMUM);
        _cleanup_segments_ Segments s = SEGMENTS_INIT(0);
        _cleanup_layout_ Layout *l = NULL;

        while (text.size < SEGMENT_BYTES_MAX * 3)
                assert_int_equal(buffer_append_string(&text, "word - # 日本 "), 0);
        draw(text.data, 50, 0, &out);
        append_visible(&seen, out.data, out.size);
        append_visible(&source, text.data, text.size);
        assert_string_equal(seen.data, source.data);
        load(&s, text.data, text.size, /* plain= */ false);
        assert_int_equal(layout_new(&s, 0, 50, STYLE_NORMAL, 0, NULL, &l), 0);
        assert_true(l->rows[l->n_rows - 1].flags & ROW_SOFT);
}

/* Texts that have cost others minutes or gigabytes. */
static void test_hostile_texts(void **state)
{
        static const char *const pieces[] = { ">", "[", "*a_ ", "![", "<", "`", "`a", "|", "[a](<b",
                "> - ", "&", "**", "~~x", "\\", "- ", "1) ", "_", "a@b.", "http://", "<!--" };

        for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM);

                while (text.size < SEGMENT_BYTES_MAX)
                        assert_int_equal(buffer_append_string(&text, pieces[i]), 0);
                check_text(text.data, text.size, 20, 0);
        }
}

static void test_a_table_that_is_too_much_is_text(void **state)
{
        for (unsigned over = 0; over < 2; over++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM), out = BUFFER_INIT(MAXIMUM);

                for (unsigned i = 0; i < TABLE_COLUMNS_MAX + over; i++)
                        assert_int_equal(buffer_append_string(&text, "|a"), 0);
                assert_int_equal(buffer_append_string(&text, "|\n"), 0);
                for (unsigned i = 0; i < TABLE_COLUMNS_MAX + over; i++)
                        assert_int_equal(buffer_append_string(&text, "|-"), 0);
                assert_int_equal(buffer_append_string(&text, "|\n|b|\n"), 0);
                draw(text.data, 300, 0, &out);
                assert_int_equal(!strncmp(out.data, "|a|a", 4), over);
                check_text(text.data, text.size, 30, 0);
        }
}

static void test_failures_leave_nothing(void **state)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(0);
        Layout *l = NULL;

        assert_null(layout_free(NULL));
        load(&s, "x", 1, /* plain= */ false);
        assert_int_equal(layout_new(&s, 0, 80, STYLE_REASONING, 0, NULL, &l), 0);
        assert_int_equal(l->runs[0].style, STYLE_REASONING);
        assert_null(layout_free(l));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_blocks),
                cmocka_unit_test(test_inline),
                cmocka_unit_test(test_tables),
                cmocka_unit_test(test_ascii),
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_styles),
                cmocka_unit_test(test_code_of_many_segments),
                cmocka_unit_test(test_row_flags),
                cmocka_unit_test(test_source_of_rows),
                cmocka_unit_test(test_every_layout_is_sound),
                cmocka_unit_test(test_garbage),
                cmocka_unit_test(test_nothing_of_a_text_is_lost),
                cmocka_unit_test(test_words_stay_whole),
                cmocka_unit_test(test_code_is_exact),
                cmocka_unit_test(test_line_of_many_segments),
                cmocka_unit_test(test_hostile_texts),
                cmocka_unit_test(test_a_table_that_is_too_much_is_text),
                cmocka_unit_test(test_failures_leave_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
