/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/server/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/server/answer.h"
#include "tests/server/routes.h"

#define READ_SIZE KIB(64)

static int on_reap(sd_event_source *source, void *userdata)
{
        connection_free(userdata);
        return 0;
}

Connection *connection_free(Connection *c)
{
        if (!c)
                return NULL;
        if (c->previous)
                c->previous->next = c->next;
        else if (c->server->connections == c)
                c->server->connections = c->next;
        if (c->next)
                c->next->previous = c->previous;
        answer_free(c->answer);
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->reaper);
        SSL_free(c->ssl);
        safe_close(c->fd);
        buffer_done(&c->in);
        buffer_done(&c->out);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(Connection *, connection_free)

void connection_close(Connection *c, bool reset)
{
        struct linger linger = { .l_onoff = 1 };

        if (c->broken)
                return;
        c->broken = true;
        c->io = sd_event_source_disable_unref(c->io);
        if (reset)
                (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        c->fd = safe_close(c->fd);
        c->answer = answer_free(c->answer);
        (void) sd_event_source_set_enabled(c->reaper, SD_EVENT_ONESHOT);
        if (c->engine)
                server_count(c->server, COUNTER_CLOSED);
}

/* The reader went away, or the socket broke. */
static void connection_lost(Connection *c)
{
        bool cancelled = c->answer || connection_queued(c) > 0;

        connection_close(c, /* reset= */ false);
        if (cancelled && c->engine)
                server_count(c->server, COUNTER_CANCELLED);
}

/* ---- bytes ---- */

static ssize_t ssl_result(Connection *c, int r)
{
        switch (SSL_get_error(c->ssl, r)) {
        case SSL_ERROR_WANT_READ:
                return -EAGAIN;
        case SSL_ERROR_WANT_WRITE:
                c->wants_write = true;
                return -EAGAIN;
        case SSL_ERROR_ZERO_RETURN:
                return 0;
        default:
                return -EIO;
        }
}

static ssize_t bytes_read(Connection *c, void *data, size_t size)
{
        ssize_t n;

        if (c->ssl) {
                int r = SSL_read(c->ssl, data, (int) size);

                return r > 0 ? r : ssl_result(c, r);
        }
        n = recv(c->fd, data, size, 0);
        return n < 0 ? -errno : n;
}

static ssize_t bytes_write(Connection *c, const void *data, size_t size)
{
        ssize_t n;

        if (c->ssl) {
                int r = SSL_write(c->ssl, data, (int) MIN(size, MIB(1)));

                return r > 0 ? r : ssl_result(c, r);
        }
        n = send(c->fd, data, size, MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
}

static void update_events(Connection *c)
{
        bool out = c->wants_write || connection_queued(c) > 0 ||
                (c->answer && answer_wants_room(c->answer));

        if (!c->broken)
                (void) sd_event_source_set_io_events(c->io, EPOLLIN | (out ? EPOLLOUT : 0));
}

void connection_flush(Connection *c)
{
        while (!c->broken && connection_queued(c) > 0) {
                ssize_t n = bytes_write(c, c->out.data + c->out_at, connection_queued(c));

                if (n == -EAGAIN)
                        break;
                if (n <= 0) {
                        connection_lost(c);
                        return;
                }
                c->out_at += (size_t) n;
        }
        if (c->out_at == c->out.size) {
                buffer_clear(&c->out);
                c->out_at = 0;
                if (c->closing) {
                        connection_close(c, /* reset= */ false);
                        return;
                }
        }
        update_events(c);
}

/* ---- requests ---- */

const char *request_header(const Request *r, const char *name)
{
        for (size_t i = 0; i < r->n_headers; i++)
                if (strcasecmp(r->headers[i].name, name) == 0)
                        return r->headers[i].value;
        return NULL;
}

/* Takes the head apart in place. */
static int request_parse(char *head, Request *ret)
{
        char *line, *rest = head, *space;
        Request r = { .query = (char *) "" };

        line = strsep(&rest, "\n");
        r.method = line;
        space = strchr(line, ' ');
        if (!space)
                return -EBADMSG;
        *space = 0;
        r.path = space + 1;
        space = strchr(r.path, ' ');
        if (!space)
                return -EBADMSG;
        *space = 0;
        space = strchr(r.path, '?');
        if (space) {
                *space = 0;
                r.query = space + 1;
        }
        while ((line = strsep(&rest, "\n"))) {
                char *value = strchr(line, ':');

                line[strcspn(line, "\r")] = 0;
                if (!*line)
                        break;
                if (!value || r.n_headers == HEADERS_MAX)
                        return -EBADMSG;
                *value++ = 0;
                value += strspn(value, " \t");
                r.headers[r.n_headers++] = (Header){ line, value };
        }
        *ret = r;
        return 0;
}

/* Whether the reader waits for "100 Continue" before it sends a large body. */
static void send_continue(Connection *c, const Request *r)
{
        static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

        if (!request_header(r, "expect") || connection_queued(c) > 0)
                return;
        (void) buffer_append(&c->out, text, sizeof text - 1);
        connection_flush(c);
}

/* 1 when a request was served, 0 when it is not whole yet. */
static int serve_one(Connection *c)
{
        _cleanup_free_ char *head = NULL;
        const char *length, *persistence, *end;
        size_t head_size, body_size;
        Request request;
        int r;

        if (c->in.size == 0)
                return 0;
        end = memmem(c->in.data, c->in.size, "\r\n\r\n", 4);
        if (!end)
                return 0;
        head_size = (size_t) (end - c->in.data) + 4;
        head = strndup(c->in.data, head_size);
        if (!head)
                return -ENOMEM;
        r = request_parse(head, &request);
        if (r < 0)
                return r;
        length = request_header(&request, "content-length");
        body_size = length ? strtoull(length, NULL, 10) : 0;
        if (c->in.size - head_size < body_size) {
                if (c->in.size == head_size)
                        send_continue(c, &request);
                return 0;
        }
        request.body = c->in.data + head_size;
        request.body_size = body_size;
        persistence = request_header(&request, "connection");
        c->keep = !persistence || strcasecmp(persistence, "close") != 0;
        route_request(c, &request);
        if (!c->broken)
                buffer_consume(&c->in, head_size + body_size);
        return 1;
}

static int read_more(Connection *c)
{
        for (;;) {
                char *place;
                ssize_t n;
                int r;

                r = buffer_reserve(&c->in, READ_SIZE, &place);
                if (r < 0)
                        return r;
                n = bytes_read(c, place, READ_SIZE);
                if (n == -EAGAIN)
                        return 1;
                if (n <= 0)
                        return (int) n;
                buffer_advance(&c->in, (size_t) n);
                if ((size_t) n < READ_SIZE && !c->ssl)
                        return 1;
        }
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Connection *c = ASSERT_PTR(userdata);

        c->wants_write = false;
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                if (read_more(c) <= 0) {
                        connection_lost(c);
                        return 0;
                }
                while (!c->broken && !c->answer && !c->closing && c->wait_value == 0) {
                        int r = serve_one(c);

                        if (r < 0)
                                connection_close(c, /* reset= */ false);
                        if (r <= 0)
                                break;
                }
        }
        if (!c->broken)
                connection_flush(c);
        if (!c->broken && c->answer && connection_queued(c) < OUTPUT_LOW &&
                answer_wants_room(c->answer))
                answer_pump(c->answer);
        return 0;
}

/* ---- answers ---- */

static const char *status_text(unsigned status)
{
        switch (status) {
        case 200:
                return "OK";
        case 302:
                return "Found";
        case 400:
                return "Bad Request";
        case 401:
                return "Unauthorized";
        case 403:
                return "Forbidden";
        case 404:
                return "Not Found";
        case 429:
                return "Too Many Requests";
        case 500:
                return "Internal Server Error";
        case 503:
                return "Service Unavailable";
        default:
                return "Other";
        }
}

void connection_head(Connection *c, unsigned status, const char *type, Framing framing,
        size_t length, const char *extra)
{
        char date[64];
        struct tm tm;
        time_t now = time(NULL);

        (void) gmtime_r(&now, &tm);
        (void) strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        c->framing = framing;
        if (framing == FRAMING_CLOSE)
                c->keep = false;
        (void) buffer_append_format(&c->out,
                "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nDate: %s\r\n%s%s", status,
                status_text(status), type, date, extra, c->keep ? "" : "Connection: close\r\n");
        if (framing == FRAMING_LENGTH)
                (void) buffer_append_format(&c->out, "Content-Length: %zu\r\n", length);
        else if (framing == FRAMING_CHUNKED)
                (void) buffer_append_string(&c->out, "Transfer-Encoding: chunked\r\n");
        (void) buffer_append_string(&c->out, "\r\n");
}

void connection_body(Connection *c, const char *data, size_t size)
{
        if (size == 0)
                return;
        if (c->framing == FRAMING_CHUNKED)
                (void) buffer_append_format(&c->out, "%zx\r\n", size);
        (void) buffer_append(&c->out, data, size);
        if (c->framing == FRAMING_CHUNKED)
                (void) buffer_append(&c->out, "\r\n", 2);
}

void connection_end(Connection *c)
{
        if (c->framing == FRAMING_CHUNKED)
                (void) buffer_append_string(&c->out, "0\r\n\r\n");
        c->closing = !c->keep;
}

void connection_reply(Connection *c, unsigned status, const char *type, const char *extra,
        const char *body, size_t size)
{
        connection_head(c, status, type, FRAMING_LENGTH, size, extra);
        connection_body(c, body, size);
        connection_end(c);
        connection_flush(c);
}

int connection_new(Server *s, int fd)
{
        _cleanup_(connection_freep) Connection *c = NULL;
        int one = 1, r;

        c = malloc(sizeof *c);
        if (!c) {
                safe_close(fd);
                return -ENOMEM;
        }
        *c = (Connection){ .server = s,
                .fd = fd,
                .next = s->connections,
                .in = BUFFER_INIT(REQUEST_MAX),
                .out = BUFFER_INIT(OUTPUT_MAX) };
        if (s->connections)
                s->connections->previous = c;
        s->connections = c;

        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (s->tls) {
                c->ssl = SSL_new(s->tls);
                if (!c->ssl || SSL_set_fd(c->ssl, fd) != 1)
                        return -ENOMEM;
                SSL_set_accept_state(c->ssl);
        }
        r = sd_event_add_io(s->event, &c->io, fd, EPOLLIN, on_io, c);
        if (r < 0)
                return r;
        r = sd_event_add_defer(s->event, &c->reaper, on_reap, c);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(c->reaper, SD_EVENT_OFF);
        if (r < 0)
                return r;
        TAKE_PTR(c);
        return 0;
}
