/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "service/engine/http.h"

#define TEST_LIMIT_USEC  (20 * USEC_PER_SEC)
#define CLOSE_LIMIT_USEC (50 * USEC_PER_MSEC)

static usec_t now_usec(void)
{
        struct timespec ts;

        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/* libcurl's resolver thread comes here: names of this test wait until they are let go. */
static int resolver_gate[2] = { -1, -1 };

int getaddrinfo(
        const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
        char c;

        if (node && streq(node, "slow.example"))
                (void) !read(resolver_gate[0], &c, 1);
        return EAI_NONAME;
}

/* ---- a server in a thread: one script for each accepted connection, one after another ---- */

typedef struct Server Server;
typedef void (*server_script_t)(Server *s, int fd);

struct Server {
        int listen_fd, event_fd;
        char url[64];
        pthread_t thread;
        server_script_t script;
        unsigned connections;
        usec_t closed; /* when a script saw the client close */
        Buffer request;
};

static void server_send(int fd, const char *text)
{
        size_t n = strlen(text);

        while (n > 0) {
                ssize_t k = send(fd, text, n, MSG_NOSIGNAL);

                if (k <= 0)
                        return;
                text += k;
                n -= k;
        }
}

/* Reads one request with its body; false when the client closed. */
static bool server_receive(Server *s, int fd)
{
        char chunk[65536];
        const char *body, *length;
        size_t expect = 0;

        for (bool first = true;; first = false) {
                ssize_t n = recv(fd, chunk, sizeof chunk, 0);

                if (n <= 0)
                        return false;
                if (first)
                        buffer_clear(&s->request);
                assert_int_equal(buffer_append(&s->request, chunk, n), 0);
                body = strstr(s->request.data, "\r\n\r\n");
                if (!body)
                        continue;
                body += 4;
                length = strcasestr(s->request.data, "\r\nContent-Length: ");
                if (length && length < body)
                        expect = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
                if (s->request.size - (body - s->request.data) >= expect)
                        return true;
        }
}

/* Tells the loop that it is so far. */
static void server_notify(Server *s)
{
        assert_int_equal(eventfd_write(s->event_fd, 1), 0);
}

static void server_await_close(Server *s, int fd)
{
        char c;

        while (recv(fd, &c, 1, 0) > 0)
                ;
        s->closed = now_usec();
        server_notify(s);
}

static void *server_run(void *userdata)
{
        Server *s = userdata;

        for (;;) {
                int fd = accept(s->listen_fd, NULL, NULL);

                if (fd < 0)
                        return NULL;
                s->connections++;
                s->script(s, fd);
                (void) close(fd);
        }
}

static void server_listen(Server *s, int backlog)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof a;

        *s = (Server){ .request = BUFFER_INIT(MIB(64)) };
        s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(s->listen_fd >= 0);
        assert_int_equal(bind(s->listen_fd, (struct sockaddr *) &a, sizeof a), 0);
        assert_int_equal(listen(s->listen_fd, backlog), 0);
        assert_int_equal(getsockname(s->listen_fd, (struct sockaddr *) &a, &n), 0);
        (void) snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", ntohs(a.sin_port));
        s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(s->event_fd >= 0);
}

