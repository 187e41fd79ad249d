/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "client/tui/terminal/terminal.h"
#include "tests/unit/tui-terminal-program.h"

#define PATIENCE_MSEC 20000

typedef struct World {
        int master, slave, reports;
        pid_t pid;
        struct termios before;
        Buffer output, reported; /* of each what nothing was expected of yet */
        Buffer all;              /* the output since the start */
} World;

typedef struct Surroundings {
        const char *term, *locale, *no_color;
        unsigned short rows, columns;
} Surroundings;

static const Surroundings usual = { "xterm-256color", "C.UTF-8", NULL, 24, 80 };

__attribute__((noreturn)) static void child_main(World *w, const Surroundings *s, int report_fd)
{
        (void) setsid();
        (void) ioctl(w->slave, TIOCSCTTY, 0);
        for (int fd = 0; fd < 2; fd++)
                (void) dup2(w->slave, fd);
        (void) close(w->master);
        (void) close(w->slave);
        (void) close(w->reports);
        (void) setenv("TERM", s->term, 1);
        (void) setenv("LC_ALL", s->locale, 1);
        (void) unsetenv("COLORTERM");
        (void) unsetenv("NO_COLOR");
        if (s->no_color)
                (void) setenv("NO_COLOR", s->no_color, 1);
        (void) alarm(PATIENCE_MSEC / 1000 * 3);
        _exit(terminal_program(report_fd));
}

static void world_start(World *w, const Surroundings *s)
{
        struct winsize size = { .ws_row = s->rows, .ws_col = s->columns };
        int ends[2];

        *w = (World){ .output = BUFFER_INIT(MIB(64)),
                .all = BUFFER_INIT(MIB(64)),
                .reported = BUFFER_INIT(MIB(1)) };
        assert_int_equal(openpty(&w->master, &w->slave, NULL, NULL, &size), 0);
        assert_int_equal(fcntl(w->master, F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(tcgetattr(w->slave, &w->before), 0);
        assert_int_equal(pipe(ends), 0);
        w->reports = ends[0];
        w->pid = fork();
        assert_true(w->pid >= 0);
        if (w->pid == 0)
                child_main(w, s, ends[1]);
        (void) close(ends[1]);
}

static void world_done(World *w)
{
        if (w->pid > 0) {
                (void) kill(w->pid, SIGKILL);
                (void) waitpid(w->pid, NULL, 0);
        }
        (void) safe_close(w->master);
        (void) safe_close(w->slave);
        (void) safe_close(w->reports);
        buffer_done(&w->output);
        buffer_done(&w->all);
        buffer_done(&w->reported);
}

static bool fill(World *w, int fd, Buffer *b)
{
        char data[4096];
        ssize_t n = read(fd, data, sizeof data);

        if (n > 0)
                assert_int_equal(buffer_append(b, data, (size_t) n), 0);
        if (n > 0 && fd == w->master)
                assert_int_equal(buffer_append(&w->all, data, (size_t) n), 0);
        return n > 0;
}

/* Waits until it stands in the buffer; forgets all up to its end. Reads only this one. */
static void expect(World *w, int fd, Buffer *b, const char *what)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };

        for (;;) {
                char *found = b->size > 0 ? memmem(b->data, b->size, what, strlen(what)) : NULL;

                if (found) {
                        buffer_consume(b, (size_t) (found - b->data) + strlen(what));
                        return;
                }
                if (poll(&p, 1, PATIENCE_MSEC) <= 0 || !fill(w, fd, b))
                        fail_msg("\"%s\" did not come; there is: %s", what, buffer_text(b));
        }
}

static void expect_report(World *w, const char *what)
{
        expect(w, w->reports, &w->reported, what);
}

static void expect_output(World *w, const char *what)
{
        expect(w, w->master, &w->output, what);
}

static void type(World *w, const char *text)
{
        assert_int_equal(write(w->master, text, strlen(text)), (ssize_t) strlen(text));
}

static int wait_for_end(World *w)
{
        int status;

        assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
        w->pid = 0;
        return status;
}

