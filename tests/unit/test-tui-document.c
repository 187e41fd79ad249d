/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/text/document.h"
#include "tests/unit/tui-corpus.h"

#define MAXIMUM MIB(20)

#define _cleanup_document_ _cleanup_(document_freep)

static Document *open_text(const char *text, size_t size, LayoutFlags flags, unsigned width)
{
        Document *d;

        assert_int_equal(document_new(STYLE_NORMAL, flags, MAXIMUM, &d), 0);
        document_set_width(d, width);
        assert_int_equal(document_append(d, text, size), 0);
        return d;
}

static Document *open_string(const char *text, unsigned width)
{
        Document *d = open_text(text, strlen(text), 0, width);

        assert_int_equal(document_finish(d), 0);
        return d;
}

/* Many paragraphs of some rows each. */
static void long_text(Buffer *out, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(buffer_append_format(out,
                                         "Paragraph %u with some words that are wrapped.\n\n", i),
                        0);
}

/* A row as text; "" for a blank one. */
static void row_text(Document *d, RowPlace place, Buffer *out)
{
        const Layout *l;
        const Row *row;

        buffer_clear(out);
        assert_int_equal(document_row(d, place, &l, &row), 0);
        assert_int_equal(!l, !row);
        for (size_t i = 0; row && i < row->n_runs; i++) {
                const Run *run = l->runs + row->first_run + i;

                assert_int_equal(buffer_append(out, l->text + run->start, run->size), 0);
        }
}

static void all_rows(Document *d, Buffer *out)
{
        RowPlace p = document_first(d);
        _cleanup_buffer_ Buffer row = BUFFER_INIT(MAXIMUM);

        buffer_clear(out);
        if (document_is_empty(d))
                return;
        do {
                row_text(d, p, &row);
                assert_int_equal(buffer_append(out, buffer_text(&row), row.size), 0);
                assert_int_equal(buffer_append(out, "\n", 1), 0);
        } while (document_move(d, &p, 1) == 1);
}

static bool is_place(RowPlace p, size_t segment, size_t row)
{
        return p.segment == segment && p.row == row;
}

static void test_empty(void **state)
{
        _cleanup_document_ Document *d = NULL;
        const Layout *l;
        const Row *row;
        const char *code;
        RowPlace p = { 3, 4 };
        size_t n;

        assert_int_equal(document_new(STYLE_NORMAL, 0, 10, &d), 0);
        assert_true(document_is_empty(d));
        assert_true(is_place(document_first(d), 0, 0));
        assert_true(is_place(document_last(d), 0, 0));
        assert_int_equal(document_move(d, &p, 5), 0);
        assert_true(is_place(p, 0, 0));
        assert_int_equal(document_row(d, p, &l, &row), -ENOENT);
        assert_int_equal(document_count(d, 100), 0);
        assert_int_equal(document_offset(d, p), 0);
        assert_true(is_place(document_place(d, 7), 0, 0));
        assert_int_equal(document_code(d, 0, &code, &n), -ENOENT);
        assert_int_equal(document_code_at(d, p, &n), -ENOENT);
        assert_string_equal(document_source(d, &n), "");
        assert_int_equal(n, 0);
        assert_int_equal(document_finish(d), 0);
        assert_true(document_is_empty(d));
        document_trim(d, p);
        assert_null(document_free(NULL));
}

static void test_rows_and_moving(void **state)
{
        _cleanup_document_ Document *d = open_string("one two three\n\n# H\nx\n\n\n- a\n", 8);
        _cleanup_buffer_ Buffer out = BUFFER_INIT(MAXIMUM);
        RowPlace p = document_first(d);

        all_rows(d, &out);
        assert_string_equal(out.data, "one two\nthree\n\nH\nx\n\n• a\n");
        assert_int_equal(document_count(d, SIZE_MAX), 7);
        assert_int_equal(document_count(d, 3), 3);
        assert_int_equal(document_move(d, &p, 2), 2);
        assert_true(is_place(p, 1, 0));
        assert_int_equal(document_move(d, &p, 1), 1);
        assert_true(is_place(p, 1, 1));
        assert_int_equal(document_move(d, &p, 100), 3);
        assert_true(is_place(p, 3, 1));
        assert_true(is_place(document_last(d), 3, 1));
        assert_int_equal(document_move(d, &p, 1), 0);
        assert_int_equal(document_move(d, &p, -4), 4);
        assert_true(is_place(p, 1, 0));
        assert_int_equal(document_move(d, &p, INT_MIN), 2);
        assert_true(is_place(p, 0, 0));
        assert_int_equal(document_move(d, &p, 0), 0);
}

