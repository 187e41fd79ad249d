/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/server/routes.h"

#include <json-c/json.h>

#include "tests/server/chat.h"
#include "tests/server/control.h"
#include "tests/server/format.h"

#define JSON_TYPE "application/json; charset=utf-8"
#define DETAILS \
        "\"details\":{\"parent_model\":\"\",\"format\":\"gguf\",\"family\":\"llama\"," \
        "\"families\":[\"llama\"],\"parameter_size\":\"293K\",\"quantization_level\":\"Q4_0\"}"
#define LIST_MAX MIB(16)
#define DIGEST   "7f8528b15f9a05d7777d8326a9b7f34fd0708e786978b5e1d92ba5f516f26864"

static void reply(Connection *c, unsigned status, const Buffer *b)
{
        connection_reply(c, status, JSON_TYPE, "", buffer_text(b), b->size);
}

static void reply_error(Connection *c, Format f, unsigned status, const char *message)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));

        (void) format_error(f, &b, status, message);
        reply(c, status, &b);
}

/* ---- Ollama ---- */

static void ollama_tags(Connection *c, const Request *r)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(LIST_MAX);
        Server *s = c->server;

        (void) buffer_append_string(&b, "{\"models\":[");
        for (size_t i = 0; i < s->n_models; i++)
                (void) buffer_append_format(&b,
                        "%s{\"name\":\"%s\",\"model\":\"%s\","
                        "\"modified_at\":\"2026-11-%02zuT02:31:46.300722553Z\",\"size\":1186069,"
                        "\"digest\":\"" DIGEST "\"," DETAILS ",\"capabilities\":%s}",
                        i ? "," : "", s->models[i].name, s->models[i].name, 21 - i % 20,
                        s->capabilities);
        (void) buffer_append_string(&b, "]}");
        reply(c, 200, &b);
}

static void ollama_ps(Connection *c, const Request *r)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(LIST_MAX);
        Server *s = c->server;
        bool first = true;

        (void) buffer_append_string(&b, "{\"models\":[");
        for (size_t i = 0; i < s->n_models; i++) {
                if (s->models[i].loaded == 0)
                        continue;
                (void) buffer_append_format(&b,
                        "%s{\"name\":\"%s\",\"model\":\"%s\",\"size\":3753901,\"digest\":\"" DIGEST
                        "\"," DETAILS ",\"expires_at\":\"2319-03-03T02:18:13.931486612Z\","
                        "\"size_vram\":0,\"context_length\":%llu}",
                        first ? "" : ",", s->models[i].name, s->models[i].name,
                        (unsigned long long) s->models[i].loaded);
                first = false;
        }
        (void) buffer_append_string(&b, "]}");
        reply(c, 200, &b);
}

static void ollama_show(Connection *c, const Request *r)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        _cleanup_free_ char *text = strndup(r->body, r->body_size);
        json_object *body = text ? json_tokener_parse(text) : NULL, *name = NULL;
        Server *s = c->server;

        if (!json_object_object_get_ex(body, "model", &name) ||
                !server_find_model(s, json_object_get_string(name))) {
                (void) buffer_append_format(
                        &b, "{\"error\":\"model '%s' not found\"}", json_object_get_string(name));
                reply(c, 404, &b);
        } else {
                (void) buffer_append_format(&b,
                        "{\"modelfile\":\"FROM x\\n\",\"parameters\":\"num_thread 1\","
                        "\"template\":\"{{ .Prompt }}\"," DETAILS
                        ",\"model_info\":{\"general.architecture\":\"llama\","
                        "\"general.parameter_count\":292800,\"llama.context_length\":%llu,"
                        "\"tokenizer.ggml.tokens\":null},\"capabilities\":%s,"
                        "\"modified_at\":\"2026-11-21T02:31:46.300722553Z\"}",
                        (unsigned long long) s->context, s->capabilities);
                reply(c, 200, &b);
        }
        json_object_put(body);
}

static void ollama_version(Connection *c, const Request *r)
{
        static const char text[] = "{\"version\":\"0.32.15\"}";

        connection_reply(c, 200, JSON_TYPE, "", text, sizeof text - 1);
}

static void ollama_root(Connection *c, const Request *r)
{
        static const char text[] = "Ollama is running";

        connection_reply(c, 200, "text/plain; charset=utf-8", "", text, sizeof text - 1);
}

