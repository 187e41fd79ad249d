/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/doors-internal.h"

typedef struct Signal {
        const char *path, *interface, *member;
        doors_fill_t fill;
        void *userdata;
} Signal;

static int signal_new(const Signal *signal, sd_bus *bus, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_signal(bus, &m, signal->path, signal->interface, signal->member);
        if (r < 0)
                return r;
        if (signal->fill) {
                r = signal->fill(m, signal->userdata);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(m);
        return 0;
}

static int emit_session(Doors *d, const Signal *signal)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = signal_new(signal, d->session.bus, &m);
        if (r < 0)
                return r;
        return sd_bus_send(d->session.bus, m, /* ret_cookie= */ NULL);
}

static int emit_private(Connection *c, const Signal *signal)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = signal_new(signal, c->bus, &m);
        if (r < 0)
                return r;
        r = connection_post(c, m);
        /* One that is gone, or does not read, is its own affair. */
        return r == -ECONNRESET || r == -ENOTCONN ? 0 : r;
}

int doors_emit(Doors *d, Door doors, const char *path, const char *interface, const char *member,
        doors_fill_t fill, void *userdata)
{
        const Signal signal = { path, interface, member, fill, userdata };
        int r = 0, k;

        if (doors & DOOR_SESSION && session_is_ready(d))
                r = emit_session(d, &signal);

        if (doors & DOOR_PRIVATE)
                for (Connection *c = d->connections; c; c = c->next) {
                        if (!c->connected || c->doomed)
                                continue;
                        k = emit_private(c, &signal);
                        if (k < 0 && r >= 0)
                                r = k;
                }

        return r < 0 ? r : 0;
}

int doors_emit_properties(Doors *d, const char *path, const char *interface, char **names)
{
        int r = 0, k;

        if (session_is_ready(d))
                r = sd_bus_emit_properties_changed_strv(d->session.bus, path, interface, names);

        for (Connection *c = d->connections; c; c = c->next) {
                if (!c->connected || connection_flush(c) < 0 || connection_check_queue(c) < 0)
                        continue;
                k = sd_bus_emit_properties_changed_strv(c->bus, path, interface, names);
                if (k < 0 && k != -ENOTCONN && k != -ECONNRESET && r >= 0)
                        r = k;
        }

        return r < 0 ? r : 0;
}
