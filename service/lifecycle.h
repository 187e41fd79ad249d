/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From the first turn of the loop to the last: signals, watchdog, what is told to systemd, leaving
 * when nobody needs the service, stopping when it is told to. */

#include "service/manager.h"

/* A turn of the loop that takes longer is one line in the journal. */
#define DISPATCH_SLOW_USEC (100 * USEC_PER_MSEC)
/* A stop that has not ended by then ends without what it waits for: what is not stored yet is in
 * the last second's partial text. */
#define STOP_DEADLINE_USEC (1500 * USEC_PER_MSEC)

/* SIGTERM, SIGINT and SIGHUP are blocked by main(). */
int lifecycle_new(Lifecycle **ret, Manager *m);
Lifecycle *lifecycle_free(Lifecycle *l);
DEFINE_CLEANUP(Lifecycle *, lifecycle_free)

/* systemd holds the socket and starts the next service: this one may leave when it is idle. One
 * that made its socket itself could not be called again. */
void lifecycle_set_activated(Lifecycle *l);

/* The doors open: from here on it serves. */
void lifecycle_open(Lifecycle *l);
/* Whoever waits for the service reaches it. */
void lifecycle_ready(Lifecycle *l);
/* Its program was replaced on disk by another: an upgrade. Blocks: for a worker. */
bool lifecycle_is_replaced(void);
/* It leaves as soon as no reply lives or waits, whoever is connected: clients connect again, to the
 * new program. One that nobody would start again stays. */
void lifecycle_set_replaced(Lifecycle *l);
/* It cannot go on: says why and ends with the status. */
void lifecycle_fail(Lifecycle *l, int status, const char *why);

/* Returns the exit status. */
int lifecycle_run(Lifecycle *l);
