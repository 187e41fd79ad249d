/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "client/tui/terminal/terminal-internal.h"
#include "common/base64.h"
#include "common/log.h"
#include "common/utf8.h"

#define ROWS_DEFAULT    24
#define COLUMNS_DEFAULT 80
#define READ_MAX        4096U
#define TITLE_MAX       200U
#define COPY_MAX        MIB(1)
#define MARGINS_ON      "\033[?69h"
/* At the end, and before another program: how long the last bytes may take. */
#define LAST_BYTES_MSEC 100

static void close_down(Terminal *t, int error)
{
        if (t->flags & TERMINAL_CLOSED)
                return;
        t->flags |= TERMINAL_CLOSED;
        t->io = sd_event_source_disable_unref(t->io);
        t->escape = sd_event_source_disable_unref(t->escape);
        if (t->ops.closed)
                t->ops.closed(error, t->userdata);
}

/* ---- output ---- */

static bool has_output(const Terminal *t)
{
        return t->n_sent < t->output.size;
}

static void want_output(Terminal *t, bool want)
{
        int r;

        if (!t->io)
                return;
        r = sd_event_source_set_io_events(t->io, EPOLLIN | (want ? EPOLLOUT : 0));
        if (r < 0)
                log_debug_errno(
                        r, "Cannot change what is waited for of the terminal, ignoring: %m");
}

/* Writes what the terminal takes now. A negative result: it is gone. */
static int send_output(Terminal *t)
{
        while (has_output(t)) {
                ssize_t n = write(t->fd, t->output.data + t->n_sent, t->output.size - t->n_sent);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN) {
                        t->flags |= TERMINAL_WAITED;
                        want_output(t, true);
                        return 0;
                }
                if (n < 0)
                        return -errno;
                t->n_sent += (size_t) n;
        }
        buffer_clear(&t->output);
        t->n_sent = 0;
        want_output(t, false);
        return 0;
}

static int send_and_see(Terminal *t)
{
        int r;

        if (t->flags & (TERMINAL_RELEASED | TERMINAL_CLOSED))
                return 0;
        r = send_output(t);
        if (r < 0)
                close_down(t, 0);
        return 0;
}

/* The last bytes before somebody else writes: it is waited for them, but not for long. False: they
 * did not all go. */
static bool send_last(Terminal *t)
{
        struct pollfd p = { .fd = t->fd, .events = POLLOUT };

        while (send_output(t) >= 0) {
                if (!has_output(t))
                        return true;
                if (poll(&p, 1, LAST_BYTES_MSEC) <= 0 || (p.revents & (POLLERR | POLLHUP)))
                        return false;
        }
        return false;
}

int terminal_show(Terminal *t)
{
        int r;

        if (t->flags & (TERMINAL_RELEASED | TERMINAL_CLOSED))
                return 0;
        if (has_output(t)) {
                t->flags |= TERMINAL_WAITED;
                return -EBUSY;
        }
        r = screen_render(t->screen, &t->output);
        if (r < 0)
                return r;
        return send_and_see(t);
}

static int send_string(Terminal *t, const char *text)
{
        int r;

        if (t->flags & (TERMINAL_RELEASED | TERMINAL_CLOSED))
                return 0;
        r = buffer_append_string(&t->output, text);
        return r < 0 ? r : send_and_see(t);
}

int terminal_copy(Terminal *t, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(TERMINAL_OUTPUT_MAX);
        int r;

        if (size > COPY_MAX)
                return -EFBIG;
        if (!(t->flags & TERMINAL_XTERM))
                return -EOPNOTSUPP;
        r = buffer_append_string(&b, "\033]52;c;");
        if (r >= 0)
                r = base64_append(&b, text, size);
        if (r >= 0)
                r = buffer_append_string(&b, "\a");
        return r < 0 ? r : send_string(t, b.data);
}

