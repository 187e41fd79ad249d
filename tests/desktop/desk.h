/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A desktop around the bus tests' harness: the programs of client/desktop/, and in place of the
 * user manager one that notes what it was to start.
 *
 * Environment, set by meson: CONDUCTOR_SEARCH and CONDUCTOR_NOTIFIER (programs), besides the
 * harness's. */

#include "tests/bus/harness.h"

#define ARGUMENTS_MAX 12U

/* What a transient unit was to be. */
typedef struct Unit {
        char *name, *arguments[ARGUMENTS_MAX + 1], *environment, *input;
} Unit;

typedef struct Desk {
        Harness *h;
        sd_bus *bus; /* a shell's connection */
        sd_bus *manager;
        pid_t program;
        char *log;          /* what the programs said */
        unsigned n_changes; /* of names' owners */
        Unit unit;          /* the last */
        unsigned n_units;
        const char *environment[2]; /* of the programs: PATH=, and one more with it; or NULL */
        const char *refusal;        /* of the next units: a sentence, or NULL */
} Desk;

/* For cmocka: *state is the Desk. The service does not run yet, nor does a program. */
int desk_setup(void **state);
int desk_teardown(void **state);

/* Starts a program (its path is in this variable) with one more argument, or NULL. */
void desk_start(Desk *d, const char *variable, const char *argument);
/* SIGTERM; its exit status. */
int desk_stop(Desk *d);
int desk_wait_exit(Desk *d); /* it ends by itself */
bool desk_logged(const Desk *d, const char *text);
void desk_wait_name(Desk *d, const char *name, bool owned);

/* In the name's place from now on. */
void desk_start_manager(Desk *d);

/* Of the shell's connection to somebody. */
sd_bus_message *desk_message(const char *to, const char *path, const char *interface,
        const char *member, Desk *d, const char *types, ...);
/* Asks this in a new conversation, and waits for the reply's end; its path, which the caller frees.
 */
char *desk_converse(Desk *d, const char *text);
