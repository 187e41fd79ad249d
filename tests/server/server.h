/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What all connections of the scripted engine share. */

#include <openssl/ssl.h>
#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct Connection Connection;

/* What tests wait for (GET /wait?NAME=N) and read (GET /stats). Connections that only ask for
 * control pages are not counted. */
typedef enum Counter {
        COUNTER_OPENED,
        COUNTER_CLOSED,
        COUNTER_REQUESTS,
        COUNTER_CHATS,     /* of these, questions */
        COUNTER_HELD,      /* answers that came to @fault=hold, steps of @fault=step */
        COUNTER_ENDED,     /* answers sent to their end */
        COUNTER_CANCELLED, /* answers whose reader went away */
        COUNTER_RELOADS,   /* questions with another num_ctx than the loaded one's */
        _COUNTER_MAX,
} Counter;

const char *counter_to_string(Counter c);

typedef struct Model {
        char *name;
        uint64_t loaded; /* the context it is loaded with, 0 = not loaded */
} Model;

/* How often a message with @fail-first was asked. */
typedef struct Attempt {
        struct Attempt *next;
        uint64_t count;
        char message[];
} Attempt;

typedef struct Server {
        sd_event *event;
        SSL_CTX *tls;
        char *key;      /* NULL = none is asked for */
        char *defaults; /* directives in front of each message's own */
        Model *models;
        size_t n_models;
        uint64_t context;
        char *capabilities; /* JSON array */
        Connection *connections;
        uint64_t counters[_COUNTER_MAX];
        usec_t counted[_COUNTER_MAX]; /* CLOCK_MONOTONIC, of the last */
        Attempt *attempts;
        char **log; /* JSON lines, the oldest first */
        size_t n_log;
} Server;

usec_t now_usec(void);

/* Counts, and answers those who wait for it. */
void server_count(Server *s, Counter counter);
/* Exact, or with ":latest" left out. */
Model *server_find_model(Server *s, const char *name);
void server_forget(Server *s); /* the log, counters and attempts */
