/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For the tests of the engines: an engine in threads, one for each connection, which speaks
 * Ollama's format and OpenAI's. What a request gets is said by the name of its model. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/buffer.h"

#define CONNECTIONS_MAX 512

typedef struct Server {
        int listen_fd, event_fd;
        char url[64];
        unsigned port;
        bool open;
        pthread_t thread, connections[CONNECTIONS_MAX];
        int fds[CONNECTIONS_MAX];
        unsigned n_connections;

        pthread_mutex_t lock;
        pthread_cond_t changed;
        unsigned chats, lists, live, live_max, closed_by_client, released;
        unsigned shows, loads;
        Buffer order; /* first letters of the questions, as they came */
        char *models; /* the answer to /api/tags or /v1/models; NULL = 500 */
        char *loaded; /* the answer to /api/ps; NULL = nothing is loaded */
} Server;

void server_listen(Server *s);
/* In two steps: in between it refuses. port: 0 = any. */
void server_bind(Server *s, unsigned port);
void server_open(Server *s);
void server_stop(Server *s);
/* What it answers to these from now on; both are copied. */
void server_set_lists(Server *s, const char *models, const char *loaded);
/* A counter's value now; each change wakes the event_fd. */
unsigned server_get(Server *s, const unsigned *counter);
/* Lets so many answers of the model "gate" go. */
void server_release(Server *s, unsigned n);
