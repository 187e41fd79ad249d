/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The claim: a service that is there beats a runtime for each command. The same question, N times,
 * one after the other and ten at a time, asked with `conductor ask` while the service runs, with it
 * when the first one has to start the service, and by a program that does everything itself each
 * time (bench-direct). The CPU time is that of the commands, the service and the bus. Memory is
 * what N questions take that are asked at once and wait for the engine. */

#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/bench/starting-bus.h"
#include "tests/bus/process.h"

#define AT_ONCE  10U
#define QUESTION "@tokens=5"
#define HELD     "@tokens=5 @fault=hold:0"
#define HELD_MAX 100U

typedef enum Way {
        WAY_RESIDENT,
        WAY_ACTIVATED,
        WAY_DIRECT,
        _WAY_MAX,
} Way;

static const char *const ways[_WAY_MAX] = { "resident", "activated", "direct" };

typedef struct World {
        Harness *h;
        pid_t bus_pid;
        sd_bus *bus;
        char *environment[6];     /* of the commands, NULL-ended */
        char *own_environment[6]; /* of those that have a database of their own */
} World;

typedef struct Result {
        Samples wall, cpu;
} Result;

static void result_done(Result *r)
{
        samples_done(&r->wall);
        samples_done(&r->cpu);
}

static void world_begin(World *w)
{
        _cleanup_free_ char *address = NULL;

        *w = (World){ .h = bench_begin() };
        harness_start_engine(w->h, "ollama", "MaxConcurrent=0", NULL);
        address = starting_bus_start(w->h, &w->bus_pid);
        assert_return_code(sd_bus_new(&w->bus), 0);
        assert_return_code(sd_bus_set_address(w->bus, address), 0);
        assert_return_code(sd_bus_set_bus_client(w->bus, true), 0);
        assert_return_code(sd_bus_start(w->bus), 0);
        for (unsigned i = 0; i < 2; i++) {
                char **environment = i ? w->own_environment : w->environment;

                assert_true(asprintf(&environment[0], "HOME=%s", w->h->home) > 0);
                assert_true(asprintf(&environment[1], "XDG_RUNTIME_DIR=%s", w->h->runtime) > 0);
                assert_true(
                        asprintf(&environment[2], "XDG_CONFIG_HOME=%s/config", w->h->folder) > 0);
                assert_true(asprintf(&environment[3], "DBUS_SESSION_BUS_ADDRESS=%s", address) > 0);
                assert_true(asprintf(&environment[4], "XDG_STATE_HOME=%s/%s", w->h->folder,
                                    i ? "state-of-direct" : "state") > 0);
        }
}

static void world_end(World *w)
{
        starting_bus_end_service(w->bus, BUS_NAME);
        w->bus = sd_bus_flush_close_unref(w->bus);
        process_end(&w->bus_pid);
        for (unsigned i = 0; i < ELEMENTSOF(w->environment); i++) {
                free(w->environment[i]);
                free(w->own_environment[i]);
        }
        bench_end(w->h);
}

static pid_t start(const World *w, Way way, const char *question)
{
        const char *const asks[] = { getenv("CONDUCTOR"), "ask", question, NULL };
        const char *const does[] = { getenv("BENCH_DIRECT"), question, NULL };
        pid_t pid;

        assert_return_code(
                process_spawn(&(Spawn){ .arguments = way == WAY_DIRECT ? does : asks,
                                      .environment = (const char *const *) (way == WAY_DIRECT
                                                      ? w->own_environment
                                                      : w->environment),
                                      .output = -EBADF,
                                      .errors = -EBADF,
                                      .pass = -EBADF },
                        &pid),
                0);
        return pid;
}

