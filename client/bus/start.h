/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A call starts the service, by the session bus or by the socket; but when the service cannot
 * start, dbus-daemon keeps the call for minutes and says nothing, and the socket as long as systemd
 * tries again. */

#include "client/bus/connect.h"

/* Has systemd start the service unless it runs, and waits until it is ready. A failure says why it
 * could not start. Where no systemd manages the service, this does nothing: the bus starts it. */
int client_start_service(sd_bus *bus, ClientDoor door, Failure *failure);
