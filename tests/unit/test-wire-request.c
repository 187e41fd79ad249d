/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base64.h"
#include "common/json-util.h"
#include "service/engine/wire.h"

#define PIECE_MAX  KIB(768) /* looked at in one go */
#define COPIED_MAX 256U     /* longer texts stay where they are */

#define TEXT(r, t) \
        { \
                .role = (r), .text = (char *) (t), .size = sizeof(t) - 1 \
        }
#define PNG \
        { \
                .name = (char *) "p.png", .type = (char *) "image/png", \
                .data = (char *) "\x89PNG", .size = 4 \
        }
#define FILE_OF(n, t) \
        { \
                .name = (char *) (n), .type = (char *) "text/plain", .data = (char *) (t), \
                .size = sizeof(t) - 1 \
        }

#define BODY_MAX MIB(64)

/* The whole, read in pieces of this size. */
static char *read_whole(WireBody *body, size_t piece)
{
        size_t size = wire_body_size(body), n = 0;
        char *text = malloc(size + 1);
        ssize_t got;

        assert_non_null(text);
        do {
                got = wire_body_read(body, text + n, MIN(piece, size - n));
                assert_true(got >= 0);
                n += got;
        } while (got > 0);
        assert_int_equal(n, size);
        assert_int_equal(wire_body_read(body, text, 1), 0);
        text[size] = 0;
        return text;
}

static char *build(EngineType type, const WireRequest *request)
{
        _cleanup_(wire_body_freep) WireBody *body = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        assert_int_equal(wire_build_chat(type, request, BODY_MAX, &body, &failure), 0);
        assert_false(failure_is_set(&failure));
        return read_whole(body, KIB(16));
}

static void check(EngineType type, const WireRequest *request, const char *expect)
{
        _cleanup_free_ char *text = build(type, request);

        assert_string_equal(text, expect);
}

static PromptAttachment files[] = { FILE_OF("a \"b\".txt", "one\n```\ntwo"), PNG };
static PromptMessage dialogue[] = {
        TEXT(ROLE_USER, "Hi \"there\"\n"),
        TEXT(ROLE_ASSISTANT, ""),
        TEXT(ROLE_ASSISTANT, "Hello."),
        { .role = ROLE_USER,
                .text = (char *) "Look",
                .size = 4,
                .attachments = files,
                .n_attachments = 2 },
};
static const Prompt prompt = {
        .system = (char *) "Be brief.", .messages = dialogue, .n_messages = 4
};

/* All that is escaped, and characters of each length, so often that a piece would end in each of
 * its bytes. */
#define LONG_TIMES 6501
static char long_text[LONG_TIMES * 23 + 1];
static PromptMessage long_dialogue[] = {
        { .role = ROLE_USER, .text = long_text, .size = sizeof long_text - 1 },
        TEXT(ROLE_ASSISTANT, "Hello."),
        { .role = ROLE_USER, .text = long_text, .size = 23 * 50 },
};
static const Prompt long_prompt = {
        .system = long_text, .messages = long_dialogue, .n_messages = 3
};

static int make_long_text(void **state)
{
        static const char some[] =
                "a\"\\\n\x01\x7f\xc2\x85 \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 bcde";

        for (size_t i = 0; i < LONG_TIMES; i++)
                memcpy(long_text + i * (sizeof some - 1), some, sizeof some - 1);
        assert_int_equal(sizeof long_text - 1, LONG_TIMES * (sizeof some - 1));
        return 0;
}

#define FILE_TEXT "File \\\"a \\\"b\\\".txt\\\":\\n````\\none\\n```\\ntwo\\n````\\n\\nLook"

static void test_ollama(void **state)
{
        WireRequest request = { .model = "m", .prompt = &prompt };

        check(ENGINE_OLLAMA, &request,
                "{\"model\":\"m\",\"stream\":true,\"truncate\":false,\"messages\":["
                "{\"role\":\"system\",\"content\":\"Be brief.\"},"
                "{\"role\":\"user\",\"content\":\"Hi \\\"there\\\"\\n\"},"
                "{\"role\":\"assistant\",\"content\":\"Hello.\"},"
                "{\"role\":\"user\",\"content\":\"" FILE_TEXT "\",\"images\":[\"iVBORw==\"]}]}");

        request = (WireRequest){ .model = "m",
                .prompt = &prompt,
                .skip = 4,
                .context_size = 4096,
                .max_tokens = 7,
                .keep_alive = "5m" };
        check(ENGINE_OLLAMA, &request,
                "{\"model\":\"m\",\"stream\":true,\"truncate\":false,\"keep_alive\":\"5m\","
                "\"options\":{\"num_ctx\":4096,\"num_predict\":7},"
                "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}]}");

        request.keep_alive = "-1";
        request.context_size = 0;
        check(ENGINE_OLLAMA, &request,
                "{\"model\":\"m\",\"stream\":true,\"truncate\":false,\"keep_alive\":-1,"
                "\"options\":{\"num_predict\":7},"
                "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}]}");
}

