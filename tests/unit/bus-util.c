/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/bus-util.h"

#include <sys/socket.h>
#include <unistd.h>

int bus_setup(void **state)
{
        sd_bus *bus = NULL;
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ||
                sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fds[0], fds[0]) < 0 ||
                sd_bus_start(bus) < 0)
                return -1;
        (void) close(fds[1]);
        *state = bus;
        return 0;
}

int bus_teardown(void **state)
{
        sd_bus_close_unref(*state);
        return 0;
}

sd_bus_message *bus_new_call(sd_bus *bus)
{
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_method_call(
                            bus, &m, "org.example", "/", "org.example", "Call") >= 0);
        return m;
}
