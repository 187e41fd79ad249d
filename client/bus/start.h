/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A call by the session bus starts the service; but when the service cannot start, dbus-daemon
 * keeps the call for minutes and says nothing. */

#include <systemd/sd-bus.h>

#include "common/failure.h"

/* Has systemd start the service unless it runs, and waits until it is ready. A failure says why it
 * could not start. Where no systemd manages the service, this does nothing: the bus starts it. For
 * the session bus only. */
int client_start_service(sd_bus *bus, Failure *failure);
