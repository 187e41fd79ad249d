/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/layout-build.h"

/* Columns narrower than this (when their text is wider) are no pleasure to read: the rows are shown
 * as lists instead. */
#define COLUMN_MIN 8U
#define CELLS_MAX  (LAYOUT_WIDTH_MAX * 2)

typedef struct Border {
        const char *left, *line, *middle, *right;
} Border;

typedef struct Borders {
        Border top, head, bottom;
        const char *bar;
} Borders;

static const Borders borders_unicode = {
        .top = { "┌", "─", "┬", "┐" },
        .head = { "├", "─", "┼", "┤" },
        .bottom = { "└", "─", "┴", "┘" },
        .bar = "│",
};

static const Borders borders_ascii = {
        .top = { "+", "-", "+", "+" },
        .head = { "+", "-", "+", "+" },
        .bottom = { "+", "-", "+", "+" },
        .bar = "|",
};

void table_done(Table *t)
{
        for (size_t i = 0; i < t->n_cells; i++)
                flow_done(t->cells + i);
        free(t->cells);
        *t = (Table){ 0 };
}

int table_add(Table *t, Flow **ret)
{
        int r = grow((void **) &t->cells, &t->n_allocated, t->n_cells, sizeof(Flow));

        if (r < 0)
                return r;
        t->cells[t->n_cells] = FLOW_INIT;
        *ret = t->cells + t->n_cells++;
        return 0;
}

static size_t table_count(const Table *t)
{
        return t->n_cells / t->n_columns;
}

static const Flow *table_cell(const Table *t, size_t row, size_t column)
{
        return t->cells + row * t->n_columns + column;
}

static unsigned sum_capped(const Table *t, const unsigned *widths, unsigned cap)
{
        unsigned sum = 0;

        for (size_t i = 0; i < t->n_columns; i++)
                sum += MIN(widths[i], cap);
        return sum;
}

/* Cells for each column: the widest give, and are alike then. false: there is no room. */
static bool fit_columns(const Table *t, unsigned room, unsigned *widths)
{
        unsigned frame = (unsigned) t->n_columns * 3 + 1, cap = 0, left;

        for (size_t c = 0; c < t->n_columns; c++) {
                widths[c] = 1;
                for (size_t i = 0; i < table_count(t); i++)
                        widths[c] = MAX(widths[c], MIN(flow_cells(table_cell(t, i, c)), CELLS_MAX));
        }
        if (room <= frame)
                return false;
        room -= frame;
        if (sum_capped(t, widths, CELLS_MAX) <= room)
                return true;

        while (sum_capped(t, widths, cap + 1) <= room)
                cap++;
        if (cap < COLUMN_MIN)
                return false;
        left = room - sum_capped(t, widths, cap);
        for (size_t c = 0; c < t->n_columns; c++)
                if (widths[c] > cap) {
                        widths[c] = cap + (left > 0 ? 1 : 0);
                        left -= left > 0 ? 1 : 0;
                }
        return true;
}

static int border_row(Builder *b, const Table *t, const Border *border, const unsigned *widths)
{
        int r;

        r = builder_begin(b);
        for (size_t c = 0; r >= 0 && c < t->n_columns; c++) {
                r = builder_repeat(b, STYLE_DIM, c == 0 ? border->left : border->middle, 1);
                if (r >= 0)
                        r = builder_repeat(b, STYLE_DIM, border->line, widths[c] + 2);
        }
        if (r >= 0)
                r = builder_repeat(b, STYLE_DIM, border->right, 1);
        return r < 0 ? r : builder_end(b, ROW_ADDED);
}

static int show_cell(
        Builder *b, const Flow *cell, const FlowLine *line, CellAlign align, unsigned width)
{
        unsigned blanks = width - (line ? MIN(line->cells, width) : 0), before = 0;
        int r;

        switch (align) {
        case ALIGN_LEFT:
                break;
        case ALIGN_CENTER:
                before = blanks / 2;
                break;
        case ALIGN_RIGHT:
                before = blanks;
                break;
        }
        r = builder_blanks(b, b->role, before + 1);
        if (r >= 0 && line)
                r = builder_line(b, cell, line);
        return r < 0 ? r : builder_blanks(b, b->role, blanks - before + 1);
}

/* One row of the table: as many rows of the screen as its highest cell has lines. */
static int grid_row(
        Builder *b, const Table *t, const Borders *borders, size_t row, const unsigned *widths)
{
        size_t first[TABLE_COLUMNS_MAX + 1], height = 1;
        FlowLines *lines = &b->lines;
        int r;

        lines->n_items = 0;
        for (size_t c = 0; c < t->n_columns; c++) {
                first[c] = lines->n_items;
                r = flow_wrap(table_cell(t, row, c), widths[c], WRAP_WORDS, lines);
                if (r < 0)
                        return r;
                height = MAX(height, lines->n_items - first[c]);
        }
        first[t->n_columns] = lines->n_items;

        for (size_t i = 0; i < height; i++) {
                r = builder_begin(b);
                for (size_t c = 0; r >= 0 && c < t->n_columns; c++) {
                        const FlowLine *line = first[c] + i < first[c + 1]
                                ? lines->items + first[c] + i
                                : NULL;

                        r = builder_repeat(b, STYLE_DIM, borders->bar, 1);
                        if (r >= 0)
                                r = show_cell(
                                        b, table_cell(t, row, c), line, t->align[c], widths[c]);
                }
                if (r >= 0)
                        r = builder_repeat(b, STYLE_DIM, borders->bar, 1);
                if (r >= 0)
                        r = builder_end(b, i + 1 < height ? ROW_SOFT : 0);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int grid_rows(Builder *b, const Table *t, const unsigned *widths)
{
        const Borders *borders = b->flags & LAYOUT_ASCII ? &borders_ascii : &borders_unicode;
        int r;

        r = border_row(b, t, &borders->top, widths);
        for (size_t i = 0; r >= 0 && i < table_count(t); i++) {
                r = grid_row(b, t, borders, i, widths);
                if (r >= 0 && i == 0)
                        r = border_row(b, t, &borders->head, widths);
        }
        return r < 0 ? r : border_row(b, t, &borders->bottom, widths);
}

/* Each row as a list of `head: cell`. */
static int list_rows(Builder *b, const Table *t)
{
        _cleanup_flow_ Flow flow = FLOW_INIT;
        size_t n = table_count(t);
        int r;

        for (size_t row = MIN(n - 1, (size_t) 1); row < n; row++) {
                if (row > 1) {
                        r = builder_blank(b);
                        if (r < 0)
                                return r;
                }
                for (size_t c = 0; c < t->n_columns; c++) {
                        r = flow_append_flow(&flow, table_cell(t, 0, c));
                        if (r >= 0 && row > 0)
                                r = flow_append(&flow, b->role, SOURCE_NONE, ": ", 2);
                        if (r >= 0 && row > 0)
                                r = flow_append_flow(&flow, table_cell(t, row, c));
                        if (r >= 0)
                                r = builder_flow(b, &flow, WRAP_WORDS, 0);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int table_rows(Builder *b, const Table *t)
{
        unsigned widths[TABLE_COLUMNS_MAX];

        if (t->n_columns == 0 || table_count(t) == 0)
                return 0;
        if (fit_columns(t, builder_room(b), widths))
                return grid_rows(b, t, widths);
        return list_rows(b, t);
}
