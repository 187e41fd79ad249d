/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/append.h"
#include "tests/unit/bus-util.h"

static void reread(sd_bus_message *m, const char *signature)
{
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        assert_string_equal(sd_bus_message_get_signature(m, 1), signature);
        assert_true(sd_bus_message_rewind(m, 1) >= 0);
}

static void test_entries(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = bus_new_call(*state);
        const BusEntry entries[] = {
                { "string", 's', .s = "" },
                { "bool", 'b', .b = true },
                { "u32", 'u', .u = UINT32_MAX },
                { "u64", 't', .t = UINT64_MAX },
                { "double", 'd', .d = -0.5 },
        };
        uint64_t large = 0;
        uint32_t number = 0;
        const char *keys[ELEMENTSOF(entries)], *s = NULL;
        double d = 0;
        int b = 0;

        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_true(bus_append_entries(m, entries, ELEMENTSOF(entries)) >= 0);
        assert_true(bus_close_containers(m, 1) >= 0);
        reread(m, "a{sv}");
        assert_true(sd_bus_message_read(m, "a{sv}", 5, &keys[0], "s", &s, &keys[1], "b", &b,
                            &keys[2], "u", &number, &keys[3], "t", &large, &keys[4], "d", &d) > 0);
        for (size_t i = 0; i < ELEMENTSOF(entries); i++)
                assert_string_equal(keys[i], entries[i].key);
        assert_string_equal(s, "");
        assert_int_equal(b, 1);
        assert_int_equal(number, UINT32_MAX);
        assert_int_equal(large, UINT64_MAX);
        assert_true(d < -0.4 && d > -0.6);
        assert_int_equal(sd_bus_message_at_end(m, 1), 1);
}

/* Each type's nothing is left out, and its least something is not. */
static void test_optional(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = bus_new_call(*state);
        const BusEntry nothing[] = {
                { "a", 's', .optional = true, .s = NULL },
                { "b", 's', .optional = true, .s = "" },
                { "c", 'b', .optional = true, .b = false },
                { "d", 'u', .optional = true, .u = 0 },
                { "e", 't', .optional = true, .t = 0 },
                { "f", 'd', .optional = true, .d = 0 },
        };
        const BusEntry something[] = {
                { "a", 's', .optional = true, .s = "x" },
                { "b", 'b', .optional = true, .b = true },
                { "c", 'u', .optional = true, .u = 1 },
                { "d", 't', .optional = true, .t = 1 },
                { "e", 'd', .optional = true, .d = 0.001 },
        };
        const char *key;
        unsigned n = 0;

        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_true(bus_append_entries(m, nothing, ELEMENTSOF(nothing)) >= 0);
        assert_true(bus_append_entries(m, something, ELEMENTSOF(something)) >= 0);
        assert_true(bus_close_containers(m, 1) >= 0);
        reread(m, "a{sv}");
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(m, "s", &key) > 0);
                assert_string_equal(key, something[n].key);
                assert_true(sd_bus_message_skip(m, "v") >= 0);
                assert_true(sd_bus_message_exit_container(m) >= 0);
                n++;
        }
        assert_int_equal(n, ELEMENTSOF(something));
}

static void test_unknown_type(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = bus_new_call(*state);
        const BusEntry entry = { "key", 'y', .u = 1 };

        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_int_equal(bus_append_entries(m, &entry, 1), -EINVAL);
}

static void test_row(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = bus_new_call(*state);
        const char *path, *s, *key, *value;
        uint64_t t;

        assert_true(bus_open_row(m, "ost", "/a", "b", UINT64_C(7)) >= 0);
        assert_true(bus_open_entry(m, "text", "s") >= 0);
        assert_true(bus_append_text(m, "abc", 2) >= 0);
        assert_true(bus_close_containers(m, 4) >= 0);
        reread(m, "(osta{sv})");
        assert_true(sd_bus_message_read(m, "(osta{sv})", &path, &s, &t, 1, &key, "s", &value) > 0);
        assert_string_equal(key, "text");
        assert_string_equal(path, "/a");
        assert_string_equal(s, "b");
        assert_int_equal(t, 7);
        assert_string_equal(value, "ab");
}

static void test_bad_row(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = bus_new_call(*state);

        assert_int_equal(bus_open_row(m, "o", "no path"), -EINVAL);
}

static void test_text_of_nothing(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = bus_new_call(*state);
        const char *s;

        assert_true(bus_append_text(m, NULL, 0) >= 0);
        reread(m, "s");
        assert_true(sd_bus_message_read(m, "s", &s) > 0);
        assert_string_equal(s, "");
}

static void test_answer(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = bus_new_call(*state), *m = NULL;

        assert_true(sd_bus_message_seal(call, 1, 0) >= 0);
        assert_true(bus_open_answer(call, "(sa{sv})", &m) >= 0);
        assert_true(bus_close_containers(m, 1) >= 0);
        reread(m, "a(sa{sv})");
        assert_true(sd_bus_message_enter_container(m, 'a', "(sa{sv})") > 0);
        assert_int_equal(sd_bus_message_at_end(m, 0), 1);
}

/* Nothing is open: sd-bus says so, and it is passed on. */
static void test_close_too_many(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = bus_new_call(*state);

        assert_true(sd_bus_message_open_container(m, 'a', "s") >= 0);
        assert_int_equal(bus_close_containers(m, 2), -EINVAL);
        assert_int_equal(bus_close_containers(m, 0), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_entries),
                cmocka_unit_test(test_optional),
                cmocka_unit_test(test_unknown_type),
                cmocka_unit_test(test_row),
                cmocka_unit_test(test_bad_row),
                cmocka_unit_test(test_text_of_nothing),
                cmocka_unit_test(test_answer),
                cmocka_unit_test(test_close_too_many),
        };

        return cmocka_run_group_tests(tests, bus_setup, bus_teardown);
}