/* Every mode that was switched on or off is what it is in a shell. */
static void assert_modes_left(const World *w)
{
        static const unsigned on[] = { 7, 25 },
                              off[] = { 1, 69, 1000, 1004, 1006, 1049, 2004, 2026 };
        bool is[3000] = { [7] = true, [25] = true }, known[3000] = { false };

        for (size_t i = 0; i < ELEMENTSOF(on); i++)
                known[on[i]] = true;
        for (size_t i = 0; i < ELEMENTSOF(off); i++)
                known[off[i]] = true;
        for (const char *p = buffer_text(&w->all); (p = strstr(p, "\033[?"));) {
                char *end;
                unsigned long mode = strtoul(p + 3, &end, 10);

                p = end;
                if (*end != 'h' && *end != 'l') /* a question */
                        continue;
                assert_true(mode < ELEMENTSOF(is) && known[mode]);
                is[mode] = *end == 'h';
        }
        for (size_t i = 0; i < ELEMENTSOF(on); i++)
                assert_true(is[on[i]]);
        for (size_t i = 0; i < ELEMENTSOF(off); i++)
                if (is[off[i]])
                        fail_msg("mode %u was left on", off[i]);
}

static void expect_leaving(World *w)
{
        expect_output(w, "\033[?2004l");
        expect_output(w, "\033[?7h\033[?25h");
        expect_output(w, "\033[?1049l");
}

/* As `stty -g` would see it. */
static void assert_restored(World *w)
{
        struct termios now;

        expect_leaving(w);
        assert_modes_left(w);
        assert_int_equal(tcgetattr(w->slave, &now), 0);
        assert_int_equal(now.c_iflag, w->before.c_iflag);
        assert_int_equal(now.c_oflag, w->before.c_oflag);
        assert_int_equal(now.c_cflag, w->before.c_cflag);
        assert_int_equal(now.c_lflag, w->before.c_lflag);
        assert_memory_equal(now.c_cc, w->before.c_cc, sizeof now.c_cc);
}

static void assert_raw(World *w)
{
        struct termios now;

        assert_int_equal(tcgetattr(w->slave, &now), 0);
        assert_int_equal(now.c_lflag & (ICANON | ECHO | ISIG), 0);
        assert_int_equal(now.c_oflag & OPOST, 0);
}

static void test_modes(void **state)
{
        World w;
        int status;

        world_start(&w, &usual);
        expect_report(&w, "open utf8\nsize 24 80\n");
        expect_output(&w, "\033[?1049h\033[?7l");
        expect_output(&w, "\033[?1004h\033[?2004h");
        assert_raw(&w);
        /* Its own way to write must not be the shell's. */
        assert_int_equal(fcntl(w.slave, F_GETFL) & O_NONBLOCK, 0);
        type(&w, "x\033[200~two\rlines\033[201~\033[O\033[I");
        expect_report(&w, "key x\npaste two\nlines\nfocus 0\nfocus 1\n");
        type(&w, "ytm");
        expect_output(&w, "\033]52;c;Y29waWVk\a");
        expect_output(&w, "\033]2;a title\a");
        expect_output(&w, "\033[?1000h\033[?1006h");
        type(&w, "\033"); /* alone */
        expect_report(&w, "key Esc\n");
        type(&w, "d");
        expect_output(&w, "frame 1 row 23");
        type(&w, "q");
        expect_report(&w, "end\n");
        status = wait_for_end(&w);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_restored(&w);
        world_done(&w);
}

/* The mouse, margins and a frame, and then the end. */
static int end_by(World *w, int signal, const char *key)
{
        int status;

        world_start(w, &usual);
        expect_report(w, "size 24 80\n");
        assert_raw(w);
        type(w, "\033[?69;2$y\033[?2026;2$ymd");
        expect_output(w, "\033[?69h");
        expect_output(w, "\033[?1000h\033[?1006h");
        expect_output(w, "row 23");
        if (signal != 0)
                assert_int_equal(kill(w->pid, signal), 0);
        else
                type(w, key);
        status = wait_for_end(w);
        assert_restored(w);
        return status;
}

/* Those that a handler sees, and those that only the waiting process sees the end of. */
static void test_deadly_signals(void **state)
{
        static const int signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE,
                SIGILL, SIGSYS, SIGTRAP, SIGKILL, SIGUSR1, SIGALRM, SIGXCPU };

        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                World w;
                int status = end_by(&w, signals[i], NULL);

                assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
                world_done(&w);
        }
}

static void test_crash(void **state)
{
        static const char *const keys[] = { "c", "o", "q" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                World w;
                int status = end_by(&w, 0, keys[i]);

                if (*keys[i] == 'q')
                        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
                else
                        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
                world_done(&w);
        }
}

static void test_hangup(void **state)
{
        World w;
        int status;

        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        assert_int_equal(kill(w.pid, SIGHUP), 0);
        expect_report(&w, "closed\nend\n");
        status = wait_for_end(&w);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_restored(&w);
        world_done(&w);

        /* And really gone. */
        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        w.slave = safe_close(w.slave);
        w.master = safe_close(w.master);
        expect_report(&w, "closed\n");
        expect_report(&w, "end\n");
        (void) wait_for_end(&w);
        world_done(&w);
}

