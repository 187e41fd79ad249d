/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "common/macro.h"

typedef struct Spawn {
        const char *const *arguments;   /* NULL-ended; the first is looked for in PATH */
        const char *const *environment; /* NULL-ended, whole: nothing is inherited */
        int output, errors;             /* descriptors, or negative: /dev/null, the test's stderr */
        int pass, pass_as;              /* one more descriptor, or negative */
} Spawn;

/* The child dies with the test. */
int process_spawn(const Spawn *s, pid_t *ret);

/* Waits for its end, at most so long; its exit status, 128 + the signal, or -ETIMEDOUT. */
int process_wait(pid_t pid, usec_t patience);
/* SIGKILL and wait; *pid becomes 0. Nothing for 0. */
void process_end(pid_t *pid);
