/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "common/ini.h"

static int assign(
        const char *section, const char *key, const char *value, unsigned line, void *userdata)
{
        return buffer_append_format(userdata, "%u %s.%s=<%s>\n", line, section, key, value);
}

static int diagnose(unsigned line, const char *sentence, void *userdata)
{
        return buffer_append_format(userdata, "%u !%.8s\n", line, sentence);
}

static const IniOps ops = { assign, diagnose };

static const struct {
        const char *in, *out;
} cases[] = {
        { "", "" },
        { "\n \n\t\n", "" },
        { "[S]\nA=1\nB = two words \n", "2 S.A=<1>\n3 S.B=<two words>\n" },
        { "[S]\nA=1", "2 S.A=<1>\n" },
        { "\xef\xbb\xbf[S]\r\nA=1\r\n\r\nB=2\r\n", "2 S.A=<1>\n4 S.B=<2>\n" },
        { "# c\n; c\n  # c\n[S]\nA=x # no comment\n", "5 S.A=<x # no comment>\n" },
        { "[S]\nA=\nA==\nB=a=b\n", "2 S.A=<>\n3 S.A=<=>\n4 S.B=<a=b>\n" },
        { "[S]\nA=one\\\n  two\\\nthree\nB=1\n", "2 S.A=<one   two three>\n5 S.B=<1>\n" },
        { "[S]\nA=one\\\n# c\\\n;d\ntwo\n", "2 S.A=<one two>\n" },
        { "[S]\nA=one\\\r\ntwo\r\n", "2 S.A=<one two>\n" },
        { "[S]\nA=one\\", "2 S.A=<one>\n" },
        { "[S]\nA=one\\\n\nB=2\n", "2 S.A=<one>\n4 S.B=<2>\n" },
        { "A=1\n[S]\nB=2\n", "1 !An assig\n3 S.B=<2>\n" },
        { "[S\nA=1\n[T]\nB=2\n", "1 !A sectio\n4 T.B=<2>\n" },
        { "[]\nA=1\n", "1 !A sectio\n" },
        { "[S] x\n", "1 !A sectio\n" },
        { "[S]\nnonsense\n=x\nA=1\n", "2 !This is \n3 !This is \n4 S.A=<1>\n" },
        { "[S]\nA=\xff\nB=1\n", "2 !The line\n3 S.B=<1>\n" },
        { "[S]\nA=1\rB=2\n", "2 S.A=<1\rB=2>\n" },
};

static void test_table(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(4096);

                assert_int_equal(ini_parse(cases[i].in, strlen(cases[i].in), &ops, &out), 0);
                assert_string_equal(buffer_text(&out), cases[i].out);
        }
}

static void test_nul(void **state)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(4096);

        assert_int_equal(ini_parse("[S]\nA=1\0\nB=2\n", 13, &ops, &out), 0);
        assert_string_equal(out.data, "2 !The line\n3 S.B=<2>\n");
}

static void test_line_limit(void **state)
{
        for (size_t extra = 0; extra < 2; extra++) {
                _cleanup_buffer_ Buffer in = BUFFER_INIT(2 * INI_LINE_MAX),
                                        out = BUFFER_INIT(2 * INI_LINE_MAX);
                char *end;

                assert_int_equal(buffer_append_string(&in, "[S]\nA="), 0);
                assert_int_equal(buffer_reserve(&in, INI_LINE_MAX - 2 + extra, &end), 0);
                memset(end, 'x', INI_LINE_MAX - 2 + extra);
                buffer_advance(&in, INI_LINE_MAX - 2 + extra);
                assert_int_equal(buffer_append_string(&in, "\nB=1\n"), 0);
                assert_int_equal(ini_parse(in.data, in.size, &ops, &out), 0);
                if (extra == 0)
                        assert_int_equal(out.size,
                                strlen("2 S.A=<>\n") + INI_LINE_MAX - 2 + strlen("3 S.B=<1>\n"));
                else
                        assert_string_equal(out.data, "2 !The line\n3 S.B=<1>\n");
        }
}

/* A line that is too long together with those that continue it is one line that is left out. */
static void test_continued_line_limit(void **state)
{
        _cleanup_buffer_ Buffer in = BUFFER_INIT(4 * INI_LINE_MAX), out = BUFFER_INIT(1000);

        assert_int_equal(buffer_append_string(&in, "[S]\nA="), 0);
        while (in.size < 2 * INI_LINE_MAX)
                assert_int_equal(buffer_append_string(&in, "xxxxxxxxxxxxxxx\\\n"), 0);
        assert_int_equal(buffer_append_string(&in, "B=1\nC=2\n"), 0);
        assert_int_equal(ini_parse(in.data, in.size, &ops, &out), 0);
        assert_non_null(strstr(out.data, "2 !The line\n"));
        assert_null(strstr(out.data, "S.B"));
        assert_non_null(strstr(out.data, "S.C=<2>"));
}

static int refuse(
        const char *section, const char *key, const char *value, unsigned line, void *userdata)
{
        return -ECANCELED;
}

static void test_callback_stops(void **state)
{
        assert_int_equal(
                ini_parse("[S]\nA=1\n", 8, &(IniOps){ refuse, diagnose }, NULL), -ECANCELED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_nul),
                cmocka_unit_test(test_line_limit),
                cmocka_unit_test(test_continued_line_limit),
                cmocka_unit_test(test_callback_stops),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
