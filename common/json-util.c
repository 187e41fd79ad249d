/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/json-util.h"

#include <limits.h>

#include "common/utf8.h"

static bool only_space(const char *data, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (!memchr(" \t\r\n", data[i], 4))
                        return false;
        return true;
}

/* Only where so many fit in. In text that is no JSON it may count wrongly, and nothing is lost. */
static bool has_too_many_containers(const char *data, size_t size)
{
        size_t n = 0;
        bool string = false;

        if (size <= 2 * (size_t) JSON_CONTAINERS_MAX)
                return false;
        for (size_t i = 0; i < size; i++)
                if (string && data[i] == '\\')
                        i++;
                else if (data[i] == '"')
                        string = !string;
                else if ((data[i] == '{' || data[i] == '[') && !string && ++n > JSON_CONTAINERS_MAX)
                        return true;
        return false;
}

/* JSON_TOKENER_STRICT would refuse text after the value, but also needs a NUL to end a number: so
 * the end is looked at here, and a tokener that still waits is given one more byte of white space.
 */
int json_parse_with(struct json_tokener *t, const char *data, size_t size, struct json_object **ret)
{
        _cleanup_(json_putp) struct json_object *o = NULL;
        enum json_tokener_error error;
        size_t end;

        assert(t);
        assert(ret);

        if (size > INT_MAX || only_space(data, size) || has_too_many_containers(data, size))
                return -EBADMSG;

        json_tokener_reset(t);
        json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
        o = json_tokener_parse_ex(t, data, (int) size);
        error = json_tokener_get_error(t);
        end = json_tokener_get_parse_end(t);
        if (error == json_tokener_continue) {
                o = json_tokener_parse_ex(t, " ", 1);
                error = json_tokener_get_error(t);
                end = size;
        }
        json_tokener_reset(t);
        if (error != json_tokener_success || !only_space(data + end, size - end))
                return -EBADMSG;
        *ret = TAKE_PTR(o);
        return 0;
}

int json_parse(const char *data, size_t size, struct json_object **ret)
{
        _cleanup_(json_tokener_freep) struct json_tokener *t = NULL;

        if (!utf8_is_valid(data, size))
                return -EBADMSG;
        t = json_tokener_new_ex(JSON_DEPTH_MAX);
        if (!t)
                return -ENOMEM;
        return json_parse_with(t, data, size, ret);
}

static int get(struct json_object *o, const char *key, struct json_object **ret)
{
        struct json_object *value;

        if (!json_object_is_type(o, json_type_object) ||
                !json_object_object_get_ex(o, key, &value) || !value)
                return -ENOENT;
        *ret = value;
        return 0;
}

static int get_typed(
        struct json_object *o, const char *key, enum json_type type, struct json_object **ret)
{
        struct json_object *value;
        int r;

        r = get(o, key, &value);
        if (r < 0)
                return r;
        if (!json_object_is_type(value, type))
                return -EINVAL;
        *ret = value;
        return 0;
}

int json_get_string(struct json_object *o, const char *key, const char **ret, size_t *ret_size)
{
        struct json_object *value;
        int r;

        r = get_typed(o, key, json_type_string, &value);
        if (r < 0)
                return r;
        *ret = json_object_get_string(value);
        if (ret_size)
                *ret_size = json_object_get_string_len(value);
        return 0;
}

int json_get_double(struct json_object *o, const char *key, double *ret)
{
        struct json_object *value;
        int r;

        r = get(o, key, &value);
        if (r < 0)
                return r;
        if (!json_object_is_type(value, json_type_double) &&
                !json_object_is_type(value, json_type_int))
                return -EINVAL;
        *ret = json_object_get_double(value);
        return 0;
}

int json_get_u64(struct json_object *o, const char *key, uint64_t *ret)
{
        struct json_object *value;
        double d;
        int r;

        r = get(o, key, &value);
        if (r < 0)
                return r;
        if (json_object_is_type(value, json_type_int)) {
                if (json_object_get_int64(value) < 0)
                        return -ERANGE;
                *ret = json_object_get_uint64(value);
                return 0;
        }
        if (!json_object_is_type(value, json_type_double))
                return -EINVAL;
        d = json_object_get_double(value);
        if (!(d >= 0 && d < 18446744073709551616.0)) /* NaN too */
                return -ERANGE;
        *ret = (uint64_t) d;
        return 0;
}