/* The first of these to end. */
static void wait_one(void)
{
        int status;

        assert_true(wait(&status) > 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                fail_msg("a command failed: %d", status);
}

static void run_all(const World *w, Way way, unsigned n, unsigned at_once)
{
        for (unsigned started = 0, ended = 0; ended < n;) {
                if (started < n && started - ended < at_once) {
                        (void) start(w, way, QUESTION);
                        started++;
                        continue;
                }
                wait_one();
                ended++;
        }
}

/* ---- time ---- */

/* Of all commands that ended, in ms. */
static double cpu_of_commands(void)
{
        struct rusage u;

        assert_return_code(getrusage(RUSAGE_CHILDREN, &u), errno);
        return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
                (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static double cpu_of_service(const World *w)
{
        pid_t pid = starting_bus_service(w->bus, BUS_NAME);

        return bench_cpu_ms(w->bus_pid) + (pid > 0 ? bench_cpu_ms(pid) : 0);
}

static void measure_once(const World *w, Way way, unsigned n, unsigned at_once, Result *result)
{
        double before, cpu;

        if (way == WAY_ACTIVATED)
                starting_bus_end_service(w->bus, BUS_NAME);
        if (way == WAY_RESIDENT)
                run_all(w, way, 1, 1); /* it is there, and has asked before */
        cpu = cpu_of_commands() + (way == WAY_DIRECT ? 0 : cpu_of_service(w));
        before = bench_now_us();
        run_all(w, way, n, at_once);
        samples_add(&result->wall, (bench_now_us() - before) / 1e3);
        samples_add(&result->cpu,
                cpu_of_commands() + (way == WAY_DIRECT ? 0 : cpu_of_service(w)) - cpu);
}

static void print(
        Way way, const char *figure, unsigned n, const char *unit, Samples *s, Samples *direct)
{
        char name[64];

        (void) snprintf(name, sizeof name, "runtime-%s-%s/%u", ways[way], figure, n);
        bench_print(name, unit, s, way == WAY_DIRECT ? NULL : direct);
}

static void measure(const World *w, unsigned n, unsigned at_once)
{
        unsigned rounds = n <= 10 ? bench_rounds(10, 2) : n <= 100 ? 2 : 1;
        Result results[_WAY_MAX] = { 0 };

        for (unsigned i = 0; i < rounds; i++)
                for (Way way = 0; way < _WAY_MAX; way++)
                        measure_once(w, way, n, at_once, &results[way]);
        for (Way way = 0; way < _WAY_MAX; way++) {
                print(way, at_once > 1 ? "at-once-wall" : "wall", n, "ms", &results[way].wall,
                        &results[WAY_DIRECT].wall);
                print(way, at_once > 1 ? "at-once-cpu" : "cpu", n, "ms", &results[way].cpu,
                        &results[WAY_DIRECT].cpu);
        }
        for (Way way = 0; way < _WAY_MAX; way++)
                result_done(&results[way]);
}

/* ---- memory ---- */

static double pss(pid_t pid)
{
        _cleanup_free_ char *path = NULL;

        assert_true(asprintf(&path, "/proc/%d/smaps_rollup", (int) pid) > 0);
        return MAX(0.0, bench_status(path, "Pss"));
}

static double memory(World *w, Way way, unsigned n, unsigned *held)
{
        pid_t pids[HELD_MAX];
        char wanted[32];
        double sum = 0;

        assert_true(n <= HELD_MAX);
        for (unsigned i = 0; i < n; i++)
                pids[i] = start(w, way, HELD);
        (void) snprintf(wanted, sizeof wanted, "held=%u", *held += n);
        harness_engine_wait(w->h, wanted);
        for (unsigned i = 0; i < n; i++)
                sum += pss(pids[i]);
        if (way != WAY_DIRECT)
                sum += pss(starting_bus_service(w->bus, BUS_NAME));
        free(harness_engine_page(w->h, "/release", ""));
        for (unsigned i = 0; i < n; i++)
                wait_one();
        return sum;
}

static void measure_memory(World *w, unsigned n, unsigned *held)
{
        _cleanup_samples_ Samples resident = { 0 }, direct = { 0 };

        samples_add(&direct, memory(w, WAY_DIRECT, n, held));
        samples_add(&resident, memory(w, WAY_RESIDENT, n, held));
        print(WAY_RESIDENT, "memory", n, "KiB", &resident, &direct);
        print(WAY_DIRECT, "memory", n, "KiB", &direct, NULL);
}

int main(void)
{
        unsigned most = bench_rounds(1000, 10), held = 0;
        World w;

        world_begin(&w);
        for (unsigned n = 1; n <= most; n *= 10)
                measure(&w, n, 1);
        for (unsigned n = AT_ONCE; n <= most; n *= 10)
                measure(&w, n, AT_ONCE);
        for (unsigned n = 1; n <= bench_rounds(HELD_MAX, AT_ONCE); n *= 10)
                measure_memory(&w, n, &held);
        world_end(&w);
        return EXIT_SUCCESS;
}
