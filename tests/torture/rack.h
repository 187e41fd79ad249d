/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a job stands on: its folders, the scripted engine, and databases to begin with. */

#include "tests/torture/torture.h"

/* Keeps the descriptor that a service expects systemd's socket at, for its watcher. */
int rack_reserve(void);

int rack_new(Torture **ret);
Torture *rack_free(Torture *t);
DEFINE_CLEANUP(Torture *, rack_free)

/* Has the service make them, while nothing fails. */
void rack_make_seeds(Torture *t);
/* Puts this one, and the configuration, into the place of what the last run left. */
void rack_seed(Torture *t, Seed s);

/* Removes what a curses client has kept. */
int rack_forget_kept(const Torture *t);

int rack_open_session(Torture *t);
/* Until somebody listens at the private socket, or the service has ended. */
void rack_wait_socket(Torture *t);
