/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/failure.h"

static void test_every_code_has_name_and_errno(void **state)
{
        for (FailureCode c = FAILURE_INVALID_ARGUMENT; c < _FAILURE_MAX; c++) {
                const Failure f = { .code = c };

                assert_int_equal(failure_code_from_string(failure_code_to_string(c)), c);
                assert_true(failure_code_to_errno(c) < 0);
                assert_true(strlen(failure_message(&f)) > 0);
                for (FailureCode other = FAILURE_INVALID_ARGUMENT; other < c; other++)
                        assert_int_not_equal(
                                failure_code_to_errno(c), failure_code_to_errno(other));
        }
        assert_int_equal(failure_code_from_string("Nonsense"), FAILURE_INTERNAL);
        assert_int_equal(failure_code_from_string("None"), FAILURE_INTERNAL);
        assert_int_equal(failure_code_from_string(NULL), FAILURE_INTERNAL);
}

static void test_first_reason_stays(void **state)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;

        assert_false(failure_is_set(&f));
        assert_false(failure_is_set(NULL));
        assert_int_equal(failure_set(&f, FAILURE_BUSY, "%d are too many.", 3), -EBUSY);
        assert_int_equal(failure_set(&f, FAILURE_INTERNAL, "Later."), -ENOTRECOVERABLE);
        assert_int_equal(f.code, FAILURE_BUSY);
        assert_string_equal(failure_message(&f), "3 are too many.");
        failure_done(&f);
        assert_false(failure_is_set(&f));
        assert_int_equal(failure_set(NULL, FAILURE_BUSY, NULL), -EBUSY);
}

/* What is no UTF-8 in a sentence, the bus would refuse. */
static void test_sentence_is_text(void **state)
{
        static const struct {
                const char *word, *sentence;
        } cases[] = {
                { "caf\xc3\xa9", "No caf\xc3\xa9." },
                { "\xff", "No \xef\xbf\xbd." },
                { "a\xe2\x82", "No a\xef\xbf\xbd." },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_failure_ Failure f = FAILURE_NULL;

                assert_int_equal(failure_set(&f, FAILURE_BUSY, "No %s.", cases[i].word), -EBUSY);
                assert_string_equal(failure_message(&f), cases[i].sentence);
        }
}

static void test_from_errno(void **state)
{
        static const struct {
                int error;
                FailureCode code;
        } cases[] = {
                { -ENOMEM, FAILURE_NO_MEMORY },
                { -ENOSPC, FAILURE_STORE_FULL },
                { -EDQUOT, FAILURE_STORE_FULL },
                { -EPERM, FAILURE_INTERNAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_failure_ Failure f = FAILURE_NULL;

                assert_int_equal(
                        failure_set_errno(&f, cases[i].error, "Opening %s", "x"), cases[i].error);
                assert_int_equal(f.code, cases[i].code);
                assert_non_null(strstr(failure_message(&f), "Opening x: "));
        }
}

static void test_copy(void **state)
{
        _cleanup_failure_ Failure f = FAILURE_NULL, copy = FAILURE_NULL, plain = FAILURE_NULL;

        (void) failure_set(&f, FAILURE_TOO_LARGE, "Too much.");
        failure_copy(&copy, &f);
        failure_done(&f);
        assert_int_equal(copy.code, FAILURE_TOO_LARGE);
        assert_string_equal(failure_message(&copy), "Too much.");
        failure_copy(&plain, &(Failure){ .code = FAILURE_BUSY });
        assert_null(plain.message);
        assert_non_null(strstr(failure_message(&plain), "Busy"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_code_has_name_and_errno),
                cmocka_unit_test(test_first_reason_stays),
                cmocka_unit_test(test_sentence_is_text),
                cmocka_unit_test(test_from_errno),
                cmocka_unit_test(test_copy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
