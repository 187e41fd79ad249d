/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buffer.h"

static void test_append_and_terminate(void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(100);

        assert_string_equal(buffer_text(&b), "");
        assert_int_equal(buffer_append(&b, "a\0b", 3), 0);
        assert_int_equal(buffer_append_string(&b, "cd"), 0);
        assert_int_equal(buffer_append_format(&b, "%d%s", 7, "x"), 0);
        assert_int_equal(b.size, 7);
        assert_memory_equal(b.data, "a\0bcd7x", 8);
        assert_int_equal(buffer_append(&b, NULL, 0), 0);
        assert_int_equal(b.size, 7);
}

static void test_maximum(void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(4);
        char *end;

        assert_int_equal(buffer_append(&b, "12345", 5), -EFBIG);
        assert_int_equal(b.size, 0);
        assert_int_equal(buffer_append(&b, "1234", 4), 0);
        assert_int_equal(buffer_append(&b, "5", 1), -EFBIG);
        assert_int_equal(buffer_append_format(&b, "%d", 5), -EFBIG);
        assert_int_equal(buffer_reserve(&b, SIZE_MAX, &end), -EFBIG);
        assert_int_equal(buffer_append(&b, "", 0), 0);
        assert_string_equal(b.data, "1234");
}

static void test_reserve_and_advance(void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(10000);
        char *end;

        for (unsigned i = 0; i < 10; i++) {
                assert_int_equal(buffer_reserve(&b, 1000, &end), 0);
                memset(end, 'a' + (int) i, 1000);
                buffer_advance(&b, 1000);
        }
        assert_int_equal(strlen(b.data), 10000);
        for (size_t i = 0; i < b.size; i++)
                assert_int_equal(b.data[i], 'a' + i / 1000);
}

static void test_consume_and_clear(void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(10);

        assert_int_equal(buffer_append_string(&b, "0123456789"), 0);
        buffer_consume(&b, 0);
        buffer_consume(&b, 7);
        assert_string_equal(b.data, "789");
        buffer_consume(&b, 3);
        assert_string_equal(b.data, "");
        assert_int_equal(buffer_append_string(&b, "x"), 0);
        buffer_clear(&b);
        assert_string_equal(buffer_text(&b), "");
        buffer_done(&b);
        buffer_clear(&b);
        buffer_consume(&b, 0);
        assert_int_equal(b.size, 0);
}

static void test_steal(void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(10);
        _cleanup_free_ char *first = NULL, *second = NULL;
        size_t size = 99;

        assert_int_equal(buffer_steal(&b, &first, &size), 0);
        assert_string_equal(first, "");
        assert_int_equal(size, 0);
        assert_int_equal(buffer_append_string(&b, "abc"), 0);
        assert_int_equal(buffer_steal(&b, &second, NULL), 0);
        assert_string_equal(second, "abc");
        assert_int_equal(b.size, 0);
        assert_string_equal(buffer_text(&b), "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_append_and_terminate),
                cmocka_unit_test(test_maximum),
                cmocka_unit_test(test_reserve_and_advance),
                cmocka_unit_test(test_consume_and_clear),
                cmocka_unit_test(test_steal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
