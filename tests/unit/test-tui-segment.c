/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/text/segment-line.h"
#include "client/tui/text/segment.h"
#include "common/utf8.h"
#include "tests/unit/tui-corpus.h"

#define MAXIMUM MIB(20)

#define _cleanup_segments_ _cleanup_(segments_done)

static void append(Segments *s, const char *text, size_t size)
{
        assert_int_equal(segments_append(s, text, size, NULL), 0);
}

/* `P2:text` is prose behind two columns, `C[py]:text` code; flags: `_` blank row before, `<` first
 * and `>` last of its block, `+` goes on, `?` open, `#3` its number. */
static void describe(const Segments *s, Buffer *out)
{
        buffer_clear(out);
        for (size_t i = 0; i < s->n_items; i++) {
                const Segment *g = s->items + i;

                assert_int_equal(buffer_append_format(out, "%s%s%s%s%s%s", i > 0 ? "\n" : "",
                                         g->flags & SEGMENT_OPEN ? "?" : "",
                                         g->flags & SEGMENT_BLANK_BEFORE ? "_" : "",
                                         g->flags & SEGMENT_FIRST ? "<" : "",
                                         g->flags & SEGMENT_LAST ? ">" : "",
                                         g->flags & SEGMENT_CONTINUED ? "+" : ""),
                        0);
                assert_int_equal(buffer_append(out, &"PCT"[g->kind], 1), 0);
                if (g->indent > 0)
                        assert_int_equal(buffer_append_format(out, "%u", g->indent), 0);
                if (g->number > 0)
                        assert_int_equal(buffer_append_format(out, "#%u", g->number), 0);
                if (g->n_language > 0)
                        assert_int_equal(buffer_append_format(out, "[%.*s]", (int) g->n_language,
                                                 s->source.data + g->language),
                                0);
                assert_int_equal(buffer_append(out, ":", 1), 0);
                assert_int_equal(buffer_append(out, s->source.data + g->start, g->size), 0);
        }
}

static void assert_same(const Segments *a, const Segments *b)
{
        assert_int_equal(a->n_items, b->n_items);
        for (size_t i = 0; i < a->n_items; i++) {
                const Segment *x = a->items + i, *y = b->items + i;

                assert_int_equal(x->kind, y->kind);
                assert_int_equal(x->flags, y->flags);
                assert_int_equal(x->start, y->start);
                assert_int_equal(x->size, y->size);
                assert_int_equal(x->language, y->language);
                assert_int_equal(x->n_language, y->n_language);
                assert_int_equal(x->number, y->number);
                assert_int_equal(x->lexer_state, y->lexer_state);
                assert_int_equal(x->indent, y->indent);
                assert_int_equal(x->depth, y->depth);
                assert_int_equal(x->margin, y->margin);
        }
}

typedef struct Case {
        const char *text, *expected;
} Case;

static void check(const Case *cases, size_t n, bool finish)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(MAXIMUM);

        for (size_t i = 0; i < n; i++) {
                _cleanup_segments_ Segments s = SEGMENTS_INIT(MAXIMUM);

                append(&s, cases[i].text, strlen(cases[i].text));
                if (finish)
                        assert_int_equal(segments_finish(&s, NULL), 0);
                describe(&s, &out);
                assert_string_equal(buffer_text(&out), cases[i].expected);
        }
}

static void test_what_segments_are(void **state)
{
        static const Case table[] = {
                { "a\nb\n\nc\n", "P:a\nb\n_P:c" },
                { "# a\nb\n# c\n", "P:# a\nP:b\n_P:# c" },
                { "a\n===\nb\n---\n***\n", "P:a\n===\nb\n---\nP:***" },
                { "x\n- a\n  b\n- c\n", "P:x\nP:- a\n  b\nP:- c" },
                { "- a\n  - b\n\n    c\n  - d\n", "P:- a\nP2:  - b\n_P4:    c\nP2:  - d" },
                { "1. a\n1. b\n9. c\n2. d\n", "P#1:1. a\nP#2:1. b\nP#9:9. c\nP#10:2. d" },
                { "x\n2. a\n", "P:x\n2. a" },
                { "```py x\na\n\nb\n```\nc\n", "<>C[py]:a\n\nb\nP:c" },
                { "- a\n  ~~~\n  b\n  ~~~\n  c\n", "P:- a\n<>C2:  b\nP2:  c" },
                { "- ```\n  a\n  ```\n", "P:- \n<>C2:  a" },
                { "```\na", "<C:a" },
                { "```\n```\n", "<>C:" },
                { "t\n|a|\n|-|\n|b|\n", "P:t\nP:|a|\n|-|\n|b|" },
                { "|a|\n|-|\n|b|\n", "P:|a|\n|-|\n|b|" },
                { "> a\nb\n> c\n\n> d\n- e\n", "P:> a\nb\n> c\n_P:> d\nP:- e" },
                { "a\n\n    b\n    c\nd\n", "P:a\n_P:    b\n    c\nP:d" },
                { "a\r\n\r\nb\r\n", "P:a\n_P:b" },
        };

        check(table, ELEMENTSOF(table), /* finish= */ true);
}

