/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A minute in which nobody wants anything: how often the threads of service, command line client
 * (which follows all that happens) and curses client wake, what they ask of the kernel in a part of
 * one more, and their memory. The floor is a program that only opened the bus and the database. A
 * reply was given before, and what that leaves to do (connections that are kept for half a minute)
 * is over when the minute begins. */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>

#include "tests/bench/bench.h"
#include "tests/bench/pty.h"
#include "tests/bus/process.h"
#include "tests/bus/reader.h"

#define WINDOW_USEC (bench_quick() ? USEC_PER_SEC : 60 * USEC_PER_SEC)
/* Of its own, for strace wakes what it looks at. */
#define TRACED_USEC (bench_quick() ? USEC_PER_SEC : 20 * USEC_PER_SEC)
/* What strace itself wakes when it comes is not counted. */
#define ATTACH_USEC (USEC_PER_SEC / 2)

typedef struct Idle {
        const char *name;
        pid_t pid, strace;
        double switches, syscalls;
        char *trace;
} Idle;

/* Of all threads. */
static double switches(pid_t pid)
{
        _cleanup_free_ char *folder = NULL;
        const struct dirent *entry;
        double sum = 0;
        DIR *d;

        assert_true(asprintf(&folder, "/proc/%d/task", (int) pid) > 0);
        d = opendir(folder);
        assert_non_null(d);
        while ((entry = readdir(d))) {
                _cleanup_free_ char *path = NULL;

                if (entry->d_name[0] == '.')
                        continue;
                assert_true(asprintf(&path, "%s/%s/status", folder, entry->d_name) > 0);
                sum += MAX(0.0, bench_status(path, "voluntary_ctxt_switches"));
        }
        (void) closedir(d);
        return sum;
}

static double memory(pid_t pid, const char *key)
{
        _cleanup_free_ char *path = NULL;

        assert_true(asprintf(&path, "/proc/%d/smaps_rollup", (int) pid) > 0);
        return bench_status(path, key);
}

/* ---- system calls ---- */

static void trace_start(Idle *i, const Harness *h)
{
        char pid[16];

        (void) snprintf(pid, sizeof pid, "%d", (int) i->pid);
        assert_true(asprintf(&i->trace, "%s/trace-%s", h->folder, i->name) > 0);
        assert_return_code(
                process_spawn(&(Spawn){ .arguments = (const char *const[]){ "strace", "-f", "-q",
                                                "-ttt", "-o", i->trace, "-p", pid, NULL },
                                      .environment = (const char *const[]){ "LC_ALL=C", NULL },
                                      .output = -EBADF,
                                      .errors = -EBADF,
                                      .pass = -EBADF },
                        &i->strace),
                0);
}

/* Lines are "PID SECONDS call(…". One that did not return is no call of this time. */
static void trace_end(Idle *i, double from)
{
        _cleanup_fclose_ FILE *f = NULL;
        char line[4096];

        (void) kill(i->strace, SIGTERM);
        (void) process_wait(i->strace, HARNESS_PATIENCE);
        i->syscalls = 0;
        f = fopen(i->trace, "re");
        assert_non_null(f);
        while (fgets(line, sizeof line, f)) {
                const char *at = strpbrk(line, " ");

                if (at && strtod(at, NULL) >= from && !strstr(line, "<detached") &&
                        !strstr(line, "--- SIG"))
                        i->syscalls++;
        }
        i->trace = mfree(i->trace);
}

static double wall(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* ---- who is idle ---- */

static pid_t start_bare(Harness *h)
{
        _cleanup_free_ char *service = strdup(strempty(getenv("CONDUCTORD")));
        const char *bare = getenv("BENCH_SERVICE");
        pid_t pid;

        assert_non_null(service);
        assert_non_null(bare);
        assert_return_code(setenv("CONDUCTORD", bare, /* overwrite= */ 1), errno);
        assert_int_equal(harness_try_start(h), -EISCONN);
        assert_return_code(setenv("CONDUCTORD", service, /* overwrite= */ 1), errno);
        pid = h->service;
        h->service = 0;
        return pid;
}

static void ask_once(Harness *h)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_free_ char *conversation = harness_create(h, bus, "test/tiny:latest");
        _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
        uint64_t reply = harness_send(h, bus, conversation, "@tokens=100");

        assert_string_equal(reader_wait(reader, reply), "stop");
}

