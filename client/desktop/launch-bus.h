/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Programs that are started for the person: each as a transient unit of the user manager, so that
 * it outlives us. What they are given is given as it is: no shell reads it. */

#include "client/desktop/place.h"
#include "client/desktop/session-bus.h"

/* conductor-tui in a terminal with these arguments (NULL-ended). token: XDG_ACTIVATION_TOKEN, or
 * NULL. call: is answered when the manager has answered, or NULL. */
int launch_client(
        Session *s, const char *const *arguments, const char *token, sd_bus_message *call);
/* The same, at a message. */
int launch_at(Session *s, const Place *place, const char *token, sd_bus_message *call);

/* A program (an absolute path first, NULL-ended) that reads this text from its standard input. */
int launch_with_input(Session *s, const char *const *command, const char *text);
