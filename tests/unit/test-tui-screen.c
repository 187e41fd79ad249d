/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/terminal/screen-internal.h"
#include "tests/unit/tui-emulator.h"
#include "tests/unit/tui-rows.h"

typedef struct World {
        Screen *screen;
        Emulator emulator;
        Buffer out;
} World;

static void world_init(World *w, int rows, int columns, ScreenFlags flags)
{
        *w = (World){ .out = BUFFER_INIT(MIB(4)) };
        style_load(THEME_DARK, COLOURS_TRUE);
        assert_int_equal(screen_new(&w->screen), 0);
        screen_set_flags(w->screen, flags);
        assert_int_equal(screen_resize(w->screen, rows, columns), 0);
        emulator_init(&w->emulator, rows, columns);
        w->emulator.erases_with_background = (flags & SCREEN_CAN_ERASE) != 0;
        w->emulator.has_margins = (flags & SCREEN_HAS_MARGINS) != 0;
}

static void world_done(World *w)
{
        w->screen = screen_free(w->screen);
        emulator_done(&w->emulator);
        buffer_done(&w->out);
}

/* All worlds have one theme: what a style looks like is asked once. */
static EmulatorLook look_of(Style style)
{
        static EmulatorLook looks[0x2000];
        static bool known[ELEMENTSOF(looks)];
        char sequence[STYLE_CHANGE_MAX];
        Emulator e;

        assert_true(style < ELEMENTSOF(looks));
        if (known[style])
                return looks[style];
        emulator_init(&e, 2, 2);
        emulator_feed(&e, sequence, style_change(STYLE_UNKNOWN, style, sequence));
        looks[style] = e.look;
        known[style] = true;
        emulator_done(&e);
        return looks[style];
}

#define SEEN_ON_BLANKS (1U << 4 | 1U << 7 | 1U << 9)

static bool looks_alike(EmulatorLook a, EmulatorLook b, bool blank)
{
        if (blank && !((a.attributes | b.attributes) & SEEN_ON_BLANKS))
                return a.background == b.background;
        if (blank)
                return (a.attributes & SEEN_ON_BLANKS) == (b.attributes & SEEN_ON_BLANKS) &&
                        a.background == b.background && a.foreground == b.foreground;
        return memcmp(&a, &b, sizeof a) == 0;
}

/* Every cell that was drawn is on the terminal, and looks as it should. Where terminals do not
 * agree on a cluster's cells, what it made of them is its own affair, but not what is around. */
static void assert_shown(const World *w)
{
        const Screen *s = w->screen;

        for (int row = 0; row < s->rows; row++)
                for (int column = 0; column < s->columns;) {
                        const Cell *c = screen_cell(s->drawn, s, row, column);
                        const EmulatorCell *e = emulator_cell(&w->emulator, row, column);
                        EmulatorLook look = look_of(c->style);

                        assert_true(c->cells > 0 && column + c->cells <= s->columns);
                        if (!(w->emulator.doubt != 0 && (c->flags & CELL_UNCERTAIN))) {
                                if (e->size != c->size ||
                                        memcmp(e->text, cell_text(s, c), c->size) != 0)
                                        fail_msg("%d,%d: \"%s\" instead of \"%.*s\"", row, column,
                                                e->text, c->size, cell_text(s, c));
                                assert_int_equal(e->cells, c->cells);
                                assert_true(looks_alike(e->look, look, cell_is_blank(c)));
                        } else if (w->emulator.doubt < 0)
                                /* What it did not take is blank, not what stood there before. */
                                for (unsigned i = e->cells; i < c->cells; i++)
                                        assert_string_equal(e[i].text, " ");
                        column += c->cells;
                }
        assert_int_equal(w->emulator.cursor_visible, s->wanted.row >= 0);
        if (s->wanted.row >= 0) {
                assert_int_equal(w->emulator.row, s->wanted.row);
                assert_int_equal(w->emulator.column, s->wanted.column);
        }
        assert_false(w->emulator.synchronized);
        assert_true(w->emulator.top == 0 && w->emulator.bottom == s->rows - 1);
        assert_true(w->emulator.left == 0 && w->emulator.right == s->columns - 1);
}

