/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

/* For a source without which somebody would wait for ever: there is no memory even for that. The
 * process ends with a failure and says so; what was acknowledged is on disk, and whoever waits sees
 * the end of the connection. */
void event_give_up(sd_event *event, int error, const char *what);

/* Arms a source once, or gives up. */
void event_source_arm(sd_event_source *s, const char *what);
