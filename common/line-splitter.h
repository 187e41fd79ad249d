/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lines out of a stream of chunks that may end anywhere. One growing buffer keeps the unfinished
 * line and remembers how far it was looked through; lines that lie whole in a chunk are delivered
 * from where they are, and a chunk costs at most one move of its unfinished rest. */

#include "common/buffer.h"

typedef enum LineEnds {
        LINE_ENDS_LF,  /* NDJSON */
        LINE_ENDS_ANY, /* LF, CR or CRLF, mixed, a CRLF perhaps in two chunks (SSE) */
} LineEnds;

/* line is without its end, not NUL-terminated, valid during the call. A negative result stops. */
typedef int (*line_splitter_line_t)(const char *line, size_t size, void *userdata);

typedef struct LineSplitter {
        LineEnds ends;
        Buffer rest;     /* the unfinished line */
        bool swallow_lf; /* the last chunk ended with CR: an LF that follows belongs to it */
} LineSplitter;

/* maximum: bytes of one line without its end. */
#define LINE_SPLITTER_INIT(e, max) ((LineSplitter){ .ends = (e), .rest = BUFFER_INIT(max) })

void line_splitter_done(LineSplitter *s);

/* -EFBIG for a line over the maximum (lines before it were delivered), -ENOMEM, or the callback's
 * negative result; the stream cannot go on after a failure. The callback must not touch s. */
int line_splitter_feed(
        LineSplitter *s, const char *data, size_t size, line_splitter_line_t line, void *userdata);

/* The stream ended. Delivers a last line that had no end: 1 then, else 0. */
int line_splitter_finish(LineSplitter *s, line_splitter_line_t line, void *userdata);
