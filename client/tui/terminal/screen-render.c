/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/screen-internal.h"

/* Fewer bytes than these are no gain: what a sequence and the way back cost. */
#define ERASE_END_MIN 4 /* cells that \e[K stands for */
/* Unchanged cells up to here may be written again, where moving over them costs more. */
#define GAP_MAX 5
/* Cells behind a cluster that a terminal may take for wider than it is. */
#define DOUBT_CELLS 2
/* A frame of no more bytes is one that no terminal is seen to draw half. */
#define SMALL_FRAME 256

static void emit(Frame *f, const char *data, size_t size)
{
        f->bytes += size;
        if (f->out && f->result >= 0)
                f->result = buffer_append(f->out, data, size);
}

void frame_emit(Frame *f, const char *text)
{
        emit(f, text, strlen(text));
}

/* \e[<n><final>, the number left out where the terminal knows it. */
void frame_emit_counted(Frame *f, int n, char final)
{
        char sequence[16];
        int size;

        size = n == 1 ? snprintf(sequence, sizeof sequence, "\033[%c", final)
                      : snprintf(sequence, sizeof sequence, "\033[%d%c", n, final);
        emit(f, sequence, (size_t) size);
}

void frame_set_style(Frame *f, Style style)
{
        char sequence[STYLE_CHANGE_MAX];

        emit(f, sequence, style_change(f->s->style, style, sequence));
        f->s->style = style;
}

/* ---- moving ---- */

static int digits(int n)
{
        return n >= 1000 ? 4 : n >= 100 ? 3 : n >= 10 ? 2 : 1;
}

static void emit_place(Frame *f, int row, int column)
{
        char sequence[32];
        int size;

        if (row == 0 && column == 0)
                size = snprintf(sequence, sizeof sequence, "\033[H");
        else if (column == 0)
                size = snprintf(sequence, sizeof sequence, "\033[%dH", row + 1);
        else
                size = snprintf(sequence, sizeof sequence, "\033[%d;%dH", row + 1, column + 1);
        emit(f, sequence, (size_t) size);
}

/* Bytes of the shortest way within a row from a known column. */
static int way_cost(int from, int to)
{
        int there = 3 + digits(to + 1), n = abs(to - from);

        if (from == to)
                return 0;
        if (to == 0)
                return 1;
        return MIN(there, to < from ? MIN(n, 3 + digits(n)) : n == 1 ? 3 : 3 + digits(n));
}

static void move_in_row(Frame *f, int to)
{
        int from = f->s->cursor.column, n = abs(to - from);

        if (from == to)
                return;
        if (to == 0)
                frame_emit(f, "\r");
        else if (from < 0 || 3 + digits(to + 1) <= way_cost(from, to))
                frame_emit_counted(f, to + 1, 'G');
        else if (to < from && n <= 3 + digits(n))
                for (int i = 0; i < n; i++)
                        frame_emit(f, "\b");
        else
                frame_emit_counted(f, n, to < from ? 'D' : 'C');
        f->s->cursor.column = to;
}

void frame_move_to(Frame *f, int row, int column)
{
        Place *at = &f->s->cursor;

        if (at->row >= 0 && row == at->row + 1 && (column == 0 || column == at->column)) {
                frame_emit(f, column == at->column ? "\n" : "\r\n");
                *at = (Place){ row, column };
        } else if (at->row == row)
                move_in_row(f, column);
        else {
                emit_place(f, row, column);
                *at = (Place){ row, column };
        }
}

/* ---- cells ---- */

static bool alike(const Cell *a, const Cell *b)
{
        if (memcmp(a, b, sizeof(Cell)) == 0)
                return true;
        return cell_is_blank(a) && cell_is_blank(b) && style_is_alike_blank(a->style, b->style);
}

static bool cluster_is_alike(const Cell *a, const Cell *b)
{
        for (int i = 0; i < MAX(a->cells, 1); i++)
                if (!alike(a + i, b + i))
                        return false;
        return true;
}

