/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The way back to a reply on another machine, to which the connection broke in the middle of it:
 * connects anew, with growing pauses, a limited number of times. */

#include <systemd/sd-event.h>

#include "client/bus/reply-stream.h"

typedef struct Rejoin Rejoin;

/* Nothing is tried before rejoin_start(). given_up: there is no way back. */
int rejoin_new(sd_event *event, const char *host, ReplyStream *stream,
        void (*given_up)(void *userdata), void *userdata, Rejoin **ret);
Rejoin *rejoin_free(Rejoin *j); /* not from given_up() */
DEFINE_CLEANUP(Rejoin *, rejoin_free)

void rejoin_start(Rejoin *j);

/* What the stream says of its connection, */
void rejoin_failed(Rejoin *j, const Failure *failure);
void rejoin_succeeded(Rejoin *j);
/* and that text has come by it: the attempts are counted anew. */
void rejoin_progressed(Rejoin *j);
