/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>

#include "common/utf8.h"
#include "service/engine/wire.h"
#include "tests/unit/folder.h"

#define GREETING \
        "Gr\xc3\xbc\xc3\x9f" \
        "e \"aus\" \\ \xf0\x9f\x98\x80"

/* ---- what a decoder told ---- */

typedef struct Told {
        Buffer text[_CHANNEL_MAX];
        unsigned calls;
        int result;
} Told;

static int on_text(Channel channel, const char *text, size_t size, void *userdata)
{
        Told *t = userdata;

        assert_true(size > 0);
        assert_true(utf8_is_valid(text, size));
        t->calls++;
        assert_int_equal(buffer_append(&t->text[channel], text, size), 0);
        return t->result;
}

static const WireOps ops = { on_text };

static void told_init(Told *t)
{
        *t = (Told){ { BUFFER_INIT(MIB(64)), BUFFER_INIT(MIB(64)) } };
}

static void told_done(Told *t)
{
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                buffer_done(&t->text[c]);
}

static const char *told_text(const Told *t, Channel c)
{
        return buffer_text(&t->text[c]);
}

/* In three pieces, cut at a and b. */
static int decode(EngineType type, const char *text, size_t size, size_t a, size_t b, Told *told,
        WireEnd *end, Failure *failure)
{
        _cleanup_(wire_decoder_freep) WireDecoder *d = NULL;
        const size_t cuts[] = { 0, a, b, size };
        int r;

        assert_int_equal(wire_decoder_new(&d, type, "x/y", &ops, told), 0);
        for (size_t i = 0; i < 3; i++) {
                r = wire_decoder_feed(d, text + cuts[i], cuts[i + 1] - cuts[i], failure);
                assert_int_equal(r < 0, failure_is_set(failure));
                if (r < 0)
                        return r;
        }
        r = wire_decoder_finish(d, end, failure);
        assert_int_equal(r < 0, failure_is_set(failure));
        return r;
}

/* ---- whole conversations, cut everywhere ---- */

static const struct {
        EngineType type;
        const char *name;
} streams[] = {
        { ENGINE_OLLAMA, "wire/ollama-chat.ndjson" },
        { ENGINE_OPENAI, "wire/openai-chat.sse" },
        { ENGINE_ANTHROPIC, "wire/anthropic-chat.sse" },
};

static void check_stream(EngineType type, const char *text, size_t size, size_t a, size_t b)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        WireEnd end;
        Told told;

        told_init(&told);
        assert_int_equal(decode(type, text, size, a, b, &told, &end, &failure), 0);
        assert_string_equal(told_text(&told, CHANNEL_CONTENT), GREETING);
        assert_string_equal(told_text(&told, CHANNEL_REASONING), "Short answer.");
        assert_int_equal(end.reason, REASON_STOP);
        assert_int_equal(end.tokens_in, 20);
        assert_int_equal(end.tokens_out, 10);
        assert_int_equal(end.context_used, 30);
        if (type != ENGINE_ANTHROPIC)
                assert_int_equal(end.tokens_per_second, 5000);
        told_done(&told);
}

static void test_streams_at_every_cut(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(streams); i++) {
                _cleanup_free_ char *text = NULL;
                size_t size;

                text = fixture_read(streams[i].name, &size);
                for (size_t a = 0; a <= size; a++)
                        check_stream(streams[i].type, text, size, a, MIN(a + 7, size));
        }
}

static void test_streams_byte_by_byte(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(streams); i++) {
                _cleanup_(wire_decoder_freep) WireDecoder *d = NULL;
                _cleanup_free_ char *text = NULL;
                WireEnd end;
                size_t size;
                Told told;

                told_init(&told);
                text = fixture_read(streams[i].name, &size);
                assert_int_equal(wire_decoder_new(&d, streams[i].type, NULL, &ops, &told), 0);
                for (size_t k = 0; k < size; k++)
                        assert_true(wire_decoder_feed(d, text + k, 1, NULL) >= 0);
                assert_int_equal(wire_decoder_feed(d, "junk after the end", 18, NULL), 1);
                assert_int_equal(wire_decoder_finish(d, &end, NULL), 0);
                assert_string_equal(told_text(&told, CHANNEL_CONTENT), GREETING);
                assert_string_equal(told_text(&told, CHANNEL_REASONING), "Short answer.");
                assert_int_equal(end.reason, REASON_STOP);
                told_done(&told);
        }
}

