/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How every client reaches the service: the session bus, then the private socket. It falls back
 * only when connecting fails, never after a call was sent. */

#include <systemd/sd-bus.h>

#include "common/failure.h"

typedef enum ClientDoor {
        CLIENT_SESSION,
        CLIENT_PRIVATE,
        CLIENT_REMOTE, /* over ssh: descriptors do not pass */
} ClientDoor;

/* Both are about --host. */
typedef enum ClientFlags {
        /* Returns when the bus there has answered: meanwhile ssh may ask something on the terminal.
         * Without it nothing waits, and ssh asks nothing. */
        CLIENT_WAIT = 1 << 0,
        /* Says on standard error where a logout there ends the replies, and what mends it. */
        CLIENT_WILL_ASK = 1 << 1,
} ClientFlags;

typedef struct ClientOptions {
        const char *host; /* user@host for ssh, or NULL */
        ClientFlags flags;
} ClientOptions;

/* Connects as $CONDUCTOR_BUS says (session, private, bus:ADDRESS, peer:ADDRESS; unset: session,
 * then private). Blocks until the connection is made, not until the service answers. A failure's
 * sentence says what is missing and what mends it. */
int client_connect(
        const ClientOptions *options, sd_bus **ret, ClientDoor *ret_door, Failure *failure);

/* The folder of the user's bus: $XDG_RUNTIME_DIR, or /run/user/UID where that is not set or is
 * another user's. A negative errno when it is not there or not ours. The caller frees. */
int client_runtime_directory(char **ret);

/* systemd's own socket beside the private one, for where there is no session bus to ask it by. bus:
 * a connection to the service; -ENXIO where it is to another socket than that of systemd's unit. */
int client_connect_systemd(sd_bus *bus, sd_bus **ret);