static void set_cell_style(Frame *f, const Cell *c)
{
        if (!cell_is_blank(c) || f->s->style == STYLE_UNKNOWN ||
                !style_is_alike_blank(f->s->style, c->style))
                frame_set_style(f, c->style);
}

/* Writes the cell at the cursor. */
static void write_cell(Frame *f, const Cell *c)
{
        Screen *s = f->s;
        int column = s->cursor.column;

        set_cell_style(f, c);
        if (c->flags & CELL_UNCERTAIN) {
                /* Whatever the terminal makes of it: its cells are blank before, and where the
                 * cursor is afterwards does not matter. */
                emit(f, "    ", c->cells);
                s->cursor.column = -1;
                move_in_row(f, column);
        }
        emit(f, cell_text(s, c), c->size);
        s->cursor.column = column + c->cells;
        /* At the right margin the cursor stays on the last cell, or waits behind it. */
        if ((c->flags & CELL_UNCERTAIN) || s->cursor.column >= s->columns)
                s->cursor.column = -1;
}

/* Whether erasing draws blanks of this style. */
static bool can_erase(const Screen *s, Style style)
{
        return style_is_plain_blank(style) &&
                ((s->flags & SCREEN_CAN_ERASE) || style_has_own_background(style));
}

/* How many cells from here on are blanks that one erasing can draw. */
static int erasable(const Screen *s, const Cell *line, int column)
{
        int n = 0;

        if (!cell_is_blank(&line[column]) || !can_erase(s, line[column].style))
                return 0;
        while (column + n < s->columns && cell_is_blank(&line[column + n]) &&
                style_is_alike_blank(line[column].style, line[column + n].style))
                n++;
        return n;
}

static int changed_cells(const Cell *new, const Cell *old, int n)
{
        int changed = 0;

        for (int i = 0; i < n; i++)
                changed += !alike(&new[i], &old[i]);
        return changed;
}

/* Erases what is at the cursor where that is shorter than blanks; the cells done, or 0. */
static int erase_blanks(Frame *f, const Cell *new, const Cell *old, int column)
{
        Screen *s = f->s;
        int n = erasable(s, new, column);

        if (column + n == s->columns) {
                if (changed_cells(new + column, old + column, n) < ERASE_END_MIN)
                        return 0;
                set_cell_style(f, &new[column]);
                frame_emit(f, "\033[K");
        } else {
                /* The unchanged ones at its end need nothing. */
                while (n > 0 && alike(&new[column + n - 1], &old[column + n - 1]))
                        n--;
                if (n <= 3 + digits(n) + way_cost(column, column + n))
                        return 0;
                set_cell_style(f, &new[column]);
                frame_emit_counted(f, n, 'X');
        }
        return n;
}

/* The cells between the cursor and here are written again where that is shorter than to move. */
static bool bridge_gap(Frame *f, const Cell *line, int row, int column)
{
        Place at = f->s->cursor;
        int gap = column - at.column, cost = 0;

        if (at.row != row || at.column < 0 || gap <= 0 || gap > GAP_MAX)
                return false;
        if (line[at.column].cells == 0) /* the cursor was put into a cluster */
                return false;
        for (int i = at.column; i < column; i++) {
                const Cell *c = &line[i];

                if (c->cells == 0)
                        continue;
                if ((c->flags & CELL_UNCERTAIN) || i + c->cells > column ||
                        f->s->style == STYLE_UNKNOWN ||
                        !(cell_is_blank(c) ? style_is_alike_blank(c->style, f->s->style)
                                           : c->style == f->s->style))
                        return false;
                cost += c->size;
        }
        if (cost > way_cost(at.column, column))
                return false;
        for (int i = at.column; i < column; i++)
                if (line[i].cells > 0)
                        write_cell(f, &line[i]);
        return true;
}

