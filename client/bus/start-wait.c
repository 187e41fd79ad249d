/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "client/bus/start.h"
#include "common/names.h"

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

/* Whether the service has answered; also where the connection broke, of which the call will tell.
 */
static bool answers_soon(sd_bus *bus)
{
        usec_t deadline = now() + START_SOON, t;
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
                return answers_soon(bus);
        case CLIENT_REMOTE:
                return true;
        }
        return true;
}

int client_start_service(sd_bus *bus, ClientDoor door, Failure *failure)
{
        _cleanup_failure_ Failure why = FAILURE_NULL;
        _cleanup_(start_freep) Start *s = NULL;
        Wait w = { .failure = &why };
        int r;

        if (runs(bus, door))
                return 0;
        r = start_new(bus, door, on_done, &w, &s);
        if (r == 0)
                return 0;
        if (r > 0)
                r = wait_for(start_bus(s), &w);
        if (r < 0)
                r = failure_set_errno(failure, r, "The conductor service cannot be started");
        else if (failure_is_set(&why))
                r = failure_set(failure, why.code, "%s", failure_message(&why));
        if (r < 0 && door == CLIENT_PRIVATE)
                sd_bus_close(bus); /* whoever flushes it would wait for an answer */
        return r;
}
