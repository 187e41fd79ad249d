/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/server/chat.h"

#include <json-c/json.h>

#include "tests/server/answer.h"

#define BYTES_PER_TOKEN 4
#define ECHO_MAX        KIB(64)
#define TEXT_MAX        MIB(256)

static void json_object_putp(json_object **o)
{
        json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_object_putp)

typedef struct Asked {
        Buffer last;  /* text of the last user message */
        Buffer echo;  /* "system:12 user:5+1image …" */
        size_t bytes; /* of all text */
        size_t n_messages;
} Asked;

static void asked_done(Asked *a)
{
        buffer_done(&a->last);
        buffer_done(&a->echo);
}

static json_object *get(json_object *o, const char *key)
{
        json_object *value = NULL;

        return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, &value)
                ? value
                : NULL;
}

static const char *get_string(json_object *o, const char *key)
{
        json_object *value = get(o, key);

        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* The text of a message, which may be a list of parts; counts the parts that are none. */
static int read_content(json_object *content, Buffer *text, size_t *others)
{
        int r;

        if (json_object_is_type(content, json_type_string))
                return buffer_append(text, json_object_get_string(content),
                        (size_t) json_object_get_string_len(content));
        if (!json_object_is_type(content, json_type_array))
                return 0;
        for (size_t i = 0; i < json_object_array_length(content); i++) {
                json_object *part = json_object_array_get_idx(content, i);
                const char *s = get_string(part, "text");

                if (!s) {
                        (*others)++;
                        continue;
                }
                r = buffer_append_string(text, s);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_message(Asked *a, json_object *message)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(TEXT_MAX);
        const char *role = get_string(message, "role");
        json_object *images = get(message, "images");
        size_t others = 0;
        int r;

        r = read_content(get(message, "content"), &text, &others);
        if (r < 0)
                return r;
        if (json_object_is_type(images, json_type_array))
                others += json_object_array_length(images);
        a->bytes += text.size;
        a->n_messages++;
        if (role && streq(role, "user")) {
                buffer_clear(&a->last);
                r = buffer_append(&a->last, buffer_text(&text), text.size);
                if (r < 0)
                        return r;
        }
        r = buffer_append_format(
                &a->echo, "%s%s:%zu", a->n_messages > 1 ? " " : "", role ? role : "?", text.size);
        if (r >= 0 && others > 0)
                r = buffer_append_format(&a->echo, "+%zu", others);
        return r == -EFBIG ? 0 : r; /* the echo of very long conversations is cut */
}

static int read_question(Asked *a, json_object *body)
{
        json_object *messages = get(body, "messages"), *system = get(body, "system");
        int r;

        if (system) {
                _cleanup_json_ json_object *message = json_object_new_object();

                if (!message)
                        return -ENOMEM;
                json_object_object_add(message, "role", json_object_new_string("system"));
                json_object_object_add(message, "content", json_object_get(system));
                r = read_message(a, message);
                if (r < 0)
                        return r;
        }
        if (!json_object_is_type(messages, json_type_array))
                return -EBADMSG;
        for (size_t i = 0; i < json_object_array_length(messages); i++) {
                r = read_message(a, json_object_array_get_idx(messages, i));
                if (r < 0)
                        return r;
        }
        return 0;
}

static void refuse(Connection *c, Format f, unsigned status, const char *message)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));

        (void) format_error(f, &b, status, message);
        connection_reply(c, status, "application/json; charset=utf-8", "", buffer_text(&b), b.size);
}

/* ---- the model and its context ---- */

static Model *find_model(Connection *c, Format f, const char *name)
{
        _cleanup_buffer_ Buffer message = BUFFER_INIT(KIB(4));
        Model *model = server_find_model(c->server, strempty(name));

        if (model)
                return model;
        if (f == FORMAT_OLLAMA)
                (void) buffer_append_format(&message, "model '%s' not found", strempty(name));
        else if (f == FORMAT_OPENAI)
                (void) buffer_append_format(
                        &message, "The model `%s` does not exist", strempty(name));
        else
                (void) buffer_append_format(&message, "model: %s", strempty(name));
        refuse(c, f, 404, buffer_text(&message));
        return NULL;
}

/* Loads the model with the context that is asked for. */
static uint64_t load_model(Server *s, Model *model, json_object *body, const Script *script)
{
        json_object *asked = get(get(body, "options"), "num_ctx");
        uint64_t context = script->context ?: s->context;

        if (asked)
                context = (uint64_t) json_object_get_int64(asked);
        if (model->loaded > 0 && model->loaded != context)
                server_count(s, COUNTER_RELOADS);
        model->loaded = context;
        return context;
}

