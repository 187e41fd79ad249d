/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* In the place of a notification server, and of logind on a system bus of its own. */

#include "tests/desktop/desk.h"

#define SHOWN_MAX 16U
#define LOCKS_MAX 8U

typedef struct Shown {
        uint32_t id, replaces;
        char *summary, *body, *actions; /* the keys, each with a comma after it */
        int transient;
} Shown;

typedef struct FakeServer {
        Desk *d;
        sd_bus *bus;
        const char *const *capabilities; /* NULL-ended */
        Shown shown[SHOWN_MAX];
        unsigned n_shown, n_closed, n_asked;
        uint32_t last_closed, last_id;
} FakeServer;

/* Has the name when it returns. */
void fake_server_start(FakeServer *s, Desk *d, const char *const *capabilities);
void fake_server_stop(FakeServer *s);
void fake_server_clear(FakeServer *s);
#define _cleanup_server_ _cleanup_(fake_server_clear)

/* Signals as servers send them. */
void fake_server_close(FakeServer *s, uint32_t id);
void fake_server_act(FakeServer *s, const char *signal, uint32_t id, const char *text);

typedef enum Locked {
        UNLOCKED,
        LOCKED,
        NOBODY_KNOWS, /* an error */
        SILENCE,      /* no answer */
} Locked;

typedef struct FakeLogind {
        Desk *d;
        Locked locked;
        pid_t daemon;
        int control;
        sd_bus *bus;
        unsigned n_asked;
        /* Inhibit: */
        bool refuses;
        unsigned n_inhibited, n_released;
        char *last;   /* its arguments, each with a comma after it */
        char *client; /* who called */
        sd_event_source *locks[LOCKS_MAX];
} FakeLogind;

/* A system bus with it, or (without) without it. */
void fake_logind_start(FakeLogind *l, Desk *d, bool without);
void fake_logind_stop(FakeLogind *l);
/* Waits until the last who called Inhibit has read what was sent to it before. */
void fake_logind_settle(FakeLogind *l);
#define _cleanup_logind_ _cleanup_(fake_logind_stop)
