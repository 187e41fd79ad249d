/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/session-bus.h"

#include <limits.h>
#include <signal.h>

#include "client/bus/connect.h"
#include "common/log.h"

/* Who waits for it at the end is not kept longer than this. */
#define LEAVE_USEC     (10 * USEC_PER_SEC)
#define TIMER_ACCURACY (10 * USEC_PER_MSEC)

/* RequestName's answers. */
enum {
        NAME_PRIMARY_OWNER = 1,
        NAME_IN_QUEUE = 2,
        NAME_ALREADY_OWNER = 4,
};

struct Session {
        sd_event *event;
        sd_bus *bus;
        sd_event_source *idle, *deadline, *post;
        usec_t idle_after;
        const char *const *names;
        unsigned held, unreleased; /* names whose giving back is not confirmed */
        bool leaving;
        char folder[PATH_MAX];
};

Session *session_free(Session *s)
{
        if (!s)
                return NULL;
        sd_bus_close_unref(s->bus); /* first: what was held for its calls is released */
        sd_event_source_disable_unref(s->idle);
        sd_event_source_disable_unref(s->deadline);
        sd_event_source_disable_unref(s->post);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

sd_bus *session_bus(const Session *s)
{
        return s->bus;
}

sd_event *session_event(const Session *s)
{
        return s->event;
}

const char *session_folder(const Session *s)
{
        return s->folder;
}

/* ---- leaving ---- */

static int on_post(sd_event_source *source, void *userdata)
{
        Session *s = ASSERT_PTR(userdata);
        uint64_t queued;

        if (!s->leaving || s->held > 0 || s->unreleased > 0)
                return 0;
        if (sd_bus_get_n_queued_write(s->bus, &queued) >= 0 && queued > 0)
                return 0;
        return sd_event_exit(s->event, EXIT_SUCCESS);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        Session *s = ASSERT_PTR(userdata);

        log_notice("Something takes too long; ending without it.");
        return sd_event_exit(s->event, EXIT_SUCCESS);
}

/* What the bus had sent to this name came before this answer. */
static int on_released(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Session *s = ASSERT_PTR(userdata);

        s->unreleased--;
        return 0;
}

void session_leave(Session *s)
{
        int r;

        if (s->leaving)
                return;
        s->leaving = true;
        for (size_t i = 0; s->names && s->names[i]; i++) {
                r = sd_bus_release_name_async(s->bus, NULL, s->names[i], on_released, s);
                if (r < 0)
                        log_debug_errno(
                                r, "%s stays ours until the end, ignoring: %m", s->names[i]);
                else
                        s->unreleased++;
        }
        r = sd_event_add_time_relative(s->event, &s->deadline, CLOCK_MONOTONIC, LEAVE_USEC,
                TIMER_ACCURACY, on_deadline, s);
        if (r < 0) {
                log_error_errno(r, "Cannot end in order, ending at once: %m");
                (void) sd_event_exit(s->event, EXIT_FAILURE);
        }
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        session_leave(ASSERT_PTR(userdata));
        return 0;
}

/* ---- being idle ---- */

static void wait_idle(Session *s)
{
        int r = 0;

        if (!s->idle || s->leaving)
                return;
        if (s->held > 0)
                r = sd_event_source_set_enabled(s->idle, SD_EVENT_OFF);
        else {
                r = sd_event_source_set_time_relative(s->idle, s->idle_after);
                if (r >= 0)
                        r = sd_event_source_set_enabled(s->idle, SD_EVENT_ONESHOT);
        }
        if (r < 0)
                log_warning_errno(r, "Cannot tell when nobody calls, ignoring: %m");
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        log_debug("Nobody calls; the next call starts it again.");
        session_leave(ASSERT_PTR(userdata));
        return 0;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        if (sd_bus_message_is_method_call(m, NULL, NULL) > 0)
                wait_idle(ASSERT_PTR(userdata));
        return 0;
}

int session_leave_when_idle(Session *s, usec_t after)
{
        int r;

        s->idle_after = after;
        r = sd_bus_add_filter(s->bus, NULL, on_message, s);
        if (r < 0)
                return r;
        return sd_event_add_time_relative(
                s->event, &s->idle, CLOCK_MONOTONIC, after, TIMER_ACCURACY, on_idle, s);
}

void session_hold(Session *s)
{
        s->held++;
        wait_idle(s);
}

void session_release(Session *s)
{
        assert(s->held > 0);
        s->held--;
        wait_idle(s);
}

/* ---- names ---- */

static int on_requested(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Session *s = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        uint32_t answer = 0;
        int r;

        if (!error) {
                r = sd_bus_message_read(m, "u", &answer);
                if (r < 0)
                        return r;
        }
        if (answer == NAME_PRIMARY_OWNER || answer == NAME_ALREADY_OWNER)
                return 0;
        if (answer == NAME_IN_QUEUE) {
                log_debug("Another one has the name; it is ours when that one leaves.");
                return 0;
        }
        log_error("The session bus does not give the name: %s",
                error ? strempty(error->message) : "it is taken");
        return sd_event_exit(s->event, EXIT_FAILURE);
}

int session_own(Session *s, const char *const *names)
{
        int r;

        for (size_t i = 0; names[i]; i++) {
                r = sd_bus_request_name_async(
                        s->bus, NULL, names[i], /* flags= */ 0, on_requested, s);
                if (r < 0)
                        return r;
        }
        s->names = names;
        return 0;
}

/* ---- the whole ---- */

static int session_connect(Session *s, Failure *failure)
{
        ClientDoor door;
        int r;

        r = client_connect(/* options= */ NULL, &s->bus, &door, failure);
        if (r < 0)
                return r;
        if (door != CLIENT_SESSION) {
                (void) failure_set(failure, FAILURE_NO_SERVICE,
                        "There is no session bus, on which a desktop talks. "
                        "'conductor doctor' finds out why.");
                return -ENOTCONN;
        }
        r = sd_bus_set_exit_on_disconnect(s->bus, true);
        if (r >= 0)
                r = sd_bus_attach_event(s->bus, s->event, SD_EVENT_PRIORITY_NORMAL);
        return r < 0 ? failure_set_errno(failure, r, "The session bus cannot be used") : 0;
}

/* At the start. An upgrade may have replaced the program since: the folder is the same. */
static int find_folder(Session *s)
{
        ssize_t n = readlink("/proc/self/exe", s->folder, sizeof s->folder - 1);
        char *slash;

        if (n < 0)
                return -errno;
        s->folder[n] = 0;
        slash = strrchr(s->folder, '/');
        if (!slash)
                return -ENOENT;
        *slash = 0;
        return 0;
}

static int block_signals(void)
{
        sigset_t signals;

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        return sigprocmask(SIG_BLOCK, &signals, NULL) < 0 ? -errno : 0;
}

int session_new(Session **ret, Failure *failure)
{
        _cleanup_(session_freep) Session *s = NULL;
        int r;

        s = calloc(1, sizeof *s);
        if (!s)
                return failure_set_errno(failure, -ENOMEM, "Starting");
        r = block_signals();
        if (r >= 0)
                r = find_folder(s);
        if (r >= 0)
                r = sd_event_new(&s->event);
        if (r >= 0)
                r = sd_event_add_signal(s->event, NULL, SIGTERM, on_signal, s);
        if (r >= 0)
                r = sd_event_add_signal(s->event, NULL, SIGINT, on_signal, s);
        if (r >= 0)
                r = sd_event_add_post(s->event, &s->post, on_post, s);
        if (r < 0)
                return failure_set_errno(failure, r, "The loop cannot be made");
        r = session_connect(s, failure);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

int session_run(Session *s)
{
        int r = sd_event_loop(s->event);

        if (r < 0)
                log_error_errno(r, "The loop failed: %m");
        return r < 0 ? EXIT_FAILURE : r;
}