/* The frame's bytes. */
static size_t show(World *w)
{
        size_t size;

        buffer_clear(&w->out);
        assert_int_equal(screen_render(w->screen, &w->out), 0);
        emulator_feed(&w->emulator, buffer_text(&w->out), w->out.size);
        assert_shown(w);
        size = w->out.size;
        buffer_clear(&w->out);
        assert_int_equal(screen_render(w->screen, &w->out), 0);
        assert_int_equal(w->out.size, 0); /* nothing twice */
        return size;
}

/* ---- drawing ---- */

static void test_clipping(void **state)
{
        World w;

        world_init(&w, 3, 10, 0);
        screen_begin(w.screen);
        assert_int_equal(screen_print(w.screen, 0, 0, 4, 0, "abcdef"), 4);
        assert_int_equal(screen_print(w.screen, 0, 8, 100, 0, "xyz"), 2);
        assert_int_equal(screen_print(w.screen, 1, -2, 6, 0, "abcdefgh"), 6);
        assert_int_equal(screen_print(w.screen, 1, 6, 3, 0, "\u6f22\u5b57"), 3); /* cut */
        assert_int_equal(screen_print(w.screen, 2, -1, 10, 0, "\u6f22\u5b57"), 4);
        assert_int_equal(screen_print(w.screen, 3, 0, 10, 0, "out"), 0);
        assert_int_equal(screen_print(w.screen, -1, 0, 10, 0, "out"), 0);
        assert_int_equal(screen_print(w.screen, 0, 10, 10, 0, "out"), 0);
        assert_int_equal(screen_print(w.screen, 0, 0, 0, 0, "out"), 0);
        assert_screen_row(w.screen, 0, "abcd    xy");
        assert_screen_row(w.screen, 1, "cdef  \u6f22");
        assert_screen_row(w.screen, 2, " \u5b57");
        (void) show(&w);
        world_done(&w);
}

static void test_over_wide_ones(void **state)
{
        World w;

        world_init(&w, 4, 10, 0);
        for (int row = 0; row < 4; row++)
                screen_begin(w.screen);
        for (int row = 0; row < 4; row++)
                (void) screen_print(w.screen, row, 0, 10, 0, "\u6f22\u5b57\u6f22");
        (void) screen_print(w.screen, 0, 1, 1, 0, "a");
        (void) screen_print(w.screen, 1, 2, 1, 0, "a");
        (void) screen_print(w.screen, 2, 1, 2, 0, "\uff21");
        screen_fill(w.screen, (Area){ 3, 1, 1, 2 }, STYLE_CODE);
        assert_screen_row(w.screen, 0, " a\u5b57\u6f22");
        assert_screen_row(w.screen, 1,
                "\u6f22"
                "a \u6f22");
        assert_screen_row(w.screen, 2, " \uff21 \u6f22");
        assert_screen_row(w.screen, 3, "    \u6f22");
        (void) show(&w);
        world_done(&w);
}

static void test_harmless(void **state)
{
        World w;

        world_init(&w, 3, 20, 0);
        screen_begin(w.screen);
        assert_int_equal(screen_draw(w.screen, 0, 0, 20, 0, "a\033[2J\0\x7f\xc2\x9b\n", 10), 9);
        (void) screen_print(w.screen, 1, 0, 20, 0, "\u202e\xff\u200b\u0301x\u00ad.");
        assert_screen_row(w.screen, 0, "a\u241b[2J\u2400\u2421\ufffd\u240a");
        assert_screen_row(w.screen, 1, "\ufffd\ufffd\u25cc\u0301x.");
        (void) show(&w);
        world_done(&w);
}

static void test_ascii(void **state)
{
        World w;

        world_init(&w, 2, 30, SCREEN_ASCII);
        screen_begin(w.screen);
        (void) screen_print(
                w.screen, 0, 0, 30, 0, "\u00e4\u2500\u2502\u201cx\u201d\u2026\u6f22.\033");
        assert_screen_row(w.screen, 0, "a-|\"x\".? .?");
        (void) screen_print(w.screen, 1, 0, 30, 0, "e\u0301\U0001f600\uff21!");
        assert_screen_row(w.screen, 1, "e? A !");
        (void) show(&w);
        world_done(&w);
}

