/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The curses client as a whole: what is on the screen, who has the keys, when the next frame is. It
 * owns every other room and lives as long as its loop. */

#include <systemd/sd-event.h>

#include "client/bus/connect.h"
#include "common/failure.h"

typedef struct AppOptions {
        ClientOptions client;
        const char *model;        /* of new conversations; NULL = the default */
        const char *conversation; /* an id; NULL = none */
        uint64_t message;         /* of it: where to begin; 0 = at the end */
        const char *search;       /* words to look for in all conversations, or NULL */
        bool go_on;               /* open the newest conversation */
} AppOptions;

/* Opens the terminal and runs until the person leaves. SIGCHLD, SIGTERM, SIGINT and SIGQUIT are
 * blocked. Returns the exit status, or a negative errno with a sentence. */
int app_run(const AppOptions *options, Failure *failure);
