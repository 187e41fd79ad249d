/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/server/control.h"

#include <json-c/json.h>
#include <strings.h>

#include "tests/server/answer.h"
#include "tests/server/script.h"

#define LOG_LINES_MAX 4096U
#define LOG_BODY_MAX  MIB(1)

static void reply_json(Connection *c, unsigned status, const char *body)
{
        connection_reply(c, status, "application/json", "", body, strlen(body));
}

static void reply_stats(Connection *c)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(16));

        for (Counter i = 0; i < _COUNTER_MAX; i++)
                (void) buffer_append_format(&b, "%s\"%s\":%llu,\"%s_usec\":%llu", i ? "," : "{",
                        counter_to_string(i), (unsigned long long) c->server->counters[i],
                        counter_to_string(i), (unsigned long long) c->server->counted[i]);
        (void) buffer_append_string(&b, "}\n");
        reply_json(c, 200, buffer_text(&b));
}

void control_wake(Server *s)
{
        for (Connection *c = s->connections; c; c = c->next)
                if (c->wait_value > 0 && s->counters[c->wait_counter] >= c->wait_value) {
                        c->wait_value = 0;
                        reply_stats(c);
                }
}

/* "closed=3": answered when so many were counted. */
static void begin_wait(Connection *c, const char *query)
{
        size_t n = strcspn(query, "=");

        for (Counter i = 0; i < _COUNTER_MAX; i++) {
                const char *name = counter_to_string(i);

                if (strlen(name) == n && strncmp(name, query, n) == 0 && query[n] == '=') {
                        c->wait_counter = i;
                        c->wait_value = strtoull(query + n + 1, NULL, 10);
                        if (c->wait_value <= c->server->counters[i]) {
                                c->wait_value = 0;
                                reply_stats(c);
                        }
                        return;
                }
        }
        reply_json(c, 404, "{\"error\":\"no such counter\"}\n");
}

static void reply_log(Connection *c)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(OUTPUT_MAX);

        for (size_t i = 0; i < c->server->n_log; i++) {
                (void) buffer_append_string(&b, c->server->log[i]);
                (void) buffer_append(&b, "\n", 1);
        }
        connection_reply(c, 200, "application/x-ndjson", "", buffer_text(&b), b.size);
}

static void set_defaults(Connection *c, const Request *r)
{
        _cleanup_script_ Script script;
        _cleanup_free_ char *text = strndup(r->body, r->body_size), *word = NULL;

        script_init(&script);
        if (!text || script_apply(&script, text, &word) < 0) {
                reply_json(c, 400, "{\"error\":\"not understood\"}\n");
                return;
        }
        free(c->server->defaults);
        c->server->defaults = TAKE_PTR(text);
        reply_json(c, 200, "{}\n");
}

static void release(Connection *c)
{
        for (Connection *i = c->server->connections; i; i = i->next)
                if (i->answer)
                        answer_release(i->answer);
        reply_json(c, 200, "{}\n");
}

bool control_request(Connection *c, const Request *r)
{
        bool post = streq(r->method, "POST");

        if (!post && streq(r->path, "/stats"))
                reply_stats(c);
        else if (!post && streq(r->path, "/wait"))
                begin_wait(c, r->query);
        else if (!post && streq(r->path, "/log"))
                reply_log(c);
        else if (post && streq(r->path, "/script"))
                set_defaults(c, r);
        else if (post && streq(r->path, "/release"))
                release(c);
        else if (post && streq(r->path, "/reset")) {
                server_forget(c->server);
                reply_json(c, 200, "{}\n");
        } else
                return false;
        return true;
}

/* ---- the log ---- */

static bool is_key_header(const char *name)
{
        return strcasecmp(name, "authorization") == 0 || strcasecmp(name, "x-api-key") == 0;
}

static json_object *log_headers(const Request *r)
{
        json_object *headers = json_object_new_object();

        for (size_t i = 0; headers && i < r->n_headers; i++) {
                char name[64];
                size_t n = 0;

                for (; r->headers[i].name[n] && n < sizeof name - 1; n++) {
                        char upper = r->headers[i].name[n];

                        name[n] = upper >= 'A' && upper <= 'Z' ? (char) (upper + 32) : upper;
                }
                name[n] = 0;
                json_object_object_add(headers, name,
                        json_object_new_string(
                                is_key_header(name) ? "(a key)" : r->headers[i].value));
        }
        return headers;
}

int control_log(Server *s, const Request *r)
{
        json_object *entry;
        char *line, **log;

        if (s->n_log == LOG_LINES_MAX)
                return 0;
        entry = json_object_new_object();
        if (!entry)
                return -ENOMEM;
        json_object_object_add(entry, "method", json_object_new_string(r->method));
        json_object_object_add(entry, "path", json_object_new_string(r->path));
        json_object_object_add(entry, "headers", log_headers(r));
        json_object_object_add(entry, "size", json_object_new_uint64(r->body_size));
        json_object_object_add(entry, "body",
                json_object_new_string_len(r->body, (int) MIN(r->body_size, LOG_BODY_MAX)));
        line = strdup(json_object_to_json_string_ext(entry, JSON_C_TO_STRING_PLAIN));
        json_object_put(entry);
        log = line ? reallocarray(s->log, s->n_log + 1, sizeof *log) : NULL;
        if (!log) {
                free(line);
                return -ENOMEM;
        }
        s->log = log;
        s->log[s->n_log++] = line;
        return 0;
}
