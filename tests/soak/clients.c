/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/soak/soak.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "tests/bus/process.h"

#define ROWS    40
#define COLUMNS 120

static void set(Soak *s, size_t *n, const char *name, const char *value)
{
        assert_true(*n < ELEMENTSOF(s->tui_environment) - 1);
        assert_true(asprintf(&s->tui_environment[(*n)++], "%s=%s", name, strempty(value)) > 0);
}

static void make_environment(Soak *s)
{
        size_t n = 0;

        set(s, &n, "PATH", "/usr/bin:/bin");
        set(s, &n, "HOME", s->h->home);
        set(s, &n, "XDG_RUNTIME_DIR", s->h->runtime);
        set(s, &n, "DBUS_SESSION_BUS_ADDRESS", s->h->address);
        set(s, &n, "TERM", "xterm-256color");
        set(s, &n, "LC_ALL", "C.UTF-8");
        set(s, &n, "CONDUCTOR_AVATAR_DIR", getenv("CONDUCTOR_AVATAR_DIR"));
}

/* What it draws is taken and dropped. */
static int on_screen(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        char bytes[KIB(64)];

        assert_true(read(fd, bytes, sizeof bytes) > 0);
        return 0;
}

void tui_start(Soak *s)
{
        const char *program = getenv("CONDUCTOR_TUI");
        const char *const arguments[] = { program, NULL };

        make_environment(s);
        s->tui.fd = -EBADF;
        if (isempty(program))
                return;
        pty_start(&s->tui, arguments, (const char *const *) s->tui_environment, ROWS, COLUMNS);
        pty_wait(&s->tui, "tiny:latest"); /* the status line has the model */
        assert_return_code(
                sd_event_add_io(s->h->event, &s->tui_source, s->tui.fd, EPOLLIN, on_screen, s), 0);
}

void tui_end(Soak *s)
{
        s->tui_source = sd_event_source_disable_unref(s->tui_source);
        if (s->tui.fd >= 0)
                pty_end(&s->tui);
        for (size_t i = 0; i < ELEMENTSOF(s->tui_environment); i++)
                s->tui_environment[i] = mfree(s->tui_environment[i]);
}

static int on_exit_of(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        int *status = userdata;

        *status = si->si_code == CLD_EXITED ? si->si_status : 128 + si->si_status;
        return 0;
}

void cli_ask(Soak *s, const char *model)
{
        const char *const arguments[] = { getenv("CONDUCTOR"), "ask", "--model", model,
                "@tokens=20", NULL };
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *child = NULL;
        int status = -EISCONN;
        pid_t pid = 0;

        assert_non_null(arguments[0]);
        assert_return_code(
                process_spawn(&(Spawn){ .arguments = arguments,
                                      .environment = (const char *const *) s->tui_environment,
                                      .output = -EBADF,
                                      .errors = -EBADF,
                                      .pass = -EBADF },
                        &pid),
                0);
        assert_return_code(
                sd_event_add_child(s->h->event, &child, pid, WEXITED, on_exit_of, &status), 0);
        harness_run_until(s->h, status >= 0);
        assert_int_equal(status, 0);
        s->n[SOAK_CLI]++;
}