/* What came before the cut is told, and nothing else; the end is not taken for a good one. */
static void test_streams_cut_short(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(streams); i++) {
                _cleanup_free_ char *text = NULL;
                size_t size, end_mark;

                text = fixture_read(streams[i].name, &size);
                end_mark = strstr(text, "\"stop") ? strstr(text, "\"stop") - text
                                                  : strstr(text, "end_turn") - text;
                for (size_t n = 0; n < end_mark; n++) {
                        _cleanup_failure_ Failure failure = FAILURE_NULL;
                        WireEnd end = { 0 };
                        Told told;
                        int r;

                        told_init(&told);
                        r = decode(streams[i].type, text, n, 0, n, &told, &end, &failure);
                        if (r >= 0)
                                assert_int_equal(end.reason, REASON_INCOMPLETE);
                        else {
                                /* Not one whole piece came. */
                                assert_int_equal(failure.code, FAILURE_ENGINE_FAILED);
                                assert_int_equal(told.calls, 0);
                        }
                        assert_non_null(startswith(GREETING, told_text(&told, CHANNEL_CONTENT)));
                        told_done(&told);
                }
        }
}

/* ---- a table of answers ---- */

#define DELTA(delta)  "data: {\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define LINE(message) "{\"message\":" message ",\"done\":false}\n"

