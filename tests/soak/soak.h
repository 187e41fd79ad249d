/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A long time with the real service: several engines and models, followers, the clients, and what
 * happens to all of them. */

#include "tests/bench/pty.h"
#include "tests/bus/harness.h"

#define SOAK_ENGINES 4U
#define SOAK_MODELS  2U /* of each */

/* The last one never answers. */
#define SOAK_HUNG (SOAK_ENGINES - 1)

typedef struct SoakEngine {
        const char *name, *type;
        pid_t pid;
        int port; /* the same after a restart */
} SoakEngine;

/* What is counted, in the order of the table. */
typedef enum SoakEvent {
        SOAK_STREAM,
        SOAK_RECONNECT,
        SOAK_ENGINE_RESTART,
        SOAK_SUSPEND_SERVICE,
        SOAK_SUSPEND_CLIENT,
        SOAK_RELOAD,
        SOAK_BUS_RESTART,
        SOAK_HANG,
        SOAK_CLI,
        _SOAK_EVENT_MAX,
} SoakEvent;

/* Of one process while nothing happens. */
typedef struct Figures {
        size_t memory; /* bytes: private and dirty */
        unsigned descriptors, tasks;
        uint64_t wakeups; /* switches of all its threads in a window without any work */
} Figures;

typedef struct Soak {
        Harness *h;
        sd_bus *bus;
        SoakEngine engines[SOAK_ENGINES];
        Pty tui; /* fd negative: it is not built */
        sd_event_source *tui_source;
        char *tui_environment[12];
        bool real; /* at the pace of people: replies take seconds, suspends too */
        unsigned n[_SOAK_EVENT_MAX];
        unsigned failed; /* replies that ended with their engine */
} Soak;

/* ---- engines.c ---- */

void engine_start(Soak *s, SoakEngine *e);
void engine_end(SoakEngine *e);
/* extra: more lines of [Engine]. */
void engine_configure(Soak *s, const SoakEngine *e, const char *extra);
/* Freed by the caller: "name/tiny:latest". */
char *engine_model(const SoakEngine *e, unsigned model);

/* ---- clients.c ---- */

void tui_start(Soak *s);
void tui_end(Soak *s);
/* One question by the command line client, waited for with the loop turning. */
void cli_ask(Soak *s, const char *model);

/* ---- figures.c ---- */

/* The loop turns for so long. */
void soak_wait(Soak *s, usec_t usec);
/* Waits until a process does no more, and looks at it for a while. */
void figures_take(Soak *s, pid_t pid, Figures *ret);
void figures_print(const char *who, const Figures *before, const Figures *after);

/* ---- events.c ---- */

/* What one simulated minute brings: streams of all engines, and now and then the rest. */
void soak_minute(Soak *s, unsigned minute);
