/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/editor-internal.h"

/* A line without end is wrapped anew at each of so many bytes (an anchor), so that none is wrapped
 * from its start for a single key. */
#define ANCHOR_BYTES KIB(4)
#define TAB_CELLS    8

/* ---- where rows begin and end ---- */

/* The last anchor at or before the offset (or the line's start), and the first behind it (SIZE_MAX:
 * none is near). What is in chips does not count. */
static void find_anchors(
        const Editor *e, size_t line, size_t offset, size_t *ret_before, size_t *ret_after)
{
        size_t at = line, plain = 0, i = 0;

        *ret_before = line;
        *ret_after = SIZE_MAX;
        while (i < e->n_chips && e->chips[i].start < line)
                i++;
        for (;; i++) {
                bool last = i == e->n_chips || e->chips[i].start > offset;
                size_t end = i < e->n_chips ? e->chips[i].start : e->text.size;
                size_t anchor = at + ANCHOR_BYTES - plain % ANCHOR_BYTES;

                if (anchor < end && anchor <= offset) {
                        anchor += (MIN(offset, end - 1) - anchor) / ANCHOR_BYTES * ANCHOR_BYTES;
                        *ret_before = snap(e, anchor);
                        anchor += ANCHOR_BYTES;
                }
                if (last) {
                        if (anchor < end && snap(e, anchor) <= offset) {
                                *ret_before = snap(e, anchor); /* it is within this cluster */
                                anchor += ANCHOR_BYTES;
                        }
                        if (anchor < end)
                                *ret_after = snap(e, anchor);
                        return;
                }
                plain += end - at;
                at = end + e->chips[i].size;
        }
}

static size_t chip_label(const Editor *e, const Chip *c, char ret[static CHIP_LABEL_MAX])
{
        const char *text = e->text.data + c->start;
        size_t lines = text[c->size - 1] != '\n';
        int n;

        for (const char *lf = memchr(text, '\n', c->size); lf;
                lf = memchr(lf + 1, '\n', c->size - (size_t) (lf + 1 - text)))
                lines++;
        n = snprintf(ret, CHIP_LABEL_MAX, "[pasted %zu %s, ", lines, lines == 1 ? "line" : "lines");
        if (c->size < 1000)
                n += snprintf(ret + n, CHIP_LABEL_MAX - n, "%zu bytes]", c->size);
        else if (c->size < 1000 * 1000)
                n += snprintf(ret + n, CHIP_LABEL_MAX - n, "%zu kB]", c->size / 1000);
        else
                n += snprintf(ret + n, CHIP_LABEL_MAX - n, "%zu.%zu MB]", c->size / 1000000,
                        c->size / 100000 % 10);
        return (size_t) n;
}

/* The last column is left to the cursor. */
static int row_width(const Editor *e)
{
        return MAX(e->columns - 1, 1);
}

/* Cells of the cluster there, in this column. */
static int cells_at(const Editor *e, size_t offset, int column)
{
        const Chip *c = chip_at(e, offset);
        char label[CHIP_LABEL_MAX];
        unsigned cells;

        if (c)
                return MIN((int) chip_label(e, c, label), row_width(e));
        if (e->text.data[offset] == '\n')
                return 0;
        if (e->text.data[offset] == '\t')
                return TAB_CELLS - column % TAB_CELLS;
        (void) cluster_next(e->text.data + offset, next_cluster(e, offset) - offset, &cells);
        return (int) cells;
}

static bool is_byte(const Editor *e, size_t offset, char c)
{
        return offset < e->text.size && e->text.data[offset] == c && !chip_at(e, offset);
}

/* As row_end(), in the line that begins there. */
static bool wrap(const Editor *e, size_t line, size_t start, size_t *ret_end)
{
        size_t anchor, break_at = start, at = start;
        int column = 0;

        find_anchors(e, line, start, &(size_t){ 0 }, &anchor);
        while (at < e->text.size && at < anchor) {
                int cells = cells_at(e, at, column);
                bool space = is_byte(e, at, ' ') || is_byte(e, at, '\t');

                if (is_byte(e, at, '\n')) {
                        *ret_end = at + 1;
                        return true;
                }
                if (cells > 1 && !space)
                        break_at = at; /* before a wide one */
                if (column + cells > row_width(e) && at > start) {
                        if (!space)
                                *ret_end = break_at > start ? break_at : at;
                        else /* hangs over the edge, with the end of a line if that is next */
                                *ret_end = at + 1 + is_byte(e, at + 1, '\n');
                        return *ret_end < e->text.size || e->text.data[*ret_end - 1] == '\n';
                }
                at = next_cluster(e, at);
                column += cells;
                if (space || cells > 1)
                        break_at = at;
        }
        *ret_end = at;
        return at < e->text.size;
}

