/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/terminal/style.h"
#include "tests/unit/tui-emulator.h"

static EmulatorLook look_after(const char *sequence, size_t size, EmulatorLook before)
{
        Emulator e;
        EmulatorLook after;

        emulator_init(&e, 2, 2);
        e.look = before;
        emulator_feed(&e, sequence, size);
        after = e.look;
        emulator_done(&e);
        return after;
}

static EmulatorLook look_of(Style s)
{
        static const EmulatorLook strange = { 3, 4, 0xff };
        char sequence[STYLE_CHANGE_MAX];
        size_t n = style_change(STYLE_UNKNOWN, s, sequence);

        return look_after(sequence, n, strange);
}

/* Any change gives what setting it anew gives, and is never longer. */
static void test_changes(void **state)
{
        unsigned seed = 3;

        for (Theme theme = 0; theme < _THEME_MAX; theme++)
                for (ColourDepth depth = COLOURS_NONE; depth <= COLOURS_TRUE; depth++) {
                        style_load(theme, depth);
                        for (unsigned i = 0; i < 3000; i++) {
                                Style from = (Style) (((unsigned) rand_r(&seed) % _STYLE_ROLE_MAX) |
                                              ((unsigned) rand_r(&seed) & 0x1f00)),
                                      to = (Style) (((unsigned) rand_r(&seed) % _STYLE_ROLE_MAX) |
                                              ((unsigned) rand_r(&seed) & 0x1f00));
                                char change[STYLE_CHANGE_MAX], anew[STYLE_CHANGE_MAX];
                                size_t n = style_change(from, to, change);
                                EmulatorLook expected = look_of(to),
                                             got = look_after(change, n, look_of(from));

                                assert_memory_equal(&got, &expected, sizeof got);
                                assert_true(n <= style_change(STYLE_UNKNOWN, to, anew));
                                assert_int_equal(style_change(to, to, change), 0);
                        }
                }
}

