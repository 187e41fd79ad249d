/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A child process for what may wait: a folder on a dead mount, a disk that is asleep. It is a copy
 * of this program that does one thing, answers, and ends; it may block. The loop reaps it, by its
 * pidfd, whatever became of the job: SIGCHLD is nobody's concern here. */

#include <systemd/sd-event.h>

#include "common/buffer.h"

#define HELPER_INPUT 1 /* the descriptor that a child has its input by */

typedef enum HelperFlags {
        HELPER_STAYS = 1 << 0, /* it finishes what it began, also when we are gone */
        HELPER_HAS_INPUT = 1 << 1,
} HelperFlags;

/* When the child has ended its answer. file: what it opened, to be taken, or -EBADF. May free the
 * helper. */
typedef void (*helper_done_t)(Buffer *answer, int *file, void *userdata);

typedef struct HelperJob {
        HelperFlags flags;
        void (*work)(int fd, const void *what); /* in the child; answers by fd */
        const void *what;                       /* of our memory as it is now */
        int input;                              /* borrowed */
        size_t answer_max;                      /* what is longer ends there */
        helper_done_t done;
        void *userdata;
} HelperJob;

typedef struct Helper Helper;

int helper_start(sd_event *event, const HelperJob *job, Helper **ret);
/* Nobody is told any more; the child is killed, but for one that stays. */
Helper *helper_free(Helper *h);
DEFINE_CLEANUP(Helper *, helper_free)

/* In the child. They do not return when nobody is there to hear it. */
void helper_answer(int fd, const char *data, size_t size);
void helper_answer_file(int fd, int file);
