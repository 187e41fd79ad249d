/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A follower of one conversation that acknowledges as clients do and checks all that the contract
 * promises: sequences without a gap, offsets that join, nothing after the end. */

#include "common/buffer.h"
#include "common/text.h"
#include "tests/bus/harness.h"

#define READER_ACK_EVERY 32U
#define READER_ACK_BYTES KIB(128)

typedef struct Reader {
        Harness *harness;
        sd_bus *bus;
        char *conversation;
        sd_bus_slot *slots[3];
        uint64_t epoch;
        uint32_t window;
        bool silent; /* acknowledges nothing */
        /* Of the reply that it saw last; begun anew with each. */
        uint64_t reply, sequence, acknowledged;
        size_t unacknowledged;
        Buffer text[_CHANNEL_MAX];
        unsigned n_deltas, n_ended;
        bool dropped;
        char *reason;                            /* NULL while it lives */
        uint64_t from_reply, from[_CHANNEL_MAX]; /* this one was asked for from these offsets */
} Reader;

/* Calls Follow without options. */
Reader *reader_new(Harness *h, sd_bus *bus, const char *conversation);
/* Follows this reply from these offsets; text is then what comes after them. */
Reader *reader_new_from(Harness *h, sd_bus *bus, const char *conversation, uint64_t reply,
        const uint64_t from[static _CHANNEL_MAX]);
Reader *reader_free(Reader *r);
DEFINE_CLEANUP(Reader *, reader_free)

/* Waits for the end of this reply; returns its reason. */
const char *reader_wait(Reader *r, uint64_t reply);
