/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is said about a reply, as a{sv}: from the live reply, or from what is stored of it. */

#include <json-c/json.h>

#include "service/bus/options.h"
#include "service/conversation/conversation-face.h"

int bus_append_text(sd_bus_message *m, const char *text, size_t size)
{
        char *space;
        int r;

        r = sd_bus_message_append_string_space(m, size, &space);
        if (r < 0)
                return r;
        if (size > 0)
                memcpy(space, text, size);
        return 0;
}

/* 0 and "" mean that it is not known: then nothing is said. */
static int append_known_string(sd_bus_message *m, const char *key, const char *value)
{
        return isempty(value) ? 0 : bus_append_string(m, key, value);
}

static int append_known_u64(sd_bus_message *m, const char *key, uint64_t value)
{
        return value == 0 ? 0 : bus_append_u64(m, key, value);
}

int conversation_append_reply_info(sd_bus_message *m, const ReplyInfo *info)
{
        const struct {
                const char *key, *value;
        } strings[] = {
                { "model", info->model },
                { "engine", info->engine },
                { "phase", info->phase },
                { "note", info->note },
                { "reason", end_reason_to_string(info->reason) },
                { "error", info->failure ? failure_code_to_string(info->failure->code) : NULL },
                { "message", info->failure ? failure_message(info->failure) : NULL },
        };
        const struct {
                const char *key;
                uint64_t value;
        } numbers[] = {
                { "elapsed_us", info->elapsed },
                { "first_token_us", info->first_token },
                { "tokens_in", info->tokens_in },
                { "tokens_out", info->tokens_out },
                { "context_used", info->context_used },
                { "context_size", info->context_size },
                { "dropped_messages", info->dropped_messages },
                { "place", info->place },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(strings); i++) {
                r = append_known_string(m, strings[i].key, strings[i].value);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                r = append_known_u64(m, numbers[i].key, numbers[i].value);
                if (r < 0)
                        return r;
        }
        if (info->estimated) {
                r = bus_append_bool(m, "estimated", true);
                if (r < 0)
                        return r;
        }
        if (info->tokens_per_second > 0)
                return bus_append_double(m, "tokens_per_second", info->tokens_per_second);
        return 0;
}

static int append_json_value(sd_bus_message *m, const char *key, json_object *value)
{
        int64_t number;

        switch (json_object_get_type(value)) {
        case json_type_null:
                return 0;
        case json_type_boolean:
                return bus_append_bool(m, key, json_object_get_boolean(value));
        case json_type_double:
                return bus_append_double(m, key, json_object_get_double(value));
        case json_type_int:
                number = json_object_get_int64(value);
                if (number >= 0)
                        return bus_append_u64(m, key, json_object_get_uint64(value));
                return sd_bus_message_append(m, "{sv}", key, "x", number);
        case json_type_string:
                return bus_append_string(m, key, json_object_get_string(value));
        case json_type_array:
        case json_type_object:
                return bus_append_string(
                        m, key, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        }
        return 0;
}

int metadata_append_json(sd_bus_message *m, const char *json, EndReason reason)
{
        _unused_ json_object_iter entry;
        json_object *root;
        int r = 0;

        if (reason != REASON_NONE) {
                r = bus_append_string(m, "reason", end_reason_to_string(reason));
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