bool row_end(const Editor *e, size_t start, size_t *ret_end)
{
        return wrap(e, line_start(e, start), start, ret_end);
}

size_t row_start(const Editor *e, size_t offset)
{
        size_t line = line_start(e, offset), start, end, after;

        find_anchors(e, line, offset, &start, &after);
        while (wrap(e, line, start, &end) && end <= offset)
                start = end;
        return start;
}

/* ---- moving by rows ---- */

static int column_of(const Editor *e, size_t start, size_t offset)
{
        int column = 0;

        for (size_t at = start; at < offset; at = next_cluster(e, at))
                column += cells_at(e, at, column);
        return column;
}

/* The place in the row that is nearest to the column, from the left. */
static size_t place_in_row(const Editor *e, size_t start, int column)
{
        size_t at = start, end;
        bool more = row_end(e, start, &end);
        int have = 0;

        while (at < end && !is_byte(e, at, '\n')) {
                size_t next = next_cluster(e, at);

                have += cells_at(e, at, have);
                /* Behind the last cluster of a wrapped row the next row begins. */
                if (have > column || (more && next >= end))
                        break;
                at = next;
        }
        return at;
}

int move_rows(Editor *e, int by)
{
        size_t start = row_start(e, e->cursor), target;
        int goal = e->doing == DOING_ROWS ? e->goal : column_of(e, start, e->cursor);

        if (by < 0) {
                if (start == 0)
                        return 0;
                target = row_start(e, previous_cluster(e, start));
        } else if (!row_end(e, start, &target))
                return 0;
        e->cursor = place_in_row(e, target, goal);
        e->goal = goal;
        e->doing = DOING_ROWS;
        return 1;
}

int editor_rows(Editor *e, int columns, int maximum)
{
        size_t at = 0;
        int rows = 1;

        e->columns = columns;
        while (rows < maximum && row_end(e, at, &at))
                rows++;
        return rows;
}

/* ---- drawing ---- */

/* Scrolls as little as shows the cursor, and no further than the text. */
static void scroll(Editor *e, int rows)
{
        size_t cursor = row_start(e, e->cursor), at;
        int below = 0;

        e->top = MIN(row_start(e, snap(e, e->top)), cursor);
        at = e->top;
        for (int i = 1; at < cursor && i < rows; i++)
                (void) row_end(e, at, &at);
        if (at < cursor) {
                e->top = cursor;
                for (int i = 1; i < rows && e->top > 0; i++)
                        e->top = row_start(e, previous_cluster(e, e->top));
        }
        for (at = e->top; below < rows; below++)
                if (!row_end(e, at, &at))
                        break;
        for (below++; below < rows && e->top > 0; below++)
                e->top = row_start(e, previous_cluster(e, e->top));
}

static void draw_row(const Editor *e, Screen *screen, Area area, int row, size_t start, size_t end)
{
        size_t from = start;
        int column = 0, from_column = 0;

        for (size_t at = start; at <= end;) {
                const Chip *c = at < end ? chip_at(e, at) : NULL;
                char label[CHIP_LABEL_MAX];
                int cells = at < end ? cells_at(e, at, column) : 0;

                if (at == end || c || is_byte(e, at, '\t') || is_byte(e, at, '\n')) {
                        if (at > from)
                                (void) screen_draw(screen, row, area.column + from_column,
                                        area.columns - from_column, STYLE_INPUT,
                                        e->text.data + from, at - from);
                        from = MIN(next_cluster(e, at), end);
                        from_column = column + cells;
                }
                if (c)
                        (void) screen_draw(screen, row, area.column + column,
                                MIN(cells, area.columns - column), STYLE_CHIP, label,
                                chip_label(e, c, label));
                if (at == end)
                        break;
                column += cells;
                at = next_cluster(e, at);
        }
}

void editor_draw(Editor *e, Screen *screen, Area area, const char *placeholder)
{
        size_t at, cursor;
        bool more = true;

        if (area.rows <= 0 || area.columns <= 0)
                return;
        e->columns = area.columns;
        screen_fill(screen, area, STYLE_INPUT);
        scroll(e, area.rows);
        if (editor_is_empty(e) && placeholder)
                (void) screen_print(
                        screen, area.row, area.column, area.columns, STYLE_DIM, placeholder);

        cursor = row_start(e, e->cursor);
        at = e->top;
        for (int row = area.row; more && row < area.row + area.rows; row++) {
                size_t end;

                more = row_end(e, at, &end);
                draw_row(e, screen, area, row, at, end);
                if (at == cursor)
                        screen_place_cursor(screen, row,
                                area.column + MIN(column_of(e, at, e->cursor), area.columns - 1));
                at = end;
        }
}