/* Makes what is drawn in this row of what the terminal has there. */
static void render_row(Frame *f, int row, const Cell *old)
{
        Screen *s = f->s;
        const Cell *new = screen_cell(s->drawn, s, row, 0);
        int forced = 0; /* cells before this are written, changed or not */

        for (int column = 0; column < s->columns;) {
                const Cell *c = &new[column];
                int n;

                if (column >= forced && cluster_is_alike(c, &old[column])) {
                        column += MAX(c->cells, 1);
                        continue;
                }
                if (!bridge_gap(f, new, row, column))
                        frame_move_to(f, row, column);
                n = erase_blanks(f, new, old, column);
                if (n == 0) {
                        write_cell(f, c);
                        n = MAX(c->cells, 1);
                        if (c->flags & CELL_UNCERTAIN)
                                forced = column + n + DOUBT_CELLS;
                }
                column += n;
        }
}

size_t frame_row_bytes(const Frame *f, int row, const Cell *old)
{
        Screen *s = f->s;
        Frame trial = { .s = s };
        Place cursor = s->cursor;
        Style style = s->style;

        s->cursor = (Place){ -1, -1 };
        s->style = STYLE_NORMAL;
        render_row(&trial, row, old);
        s->cursor = cursor;
        s->style = style;
        return trial.bytes;
}

static bool row_changes(const Screen *s, int row)
{
        const Cell *new = screen_cell(s->drawn, s, row, 0), *old = screen_cell(s->shown, s, row, 0);

        return memcmp(new, old, (size_t) s->columns * sizeof(Cell)) != 0 &&
                changed_cells(new, old, s->columns) > 0;
}

/* ---- a frame ---- */

/* The terminal's picture is unknown: it is made an empty one. */
static void start_anew(Frame *f)
{
        Screen *s = f->s;

        s->style = STYLE_UNKNOWN;
        frame_emit(f, "\033[?25l\033[r");
        frame_set_style(f, STYLE_NORMAL);
        frame_emit(f, "\033[H\033[2J");
        s->cursor = (Place){ 0, 0 };
        s->cursor_visible = false;
        screen_blank_cells(s->shown, (size_t) s->rows * (size_t) s->columns, STYLE_NORMAL);
}

static void show_cursor(Frame *f, bool visible)
{
        if (f->s->cursor_visible != visible)
                frame_emit(f, visible ? "\033[?25h" : "\033[?25l");
        f->s->cursor_visible = visible;
}

static void render_picture(Frame *f)
{
        Screen *s = f->s;

        if (!s->known)
                start_anew(f);
        frame_scroll(f);
        s->n_hints = 0;
        for (int row = 0; row < s->rows; row++)
                if (row_changes(s, row)) {
                        Cell *old = screen_cell(s->shown, s, row, 0);

                        render_row(f, row, old);
                        memcpy(old, screen_cell(s->drawn, s, row, 0),
                                (size_t) s->columns * sizeof(Cell));
                }
        if (s->wanted.row >= 0)
                frame_move_to(f, s->wanted.row, s->wanted.column);
}

/* What is seen to be drawn bit by bit is drawn behind a curtain: where the terminal has none, the
 * cursor at least is not seen to run about. */
static void draw_curtain(Frame *f, size_t before, bool cursor_was_visible)
{
        Screen *s = f->s;
        bool synchronized = (s->flags & SCREEN_SYNCHRONIZED) != 0;
        const char *curtain = synchronized ? "\033[?2026h" : "\033[?25l";
        size_t size = strlen(curtain), body;

        if (f->result < 0 || f->bytes <= SMALL_FRAME || (!synchronized && !cursor_was_visible))
                return;
        body = f->out->size - before;
        frame_emit(f, curtain);
        if (f->result < 0)
                return;
        memmove(f->out->data + before + size, f->out->data + before, body);
        memcpy(f->out->data + before, curtain, size);
        if (synchronized)
                frame_emit(f, "\033[?2026l");
        else
                s->cursor_visible = false;
}

int screen_render(Screen *s, Buffer *out)
{
        Frame f = { .s = s, .out = out };
        size_t before = out->size;
        bool cursor_was_visible = s->known && s->cursor_visible;

        render_picture(&f);
        draw_curtain(&f, before, cursor_was_visible);
        show_cursor(&f, s->wanted.row >= 0);

        s->known = f.result >= 0;
        if (f.result < 0 && out->data) {
                out->size = before;
                out->data[before] = 0;
        }
        return f.result;
}
