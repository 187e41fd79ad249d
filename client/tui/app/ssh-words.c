/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/app/ssh-words.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/utf8.h"

#define LINE_SHOWN 512U
#define READ_SIZE  KIB(4)

struct SshWords {
        int before, pipe; /* standard error as it was; where its words come from */
        sd_event_source *source;
        void (*said)(const char *line, void *userdata);
        void *userdata;
};

SshWords *ssh_words_free(SshWords *w)
{
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->source);
        if (w->before >= 0)
                (void) dup2(w->before, STDERR_FILENO);
        (void) safe_close(w->before);
        (void) safe_close(w->pipe);
        free(w);
        return NULL;
}

/* A line that ssh writes in two pieces is two. */
static int on_words(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
        SshWords *w = ASSERT_PTR(userdata);
        char words[READ_SIZE];
        ssize_t n;

        n = read(fd, words, sizeof words);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        for (char *p = words, *end = words + n, *stop; p < end; p = stop + 1) {
                _cleanup_free_ char *line = NULL;

                stop = memchr(p, '\n', end - p);
                if (!stop)
                        stop = end;
                if (utf8_sanitize_line(p, stop - p, LINE_SHOWN, &line) >= 0 && !isempty(line))
                        w->said(line, w->userdata);
        }
        return 0;
}

int ssh_words_new(sd_event *event, void (*said)(const char *line, void *userdata), void *userdata,
        SshWords **ret)
{
        _cleanup_(ssh_words_freep) SshWords *w = NULL;
        _cleanup_close_ int write_end = -EBADF;
        int fds[2], r;

        w = malloc(sizeof *w);
        if (!w)
                return -ENOMEM;
        *w = (SshWords){ .before = -EBADF, .pipe = -EBADF, .said = said, .userdata = userdata };
        /* Who writes more than is read here loses words, and waits for nothing. */
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        w->pipe = fds[0];
        write_end = fds[1];
        r = sd_event_add_io(event, &w->source, w->pipe, EPOLLIN, on_words, w);
        if (r < 0)
                return r;
        w->before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (w->before < 0 || dup2(write_end, STDERR_FILENO) < 0)
                return -errno;
        *ret = TAKE_PTR(w);
        return 0;
}
