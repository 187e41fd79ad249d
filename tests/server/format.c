/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/server/format.h"

#include <time.h>

#define OPENAI_ID "chatcmpl-VhU8kxfLhEiZBMm5NAofusyYH9vFMyMu"

#define TRY(expression) \
        do { \
                int _r = (expression); \
                if (_r < 0) \
                        return _r; \
        } while (0)

const char *format_stream_type(Format f)
{
        return f == FORMAT_OLLAMA ? "application/x-ndjson" : "text/event-stream";
}

/* Text as the inside of a JSON string. Bytes above 0x7f pass as they are. */
static int format_escape(Buffer *b, const char *text, size_t size)
{
        size_t begin = 0;

        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char) text[i];

                if (c >= 0x20 && c != '"' && c != '\\')
                        continue;
                TRY(buffer_append(b, text + begin, i - begin));
                begin = i + 1;
                if (c == '\n')
                        TRY(buffer_append(b, "\\n", 2));
                else if (c < 0x20)
                        TRY(buffer_append_format(b, "\\u%04x", c));
                else
                        TRY(buffer_append(b, (char[]){ '\\', (char) c }, 2));
        }
        return buffer_append(b, text + begin, size - begin);
}

/* RFC 3339 with nanoseconds, as Go prints it. */
static int append_now(Buffer *b)
{
        struct timespec ts;
        char text[32];
        struct tm tm;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        (void) gmtime_r(&ts.tv_sec, &tm);
        (void) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        return buffer_append_format(b, "%s.%09ldZ", text, ts.tv_nsec);
}

static const char *newline(const Reply *r)
{
        return r->script->crlf ? "\r\n" : "\n";
}

/* ---- the parts of an event ---- */

static int sse_begin(Reply *r, Buffer *b, const char *event)
{
        if (event)
                TRY(buffer_append_format(b, "event: %s%s", event, newline(r)));
        return buffer_append(b, "data: ", 6);
}

static int sse_end(Reply *r, Buffer *b)
{
        TRY(buffer_append_string(b, newline(r)));
        return buffer_append_string(b, newline(r));
}

static int ollama_begin(Reply *r, Buffer *b)
{
        TRY(buffer_append_string(b, "{\"model\":\""));
        TRY(format_escape(b, r->model, strlen(r->model)));
        TRY(buffer_append_string(b, "\",\"created_at\":\""));
        return append_now(b);
}

static int openai_choice(Reply *r, Buffer *b, const char *finish)
{
        TRY(sse_begin(r, b, NULL));
        if (!finish)
                return buffer_append_string(
                        b, "{\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{");
        return buffer_append_format(
                b, "{\"choices\":[{\"finish_reason\":\"%s\",\"index\":0,\"delta\":{", finish);
}

static int openai_tail(Reply *r, Buffer *b)
{
        return buffer_append_format(b,
                ",\"created\":%llu,\"id\":\"" OPENAI_ID
                "\",\"model\":\"%s\",\"system_fingerprint\":\"b11669\","
                "\"object\":\"chat.completion.chunk\"",
                (unsigned long long) time(NULL), r->model);
}

static int openai_usage(Reply *r, Buffer *b)
{
        return buffer_append_format(b,
                ",\"usage\":{\"completion_tokens\":%llu,\"prompt_tokens\":%llu,\"total_tokens\":%llu,"
                "\"prompt_tokens_details\":{\"cached_tokens\":0}}",
                (unsigned long long) r->tokens_out, (unsigned long long) r->tokens_in,
                (unsigned long long) (r->tokens_in + r->tokens_out));
}

static int openai_timings(Reply *r, Buffer *b)
{
        unsigned long long msec = (now_usec() - r->begin) / USEC_PER_MSEC + 1;

        return buffer_append_format(b,
                ",\"timings\":{\"cache_n\":0,\"prompt_n\":%llu,\"prompt_ms\":1.288,"
                "\"predicted_n\":%llu,\"predicted_ms\":%llu,\"predicted_per_second\":%llu.0}",
                (unsigned long long) r->tokens_in, (unsigned long long) r->tokens_out, msec,
                (unsigned long long) (r->tokens_out * 1000 / msec));
}

static int anthropic_block_stop(Reply *r, Buffer *b)
{
        if (!r->block_open)
                return 0;
        r->block_open = false;
        TRY(sse_begin(r, b, "content_block_stop"));
        TRY(buffer_append_format(b, "{\"type\":\"content_block_stop\",\"index\":%u}", r->block++));
        return sse_end(r, b);
}