int terminal_set_title(Terminal *t, const char *title)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(TITLE_MAX + 16);
        _cleanup_free_ char *clean = NULL;
        int r;

        if (!(t->flags & TERMINAL_XTERM))
                return 0;
        r = utf8_sanitize_line(title, strlen(title), TITLE_MAX, &clean);
        if (r >= 0)
                r = buffer_append_format(&b, "\033]2;%s\a", clean);
        return r < 0 ? r : send_string(t, b.data);
}

int terminal_set_mouse(Terminal *t, bool on)
{
        t->flags = on ? t->flags | TERMINAL_MOUSE : t->flags & ~TERMINAL_MOUSE;
        if (!(t->flags & TERMINAL_XTERM))
                return 0;
        return send_string(t, on ? "\033[?1000h\033[?1006h" : "\033[?1006l\033[?1000l");
}

/* ---- what was asked ---- */

static void load_theme(Terminal *t, Theme theme)
{
        t->theme = theme;
        style_load(theme, t->depth);
        screen_forget(t->screen);
}

static void changed(Terminal *t)
{
        screen_forget(t->screen);
        if (t->ops.changed)
                t->ops.changed(t->userdata);
}

int terminal_set_theme(Terminal *t, const char *theme)
{
        if (isempty(theme) || streq(theme, "auto")) {
                t->flags |= TERMINAL_AUTO;
                load_theme(t, THEME_DARK);
                return (t->flags & TERMINAL_XTERM) ? send_string(t, "\033]11;?\a") : 0;
        }
        if (theme_from_string(theme) < 0)
                return -EINVAL;
        t->flags &= ~TERMINAL_AUTO;
        load_theme(t, theme_from_string(theme));
        return 0;
}

static void on_background(bool dark, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);
        Theme theme = dark ? THEME_DARK : THEME_LIGHT;

        if (!(t->flags & TERMINAL_AUTO) || theme == t->theme)
                return;
        load_theme(t, theme);
        changed(t);
}

static void on_synchronized(bool known, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);

        t->screen_flags = known ? t->screen_flags | SCREEN_SYNCHRONIZED
                                : t->screen_flags & ~SCREEN_SYNCHRONIZED;
        screen_set_flags(t->screen, t->screen_flags);
}

/* They stay on, as wide as the screen but while it scrolls. */
static void on_margins(bool known, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);
        int r;

        if (!known || (t->screen_flags & SCREEN_HAS_MARGINS))
                return;
        r = send_string(t, MARGINS_ON);
        if (r < 0) {
                log_debug_errno(r, "Cannot switch the terminal's margins on, ignoring: %m");
                return;
        }
        t->screen_flags |= SCREEN_HAS_MARGINS;
        screen_set_flags(t->screen, t->screen_flags);
}

static void on_cursor(int row, int column, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);

        if (!terminal_take_width(t, column) || !t->measurable)
                return;
        width_set_ways(t->ways | WIDTH_MEASURED);
        if (t->ways != WIDTH_WAYS_DEFAULT)
                changed(t);
}

/* ---- input ---- */

static void on_key(Key key, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);

        if (t->ops.input.key)
                t->ops.input.key(key, t->userdata);
}

static void on_paste(const char *text, size_t size, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);

        if (t->ops.input.paste)
                t->ops.input.paste(text, size, t->userdata);
}

static void on_mouse(MouseButton button, int row, int column, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);

        if (t->ops.input.mouse)
                t->ops.input.mouse(button, row, column, t->userdata);
}

static void on_focus(bool focused, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);

        t->flags = focused ? t->flags & ~TERMINAL_BLURRED : t->flags | TERMINAL_BLURRED;
        if (t->ops.input.focus)
                t->ops.input.focus(focused, t->userdata);
}

static const InputOps input_ops = {
        .key = on_key,
        .paste = on_paste,
        .mouse = on_mouse,
        .focus = on_focus,
        .cursor = on_cursor,
        .background = on_background,
        .synchronized = on_synchronized,
        .margins = on_margins,
};

