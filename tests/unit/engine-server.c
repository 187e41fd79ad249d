/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/engine-server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "tests/unit/server-util.h"

#define REQUEST_MAX MIB(4)

typedef struct Connection {
        Server *server;
        int fd;
} Connection;

static void server_poke(Server *s)
{
        assert_int_equal(eventfd_write(s->event_fd, 1), 0);
}

static void count(Server *s, unsigned *counter)
{
        assert_int_equal(pthread_mutex_lock(&s->lock), 0);
        (*counter)++;
        assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
        server_poke(s);
}

static char *copy_of(const char *text)
{
        char *copy = text ? strdup(text) : NULL;

        assert_true(copy || !text);
        return copy;
}

void server_set_lists(Server *s, const char *models, const char *loaded)
{
        assert_int_equal(pthread_mutex_lock(&s->lock), 0);
        free(s->models);
        free(s->loaded);
        s->models = copy_of(models);
        s->loaded = copy_of(loaded);
        assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
}

/* Another may be set before all of it is sent. */
static char *copy_list(Server *s, char *const *list)
{
        char *copy;

        assert_int_equal(pthread_mutex_lock(&s->lock), 0);
        copy = copy_of(*list);
        assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
        return copy;
}

unsigned server_get(Server *s, const unsigned *counter)
{
        unsigned n;

        assert_int_equal(pthread_mutex_lock(&s->lock), 0);
        n = *counter;
        assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
        return n;
}

static void send_answer(int fd, const char *status, const char *headers, const char *body)
{
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                            headers, strlen(body), body) > 0);
        server_send(fd, text);
}

#define JSON   "Content-Type: application/json\r\n"
#define NDJSON "Content-Type: application/x-ndjson\r\n"
#define SSE    "Content-Type: text/event-stream\r\n"

#define OLLAMA_TEXT(t) \
        "{\"message\":{\"role\":\"assistant\",\"content\":\"" t "\"},\"done\":false}\n"
#define OLLAMA_END \
        "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"," \
        "\"prompt_eval_count\":7,\"eval_count\":2,\"eval_duration\":1000000000}\n"
#define OPENAI_TEXT(t) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" t "\"}}]}\n\n"
#define OPENAI_STOP \
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define OPENAI_END OPENAI_STOP "data: [DONE]\n\n"

