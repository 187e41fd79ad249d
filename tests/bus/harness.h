/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The real service on a private bus, in private folders, with a scripted engine: what every bus
 * test stands on. Nothing of the caller's is touched or inherited. A function that cannot do its
 * work fails the test. Waiting ends when what is waited for happens, never after a time; who waits
 * longer than HARNESS_PATIENCE has failed.
 *
 * Environment, set by meson: CONDUCTORD, TEST_ENGINE (programs), CONDUCTOR_TEST_BUS (daemon or
 * broker). CONDUCTOR_WRAPPER is a program that is run with the service's path in its place
 * (tests/matrix/under-valgrind). CONDUCTOR_TEST_KEEP=1 keeps the folder and says where it is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/macro.h"
#include "common/names.h"

#define HARNESS_PATIENCE harness_patience()

typedef enum Via {
        VIA_SESSION,
        VIA_PRIVATE,
} Via;

typedef struct Harness {
        sd_event *event;
        char *folder; /* all of the others are below it */
        char *home, *runtime, *config, *state;
        char *address;        /* of the bus */
        char *system_address; /* of the system bus, where nobody is unless a test puts one there */
        char *socket;         /* the private door */
        char *database;       /* conversations.db */
        char *log;            /* what the service said on stderr, of all its lives */
        pid_t bus, service, engine;
        int notify; /* the service's NOTIFY_SOCKET */
        sd_event_source *notify_source;
        bool ready, stopping; /* what it said there */
        char *status;
        unsigned n_watchdog, n_extended; /* WATCHDOG=1 and EXTEND_TIMEOUT_USEC= that it said */
        const char *environment[4];      /* more of the service's, NULL-ended; set by the test */
        bool activated;                  /* the private socket is passed to it, as systemd does */
        int engine_port;
        int bus_control;   /* the broker's controller end */
        const char *doing; /* for the message of a failure; set by a test of many parts, or NULL */
} Harness;

/* For cmocka: *state is the Harness. The bus runs; the service and the engine do not yet. Each
 * test's engines are files; one of Type=builtin is written, so that nothing is looked for at the
 * places where a person's engines are. */
int harness_setup(void **state);
int harness_teardown(void **state);
/* Ends the program with 77 (skipped) where the wanted bus daemon is not installed. */
void harness_require_bus(void);

/* The bus ends under all that are on it; a new one at the same address. */
void harness_stop_bus(Harness *h);
void harness_start_bus(Harness *h);

/* ---- waiting ---- */

usec_t harness_now(void); /* CLOCK_MONOTONIC */
usec_t harness_patience(void);
/* Turns the loop once, at most until the deadline, past which the test fails, naming what. */
void harness_turn(Harness *h, usec_t deadline, const char *what);