static int on_escape_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);

        input_flush(t->input);
        return 0;
}

static int watch_escape(Terminal *t)
{
        int r;

        if (!t->escape)
                return 0;
        if (!input_is_pending(t->input))
                return sd_event_source_set_enabled(t->escape, SD_EVENT_OFF);
        r = sd_event_source_set_time_relative(t->escape, TERMINAL_ESCAPE_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(t->escape, SD_EVENT_ONESHOT);
}

static void receive(Terminal *t)
{
        char data[READ_MAX];
        ssize_t n = read(t->fd, data, sizeof data);
        int r;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                close_down(t, 0);
                return;
        }
        r = input_feed(t->input, data, (size_t) n);
        if (r >= 0)
                r = watch_escape(t);
        if (r < 0)
                log_debug_errno(r, "A part of what was typed is lost, ignoring: %m");
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);

        if (t->flags & TERMINAL_RELEASED)
                return 0;
        if (revents & EPOLLOUT) {
                (void) send_and_see(t);
                if (!has_output(t) && (t->flags & TERMINAL_WAITED)) {
                        t->flags &= ~TERMINAL_WAITED;
                        if (t->ops.drained && !(t->flags & TERMINAL_CLOSED))
                                t->ops.drained(t->userdata);
                }
        }
        if (t->flags & TERMINAL_CLOSED)
                return 0;
        if (revents & EPOLLIN)
                receive(t);
        else if (revents & (EPOLLHUP | EPOLLERR))
                close_down(t, 0);
        return 0;
}

/* ---- its size ---- */

/* Without a size it is treated as the usual one, until one comes. */
static int read_size(Terminal *t)
{
        struct winsize w = { 0 };

        (void) ioctl(t->fd, TIOCGWINSZ, &w);
        return screen_resize(t->screen, w.ws_row > 0 ? w.ws_row : ROWS_DEFAULT,
                w.ws_col > 0 ? w.ws_col : COLUMNS_DEFAULT);
}

static int tell_size(Terminal *t)
{
        int r = read_size(t);

        if (r < 0)
                return r;
        if (t->ops.resized)
                t->ops.resized(screen_rows(t->screen), screen_columns(t->screen), t->userdata);
        return 0;
}

static int on_start(sd_event_source *source, void *userdata)
{
        return tell_size(ASSERT_PTR(userdata));
}

/* ---- giving it away and taking it back ---- */

int terminal_release(Terminal *t)
{
        if (t->flags & (TERMINAL_RELEASED | TERMINAL_CLOSED))
                return 0;
        /* A frame that did not go is not worth waiting for. */
        buffer_clear(&t->output);
        t->n_sent = 0;
        if (buffer_append_string(&t->output, t->leave) >= 0)
                (void) send_last(t);
        buffer_clear(&t->output);
        t->n_sent = 0;
        (void) tcflush(t->fd, TCIFLUSH);
        if (tcsetattr(t->fd, TCSANOW, &t->modes) < 0)
                return -errno;
        t->flags |= TERMINAL_RELEASED;
        rescue_pause(true);
        return t->io ? sd_event_source_set_enabled(t->io, SD_EVENT_OFF) : 0;
}

static int set_modes(Terminal *t)
{
        struct termios raw = t->modes;

        cfmakeraw(&raw);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        return tcsetattr(t->fd, TCSANOW, &raw) < 0 ? -errno : 0;
}

static int enter(Terminal *t)
{
        int r;

        r = set_modes(t);
        if (r >= 0)
                r = buffer_append_string(&t->output, t->enter);
        if (r >= 0 && (t->screen_flags & SCREEN_HAS_MARGINS))
                r = buffer_append_string(&t->output, MARGINS_ON);
        if (r >= 0 && (t->flags & TERMINAL_MOUSE))
                r = terminal_set_mouse(t, true);
        return r;
}

