/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What servers answer, or that none does. */
#include "tests/unit/http-world.h"

#include <time.h>

/* ---- answers ---- */

static void test_get(void **state)
{
        HttpRequest request;
        Client c;
        Server s;

        server_start(&s, script_hello);
        request = request_to(s.url);
        client_get(&c, &s, &request);
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
        char *text;
        Client c;
        Server s;

        server_start(&s, script_hello);
        request = request_to(s.url);
        request.headers = headers;
        text = malloc(MIB(4) + 1);
        assert_non_null(text);
        memset(text, 'x', MIB(4));
        text[MIB(4)] = 0;
        request.body = http_body_of(text);
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

/* A body whose source has this much of what it promised. */
typedef struct Source {
        size_t has;
        unsigned n_released;
} Source;

static ssize_t source_read(size_t offset, char *to, size_t size, void *userdata)
{
        const Source *source = userdata;

        if (offset >= source->has)
                return -ENOMEM;
        size = MIN(size, source->has - offset);
        memset(to, 'y', size);
        return (ssize_t) size;
}

static void source_release(void *userdata)
{
        Source *source = userdata;

        source->n_released++;
}

/* What was read of it is sent; where it fails, the transfer does, and says of what. */
static void test_body_fails(void **state)
{
        static const size_t has[] = { KIB(200), KIB(100) + 1, 0 };

        for (size_t i = 0; i < ELEMENTSOF(has); i++) {
                Source source = { .has = has[i] };
                HttpRequest request;
                Client c;
                Server s;

                server_start(&s, script_hello);
                request = request_to(s.url);
                request.body = (HttpBody){ .size = KIB(200),
                        .read = source_read,
                        .release = source_release,
                        .userdata = &source };
                client_get(&c, &s, &request);
                assert_int_equal(
                        c.failure.code, has[i] == KIB(200) ? FAILURE_NONE : FAILURE_NO_MEMORY);
                client_close(&c);
                server_stop(&s);
                assert_int_equal(source.n_released, 1);
        }
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
        request.body = http_body_of(strdup(""));
        client_get(&c, &s, &request);
        assert_false(failure_is_set(&c.failure));
        assert_int_equal(c.status, 204);
        assert_int_equal(c.headers, 1);
        assert_false(c.body_began);
        client_close(&c);
        server_stop(&s);
}

/* Strange, but said by real servers and proxies; what is packed without being asked for is nobody's
 * to unpack. */
static void test_strange_answers(void **state)
{
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        static const struct {
                const char *answer, *body;
                FailureCode code;
        } table[] = {
                /* a header that goes on in the next line */
                { "HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\n\tc\r\nContent-Length: 2\r\n\r\nok", "ok",
                        FAILURE_NONE },
                { "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok", FAILURE_NONE },
                { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ok",
                        FAILURE_NONE },
                { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 2\r\n\r\nok", "ok",
                        FAILURE_NONE },
                { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\nok", "ok",
                        FAILURE_ENGINE_UNREACHABLE },
                { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "2\r\nok\r\n0\r\n\r\n",
                        "ok", FAILURE_NONE },
                { "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
                        "\x1f\x8b", FAILURE_NONE },
                { "HTTP/1.0 200 OK\r\n\r\nok", "ok", FAILURE_NONE },
                { CHUNKED "2;name=\"value\"\r\nok\r\n0\r\nX-Trailer: a\r\n\r\n", "ok",
                        FAILURE_NONE },
                { CHUNKED "00000002\r\nok\r\n0\r\n\r\n", "ok", FAILURE_NONE },
                { CHUNKED "ffffffffffffffffff\r\nok", "", FAILURE_ENGINE_UNREACHABLE },
                { CHUNKED "7fffffffffffffff\r\nok", "ok", FAILURE_ENGINE_UNREACHABLE },
                { CHUNKED "-2\r\nok\r\n0\r\n\r\n", "", FAILURE_ENGINE_UNREACHABLE },
                { CHUNKED "2\r\nokay\r\n0\r\n\r\n", "ok", FAILURE_ENGINE_UNREACHABLE },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                HttpRequest request;
                Client c;
                Server s;

                canned_answer = table[i].answer;
                server_start(&s, script_canned);
                request = request_to(s.url);
                client_get(&c, &s, &request);
                if (c.failure.code != table[i].code || !streq(buffer_text(&c.body), table[i].body))
                        fail_msg("%zu: \"%s\", %s", i, buffer_text(&c.body),
                                failure_message(&c.failure));
                client_close(&c);
                server_stop(&s);
        }
}

/* Until its last chunk is there what came is told, and that it broke; the empty line behind the
 * trailers changes nothing any more. */
static void test_every_cut(void **state)
{
        static const char whole[] = CHUNKED "5\r\nhello\r\n1;x\r\n!\r\n0\r\nX-Trailer: a\r\n\r\n";
        const size_t end = sizeof whole - 1 - strlen("\r\n");

        for (size_t n = 0; n < sizeof whole; n++) {
                _cleanup_free_ char *part = strndup(whole, n);
                HttpRequest request;
                Client c;
                Server s;

                canned_answer = part;
                server_start(&s, script_canned);
                request = request_to(s.url);
                client_get(&c, &s, &request);
                if ((n < end && !failure_is_set(&c.failure)) ||
                        (n == sizeof whole - 1 && failure_is_set(&c.failure)) ||
                        !startswith("hello!", buffer_text(&c.body)))
                        fail_msg("%zu bytes: \"%s\", %s", n, buffer_text(&c.body),
                                failure_message(&c.failure));
                client_close(&c);
                server_stop(&s);
        }
}

/* All lines of a header together, the status and the empty line too. */
static void test_header_limit(void **state)
{
        static const char begin[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", body[] = "ok";
        const size_t limit = KIB(64);

        for (size_t n = limit; n <= limit + 1; n++) {
                _cleanup_free_ char *answer = calloc(1, n + sizeof body);
                HttpRequest request;
                Client c;
                Server s;

                assert_non_null(answer);
                memset(answer, 'x', n);
                memcpy(answer, begin, strlen(begin));
                /* Lines of 1,000 bytes and a last one, each with a name. */
                for (size_t i = strlen(begin); i < n - 2; i += 1000)
                        memcpy(answer + i, "X: ", 3);
                for (size_t i = strlen(begin) + 1000; i < n - 4; i += 1000)
                        memcpy(answer + i - 2, "\r\n", 2);
                memcpy(answer + n - 4, "\r\n\r\n", 4);
                memcpy(answer + n, body, sizeof body);
                canned_answer = answer;
                server_start(&s, script_canned);
                request = request_to(s.url);
                client_get(&c, &s, &request);
                assert_int_equal(c.failure.code, n > limit ? FAILURE_ENGINE_FAILED : FAILURE_NONE);
                assert_string_equal(buffer_text(&c.body), n > limit ? "" : body);
                client_close(&c);
                server_stop(&s);
        }
}

/* Without an end, each of them harmless. */
static void script_informs(Server *s, int fd)
{
        if (!server_receive(s, fd))
                return;
        for (unsigned i = 0; i < 10000; i++)
                server_send(fd, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void test_inform_storm(void **state)
{
        HttpRequest request;
        Client c;
        Server s;

        server_start(&s, script_informs);
        request = request_to(s.url);
        client_get(&c, &s, &request);
        assert_int_equal(c.failure.code, FAILURE_ENGINE_FAILED);
        assert_non_null(strstr(failure_message(&c.failure), "64 KiB of headers"));
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
        return client_on_body(data, size, userdata);
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

/* ---- a body that comes faster than it may be taken ---- */

#define FLOOD_SIZE MIB(2)

static void script_flood(Server *s, int fd)
{
        _cleanup_free_ char *body = malloc(FLOOD_SIZE + 1);

        assert_non_null(body);
        for (size_t i = 0; i < FLOOD_SIZE; i++)
                body[i] = 'a' + i % 23;
        body[FLOOD_SIZE] = 0;
        if (!server_receive(s, fd))
                return;
        server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n");
        server_send(fd, body);
}

/* In chunks of some bytes, which libcurl tells of one by one. */
static void script_flood_chunked(Server *s, int fd)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(4));

        for (unsigned i = 0; i < 100000; i++)
                assert_int_equal(buffer_append_string(&b, "3\r\nabc\r\n"), 0);
        assert_int_equal(buffer_append_string(&b, "0\r\n\r\n"), 0);
        if (!server_receive(s, fd))
                return;
        server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        server_send(fd, buffer_text(&b));
}

static uint64_t flood_turn;
static size_t flood_bytes, flood_most;

static int on_flood(const char *data, size_t size, void *userdata)
{
        Client *c = userdata;
        uint64_t turn;

        assert_int_equal(sd_event_get_iteration(c->event, &turn), 0);
        flood_bytes = turn == flood_turn ? flood_bytes + size : size;
        flood_turn = turn;
        flood_most = MAX(flood_most, flood_bytes);
        return client_on_body(data, size, userdata);
}

static void test_flood(void **state)
{
        static const struct {
                server_script_t script;
                size_t size;
        } table[] = {
                { script_flood, FLOOD_SIZE },
                { script_flood_chunked, 300000 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                HttpOps ops = client_ops;
                HttpRequest request;
                Client c;
                Server s;

                ops.body = on_flood;
                flood_most = 0;
                server_start(&s, table[i].script);
                client_open(&c, &s);
                c.body = BUFFER_INIT(MIB(4));
                request = request_to(s.url);
                assert_int_equal(http_start(c.http, &request, &ops, &c, &c.transfer, NULL), 0);
                client_loop(&c);
                assert_false(failure_is_set(&c.failure));
                assert_int_equal(c.body.size, table[i].size);
                for (size_t k = 0; k < c.body.size; k++)
                        assert_int_equal(c.body.data[k], 'a' + k % (i == 0 ? 23 : 3));
                assert_in_range(flood_most, 1, KIB(16));
                client_close(&c);
                server_stop(&s);
        }
}

/* Whoever has enough in the middle, when it goes on after a pause too. */
static int on_flood_refused(const char *data, size_t size, void *userdata)
{
        Client *c = userdata;
        int r = on_flood(data, size, userdata);

        return c->body.size > KIB(100) ? -EFBIG : r;
}

static void test_flood_refused(void **state)
{
        HttpOps ops = client_ops;
        HttpRequest request;
        Client c;
        Server s;

        ops.body = on_flood_refused;
        server_start(&s, script_flood_chunked);
        client_open(&c, &s);
        c.body = BUFFER_INIT(MIB(4));
        request = request_to(s.url);
        assert_int_equal(http_start(c.http, &request, &ops, &c, &c.transfer, NULL), 0);
        client_loop(&c);
        assert_int_equal(c.failure.code, FAILURE_TOO_LARGE);
        assert_int_equal(c.done, 1);
        client_close(&c);
        server_stop(&s);
}

/* ---- a table of bad answers ---- */

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
                { "HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\nContent-Length: 0\r\n\r\n",
                        302, FAILURE_ENGINE_REFUSED, "http://??,", false },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
                        200, FAILURE_ENGINE_FAILED, "compressed", false },
                { "HTTP/1.1 200 OK\r\ntransfer-encoding:deflate\r\n\r\nx", 200,
                        FAILURE_ENGINE_FAILED, "compressed", false },
                { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nx", 101,
                        FAILURE_ENGINE_FAILED, "another protocol", false },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding:\tChunked\r\n\r\n0\r\n\r\n", 200,
                        FAILURE_NONE, NULL, false },
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

/* Over libcurl's own limit of a line. */
static void script_long_header(Server *s, int fd)
{
        _cleanup_free_ char *line = malloc(KIB(200) + 1);

        assert_non_null(line);
        memset(line, 'h', KIB(200));
        line[KIB(200)] = 0;
        if (!server_receive(s, fd))
                return;
        server_send(fd, "HTTP/1.1 200 OK\r\nX: ");
        server_send(fd, line);
        server_send(fd, "\r\n\r\n");
        server_await_close(s, fd);
}

static void test_headers_flood(void **state)
{
        static const server_script_t scripts[] = { script_headers_flood, script_long_header };

        for (size_t i = 0; i < ELEMENTSOF(scripts); i++) {
                HttpRequest request;
                Client c;
                Server s;

                server_start(&s, scripts[i]);
                request = request_to(s.url);
                client_get(&c, &s, &request);
                assert_int_equal(c.failure.code, FAILURE_ENGINE_FAILED);
                assert_non_null(strstr(failure_message(&c.failure), "header"));
                assert_int_equal(c.headers, 0);
                client_close(&c);
                server_stop(&s);
        }
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
        request.body = http_body_of(strdup("taken over on failure too"));
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_get),
                cmocka_unit_test(test_post),
                cmocka_unit_test(test_body_fails),
                cmocka_unit_test(test_empty_answer),
                cmocka_unit_test(test_stream),
                cmocka_unit_test(test_flood),
                cmocka_unit_test(test_flood_refused),
                cmocka_unit_test(test_bad_answers),
                cmocka_unit_test(test_strange_answers),
                cmocka_unit_test(test_every_cut),
                cmocka_unit_test(test_header_limit),
                cmocka_unit_test(test_inform_storm),
                cmocka_unit_test(test_headers_flood),
                cmocka_unit_test(test_retry_after),
                cmocka_unit_test(test_body_refused_by_caller),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_unknown_host),
                cmocka_unit_test(test_proxy),
                cmocka_unit_test(test_proxy_refuses),
                cmocka_unit_test(test_bad_requests),
        };

        return cmocka_run_group_tests(tests, open_gate, close_gate);
}
