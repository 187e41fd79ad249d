/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/lifecycle.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/log.h"
#include "common/message-ids.h"
#include "service/conversation/conversation-bus.h"
#include "service/notify.h"
#include "service/sleep-bus.h"

/* While it leaves, systemd is asked for this much more, each third of it. */
#define EXTEND_USEC (30 * USEC_PER_SEC)

/* One-shot timers have no others to be merged with: 0 would mean a quarter of a second. */
#define TIMER_ACCURACY_USEC USEC_PER_MSEC

typedef enum LifecycleState {
        LIFECYCLE_STARTING,
        LIFECYCLE_RUNNING,
        LIFECYCLE_LEAVING,  /* idle: answers what still comes, then ends */
        LIFECYCLE_STOPPING, /* told to: ends what runs */
} LifecycleState;

typedef enum LifecycleFlags {
        LIFECYCLE_ACTIVATED = 1 << 0,
        LIFECYCLE_IDLE = 1 << 1,    /* the timer runs */
        LIFECYCLE_LEFT = 1 << 2,    /* the doors are closed */
        LIFECYCLE_STOPPED = 1 << 3, /* no reply lives any more */
        LIFECYCLE_READY = 1 << 4,   /* systemd knows that it is */
        LIFECYCLE_REPLACED = 1 << 5 /* a new program waits to be started */
} LifecycleFlags;

#define STATUS_SIZE 128U /* four numbers among words */

/* What STATUS= tells. */
typedef struct Numbers {
        unsigned live, waiting;
        size_t conversations;
} Numbers;

struct Lifecycle {
        Manager *manager;
        Sleep *sleep;
        LifecycleState state;
        LifecycleFlags flags;
        sd_event_source *post, *idle, *extend, *deadline, *notify_room;
        usec_t idle_timeout;
        uint64_t served;
        Numbers told;
        usec_t started; /* CLOCK_MONOTONIC */
        int notify_fd;
};

