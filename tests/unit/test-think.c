/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "service/engine/think.h"

typedef struct Told {
        Buffer text[_CHANNEL_MAX];
} Told;

static int tell(Channel channel, const char *text, size_t size, void *userdata)
{
        Told *t = userdata;

        assert_true(size > 0);
        return buffer_append(&t->text[channel], text, size);
}

static void check(const char *text, size_t a, size_t b, const char *content, const char *reasoning)
{
        Told told = { { BUFFER_INIT(4096), BUFFER_INIT(4096) } };
        Think t = { 0 };

        assert_int_equal(think_feed(&t, text, a, tell, &told), 0);
        assert_int_equal(think_feed(&t, text + a, b - a, tell, &told), 0);
        assert_int_equal(think_feed(&t, text + b, strlen(text + b), tell, &told), 0);
        assert_int_equal(think_flush(&t, tell, &told), 0);
        assert_string_equal(buffer_text(&told.text[CHANNEL_CONTENT]), content);
        assert_string_equal(buffer_text(&told.text[CHANNEL_REASONING]), reasoning);
        buffer_done(&told.text[CHANNEL_CONTENT]);
        buffer_done(&told.text[CHANNEL_REASONING]);
}

static void test_every_split(void **state)
{
        static const struct {
                const char *text, *content, *reasoning;
        } table[] = {
                { "", "", "" },
                { "plain", "plain", "" },
                { "  \n plain", "  \n plain", "" },
                { "<think>why</think>because", "because", "why" },
                { "\n<think>\nwhy \n</think>\n\n because", "because", "why \n" },
                { "<think></think>because", "because", "" },
                { "<think>a</think>\n<think>b</think>c <think>d</think>", "c <think>d</think>",
                        "ab" },
                /* Only resembles it. */
                { "<thi", "<thi", "" },
                { " <thi", " <thi", "" },
                { "<thinker>x", "<thinker>x", "" },
                { "<Think>x</Think>", "<Think>x</Think>", "" },
                { "<<think>x", "<<think>x", "" },
                { "a <think>b</think>", "a <think>b</think>", "" },
                /* What resembles the end. */
                { "<think>a</thin</think>b", "b", "a</thin" },
                { "<think>1 < 2 </ <</think>b", "b", "1 < 2 </ <" },
                { "<think>a<think>b</think>c</think>", "c</think>", "a<think>b" },
                /* Never closed. */
                { "<think>a", "", "a" },
                { "<think>a</thi", "", "a</thi" },
                { "<think>", "", "" },
                { "<think>a</think>\n <thi", "<thi", "a" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                size_t n = strlen(table[i].text);

                for (size_t a = 0; a <= n; a++)
                        for (size_t b = a; b <= n; b++)
                                check(table[i].text, a, b, table[i].content, table[i].reasoning);
        }
}

/* White space is not held without a limit. */
static void test_much_space(void **state)
{
        char text[256];

        memset(text, '\n', sizeof text);
        memcpy(text + sizeof text - 6, "<think", 6);
        for (size_t n = 1; n < sizeof text; n++) {
                Told told = { { BUFFER_INIT(4096), BUFFER_INIT(4096) } };
                Think t = { 0 };

                assert_int_equal(think_feed(&t, text, n, tell, &told), 0);
                assert_true(told.text[CHANNEL_CONTENT].size + sizeof t.held > n);
                assert_int_equal(think_flush(&t, tell, &told), 0);
                assert_int_equal(told.text[CHANNEL_CONTENT].size, n);
                assert_memory_equal(told.text[CHANNEL_CONTENT].data, text, n);
                buffer_done(&told.text[CHANNEL_CONTENT]);
        }
}

static int refuse(Channel channel, const char *text, size_t size, void *userdata)
{
        return -ECANCELED;
}

static void test_callback_stops(void **state)
{
        Think t = { 0 };

        assert_int_equal(think_feed(&t, "x", 1, refuse, NULL), -ECANCELED);
        t = (Think){ 0 };
        assert_int_equal(think_feed(&t, "<think>x", 8, refuse, NULL), -ECANCELED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_split),
                cmocka_unit_test(test_much_space),
                cmocka_unit_test(test_callback_stops),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