static void test_openai(void **state)
{
        WireRequest request = { .model = "a/\"m\"", .prompt = &prompt };

        check(ENGINE_OPENAI, &request,
                "{\"model\":\"a/\\\"m\\\"\",\"stream\":true,"
                "\"stream_options\":{\"include_usage\":true},\"messages\":["
                "{\"role\":\"system\",\"content\":\"Be brief.\"},"
                "{\"role\":\"user\",\"content\":\"Hi \\\"there\\\"\\n\"},"
                "{\"role\":\"assistant\",\"content\":\"Hello.\"},"
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"" FILE_TEXT "\"},"
                "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBORw==\"}}]}]}");

        request = (WireRequest){ .model = "m",
                .prompt = &(Prompt){ .system = (char *) "", .messages = dialogue, .n_messages = 1 },
                .max_tokens = 7,
                .no_stream_options = true };
        check(ENGINE_OPENAI, &request,
                "{\"model\":\"m\",\"stream\":true,\"max_tokens\":7,\"messages\":["
                "{\"role\":\"user\",\"content\":\"Hi \\\"there\\\"\\n\"}]}");
}

static void test_anthropic(void **state)
{
        WireRequest request = { .model = "m", .prompt = &prompt };

        check(ENGINE_ANTHROPIC, &request,
                "{\"model\":\"m\",\"stream\":true,\"max_tokens\":4096,\"system\":\"Be brief.\","
                "\"messages\":["
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi \\\"there\\\"\\n\"}]},"
                "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"Hello.\"}]},"
                "{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
                "\"media_type\":\"image/png\",\"data\":\"iVBORw==\"}},"
                "{\"type\":\"text\",\"text\":\"" FILE_TEXT "\"}]}]}");

        /* A user's message must come first. */
        request.skip = 2;
        request.max_tokens = 9;
        check(ENGINE_ANTHROPIC, &request,
                "{\"model\":\"m\",\"stream\":true,\"max_tokens\":9,\"system\":\"Be brief.\","
                "\"messages\":["
                "{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
                "\"media_type\":\"image/png\",\"data\":\"iVBORw==\"}},"
                "{\"type\":\"text\",\"text\":\"" FILE_TEXT "\"}]}]}");
}

static void test_anthropic_roles(void **state)
{
        static PromptAttachment image[] = { PNG };
        PromptMessage messages[] = {
                TEXT(ROLE_ASSISTANT, "left out"),
                TEXT(ROLE_SYSTEM, "a"),
                TEXT(ROLE_USER, " \n"),
                TEXT(ROLE_USER, "b"),
                TEXT(ROLE_ASSISTANT, "c "),
                TEXT(ROLE_ASSISTANT, "d \n"),
        };
        Prompt p = { .messages = messages, .n_messages = ELEMENTSOF(messages), .continues = true };
        WireRequest request = { .model = "m", .prompt = &p };

        check(ENGINE_ANTHROPIC, &request,
                "{\"model\":\"m\",\"stream\":true,\"max_tokens\":4096,\"messages\":["
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                "{\"type\":\"text\",\"text\":\"b\"}]},"
                "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"c \"},"
                "{\"type\":\"text\",\"text\":\"d\"}]}]}");

        /* An image alone, and nothing at all. */
        messages[0] = (PromptMessage){
                .role = ROLE_USER, .attachments = image, .n_attachments = 1
        };
        p.n_messages = 1;
        check(ENGINE_ANTHROPIC, &request,
                "{\"model\":\"m\",\"stream\":true,\"max_tokens\":4096,\"messages\":["
                "{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
                "\"media_type\":\"image/png\",\"data\":\"iVBORw==\"}}]}]}");
        p.n_messages = 0;
        check(ENGINE_ANTHROPIC, &request,
                "{\"model\":\"m\",\"stream\":true,\"max_tokens\":4096,\"messages\":[]}");
}

/* Ollama and the others go on with the last message's text as it is. */
static void test_continues(void **state)
{
        PromptMessage messages[] = { TEXT(ROLE_USER, "q"), TEXT(ROLE_ASSISTANT, "half a ") };
        Prompt p = { .messages = messages, .n_messages = 2, .continues = true };
        WireRequest request = { .model = "m", .prompt = &p };
        _cleanup_free_ char *text = build(ENGINE_OLLAMA, &request);

        assert_non_null(strstr(text, "{\"role\":\"assistant\",\"content\":\"half a \"}]}"));
}