static usec_t now_monotonic(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

/* ---- what systemd shows ---- */

static Numbers count(const Manager *m)
{
        return (Numbers){
                .live = conversations_live(m->conversations),
                .waiting = conversations_waiting(m->conversations),
                .conversations = conversations_count(m->conversations),
        };
}

static void format_status(const Numbers *n, char *text, size_t size)
{
        const char *plural = n->conversations == 1 ? "" : "s";

        if (n->live + n->waiting == 0)
                (void) snprintf(
                        text, size, "STATUS=Idle, %zu conversation%s", n->conversations, plural);
        else
                (void) snprintf(text, size,
                        "STATUS=%u %s streaming, %u waiting, %zu conversation%s", n->live,
                        n->live == 1 ? "reply" : "replies", n->waiting, n->conversations, plural);
}

static void tell_status(Lifecycle *l)
{
        Numbers n = count(l->manager);
        char text[STATUS_SIZE];

        if (l->notify_fd < 0 || memcmp(&n, &l->told, sizeof(n)) == 0)
                return;
        format_status(&n, text, sizeof(text));
        if (notify_send(l->notify_fd, text) >= 0)
                l->told = n;
}

/* ---- leaving ---- */

static unsigned work_under_way(const Manager *m)
{
        return conversations_live(m->conversations) + conversations_waiting(m->conversations) +
                doors_calls(m->doors) + store_pending(m->store) +
                worker_pending(store_worker(m->store));
}

static unsigned reasons_to_stay(const Lifecycle *l)
{
        const Manager *m = l->manager;

        if (l->flags & LIFECYCLE_REPLACED)
                return work_under_way(m) + conversation_face_pipes(m->conversation_face);
        return work_under_way(m) + doors_reasons_to_stay(m->doors) +
                conversation_face_reasons_to_stay(m->conversation_face) +
                surfaces_active(m->surfaces);
}

/* Called whenever something that it waits for has ended: there may be no further turn. */
static int end_when_done(Lifecycle *l)
{
        bool done = false;

        switch (l->state) {
        case LIFECYCLE_STARTING:
        case LIFECYCLE_RUNNING:
                return 0;
        case LIFECYCLE_LEAVING:
                done = l->flags & LIFECYCLE_LEFT && work_under_way(l->manager) == 0;
                break;
        case LIFECYCLE_STOPPING:
                done = l->flags & LIFECYCLE_LEFT && l->flags & LIFECYCLE_STOPPED;
                break;
        }
        return done ? sd_event_exit(l->manager->event, EXIT_SUCCESS) : 0;
}

static void on_left(void *userdata)
{
        Lifecycle *l = ASSERT_PTR(userdata);

        l->flags |= LIFECYCLE_LEFT;
        (void) end_when_done(l);
}

static int on_extend(sd_event_source *s, usec_t usec, void *userdata)
{
        const Lifecycle *l = ASSERT_PTR(userdata);
        char text[STATUS_SIZE];

        (void) snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%" PRIu64, EXTEND_USEC);
        if (l->notify_fd >= 0 && notify_send(l->notify_fd, text) < 0)
                log_debug("systemd is behind and was not asked for time, ignoring.");
        (void) sd_event_source_set_time_relative(s, EXTEND_USEC / 3);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int on_notify_room(sd_event_source *s, int fd, uint32_t revents, void *userdata);

/* systemd queues a start when it knows that the service stops; before that it takes it for running:
 * so it hears of it before the name is given up, also where it is behind with its reading. */
static int leave(Lifecycle *l)
{
        int r;

        l->notify_room = sd_event_source_disable_unref(l->notify_room);
        r = l->notify_fd >= 0 ? notify_send(l->notify_fd, "STOPPING=1") : 0;
        if (r == -EAGAIN)
                return sd_event_add_io(l->manager->event, &l->notify_room, l->notify_fd, EPOLLOUT,
                        on_notify_room, l);
        if (r < 0)
                log_debug_errno(r, "systemd was not told that the service stops, ignoring: %m");
        return doors_leave(l->manager->doors, on_left, l);
}

static void leave_or_end(Lifecycle *l)
{
        int r;

        r = leave(l);
        if (r < 0) {
                log_error_errno(r, "Cannot leave in order, ending at once: %m");
                (void) sd_event_exit(l->manager->event, EXIT_FAILURE);
        }
}

static int on_notify_room(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        leave_or_end(ASSERT_PTR(userdata));
        return 0;
}

static void begin_leaving(Lifecycle *l, LifecycleState state)
{
        l->state = state;
        l->idle = sd_event_source_disable_unref(l->idle);
        leave_or_end(l);
}

static int on_idle(sd_event_source *s, usec_t usec, void *userdata)
{
        Lifecycle *l = ASSERT_PTR(userdata);
        int r;

        l->flags &= ~LIFECYCLE_IDLE;
        if (reasons_to_stay(l) > 0)
                return 0;

        log_struct(LOG_INFO, MESSAGE_LEAVING_ON_IDLE, NULL,
                l->flags & LIFECYCLE_REPLACED
                        ? "No reply is being written; it leaves, and the next call starts the new "
                          "program."
                        : "Nobody needs the service; it leaves, and the next call starts it "
                          "again.");
        begin_leaving(l, LIFECYCLE_LEAVING);
        r = sd_event_add_time_relative(l->manager->event, &l->extend, CLOCK_MONOTONIC, 0,
                /* accuracy= */ 0, on_extend, l);
        if (r < 0)
                log_warning_errno(r, "Cannot ask systemd for time while leaving, ignoring: %m");
        return 0;
}

/* The timer runs from the moment at which the last reason to stay ended, or the last call came. */
static int update_idle(Lifecycle *l)
{
        usec_t timeout = l->flags & LIFECYCLE_REPLACED ? 0 : l->manager->config->idle_timeout;
        uint64_t served = doors_served(l->manager->doors);
        int r;

        if (!(l->flags & LIFECYCLE_ACTIVATED) || timeout == USEC_INFINITY ||
                reasons_to_stay(l) > 0) {
                if (!(l->flags & LIFECYCLE_IDLE))
                        return 0;
                l->flags &= ~LIFECYCLE_IDLE;
                return sd_event_source_set_enabled(l->idle, SD_EVENT_OFF);
        }

        if (l->flags & LIFECYCLE_IDLE && served == l->served && timeout == l->idle_timeout)
                return 0;
        l->served = served;
        l->idle_timeout = timeout;
        l->flags |= LIFECYCLE_IDLE;
        r = sd_event_source_set_time_relative(l->idle, timeout);
        return r < 0 ? r : sd_event_source_set_enabled(l->idle, SD_EVENT_ONESHOT);
}

/* ---- stopping ---- */

static void on_stopped(void *userdata)
{
        Lifecycle *l = ASSERT_PTR(userdata);

        l->flags |= LIFECYCLE_STOPPED;
        (void) end_when_done(l);
}

static int on_deadline(sd_event_source *s, usec_t usec, void *userdata)
{
        Lifecycle *l = ASSERT_PTR(userdata);

        log_warning("The service stops without waiting any longer.");
        return sd_event_exit(l->manager->event, EXIT_SUCCESS);
}

static void stop(Lifecycle *l)
{
        Manager *m = l->manager;
        int r;

        if (l->state == LIFECYCLE_STARTING || l->state == LIFECYCLE_STOPPING) {
                (void) sd_event_exit(m->event, EXIT_SUCCESS);
                return;
        }

        l->extend = sd_event_source_disable_unref(l->extend);
        r = sd_event_add_time_relative(m->event, &l->deadline, CLOCK_MONOTONIC, STOP_DEADLINE_USEC,
                TIMER_ACCURACY_USEC, on_deadline, l);
        if (r >= 0)
                r = conversations_stop(m->conversations, on_stopped, l);
        if (r < 0) {
                log_error_errno(r, "Cannot stop in order, ending at once: %m");
                (void) sd_event_exit(m->event, EXIT_FAILURE);
                return;
        }
        if (l->state == LIFECYCLE_LEAVING)
                l->state = LIFECYCLE_STOPPING;
        else
                begin_leaving(l, LIFECYCLE_STOPPING);
}

static int on_stop_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        stop(ASSERT_PTR(userdata));
        return 0;
}

static int on_reload_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        Lifecycle *l = ASSERT_PTR(userdata);
        int r;

        r = manager_reload(l->manager, /* done= */ NULL, /* userdata= */ NULL);
        if (r < 0 && r != -EAGAIN)
                log_error_errno(r, "Cannot read the configuration again, ignoring: %m");
        return 0;
}

