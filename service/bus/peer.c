/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/doors-internal.h"

#include "common/log.h"

#define DRIVER_NAME      "org.freedesktop.DBus"
#define DRIVER_PATH      "/org/freedesktop/DBus"
#define DRIVER_INTERFACE "org.freedesktop.DBus"

struct PeerWatch {
        Peer *peer; /* NULL once it is gone */
        PeerWatch *next, *previous;
        peer_gone_t gone;
        void *userdata;
};

static PeerWatch *peer_watch_unlink(PeerWatch *w)
{
        if (w->previous)
                w->previous->next = w->next;
        else
                w->peer->watches = w->next;
        if (w->next)
                w->next->previous = w->previous;
        w->next = w->previous = NULL;
        w->peer = NULL;
        return w;
}

static unsigned bucket_of_name(const char *name)
{
        uint32_t h = 2166136261U; /* FNV-1a */

        for (; *name; name++)
                h = (h ^ (unsigned char) *name) * 16777619U;
        return h % PEER_BUCKETS;
}

static unsigned bucket_of_bus(const sd_bus *bus)
{
        return (unsigned) (((uintptr_t) bus >> 6) % PEER_BUCKETS);
}

static Peer **peer_bucket(Peer *p)
{
        return p->doors->peers +
                (p->flags & PEER_PRIVATE ? bucket_of_bus(p->connection->bus)
                                         : bucket_of_name(p->name));
}

int peer_new(Doors *d, const char *name, Connection *connection, Peer **ret)
{
        Peer *p, **bucket;

        p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        p->name = strdup(name);
        if (!p->name) {
                free(p);
                return -ENOMEM;
        }

        p->doors = d;
        p->flags = connection ? PEER_PRIVATE : 0;
        p->connection = connection;

        bucket = peer_bucket(p);
        p->next = *bucket;
        *bucket = p;

        *ret = p;
        return 0;
}

static void peer_untrack(Peer *p)
{
        p->match = sd_bus_slot_unref(p->match);
        p->check = sd_bus_slot_unref(p->check);
}

static void peer_free(Peer *p)
{
        peer_untrack(p);
        while (p->watches)
                (void) peer_watch_unlink(p->watches);
        free(p->name);
        free(p);
}

static void peer_unlink(Peer *p)
{
        for (Peer **i = peer_bucket(p); *i; i = &(*i)->next)
                if (*i == p) {
                        *i = p->next;
                        p->next = NULL;
                        return;
                }
}

void peer_gone(Peer *p)
{
        Doors *d = p->doors;

        if (p->flags & PEER_GONE)
                return;

        peer_unlink(p);
        p->flags |= PEER_GONE;
        p->connection = NULL;
        peer_untrack(p);

        /* It may be on the stack below us, so that it is freed from the loop. */
        p->next = d->gone_peers;
        d->gone_peers = p;
        doors_schedule_reap(d);

        while (p->watches) {
                PeerWatch *w = peer_watch_unlink(p->watches);

                w->gone(p, w->userdata);
        }
}

void peers_session_gone(Doors *d)
{
        for (size_t i = 0; i < PEER_BUCKETS; i++)
                for (Peer *p = d->peers[i]; p;) {
                        if (p->flags & PEER_PRIVATE) {
                                p = p->next;
                                continue;
                        }
                        peer_gone(p);
                        p = d->peers[i]; /* what it called may have changed the list */
                }
}

static void reap_unused(Doors *d, size_t bucket)
{
        for (Peer **i = d->peers + bucket; *i;) {
                Peer *p = *i;

                if (p->flags & PEER_PRIVATE || p->n_calls > 0 || p->watches) {
                        i = &p->next;
                        continue;
                }
                *i = p->next;
                peer_free(p);
        }
}

void doors_reap_peers(Doors *d)
{
        for (size_t i = 0; i < PEER_BUCKETS; i++)
                reap_unused(d, i);

        for (Peer **i = &d->gone_peers; *i;) {
                Peer *p = *i;

                if (p->n_calls > 0) {
                        i = &p->next;
                        continue;
                }
                *i = p->next;
                peer_free(p);
        }
}

static void free_list(Peer *p)
{
        while (p) {
                Peer *next = p->next;

                peer_free(p);
                p = next;
        }
}

void doors_free_peers(Doors *d)
{
        for (size_t i = 0; i < PEER_BUCKETS; i++) {
                free_list(d->peers[i]);
                d->peers[i] = NULL;
        }
        free_list(d->gone_peers);
        d->gone_peers = NULL;
}

static Peer *find_private(Doors *d, const sd_bus *bus)
{
        for (Peer *p = d->peers[bucket_of_bus(bus)]; p; p = p->next)
                if (p->flags & PEER_PRIVATE && p->connection->bus == bus)
                        return p;
        return NULL;
}

