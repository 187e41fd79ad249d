/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP on the loop: the only user of libcurl. Transfers are slots; completions are delivered one a
 * turn from a defer source, never from inside libcurl. */

#include <systemd/sd-event.h>

#include "common/failure.h"

typedef struct Http Http;
typedef struct HttpTransfer HttpTransfer;

/* libcurl is started with the first transfer; connections close 30 s after the last one. */
int http_new(Http **ret, sd_event *event);
Http *http_free(Http *h);
DEFINE_CLEANUP(Http *, http_free)

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
        /* After the last header of the final answer, before the first body(). */
        void (*headers)(const HttpHeaders *headers, void *userdata);
        /* Each piece as it came. A negative result aborts the transfer with it (-EFBIG, …). */
        int (*body)(const char *data, size_t size, void *userdata);
        /* Exactly once, unless freed before. */
        void (*done)(const HttpResult *result, void *userdata);
        /* Words for the phase: "connecting", "waiting for the first byte". May be NULL. */
        void (*phase)(const char *phase, void *userdata);
} HttpOps;

typedef struct HttpRequest {
        const char *url;
        const char *const *headers; /* "Name: value", NULL-ended; wiped from our copies after use */
        char *body;                 /* taken over (malloc'ed), also on failure; NULL = GET */
        size_t body_size;
        const char *ca_file, *proxy; /* "" = default; proxy "off" = none; never for loopback */
        usec_t connect_timeout, first_byte_timeout, stall_timeout; /* USEC_INFINITY = none */
} HttpRequest;

int http_start(Http *h, const HttpRequest *request, const HttpOps *ops, void *userdata,
        HttpTransfer **ret, Failure *failure);
/* Closes the connection at once when the transfer has not ended. */
HttpTransfer *http_transfer_free(HttpTransfer *t);
DEFINE_CLEANUP(HttpTransfer *, http_transfer_free)

/* Where a URL points, without user, password, query: for messages. Static storage is not used;
 * the caller frees. */
int http_url_display(const char *url, char **ret);
bool http_url_is_loopback(const char *url);
