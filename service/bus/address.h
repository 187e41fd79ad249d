/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* D-Bus addresses of sockets below the session's folder. The caller frees what comes back. */

#include <systemd/sd-bus.h>

#include "common/macro.h"

/* "unix:path=$XDG_RUNTIME_DIR/NAME", escaped; -ENXIO when nobody says where the folder is. */
int address_in_runtime(const char *name, char **ret);

/* The session bus: $DBUS_SESSION_BUS_ADDRESS, or "bus" in that folder; -ENXIO likewise. */
int address_of_session(char **ret);

/* Has a new bus connect there, on the loop; what is called meanwhile waits for it. */
int address_connect(const char *address, sd_bus *bus, const char *description, sd_event *event);
