/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The curses client in a terminal: from a key to its screen bytes while text streams, the start, a
 * page of a long conversation, what a stream costs. The floor of a key is a program that only gives
 * back what it reads; that of the start one that links libsystemd and prints a line. */

#include <termios.h>

#include "tests/bench/bench.h"
#include "tests/bench/history.h"
#include "tests/bench/pty.h"
#include "tests/bus/process.h"

#define ROWS    40
#define COLUMNS 120

#define STARTS      bench_rounds(20, 3)
#define KEYS        bench_rounds(400, 50)
#define CANCELS     bench_rounds(5, 1)
#define KEY_USEC    5000.0 /* between two keys */
#define PAGES       bench_rounds(100, 10)
#define MESSAGES    bench_rounds(100000, 10000)
#define STREAM_USEC (bench_quick() ? 0.5e6 : 10e6)

/* Typed, and found again: no part of a token or of an escape sequence. */
static const char *const letters[] = { "é", "ö", "ø", "ñ", "ü", "å", "ç", "ß" };

static void client_start(Pty *p, const Harness *h, const char *option)
{
        pty_start_client(p, h, option, /* more= */ NULL, ROWS, COLUMNS);
}

/* ---- the start ---- */

static void measure_start(Harness *h)
{
        const char *bare = getenv("BENCH_EMPTY");
        const char *const arguments[] = { bare, "--version", NULL },
                          *const environment[] = { NULL };
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };

        for (unsigned i = 0; i < STARTS; i++) {
                Pty c = { 0 };
                double before;

                samples_add(&floor, bench_run_us(arguments, environment, -1) / 1e3);
                before = bench_now_us();
                client_start(&c, h, NULL);
                pty_wait(&c, "test/tiny:latest"); /* the status line has the model */
                samples_add(&samples, (bench_now_us() - before) / 1e3);
                pty_end(&c);
        }
        bench_print("tui-start", "ms", &samples, &floor);
}

/* ---- keys ---- */

static double key(Pty *p, unsigned i)
{
        const char *letter = letters[i % ELEMENTSOF(letters)];
        double before;

        pty_forget(p);
        before = bench_now_us();
        pty_write(p, letter, strlen(letter));
        pty_wait(p, letter);
        return bench_now_us() - before;
}

static void drain(Pty *p, double until)
{
        while (bench_now_us() < until)
                (void) pty_read(p, until);
}

/* The reply would go on without its client. */
static void cancel(Pty *p)
{
        pty_forget(p);
        pty_write(p, "\x03", 1);
        pty_wait(p, "cancelled");
}

static void echo(void)
{
        struct termios raw;
        char c[64];
        ssize_t n;

        assert_return_code(tcgetattr(STDIN_FILENO, &raw), errno);
        cfmakeraw(&raw);
        assert_return_code(tcsetattr(STDIN_FILENO, TCSANOW, &raw), errno);
        assert_int_equal(write(STDOUT_FILENO, "ready", 5), 5);
        while ((n = read(STDIN_FILENO, c, sizeof c)) > 0)
                if (write(STDOUT_FILENO, c, (size_t) n) != n)
                        break;
}

/* This program itself, called so, is the floor. */
#define ECHO_ARGUMENT "--echo"

static void measure_keys(Harness *h, const char *self)
{
        const char *const arguments[] = { self, ECHO_ARGUMENT, NULL },
                          *const environment[] = { NULL };
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        Pty c = { 0 };
        Pty bare;

        pty_start(&bare, arguments, environment, ROWS, COLUMNS);
        pty_wait(&bare, "ready");
        client_start(&c, h, NULL);
        pty_wait(&c, "test/tiny:latest");
        pty_write(&c, "@rate=1000 @tokens=100000\r", 26);
        pty_wait(&c, "word");
        for (unsigned i = 0; i < KEYS; i++) {
                samples_add(&floor, key(&bare, i));
                samples_add(&samples, key(&c, i));
                drain(&c, bench_now_us() + KEY_USEC);
        }
        bench_print("tui-key-to-screen", "us", &samples, &floor);
        cancel(&c);
        pty_end(&c);
        process_end(&bare.pid);
        bare.fd = safe_close(bare.fd);
}

/* ---- cancelling ---- */

static void measure_cancel(Harness *h)
{
        _cleanup_samples_ Samples samples = { 0 };
        Pty c = { 0 };

        client_start(&c, h, NULL);
        pty_wait(&c, "test/tiny:latest");
        for (unsigned i = 0; i < CANCELS; i++) {
                double before;

                if (i > 0) /* a second one within a second leaves */
                        drain(&c, bench_now_us() + 1.2e6);
                pty_forget(&c);
                pty_write(&c, "@rate=1000 @tokens=100000\r", 26);
                pty_wait(&c, "word1");
                pty_forget(&c);
                before = bench_now_us();
                pty_write(&c, "\x03", 1);
                pty_wait(&c, "cancel");
                samples_add(&samples, (bench_now_us() - before) / 1e3);
        }
        bench_print("tui-cancel-to-screen", "ms", &samples, NULL);
        pty_end(&c);
}

