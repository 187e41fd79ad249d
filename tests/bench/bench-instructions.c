/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Instructions of the service's main thread for a token and for a call, counted by callgrind. They
 * differ between compilers and libraries, and hardly between two runs: for comparing two revisions
 * on one machine. */

#include <fcntl.h>

#include "tests/bench/step.h"
#include "tests/bus/process.h"

#define WARM_UP 20U
#define TOKENS  bench_rounds(400, 60)
#define CALLS   bench_rounds(400, 100)
#define LATE    20000U /* tokens that a reply has already */

typedef struct World {
        Harness *h;
        char *prefix, *variable;
        unsigned n_dumps;
} World;

/* Said to the running program from outside; it is done when this returns. */
static void say(const World *w, const char *command)
{
        _cleanup_close_ int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        _cleanup_free_ char *pid = NULL, *prefix = NULL;
        pid_t vgdb;

        assert_return_code(nowhere, errno);
        assert_true(asprintf(&pid, "--pid=%d", (int) w->h->service) > 0);
        assert_true(asprintf(&prefix, "--vgdb-prefix=%s-vgdb", w->prefix) > 0);
        assert_return_code(process_spawn(&(Spawn){ .arguments = (const char *const[]){ "vgdb", pid,
                                                           prefix, "-c", command, NULL },
                                                 .environment = (const char *const[]){ NULL },
                                                 .output = -EBADF,
                                                 .errors = nowhere,
                                                 .pass = -EBADF },
                                   &vgdb),
                0);
        assert_int_equal(process_wait(vgdb, HARNESS_PATIENCE), 0);
}

/* Of the main thread since the last time. */
static double instructions(World *w)
{
        _cleanup_free_ char *path = NULL;
        double n;

        say(w, "dump");
        assert_true(asprintf(&path, "%s.%u-01", w->prefix, ++w->n_dumps) > 0);
        n = bench_status(path, "totals");
        assert_true(n > 0);
        return n;
}

static void world_begin(World *w)
{
        *w = (World){ .h = bench_begin() };
        assert_non_null(getenv("BENCH_UNDER_CALLGRIND"));
        assert_return_code(
                setenv("CONDUCTOR_WRAPPER", getenv("BENCH_UNDER_CALLGRIND"), /* overwrite= */ 1),
                errno);
        assert_true(asprintf(&w->prefix, "%s/callgrind", w->h->folder) > 0);
        assert_true(asprintf(&w->variable, "CALLGRIND_OUT=%s", w->prefix) > 0);
        w->h->environment[0] = w->variable;
        harness_start_engine(w->h, "ollama", "", NULL);
        bench_start(w->h);
}

static void world_end(World *w)
{
        bench_end(w->h);
        free(w->prefix);
        free(w->variable);
}

static void measure_tokens(World *w, unsigned before, const char *name)
{
        double n;
        Step s;

        step_begin(&s, w->h, VIA_PRIVATE,
                &(StepShape){ .before = before, .tokens = WARM_UP + TOKENS });
        for (unsigned i = 0; i < WARM_UP; i++)
                step_next(&s);
        (void) instructions(w);
        for (unsigned i = 0; i < TOKENS; i++)
                step_next(&s);
        n = instructions(w);
        bench_print_one(name, "instructions", n / TOKENS);
        step_end(&s);
}

static void measure_calls(World *w)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(w->h, VIA_PRIVATE);

        for (unsigned i = 0; i < WARM_UP + CALLS; i++) {
                if (i == WARM_UP)
                        (void) instructions(w);
                sd_bus_message_unref(
                        harness_call(w->h, bus, PATH_ROOT, "org.freedesktop.DBus.Properties", "Get",
                                "ss", INTERFACE_MANAGER, "Version"));
        }
        bench_print_one("count-call-instructions", "instructions", instructions(w) / CALLS);
}

int main(void)
{
        World w;

        if (!harness_can_measure()) {
                print_message("this build is measured by something else already\n");
                return 77;
        }
        if (access("/usr/bin/vgdb", X_OK) < 0) {
                print_message("valgrind is missing\n");
                return 77;
        }
        world_begin(&w);
        measure_calls(&w);
        measure_tokens(&w, 1, "count-token-instructions");
        measure_tokens(&w, LATE, "count-token-late-instructions");
        world_end(&w);
        return EXIT_SUCCESS;
}
