/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/link.h"

#include <sys/random.h>

#include "client/bus/start.h"
#include "common/log.h"
#include "common/names.h"

#define TIMER_ACCURACY (10 * USEC_PER_MSEC)
/* Up for less than this is no reason to begin with short pauses again. */
#define STEADY (10 * USEC_PER_SEC)

#define MATCH_OWNER \
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus'," \
        "member='NameOwnerChanged',arg0='" BUS_NAME "'"

struct Link {
        sd_event *event;
        char *host;
        const LinkOps *ops;
        void *userdata;
        sd_bus *bus; /* kept while it waits: by it the name's return is seen */
        ClientDoor door;
        sd_bus_slot *filter;
        sd_event_source *timer, *soon; /* another attempt; this one should have been answered */
        Start *start;                  /* systemd is asked why it is not */
        Failure unexplained;           /* told when systemd knows nothing better */
        LinkState state;
        Failure failure;
        usec_t retry, pause, up_since;
};

Link *link_free(Link *l)
{
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->timer);
        sd_event_source_disable_unref(l->soon);
        start_free(l->start);
        sd_bus_slot_unref(l->filter);
        sd_bus_close_unref(l->bus);
        sd_event_unref(l->event);
        failure_done(&l->unexplained);
        failure_done(&l->failure);
        free(l->host);
        free(l);
        return NULL;
}

static usec_t now(const Link *l)
{
        usec_t t = 0;
        int r = sd_event_now(l->event, CLOCK_MONOTONIC, &t);

        if (r < 0)
                log_debug_errno(r, "The loop has no time, ignoring: %m");
        return t;
}

/* Many clients lose the same service at once: they must not come back all at once. */
static usec_t jittered(usec_t pause)
{
        uint32_t random = UINT32_MAX / 2;

        if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
                log_debug_errno(-errno, "No random number, ignoring: %m");
        return pause - pause / 4 + pause / 2 * (random >> 8) / (UINT32_MAX >> 8);
}

static void retry_in(Link *l, usec_t pause)
{
        int r;

        r = sd_event_source_set_time_relative(l->timer, pause);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
        if (r < 0)
                log_warning_errno(r, "Cannot try to connect again: %m");
        l->retry = now(l) + pause;
}

static bool waiting(const Link *l)
{
        return l->state == LINK_DOWN && l->retry > 0;
}

static void set_failure(Link *l, const Failure *failure)
{
        failure_done(&l->failure);
        if (l->host)
                (void) failure_set(&l->failure, failure->code, "On %s, by ssh: %s", l->host,
                        failure_message(failure));
        else
                failure_copy(&l->failure, failure);
}

static void go_down(Link *l, const Failure *failure)
{
        if (waiting(l))
                return;
        if (l->state == LINK_UP && now(l) - l->up_since >= STEADY)
                l->pause = LINK_PAUSE_MIN;
        (void) sd_event_source_set_enabled(l->soon, SD_EVENT_OFF);
        set_failure(l, failure);
        l->state = LINK_DOWN;
        retry_in(l, jittered(l->pause));
        l->pause = MIN(2 * l->pause, LINK_PAUSE_MAX);
        l->ops->closed(l->userdata);
}

static void on_started(const Failure *failure, void *userdata)
{
        Link *l = ASSERT_PTR(userdata);

        if (l->state == LINK_UP)
                return;
        if (failure)
                go_down(l, failure);
        else if (failure_is_set(&l->unexplained))
                go_down(l, &l->unexplained);
}

/* Returns whether it is: on_started() will be called, or the connection ends. */
static bool systemd_is_asked(Link *l)
{
        int r;

        if (l->start)
                return false;
        r = start_new(l->bus, l->door, on_started, l, &l->start);
        if (r > 0 && start_bus(l->start) != l->bus)
                r = sd_bus_attach_event(start_bus(l->start), l->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                log_debug_errno(r, "systemd cannot be asked about the service, ignoring: %m");
        return r > 0;
}

/* A bus may only know that the service did not start. */
void link_failed(Link *l, const Failure *failure)
{
        if (failure->code == FAILURE_NO_SERVICE && l->door == CLIENT_SESSION && l->bus &&
                l->state != LINK_UP && !waiting(l) && systemd_is_asked(l))
                failure_copy(&l->unexplained, failure);
        else
                go_down(l, failure);
}

void link_succeeded(Link *l)
{
        (void) sd_event_source_set_enabled(l->soon, SD_EVENT_OFF);
        failure_done(&l->failure);
        l->failure = FAILURE_NULL;
        l->state = LINK_UP;
        l->up_since = now(l);
}

static void fail(Link *l, const char *sentence)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        (void) failure_set(&failure, FAILURE_NO_SERVICE, "%s", sentence);
        link_failed(l, &failure);
}

