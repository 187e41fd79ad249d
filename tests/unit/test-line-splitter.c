/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/line-splitter.h"

/* Each line is noted between angle brackets. */
static int note(const char *line, size_t size, void *userdata)
{
        Buffer *out = userdata;

        assert_int_equal(buffer_append(out, "<", 1), 0);
        assert_int_equal(buffer_append(out, line, size), 0);
        assert_int_equal(buffer_append(out, ">", 1), 0);
        return 0;
}

static int refuse(const char *line, size_t size, void *userdata)
{
        unsigned *calls = userdata;

        return ++*calls == 2 ? -ECANCELED : 0;
}

static const struct {
        LineEnds ends;
        const char *in, *out;
        int unterminated;
} cases[] = {
        { LINE_ENDS_LF, "", "", 0 },
        { LINE_ENDS_LF, "\n", "<>", 0 },
        { LINE_ENDS_LF, "a\nbc\n\nd", "<a><bc><><d>", 1 },
        { LINE_ENDS_LF, "a\r\nb\r", "<a\r><b\r>", 1 },
        { LINE_ENDS_ANY, "", "", 0 },
        { LINE_ENDS_ANY, "a\nb\rc\r\nd", "<a><b><c><d>", 1 },
        { LINE_ENDS_ANY, "\r\r\n\n\r\n", "<><><><>", 0 },
        { LINE_ENDS_ANY, "data: x\r\n\r\n: c\r\rdata: y\n\n", "<data: x><><: c><><data: y><>", 0 },
        { LINE_ENDS_ANY, "a\r", "<a>", 0 },
};

static void feed(size_t i, size_t a, size_t b, bool single)
{
        _cleanup_(line_splitter_done) LineSplitter s = LINE_SPLITTER_INIT(cases[i].ends, 100);
        _cleanup_buffer_ Buffer out = BUFFER_INIT(1000);
        const char *in = cases[i].in;
        size_t n = strlen(in);

        if (single)
                for (size_t k = 0; k < n; k++)
                        assert_int_equal(line_splitter_feed(&s, in + k, 1, note, &out), 0);
        else {
                assert_int_equal(line_splitter_feed(&s, in, a, note, &out), 0);
                assert_int_equal(line_splitter_feed(&s, in + a, b - a, note, &out), 0);
                assert_int_equal(line_splitter_feed(&s, in + b, n - b, note, &out), 0);
        }
        assert_int_equal(line_splitter_finish(&s, note, &out), cases[i].unterminated);
        assert_string_equal(buffer_text(&out), cases[i].out);
}

static void test_every_cut(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t n = strlen(cases[i].in);

                feed(i, 0, 0, true);
                for (size_t a = 0; a <= n; a++)
                        for (size_t b = a; b <= n; b++)
                                feed(i, a, b, false);
        }
}

static void test_limit(void **state)
{
        for (size_t cut = 0; cut <= 5; cut++) {
                _cleanup_(line_splitter_done) LineSplitter s = LINE_SPLITTER_INIT(LINE_ENDS_ANY, 5);
                _cleanup_buffer_ Buffer out = BUFFER_INIT(100);

                assert_int_equal(line_splitter_feed(&s, "12345\n", cut, note, &out), 0);
                assert_int_equal(line_splitter_feed(&s, &"12345\n"[cut], 6 - cut, note, &out), 0);
                assert_string_equal(buffer_text(&out), "<12345>");

                assert_int_equal(line_splitter_feed(&s, "a\n12345", 2 + cut, note, &out), 0);
                assert_int_equal(
                        line_splitter_feed(&s, &"123456\n"[cut], 7 - cut, note, &out), -EFBIG);
                assert_string_equal(buffer_text(&out), "<12345><a>");
        }
}

static void test_endless_line_is_refused_at_the_limit(void **state)
{
        _cleanup_(line_splitter_done) LineSplitter s = LINE_SPLITTER_INIT(LINE_ENDS_LF, 3);

        assert_int_equal(line_splitter_feed(&s, "123", 3, note, NULL), 0);
        assert_int_equal(line_splitter_feed(&s, "4", 1, note, NULL), -EFBIG);
}

static void test_callback_stops(void **state)
{
        _cleanup_(line_splitter_done) LineSplitter s = LINE_SPLITTER_INIT(LINE_ENDS_LF, 10);
        unsigned calls = 0;

        assert_int_equal(line_splitter_feed(&s, "a\nb\nc\n", 6, refuse, &calls), -ECANCELED);
        assert_int_equal(calls, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_cut),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_endless_line_is_refused_at_the_limit),
                cmocka_unit_test(test_callback_stops),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
