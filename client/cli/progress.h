/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The line that says what one waits for and since when: on a terminal only, gone when text comes.
 */

#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct Progress Progress;

/* *ret is NULL, which every function here takes, where stdout or stderr is no terminal. */
int progress_new(sd_event *event, Progress **ret);
Progress *progress_free(Progress *p);
DEFINE_CLEANUP(Progress *, progress_free)

void progress_set_phase(Progress *p, const char *phase, unsigned place);
/* Wipes the line; it comes back only with the next phase. */
void progress_hide(Progress *p);
