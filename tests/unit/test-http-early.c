/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Servers that answer, leave or are left before they have read what was sent. */
#include "tests/unit/http-world.h"

#include <sys/socket.h>

#define BODY_SIZE MIB(16)
#define SLOW_SEC  900U

/* ---- what is sent: bytes that say where they belong ---- */

typedef struct Source {
        size_t at;
        unsigned begun, released;
} Source;

static unsigned char byte_at(size_t offset)
{
        return (unsigned char) (offset % 251);
}

static ssize_t source_read(size_t offset, char *to, size_t size, void *userdata)
{
        Source *s = userdata;

        assert_int_equal(s->released, 0);
        assert_true(offset == 0 || offset == s->at);
        assert_true(offset + size <= BODY_SIZE);
        s->begun += offset == 0;
        for (size_t i = 0; i < size; i++)
                to[i] = (char) byte_at(offset + i);
        s->at = offset + size;
        return (ssize_t) size;
}

static void source_release(void *userdata)
{
        ((Source *) userdata)->released++;
}

static HttpRequest post(const char *url, Source *s)
{
        HttpRequest request = request_to(url);

        request.body = (HttpBody){
                .size = BODY_SIZE,
                .read = source_read,
                .release = source_release,
                .userdata = s,
        };
        return request;
}

/* ---- servers ---- */

static size_t read_first;  /* so much of the body is read before the answer */
static const char *answer; /* NULL: none */

/* The head, and so much of the body; false when the client closed. */
static bool receive(int fd, size_t size)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(BODY_SIZE + KIB(64));
        size_t head = 0;
        char *room;

        while (head == 0 || b.size - head < size) {
                const char *body;
                ssize_t n;

                assert_int_equal(buffer_reserve(&b, KIB(16), &room), 0);
                n = recv(fd, room, KIB(16), 0);
                if (n <= 0)
                        return false;
                buffer_advance(&b, (size_t) n);
                body = head == 0 ? memmem(b.data, b.size, "\r\n\r\n", 4) : NULL;
                if (body)
                        head = (size_t) (body + 4 - b.data);
        }
        for (size_t i = head; i < b.size; i++)
                if ((unsigned char) b.data[i] != byte_at(i - head))
                        fail_msg("byte %zu is not its own", i - head);
        return true;
}

/* Answers, and reads on until the client has enough. */
static void answer_and_drain(Server *s, int fd)
{
        char rest[KIB(16)];

        server_send(fd, answer);
        while (recv(fd, rest, sizeof rest, 0) > 0)
                ;
        s->closed = now_usec();
}

static void script_early(Server *s, int fd)
{
        if (receive(fd, read_first))
                answer_and_drain(s, fd);
}

/* Answers, and leaves: what it has not read makes that a reset. */
static void script_reset(Server *s, int fd)
{
        if (receive(fd, read_first) && answer)
                server_send(fd, answer);
}

/* Answers, if at all, and reads nothing more until the client has left, as what it sent before it
 * did stands before that. */
static void script_deaf(Server *s, int fd)
{
        char rest[KIB(16)];

        if (!receive(fd, read_first))
                return;
        if (answer)
                server_send(fd, answer);
        server_notify(s);
        (void) !read(resolver_gate[0], rest, 1);
        while (recv(fd, rest, sizeof rest, 0) > 0)
                ;
        s->closed = now_usec();
}

/* Answers one request as if it would keep the connection, reads so much of the next, and leaves. */
static void script_keeps_once(Server *s, int fd)
{
        if (s->connections > 1) {
                read_first = BODY_SIZE;
                script_early(s, fd);
        } else if (receive(fd, BODY_SIZE)) {
                server_send(fd, answer);
                (void) receive(fd, read_first);
        }
}

/* Takes half of the question, takes its time, and does so again before the answer. */
static void script_slow(Server *s, int fd)
{
        const int size = KIB(64);
        char rest[KIB(16)];

        /* Else the kernel may take all of the second half before the time goes on. */
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0 ||
                !receive(fd, BODY_SIZE / 2))
                return;
        server_skip_time(s, fd, SLOW_SEC);
        /* What came with the first half is not counted: less than this. */
        for (size_t left = BODY_SIZE / 2 - KIB(64); left > 0;) {
                ssize_t n = recv(fd, rest, MIN(left, sizeof rest), 0);

                if (n <= 0)
                        return;
                left -= (size_t) n;
        }
        server_skip_time(s, fd, SLOW_SEC);
        answer_and_drain(s, fd);
}

