/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a program asks of the allocator and of the disk, counted by count-calls.c (LD_PRELOAD) in a
 * page that the benchmark has mapped as well. */

#include <stdatomic.h>
#include <stdint.h>

/* Whose code it was that asked; libc's own calls (strdup) belong to who called libc. */
typedef enum CountOwner {
        COUNT_OWN, /* the program itself, and what is linked into it */
        COUNT_JSON_C,
        COUNT_SYSTEMD, /* sd-bus and sd-event */
        COUNT_CURL,
        COUNT_SQLITE,
        COUNT_MD4C,
        COUNT_OTHER,
        _COUNT_OWNER_MAX,
} CountOwner;

typedef struct CountPage {
        /* malloc(), calloc(), realloc(): on the main thread, and on all others. */
        _Atomic uint64_t main_thread[_COUNT_OWNER_MAX], other_threads[_COUNT_OWNER_MAX];
        _Atomic int64_t kept;    /* blocks that are allocated and not freed */
        _Atomic uint64_t fsyncs; /* fsync(), fdatasync() */
} CountPage;

/* The file's name is in this variable of the environment. */
#define COUNT_VARIABLE "COUNT_CALLS"
