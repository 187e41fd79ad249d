/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/pty.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/bus/process.h"

static _Noreturn void run(
        const char *terminal, const char *const *arguments, const char *const *environment)
{
        int fd;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) setsid();
        fd = open(terminal, O_RDWR);
        if (fd < 0)
                _exit(126);
        for (int i = 0; i < 3; i++)
                (void) dup2(fd, i);
        (void) execvpe(arguments[0], (char *const *) arguments, (char *const *) environment);
        _exit(127);
}

void pty_start(
        Pty *p, const char *const *arguments, const char *const *environment, int rows, int columns)
{
        struct winsize size = {
                .ws_row = (unsigned short) rows,
                .ws_col = (unsigned short) columns,
        };
        char terminal[64];

        *p = (Pty){ .fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) };
        assert_return_code(p->fd, errno);
        assert_int_equal(grantpt(p->fd), 0);
        assert_int_equal(unlockpt(p->fd), 0);
        assert_int_equal(ptsname_r(p->fd, terminal, sizeof terminal), 0);
        assert_return_code(ioctl(p->fd, TIOCSWINSZ, &size), errno);
        p->pid = fork();
        assert_return_code(p->pid, errno);
        if (p->pid == 0)
                run(terminal, arguments, environment);
}

#define ENVIRONMENT_MAX 16U

void pty_start_client(Pty *p, const Harness *h, const char *option, const char *const *more,
        int rows, int columns)
{
        const struct {
                const char *name, *value;
        } variables[] = {
                { "PATH", "/usr/bin:/bin" },
                { "HOME", h->home },
                { "XDG_RUNTIME_DIR", h->runtime },
                { "XDG_CONFIG_HOME", h->config },
                { "XDG_STATE_HOME", h->state },
                { "DBUS_SESSION_BUS_ADDRESS", h->address },
                { "TERM", "xterm-256color" },
                { "LC_ALL", "C.UTF-8" },
                { "CONDUCTOR_AVATAR_DIR", strempty(getenv("CONDUCTOR_AVATAR_DIR")) },
        };
        const char *arguments[] = { getenv("CONDUCTOR_TUI"), option, NULL };
        char *environment[ENVIRONMENT_MAX] = { NULL };

        size_t n = 0;

        assert_non_null(arguments[0]);
        for (; n < ELEMENTSOF(variables); n++)
                assert_true(asprintf(&environment[n], "%s=%s", variables[n].name,
                                    variables[n].value) > 0);
        for (; more && *more; more++) {
                assert_true(n < ENVIRONMENT_MAX - 1);
                environment[n] = strdup(*more);
                assert_non_null(environment[n++]);
        }
        pty_start(p, arguments, (const char *const *) environment, rows, columns);
        for (size_t i = 0; i < ELEMENTSOF(environment); i++)
                free(environment[i]);
}

void pty_end(Pty *p)
{
        (void) kill(p->pid, SIGTERM);
        while (pty_read(p, (double) harness_now() + HARNESS_PATIENCE) > 0)
                ;
        assert_int_equal(process_wait(p->pid, HARNESS_PATIENCE), 0);
        p->fd = safe_close(p->fd);
}

void pty_write(Pty *p, const char *bytes, size_t size)
{
        assert_int_equal(write(p->fd, bytes, size), size);
}

void pty_forget(Pty *p)
{
        p->n_tail = 0;
}

/* As a terminal of today does. One that is not modern answers nothing. */
static void answer(Pty *p)
{
        static const char question[] = "\033[?69$p", modes[] = "\033[?2026;2$y\033[?69;2$y";

        if (!p->modern || p->answered || !memmem(p->tail, p->n_tail, question, sizeof question - 1))
                return;
        p->answered = true;
        pty_write(p, modes, sizeof modes - 1);
}

size_t pty_read(Pty *p, double deadline)
{
        struct pollfd wanted = { .fd = p->fd, .events = POLLIN };
        double left = deadline - (double) harness_now();
        ssize_t n;

        if (left <= 0 || poll(&wanted, 1, (int) (left / 1e3) + 1) <= 0)
                return 0;
        if (p->n_tail > sizeof p->tail / 2)
                p->n_tail = 0;
        n = read(p->fd, p->tail + p->n_tail, sizeof p->tail - p->n_tail);
        if (n <= 0)
                return 0; /* its last process ended */
        p->n_tail += (size_t) n;
        p->bytes += (size_t) n;
        p->reads++;
        answer(p);
        return (size_t) n;
}

void pty_wait(Pty *p, const char *text)
{
        double deadline = (double) harness_now() + HARNESS_PATIENCE;

        while (!memmem(p->tail, p->n_tail, text, strlen(text)))
                assert_true(pty_read(p, deadline) > 0);
}
