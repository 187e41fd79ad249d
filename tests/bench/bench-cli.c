/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The command line's own time: `--version` beside a program that does nothing but link libsystemd,
 * and questions of one token and of a long answer beside `curl -N` of the same ones. */

#include <fcntl.h>

#include "tests/bench/bench.h"
#include "tests/bus/process.h"

#define WARM_UP bench_rounds(5, 1)
#define ROUNDS  bench_rounds(100, 10)

/* 35,000 characters in 8,700 chunks, as fast as it goes and as a fast engine would. */
#define LONG_LINE         "This is one line of a long story, and here it ends; then there is the next one. "
#define LONG_BYTES        34800U
#define LONG(quote, rest) "@say=" quote LONG_LINE quote " @size=4 @repeat=435" rest
#define PACED             " @rate=10000"
#define PACED_ROUNDS      bench_rounds(5, 1)

static void measure(const char *name, const char *const *ours, const char *const *bare,
        const char *const *environment)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };

        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
                double b = bench_run_us(bare, environment, -EBADF);
                double o = bench_run_us(ours, environment, -EBADF);

                if (i < WARM_UP)
                        continue;
                samples_add(&floor, b);
                samples_add(&samples, o);
        }
        bench_print(name, "us", &samples, &floor);
}

/* ---- a long answer ---- */

/* Reads all that the program writes, and its highest memory: asked for while it still runs, so that
 * what it was before exec is not counted. */
static double run_long(
        const char *const *arguments, const char *const *environment, Samples *ret_kib)
{
        _cleanup_free_ char *status = NULL;
        double before = bench_now_us(), peak = 0;
        char text[KIB(16)];
        size_t size = 0;
        int out[2];
        ssize_t n;
        pid_t pid;

        assert_return_code(pipe2(out, O_CLOEXEC), errno);
        assert_return_code(process_spawn(&(Spawn){ .arguments = arguments,
                                                 .environment = environment,
                                                 .output = out[1],
                                                 .errors = -EBADF,
                                                 .pass = -EBADF },
                                   &pid),
                0);
        safe_close(out[1]);
        assert_true(asprintf(&status, "/proc/%d/status", (int) pid) > 0);
        while ((n = read(out[0], text, sizeof text)) > 0) {
                size += (size_t) n;
                if (ret_kib)
                        peak = MAX(peak, bench_status(status, "VmHWM"));
        }
        assert_return_code(n, errno);
        assert_int_equal(process_wait(pid, HARNESS_PATIENCE), 0);
        before = bench_now_us() - before;
        safe_close(out[0]);
        assert_true(size >= LONG_BYTES);
        if (ret_kib)
                samples_add(ret_kib, peak);
        return before;
}

static void measure_long(const char *name, const char *const *ours, const char *const *bare,
        const char *const *environment, unsigned rounds)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };

        for (unsigned i = 0; i < rounds; i++) {
                double b = run_long(bare, environment, NULL);
                double o = run_long(ours, environment, NULL);

                samples_add(&floor, b);
                samples_add(&samples, o);
        }
        bench_print(name, "us", &samples, &floor);
}

/* Asking for it takes time: so these are runs of their own. */
static void measure_resident(
        const char *const *ours, const char *const *bare, const char *const *environment)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };

        for (unsigned i = 0; i < WARM_UP; i++) {
                (void) run_long(bare, environment, &floor);
                (void) run_long(ours, environment, &samples);
        }
        bench_print("cli-ask-resident", "KiB", &samples, &floor);
}

#define CURL(text) \
        (const char *const[]) \
        { \
                "curl", "-sN", "-d", \
                        "{\"model\":\"tiny:latest\",\"messages\":[{\"role\":\"user\"," \
                        "\"content\":\"" text "\"}]}", \
                        url, NULL \
        }
#define ASK(text) \
        (const char *const[]) \
        { \
                conductor, "ask", text, NULL \
        }

int main(void)
{
        Harness *h = bench_begin();
        _cleanup_free_ char *home = NULL, *runtime = NULL, *bus = NULL, *url = NULL;
        const char *conductor = getenv("CONDUCTOR"), *empty = getenv("BENCH_EMPTY");

        assert_non_null(conductor);
        assert_non_null(empty);
        harness_start_engine(h, "ollama", "", NULL);
        bench_start(h);
        assert_true(asprintf(&home, "HOME=%s", h->home) > 0);
        assert_true(asprintf(&runtime, "XDG_RUNTIME_DIR=%s", h->runtime) > 0);
        assert_true(asprintf(&bus, "DBUS_SESSION_BUS_ADDRESS=%s", h->address) > 0);
        assert_true(asprintf(&url, "http://127.0.0.1:%d/api/chat", h->engine_port) > 0);
        {
                const char *const environment[] = { home, runtime, bus, "LANG=C.UTF-8", NULL };

                measure("cli-version", (const char *const[]){ conductor, "--version", NULL },
                        (const char *const[]){ empty, NULL }, environment);
                measure("cli-ask-one-token", ASK("@tokens=1"), CURL("@tokens=1"), environment);
                measure_long("cli-ask-long", ASK(LONG("\"", "")), CURL(LONG("\\\"", "")),
                        environment, ROUNDS);
                measure_resident(ASK(LONG("\"", "")), CURL(LONG("\\\"", "")), environment);
                measure_long("cli-ask-long-paced", ASK(LONG("\"", PACED)),
                        CURL(LONG("\\\"", PACED)), environment, PACED_ROUNDS);
        }
        bench_end(h);
        return EXIT_SUCCESS;
}