static const struct {
        EngineType type;
        const char *answer;
        const char *content, *reasoning;
        EndReason reason;
} answers[] = {
        /* how it ends */
        { ENGINE_OLLAMA, "", "", "", REASON_INCOMPLETE },
        { ENGINE_OLLAMA, LINE("{\"content\":\"a\"}"), "a", "", REASON_INCOMPLETE },
        { ENGINE_OLLAMA, LINE("{\"content\":\"a\"}") "{\"done\":true}", "a", "", REASON_STOP },
        { ENGINE_OLLAMA, "{\"done\":true,\"done_reason\":\"length\"}\n", "", "", REASON_LENGTH },
        { ENGINE_OLLAMA, "{\"done\":true,\"done_reason\":\"load\"}\n", "", "", REASON_STOP },
        { ENGINE_OLLAMA,
                LINE("{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}") "{"
                                                                                            "\"done\":true,\"done_reason\":\"stop\"}",
                "", "", REASON_TOOL },
        { ENGINE_OLLAMA, "\n\r\n" LINE("{\"content\":\"a\"}") "{\"done\":true}\r\n", "a", "",
                REASON_STOP },
        { ENGINE_OLLAMA,
                LINE("{\"content\":\"a\"}") "{\"done\":true}\n" LINE("{\"content\":\"b\"}"), "a",
                "", REASON_STOP },
        { ENGINE_OPENAI, "data: [DONE]\n\n", "", "", REASON_STOP },
        { ENGINE_OPENAI,
                DELTA("{\"content\":\"a\"}") "data: [DONE]\n\n" DELTA("{\"content\":\"b\"}"), "a",
                "", REASON_STOP },
        { ENGINE_OPENAI, DELTA("{\"content\":\"a\"}") "data: [DONE]", "a", "", REASON_STOP },
        { ENGINE_OPENAI, DELTA("{\"content\":\"a\"}"), "a", "", REASON_INCOMPLETE },
        { ENGINE_OPENAI,
                "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}",
                "a", "", REASON_LENGTH },
        { ENGINE_OPENAI,
                "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n", "",
                "", REASON_FILTERED },
        { ENGINE_OPENAI,
                "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n", "", "",
                REASON_TOOL },
        { ENGINE_OPENAI,
                DELTA("{\"tool_calls\":[{\"index\":0}]}") "data: "
                                                          "{\"choices\":[{\"delta\":{},\"finish_"
                                                          "reason\":\"stop\"}]}\n\n",
                "", "", REASON_TOOL },
        { ENGINE_OPENAI, DELTA("{\"tool_calls\":[{\"index\":0}]}"), "", "", REASON_INCOMPLETE },
        { ENGINE_OPENAI,
                DELTA("{\"tool_calls\":[{\"index\":0}]}") "data: "
                                                          "{\"choices\":[{\"delta\":{},\"finish_"
                                                          "reason\":\"length\"}]}\n\n",
                "", "", REASON_LENGTH },
        { ENGINE_OPENAI, DELTA("{\"refusal\":\"No.\"}") "data: [DONE]\n\n", "No.", "",
                REASON_FILTERED },
        { ENGINE_OPENAI,
                "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"some_new_word\"}]}\n\n", "",
                "", REASON_STOP },
        { ENGINE_ANTHROPIC, "data: {\"type\":\"message_stop\"}\n\n", "", "", REASON_STOP },
        { ENGINE_ANTHROPIC,
                "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\n",
                "", "", REASON_LENGTH },
        { ENGINE_ANTHROPIC,
                "data: "
                "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"model_context_window_"
                "exceeded\"}}\n\n",
                "", "", REASON_LENGTH },
        { ENGINE_ANTHROPIC,
                "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\"}}\n\n",
                "", "", REASON_FILTERED },
        { ENGINE_ANTHROPIC,
                "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n",
                "", "", REASON_TOOL },
        { ENGINE_ANTHROPIC,
                "data: "
                "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}"
                "\n\n",
                "a", "", REASON_INCOMPLETE },

        /* reasoning, under whatever name */
        { ENGINE_OPENAI,
                DELTA("{\"reasoning\":\"r\",\"reasoning_content\":\"r\",\"content\":\"c\"}") "data: [DONE]\n\n",
                "c", "r", REASON_STOP },
        { ENGINE_OPENAI,
                DELTA("{\"reasoning\":\"r\"}") DELTA("{\"content\":\"c\"}") "data: [DONE]\n\n", "c",
                "r", REASON_STOP },
        { ENGINE_OPENAI,
                DELTA("{\"content\":\"<th\"}") DELTA("{\"content\":\"ink>r</thi\"}")
                        DELTA("{\"content\":\"nk>\\n\\nc\"}") "data: [DONE]\n\n",
                "c", "r", REASON_STOP },
        { ENGINE_OLLAMA, LINE("{\"content\":\"<think>r\"}") LINE("{\"content\":\"</think>c\"}"),
                "c", "r", REASON_INCOMPLETE },
        { ENGINE_OLLAMA, LINE("{\"content\":\"<thi\"}") "{\"done\":true}", "<thi", "",
                REASON_STOP },

        /* servers that do not stream */
        { ENGINE_OPENAI,
                " {\"choices\":[{\"finish_reason\":\"length\",\"message\":{\"content\":\"a\",\"reasoning_"
                "content\":\"r\"}}],\"usage\":{\"prompt_tokens\":1}}\n",
                "a", "r", REASON_LENGTH },
        { ENGINE_OPENAI, "{\n\"choices\":\n[{\"message\":{\"content\":\"a\"}}]}", "a", "",
                REASON_STOP },
        { ENGINE_OPENAI,
                "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
                "\"text\",\"text\":\"b\"}]}}]}",
                "ab", "", REASON_STOP },
        { ENGINE_ANTHROPIC,
                "{\"type\":\"message\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"r\"},{\"type\":"
                "\"text\",\"text\":\"a\"},{\"type\":\"tool_use\",\"text\":\"x\"}],\"stop_reason\":\"end_"
                "turn\"}",
                "a", "r", REASON_STOP },
        { ENGINE_OLLAMA, "{\"message\":{\"content\":\"a\"},\"done\":true,\"done_reason\":\"stop\"}",
                "a", "", REASON_STOP },

        /* odd, but no fault */
        { ENGINE_OPENAI, "\xef\xbb\xbf\n\n" DELTA("{\"content\":\"a\"}") "data: [DONE]\n\n", "a",
                "", REASON_STOP },
        { ENGINE_OPENAI,
                "data: {\"choices\":null}\n\ndata: {}\n\ndata: {\"choices\":[]}\n\ndata: "
                "{\"choices\":[{}]}\n\ndata:\n\n" DELTA("{\"content\":\"a\"}") "data:[DONE]\n\n",
                "a", "", REASON_STOP },
        { ENGINE_OPENAI, DELTA("{\"content\":7}") DELTA("7") DELTA("[]") "data: [DONE]\n\n", "", "",
                REASON_STOP },
        { ENGINE_OPENAI,
                "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]\n\n",
                "", "", REASON_STOP },
        { ENGINE_OPENAI, "data: {\"error\":null,\"choices\":[]}\n\ndata: [DONE]\n\n", "", "",
                REASON_STOP },
        { ENGINE_OLLAMA, "{\"message\":7}\n{\"message\":null}\n{\"done\":\"yes\"}\n{\"done\":true}",
                "", "", REASON_STOP },

        /* bytes: a bad one, a NUL, one character in two pieces, escape sequences as they are */
        { ENGINE_OLLAMA, LINE("{\"content\":\"a\xff\xc0z\"}"), "a\xef\xbf\xbd\xef\xbf\xbdz", "",
                REASON_INCOMPLETE },
        { ENGINE_OLLAMA, LINE("{\"content\":\"a\\u0000z\"}"), "a\xef\xbf\xbdz", "",
                REASON_INCOMPLETE },
        { ENGINE_OLLAMA, LINE("{\"content\":\"\xe2\x82\"}") LINE("{\"content\":\"\xac\"}"),
                "\xe2\x82\xac", "", REASON_INCOMPLETE },
        { ENGINE_OLLAMA, LINE("{\"content\":\"\xe2\x82\"}"), "\xef\xbf\xbd", "",
                REASON_INCOMPLETE },
        { ENGINE_OLLAMA, LINE("{\"content\":\"\\u001b[31mred\\u0007\"}"), "\x1b[31mred\x07", "",
                REASON_INCOMPLETE },
        { ENGINE_OLLAMA, LINE("{\"content\":\"\\ud800x\"}"), "\xef\xbf\xbdx", "",
                REASON_INCOMPLETE },
};