static void test_what_is_shown_of_an_unfinished_line(void **state)
{
        static const Case table[] = {
                { "a", "?P:a" },
                { "a\n", "?P:a" },
                { "a\n\n", "P:a" },
                { "a\n-", "?P:a" },
                { "a\n- ", "?P:a" },
                { "a\n- b", "?P:a\n?P:- b" },
                { "a\n1.", "?P:a" },
                { "a\n```c", "?P:a" },
                { "a\n```c\n", "P:a\n?<C[c]:" },
                { "```\na\n``", "?<C:a" },
                { "```\na\n``x", "?<C:a\n``x" },
                { "a\r", "?P:a" },
        };

        check(table, ELEMENTSOF(table), /* finish= */ false);
}

static void check_splits(const char *text, size_t size, bool plain)
{
        _cleanup_segments_ Segments whole = SEGMENTS_INIT(MAXIMUM), end = SEGMENTS_INIT(MAXIMUM);

        whole.plain = end.plain = plain;
        append(&whole, text, size);
        append(&end, text, size);
        assert_int_equal(segments_finish(&end, NULL), 0);
        for (size_t cut = 0; cut <= size; cut++) {
                _cleanup_segments_ Segments s = SEGMENTS_INIT(MAXIMUM);

                s.plain = plain;
                append(&s, text, cut);
                append(&s, text + cut, size - cut);
                assert_same(&s, &whole);
                assert_int_equal(segments_finish(&s, NULL), 0);
                assert_same(&s, &end);
        }
}

static void test_every_split_gives_the_same(void **state)
{
        for (size_t i = 0; i < n_corpus; i++) {
                check_splits(corpus[i].text, strlen(corpus[i].text), /* plain= */ false);
                check_splits(corpus[i].text, strlen(corpus[i].text), /* plain= */ true);
        }
}

static bool is_same_closed(const Segment *a, const Segment *b)
{
        return a->start == b->start && a->size == b->size && a->flags == b->flags &&
                a->kind == b->kind && a->indent == b->indent && a->number == b->number;
}

/* Byte by byte: as a whole of that size, and what was closed stays. */
static void check_bytes(const char *text, size_t size)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(MAXIMUM);
        _cleanup_free_ Segment *before = calloc(size + 4, sizeof(Segment));
        size_t n_before = 0, changed;

        assert_non_null(before);
        for (size_t i = 0; i <= size; i++) {
                _cleanup_segments_ Segments whole = SEGMENTS_INIT(MAXIMUM);

                if (i < size)
                        assert_int_equal(segments_append(&s, text + i, 1, &changed), 0);
                else
                        assert_int_equal(segments_finish(&s, &changed), 0);
                append(&whole, text, MIN(i + 1, size));
                if (i == size)
                        assert_int_equal(segments_finish(&whole, NULL), 0);
                assert_same(&s, &whole);

                for (size_t k = 0; k < n_before; k++)
                        if (!(before[k].flags & SEGMENT_OPEN)) {
                                assert_true(k < s.n_items);
                                assert_true(is_same_closed(before + k, s.items + k));
                                assert_true(k < changed);
                        }
                for (size_t k = 0; k < changed; k++) {
                        assert_true(k < n_before && k < s.n_items);
                        assert_int_equal(before[k].size, s.items[k].size);
                        assert_int_equal(before[k].start, s.items[k].start);
                }
                n_before = s.n_items;
                for (size_t k = 0; k < n_before; k++)
                        before[k] = s.items[k];
        }
}

