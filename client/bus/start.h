/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A call starts the service, by the session bus or by the socket; but when the service cannot
 * start, dbus-daemon keeps the call for minutes and says nothing, and the socket as long as systemd
 * tries again. So systemd is asked, which knows why. */

#include "client/bus/connect.h"

/* A service that can start has answered a new connection by then: systemd need not be asked. */
#define START_SOON (500 * USEC_PER_MSEC)

typedef struct Start Start;

/* failure: why the service could not start. NULL: it has, or no systemd manages it here. */
typedef void (*start_done_t)(const Failure *failure, void *userdata);

/* Has systemd start the service unless it runs. bus: the connection to the service by this door.
 * Returns 0 where there is nobody to ask. done is called by start_bus()'s dispatch, once at most;
 * the object may not be freed in it. */
int start_new(sd_bus *bus, ClientDoor door, start_done_t done, void *userdata, Start **ret);
Start *start_free(Start *s);
DEFINE_CLEANUP(Start *, start_free)

/* By which systemd is asked: the bus itself, or systemd's own connection, which is for the caller
 * to attach to a loop or to process. */
sd_bus *start_bus(const Start *s);

/* start-wait.c, for clients without a loop: waits until it is ready, and has answered at a door of
 * its own. A failure says why it could not start, or that whoever took the connection says nothing.
 * Where no systemd manages the service, the bus starts it. */
int client_start_service(sd_bus *bus, ClientDoor door, Failure *failure);