static int anthropic_block(Reply *r, Buffer *b, bool reasoning)
{
        if (r->block_open && r->reasoning_block == reasoning)
                return 0;
        TRY(anthropic_block_stop(r, b));
        r->block_open = true;
        r->reasoning_block = reasoning;
        TRY(sse_begin(r, b, "content_block_start"));
        TRY(buffer_append_format(b,
                "{\"type\":\"content_block_start\",\"index\":%u,\"content_block\":%s}", r->block,
                reasoning ? "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}"
                          : "{\"type\":\"text\",\"text\":\"\"}"));
        return sse_end(r, b);
}

/* ---- events ---- */

static int text_begin(Reply *r, Buffer *b, bool reasoning)
{
        switch (r->format) {

        case FORMAT_OLLAMA:
                TRY(ollama_begin(r, b));
                return buffer_append_string(b,
                        reasoning ? "\",\"message\":{\"role\":\"assistant\",\"content\":\"\","
                                    "\"thinking\":\""
                                  : "\",\"message\":{\"role\":\"assistant\",\"content\":\"");

        case FORMAT_OPENAI:
                TRY(openai_choice(r, b, NULL));
                if (!reasoning)
                        return buffer_append_string(b, "\"content\":\"");
                return buffer_append_string(b,
                        r->script->old_reasoning ? "\"reasoning\":\"" : "\"reasoning_content\":\"");

        case FORMAT_ANTHROPIC:
                TRY(anthropic_block(r, b, reasoning));
                TRY(sse_begin(r, b, "content_block_delta"));
                return buffer_append_format(b,
                        "{\"type\":\"content_block_delta\",\"index\":%u,\"delta\":{\"type\":\"%s\":\"",
                        r->block,
                        reasoning ? "thinking_delta\",\"thinking" : "text_delta\",\"text");
        }
        return -EINVAL;
}

static int text_end(Reply *r, Buffer *b)
{
        switch (r->format) {

        case FORMAT_OLLAMA:
                return buffer_append_string(b, "\"},\"done\":false}\n");

        case FORMAT_OPENAI:
                TRY(buffer_append_string(b, "\"}}]"));
                TRY(openai_tail(r, b));
                TRY(buffer_append(b, "}", 1));
                return sse_end(r, b);

        case FORMAT_ANTHROPIC:
                TRY(buffer_append_string(b, "\"}}"));
                return sse_end(r, b);
        }
        return -EINVAL;
}

int format_text_begin(Reply *r, Buffer *b)
{
        return text_begin(r, b, /* reasoning= */ false);
}

int format_text_end(Reply *r, Buffer *b)
{
        return text_end(r, b);
}

int format_text(Reply *r, Buffer *b, const char *text, size_t size)
{
        TRY(text_begin(r, b, /* reasoning= */ false));
        TRY(format_escape(b, text, size));
        return text_end(r, b);
}

int format_reasoning(Reply *r, Buffer *b, const char *text, size_t size)
{
        TRY(text_begin(r, b, /* reasoning= */ true));
        TRY(format_escape(b, text, size));
        return text_end(r, b);
}

int format_begin(Reply *r, Buffer *b)
{
        if (r->script->bom && r->format != FORMAT_OLLAMA)
                TRY(buffer_append_string(b, "\xef\xbb\xbf"));

        switch (r->format) {

        case FORMAT_OLLAMA:
                return 0;

        case FORMAT_OPENAI:
                TRY(openai_choice(r, b, NULL));
                TRY(buffer_append_string(b, "\"role\":\"assistant\",\"content\":null}}]"));
                TRY(openai_tail(r, b));
                TRY(buffer_append(b, "}", 1));
                return sse_end(r, b);

        case FORMAT_ANTHROPIC:
                TRY(sse_begin(r, b, "message_start"));
                TRY(buffer_append_format(b,
                        "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\",\"type\":\"message\","
                        "\"role\":\"assistant\",\"content\":[],\"model\":\"%s\",\"stop_reason\":null,"
                        "\"stop_sequence\":null,\"usage\":{\"cache_read_input_tokens\":0,"
                        "\"input_tokens\":%llu,\"output_tokens\":0}}}",
                        r->model, (unsigned long long) r->tokens_in));
                return sse_end(r, b);
        }
        return -EINVAL;
}

int format_pause(Reply *r, Buffer *b)
{
        switch (r->format) {

        case FORMAT_OLLAMA:
                return 0;

        case FORMAT_OPENAI:
                TRY(buffer_append_string(b, ": PROCESSING"));
                return sse_end(r, b);

        case FORMAT_ANTHROPIC:
                TRY(sse_begin(r, b, "ping"));
                TRY(buffer_append_string(b, "{\"type\":\"ping\"}"));
                return sse_end(r, b);
        }
        return -EINVAL;
}

