/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/utf8.h"
#include "service/engine/wire.h"
#include "tests/unit/folder.h"

/* ---- refusals ---- */

static const struct {
        EngineType type;
        long status;
        const char *content_type, *body;
        FailureCode code;
        const char *words, *not_words;
} refusals[] = {
        { ENGINE_OLLAMA, 404, "application/json", "{\"error\":\"model 'm' not found\"}",
                FAILURE_NO_SUCH_MODEL, "model 'm' not found (HTTP 404)", NULL },
        { ENGINE_OLLAMA, 404, "text/plain", "404 page not found", FAILURE_ENGINE_REFUSED,
                "Url=", NULL },
        { ENGINE_OLLAMA, 500, "application/json",
                "{\"error\":\"model runner has unexpectedly stopped\"}", FAILURE_ENGINE_REFUSED,
                "unexpectedly stopped", NULL },
        { ENGINE_OLLAMA, 503, "application/json", "{\"error\":\"server busy\"}",
                FAILURE_ENGINE_REFUSED, "Try again later", NULL },
        { ENGINE_OPENAI, 400, "application/json",
                "{\"error\":{\"code\":400,\"message\":\"request (3000 tokens) exceeds the available "
                "context size (512 tokens)\",\"type\":\"exceed_context_size_error\",\"n_ctx\":512}}",
                FAILURE_CONTEXT_TOO_LONG, "3000", NULL },
        { ENGINE_OPENAI, 400, "application/json",
                "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 "
                "tokens.\"}",
                FAILURE_CONTEXT_TOO_LONG, "4096", NULL },
        { ENGINE_OPENAI, 404, "application/json",
                "{\"error\":{\"message\":\"The model `x` does not exist\",\"code\":\"model_not_found\"}}",
                FAILURE_NO_SUCH_MODEL, "does not exist", NULL },
        { ENGINE_OPENAI, 401, "application/json",
                "{\"error\":{\"message\":\"Incorrect API key provided: abcd1234efgh5678ijkl.\"}}",
                FAILURE_KEY_REFUSED, "Incorrect API key provided: ****", "abcd1234" },
        { ENGINE_OPENAI, 400, "application/json", "{\"error\":\"key sk-123 is bad\"}",
                FAILURE_ENGINE_REFUSED, "key ****** is bad", "sk-123" },
        { ENGINE_OPENAI, 403, "application/json", "{\"message\":\"no\"}", FAILURE_KEY_REFUSED,
                "conductor doctor", NULL },
        { ENGINE_OPENAI, 422, "application/json",
                "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}",
                FAILURE_ENGINE_REFUSED, "field required", NULL },
        { ENGINE_OPENAI, 422, "application/json", "{\"detail\":\"text\"}", FAILURE_ENGINE_REFUSED,
                "text", NULL },
        { ENGINE_OPENAI, 402, "application/json", "{\"error\":{\"message\":\"no money\"}}",
                FAILURE_ENGINE_REFUSED, "credit", NULL },
        { ENGINE_OPENAI, 502, "text/html", "<html><h1>Bad gateway</h1>", FAILURE_ENGINE_REFUSED,
                "web page", "<html>" },
        { ENGINE_OPENAI, 502, "", "  <html>", FAILURE_ENGINE_REFUSED, "web page", "<html>" },
        { ENGINE_OPENAI, 500, "", "", FAILURE_ENGINE_REFUSED, "no reason (HTTP 500)", NULL },
        { ENGINE_OPENAI, 500, "application/json", "{\"error\":", FAILURE_ENGINE_REFUSED,
                "{\"error\":", NULL },
        { ENGINE_OPENAI, 500, "application/json", "[1]", FAILURE_ENGINE_REFUSED, "[1]", NULL },
        { ENGINE_OPENAI, 500, "text/plain", "\x1b[31mred\n\xff", FAILURE_ENGINE_REFUSED,
                "[31mred \xef\xbf\xbd", "\x1b" },
        { ENGINE_OPENAI, 429, "application/json",
                "{\"error\":{\"message\":\"Rate limit reached for context length\"}}",
                FAILURE_ENGINE_REFUSED, "Try again later", NULL },
        { ENGINE_ANTHROPIC, 529, "application/json",
                "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
                FAILURE_ENGINE_REFUSED, "Overloaded (HTTP 529)", NULL },
        { ENGINE_ANTHROPIC, 404, "application/json",
                "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: x\"}}",
                FAILURE_NO_SUCH_MODEL, "model: x", NULL },
        { ENGINE_ANTHROPIC, 413, "application/json",
                "{\"type\":\"error\",\"error\":{\"type\":\"request_too_large\",\"message\":\"Too big\"}}",
                FAILURE_TOO_LARGE, "attachments", NULL },
        { ENGINE_ANTHROPIC, 400, "application/json",
                "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is "
                "too long: 9 tokens > 8 maximum\"}}",
                FAILURE_CONTEXT_TOO_LONG, "9 tokens", NULL },
};

