/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The scripted engine: starting it, and asking it what it saw. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/socket.h>

#include "common/buffer.h"
#include "tests/bus/harness.h"
#include "tests/bus/process.h"

#define ARGUMENTS_MAX 32
/* For one of its pages: longer than the service keeps a connection that nobody uses. */
#define PAGE_PATIENCE (2 * HARNESS_PATIENCE)

static int read_port(int fd)
{
        char line[64] = "";
        const char *port;
        ssize_t n = read(fd, line, sizeof line - 1);

        assert_true(n > 0);
        port = startswith(line, "port ");
        assert_non_null(port);
        return (int) strtol(port, NULL, 10);
}

void harness_start_engine(
        Harness *h, const char *type, const char *extra, const char *const *arguments)
{
        const char *argv[ARGUMENTS_MAX] = { getenv("TEST_ENGINE"), "--port", "0" };
        size_t n = 3;
        int out[2];

        assert_non_null(argv[0]);
        for (; arguments && *arguments; arguments++) {
                assert_true(n < ARGUMENTS_MAX - 1);
                argv[n++] = *arguments;
        }
        assert_return_code(pipe2(out, O_CLOEXEC), errno);
        assert_return_code(process_spawn(&(Spawn){ .arguments = argv,
                                                 .environment = (const char *const[]){ NULL },
                                                 .output = out[1],
                                                 .errors = -EBADF,
                                                 .pass = -EBADF },
                                   &h->engine),
                0);
        safe_close(out[1]);
        h->engine_port = read_port(out[0]);
        safe_close(out[0]);
        harness_write_config(h, "engines.d/test.conf",
                "[Engine]\nType=%s\nUrl=http://127.0.0.1:%d\n%s\n", type, h->engine_port, extra);
        harness_remove_config(h, "engines.d/builtin.conf");
}

/* ---- its pages: one blocking request each, from a process that has nothing else to do ---- */

static int engine_connect(const Harness *h)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t) h->engine_port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct timeval patience = { .tv_sec = (time_t) (PAGE_PATIENCE / USEC_PER_SEC) };
        usec_t deadline = harness_now() + HARNESS_PATIENCE;

        for (;;) {
                int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

                assert_return_code(fd, errno);
                assert_return_code(
                        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), errno);
                if (connect(fd, (struct sockaddr *) &address, sizeof address) == 0)
                        return fd;
                /* A port that the service has just reset may be taken again before the engine knows
                 * of the reset; the next one is another. */
                assert_int_equal(errno, ECONNRESET);
                assert_true(harness_now() < deadline);
                (void) safe_close(fd);
        }
}

/* False: there was no answer, not a byte. */
static bool ask_engine(Harness *h, const char *path, const char *body, Buffer *answer)
{
        _cleanup_close_ int fd = engine_connect(h);
        char *place;
        ssize_t n;

        assert_true(
                dprintf(fd, "%s %s HTTP/1.1\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                        body ? "POST" : "GET", path, strlen(strempty(body)), strempty(body)) > 0);
        for (;;) {
                assert_return_code(buffer_reserve(answer, KIB(64), &place), 0);
                n = read(fd, place, KIB(64));
                /* An end may come as a reset, after the page; what is missing is seen later. */
                if (n == 0 || (n < 0 && errno == ECONNRESET))
                        return answer->size > 0;
                assert_return_code(n, errno); /* waited too long for what was asked */
                buffer_advance(answer, (size_t) n);
        }
}

char *harness_engine_page(Harness *h, const char *path, const char *body)
{
        _cleanup_buffer_ Buffer answer = BUFFER_INIT(MIB(256));
        usec_t deadline = harness_now() + HARNESS_PATIENCE;
        char *page;

        /* It may have been taken for one that was reset before it, as in engine_connect(). */
        while (!ask_engine(h, path, body, &answer))
                if (harness_now() >= deadline)
                        fail_msg("%s: no answer", path);
        if (!startswith(buffer_text(&answer), "HTTP/1.1 200 "))
                fail_msg("%s: \"%s\"", path, buffer_text(&answer));
        page = strstr(answer.data, "\r\n\r\n");
        assert_non_null(page);
        page = strdup(page + 4);
        assert_non_null(page);
        return page;
}

void harness_engine_wait(Harness *h, const char *what)
{
        _cleanup_free_ char *path = NULL, *page = NULL;

        assert_true(asprintf(&path, "/wait?%s", what) > 0);
        page = harness_engine_page(h, path, NULL);
}

uint64_t harness_engine_count(Harness *h, const char *counter)
{
        _cleanup_free_ char *page = harness_engine_page(h, "/stats", NULL), *key = NULL;
        const char *found;

        assert_true(asprintf(&key, "\"%s\":", counter) > 0);
        found = strstr(page, key);
        assert_non_null(found);
        return strtoull(found + strlen(key), NULL, 10);
}

void harness_engine_wait_unused(Harness *h)
{
        _cleanup_free_ char *what = NULL;

        /* All that were made up to now, the one that asks among them: it is closed behind this. */
        assert_true(asprintf(&what, "closed=%" PRIu64, harness_engine_count(h, "opened")) > 0);
        harness_engine_wait(h, what);
}
