/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the service may be told that something failed. Each call that may fail asks point_fails()
 * first; in each run of the service the first point that was never tried before does. A point is a
 * call by its chain of our own callers, and which time it came there. So a sweep ends when every
 * way to every call has failed once, however the threads were scheduled. */

#include <stdatomic.h>

#include "common/macro.h"

#define POINT_DEPTH 64

typedef enum Kind {
        KIND_MEMORY,
        KIND_SYSTEM, /* read, write, send, open, … */
        KIND_BUS,    /* sd-bus */
        KIND_LOOP,   /* sd-event */
        KIND_JSON,
        KIND_CURL,
        KIND_CRYPTO,
        KIND_SQLITE_MEMORY,
        KIND_SQLITE_IO,
        KIND_SQLITE_FULL,
        _KIND_MAX,
} Kind;

typedef enum Mode {
        MODE_NONE,
        MODE_ONCE,
        MODE_ON, /* from the point on, all of its kind */
        _MODE_MAX,
} Mode;

const char *kind_to_string(Kind k);
const char *mode_to_string(Mode m);

/* What one run of the service shares with who watches it. */
typedef struct Run {
        Mode mode;
        unsigned kinds; /* a bit for each that may fail */
        atomic_bool failed;
        /* of the point */
        Kind kind;
        const char *function;
        unsigned long n; /* the n-th call of its kind */
        void *stack[POINT_DEPTH];
        int depth;
} Run;

/* Before all that fork; what was tried is shared by them. part: only every part-th point is tried,
 * always the same ones. occurrences: of a call by the same way, so many are different points. */
int points_open(unsigned part, unsigned occurrences);
void points_set_part(unsigned part);
/* In the service's process: from now on. */
void points_arm(Run *run);
void points_disarm(void);

/* Of an address in the program's code, from its beginning. */
ptrdiff_t points_offset(const void *address);

bool point_fails(Kind kind, const char *function);
