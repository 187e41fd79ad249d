/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The real client on a line that is slow, or at whose other end nobody reads: it goes on listening,
 * frames that the line does not take are dropped and not queued, and every end gives the terminal
 * back. */

#include <signal.h>
#include <sys/timerfd.h>
#include <termios.h>

#include "tests/bench/pty.h"
#include "tests/bus/process.h"

#define ROWS    40
#define COLUMNS 120

/* The line: 300 bytes a second. */
#define TICK_MSEC  100U
#define TICK_BYTES 30U
#define TICKS      15U
/* What the kernel and one frame hold back; all frames of the stream are several times as much. */
#define BACKLOG_MAX KIB(64)
#define FLOOD       "@text=clock @tokens=20000 @rate=10000" /* two seconds */

typedef struct World {
        Harness *h;
        Pty pty;
        struct termios before;
} World;

static int set_up(void **state)
{
        World *w = calloc(1, sizeof *w);
        void *harness = NULL;

        assert_non_null(w);
        assert_int_equal(harness_setup(&harness), 0);
        w->h = harness;
        harness_start_engine(w->h, "ollama", "MaxConcurrent=0\n", NULL);
        harness_start(w->h);
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        World *w = *state;
        void *harness = w->h;

        assert_int_equal(harness_teardown(&harness), 0);
        free(w);
        return 0;
}

static void start(World *w)
{
        pty_start_client(&w->pty, w->h, /* option= */ NULL, /* more= */ NULL, ROWS, COLUMNS);
        /* As its own side has them: a terminal has one set of modes. */
        assert_return_code(tcgetattr(w->pty.fd, &w->before), errno);
        pty_wait(&w->pty, "test/tiny:latest");
        pty_forget(&w->pty);
}

static void type(World *w, const char *text)
{
        pty_write(&w->pty, text, strlen(text));
}

static void wait_for(World *w, const char *what, size_t n)
{
        _cleanup_free_ char *page = NULL;

        assert_true(asprintf(&page, "%s=%zu", what, n) > 0);
        harness_engine_wait(w->h, page);
        /* What the service has told its manager: a socket that nobody reads holds ten of these. */
        while (sd_event_run(w->h->event, /* timeout= */ 0) > 0)
                ;
}

static void test_nobody_reads(void **state)
{
        World *w = *state;
        size_t before;

        start(w);
        before = w->pty.bytes;
        type(w, FLOOD "\r");
        wait_for(w, "ended", 1);
        /* It listens: what is typed arrives at the engine, and the line has taken nothing. */
        type(w, "are you there?\r");
        wait_for(w, "chats", 2);
        assert_int_equal(w->pty.bytes, before);
        pty_wait(&w->pty, "are you there?");
        print_message("# nobody read: %zu bytes\n", w->pty.bytes - before);
        assert_in_range(w->pty.bytes - before, KIB(4), BACKLOG_MAX);
        pty_end(&w->pty);
}

static void test_slow_reader(void **state)
{
        World *w = *state;
        int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        const struct itimerspec speed = { .it_interval = { .tv_nsec = TICK_MSEC * 1000000L },
                .it_value = { .tv_nsec = TICK_MSEC * 1000000L } };
        char piece[TICK_BYTES];
        size_t before;

        assert_return_code(clock, errno);
        assert_return_code(timerfd_settime(clock, 0, &speed, NULL), errno);
        start(w);
        before = w->pty.bytes;
        type(w, FLOOD "\r");
        wait_for(w, "chats", 1);
        for (unsigned i = 0; i < TICKS; i++) {
                uint64_t expired;

                type(w, "x");
                assert_int_equal(read(clock, &expired, sizeof expired), sizeof expired);
                assert_true(read(w->pty.fd, piece, sizeof piece) > 0);
        }
        type(w, "\r");
        wait_for(w, "chats", 2); /* at once, not behind all that the line still has to carry */
        pty_wait(&w->pty, "xxxx");
        print_message("# 300 bytes a second: %zu bytes\n", w->pty.bytes - before);
        assert_in_range(w->pty.bytes - before, KIB(4), BACKLOG_MAX);
        safe_close(clock);
        pty_end(&w->pty);
}

static void assert_restored(World *w)
{
        struct termios now;

        pty_wait(&w->pty, "\033[?1049l");
        assert_return_code(tcgetattr(w->pty.fd, &now), errno);
        assert_int_equal(now.c_iflag, w->before.c_iflag);
        assert_int_equal(now.c_oflag, w->before.c_oflag);
        assert_int_equal(now.c_cflag, w->before.c_cflag);
        assert_int_equal(now.c_lflag, w->before.c_lflag);
        assert_memory_equal(now.c_cc, w->before.c_cc, sizeof now.c_cc);
}

static void test_ends(void **state)
{
        static const struct {
                int signal;
                const char *keys;
                int status;
        } ends[] = {
                { .keys = "\x03\x03" },
                { .signal = SIGTERM },
                { .signal = SIGHUP },
                { .signal = SIGSEGV, .status = 128 + SIGSEGV },
                { .signal = SIGKILL, .status = 128 + SIGKILL },
        };
        World *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                start(w);
                type(w, FLOOD "\r");
                wait_for(w, "ended", i + 1);
                if (ends[i].signal)
                        assert_return_code(kill(w->pty.pid, ends[i].signal), errno);
                else
                        type(w, ends[i].keys);
                assert_int_equal(process_wait(w->pty.pid, HARNESS_PATIENCE), ends[i].status);
                assert_restored(w);
                w->pty.fd = safe_close(w->pty.fd);
        }
}

typedef struct Sequence {
        const char *bytes, *text; /* what it writes */
} Sequence;

/* In two pieces, of which the second comes later than any line's next byte: three bytes are no key
 * that somebody typed, and their rest is waited for. */
static void type_cut(World *w, const Sequence *s, size_t cut, int clock)
{
        const struct itimerspec late = { .it_value = { .tv_nsec = 60 * 1000000L } };
        uint64_t expired;

        pty_write(&w->pty, s->bytes, cut);
        assert_return_code(timerfd_settime(clock, 0, &late, NULL), errno);
        assert_int_equal(read(clock, &expired, sizeof expired), sizeof expired);
        type(w, s->bytes + cut);
}

static void test_cut_sequences(void **state)
{
        static const Sequence sequences[] = {
                { "\033[<64;50;5M", "" },
                { "\033[?69;2$y", "" },
                { "\033]11;rgb:0000/0000/0000\033\\", "" },
                { "\033[200~p\303\266\033[201~", "p\303\266" },
                { "\033[97;1u", "a" },
        };
        int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        char wanted[256] = "\\\"content\\\":\\\"";
        _cleanup_free_ char *log = NULL;
        World *w = *state;

        assert_return_code(clock, errno);
        start(w);
        for (size_t i = 0; i < ELEMENTSOF(sequences); i++)
                for (size_t cut = 3; cut < strlen(sequences[i].bytes); cut++) {
                        type_cut(w, &sequences[i], cut, clock);
                        assert_true(strlen(wanted) + 16 < sizeof wanted);
                        strcat(wanted, sequences[i].text);
                }
        type(w, "\r");
        strcat(wanted, "\\\"");
        wait_for(w, "chats", 1);
        log = harness_engine_page(w->h, "/log", NULL);
        if (!strstr(log, wanted))
                fail_msg("%s is not in %s", wanted, log);
        safe_close(clock);
        pty_end(&w->pty);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_nobody_reads, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_slow_reader, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_ends, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_cut_sequences, set_up, tear_down),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("tui-slow-line", tests, NULL, NULL);
}
