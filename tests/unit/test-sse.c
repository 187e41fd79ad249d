/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/engine/sse.h"

#define LIMIT 64

/* Events joined with '|'. */
static int collect(const char *data, size_t size, void *userdata)
{
        Buffer *b = userdata;

        assert_int_equal(buffer_append(b, data, size), 0);
        return buffer_append(b, "|", 1);
}

/* Fed in three pieces, cut at a and b. */
static int run(const char *text, size_t size, size_t a, size_t b, Buffer *out)
{
        Sse s;
        int r;

        sse_init(&s, LIMIT);
        r = sse_feed(&s, text, a, collect, out);
        if (r >= 0)
                r = sse_feed(&s, text + a, b - a, collect, out);
        if (r >= 0)
                r = sse_feed(&s, text + b, size - b, collect, out);
        if (r >= 0)
                r = sse_finish(&s, collect, out);
        sse_done(&s);
        return r;
}

static void test_every_split(void **state)
{
        static const struct {
                const char *text, *events;
        } table[] = {
                { "", "" },
                { "data: a\n\ndata: b\n\n", "a|b|" },
                { "data: a\r\n\r\ndata: b\r\r", "a|b|" },
                { "data: a\r\n\ndata: b\n\r\n", "a|b|" },
                { "data:a\ndata:  b\ndata\n\n", "a\n b\n|" },
                { "\xef\xbb\xbf"
                  "data: a\n\n",
                        "a|" },
                { ": comment\n:\n\n\nevent: x\nid: 1\nretry: 5\ndata: a\nunknown\n\n", "a|" },
                { "event: x\n\n", "" },
                { "data\n\n", "|" },
                { "data: a", "a|" },
                { "data: a\n", "a|" },
                { "data: a\n\ndata: b", "a|b|" },
                { "error: {}\n\ndata: b\n\n", "{}|b|" },
                { "dat: a\ndatas: b\n data: c\n\n", "" },
                { "data: \"\xc3\xa9: x\"\n\n", "\"\xc3\xa9: x\"|" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                size_t n = strlen(table[i].text);

                for (size_t a = 0; a <= n; a++)
                        for (size_t b = a; b <= n; b++) {
                                _cleanup_buffer_ Buffer out = BUFFER_INIT(1024);

                                assert_int_equal(run(table[i].text, n, a, b, &out), 0);
                                assert_string_equal(buffer_text(&out), table[i].events);
                        }
        }
}

static void test_limit(void **state)
{
        char text[2 * LIMIT + 32];

        for (size_t n = LIMIT - 1; n <= LIMIT + 1; n++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(1024);
                int k = snprintf(text, sizeof text, "data: %0*d\n\n", (int) n, 0);

                assert_int_equal(run(text, k, 0, 0, &out), n <= LIMIT ? 0 : -EFBIG);
                assert_int_equal(out.size, n <= LIMIT ? n + 1 : 0);
        }

        /* Many short lines are one event too. */
        for (size_t n = LIMIT / 2; n <= LIMIT / 2 + 1; n++) {
                _cleanup_buffer_ Buffer lines = BUFFER_INIT(4096), out = BUFFER_INIT(1024);

                for (size_t i = 0; i < n; i++)
                        assert_int_equal(buffer_append_string(&lines, "data:x\n"), 0);
                assert_int_equal(run(lines.data, lines.size, 0, lines.size, &out),
                        2 * n - 1 <= LIMIT ? 0 : -EFBIG);
        }
}

static int refuse(const char *data, size_t size, void *userdata)
{
        ++*(unsigned *) userdata;
        return -ECANCELED;
}

static void test_callback_stops(void **state)
{
        unsigned calls = 0;
        Sse s;

        sse_init(&s, LIMIT);
        assert_int_equal(sse_feed(&s, "data: a\n\ndata: b\n\n", 18, refuse, &calls), -ECANCELED);
        assert_int_equal(calls, 1);
        sse_done(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_split),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_callback_stops),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