/* `conductor monitor`, which shows each event as it comes. */
static pid_t start_follower(Harness *h)
{
        _cleanup_free_ char *home = NULL, *runtime = NULL, *bus = NULL;
        pid_t pid;

        assert_true(asprintf(&home, "HOME=%s", h->home) > 0);
        assert_true(asprintf(&runtime, "XDG_RUNTIME_DIR=%s", h->runtime) > 0);
        assert_true(asprintf(&bus, "DBUS_SESSION_BUS_ADDRESS=%s", h->address) > 0);
        assert_return_code(
                process_spawn(&(Spawn){ .arguments = (const char *const[]){ getenv("CONDUCTOR"),
                                                "monitor", NULL },
                                      .environment = (const char *const[]){ home, runtime, bus,
                                              "LANG=C.UTF-8", NULL },
                                      .output = -EBADF,
                                      .errors = -EBADF,
                                      .pass = -EBADF },
                        &pid),
                0);
        return pid;
}

/* ---- the figures ---- */

static void print(const Idle *i, const Idle *floor, const char *figure, const char *unit,
        double ours, double bare)
{
        _cleanup_samples_ Samples s = { 0 }, f = { 0 };
        char name[64];

        (void) snprintf(name, sizeof name, "idle-%s-%s", i->name, figure);
        samples_add(&s, ours);
        samples_add(&f, bare);
        bench_print(name, unit, &s, floor ? &f : NULL);
}

static void measure(Harness *h, Idle *all, size_t n)
{
        double from;

        for (size_t i = 0; i < n; i++)
                all[i].switches = switches(all[i].pid);
        bench_window(h, WINDOW_USEC);
        for (size_t i = 0; i < n; i++)
                all[i].switches = switches(all[i].pid) - all[i].switches;
        for (size_t i = 0; i < n; i++)
                trace_start(&all[i], h);
        bench_window(h, ATTACH_USEC);
        from = wall();
        bench_window(h, TRACED_USEC);
        for (size_t i = 0; i < n; i++)
                trace_end(&all[i], from);
}

static void print_all(const Idle *all, size_t n, const Idle *floor)
{
        char unit[16], traced[16];

        (void) snprintf(unit, sizeof unit, "in %u s", (unsigned) (WINDOW_USEC / USEC_PER_SEC));
        (void) snprintf(traced, sizeof traced, "in %u s", (unsigned) (TRACED_USEC / USEC_PER_SEC));
        for (size_t i = 0; i < n; i++) {
                const Idle *bare = i == 0 ? floor : NULL;

                print(&all[i], bare, "wakeups", unit, all[i].switches, floor->switches);
                print(&all[i], bare, "syscalls", traced, all[i].syscalls, floor->syscalls);
                print(&all[i], bare, "pss", "KiB", memory(all[i].pid, "Pss"),
                        memory(floor->pid, "Pss"));
                print(&all[i], bare, "private-dirty", "KiB", memory(all[i].pid, "Private_Dirty"),
                        memory(floor->pid, "Private_Dirty"));
        }
}

int main(void)
{
        Idle all[] = {
                { .name = "service" },
                { .name = "cli-follower" },
                { .name = "tui" },
                { .name = "floor" },
        };
        Idle *floor = &all[ELEMENTSOF(all) - 1];
        Harness *h = bench_begin();
        Pty tui = { 0 };

        harness_start_engine(h, "ollama", "", NULL);
        bench_start(h);
        assert_int_equal(harness_stop(h), 0); /* the database is there */
        floor->pid = start_bare(h);
        bench_start(h);
        all[0].pid = h->service;
        all[1].pid = start_follower(h);
        pty_start_client(&tui, h, NULL, NULL, 40, 120);
        pty_wait(&tui, "test/tiny:latest");
        all[2].pid = tui.pid;
        if (bench_quick()) {
                pty_write(&tui, "\033[18~", 5); /* F7: she goes, and moves no more */
                bench_window(h, USEC_PER_SEC / 2);
        } else {
                ask_once(h);
                harness_engine_wait_unused(h);
        }
        while (pty_read(&tui, bench_now_us() + 1) > 0)
                ;
        measure(h, all, ELEMENTSOF(all));
        print_all(all, ELEMENTSOF(all) - 1, floor);
        pty_end(&tui);
        process_end(&all[1].pid);
        process_end(&floor->pid);
        bench_end(h);
        return EXIT_SUCCESS;
}
