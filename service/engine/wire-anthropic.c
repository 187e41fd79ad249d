/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/wire-private.h"

/* Anthropic's Messages. The API requires max_tokens, alternating roles, a user's message first, and
 * text that is more than white space. */

#define ANTHROPIC_MAX_TOKENS 4096

/* ---- request ---- */

static bool is_space(char c)
{
        return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static size_t trimmed_size(const PromptMessage *m)
{
        size_t n = m->size;

        while (n > 0 && is_space(m->text[n - 1]))
                n--;
        return n;
}

static const PromptMessage *next_message(const WireRequest *request, const PromptMessage *after)
{
        const PromptMessage *m = after;

        while ((m = wire_next_message(request, m))) {
                if (trimmed_size(m) == 0 && m->n_attachments == 0)
                        continue;
                if (after || m->role != ROLE_ASSISTANT)
                        return m;
        }
        return NULL;
}

static void out_image(WireOut *o, const PromptAttachment *a)
{
        wire_out(o, "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":");
        wire_out_string(o, a->type, strlen(a->type));
        wire_out(o, ",\"data\":\"");
        wire_out_base64(o, a);
        wire_out(o, "\"}}");
}

/* The blocks of one message; first: no block stands before them. */
static void out_blocks(WireOut *o, const PromptMessage *m, bool first, bool trim)
{
        size_t n_files = 0;

        for (size_t i = 0; i < m->n_attachments; i++) {
                if (!wire_is_image(&m->attachments[i])) {
                        n_files++;
                        continue;
                }
                if (!first)
                        wire_out(o, ",");
                first = false;
                out_image(o, &m->attachments[i]);
        }
        if (n_files == 0 && trimmed_size(m) == 0)
                return;

        wire_out(o, first ? "{\"type\":\"text\",\"text\":" : ",{\"type\":\"text\",\"text\":");
        if (trim)
                wire_out_prompt(o, m->text, trimmed_size(m));
        else
                wire_out_text(o, m);
        wire_out(o, "}");
}

static void anthropic_build(const WireRequest *request, WireOut *o)
{
        const PromptMessage *m, *next;
        Role role = _ROLE_INVALID;

        wire_out(o, "{\"model\":");
        wire_out_string(o, request->model, strlen(request->model));
        wire_out(o, ",\"stream\":true,\"max_tokens\":");
        wire_out_number(o, request->max_tokens > 0 ? request->max_tokens : ANTHROPIC_MAX_TOKENS);
        if (!isempty(request->prompt->system)) {
                wire_out(o, ",\"system\":");
                wire_out_prompt(o, request->prompt->system, strlen(request->prompt->system));
        }
        wire_out(o, ",\"messages\":[");
        for (m = next_message(request, NULL); m; m = next) {
                bool assistant = m->role == ROLE_ASSISTANT;
                Role as = assistant ? ROLE_ASSISTANT : ROLE_USER;
                bool opens = as != role;

                next = next_message(request, m);
                if (opens) {
                        wire_out(o, role == _ROLE_INVALID ? "{\"role\":\"" : "]},{\"role\":\"");
                        wire_out(o, role_to_string(as));
                        wire_out(o, "\",\"content\":[");
                        role = as;
                }
                /* The text to go on with must not end in white space. */
                out_blocks(o, m, opens, !next && assistant);
        }
        wire_out(o, role == _ROLE_INVALID ? "]}" : "]}]}");
}

/* ---- answer ---- */

static EndReason map_reason(const char *reason)
{
        static const WireReason table[] = {
                { "end_turn", REASON_STOP },
                { "stop_sequence", REASON_STOP },
                { "max_tokens", REASON_LENGTH },
                { "model_context_window_exceeded", REASON_LENGTH },
                { "tool_use", REASON_TOOL },
                { "pause_turn", REASON_INCOMPLETE },
                { "refusal", REASON_FILTERED },
        };

        return wire_reason(table, ELEMENTSOF(table), reason);
}

static void read_usage(struct json_object *o, WireEnd *end)
{
        static const char *const parts[] = { "input_tokens", "cache_creation_input_tokens",
                "cache_read_input_tokens" };
        struct json_object *usage;
        uint64_t in = 0, n;

        if (json_get_object(o, "usage", &usage) < 0)
                return;
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (json_get_u64(usage, parts[i], &n) >= 0)
                        in += n;
        if (in > 0)
                end->tokens_in = in;
        (void) json_get_u64(usage, "output_tokens", &end->tokens_out);
        end->context_used = end->tokens_in + end->tokens_out;
}

static void read_reason(struct json_object *o, WireEnd *end)
{
        const char *reason;

        if (json_get_string(o, "stop_reason", &reason, NULL) >= 0)
                end->reason = map_reason(reason);
}

/* A block's text, whole or as a delta: the members tell what it is. */
static int tell_block(WireDecoder *d, struct json_object *block)
{
        const char *type = "";
        int r;

        (void) json_get_string(block, "type", &type, NULL);
        if (streq(type, "thinking") || streq(type, "thinking_delta"))
                r = wire_tell_member(d, CHANNEL_REASONING, block, "thinking");
        else if (streq(type, "text") || streq(type, "text_delta"))
                r = wire_tell_member(d, CHANNEL_CONTENT, block, "text");
        else
                r = 0;
        return MIN(r, 0);
}

/* Events and deltas that are not known are passed over, as the API asks. */
static int anthropic_event(WireDecoder *d, struct json_object *o)
{
        struct json_object *part = NULL;
        const char *type = "";

        if (wire_is_error(o))
                return wire_fail(d, o);

        (void) json_get_string(o, "type", &type, NULL);
        if (streq(type, "content_block_delta")) {
                (void) json_get_object(o, "delta", &part);
                return tell_block(d, part);
        }
        if (streq(type, "content_block_start")) {
                (void) json_get_object(o, "content_block", &part);
                return tell_block(d, part);
        }
        if (streq(type, "message_start")) {
                (void) json_get_object(o, "message", &part);
                read_usage(part, wire_end(d));
        } else if (streq(type, "message_delta")) {
                (void) json_get_object(o, "delta", &part);
                read_reason(part, wire_end(d));
                read_usage(o, wire_end(d));
        } else if (streq(type, "message_stop"))
                wire_complete(d);
        return 0;
}

static int anthropic_whole(WireDecoder *d, struct json_object *o)
{
        struct json_object *content;
        int r;

        if (wire_is_error(o))
                return wire_fail(d, o);
        if (json_get_array(o, "content", &content) < 0)
                return 0;

        for (size_t i = 0; i < json_object_array_length(content); i++) {
                r = tell_block(d, json_object_array_get_idx(content, i));
                if (r < 0)
                        return r;
        }
        read_reason(o, wire_end(d));
        read_usage(o, wire_end(d));
        wire_complete(d);
        return 0;
}

const WireFormat wire_format_anthropic = {
        .build = anthropic_build,
        .event = anthropic_event,
        .whole = anthropic_whole,
};