static int on_owner_changed(Link *l, sd_bus_message *m)
{
        const char *name, *before, *after;
        int r;

        r = sd_bus_message_read(m, "sss", &name, &before, &after);
        if (r < 0 || !streq(name, BUS_NAME))
                return r;
        if (!isempty(before))
                fail(l, "The conductor service went away; this waits until it is back.");
        if (!isempty(after) && waiting(l))
                retry_in(l, 0);
        return 0;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Link *l = ASSERT_PTR(userdata);
        int r = 0;

        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", "Disconnected") > 0)
                fail(l, "The connection to the conductor service broke; this tries again.");
        else if (l->door != CLIENT_PRIVATE &&
                sd_bus_message_is_signal(m, "org.freedesktop.DBus", "NameOwnerChanged") > 0 &&
                streq_ptr(sd_bus_message_get_sender(m), "org.freedesktop.DBus"))
                r = on_owner_changed(l, m);
        if (r < 0)
                log_debug_errno(r, "A signal cannot be read, ignoring: %m");
        return 0;
}

static int attach(Link *l)
{
        int r;

        r = sd_bus_attach_event(l->bus, l->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        r = sd_bus_add_filter(l->bus, &l->filter, on_message, l);
        if (r < 0 || l->door == CLIENT_PRIVATE)
                return r;
        return sd_bus_call_method_async(l->bus, /* ret_slot= */ NULL, "org.freedesktop.DBus",
                "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", /* callback= */ NULL,
                /* userdata= */ NULL, "s", MATCH_OWNER);
}

static int open_bus(Link *l, ClientFlags flags, Failure *failure)
{
        const ClientOptions options = { .host = l->host, .flags = flags };
        int r;

        l->start = start_free(l->start);
        failure_done(&l->unexplained);
        l->unexplained = FAILURE_NULL;
        l->filter = sd_bus_slot_unref(l->filter);
        l->bus = sd_bus_close_unref(l->bus);
        r = client_connect(&options, &l->bus, &l->door, failure);
        if (r < 0)
                return r;
        r = attach(l);
        if (r < 0) {
                l->filter = sd_bus_slot_unref(l->filter);
                l->bus = sd_bus_close_unref(l->bus);
                return failure_set_errno(failure, r, "The connection cannot be used");
        }
        return 0;
}

/* A service that cannot start keeps who called it waiting. */
static int on_soon(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) systemd_is_asked(ASSERT_PTR(userdata));
        return 0;
}

static void use(Link *l)
{
        int r;

        r = sd_event_source_set_time_relative(l->soon, START_SOON);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->soon, SD_EVENT_ONESHOT);
        if (r < 0)
                log_debug_errno(r, "A service that cannot start will not be seen, ignoring: %m");
        l->retry = 0;
        l->ops->opened(l->bus, l->door, l->userdata);
}

/* Outside of every dispatch of the old connection, which ends here. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Link *l = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        l->retry = 0;
        if (open_bus(l, 0, &failure) < 0)
                link_failed(l, &failure);
        else
                use(l);
        return 0;
}

static int add_timer(Link *l, sd_event_time_handler_t handler, sd_event_source **ret)
{
        int r;

        r = sd_event_add_time_relative(
                l->event, ret, CLOCK_MONOTONIC, 0, TIMER_ACCURACY, handler, l);
        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int link_new(sd_event *event, const ClientOptions *options, const LinkOps *ops, void *userdata,
        Link **ret, Failure *failure)
{
        _cleanup_(link_freep) Link *l = NULL;
        _cleanup_failure_ Failure first = FAILURE_NULL;
        int r;

        l = calloc(1, sizeof *l);
        if (!l)
                return failure_set_errno(failure, -ENOMEM, "Connecting");
        l->event = sd_event_ref(event);
        l->ops = ops;
        l->userdata = userdata;
        l->pause = LINK_PAUSE_MIN;
        r = free_and_strdup(&l->host, options ? options->host : NULL);
        if (r >= 0)
                r = add_timer(l, on_timer, &l->timer);
        if (r >= 0)
                r = add_timer(l, on_soon, &l->soon);
        if (r < 0)
                return failure_set_errno(failure, r, "Connecting");

        r = open_bus(l, options ? options->flags : 0, &first);
        if (r < 0 && (first.code == FAILURE_INVALID_ARGUMENT || r == -ENOMEM))
                return failure_set(failure, first.code, "%s", failure_message(&first));
        if (r < 0)
                set_failure(l, &first);
        *ret = TAKE_PTR(l);
        return 0;
}

void link_start(Link *l)
{
        _cleanup_failure_ Failure first = FAILURE_NULL;

        if (!failure_is_set(&l->failure)) {
                use(l);
                return;
        }
        failure_copy(&first, &l->failure);
        link_failed(l, &first);
}

LinkState link_state(const Link *l, const char **ret_sentence, usec_t *ret_retry)
{
        if (ret_sentence)
                *ret_sentence = failure_is_set(&l->failure) ? failure_message(&l->failure) : "";
        if (ret_retry)
                *ret_retry = l->retry;
        return l->state;
}
