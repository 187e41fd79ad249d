/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/table.h"

#define N 2000

static void test_empty(void **state)
{
        _cleanup_(table_done) Table t = { 0 };

        assert_null(table_get(&t, table_number(1)));
        assert_null(table_remove(&t, table_number(1)));
        TABLE_FOREACH (e, &t)
                fail();
}

static void test_key_halves_are_both_looked_at(void **state)
{
        _cleanup_(table_done) Table t = { 0 };
        int a, b;

        assert_int_equal(table_put(&t, (TableKey){ 1, 2 }, &a), 0);
        assert_int_equal(table_put(&t, (TableKey){ 2, 1 }, &b), 0);
        assert_int_equal(table_put(&t, (TableKey){ 1, 2 }, &b), -EEXIST);
        assert_ptr_equal(table_get(&t, (TableKey){ 1, 2 }), &a);
        assert_ptr_equal(table_get(&t, (TableKey){ 2, 1 }), &b);
        assert_null(table_get(&t, (TableKey){ 1, 1 }));
}

/* Against a plain array, with a fixed sequence of puts and removes. */
static void test_against_array(void **state)
{
        static char values[N];
        static bool there[N];
        _cleanup_(table_done) Table t = { 0 };
        uint32_t random = 12345;
        size_t count = 0, seen = 0;

        for (size_t step = 0; step < 20 * N; step++) {
                size_t i;

                random = random * 1664525 + 1013904223;
                i = (random >> 8) % N;
                if (random >> 31) {
                        assert_int_equal(
                                table_put(&t, table_number(i), values + i), there[i] ? -EEXIST : 0);
                        count += !there[i];
                        there[i] = true;
                } else {
                        assert_ptr_equal(
                                table_remove(&t, table_number(i)), there[i] ? values + i : NULL);
                        count -= there[i];
                        there[i] = false;
                }
                assert_int_equal(t.n_entries, count);
        }
        for (size_t i = 0; i < N; i++)
                assert_ptr_equal(table_get(&t, table_number(i)), there[i] ? values + i : NULL);
        TABLE_FOREACH (e, &t) {
                assert_true(there[e->key.low]);
                seen++;
        }
        assert_int_equal(seen, count);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_key_halves_are_both_looked_at),
                cmocka_unit_test(test_against_array),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
