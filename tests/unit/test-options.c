/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/error.h"
#include "service/bus/options.h"
#include "tests/unit/bus-util.h"

#define INVALID "org.aiway.Conductor1.Error.InvalidArgument"

/* A message whose whole body is an a{sv} of the entries that follow. */
static sd_bus_message *begin(void **state)
{
        sd_bus_message *m = bus_new_call(*state);

        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        return m;
}

static void end(sd_bus_message *m)
{
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        assert_true(sd_bus_message_rewind(m, 1) >= 0);
}

typedef struct Values {
        const char *text, *path;
        bool flag, text_given;
        uint32_t number;
        uint64_t large;
        size_t bytes;
} Values;

static int parse_bytes(sd_bus_message *m, void *value, sd_bus_error *error)
{
        const void *data;

        return sd_bus_message_read_array(m, 'y', &data, value);
}

static int read_into(sd_bus_message *m, Values *v, sd_bus_error *error)
{
        const BusOption options[] = {
                { "text", "s", &v->text, &v->text_given },
                { "path", "o", &v->path },
                { "flag", "b", &v->flag },
                { "number", "u", &v->number },
                { "large", "t", &v->large },
                { "bytes", "ay", &v->bytes, NULL, parse_bytes },
        };

        return bus_read_options(m, options, ELEMENTSOF(options), error);
}

static void test_none(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = begin(state);
        Values v = { .text = "as it was" };

        end(m);
        assert_true(read_into(m, &v, NULL) >= 0);
        assert_string_equal(v.text, "as it was");
        assert_false(v.text_given);
        assert_int_equal(sd_bus_message_at_end(m, 1), 1);
}

static void test_all(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = begin(state);
        Values v = { 0 };

        assert_true(sd_bus_message_append(m, "{sv}", "large", "t", UINT64_MAX) >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "text", "s", "hello") >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "flag", "b", 1) >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "number", "u", UINT32_MAX) >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "path", "o", "/a/b") >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "bytes", "ay", 3, 1, 2, 3) >= 0);
        end(m);

        assert_true(read_into(m, &v, NULL) >= 0);
        assert_string_equal(v.text, "hello");
        assert_true(v.text_given);
        assert_string_equal(v.path, "/a/b");
        assert_true(v.flag);
        assert_int_equal(v.number, UINT32_MAX);
        assert_true(v.large == UINT64_MAX);
        assert_int_equal(v.bytes, 3);
        assert_int_equal(sd_bus_message_at_end(m, 1), 1);
}

static void assert_refused(sd_bus_message *m, const char *word)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Values v = { 0 };

        end(m);
        assert_int_equal(read_into(m, &v, &error), -EINVAL);
        assert_string_equal(error.name, INVALID);
        assert_non_null(strstr(error.message, word));
}

static void test_unknown(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = begin(state);

        assert_true(sd_bus_message_append(m, "{sv}", "texts", "s", "x") >= 0);
        assert_refused(m, "\"texts\"");
}

static void test_unknown_is_cut_between_characters(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = begin(state);
        char key[200], shown[80] = "\"";

        /* 63 bytes, then characters of two: the 64th byte is in the middle of one. */
        memset(key, 'k', 63);
        key[63] = 0;
        (void) strcat(shown, key);
        (void) strcat(shown, "\"");
        for (int i = 0; i < 40; i++)
                (void) strcat(key, "\xc3\xa4");
        assert_true(sd_bus_message_append(m, "{sv}", key, "s", "x") >= 0);
        assert_refused(m, shown);
}

static void test_twice(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = begin(state);

        assert_true(sd_bus_message_append(m, "{sv}", "flag", "b", 1) >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "flag", "b", 1) >= 0);
        assert_refused(m, "twice");
}

static void test_wrong_types(void **state)
{
        static const char *const names[] = { "text", "path", "flag", "number", "bytes" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = begin(state);

                assert_true(sd_bus_message_append(m, "{sv}", names[i], "t", UINT64_C(1)) >= 0);
                assert_refused(m, names[i]);
        }
}

static void test_error_names(void **state)
{
        for (FailureCode code = FAILURE_NONE + 1; code < _FAILURE_MAX; code++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_failure_ Failure failure = FAILURE_NULL;

                (void) failure_set(&failure, code, "what to do, %d", 7);
                assert_int_equal(
                        bus_error_from_failure(&error, &failure), failure_code_to_errno(code));
                assert_true(failure_code_to_errno(code) < 0);
                assert_non_null(startswith(error.name, "org.aiway.Conductor1.Error."));
                assert_string_equal(strrchr(error.name, '.') + 1, failure_code_to_string(code));
                assert_string_equal(error.message, "what to do, 7");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_none),
                cmocka_unit_test(test_all),
                cmocka_unit_test(test_unknown),
                cmocka_unit_test(test_unknown_is_cut_between_characters),
                cmocka_unit_test(test_twice),
                cmocka_unit_test(test_wrong_types),
                cmocka_unit_test(test_error_names),
        };

        return cmocka_run_group_tests(tests, bus_setup, bus_teardown);
}
