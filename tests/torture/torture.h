/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One run: the service in a process of its own, a client that plays a scenario with it, and what is
 * looked at afterwards. See README.md. */

#include <systemd/sd-bus.h>

#include "common/buffer.h"
#include "common/macro.h"
#include "common/names.h"
#include "tests/torture/points.h"

/* Longer than this nobody waits for an answer, an end or an exit. What the service's threads stood
 * ready and were not given a CPU does not count, up to STARVED_MAX: a machine may have much else to
 * do. */
extern usec_t patience;
#define STARVED_MAX (2 * patience)

/* With the sanitizers' own words (see service.c). */
#define EXIT_SANITIZER 99

#define ACKS_MAX    64U
#define REPLIES_MAX 32U
#define PRINTED_MAX 8U

typedef struct Torture Torture;

typedef enum Seed {
        SEED_NONE,
        SEED_CLEAN,   /* two conversations */
        SEED_UNCLEAN, /* the same, and the service was killed under a reply */
        SEED_DAMAGED, /* the clean one, with an unreadable page */
        SEED_OLD,     /* the clean one, as an earlier version leaves it */
        _SEED_MAX,
} Seed;

typedef enum ScenarioFlags {
        SCENARIO_SESSION = 1 << 0, /* there is a session bus */
        SCENARIO_LISTEN = 1 << 1,  /* nobody passes a socket */
        SCENARIO_STOPS = 1 << 2,   /* it is told to end by the scenario */
        SCENARIO_FAILS = 1 << 3,   /* its engine does */
        SCENARIO_PLANTED = 1 << 4, /* a fault of the test's own: see planted.c */
        SCENARIO_KEYRING = 1 << 5, /* two engines' keys are in one, on the session bus */
        SCENARIO_UNIT = 1 << 6,    /* an engine has a unit, and there is a user manager */
        SCENARIO_HOST = 1 << 7,    /* another machine, by an ssh that is none; with SESSION */
} ScenarioFlags;

typedef enum CommandFlags {
        COMMAND_PREPARES = 1 << 0, /* nothing fails in it, and its end does not matter */
        COMMAND_MUTE = 1 << 1,     /* a person who completes is not told what went wrong */
        COMMAND_TELLS = 1 << 2,    /* what is wrong is what it prints */
        COMMAND_FILLED = 1 << 3,   /* no string of its JSON is empty */
} CommandFlags;

typedef struct Command Command; /* commands.h */
typedef struct Tui Tui;         /* tui.h */

typedef struct Scenario {
        const char *name;
        void (*play)(Torture *t);
        Seed seed;
        ScenarioFlags flags;
        /* Played with the next service, in which nothing fails; what is then there counts. */
        void (*again)(Torture *t);
        /* In one of these it fails, and not in the service, which is there for all runs. */
        const Command *commands;
        const Tui *tui;
} Scenario;

extern const Scenario scenarios[];
extern const size_t n_scenarios;

static inline bool is_of_client(const Scenario *s)
{
        return s->commands || s->tui;
}

/* What was acknowledged, and so is there afterwards. */
typedef struct Ack {
        char conversation[33];
        char text[64];
        uint64_t message; /* 0: the conversation itself */
} Ack;

typedef struct Heard {
        uint64_t reply;
        bool ended, dropped;
        char reason[32];
        size_t size;
} Heard;

struct Torture {
        Run *run; /* shared with the service's process */
        const Scenario *scenario;
        char *folder, *state, *config, *runtime, *socket, *database, *log;
        char *bus_address; /* of the session bus, started by the first scenario that needs it */
        pid_t bus_pid;
        int bus_control;
        int engine_port;
        sd_bus *keyring;    /* a connection to it */
        pid_t user_manager; /* it dies with the job */

        pid_t service;
        int status;           /* of its end, or -EBUSY */
        usec_t cpu;           /* that it took */
        usec_t stop, starved; /* from SIGTERM to its end; of that, waiting for a CPU */
        sd_bus *bus;
        bool follows;    /* by this connection */
        unsigned n_lost; /* connections that it closed */
        unsigned n_refused;
        Heard heard[REPLIES_MAX];
        size_t n_heard;

        Ack acks[ACKS_MAX], seed_acks[_SEED_MAX][ACKS_MAX];
        size_t n_acks, n_seed_acks[_SEED_MAX];
        unsigned n_texts;

        char *printed[PRINTED_MAX]; /* by commands, when nothing failed */
        unsigned n_runs;            /* of commands */

        Buffer found; /* what was wrong in this run, a line each */
        bool told;    /* failed and then told so, in whatever way */
};

void found(Torture *t, const char *format, ...) _printf_(2, 3);

/* ---- service.c ---- */

int service_start(Torture *t);
/* Waits for its end; kills it when that does not come. */
void service_wait(Torture *t);
void service_stop(Torture *t);
/* Gives it a moment to. */
void service_may_end(Torture *t);
/* What it has begun, it also does. */
bool service_ends(Torture *t);
bool service_lives(Torture *t);
/* Looks again whenever it has logged something; false when it ended before, or patience did. */
bool service_wait_until(
        Torture *t, bool (*there)(const Torture *t, const void *userdata), const void *userdata);
/* How long a thread of it stood ready and was not given a CPU: of that which waited longest, for
 * the others may wait for it. */
usec_t service_starved(const Torture *t);
/* Until its log has one of the words, which end with a NULL. */
bool service_wait_log(Torture *t, const char *const *words);
/* The last lines that it wrote. */
char *service_log(const Torture *t);

/* ---- client.c ---- */

void client_close(Torture *t);
/* True when the answer is no error. An error must have a name and a sentence, and is only in its
 * place where something was made to fail. ret may be NULL. */
bool client_call(Torture *t, sd_bus_message **ret, const char *path, const char *interface,
        const char *member, const char *types, ...);
bool client_call_message(Torture *t, sd_bus_message *m, sd_bus_message **ret);
/* NULL when there is no connection to be had. */
sd_bus_message *client_message(
        Torture *t, const char *path, const char *interface, const char *member);
/* Whether something was made to fail in this run. */
bool client_may_fail(const Torture *t);

/* The caller frees the path; NULL when it failed. */
char *client_create(Torture *t, const char *model);
bool client_send(Torture *t, const char *path, const char *words, uint64_t *ret_message,
        uint64_t *ret_reply);
void client_follow(Torture *t, const char *path);
/* Until a follower was told the end. */
void client_wait_end(Torture *t, const char *path, uint64_t reply);
/* Until so much text came, or the end. */
void client_wait_text(Torture *t, uint64_t reply, size_t size);
/* Reads the descriptor in an answer to its end; -1 when there is none. */
ssize_t client_read_stream(Torture *t, sd_bus_message *answer);
void client_acknowledged(Torture *t, const char *path, uint64_t message, const char *text);
/* What is deleted need not be there. */
void client_forget(Torture *t, const char *path);

/* ---- verify.c ---- */

/* In a process of its own: whether the database is whole, and has all that was acknowledged. */
void verify(Torture *t);
