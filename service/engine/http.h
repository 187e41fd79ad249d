/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP on the loop: the only user of libcurl. Transfers are slots; completions are delivered one a
 * turn from a defer source, never from inside libcurl. Any transfer may be started or freed from
 * any callback; the Http itself may be freed from done() and from outside. */

#include <systemd/sd-event.h>

#include "common/failure.h"

typedef struct Http Http;
typedef struct HttpTransfer HttpTransfer;

/* libcurl is started with the first transfer; connections close 30 s after the last one.
 * The one exception to "nothing blocks": OpenSSL reads its configuration with the first transfer,
 * and parses the authorities' bundle (about 30 ms) with the first https transfer after a start or
 * an idle time; until the next idle time it is kept. */
int http_new(Http **ret, sd_event *event);
/* Transfers that live on are detached: nothing more is called, their owners still free them. */
Http *http_free(Http *h);
DEFINE_CLEANUP(Http *, http_free)

/* How long connections stay after the last transfer (30 s): tests do not wait so long. */
void http_set_linger(Http *h, usec_t linger);
/* The machine slept: connections from before are not used again, and those that are in use have to
 * show within seconds that the other side is still there, else they end as broken ones do. */
void http_distrust(Http *h);
typedef struct HttpHeaders {
        long status;
        const char *content_type; /* lower case without parameters, "" when missing */
        usec_t retry_after;       /* from now on; USEC_INFINITY = not said */
} HttpHeaders;

typedef struct HttpResult {
        Failure failure;     /* unreachable, stalled, TLS (named: expired, wrong host, unknown
                                authority) */
        HttpHeaders headers; /* status 0 = no answer came */
        bool body_began;
} HttpResult;

typedef struct HttpOps {
        /* After the last header of the final answer, before the first body(). Not for a redirect:
         * none is followed (keys must not travel), it ends as FAILURE_ENGINE_REFUSED. */
        void (*headers)(const HttpHeaders *headers, void *userdata);
        /* Each piece as it came. A negative result aborts the transfer with it (-EFBIG, …). */
        int (*body)(const char *data, size_t size, void *userdata);
        /* Exactly once, unless freed before. */
        void (*done)(const HttpResult *result, void *userdata);
        /* Words for the phase: "connecting", "waiting for the first byte". May be NULL. Never from
         * inside http_start(). */
        void (*phase)(const char *phase, void *userdata);
} HttpOps;

/* What is posted: read as it is sent, from its beginning again where the connection that was tried
 * first turns out to be closed. */
typedef struct HttpBody {
        size_t size;
        /* Its next bytes, as many as asked for; offset is 0 or where the last ones ended. Negative
         * (-ENOMEM, …): the transfer fails with it. */
        ssize_t (*read)(size_t offset, char *to, size_t size, void *userdata);
        void (*release)(void *userdata); /* may come from inside libcurl */
        void *userdata;
} HttpBody;

/* Of a text, which is taken over; NULL = none. */
HttpBody http_body_of(char *text);
void http_body_done(HttpBody *b);

typedef struct HttpRequest {
        const char *url;
        const char *const *headers; /* "Name: value", NULL-ended; wiped from our copies after use */
        HttpBody body;              /* taken over, also on failure; without read = GET */
        const char *ca_file, *proxy; /* "" = default; proxy "off" = none; never for loopback */
        /* USEC_INFINITY = none. The first byte is the body's and is waited for since the request
         * left; any byte of the body is life, a comment too. There is no limit for the whole. */
        usec_t connect_timeout, first_byte_timeout, stall_timeout;
} HttpRequest;

/* Copies all strings and ops. Does no I/O: the transfer begins with the loop's next turn. */
int http_start(Http *h, const HttpRequest *request, const HttpOps *ops, void *userdata,
        HttpTransfer **ret, Failure *failure);
/* Closes the connection at once when the transfer has not ended. */
HttpTransfer *http_transfer_free(HttpTransfer *t);
DEFINE_CLEANUP(HttpTransfer *, http_transfer_free)

/* Where a URL points, without user, password, query: for messages. The caller frees. */
int http_url_display(const char *url, char **ret);
/* The same without the path: "http://127.0.0.1:11434". The caller frees. */
int http_url_origin(const char *url, char **ret);
/* This machine by its name or address; a name that only DNS knows to be here is not. */
bool http_url_is_loopback(const char *url);
