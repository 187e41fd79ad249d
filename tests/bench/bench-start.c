/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From its start to READY=1 with 1,000 conversations, and the memory it then has, beside a program
 * that only opens the bus and the same database. */

#include <signal.h>

#include "tests/bench/bench.h"

#define CONVERSATIONS 1000U
#define ROUNDS        bench_rounds(30, 5)

typedef struct Start {
        Samples ms, dirty, pss;
} Start;

static void start_done(Start *s)
{
        samples_done(&s->ms);
        samples_done(&s->dirty);
        samples_done(&s->pss);
}

static void run_once(Harness *h, const char *program, Start *ret)
{
        double before;
        Memory memory;

        assert_return_code(setenv("CONDUCTORD", program, /* overwrite= */ 1), errno);
        before = bench_now_us();
        assert_int_equal(harness_try_start(h), -EISCONN);
        samples_add(&ret->ms, (bench_now_us() - before) / 1e3);
        harness_memory(h, &memory);
        samples_add(&ret->dirty, (double) memory.private_dirty / 1024);
        samples_add(&ret->pss, (double) memory.pss / 1024);
        harness_kill(h, SIGTERM);
}

int main(void)
{
        _cleanup_(start_done) Start ours = { 0 }, bare = { 0 };
        _cleanup_free_ char *service = strdup(strempty(getenv("CONDUCTORD")));
        const char *floor = getenv("BENCH_SERVICE");
        Harness *h = bench_begin();

        assert_non_null(service);
        assert_non_null(floor);
        bench_fill(h, CONVERSATIONS);
        for (unsigned i = 0; i < ROUNDS; i++) {
                run_once(h, floor, &bare);
                run_once(h, service, &ours);
        }
        bench_print("start-ready", "ms", &ours.ms, &bare.ms);
        bench_print("start-private-dirty", "KiB", &ours.dirty, &bare.dirty);
        bench_print("start-pss", "KiB", &ours.pss, &bare.pss);
        bench_end(h);
        return EXIT_SUCCESS;
}