static void test_answers(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                size_t n = strlen(answers[i].answer);

                for (size_t a = 0; a <= n; a++) {
                        _cleanup_failure_ Failure failure = FAILURE_NULL;
                        WireEnd end;
                        Told told;

                        told_init(&told);
                        if (decode(answers[i].type, answers[i].answer, n, a, n, &told, &end,
                                    &failure) < 0)
                                fail_msg("%s: %s", answers[i].answer, failure_message(&failure));
                        assert_string_equal(told_text(&told, CHANNEL_CONTENT), answers[i].content);
                        assert_string_equal(
                                told_text(&told, CHANNEL_REASONING), answers[i].reasoning);
                        if (end.reason != answers[i].reason)
                                fail_msg("%s ended %s", answers[i].answer,
                                        end_reason_to_string(end.reason));
                        told_done(&told);
                }
        }
}

static const struct {
        EngineType type;
        const char *answer;
        FailureCode code;
        const char *words;
        const char *content; /* told before */
} faults[] = {
        { ENGINE_OLLAMA, LINE("{\"content\":\"a\"}") "{\"error\":\"runner has stopped\"}\n",
                FAILURE_ENGINE_REFUSED, "runner has stopped", "a" },
        { ENGINE_OLLAMA, LINE("{\"content\":\"<thi\"}") "{\"error\":\"x\"}\n",
                FAILURE_ENGINE_REFUSED, "x", "<thi" },
        { ENGINE_OLLAMA, "{\"error\":\"model 'm' not found\"}", FAILURE_NO_SUCH_MODEL,
                "conductor models", "" },
        { ENGINE_OLLAMA,
                "{\"error\":\"the prompt is longer than the context length currently available\"}\n",
                FAILURE_CONTEXT_TOO_LONG, "context", "" },
        { ENGINE_OLLAMA,
                "{\"error\":\"{\\\"error\\\":{\\\"code\\\":400,\\\"message\\\":\\\"request (302 tokens) "
                "exceeds the available context size (256 tokens)\\\"}}\"}\n",
                FAILURE_CONTEXT_TOO_LONG, "request (302 tokens)", "" },
        { ENGINE_OLLAMA, "data: {}\n", FAILURE_ENGINE_FAILED, "Type=", "" },
        { ENGINE_OLLAMA, LINE("{\"content\":\"a\"}") "{\"message\":{\"content\n{}\n",
                FAILURE_ENGINE_FAILED, "no JSON", "a" },
        { ENGINE_OLLAMA, "[]\n", FAILURE_ENGINE_FAILED, "no JSON", "" },
        { ENGINE_OLLAMA, "<!DOCTYPE html><p>hello", FAILURE_ENGINE_FAILED, "web page (x/y)", "" },
        { ENGINE_OPENAI, "\n <html>\n", FAILURE_ENGINE_FAILED, "web page", "" },
        { ENGINE_OPENAI,
                DELTA("{\"content\":\"a\"}") "data: {\"error\":{\"message\":\"overloaded\\u001b[2J\"}}\n\n",
                FAILURE_ENGINE_REFUSED, "overloaded [2J", "a" },
        { ENGINE_OPENAI,
                "error: {\"code\":500,\"message\":\"slot failed\",\"type\":\"server_error\"}\n\ndata: [DONE]\n\n",
                FAILURE_ENGINE_REFUSED, "slot failed", "" },
        { ENGINE_OPENAI,
                "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"error\":{\"message\":\"bad\"}}]}\n\n",
                FAILURE_ENGINE_REFUSED, "bad", "" },
        { ENGINE_OPENAI,
                "data: {\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"too long\"}}\n\n",
                FAILURE_CONTEXT_TOO_LONG, "too long", "" },
        { ENGINE_OPENAI, "data: not json\n\n", FAILURE_ENGINE_FAILED, "not json", "" },
        { ENGINE_OPENAI, "Welcome.\n", FAILURE_ENGINE_FAILED, "(x/y) is no stream", "" },
        { ENGINE_OPENAI, "{\"object\":\"list\",\"data\":[]}", FAILURE_ENGINE_FAILED, "no reply",
                "" },
        { ENGINE_OPENAI, "{\"choices\":[{\"message\":{\"content\":\"cut in ha",
                FAILURE_ENGINE_FAILED, "no whole JSON", "" },
        { ENGINE_OPENAI, "{\"error\":\"text\"}", FAILURE_ENGINE_REFUSED, "text", "" },
        { ENGINE_OPENAI, "{\"object\":\"error\",\"message\":\"vllm says no\"}",
                FAILURE_ENGINE_REFUSED, "vllm says no", "" },
        { ENGINE_ANTHROPIC,
                "event: error\ndata: "
                "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"
                "\n\n",
                FAILURE_ENGINE_REFUSED, "Overloaded", "" },
        { ENGINE_ANTHROPIC,
                "data: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
                "\"prompt is too long: 215000 tokens > 200000 maximum\"}}\n\n",
                FAILURE_CONTEXT_TOO_LONG, "215000", "" },
        { ENGINE_ANTHROPIC,
                "data: {\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":"
                "\"invalid x-api-key\"}}\n\n",
                FAILURE_KEY_REFUSED, "conductor doctor", "" },
};

