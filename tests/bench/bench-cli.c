/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The command line's own time: `--version` beside a program that does nothing but link libsystemd,
 * and a question of one token beside `curl -N` of the same one. */

#include "tests/bench/bench.h"

#define WARM_UP 5U
#define ROUNDS  100U

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
                measure("cli-ask-one-token",
                        (const char *const[]){ conductor, "ask", "@tokens=1", NULL },
                        (const char *const[]){ "curl", "-sN", "-d",
                                "{\"model\":\"tiny:latest\",\"messages\":[{\"role\":\"user\","
                                "\"content\":\"@tokens=1\"}]}",
                                url, NULL },
                        environment);
        }
        bench_end(h);
        return EXIT_SUCCESS;
}