static void test_places_that_are_no_more(void **state)
{
        _cleanup_document_ Document *d = open_string("one two three\n", 8);
        RowPlace far = { 9, 9 }, below = { 0, 9 };
        const Layout *l;
        const Row *row;

        assert_int_equal(document_row(d, far, &l, &row), -ENOENT);
        assert_int_equal(document_row(d, below, &l, &row), -ENOENT);
        assert_int_equal(document_offset(d, far), 8);
        assert_int_equal(document_move(d, &below, -1), 1);
        assert_true(is_place(below, 0, 0));
}

/* Moving by steps is moving at once, both ways, over every text. */
static void test_moving_is_the_same_by_steps(void **state)
{
        for (size_t i = 0; i < n_corpus; i++) {
                _cleanup_document_ Document *d = open_string(corpus[i].text, 10);
                size_t n = document_count(d, SIZE_MAX);
                RowPlace p = document_first(d);

                for (size_t k = 0; k < n; k++) {
                        RowPlace q = document_first(d), end = document_last(d);

                        assert_int_equal(document_move(d, &q, (int) k), k);
                        assert_true(is_place(q, p.segment, p.row));
                        assert_int_equal(document_move(d, &end, -(int) (n - 1 - k)), n - 1 - k);
                        assert_true(is_place(end, p.segment, p.row));
                        assert_int_equal(document_move(d, &p, 1), k + 1 < n ? 1 : 0);
                }
        }
}

/* A row's offset leads back to it, or to the first of those that show the same byte. */
static void test_offsets_lead_back(void **state)
{
        for (size_t i = 1; i < n_corpus; i++) {
                _cleanup_document_ Document *d = open_string(corpus[i].text, 9);
                RowPlace p = document_first(d);
                size_t before = 0;

                if (document_is_empty(d))
                        continue;
                do {
                        size_t offset = document_offset(d, p);
                        RowPlace q = document_place(d, offset);

                        assert_true(offset >= before);
                        before = offset;
                        assert_true(q.segment < p.segment ||
                                (q.segment == p.segment && q.row <= p.row));
                        assert_int_equal(document_offset(d, q), offset);
                } while (document_move(d, &p, 1) == 1);
        }
}

/* Whatever the width becomes, the row at the place shows the byte that it showed. */
static void test_place_stays_with_its_text(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM), out = BUFFER_INIT(MAXIMUM);
        _cleanup_document_ Document *d = NULL;
        size_t offset;
        RowPlace p;

        for (unsigned i = 0; i < 200; i++)
                assert_int_equal(buffer_append_format(&text, "%03u ", i), 0);
        assert_int_equal(buffer_append_string(&text, "\n\n"), 0);
        d = open_text(text.data, text.size, 0, 40);
        p = document_first(d);
        assert_int_equal(document_move(d, &p, 9), 9);
        offset = document_offset(d, p);
        row_text(d, p, &out);
        assert_memory_equal(out.data, "090", 3);
        for (unsigned width = 8; width <= 120; width++) {
                document_set_width(d, width);
                p = document_place(d, offset);
                row_text(d, p, &out);
                assert_non_null(strstr(out.data, "090"));
        }
        document_set_width(d, 40);
        p = document_place(d, offset);
        assert_true(is_place(p, 0, 9));

        /* Text that arrives below moves nothing. */
        assert_int_equal(document_append(d, "- more\n", 7), 0);
        assert_true(is_place(document_place(d, offset), 0, 9));
        assert_int_equal(document_offset(d, p), offset);
}

static void test_offset_of_a_blank_row(void **state)
{
        _cleanup_document_ Document *d = open_string("a\n\nb\n", 8);
        RowPlace blank = { 1, 0 };

        assert_int_equal(document_offset(d, blank), 2);
        assert_true(is_place(document_place(d, 2), 1, 0));
        assert_true(is_place(document_place(d, 3), 1, 1));
        assert_true(is_place(document_place(d, 0), 0, 0));
        assert_true(is_place(document_place(d, 1000), 1, 1));
}

