/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/config/config-internal.h"

static void test_ollama_host(void **state)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                { NULL, "http://127.0.0.1:11434" },
                { "", "http://127.0.0.1:11434" },
                { "  \"box\" ", "http://box:11434" },
                { "box", "http://box:11434" },
                { "Box:1234", "http://box:1234" },
                { ":1234", "http://127.0.0.1:1234" },
                { "1.2.3.4", "http://1.2.3.4:11434" },
                { "0.0.0.0", "http://127.0.0.1:11434" },
                { "0.0.0.0:80", "http://127.0.0.1:80" },
                { "::", "http://[::1]:11434" },
                { "[::]:1234", "http://[::1]:1234" },
                { "::1", "http://[::1]:11434" },
                { "[::1]", "http://[::1]:11434" },
                { "[::1]:1234", "http://[::1]:1234" },
                { "[2001:DB8::1]:1", "http://[2001:db8::1]:1" },
                { "http://box", "http://box:80" },
                { "https://box", "https://box:443" },
                { "https://box:1234/", "https://box:1234" },
                { "http://box/ollama/", "http://box:80/ollama" },
                { "box/ollama", "http://box:11434/ollama" },
                { "box:99999", "http://box:11434" },
                { "box:0", "http://box:11434" },
                { "box:x", "http://box:11434" },
                { "box:", "http://box:11434" },
                { "ftp://box", NULL },
                { "user:word@box", NULL },
                { "bo\x1bx", NULL },
                { "box?x", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *url = NULL;
                int r = config_ollama_url(cases[i].in, &url);

                if (r != (cases[i].out ? 0 : -EINVAL) || !streq_ptr(url, cases[i].out))
                        fail_msg("%s: %d, %s", strempty(cases[i].in), r, strempty(url));
        }
}

static void test_urls(void **state)
{
        static const char *const bad[] = { "", "http", "http:", "http://", "http:///x", "box",
                "//box", "ftp://box", "file:///etc/passwd", "unix:/run/x", "javascript:alert(1)",
                "http://a b", "http://a\tb", "http://a\nb", "http://a\x7f", "http://\xc3\xa9",
                "http://user@box", "http://user:word@box", "http://@box",
                "http://box:", "http://:1", "http://box:0", "http://box:65536",
                "http://box:99999999999", "http://box:1x", "http://box:-1", "http://[::1",
                "http://::1", "http://[::1]x", "http://[box]", "http://[]", "http://[::1%25eth0]",
                "http://box?x=1", "http://box/#x", "http://box/a?b", "http://-box", "http://.box",
                "http://b$x", "http://box\\x", "http://box/\"", "http://box/<x>",
                "http://box/{x}" };
        static const struct {
                const char *in, *out;
                bool local;
        } good[] = {
                { "http://box", "http://box", false },
                { "HTTP://BOX/Path/", "http://box/Path", false },
                { "https://a.b-c_d.example:65535/v1///", "https://a.b-c_d.example:65535/v1",
                        false },
                { "http://127.0.0.1:1", "http://127.0.0.1:1", true },
                { "http://127.1.2.3/x", "http://127.1.2.3/x", true },
                { "http://127.example.org", "http://127.example.org", false },
                { "http://localhost", "http://localhost", true },
                { "http://a.LOCALHOST:1", "http://a.localhost:1", true },
                { "http://localhost.example", "http://localhost.example", false },
                { "http://[::1]:8080", "http://[::1]:8080", true },
                { "http://[FE80::1]", "http://[fe80::1]", false },
                { "http://box/user@x:y", "http://box/user@x:y", false },
                { "http://box/%20x~;,=+&!*'()$", "http://box/%20x~;,=+&!*'()$", false },
        };
        char longest[2050] = "http://box/";

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char *url = NULL;

                if (config_url_normalize(bad[i], &url) != -EINVAL)
                        fail_msg("accepted: %s", bad[i]);
                assert_null(url);
        }
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                _cleanup_free_ char *url = NULL;

                if (config_url_normalize(good[i].in, &url) < 0)
                        fail_msg("refused: %s", good[i].in);
                assert_string_equal(url, good[i].out);
                assert_int_equal(config_url_is_local(url), good[i].local);
        }
        for (size_t n = 2048; n <= 2049; n++) {
                _cleanup_free_ char *url = NULL;

                memset(longest + 11, 'x', n - 11);
                assert_int_equal(config_url_normalize(longest, &url), n == 2048 ? 0 : -EINVAL);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ollama_host),
                cmocka_unit_test(test_urls),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
