/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/message-json.h"

#include <math.h>

#include "common/json-util.h"

static int basic_to_json(sd_bus_message *m, char type, json_object **ret)
{
        json_object *value;
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
                value = json_object_new_int(v.y);
                break;
        case 'b':
                value = json_object_new_boolean(v.b);
                break;
        case 'n':
                value = json_object_new_int(v.n);
                break;
        case 'q':
                value = json_object_new_int(v.q);
                break;
        case 'i':
                value = json_object_new_int(v.i);
                break;
        case 'u':
                value = json_object_new_int64(v.u);
                break;
        case 'x':
                value = json_object_new_int64(v.x);
                break;
        case 't':
                value = json_object_new_uint64(v.t);
                break;
        case 'd':
                /* JSON has neither infinity nor what is no number. */
                if (!isfinite(v.d)) {
                        *ret = NULL;
                        return 0;
                }
                value = json_object_new_double(v.d);
                break;
        case 's':
        case 'o':
        case 'g':
                value = json_object_new_string(v.s);
                break;
        case 'h':
                *ret = NULL; /* a descriptor has no meaning in text */
                return 0;
        default:
                return -EBADMSG;
        }
        if (!value)
                return -ENOMEM;
        *ret = value;
        return 0;
}

static int dictionary_to_json(sd_bus_message *m, const char *entry, json_object **ret)
{
        _cleanup_(json_putp) json_object *object = json_object_new_object();
        int r;

        if (!object)
                return -ENOMEM;
        while ((r = sd_bus_message_enter_container(m, 'e', entry)) > 0) {
                _cleanup_(json_putp) json_object *value = NULL;
                const char *key;

                r = sd_bus_message_read_basic(m, 's', &key);
                if (r < 0)
                        return r;
                r = message_to_json(m, &value);
                if (r < 0)
                        return r;
                if (json_object_object_add(object, key, value) < 0)
                        return -ENOMEM;
                TAKE_PTR(value);
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(object);
        return 0;
}

int message_to_json_array(sd_bus_message *m, json_object **ret)
{
        _cleanup_(json_putp) json_object *array = json_object_new_array();
        int r;

        if (!array)
                return -ENOMEM;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                _cleanup_(json_putp) json_object *value = NULL;

                r = message_to_json(m, &value);
                if (r < 0)
                        return r;
                if (json_object_array_add(array, value) < 0)
                        return -ENOMEM;
                TAKE_PTR(value);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(array);
        return 0;
}

static int contents_to_json(sd_bus_message *m, char type, const char *contents, json_object **ret)
{
        _cleanup_free_ char *entry = NULL;

        if (type == 'v')
                return message_to_json(m, ret);
        if (type != 'a' || !startswith(contents, "{s"))
                return message_to_json_array(m, ret);

        /* "{sv}" without its braces. */
        entry = strndup(contents + 1, strlen(contents) - 2);
        return entry ? dictionary_to_json(m, entry, ret) : -ENOMEM;
}

int message_to_json(sd_bus_message *m, json_object **ret)
{
        _cleanup_(json_putp) json_object *value = NULL;
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
        r = contents_to_json(m, type, contents, &value);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(value);
        return 0;
}
