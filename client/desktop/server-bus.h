/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.freedesktop.Notifications: whoever has the name now, as it can. */

#include "client/desktop/session-bus.h"

typedef enum ServerCan {
        SERVER_ACTIONS = 1 << 0,
        SERVER_MARKUP = 1 << 1,
        SERVER_REPLY = 1 << 2, /* text typed into the notification */
} ServerCan;

typedef enum ServerAction {
        SERVER_OPEN,
        SERVER_COPY,
} ServerAction;

/* Of notifications of ours only, by their ids, or all (0). */
typedef struct ServerOps {
        void (*action)(uint32_t id, ServerAction action, const char *token, void *userdata);
        void (*replied)(uint32_t id, const char *text, void *userdata);
        void (*closed)(uint32_t id, void *userdata); /* 0: the server is gone, with all of them */
} ServerOps;

typedef struct Server Server;

int server_new(Session *session, const ServerOps *ops, void *userdata, Server **ret);
Server *server_free(Server *s);
DEFINE_CLEANUP(Server *, server_free)

/* A set of ServerCan, or negative when this server was not asked yet. */
int server_can(const Server *s);
/* Asks it; can: negative where there is no server. Never called back before it returns. The slot
 * ends the question. */
typedef void (*server_able_t)(int can, void *userdata);
int server_ask(Server *s, server_able_t able, void *userdata, sd_bus_slot **ret);

typedef enum ServerOffer {
        OFFER_OPEN = 1 << 0,
        OFFER_COPY = 1 << 1,
        OFFER_REPLY = 1 << 2,
        OFFER_TRANSIENT = 1 << 3, /* not to be kept */
} ServerOffer;

/* replaces: an id, or 0. shown(): with its id, or 0 when it could not be shown. */
typedef void (*server_shown_t)(uint32_t id, void *userdata);
int server_show(Server *s, uint32_t replaces, const char *summary, const char *body, unsigned offer,
        server_shown_t shown, void *userdata, sd_bus_slot **ret);
void server_close(Server *s, uint32_t id);