static void test_restyle(void **state)
{
        World w;
        const Cell *line;

        world_init(&w, 1, 10, 0);
        screen_begin(w.screen);
        (void) screen_print(w.screen, 0, 0, 10, STYLE_ACCENT, "ab\u6f22\u5b57z");
        screen_restyle(w.screen, (Area){ 0, 3, 1, 2 }, STYLE_MATCH | STYLE_BOLD);
        screen_restyle(w.screen, (Area){ 0, 0, 5, 1 }, STYLE_NORMAL | STYLE_REVERSE);
        line = w.screen->drawn;
        assert_int_equal(line[0].style, STYLE_ACCENT | STYLE_REVERSE);
        assert_int_equal(line[1].style, STYLE_ACCENT);
        for (int i = 2; i < 6; i++)
                assert_int_equal(line[i].style, STYLE_MATCH | STYLE_BOLD);
        assert_int_equal(line[6].style, STYLE_ACCENT);
        (void) show(&w);
        world_done(&w);
}

static void test_long_clusters(void **state)
{
        World w;

        world_init(&w, 40, 60, 0);
        /* More different ones than the table holds, over many frames and then in one. */
        for (unsigned frame = 0; frame < 8; frame++) {
                unsigned each = frame < 7 ? 10 : 60;

                screen_begin(w.screen);
                /* The table may have been cleaned: what is shown is still what it was. */
                for (int i = 0; i < 40 * 60; i++) {
                        const Cell *c = &w.screen->shown[i];

                        assert_true(frame == 0 ||
                                memcmp(w.emulator.cells[i].text, cell_text(w.screen, c), c->size) ==
                                        0);
                }
                for (unsigned i = 0; i < 40 * each; i++) {
                        char text[64];
                        unsigned n = frame * 4000 + i;

                        (void) snprintf(text, sizeof text, "a%s%s%s%s%s%s%s%s%s%s%s%s",
                                n & 1 ? "\u0301" : "\u0300", n & 2 ? "\u0301" : "\u0300",
                                n & 4 ? "\u0301" : "\u0300", n & 8 ? "\u0301" : "\u0300",
                                n & 16 ? "\u0301" : "\u0300", n & 32 ? "\u0301" : "\u0300",
                                n & 64 ? "\u0301" : "\u0300", n & 128 ? "\u0301" : "\u0300",
                                n & 256 ? "\u0301" : "\u0300", n & 512 ? "\u0301" : "\u0300",
                                n & 1024 ? "\u0301" : "\u0300", n & 2048 ? "\u0301" : "\u0300");
                        assert_int_equal(screen_print(w.screen, (int) (i / each), (int) (i % each),
                                                 1, 0, text),
                                1);
                        if (frame < 7)
                                assert_true(screen_cell(w.screen->drawn, w.screen, (int) (i / each),
                                                    (int) (i % each))
                                                    ->flags &
                                        CELL_LONG);
                }
                if (frame < 7)
                        (void) show(&w);
        }
        assert_int_equal(w.screen->clusters.n, CLUSTERS_MAX);
        w.emulator.doubt = 1; /* those that had no place are not certain */
        (void) show(&w);
        world_done(&w);
}

static void test_sizes(void **state)
{
        World w;

        world_init(&w, 2, 2, 0);
        assert_int_equal(screen_resize(w.screen, 0, -5), 0);
        assert_int_equal(screen_rows(w.screen), 1);
        assert_int_equal(screen_columns(w.screen), 1);
        assert_int_equal(screen_resize(w.screen, 100000, 100000), 0);
        assert_int_equal(screen_rows(w.screen), SCREEN_ROWS_MAX);
        assert_int_equal(screen_columns(w.screen), SCREEN_COLUMNS_MAX);
        world_done(&w);
}

static void test_no_room_for_output(void **state)
{
        World w;

        world_init(&w, 4, 20, 0);
        w.out.maximum = 30;
        screen_begin(w.screen);
        (void) screen_print(w.screen, 2, 0, 20, 0, "one two three");
        assert_int_equal(buffer_append_string(&w.out, "kept"), 0);
        assert_int_equal(screen_render(w.screen, &w.out), -EFBIG);
        assert_string_equal(w.out.data, "kept");
        w.out.maximum = KIB(1);
        (void) show(&w);
        world_done(&w);
}

/* ---- bytes ---- */

