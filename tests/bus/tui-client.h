/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The curses client's mirror in a test: what it was told, and short forms of what is done with it.
 */

#include "client/tui/model/mirror.h"
#include "common/buffer.h"
#include "tests/bus/harness.h"

#define MODEL "test/tiny:latest"

typedef struct Client {
        Harness *harness;
        Mirror *mirror;
        unsigned told; /* MirrorChange */
        unsigned n_done, n_notices, n_avatar;
        Failure failure; /* of the last one done; unset when it succeeded */
        SearchHit hit;   /* the first of the last search, without its strings */
        size_t n_hits, n_models;
} Client;

Client *client_new_at(Harness *h, const char *door); /* of CONDUCTOR_BUS */
Client *client_up(Harness *h, Via via);              /* and waits until it is */
Client *client_free(Client *c);
DEFINE_CLEANUP(Client *, client_free)
bool client_is_up(const Client *c);

void client_on_done(const Failure *failure, void *userdata); /* the Client */
/* Until more than so many are done, the last of them with success. */
void client_wait_done(Client *c, unsigned before);

#define do_and_wait(c, call) \
        do { \
                unsigned _before = (c)->n_done; \
                assert_return_code((call), 0); \
                client_wait_done((c), _before); \
        } while (0)

void begin_send(Client *c, const char *text);
void send_text(Client *c, const char *text); /* and waits until it is done */

size_t count_messages(const Client *c);
/* From the end: 1 is the last. */
MessageItem *message(const Client *c, size_t nth);
const char *text_of(const MessageItem *m, Channel channel);
/* It has so many messages, and nothing is on its way. */
bool ended(const Client *c, size_t n);
bool has_text(const Client *c, const char *text); /* the last message */
char *words(unsigned n);                          /* so many as the scripted engine says them */
char *path_of_open(const Client *c);
/* All of what it shows is what the service has. */
void check_texts(Client *c, sd_bus *bus);
