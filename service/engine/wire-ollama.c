/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/wire-private.h"

/* Ollama's native API, /api/chat: one JSON object a line. */

#define NSEC_PER_SEC 1e9

/* ---- request ---- */

/* A number is seconds, anything else a duration in words. */
static bool is_number(const char *s)
{
        if (*s == '-')
                s++;
        return *s && s[strspn(s, "0123456789")] == 0;
}

static void out_message(WireOut *o, const PromptMessage *m)
{
        bool first = true;

        wire_out(o, "{\"role\":\"");
        wire_out(o, role_to_string(m->role));
        wire_out(o, "\",\"content\":");
        wire_out_text(o, m);
        if (wire_has_images(m)) {
                wire_out(o, ",\"images\":[");
                for (size_t i = 0; i < m->n_attachments; i++) {
                        if (!wire_is_image(&m->attachments[i]))
                                continue;
                        wire_out(o, first ? "\"" : ",\"");
                        wire_out_base64(o, &m->attachments[i]);
                        wire_out(o, "\"");
                        first = false;
                }
                wire_out(o, "]");
        }
        wire_out(o, "}");
}

static void out_options(WireOut *o, const WireRequest *request)
{
        if (request->context_size == 0 && request->max_tokens == 0)
                return;

        wire_out(o, ",\"options\":{");
        if (request->context_size > 0) {
                wire_out(o, "\"num_ctx\":");
                wire_out_number(o, request->context_size);
        }
        if (request->max_tokens > 0) {
                wire_out(o, request->context_size > 0 ? ",\"num_predict\":" : "\"num_predict\":");
                wire_out_number(o, request->max_tokens);
        }
        wire_out(o, "}");
}

/* `truncate` is false: what does not fit is an error that can be handled, instead of history cut
 * without a word. `shift` is not sent: it is fixed when a model is loaded, so that another value
 * would load it again. */
static void ollama_build(const WireRequest *request, WireOut *o)
{
        wire_out(o, "{\"model\":");
        wire_out_string(o, request->model, strlen(request->model));
        wire_out(o, ",\"stream\":true,\"truncate\":false");
        if (!isempty(request->keep_alive)) {
                wire_out(o, ",\"keep_alive\":");
                if (is_number(request->keep_alive))
                        wire_out(o, request->keep_alive);
                else
                        wire_out_string(o, request->keep_alive, strlen(request->keep_alive));
        }
        out_options(o, request);
        wire_out_messages(o, request, out_message);
        wire_out(o, "}");
}

/* ---- answer ---- */

static void read_metrics(struct json_object *o, WireEnd *end)
{
        double nsec = 0;

        (void) json_get_u64(o, "prompt_eval_count", &end->tokens_in);
        (void) json_get_u64(o, "eval_count", &end->tokens_out);
        (void) json_get_double(o, "eval_duration", &nsec);
        if (end->tokens_in > 0)
                end->context_used = end->tokens_in + end->tokens_out;
        if (nsec > 0)
                end->tokens_per_second = (double) end->tokens_out * NSEC_PER_SEC / nsec;
}

static int ollama_event(WireDecoder *d, struct json_object *o)
{
        struct json_object *message = NULL, *calls;
        WireEnd *end = wire_end(d);
        const char *reason = "";
        bool done = false;
        int r;

        if (wire_is_error(o))
                return wire_fail(d, o);

        (void) json_get_object(o, "message", &message);
        r = wire_tell_member(d, CHANNEL_REASONING, message, "thinking");
        if (r < 0)
                return r;
        r = wire_tell_member(d, CHANNEL_CONTENT, message, "content");
        if (r < 0)
                return r;
        /* There is no reason of its own for calls: that they came decides. */
        if (json_get_array(message, "tool_calls", &calls) >= 0 &&
                json_object_array_length(calls) > 0)
                wire_hint(d, REASON_TOOL);

        (void) json_get_bool(o, "done", &done);
        if (!done)
                return 0;

        (void) json_get_string(o, "done_reason", &reason, NULL);
        end->reason = streq(reason, "length") ? REASON_LENGTH : REASON_STOP;
        read_metrics(o, end);
        wire_complete(d);
        return 0;
}

const WireFormat wire_format_ollama = {
        .build = ollama_build,
        .event = ollama_event,
        .whole = ollama_event,
};
