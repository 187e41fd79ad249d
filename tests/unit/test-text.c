/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/text.h"

static void test_round_trips(void **state)
{
        for (Role r = 0; r < _ROLE_MAX; r++)
                assert_int_equal(role_from_string(role_to_string(r)), r);
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                assert_int_equal(channel_from_string(channel_to_string(c)), c);
        for (EndReason e = 0; e < _REASON_MAX; e++)
                assert_int_equal(end_reason_from_string(end_reason_to_string(e)), e);
}

/* The words of the interface and of the database: they never change. */
static void test_words(void **state)
{
        assert_string_equal(role_to_string(ROLE_ASSISTANT), "assistant");
        assert_string_equal(channel_to_string(CHANNEL_REASONING), "reasoning");
        assert_string_equal(end_reason_to_string(REASON_NONE), "");
        assert_string_equal(end_reason_to_string(REASON_INCOMPLETE), "incomplete");
}

static void test_unknown(void **state)
{
        static const char *const words[] = { NULL, "User", "usr", "content ", "stopped" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                assert_int_equal(role_from_string(words[i]), _ROLE_INVALID);
                assert_int_equal(channel_from_string(words[i]), _CHANNEL_INVALID);
                assert_int_equal(end_reason_from_string(words[i]), _REASON_INVALID);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trips),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_unknown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