int json_get_bool(struct json_object *o, const char *key, bool *ret)
{
        struct json_object *value;
        int r;

        r = get_typed(o, key, json_type_boolean, &value);
        if (r < 0)
                return r;
        *ret = json_object_get_boolean(value);
        return 0;
}

int json_get_object(struct json_object *o, const char *key, struct json_object **ret)
{
        return get_typed(o, key, json_type_object, ret);
}

int json_get_array(struct json_object *o, const char *key, struct json_object **ret)
{
        return get_typed(o, key, json_type_array, ret);
}

/* Returns the length of the escape, 0 when the byte is written as it is. */
static size_t escape(unsigned char c, char ret[6])
{
        static const char hex[] = "0123456789abcdef";
        static const char names[][2] = { { '"', '"' }, { '\\', '\\' }, { '\n', 'n' }, { '\t', 't' },
                { '\r', 'r' }, { '\b', 'b' }, { '\f', 'f' } };

        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
                return 0;
        ret[0] = '\\';
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (names[i][0] == (char) c) {
                        ret[1] = names[i][1];
                        return 2;
                }
        memcpy(ret + 1, "u00", 3);
        ret[4] = hex[c >> 4];
        ret[5] = hex[c & 15];
        return 6;
}

/* C1 controls are two bytes, C2 80 to C2 9F: \u0080 to \u009f. */
static bool is_c1(const char *text, size_t size)
{
        return size >= 2 && (unsigned char) text[0] == 0xc2 && (unsigned char) text[1] < 0xa0;
}

/* Eight bytes at a time: nearly all text is written as it is. What is found may be a byte above the
 * one that is looked for, so the eight are then looked at one by one. */
static size_t plain_prefix(const char *text, size_t size)
{
        static const unsigned char special[] = { '"', '\\', 0x7f, 0xc2 };
        const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
        size_t i = 0;

        for (; size - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
                uint64_t w, found;

                memcpy(&w, text + i, sizeof w);
                found = (w - ones * 0x20) & ~w;
                for (size_t k = 0; k < ELEMENTSOF(special); k++) {
                        uint64_t x = w ^ (ones * special[k]);

                        found |= (x - ones) & ~x;
                }
                if (found & highs)
                        break;
        }
        return i;
}

/* Goes on from *i to what is not written as it is: the length of its escape, 0 when there is no
 * more.
 */
static size_t next_escape(
        const char *text, size_t size, size_t *i, char ret[static 6], size_t *ret_used)
{
        for (size_t start = *i; *i < size; (*i)++) {
                size_t n;

                /* Not after each byte: where many are special it would find nothing. */
                if (*i == start || *i % 64 == 0)
                        *i += plain_prefix(text + *i, size - *i);
                if (*i == size)
                        break;
                n = escape(text[*i], ret);
                if (n > 0) {
                        *ret_used = 1;
                        return n;
                }
                if (is_c1(text + *i, size - *i)) {
                        (void) escape(1, ret); /* \u00 and two digits */
                        ret[4] = (unsigned char) text[*i + 1] < 0x90 ? '8' : '9';
                        ret[5] = "0123456789abcdef"[text[*i + 1] & 15];
                        *ret_used = 2;
                        return 6;
                }
        }
        return 0;
}

int json_append_escaped(Buffer *b, const char *text, size_t size)
{
        size_t from = 0, i = 0, n, used;
        char escaped[6];
        int r = 0;

        while (r >= 0 && (n = next_escape(text, size, &i, escaped, &used)) > 0) {
                r = buffer_append(b, text + from, i - from);
                if (r >= 0)
                        r = buffer_append(b, escaped, n);
                i += used;
                from = i;
        }
        if (r >= 0)
                r = buffer_append(b, text + from, size - from);
        return r;
}

size_t json_escaped_size(const char *text, size_t size)
{
        size_t i = 0, all = size, n, used;
        char escaped[6];

        while ((n = next_escape(text, size, &i, escaped, &used)) > 0) {
                all += n - used;
                i += used;
        }
        return all;
}

int json_append_string(Buffer *b, const char *text, size_t size)
{
        size_t start = b->size;
        int r;

        r = buffer_append(b, "\"", 1);
        if (r >= 0)
                r = json_append_escaped(b, text, size);
        if (r >= 0)
                r = buffer_append(b, "\"", 1);
        if (r < 0) {
                b->size = start;
                if (b->data)
                        b->data[start] = 0;
        }
        return r;
}
