/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the benchmarks share: samples, the line that is printed of them, and the floor's programs.
 * Each number is measured beside its floor, the same work without Conductor, in the same run and
 * turn about, so that a slow machine slows both. */

#include "tests/bus/harness.h"

typedef struct Samples {
        double *value;
        size_t n, allocated;
} Samples;

#define SAMPLES_MAX 1000000U

void samples_add(Samples *s, double value);
/* 0 for none. */
double samples_median(const Samples *s);
void samples_done(Samples *s);
#define _cleanup_samples_ _cleanup_(samples_done)

/* One JSON line, on stdout and at the end of the file that $BENCH_RESULTS names: the samples, the
 * floor's, ratio = median / floor, and the budget of that name (budget.h) with whether it is met.
 * The quantiles are the sample at that rank. floor may be NULL where there is none. A name that
 * ends in "/N" is one point of a line that grows with N. Sorts. */
void bench_print(const char *name, const char *unit, Samples *s, Samples *floor);
void bench_print_one(const char *name, const char *unit, double value);

/* BENCH_MODE=quick: a look at everything in half a minute, in place of ten. */
bool bench_quick(void);
unsigned bench_rounds(unsigned full, unsigned quick);

double bench_now_us(void);
/* CPU time of another process so far. */
double bench_cpu_ms(pid_t pid);

/* The number beside this key in a file like /proc/PID/status; negative when it is not there. */
double bench_status(const char *path, const char *key);

/* Whether CONDUCTOR_TEST_BUS is dbus-broker; what is measured there has names of its own. */
bool bench_on_broker(void);
const char *bench_door(Via via); /* "session", "private"; "broker": the session bus that it is */

/* A Harness whose service is not slowed by a debug log. */
Harness *bench_begin(void);
void bench_start(Harness *h);
/* So many empty conversations; the service is not running before and after. */
void bench_fill(Harness *h, unsigned n);
void bench_end(Harness *h);
/* The time over which something is counted that has no end of its own, as wake-ups in a minute: the
 * harness's loop turns, and a timer in it ends this. */
void bench_window(Harness *h, usec_t usec);

/* Forks; the child runs this and never returns. The caller ends it with process_end(). The child
 * has to write a byte to ready; the function returns after it. */
typedef void (*bench_child_t)(int ready, void *userdata);
pid_t bench_fork(bench_child_t run, void *userdata);

/* Runs a program to its end, its output to this descriptor or nowhere; the time it took. */
double bench_run_us(const char *const *arguments, const char *const *environment, int output);