static void test_closed_is_closed(void **state)
{
        for (size_t i = 1; i < n_corpus; i++)
                check_bytes(corpus[i].text, strlen(corpus[i].text));
}

static uint32_t next_random(uint32_t *seed)
{
        *seed = *seed * 1664525U + 1013904223U;
        return *seed >> 8;
}

static void test_random_text(void **state)
{
        static const char *const pieces[] = { "\n", "\n", "\n\n", "- ", "1. ", "2) ", "  ", "    ",
                "```", "~~~", "c", "word", "> ", "# ", "|", "---", "\t", "\r\n", "*", "é", "`" };
        uint32_t seed = 7;

        for (unsigned n = 0; n < 300; n++) {
                char text[160] = "";

                for (unsigned i = next_random(&seed) % 24; i > 0; i--)
                        strcat(text, pieces[next_random(&seed) % ELEMENTSOF(pieces)]);
                check_splits(text, strlen(text), /* plain= */ false);
                if (*text)
                        check_bytes(text, strlen(text));
        }
}

/* Nothing but line ends and blank lines is missing, nothing is twice. */
static void check_long(const Segments *s)
{
        size_t at = 0;

        for (size_t i = 0; i < s->n_items; i++) {
                const Segment *g = s->items + i;

                assert_int_equal(g->start, at);
                assert_true(g->size > 0 && g->size <= SEGMENT_BYTES_MAX);
                assert_true(utf8_is_valid(s->source.data + g->start, g->size));
                assert_int_equal(!!(g->flags & SEGMENT_CONTINUED), i > 0);
                at = g->start + g->size;
        }
        assert_int_equal(at, s->source.size);
}

static void fill(char *text, size_t size, const char *with)
{
        size_t n = strlen(with);

        for (size_t i = 0; i < size; i++)
                text[i] = with[i % n];
}

static void test_a_line_of_ten_megabytes(void **state)
{
        static const char *const contents[] = { "x", "word and ", "日本", "👩‍👩‍👧",
                "- ", "#" };
        static const size_t steps[] = { 1000, 4096, MIB(3) };
        const size_t size = MIB(10) / 150 * 150;
        _cleanup_free_ char *text = malloc(size);

        assert_non_null(text);
        for (size_t c = 0; c < ELEMENTSOF(contents); c++) {
                _cleanup_segments_ Segments whole = SEGMENTS_INIT(MAXIMUM);
                size_t n = size / strlen(contents[c]) * strlen(contents[c]);
                _cleanup_segments_ Segments s = SEGMENTS_INIT(MAXIMUM);
                size_t step = steps[c % ELEMENTSOF(steps)];

                fill(text, n, contents[c]);
                append(&whole, text, n);
                for (size_t at = 0; at < n; at += step)
                        append(&s, text + at, MIN(step, n - at));
                assert_same(&s, &whole);
                assert_int_equal(segments_finish(&s, NULL), 0);
                check_long(&s);
                assert_true(s.n_items < 2 * (n / SEGMENT_BYTES_MAX) + 2);
        }
}

static void test_at_the_limits(void **state)
{
        static const size_t sizes[] = { LINE_LOOK - 2, LINE_LOOK - 1, LINE_LOOK, LINE_LOOK + 1,
                SEGMENT_BYTES_MAX - 1, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MAX + 1,
                SEGMENT_BYTES_MAX * 2 };
        static const char *const contents[] = { "a", "ab ", "`", " ", "- x", "\r", "#\t", "|-" };
        static const char *const heads[] = { "", "line\n", "```\ncode\n", "- item\n  " };
        _cleanup_free_ char *text = malloc(SEGMENT_BYTES_MAX * 3);

        assert_non_null(text);
        for (size_t i = 0; i < ELEMENTSOF(sizes) * ELEMENTSOF(contents) * ELEMENTSOF(heads); i++) {
                const char *head = heads[i % ELEMENTSOF(heads)];
                const char *with = contents[i / ELEMENTSOF(heads) % ELEMENTSOF(contents)];
                size_t size = sizes[i / ELEMENTSOF(heads) / ELEMENTSOF(contents)];
                size_t start = strlen(head), n = start + size;
                _cleanup_segments_ Segments whole = SEGMENTS_INIT(MAXIMUM),
                                            bytes = SEGMENTS_INIT(MAXIMUM);

                memcpy(text, head, start);
                fill(text + start, size, with);
                memcpy(text + n, "\r\nend\n", 6);
                n += 6;
                append(&whole, text, n);
                for (size_t at = 0; at < n; at += 97)
                        append(&bytes, text + at, MIN((size_t) 97, n - at));
                assert_same(&bytes, &whole);
                for (size_t cut = n - 10; cut < n; cut++) {
                        _cleanup_segments_ Segments s = SEGMENTS_INIT(MAXIMUM);

                        append(&s, text, cut);
                        append(&s, text + cut, n - cut);
                        assert_same(&s, &whole);
                }
        }
}

