/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The doors' end: in an order that loses no call, and without waiting for a client that does not
 * read. */

#include "service/bus/doors-internal.h"

/* For those who read what is queued for them; the others have had their time. */
#define LEAVE_DRAIN_USEC (1 * USEC_PER_SEC)

static bool has_queued(sd_bus *bus)
{
        uint64_t n;

        return sd_bus_get_n_queued_write(bus, &n) >= 0 && n > 0;
}

static bool private_is_quiet(const Doors *d)
{
        for (const Connection *c = d->connections; c; c = c->next)
                if (c->connected && has_queued(c->bus))
                        return false;
        return true;
}

static int on_leave_post(sd_event_source *s, void *userdata)
{
        Doors *d = ASSERT_PTR(userdata);

        if (!session_is_quiet(d) || d->n_calls > 0 || d->post_first)
                return 0;
        if (!d->drained && !private_is_quiet(d))
                return 0;

        d->leave_source = sd_event_source_disable_unref(d->leave_source);
        d->drain = sd_event_source_disable_unref(d->drain);
        d->left(d->left_userdata);
        return 0;
}

/* The post source looks again after it. */
static int on_drain(sd_event_source *s, usec_t usec, void *userdata)
{
        Doors *d = ASSERT_PTR(userdata);

        d->drained = true;
        return 0;
}

int doors_leave(Doors *d, doors_left_t left, void *userdata)
{
        int r;

        if (d->left)
                return -EALREADY;

        r = sd_event_add_post(d->event, &d->leave_source, on_leave_post, d);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(d->leave_source, "doors-leave");
        r = sd_event_add_time_relative(
                d->event, &d->drain, CLOCK_MONOTONIC, LEAVE_DRAIN_USEC, USEC_PER_MSEC, on_drain, d);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(d->drain, "doors-drain");
        d->left = left;
        d->left_userdata = userdata;

        /* What connects from here on waits in systemd's socket for the next service. */
        doors_stop_listening(d);
        session_leave(d);

        /* Without a session bus nothing else may happen that makes the post source run. */
        doors_schedule_reap(d);
        return 0;
}

/* When the loop ends, sd-bus flushes each connection that is attached to it, and waits: for the end
 * of an authentication up to 90 s, for a reader without an end. Those are closed before. */
static int on_exit_loop(sd_event_source *s, void *userdata)
{
        Doors *d = ASSERT_PTR(userdata);

        for (Connection *c = d->connections; c; c = c->next)
                if (!c->connected || has_queued(c->bus))
                        sd_bus_close(c->bus);
        if (d->session.bus && (sd_bus_is_ready(d->session.bus) <= 0 || has_queued(d->session.bus)))
                sd_bus_close(d->session.bus);
        return 0;
}

int leave_prepare(Doors *d)
{
        int r;

        r = sd_event_add_exit(d->event, &d->exit, on_exit_loop, d);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(d->exit, "doors-exit");
        /* Before what sd-bus does then. */
        return sd_event_source_set_priority(d->exit, SD_EVENT_PRIORITY_IMPORTANT);
}

void leave_done(Doors *d)
{
        d->leave_source = sd_event_source_disable_unref(d->leave_source);
        d->drain = sd_event_source_disable_unref(d->drain);
        d->exit = sd_event_source_disable_unref(d->exit);
}