static void test_refusals(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(refusals); i++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                const char *text;

                assert_true(
                        wire_error(refusals[i].type, refusals[i].status, refusals[i].content_type,
                                refusals[i].body, strlen(refusals[i].body), "box", &failure) < 0);
                text = failure_message(&failure);
                if (failure.code != refusals[i].code || !strstr(text, refusals[i].words))
                        fail_msg("%s: %s, %s", refusals[i].body,
                                failure_code_to_string(failure.code), text);
                if (refusals[i].not_words)
                        assert_null(strstr(text, refusals[i].not_words));
                assert_non_null(startswith(text, "engine box refused: "));
                assert_true(utf8_is_clean_line(text, strlen(text)));
        }
}

static void test_long_refusal(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        char body[4096];

        memset(body, 'x', sizeof body);
        assert_true(wire_error(ENGINE_OPENAI, 500, "", body, sizeof body, "box", &failure) < 0);
        assert_int_equal(strspn(strchr(failure_message(&failure), 'x') + 2, "x"), 0);
        assert_int_equal(strspn(strstr(failure_message(&failure), "xxx"), "x"), 300);
}

static void test_stream_options(void **state)
{
        static const char body[] = "{\"error\":\"unknown field stream_options\"}";

        assert_true(wire_error_is_stream_options(400, body, strlen(body)));
        assert_true(wire_error_is_stream_options(422, body, strlen(body)));
        assert_false(wire_error_is_stream_options(500, body, strlen(body)));
        assert_false(wire_error_is_stream_options(400, body, strlen(body) - 5));
        assert_false(wire_error_is_stream_options(400, NULL, 0));
}

/* ---- lists ---- */

static void test_ollama_models(void **state)
{
        _cleanup_free_ char *tags = NULL, *ps = NULL, *show = NULL;
        WireModel *m;
        size_t size, n;

        tags = fixture_read("wire/ollama-tags.json", &size);
        assert_int_equal(wire_parse_models(ENGINE_OLLAMA, tags, size, &m, &n, NULL), 0);
        assert_int_equal(n, 3);
        assert_string_equal(m[0].name, "tiny:1b");
        assert_int_equal(m[0].size, 1186069);
        assert_int_equal(m[0].modified / USEC_PER_SEC, 1772359200);
        assert_true(m[0].chat);
        assert_false(m[0].loaded);
        assert_string_equal(m[0].capabilities[1], "tools");
        assert_null(m[0].capabilities[2]);
        assert_string_equal(m[1].name, "embed:latest");
        assert_false(m[1].chat);
        assert_int_equal(m[1].context_size, 2048);
        assert_string_equal(m[2].name, "old:latest");
        assert_true(m[2].chat);
        assert_int_equal(m[2].modified, 0);

        m[2].loaded = true;
        ps = fixture_read("wire/ollama-ps.json", &size);
        assert_int_equal(wire_parse_loaded(ps, size, m, n), 0);
        assert_true(m[0].loaded);
        assert_int_equal(m[0].context_size, 4096);
        assert_false(m[1].loaded);
        assert_false(m[2].loaded);

        show = fixture_read("wire/ollama-show.json", &size);
        assert_int_equal(wire_parse_show(show, size, &m[2]), 0);
        assert_int_equal(m[2].context_size, 512);
        assert_string_equal(m[2].capabilities[1], "vision");
        wire_models_free(m, n);
}