static void test_resize(void **state)
{
        static const struct winsize size = { .ws_row = 40, .ws_col = 132 }, none = { 0 };
        Surroundings nothing = usual;
        World w;

        nothing.rows = nothing.columns = 0;
        world_start(&w, &nothing);
        expect_report(&w, "size 24 80\n");
        assert_int_equal(ioctl(w.master, TIOCSWINSZ, &size), 0);
        expect_report(&w, "size 40 132\n");
        type(&w, "d");
        expect_output(&w, "row 39");
        assert_int_equal(ioctl(w.master, TIOCSWINSZ, &none), 0);
        expect_report(&w, "size 24 80\n");
        world_done(&w);
}

/* Whether this is the next line. */
static bool next_report_is(World *w, const char *line)
{
        struct pollfd p = { .fd = w->reports, .events = POLLIN };

        while (!strchr(buffer_text(&w->reported), '\n')) {
                assert_true(poll(&p, 1, PATIENCE_MSEC) > 0);
                assert_true(fill(w, w->reports, &w->reported));
        }
        return startswith(buffer_text(&w->reported), line);
}

static void test_slow_reader(void **state)
{
        World w;

        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        do { /* frames until the terminal takes no more, nor what is on its way in the kernel */
                type(&w, "f");
                expect_report(&w, "busy\n");
                type(&w, "dx"); /* it listens all the same, and does not queue a frame */
                expect_report(&w, "key d\n");
        } while (!next_report_is(&w, "busy\n"));
        expect_report(&w, "key x\n");
        expect_output(&w, "frame 1 row");
        while (!memmem(buffer_text(&w.reported), w.reported.size, "drained\n", 8)) {
                struct pollfd p[] = { { .fd = w.master, .events = POLLIN },
                        { .fd = w.reports, .events = POLLIN } };

                assert_true(poll(p, 2, PATIENCE_MSEC) > 0);
                if (p[0].revents & POLLIN)
                        (void) fill(&w, w.master, &w.output);
                if (p[1].revents & POLLIN)
                        (void) fill(&w, w.reports, &w.reported);
        }
        /* Much less waits than was drawn: one frame. */
        assert_true(w.output.size < KIB(32));
        world_done(&w);

        /* Nobody reads until the end: what waits does not keep it. */
        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        type(&w, "f");
        expect_report(&w, "busy\n");
        type(&w, "q");
        expect_report(&w, "end\n");
        (void) wait_for_end(&w);
        assert_restored(&w); /* by the process that can wait */
        world_done(&w);
}

static void test_answers(void **state)
{
        World w;

        /* An old terminal: everything is as wide as its parts; a light one. */
        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        expect_output(&w, "\033[6n");
        expect_output(&w, "\033[H\033[2J\033[?2026$p\033[?69$p\033]11;?\a");
        type(&w, "\033[1;5R\033[1;2R\033[1;5R\033[1;5R\033[1;3R");
        expect_report(&w, "changed\n");
        type(&w, "w");
        expect_report(&w, "heart 1\n");
        type(&w, "\033]11;rgb:ffff/ffff/ffff\a");
        expect_report(&w, "changed\n");
        type(&w, "\033[?2026;2$yd");
        expect_output(&w, "\033[?2026h");
        expect_output(&w, "\033[38;5;"); /* some colour */
        expect_output(&w, "\033[?2026l");
        world_done(&w);

        /* One as expected: nothing changes. */
        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        type(&w, "\033[1;3R\033[1;3R\033[1;3R\033[1;3R\033[1;3R\033]11;rgb:0/0/0\aw");
        expect_report(&w, "key w\nheart 2\n");
        world_done(&w);

        /* One that never answers, or nonsense. */
        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        type(&w, "w\033[1;30R\033[1;2R\033[1;99R\033[1;1R\033[1;2Rw");
        expect_report(&w, "key w\nheart 2\nkey w\nheart 2\n");
        world_done(&w);
}

