/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/event-util.h"

#include "common/log.h"

void event_give_up(sd_event *event, int error, const char *what)
{
        log_error_errno(error, "Cannot go on with %s: %m. It ends, to be started again.", what);
        (void) sd_event_exit(event, EXIT_FAILURE);
}

void event_source_arm(sd_event_source *s, const char *what)
{
        int r;

        r = sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        if (r < 0)
                event_give_up(sd_event_source_get_event(s), r, what);
}
