/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A minute in which nobody wants anything, beside a program that only opened the bus and the
 * database: how often their threads woke. A reply was given before, and what that leaves to do
 * (connections that are kept for half a minute) is over when the minute begins. */

#include <dirent.h>

#include "tests/bench/bench.h"
#include "tests/bus/process.h"
#include "tests/bus/reader.h"

#define IDLE_USEC (60 * USEC_PER_SEC)

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

int main(void)
{
        _cleanup_samples_ Samples ours = { 0 }, bare = { 0 };
        Harness *h = bench_begin();
        double before, bare_before;
        pid_t floor;

        harness_start_engine(h, "ollama", "", NULL);
        bench_start(h);
        assert_int_equal(harness_stop(h), 0); /* the database is there */
        floor = start_bare(h);
        bench_start(h);
        ask_once(h);
        harness_engine_wait_unused(h);
        before = switches(h->service);
        bare_before = switches(floor);
        bench_window(h, IDLE_USEC);
        samples_add(&ours, switches(h->service) - before);
        samples_add(&bare, switches(floor) - bare_before);
        bench_print("idle-wakeups-60s", "", &ours, &bare);
        process_end(&floor);
        bench_end(h);
        return EXIT_SUCCESS;
}