/* ---- one question ---- */

typedef struct Question {
        Client client;
        Server server;
        Source source;
} Question;

static void begin(Question *q, server_script_t script, usec_t limit)
{
        HttpRequest request;

        *q = (Question){ 0 };
        server_start(&q->server, script);
        request = post(q->server.url, &q->source);
        if (limit > 0)
                request.first_byte_timeout = request.stall_timeout = limit;
        client_open(&q->client, &q->server);
        client_follow_time(&q->client);
        client_start(&q->client, &request);
}

static void ask(Question *q, server_script_t script, usec_t limit)
{
        begin(q, script, limit);
        client_loop(&q->client);
        assert_int_equal(q->client.done, 1);
}

/* The deaf server reads on. */
static void let_go(void)
{
        assert_int_equal(write(resolver_gate[1], "x", 1), 1);
}

static void end(Question *q)
{
        client_close(&q->client);
        server_stop(&q->server);
        assert_int_equal(q->source.released, 1);
        assert_true(q->source.begun <= 1);
}

/* ---- the server answers, or leaves ---- */

#define ANSWER_413 "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge"
#define ANSWER_200 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlarge"

static const size_t firsts[] = { 0, 1, KIB(16), KIB(64), MIB(1), MIB(8), BODY_SIZE - 1, BODY_SIZE };

static void test_early_answer(void **state)
{
        static const struct {
                const char *answer;
                long status;
        } table[] = { { ANSWER_413, 413 }, { ANSWER_200, 200 } };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                for (size_t k = 0; k < ELEMENTSOF(firsts); k++) {
                        Question q;

                        answer = table[i].answer;
                        read_first = firsts[k];
                        ask(&q, script_early, 0);
                        assert_int_equal(q.client.status, table[i].status);
                        assert_string_equal(buffer_text(&q.client.body), "large");
                        assert_false(failure_is_set(&q.client.failure));
                        end(&q);
                }
}

/* The answer may be lost with the connection: TCP does not keep it for us. Then it is said how much
 * was asked at once. */
static void test_early_reset(void **state)
{
        for (size_t i = 0; i < 4 * ELEMENTSOF(firsts); i++) {
                size_t first = firsts[i % ELEMENTSOF(firsts)];
                Question q;

                answer = i % 2 == 0 ? ANSWER_413 : NULL;
                read_first = first;
                ask(&q, script_reset, 0);
                if (answer && q.client.status == 413)
                        assert_string_equal(buffer_text(&q.client.body), "large");
                else {
                        assert_int_equal(q.client.status, 0);
                        assert_int_equal(q.client.failure.code, FAILURE_ENGINE_UNREACHABLE);
                        if (first <= MIB(1))
                                assert_non_null(
                                        strstr(failure_message(&q.client.failure), "of 16 MiB"));
                }
                end(&q);
        }
}

