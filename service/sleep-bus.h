/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* While a reply is being written the machine does not fall asleep at once: logind gives it the few
 * seconds that it gives everybody (InhibitDelayMaxSec=), in which most replies end. And that it
 * slept is told. */

#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct Sleep Sleep;

/* resumed: the machine is awake again; heard of from the first reply on. */
int sleep_new(sd_event *event, void (*resumed)(void *userdata), void *userdata, Sleep **ret);
Sleep *sleep_free(Sleep *s);
DEFINE_CLEANUP(Sleep *, sleep_free)

/* Whether it shall be delayed from now on. Waits for nothing; where there is no system bus, or no
 * logind, nothing happens. */
void sleep_set_delayed(Sleep *s, bool delayed);
