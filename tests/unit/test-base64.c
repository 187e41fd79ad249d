/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base64.h"

static void test_vectors(void **state)
{
        /* RFC 4648, 10 */
        static const char *const table[][2] = {
                { "", "" },
                { "f", "Zg==" },
                { "fo", "Zm8=" },
                { "foo", "Zm9v" },
                { "foob", "Zm9vYg==" },
                { "fooba", "Zm9vYmE=" },
                { "foobar", "Zm9vYmFy" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_buffer_ Buffer b = BUFFER_INIT(100);
                _cleanup_free_ void *data = NULL;
                size_t size;

                assert_int_equal(base64_append(&b, table[i][0], strlen(table[i][0])), 0);
                assert_string_equal(buffer_text(&b), table[i][1]);
                assert_int_equal(base64_decode(table[i][1], strlen(table[i][1]), &data, &size), 0);
                assert_int_equal(size, strlen(table[i][0]));
                assert_memory_equal(data, table[i][0], size);
        }
}

static void test_every_byte(void **state)
{
        unsigned char bytes[512];

        for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = i * 7 + i / 256;
        for (size_t n = 0; n <= sizeof bytes; n++) {
                _cleanup_buffer_ Buffer b = BUFFER_INIT(1000);
                _cleanup_free_ void *data = NULL;
                size_t size;

                assert_int_equal(base64_append(&b, bytes, n), 0);
                assert_int_equal(base64_decode(buffer_text(&b), b.size, &data, &size), 0);
                assert_int_equal(size, n);
                assert_memory_equal(data, bytes, n);
        }
}

static void test_bad(void **state)
{
        static const char *const table[] = { "Z", "Zg", "Zg=", "Zm9vZ",
                "=g==", "Z===", "====", "Zg==Zg==", "Zm8=Zm8=", "Zh==", "Zm9=", "Zm9 ", "Zm\nv",
                "Zm9-", "Zm9_", "Zm9\xc3", "Z=9v", "Zm=v" };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                void *data;
                size_t size;

                assert_int_equal(base64_decode(table[i], strlen(table[i]), &data, &size), -EBADMSG);
        }
}

static void test_limit(void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(8);

        assert_int_equal(base64_append(&b, "1234567", 7), -EFBIG);
        assert_int_equal(b.size, 0);
        assert_int_equal(base64_append(&b, "123456", 6), 0);
        assert_int_equal(b.size, 8);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vectors),
                cmocka_unit_test(test_every_byte),
                cmocka_unit_test(test_bad),
                cmocka_unit_test(test_limit),
        };

        return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
