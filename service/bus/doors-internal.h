/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of this room share; nobody else includes it. */

#include "service/bus/doors.h"

#define PEER_BUCKETS 256U

/* After whoever is served in turn. */
#define PRIORITY_LATE (SD_EVENT_PRIORITY_NORMAL + 1)

typedef enum PeerFlags {
        PEER_PRIVATE = 1 << 0,
        PEER_PASSIVE = 1 << 1,
        PEER_GONE = 1 << 2, /* its connection is; freed when no call of it is left */
} PeerFlags;

typedef struct Connection Connection;

struct Peer {
        Doors *doors;
        Peer *next; /* in its bucket, or in the list of those that are gone */
        char *name;
        PeerFlags flags;
        unsigned n_calls;
        PeerWatch *watches;
        Connection *connection;     /* on the private door */
        sd_bus_slot *match, *check; /* on the session bus, while it is watched */
};

typedef struct Session {
        sd_bus *bus; /* NULL between two connections */
        sd_bus_slot *request, *release;
        sd_event_source *retry;
        usec_t delay;     /* before the next try; 0 after a connection that worked */
        usec_t connected; /* CLOCK_MONOTONIC, 0 = not yet */
        bool named, lost, released;
        bool settled; /* it was told how the first try ended */
} Session;

/* One client of the private socket. */
struct Connection {
        Doors *doors;
        Connection *next, *previous;
        sd_bus *bus;
        sd_event_source *pump;
        Peer *peer;
        uint32_t *sizes; /* of the messages in the write queue, oldest first: a ring */
        unsigned first_size, n_sizes;
        size_t queued_bytes; /* their sum */
        unsigned n_unlooked; /* messages since it was looked whether there are more behind them */
        bool connected, doomed, late;
        sd_bus_message **posted; /* what was announced and is not sent yet, oldest first */
        size_t first_posted, n_posted;
        Connection *post_next;
};

struct Doors {
        sd_event *event;
        const BusObject *root;
        void *objects_userdata;
        DoorsObserver observer;

        Session session;

        int listen_fd;
        sd_event_source *listen_source;
        char *listen_path; /* made by us: removed again */
        sd_id128_t server_id;
        Connection *connections;
        unsigned n_connections;
        uint64_t n_accepted;
        bool full_told;                     /* that no more are accepted, since one of them ended */
        sd_event_source *post;              /* one shot: sends what was posted */
        Connection *post_first, *post_last; /* those to which something was */

        Peer *peers[PEER_BUCKETS], *gone_peers;
        sd_event_source *reap; /* one shot: frees what must not be freed inside a callback */
        size_t n_free;         /* bytes that the heap had free when memory was last given back */
        long n_faults;         /* pages that had been touched by then */

        Call *calls;
        unsigned n_calls;
        uint64_t n_served;

        sd_event_source *leave_source, *drain, *exit;
        bool drained; /* nobody is waited for any longer */
        doors_left_t left;
        void *left_userdata;
};

/* doors.c */
void doors_schedule_reap(Doors *d);
/* message sees every message first; the others are for what sd-bus itself says of a connection. */
typedef struct BusHandlers {
        sd_bus_message_handler_t message, connected, disconnected;
} BusHandlers;
/* What a connection of either door is made of, before it starts: all objects, and these. */
int doors_setup_bus(Doors *d, sd_bus *bus, const BusHandlers *handlers, void *userdata);
/* Every message of every connection passes here first. */
int doors_count_message(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* session.c */
bool session_is_ready(const Doors *d);
void session_leave(Doors *d);
bool session_is_quiet(const Doors *d); /* the name is given up, and all answers have left */
void session_reap(Doors *d);
void session_done(Doors *d);

/* private-door.c */
void doors_stop_listening(Doors *d);
void doors_reap_connections(Doors *d);
/* One more message of it; it is served after the others while there always is another one. */
int connection_take_turns(Connection *c);

/* connection.c */
int connection_new(Doors *d, int *fd); /* the bus owns the descriptor once it has it */
/* Ends it from the loop: its own callbacks may be on the stack below us. */
void connection_doom(Connection *c);
Connection *connection_free(Connection *c);
DEFINE_CLEANUP(Connection *, connection_free)
/* Sends, counts what waits, and disconnects over the limits (-ECONNRESET). After what was posted.
 */
int connection_send(Connection *c, sd_bus_message *m);
/* The same, before what was posted. */
int connection_send_ahead(Connection *c, sd_bus_message *m);
/* To the system: what waited for those who are gone lies between what stays, so that the heap does
 * not shrink by itself. */
void doors_return_memory(Doors *d);

/* post.c */
/* Sent when the answers of this turn have left; in order with all else but those sent ahead. */
int connection_post(Connection *c, sd_bus_message *m);
/* Sends it now. */
int connection_flush(Connection *c);
void connection_forget_posted(Connection *c);

/* peer.c */
int peer_new(Doors *d, const char *name, Connection *connection, Peer **ret);
/* Fires its watches; it stays for the calls that hold it. */
void peer_gone(Peer *p);
void peers_session_gone(Doors *d);
void doors_reap_peers(Doors *d);
void doors_free_peers(Doors *d);

/* leave.c */
int leave_prepare(Doors *d);
void leave_done(Doors *d);

/* call.c */
void doors_free_calls(Doors *d);