static void test_cost_of_appending(void **state)
{
        static const StyleRole roles[] = { STYLE_NORMAL, STYLE_CODE, STYLE_REASONING };
        static const char words[] = "the quick brown fox jumps over the lazy dog; ";
        World w;

        world_init(&w, 50, 120, SCREEN_SYNCHRONIZED | SCREEN_CAN_SCROLL | SCREEN_CAN_ERASE);
        for (size_t i = 0; i < ELEMENTSOF(roles); i++)
                for (size_t k = 1; k <= 40; k++) {
                        char text[120] = "";
                        size_t n = 0;

                        for (unsigned frame = 0; n + k < 110; frame++) {
                                size_t bytes;

                                for (size_t c = 0; c < k; c++)
                                        text[n + c] = words[(n + c) % (sizeof words - 1)];
                                n += k;
                                screen_begin(w.screen);
                                (void) screen_print(w.screen, 3, 0, 120, 0, "above");
                                (void) screen_draw(w.screen, 20, 5, 115, (Style) roles[i], text, n);
                                screen_place_cursor(w.screen, 47, 11);
                                bytes = show(&w);
                                if (frame > 0 && bytes > k + 64)
                                        fail_msg("%zu bytes for %zu characters", bytes, k);
                        }
                }
        world_done(&w);
}

static void test_cost_of_a_key(void **state)
{
        World w;
        char text[40] = "";

        world_init(&w, 24, 80, SCREEN_SYNCHRONIZED);
        for (int n = 0; n < 30; n++) {
                size_t bytes;

                text[n] = 'x';
                screen_begin(w.screen);
                (void) screen_print(w.screen, 20, 4, 70, STYLE_INPUT, text);
                screen_place_cursor(w.screen, 20, 4 + n + 1);
                bytes = show(&w);
                if (n > 0)
                        assert_int_equal(bytes, 1);
        }
        world_done(&w);
}

static void draw_numbers(Screen *s, int first)
{
        screen_begin(s);
        for (int row = 2; row < 20; row++) {
                char text[64];

                (void) snprintf(text, sizeof text, "line %d of many that have been written: %d",
                        first + row, (first + row) * 7919);
                (void) screen_print(s, row, 0, 80, 0, text);
        }
}

static void test_cost_of_scrolling(void **state)
{
        static const int steps[] = { 1, -1, 5, -5, 17, -17, 18, 100, -100 };
        World w;
        size_t scrolled = 0, drawn = 0;

        for (unsigned pass = 0; pass < 2; pass++) {
                int first = 1000;

                world_init(&w, 24, 80, pass == 0 ? SCREEN_CAN_SCROLL : 0);
                draw_numbers(w.screen, first);
                (void) show(&w);
                for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                        size_t bytes;

                        first += steps[i];
                        draw_numbers(w.screen, first);
                        screen_scrolled(w.screen, (Area){ 2, 0, 18, 80 }, steps[i]);
                        bytes = show(&w);
                        if (i == 0 && pass == 0)
                                scrolled = bytes;
                        if (i == 0 && pass == 1)
                                drawn = bytes;
                }
                world_done(&w);
        }
        assert_in_range(scrolled, 1, 120);
        assert_true(drawn > scrolled);
}

#define LIST_COLUMNS 30

/* A list of so many rows at the left, that stays, and a text that goes on. */
static void draw_beside_list(Screen *s, int items, int first)
{
        int rows = screen_rows(s), columns = screen_columns(s);
        char text[80];

        screen_begin(s);
        for (int row = 0; row < rows - 1; row++) {
                (void) snprintf(text, sizeof text, "conversation %d", row * 7919);
                if (row < items)
                        (void) screen_print(s, row, 2, LIST_COLUMNS - 3, STYLE_NORMAL, text);
                (void) screen_print(s, row, LIST_COLUMNS - 1, 1, STYLE_DIM, "\u2502");
                (void) snprintf(text, sizeof text, "line %d of many that have been written: %d",
                        first + row, (first + row) * 7919);
                (void) screen_print(
                        s, row, LIST_COLUMNS + 1, columns - LIST_COLUMNS - 1, STYLE_NORMAL, text);
        }
        (void) screen_print(s, rows - 1, 0, columns, STYLE_BAR, "model \u00b7 ready");
        screen_place_cursor(s, rows - 1, 4);
}