/* ---- streams ---- */

/* One write is one frame: each is read at once, and they are 16 ms apart. Where she is not to be
 * seen, only the text moves. */
static void measure_frames(Harness *h, const char *name, bool modern)
{
        _cleanup_samples_ Samples bytes = { 0 };
        Pty c = { 0 };
        double until;

        client_start(&c, h, NULL);
        c.modern = modern;
        pty_wait(&c, "test/tiny:latest");
        pty_write(&c, "\033[18~", 5); /* F7: she goes */
        pty_write(&c, "@rate=100 @tokens=100000\r", 25);
        pty_wait(&c, "word500"); /* the screen is full: it scrolls */
        until = bench_now_us() + STREAM_USEC;
        while (bench_now_us() < until) {
                size_t n = pty_read(&c, until);

                if (n > 0)
                        samples_add(&bytes, (double) n);
        }
        bench_print(name, "B", &bytes, NULL);
        pty_write(&c, "\033[18~", 5);
        cancel(&c);
        pty_end(&c);
}

static void measure_stream(Harness *h)
{
        Pty c = { 0 };
        double before;

        client_start(&c, h, NULL);
        pty_wait(&c, "test/tiny:latest");
        pty_write(&c, "@rate=100 @tokens=100000\r", 25);
        pty_wait(&c, "word");
        drain(&c, bench_now_us() + 0.5e6);
        c.bytes = c.reads = 0;
        before = bench_cpu_ms(c.pid);
        drain(&c, bench_now_us() + STREAM_USEC);
        bench_print_one(
                "tui-stream-100-cpu", "%", (bench_cpu_ms(c.pid) - before) / STREAM_USEC * 1e5);
        bench_print_one("tui-frames-a-second", "", (double) c.reads / STREAM_USEC * 1e6);
        cancel(&c);
        pty_end(&c);
}

/* ---- a long conversation ---- */

static double open_newest(Pty *c, const Harness *h)
{
        double before = bench_now_us();

        client_start(c, h, "-c");
        pty_wait(c, "Reply"); /* its last message */
        return (bench_now_us() - before) / 1e3;
}

static void measure_opening(Samples *samples, unsigned messages)
{
        Harness *h = bench_begin();

        history_write(h->database, /* conversations= */ 1, messages);
        bench_start(h);
        for (unsigned i = 0; i < STARTS; i++) {
                Pty c = { 0 };

                samples_add(samples, open_newest(&c, h));
                pty_end(&c);
        }
        bench_end(h);
}

static void measure_pages(Harness *h)
{
        _cleanup_samples_ Samples pages = { 0 };
        _cleanup_free_ char *path = NULL;
        char name[32];
        Pty c = { 0 };

        (void) open_newest(&c, h);
        for (unsigned i = 0; i < PAGES; i++) {
                double before;

                drain(&c, bench_now_us() + 20e3);
                before = bench_now_us();
                pty_write(&c, "\x1b[5~", 4);
                assert_true(pty_read(&c, before + HARNESS_PATIENCE) > 0);
                samples_add(&pages, (bench_now_us() - before) / 1e3);
        }
        (void) snprintf(name, sizeof name, "tui-page/%u", MESSAGES);
        bench_print(name, "ms", &pages, NULL);
        assert_true(asprintf(&path, "/proc/%d/smaps_rollup", (int) c.pid) > 0);
        bench_print_one("tui-private-dirty", "KiB", bench_status(path, "Private_Dirty"));
        pty_end(&c);
}

int main(int argc, char *argv[])
{
        _cleanup_samples_ Samples opened = { 0 }, floor = { 0 };
        char name[32];
        Harness *h;

        if (argc > 1 && streq(argv[1], ECHO_ARGUMENT)) {
                echo();
                return EXIT_SUCCESS;
        }
        measure_opening(&floor, 10);
        measure_opening(&opened, MESSAGES);
        (void) snprintf(name, sizeof name, "tui-open/%u", MESSAGES);
        bench_print(name, "ms", &opened, &floor);
        h = bench_begin();
        history_write(h->database, /* conversations= */ 1, MESSAGES);
        harness_start_engine(h, "ollama", "MaxConcurrent=0\n", NULL);
        bench_start(h);
        measure_pages(h);
        measure_start(h);
        measure_keys(h, argv[0]);
        measure_cancel(h);
        measure_stream(h);
        if (!bench_quick()) {
                measure_frames(h, "tui-bytes-a-frame", /* modern= */ false);
                measure_frames(h, "tui-bytes-a-frame-margins", /* modern= */ true);
        }
        bench_end(h);
        return EXIT_SUCCESS;
}
