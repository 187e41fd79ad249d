/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/doors-internal.h"

#include "common/event-util.h"
#include "common/log.h"

static int on_reap(sd_event_source *s, void *userdata)
{
        Doors *d = ASSERT_PTR(userdata);
        bool gone;

        session_reap(d);
        doors_reap_connections(d);
        gone = d->gone_peers;
        doors_reap_peers(d);
        if (gone)
                doors_return_memory(d);
        return 0;
}

void doors_schedule_reap(Doors *d)
{
        /* What is left goes with the doors themselves. */
        if (sd_event_get_state(d->event) != SD_EVENT_FINISHED)
                event_source_arm(d->reap, "a connection's end");
}

int doors_setup_bus(Doors *d, sd_bus *bus, const BusHandlers *h, void *userdata)
{
        static const char local[] = "org.freedesktop.DBus.Local";
        int r;

        /* Whoever reaches a door is this user; without it sd-bus asks the session bus for the
         * caller's credentials at each call, and waits for the answer. */
        r = sd_bus_set_trusted(bus, /* b= */ true);
        if (r < 0)
                return r;
        r = sd_bus_set_connected_signal(bus, /* b= */ true);
        if (r < 0)
                return r;
        r = sd_bus_set_exit_on_disconnect(bus, /* b= */ false);
        if (r < 0)
                return r;
        r = bus_object_register(bus, d->root, d->objects_userdata);
        if (r < 0)
                return r;
        r = sd_bus_add_filter(bus, NULL, h->message, userdata);
        if (r < 0)
                return r;
        r = sd_bus_match_signal(bus, NULL, local, NULL, local, "Connected", h->connected, userdata);
        if (r < 0)
                return r;
        return sd_bus_match_signal(
                bus, NULL, local, NULL, local, "Disconnected", h->disconnected, userdata);
}

int doors_count_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Doors *d = ASSERT_PTR(userdata);
        uint8_t type;
        Peer *p;
        int r;

        if (sd_bus_message_get_type(m, &type) >= 0 && type == SD_BUS_MESSAGE_METHOD_CALL)
                d->n_served++;
        if (sd_bus_message_get_bus(m) == d->session.bus || doors_get_peer(d, m, &p) < 0)
                return 0;
        r = connection_take_turns(p->connection);
        if (r < 0)
                log_warning_errno(r, "%s: cannot be served in turn, ignoring: %m", peer_name(p));
        return 0;
}

int doors_new(Doors **ret, sd_event *event, const BusObject *root, void *objects_userdata,
        const DoorsObserver *observer)
{
        _cleanup_(doors_freep) Doors *d = NULL;
        int r;

        d = calloc(1, sizeof *d);
        if (!d)
                return -ENOMEM;

        d->event = sd_event_ref(event);
        d->root = root;
        d->objects_userdata = objects_userdata;
        d->observer = observer ? *observer : (DoorsObserver){ 0 };
        d->listen_fd = -EBADF;

        r = sd_id128_randomize(&d->server_id);
        if (r < 0)
                return r;

        r = sd_event_add_defer(event, &d->reap, on_reap, d);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(d->reap, "doors-reap");
        r = sd_event_source_set_enabled(d->reap, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = leave_prepare(d);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(d);
        return 0;
}

Doors *doors_free(Doors *d)
{
        if (!d)
                return NULL;

        leave_done(d);
        doors_stop_listening(d);
        while (d->connections) {
                (void) connection_flush(d->connections);
                connection_free(d->connections);
        }
        session_done(d);
        doors_free_calls(d);
        doors_free_peers(d);
        sd_event_source_disable_unref(d->reap);
        sd_event_source_disable_unref(d->post);
        sd_event_unref(d->event);
        free(d);
        return NULL;
}

unsigned doors_calls(const Doors *d)
{
        return d->n_calls;
}

uint64_t doors_served(const Doors *d)
{
        return d->n_served;
}

unsigned doors_private_connections(const Doors *d)
{
        return d->n_connections;
}

unsigned doors_reasons_to_stay(const Doors *d)
{
        unsigned n = d->n_calls;

        for (const Connection *c = d->connections; c; c = c->next)
                if (!(c->peer->flags & PEER_PASSIVE))
                        n++;
        return n;
}

uint64_t doors_queued(const Doors *d)
{
        uint64_t n, sum = 0;

        if (d->session.bus && sd_bus_get_n_queued_write(d->session.bus, &n) >= 0)
                sum += n;
        for (const Connection *c = d->connections; c; c = c->next) {
                sum += c->n_posted;
                if (sd_bus_get_n_queued_write(c->bus, &n) >= 0)
                        sum += n;
        }
        return sum;
}