static void test_bad_attachments(void **state)
{
        static const struct {
                const char *type, *data;
                size_t size;
        } table[] = {
                { "application/pdf", "%PDF\xff", 5 },
                { "text/plain", "a\0b", 3 },
                { "image/png\",\"x\":\"", "\x89", 1 }, /* no type that can be sent */
                { "image/", "\x89", 1 },
                { NULL, "\xff", 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                for (EngineType type = ENGINE_OLLAMA; type <= ENGINE_ANTHROPIC; type++) {
                        PromptAttachment a = { (char *) "x.bin", (char *) table[i].type,
                                (char *) table[i].data, table[i].size };
                        PromptMessage m = { ROLE_USER, (char *) "t", 1, &a, 1 };
                        Prompt p = { .messages = &m, .n_messages = 1 };
                        _cleanup_failure_ Failure failure = FAILURE_NULL;
                        WireBody *body = NULL;

                        assert_true(
                                wire_build_chat(type, &(WireRequest){ .model = "m", .prompt = &p },
                                        BODY_MAX, &body, &failure) < 0);
                        assert_int_equal(failure.code, FAILURE_NOT_SUPPORTED);
                        assert_non_null(strstr(failure_message(&failure), "x.bin"));
                        assert_null(body);
                }
}

static void check_too_large(EngineType type, const Prompt *p)
{
        WireRequest request = { .model = "m", .prompt = p };
        _cleanup_free_ char *whole = build(type, &request);
        size_t n = strlen(whole);

        for (size_t maximum = n - 1; maximum <= n; maximum++) {
                _cleanup_(wire_body_freep) WireBody *body = NULL;
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                int r = wire_build_chat(type, &request, maximum, &body, &failure);

                assert_int_equal(r < 0, maximum < n);
                assert_int_equal(failure.code, maximum < n ? FAILURE_TOO_LARGE : FAILURE_NONE);
                assert_int_equal(body ? wire_body_size(body) : 0, maximum < n ? 0 : n);
        }
}

static void test_too_large(void **state)
{
        for (EngineType type = ENGINE_OLLAMA; type <= ENGINE_ANTHROPIC; type++) {
                check_too_large(type, &prompt);
                check_too_large(type, &long_prompt);
        }
}

/* However it is read, and from its beginning again from anywhere. */
static void test_read(void **state)
{
        static const size_t pieces[] = { 1, 7, KIB(6) - 1, KIB(16), MIB(1) };
        WireRequest request = { .model = "m", .prompt = &long_prompt };

        for (EngineType type = ENGINE_OLLAMA; type <= ENGINE_ANTHROPIC; type++) {
                _cleanup_(wire_body_freep) WireBody *body = NULL;
                _cleanup_free_ char *whole = build(type, &request), *some = malloc(MIB(1));

                assert_non_null(some);
                assert_int_equal(wire_build_chat(type, &request, BODY_MAX, &body, NULL), 0);
                for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
                        _cleanup_free_ char *text = read_whole(body, pieces[i]);

                        assert_string_equal(text, whole);
                        wire_body_rewind(body);
                        assert_true(wire_body_read(body, some, 10001 * i) >= 0);
                        wire_body_rewind(body);
                }
        }
}

/* Short texts are copied, long ones are not: nobody sees which. */
static void test_copied(void **state)
{
        for (size_t size = COPIED_MAX - 2; size <= COPIED_MAX + 2; size++) {
                char plain[COPIED_MAX + 8] = "";
                PromptMessage m = { ROLE_USER, plain, size, NULL, 0 };
                Prompt p = { .messages = &m, .n_messages = 1 };
                _cleanup_buffer_ Buffer expect = BUFFER_INIT(MIB(1));
                _cleanup_free_ char *body = NULL;

                memset(plain, 'x', size);
                plain[size / 2] = '"';
                body = build(ENGINE_OLLAMA, &(WireRequest){ .model = "m", .prompt = &p });
                assert_int_equal(json_append_string(&expect, plain, size), 0);
                assert_non_null(strstr(body, expect.data));
        }
}

/* What is large is written in pieces: nobody sees where they meet. */
static void test_pieces(void **state)
{
        _cleanup_buffer_ Buffer expect = BUFFER_INIT(MIB(64));
        _cleanup_free_ char *data = malloc(PIECE_MAX * 2 + 8);

        assert_non_null(data);
        for (size_t size = PIECE_MAX - 4; size <= PIECE_MAX * 2 + 4;
                size += size == PIECE_MAX + 4 ? PIECE_MAX - 8 : 1) {
                PromptAttachment a = { (char *) "p", (char *) "image/png", data, size };
                PromptMessage m = { ROLE_USER, data, size, &a, 1 };
                Prompt p = { .messages = &m, .n_messages = 1 };
                _cleanup_free_ char *body = NULL;

                /* Characters of three bytes, after so many of one that the whole fits. */
                for (size_t i = 0; i < size; i++)
                        data[i] = i < size % 3 ? 'a' : "\xe2\x82\xac"[(i - size % 3) % 3];
                buffer_clear(&expect);
                assert_int_equal(buffer_append_string(&expect,
                                         "{\"model\":\"m\",\"stream\":true,\"truncate\":false,"
                                         "\"messages\":[{\"role\":\"user\",\"content\":"),
                        0);
                assert_int_equal(json_append_string(&expect, data, size), 0);
                assert_int_equal(buffer_append_string(&expect, ",\"images\":[\""), 0);
                assert_int_equal(base64_append(&expect, data, size), 0);
                assert_int_equal(buffer_append_string(&expect, "\"]}]}"), 0);
                body = build(ENGINE_OLLAMA, &(WireRequest){ .model = "m", .prompt = &p });
                assert_true(streq(body, expect.data));
        }
}

static void test_stop(void **state)
{
        static const Prompt *const prompts[] = { &prompt, &long_prompt };
        static const atomic_bool stop = true;

        for (EngineType type = ENGINE_OLLAMA; type <= ENGINE_ANTHROPIC; type++)
                for (size_t i = 0; i < ELEMENTSOF(prompts); i++) {
                        WireRequest request = { .model = "m", .prompt = prompts[i], .stop = &stop };
                        _cleanup_failure_ Failure failure = FAILURE_NULL;
                        WireBody *body = NULL;

                        assert_int_equal(wire_build_chat(type, &request, BODY_MAX, &body, &failure),
                                -ECANCELED);
                        assert_null(body);
                }
}

static void test_urls(void **state)
{
        static const struct {
                EngineType type;
                const char *url, *chat, *models;
        } table[] = {
                { ENGINE_OLLAMA, "http://h:1", "http://h:1/api/chat", "http://h:1/api/tags" },
                { ENGINE_OLLAMA, "http://h/x/", "http://h/x/api/chat", "http://h/x/api/tags" },
                { ENGINE_OPENAI, "http://h", "http://h/v1/chat/completions", "http://h/v1/models" },
                { ENGINE_OPENAI, "http://h/v1", "http://h/v1/chat/completions",
                        "http://h/v1/models" },
                { ENGINE_OPENAI, "http://h/v1///", "http://h/v1/chat/completions",
                        "http://h/v1/models" },
                { ENGINE_OPENAI, "https://h/api/v1", "https://h/api/v1/chat/completions",
                        "https://h/api/v1/models" },
                { ENGINE_OPENAI, "https://h/v1beta/openai",
                        "https://h/v1beta/openai/chat/completions",
                        "https://h/v1beta/openai/models" },
                { ENGINE_OPENAI, "http://h/v1/chat/completions", "http://h/v1/chat/completions",
                        "http://h/v1/models" },
                { ENGINE_OPENAI, "http://v1.example/vx", "http://v1.example/vx/v1/chat/completions",
                        "http://v1.example/vx/v1/models" },
                { ENGINE_ANTHROPIC, "https://h", "https://h/v1/messages",
                        "https://h/v1/models?limit=1000" },
                { ENGINE_ANTHROPIC, "https://h/v1", "https://h/v1/messages",
                        "https://h/v1/models?limit=1000" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *chat = NULL, *models = NULL;

                assert_int_equal(wire_chat_url(table[i].type, table[i].url, &chat), 0);
                assert_string_equal(chat, table[i].chat);
                assert_int_equal(wire_models_url(table[i].type, table[i].url, &models), 0);
                assert_string_equal(models, table[i].models);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ollama),
                cmocka_unit_test(test_openai),
                cmocka_unit_test(test_anthropic),
                cmocka_unit_test(test_anthropic_roles),
                cmocka_unit_test(test_continues),
                cmocka_unit_test(test_bad_attachments),
                cmocka_unit_test(test_too_large),
                cmocka_unit_test(test_read),
                cmocka_unit_test(test_copied),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_stop),
                cmocka_unit_test(test_urls),
        };

        return cmocka_run_group_tests(tests, make_long_text, NULL);
}
