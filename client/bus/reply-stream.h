/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A question and its streamed answer in one call: Manager.Ask with the option `follow`. Text
 * arrives exactly once and in order; what the window cost is acknowledged here; what was dropped
 * while this program was stopped is read again with GetReply. So it is after a connection that
 * broke, where the caller makes another one. */

#include <systemd/sd-bus.h>

#include "common/failure.h"
#include "common/text.h"

typedef struct ReplyStream ReplyStream;

typedef struct ReplyStreamOps {
        /* The question is kept: in this conversation (an object path), with this reply. */
        void (*asked)(const char *conversation, uint64_t reply, void *userdata);
        /* Words for the phase the reply is in; place > 0: so many are before it. */
        void (*phase)(const char *phase, unsigned place, void *userdata);
        void (*text)(Channel channel, const char *text, size_t size, void *userdata);
        /* Exactly once. failure is set when it failed, or when the service went away. metadata: an
         * a{sv} to be read, or NULL. */
        void (*ended)(const Failure *failure, sd_bus_message *metadata, void *userdata);
        /* The connection broke, or does not get to the service, while the reply may go on there:
         * reply_stream_rejoin() may follow, from later on the loop. NULL: then it ended. */
        void (*broken)(const Failure *failure, void *userdata);
        /* After reply_stream_rejoin(): the service sends what is missing. */
        void (*rejoined)(void *userdata);
} ReplyStreamOps;

/* call: Manager.Ask with question and an *open* options dictionary; `follow` is added and the
 * dictionary closed here. The bus must be attached to an event loop. */
int reply_stream_new(sd_bus *bus, sd_bus_message *call, const ReplyStreamOps *ops, void *userdata,
        ReplyStream **ret);
ReplyStream *reply_stream_free(ReplyStream *s);
DEFINE_CLEANUP(ReplyStream *, reply_stream_free)

/* Goes on with another connection, on the loop too, from the byte where it was. */
int reply_stream_rejoin(ReplyStream *s, sd_bus *bus);

/* Asks the service to end the reply, at any phase, or when it is
 * reached again; ended() then comes with reason `cancelled`. */
int reply_stream_cancel(ReplyStream *s);
