/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/json-util.h"

static void test_parse(void **state)
{
        static const char *const good[] = { "{}", "[]", "1", "-1.5e3", "\"x\"",
                " {\"a\" : [1,2]} \n", "true", "null", "12 ", "\"\\u00e9\"", "\"\xc3\xa9\"" };
        static const char *const bad[] = { "", " ", "{", "[1", "{\"a\":}", "{} {}", "{}x", "tru",
                "\"abc", "{a:1}", "['a']", "[1,]", "\"\xff\"", "\"\xe2\x82\"", "nul", "<html>",
                "01", "// c\n1" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                _cleanup_(json_putp) struct json_object *o = NULL;

                assert_int_equal(json_parse(good[i], strlen(good[i]), &o), 0);
                assert_true(o || streq(good[i], "null"));
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct json_object *o = NULL;

                if (json_parse(bad[i], strlen(bad[i]), &o) != -EBADMSG)
                        fail_msg("accepted: %s", bad[i]);
                assert_null(o);
        }
}

/* The bytes after the given ones are no part of the input. */
static void test_parse_looks_no_further(void **state)
{
        struct json_object *o = NULL;

        assert_int_equal(json_parse("123", 2, &o), 0);
        assert_int_equal(json_object_get_int(o), 12);
        json_object_put(o);
        assert_int_equal(json_parse("{}}", 1, &o), -EBADMSG);
        assert_int_equal(json_parse("{}\0", 3, &o), -EBADMSG);
}

static void test_depth(void **state)
{
        for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
                _cleanup_(json_putp) struct json_object *o = NULL;
                char text[2 * (JSON_DEPTH_MAX + 1)];

                memset(text, '[', depth);
                memset(text + depth, ']', depth);
                assert_int_equal(
                        json_parse(text, 2 * depth, &o), depth <= JSON_DEPTH_MAX ? 0 : -EBADMSG);
        }
}

/* n of them in an array, which is one more, after a string that is full of what looks alike. */
static char *many(const char *what, size_t n, size_t *ret_size)
{
        Buffer b = BUFFER_INIT(MIB(8));
        char *text;

        assert_int_equal(buffer_append_string(&b, "[\"\\\"{[{[\""), 0);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(buffer_append_format(&b, ",%s", what), 0);
        assert_int_equal(buffer_append_string(&b, "]"), 0);
        assert_int_equal(buffer_steal(&b, &text, ret_size), 0);
        return text;
}

static void test_containers(void **state)
{
        static const char *const containers[] = { "{}", "[]" };

        for (size_t i = 0; i < ELEMENTSOF(containers); i++)
                for (size_t n = JSON_CONTAINERS_MAX; n <= JSON_CONTAINERS_MAX + 1; n++) {
                        _cleanup_(json_putp) struct json_object *o = NULL;
                        _cleanup_free_ char *text = NULL;
                        size_t size;

                        text = many(containers[i], n - 1, &size);
                        assert_int_equal(json_parse(text, size, &o),
                                n <= JSON_CONTAINERS_MAX ? 0 : -EBADMSG);
                }
}

static void test_tokener_is_used_again(void **state)
{
        _cleanup_(json_tokener_freep) struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX);
        struct json_object *o = NULL;

        assert_int_equal(json_parse_with(t, "{\"a\":", 5, &o), -EBADMSG);
        assert_int_equal(json_parse_with(t, "[1]", 3, &o), 0);
        assert_int_equal(json_object_array_length(o), 1);
        json_object_put(o);
        assert_int_equal(json_parse_with(t, "7", 1, &o), 0);
        assert_int_equal(json_object_get_int(o), 7);
        json_object_put(o);
        assert_int_equal(json_parse_with(t, "\"\xe2\x82\"", 4, &o), 0);
        assert_int_equal(json_object_get_string_len(o), 2);
        json_object_put(o);
}

