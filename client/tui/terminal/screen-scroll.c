/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/screen-internal.h"

/* Where rows have moved, a frame has several ways: to write what differs; to have the terminal
 * scroll whole rows, all of them or some, and to mend what stands beside; to have it scroll the
 * area alone, where it has left and right margins. The bytes of each are counted, and the least
 * taken. */

typedef struct Plan {
        Area area; /* what is scrolled */
        int lines;
        ssize_t saved; /* bytes; 0: nothing is scrolled */
} Plan;

/* What the terminal would show in this row, the part of it in the area being that of another one,
 * or blank (from < 0). */
static const Cell *row_after(const Screen *s, Area a, int row, int from, Cell *scratch)
{
        memcpy(scratch, screen_cell(s->shown, s, row, 0), (size_t) s->columns * sizeof(Cell));
        if (from < 0)
                screen_blank_cells(scratch + a.column, (size_t) a.columns, STYLE_NORMAL);
        else
                memcpy(scratch + a.column, screen_cell(s->shown, s, from, a.column),
                        (size_t) a.columns * sizeof(Cell));
        return scratch;
}

/* What the terminal does to its picture, done to ours. */
static void scroll_shown(Screen *s, Area a, int lines)
{
        int n = abs(lines);

        for (int i = 0; i < a.rows; i++) {
                int row = a.row + (lines > 0 ? i : a.rows - 1 - i);
                Cell *to = screen_cell(s->shown, s, row, a.column);

                if (i < a.rows - n)
                        memcpy(to, screen_cell(s->shown, s, row + lines, a.column),
                                (size_t) a.columns * sizeof(Cell));
                else
                        screen_blank_cells(to, (size_t) a.columns, STYLE_NORMAL);
        }
}

static void set_margins(Frame *f, Area a, bool sides, bool region)
{
        char sequence[32];

        if (sides) {
                (void) snprintf(sequence, sizeof sequence, "\033[%d;%ds", a.column + 1,
                        a.column + a.columns);
                frame_emit(f, sequence);
        }
        if (region) {
                if (a.row == 0)
                        (void) snprintf(sequence, sizeof sequence, "\033[;%dr", a.rows);
                else
                        (void) snprintf(sequence, sizeof sequence, "\033[%d;%dr", a.row + 1,
                                a.row + a.rows);
                frame_emit(f, sequence);
        }
        if (sides || region)
                f->s->cursor = (Place){ 0, 0 };
}

static void reset_margins(Frame *f, bool sides, bool region)
{
        if (region)
                frame_emit(f, "\033[r");
        if (sides)
                frame_emit(f, "\033[s");
        if (sides || region)
                f->s->cursor = (Place){ 0, 0 };
}

static void emit_scroll(Frame *f, Area a, int lines)
{
        Screen *s = f->s;
        /* A screen as large as ours can be may be a part of a larger one. */
        bool sides = a.columns < s->columns,
             region = a.rows < s->rows || s->rows == SCREEN_ROWS_MAX;

        frame_set_style(f, STYLE_NORMAL); /* what comes in has the background in force */
        set_margins(f, a, sides, region);
        if (s->flags & SCREEN_SCROLLS_MANY)
                frame_emit_counted(f, abs(lines), lines > 0 ? 'S' : 'T');
        else {
                s->cursor.row = -1;
                frame_move_to(f, lines > 0 ? a.row + a.rows - 1 : a.row, a.column);
                for (int i = 0; i < abs(lines); i++)
                        frame_emit(f, lines > 0 ? "\n" : "\033M");
        }
        reset_margins(f, sides, region);
}

static ssize_t scroll_bytes(const Frame *f, Area a, int lines)
{
        Screen *s = f->s;
        Frame trial = { .s = s };
        Place cursor = s->cursor;
        Style style = s->style;

        emit_scroll(&trial, a, lines);
        s->cursor = cursor;
        s->style = style;
        return (ssize_t) trial.bytes;
}

/* A margin through a wide cluster leaves a half of it on each side. */
static bool cuts_clusters(const Screen *s, Area a)
{
        int end = a.column + a.columns;

        for (int row = a.row; row < a.row + a.rows; row++)
                if (screen_cell(s->shown, s, row, a.column)->cells == 0 ||
                        (end < s->columns && screen_cell(s->shown, s, row, end)->cells == 0))
                        return true;
        return false;
}

/* Bytes saved in the rows before each, when these are filled from another one, and when they come
 * in blank. */
typedef struct Savings {
        int lines;
        ssize_t moved[SCREEN_ROWS_MAX + 1], blanked[SCREEN_ROWS_MAX + 1];
} Savings;

static void count_savings(const Frame *f, Area a, int lines, Savings *ret)
{
        Cell scratch[SCREEN_COLUMNS_MAX];
        const Screen *s = f->s;

        ret->lines = lines;
        ret->moved[0] = ret->blanked[0] = 0;
        for (int i = 0; i < a.rows; i++) {
                int row = a.row + i, from = i + lines;
                size_t bytes = frame_row_bytes(f, row, screen_cell(s->shown, s, row, 0)), after;

                after = frame_row_bytes(f, row, row_after(s, a, row, -1, scratch));
                ret->blanked[i + 1] = ret->blanked[i] + (ssize_t) bytes - (ssize_t) after;
                if (from >= 0 && from < a.rows)
                        after = frame_row_bytes(f, row, row_after(s, a, row, row + lines, scratch));
                ret->moved[i + 1] = ret->moved[i] + (ssize_t) bytes - (ssize_t) after;
        }
}

/* When the rows from start up to before end are scrolled. */
static ssize_t span_saves(const Savings *x, int start, int end)
{
        int border = x->lines > 0 ? end - x->lines : start - x->lines;

        if (x->lines > 0)
                return x->moved[border] - x->moved[start] + x->blanked[end] - x->blanked[border];
        return x->blanked[border] - x->blanked[start] + x->moved[end] - x->moved[border];
}

/* Of all spans of the area's rows, the one whose scrolling saves most. */
static void consider(const Frame *f, Area a, int lines, Plan *best)
{
        ssize_t most = 0;
        Area span = a;
        Savings x;

        count_savings(f, a, lines, &x);
        for (int start = 0; start < a.rows; start++)
                for (int end = start + abs(lines) + 1; end <= a.rows; end++) {
                        ssize_t saved = span_saves(&x, start, end);

                        if (saved <= most)
                                continue;
                        most = saved;
                        span.row = a.row + start;
                        span.rows = end - start;
                }
        if (most == 0)
                return;
        most -= scroll_bytes(f, span, lines);
        if (most > best->saved)
                *best = (Plan){ .area = span, .lines = lines, .saved = most };
}

static void scroll_hint(Frame *f, Area a, int lines)
{
        Screen *s = f->s;
        Plan plan = { 0 };

        if (lines <= -a.rows || lines >= a.rows)
                return;
        consider(f, (Area){ a.row, 0, a.rows, s->columns }, lines, &plan);
        if ((s->flags & SCREEN_HAS_MARGINS) && a.columns > 1 && a.columns < s->columns &&
                !cuts_clusters(s, a))
                consider(f, a, lines, &plan);
        if (plan.saved <= 0)
                return;
        emit_scroll(f, plan.area, plan.lines);
        scroll_shown(s, plan.area, plan.lines);
}

void frame_scroll(Frame *f)
{
        Screen *s = f->s;

        if (s->flags & SCREEN_CAN_SCROLL)
                for (unsigned i = 0; i < s->n_hints; i++)
                        scroll_hint(f, s->hints[i].area, s->hints[i].lines);
}
