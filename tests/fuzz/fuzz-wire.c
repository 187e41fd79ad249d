/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an engine of the type FUZZ_ENGINE answers: any split gives the same text, end and failure;
 * the text is valid UTF-8; a failure has a sentence. Where the first byte says so, the answer is
 * written here as servers write it, of texts and figures from the input: what comes out is what
 * went in. */

#include "common/utf8.h"
#include "service/engine/wire.h"
#include "tests/fuzz/fuzz.h"

typedef struct Answer {
        Buffer text; /* of both channels, with a mark where the other one goes on */
        Channel channel;
} Answer;

static int on_text(Channel channel, const char *text, size_t size, void *userdata)
{
        Answer *a = userdata;

        CHECK(size > 0 && utf8_is_valid(text, size));
        if (channel != a->channel)
                fuzz_format(&a->text, "%c%d", 0, (int) channel);
        a->channel = channel;
        fuzz_append(&a->text, text, size);
        return 0;
}

static void note_end(Answer *a, int r, const WireEnd *end, const Failure *f)
{
        CHECK((r < 0) == failure_is_set(f));
        if (r < 0)
                CHECK(utf8_is_clean_line(failure_message(f), strlen(failure_message(f))));
        fuzz_format(&a->text, "%c%d %d %s", 0, r, (int) f->code, failure_message(f));
        if (r < 0)
                return;
        CHECK(end->reason > REASON_NONE && end->reason < _REASON_MAX);
        fuzz_format(&a->text, " %d %ju %ju %ju %ju %f", (int) end->reason,
                (uintmax_t) end->tokens_in, (uintmax_t) end->tokens_out,
                (uintmax_t) end->context_used, (uintmax_t) end->context_size,
                end->tokens_per_second);
}

static void run(FuzzCut cut, uint32_t seed, const char *type, FuzzInput in, Answer *a)
{
        const WireOps ops = { .text = on_text };
        _cleanup_(wire_decoder_freep) WireDecoder *d = NULL;
        _cleanup_failure_ Failure f = FAILURE_NULL;
        WireEnd end = { 0 };
        int r = 0;

        CHECK(wire_decoder_new(&d, FUZZ_ENGINE, type, &ops, a) == 0);
        while (r == 0 && in.size > 0) {
                size_t n;
                const char *piece = fuzz_bytes(&in, fuzz_piece(cut, &seed, in.size), &n);

                r = wire_decoder_feed(d, piece, n, &f);
                CHECK(r <= 1);
        }
        if (r >= 0)
                r = wire_decoder_finish(d, &end, &f);
        note_end(a, r, &end, &f);
}

/* ---- an answer that is right ---- */

#define SAY (1U << 7) /* of the first byte: write one */

typedef enum SayFlags {
        SAY_ASCII = 1 << 0,    /* \u for all that is not ASCII, as Python's servers do */
        SAY_CRLF = 1 << 1,     /* line ends */
        SAY_COMMENTS = 1 << 2, /* between events */
        SAY_NAMES = 1 << 3,    /* event: beside data: */
        SAY_NO_BLANK = 1 << 4, /* after data: */
} SayFlags;

typedef struct SayEnd {
        const char *word;
        EndReason reason;
} SayEnd;

static void say_unit(Buffer *out, uint32_t unit)
{
        fuzz_format(out, "\\u%04x", unit);
}

