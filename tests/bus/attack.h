/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the attacks on the bus share: what is attacked, taken from what the service says of itself,
 * and what must hold after each class of them: everybody is served, memory is bounded, descriptors
 * are given back. */

#include "tests/bus/harness.h"

#define ATTACK_MODEL "test/tiny:latest"

/* ---- numbers that are the same in each run ---- */

unsigned attack_random(unsigned *state, unsigned below);
/* So often; CONDUCTOR_TEST_FACTOR times that: more in ./check heavy, less under valgrind. */
unsigned attack_times(unsigned n);

/* ---- what must hold ---- */

typedef struct Attack {
        Harness *harness;
        Memory before;
        unsigned descriptors;
        unsigned seed;
        unsigned n_calls, n_answered, n_refused; /* of attack_call() */
        char *path;                              /* a conversation to be attacked, */
        uint64_t reply;                          /* and a reply of it that has ended */
        char surface[64];                        /* one of this connection, "" without one */
} Attack;

/* Starts the engine and the service, serves everybody once, and looks what that takes. */
void attack_begin(Attack *a, Harness *h);
/* Everybody is served; descriptors are back; memory grew by at most so much. Prints the line of the
 * table: what was tried, n times. The service ends, cleanly. */
void attack_end(Attack *a, size_t growth, const char *what, unsigned n);

/* By each door: Ping, then a question and its whole answer. */
void attack_check_served(Harness *h);
/* Without the connections to the engine, which are kept for a while. */
unsigned attack_descriptors(Harness *h);
/* Until what was taken is given back; each call is a turn of the service's loop. */
void attack_wait_descriptors(Harness *h, unsigned n);

/* Sends it, and waits while too many are not answered yet. The answer may be anything, and an error
 * has a name of ours or of D-Bus itself. Takes the message over. */
void attack_call(Attack *a, sd_bus *bus, sd_bus_message *m);
/* Until all are answered. */
void attack_wait_answers(Attack *a);
/* Whether D-Bus or we have an error of that name: none that sd-bus makes of an errno. */
bool attack_error_is_named(const char *name);

/* A connection to the private door that has said nothing yet; reading from it fails after
 * HARNESS_PATIENCE. */
int attack_raw_connect(const char *path);

/* ---- what is attacked: all that `conductord --introspect` has ---- */

typedef struct Member {
        char *path; /* of the object in the tree; see attack_object() */
        char *interface, *name;
        char *types; /* of its arguments, or of the property */
        bool property;
} Member;

typedef struct Members {
        Member *members;
        size_t n;
        char **options; /* the keys that the descriptions of dbus/ name */
        size_t n_options;
} Members;

void members_read(Members *ret);
void members_done(Members *m);
/* A conversation's or a surface's own path for the branch of the tree where they are. */
const char *attack_object(const Attack *a, const Member *m);
