/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/wire-private.h"

/* Chat completions as OpenAI, llama-server, vLLM, LM Studio, OpenRouter and others speak them. */

/* ---- request ---- */

static void out_image(WireOut *o, const PromptAttachment *a)
{
        wire_out(o, ",{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:");
        wire_out(o, a->type);
        wire_out(o, ";base64,");
        wire_out_base64(o, a);
        wire_out(o, "\"}}");
}

static void out_message(WireOut *o, const PromptMessage *m)
{
        bool parts = wire_has_images(m);

        wire_out(o, "{\"role\":\"");
        wire_out(o, role_to_string(m->role));
        wire_out(o, parts ? "\",\"content\":[{\"type\":\"text\",\"text\":" : "\",\"content\":");
        wire_out_text(o, m);
        if (parts) {
                wire_out(o, "}");
                for (size_t i = 0; i < m->n_attachments; i++)
                        if (wire_is_image(&m->attachments[i]))
                                out_image(o, &m->attachments[i]);
                wire_out(o, "]");
        }
        wire_out(o, "}");
}

static void openai_build(const WireRequest *request, WireOut *o)
{
        wire_out(o, "{\"model\":");
        wire_out_string(o, request->model, strlen(request->model));
        wire_out(o, ",\"stream\":true");
        if (!request->no_stream_options)
                wire_out(o, ",\"stream_options\":{\"include_usage\":true}");
        if (request->max_tokens > 0) {
                wire_out(o, ",\"max_tokens\":");
                wire_out_number(o, request->max_tokens);
        }
        wire_out_messages(o, request, out_message);
        wire_out(o, "}");
}

/* ---- answer ---- */

static EndReason map_reason(const char *reason)
{
        static const WireReason table[] = {
                { "stop", REASON_STOP },
                { "length", REASON_LENGTH },
                { "model_context_window_exceeded", REASON_LENGTH },
                { "tool_calls", REASON_TOOL },
                { "function_call", REASON_TOOL },
                { "content_filter", REASON_FILTERED },
                { "refusal", REASON_FILTERED },
                { "error", REASON_INCOMPLETE },
                { "insufficient_system_resource", REASON_INCOMPLETE },
        };

        return wire_reason(table, ELEMENTSOF(table), reason);
}

/* Some servers send a list of parts where others send a string. */
static int tell_parts(WireDecoder *d, struct json_object *delta)
{
        struct json_object *parts;

        if (json_get_array(delta, "content", &parts) < 0)
                return 0;
        for (size_t i = 0; i < json_object_array_length(parts); i++) {
                int r = wire_tell_member(
                        d, CHANNEL_CONTENT, json_object_array_get_idx(parts, i), "text");

                if (r < 0)
                        return r;
        }
        return 0;
}

/* delta of a stream, message of a whole answer. */
static int tell_delta(WireDecoder *d, struct json_object *delta)
{
        static const struct {
                Channel channel;
                const char *key;
        } members[] = {
                { CHANNEL_REASONING, "reasoning_content" },
                { CHANNEL_REASONING, "reasoning" },
                { CHANNEL_CONTENT, "content" },
                { CHANNEL_CONTENT, "refusal" },
        };
        struct json_object *calls;
        const char *refusal;
        bool reasoned = false;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                /* Servers that send the same reasoning under both names say it once here. */
                if (members[i].channel == CHANNEL_REASONING && reasoned)
                        continue;
                r = wire_tell_member(d, members[i].channel, delta, members[i].key);
                if (r < 0)
                        return r;
                reasoned = reasoned || r > 0;
        }
        r = tell_parts(d, delta);
        if (r < 0)
                return r;

        if (json_get_array(delta, "tool_calls", &calls) >= 0 && json_object_array_length(calls) > 0)
                wire_hint(d, REASON_TOOL);
        if (json_get_string(delta, "refusal", &refusal, NULL) >= 0 && *refusal)
                wire_hint(d, REASON_FILTERED);
        return 0;
}

static void read_reason(struct json_object *choice, WireEnd *end)
{
        const char *word;

        if (json_get_string(choice, "finish_reason", &word, NULL) >= 0 && *word)
                end->reason = map_reason(word);
}

static void read_usage(struct json_object *o, WireEnd *end)
{
        struct json_object *usage, *timings;
        uint64_t prompt = 0, cached = 0, predicted = 0;

        if (json_get_object(o, "usage", &usage) >= 0) {
                (void) json_get_u64(usage, "prompt_tokens", &end->tokens_in);
                (void) json_get_u64(usage, "completion_tokens", &end->tokens_out);
                end->context_used = end->tokens_in + end->tokens_out;
        }
        if (json_get_object(o, "timings", &timings) < 0)
                return;

        (void) json_get_u64(timings, "prompt_n", &prompt);
        (void) json_get_u64(timings, "cache_n", &cached);
        (void) json_get_u64(timings, "predicted_n", &predicted);
        (void) json_get_double(timings, "predicted_per_second", &end->tokens_per_second);
        end->context_used = prompt + cached + predicted;
        if (end->tokens_in == 0)
                end->tokens_in = prompt + cached;
        if (end->tokens_out == 0)
                end->tokens_out = predicted;
}

/* Only one answer was asked for; usage may come with no choice at all. */
static struct json_object *first_choice(struct json_object *o)
{
        struct json_object *choices, *choice;
        uint64_t index;

        if (json_get_array(o, "choices", &choices) < 0 || json_object_array_length(choices) == 0)
                return NULL;
        choice = json_object_array_get_idx(choices, 0);
        if (json_get_u64(choice, "index", &index) >= 0 && index > 0)
                return NULL;
        return choice;
}

static int read_choice(WireDecoder *d, struct json_object *o, const char *key)
{
        struct json_object *choice, *delta;
        int r;

        if (wire_is_error(o))
                return wire_fail(d, o);

        choice = first_choice(o);
        if (choice && wire_is_error(choice))
                return wire_fail(d, choice);
        if (json_get_object(choice, key, &delta) >= 0) {
                r = tell_delta(d, delta);
                if (r < 0)
                        return r;
        }
        read_reason(choice, wire_end(d));
        read_usage(o, wire_end(d));
        return 0;
}

static int openai_event(WireDecoder *d, struct json_object *o)
{
        return read_choice(d, o, "delta");
}

static int openai_whole(WireDecoder *d, struct json_object *o)
{
        int r;

        r = read_choice(d, o, "message");
        if (r < 0)
                return r;
        if (first_choice(o))
                wire_complete(d);
        return 0;
}

const WireFormat wire_format_openai = {
        .build = openai_build,
        .event = openai_event,
        .whole = openai_whole,
};
