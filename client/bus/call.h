/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls to the service and what came of them, in the terms of common/failure.h. */

#include <systemd/sd-bus.h>

#include "common/failure.h"

/* Turns what a call came back with into a failure; says what to do when the bus has no such
 * service. r: the call's negative errno. Returns r. */
int client_fail(Failure *failure, int r, const sd_bus_error *error);

/* A new call to the service; the caller appends its arguments. */
int client_new_call(sd_bus *bus, const char *path, const char *interface, const char *member,
        sd_bus_message **ret);

/* call-wait.c, for clients without a loop. Sends and waits, without a limit of time: the service
 * answers or its connection ends. */
int client_send(sd_bus *bus, sd_bus_message *call, sd_bus_message **ret_reply, Failure *failure);