#define harness_run_until(h, condition) \
        do { \
                usec_t _deadline = harness_now() + HARNESS_PATIENCE; \
                while (!(condition)) \
                        harness_turn(h, _deadline, #condition); \
        } while (0)

/* ---- the service ---- */

/* Starts it and waits for READY=1 and, while the bus runs, for its name there: it asks for the name
 * before it is ready, and does not wait for it. */
void harness_start(Harness *h);
/* Starts it; returns its exit status when it ends before READY=1, else -EISCONN. */
int harness_try_start(Harness *h);
/* SIGTERM; returns its exit status. */
int harness_stop(Harness *h);
void harness_kill(Harness *h, int signal); /* and waits for its end */
int harness_wait_exit(Harness *h);         /* it ends by itself */

/* *status becomes the program's exit status, or 128 + the signal, when it ends. */
void harness_watch_exit(Harness *h, pid_t program, sd_event_source **ret, int *status);

/* All of a file of the service's; the caller frees. */
char *harness_read_file(const char *path, size_t *ret_size);
/* A file below the configuration folder, e.g. "conductor.conf", made 0600. */
void harness_write_config(Harness *h, const char *name, const char *format, ...) _printf_(3, 4);
void harness_remove_config(Harness *h, const char *name);

typedef struct Memory {
        size_t rss, pss, private_dirty; /* bytes */
} Memory;
void harness_memory(const Harness *h, Memory *ret);
/* Whether the service's memory and time say something: not with a sanitizer or in a wrapper. */
bool harness_can_measure(void);
/* Whether the service's log has this text. */
bool harness_logged(const Harness *h, const char *text);

/* ---- the scripted engine ---- */

/* Starts it with these more arguments (NULL-ended, or NULL) and writes engines.d/test.conf of this
 * type ("ollama", "openai", "anthropic"), which then is the only engine. extra: more lines of
 * [Engine], or "". */
void harness_start_engine(
        Harness *h, const char *type, const char *extra, const char *const *arguments);
/* Waits until the engine counted so many: "cancelled=1", "held=2". */
void harness_engine_wait(Harness *h, const char *what);
/* Waits until every connection to it is closed: half a minute after the last question. */
void harness_engine_wait_unused(Harness *h);
/* GET or POST (with a body) of one of its pages; the answer's body, freed by the caller. */
char *harness_engine_page(Harness *h, const char *path, const char *body);
uint64_t harness_engine_count(Harness *h, const char *counter);

/* ---- calls ---- */

/* Waits until the service has its name on the bus, or (owned false) has it no more. */
void harness_wait_name(Harness *h, bool owned);
/* Attached to the harness's loop. */
sd_bus *harness_connect(Harness *h, Via via);
static inline void harness_disconnectp(sd_bus **bus)
{
        sd_bus_flush_close_unref(*bus);
}
#define _cleanup_connection_ _cleanup_(harness_disconnectp)

/* Calls and waits with the loop turning. The answer; fails the test when it is an error. */
sd_bus_message *harness_call(Harness *h, sd_bus *bus, const char *path, const char *interface,
        const char *member, const char *types, ...);
/* The same for a message that was built. */
sd_bus_message *harness_call_message(Harness *h, sd_bus *bus, sd_bus_message *m);
/* Expects an error: its name without "org.aiway.Conductor1.Error." when it is one of ours, else
 * whole. The caller frees. *ret_sentence (may be NULL) too. */
char *harness_call_error(Harness *h, sd_bus *bus, char **ret_sentence, const char *path,
        const char *interface, const char *member, const char *types, ...);
char *harness_call_error_message(Harness *h, sd_bus *bus, sd_bus_message *m, char **ret_sentence);
/* name: of harness_call_error(), freed here. */
void harness_assert_error(char *name, const char *expected);
/* A message to the service, for arguments that need containers. */
sd_bus_message *harness_message(
        sd_bus *bus, const char *path, const char *interface, const char *member);

/* In an a{sv} that is open: so many attachments, all of this descriptor. */
void harness_append_attachments(sd_bus_message *m, const char *name, int fd, size_t n);

/* Short forms; the caller frees what comes back. */
char *harness_create(Harness *h, sd_bus *bus, const char *model);
/* The conversation's last message; 0 = it has none. */
uint64_t harness_head(Harness *h, sd_bus *bus, const char *conversation);
uint64_t harness_send(Harness *h, sd_bus *bus, const char *conversation, const char *text);
typedef struct Exchange {
        uint64_t message, reply;
} Exchange;
/* Sends with the option token, or none (NULL). */
Exchange harness_exchange(
        Harness *h, sd_bus *bus, const char *conversation, const char *text, const char *token);
/* What Send, Edit and the like answer. */
Exchange harness_read_exchange(sd_bus_message *answer);
/* Pages through GetReply. ret_reason (may be NULL; the caller frees): how it ended, "" while it
 * lives. */
char *harness_get_reply(Harness *h, sd_bus *bus, const char *conversation, uint64_t reply,
        const char *channel, char **ret_reason);
/* Reads an a{sv}: whether it has this key, of this basic type, which *ret then is. */
bool harness_read_value(sd_bus_message *m, const char *key, char type, void *ret);
/* Those of GetStatistics. */
uint64_t harness_count_followers(Harness *h, sd_bus *bus);
/* Enters an a{sv} and returns the string of this key, "" when it has none. The caller frees. */
char *harness_read_string(sd_bus_message *m, const char *key);

/* ---- signals ---- */

typedef struct Watch {
        sd_bus_slot *slot;
        unsigned n;           /* so many came */
        sd_bus_message *last; /* rewound before each look by sd_bus_message_rewind() */
} Watch;

/* Counts the service's signals of this name on this connection; path NULL: of all objects. */
Watch *harness_watch(
        Harness *h, sd_bus *bus, const char *path, const char *interface, const char *member);
Watch *watch_free(Watch *w);
DEFINE_CLEANUP(Watch *, watch_free)