static int take(Terminal *t)
{
        int r;

        if (t->flags & TERMINAL_RELEASED)
                rescue_pause(false);
        t->flags &= ~TERMINAL_RELEASED;
        r = enter(t);
        if (r >= 0 && t->io)
                r = sd_event_source_set_enabled(t->io, SD_EVENT_ON);
        if (r >= 0)
                r = send_and_see(t);
        if (r < 0)
                return r;
        t->flags &= ~TERMINAL_BLURRED;
        r = tell_size(t);
        if (r < 0)
                log_debug_errno(r, "Cannot see the terminal's size, ignoring: %m");
        changed(t);
        return 0;
}

/* Nothing could be seen or typed without it. */
int terminal_take(Terminal *t)
{
        int r;

        if (t->flags & TERMINAL_CLOSED)
                return 0;
        r = take(t);
        if (r < 0)
                close_down(t, r);
        return r;
}

/* The ordinary stop of a job, all of its processes; it goes on behind the kill(). */
static void stop_here(void)
{
        const struct timespec now = { 0 };
        sigset_t stop, cont, before;

        (void) sigemptyset(&stop);
        (void) sigaddset(&stop, SIGTSTP);
        (void) sigemptyset(&cont);
        (void) sigaddset(&cont, SIGCONT);
        (void) kill(0, SIGTSTP);
        (void) sigprocmask(SIG_UNBLOCK, &stop, &before);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        (void) sigtimedwait(&cont, NULL, &now); /* what ended this stop tells nothing new */
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        Terminal *t = ASSERT_PTR(userdata);
        int r = 0;

        switch (info->ssi_signo) {
        case SIGWINCH:
                if (!(t->flags & TERMINAL_RELEASED))
                        r = tell_size(t);
                break;
        case SIGTSTP:
                (void) terminal_release(t); /* half of it done is to be undone as well */
                stop_here();
                (void) terminal_take(t);
                break;
        case SIGCONT: /* after a stop that could not be seen coming: the shell had the terminal */
                if (!(t->flags & TERMINAL_RELEASED))
                        (void) terminal_take(t);
                break;
        case SIGHUP:
                close_down(t, 0);
                break;
        }
        if (r < 0)
                log_debug_errno(r, "Cannot see the terminal's size, ignoring: %m");
        return 0;
}

/* ---- its life ---- */

/* A file description of our own: O_NONBLOCK is a property of it, and the one we were given is the
 * shell's as well. */
static int open_own(void)
{
        static const char *const paths[] = { "/proc/self/fd/1", "/dev/tty" };
        int error = -ENOTTY;

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                int fd = open(paths[i], O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

                if (fd >= 0)
                        return fd;
                error = -errno;
        }
        return error;
}

static int attach(Terminal *t, sd_event *event)
{
        static const int signals[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGHUP };
        sigset_t mask;
        int r;

        static_assert(ELEMENTSOF(signals) == ELEMENTSOF(t->signals), "one source a signal");
        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&mask, signals[i]);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                r = sd_event_add_signal(event, &t->signals[i], signals[i], on_signal, t);
                if (r < 0)
                        return r;
        }
        r = sd_event_add_io(event, &t->io, t->fd, EPOLLIN, on_io, t);
        if (r < 0)
                return r;
        r = sd_event_add_defer(event, &t->start, on_start, t);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(
                event, &t->escape, CLOCK_MONOTONIC, 0, 1, on_escape_timeout, t);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(t->escape, SD_EVENT_OFF);
}

static int prepare(Terminal *t, const TerminalOptions *options)
{
        int r;

        r = screen_new(&t->screen);
        if (r >= 0)
                r = input_new(&input_ops, t, &t->input);
        if (r >= 0)
                r = terminal_setup(t);
        if (r >= 0)
                r = read_size(t);
        if (r < 0)
                return r;
        screen_set_flags(t->screen, t->screen_flags);
        width_set_ways(WIDTH_WAYS_DEFAULT);
        if (options->mouse)
                t->flags |= TERMINAL_MOUSE;
        if (isempty(options->theme) || streq(options->theme, "auto"))
                t->flags |= TERMINAL_AUTO;
        load_theme(t, (t->flags & TERMINAL_AUTO) ? THEME_DARK : theme_from_string(options->theme));
        return 0;
}