static double channel(unsigned c)
{
        double v = c / 255.0;

        return v <= 0.03928 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double luminance(int64_t c)
{
        return 0.2126 * channel((unsigned) c >> 16 & 0xff) +
                0.7152 * channel((unsigned) c >> 8 & 0xff) + 0.0722 * channel((unsigned) c & 0xff);
}

/* WCAG's measure. */
static double contrast(int64_t a, int64_t b)
{
        double x = luminance(a) + 0.05, y = luminance(b) + 0.05;

        return x > y ? x / y : y / x;
}

static int64_t rgb(int64_t colour)
{
        static const int steps[] = { 0, 95, 135, 175, 215, 255 };
        int n;

        if (colour >= 0x1000000)
                return colour - 0x1000000;
        n = (int) colour - 0x1000;
        assert_in_range(n, 16, 255);
        if (n >= 232)
                return (8 + 10 * (n - 232)) * 0x010101;
        n -= 16;
        return steps[n / 36] << 16 | steps[n / 6 % 6] << 8 | steps[n % 6];
}

static void test_contrast(void **state)
{
        static const int64_t grounds[_THEME_MAX][3] = {
                [THEME_DARK] = { 0x000000, 0x1e1e2e, 0x002b36 },
                [THEME_LIGHT] = { 0xffffff, 0xfdf6e3, 0xeff1f5 },
        };

        assert_true(contrast(0, 0xffffff) > 20.9 && contrast(0, 0xffffff) < 21.1);
        for (Theme theme = 0; theme < _THEME_MAX; theme++)
                for (ColourDepth depth = COLOURS_256; depth <= COLOURS_TRUE; depth++) {
                        style_load(theme, depth);
                        for (StyleRole r = 0; r < _STYLE_ROLE_MAX; r++) {
                                EmulatorLook l = look_of((Style) r);
                                double wanted = r >= STYLE_AVATAR_OUTLINE ? 3 : 4.5;

                                if (l.foreground < 0)
                                        continue;
                                for (size_t i = 0; i < 3; i++) {
                                        int64_t ground = l.background < 0 ? grounds[theme][i]
                                                                          : rgb(l.background);
                                        double is = contrast(rgb(l.foreground), ground);

                                        if (is < wanted)
                                                fail_msg(
                                                        "theme %d, depth %d: role %d has %.2f on %06x",
                                                        (int) theme, (int) depth, (int) r, is,
                                                        (unsigned) ground);
                                }
                        }
                }
}

/* What xterm and the Linux console make of the eight; bold is brighter on some, so there the worse
 * of the two counts, but for red and its like on black, where all who know bold brighten it. */
static void test_contrast_of_eight(void **state)
{
        static const int64_t palettes[][2][8] = {
                { { 0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd,
                          0xe5e5e5 },
                        { 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff,
                                0xffffff } },
                { { 0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa,
                          0xaaaaaa },
                        { 0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff,
                                0xffffff } },
        };

        for (Theme theme = 0; theme < _THEME_MAX; theme++) {
                style_load(theme, COLOURS_8);
                for (StyleRole r = 0; r < _STYLE_ROLE_MAX; r++) {
                        EmulatorLook l = look_of((Style) r);
                        bool bold = l.attributes & 1U << 1;
                        double wanted = r >= STYLE_AVATAR_OUTLINE ? 2.5 : 3;

                        for (size_t i = 0; i < ELEMENTSOF(palettes) && l.foreground >= 0; i++) {
                                int64_t ground = l.background >= 0 ? palettes[i][0][l.background]
                                        : theme == THEME_DARK      ? 0x000000
                                                                   : 0xffffff;
                                double is = contrast(palettes[i][0][l.foreground], ground),
                                       bright = contrast(palettes[i][1][l.foreground], ground);

                                if (bold && (theme == THEME_DARK || bright < is))
                                        is = bright;
                                if (is < wanted)
                                        fail_msg("theme %d: role %d has %.2f on %06x", (int) theme,
                                                (int) r, is, (unsigned) ground);
                        }
                }
        }
}

/* Normal text is the terminal's own, at each depth; without colours there are none. */
static void test_own_colours(void **state)
{
        for (Theme theme = 0; theme < _THEME_MAX; theme++)
                for (ColourDepth depth = COLOURS_NONE; depth <= COLOURS_TRUE; depth++) {
                        char sequence[STYLE_CHANGE_MAX];

                        style_load(theme, depth);
                        assert_int_equal(style_change(STYLE_UNKNOWN, STYLE_NORMAL, sequence), 3);
                        assert_memory_equal(sequence, "\033[m", 3);
                        assert_true(style_has_own_background(STYLE_NORMAL));
                        assert_int_equal(style_has_own_background(STYLE_CODE), depth < COLOURS_256);
                        for (StyleRole r = 0; depth == COLOURS_NONE && r < _STYLE_ROLE_MAX; r++) {
                                EmulatorLook l = look_of((Style) r);

                                assert_true(l.foreground == -1 && l.background == -1);
                        }
                }
}

static void test_blanks(void **state)
{
        style_load(THEME_DARK, COLOURS_TRUE);
        assert_true(style_is_alike_blank(STYLE_NORMAL, STYLE_ACCENT | STYLE_BOLD));
        assert_true(style_is_alike_blank(STYLE_CODE, STYLE_KEYWORD));
        assert_false(style_is_alike_blank(STYLE_NORMAL, STYLE_CODE));
        assert_false(style_is_alike_blank(STYLE_NORMAL, STYLE_NORMAL | STYLE_UNDERLINE));
        assert_false(style_is_alike_blank(
                STYLE_NORMAL | STYLE_UNDERLINE, STYLE_ACCENT | STYLE_UNDERLINE));
        assert_true(style_is_alike_blank(
                STYLE_ACCENT | STYLE_UNDERLINE, STYLE_ACCENT | STYLE_UNDERLINE | STYLE_BOLD));
        assert_true(style_is_plain_blank(STYLE_CODE | STYLE_BOLD));
        assert_false(style_is_plain_blank(STYLE_NORMAL | STYLE_REVERSE));
        style_load(THEME_DARK, COLOURS_8);
        assert_false(style_is_plain_blank(STYLE_BAR));
}

static void test_names(void **state)
{
        assert_int_equal(theme_from_string("dark"), THEME_DARK);
        assert_int_equal(theme_from_string("light"), THEME_LIGHT);
        assert_int_equal(theme_from_string("auto"), _THEME_INVALID);
        assert_int_equal(theme_from_string(NULL), _THEME_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_changes),
                cmocka_unit_test(test_contrast),
                cmocka_unit_test(test_contrast_of_eight),
                cmocka_unit_test(test_own_colours),
                cmocka_unit_test(test_blanks),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests_name("tui-style", tests, NULL, NULL);
}
