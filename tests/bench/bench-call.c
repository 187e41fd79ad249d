/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A method call that needs no disk, beside an empty one to an sd-bus service that does nothing,
 * through the same bus, and through a socket pair for the private door. All on one processor: which
 * one the scheduler wakes would otherwise be most of what is measured. */

#include <sched.h>
#include <sys/socket.h>

#include "tests/bench/bench.h"
#include "tests/bus/process.h"

#define ECHO_NAME "org.aiway.ConductorBench"
#define ECHO_PATH "/org/aiway/ConductorBench"
#define WARM_UP   200U
#define CALLS     bench_rounds(5000, 500)

typedef struct Echo {
        const char *address; /* of the bus, or NULL: */
        int fd;
} Echo;

static int on_empty(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable echo_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Empty", "", "", on_empty, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void run_echo(int ready, void *userdata)
{
        const Echo *echo = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        assert_return_code(sd_bus_new(&bus), 0);
        if (echo->address) {
                assert_return_code(sd_bus_set_address(bus, echo->address), 0);
                assert_return_code(sd_bus_set_bus_client(bus, true), 0);
        } else {
                assert_return_code(sd_bus_set_fd(bus, echo->fd, echo->fd), 0);
                assert_return_code(sd_bus_set_server(bus, true, SD_ID128_NULL), 0);
        }
        assert_return_code(sd_bus_start(bus), 0);
        assert_return_code(
                sd_bus_add_object_vtable(bus, NULL, ECHO_PATH, ECHO_NAME, echo_vtable, NULL), 0);
        if (echo->address)
                assert_return_code(sd_bus_request_name(bus, ECHO_NAME, 0), 0);
        assert_int_equal(write(ready, "", 1), 1);
        for (;;) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0)
                        return;
        }
}

static double call(sd_bus *bus, const char *path, const char *interface, const char *member,
        const char *first, const char *second)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        double before = bench_now_us();
        int r;

        assert_return_code(sd_bus_message_new_method_call(
                                   bus, &m, first ? BUS_NAME : ECHO_NAME, path, interface, member),
                0);
        if (first)
                assert_return_code(sd_bus_message_append(m, "ss", first, second), 0);
        r = sd_bus_call(bus, m, 0, NULL, &answer);
        assert_return_code(r, -r);
        return bench_now_us() - before;
}

static sd_bus *connect_pair(int fd)
{
        sd_bus *bus = NULL;

        assert_return_code(sd_bus_new(&bus), 0);
        assert_return_code(sd_bus_set_fd(bus, fd, fd), 0);
        assert_return_code(sd_bus_start(bus), 0);
        return bus;
}

static void measure(Harness *h, Via via)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via), *empty = NULL;
        Echo echo = { .fd = -EBADF };
        int pair[2] = { -EBADF, -EBADF };
        char name[32];
        pid_t child;

        if (via == VIA_SESSION)
                echo.address = h->address;
        else {
                assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
                echo.fd = pair[1];
        }
        child = bench_fork(run_echo, &echo);
        safe_close(pair[1]);
        empty = via == VIA_SESSION ? harness_connect(h, via) : connect_pair(pair[0]);

        for (unsigned i = 0; i < WARM_UP + CALLS; i++) {
                double bare = call(empty, ECHO_PATH, ECHO_NAME, "Empty", NULL, NULL);
                double ours = call(bus, PATH_ROOT, "org.freedesktop.DBus.Properties", "Get",
                        INTERFACE_MANAGER, "Version");

                if (i < WARM_UP)
                        continue;
                samples_add(&floor, bare);
                samples_add(&samples, ours);
        }
        (void) snprintf(name, sizeof name, "call-%s", bench_door(via));
        bench_print(name, "us", &samples, &floor);
        process_end(&child);
}

static void stay_on_one_processor(void)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(sched_getcpu(), &set);
        assert_return_code(sched_setaffinity(0, sizeof set, &set), errno);
}

int main(void)
{
        Harness *h;

        stay_on_one_processor();
        h = bench_begin();

        bench_start(h);
        measure(h, VIA_SESSION);
        if (!bench_on_broker())
                measure(h, VIA_PRIVATE);
        bench_end(h);
        return EXIT_SUCCESS;
}