/* Each of many long names is found, in another order, and one that comes twice is one model. */
static void test_many_loaded(void **state)
{
        _cleanup_buffer_ Buffer tags = BUFFER_INIT(MIB(2)), ps = BUFFER_INIT(MIB(2));
        enum { MODELS = 4096, NAMES = MODELS - 1 };
        WireModel *m;
        size_t n;

        assert_return_code(buffer_append_string(&tags, "{\"models\":[{\"name\":\"none\"}"), 0);
        assert_return_code(buffer_append_string(&ps, "{\"models\":[7,{\"name\":\"\"}"), 0);
        for (int i = 0; i < NAMES; i++) {
                /* 2000 is named as 1999 is. */
                assert_return_code(
                        buffer_append_format(&tags, ",{\"name\":\"%0250d\"}", i == 2000 ? 1999 : i),
                        0);
                if (i % 2 == 1)
                        assert_return_code(buffer_append_format(&ps,
                                                   ",{\"name\":\"%0250d\",\"context_length\":%d}",
                                                   NAMES - 1 - i, NAMES - i),
                                0);
        }
        assert_return_code(buffer_append_string(&tags, "]}"), 0);
        assert_return_code(buffer_append_string(&ps, "]}"), 0);
        assert_int_equal(
                wire_parse_models(ENGINE_OLLAMA, buffer_text(&tags), tags.size, &m, &n, NULL), 0);
        assert_int_equal(n, MODELS);
        m[0].loaded = true;
        assert_int_equal(wire_parse_loaded(buffer_text(&ps), ps.size, m, n), 0);
        assert_false(m[0].loaded);
        for (int i = 0; i < NAMES; i++) {
                int named = i == 2000 ? 1999 : i;

                assert_int_equal(m[i + 1].loaded, named % 2 == 1);
                assert_int_equal(m[i + 1].context_size, named % 2 == 1 ? named + 1 : 0);
        }
        wire_models_free(m, n);
}

static void test_show_without_parameters(void **state)
{
        static const char show[] =
                "{\"model_info\":{\"a.context_length\":32768,\".context_length\":1},"
                "\"capabilities\":[\"embedding\",7,\"\"]}";
        WireModel m = { .name = (char *) "m", .chat = true };

        assert_int_equal(wire_parse_show(show, strlen(show), &m), 0);
        assert_int_equal(m.context_size, 32768);
        assert_false(m.chat);
        free(m.capabilities[0]);
        assert_null(m.capabilities[1]);
        free(m.capabilities);
        m.capabilities = NULL;
        assert_true(wire_parse_show("[]", 2, &m) < 0);
        assert_true(wire_parse_show("", 0, &m) < 0);
}

