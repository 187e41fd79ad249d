/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor-search: the conversations in a desktop's own search, and what its menu starts. */

#include "client/desktop/application-bus.h"
#include "client/desktop/names.h"
#include "client/desktop/options.h"
#include "client/desktop/provider-bus.h"
#include "client/desktop/runner-bus.h"
#include "common/log.h"

#define IDLE_USEC (30 * USEC_PER_SEC)

static const char *const names[] = { SEARCH_NAME, APPLICATION_ID, NULL };

typedef struct Program {
        Session *session;
        Search *search;
        Answers *answers;
        Provider provider;
        Runner runner;
} Program;

/* The searches that are under way keep the session's connection, until they are let go. */
static void program_done(Program *p)
{
        p->answers = answers_free(p->answers);
        p->search = search_free(p->search);
        p->session = session_free(p->session);
        runner_done(&p->runner);
}

static int add_objects(Program *p)
{
        int r;

        r = search_new(p->session, &p->search);
        if (r >= 0)
                r = answers_new(p->session, &p->answers);
        if (r < 0)
                return r;
        p->provider = (Provider){ p->session, p->search };
        p->runner = (Runner){ p->session, p->search, p->answers, NULL };
        r = provider_add(&p->provider);
        if (r >= 0)
                r = runner_add(&p->runner);
        return r < 0 ? r : application_add(p->session);
}

int main(int argc, char *argv[])
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(program_done) Program p = { 0 };
        usec_t idle = IDLE_USEC;
        int r;

        r = options_read(argc, argv,
                &(ProgramHelp){
                        .name = "conductor-search",
                        .what = "Finds conversations for GNOME Shell and KRunner, which start it.",
                        .idle = &idle,
                });
        if (r <= 0)
                return r == 0 ? EXIT_SUCCESS : 2;
        log_open("conductor-search");
        r = session_new(&p.session, &failure);
        if (r < 0)
                return log_error("%s", failure_message(&failure)), EXIT_FAILURE;
        r = add_objects(&p);
        if (r >= 0)
                r = session_leave_when_idle(p.session, idle);
        /* A call that started us comes with the name: everything else is there by then. */
        if (r >= 0)
                r = session_own(p.session, names);
        if (r < 0)
                return log_error_errno(r, "It cannot start: %m"), EXIT_FAILURE;
        return session_run(p.session);
}
