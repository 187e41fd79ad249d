/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor-terminal COMMAND [ARGUMENT...]: becomes the person's terminal with this command in it.
 * A program of its own, which systemd starts: it looks for programs, which the others must not. */

#include "common/log.h"

#define ARGUMENTS_MAX 64

/* Those that ask the desktop which one it is come first. */
static const struct {
        const char *program; /* NULL: $TERMINAL */
        const char *option;  /* before the command, or NULL */
} terminals[] = {
        { "xdg-terminal-exec", NULL },
        { NULL, "-e" },
        { "x-terminal-emulator", "-e" },
        { "gnome-terminal", "--" },
        { "ptyxis", "--" },
        { "kgx", "--" },
        { "konsole", "-e" },
        { "xfce4-terminal", "-x" },
        { "foot", NULL },
        { "alacritty", "-e" },
        { "kitty", NULL },
        { "xterm", "-e" },
};

/* The terminal that the person names may be one that is known by another option. */
static const char *option_of(const char *program, const char *otherwise)
{
        const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;

        for (size_t i = 0; i < ELEMENTSOF(terminals); i++)
                if (streq_ptr(terminals[i].program, name))
                        return terminals[i].option;
        return otherwise;
}

/* Returns only when there is no such program. */
static void become(const char *program, const char *option, char *const *command)
{
        const char *all[ARGUMENTS_MAX + 3] = { program, option };
        size_t n = option ? 2 : 1;

        for (size_t i = 0; i < ARGUMENTS_MAX && command[i]; i++)
                all[n++] = command[i];
        (void) execvp(program, (char *const *) all);
        if (errno != ENOENT)
                log_warning_errno(-errno, "%s cannot be started, trying another: %m", program);
}

int main(int argc, char *argv[])
{
        const char *chosen = getenv("TERMINAL");

        log_open("conductor-terminal");
        if (argc < 2 || argc > ARGUMENTS_MAX) {
                log_error("It is called with a command: conductor-terminal COMMAND [ARGUMENT...]");
                return 2;
        }
        for (size_t i = 0; i < ELEMENTSOF(terminals); i++) {
                const char *program = terminals[i].program ? terminals[i].program : chosen;

                if (!isempty(program))
                        become(program, option_of(program, terminals[i].option), argv + 1);
        }
        log_error("No terminal is installed that is known. TERMINAL=PROGRAM in "
                  "~/.config/environment.d/terminal.conf names another.");
        return 127;
}
