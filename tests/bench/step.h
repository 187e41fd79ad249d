/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A reply of which one token comes at a time: the next one when the service is done with the last.
 */

#include "tests/bench/bench.h"
#include "tests/bus/reader.h"

typedef struct Step {
        Harness *h;
        sd_bus *bus;
        char *conversation;
        Reader *reader;
} Step;

typedef struct StepShape {
        unsigned before, tokens; /* so many come at once, then so many one by one */
        const char *text;        /* more words for the engine, or NULL */
} StepShape;

void step_begin(Step *s, Harness *h, Via via, const StepShape *shape);
void step_next(Step *s); /* one token more is at the reader, and the service has nothing to do */
void step_end(Step *s);  /* when all have come */

/* An answer: what the service had to do before is done. */
void step_ping(Step *s);