static size_t cost_beside_list(ScreenFlags flags, int items, int lines, bool hinted)
{
        const int rows = 40, columns = 120;
        size_t bytes;
        World w;

        world_init(&w, rows, columns, flags);
        draw_beside_list(w.screen, items, 1000);
        (void) show(&w);
        draw_beside_list(w.screen, items, 1000 + lines);
        if (hinted)
                screen_scrolled(w.screen,
                        (Area){ 0, LIST_COLUMNS, rows - 1, columns - LIST_COLUMNS }, lines);
        bytes = show(&w);
        if (hinted && (flags & SCREEN_HAS_MARGINS))
                assert_int_equal(w.emulator.scrolled, abs(lines));
        world_done(&w);
        return bytes;
}

/* Every way is no longer than the one before, and the last is the new lines and what it takes to
 * say that all others have moved. */
static void test_cost_beside_a_list(void **state)
{
        static const ScreenFlags usual = SCREEN_SYNCHRONIZED | SCREEN_CAN_SCROLL | SCREEN_CAN_ERASE;
        static const ScreenFlags flags[] = {
                usual,
                usual | SCREEN_SCROLLS_MANY,
                usual | SCREEN_SCROLLS_MANY | SCREEN_HAS_MARGINS,
        };
        static const int lists[] = { 0, 1, 5, 20, 39 }, steps[] = { 1, -1, 3, -3 };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (size_t k = 0; k < ELEMENTSOF(steps); k++) {
                        size_t lines = (size_t) abs(steps[k]), text = 54 * lines,
                               beside = (size_t) lists[i] * LIST_COLUMNS + 28 * lines, bytes[4];

                        bytes[0] = cost_beside_list(usual, lists[i], steps[k], /* hinted= */ false);
                        for (size_t n = 0; n < ELEMENTSOF(flags); n++) {
                                bytes[n + 1] = cost_beside_list(
                                        flags[n], lists[i], steps[k], /* hinted= */ true);
                                assert_in_range(bytes[n + 1], 1, bytes[n]);
                        }
                        assert_in_range(bytes[2], 1, text + beside + 64);
                        assert_in_range(bytes[3], 1, text + 64);
                        print_message("# a list of %d, %d lines: drawn anew %zu bytes, whole rows "
                                      "scrolled %zu, with margins %zu\n",
                                lists[i], steps[k], bytes[0], bytes[2], bytes[3]);
                }
}

/* ---- any pictures ---- */

static const char *const scraps[] = { "hello world", "      ", "x", "\u6f22\u5b57", "e\u0301",
        "\U0001f600", "\u2764\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f1e9\U0001f1ea", "\U0001f1e9", "\u0915\u093e", "1\ufe0f\u20e3", "\u00e4\u00f6",
        "the same text again", "\033[31m", "\u0301", "                              ", "a b c" };

static unsigned draw_any(Screen *s, unsigned seed)
{
        unsigned n = (unsigned) rand_r(&seed) % 12;

        for (unsigned i = 0; i < n; i++) {
                int row = rand_r(&seed) % (s->rows + 2) - 1,
                    column = rand_r(&seed) % (s->columns + 6) - 3;
                Style style = (Style) ((unsigned) rand_r(&seed) % _STYLE_ROLE_MAX);

                if (rand_r(&seed) % 4 == 0)
                        style |= (Style) ((unsigned) rand_r(&seed) & 0x1f00);
                switch (rand_r(&seed) % 6) {
                case 0:
                        screen_fill(s,
                                (Area){ row, column, 1 + rand_r(&seed) % 4,
                                        1 + rand_r(&seed) % s->columns },
                                style);
                        break;
                case 1:
                        screen_restyle(s, (Area){ row, column, 1, rand_r(&seed) % 9 }, style);
                        break;
                default:
                        for (unsigned k = 0; k < 3; k++)
                                column += screen_print(s, row, column, s->columns, style,
                                        scraps[(unsigned) rand_r(&seed) % ELEMENTSOF(scraps)]);
                }
        }
        return (unsigned) rand_r(&seed);
}

static void draw_out_of_seed(Screen *s, int row, int column, int end, unsigned seed)
{
        Style style = (Style) ((unsigned) rand_r(&seed) % _STYLE_ROLE_MAX);

        while (column < end && rand_r(&seed) % 5 > 0)
                column += screen_print(s, row, column, end - column, style,
                        scraps[(unsigned) rand_r(&seed) % ELEMENTSOF(scraps)]);
}

