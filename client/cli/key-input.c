/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <termios.h>

#include "client/cli/key.h"
#include "common/key-text.h"

/* A terminal passes no more of a line on, without saying so. */
#define TERMINAL_LINE_MAX 4095U

static struct termios shown;

/* ---- a terminal ---- */

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* Whatever ends the program gives the terminal its echo back first. A handler that only noted it
 * would be too late for a read() that begins just then. */
_noreturn_ static void on_signal(int number)
{
        (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        _exit(number == SIGINT ? EXIT_CANCELLED : 128 + number);
}

static void watch_signals(struct sigaction *before)
{
        struct sigaction action = { .sa_handler = on_signal };

        for (size_t i = 0; i < ELEMENTSOF(ending); i++)
                (void) sigaction(ending[i], &action, before + i);
        action.sa_handler = SIG_IGN;
        (void) sigaction(SIGTSTP, &action, before + ELEMENTSOF(ending));
}

static void unwatch_signals(const struct sigaction *before)
{
        for (size_t i = 0; i < ELEMENTSOF(ending); i++)
                (void) sigaction(ending[i], before + i, NULL);
        (void) sigaction(SIGTSTP, before + ELEMENTSOF(ending), NULL);
}

static ssize_t read_line(char *text)
{
        ssize_t n;

        do
                n = read(STDIN_FILENO, text, KEY_SIZE_MAX + 1);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static ssize_t read_terminal(const char *engine, char *text)
{
        struct sigaction before[ELEMENTSOF(ending) + 1];
        struct termios hidden;
        ssize_t n;

        if (tcgetattr(STDIN_FILENO, &shown) < 0)
                return -errno;
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t) (ECHO | ECHOE | ECHOK | ECHONL);
        hidden.c_lflag |= ICANON | ISIG;
        watch_signals(before);
        /* What was typed before is dropped: it was not meant for this. */
        if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
                n = -errno;
        else {
                (void) fprintf(stderr, "Key of engine %s (it is not shown): ", engine);
                n = read_line(text);
                (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
                (void) fputc('\n', stderr);
        }
        unwatch_signals(before);
        return n;
}

/* ---- a pipe or a file ---- */

static ssize_t read_all(char *text)
{
        size_t size = 0;

        while (size <= KEY_SIZE_MAX) {
                ssize_t n = read(STDIN_FILENO, text + size, KEY_SIZE_MAX + 1 - size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
        }
        return (ssize_t) size;
}

int key_input(const char *engine, char **ret)
{
        bool terminal = cli_is_terminal(STDIN_FILENO);
        _cleanup_(key_text_freep) char *text = key_text_new();
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        ssize_t n;

        if (!text) {
                cli_error("conductor: there is no memory for a key: %m");
                return EXIT_FAILED;
        }
        n = terminal ? read_terminal(engine, text) : read_all(text);
        if (n < 0) {
                cli_error("conductor: the key cannot be read: %s", strerror((int) -n));
                return EXIT_FAILED;
        }
        if (terminal && (size_t) n >= TERMINAL_LINE_MAX) {
                cli_error("conductor: a terminal's line has no room for this key; give it on "
                          "standard input.");
                return EXIT_LIMIT;
        }
        if (key_text_finish(text, (size_t) n, terminal ? "what was typed" : "standard input",
                    &failure) < 0) {
                cli_error("conductor: %s", failure_message(&failure));
                return (size_t) n > KEY_SIZE_MAX ? EXIT_LIMIT : EXIT_USAGE;
        }
        *ret = TAKE_PTR(text);
        return EXIT_DONE;
}