static void test_getters(void **state)
{
        static const char text[] = "{\"s\":\"a\\u0000b\",\"n\":null,\"i\":7,\"neg\":-1,"
                                   "\"big\":18446744073709551615,\"d\":2.75,\"huge\":1e300,"
                                   "\"nd\":-0.5,\"t\":true,\"o\":{},\"a\":[]}";
        _cleanup_(json_putp) struct json_object *o = NULL;
        struct json_object *sub;
        const char *s = NULL;
        size_t n;
        uint64_t u = 99;
        double d;
        bool b = false;

        assert_int_equal(json_parse(text, strlen(text), &o), 0);
        assert_int_equal(json_get_string(o, "s", &s, &n), 0);
        assert_int_equal(n, 3);
        assert_memory_equal(s, "a\0b", 3);
        assert_int_equal(json_get_string(o, "s", &s, NULL), 0);
        assert_int_equal(json_get_string(o, "x", &s, &n), -ENOENT);
        assert_int_equal(json_get_string(o, "n", &s, &n), -ENOENT);
        assert_int_equal(json_get_string(o, "i", &s, &n), -EINVAL);
        assert_int_equal(json_get_string(NULL, "i", &s, &n), -ENOENT);

        assert_int_equal(json_get_u64(o, "neg", &u), -ERANGE);
        assert_int_equal(json_get_u64(o, "nd", &u), -ERANGE);
        assert_int_equal(json_get_u64(o, "huge", &u), -ERANGE);
        assert_int_equal(json_get_u64(o, "s", &u), -EINVAL);
        assert_int_equal(json_get_u64(o, "t", &u), -EINVAL);
        assert_int_equal(u, 99);
        assert_int_equal(json_get_u64(o, "i", &u), 0);
        assert_int_equal(u, 7);
        assert_int_equal(json_get_u64(o, "d", &u), 0);
        assert_int_equal(u, 2);
        assert_int_equal(json_get_u64(o, "big", &u), 0);
        assert_true(u == UINT64_MAX);

        assert_int_equal(json_get_double(o, "d", &d), 0);
        assert_true(d > 2.74 && d < 2.76);
        assert_int_equal(json_get_double(o, "neg", &d), 0);
        assert_true(d < 0);
        assert_int_equal(json_get_double(o, "s", &d), -EINVAL);

        assert_int_equal(json_get_bool(o, "t", &b), 0);
        assert_true(b);
        assert_int_equal(json_get_bool(o, "i", &b), -EINVAL);
        assert_int_equal(json_get_object(o, "o", &sub), 0);
        assert_int_equal(json_get_object(o, "a", &sub), -EINVAL);
        assert_int_equal(json_get_array(o, "a", &sub), 0);
        assert_int_equal(json_get_array(o, "o", &sub), -EINVAL);
        assert_int_equal(json_get_array(sub, "o", &sub), -ENOENT);
}

/* Each byte at each place of the words that are looked at as one. */
static void test_append_string_anywhere(void **state)
{
        for (unsigned c = 0; c < 0x80; c++)
                for (size_t at = 0; at < 40; at++) {
                        _cleanup_(json_putp) struct json_object *o = NULL;
                        _cleanup_buffer_ Buffer b = BUFFER_INIT(200);
                        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
                        char in[40];

                        memset(in, 'x', sizeof in);
                        in[at] = (char) c;
                        assert_int_equal(json_append_string(&b, in, sizeof in), 0);
                        assert_int_equal(b.size == sizeof in + 2, plain);
                        for (size_t i = 0; i < b.size; i++)
                                assert_in_range(b.data[i], 0x20, 0x7e);
                        assert_int_equal(json_parse(b.data, b.size, &o), 0);
                        assert_int_equal(json_object_get_string_len(o), sizeof in);
                        assert_memory_equal(json_object_get_string(o), in, sizeof in);
                }
}

static void test_append_string(void **state)
{
        static const char in[] = "q\"b\\/\n\t\r\b\f\x01\x1b\x7f\0\xc2\x9b\xc2\x85\xc2\xa0\xc3\xa9";
        static const char out[] = "\"q\\\"b\\\\/\\n\\t\\r\\b\\f\\u0001\\u001b\\u007f\\u0000\\u009b"
                                  "\\u0085\xc2\xa0\xc3\xa9\"";
        _cleanup_(json_putp) struct json_object *o = NULL;
        _cleanup_buffer_ Buffer b = BUFFER_INIT(200);

        assert_int_equal(json_append_string(&b, in, sizeof in - 1), 0);
        assert_string_equal(b.data, out);
        assert_int_equal(json_parse(b.data, b.size, &o), 0);
        assert_int_equal(json_object_get_string_len(o), sizeof in - 1);
        assert_memory_equal(json_object_get_string(o), in, sizeof in - 1);

        buffer_clear(&b);
        assert_int_equal(json_append_string(&b, "", 0), 0);
        assert_string_equal(b.data, "\"\"");
}

static void test_append_string_over_the_limit(void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(7);

        assert_int_equal(buffer_append(&b, "x:", 2), 0);
        assert_int_equal(json_append_string(&b, "a\nb", 3), -EFBIG);
        assert_string_equal(b.data, "x:");
        assert_int_equal(json_append_string(&b, "a\n", 2), 0);
        assert_string_equal(b.data, "x:\"a\\n\"");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_parse_looks_no_further),
                cmocka_unit_test(test_depth),
                cmocka_unit_test(test_containers),
                cmocka_unit_test(test_tokener_is_used_again),
                cmocka_unit_test(test_getters),
                cmocka_unit_test(test_append_string),
                cmocka_unit_test(test_append_string_anywhere),
                cmocka_unit_test(test_append_string_over_the_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