static void test_faults(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(faults); i++) {
                size_t n = strlen(faults[i].answer);

                for (size_t a = 0; a <= n; a++) {
                        _cleanup_failure_ Failure failure = FAILURE_NULL;
                        WireEnd end;
                        Told told;

                        told_init(&told);
                        assert_true(decode(faults[i].type, faults[i].answer, n, a, n, &told, &end,
                                            &failure) < 0);
                        if (failure.code != faults[i].code ||
                                !strstr(failure_message(&failure), faults[i].words))
                                fail_msg("%s: %s, %s", faults[i].answer,
                                        failure_code_to_string(failure.code),
                                        failure_message(&failure));
                        assert_true(utf8_is_clean_line(
                                failure_message(&failure), strlen(failure_message(&failure))));
                        assert_string_equal(told_text(&told, CHANNEL_CONTENT), faults[i].content);
                        told_done(&told);
                }
        }
}

/* ---- limits ---- */

/* One line, or one event, of n bytes. */
static int feed_long(EngineType type, size_t n, Failure *failure, Told *told)
{
        _cleanup_(wire_decoder_freep) WireDecoder *d = NULL;
        const char *head = type == ENGINE_OLLAMA ? "{\"message\":{\"content\":\""
                                                 : "{\"choices\":[{\"delta\":{\"content\":\"";
        const char *tail = type == ENGINE_OLLAMA ? "\"}}" : "\"}}]}";
        size_t left = n - strlen(head) - strlen(tail);
        char chunk[KIB(16)];
        int r;

        memset(chunk, 'x', sizeof chunk);
        assert_int_equal(wire_decoder_new(&d, type, NULL, &ops, told), 0);
        if (type == ENGINE_OPENAI)
                assert_int_equal(wire_decoder_feed(d, "data: ", 6, failure), 0);
        r = wire_decoder_feed(d, head, strlen(head), failure);
        while (r == 0 && left > 0) {
                size_t k = MIN(left, sizeof chunk);

                r = wire_decoder_feed(d, chunk, k, failure);
                left -= k;
        }
        if (r == 0)
                r = wire_decoder_feed(d, tail, strlen(tail), failure);
        if (r == 0)
                r = wire_decoder_feed(d, "\n\n", 2, failure);
        return r;
}

