/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Starts a unit of the user manager and waits for its job, without ever blocking the loop. As
 * systemctl does, it speaks to the manager by its own socket, so that it works with and without a
 * session bus. */

#include <systemd/sd-event.h>

#include "service/engine/engines.h"

/* As EngineUnits has it. */
int unit_start_new(UnitStart **ret, sd_event *event, const char *unit, unit_started_t done,
        void *userdata, Failure *failure);
UnitStart *unit_start_free(UnitStart *s);
DEFINE_CLEANUP(UnitStart *, unit_start_free)