static void test_show_parameters(void **state)
{
        static const struct {
                const char *parameters;
                uint64_t context_size;
        } cases[] = {
                { "stop \\\"x\\\"\\nnum_ctx    512\\ntop_k 3", 512 },
                { "num_ctx\\t8", 8 },
                { "num_ctx 1\\nnum_ctx 2", 2 },
                { "\\n\\nnum_ctx 9\\n\\n", 9 },
                { "num_ctx 18446744073709551616", 4 },
                { "num_ctx -1", 4 },
                { "num_ctx 0", 4 },
                { "num_ctx x", 4 },
                { "num_ctx", 4 },
                { "no_num_ctx 3", 4 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                WireModel m = { .name = (char *) "m", .context_size = 4 };
                char show[128];
                int n;

                n = snprintf(show, sizeof show, "{\"parameters\":\"%s\"}", cases[i].parameters);
                assert_int_equal(wire_parse_show(show, n, &m), 0);
                assert_int_equal(m.context_size, cases[i].context_size);
        }
}

/* Read once from its start to its end; a look to the end at each line would take hours. */
static void test_show_of_many_lines(void **state)
{
        static const char line[] = "num_ctx x\\n";
        Buffer b = BUFFER_INIT(WIRE_BODY_MAX);
        WireModel m = { .name = (char *) "m", .context_size = 4 };

        assert_int_equal(buffer_append_string(&b, "{\"parameters\":\""), 0);
        while (b.size < WIRE_BODY_MAX - 64)
                assert_int_equal(buffer_append_string(&b, line), 0);
        assert_int_equal(buffer_append_string(&b, "num_ctx 7\"}"), 0);
        assert_int_equal(wire_parse_show(b.data, b.size, &m), 0);
        assert_int_equal(m.context_size, 7);
        buffer_done(&b);
}

static void test_openai_models(void **state)
{
        static const struct {
                const char *name;
                uint64_t context_size;
                bool loaded, chat;
        } expect[] = {
                { "local", 512, true, true },
                { "served", 32768, false, true },
                { "routed/model", 200000, false, true },
                { "switched", 0, false, true },
                { "text-embedding-3-small", 0, false, false },
        };
        _cleanup_free_ char *text = NULL;
        WireModel *m;
        size_t size, n;

        text = fixture_read("wire/openai-models.json", &size);
        assert_int_equal(wire_parse_models(ENGINE_OPENAI, text, size, &m, &n, NULL), 0);
        assert_int_equal(n, ELEMENTSOF(expect));
        for (size_t i = 0; i < n; i++) {
                assert_string_equal(m[i].name, expect[i].name);
                assert_int_equal(m[i].context_size, expect[i].context_size);
                assert_int_equal(m[i].loaded, expect[i].loaded);
                assert_int_equal(m[i].chat, expect[i].chat);
        }
        assert_int_equal(m[0].modified / USEC_PER_SEC, 1772359200);
        wire_models_free(m, n);
}

static void test_anthropic_models(void **state)
{
        static const char text[] =
                "{\"data\":[{\"type\":\"model\",\"id\":\"c-1\",\"display_name\":\"C\","
                "\"created_at\":\"2026-03-01T10:00:00Z\"}],\"has_more\":false}";
        WireModel *m;
        size_t n;

        assert_int_equal(wire_parse_models(ENGINE_ANTHROPIC, text, strlen(text), &m, &n, NULL), 0);
        assert_int_equal(n, 1);
        assert_string_equal(m[0].name, "c-1");
        assert_int_equal(m[0].modified / USEC_PER_SEC, 1772359200);
        wire_models_free(m, n);
}

static void test_odd_lists(void **state)
{
        static const struct {
                EngineType type;
                const char *text;
                int n; /* -1 = a failure */
        } table[] = {
                { ENGINE_OLLAMA, "{\"models\":[]}", 0 },
                { ENGINE_OLLAMA, "{\"data\":[]}", -1 },
                { ENGINE_OLLAMA, "<html>", -1 },
                { ENGINE_OLLAMA, "", -1 },
                { ENGINE_OPENAI, "{\"data\":null}", 0 },
                { ENGINE_OPENAI, "{}", -1 },
                { ENGINE_OPENAI, "7", -1 },
                { ENGINE_OPENAI, "[{\"id\":\"x\"}]", 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                WireModel *m = NULL;
                size_t n = 0;
                int r;

                r = wire_parse_models(
                        table[i].type, table[i].text, strlen(table[i].text), &m, &n, &failure);
                assert_int_equal(r < 0, table[i].n < 0);
                assert_int_equal(
                        failure.code, table[i].n < 0 ? FAILURE_ENGINE_FAILED : FAILURE_NONE);
                assert_int_equal(n, MAX(table[i].n, 0));
                wire_models_free(m, n);
        }
}

/* A name of 256 bytes is taken, one more is left out; so is what lies over 4,096 models. */
static void test_limits(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MIB(1));
        WireModel *m;
        size_t n;

        assert_int_equal(
                buffer_append_format(&text, "[{\"id\":\"%0256d\"},{\"id\":\"%0257d\"}", 0, 0), 0);
        for (unsigned i = 0; i < 5000; i++)
                assert_int_equal(buffer_append_format(&text, ",{\"id\":\"m%u\"}", i), 0);
        assert_int_equal(buffer_append_string(&text, "]"), 0);
        assert_int_equal(wire_parse_models(ENGINE_OPENAI, text.data, text.size, &m, &n, NULL), 0);
        assert_int_equal(n, 4095);
        assert_int_equal(strlen(m[0].name), 256);
        assert_string_equal(m[1].name, "m0");
        wire_models_free(m, n);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_long_refusal),
                cmocka_unit_test(test_stream_options),
                cmocka_unit_test(test_ollama_models),
                cmocka_unit_test(test_many_loaded),
                cmocka_unit_test(test_show_without_parameters),
                cmocka_unit_test(test_show_parameters),
                cmocka_unit_test(test_show_of_many_lines),
                cmocka_unit_test(test_openai_models),
                cmocka_unit_test(test_anthropic_models),
                cmocka_unit_test(test_odd_lists),
                cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