/* ---- after each turn ---- */

static int on_post(sd_event_source *s, void *userdata)
{
        Lifecycle *l = ASSERT_PTR(userdata);

        if (l->state != LIFECYCLE_RUNNING)
                return end_when_done(l);
        if (!(l->flags & LIFECYCLE_READY))
                return 0;
        tell_status(l);
        sleep_set_delayed(l->sleep, conversations_live(l->manager->conversations) > 0);
        return update_idle(l);
}

static void on_resumed(void *userdata)
{
        const Lifecycle *l = ASSERT_PTR(userdata);

        engines_resumed(l->manager->engines);
}

/* ---- the whole ---- */

int lifecycle_new(Lifecycle **ret, Manager *m)
{
        _cleanup_(lifecycle_freep) Lifecycle *l = NULL;
        sd_event *e = m->event;
        int r;

        l = calloc(1, sizeof(Lifecycle));
        if (!l)
                return -ENOMEM;
        l->manager = m;
        l->started = now_monotonic();
        l->notify_fd = -EBADF;
        r = notify_open(&l->notify_fd);
        if (r < 0 && r != -ENXIO)
                log_warning_errno(r, "Cannot tell systemd the state of the service, ignoring: %m");

        r = sleep_new(e, on_resumed, l, &l->sleep);
        if (r < 0)
                return r;
        r = sd_event_set_watchdog(e, /* b= */ true);
        if (r < 0)
                return r;
        r = sd_event_add_signal(e, NULL, SIGTERM, on_stop_signal, l);
        if (r < 0)
                return r;
        r = sd_event_add_signal(e, NULL, SIGINT, on_stop_signal, l);
        if (r < 0)
                return r;
        r = sd_event_add_signal(e, NULL, SIGHUP, on_reload_signal, l);
        if (r < 0)
                return r;
        r = sd_event_add_post(e, &l->post, on_post, l);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(l->post, "lifecycle-post");
        r = sd_event_add_time(e, &l->idle, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC, on_idle, l);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(l->idle, "lifecycle-idle");
        r = sd_event_source_set_enabled(l->idle, SD_EVENT_OFF);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(l);
        return 0;
}

