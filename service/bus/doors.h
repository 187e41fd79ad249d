/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The two doors: the session bus and the private socket, one set of objects behind both. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/failure.h"
#include "service/bus/object.h"

/* Limits (DESIGN, "Limits"; tested at the value and one over). */
#define DOORS_PRIVATE_MAX        1024U /* private connections */
#define DOORS_CALLS_MAX          64U   /* calls in flight from one peer */
#define DOORS_QUEUE_MESSAGES_MAX 1024U /* to one private connection, then it is disconnected */
#define DOORS_QUEUE_BYTES_MAX    MIB(4)

typedef struct Doors Doors;
typedef struct Peer Peer;

typedef enum Door {
        DOOR_SESSION = 1 << 0,
        DOOR_PRIVATE = 1 << 1,
        DOOR_BOTH = DOOR_SESSION | DOOR_PRIVATE,
} Door;

typedef struct DoorsObserver {
        /* The session bus went, or came (again). */
        void (*session_changed)(bool connected, void *userdata);
        /* Once: the name is ours, or there is no session bus now. Maybe from inside
         * doors_open_session(). */
        void (*session_settled)(void *userdata);
        /* The name is another's: leave, and say why. */
        void (*name_lost)(const char *why, void *userdata);
        void *userdata;
} DoorsObserver;

/* root is registered on every connection with userdata as its vtables' userdata. */
int doors_new(Doors **ret, sd_event *event, const BusObject *root, void *objects_userdata,
        const DoorsObserver *observer);
Doors *doors_free(Doors *d);
DEFINE_CLEANUP(Doors *, doors_free)

/* Opens the session bus ($DBUS_SESSION_BUS_ADDRESS, else $XDG_RUNTIME_DIR/bus), registers all
 * objects, then requests the name asynchronously, then attaches to the loop. 0 when nobody says
 * where a session bus could be; 1 when it connects, or waits for the bus to come there. */
int doors_open_session(Doors *d);

/* Takes a listening socket over (from systemd, or made by doors_listen()). */
int doors_adopt_socket(Doors *d, int fd);
/* Makes path's folder 0700 and the socket 0600 and listens. A socket file that nobody listens on is
 * replaced; -EADDRINUSE when somebody does. */
int doors_listen(Doors *d, const char *path);

/* For a service that cannot start: whoever waits in the listening socket is told so by its end.
 * Makes the socket non-blocking. */
void doors_refuse(int fd);

/* ---- peers ---- */

/* The client that sent m: its unique name on the session bus, the connection itself on the private
 * door (the sender in a private message's header is the peer's own word). *ret is borrowed and
 * valid until the peer is gone. */
int doors_get_peer(Doors *d, sd_bus_message *m, Peer **ret);
const char *peer_name(const Peer *p); /* for logs: ":1.7", "private-3" */

/* gone is called once when the peer's connection is gone, from the loop; after it the watch is only
 * memory, still to be freed by its owner (gone may do that). Freeing the watch before means no
 * call. The peer is kept known while watches exist. -ENOTCONN when it is gone already. */
typedef struct PeerWatch PeerWatch;
typedef void (*peer_gone_t)(Peer *p, void *userdata);
int peer_watch(Peer *p, peer_gone_t gone, void *userdata, PeerWatch **ret);
PeerWatch *peer_watch_free(PeerWatch *w);
DEFINE_CLEANUP(PeerWatch *, peer_watch_free)

/* The peer says that it is no reason to stay (RegisterSurface option passive, Follow option
 * passive). A private connection is a reason until then. */
void peer_set_passive(Peer *p, bool passive);

/* A signal to this peer alone. Send it with peer_send(), which counts the private queue and
 * disconnects the peer over the limits (-ECONNRESET). */
int peer_new_signal(
        Peer *p, sd_bus_message **ret, const char *path, const char *interface, const char *member);
int peer_send(Peer *p, sd_bus_message *m);
/* For one that would wait for what cannot be sent: its private connection ends with this turn of
 * the loop. The session bus has no way to do that. */
void peer_disconnect(Peer *p);

/* ---- to all ---- */

/* Appends the signal's arguments; called once for each door it goes to. */
typedef int (*doors_fill_t)(sd_bus_message *m, void *userdata);
int doors_emit(Doors *d, Door doors, const char *path, const char *interface, const char *member,
        doors_fill_t fill, void *userdata);
/* PropertiesChanged with the values. names NULL-ended. */
int doors_emit_properties(
        Doors *d, const char *path, const char *interface, const char *const *names);

/* ---- calls in flight ---- */

/* A handler that answers later takes the call over: counts it (FAILURE_BUSY over DOORS_CALLS_MAX
 * from one peer), keeps the message, and answers exactly once. A call that is a reason to stay. */
typedef struct Call Call;
int call_new(Doors *d, sd_bus_message *m, Call **ret, sd_bus_error *error);
sd_bus_message *call_message(Call *c);
/* Its answer overtakes what was announced to all in the same turn of the loop. */
void call_set_ahead(Call *c);
/* Whether the caller is still there to read an answer. */
bool call_is_awaited(const Call *c);
/* Each of these answers and frees the call. */
int call_reply(Call *c, const char *types, ...);
int call_reply_message(Call *c, sd_bus_message *reply);
int call_fail(Call *c, const Failure *failure);
/* What came of it: the failure if there is one, else the values. */
int call_finish(Call *c, const Failure *failure, const char *types, ...);
/* A handler's last line, with what the function returned that took the call: one that was refused
 * at once is answered with the failure. */
int call_handed_over(Call *c, int r, const Failure *failure);

/* ---- leaving ---- */

/* The order that loses no call: systemd has been told STOPPING=1; stop listening, release the name,
 * wait for its loss, answer all that came; then left() is called, once. Until then calls are served
 * as ever. */
typedef void (*doors_left_t)(void *userdata);
int doors_leave(Doors *d, doors_left_t left, void *userdata);

/* ---- numbers ---- */

unsigned doors_calls(const Doors *d);
uint64_t doors_served(const Doors *d); /* method calls that ever came in */
unsigned doors_private_connections(const Doors *d);
unsigned doors_reasons_to_stay(const Doors *d); /* calls, and private connections not passive */
uint64_t doors_queued(const Doors *d);          /* messages in all write queues */