/* Closes with a reset instead of an orderly end. */
static void reset(int fd)
{
        struct linger l = { .l_onoff = 1 };

        (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

/* Until the client closes. */
static void wait_for_close(Server *s, int fd)
{
        char c;

        while (recv(fd, &c, 1, 0) > 0)
                ;
        count(s, &s->closed_by_client);
}

static void wait_for_release(Server *s)
{
        assert_int_equal(pthread_mutex_lock(&s->lock), 0);
        while (s->released == 0)
                (void) pthread_cond_wait(&s->changed, &s->lock);
        s->released--;
        assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
}

void server_release(Server *s, unsigned n)
{
        assert_int_equal(pthread_mutex_lock(&s->lock), 0);
        s->released += n;
        (void) pthread_cond_broadcast(&s->changed);
        assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
}

static void send_good(int fd, bool ollama)
{
        if (ollama)
                send_answer(fd, "200 OK", NDJSON,
                        OLLAMA_TEXT("Hello ") OLLAMA_TEXT("world") OLLAMA_END);
        else
                send_answer(
                        fd, "200 OK", SSE, OPENAI_TEXT("Hello ") OPENAI_TEXT("world") OPENAI_END);
}

static bool asks_for(const char *request, const char *model)
{
        _cleanup_free_ char *quoted = NULL;

        assert_true(asprintf(&quoted, "\"%s\"", model) > 0);
        return strstr(request, quoted);
}

/* What is tried again and comes well in the end. */
static bool serve_passing(Server *s, int fd, const char *request, unsigned attempt)
{
        if (asks_for(request, "busy") && attempt <= 2) {
                send_answer(fd, "503 Service Unavailable", JSON, "{\"error\":\"loading\"}");
        } else if (asks_for(request, "limited") && attempt == 1) {
                send_answer(fd, "429 Too Many Requests", JSON "Retry-After: 1\r\n",
                        "{\"error\":\"slow down\"}");
        } else if (asks_for(request, "reset") && attempt == 1) {
                reset(fd);
                return false;
        } else if (asks_for(request, "empty") && attempt == 1) {
                send_answer(fd, "200 OK", NDJSON, "");
        } else if (asks_for(request, "overflow") && strlen(request) > 8000) {
                send_answer(fd, "400 Bad Request", JSON,
                        "{\"error\":\"the prompt is longer than the context length\"}");
        } else if (asks_for(request, "strict") && strstr(request, "stream_options")) {
                send_answer(fd, "400 Bad Request", JSON,
                        "{\"error\":{\"message\":\"unknown field stream_options\"}}");
        } else if (asks_for(request, "locked") && !strstr(request, "Bearer second")) {
                send_answer(fd, "401 Unauthorized", JSON, "{\"error\":\"bad key\"}");
        } else
                send_good(fd, strstr(request, "POST /api/"));
        return true;
}

/* Servers quote what they were sent, the key too, and may cut it. */
static void send_key(int fd, const char *request)
{
        static const char start[] = "\r\nAuthorization: Bearer ";
        const char *key = strstr(request, start);
        char body[256];
        int n;

        assert_non_null(key);
        key += strlen(start);
        n = (int) strcspn(key, "\r");
        (void) snprintf(
                body, sizeof body, "{\"error\":\"Bearer %.*s or %.*s\"}", n, key, n - 4, key);
        if (asks_for(request, "tells-later"))
                send_answer(fd, "429 Too Many Requests", JSON "Retry-After: 61\r\n", body);
        else
                send_answer(fd, "500 Internal Server Error", JSON, body);
}

/* False closes the connection. */
static bool serve_chat(Server *s, int fd, const char *request, unsigned attempt)
{
        if (asks_for(request, "missing"))
                send_answer(fd, "404 Not Found", JSON, "{\"error\":\"model 'missing' not found\"}");
        else if (asks_for(request, "down"))
                send_answer(fd, "503 Service Unavailable", JSON, "{\"error\":\"no\"}");
        else if (asks_for(request, "soon"))
                send_answer(fd, "429 Too Many Requests", JSON "Retry-After: 60\r\n",
                        "{\"error\":\"quota\"}");
        else if (asks_for(request, "tomorrow"))
                send_answer(fd, "429 Too Many Requests", JSON "Retry-After: 61\r\n",
                        "{\"error\":\"quota\"}");
        else if (asks_for(request, "tells") || asks_for(request, "tells-later"))
                send_key(fd, request);
        else if (asks_for(request, "broken"))
                send_answer(fd, "500 Internal Server Error", JSON, "{\"error\":\"oops\"}");
        else if (asks_for(request, "cuts"))
                send_answer(fd, "200 OK", NDJSON,
                        OLLAMA_TEXT(
                                "Hello world") "{\"message\":{},\"done\":true,\"done_reason\":\"stop\","
                                               "\"prompt_eval_count\":2000,\"eval_count\":2}\n");
        else if (asks_for(request, "too-long"))
                send_answer(fd, "400 Bad Request", JSON,
                        "{\"error\":\"the prompt is longer than the context length\"}");
        else if (asks_for(request, "breaks")) {
                server_send(fd,
                        "HTTP/1.1 200 OK\r\n" NDJSON
                        "Content-Length: 9999\r\n\r\n" OLLAMA_TEXT("Hello "));
                return false;
        } else if (asks_for(request, "unclean")) {
                server_send(fd,
                        "HTTP/1.1 200 OK\r\n" SSE
                        "Content-Length: 9999\r\n\r\n" OPENAI_TEXT("Hello ") OPENAI_STOP);
                return false;
        } else if (asks_for(request, "silent")) {
                wait_for_close(s, fd);
                return false;
        } else if (asks_for(request, "stops")) {
                server_send(fd,
                        "HTTP/1.1 200 OK\r\n" NDJSON
                        "Content-Length: 9999\r\n\r\n" OLLAMA_TEXT("Hello "));
                wait_for_close(s, fd);
                return false;
        } else if (asks_for(request, "lingers")) {
                server_send(fd,
                        "HTTP/1.1 200 OK\r\n" NDJSON
                        "Content-Length: 9999\r\n\r\n" OLLAMA_TEXT("Hello ") OLLAMA_END);
                wait_for_close(s, fd);
                return false;
        } else if (asks_for(request, "gate")) {
                wait_for_release(s);
                send_good(fd, strstr(request, "POST /api/"));
        } else
                return serve_passing(s, fd, request, attempt);
        return true;
}

/* A byte every millisecond, which is no silence, until the client closes. */
static void drip(Server *s, int fd)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };

        server_send(fd, "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 9999999\r\n\r\n");
        while (poll(&p, 1, 1) == 0)
                server_send(fd, " ");
        wait_for_close(s, fd);
}

static bool serve_models(Server *s, int fd)
{
        _cleanup_free_ char *models = copy_list(s, &s->models);

        count(s, &s->lists);
        if (!models)
                send_answer(fd, "500 Oops", JSON, "{\"error\":\"no list\"}");
        else if (streq(models, "hang"))
                wait_for_close(s, fd);
        else if (streq(models, "drip"))
                drip(s, fd);
        else {
                send_answer(fd, "200 OK", JSON, models);
                return true;
        }
        return false;
}