Lifecycle *lifecycle_free(Lifecycle *l)
{
        if (!l)
                return NULL;

        sd_event_source_disable_unref(l->post);
        sd_event_source_disable_unref(l->idle);
        sd_event_source_disable_unref(l->extend);
        sd_event_source_disable_unref(l->deadline);
        sd_event_source_disable_unref(l->notify_room);
        safe_close(l->notify_fd);
        sleep_free(l->sleep);
        free(l);
        return NULL;
}

void lifecycle_set_activated(Lifecycle *l)
{
        l->flags |= LIFECYCLE_ACTIVATED;
}

void lifecycle_open(Lifecycle *l)
{
        l->state = LIFECYCLE_RUNNING;
}

void lifecycle_ready(Lifecycle *l)
{
        char status[STATUS_SIZE], took[64];

        if (l->state != LIFECYCLE_RUNNING)
                return; /* it was stopped before */
        l->flags |= LIFECYCLE_READY;
        l->told = count(l->manager);
        format_status(&l->told, status, sizeof(status));
        (void) sd_notifyf(/* unset_environment= */ false, "READY=1\n%s", status);

        (void) snprintf(
                took, sizeof(took), "CONDUCTOR_START_USEC=%" PRIu64, now_monotonic() - l->started);
        log_struct(LOG_INFO, MESSAGE_SERVICE_READY, ((const char *const[]){ took, NULL }),
                "Ready, with %zu conversations.", l->told.conversations);
}

bool lifecycle_is_replaced(void)
{
        static const char deleted[] = " (deleted)";
        char path[PATH_MAX];
        char *end;
        ssize_t n;

        n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        if (n <= (ssize_t) strlen(deleted))
                return false;
        path[n] = 0;
        end = path + n - strlen(deleted);
        if (!streq(end, deleted))
                return false;
        *end = 0;
        return access(path, X_OK) >= 0; /* else it was only removed */
}

void lifecycle_set_replaced(Lifecycle *l)
{
        if (l->flags & LIFECYCLE_REPLACED)
                return;
        l->flags |= LIFECYCLE_REPLACED;
        if (l->flags & LIFECYCLE_ACTIVATED)
                log_notice("Its program was replaced: it leaves when no reply is being written, "
                           "and the next call starts the new one.");
        else
                log_notice("Its program was replaced; start it anew to run the new one.");
}

void lifecycle_fail(Lifecycle *l, int status, const char *why)
{
        log_error("%s", why);
        (void) sd_notifyf(/* unset_environment= */ false, "STATUS=%s", why);
        (void) sd_event_exit(l->manager->event, status);
}

static void report_slow(usec_t usec)
{
        char field[64];

        (void) snprintf(field, sizeof(field), "CONDUCTOR_DISPATCH_USEC=%" PRIu64, usec);
        log_struct(LOG_WARNING, MESSAGE_SLOW_DISPATCH, ((const char *const[]){ field, NULL }),
                "A turn of the loop took %" PRIu64 " ms.", usec / USEC_PER_MSEC);
}

/* One wait, one dispatch: as sd_event_run(), with a look at the clock around what was done. */
static int run_once(sd_event *e)
{
        usec_t before, took;
        int r;

        r = sd_event_prepare(e);
        if (r == 0)
                r = sd_event_wait(e, /* usec= */ UINT64_MAX);
        if (r <= 0)
                return r;

        before = now_monotonic();
        r = sd_event_dispatch(e);
        took = now_monotonic() - before;
        if (took > DISPATCH_SLOW_USEC)
                report_slow(took);
        return r;
}

int lifecycle_run(Lifecycle *l)
{
        sd_event *e = l->manager->event;
        int r, status;

        while (sd_event_get_state(e) != SD_EVENT_FINISHED) {
                r = run_once(e);
                if (r < 0) {
                        log_error_errno(r, "The loop failed: %m");
                        return EXIT_FAILURE;
                }
        }

        return sd_event_get_exit_code(e, &status) < 0 ? EXIT_FAILURE : status;
}
