/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/rescue.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* What the waiting process is told. */
#define WORD_PAUSE  'p'
#define WORD_RESUME 'r'

static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP, SIGTERM,
        SIGINT, SIGQUIT };

/* A handler gets no argument of ours. */
static struct {
        volatile sig_atomic_t armed;
        int fd;
        struct termios modes;
        char bytes[RESCUE_BYTES_MAX];
        size_t size;
        int socket; /* to the waiting process: a pipe that nobody reads would end us */
        struct sigaction before[ELEMENTSOF(deadly)];
        char stack[16384]; /* the ordinary one may be what overflowed */
} rescue = { .fd = -EBADF, .socket = -EBADF };

static void restore_now(void)
{
        ssize_t n;

        (void) tcflush(rescue.fd, TCIFLUSH);
        (void) tcsetattr(rescue.fd, TCSANOW, &rescue.modes);
        /* Whether it takes all of it or not: there is nothing more to be done. */
        n = write(rescue.fd, rescue.bytes, rescue.size);
        (void) n;
}

static void on_deadly_signal(int signal)
{
        if (rescue.armed) {
                rescue.armed = 0;
                restore_now();
        }
        /* SA_RESETHAND has put the ordinary end back. */
        (void) raise(signal);
}

/* ---- the waiting process ---- */

static void close_all_but(int a, int b)
{
        unsigned low = (unsigned) MIN(a, b), high = (unsigned) MAX(a, b);

        if (low > 0)
                (void) close_range(0, low - 1, 0);
        if (high > low + 1)
                (void) close_range(low + 1, high - 1, 0);
        (void) close_range(high + 1, ~0U, 0);
}

/* It may block: nobody waits for it. */
__attribute__((noreturn)) static void wait_and_restore(int reader)
{
        bool paused = false;
        char word = 0;
        ssize_t n;

        for (;;) {
                n = read(reader, &word, 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        _exit(EXIT_FAILURE); /* we may live */
                if (n == 0)
                        break;
                paused = word == WORD_PAUSE;
        }
        if (!paused) {
                int flags = fcntl(rescue.fd, F_GETFL);

                (void) fcntl(rescue.fd, F_SETFL, flags & ~O_NONBLOCK);
                restore_now();
        }
        _exit(EXIT_SUCCESS);
}

/* Twice forked, in a session of its own: no child of ours that somebody could wait for, and no
 * signal of the terminal's reaches it. */
static int start_waiting(void)
{
        int ends[2], status;
        pid_t child;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        child = fork();
        if (child < 0) {
                int error = -errno;

                (void) close(ends[0]);
                (void) close(ends[1]);
                return error;
        }
        if (child == 0) {
                sigset_t all;

                (void) sigfillset(&all);
                (void) sigprocmask(SIG_SETMASK, &all, NULL);
                (void) setsid();
                child = fork();
                if (child != 0)
                        _exit(child < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
                close_all_but(ends[0], rescue.fd);
                wait_and_restore(ends[0]);
        }
        (void) close(ends[0]);
        rescue.socket = ends[1];
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                ;
        return 0;
}

/* ---- */

int rescue_arm(int fd, const struct termios *modes, const char *bytes, size_t size)
{
        stack_t stack = { .ss_sp = rescue.stack, .ss_size = sizeof rescue.stack };
        struct sigaction action = {
                .sa_handler = on_deadly_signal,
                .sa_flags = (int) SA_RESETHAND | SA_NODEFER | SA_ONSTACK,
        };

        assert(size <= sizeof rescue.bytes);
        rescue.fd = fd;
        rescue.modes = *modes;
        memcpy(rescue.bytes, bytes, size);
        rescue.size = size;
        rescue.armed = 1;

        (void) sigaltstack(&stack, NULL);
        (void) sigemptyset(&action.sa_mask);
        for (size_t i = 0; i < ELEMENTSOF(deadly); i++)
                (void) sigaction(deadly[i], &action, &rescue.before[i]);
        return start_waiting();
}

static void tell(char word)
{
        ssize_t n;

        if (rescue.socket < 0)
                return;
        /* There is room for hundreds of words, and whoever reads them reads each at once. */
        n = send(rescue.socket, &word, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void) n;
}

void rescue_pause(bool paused)
{
        if (rescue.fd < 0)
                return;
        rescue.armed = !paused;
        tell(paused ? WORD_PAUSE : WORD_RESUME);
}

void rescue_disarm(bool restored)
{
        if (rescue.fd < 0)
                return;
        rescue.armed = 0;
        for (size_t i = 0; i < ELEMENTSOF(deadly); i++)
                (void) sigaction(deadly[i], &rescue.before[i], NULL);
        if (restored)
                tell(WORD_PAUSE);
        rescue.socket = safe_close(rescue.socket);
        rescue.fd = -EBADF;
}