static void test_longest_line(void **state)
{
        static const EngineType types[] = { ENGINE_OLLAMA, ENGINE_OPENAI };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                for (size_t n = WIRE_LINE_MAX; n <= WIRE_LINE_MAX + 1; n++) {
                        _cleanup_failure_ Failure failure = FAILURE_NULL;
                        Told told;
                        int r;

                        told_init(&told);
                        r = feed_long(types[i], n, &failure, &told);
                        assert_int_equal(
                                failure.code, n > WIRE_LINE_MAX ? FAILURE_TOO_LARGE : FAILURE_NONE);
                        assert_int_equal(r<0, n> WIRE_LINE_MAX);
                        assert_int_equal(told.text[CHANNEL_CONTENT].size > WIRE_LINE_MAX - 64,
                                n <= WIRE_LINE_MAX);
                        told_done(&told);
                }
}

/* 200 MB without an end: refused long before it is there. */
static void test_endless_line(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        size_t before = mallinfo2().arena + mallinfo2().hblkhd;
        Told told;

        told_init(&told);
        assert_true(feed_long(ENGINE_OLLAMA, MIB(200), &failure, &told) < 0);
        assert_int_equal(failure.code, FAILURE_TOO_LARGE);
        assert_true(mallinfo2().arena + mallinfo2().hblkhd < before + 4 * WIRE_LINE_MAX);
        told_done(&told);
}

/* An answer that is no stream. */
static void test_whole_limit(void **state)
{
        static const char head[] = "{\"choices\":[{\"message\":{\"content\":\"x\"},"
                                   "\"finish_reason\":\"stop\"}]";

        for (size_t n = WIRE_LINE_MAX; n <= WIRE_LINE_MAX + 1; n++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                _cleanup_free_ char *text = malloc(n);
                WireEnd end;
                Told told;

                assert_non_null(text);
                memset(text, ' ', n);
                memcpy(text, head, strlen(head));
                text[n - 1] = '}';
                told_init(&told);
                assert_int_equal(
                        decode(ENGINE_OPENAI, text, n, KIB(64), n / 2, &told, &end, &failure) >= 0,
                        n <= WIRE_LINE_MAX);
                assert_int_equal(
                        failure.code, n > WIRE_LINE_MAX ? FAILURE_TOO_LARGE : FAILURE_NONE);
                assert_string_equal(
                        told_text(&told, CHANNEL_CONTENT), n > WIRE_LINE_MAX ? "" : "x");
                told_done(&told);
        }
}