/* ---- ends ---- */

static const char *finish(const Reply *r, const char *normal)
{
        return r->script->finish ? r->script->finish : normal;
}

static int ollama_metrics(Reply *r, Buffer *b)
{
        TRY(buffer_append_format(b, ",\"done\":true,\"done_reason\":\"%s\"", finish(r, "stop")));
        if (r->script->usage == USAGE_NONE)
                return 0;
        return buffer_append_format(b,
                ",\"total_duration\":%llu,\"load_duration\":1055710,\"prompt_eval_count\":%llu,"
                "\"prompt_eval_duration\":496000,\"eval_count\":%llu,\"eval_duration\":%llu",
                (unsigned long long) (now_usec() - r->begin) * 1000 + 1055710,
                (unsigned long long) r->tokens_in, (unsigned long long) r->tokens_out,
                (unsigned long long) (now_usec() - r->begin) * 1000 + 1);
}

static int openai_end(Reply *r, Buffer *b)
{
        bool with_finish = r->script->usage == USAGE_FINISH;

        TRY(openai_choice(r, b, finish(r, "stop")));
        TRY(buffer_append_string(b, "}}]"));
        TRY(openai_tail(r, b));
        if (with_finish)
                TRY(openai_usage(r, b));
        TRY(buffer_append(b, "}", 1));
        TRY(sse_end(r, b));
        if (r->include_usage && r->script->usage == USAGE_NORMAL) {
                TRY(sse_begin(r, b, NULL));
                TRY(buffer_append_string(b, "{\"choices\":[]"));
                TRY(openai_tail(r, b));
                TRY(openai_usage(r, b));
                TRY(openai_timings(r, b));
                TRY(buffer_append(b, "}", 1));
                TRY(sse_end(r, b));
        }
        if (r->script->no_done)
                return 0;
        TRY(buffer_append_string(b, "data: [DONE]"));
        return r->script->no_blank ? 0 : sse_end(r, b);
}

static int anthropic_end(Reply *r, Buffer *b)
{
        TRY(anthropic_block_stop(r, b));
        TRY(sse_begin(r, b, "message_delta"));
        TRY(buffer_append_format(b,
                "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":null}",
                finish(r, "end_turn")));
        if (r->script->usage != USAGE_NONE)
                TRY(buffer_append_format(b, ",\"usage\":{\"output_tokens\":%llu}",
                        (unsigned long long) r->tokens_out));
        TRY(buffer_append(b, "}", 1));
        TRY(sse_end(r, b));
        if (r->script->no_done)
                return 0;
        TRY(sse_begin(r, b, "message_stop"));
        TRY(buffer_append_string(b, "{\"type\":\"message_stop\"}"));
        return r->script->no_blank ? 0 : sse_end(r, b);
}

int format_end(Reply *r, Buffer *b)
{
        switch (r->format) {

        case FORMAT_OLLAMA:
                TRY(ollama_begin(r, b));
                TRY(buffer_append_string(
                        b, "\",\"message\":{\"role\":\"assistant\",\"content\":\"\"}"));
                TRY(ollama_metrics(r, b));
                return buffer_append(b, "}\n", 2);

        case FORMAT_OPENAI:
                return openai_end(r, b);

        case FORMAT_ANTHROPIC:
                return anthropic_end(r, b);
        }
        return -EINVAL;
}

int format_error_event(Reply *r, Buffer *b, const char *message)
{
        bool line = r->script->fault == FAULT_ERROR_LINE;

        if (r->format == FORMAT_OLLAMA) {
                TRY(format_error(r->format, b, 500, message));
                return buffer_append(b, "\n", 1);
        }
        if (line)
                TRY(buffer_append_string(b, "error: "));
        else
                TRY(sse_begin(r, b, r->format == FORMAT_ANTHROPIC ? "error" : NULL));
        TRY(format_error(r->format, b, 500, message));
        TRY(sse_end(r, b));
        return line ? buffer_append_string(b, "data: [DONE]\n\n") : 0;
}

/* ---- answers that are no stream ---- */

static const char *error_type(Format f, unsigned status)
{
        switch (status) {
        case 400:
                return "invalid_request_error";
        case 401:
                return "authentication_error";
        case 403:
                return "permission_error";
        case 404:
                return "not_found_error";
        case 429:
                return "rate_limit_error";
        default:
                return f == FORMAT_ANTHROPIC ? "overloaded_error" : "server_error";
        }
}

