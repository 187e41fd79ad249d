/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "client/bus/start.h"
#include "common/names.h"

/* Somebody who takes a connection, and with systemd: is ready, has said something by then, on a
 * slow machine, too. */
#define ANSWER_MAX (25 * USEC_PER_SEC)

/* A file of its own, so that a client with a loop does not link what waits. */

typedef struct Wait {
        bool done;
        Failure *failure;
} Wait;

static void on_done(const Failure *failure, void *userdata)
{
        Wait *w = userdata;

        w->done = true;
        if (failure)
                failure_copy(w->failure, failure);
}

static int wait_for(sd_bus *systemd, const Wait *w)
{
        int r;

        while (!w->done) {
                r = sd_bus_process(systemd, NULL);
                if (r == 0)
                        r = sd_bus_wait(systemd, UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}

static usec_t now(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

/* Whether who is behind the connection has answered; also where it broke, of which the call will
 * tell. */
static bool answers_within(sd_bus *bus, usec_t usec)
{
        usec_t deadline = now() + usec, t;
        int r;

        while (sd_bus_is_ready(bus) == 0) {
                r = sd_bus_process(bus, NULL);
                if (r < 0 && r != -EINTR)
                        return true;
                if (r > 0)
                        continue;
                t = now();
                if (t >= deadline)
                        return false;
                r = sd_bus_wait(bus, deadline - t);
                if (r < 0 && r != -EINTR)
                        return true;
        }
        return true;
}

static bool runs(sd_bus *bus, ClientDoor door)
{
        switch (door) {
        case CLIENT_SESSION:
                /* Or whatever is wrong the call itself will tell. */
                return sd_bus_get_name_creds(bus, BUS_NAME, /* mask= */ 0, NULL) != -ENXIO;
        case CLIENT_PRIVATE:
                return answers_within(bus, START_SOON);
        case CLIENT_REMOTE:
                return true;
        }
        return true;
}

/* Where systemd manages the service: it is ready then, or why it is not. */
static int start(sd_bus *bus, ClientDoor door, Failure *failure)
{
        _cleanup_failure_ Failure why = FAILURE_NULL;
        _cleanup_(start_freep) Start *s = NULL;
        Wait w = { .failure = &why };
        int r;

        r = start_new(bus, door, on_done, &w, &s);
        if (r > 0)
                r = wait_for(start_bus(s), &w);
        if (r < 0)
                return failure_set_errno(failure, r, "The conductor service cannot be started");
        return failure_is_set(&why) ? failure_set(failure, why.code, "%s", failure_message(&why))
                                    : 0;
}

static int fail_silent(sd_bus *bus, ClientDoor door, Failure *failure)
{
        const char *address = "?";

        (void) sd_bus_get_address(bus, &address);
        if (door == CLIENT_SESSION)
                return failure_set(failure, FAILURE_NO_SERVICE,
                        "The session bus (%s) takes a connection, but says nothing. "
                        "'systemctl --user status dbus.socket' says more.",
                        address);
        return failure_set(failure, FAILURE_NO_SERVICE,
                "Something listens in the conductor service's place (%s), but says nothing: the "
                "service hangs, or it is another program ('ss -xlp' says which). 'systemctl --user "
                "restart conductor.socket conductor.service' puts the service there.",
                address);
}

int client_start_service(sd_bus *bus, ClientDoor door, Failure *failure)
{
        int r = 0;

        /* A bus is there before the service is; behind the private door is the service itself. */
        if (door == CLIENT_SESSION && !answers_within(bus, ANSWER_MAX))
                r = fail_silent(bus, door, failure);
        else if (!runs(bus, door))
                r = start(bus, door, failure);
        if (r >= 0 && door == CLIENT_PRIVATE && !answers_within(bus, ANSWER_MAX))
                r = fail_silent(bus, door, failure);
        if (r < 0 && (door == CLIENT_PRIVATE || sd_bus_is_ready(bus) <= 0))
                sd_bus_close(bus); /* whoever flushes it would wait for an answer */
        return r;
}
