/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/engine/http.h"

static void test_url_display(void **state)
{
        static const struct {
                const char *url, *display, *origin;
        } table[] = {
                { "http://127.0.0.1:11434", "http://127.0.0.1:11434", "http://127.0.0.1:11434" },
                { "https://u:p%40@h.example/v1?key=k#f", "https://h.example/v1",
                        "https://h.example" },
                { "https://u:p@ss@h/v1", "https://h/v1", "https://h" },
                { "http://[::1]:80/a@b", "http://[::1]:80/a@b", "http://[::1]:80" },
                { "http://h?u:p@x", "http://h", "http://h" },
                { "h/path", "h/path", "h" },
                { "", "", "" },
                { "http://a\x1b[31m/\r", "http://a?[31m/?", "http://a?[31m" },
                { "http://\xff\xc2\x9bx/\xe2\x80\xae", "http://???x/???", "http://???x" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *display = NULL, *origin = NULL;

                assert_int_equal(http_url_display(table[i].url, &display), 0);
                assert_string_equal(display, table[i].display);
                assert_int_equal(http_url_origin(table[i].url, &origin), 0);
                assert_string_equal(origin, table[i].origin);
        }
}

static void test_url_is_loopback(void **state)
{
        static const char *const here[] = { "http://127.0.0.1:11434/x", "http://127.1",
                "http://127.255.0.3", "http://localhost:80", "http://LOCALHOST.",
                "http://a.localhost", "http://[::1]:8080/", "http://[::ffff:127.0.0.1]",
                "http://0.0.0.0:11434", "http://u:p@localhost", "http://[::]" };
        static const char *const elsewhere[] = { "http://128.0.0.1", "http://localhost.example",
                "http://notlocalhost", "http://localhost@h.example", "http://h.example/localhost",
                "http://[fe80::1]", "http://[::ffff:10.0.0.1]", "http://10.0.0.1", "http://", "" };

        for (size_t i = 0; i < ELEMENTSOF(here); i++)
                assert_true(http_url_is_loopback(here[i]));
        for (size_t i = 0; i < ELEMENTSOF(elsewhere); i++)
                assert_false(http_url_is_loopback(elsewhere[i]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_url_display),
                cmocka_unit_test(test_url_is_loopback),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
