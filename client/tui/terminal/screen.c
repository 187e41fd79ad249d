/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/screen-internal.h"

int screen_new(Screen **ret)
{
        Screen *s;

        s = calloc(1, sizeof(Screen));
        if (!s)
                return -ENOMEM;
        s->wanted = s->cursor = (Place){ -1, -1 };
        s->style = STYLE_UNKNOWN;
        *ret = s;
        return 0;
}

Screen *screen_free(Screen *s)
{
        if (!s)
                return NULL;
        free(s->drawn);
        free(s->shown);
        cluster_table_done(&s->clusters);
        free(s);
        return NULL;
}

void screen_set_flags(Screen *s, ScreenFlags flags)
{
        s->flags = flags;
}

int screen_rows(const Screen *s)
{
        return s->rows;
}

int screen_columns(const Screen *s)
{
        return s->columns;
}

void screen_forget(Screen *s)
{
        s->known = false;
}

void screen_blank_cells(Cell *cells, size_t n, Style style)
{
        static const Cell blank = { .text = " ", .size = 1, .cells = 1 };

        for (size_t i = 0; i < n; i++) {
                cells[i] = blank;
                cells[i].style = style;
        }
}

int screen_resize(Screen *s, int rows, int columns)
{
        _cleanup_free_ Cell *drawn = NULL, *shown = NULL;
        size_t n;

        rows = MAX(1, MIN(rows, SCREEN_ROWS_MAX));
        columns = MAX(1, MIN(columns, SCREEN_COLUMNS_MAX));
        n = (size_t) rows * (size_t) columns;

        if (rows != s->rows || columns != s->columns) {
                drawn = malloc(n * sizeof(Cell));
                shown = malloc(n * sizeof(Cell));
                if (!drawn || !shown)
                        return -ENOMEM;
                free(s->drawn);
                free(s->shown);
                s->drawn = TAKE_PTR(drawn);
                s->shown = TAKE_PTR(shown);
                s->rows = rows;
                s->columns = columns;
        }
        screen_blank_cells(s->drawn, n, STYLE_NORMAL);
        screen_blank_cells(s->shown, n, STYLE_NORMAL);
        s->n_hints = 0;
        s->known = false;
        return 0;
}

void screen_begin(Screen *s)
{
        size_t n = (size_t) s->rows * (size_t) s->columns;

        screen_blank_cells(s->drawn, n, STYLE_NORMAL);
        s->n_hints = 0;
        s->wanted = (Place){ -1, -1 };
        /* Half of it for what this picture may bring. */
        if (s->clusters.n > CLUSTERS_MAX / 2)
                cluster_table_collect(&s->clusters, s->shown, n);
}

/* ---- drawing ---- */

/* What is about to be drawn over a part of a wide cluster leaves blanks of the rest. */
static void break_cluster(Screen *s, int row, int column)
{
        Cell *line = screen_cell(s->drawn, s, row, 0);
        int lead = column;

        while (lead > 0 && line[lead].cells == 0)
                lead--;
        if (line[lead].cells > 1)
                screen_blank_cells(line + lead, line[lead].cells, line[lead].style);
}

static void put(Screen *s, int row, int column, const Cell *cell)
{
        Cell *c = screen_cell(s->drawn, s, row, column);

        for (int i = 0; i < cell->cells; i++)
                break_cluster(s, row, column + i);
        for (int i = 1; i < cell->cells; i++)
                c[i] = (Cell){ .style = cell->style };
        *c = *cell;
}

static void cell_set(Cell *c, const char *text, size_t size)
{
        memset(c->text, 0, sizeof c->text);
        memcpy(c->text, text, size);
        c->size = (uint8_t) size;
}

