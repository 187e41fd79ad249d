/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor-notifier: tells a desktop when an answer is ready. */

#include <systemd/sd-daemon.h>

#include "client/desktop/notifier-bus.h"
#include "client/desktop/options.h"
#include "common/log.h"

int main(int argc, char *argv[])
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(copy_done) Copy copy = { 0 };
        _cleanup_(session_freep) Session *session = NULL;
        _cleanup_(notifier_freep) Notifier *notifier = NULL;
        int r;

        r = options_read(argc, argv,
                &(ProgramHelp){
                        .name = "conductor-notifier",
                        .what = "Tells a desktop when an answer is ready; systemd starts it with "
                                "the service.",
                });
        if (r <= 0)
                return r == 0 ? EXIT_SUCCESS : 2;
        log_open("conductor-notifier");
        r = copy_find(&copy);
        if (r < 0)
                return log_oom(), EXIT_FAILURE;
        r = session_new(&session, &failure);
        if (r < 0)
                return log_error("%s", failure_message(&failure)), EXIT_FAILURE;
        r = notifier_new(session, &copy, &notifier);
        if (r < 0)
                return log_error_errno(r, "It cannot start: %m"), EXIT_FAILURE;
        (void) sd_notify(/* unset_environment= */ false, "READY=1");
        return session_run(session);
}