static void server_start(Server *s, server_script_t script)
{
        server_listen(s, 128);
        s->script = script;
        assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

static void server_stop(Server *s)
{
        (void) shutdown(s->listen_fd, SHUT_RDWR);
        if (s->script)
                assert_int_equal(pthread_join(s->thread, NULL), 0);
        (void) close(s->listen_fd);
        (void) close(s->event_fd);
        buffer_done(&s->request);
}

/* ---- the client's side ---- */

typedef struct Client {
        sd_event *event;
        Http *http;
        HttpTransfer *transfer;
        Buffer body;
        char phases[128];
        unsigned headers, done, pieces;
        long status;
        char content_type[64];
        usec_t retry_after, cancelled;
        bool body_began, cancel_on_body;
        int body_result;
        Failure failure;
        Server *server;
} Client;

static void on_headers(const HttpHeaders *headers, void *userdata)
{
        Client *c = userdata;

        assert_int_equal(c->body.size, 0);
        c->headers++;
        c->status = headers->status;
}

static int on_body(const char *data, size_t size, void *userdata)
{
        Client *c = userdata;

        assert_int_equal(buffer_append(&c->body, data, size), 0);
        c->pieces++;
        if (c->cancel_on_body) {
                c->cancelled = now_usec();
                c->transfer = http_transfer_free(c->transfer);
        }
        return c->body_result;
}

static void on_done(const HttpResult *result, void *userdata)
{
        Client *c = userdata;

        /* Freed before it is read: the result must stay valid. */
        c->transfer = http_transfer_free(c->transfer);
        c->done++;
        c->status = result->headers.status;
        c->retry_after = result->headers.retry_after;
        c->body_began = result->body_began;
        (void) snprintf(
                c->content_type, sizeof c->content_type, "%s", result->headers.content_type);
        failure_done(&c->failure);
        failure_copy(&c->failure, &result->failure);
        assert_int_equal(sd_event_exit(c->event, 0), 0);
}

static void on_phase(const char *phase, void *userdata)
{
        Client *c = userdata;

        assert_non_null(c->transfer);
        (void) strncat(c->phases, phase, sizeof c->phases - strlen(c->phases) - 1);
        (void) strncat(c->phases, ";", sizeof c->phases - strlen(c->phases) - 1);
}

static const HttpOps client_ops = { on_headers, on_body, on_done, on_phase };

static void client_open(Client *c, Server *s)
{
        *c = (Client){ .body = BUFFER_INIT(MIB(64)), .server = s };
        assert_true(sd_event_new(&c->event) >= 0);
        assert_int_equal(http_new(&c->http, c->event), 0);
}

static void client_close(Client *c)
{
        c->transfer = http_transfer_free(c->transfer);
        c->http = http_free(c->http);
        c->event = sd_event_unref(c->event);
        buffer_done(&c->body);
        failure_done(&c->failure);
}

static HttpRequest request_to(const char *url)
{
        return (HttpRequest){
                .url = url,
                .connect_timeout = TEST_LIMIT_USEC,
                .first_byte_timeout = TEST_LIMIT_USEC,
                .stall_timeout = TEST_LIMIT_USEC,
        };
}

static void client_start(Client *c, const HttpRequest *request)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        assert_int_equal(http_start(c->http, request, &client_ops, c, &c->transfer, &failure), 0);
        assert_int_equal(c->phases[0], 0);
}

/* Until somebody asks the loop to leave. */
static void client_loop(Client *c)
{
        usec_t end = now_usec() + TEST_LIMIT_USEC;

        while (sd_event_get_state(c->event) != SD_EVENT_FINISHED) {
                assert_true(sd_event_run(c->event, TEST_LIMIT_USEC) >= 0);
                assert_true(now_usec() < end);
        }
}

/* A loop that has left cannot run again: the next request has one of its own. */
static void client_get(Client *c, Server *s, const HttpRequest *request)
{
        client_open(c, s);
        client_start(c, request);
        client_loop(c);
        assert_int_equal(c->done, 1);
}

/* ---- answers ---- */

static void script_hello(Server *s, int fd)
{
        while (server_receive(s, fd))
                server_send(fd,
                        "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\n"
                        "Content-Length: 5\r\n\r\nhello");
}

static void test_get(void **state)
{
        Client c;
        Server s;

        server_start(&s, script_hello);
        client_get(&c, &s, &(HttpRequest){ .url = s.url });
        assert_false(failure_is_set(&c.failure));
        assert_int_equal(c.status, 200);
        assert_int_equal(c.headers, 1);
        assert_string_equal(c.content_type, "text/html");
        assert_string_equal(buffer_text(&c.body), "hello");
        assert_true(c.body_began);
        assert_true(c.retry_after == USEC_INFINITY);
        assert_non_null(strstr(s.request.data, "\r\nAccept-Encoding: identity\r\n"));
        client_close(&c);
        server_stop(&s);
}

static void test_post(void **state)
{
        const char *headers[] = { "Authorization: Bearer xyzzy", NULL };
        HttpRequest request;
        const char *body;
        Client c;
        Server s;

        server_start(&s, script_hello);
        request = request_to(s.url);
        request.headers = headers;
        request.body_size = MIB(4);
        request.body = malloc(request.body_size);
        assert_non_null(request.body);
        memset(request.body, 'x', request.body_size);
        client_get(&c, &s, &request);
        assert_false(failure_is_set(&c.failure));
        assert_string_equal(c.phases, "connecting;waiting for the first byte;");
        assert_int_equal(strncmp(s.request.data, "POST / HTTP/1.1\r\n", 17), 0);
        assert_non_null(strstr(s.request.data, "\r\nAuthorization: Bearer xyzzy\r\n"));
        assert_null(strcasestr(s.request.data, "\r\nExpect:"));
        body = strstr(s.request.data, "\r\n\r\n") + 4;
        assert_int_equal(s.request.size - (body - s.request.data), MIB(4));
        assert_int_equal(strspn(body, "x"), MIB(4));
        client_close(&c);
        server_stop(&s);
}

