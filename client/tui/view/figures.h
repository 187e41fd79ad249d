/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tokens: how many are in the context, and how many come in a second. Of a reply that streams both
 * are estimates, which change with each second; the engine counts when it ends. */

#include "client/tui/model/mirror.h"

typedef struct Figures {
        uint64_t used, size; /* of the context; 0 = unknown */
        double per_second;   /* of the live reply, else of the last one; 0 = unknown */
        bool used_estimated, per_second_estimated;
} Figures;

void figures_of(Mirror *m, usec_t now, Figures *ret);
