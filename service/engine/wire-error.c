/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>

#include "common/utf8.h"
#include "service/engine/wire-private.h"

#define SENTENCE_MAX 300
#define SECRET_MIN   16 /* a word so long in a refusal of a key may be the key */

/* What a server says went wrong; borrowed from its JSON. */
typedef struct ErrorText {
        const char *message, *type, *code;
} ErrorText;

static void read_string(struct json_object *o, const char *key, const char **ret)
{
        const char *s;

        if (json_get_string(o, key, &s, NULL) >= 0 && *s)
                *ret = s;
}

/* {"error":{"message","type","code"}}, {"error":"text"}, {"detail":"text"},
 * {"detail":[{"msg"}]}, {"message"}. */
static void read_error(struct json_object *o, ErrorText *ret)
{
        struct json_object *error, *detail;

        *ret = (ErrorText){ "", "", "" };
        read_string(o, "message", &ret->message);
        read_string(o, "detail", &ret->message);
        if (json_get_array(o, "detail", &detail) >= 0 && json_object_array_length(detail) > 0)
                read_string(json_object_array_get_idx(detail, 0), "msg", &ret->message);
        read_string(o, "error", &ret->message);
        if (json_get_object(o, "error", &error) >= 0) {
                read_string(error, "type", &ret->type);
                read_string(error, "code", &ret->code);
                read_string(error, "message", &ret->message);
        }
}

/* A reply's "message" is an object; where it is a string, the server says what went wrong. */
bool wire_is_error(struct json_object *o)
{
        struct json_object *object;
        const char *s = "";

        if (json_get_object(o, "error", &object) >= 0)
                return true;
        if (json_get_string(o, "error", &s, NULL) >= 0 && *s)
                return true;
        if (json_get_string(o, "type", &s, NULL) >= 0 && streq(s, "error"))
                return true;
        return json_get_string(o, "message", &s, NULL) >= 0;
}

/* ---- what it means ---- */

static bool contains_any(const char *text, const char *const *words, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strcasestr(text, words[i]))
                        return true;
        return false;
}

static bool is_context(const ErrorText *e)
{
        static const char *const words[] = { "context length", "context size", "available context",
                "context window", "context limit", "exceed_context_size", "context_length_exceeded",
                "prompt is too long", "maximum context" };

        return contains_any(e->message, words, ELEMENTSOF(words)) ||
                contains_any(e->type, words, ELEMENTSOF(words)) ||
                contains_any(e->code, words, ELEMENTSOF(words));
}

static bool is_missing_model(const ErrorText *e, long status)
{
        static const char *const words[] = { "not found", "not exist", "unknown model",
                "no such model", "invalid model", "try pulling it" };

        if (strcasestr(e->code, "model_not_found"))
                return true;
        if (status != 0 && status != 400 && status != 404)
                return false;
        return strcasestr(e->message, "model") &&
                (contains_any(e->message, words, ELEMENTSOF(words)) ||
                        streq(e->type, "not_found_error"));
}

static FailureCode classify(const ErrorText *e, long status)
{
        if (status == 401 || status == 403 || streq(e->type, "authentication_error") ||
                streq(e->type, "permission_error"))
                return FAILURE_KEY_REFUSED;
        if (status != 429 && is_context(e))
                return FAILURE_CONTEXT_TOO_LONG;
        if (is_missing_model(e, status))
                return FAILURE_NO_SUCH_MODEL;
        if (status == 413)
                return FAILURE_TOO_LARGE;
        return FAILURE_ENGINE_REFUSED;
}

static const char *advice(FailureCode code, long status)
{
        if (code == FAILURE_KEY_REFUSED)
                return "Check its key: 'conductor doctor' says where it comes from.";
        if (code == FAILURE_NO_SUCH_MODEL)
                return "'conductor models' shows those there are.";
        if (code == FAILURE_CONTEXT_TOO_LONG)
                return "Start a new conversation, or give the engine a larger context.";
        if (code == FAILURE_TOO_LARGE)
                return "Leave some attachments out.";
        if (status == 402)
                return "Its account needs credit.";
        if (status == 404)
                return "Check the engine's Type= and Url=.";
        if (status == 0 || status == 429 || status >= 500)
                return "Try again later.";
        return "Its own log may say more.";
}

/* ---- the sentence ---- */

static bool is_secret_byte(char c)
{
        return isalnum((unsigned char) c) || strchr("_-*+/=.", c);
}

/* Servers quote the key that they refuse. */
static void hide_secrets(char *text, FailureCode code)
{
        char *p = text;

        while (*p) {
                size_t n = 0;

                while (p[n] && is_secret_byte(p[n]))
                        n++;
                if ((code == FAILURE_KEY_REFUSED && n >= SECRET_MIN) ||
                        (n > 3 && strncmp(p, "sk-", 3) == 0))
                        memset(p, '*', n);
                p += n > 0 ? n : 1;
        }
}

static int set_failure(const ErrorText *e, long status, const char *engine, Failure *failure)
{
        FailureCode code = classify(e, status);
        _cleanup_free_ char *sentence = NULL;
        char number[32] = "";
        size_t n;

        if (utf8_sanitize_line(e->message, strlen(e->message), SENTENCE_MAX, &sentence) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        hide_secrets(sentence, code);
        n = strlen(sentence);
        while (n > 0 && (sentence[n - 1] == '.' || sentence[n - 1] == ' '))
                sentence[--n] = 0;

        if (status != 0)
                (void) snprintf(number, sizeof number, " (HTTP %ld)", status);
        return failure_set(failure, code, "%s%s%s: %s%s. %s", engine ? "engine " : "the engine",
                strempty(engine), status == 0 ? " reports an error" : " refused",
                n > 0 ? sentence : "it gave no reason", number, advice(code, status));
}

/* The error's text is sometimes the JSON of another server behind it. */
static int set_failure_nested(
        struct json_object *o, long status, const char *engine, Failure *failure)
{
        _cleanup_(json_putp) struct json_object *inner = NULL;
        ErrorText e, nested;

        read_error(o, &e);
        if (*e.message == '{' && json_parse(e.message, strlen(e.message), &inner) >= 0) {
                read_error(inner, &nested);
                if (*nested.message)
                        e = nested;
        }
        return set_failure(&e, status, engine, failure);
}

int wire_error_object(struct json_object *o, Failure *failure)
{
        return set_failure_nested(o, 0, NULL, failure);
}

static bool is_html(const char *content_type, const char *body, size_t size)
{
        size_t i = 0;

        if (streq(strempty(content_type), "text/html"))
                return true;
        while (i < size && isspace((unsigned char) body[i]))
                i++;
        return i < size && body[i] == '<';
}

int wire_error(EngineType type, long status, const char *content_type, const char *body,
        size_t size, const char *engine, Failure *failure)
{
        _cleanup_(json_putp) struct json_object *o = NULL;
        _cleanup_free_ char *text = NULL;

        if (is_html(content_type, body, size))
                return set_failure(
                        &(ErrorText){ "it answered with a web page, not as an API", "", "" },
                        status, engine, failure);
        if (json_parse(body, size, &o) >= 0 && json_object_is_type(o, json_type_object))
                return set_failure_nested(o, status, engine, failure);

        if (utf8_sanitize_line(body, size, SENTENCE_MAX, &text) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        return set_failure(&(ErrorText){ text, "", "" }, status, engine, failure);
}

bool wire_error_is_stream_options(long status, const char *body, size_t size)
{
        return (status == 400 || status == 422) && size > 0 &&
                memmem(body, size, "stream_options", strlen("stream_options"));
}
