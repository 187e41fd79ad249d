/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/start.h"

#include "client/bus/read.h"

#define UNIT      "conductor.service"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/conductor_2eservice"
#define SYSTEMD   "org.freedesktop.systemd1"

#define NOT_EXECUTED 203 /* systemd.exec(5): EXIT_EXEC */

struct Start {
        sd_bus *systemd;
        bool own;                    /* a connection of its own */
        sd_bus_slot *removed, *call; /* the job's end; what is asked now */
        char *job, *result;          /* the job's */
        start_done_t done;
        void *userdata;
};

Start *start_free(Start *s)
{
        if (!s)
                return NULL;
        sd_bus_slot_unref(s->removed);
        sd_bus_slot_unref(s->call);
        if (s->own)
                sd_bus_close(s->systemd);
        sd_bus_unref(s->systemd);
        free(s->job);
        free(s->result);
        free(s);
        return NULL;
}

sd_bus *start_bus(const Start *s)
{
        return s->systemd;
}

static void end(Start *s, const Failure *failure)
{
        start_done_t done = s->done;

        s->done = NULL;
        if (done)
                done(failure, s->userdata);
}

/* ---- why not ---- */

static int read_status(sd_bus_message *m, void *value)
{
        return sd_bus_message_read_basic(m, SD_BUS_TYPE_INT32, value);
}

/* What the service said last, or how systemd saw it end. */
static void fail(Start *s, const char *said, const char *result, int32_t status)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (isempty(said) && status == NOT_EXECUTED)
                (void) failure_set(&failure, FAILURE_NO_SERVICE,
                        "The conductor service cannot start: its program is missing or cannot be "
                        "run; install Conductor again. ('systemctl --user status " UNIT
                        "' says which.)");
        else if (!isempty(said))
                (void) failure_set(&failure, FAILURE_NO_SERVICE,
                        "The conductor service cannot start: %s "
                        "('systemctl --user status " UNIT "' shows more.)",
                        said);
        else
                (void) failure_set(&failure, FAILURE_NO_SERVICE,
                        "The conductor service cannot start (%s). 'systemctl --user status " UNIT
                        "' shows more; 'conductor doctor' finds out why.",
                        isempty(result) || streq(result, "success") ? s->result : result);
        end(s, &failure);
}

/* Where it cannot be read, the job's result is all that is known. */
static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const char *said = NULL, *result = NULL;
        int32_t status = 0;
        const Field fields[] = { { "StatusText", 's', &said }, { "Result", 's', &result },
                { "ExecMainStatus", '*', &status, read_status } };

        (void) (sd_bus_message_is_method_error(m, NULL) > 0
                        ? 0
                        : read_dictionary(m, fields, ELEMENTSOF(fields)));
        fail(userdata, said, result, status);
        return 0;
}

static int ask_why(Start *s)
{
        s->call = sd_bus_slot_unref(s->call);
        return sd_bus_call_method_async(s->systemd, &s->call, SYSTEMD, UNIT_PATH,
                "org.freedesktop.DBus.Properties", "GetAll", on_properties, s, "s",
                SYSTEMD ".Service");
}

/* ---- the job ---- */

/* It comes: systemd gives a start no more than TimeoutStartSec=. */
static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Start *s = ASSERT_PTR(userdata);
        const char *job, *result;
        int r;

        r = sd_bus_message_read(m, "uoss", NULL, &job, NULL, &result);
        if (r < 0 || s->result || !streq_ptr(job, s->job))
                return 0;
        if (streq(result, "done")) {
                end(s, NULL);
                return 0;
        }
        r = free_and_strdup(&s->result, result);
        if (r >= 0)
                r = ask_why(s);
        if (r < 0)
                fail(s, NULL, result, /* status= */ 0);
        return 0;
}

/* An error: nobody here manages the service. */
static int on_job(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Start *s = ASSERT_PTR(userdata);
        const char *job;

        if (sd_bus_message_is_method_error(m, NULL) > 0 || sd_bus_message_read(m, "o", &job) < 0 ||
                free_and_strdup(&s->job, job) < 0)
                end(s, NULL);
        return 0;
}

static int ask(Start *s, ClientDoor door)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = sd_bus_match_signal_async(s->systemd, &s->removed,
                door == CLIENT_SESSION ? SYSTEMD : NULL, "/org/freedesktop/systemd1",
                SYSTEMD ".Manager", "JobRemoved", on_job_removed, /* install_callback= */ NULL, s);
        if (r >= 0)
                r = sd_bus_message_new_method_call(s->systemd, &call, SYSTEMD,
                        "/org/freedesktop/systemd1", SYSTEMD ".Manager", "StartUnit");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, /* b= */ false);
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", UNIT, "replace");
        if (r >= 0)
                r = sd_bus_call_async(s->systemd, &s->call, call, on_job, s, /* usec= */ 0);
        return r;
}

static int connect_systemd(Start *s, sd_bus *bus, ClientDoor door)
{
        switch (door) {
        case CLIENT_SESSION:
                s->systemd = sd_bus_ref(bus);
                return 1;
        case CLIENT_PRIVATE:
                s->own = client_connect_systemd(bus, &s->systemd) >= 0;
                return s->own;
        case CLIENT_REMOTE:
                return 0;
        }
        return 0;
}

int start_new(sd_bus *bus, ClientDoor door, start_done_t done, void *userdata, Start **ret)
{
        _cleanup_(start_freep) Start *s = NULL;
        int r;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        r = connect_systemd(s, bus, door);
        if (r <= 0)
                return r;
        s->done = done;
        s->userdata = userdata;
        r = ask(s, door);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 1;
}
