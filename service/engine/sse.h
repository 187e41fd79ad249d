/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Server-sent events out of chunks that may end anywhere. Only the data counts: event names, ids
 * and comments are passed over. One deviation from the standard: a line "error: …", which old
 * llama-servers send, is an event of its own. */

#include "common/line-splitter.h"

typedef int (*sse_event_t)(const char *data, size_t size, void *userdata);

typedef struct Sse {
        LineSplitter lines;
        Buffer data; /* the data lines of the unfinished event, joined with LF */
        bool has_data;
        bool began; /* a byte order mark can no longer come */

        sse_event_t event; /* set while feeding */
        void *userdata;
} Sse;

/* maximum: bytes of one event's data, and of one line. */
void sse_init(Sse *s, size_t maximum);
void sse_done(Sse *s);

/* 0, -EFBIG, -ENOMEM, or the callback's negative result, which stops. */
int sse_feed(Sse *s, const char *data, size_t size, sse_event_t event, void *userdata);
/* The stream ended: a last event without its empty line, which the standard drops, is told. */
int sse_finish(Sse *s, sse_event_t event, void *userdata);