static void test_a_segment_that_is_full(void **state)
{
        _cleanup_free_ char *text = malloc(SEGMENT_BYTES_MAX + 1);

        assert_non_null(text);
        memset(text, 'a', SEGMENT_BYTES_MAX + 1);
        for (size_t over = 0; over < 2; over++) {
                _cleanup_segments_ Segments s = SEGMENTS_INIT(MAXIMUM);

                append(&s, text, SEGMENT_BYTES_MAX + over);
                assert_int_equal(s.n_items, 1 + over);
        }
}

static void test_code_is_cut_by_lines(void **state)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(MAXIMUM);

        append(&s, "```c\n", 5);
        for (unsigned i = 0; i < SEGMENT_LINES_MAX - 1; i++)
                append(&s, "x;\n", 3);
        append(&s, "/* open\n", 8);
        assert_int_equal(s.n_items, 1);
        append(&s, "*/ y;\n", 6);
        assert_int_equal(s.n_items, 2);
        assert_int_equal(s.items[0].flags, SEGMENT_FIRST);
        assert_int_equal(s.items[1].flags, SEGMENT_OPEN);
        assert_int_equal(s.items[1].n_language, 1);
        assert_int_not_equal(s.items[1].lexer_state, 0);
        append(&s, "```\n", 4);
        assert_int_equal(s.items[1].flags, SEGMENT_LAST);
}

static void test_more_lists_in_lists_than_are_counted(void **state)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(MAXIMUM);
        char line[200];

        for (unsigned i = 0; i < 40; i++) {
                int n = snprintf(line, sizeof line, "%*s- x\n", (int) i * 2, "");

                append(&s, line, (size_t) n);
        }
        assert_int_equal(segments_finish(&s, NULL), 0);
        assert_true(s.n_items >= SEGMENT_DEPTH_MAX);
        for (size_t i = 0; i < s.n_items; i++)
                assert_true(s.items[i].depth <= SEGMENT_DEPTH_MAX);
}

static void test_plain_text(void **state)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(MAXIMUM);
        _cleanup_buffer_ Buffer out = BUFFER_INIT(MAXIMUM);

        s.plain = true;
        append(&s, "- a\n\n```\n  b\r\n", 14);
        assert_int_equal(segments_finish(&s, NULL), 0);
        describe(&s, &out);
        assert_string_equal(buffer_text(&out), "T:- a\n\n```\n  b");
}

static void test_maximum(void **state)
{
        _cleanup_segments_ Segments s = SEGMENTS_INIT(4);

        append(&s, "abcd", 4);
        assert_int_equal(segments_append(&s, "e", 1, NULL), -EFBIG);
        assert_int_equal(s.source.size, 4);
        assert_int_equal(s.n_items, 1);
        assert_int_equal(segments_finish(&s, NULL), 0);
        assert_int_equal(s.items[0].size, 4);
}

static void test_memory_of_a_segment(void **state)
{
        assert_true(sizeof(Segment) <= 32);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_segments_are),
                cmocka_unit_test(test_what_is_shown_of_an_unfinished_line),
                cmocka_unit_test(test_every_split_gives_the_same),
                cmocka_unit_test(test_closed_is_closed),
                cmocka_unit_test(test_random_text),
                cmocka_unit_test(test_a_line_of_ten_megabytes),
                cmocka_unit_test(test_at_the_limits),
                cmocka_unit_test(test_a_segment_that_is_full),
                cmocka_unit_test(test_code_is_cut_by_lines),
                cmocka_unit_test(test_more_lists_in_lists_than_are_counted),
                cmocka_unit_test(test_plain_text),
                cmocka_unit_test(test_maximum),
                cmocka_unit_test(test_memory_of_a_segment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
