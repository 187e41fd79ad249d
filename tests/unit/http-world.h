/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For the tests of HTTP: a scripted server in a thread, a client that notes what it is told, and a
 * resolver that knows no name and hangs for one. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "service/engine/http.h"
#include "tests/unit/server-util.h"

#define TEST_LIMIT_USEC (20 * USEC_PER_SEC)

usec_t now_usec(void); /* real, whatever was skipped */

/* The name slow.example is looked up until somebody writes a byte here. */
extern int resolver_gate[2];
int open_gate(void **state);
int close_gate(void **state);

/* ---- a server in a thread: one script for each accepted connection, one after another ---- */

typedef struct Server Server;
typedef void (*server_script_t)(Server *s, int fd);

struct Server {
        int listen_fd, event_fd, turn_fd, turned_fd;
        char url[64];
        pthread_t thread;
        server_script_t script;
        unsigned connections;
        usec_t closed; /* when a script saw the client close */
        Buffer request;
};

void server_listen(Server *s, int backlog); /* without a thread */
void server_start(Server *s, server_script_t script);
void server_stop(Server *s);

/* Reads one request with its body; false when the client closed. */
bool server_receive(Server *s, int fd);
/* Tells the loop that it is so far. */
void server_notify(Server *s);
void server_await_close(Server *s, int fd);
/* It is so much later for the whole process, sd-event and libcurl among it, after the client, which
 * follows it, has taken what was sent; returns when its timers have gone off, or it closed. */
void server_skip_time(Server *s, int fd, unsigned seconds);

void script_hello(Server *s, int fd); /* "hello", as often as asked */
extern const char *canned_answer;
void script_canned(Server *s, int fd);

/* ---- the client's side ---- */

typedef struct Client {
        sd_event *event;
        Http *http;
        HttpTransfer *transfer;
        Buffer body;
        char phases[128];
        unsigned headers, done, pieces;
        long status;
        char content_type[64];
        usec_t retry_after;
        bool body_began, cancel_on_body;
        int body_result;
        Failure failure;
        Server *server;
} Client;

extern const HttpOps client_ops;
int client_on_body(const char *data, size_t size, void *userdata);

void client_open(Client *c, Server *s);
void client_follow_time(Client *c);
void client_close(Client *c);
HttpRequest request_to(const char *url);
void client_start(Client *c, const HttpRequest *request);
/* Until somebody asks the loop to leave. */
void client_loop(Client *c);
/* A loop that has left cannot run again: each request has one of its own. */
void client_get(Client *c, Server *s, const HttpRequest *request);
