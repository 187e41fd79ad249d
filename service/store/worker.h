/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A thread for what blocks. Jobs run there one after another, in the order in which they were
 * submitted; each job's completion runs later on the loop. The thread sees plain data only: never
 * the bus, the loop, or an object of another room. */

#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct Worker Worker;

/* All callbacks get the data given to worker_submit(). run is called on the thread; done on the
 * loop, exactly once for each job whose run was called, unless the worker is freed first: then
 * discard (or done, where discard is NULL, is NOT called; give discard when data must be freed). */
typedef struct WorkerJob {
        void (*run)(void *data);
        void (*done)(void *data);
        void (*discard)(void *data);
        void *data;
} WorkerJob;

/* Around all jobs that wait when the thread wakes up (group commit). Optional; on the thread. */
typedef struct WorkerBatch {
        /* After each job but the last; optional: true when nothing that ran needs the batch's end,
         * so that its completions go to the loop at once. */
        bool (*settled)(void *userdata);
        void (*end)(void *userdata);   /* before their completions go to the loop */
        void (*after)(void *userdata); /* when they are on their way: for what nobody waits for */
        void *userdata;
} WorkerBatch;

/* The thread starts with the first job. All signals are blocked in it. batch may be NULL. */
int worker_new(Worker **ret, sd_event *event, const char *name, const WorkerBatch *batch);

/* Runs what was submitted, joins the thread, calls discard for what has not been delivered. Not
 * from a callback of a job. */
Worker *worker_free(Worker *w);
DEFINE_CLEANUP(Worker *, worker_free)
/* The same where nothing is pending, without waiting for the thread, which ends by itself. */
Worker *worker_leave(Worker *w);

/* After so much of completions others on the loop have their turn. */
#define WORKER_TURN_USEC (2 * USEC_PER_MSEC)

/* On failure nothing of the job was or will be called. */
int worker_submit(Worker *w, const WorkerJob *job);

/* From so many bytes on it is worth the way. */
#define WORKER_DISPOSED_MIN MIB(1)

/* release(data) on the thread: the kernel takes large memory back page by page. At once where w is
 * NULL, or where there is no memory for the job. */
void worker_dispose(Worker *w, void *data, void (*release)(void *data));

/* On the thread: jobs wait for it, or its end is. */
bool worker_is_wanted(Worker *w);

/* Jobs submitted whose done has not been called. */
unsigned worker_pending(const Worker *w);