static int start(Terminal *t)
{
        int r;

        t->flags &= ~TERMINAL_RELEASED;
        r = rescue_arm(t->fd, &t->modes, t->leave, strlen(t->leave));
        if (r < 0)
                log_debug_errno(
                        r, "Nobody restores the terminal should we be killed, ignoring: %m");
        r = enter(t);
        if (r >= 0)
                r = terminal_ask(t, &t->output);
        return r < 0 ? r : send_output(t);
}

int terminal_open(sd_event *event, const TerminalOps *ops, const TerminalOptions *options,
        void *userdata, Terminal **ret, Failure *failure)
{
        _cleanup_(terminal_freep) Terminal *t = NULL;
        int r;

        if (!isempty(options->theme) && !streq(options->theme, "auto") &&
                theme_from_string(options->theme) < 0) {
                (void) failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "There is no theme of this name: use auto, dark or light.");
                return -EINVAL;
        }
        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
                (void) failure_set(failure, FAILURE_NOT_SUPPORTED,
                        "Input and output must be a terminal; for pipes and scripts there is "
                        "conductor ask.");
                return -ENOTTY;
        }
        t = calloc(1, sizeof(Terminal));
        if (!t)
                return failure_set_errno(failure, -ENOMEM, "Opening the terminal");
        t->ops = *ops;
        t->userdata = userdata;
        t->flags = TERMINAL_RELEASED; /* until it is entered, there is nothing to give back */
        t->output = BUFFER_INIT(TERMINAL_OUTPUT_MAX);
        t->fd = open_own();
        if (t->fd < 0)
                return failure_set_errno(failure, t->fd, "Opening the terminal");
        r = tcgetattr(t->fd, &t->modes) < 0 ? -errno : 0;
        if (r >= 0)
                r = prepare(t, options);
        if (r >= 0)
                r = attach(t, event);
        if (r >= 0)
                r = start(t);
        if (r < 0)
                return failure_set_errno(failure, r, "Setting up the terminal");
        *ret = TAKE_PTR(t);
        return 0;
}

Terminal *terminal_free(Terminal *t)
{
        if (!t)
                return NULL;
        t->io = sd_event_source_disable_unref(t->io);
        t->escape = sd_event_source_disable_unref(t->escape);
        t->start = sd_event_source_disable_unref(t->start);
        for (size_t i = 0; i < ELEMENTSOF(t->signals); i++)
                t->signals[i] = sd_event_source_disable_unref(t->signals[i]);
        if (t->fd >= 0) {
                bool restored = (t->flags & TERMINAL_RELEASED) != 0;

                if (!restored) {
                        buffer_clear(&t->output);
                        t->n_sent = 0;
                        restored = buffer_append_string(&t->output, t->leave) >= 0 && send_last(t);
                        (void) tcflush(t->fd, TCIFLUSH);
                        /* Else the rescue tries it. */
                        restored = tcsetattr(t->fd, TCSANOW, &t->modes) >= 0 && restored;
                }
                rescue_disarm(restored);
                (void) safe_close(t->fd);
        }
        screen_free(t->screen);
        input_free(t->input);
        buffer_done(&t->output);
        free(t);
        return NULL;
}

Screen *terminal_screen(Terminal *t)
{
        return t->screen;
}

bool terminal_has_focus(const Terminal *t)
{
        return !(t->flags & TERMINAL_BLURRED);
}

bool terminal_is_ascii(const Terminal *t)
{
        return (t->flags & TERMINAL_ASCII) != 0;
}
