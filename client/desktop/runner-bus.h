/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.kde.krunner1: messages in KRunner, and `ask …`, which answers in place. */

#include "client/desktop/answers-bus.h"
#include "client/desktop/search-bus.h"

typedef struct Runner {
        Session *session;
        Search *search;
        Answers *answers;
        char *token; /* for the next Run */
} Runner;

void runner_done(Runner *runner);
/* runner lives as long as the session. */
int runner_add(Runner *runner);