static void script_echo_length(Server *s, int fd)
{
        if (server_receive(s, fd))
                server_send(fd, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void test_empty_answer(void **state)
{
        HttpRequest request;
        Client c;
        Server s;

        server_start(&s, script_echo_length);
        request = request_to(s.url);
        request.body = strdup("");
        client_get(&c, &s, &request);
        assert_false(failure_is_set(&c.failure));
        assert_int_equal(c.status, 204);
        assert_int_equal(c.headers, 1);
        assert_false(c.body_began);
        client_close(&c);
        server_stop(&s);
}

/* A chunk is sent only after the one before has been seen: it is delivered as it comes. */

static void script_stream(Server *s, int fd)
{
        char c;

        if (!server_receive(s, fd))
                return;
        server_send(fd,
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (unsigned i = 0; i < 20; i++) {
                server_send(fd, "3\r\nab\n\r\n");
                (void) !read(resolver_gate[0], &c, 1);
        }
        server_send(fd, "0\r\nX-Trailer: yes\r\n\r\n");
}

static int on_body_and_tell(const char *data, size_t size, void *userdata)
{
        assert_int_equal(size, 3);
        assert_int_equal(write(resolver_gate[1], "x", 1), 1);
        return on_body(data, size, userdata);
}

static void test_stream(void **state)
{
        HttpOps ops = client_ops;
        HttpRequest request;
        Client c;
        Server s;

        ops.body = on_body_and_tell;
        server_start(&s, script_stream);
        client_open(&c, &s);
        request = request_to(s.url);
        assert_int_equal(http_start(c.http, &request, &ops, &c, &c.transfer, NULL), 0);
        client_loop(&c);
        assert_false(failure_is_set(&c.failure));
        assert_int_equal(c.pieces, 20);
        assert_int_equal(c.headers, 1);
        assert_int_equal(c.body.size, 60);
        client_close(&c);
        server_stop(&s);
}

/* ---- a table of bad answers ---- */

static const char *canned_answer;

static void script_canned(Server *s, int fd)
{
        if (server_receive(s, fd))
                server_send(fd, canned_answer);
}

static void test_bad_answers(void **state)
{
        static const struct {
                const char *answer;
                long status;
                FailureCode code;
                const char *words;
                bool body_began;
        } table[] = {
                { "", 0, FAILURE_ENGINE_UNREACHABLE, "without an answer", false },
                { "hello, this is no HTTP\n", 0, FAILURE_ENGINE_FAILED, "does not speak HTTP",
                        false },
                { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 200,
                        FAILURE_ENGINE_UNREACHABLE, "in the middle of the answer", true },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 200,
                        FAILURE_ENGINE_UNREACHABLE, "in the middle of the answer", true },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n", 200,
                        FAILURE_ENGINE_UNREACHABLE, "broke", false },
                { "HTTP/1.1 302 Found\r\nLocation: https://user:pw@other.example:99/x?key=1\r\n"
                  "Content-Length: 4\r\n\r\nbody",
                        302, FAILURE_ENGINE_REFUSED, "https://other.example:99,", false },
                { "HTTP/1.1 307 Found\r\nContent-Length: 0\r\n\r\n", 307, FAILURE_ENGINE_REFUSED,
                        "another path", false },
                { "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno", 401, FAILURE_NONE, NULL, true },
                { "HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, FAILURE_NONE, NULL, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                HttpRequest request;
                Client c;
                Server s;

                canned_answer = table[i].answer;
                server_start(&s, script_canned);
                request = request_to(s.url);
                client_get(&c, &s, &request);
                assert_int_equal(c.failure.code, table[i].code);
                assert_int_equal(c.status, table[i].status);
                assert_int_equal(c.body_began, table[i].body_began);
                if (table[i].words) {
                        assert_non_null(strstr(failure_message(&c.failure), table[i].words));
                        assert_null(strstr(failure_message(&c.failure), "pw"));
                }
                client_close(&c);
                server_stop(&s);
        }
}

static void script_headers_flood(Server *s, int fd)
{
        char line[1024];

        if (!server_receive(s, fd))
                return;
        memset(line, 'h', sizeof line);
        memcpy(line, "X: ", 3);
        memcpy(line + sizeof line - 3, "\r\n", 3);
        server_send(fd, "HTTP/1.1 200 OK\r\n");
        for (unsigned i = 0; i < 65; i++)
                server_send(fd, line);
        server_send(fd, "\r\n");
        server_await_close(s, fd);
}

static void test_headers_flood(void **state)
{
        HttpRequest request;
        Client c;
        Server s;

        server_start(&s, script_headers_flood);
        request = request_to(s.url);
        client_get(&c, &s, &request);
        assert_int_equal(c.failure.code, FAILURE_ENGINE_FAILED);
        assert_int_equal(c.headers, 0);
        client_close(&c);
        server_stop(&s);
}

static void test_retry_after(void **state)
{
        char answer[256], date[64];
        time_t later = time(NULL) + 100;
        HttpRequest request;
        struct tm tm;
        Client c;
        Server s;

        canned_answer = "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
        server_start(&s, script_canned);
        request = request_to(s.url);
        client_get(&c, &s, &request);
        assert_int_equal(c.status, 429);
        assert_true(c.retry_after == 7 * USEC_PER_SEC);
        client_close(&c);

        canned_answer = "HTTP/1.1 503 No\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n";
        client_get(&c, &s, &request);
        assert_true(c.retry_after == 86400 * USEC_PER_SEC);
        client_close(&c);

        assert_non_null(gmtime_r(&later, &tm));
        assert_true(strftime(date, sizeof date, "%a, %d %b %Y %T GMT", &tm) > 0);
        (void) snprintf(answer, sizeof answer,
                "HTTP/1.1 429 Slow\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", date);
        canned_answer = answer;
        client_get(&c, &s, &request);
        assert_true(c.retry_after > 60 * USEC_PER_SEC && c.retry_after <= 100 * USEC_PER_SEC);
        client_close(&c);
        server_stop(&s);
}

static void test_body_refused_by_caller(void **state)
{
        static const struct {
                int result;
                FailureCode code;
        } table[] = {
                { -EFBIG, FAILURE_TOO_LARGE },
                { -ENOMEM, FAILURE_NO_MEMORY },
                { -EBADMSG, FAILURE_ENGINE_FAILED },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                HttpRequest request;
                Client c;
                Server s;

                server_start(&s, script_hello);
                request = request_to(s.url);
                client_open(&c, &s);
                c.body_result = table[i].result;
                client_start(&c, &request);
                client_loop(&c);
                assert_int_equal(c.failure.code, table[i].code);
                client_close(&c);
                server_stop(&s);
        }
}

/* ---- no connection ---- */

static void test_refused(void **state)
{
        HttpRequest request;
        char expect[160];
        Client c;
        Server s;

        server_listen(&s, 1);
        server_stop(&s); /* the port is free again: nobody listens */
        request = request_to(s.url);
        client_get(&c, &s, &request);
        assert_int_equal(c.failure.code, FAILURE_ENGINE_UNREACHABLE);
        assert_int_equal(c.status, 0);
        (void) snprintf(expect, sizeof expect,
                "cannot reach %s: connection refused. Is it running?", s.url);
        assert_string_equal(failure_message(&c.failure), expect);
        client_close(&c);
}

static void test_unknown_host(void **state)
{
        HttpRequest request = request_to("http://nowhere.example/");
        Client c;

        client_get(&c, NULL, &request);
        assert_int_equal(c.failure.code, FAILURE_ENGINE_UNREACHABLE);
        assert_non_null(strstr(failure_message(&c.failure), "http://nowhere.example: nobody"));
        client_close(&c);
}

/* What is not on this machine goes to the proxy: the engine's own, or the environment's. */
static void test_proxy(void **state)
{
        static const struct {
                const char *own;
                bool environment;
                bool proxied;
        } table[] = {
                { "server", false, true },
                { "", true, true },
                { "", false, false },
                { "off", true, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                HttpRequest request = request_to("http://nowhere.example/v1");
                Client c;
                Server s;

                server_start(&s, script_hello);
                request.proxy = streq(table[i].own, "server") ? s.url : table[i].own;
                if (table[i].environment)
                        assert_int_equal(setenv("http_proxy", s.url, 1), 0);
                client_get(&c, &s, &request);
                assert_int_equal(unsetenv("http_proxy"), 0);
                assert_int_equal(c.failure.code,
                        table[i].proxied ? FAILURE_NONE : FAILURE_ENGINE_UNREACHABLE);
                if (table[i].proxied)
                        assert_non_null(startswith(
                                s.request.data, "GET http://nowhere.example/v1 HTTP/1.1\r\n"));
                client_close(&c);
                server_stop(&s);
        }
}

static void test_proxy_refuses(void **state)
{
        HttpRequest request = request_to("http://nowhere.example/");
        Client c;
        Server s;

        server_listen(&s, 1);
        server_stop(&s);
        request.proxy = s.url;
        client_get(&c, &s, &request);
        assert_int_equal(c.failure.code, FAILURE_ENGINE_UNREACHABLE);
        assert_non_null(strstr(failure_message(&c.failure), "proxy"));
        client_close(&c);
}

static void test_bad_requests(void **state)
{
        const char *injected[] = { "X-Api-Key: secret\r\nX-Other: 1", NULL };
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        HttpRequest request = request_to("ftp://host/");
        Client c;

        client_open(&c, NULL);
        request.body = strdup("taken over on failure too");
        assert_true(http_start(c.http, &request, &client_ops, &c, &c.transfer, &failure) < 0);
        assert_int_equal(failure.code, FAILURE_CONFIGURATION);
        failure_done(&failure);

        request = request_to("http://127.0.0.1:1/");
        request.headers = injected;
        assert_true(http_start(c.http, &request, &client_ops, &c, &c.transfer, &failure) < 0);
        assert_int_equal(failure.code, FAILURE_CONFIGURATION);
        assert_null(strstr(failure_message(&failure), "secret"));
        client_close(&c);
}

/* ---- limits ---- */

/* Connections over the backlog are neither taken nor refused: connecting hangs. */
static void fill_backlog(const Server *s, int fds[static 8])
{
        struct sockaddr_in a;
        socklen_t n = sizeof a;

        assert_int_equal(getsockname(s->listen_fd, (struct sockaddr *) &a, &n), 0);
        for (size_t i = 0; i < 8; i++) {
                fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                assert_true(fds[i] >= 0);
                (void) connect(fds[i], (struct sockaddr *) &a, sizeof a);
        }
}

static void test_connect_limit(void **state)
{
        HttpRequest request;
        int fds[8];
        Client c;
        Server s;

        server_listen(&s, 1);
        fill_backlog(&s, fds);
        request = request_to(s.url);
        request.connect_timeout = 50 * USEC_PER_MSEC;
        client_get(&c, &s, &request);
        assert_int_equal(c.failure.code, FAILURE_ENGINE_UNREACHABLE);
        assert_non_null(strstr(failure_message(&c.failure), "within 0.05 s"));
        assert_string_equal(c.phases, "connecting;");
        client_close(&c);
        for (size_t i = 0; i < 8; i++)
                (void) close(fds[i]);
        server_stop(&s);
}

static void script_silent(Server *s, int fd)
{
        if (server_receive(s, fd)) {
                server_notify(s);
                server_await_close(s, fd);
        }
}

static void script_headers_then_silent(Server *s, int fd)
{
        if (server_receive(s, fd)) {
                server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                server_await_close(s, fd);
        }
}

static void script_byte_then_silent(Server *s, int fd)
{
        if (server_receive(s, fd)) {
                server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
                server_await_close(s, fd);
        }
}

static void test_limits(void **state)
{
        static const struct {
                server_script_t script;
                const char *words;
        } table[] = {
                { script_silent, "FirstByteTimeoutSec=" },
                { script_headers_then_silent, "FirstByteTimeoutSec=" },
                { script_byte_then_silent, "StallTimeoutSec=" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                HttpRequest request;
                Client c;
                Server s;

                server_start(&s, table[i].script);
                request = request_to(s.url);
                request.first_byte_timeout = request.stall_timeout = 100 * USEC_PER_MSEC;
                client_get(&c, &s, &request);
                assert_int_equal(c.failure.code, FAILURE_ENGINE_STALLED);
                assert_non_null(strstr(failure_message(&c.failure), table[i].words));
                client_close(&c);
                server_stop(&s);
                assert_true(s.closed > 0);
        }
}

/* Slow for longer than the limit, never silent for so long. */
static void script_slow(Server *s, int fd)
{
        if (!server_receive(s, fd))
                return;
        server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (unsigned i = 0; i < 12; i++) {
                server_send(fd, "2\r\n:\n\r\n");
                (void) poll(NULL, 0, 50);
        }
        server_send(fd, "0\r\n\r\n");
}

static void test_slow_is_alive(void **state)
{
        HttpRequest request;
        Client c;
        Server s;

        server_start(&s, script_slow);
        request = request_to(s.url);
        request.stall_timeout = 400 * USEC_PER_MSEC;
        client_get(&c, &s, &request);
        assert_false(failure_is_set(&c.failure));
        assert_int_equal(c.body.size, 24);
        client_close(&c);
        server_stop(&s);
}

/* ---- cancelling ---- */

static int on_server_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Client *c = userdata;
        eventfd_t value;

        assert_int_equal(eventfd_read(fd, &value), 0);
        if (c->transfer) {
                c->cancelled = now_usec();
                c->transfer = http_transfer_free(c->transfer);
        } else
                assert_int_equal(sd_event_exit(c->event, 0), 0);
        return 0;
}

static void cancel_with(server_script_t script, bool on_body_too)
{
        HttpRequest request;
        Client c;
        Server s;

        server_start(&s, script);
        client_open(&c, &s);
        c.cancel_on_body = on_body_too;
        assert_true(sd_event_add_io(c.event, NULL, s.event_fd, POLLIN, on_server_event, &c) >= 0);
        request = request_to(s.url);
        client_start(&c, &request);
        client_loop(&c);
        assert_int_equal(c.done, 0);
        server_stop(&s);
        assert_true(c.cancelled > 0);
        assert_true(s.closed > c.cancelled);
        assert_true(s.closed - c.cancelled < CLOSE_LIMIT_USEC);
        client_close(&c);
}

static void test_cancel_waiting(void **state)
{
        cancel_with(script_silent, false);
}

static void test_cancel_streaming(void **state)
{
        cancel_with(script_byte_then_silent, true);
}

static int on_defer_cancel(sd_event_source *source, void *userdata)
{
        Client *c = userdata;

        if (isempty(c->phases)) /* not begun yet: look again after the loop's next turn */
                return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);

        c->transfer = http_transfer_free(c->transfer);
        return sd_event_exit(c->event, 0);
}

static void test_cancel_connecting(void **state)
{
        sd_event_source *source = NULL;
        HttpRequest request;
        int fds[8];
        Client c;
        Server s;

        server_listen(&s, 1);
        fill_backlog(&s, fds);
        client_open(&c, &s);
        request = request_to(s.url);
        client_start(&c, &request);
        assert_true(sd_event_add_defer(c.event, &source, on_defer_cancel, &c) >= 0);
        client_loop(&c);
        assert_null(c.transfer);
        assert_int_equal(c.done, 0);
        sd_event_source_unref(source);
        client_close(&c);
        for (size_t i = 0; i < 8; i++)
                (void) close(fds[i]);
        server_stop(&s);
}

static void test_cancel_resolving(void **state)
{
        HttpRequest request = request_to("http://slow.example/");
        sd_event_source *source = NULL;
        usec_t begin;
        Client c;

        client_open(&c, NULL);
        client_start(&c, &request);
        assert_true(sd_event_add_defer(c.event, &source, on_defer_cancel, &c) >= 0);
        begin = now_usec();
        client_loop(&c);
        sd_event_source_unref(source);
        client_close(&c); /* neither may wait for the resolver, which still hangs */
        assert_true(now_usec() - begin < TEST_LIMIT_USEC / 2);
        assert_int_equal(write(resolver_gate[1], "x", 1), 1);
}

static void test_cancel_before_begin(void **state)
{
        HttpRequest request = request_to("http://127.0.0.1:1/");
        Client c;

        client_open(&c, NULL);
        client_start(&c, &request);
        c.transfer = http_transfer_free(c.transfer);
        assert_true(sd_event_run(c.event, 0) >= 0);
        assert_int_equal(c.done, 0);
        client_close(&c);
}

static int on_server_event_free(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Client *c = userdata;

        c->http = http_free(c->http);
        return sd_event_exit(c->event, 0);
}

static void test_free_under_transfers(void **state)
{
        HttpRequest request;
        Client c;
        Server s;

        server_start(&s, script_silent);
        client_open(&c, &s);
        request = request_to(s.url);
        client_start(&c, &request);
        assert_true(
                sd_event_add_io(c.event, NULL, s.event_fd, POLLIN, on_server_event_free, &c) >= 0);
        client_loop(&c);
        server_stop(&s);
        assert_true(s.closed > 0);
        client_close(&c);
}

/* ---- connections ---- */

typedef struct Sequence {
        Client client;
        const char *url;
        unsigned left;
} Sequence;

static void on_done_again(const HttpResult *result, void *userdata)
{
        Sequence *q = userdata;
        static const HttpOps ops = { .done = on_done_again };
        HttpRequest request = request_to(q->url);

        assert_false(failure_is_set(&result->failure));
        q->client.transfer = http_transfer_free(q->client.transfer);
        if (--q->left == 0) {
                assert_int_equal(sd_event_exit(q->client.event, 0), 0);
                return;
        }
        request.body = strdup("again");
        request.body_size = 5;
        assert_int_equal(
                http_start(q->client.http, &request, &ops, q, &q->client.transfer, NULL), 0);
}

static void run_sequence(Server *s, unsigned n)
{
        static const HttpOps ops = { .done = on_done_again };
        HttpRequest request = request_to(s->url);
        Sequence q = { .url = s->url, .left = n };

        /* A proxy is never asked for what is on this machine. */
        request.proxy = "http://127.0.0.1:1";
        client_open(&q.client, s);
        assert_int_equal(
                http_start(q.client.http, &request, &ops, &q, &q.client.transfer, NULL), 0);
        client_loop(&q.client);
        assert_int_equal(q.left, 0);
        client_close(&q.client);
}

static void test_connection_is_kept(void **state)
{
        Server s;

        server_start(&s, script_hello);
        run_sequence(&s, 10);
        server_stop(&s);
        assert_int_equal(s.connections, 1);
}

/* Answers once as if it would keep the connection, and drops it at the next request's bytes. */
static void script_drops_kept(Server *s, int fd)
{
        char c;

        if (!server_receive(s, fd))
                return;
        server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        (void) !recv(fd, &c, 1, 0);
}

static void test_kept_connection_was_closed(void **state)
{
        Server s;

        server_start(&s, script_drops_kept);
        run_sequence(&s, 5);
        assert_non_null(strstr(s.request.data, "\r\n\r\nagain"));
        server_stop(&s);
        assert_int_equal(s.connections, 5);
}

typedef struct Many {
        Client client;
        HttpTransfer *transfers[64];
        unsigned done, turn_done;
} Many;

static void on_many_done(const HttpResult *result, void *userdata)
{
        Many *m = userdata;

        assert_false(failure_is_set(&result->failure));
        m->done++;
        m->turn_done++;
}

static void test_one_completion_a_turn(void **state)
{
        static const HttpOps ops = { .done = on_many_done };
        HttpRequest request;
        Many m = { 0 };
        Server s;

        canned_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        server_start(&s, script_canned);
        client_open(&m.client, &s);
        request = request_to(s.url);
        for (size_t i = 0; i < ELEMENTSOF(m.transfers); i++)
                assert_int_equal(
                        http_start(m.client.http, &request, &ops, &m, &m.transfers[i], NULL), 0);
        while (m.done < ELEMENTSOF(m.transfers)) {
                m.turn_done = 0;
                assert_true(sd_event_run(m.client.event, TEST_LIMIT_USEC) > 0);
                assert_true(m.turn_done <= 1);
        }
        for (size_t i = 0; i < ELEMENTSOF(m.transfers); i++)
                http_transfer_free(m.transfers[i]);
        client_close(&m.client);
        server_stop(&s);
}

static void script_hello_and_closed(Server *s, int fd)
{
        script_hello(s, fd);
        s->closed = now_usec();
        server_notify(s);
}

static void on_done_only(const HttpResult *result, void *userdata)
{
        ((Client *) userdata)->done++;
}

static void test_idle(void **state)
{
        static const HttpOps ops = { .done = on_done_only };
        struct pollfd closed;
        HttpRequest request;
        Client c;
        Server s;

        server_start(&s, script_hello_and_closed);
        client_open(&c, &s);
        http_set_linger(c.http, 20 * USEC_PER_MSEC);
        request = request_to(s.url);
        for (unsigned i = 1; i <= 2; i++) {
                assert_int_equal(http_start(c.http, &request, &ops, &c, &c.transfer, NULL), 0);
                while (c.done < i)
                        assert_true(sd_event_run(c.event, TEST_LIMIT_USEC) > 0);
                c.transfer = http_transfer_free(c.transfer);

                /* The timer closes the connection; after it nothing wakes the loop. */
                assert_true(sd_event_run(c.event, TEST_LIMIT_USEC) > 0);
                closed = (struct pollfd){ .fd = s.event_fd, .events = POLLIN };
                assert_int_equal(poll(&closed, 1, TEST_LIMIT_USEC / USEC_PER_MSEC), 1);
                assert_int_equal(eventfd_read(s.event_fd, &(eventfd_t){ 0 }), 0);
                assert_int_equal(sd_event_run(c.event, 100 * USEC_PER_MSEC), 0);
        }
        client_close(&c);
        server_stop(&s);
        assert_int_equal(s.connections, 2);
}

/* ---- addresses ---- */

static void test_url_display(void **state)
{
        static const struct {
                const char *url, *display, *origin;
        } table[] = {
                { "http://127.0.0.1:11434", "http://127.0.0.1:11434", "http://127.0.0.1:11434" },
                { "https://u:p%40@h.example/v1?key=k#f", "https://h.example/v1",
                        "https://h.example" },
                { "https://u:p@ss@h/v1", "https://h/v1", "https://h" },
                { "http://[::1]:80/a@b", "http://[::1]:80/a@b", "http://[::1]:80" },
                { "http://h?u:p@x", "http://h", "http://h" },
                { "h/path", "h/path", "h" },
                { "", "", "" },
                { "http://a\x1b[31m/\r", "http://a?[31m/?", "http://a?[31m" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *display = NULL, *origin = NULL;

                assert_int_equal(http_url_display(table[i].url, &display), 0);
                assert_string_equal(display, table[i].display);
                assert_int_equal(http_url_origin(table[i].url, &origin), 0);
                assert_string_equal(origin, table[i].origin);
        }
}

static void test_url_is_loopback(void **state)
{
        static const char *const here[] = { "http://127.0.0.1:11434/x", "http://127.1",
                "http://127.255.0.3", "http://localhost:80", "http://LOCALHOST.",
                "http://a.localhost", "http://[::1]:8080/", "http://[::ffff:127.0.0.1]",
                "http://0.0.0.0:11434", "http://u:p@localhost", "http://[::]" };
        static const char *const elsewhere[] = { "http://128.0.0.1", "http://localhost.example",
                "http://notlocalhost", "http://localhost@h.example", "http://h.example/localhost",
                "http://[fe80::1]", "http://[::ffff:10.0.0.1]", "http://10.0.0.1", "http://", "" };

        for (size_t i = 0; i < ELEMENTSOF(here); i++)
                assert_true(http_url_is_loopback(here[i]));
        for (size_t i = 0; i < ELEMENTSOF(elsewhere); i++)
                assert_false(http_url_is_loopback(elsewhere[i]));
}

static int open_gate(void **state)
{
        return pipe(resolver_gate);
}

static int close_gate(void **state)
{
        (void) close(resolver_gate[0]);
        (void) close(resolver_gate[1]);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_get),
                cmocka_unit_test(test_post),
                cmocka_unit_test(test_empty_answer),
                cmocka_unit_test(test_stream),
                cmocka_unit_test(test_bad_answers),
                cmocka_unit_test(test_headers_flood),
                cmocka_unit_test(test_retry_after),
                cmocka_unit_test(test_body_refused_by_caller),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_unknown_host),
                cmocka_unit_test(test_proxy),
                cmocka_unit_test(test_proxy_refuses),
                cmocka_unit_test(test_bad_requests),
                cmocka_unit_test(test_connect_limit),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_slow_is_alive),
                cmocka_unit_test(test_cancel_waiting),
                cmocka_unit_test(test_cancel_streaming),
                cmocka_unit_test(test_cancel_connecting),
                cmocka_unit_test(test_cancel_resolving),
                cmocka_unit_test(test_cancel_before_begin),
                cmocka_unit_test(test_free_under_transfers),
                cmocka_unit_test(test_connection_is_kept),
                cmocka_unit_test(test_kept_connection_was_closed),
                cmocka_unit_test(test_one_completion_a_turn),
                cmocka_unit_test(test_idle),
                cmocka_unit_test(test_url_display),
                cmocka_unit_test(test_url_is_loopback),
        };

        return cmocka_run_group_tests(tests, open_gate, close_gate);
}
