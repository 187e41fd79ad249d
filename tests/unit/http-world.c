/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/http-world.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/skipped-clock.h"

/* ---- time ---- */

usec_t now_usec(void)
{
        struct timespec ts;

        assert_int_equal(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts), 0);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/* ---- names ---- */

/* libcurl's resolver thread comes here: names of this test wait until they are let go. */
int resolver_gate[2] = { -1, -1 };
/* What orders its end before ours is in libcurl, where ThreadSanitizer does not look. */
static atomic_uint resolver_passed;

int getaddrinfo(
        const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
        char c;

        if (node && streq(node, "slow.example"))
                (void) !read(resolver_gate[0], &c, 1);
        atomic_fetch_add(&resolver_passed, 1);
        return EAI_NONAME;
}

/* ---- a server in a thread: one script for each accepted connection, one after another ---- */

/* Reads one request with its body; false when the client closed. */
bool server_receive(Server *s, int fd)
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
void server_notify(Server *s)
{
        assert_int_equal(eventfd_write(s->event_fd, 1), 0);
}

void server_await_close(Server *s, int fd)
{
        char c;

        while (recv(fd, &c, 1, 0) > 0)
                ;
        s->closed = now_usec();
        server_notify(s);
}

/* The client has nothing left to do at this moment, or closed. */
static void await_idle(Server *s, int fd)
{
        struct pollfd one[] = { { .fd = s->turned_fd, .events = POLLIN },
                { .fd = fd, .events = POLLRDHUP } };
        eventfd_t value;

        assert_int_equal(eventfd_write(s->turn_fd, 1), 0);
        assert_true(poll(one, ELEMENTSOF(one), -1) > 0);
        if (one[0].revents)
                assert_int_equal(eventfd_read(s->turned_fd, &value), 0);
}

void server_skip_time(Server *s, int fd, unsigned seconds)
{
        await_idle(s, fd);
        clock_skip(seconds);
        await_idle(s, fd);
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

void server_listen(Server *s, int backlog)
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
        s->turn_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        s->turned_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(s->event_fd >= 0 && s->turn_fd >= 0 && s->turned_fd >= 0);
}

void server_start(Server *s, server_script_t script)
{
        server_listen(s, 128);
        s->script = script;
        assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

void server_stop(Server *s)
{
        (void) shutdown(s->listen_fd, SHUT_RDWR);
        if (s->script)
                assert_int_equal(pthread_join(s->thread, NULL), 0);
        (void) close(s->listen_fd);
        (void) close(s->event_fd);
        (void) close(s->turn_fd);
        (void) close(s->turned_fd);
        buffer_done(&s->request);
}

/* ---- the client's side ---- */

static void on_headers(const HttpHeaders *headers, void *userdata)
{
        Client *c = userdata;

        assert_int_equal(c->body.size, 0);
        c->headers++;
        c->status = headers->status;
}

int client_on_body(const char *data, size_t size, void *userdata)
{
        Client *c = userdata;

        assert_int_equal(buffer_append(&c->body, data, size), 0);
        c->pieces++;
        if (c->cancel_on_body)
                c->transfer = http_transfer_free(c->transfer);
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

const HttpOps client_ops = { on_headers, client_on_body, on_done, on_phase };

void client_open(Client *c, Server *s)
{
        *c = (Client){ .body = BUFFER_INIT(MIB(64)), .server = s };
        assert_true(sd_event_new(&c->event) >= 0);
        assert_int_equal(http_new(&c->http, c->event), 0);
}

static int on_turn(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Server *s = userdata;
        eventfd_t value;

        assert_int_equal(eventfd_read(fd, &value), 0);
        return eventfd_write(s->turned_fd, 1);
}

void client_follow_time(Client *c)
{
        sd_event_source *source;

        assert_true(sd_event_add_io(c->event, &source, c->server->turn_fd, EPOLLIN, on_turn,
                            c->server) >= 0);
        assert_true(sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE) >= 0);
        assert_true(sd_event_source_set_floating(source, true) >= 0);
        (void) sd_event_source_unref(source);
}

void client_close(Client *c)
{
        c->transfer = http_transfer_free(c->transfer);
        c->http = http_free(c->http);
        c->event = sd_event_unref(c->event);
        buffer_done(&c->body);
        failure_done(&c->failure);
}

HttpRequest request_to(const char *url)
{
        return (HttpRequest){
                .url = url,
                .connect_timeout = TEST_LIMIT_USEC,
                .first_byte_timeout = TEST_LIMIT_USEC,
                .stall_timeout = TEST_LIMIT_USEC,
        };
}

void client_start(Client *c, const HttpRequest *request)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        assert_int_equal(http_start(c->http, request, &client_ops, c, &c->transfer, &failure), 0);
        assert_int_equal(c->phases[0], 0);
}

/* Until somebody asks the loop to leave. */
void client_loop(Client *c)
{
        usec_t end = now_usec() + TEST_LIMIT_USEC;

        while (sd_event_get_state(c->event) != SD_EVENT_FINISHED) {
                assert_true(sd_event_run(c->event, TEST_LIMIT_USEC) >= 0);
                assert_true(now_usec() < end);
        }
}

/* A loop that has left cannot run again: the next request has one of its own. */
void client_get(Client *c, Server *s, const HttpRequest *request)
{
        client_open(c, s);
        client_start(c, request);
        client_loop(c);
        assert_int_equal(c->done, 1);
}

/* ---- two answers that many tests need ---- */

void script_hello(Server *s, int fd)
{
        while (server_receive(s, fd))
                server_send(fd,
                        "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\n"
                        "Content-Length: 5\r\n\r\nhello");
}

const char *canned_answer;

void script_canned(Server *s, int fd)
{
        if (server_receive(s, fd))
                server_send(fd, canned_answer);
}

int open_gate(void **state)
{
        return pipe(resolver_gate);
}

int close_gate(void **state)
{
        (void) atomic_load(&resolver_passed);
        (void) close(resolver_gate[0]);
        (void) close(resolver_gate[1]);
        return 0;
}