static void ollama_chat(Connection *c, const Request *r)
{
        chat_request(c, r, FORMAT_OLLAMA);
}

/* ---- OpenAI's way and Anthropic's ---- */

static void v1_models(Connection *c, const Request *r)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(LIST_MAX);
        bool anthropic = request_header(r, "anthropic-version");
        Server *s = c->server;

        (void) buffer_append_format(&b, "{%s\"data\":[", anthropic ? "" : "\"object\":\"list\",");
        for (size_t i = 0; i < s->n_models; i++) {
                const char *name = s->models[i].name, *comma = i ? "," : "";

                if (anthropic)
                        (void) buffer_append_format(&b,
                                "%s{\"type\":\"model\",\"id\":\"%s\",\"display_name\":\"%s\","
                                "\"created_at\":\"2026-11-21T00:00:00Z\"}",
                                comma, name, name);
                else
                        (void) buffer_append_format(&b,
                                "%s{\"id\":\"%s\",\"object\":\"model\",\"created\":%zu,"
                                "\"owned_by\":\"llamacpp\",\"meta\":{\"n_ctx_train\":%llu}}",
                                comma, name, 1795226012 - i, (unsigned long long) s->context);
        }
        (void) buffer_append_string(&b, anthropic ? "],\"has_more\":false}" : "]}");
        reply(c, 200, &b);
}

static void v1_chat(Connection *c, const Request *r)
{
        chat_request(c, r, FORMAT_OPENAI);
}

static void v1_messages(Connection *c, const Request *r)
{
        if (!request_header(r, "anthropic-version"))
                reply_error(c, FORMAT_ANTHROPIC, 400, "anthropic-version: header is required");
        else
                chat_request(c, r, FORMAT_ANTHROPIC);
}

static void llama_health(Connection *c, const Request *r)
{
        static const char text[] = "{\"status\":\"ok\"}";

        connection_reply(c, 200, JSON_TYPE, "", text, sizeof text - 1);
}

static void llama_props(Connection *c, const Request *r)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));

        (void) buffer_append_format(&b,
                "{\"default_generation_settings\":{\"n_ctx\":%llu},\"total_slots\":4}",
                (unsigned long long) c->server->context);
        reply(c, 200, &b);
}

/* ---- */

typedef struct Route {
        const char *method, *path;
        Format format;
        void (*serve)(Connection *c, const Request *r);
} Route;

static const Route routes[] = {
        { "GET", "/", FORMAT_OLLAMA, ollama_root },
        { "GET", "/api/tags", FORMAT_OLLAMA, ollama_tags },
        { "GET", "/api/ps", FORMAT_OLLAMA, ollama_ps },
        { "GET", "/api/version", FORMAT_OLLAMA, ollama_version },
        { "POST", "/api/show", FORMAT_OLLAMA, ollama_show },
        { "POST", "/api/chat", FORMAT_OLLAMA, ollama_chat },
        { "GET", "/v1/models", FORMAT_OPENAI, v1_models },
        { "GET", "/health", FORMAT_OPENAI, llama_health },
        { "GET", "/props", FORMAT_OPENAI, llama_props },
        { "POST", "/v1/chat/completions", FORMAT_OPENAI, v1_chat },
        { "POST", "/v1/messages", FORMAT_ANTHROPIC, v1_messages },
};

static bool key_fits(const Server *s, const Request *r)
{
        const char *bearer = request_header(r, "authorization");
        const char *key = request_header(r, "x-api-key");

        if (!s->key)
                return true;
        if (bearer && startswith(bearer, "Bearer "))
                key = bearer + strlen("Bearer ");
        return key && streq(key, s->key);
}

void route_request(Connection *c, const Request *r)
{
        Server *s = c->server;

        if (control_request(c, r))
                return;
        if (!c->engine) {
                c->engine = true;
                server_count(s, COUNTER_OPENED);
        }
        (void) control_log(s, r);
        server_count(s, COUNTER_REQUESTS);
        for (size_t i = 0; i < ELEMENTSOF(routes); i++)
                if (streq(routes[i].path, r->path) && streq(routes[i].method, r->method)) {
                        if (key_fits(s, r))
                                routes[i].serve(c, r);
                        else
                                reply_error(c, routes[i].format, 401, "invalid api key");
                        return;
                }
        connection_reply(c, 404, "text/plain", "", "404 page not found", 18);
}
