/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/layout-build.h"
#include "client/tui/terminal/width.h"

#define ITEMS_FIRST 4U

int grow(void **items, size_t *allocated, size_t n, size_t size)
{
        size_t more = MAX(*allocated * 2, (size_t) ITEMS_FIRST);
        void *p;

        if (n < *allocated)
                return 0;
        p = reallocarray(*items, more, size);
        if (!p)
                return -ENOMEM;
        *items = p;
        *allocated = more;
        return 0;
}

Builder *builder_free(Builder *b)
{
        if (!b)
                return NULL;
        free(b->rows);
        free(b->runs);
        buffer_done(&b->text);
        flow_done(&b->flow);
        flow_lines_done(&b->lines);
        free(b);
        return NULL;
}

void builder_clear(Builder *b)
{
        b->n_rows = b->n_runs = b->n_edges = 0;
        b->source = 0;
        buffer_clear(&b->text);
}

Flow builder_take_flow(Builder *b)
{
        Flow f = b->flow;

        b->flow = FLOW_INIT;
        return f;
}

void builder_give_flow(Builder *b, Flow *f)
{
        flow_done(&b->flow);
        flow_clear(f);
        b->flow = *f;
        *f = FLOW_INIT;
}

static unsigned edges_cells(const Builder *b)
{
        unsigned cells = 0;

        for (unsigned i = 0; i < b->n_edges; i++)
                cells += b->edges[i].cells;
        return cells;
}

/* Marks that got no room of their own take it from the text, once. */
static unsigned homeless_cells(const Builder *b)
{
        unsigned cells = 0;

        for (unsigned i = 0; i < b->n_edges; i++)
                if (b->edges[i].cells == 0 && b->edges[i].pending)
                        cells += text_cells(b->edges[i].mark, strlen(b->edges[i].mark));
        return cells;
}

unsigned builder_room(const Builder *b)
{
        return b->width - b->indent - edges_cells(b) - homeless_cells(b);
}

int builder_push(Builder *b, const Edge *edge)
{
        unsigned room;
        Edge *e;

        if (b->n_edges == EDGES_MAX)
                return -E2BIG;
        e = b->edges + b->n_edges;
        room = builder_room(b);
        *e = *edge;
        e->pending = true;
        /* Deep in lists of lists the text needs the room more than the order does. */
        if (room < b->width / 2 + e->cells) {
                if (room < b->width / 4 + e->cells)
                        e->mark[0] = 0;
                e->cells = 0;
        }
        b->n_edges++;
        return 0;
}

void builder_pop(Builder *b)
{
        assert(b->n_edges > 0);
        b->n_edges--;
}

static Row *last_row(Builder *b)
{
        return b->rows + b->n_rows - 1;
}

static int builder_run(Builder *b, Style style, const char *text, size_t size)
{
        int r;

        r = grow((void **) &b->runs, &b->runs_allocated, b->n_runs, sizeof(Run));
        if (r < 0)
                return r;
        r = buffer_append(&b->text, text, size);
        if (r < 0)
                return r;
        b->runs[b->n_runs++] = (Run){
                .start = (uint32_t) (b->text.size - size),
                .size = (uint32_t) size,
                .style = style,
                .cells = (uint16_t) text_cells(text, size),
        };
        last_row(b)->n_runs++;
        return 0;
}

int builder_repeat(Builder *b, Style style, const char *text, unsigned times)
{
        size_t n = strlen(text);
        char line[LAYOUT_WIDTH_MAX * 4];

        if (times == 0)
                return 0;
        assert(n * times <= sizeof line);
        for (unsigned i = 0; i < times; i++)
                memcpy(line + i * n, text, n);
        return builder_run(b, style, line, n * times);
}

int builder_blanks(Builder *b, Style style, unsigned cells)
{
        return builder_repeat(b, style, " ", cells);
}

/* At a row's beginning: blanks are its indentation until something is to be seen. */
static int show_edge(Builder *b, Edge *e)
{
        unsigned cells = 0;
        int r;

        if (e->every || e->pending) {
                if (e->mark[0] && (e->cells > 0 || e->pending)) {
                        r = builder_run(b, e->style, e->mark, strlen(e->mark));
                        if (r < 0)
                                return r;
                        cells = text_cells(e->mark, strlen(e->mark));
                }
                e->pending = false;
        }
        if (cells >= e->cells)
                return 0;
        if (last_row(b)->n_runs == 0) {
                last_row(b)->indent += (uint16_t) (e->cells - cells);
                return 0;
        }
        return builder_blanks(b, b->role, e->cells - cells);
}

int builder_begin(Builder *b)
{
        int r;

        r = grow((void **) &b->rows, &b->rows_allocated, b->n_rows, sizeof(Row));
        if (r < 0)
                return r;
        b->rows[b->n_rows++] = (Row){
                .first_run = (uint32_t) b->n_runs,
                .source = b->source,
                .indent = (uint16_t) b->indent,
        };
        b->has_source = false;
        for (unsigned i = 0; i < b->n_edges; i++) {
                r = show_edge(b, b->edges + i);
                if (r < 0)
                        return r;
        }
        return 0;
}

int builder_end(Builder *b, RowFlags flags)
{
        last_row(b)->flags = (uint16_t) flags;
        b->source = last_row(b)->source;
        return 0;
}

static const Span *find_span(const Flow *f, size_t at)
{
        size_t low = 0, high = f->n_spans;

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (f->spans[middle].start <= at)
                        low = middle;
                else
                        high = middle;
        }
        return f->spans + low;
}

int builder_line(Builder *b, const Flow *f, const FlowLine *line)
{
        const Span *span, *end;
        size_t at = line->start;
        int r;

        if (f->n_spans == 0)
                return 0;
        end = f->spans + f->n_spans;
        span = find_span(f, at);
        if (span->start <= at && span->source != SOURCE_NONE && !b->has_source) {
                uint32_t source = span->source + (uint32_t) (at - span->start);

                last_row(b)->source = MAX(b->source, MIN(source, b->source_max));
                b->has_source = true;
        }
        for (; at < line->end; span++) {
                size_t stop = span + 1 < end && span[1].start < line->end ? span[1].start
                                                                          : line->end;

                r = builder_run(b, span->style, f->text.data + at, stop - at);
                if (r < 0)
                        return r;
                at = stop;
        }
        return 0;
}

int builder_blank(Builder *b)
{
        bool pending[EDGES_MAX];
        int r;

        for (unsigned i = 0; i < b->n_edges; i++) {
                pending[i] = b->edges[i].pending;
                b->edges[i].pending = false;
        }
        r = builder_begin(b);
        for (unsigned i = 0; i < b->n_edges; i++)
                b->edges[i].pending = pending[i];
        return r < 0 ? r : builder_end(b, ROW_ADDED);
}

int builder_flow(Builder *b, Flow *f, WrapWay way, RowFlags flags)
{
        int r;

        b->lines.n_items = 0;
        r = flow_wrap(f, builder_room(b), way, &b->lines);
        for (size_t i = 0; r >= 0 && i < b->lines.n_items; i++) {
                const FlowLine *line = b->lines.items + i;

                r = builder_begin(b);
                if (r >= 0)
                        r = builder_line(b, f, line);
                if (r >= 0 && (flags & ROW_FILL) && line->start == line->end)
                        r = builder_run(b, STYLE_CODE, "", 0);
                if (r >= 0)
                        r = builder_end(b, flags | (line->soft ? ROW_SOFT : 0));
        }
        flow_clear(f);
        return r;
}