static void say_character(Buffer *out, uint32_t c)
{
        if (c >= 0x10000) {
                say_unit(out, 0xd800 + ((c - 0x10000) >> 10));
                say_unit(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else
                say_unit(out, c);
}

/* The length of a valid character, and its number. */
static size_t take_character(const char *text, uint32_t *ret)
{
        const uint8_t *b = (const uint8_t *) text;
        size_t n = *b < 0x80 ? 1 : *b < 0xe0 ? 2 : *b < 0xf0 ? 3 : 4;
        uint32_t c = n == 1 ? *b : *b & (0x7fU >> n);

        for (size_t i = 1; i < n; i++)
                c = c << 6 | (b[i] & 0x3f);
        *ret = c;
        return n;
}

static void say_string(Buffer *out, const Buffer *text, SayFlags flags)
{
        fuzz_append(out, "\"", 1);
        for (size_t at = 0, n; at < text->size; at += n) {
                uint32_t c;

                n = take_character(text->data + at, &c);
                if (c == '"' || c == '\\')
                        fuzz_format(out, "\\%c", (int) c);
                else if (c == '\n')
                        fuzz_append(out, "\\n", 2);
                else if (c < ' ' || (c >= 0x80 && (flags & SAY_ASCII)))
                        say_character(out, c);
                else
                        fuzz_append(out, text->data + at, n);
        }
        fuzz_append(out, "\"", 1);
}

/* Around one JSON object, by the framing of the type. name: of the event. */
static void say_begin(Buffer *out, const char *name, SayFlags flags)
{
        const char *end = flags & SAY_CRLF ? "\r\n" : "\n";

        if (FUZZ_ENGINE == ENGINE_OLLAMA)
                return;
        if (flags & SAY_COMMENTS)
                fuzz_format(out, ": ping%s%s", end, end);
        if (flags & SAY_NAMES)
                fuzz_format(out, "event: %s%s", name, end);
        fuzz_format(out, "data:%s", flags & SAY_NO_BLANK ? "" : " ");
}

static void say_end(Buffer *out, SayFlags flags)
{
        const char *end = flags & SAY_CRLF ? "\r\n" : "\n";

        fuzz_format(out, "%s%s", end, FUZZ_ENGINE == ENGINE_OLLAMA ? "" : end);
}

/* The members around a text. */
static const char *const text_before[_ENGINE_TYPE_MAX][_CHANNEL_MAX] = {
        [ENGINE_OLLAMA] = { "{\"message\":{\"role\":\"assistant\",\"content\":",
                "{\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":" },
        [ENGINE_OPENAI] = { "{\"choices\":[{\"index\":0,\"delta\":{\"content\":",
                "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":" },
        [ENGINE_ANTHROPIC] = { "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
                               "{\"type\":\"text_delta\",\"text\":",
                "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
                "{\"type\":\"thinking_delta\",\"thinking\":" },
};

static const char *const text_behind[_ENGINE_TYPE_MAX] = {
        [ENGINE_OLLAMA] = "},\"done\":false}",
        [ENGINE_OPENAI] = "}}]}",
        [ENGINE_ANTHROPIC] = "}}",
};

static const SayEnd ends[_ENGINE_TYPE_MAX][4] = {
        [ENGINE_OLLAMA] = { { "stop", REASON_STOP }, { "length", REASON_LENGTH },
                { "stop", REASON_STOP }, { "length", REASON_LENGTH } },
        [ENGINE_OPENAI] = { { "stop", REASON_STOP }, { "length", REASON_LENGTH },
                { "tool_calls", REASON_TOOL }, { "content_filter", REASON_FILTERED } },
        [ENGINE_ANTHROPIC] = { { "end_turn", REASON_STOP }, { "max_tokens", REASON_LENGTH },
                { "tool_use", REASON_TOOL }, { "refusal", REASON_FILTERED } },
};

static void say_text(Buffer *out, Channel channel, const Buffer *text, SayFlags flags)
{
        say_begin(out, "content_block_delta", flags);
        fuzz_format(out, "%s", text_before[FUZZ_ENGINE][channel]);
        say_string(out, text, flags);
        fuzz_format(out, "%s", text_behind[FUZZ_ENGINE]);
        say_end(out, flags);
}

static void say_one(Buffer *out, const char *name, SayFlags flags, const char *json)
{
        say_begin(out, name, flags);
        fuzz_format(out, "%s", json);
        say_end(out, flags);
}

static void say_start(Buffer *out, SayFlags flags, unsigned tokens)
{
        char json[256];

        if (FUZZ_ENGINE != ENGINE_ANTHROPIC)
                return;
        (void) snprintf(json, sizeof json,
                "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":%u,"
                "\"output_tokens\":1}}}",
                tokens);
        say_one(out, "message_start", flags, json);
}

static void say_finish(
        Buffer *out, SayFlags flags, const char *word, unsigned tokens_in, unsigned tokens_out)
{
        static const char *const formats[_ENGINE_TYPE_MAX] = {
                [ENGINE_OLLAMA] = "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":"
                                  "\"%s\",\"prompt_eval_count\":%u,\"eval_count\":%u}",
                [ENGINE_OPENAI] =
                        "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"%s\"}],"
                        "\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u}}",
                [ENGINE_ANTHROPIC] =
                        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\"},"
                        "\"usage\":{\"input_tokens\":%u,\"output_tokens\":%u}}",
        };
        _cleanup_free_ char *json = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        CHECK(asprintf(&json, formats[FUZZ_ENGINE], word, tokens_in, tokens_out) > 0);
#pragma GCC diagnostic pop
        say_one(out, "message_delta", flags, json);
        if (FUZZ_ENGINE == ENGINE_OPENAI)
                say_one(out, "done", flags, "[DONE]");
        else if (FUZZ_ENGINE == ENGINE_ANTHROPIC)
                say_one(out, "message_stop", flags, "{\"type\":\"message_stop\"}");
}

/* Texts are runs of the input; a first letter keeps <think> from being a tag. */
static void say(FuzzInput *in, Buffer *out, Answer *expected)
{
        SayFlags flags = fuzz_byte(in);
        const SayEnd *how = &ends[FUZZ_ENGINE][fuzz_byte(in) % 4];
        WireEnd end = { .reason = how->reason,
                .tokens_in = 1U + fuzz_u16(in),
                .tokens_out = 1U + fuzz_u16(in) };
        Failure none = FAILURE_NULL;
        bool begun = false;

        end.context_used = end.tokens_in + end.tokens_out;
        say_start(out, flags, (unsigned) end.tokens_in);
        while (in->size > 0) {
                unsigned head = fuzz_byte(in);
                Channel channel = head & 1 ? CHANNEL_REASONING : CHANNEL_CONTENT;
                _cleanup_buffer_ Buffer text = BUFFER_INIT(MIB(1));
                Utf8Repair repair = { 0 };
                size_t n;
                const char *bytes = fuzz_bytes(in, head >> 1, &n);

                if (channel == CHANNEL_CONTENT && !begun)
                        fuzz_append(&text, "x", 1);
                begun = begun || channel == CHANNEL_CONTENT;
                CHECK(utf8_repair(&repair, bytes, n, &text) == 0);
                CHECK(utf8_repair_flush(&repair, &text) == 0);
                say_text(out, channel, &text, flags);
                if (text.size > 0)
                        CHECK(on_text(channel, text.data, text.size, expected) == 0);
        }
        say_finish(out, flags, how->word, (unsigned) end.tokens_in, (unsigned) end.tokens_out);
        note_end(expected, 0, &end, &none);
}

static void check_said(FuzzInput in, uint32_t seed, const char *type)
{
        _cleanup_buffer_ Buffer body = BUFFER_INIT(MIB(4));
        Answer expected = { .text = BUFFER_INIT(MIB(4)) };

        say(&in, &body, &expected);
        for (FuzzCut cut = FUZZ_WHOLE; cut < _FUZZ_CUT_MAX; cut++) {
                Answer a = { .text = BUFFER_INIT(MIB(64)) };

                run(cut, seed, type, (FuzzInput){ (const uint8_t *) body.data, body.size }, &a);
                CHECK_SAME(&expected.text, &a.text);
                buffer_done(&a.text);
        }
        buffer_done(&expected.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        uint32_t seed = fuzz_byte(&in);
        const char *type = seed & 1 ? "text/event-stream" : "application/json";
        Answer whole = { .text = BUFFER_INIT(MIB(64)) };

        if (seed & SAY) {
                check_said(in, seed, type);
                return 0;
        }
        run(FUZZ_WHOLE, seed, type, in, &whole);
        for (FuzzCut cut = FUZZ_BYTES; cut < _FUZZ_CUT_MAX; cut++) {
                Answer a = { .text = BUFFER_INIT(MIB(64)) };

                run(cut, seed, type, in, &a);
                CHECK_SAME(&whole.text, &a.text);
                buffer_done(&a.text);
        }
        buffer_done(&whole.text);
        return 0;
}