/* Controls as their pictures: U+2400 and on. */
static void cell_set_control(Cell *c, const char *text, size_t size)
{
        unsigned char code = (unsigned char) text[0];

        if (code < 0x20 || code == 0x7f) {
                char picture[3] = { '\xe2', '\x90', (char) (0x80 | (code == 0x7f ? 0x21 : code)) };

                cell_set(c, picture, sizeof picture);
        } else
                cell_set(c, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
}

static void cell_set_text(Screen *s, Cell *c, const char *text, size_t size)
{
        uint32_t index;
        int r;

        if (size <= CELL_TEXT_MAX) {
                cell_set(c, text, size);
                return;
        }
        r = cluster_table_put(&s->clusters, text, size);
        if (r < 0) { /* more of them than anybody can look at */
                cell_set(c, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
                c->flags |= CELL_UNCERTAIN;
                return;
        }
        index = (uint32_t) r;
        cell_set(c, (const char *) &index, sizeof index);
        c->size = (uint8_t) size;
        c->flags |= CELL_LONG;
}

/* The cell for this cluster; false for one that is not seen. */
static bool make_cell(Screen *s, const Cluster *k, const char *text, Cell *c)
{
        static const char circle[] = "\u25cc"; /* what a mark stands on that has nothing */
        char with_circle[sizeof circle - 1 + CLUSTER_BYTES_MAX];

        c->cells = (uint8_t) k->cells;
        c->flags = k->certain ? 0 : CELL_UNCERTAIN;
        if (k->kind == CLUSTER_INVISIBLE)
                return false;
        if (s->flags & SCREEN_ASCII) {
                char like = k->kind == CLUSTER_TEXT ? cluster_to_ascii(text, k->size) : '?';

                c->flags = 0;
                cell_set(c, &like, 1);
        } else if (k->kind == CLUSTER_CONTROL) {
                c->flags = 0;
                cell_set_control(c, text, k->size);
        } else if (k->kind == CLUSTER_MARK) {
                size_t n = MIN(k->size, CLUSTER_BYTES_MAX - (sizeof circle - 1));

                n = utf8_valid_prefix(text, n);
                memcpy(with_circle, circle, sizeof circle - 1);
                memcpy(with_circle + sizeof circle - 1, text, n);
                cell_set_text(s, c, with_circle, sizeof circle - 1 + n);
        } else
                cell_set_text(s, c, text, k->size);
        return true;
}

/* An ASCII likeness takes one cell: the others are blanks, so that what is behind stays put. */
static void put_likeness(Screen *s, int row, int column, const Cell *c)
{
        Cell one = *c;

        one.cells = 1;
        put(s, row, column, &one);
        cell_set(&one, " ", 1);
        for (int i = 1; i < c->cells; i++)
                put(s, row, column + i, &one);
}

int screen_draw(
        Screen *s, int row, int column, int columns, Style style, const char *text, size_t size)
{
        int start = column, end;

        if (row < 0 || row >= s->rows || columns <= 0 || column >= s->columns)
                return 0;
        end = columns < s->columns - MAX(column, 0) ? column + columns : s->columns;

        for (size_t i = 0; i < size && column < end;) {
                Cell c = { .style = style };
                Cluster k;

                cluster_measure(text + i, size - i, &k);
                i += k.size;
                if (!make_cell(s, &k, text + i - k.size, &c))
                        continue;
                if (column < 0 || c.cells > end - column) {
                        /* Cut by an edge: blanks for what of it lies inside. */
                        for (int n = 0; n < c.cells && column < end; n++, column++)
                                if (column >= 0)
                                        screen_fill(s, (Area){ row, column, 1, 1 }, style);
                        continue;
                }
                if ((s->flags & SCREEN_ASCII) && c.cells > 1)
                        put_likeness(s, row, column, &c);
                else
                        put(s, row, column, &c);
                column += c.cells;
        }
        return column - start;
}

int screen_print(Screen *s, int row, int column, int columns, Style style, const char *text)
{
        return screen_draw(s, row, column, columns, style, text, strlen(text));
}

/* The part of the area that is on the screen; false when there is none. */
static bool clip(const Screen *s, Area *a)
{
        int64_t bottom = MIN((int64_t) a->row + a->rows, (int64_t) s->rows),
                right = MIN((int64_t) a->column + a->columns, (int64_t) s->columns);

        a->row = MAX(a->row, 0);
        a->column = MAX(a->column, 0);
        if (bottom <= a->row || right <= a->column)
                return false;
        a->rows = (int) bottom - a->row;
        a->columns = (int) right - a->column;
        return true;
}

void screen_fill(Screen *s, Area area, Style style)
{
        if (!clip(s, &area))
                return;
        for (int row = area.row; row < area.row + area.rows; row++) {
                break_cluster(s, row, area.column);
                break_cluster(s, row, area.column + area.columns - 1);
                screen_blank_cells(
                        screen_cell(s->drawn, s, row, area.column), (size_t) area.columns, style);
        }
}

static Style restyled(Style old, Style change)
{
        Style role = (Style) (STYLE_ROLE(change) == STYLE_NORMAL ? old & 0xff : change & 0xff);

        return (Style) ((old & 0xff00) | (change & 0xff00) | role);
}

void screen_restyle(Screen *s, Area area, Style style)
{
        if (!clip(s, &area))
                return;
        for (int row = area.row; row < area.row + area.rows; row++) {
                Cell *line = screen_cell(s->drawn, s, row, 0);
                int end = area.column + area.columns, column = area.column;

                /* A cluster is of one style: one that is partly inside is all of it. */
                while (column > 0 && line[column].cells == 0)
                        column--;
                for (; column < s->columns && (column < end || line[column].cells == 0); column++)
                        line[column].style = restyled(line[column].style, style);
        }
}

void screen_scrolled(Screen *s, Area area, int lines)
{
        if (lines == 0 || s->n_hints == SCREEN_HINTS_MAX || !clip(s, &area))
                return;
        s->hints[s->n_hints++] = (ScrollHint){ .area = area, .lines = lines };
}

void screen_place_cursor(Screen *s, int row, int column)
{
        s->wanted = row >= 0 && row < s->rows && column >= 0
                ? (Place){ row, MIN(column, s->columns - 1) }
                : (Place){ -1, -1 };
}
