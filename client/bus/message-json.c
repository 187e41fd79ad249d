/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/message-json.h"

#include "common/macro.h"

static inline void json_unrefp(json_object **j)
{
        json_object_put(*j);
}
#define _cleanup_json_ _cleanup_(json_unrefp)

static int basic_to_json(sd_bus_message *m, char type, json_object **ret)
{
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
        } v = { .t = 0 };
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;

        switch (type) {
        case 'y':
                *ret = json_object_new_int(v.y);
                break;
        case 'b':
                *ret = json_object_new_boolean(v.b);
                break;
        case 'n':
                *ret = json_object_new_int(v.n);
                break;
        case 'q':
                *ret = json_object_new_int(v.q);
                break;
        case 'i':
                *ret = json_object_new_int(v.i);
                break;
        case 'u':
                *ret = json_object_new_int64(v.u);
                break;
        case 'x':
                *ret = json_object_new_int64(v.x);
                break;
        case 't':
                *ret = json_object_new_uint64(v.t);
                break;
        case 'd':
                *ret = json_object_new_double(v.d);
                break;
        case 's':
        case 'o':
        case 'g':
                *ret = json_object_new_string(v.s);
                break;
        case 'h':
                *ret = NULL; /* a descriptor has no meaning in text */
                return 0;
        default:
                return -EBADMSG;
        }
        return *ret ? 0 : -ENOMEM;
}

static int dictionary_to_json(sd_bus_message *m, const char *entry, json_object **ret)
{
        _cleanup_json_ json_object *object = json_object_new_object();
        int r;

        if (!object)
                return -ENOMEM;
        for (;;) {
                json_object *value = NULL;
                const char *key;

                r = sd_bus_message_enter_container(m, 'e', entry);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                r = sd_bus_message_read_basic(m, 's', &key);
                if (r < 0)
                        return r;
                r = message_to_json(m, &value);
                if (r < 0)
                        return r;
                if (json_object_object_add(object, key, value) < 0) {
                        json_object_put(value);
                        return -ENOMEM;
                }
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(object);
        return 0;
}

int message_to_json_array(sd_bus_message *m, json_object **ret)
{
        _cleanup_json_ json_object *array = json_object_new_array();
        int r;

        if (!array)
                return -ENOMEM;
        for (;;) {
                json_object *value = NULL;

                r = sd_bus_message_at_end(m, false);
                if (r < 0)
                        return r;
                if (r > 0)
                        break;
                r = message_to_json(m, &value);
                if (r < 0)
                        return r;
                if (json_object_array_add(array, value) < 0) {
                        json_object_put(value);
                        return -ENOMEM;
                }
        }
        *ret = TAKE_PTR(array);
        return 0;
}

int message_to_json(sd_bus_message *m, json_object **ret)
{
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (r == 0)
                return -ENXIO;
        if (!contents)
                return basic_to_json(m, type, ret);

        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        if (type == 'v')
                r = message_to_json(m, ret);
        else if (type == 'a' && contents[0] == '{' && contents[1] == 's') {
                _cleanup_free_ char *entry = strndup(contents + 1, strlen(contents) - 2);

                r = entry ? dictionary_to_json(m, entry, ret) : -ENOMEM;
        } else
                r = message_to_json_array(m, ret);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}