static bool serve_request(Server *s, int fd, const char *request)
{
        const char *content;
        unsigned attempt;
        bool keep;

        if (startswith(request, "GET /api/ps")) {
                _cleanup_free_ char *loaded = copy_list(s, &s->loaded);

                count(s, &s->loads);
                send_answer(fd, "200 OK", JSON, loaded ?: "{\"models\":[]}");
                return true;
        }
        if (startswith(request, "GET "))
                return serve_models(s, fd);
        if (startswith(request, "POST /api/show")) {
                count(s, &s->shows);
                send_answer(fd, "200 OK", JSON, "{\"model_info\":{\"x.context_length\":2048}}");
                return true;
        }

        assert_int_equal(pthread_mutex_lock(&s->lock), 0);
        attempt = ++s->chats;
        s->live++;
        s->live_max = MAX(s->live_max, s->live);
        content = strstr(request, "\"content\":\"");
        assert_non_null(content);
        assert_int_equal(buffer_append(&s->order, content + strlen("\"content\":\""), 1), 0);
        assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
        server_poke(s);

        keep = serve_chat(s, fd, request, attempt);
        assert_int_equal(pthread_mutex_lock(&s->lock), 0);
        s->live--;
        assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
        return keep;
}

/* The size of the first whole request in the buffer, 0 while it is not whole. */
static size_t request_size(const Buffer *b)
{
        const char *end = b->size > 0 ? strstr(b->data, "\r\n\r\n") : NULL, *length;
        size_t size;

        if (!end)
                return 0;
        size = end + 4 - b->data;
        length = strcasestr(b->data, "\r\nContent-Length:");
        if (length && length < end)
                size += strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
        return b->size >= size ? size : 0;
}

static void *connection_run(void *userdata)
{
        _cleanup_buffer_ Buffer in = BUFFER_INIT(REQUEST_MAX);
        _cleanup_free_ Connection *c = userdata;
        bool keep = true;

        while (keep) {
                size_t size = request_size(&in);
                ssize_t n;
                char *end;

                if (size > 0) {
                        _cleanup_free_ char *request = strndup(in.data, size);

                        buffer_consume(&in, size);
                        keep = serve_request(c->server, c->fd, request);
                        continue;
                }
                assert_int_equal(buffer_reserve(&in, KIB(16), &end), 0);
                n = recv(c->fd, end, KIB(16), 0);
                if (n <= 0)
                        break;
                buffer_advance(&in, n);
        }
        (void) shutdown(c->fd, SHUT_RD);
        /* Closed when the server stops; a reset or an end is told now. */
        if (!keep) {
                int fd = c->fd;

                assert_int_equal(pthread_mutex_lock(&c->server->lock), 0);
                for (unsigned i = 0; i < c->server->n_connections; i++)
                        if (c->server->fds[i] == fd)
                                c->server->fds[i] = -EBADF;
                assert_int_equal(pthread_mutex_unlock(&c->server->lock), 0);
                safe_close(fd);
        }
        return NULL;
}

static void *server_run(void *userdata)
{
        Server *s = userdata;

        for (;;) {
                int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
                Connection *c;

                if (fd < 0)
                        return NULL;
                c = malloc(sizeof *c);
                assert_non_null(c);
                *c = (Connection){ s, fd };
                assert_int_equal(pthread_mutex_lock(&s->lock), 0);
                assert_true(s->n_connections < CONNECTIONS_MAX);
                s->fds[s->n_connections] = fd;
                assert_int_equal(
                        pthread_create(s->connections + s->n_connections, NULL, connection_run, c),
                        0);
                s->n_connections++;
                assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
        }
}

void server_bind(Server *s, unsigned port)
{
        struct sockaddr_in a = { .sin_family = AF_INET,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                .sin_port = htons((uint16_t) port) };
        socklen_t n = sizeof a;
        int yes = 1;

        *s = (Server){ .order = BUFFER_INIT(1024),
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .changed = PTHREAD_COND_INITIALIZER };
        s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(s->event_fd >= 0 && s->listen_fd >= 0);
        assert_int_equal(setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
        assert_int_equal(bind(s->listen_fd, (struct sockaddr *) &a, sizeof a), 0);
        assert_int_equal(getsockname(s->listen_fd, (struct sockaddr *) &a, &n), 0);
        s->port = ntohs(a.sin_port);
        (void) snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", s->port);
}

void server_open(Server *s)
{
        assert_int_equal(listen(s->listen_fd, 64), 0);
        assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
        s->open = true;
}

void server_listen(Server *s)
{
        server_bind(s, 0);
        server_open(s);
}

void server_stop(Server *s)
{
        if (s->listen_fd < 0)
                return;
        (void) shutdown(s->listen_fd, SHUT_RDWR);
        if (s->open)
                assert_int_equal(pthread_join(s->thread, NULL), 0);
        s->listen_fd = safe_close(s->listen_fd);
        server_release(s, 1000);
        assert_int_equal(pthread_mutex_lock(&s->lock), 0);
        for (unsigned i = 0; i < s->n_connections; i++)
                if (s->fds[i] >= 0)
                        (void) shutdown(s->fds[i], SHUT_RDWR);
        assert_int_equal(pthread_mutex_unlock(&s->lock), 0);
        for (unsigned i = 0; i < s->n_connections; i++) {
                assert_int_equal(pthread_join(s->connections[i], NULL), 0);
                safe_close(s->fds[i]);
        }
        s->event_fd = safe_close(s->event_fd);
        buffer_done(&s->order);
        free(s->models);
        free(s->loaded);
}
