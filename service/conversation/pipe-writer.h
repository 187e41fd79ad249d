/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The writing end of a pipe on the loop: takes bytes from a source when the reader has room for
 * them, so what is buffered is what the kernel's pipe holds. SIGPIPE must be blocked or ignored. */

#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct PipeWriter PipeWriter;

typedef struct PipeSource {
        /* 1: there are bytes, valid until the next call of the source. 0: none now, wake the writer
         * when there are. -ENODATA: that was all. Another error ends the pipe as well. */
        int (*peek)(const char **ret, size_t *ret_size, void *userdata);
        void (*taken)(size_t n, void *userdata);
        /* The pipe is over, once, from the loop: all is written, the reader is gone (-EPIPE), or
         * the source failed. Frees the writer. */
        void (*closed)(int error, void *userdata);
} PipeSource;

/* *ret_fd is the reading end, for the caller to send and close. Nothing is asked of the source
 * before the loop runs. */
int pipe_writer_new(
        PipeWriter **ret, sd_event *event, const PipeSource *source, void *userdata, int *ret_fd);
PipeWriter *pipe_writer_free(PipeWriter *w);
DEFINE_CLEANUP(PipeWriter *, pipe_writer_free)

void pipe_writer_wake(PipeWriter *w);
