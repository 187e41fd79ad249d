/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is said about a reply, as a{sv}: from the live reply, or from what is stored of it. */

#include <json-c/json.h>

#include "service/bus/append.h"
#include "service/conversation/conversation-face.h"

int conversation_append_reply_info(sd_bus_message *m, const ReplyInfo *info)
{
        const Failure *f = info->failure;
        const BusEntry known[] = {
                { "model", 's', .optional = true, .s = info->model },
                { "engine", 's', .optional = true, .s = info->engine },
                { "phase", 's', .optional = true, .s = info->phase },
                { "note", 's', .optional = true, .s = info->note },
                { "reason", 's', .optional = true, .s = end_reason_to_string(info->reason) },
                { "error", 's', .optional = true, .s = f ? failure_code_to_string(f->code) : NULL },
                { "message", 's', .optional = true, .s = f ? failure_message(f) : NULL },
                { "elapsed_us", 't', .optional = true, .t = info->elapsed },
                { "first_token_us", 't', .optional = true, .t = info->first_token },
                { "tokens_in", 't', .optional = true, .t = info->tokens_in },
                { "tokens_out", 't', .optional = true, .t = info->tokens_out },
                { "context_used", 't', .optional = true, .t = info->context_used },
                { "context_size", 't', .optional = true, .t = info->context_size },
                { "dropped_messages", 't', .optional = true, .t = info->dropped_messages },
                { "place", 't', .optional = true, .t = info->place },
                { "estimated", 'b', .optional = true, .b = info->estimated },
                { "tokens_per_second", 'd', .optional = true, .d = info->tokens_per_second },
        };

        return bus_append_entries(m, known, ELEMENTSOF(known));
}

int metadata_append_reply(sd_bus_message *m, const ReplyInfo *info)
{
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = conversation_append_reply_info(m, info);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int append_json_value(sd_bus_message *m, const char *key, json_object *value)
{
        int64_t number;

        switch (json_object_get_type(value)) {
        case json_type_null:
                return 0;
        case json_type_boolean:
                return sd_bus_message_append(
                        m, "{sv}", key, "b", (int) json_object_get_boolean(value));
        case json_type_double:
                return sd_bus_message_append(m, "{sv}", key, "d", json_object_get_double(value));
        case json_type_int:
                number = json_object_get_int64(value);
                if (number >= 0)
                        return sd_bus_message_append(
                                m, "{sv}", key, "t", json_object_get_uint64(value));
                return sd_bus_message_append(m, "{sv}", key, "x", number);
        case json_type_string:
                return sd_bus_message_append(m, "{sv}", key, "s", json_object_get_string(value));
        case json_type_array:
        case json_type_object:
                return sd_bus_message_append(m, "{sv}", key, "s",
                        json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        }
        return 0;
}

int metadata_append_json(sd_bus_message *m, const char *json, EndReason reason)
{
        _unused_ json_object_iter entry;
        json_object *root;
        int r = 0;

        if (reason != REASON_NONE) {
                r = sd_bus_message_append(m, "{sv}", "reason", "s", end_reason_to_string(reason));
                if (r < 0)
                        return r;
        }
        if (isempty(json))
                return 0;
        root = json_tokener_parse(json);
        if (json_object_is_type(root, json_type_object))
                json_object_object_foreachC(root, entry)
                {
                        if (streq(entry.key, "reason"))
                                continue;
                        r = append_json_value(m, entry.key, entry.val);
                        if (r < 0)
                                break;
                }
        (void) json_object_put(root);
        return r;
}
