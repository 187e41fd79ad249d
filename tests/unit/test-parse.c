/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/parse.h"

typedef struct Case {
        const char *in;
        int result;
        uint64_t value;
} Case;

static void check(int (*parse)(const char *, uint64_t *), const Case *cases, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                uint64_t value = 4711;
                int r = parse(cases[i].in, &value);

                if (r != cases[i].result)
                        fail_msg("%s: %d", cases[i].in, r);
                if (value != (r < 0 ? 4711 : cases[i].value))
                        fail_msg("%s: %llu", cases[i].in, (unsigned long long) value);
        }
}

static void test_u64(void **state)
{
        static const Case cases[] = {
                { "0", 0, 0 },
                { "0012", 0, 12 },
                { "18446744073709551615", 0, UINT64_MAX },
                { "18446744073709551616", -ERANGE },
                { "99999999999999999999999", -ERANGE },
                { "", -EINVAL },
                { "-1", -EINVAL },
                { "+1", -EINVAL },
                { " 1", -EINVAL },
                { "1 ", -EINVAL },
                { "1x", -EINVAL },
                { "0x10", -EINVAL },
                { "1.0", -EINVAL },
        };

        check(parse_u64, cases, ELEMENTSOF(cases));
}

static void test_usec(void **state)
{
        static const Case cases[] = {
                { "0", 0, 0 },
                { "5", 0, 5000000 },
                { "5s", 0, 5000000 },
                { "2.5", 0, 2500000 },
                { "500ms", 0, 500000 },
                { "7us", 0, 7 },
                { "7\xc2\xb5s", 0, 7 },
                { "5min", 0, 300000000 },
                { "5m", 0, 300000000 },
                { "5 min", 0, 300000000 },
                { "1h 30min", 0, 5400000000 },
                { "1h30min", 0, 5400000000 },
                { "2days", 0, 172800000000 },
                { "1w", 0, 604800000000 },
                { "0.0000019s", 0, 1 }, /* what is finer than a microsecond is cut off */
                { "0.5d", 0, 43200000000 },
                { "infinity", 0, USEC_INFINITY },
                { "18446744073709551614us", 0, UINT64_MAX - 1 },
                { "18446744073709551615us", -ERANGE },
                { "18446744073710s", -ERANGE },
                { "999999999999999w", -ERANGE },
                { "18446744073709551614us 1us", -ERANGE },
                { "", -EINVAL },
                { "s", -EINVAL },
                { "-5s", -EINVAL },
                { "5 fortnights", -EINVAL },
                { "5S", -EINVAL },
                { "5.s", -EINVAL },
                { ".5s", -EINVAL },
                { "5s x", -EINVAL },
                { "Infinity", -EINVAL },
                { " 5", -EINVAL },
        };

        check(parse_usec, cases, ELEMENTSOF(cases));
}

static void test_bool(void **state)
{
        static const char *const yes[] = { "yes", "Yes", "TRUE", "on", "1", "y", "t" };
        static const char *const no[] = { "no", "NO", "false", "off", "0", "n", "f" };
        static const char *const bad[] = { "", "2", "yess", " yes", "01", "none" };
        bool b;

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                b = false;
                assert_int_equal(parse_bool(yes[i], &b), 0);
                assert_true(b);
        }
        for (size_t i = 0; i < ELEMENTSOF(no); i++) {
                b = true;
                assert_int_equal(parse_bool(no[i], &b), 0);
                assert_false(b);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(parse_bool(bad[i], &b), -EINVAL);
}

static void test_word(void **state)
{
        static const char *const table[] = { [0] = "zero", [2] = "two", [3] = "" };

        assert_int_equal(parse_word(table, ELEMENTSOF(table), "zero"), 0);
        assert_int_equal(parse_word(table, ELEMENTSOF(table), "two"), 2);
        assert_int_equal(parse_word(table, ELEMENTSOF(table), ""), 3);
        assert_int_equal(parse_word(table, ELEMENTSOF(table), "tw"), -EINVAL);
        assert_int_equal(parse_word(table, ELEMENTSOF(table), "twoo"), -EINVAL);
        assert_int_equal(parse_word(table, ELEMENTSOF(table) - 1, ""), -EINVAL);
        assert_int_equal(parse_word(table, 0, "zero"), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_u64),
                cmocka_unit_test(test_usec),
                cmocka_unit_test(test_bool),
                cmocka_unit_test(test_word),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
