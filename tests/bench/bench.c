/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/bench.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/bench/budget.h"
#include "tests/bus/process.h"

#define PATH_LOG_CONTROL "/org/freedesktop/LogControl1"

/* ---- samples ---- */

void samples_add(Samples *s, double value)
{
        if (s->n == s->allocated) {
                size_t more = MAX((size_t) 1024, s->allocated * 2);
                double *grown;

                assert_true(more <= SAMPLES_MAX * 2);
                grown = realloc(s->value, more * sizeof *grown);
                assert_non_null(grown);
                s->value = grown;
                s->allocated = more;
        }
        s->value[s->n++] = value;
}

void samples_done(Samples *s)
{
        s->value = mfree(s->value);
        s->n = s->allocated = 0;
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

double samples_median(const Samples *s)
{
        _cleanup_samples_ Samples sorted = { 0 };

        for (size_t i = 0; i < s->n; i++)
                samples_add(&sorted, s->value[i]);
        if (sorted.n == 0)
                return 0;
        qsort(sorted.value, sorted.n, sizeof *sorted.value, compare);
        return sorted.value[(sorted.n + 1) / 2 - 1];
}

/* Of sorted ones, by nearest rank. */
static double samples_quantile(const Samples *s, unsigned percent)
{
        size_t rank = (s->n * percent + 99) / 100;

        return s->value[MAX(rank, (size_t) 1) - 1];
}

/* The samples at 0, 5, … 100 %, for who draws them. */
#define STEP_PERCENT 5U

static void print_quantiles(FILE *f, const char *key, const Samples *s)
{
        fprintf(f, ",\"%s\":[%.3f", key, s->value[0]);
        for (unsigned percent = STEP_PERCENT; percent <= 100; percent += STEP_PERCENT)
                fprintf(f, ",%.3f", samples_quantile(s, percent));
        fputc(']', f);
}

static void print_floor(FILE *f, double median, const Samples *floor)
{
        double base = samples_quantile(floor, 50);

        fprintf(f, ",\"floor\":%.3f,\"floor_p99\":%.3f,\"ratio\":", base,
                samples_quantile(floor, 99));
        if (base > 0)
                fprintf(f, "%.3f", median / base);
        else
                fputs("null", f);
        print_quantiles(f, "floor_quantiles", floor);
}

static void print_line(
        FILE *f, const char *name, const char *unit, const Samples *s, const Samples *floor)
{
        double median = samples_quantile(s, 50), p99 = samples_quantile(s, 99);

        fprintf(f,
                "{\"name\":\"%s\",\"unit\":\"%s\",\"n\":%zu,\"min\":%.3f,\"median\":%.3f,"
                "\"p99\":%.3f,\"max\":%.3f",
                name, unit, s->n, s->value[0], median, p99, s->value[s->n - 1]);
        print_quantiles(f, "quantiles", s);
        if (floor)
                print_floor(f, median, floor);
        budget_print(f, name,
                &(BudgetMeasured){ .median = median,
                        .p99 = p99,
                        .floor = floor ? samples_quantile(floor, 50) : -1 });
        fputs("}\n", f);
        assert_int_equal(fflush(f), 0);
}

void bench_print(const char *name, const char *unit, Samples *s, Samples *floor)
{
        const char *path = getenv("BENCH_RESULTS");

        assert_true(s->n > 0);
        qsort(s->value, s->n, sizeof *s->value, compare);
        if (floor) {
                assert_true(floor->n > 0);
                qsort(floor->value, floor->n, sizeof *floor->value, compare);
        }
        print_line(stdout, name, unit, s, floor);
        if (path) {
                _cleanup_fclose_ FILE *f = fopen(path, "ae");

                assert_non_null(f);
                print_line(f, name, unit, s, floor);
        }
}

void bench_print_one(const char *name, const char *unit, double value)
{
        _cleanup_samples_ Samples one = { 0 };

        samples_add(&one, value);
        bench_print(name, unit, &one, NULL);
}

bool bench_quick(void)
{
        const char *mode = getenv("BENCH_MODE");

        return mode && streq(mode, "quick");
}

unsigned bench_rounds(unsigned full, unsigned quick)
{
        return bench_quick() ? quick : full;
}

/* ---- clocks ---- */

double bench_now_us(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double) ts.tv_sec * 1e6 + (double) ts.tv_nsec / 1e3;
}