/* Of n rows the seeds of those that were moved by so many lines; new ones for the others. */
static void move_seeds(unsigned *seeds, int n, int lines, unsigned *seed)
{
        for (int i = 0; i < n; i++) {
                int to = lines > 0 ? i : n - 1 - i, from = to + lines;

                seeds[to] = from >= 0 && from < n ? seeds[from] : (unsigned) rand_r(seed);
        }
}

/* Each row of the picture grows out of seeds, so that rows can move, stay, or become others; and
 * these columns of it without those beside. */
typedef struct Pictures {
        int left, right;
        unsigned seeds[40], beside[40];
} Pictures;

static void next_picture(World *w, Pictures *p, unsigned *seed)
{
        Screen *s = w->screen;
        int rows = screen_rows(s), columns = screen_columns(s), lines = 0,
            top = rand_r(seed) % rows, n = 1 + rand_r(seed) % (rows - top);

        if (rand_r(seed) % 3 == 0) {
                lines = rand_r(seed) % (2 * n + 1) - n;
                move_seeds(p->seeds + top, n, lines, seed);
        } else
                p->seeds[top] = (unsigned) rand_r(seed);
        screen_begin(s);
        for (int row = 0; row < rows; row++) {
                draw_out_of_seed(s, row, 0, p->left, p->beside[row]);
                draw_out_of_seed(s, row, p->left, p->right, p->seeds[row]);
                draw_out_of_seed(s, row, p->right, columns, p->beside[row] + 1);
        }
        if (rand_r(seed) % 4 == 0)
                (void) draw_any(s, (unsigned) rand_r(seed));
        if (lines != 0 || rand_r(seed) % 5 == 0) /* also hints that are wrong */
                screen_scrolled(s, (Area){ top, p->left, n, p->right - p->left }, lines);
        if (rand_r(seed) % 2)
                screen_place_cursor(s, rand_r(seed) % rows, rand_r(seed) % columns);
        if (rand_r(seed) % 50 == 0)
                screen_forget(s);
}

/* Returns the rows that the terminal scrolled without those beside. */
static unsigned any_pictures(ScreenFlags flags, int rows, int columns, int doubt, unsigned seed)
{
        Pictures p = { .left = rand_r(&seed) % (columns / 2), .right = columns };
        unsigned beside;
        World w;

        if (seed % 2)
                p.right -= rand_r(&seed) % (columns / 2 - 1);
        world_init(&w, rows, columns, flags);
        w.emulator.doubt = doubt;
        for (int i = 0; i < rows; i++) {
                p.seeds[i] = (unsigned) rand_r(&seed);
                p.beside[i] = (unsigned) rand_r(&seed);
        }
        for (unsigned frame = 0; frame < 60; frame++) {
                next_picture(&w, &p, &seed);
                (void) show(&w);
        }
        beside = w.emulator.beside;
        world_done(&w);
        return beside;
}

static void test_any_pictures(void **state)
{
        unsigned seed = 1, beside = 0;

        for (unsigned flags = 0; flags < 32; flags++)
                for (int doubt = -1; doubt <= 1; doubt++) {
                        unsigned n = any_pictures((ScreenFlags) (flags << 1), 5 + (int) flags,
                                20 + 5 * (int) flags, doubt, seed++);

                        assert_true(n == 0 || (flags << 1 & SCREEN_HAS_MARGINS));
                        beside += n;
                }
        assert_true(beside > 300);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clipping),
                cmocka_unit_test(test_over_wide_ones),
                cmocka_unit_test(test_harmless),
                cmocka_unit_test(test_ascii),
                cmocka_unit_test(test_restyle),
                cmocka_unit_test(test_long_clusters),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_no_room_for_output),
                cmocka_unit_test(test_cost_of_appending),
                cmocka_unit_test(test_cost_of_a_key),
                cmocka_unit_test(test_cost_of_scrolling),
                cmocka_unit_test(test_cost_beside_a_list),
                cmocka_unit_test(test_any_pictures),
        };

        return cmocka_run_group_tests_name("tui-screen", tests, NULL, NULL);
}