/* Streaming: every chunk leads to the rows of the whole; only what is open is laid out again. */
static void test_streaming(void **state)
{
        for (size_t i = 0; i < n_corpus; i++) {
                _cleanup_document_ Document *d = open_text("", 0, 0, 20);
                _cleanup_buffer_ Buffer out = BUFFER_INIT(MAXIMUM), whole = BUFFER_INIT(MAXIMUM);
                size_t size = strlen(corpus[i].text);

                for (size_t k = 0; k <= size; k++) {
                        _cleanup_document_ Document *fresh = open_text(
                                corpus[i].text, MIN(k + 1, size), 0, 20);

                        if (k < size)
                                assert_int_equal(document_append(d, corpus[i].text + k, 1), 0);
                        else {
                                assert_int_equal(document_finish(d), 0);
                                assert_int_equal(document_finish(fresh), 0);
                        }
                        all_rows(d, &out);
                        all_rows(fresh, &whole);
                        assert_string_equal(buffer_text(&out), buffer_text(&whole));
                }
        }
}

static void test_only_what_is_open_is_laid_out_again(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM);
        _cleanup_document_ Document *d = NULL;
        uint64_t before;
        RowPlace p;

        long_text(&text, 1000);
        d = open_text(text.data, text.size, 0, 40);
        assert_int_equal(document_layouts(d), 0);
        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(document_append(d, "word ", 5), 0);
                before = document_layouts(d);
                p = document_last(d);
                (void) document_move(d, &p, -20);
                for (unsigned k = 0; k < 20; k++)
                        (void) document_move(d, &p, 1);
                if (i > 0)
                        assert_int_equal(document_layouts(d), before + 1);
                else
                        assert_true(document_layouts(d) < 15);
        }
        /* A frame without new text costs no layout, nor does the same width. */
        before = document_layouts(d);
        document_set_width(d, 40);
        p = document_last(d);
        (void) document_move(d, &p, -20);
        assert_int_equal(document_layouts(d), before);
        document_set_width(d, 41);
        p = document_last(d);
        assert_int_equal(document_layouts(d), before + 1);
}

static void test_ends_cost_nothing_of_the_middle(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM);
        _cleanup_document_ Document *d = NULL;
        RowPlace p;

        long_text(&text, 20000);
        d = open_text(text.data, text.size, 0, 40);
        p = document_last(d);
        assert_int_equal(document_layouts(d), 1);
        assert_int_equal(document_move(d, &p, -30), 30);
        assert_true(document_layouts(d) <= 16);
        p = document_place(d, text.size / 2);
        assert_int_equal(document_move(d, &p, 30), 30);
        assert_true(document_layouts(d) <= 32);
        assert_int_equal(document_count(d, 10), 10);
        assert_true(document_layouts(d) <= 37);
}

static void test_layouts_are_bounded(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM);
        _cleanup_document_ Document *d = NULL;
        size_t bare, bytes;
        RowPlace p;

        for (unsigned i = 0; i < 1000; i++) {
                for (unsigned k = 0; k < 200; k++)
                        assert_int_equal(buffer_append_string(&text, "**a** _b_ `c` words "), 0);
                assert_int_equal(buffer_append_string(&text, "\n\n"), 0);
        }
        d = open_text(text.data, text.size, 0, 40);
        bare = document_bytes(d);
        assert_true(document_count(d, SIZE_MAX) > 50000);
        bytes = document_bytes(d);
        assert_true(bytes > bare);
        assert_true(bytes < bare + DOCUMENT_LAYOUT_BYTES_MAX + KIB(8));

        p = document_last(d);
        document_trim(d, p);
        assert_true(document_bytes(d) < bare + KIB(512));
        document_trim(d, document_first(d));
        assert_true(document_bytes(d) < bare + KIB(8));
        (void) document_first(d);
}

static void test_memory_of_a_long_line(void **state)
{
        const size_t size = MIB(10);
        _cleanup_free_ char *text = malloc(size);
        _cleanup_document_ Document *d = NULL;

        assert_non_null(text);
        memset(text, 'x', size);
        d = open_text(text, size, 0, 80);
        assert_int_equal(document_finish(d), 0);
        (void) document_last(d);
        assert_int_equal(document_layouts(d), 1);
        /* The buffer's doubling, and next to nothing for the segments. */
        assert_true(document_bytes(d) < MIB(16) + KIB(256));
}