static void test_deep_json(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        char text[4096] = "{\"a\":";
        WireEnd end;
        Told told;

        told_init(&told);
        memset(text + 5, '[', sizeof text - 7);
        text[sizeof text - 2] = '\n';
        assert_true(
                decode(ENGINE_OLLAMA, text, sizeof text - 1, 0, 100, &told, &end, &failure) < 0);
        assert_int_equal(failure.code, FAILURE_ENGINE_FAILED);
        told_done(&told);
}

/* A flood of tokens in one read is told in one call; a change of channel needs another. */
static void test_calls(void **state)
{
        const char *text = LINE("{\"thinking\":\"r\"}") LINE("{\"thinking\":\"r\"}")
                LINE("{\"content\":\"a\"}") LINE("{\"content\":\"b\"}") "{\"done\":true}\n";
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        WireEnd end;
        Told told;

        told_init(&told);
        assert_int_equal(
                decode(ENGINE_OLLAMA, text, strlen(text), 0, strlen(text), &told, &end, &failure),
                0);
        assert_int_equal(told.calls, 2);
        assert_string_equal(told_text(&told, CHANNEL_REASONING), "rr");
        assert_string_equal(told_text(&told, CHANNEL_CONTENT), "ab");
        told_done(&told);
}

/* The most that one piece may become: each of its bytes is bad, and so is what waited before it. */
static void test_bad_bytes(void **state)
{
        static const char before[] = "{\"message\":{\"thinking\":\"", behind[] = "\"}}\n";
        _cleanup_buffer_ Buffer line = BUFFER_INIT(MIB(1));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        size_t piece = KIB(64);
        WireEnd end;
        char *text;
        Told told;

        assert_int_equal(buffer_append_string(&line, before), 0);
        assert_int_equal(buffer_reserve(&line, 2 * piece, &text), 0);
        memset(text, 'a', piece - 1);
        text[piece - 1] = '\xf0';
        memset(text + piece, 0xff, piece);
        buffer_advance(&line, 2 * piece);
        assert_int_equal(buffer_append_string(&line, behind), 0);

        told_init(&told);
        assert_int_equal(
                decode(ENGINE_OLLAMA, line.data, line.size, 0, line.size, &told, &end, &failure),
                0);
        assert_int_equal(told.text[CHANNEL_REASONING].size,
                piece - 1 + (1 + piece) * strlen(UTF8_REPLACEMENT));
        told_done(&told);
}

static void test_receiver_refuses(void **state)
{
        _cleanup_(wire_decoder_freep) WireDecoder *d = NULL;
        const char *text = LINE("{\"content\":\"abc\"}") LINE("{\"thinking\":\"d\"}");
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Told told;

        told_init(&told);
        told.result = -EFBIG;
        assert_int_equal(wire_decoder_new(&d, ENGINE_OLLAMA, NULL, &ops, &told), 0);
        assert_true(wire_decoder_feed(d, text, strlen(text), &failure) < 0);
        assert_int_equal(failure.code, FAILURE_TOO_LARGE);
        assert_int_equal(told.calls, 1);
        told_done(&told);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_streams_at_every_cut),
                cmocka_unit_test(test_streams_byte_by_byte),
                cmocka_unit_test(test_streams_cut_short),
                cmocka_unit_test(test_answers),
                cmocka_unit_test(test_faults),
                cmocka_unit_test(test_longest_line),
                cmocka_unit_test(test_endless_line),
                cmocka_unit_test(test_whole_limit),
                cmocka_unit_test(test_deep_json),
                cmocka_unit_test(test_calls),
                cmocka_unit_test(test_bad_bytes),
                cmocka_unit_test(test_receiver_refuses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
