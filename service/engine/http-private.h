/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the http files share; for nobody else. http.c drives libcurl from the loop, http-transfer.c
 * is one transfer from its options to its end, http-failure.c says in words what went wrong,
 * http-memory.c is where libcurl's memory comes from. */

#include <curl/curl.h>

#include "service/engine/http.h"

/* What a transfer waits for; each has its limit. */
typedef enum Phase {
        PHASE_CONNECT,
        PHASE_FIRST_BYTE,
        PHASE_STREAM,
        _PHASE_MAX,
} Phase;

typedef struct TransferList {
        HttpTransfer *head, *tail;
} TransferList;

struct Http {
        sd_event *event;
        CURLM *multi; /* NULL while nothing goes on */
        usec_t linger;
        bool curl_started;
        bool distrust; /* connections that libcurl keeps may be dead, until all are closed */
        bool in_curl;  /* libcurl is on the stack: it must not be called */

        /* By descriptor: libcurl tells of sockets after their transfer ended, of its own internal
         * ones too. Stays until curl_multi_cleanup() has returned. */
        sd_event_source **sockets;
        size_t n_sockets;

        sd_event_source *timer;  /* libcurl's one timer */
        sd_event_source *kick;   /* pending transfers begin, or libcurl's timer says: now */
        sd_event_source *finish; /* one completion a turn */
        sd_event_source *resume; /* one transfer a turn goes on that had its share of it */
        sd_event_source *idle;

        TransferList pending, active, ended;
        TransferList dead; /* freed by their owner while libcurl was on the stack */
};

struct HttpTransfer {
        Http *http;         /* NULL when detached or done */
        TransferList *list; /* the one that it is in, or NULL */
        HttpTransfer *previous, *next;

        CURL *easy;
        struct curl_slist *headers;
        char *origin, *content_type, *location;
        HttpBody body;
        size_t body_sent;
        size_t header_bytes;

        HttpOps ops;
        void *userdata;

        sd_event_source *timer;
        Phase phase;
        usec_t alive; /* when the phase began, or the last byte came */
        usec_t limits[_PHASE_MAX];

        uint64_t turn;     /* the loop's, in which */
        size_t turn_bytes; /* so much of the body was taken */
        bool paused;

        HttpResult result;
        bool headers_told;
        char error[CURL_ERROR_SIZE];
};

void transfer_move(HttpTransfer *t, TransferList *to);
/* Gives back all that the transfer needs from libcurl; closes its connection unless the answer was
 * read to its end. */
void transfer_release(HttpTransfer *t);
/* Its completion is delivered in a later turn. */
void transfer_end(HttpTransfer *t);
void transfer_enter(HttpTransfer *t, Phase phase);
void transfer_read_headers(HttpTransfer *t);

void transfer_fail(HttpTransfer *t, CURLcode code);
void transfer_fail_limit(HttpTransfer *t);
void transfer_fail_redirect(HttpTransfer *t);

CURLcode http_start_curl(void); /* curl_global_cleanup() ends it */
int http_open(Http *h);
void http_arm_idle(Http *h);
void http_source_enable(sd_event_source *source);
