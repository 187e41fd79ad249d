/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One follower of live replies: it works like a TCP peer. The reply keeps its text once; each
 * follower is sent what it has not got yet, until a window of unacknowledged deltas is full, and
 * goes on, with what has gathered merged, when it acknowledges. A slow or stopped follower costs a
 * few numbers. Knows nothing of the bus: what is to be sent goes into a sink. */

#include <systemd/sd-event.h>

#include "service/conversation/reply.h"

#define FOLLOWER_WINDOW       64U                 /* deltas of one reply not acknowledged, or */
#define FOLLOWER_WINDOW_BYTES KIB(256)            /* of text */
#define FOLLOWER_DELTA_MAX    KIB(64)             /* text of one delta, cut at a character */
#define FOLLOWER_PATIENCE     (60 * USEC_PER_SEC) /* for an ended reply's acknowledgements */

typedef struct Follower Follower;

typedef struct FollowerDelta {
        uint64_t reply, sequence;
        Channel channel;
        uint64_t offset;  /* bytes of the channel before this text */
        const char *text; /* not NUL-terminated; valid during the call only */
        size_t size;
} FollowerDelta;

/* What fails to be sent was not sent: it is tried again when there is next something to send. The
 * callbacks must not free the follower. */
typedef struct FollowerSink {
        int (*delta)(const FollowerDelta *delta, void *userdata);
        int (*end)(Reply *r, uint64_t sequence, void *userdata);
        /* The rest is not sent: the reply ended, and its acknowledgements did not come; or
         * follower_end(). */
        int (*dropped)(uint64_t reply, void *userdata);
        /* The window is full and text waits: told once for each reply. */
        void (*stalled)(Reply *r, uint64_t sequence, void *userdata);
} FollowerSink;

/* patience: FOLLOWER_PATIENCE, except in tests. */
int follower_new(
        Follower **ret, sd_event *event, const FollowerSink *sink, void *userdata, usec_t patience);
Follower *follower_free(Follower *f);
DEFINE_CLEANUP(Follower *, follower_free)

/* Sends the reply from these offsets on, now what is there. The offsets must be borders between
 * characters within the text. A reply that it follows already is begun anew, sequence 1 again. */
int follower_add(Follower *f, Reply *r, const uint64_t offsets[static _CHANNEL_MAX]);

/* Everything up to sequence was taken. Acknowledging nothing new, more than was sent, or a reply
 * that is not followed changes nothing. */
void follower_ack(Follower *f, uint64_t reply, uint64_t sequence);

/* There will be no more: the replies whose end was not sent yet are dropped. */
void follower_end(Follower *f);

/* Where the follower is in a reply; false when it does not follow it. */
bool follower_get_offsets(const Follower *f, uint64_t reply, uint64_t ret[static _CHANNEL_MAX]);
