/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/utf8.h"

#define R UTF8_REPLACEMENT

typedef struct Case {
        const char *in;
        size_t size;
        const char *out;
} Case;

#define CASE(s, o) \
        { \
                s, sizeof(s) - 1, o \
        }

static const Case repairs[] = {
        CASE("", ""),
        CASE("plain ascii, longer than eight", "plain ascii, longer than eight"),
        CASE("h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80",
                "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80"),
        CASE("a\0b", "a" R "b"),
        CASE("1234567\0"
             "89",
                "1234567" R "89"),
        CASE("\x80", R),
        CASE("\xff\xfe", R R),
        CASE("\xc0\x80", R R), /* overlong: neither byte begins anything */
        CASE("\xc1\xbf", R R),
        CASE("\xe0\x80\xaf", R R R),
        CASE("\xed\xa0\x80", R R R), /* a surrogate */
        CASE("\xed\x9f\xbf", "\xed\x9f\xbf"),
        CASE("\xee\x80\x80", "\xee\x80\x80"),
        CASE("\xf0\x8f\xbf\xbf", R R R R),
        CASE("\xf0\x90\x80\x80", "\xf0\x90\x80\x80"),
        CASE("\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd"), /* U+10FFFD */
        /* Noncharacters, and what is beside them. */
        CASE("\xf4\x8f\xbf\xbe\xf4\x8f\xbf\xbf", R R),
        CASE("\xef\xbf\xbd\xef\xbf\xbe\xef\xbf\xbf", R R R),
        CASE("\xef\xb7\x8f\xef\xb7\x90\xef\xb7\xaf\xef\xb7\xb0", "\xef\xb7\x8f" R R "\xef\xb7\xb0"),
        CASE("\xf0\x9f\xbf\xbd\xf0\x9f\xbf\xbe", "\xf0\x9f\xbf\xbd" R),
        CASE("\xf0\x9e\xbf\xbe\xef\xbb\xbf", "\xf0\x9e\xbf\xbe\xef\xbb\xbf"),
        CASE("\xf4\x90\x80\x80", R R R R), /* U+110000 */
        CASE("\xf5\x80\x80\x80", R R R R),
        CASE("\xe2\x82"
             "A",
                R "A"), /* one for the maximal subpart */
        CASE("\xf0\x9f\x98"
             "A",
                R "A"),
        CASE("\xf0\x9f"
             "A",
                R "A"),
        CASE("\xf0\x9f\xe2\x82\xac", R "\xe2\x82\xac"),
        CASE("\xe2\x82\xe2\x82\xac", R "\xe2\x82\xac"),
        CASE("\xc3\xc3\xa9", R "\xc3\xa9"),
        CASE("\xe2", R),
        CASE("ab\xe2\x82", "ab" R),
        CASE("\xf0\x9f\x98", R),
        /* Unicode 15, tables 3-8 to 3-11 */
        CASE("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82"
             "A",
                R R R R R R R R "A"),
        CASE("\xed\xa0\x80\xed\xbf\xbf\xed\xaf"
             "A",
                R R R R R R R R "A"),
        CASE("\xf4\x91\x92\x93\xff"
             "A\x80\xbf"
             "B",
                R R R R R "A" R R "B"),
        CASE("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf"
             "A",
                R R R R "A"),
};

static void feed(const Case *c, const size_t *cuts, size_t n_cuts)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(1024);
        Utf8Repair u = { 0 };
        size_t from = 0;

        for (size_t i = 0; i <= n_cuts; i++) {
                size_t to = i < n_cuts ? cuts[i] : c->size;

                assert_int_equal(utf8_repair(&u, c->in + from, to - from, &out), 0);
                assert_true(utf8_is_valid(buffer_text(&out), out.size));
                from = to;
        }
        assert_int_equal(utf8_repair_flush(&u, &out), 0);
        assert_string_equal(buffer_text(&out), c->out);
}

static void test_repair_whole_and_every_cut(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(repairs); i++) {
                size_t each[64];

                feed(repairs + i, NULL, 0);
                assert_true(repairs[i].size < ELEMENTSOF(each));
                for (size_t a = 0; a <= repairs[i].size; a++) {
                        each[a] = a;
                        for (size_t b = a; b <= repairs[i].size; b++)
                                feed(repairs + i, (const size_t[]){ a, b }, 2);
                }
                feed(repairs + i, each, repairs[i].size);
        }
}

