/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/unit-bus.h"

#include "service/bus/address.h"

#define MANAGER_PATH      "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"
#define LOCAL             "org.freedesktop.DBus.Local"

struct UnitStart {
        sd_bus *bus;
        char *unit, *job;
        unit_started_t done;
        void *userdata;
};

UnitStart *unit_start_free(UnitStart *s)
{
        if (!s)
                return NULL;
        sd_bus_close_unref(s->bus);
        free(s->unit);
        free(s->job);
        free(s);
        return NULL;
}

/* ---- what came of it: done() frees s ---- */

/* So that sd-bus leaves the connection alone, which is closed: after a call that had no answer in
 * time it would write next, which is an assertion there. */
#define ENDED 1

static int fail_no_manager(const char *why, Failure *failure)
{
        return failure_set(failure, FAILURE_ENGINE_UNREACHABLE,
                "no user manager of systemd can be asked to start it (%s). Start the engine "
                "yourself, or take Unit= out of its configuration.",
                why);
}

static int start_failed(UnitStart *s, const char *why)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        size_t n = strlen(why);

        if (n > 0 && why[n - 1] == '.')
                n--;
        (void) failure_set(&failure, FAILURE_ENGINE_UNREACHABLE,
                "%s could not be started (%.*s). 'journalctl --user -u %s' says why.", s->unit,
                (int) MIN(n, (size_t) 512), why, s->unit);
        s->done(&failure, s->userdata);
        return ENDED;
}

/* In systemd's words; "done" is the good one. */
static const char *job_result_in_words(const char *result)
{
        static const char *const words[][2] = {
                { "failed", "it failed" },
                { "timeout", "it was not ready in time" },
                { "canceled", "somebody cancelled it" },
                { "dependency", "a unit that it needs failed" },
                { "skipped", "it was skipped" },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(result, words[i][0]))
                        return words[i][1];
        return result;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        UnitStart *s = ASSERT_PTR(userdata);
        const char *job, *result;
        int r;

        r = sd_bus_message_read(m, "uoss", NULL, &job, NULL, &result);
        if (r < 0) /* it may have been ours: no other comes */
                return start_failed(s, strerrordesc_np(-r));
        if (!streq_ptr(job, s->job))
                return 0;
        if (!streq(result, "done"))
                return start_failed(s, job_result_in_words(result));
        s->done(NULL, s->userdata);
        return ENDED;
}

static int on_accepted(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        UnitStart *s = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        const char *job;
        int r;

        if (error)
                return start_failed(s, isempty(error->message) ? error->name : error->message);
        r = sd_bus_message_read(m, "o", &job);
        if (r >= 0)
                r = free_and_strdup(&s->job, job);
        return r < 0 ? start_failed(s, strerrordesc_np(-r)) : 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        UnitStart *s = ASSERT_PTR(userdata);

        return start_failed(s, "the user manager went away");
}

/* ---- asking for it ---- */

static int start_connect(UnitStart *s, sd_event *event)
{
        _cleanup_free_ char *address = NULL;
        int r;

        r = address_in_runtime("systemd/private", &address);
        if (r < 0)
                return r;
        r = sd_bus_new(&s->bus);
        if (r < 0)
                return r;
        return address_connect(address, s->bus, "user-manager", event);
}

static int start_ask(UnitStart *s)
{
        int r;

        /* Before the call: a job may be over at once. */
        r = sd_bus_match_signal(s->bus, NULL, NULL, MANAGER_PATH, MANAGER_INTERFACE, "JobRemoved",
                on_job_removed, s);
        if (r < 0)
                return r;
        r = sd_bus_match_signal(
                s->bus, NULL, LOCAL, NULL, LOCAL, "Disconnected", on_disconnected, s);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(s->bus, NULL, NULL, MANAGER_PATH, MANAGER_INTERFACE,
                "StartUnit", on_accepted, s, "ss", s->unit, "replace");
}

int unit_start_new(UnitStart **ret, sd_event *event, const char *unit, unit_started_t done,
        void *userdata, Failure *failure)
{
        _cleanup_(unit_start_freep) UnitStart *s = NULL;
        int r;

        s = calloc(1, sizeof *s);
        if (s)
                s->unit = strdup(unit);
        if (!s || !s->unit)
                return failure_set_errno(failure, -ENOMEM, "Starting a unit");
        s->done = done;
        s->userdata = userdata;

        r = start_connect(s, event);
        if (r >= 0)
                r = start_ask(s);
        if (r == -ENXIO)
                return fail_no_manager("XDG_RUNTIME_DIR is not set", failure);
        if (r < 0)
                return fail_no_manager(strerrordesc_np(-r), failure);

        *ret = TAKE_PTR(s);
        return 0;
}
