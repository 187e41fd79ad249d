/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A service with one object behind both doors, and its clients, all on one loop. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/bus/doors.h"

#define TEST_PATH      "/org/aiway/Conductor1/test"
#define TEST_INTERFACE "org.aiway.Conductor1.Test"

/* A test that waits longer has failed. */
#define TEST_PATIENCE_USEC (60 * USEC_PER_SEC)

typedef struct Fixture {
        sd_event *event;
        Doors *doors;
        char *folder, *socket;
        uint32_t level; /* the object's property */
        Call *held[DOORS_CALLS_MAX + 1];
        size_t n_held;
        Peer *peer;       /* of the last call of Who */
        PeerWatch *watch; /* made by Watch */
        unsigned n_gone;
        unsigned n_connected, n_disconnected, n_settled, n_left;
        char *name_lost;
} Fixture;

/* state: a Fixture with doors that nobody opened yet, in a folder of its own. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Turns the loop until the condition holds; fails the test when it never does. */
#define run_until(f, condition) \
        do { \
                usec_t _end = test_now() + TEST_PATIENCE_USEC; \
                while (!(condition)) { \
                        assert_true(test_now() < _end); \
                        assert_true(sd_event_run((f)->event, TEST_PATIENCE_USEC) >= 0); \
                } \
        } while (0)
/* Turns the loop while there is something to do at once. */
void run_quiet(Fixture *f);
usec_t test_now(void);

/* A client on the loop, at an address. */
sd_bus *client_open(Fixture *f, const char *address, bool bus_client);
sd_bus *client_open_private(Fixture *f);
sd_bus *client_close(sd_bus *bus);
DEFINE_CLEANUP(sd_bus *, client_close)

/* A connection to the private socket that speaks no D-Bus yet. */
int raw_connect(Fixture *f);

/* Calls the test object's method; the answer, or an error answer, is in *ret when it has come. */
void client_call(sd_bus *bus, const char *member, sd_bus_message **ret);
sd_bus_message *client_call_wait(Fixture *f, sd_bus *bus, const char *member);
/* Counts the object's signals that come. */
void client_count_signals(sd_bus *bus, const char *member, unsigned *n);

/* A dbus-daemon of the test's own. */
typedef struct Daemon {
        pid_t pid;
        char *address;
} Daemon;
/* address: where, e.g. unix:path=…. Returns false when there is no dbus-daemon on this machine. */
bool daemon_start(Daemon *d, const char *address);
void daemon_stop(Daemon *d);
