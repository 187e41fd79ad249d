/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/start.h"

#include <time.h>

#include "common/names.h"

#define UNIT      "conductor.service"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/conductor_2eservice"
#define SYSTEMD   "org.freedesktop.systemd1"

/* A service that can start has answered a new connection by then: systemd need not be asked. */
#define SOON (500 * USEC_PER_MSEC)

#define NOT_EXECUTED 203 /* systemd.exec(5): EXIT_EXEC */

typedef struct Start {
        sd_bus *bus;
        char *job, *result; /* the job's */
} Start;

static void start_done(Start *s)
{
        free(s->job);
        free(s->result);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Start *s = userdata;
        const char *job, *result;
        int r;

        r = sd_bus_message_read(m, "uoss", NULL, &job, NULL, &result);
        if (r < 0 || !streq_ptr(job, s->job))
                return 0;
        return free_and_strdup(&s->result, result);
}

/* 1 = asked, 0 = nobody here manages the service. */
static int ask_systemd(Start *s)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *job;
        int r;

        r = sd_bus_message_new_method_call(s->bus, &call, SYSTEMD, "/org/freedesktop/systemd1",
                SYSTEMD ".Manager", "StartUnit");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, /* b= */ false);
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", UNIT, "replace");
        if (r < 0)
                return r;
        r = sd_bus_call(s->bus, call, /* usec= */ 0, &error, &reply);
        if (r < 0)
                return sd_bus_error_is_set(&error) ? 0 : r;
        r = sd_bus_message_read(reply, "o", &job);
        if (r >= 0)
                r = free_and_strdup(&s->job, job);
        return r < 0 ? r : 1;
}

/* It ends: systemd gives a start no more than TimeoutStartSec=. */
static int wait_for_job(Start *s)
{
        int r;

        while (!s->result) {
                r = sd_bus_process(s->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(s->bus, UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}

/* What the service said last, or how systemd saw it end. */
static int fail_to_start(Start *s, Failure *failure)
{
        _cleanup_free_ char *said = NULL, *result = NULL;
        int32_t status = 0;

        (void) sd_bus_get_property_string(
                s->bus, SYSTEMD, UNIT_PATH, SYSTEMD ".Service", "StatusText", NULL, &said);
        (void) sd_bus_get_property_string(
                s->bus, SYSTEMD, UNIT_PATH, SYSTEMD ".Service", "Result", NULL, &result);
        (void) sd_bus_get_property_trivial(s->bus, SYSTEMD, UNIT_PATH, SYSTEMD ".Service",
                "ExecMainStatus", NULL, 'i', &status);
        if (isempty(said) && status == NOT_EXECUTED)
                return failure_set(failure, FAILURE_NO_SERVICE,
                        "The conductor service cannot start: its program is missing or cannot be "
                        "run; install Conductor again. ('systemctl --user status " UNIT
                        "' says which.)");
        if (!isempty(said))
                return failure_set(failure, FAILURE_NO_SERVICE,
                        "The conductor service cannot start: %s "
                        "('systemctl --user status " UNIT "' shows more.)",
                        said);
        return failure_set(failure, FAILURE_NO_SERVICE,
                "The conductor service cannot start (%s). 'systemctl --user status " UNIT
                "' shows more; 'conductor doctor' finds out why.",
                isempty(result) || streq(result, "success") ? s->result : result);
}

/* systemd: the connection by which it is asked, a bus or its own. */
static int start_unit(sd_bus *systemd, bool is_bus, Failure *failure)
{
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *match = NULL;
        _cleanup_(start_done) Start s = { .bus = systemd };
        int r;

        r = sd_bus_match_signal(systemd, &match, is_bus ? SYSTEMD : NULL,
                "/org/freedesktop/systemd1", SYSTEMD ".Manager", "JobRemoved", on_job_removed, &s);
        if (r >= 0)
                r = ask_systemd(&s);
        if (r == 0)
                return 0;
        if (r > 0)
                r = wait_for_job(&s);
        if (r < 0)
                return failure_set_errno(failure, r, "The conductor service cannot be started");
        return streq(s.result, "done") ? 0 : fail_to_start(&s, failure);
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
        usec_t deadline = now() + SOON, t;
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

static int start_by_private_door(sd_bus *bus, Failure *failure)
{
        _cleanup_(sd_bus_close_unrefp) sd_bus *systemd = NULL;
        int r;

        if (answers_soon(bus) || client_connect_systemd(bus, &systemd) < 0)
                return 0;
        r = start_unit(systemd, /* is_bus= */ false, failure);
        if (r < 0)
                sd_bus_close(bus); /* whoever flushes it would wait for an answer */
        return r;
}

int client_start_service(sd_bus *bus, ClientDoor door, Failure *failure)
{
        switch (door) {
        case CLIENT_SESSION:
                /* It runs; or whatever is wrong the call itself will tell. */
                if (sd_bus_get_name_creds(bus, BUS_NAME, /* mask= */ 0, NULL) != -ENXIO)
                        return 0;
                return start_unit(bus, /* is_bus= */ true, failure);
        case CLIENT_PRIVATE:
                return start_by_private_door(bus, failure);
        case CLIENT_REMOTE:
                return 0;
        }
        return 0;
}