int format_error(Format f, Buffer *b, unsigned status, const char *message)
{
        if (f == FORMAT_ANTHROPIC)
                TRY(buffer_append_string(b, "{\"type\":\"error\",\"error\":{\"type\":\""));
        else if (f == FORMAT_OPENAI)
                TRY(buffer_append_string(b, "{\"error\":{\"type\":\""));
        else
                TRY(buffer_append_string(b, "{\"error\":\""));
        if (f != FORMAT_OLLAMA)
                TRY(buffer_append_format(b, "%s\",\"message\":\"", error_type(f, status)));
        TRY(format_escape(b, message, strlen(message)));
        if (f == FORMAT_OPENAI)
                TRY(buffer_append_format(b, "\",\"param\":null,\"code\":%u", status));
        else
                TRY(buffer_append(b, "\"", 1));
        return buffer_append_string(b, f == FORMAT_OLLAMA ? "}" : "}}");
}

int format_overflow(Format f, Buffer *b, uint64_t tokens, uint64_t context)
{
        _cleanup_buffer_ Buffer message = BUFFER_INIT(KIB(4));

        if (f == FORMAT_ANTHROPIC) {
                TRY(buffer_append_format(&message, "prompt is too long: %llu tokens > %llu maximum",
                        (unsigned long long) tokens, (unsigned long long) context));
                return format_error(f, b, 400, buffer_text(&message));
        }
        TRY(buffer_append_format(&message,
                "{\"error\":{\"code\":400,\"message\":\"request (%llu tokens) exceeds the available "
                "context size (%llu tokens), try increasing it\",\"type\":"
                "\"exceed_context_size_error\",\"n_prompt_tokens\":%llu,\"n_ctx\":%llu}}",
                (unsigned long long) tokens, (unsigned long long) context,
                (unsigned long long) tokens, (unsigned long long) context));
        /* Ollama hands its runner's whole answer on as a string. */
        if (f == FORMAT_OLLAMA)
                return format_error(f, b, 400, buffer_text(&message));
        return buffer_append_string(b, buffer_text(&message));
}

static int openai_whole(Reply *r, Buffer *b, const char *reasoning, const char *text, size_t size)
{
        TRY(buffer_append_format(b,
                "{\"choices\":[{\"finish_reason\":\"%s\",\"index\":0,\"message\":{\"role\":"
                "\"assistant\",",
                finish(r, "stop")));
        if (*reasoning) {
                TRY(buffer_append_string(b, "\"reasoning_content\":\""));
                TRY(format_escape(b, reasoning, strlen(reasoning)));
                TRY(buffer_append_string(b, "\","));
        }
        TRY(buffer_append_string(b, "\"content\":\""));
        TRY(format_escape(b, text, size));
        TRY(buffer_append_format(b,
                "\"}}],\"created\":%llu,\"model\":\"%s\",\"object\":\"chat.completion\",\"id\":\"" OPENAI_ID
                "\"",
                (unsigned long long) time(NULL), r->model));
        if (r->script->usage != USAGE_NONE)
                TRY(openai_usage(r, b));
        return buffer_append(b, "}", 1);
}

static int anthropic_whole(Reply *r, Buffer *b, const char *text, size_t size)
{
        TRY(buffer_append_format(b,
                "{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\","
                "\"content\":[{\"type\":\"text\",\"text\":\"",
                r->model));
        TRY(format_escape(b, text, size));
        return buffer_append_format(b,
                "\"}],\"stop_reason\":\"%s\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":%llu,"
                "\"output_tokens\":%llu}}",
                finish(r, "end_turn"), (unsigned long long) r->tokens_in,
                (unsigned long long) r->tokens_out);
}

int format_whole(Reply *r, Buffer *b, const char *reasoning, const char *text, size_t size)
{
        switch (r->format) {

        case FORMAT_OLLAMA:
                TRY(ollama_begin(r, b));
                TRY(buffer_append_string(
                        b, "\",\"message\":{\"role\":\"assistant\",\"content\":\""));
                TRY(format_escape(b, text, size));
                TRY(buffer_append_string(b, "\""));
                if (*reasoning) {
                        TRY(buffer_append_string(b, ",\"thinking\":\""));
                        TRY(format_escape(b, reasoning, strlen(reasoning)));
                        TRY(buffer_append_string(b, "\""));
                }
                TRY(buffer_append_string(b, "}"));
                TRY(ollama_metrics(r, b));
                return buffer_append(b, "}", 1);

        case FORMAT_OPENAI:
                return openai_whole(r, b, reasoning, text, size);

        case FORMAT_ANTHROPIC:
                return anthropic_whole(r, b, text, size);
        }
        return -EINVAL;
}
