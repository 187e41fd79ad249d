/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/start.h"

#include "common/names.h"

#define UNIT      "conductor.service"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/conductor_2eservice"
#define SYSTEMD   "org.freedesktop.systemd1"

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

int client_start_service(sd_bus *bus, Failure *failure)
{
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *match = NULL;
        _cleanup_(start_done) Start s = { .bus = bus };
        int r;

        r = sd_bus_get_name_creds(bus, BUS_NAME, /* mask= */ 0, NULL);
        if (r != -ENXIO)
                return 0; /* it runs; or whatever is wrong the call itself will tell */

        r = sd_bus_match_signal(bus, &match, SYSTEMD, "/org/freedesktop/systemd1",
                SYSTEMD ".Manager", "JobRemoved", on_job_removed, &s);
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
