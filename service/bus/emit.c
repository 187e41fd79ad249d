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

/* One message for all of them: sd-bus sends a sealed one through any number of connections. */
static int emit_private(Doors *d, const Signal *signal)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = 0, k;

        for (Connection *c = d->connections; c; c = c->next) {
                if (!c->connected || c->doomed)
                        continue;
                if (!m) {
                        k = signal_new(signal, c->bus, &m);
                        if (k < 0)
                                return k;
                }
                k = connection_post(c, m);
                /* One that is gone, or does not read, is its own affair. */
                if (k < 0 && k != -ECONNRESET && k != -ENOTCONN && r >= 0)
                        r = k;
        }
        return r;
}

int doors_emit(Doors *d, Door doors, const char *path, const char *interface, const char *member,
        doors_fill_t fill, void *userdata)
{
        const Signal signal = { path, interface, member, fill, userdata };
        int r = 0, k = 0;

        if (doors & DOOR_SESSION && session_is_ready(d))
                r = emit_session(d, &signal);
        if (doors & DOOR_PRIVATE)
                k = emit_private(d, &signal);
        return r < 0 ? r : MIN(k, 0);
}

typedef struct Properties {
        const Doors *doors;
        const char *path, *interface;
        const char *const *names;
} Properties;

static int fill_properties(sd_bus_message *m, void *userdata)
{
        const Properties *p = ASSERT_PTR(userdata);

        return bus_object_append_changed(
                m, p->doors->root, p->path, p->interface, p->names, p->doors->objects_userdata);
}

/* Not sd-bus's own, which makes the message anew for each connection. */
int doors_emit_properties(
        Doors *d, const char *path, const char *interface, const char *const *names)
{
        Properties p = { d, path, interface, names };

        return doors_emit(d, DOOR_BOTH, path, "org.freedesktop.DBus.Properties",
                "PropertiesChanged", fill_properties, &p);
}