static void test_code(void **state)
{
        static const struct {
                size_t n;
                const char *expected;
        } table[] = { { 0, "a\n\n b" }, { 1, "in\n  list" }, { 2, "" }, { 3, "open" } };
        _cleanup_document_ Document *d = open_string("```c\na\n\n b\n```\n- x\n  ```\n  in\n"
                                                     "    list\n  ```\n```\n```\n~~~\nopen",
                20);
        const char *code;
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                assert_int_equal(document_code(d, table[i].n, &code, &n), 0);
                assert_int_equal(n, strlen(table[i].expected));
                assert_string_equal(code, table[i].expected);
        }
        assert_int_equal(document_code(d, 4, &code, &n), -ENOENT);
        assert_int_equal(document_code_at(d, (RowPlace){ .segment = 0 }, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(document_code_at(d, (RowPlace){ .segment = 1 }, &n), -ENOENT);
        assert_int_equal(document_code_at(d, (RowPlace){ .segment = 2 }, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(document_code_at(d, (RowPlace){ .segment = 4 }, &n), 0);
        assert_int_equal(n, 3);
}

static void test_code_of_many_segments(void **state)
{
        _cleanup_buffer_ Buffer code = BUFFER_INIT(MAXIMUM), text = BUFFER_INIT(MAXIMUM);
        _cleanup_document_ Document *d = NULL;
        const char *got;
        size_t n;

        for (unsigned i = 0; i < 500; i++)
                assert_int_equal(buffer_append_format(&code, "line %u\n", i), 0);
        while (code.size < SEGMENT_BYTES_MAX * 4)
                assert_int_equal(buffer_append_string(&code, "long, long "), 0);
        assert_int_equal(buffer_append_format(&text, "```c\n%s\n```\nend\n", code.data), 0);
        d = open_string(text.data, 40);
        assert_int_equal(document_code(d, 0, &got, &n), 0);
        assert_string_equal(got, code.data);
        assert_int_equal(document_code_at(d, (RowPlace){ .segment = 5 }, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(document_code(d, 1, &got, &n), -ENOENT);
}

/* What a long line's next piece begins with is no indentation. */
static void test_code_of_a_long_line_in_a_list(void **state)
{
        _cleanup_buffer_ Buffer code = BUFFER_INIT(MAXIMUM), text = BUFFER_INIT(MAXIMUM);
        _cleanup_document_ Document *d = NULL;
        const char *got;
        size_t n;

        while (code.size < SEGMENT_BYTES_MAX * 4)
                assert_int_equal(buffer_append_string(&code, "x     "), 0);
        assert_int_equal(buffer_append_format(&text, "- a\n  ```c\n  %s\n  ```\n", code.data), 0);
        d = open_string(text.data, 40);
        assert_int_equal(document_code(d, 0, &got, &n), 0);
        assert_string_equal(got, code.data);
}

static void test_plain(void **state)
{
        _cleanup_document_ Document *d = open_text("# a\n\n\n```\n", 10, LAYOUT_PLAIN, 20);
        _cleanup_buffer_ Buffer out = BUFFER_INIT(MAXIMUM);

        assert_int_equal(document_finish(d), 0);
        all_rows(d, &out);
        assert_string_equal(out.data, "# a\n\n\n```\n");
}

static void test_maximum(void **state)
{
        _cleanup_document_ Document *d = NULL;
        _cleanup_buffer_ Buffer out = BUFFER_INIT(MAXIMUM);
        size_t n;

        assert_int_equal(document_new(STYLE_NORMAL, 0, 4, &d), 0);
        document_set_width(d, 20);
        assert_int_equal(document_append(d, "abcd", 4), 0);
        assert_int_equal(document_append(d, "e", 1), -EFBIG);
        assert_string_equal(document_source(d, &n), "abcd");
        assert_int_equal(n, 4);
        all_rows(d, &out);
        assert_string_equal(out.data, "abcd\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_rows_and_moving),
                cmocka_unit_test(test_places_that_are_no_more),
                cmocka_unit_test(test_moving_is_the_same_by_steps),
                cmocka_unit_test(test_offsets_lead_back),
                cmocka_unit_test(test_place_stays_with_its_text),
                cmocka_unit_test(test_offset_of_a_blank_row),
                cmocka_unit_test(test_streaming),
                cmocka_unit_test(test_only_what_is_open_is_laid_out_again),
                cmocka_unit_test(test_ends_cost_nothing_of_the_middle),
                cmocka_unit_test(test_layouts_are_bounded),
                cmocka_unit_test(test_memory_of_a_long_line),
                cmocka_unit_test(test_code),
                cmocka_unit_test(test_code_of_many_segments),
                cmocka_unit_test(test_code_of_a_long_line_in_a_list),
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_maximum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