static void test_repair_over_the_limit_changes_nothing(void **state)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(4);
        Utf8Repair u = { 0 };

        assert_int_equal(utf8_repair(&u, "ab\xe2", 3, &out), 0);
        assert_int_equal(u.n_pending, 1);
        assert_int_equal(utf8_repair(&u, "\x82\xac", 2, &out), -EFBIG);
        assert_int_equal(u.n_pending, 1);
        assert_string_equal(out.data, "ab");
        assert_int_equal(utf8_repair_flush(&u, &out), -EFBIG);
        assert_int_equal(u.n_pending, 1);
        out.maximum = 5;
        assert_int_equal(utf8_repair(&u, "\x82\xac", 2, &out), 0);
        assert_string_equal(out.data, "ab\xe2\x82\xac");
        assert_int_equal(utf8_repair(&u, "", 0, &out), 0);
        assert_int_equal(u.n_pending, 0);
}

static void test_valid(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(repairs); i++)
                assert_int_equal(utf8_is_valid(repairs[i].in, repairs[i].size),
                        strlen(repairs[i].out) == repairs[i].size &&
                                memcmp(repairs[i].in, repairs[i].out, repairs[i].size) == 0);
        assert_int_equal(utf8_valid_prefix("12345678abc\xff", 12), 11);
        assert_int_equal(utf8_valid_prefix("\xe2\x82\xac\xe2\x82", 5), 3);
        assert_int_equal(utf8_valid_prefix("abc\0d", 5), 3);
}

/* Each case behind text of every kind and length that is skipped quickly. */
static void test_valid_behind(void **state)
{
        static const char *const kinds[] = { "a", "é", "日", "𠀋", "aé日" };

        for (size_t k = 0; k < ELEMENTSOF(kinds); k++)
                for (size_t n = 0; n < 10; n++)
                        for (size_t i = 0; i < ELEMENTSOF(repairs); i++) {
                                size_t step = strlen(kinds[k]), size = n * step, alone;
                                char text[128];

                                for (size_t j = 0; j < n; j++)
                                        memcpy(text + j * step, kinds[k], step);
                                assert_true(size + repairs[i].size <= sizeof text);
                                memcpy(text + size, repairs[i].in, repairs[i].size);
                                alone = utf8_valid_prefix(repairs[i].in, repairs[i].size);
                                assert_int_equal(utf8_valid_prefix(text, size + repairs[i].size),
                                        size + alone);
                        }
}

static void test_cut(void **state)
{
        const char *s = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"; /* borders 0 1 3 6 10 */
        static const size_t wanted[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };

        for (size_t i = 0; i < ELEMENTSOF(wanted); i++)
                assert_int_equal(utf8_cut(s, 10, i), wanted[i]);
}

static void test_clean_line(void **state)
{
        static const char *const clean[] = { "", "A title", "\xe2\x82\xac", "\xc2\xa0", "~" };
        static const char *const bad[] = { "\n", "a\tb", "\x1b[31m", "\x7f", "\xc2\x85", "\xc2\x9b",
                "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x80\x8f",
                "\xd8\x9c", "\xff", "\xe2\x82" };

        for (size_t i = 0; i < ELEMENTSOF(clean); i++)
                assert_true(utf8_is_clean_line(clean[i], strlen(clean[i])));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(utf8_is_clean_line(bad[i], strlen(bad[i])));
        assert_false(utf8_is_clean_line("a\0b", 3));
}

static void test_sanitize(void **state)
{
        static const struct {
                const char *in;
                size_t maximum;
                const char *out;
        } cases[] = {
                { "", 10, "" },
                { "  two \t\r\n words  ", 100, "two words" },
                { "\x1b[31mred\x1b[0m", 100, "[31mred [0m" },
                { "a\xe2\x80\xae"
                  "b",
                        100, "ab" },
                { "a\xff"
                  "b",
                        100, "a" R "b" },
                { "a\xff"
                  "b",
                        4, "a" R },
                { "a\xff"
                  "b",
                        3, "a" },
                { "ab cd", 5, "ab cd" },
                { "ab cd", 4, "ab c" },
                { "ab cd", 3, "ab" },
                { "a\xe2\x82\xac", 3, "a" },
                { "a\xe2\x82\xac", 4, "a\xe2\x82\xac" },
                { "abc", 0, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *out = NULL;

                assert_int_equal(utf8_sanitize_line(
                                         cases[i].in, strlen(cases[i].in), cases[i].maximum, &out),
                        0);
                assert_string_equal(out, cases[i].out);
                assert_true(utf8_is_clean_line(out, strlen(out)));
        }
}

static void test_sanitize_nul(void **state)
{
        _cleanup_free_ char *out = NULL;

        assert_int_equal(utf8_sanitize_line("\0a\0b\0", 5, 10, &out), 0);
        assert_string_equal(out, "a b");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_repair_whole_and_every_cut),
                cmocka_unit_test(test_repair_over_the_limit_changes_nothing),
                cmocka_unit_test(test_valid),
                cmocka_unit_test(test_valid_behind),
                cmocka_unit_test(test_cut),
                cmocka_unit_test(test_clean_line),
                cmocka_unit_test(test_sanitize),
                cmocka_unit_test(test_sanitize_nul),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
