/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One HTTP/1.1 connection, plain or TLS: requests in, answers out, nothing blocks. */

#include "common/buffer.h"
#include "tests/server/server.h"

#define REQUEST_MAX MIB(256)
#define OUTPUT_MAX  MIB(256)
#define OUTPUT_LOW  KIB(64)  /* less waits: a stream may go on */
#define OUTPUT_HIGH KIB(256) /* more waits: a stream stops until it is read */
#define HEADERS_MAX 64U

typedef struct Answer Answer;

typedef struct Header {
        const char *name, *value;
} Header;

typedef struct Request {
        char *method, *path, *query; /* query "" = none */
        Header headers[HEADERS_MAX];
        size_t n_headers;
        const char *body;
        size_t body_size;
} Request;

/* NULL when it is not there. */
const char *request_header(const Request *r, const char *name);

typedef enum Framing {
        FRAMING_LENGTH,
        FRAMING_CHUNKED,
        FRAMING_CLOSE, /* the body ends with the connection */
} Framing;

struct Connection {
        Connection *next, *previous;
        Server *server;
        int fd;
        SSL *ssl;
        sd_event_source *io, *reaper;
        Buffer in, out;
        size_t out_at; /* so much of out is sent */
        Framing framing;
        bool engine;      /* asked for more than control pages */
        bool keep;        /* after this answer */
        bool closing;     /* when out is sent */
        bool broken;      /* freed by the reaper */
        bool wants_write; /* the socket was full */
        Answer *answer;   /* a stream that goes on */
        Counter wait_counter;
        uint64_t wait_value; /* 0 = does not wait */
};

int connection_new(Server *s, int fd);
Connection *connection_free(Connection *c);

/* extra: whole header lines, each ended by CRLF, or "". */
void connection_head(Connection *c, unsigned status, const char *type, Framing framing,
        size_t length, const char *extra);
void connection_body(Connection *c, const char *data, size_t size);
/* Ends the answer as its framing has it; the connection then reads the next request. */
void connection_end(Connection *c);
/* Head, body and end in one. */
void connection_reply(Connection *c, unsigned status, const char *type, const char *extra,
        const char *body, size_t size);
void connection_flush(Connection *c);
/* Ends the connection at once: what is queued is not sent. */
void connection_close(Connection *c, bool reset);

static inline size_t connection_queued(const Connection *c)
{
        return c->out.size - c->out_at;
}
