/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A call that starts the service by way of the bus, until its answer is here, with 1,000
 * conversations; beside a program that only opens the bus and the same database. The bus starts the
 * program itself: what a service manager adds between the two is not ours. */

#include "tests/bench/starting-bus.h"
#include "tests/bus/process.h"

#define CONVERSATIONS 1000U
#define ROUNDS        bench_rounds(30, 5)

static double activate(sd_bus *bus, const char *name)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        double before = bench_now_us();
        int r;

        r = sd_bus_call_method(
                bus, name, PATH_ROOT, "org.freedesktop.DBus.Peer", "Ping", NULL, &answer, NULL);
        assert_return_code(r, -r);
        before = (bench_now_us() - before) / 1e3;
        starting_bus_end_service(bus, name);
        return before;
}

static void measure(const char *address)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        _cleanup_connection_ sd_bus *bus = NULL;

        assert_return_code(sd_bus_new(&bus), 0);
        assert_return_code(sd_bus_set_address(bus, address), 0);
        assert_return_code(sd_bus_set_bus_client(bus, true), 0);
        assert_return_code(sd_bus_start(bus), 0);
        for (unsigned i = 0; i < ROUNDS; i++) {
                samples_add(&floor, activate(bus, STARTING_BUS_FLOOR));
                samples_add(&samples, activate(bus, BUS_NAME));
        }
        bench_print("activate-by-the-bus", "ms", &samples, &floor);
}

int main(void)
{
        Harness *h = bench_begin();
        _cleanup_free_ char *address = NULL;
        pid_t bus;

        bench_fill(h, CONVERSATIONS);
        address = starting_bus_start(h, &bus);
        measure(address);
        process_end(&bus);
        bench_end(h);
        return EXIT_SUCCESS;
}
