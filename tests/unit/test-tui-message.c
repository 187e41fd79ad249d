/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Texts of one message that come from two sides, by deltas and by reading again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/model/mirror-internal.h"

#define HAVE "some text, "

static const MirrorOps ops = { 0 };
static const Mirror mirror = { .ops = &ops };

static Message *with_text(const char *text)
{
        Message *msg;

        assert_return_code(message_new(&mirror, 1, 0, ROLE_ASSISTANT, &msg), 0);
        assert_return_code(message_add_text(msg, CHANNEL_CONTENT, 0, text), 0);
        return msg;
}

static void assert_text(const Message *msg, const char *expected)
{
        assert_string_equal(document_source(msg->item.channels[CHANNEL_CONTENT], NULL), expected);
        assert_int_equal(message_size(msg, CHANNEL_CONTENT), strlen(expected));
        assert_int_equal(message_size(msg, CHANNEL_REASONING), 0);
}

/* Only what is behind the text that is there is added; a gap is none of it. */
static void test_add(void **state)
{
        static const struct {
                uint64_t offset;
                const char *text;
                int result;
                const char *expected;
        } rows[] = {
                { 0, "", 0, HAVE },
                { 0, "some", 0, HAVE },
                { 0, HAVE, 0, HAVE },
                { 0, HAVE "m", 0, HAVE "m" },
                { 0, HAVE "more of it", 0, HAVE "more of it" },
                { 5, "text", 0, HAVE },
                { 5, "text, ", 0, HAVE },
                { 5, "text, and", 0, HAVE "and" },
                { 10, " ", 0, HAVE },
                { 10, " more", 0, HAVE "more" },
                { 11, "", 0, HAVE },
                { 11, "more", 0, HAVE "more" },
                { 12, "", -ESPIPE, HAVE },
                { 12, "ore", -ESPIPE, HAVE },
                { UINT64_MAX, "more", -ESPIPE, HAVE },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(message_freep) Message *msg = with_text(HAVE);

                assert_int_equal(
                        message_add_text(msg, CHANNEL_CONTENT, rows[i].offset, rows[i].text),
                        rows[i].result);
                assert_text(msg, rows[i].expected);
        }
}

/* Each piece of each cut of a text, twice and from its beginning. */
static void test_add_overlapping(void **state)
{
        static const char text[] = "word0 word1 word2 word3";

        for (size_t known = 0; known < sizeof text; known++)
                for (size_t from = 0; from <= known; from++) {
                        _cleanup_free_ char *begin = strndup(text, known);
                        _cleanup_(message_freep) Message *msg = NULL;

                        assert_non_null(begin);
                        msg = with_text(begin);
                        assert_return_code(
                                message_add_text(msg, CHANNEL_CONTENT, from, text + from), 0);
                        assert_text(msg, text);
                }
}

/* Of a stream its bytes at the whole seconds since its first piece, of both channels. */
static void test_measure(void **state)
{
        _cleanup_(message_freep) Message *msg = with_text(HAVE);
        const usec_t start = 7 * USEC_PER_SEC + 1;
        MessageItem *i = &msg->item;
        const uint64_t first = strlen(HAVE);

        message_begin(msg, start);
        message_measure(msg, start);
        assert_int_equal(i->flow_first, first);
        assert_int_equal(i->flow_size, first);
        assert_return_code(message_add_text(msg, CHANNEL_REASONING, 0, "hm"), 0);
        message_measure(msg, start + USEC_PER_SEC - 1);
        assert_int_equal(i->flow_size, first);
        message_measure(msg, start + USEC_PER_SEC);
        assert_int_equal(i->flow_size, first + 2);
        assert_int_equal(i->flow_seconds, 1);
        assert_return_code(message_add_text(msg, CHANNEL_REASONING, 2, "m"), 0);
        message_measure(msg, start + USEC_PER_SEC + 1);
        assert_int_equal(i->flow_size, first + 2);
        message_measure(msg, start + 60 * USEC_PER_SEC);
        assert_int_equal(i->flow_size, first + 3);
        assert_int_equal(i->flow_seconds, 60);
        assert_int_equal(i->flow_first, first);

        /* It goes on, and is measured anew. */
        message_begin(msg, start + 90 * USEC_PER_SEC);
        message_measure(msg, start + 91 * USEC_PER_SEC);
        assert_int_equal(i->flow_first, first + 3);
        assert_int_equal(i->flow_seconds, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_add),
                cmocka_unit_test(test_add_overlapping),
                cmocka_unit_test(test_measure),
        };

        return cmocka_run_group_tests_name("tui-message", tests, NULL, NULL);
}