static void test_margins(void **state)
{
        static const char *const refusals[] = { "\033[?69;0$y", "\033[?69;4$y", "\033[?69;9$y" };
        World w;

        for (size_t i = 0; i < ELEMENTSOF(refusals); i++) {
                world_start(&w, &usual);
                expect_report(&w, "size 24 80\n");
                type(&w, refusals[i]);
                type(&w, "d");
                expect_output(&w, "row 23");
                assert_null(memmem(w.output.data, w.output.size, "\033[?69h", 6));
                world_done(&w);
        }

        /* They are switched on once, again after another program, and off at the end. */
        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        type(&w, "\033[?69;2$y\033[?69;1$yd");
        expect_output(&w, "\033[?69h");
        expect_output(&w, "row 23");
        assert_null(memmem(w.output.data, w.output.size, "\033[?69h", 6));
        type(&w, "e");
        expect_report(&w, "released\n");
        expect_output(&w, "\033[?69l");
        type(&w, "line\n");
        expect_output(&w, "\033[?1049h");
        expect_output(&w, "\033[?69h");
        type(&w, "q");
        expect_report(&w, "end\n");
        (void) wait_for_end(&w);
        expect_output(&w, "\033[?69l");
        assert_restored(&w);
        world_done(&w);
}

static void test_other_program(void **state)
{
        World w;

        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        type(&w, "e");
        expect_report(&w, "released\n");
        assert_restored(&w);
        type(&w, "line\n");
        expect_report(&w, "size 24 80\nchanged\n");
        expect_output(&w, "\033[?1049h");
        assert_raw(&w);
        world_done(&w);
}

static void test_stop(void **state)
{
        World w;
        int status;

        world_start(&w, &usual);
        expect_report(&w, "size 24 80\n");
        /* Without a shell nobody could continue it: the system does not stop it then. */
        assert_int_equal(kill(w.pid, SIGTSTP), 0);
        expect_report(&w, "changed\n");
        expect_leaving(&w);
        expect_output(&w, "\033[?1049h");
        assert_raw(&w);
        /* A stop that nothing is heard of. */
        assert_int_equal(kill(w.pid, SIGSTOP), 0);
        assert_int_equal(waitpid(w.pid, &status, WUNTRACED), w.pid);
        assert_int_equal(tcsetattr(w.slave, TCSANOW, &w.before), 0);
        assert_int_equal(kill(w.pid, SIGCONT), 0);
        expect_report(&w, "changed\n");
        assert_raw(&w);
        world_done(&w);
}

static void test_surroundings(void **state)
{
        Surroundings s = usual;
        World w;

        /* A terminal that nobody has heard of. */
        s.term = "no-such-terminal";
        s.locale = "de_DE.ISO-8859-1";
        world_start(&w, &s);
        expect_report(&w, "open ascii\nsize 24 80\n");
        type(&w, "d");
        expect_output(&w, "\033[36m"); /* one of eight */
        expect_output(&w, "row 23");
        assert_null(memmem(w.output.data, w.output.size, "1049", 4));
        type(&w, "q");
        expect_report(&w, "end\n");
        (void) wait_for_end(&w);
        expect_output(&w, "\033[?25h");
        world_done(&w);

        /* Without colours. */
        s = usual;
        s.no_color = "1";
        world_start(&w, &s);
        expect_report(&w, "size 24 80\n");
        type(&w, "d");
        expect_output(&w, "\033[1mframe 1");
        expect_output(&w, "row 23");
        world_done(&w);
}

static void test_no_terminal(void **state)
{
        static const TerminalOps ops = { 0 };
        static const TerminalOptions options = { 0 }, wrong = { .theme = "pink" };
        _cleanup_failure_ Failure failure = FAILURE_NULL, other = FAILURE_NULL;
        Terminal *t = NULL;
        sd_event *event = NULL;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC), before = dup(STDIN_FILENO);

        assert_int_equal(sd_event_new(&event), 0);
        assert_true(dup2(null, STDIN_FILENO) >= 0);
        assert_int_equal(terminal_open(event, &ops, &options, NULL, &t, &failure), -ENOTTY);
        assert_non_null(strstr(failure_message(&failure), "terminal"));
        assert_int_equal(terminal_open(event, &ops, &wrong, NULL, &t, &other), -EINVAL);
        assert_non_null(strstr(failure_message(&other), "theme"));
        assert_null(t);
        assert_true(dup2(before, STDIN_FILENO) >= 0);
        (void) close(before);
        (void) close(null);
        event = sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_modes),
                cmocka_unit_test(test_deadly_signals),
                cmocka_unit_test(test_crash),
                cmocka_unit_test(test_hangup),
                cmocka_unit_test(test_resize),
                cmocka_unit_test(test_slow_reader),
                cmocka_unit_test(test_answers),
                cmocka_unit_test(test_margins),
                cmocka_unit_test(test_other_program),
                cmocka_unit_test(test_stop),
                cmocka_unit_test(test_surroundings),
                cmocka_unit_test(test_no_terminal),
        };

        (void) signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests_name("tui-terminal", tests, NULL, NULL);
}
