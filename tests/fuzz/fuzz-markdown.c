/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A message's text as segments and rows: any split gives the same segments, and what is there
 * midway is what the text so far gives as a whole. No row is wider than asked for, and the rows of
 * a person's own words, joined, give them back but for the blanks. */

#include "client/tui/terminal/width.h"
#include "client/tui/text/document.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

#define MAXIMUM MIB(4)

static void append(Segments *s, const char *text, size_t size)
{
        CHECK(segments_append(s, text, size, NULL) == 0);
}

static void check_same(const Segments *a, const Segments *b)
{
        CHECK(a->n_items == b->n_items);
        for (size_t i = 0; i < a->n_items; i++) {
                const Segment *x = a->items + i, *y = b->items + i;

                CHECK(x->kind == y->kind && x->flags == y->flags);
                CHECK(x->start == y->start && x->size == y->size);
                CHECK(x->language == y->language && x->n_language == y->n_language);
                CHECK(x->number == y->number && x->lexer_state == y->lexer_state);
                CHECK(x->indent == y->indent && x->depth == y->depth && x->margin == y->margin);
        }
}

static void check_splits(const char *text, size_t size, bool plain, uint32_t seed)
{
        Segments whole = SEGMENTS_INIT(MAXIMUM);

        whole.plain = plain;
        append(&whole, text, size);
        CHECK(segments_finish(&whole, NULL) == 0);
        for (FuzzCut cut = FUZZ_BYTES; cut < _FUZZ_CUT_MAX; cut++) {
                Segments s = SEGMENTS_INIT(MAXIMUM);
                size_t look = size > 0 ? seed % size : 0;

                s.plain = plain;
                for (size_t at = 0, n; at < size; at += n) {
                        n = fuzz_piece(cut, &seed, size - at);
                        append(&s, text + at, n);
                        if (at <= look && look < at + n) {
                                Segments half = SEGMENTS_INIT(MAXIMUM);

                                half.plain = plain;
                                append(&half, text, at + n);
                                check_same(&s, &half);
                                segments_done(&half);
                        }
                }
                CHECK(segments_finish(&s, NULL) == 0);
                check_same(&s, &whole);
                segments_done(&s);
        }
        segments_done(&whole);
}

static void append_visible(Buffer *out, const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (!memchr(" \t\r\n", text[i], 4))
                        fuzz_append(out, text + i, 1);
}

/* md4c takes a bare CR for a line's end and may then cut a character before it: the screen draws
 * such bytes as ill-formed ones. The text that md4c does not see has none. */
static void check_row(
        const Layout *l, const Row *row, size_t size, LayoutFlags flags, Buffer *visible)
{
        unsigned cells = row->indent;

        CHECK((size_t) row->first_run + row->n_runs <= l->n_runs && row->source <= size);
        for (size_t i = 0; i < row->n_runs; i++) {
                const Run *run = l->runs + row->first_run + i;
                const char *text = l->text + run->start;

                CHECK(!(flags & LAYOUT_PLAIN) || utf8_is_valid(text, run->size));
                CHECK(text_cells(text, run->size) == run->cells);
                cells += run->cells;
                append_visible(visible, text, run->size);
        }
        CHECK(cells <= l->width);
}

static void check_layout(
        const char *text, size_t size, unsigned width, LayoutFlags flags, Buffer *visible)
{
        Segments s = SEGMENTS_INIT(MAXIMUM);

        s.plain = flags & LAYOUT_PLAIN;
        append(&s, text, size);
        CHECK(segments_finish(&s, NULL) == 0);
        for (size_t i = 0; i < s.n_items; i++) {
                _cleanup_(layout_freep) Layout *l = NULL;

                CHECK((size_t) s.items[i].start + s.items[i].size <= size);
                CHECK(layout_new(&s, i, width, STYLE_NORMAL, flags, NULL, &l) == 0);
                CHECK(l->n_rows >= 1);
                for (size_t k = 0; k < l->n_rows; k++)
                        check_row(l, l->rows + k, s.items[i].size, flags, visible);
        }
        segments_done(&s);
}

/* Walks through all rows and back, while the text comes and the width changes. */
static void check_document(
        const char *text, size_t size, unsigned width, LayoutFlags flags, uint32_t seed)
{
        _cleanup_(document_freep) Document *d = NULL;
        RowPlace place;
        size_t rows;

        CHECK(document_new(STYLE_NORMAL, flags, MAXIMUM, &d) == 0);
        document_set_width(d, width);
        for (size_t at = 0, n; at < size; at += n) {
                n = fuzz_piece(FUZZ_RANDOM, &seed, size - at);
                CHECK(document_append(d, text + at, n) == 0);
                document_set_width(d, width + seed % 3);
                place = document_last(d);
                (void) document_move(d, &place, -(int) (seed % 5));
                CHECK(document_offset(d, place) <= at + n);
        }
        CHECK(document_finish(d) == 0);
        rows = document_count(d, 100000);
        CHECK((rows == 0) == document_is_empty(d));
        if (rows == 0)
                return;
        place = document_first(d);
        CHECK(document_move(d, &place, 100000) == (int) rows - 1);
        CHECK(document_move(d, &place, -100000) == (int) rows - 1);
        place = document_place(d, seed % (size + 1));
        CHECK(document_offset(d, place) <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        uint32_t seed = fuzz_byte(&in);
        LayoutFlags ascii = seed & 1 ? LAYOUT_ASCII : 0;
        unsigned width = LAYOUT_WIDTH_MIN + fuzz_byte(&in) % 120;
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MAXIMUM), source = BUFFER_INIT(MAXIMUM),
                                plain = BUFFER_INIT(MAXIMUM), other = BUFFER_INIT(MAXIMUM);
        Utf8Repair repair = { 0 };

        /* As the bus brings it: valid. */
        CHECK(utf8_repair(&repair, (const char *) in.data, in.size, &text) == 0);
        fuzz_append(&text, "", 0);

        check_splits(buffer_text(&text), text.size, false, seed);
        check_splits(buffer_text(&text), text.size, true, seed);
        check_layout(buffer_text(&text), text.size, width, ascii, &other);
        check_layout(buffer_text(&text), text.size, width, ascii | LAYOUT_PLAIN, &plain);
        append_visible(&source, buffer_text(&text), text.size);
        CHECK_SAME(&source, &plain);
        check_document(buffer_text(&text), text.size, width, ascii, seed);
        return 0;
}
