/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A bus of its own, which starts the service, or the program that is its floor, when it is called.
 */

#include "tests/bench/bench.h"

#define STARTING_BUS_FLOOR \
        "org.aiway.ConductorBench" /* the name by which BENCH_SERVICE is called */

/* Returns its address; the caller frees, and ends *ret with process_end(). */
char *starting_bus_start(const Harness *h, pid_t *ret);
/* Who has this name now; 0: nobody. */
pid_t starting_bus_service(sd_bus *bus, const char *name);
/* Ends it, if it runs, and waits: the next one needs its lock. */
void starting_bus_end_service(sd_bus *bus, const char *name);