/* Neither reads nor leaves. What was refused has ended, else it is silent. */
static void test_early_deaf(void **state)
{
        static const struct {
                const char *answer;
                FailureCode code;
                const char *words;
        } table[] = {
                { ANSWER_413, FAILURE_NONE, NULL },
                { ANSWER_200, FAILURE_ENGINE_STALLED, "in the middle of its answer" },
                { NULL, FAILURE_ENGINE_STALLED, "has not read the whole question" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Question q;

                answer = table[i].answer;
                read_first = KIB(64);
                ask(&q, script_deaf, 200 * USEC_PER_MSEC);
                assert_int_equal(q.client.failure.code, table[i].code);
                if (table[i].words)
                        assert_non_null(strstr(failure_message(&q.client.failure), table[i].words));
                let_go();
                end(&q);
                assert_true(q.server.closed > 0);
        }
}

/* Each part takes less than the limit, all of it more. */
static void test_slow_reader(void **state)
{
        Question q;

        answer = ANSWER_200;
        ask(&q, script_slow, SLOW_SEC * USEC_PER_SEC * 10 / 9);
        assert_false(failure_is_set(&q.client.failure));
        assert_int_equal(q.client.status, 200);
        end(&q);
}

/* ---- connections that are kept ---- */

typedef struct Again {
        Client client;
        Source sources[2];
        unsigned done;
        long status;
        Failure failure;
} Again;

static void on_again(const HttpResult *result, void *userdata)
{
        Again *a = userdata;

        a->client.transfer = http_transfer_free(a->client.transfer);
        a->done++;
        a->status = result->headers.status;
        failure_done(&a->failure);
        failure_copy(&a->failure, &result->failure);
}

/* The server leaves in the middle of the second question on a connection: it is asked once more,
 * from its beginning, or has failed. */
static void test_kept_connection_breaks(void **state)
{
        static const HttpOps ops = { .done = on_again };
        unsigned repeated = 0;

        for (size_t i = 0; i < ELEMENTSOF(firsts); i++) {
                Again a = { 0 };
                Server s;

                answer = ANSWER_200;
                read_first = firsts[i];
                server_start(&s, script_keeps_once);
                client_open(&a.client, &s);
                for (unsigned k = 0; k < 2; k++) {
                        HttpRequest request = post(s.url, a.sources + k);

                        assert_int_equal(http_start(a.client.http, &request, &ops, &a,
                                                 &a.client.transfer, NULL),
                                0);
                        while (a.done == k)
                                assert_true(sd_event_run(a.client.event, TEST_LIMIT_USEC) > 0);
                        assert_int_equal(a.sources[k].released, 1);
                        if (k == 0)
                                assert_int_equal(a.status, 200);
                }
                if (failure_is_set(&a.failure))
                        assert_int_equal(a.failure.code, FAILURE_ENGINE_UNREACHABLE);
                else {
                        assert_int_equal(a.status, 200);
                        repeated += a.sources[1].begun == 2;
                }
                failure_done(&a.failure);
                client_close(&a.client);
                server_stop(&s);
        }
        print_message(
                "# tried | an engine leaves in the middle of 16 MiB on a kept connection | %zu | %u "
                "asked once more, the others failed\n",
                ELEMENTSOF(firsts), repeated);
}

/* ---- we leave ---- */

typedef enum Leave {
        LEAVE_TRANSFER,
        LEAVE_HTTP,
        LEAVE_IN_BODY,
        LEAVE_BY_RESULT,
        _LEAVE_MAX,
} Leave;

static int on_server_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Client *c = userdata;

        c->transfer = http_transfer_free(c->transfer);
        return sd_event_exit(c->event, 0);
}

static int on_server_event_all(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Client *c = userdata;

        c->http = http_free(c->http);
        return sd_event_exit(c->event, 0);
}

static void leave(Leave how, size_t first)
{
        static const char streaming[] =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
        Question q;
        Client *c = &q.client;

        answer = how == LEAVE_IN_BODY || how == LEAVE_BY_RESULT ? streaming : NULL;
        read_first = first;
        begin(&q, script_deaf, 0);
        c->cancel_on_body = how == LEAVE_IN_BODY;
        c->body_result = how == LEAVE_BY_RESULT ? -ECANCELED : 0;
        if (how == LEAVE_TRANSFER || how == LEAVE_HTTP || how == LEAVE_IN_BODY)
                assert_true(
                        sd_event_add_io(c->event, NULL, q.server.event_fd, EPOLLIN,
                                how == LEAVE_HTTP ? on_server_event_all : on_server_event, c) >= 0);
        client_loop(c);
        assert_int_equal(c->done, how == LEAVE_BY_RESULT);
        let_go();
        end(&q);
        assert_true(q.server.closed > 0);
}

static void test_leave(void **state)
{
        for (Leave how = 0; how < _LEAVE_MAX; how++)
                for (size_t i = 0; i < ELEMENTSOF(firsts); i++)
                        leave(how, firsts[i]);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_early_answer),
                cmocka_unit_test(test_early_reset),
                cmocka_unit_test(test_early_deaf),
                cmocka_unit_test(test_slow_reader),
                cmocka_unit_test(test_kept_connection_breaks),
                cmocka_unit_test(test_leave),
        };

        return cmocka_run_group_tests(tests, open_gate, close_gate);
}