/* True when the prompt does not fit and that is an error. */
static bool overflows(Connection *c, Format f, json_object *body, uint64_t tokens, uint64_t context)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        json_object *truncate = get(body, "truncate");

        if (tokens <= context)
                return false;
        if (f == FORMAT_OLLAMA && (!truncate || json_object_get_boolean(truncate)))
                return false; /* Ollama then cuts the oldest away without a word */
        (void) format_overflow(f, &b, tokens, context);
        connection_reply(c, 400, "application/json; charset=utf-8", "", buffer_text(&b), b.size);
        return true;
}

/* ---- faults of the first attempts ---- */

static uint64_t count_attempt(Server *s, const Buffer *message)
{
        const char *text = buffer_text(message);
        Attempt *a;

        for (a = s->attempts; a; a = a->next)
                if (streq(a->message, text))
                        return ++a->count;
        a = malloc(sizeof *a + strlen(text) + 1);
        if (!a)
                return 1;
        a->next = s->attempts;
        a->count = 1;
        strcpy(a->message, text);
        s->attempts = a;
        return 1;
}

/* The first attempts fail as the script says (503 when it does not), later ones are well. */
static void apply_attempts(Server *s, Script *script, const Buffer *message)
{
        if (script->fail_first == 0)
                return;
        if (count_attempt(s, message) > script->fail_first) {
                script->fault = FAULT_NONE;
                script->status = 0;
        } else if (script->fault == FAULT_NONE && script->status == 0)
                script->status = 503;
}

static int read_script(Connection *c, Format f, const Buffer *last, Script *script)
{
        _cleanup_free_ char *word = NULL;
        _cleanup_buffer_ Buffer message = BUFFER_INIT(KIB(64));
        int r;

        r = script_apply(script, strempty(c->server->defaults), &word);
        if (r >= 0)
                r = script_apply(script, buffer_text(last), &word);
        if (r >= 0)
                return 0;
        (void) buffer_append_format(
                &message, "the scripted engine does not understand \"%.200s\"", strempty(word));
        refuse(c, f, 400, buffer_text(&message));
        return r;
}

/* ---- */

static void answer_load(Connection *c, const char *model)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(64));

        (void) buffer_append_format(&b,
                "{\"model\":\"%s\",\"created_at\":\"2026-11-21T02:31:47.672762437Z\",\"message\":"
                "{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"load\"}",
                model);
        connection_reply(c, 200, "application/json; charset=utf-8", "", buffer_text(&b), b.size);
}

static void serve_question(
        Connection *c, Format f, json_object *body, const Asked *asked, Script *script)
{
        json_object *stream = get(body, "stream");
        json_object *options = get(body, "stream_options");
        uint64_t context, tokens = asked->bytes / BYTES_PER_TOKEN + 1;
        Question question = { .format = f,
                .model = get_string(body, "model"),
                .echo = buffer_text(&asked->echo),
                .stream = stream ? json_object_get_boolean(stream) : f == FORMAT_OLLAMA,
                .include_usage = options &&
                        json_object_get_boolean(get(options, "include_usage")) };
        Model *model = find_model(c, f, question.model);

        if (!model)
                return;
        context = load_model(c->server, model, body, script);
        if (f == FORMAT_OLLAMA && asked->n_messages == 0) {
                answer_load(c, question.model);
                return;
        }
        if (f == FORMAT_ANTHROPIC && !get(body, "max_tokens")) {
                refuse(c, f, 400, "max_tokens: Field required");
                return;
        }
        if (script->no_stream_options && options) {
                refuse(c, f, 400, "Unrecognized request argument supplied: stream_options");
                return;
        }
        if (overflows(c, f, body, tokens, context))
                return;
        question.tokens_in = MIN(tokens, context);
        if (answer_start(c, &question, script) < 0)
                connection_close(c, /* reset= */ true);
}

void chat_request(Connection *c, const Request *r, Format format)
{
        _cleanup_json_ json_object *body = NULL;
        _cleanup_script_ Script script = {};
        _cleanup_(asked_done)
                Asked asked = { .last = BUFFER_INIT(TEXT_MAX), .echo = BUFFER_INIT(ECHO_MAX) };
        json_tokener *tokener;

        server_count(c->server, COUNTER_CHATS);
        tokener = json_tokener_new();
        if (tokener && r->body_size <= INT32_MAX)
                body = json_tokener_parse_ex(tokener, r->body, (int) r->body_size);
        json_tokener_free(tokener);
        if (!body || read_question(&asked, body) < 0) {
                refuse(c, format, 400, "invalid JSON");
                return;
        }
        script_init(&script);
        if (read_script(c, format, &asked.last, &script) < 0)
                return;
        apply_attempts(c->server, &script, &asked.last);
        serve_question(c, format, body, &asked, &script);
}
