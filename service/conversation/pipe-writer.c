/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/pipe-writer.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include "common/event-util.h"
#include "common/log.h"

/* What one dispatch writes at most: the loop has others to serve. */
#define PIPE_TURN_MAX KIB(256)

struct PipeWriter {
        int fd;
        const PipeSource *source;
        void *userdata;
        sd_event_source *io;
};

/* 1: go on when the pipe has room. 0: the source has nothing now. Negative: it is over. */
static int pipe_writer_fill(PipeWriter *w)
{
        for (size_t written = 0; written < PIPE_TURN_MAX;) {
                const char *data;
                size_t size;
                ssize_t n;
                int r;

                r = w->source->peek(&data, &size, w->userdata);
                if (r <= 0)
                        return r;
                n = write(w->fd, data, MIN(size, PIPE_TURN_MAX - written));
                if (n < 0)
                        return errno == EAGAIN || errno == EINTR ? 1 : -errno;
                w->source->taken(n, w->userdata);
                written += n;
        }
        return 1;
}

static int on_pipe(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        PipeWriter *w = ASSERT_PTR(userdata);
        int r;

        r = revents & EPOLLERR ? -EPIPE : pipe_writer_fill(w);
        if (r == 0) /* the reader's death is reported all the same */
                r = sd_event_source_set_io_events(w->io, 0);
        if (r < 0)
                w->source->closed(r == -ENODATA ? 0 : r, w->userdata);
        return 0;
}

int pipe_writer_new(
        PipeWriter **ret, sd_event *event, const PipeSource *source, void *userdata, int *ret_fd)
{
        _cleanup_(pipe_writer_freep) PipeWriter *w = NULL;
        _cleanup_close_ int reader = -EBADF;
        int fds[2], r;

        w = calloc(1, sizeof *w);
        if (!w)
                return -ENOMEM;
        w->fd = -EBADF;
        w->source = source;
        w->userdata = userdata;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        reader = fds[0];
        w->fd = fds[1];
        /* This end alone: the reader's is for ordinary programs. */
        if (fcntl(w->fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        r = sd_event_add_io(event, &w->io, w->fd, EPOLLOUT, on_pipe, w);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(w->io, "pipe-writer");

        *ret_fd = TAKE_FD(reader);
        *ret = TAKE_PTR(w);
        return 0;
}

PipeWriter *pipe_writer_free(PipeWriter *w)
{
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->io);
        safe_close(w->fd);
        free(w);
        return NULL;
}

void pipe_writer_wake(PipeWriter *w)
{
        int r;

        r = sd_event_source_set_io_events(w->io, EPOLLOUT);
        if (r < 0)
                event_give_up(sd_event_source_get_event(w->io), r, "a pipe");
}
