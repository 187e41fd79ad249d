/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/helper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct Helper {
        sd_event_source *source;
        HelperFlags flags;
        int fd;    /* where the child answers */
        int pidfd; /* to end it: one that was reaped is not hit */
        int file;  /* what it opened, or -EBADF */
        Buffer answer;
        helper_done_t done;
        void *userdata;
};

/* ---- in the child ---- */

void helper_answer(int fd, const char *data, size_t size)
{
        while (size > 0) {
                ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        _exit(EXIT_FAILURE);
                data += n;
                size -= (size_t) n;
        }
}

void helper_answer_file(int fd, int file)
{
        char control[CMSG_SPACE(sizeof file)] = { 0 };
        struct iovec part = { .iov_base = (char[]){ 0 }, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof control,
        };
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof file);
        memcpy(CMSG_DATA(c), &file, sizeof file);
        if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
                _exit(EXIT_FAILURE);
}

/* Nothing of ours may live on in it: the terminal, the bus, and the pipe whose end tells that we
 * died. */
static int keep_descriptors(int fd, int input)
{
        if (dup2(fd, STDIN_FILENO) < 0)
                return -errno;
        if (input >= 0 && dup2(input, HELPER_INPUT) < 0)
                return -errno;
        return close_range(input >= 0 ? HELPER_INPUT + 1 : HELPER_INPUT, ~0U, 0) < 0 ? -errno : 0;
}

_noreturn_ static void run_child(int fd, pid_t parent, const HelperJob *job)
{
        sigset_t none;

        if (keep_descriptors(fd, job->flags & HELPER_HAS_INPUT ? job->input : -EBADF) < 0)
                _exit(EXIT_FAILURE);
        /* What handles our crashes is not for it either. */
        for (int i = 1; i < NSIG; i++)
                (void) signal(i, SIG_DFL); /* not of SIGKILL and SIGSTOP, and of no other need */
        if (job->flags & HELPER_STAYS) {
                /* The terminal's end is not its own. */
                (void) signal(SIGHUP, SIG_IGN);
                (void) signal(SIGINT, SIG_IGN);
                (void) signal(SIGQUIT, SIG_IGN);
                (void) signal(SIGXFSZ, SIG_IGN); /* an error to be told, no end */
        } else
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if (!(job->flags & HELPER_STAYS) && getppid() != parent)
                _exit(EXIT_FAILURE);
        job->work(STDIN_FILENO, job->what);
        _exit(EXIT_SUCCESS);
}

/* ---- in the client ---- */

/* A child ended, with its job or after it: nobody waits for one that hangs. */
static int on_exited(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        siginfo_t info;

        (void) waitid(P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG);
        (void) sd_event_source_set_floating(source, false); /* the last one that has it */
        return 0;
}

/* The loop reaps it. */
static int watch_child(sd_event *event, pid_t pid, int *ret_pidfd)
{
        _cleanup_(sd_event_source_unrefp) sd_event_source *source = NULL;
        _cleanup_close_ int pidfd = -EBADF, copy = -EBADF;
        int r;

        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0)
                return -errno;
        copy = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return -errno;
        r = sd_event_add_io(event, &source, pidfd, EPOLLIN, on_exited, NULL);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(source, "helper");
        (void) sd_event_source_set_io_fd_own(source, true);
        (void) TAKE_FD(pidfd);
        r = sd_event_source_set_floating(source, true);
        if (r < 0)
                return r;
        *ret_pidfd = TAKE_FD(copy);
        return 0;
}

Helper *helper_free(Helper *h)
{
        if (!h)
                return NULL;
        sd_event_source_disable_unref(h->source);
        if (h->pidfd >= 0 && !(h->flags & HELPER_STAYS))
                (void) pidfd_send_signal(h->pidfd, SIGKILL, NULL, 0);
        safe_close(h->pidfd);
        safe_close(h->fd);
        safe_close(h->file);
        buffer_done(&h->answer);
        return mfree(h);
}

/* The byte that a file comes with is not part of a sentence. */
static ssize_t receive(Helper *h, char *data, size_t size)
{
        char control[CMSG_SPACE(sizeof h->file)];
        struct iovec part = { .iov_base = data, .iov_len = size };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof control,
        };
        struct cmsghdr *c;
        ssize_t n;

        n = recvmsg(h->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
                return -errno;
        c = CMSG_FIRSTHDR(&message);
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
                c->cmsg_len == CMSG_LEN(sizeof h->file)) {
                safe_close(h->file);
                memcpy(&h->file, CMSG_DATA(c), sizeof h->file);
        }
        return n;
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Helper *h = ASSERT_PTR(userdata);
        char data[KIB(16)];
        ssize_t n;

        n = receive(h, data, sizeof data);
        if (n == -EAGAIN || n == -EINTR)
                return 0;
        if (n > 0 && buffer_append(&h->answer, data, (size_t) n) >= 0)
                return 0;
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        h->done(&h->answer, &h->file, h->userdata);
        return 0;
}

static pid_t fork_child(int fd, const HelperJob *job)
{
        sigset_t all, before;
        pid_t parent = getpid(), pid;

        /* No handler of ours runs in the child. */
        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &before);
        pid = fork();
        if (pid == 0)
                run_child(fd, parent, job);
        if (pid < 0)
                pid = -errno;
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return pid;
}

int helper_start(sd_event *event, const HelperJob *job, Helper **ret)
{
        _cleanup_(helper_freep) Helper *h = NULL;
        _cleanup_close_ int other = -EBADF;
        int r, fds[2];
        pid_t pid;

        h = malloc(sizeof *h);
        if (!h)
                return -ENOMEM;
        *h = (Helper){
                .flags = job->flags,
                .fd = -EBADF,
                .pidfd = -EBADF,
                .file = -EBADF,
                .answer = BUFFER_INIT(job->answer_max),
                .done = job->done,
                .userdata = job->userdata,
        };
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        h->fd = fds[0];
        other = fds[1];
        r = sd_event_add_io(event, &h->source, h->fd, EPOLLIN, on_answer, h);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(h->source, "helper-answer");

        pid = fork_child(other, job);
        if (pid < 0)
                return pid;
        r = watch_child(event, pid, &h->pidfd);
        if (r < 0) {
                (void) kill(pid, SIGKILL);
                return r;
        }
        *ret = TAKE_PTR(h);
        return 0;
}
