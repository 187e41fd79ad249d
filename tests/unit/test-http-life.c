/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits, cancelling, and what becomes of connections. */
#include "tests/unit/http-world.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

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
#define SLOW_SEC 900U

static void script_slow(Server *s, int fd)
{
        if (!server_receive(s, fd))
                return;
        server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (unsigned i = 0; i < 12; i++) {
                server_send(fd, "2\r\n:\n\r\n");
                server_skip_time(s, fd, SLOW_SEC);
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
        request.stall_timeout = SLOW_SEC * USEC_PER_SEC * 10 / 9;
        client_open(&c, &s);
        client_follow_time(&c);
        client_start(&c, &request);
        client_loop(&c);
        assert_false(failure_is_set(&c.failure));
        assert_int_equal(c.body.size, 24);
        client_close(&c);
        server_stop(&s);
}

/* ---- cancelling ---- */

static int on_waiting(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Client *c = userdata;

        assert_int_equal(eventfd_read(fd, &(eventfd_t){ 0 }), 0);
        c->transfer = http_transfer_free(c->transfer);
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

/* Its connection is closed by what is due then: it waits for no time to pass. */
static void cancel_with(server_script_t script, bool on_body)
{
        HttpRequest request;
        Client c;
        Server s;

        server_start(&s, script);
        client_open(&c, &s);
        c.cancel_on_body = on_body;
        if (!on_body)
                assert_true(
                        sd_event_add_io(c.event, NULL, s.event_fd, POLLIN, on_waiting, &c) >= 0);
        request = request_to(s.url);
        client_start(&c, &request);
        while (c.transfer)
                assert_true(sd_event_run(c.event, TEST_LIMIT_USEC) > 0);
        while (sd_event_run(c.event, 0) > 0)
                ;
        assert_int_equal(poll(&(struct pollfd){ .fd = s.event_fd, .events = POLLIN }, 1,
                                 TEST_LIMIT_USEC / USEC_PER_MSEC),
                1);
        assert_int_equal(c.done, 0);
        server_stop(&s);
        assert_true(s.closed > 0);
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

        if (failure_is_set(&result->failure))
                fail_msg("%s", failure_message(&result->failure));
        q->client.transfer = http_transfer_free(q->client.transfer);
        if (--q->left == 0) {
                assert_int_equal(sd_event_exit(q->client.event, 0), 0);
                return;
        }
        request.body = http_body_of(strdup("again"));
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

/* Answers once as if it would keep the connection, and drops it without an answer to the next
 * request. All of that is read: else the end is a reset, which may come in the middle of sending.
 */
static void script_drops_kept(Server *s, int fd)
{
        char next[KIB(4)];
        size_t size = 0;
        ssize_t n;

        if (!server_receive(s, fd))
                return;
        server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        do {
                n = recv(fd, next + size, sizeof next - size, 0);
                size += n > 0 ? (size_t) n : 0;
        } while (n > 0 && !memmem(next, size, "\r\n\r\nagain", strlen("\r\n\r\nagain")));
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

int main(void)
{
        const struct CMUnitTest tests[] = {
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
        };

        return cmocka_run_group_tests(tests, open_gate, close_gate);
}
