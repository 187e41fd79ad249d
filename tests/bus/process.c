/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bus/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int move_to(int fd, int as)
{
        if (fd == as)
                return fcntl(fd, F_SETFD, 0);
        return dup2(fd, as);
}

/* In the child. */
_noreturn_ static void run(const Spawn *s, pid_t parent)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        sigset_t none;

        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        if (move_to(null, STDIN_FILENO) < 0 ||
                move_to(s->output >= 0 ? s->output : null, STDOUT_FILENO) < 0)
                _exit(EXIT_FAILURE);
        if (s->errors >= 0 && move_to(s->errors, STDERR_FILENO) < 0)
                _exit(EXIT_FAILURE);
        if (s->pass >= 0 && move_to(s->pass, s->pass_as) < 0)
                _exit(EXIT_FAILURE);
        (void) execvpe(
                s->arguments[0], (char *const *) s->arguments, (char *const *) s->environment);
        _exit(127);
}

int process_spawn(const Spawn *s, pid_t *ret)
{
        pid_t parent = getpid(), pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0)
                run(s, parent);
        *ret = pid;
        return 0;
}

int process_wait(pid_t pid, usec_t patience)
{
        _cleanup_close_ int fd = (int) syscall(SYS_pidfd_open, pid, 0);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int status;

        if (fd < 0)
                return -errno;
        if (poll(&p, 1, (int) (patience / USEC_PER_MSEC)) == 0)
                return -ETIMEDOUT;
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void process_end(pid_t *pid)
{
        if (*pid <= 0)
                return;
        (void) kill(*pid, SIGKILL);
        (void) waitpid(*pid, NULL, 0);
        *pid = 0;
}
