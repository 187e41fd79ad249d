/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What both desktop programs stand on: the loop, one connection to the session bus, the names that
 * others call them by, and an end that loses no call. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/failure.h"

typedef struct Session Session;

/* SIGTERM and SIGINT are blocked, and end it in order. No name is asked for yet: the objects come
 * first. */
int session_new(Session **ret, Failure *failure);
Session *session_free(Session *s);
DEFINE_CLEANUP(Session *, session_free)

sd_bus *session_bus(const Session *s); /* attached to the loop, lives as long as the session */
sd_event *session_event(const Session *s);

/* Where this program is, and those that it starts: a folder without a / at its end. */
const char *session_folder(const Session *s);

/* Asks for these names (NULL-ended, static). They are given back in this order: the first one is
 * that of the unit, whose manager counts it as stopped from then on, and starts it anew for a call
 * to any of them. */
int session_own(Session *s, const char *const *names);

/* Leaves when nobody has called for so long, and nothing is held. */
int session_leave_when_idle(Session *s, usec_t after);
/* Gives the names back, answers what came before that, and ends. */
void session_leave(Session *s);

/* Something is under way that must come to its end before the program's. */
void session_hold(Session *s);
void session_release(Session *s);

/* Returns the exit status. */
int session_run(Session *s);
