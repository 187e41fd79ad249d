/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tui-emulator.h"

static const EmulatorLook own = { -1, -1, 0 };

EmulatorCell *emulator_cell(const Emulator *e, int row, int column)
{
        assert_in_range(row, 0, e->rows - 1);
        assert_in_range(column, 0, e->columns - 1);
        return e->cells + row * e->columns + column;
}

static void blank(Emulator *e, int row, int column)
{
        *emulator_cell(e, row, column) = (EmulatorCell){
                .text = " ",
                .size = 1,
                .cells = 1,
                .look = { -1, e->erases_with_background ? e->look.background : -1, 0 },
        };
}

/* One half of a wide cluster does not stay without the other. */
static void split(Emulator *e, int row, int column)
{
        int lead = column;

        while (lead > 0 && emulator_cell(e, row, lead)->cells == 0)
                lead--;
        for (int i = (int) emulator_cell(e, row, lead)->cells - 1; i > 0; i--)
                if (lead + i < e->columns)
                        blank(e, row, lead + i);
        if (emulator_cell(e, row, lead)->cells > 1)
                blank(e, row, lead);
}

static void erase(Emulator *e, int row, int column, int n)
{
        for (int i = 0; i < n && column + i < e->columns; i++) {
                split(e, row, column + i);
                blank(e, row, column + i);
        }
}

void emulator_init(Emulator *e, int rows, int columns)
{
        *e = (Emulator){ .rows = rows,
                .columns = columns,
                .bottom = rows - 1,
                .right = columns - 1,
                .look = own };
        e->cells = calloc((size_t) rows * (size_t) columns, sizeof(EmulatorCell));
        assert_non_null(e->cells);
        for (int row = 0; row < rows; row++)
                for (int column = 0; column < columns; column++)
                        *emulator_cell(e, row, column) = (EmulatorCell){
                                .text = "~", .size = 1, .cells = 1, .look = own
                        };
}

void emulator_done(Emulator *e)
{
        e->cells = mfree(e->cells);
}

/* ---- text ---- */

static bool is_whole(const Emulator *e)
{
        return e->left == 0 && e->right == e->columns - 1;
}

static void write_cluster(Emulator *e, const char *text, const Cluster *k)
{
        unsigned cells = k->certain ? k->cells : (unsigned) MAX((int) k->cells + e->doubt, 1);
        EmulatorCell *c;

        assert_true(is_whole(e)); /* margins are for scrolling */
        assert_true(k->cells > 0 && k->kind != CLUSTER_CONTROL);
        /* Without autowrap what does not fit is lost. */
        assert_true(!k->certain || e->column + (int) cells <= e->columns);
        cells = (unsigned) MIN((int) cells, e->columns - e->column);
        for (unsigned i = 0; i < cells; i++)
                split(e, e->row, e->column + (int) i);
        c = emulator_cell(e, e->row, e->column);
        for (unsigned i = 1; i < cells; i++)
                c[i] = (EmulatorCell){ .look = e->look };
        memcpy(c->text, text, k->size);
        c->text[k->size] = 0;
        c->size = k->size;
        c->cells = cells;
        c->look = e->look;
        e->column = MIN(e->column + (int) cells, e->columns - 1);
}

static void write_text(Emulator *e, const char *text, size_t size)
{
        for (size_t i = 0; i < size;) {
                Cluster k;

                cluster_measure(text + i, size - i, &k);
                write_cluster(e, text + i, &k);
                i += k.size;
        }
}

/* ---- sequences ---- */

static void scroll_once(Emulator *e, bool up)
{
        size_t width = (size_t) (e->right - e->left + 1);

        /* What becomes of a cluster that is cut is each terminal's own affair. */
        for (int row = e->top; row <= e->bottom; row++) {
                assert_true(emulator_cell(e, row, e->left)->cells > 0);
                assert_true(e->right + 1 == e->columns ||
                        emulator_cell(e, row, e->right + 1)->cells > 0);
        }
        for (int i = e->top; i < e->bottom; i++) {
                int to = up ? i : e->top + e->bottom - i;

                memcpy(emulator_cell(e, to, e->left), emulator_cell(e, to + (up ? 1 : -1), e->left),
                        width * sizeof(EmulatorCell));
        }
        for (int i = e->left; i <= e->right; i++)
                blank(e, up ? e->bottom : e->top, i);
        e->scrolled++;
        e->beside += !is_whole(e);
}

static void scroll(Emulator *e, int lines)
{
        assert_in_range(abs(lines), 1, e->rows);
        for (int i = 0; i < abs(lines); i++)
                scroll_once(e, lines > 0);
}

static void line_feed(Emulator *e)
{
        if (e->row == e->bottom)
                scroll(e, 1);
        else
                e->row = MIN(e->row + 1, e->rows - 1);
}

/* 38 and 48: takes the parameters that belong to it. */
static size_t set_colour(EmulatorLook *l, const unsigned *p, size_t n)
{
        int64_t *colour = p[0] == 38 ? &l->foreground : &l->background;

        assert_true(n >= 2);
        if (p[1] == 5) {
                assert_true(n >= 3 && p[2] < 256);
                *colour = 0x1000 + p[2];
                return 3;
        }
        assert_true(p[1] == 2 && n >= 5 && p[2] < 256 && p[3] < 256 && p[4] < 256);
        *colour = 0x1000000 + (int64_t) (p[2] << 16 | p[3] << 8 | p[4]);
        return 5;
}

