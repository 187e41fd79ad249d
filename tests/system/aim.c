/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aim session|private IDLE-MSEC ROUNDS
 *
 * Calls the service in the moment in which it leaves. A round waits about as long as the service
 * does when it is idle, then calls three times in a row: the first call is what is aimed, the
 * others reach a service that has begun to leave, or the next one. The wait goes in even steps from
 * a little too short to a little too long, so that some calls come at each stage of the leaving.
 *
 * Prints "CALLS calls, N unanswered, N starts, slowest MSEC ms"; fails if a call is not answered.
 */
#include "common/macro.h"

#include <inttypes.h>
#include <poll.h>
#include <systemd/sd-bus.h>
#include <time.h>

#define NAME           "org.aiway.Conductor1"
#define PATH           "/org/aiway/Conductor1"
#define CALLS_IN_A_ROW 3
#define EARLY_USEC     (8 * USEC_PER_MSEC)
#define LATE_USEC      (24 * USEC_PER_MSEC)

typedef struct Aim {
        sd_bus *session;
        const char *private_address; /* NULL: calls go by the session bus */
        unsigned calls, unanswered, starts;
        usec_t slowest;
} Aim;

static usec_t now_usec(void)
{
        struct timespec ts;

        assert(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/* No event ends this wait: the time itself is what is aimed at. */
static void wait_usec(usec_t t)
{
        struct timespec ts = {
                .tv_sec = (time_t) (t / USEC_PER_SEC),
                .tv_nsec = (long) (t % USEC_PER_SEC * 1000),
        };

        (void) ppoll(NULL, 0, &ts, NULL);
}

/* Each service that starts takes the name, whichever door it was called by. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Aim *a = ASSERT_PTR(userdata);
        const char *name, *before, *after;
        int r;

        r = sd_bus_message_read(m, "sss", &name, &before, &after);
        if (r < 0)
                return r;
        if (!isempty(after))
                a->starts++;
        return 0;
}

static int connect_private(const char *address, sd_bus **ret)
{
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

/* On the private socket each call has a connection of its own: an open one keeps the service. */
static int call_service(Aim *a, sd_bus_error *error)
{
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *version = NULL;
        int r;

        if (!a->private_address)
                return sd_bus_get_property_string(
                        a->session, NAME, PATH, NAME ".Manager", "Version", error, &version);
        r = connect_private(a->private_address, &bus);
        if (r < 0)
                return r;
        return sd_bus_get_property_string(
                bus, NULL, PATH, NAME ".Manager", "Version", error, &version);
}

static void call_once(Aim *a)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        usec_t begin = now_usec(), took;
        int r;

        r = call_service(a, &error);
        took = now_usec() - begin;
        a->slowest = MAX(a->slowest, took);
        a->calls++;
        if (r >= 0)
                return;
        a->unanswered++;
        printf("call %u failed after %" PRIu64 " ms: %s\n", a->calls, took / USEC_PER_MSEC,
                error.message ? error.message : strerror(-r));
}

static void run_rounds(Aim *a, usec_t idle, unsigned rounds)
{
        call_once(a);
        for (unsigned i = 0; i < rounds; i++) {
                wait_usec(idle - EARLY_USEC + (EARLY_USEC + LATE_USEC) * i / rounds);
                for (unsigned j = 0; j < CALLS_IN_A_ROW; j++)
                        call_once(a);
        }
}

static int open_session(Aim *a)
{
        int r;

        r = sd_bus_open_user(&a->session);
        if (r < 0)
                return r;
        return sd_bus_add_match(a->session, NULL,
                "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" NAME
                "'",
                on_owner, a);
}

int main(int argc, char *argv[])
{
        _cleanup_free_ char *address = NULL;
        usec_t idle;
        Aim a = { 0 };
        int r;

        if (argc != 4) {
                fprintf(stderr, "aim session|private IDLE-MSEC ROUNDS\n");
                return 2;
        }
        idle = strtoul(argv[2], NULL, 10) * USEC_PER_MSEC;
        assert(idle > EARLY_USEC);
        if (streq(argv[1], "private")) {
                r = asprintf(&address, "unix:path=%s/conductor/bus", getenv("XDG_RUNTIME_DIR"));
                assert(r >= 0);
                a.private_address = address;
        }

        r = open_session(&a);
        if (r < 0) {
                fprintf(stderr, "aim: no session bus: %s\n", strerror(-r));
                return 1;
        }
        run_rounds(&a, idle, (unsigned) strtoul(argv[3], NULL, 10));
        do
                r = sd_bus_process(a.session, NULL);
        while (r > 0);
        sd_bus_flush_close_unref(a.session);

        printf("%u calls, %u unanswered, %u starts, slowest %" PRIu64 " ms\n", a.calls,
                a.unanswered, a.starts, a.slowest / USEC_PER_MSEC);
        return r < 0 || a.unanswered > 0;
}
