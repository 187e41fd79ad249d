/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether the person's session is locked, as logind knows it. */

#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct Lock Lock;

/* Called once, never before lock_ask() has returned. What is not known counts as locked, but where
 * there is no logind at all nothing says so. Frees the question with lock_free(). */
typedef void (*lock_known_t)(bool locked, void *userdata);

/* 1: known() will be called. 0: there is no logind. */
int lock_ask(sd_event *event, lock_known_t known, void *userdata, Lock **ret);
Lock *lock_free(Lock *l);
DEFINE_CLEANUP(Lock *, lock_free)
