/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A connection that comes back: for clients that stay. It is made anew, with growing pauses, when
 * it breaks or the service goes, and at once when the service's name is on the bus again. Nothing
 * here blocks, but link_new() where the options say CLIENT_WAIT. */

#include <systemd/sd-event.h>

#include "client/bus/connect.h"
#include "common/macro.h"

#define LINK_PAUSE_MIN (250 * USEC_PER_MSEC)
#define LINK_PAUSE_MAX (30 * USEC_PER_SEC)

typedef enum LinkState {
        LINK_CONNECTING,
        LINK_UP,
        LINK_DOWN, /* tries again by itself */
} LinkState;

typedef struct LinkOps {
        /* A connection on the loop: ask the service, and say what came of it with link_succeeded()
         * or link_failed(). It is the link's; take no reference that outlives closed(). */
        void (*opened)(sd_bus *bus, ClientDoor door, void *userdata);
        /* What was opened, if anything was, is of no use any more. link_state() knows why, and when
         * there will be another attempt. */
        void (*closed)(void *userdata);
} LinkOps;

typedef struct Link Link;

/* The flags are those of the first attempt. Fails only for what trying again does not mend: options
 * that are not understood, no memory. */
int link_new(sd_event *event, const ClientOptions *options, const LinkOps *ops, void *userdata,
        Link **ret, Failure *failure);
Link *link_free(Link *l); /* does not call closed() */
DEFINE_CLEANUP(Link *, link_free)

/* The first attempt, with the connection that link_new() made. */
void link_start(Link *l);

void link_succeeded(Link *l);
void link_failed(Link *l, const Failure *failure);

/* *ret_sentence: "" when up; *ret_retry: CLOCK_MONOTONIC, 0 while an attempt is on its way. Both
 * may be NULL. */
LinkState link_state(const Link *l, const char **ret_sentence, usec_t *ret_retry);