static void set_look(EmulatorLook *l, const unsigned *p, size_t n)
{
        for (size_t i = 0; i < n;) {
                unsigned c = p[i];

                if (c == 38 || c == 48) {
                        i += set_colour(l, p + i, n - i);
                        continue;
                }
                i++;
                if (c == 0)
                        *l = own;
                else if (c == 1 || c == 2 || c == 3 || c == 4 || c == 7 || c == 9)
                        l->attributes |= 1U << c;
                else if (c == 22)
                        l->attributes &= ~(1U << 1 | 1U << 2);
                else if (c == 23 || c == 24 || c == 27 || c == 29)
                        l->attributes &= ~(1U << (c - 20));
                else if (c >= 30 && c <= 37)
                        l->foreground = c - 30;
                else if (c >= 40 && c <= 47)
                        l->background = c - 40;
                else if (c == 39)
                        l->foreground = -1;
                else if (c == 49)
                        l->background = -1;
                else
                        fail_msg("SGR %u", c);
        }
}

static void set_mode(Emulator *e, const char *sequence, size_t size)
{
        bool on = sequence[size - 1] == 'h';

        assert_true(on || sequence[size - 1] == 'l');
        if (strncmp(sequence, "?25", 3) == 0)
                e->cursor_visible = on;
        else if (strncmp(sequence, "?2026", 5) == 0)
                e->synchronized = on;
        else
                fail_msg("mode %.*s", (int) size, sequence);
}

static void set_region(Emulator *e, const unsigned *p, size_t n)
{
        e->top = n > 1 && p[0] > 0 ? (int) p[0] - 1 : 0;
        e->bottom = n > 1 ? (int) p[1] - 1 : e->rows - 1;
        assert_true((n < 2 || e->top < e->bottom) && e->bottom < e->rows);
        e->row = e->column = 0;
}

static void set_margins(Emulator *e, const unsigned *p, size_t n)
{
        assert_true(e->has_margins); /* it is another sequence else */
        e->left = n > 1 ? (int) p[0] - 1 : 0;
        e->right = n > 1 ? (int) p[1] - 1 : e->columns - 1;
        assert_true(e->left >= 0 && e->left < e->right && e->right < e->columns);
        e->row = e->column = 0;
}

static void control_sequence(Emulator *e, const char *sequence, size_t size)
{
        char final = sequence[size - 1];
        unsigned p[24] = { 0 };
        size_t n = 0;
        int count;

        if (sequence[0] == '?') {
                set_mode(e, sequence, size);
                return;
        }
        for (size_t i = 0; i < size - 1; i++) {
                assert_true((sequence[i] >= '0' && sequence[i] <= '9') || sequence[i] == ';');
                assert_true(n < ELEMENTSOF(p));
                if (sequence[i] == ';')
                        n++;
                else
                        p[n] = p[n] * 10 + (unsigned) (sequence[i] - '0');
        }
        n = size > 1 ? n + 1 : 0;
        count = n > 0 && p[0] > 0 ? (int) p[0] : 1;
        switch (final) {
        case 'H':
                e->row = count - 1;
                e->column = n > 1 && p[1] > 0 ? (int) p[1] - 1 : 0;
                break;
        case 'G':
                e->column = count - 1;
                break;
        case 'C':
                e->column += count;
                break;
        case 'D':
                e->column -= count;
                break;
        case 'K':
                assert_int_equal(n, 0);
                erase(e, e->row, e->column, e->columns - e->column);
                break;
        case 'X':
                assert_true(e->column + count <= e->columns);
                erase(e, e->row, e->column, count);
                break;
        case 'J':
                assert_int_equal(p[0], 2);
                for (int row = 0; row < e->rows; row++)
                        erase(e, row, 0, e->columns);
                break;
        case 'S':
        case 'T':
                scroll(e, final == 'S' ? count : -count);
                break;
        case 'r':
                set_region(e, p, n);
                break;
        case 's':
                set_margins(e, p, n);
                break;
        case 'm':
                set_look(&e->look, p, MAX(n, (size_t) 1));
                break;
        default:
                fail_msg("sequence %.*s", (int) size, sequence);
        }
        assert_in_range(e->row, 0, e->rows - 1);
        assert_in_range(e->column, 0, e->columns - 1);
}

static size_t escape(Emulator *e, const char *data, size_t size)
{
        size_t i = 2;

        assert_true(size >= 2);
        if (data[1] == 'M') {
                if (e->row == e->top)
                        scroll(e, -1);
                else
                        e->row = MAX(e->row - 1, 0);
                return 2;
        }
        assert_int_equal(data[1], '[');
        while (i < size && (data[i] < 0x40 || data[i] > 0x7e))
                i++;
        assert_true(i < size);
        control_sequence(e, data + 2, i - 1);
        return i + 1;
}

void emulator_feed(Emulator *e, const char *data, size_t size)
{
        for (size_t i = 0; i < size;) {
                size_t n = 0;

                switch (data[i]) {
                case '\033':
                        i += escape(e, data + i, size - i);
                        break;
                case '\r':
                        assert_true(is_whole(e));
                        e->column = 0;
                        i++;
                        break;
                case '\n':
                        line_feed(e);
                        i++;
                        break;
                case '\b':
                        assert_true(e->column > 0);
                        e->column--;
                        i++;
                        break;
                default:
                        while (i + n < size && (unsigned char) data[i + n] >= 0x20)
                                n++;
                        assert_true(n > 0);
                        write_text(e, data + i, n);
                        i += n;
                }
        }
}