double bench_cpu_ms(pid_t pid)
{
        struct timespec ts;
        clockid_t clock;

        assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
        assert_return_code(clock_gettime(clock, &ts), errno);
        return (double) ts.tv_sec * 1e3 + (double) ts.tv_nsec / 1e6;
}

double bench_status(const char *path, const char *key)
{
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        char line[256];

        while (f && fgets(line, sizeof line, f)) {
                const char *value = startswith(line, key);

                if (value && *value == ':')
                        return strtod(value + 1, NULL);
        }
        return -1;
}

/* ---- the service ---- */

bool bench_on_broker(void)
{
        return streq(strempty(getenv("CONDUCTOR_TEST_BUS")), "broker");
}

const char *bench_door(Via via)
{
        return via == VIA_PRIVATE ? "private" : bench_on_broker() ? "broker" : "session";
}

Harness *bench_begin(void)
{
        void *state = NULL;

        harness_require_bus();
        assert_return_code(harness_setup(&state), 0);
        return state;
}

void bench_start(Harness *h)
{
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        answer = harness_call(h, bus, PATH_LOG_CONTROL, "org.freedesktop.DBus.Properties", "Set",
                "ssv", "org.freedesktop.LogControl1", "LogLevel", "s", "warning");
}

static int on_created(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        unsigned *n_created = ASSERT_PTR(userdata);

        assert_false(sd_bus_message_is_method_error(m, NULL));
        (*n_created)++;
        return 0;
}

/* Together they wait for the disk once. */
#define CREATED_AT_ONCE 50U

void bench_fill(Harness *h, unsigned n)
{
        unsigned n_created = 0;

        bench_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);

                for (unsigned i = 0; i < n; i++) {
                        assert_return_code(sd_bus_call_method_async(bus, NULL, BUS_NAME, PATH_ROOT,
                                                   INTERFACE_MANAGER, "CreateConversation",
                                                   on_created, &n_created, "a{sv}", 0),
                                0);
                        if (i + 1 == n || (i + 1) % CREATED_AT_ONCE == 0)
                                harness_run_until(h, n_created == i + 1);
                }
        }
        assert_int_equal(harness_stop(h), 0);
}

void bench_end(Harness *h)
{
        void *state = h;

        if (h->service > 0)
                assert_int_equal(harness_stop(h), 0);
        (void) harness_teardown(&state);
}

static int on_window(sd_event_source *source, uint64_t usec, void *userdata)
{
        bool *over = userdata;

        *over = true;
        return 0;
}

void bench_window(Harness *h, usec_t usec)
{
        _cleanup_(sd_event_source_unrefp) sd_event_source *timer = NULL;
        bool over = false;

        assert_return_code(sd_event_add_time_relative(
                                   h->event, &timer, CLOCK_MONOTONIC, usec, 1, on_window, &over),
                0);
        while (!over)
                assert_return_code(sd_event_run(h->event, UINT64_MAX), 0);
}

/* ---- other processes ---- */

pid_t bench_fork(bench_child_t run, void *userdata)
{
        int ready[2];
        char byte;
        pid_t pid;

        assert_return_code(pipe(ready), errno);
        pid = fork();
        assert_return_code(pid, errno);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                safe_close(ready[0]);
                run(ready[1], userdata);
                _exit(EXIT_SUCCESS);
        }
        safe_close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        safe_close(ready[0]);
        return pid;
}

double bench_run_us(const char *const *arguments, const char *const *environment, int output)
{
        double before = bench_now_us();
        int status;
        pid_t pid;

        assert_return_code(process_spawn(&(Spawn){ .arguments = arguments,
                                                 .environment = environment,
                                                 .output = output,
                                                 .errors = -EBADF,
                                                 .pass = -EBADF },
                                   &pid),
                0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        before = bench_now_us() - before;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                fail_msg("%s failed: %d", arguments[0], status);
        return before;
}