static Peer *find_session(Doors *d, const char *name)
{
        for (Peer *p = d->peers[bucket_of_name(name)]; p; p = p->next)
                if (!(p->flags & PEER_PRIVATE) && streq(p->name, name))
                        return p;
        return NULL;
}

int doors_get_peer(Doors *d, sd_bus_message *m, Peer **ret)
{
        sd_bus *bus = sd_bus_message_get_bus(m);
        const char *sender;
        Peer *p;
        int r;

        if (bus != d->session.bus) {
                p = find_private(d, bus);
                if (!p)
                        return -ENOTCONN;
                *ret = p;
                return 0;
        }

        sender = sd_bus_message_get_sender(m);
        if (isempty(sender))
                return -EINVAL;
        p = find_session(d, sender);
        if (!p) {
                r = peer_new(d, sender, /* connection= */ NULL, &p);
                if (r < 0)
                        return r;
                doors_schedule_reap(d); /* unless somebody watches it by then */
        }

        *ret = p;
        return 0;
}

const char *peer_name(const Peer *p)
{
        return p->name;
}

void peer_set_passive(Peer *p, bool passive)
{
        if (passive)
                p->flags |= PEER_PASSIVE;
        else
                p->flags &= ~PEER_PASSIVE;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        /* A unique name changes its owner once, when it goes. */
        peer_gone(ASSERT_PTR(userdata));
        return 0;
}

static int on_owner_checked(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Peer *p = ASSERT_PTR(userdata);
        int there, r;

        if (sd_bus_message_is_method_error(m, NULL))
                return 0; /* the connection's end tells */
        r = sd_bus_message_read(m, "b", &there);
        if (r < 0)
                return r;
        if (!there)
                peer_gone(p);
        return 0;
}

/* Not sd_bus_track: it waits for the bus's answer about the name each time one is added. A match
 * and then a question see a peer that was gone before the match was there. */
static int peer_track(Peer *p)
{
        _cleanup_free_ char *rule = NULL;
        sd_bus *bus = p->doors->session.bus;
        int r;

        if (p->flags & PEER_PRIVATE || p->match)
                return 0;

        if (asprintf(&rule,
                    "type='signal',sender='" DRIVER_NAME "',path='" DRIVER_PATH
                    "',interface='" DRIVER_INTERFACE "',member='NameOwnerChanged',arg0='%s'",
                    p->name) < 0) {
                rule = NULL;
                return -ENOMEM;
        }

        r = sd_bus_add_match_async(bus, &p->match, rule, on_owner_changed, NULL, p);
        if (r < 0)
                return r;
        r = sd_bus_call_method_async(bus, &p->check, DRIVER_NAME, DRIVER_PATH, DRIVER_INTERFACE,
                "NameHasOwner", on_owner_checked, p, "s", p->name);
        if (r < 0)
                peer_untrack(p);
        return r;
}

int peer_watch(Peer *p, peer_gone_t gone, void *userdata, PeerWatch **ret)
{
        PeerWatch *w;
        int r;

        if (p->flags & PEER_GONE)
                return -ENOTCONN;
        r = peer_track(p);
        if (r < 0)
                return r;

        w = calloc(1, sizeof *w);
        if (!w)
                return -ENOMEM;
        w->peer = p;
        w->gone = gone;
        w->userdata = userdata;
        w->next = p->watches;
        if (w->next)
                w->next->previous = w;
        p->watches = w;

        *ret = w;
        return 0;
}

PeerWatch *peer_watch_free(PeerWatch *w)
{
        if (!w)
                return NULL;

        if (w->peer) {
                Peer *p = w->peer;

                (void) peer_watch_unlink(w);
                if (!p->watches)
                        doors_schedule_reap(p->doors);
        }
        free(w);
        return NULL;
}

int peer_new_signal(
        Peer *p, sd_bus_message **ret, const char *path, const char *interface, const char *member)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        if (p->flags & PEER_GONE)
                return -ECONNRESET;
        if (p->flags & PEER_PRIVATE) {
                r = sd_bus_message_new_signal(p->connection->bus, &m, path, interface, member);
                if (r < 0)
                        return r;
        } else {
                r = sd_bus_message_new_signal(p->doors->session.bus, &m, path, interface, member);
                if (r < 0)
                        return r;
                r = sd_bus_message_set_destination(m, p->name);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(m);
        return 0;
}

int peer_send(Peer *p, sd_bus_message *m)
{
        if (p->flags & PEER_GONE)
                return -ECONNRESET;
        if (p->flags & PEER_PRIVATE)
                return connection_send(p->connection, m);
        return sd_bus_send(p->doors->session.bus, m, /* ret_cookie= */ NULL);
}

void peer_disconnect(Peer *p)
{
        if (p->flags & PEER_PRIVATE && !(p->flags & PEER_GONE))
                connection_doom(p->connection);
}
