/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Measures each dispatch of the event loop. Linked around sd-event and sd-bus (-Wl,--wrap) into the
 * service and the curses client by -Dloop-budget=true, and into nothing that is installed.
 *
 * The thread's CPU time counts, so that a machine with other work to do changes little. What takes
 * longer than the budget is a line in LOOP_BUDGET_FILE (or $CONDUCTOR_LOOP_BUDGET, where empty
 * means none), at once: "slow", program, its process, microseconds, the callback's address in the
 * program and those that were under way then, how many turns there were, and what sd-bus was
 * about. The end of a process is a line too: "sum", the same of its longest dispatch. `loop` reads
 * the file. */

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "common/macro.h"

#define BUDGET_USEC (5 * USEC_PER_MSEC)
#define STOLEN_USEC (20 * USEC_PER_MSEC)
#define LABEL_SIZE  160U
#define FRAMES_MAX  48
#define LINE_SIZE   (LABEL_SIZE + 4352U + FRAMES_MAX * 20U)
/* Nobody else's. */
#define SIGNAL_LATE (SIGRTMAX - 3)

typedef void (*AnyFunction)(void);

/* What a source or a slot is given as its userdata. */
typedef struct Callback {
        AnyFunction function;
        void *userdata;
} Callback;

typedef struct Dispatch {
        AnyFunction function;
        char label[LABEL_SIZE];
        usec_t took;
        int n_frames;
        void *frames[FRAMES_MAX]; /* where it was as the budget was used up */
} Dispatch;

static Dispatch current, longest;
static uint64_t n_dispatches;
static timer_t late;
static bool late_made;
static usec_t began;
static bool looked_late;

extern const char __executable_start, etext;

#define WRAPPED(name, ...) \
        int __real_##name(__VA_ARGS__); \
        int __wrap_##name(__VA_ARGS__); \
        int __wrap_##name(__VA_ARGS__)

/* ---- what is told ---- */

/* NULL under valgrind, where a turn takes as long as it likes, and where the file's name is none.
 */
static const char *where(void)
{
        const char *file = getenv("CONDUCTOR_LOOP_BUDGET"), *preloaded = getenv("LD_PRELOAD");

        if (preloaded && strstr(preloaded, "vgpreload"))
                return NULL;
        return file ? (*file ? file : NULL) : LOOP_BUDGET_FILE;
}

static unsigned long long offset(const void *address)
{
        return (unsigned long long) ((const char *) address - &__executable_start);
}

static bool is_ours(const void *address)
{
        return (const char *) address >= &__executable_start && (const char *) address < &etext;
}

/* The callback's address and those of ours that were under way. */
static void format_addresses(const Dispatch *d, char *text, size_t size)
{
        size_t n = (size_t) snprintf(
                text, size, "%llx", d->function ? offset((const void *) d->function) : 0);

        for (int i = 0; i < d->n_frames && n < size; i++)
                if (is_ours(d->frames[i]))
                        n += (size_t) snprintf(text + n, size - n, ",%llx", offset(d->frames[i]));
}

static void tell(const char *what, const Dispatch *d)
{
        char line[LINE_SIZE], program[4096], addresses[FRAMES_MAX * 20];
        int fd, size;
        ssize_t n;

        if (!where())
                return;
        n = readlink("/proc/self/exe", program, sizeof program - 1);
        if (n < 0)
                return;
        program[n] = 0;
        format_addresses(d, addresses, sizeof addresses);
        size = snprintf(line, sizeof line, "%s %s %d %llu %s %llu %s\n", what, program,
                (int) getpid(), (unsigned long long) d->took, addresses,
                (unsigned long long) n_dispatches, *d->label ? d->label : "-");
        fd = open(where(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (fd < 0)
                return;
        (void) !write(fd, line, (size_t) size);
        (void) close(fd);
}

__attribute__((destructor)) static void tell_sum(void)
{
        if (n_dispatches > 0)
                tell("sum", &longest);
}

/* ---- each turn ---- */

static usec_t cpu_time(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

/* A thread's timers go off at the kernel's ticks only, up to 4 ms late: who waits for the end of
 * the budget learns nothing of a turn that was a little over it. So it is looked at from the first
 * millisecond on, until the budget is used up. */
static void on_late(int signal)
{
        if (looked_late)
                return;
        looked_late = cpu_time() - began > BUDGET_USEC;
        current.n_frames = backtrace(current.frames, FRAMES_MAX);
}

static void set_late(usec_t every)
{
        const struct timespec t = { .tv_nsec = (long) every * 1000 };
        const struct itimerspec each = { t, t };

        if (late_made)
                (void) timer_settime(late, 0, &each, NULL);
}

static void make_late(void)
{
        static const struct sigaction action = { .sa_handler = on_late, .sa_flags = SA_RESTART };
        struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGNAL_LATE };
        void *frame;

        if (n_dispatches > 0 || !where())
                return;
        (void) backtrace(&frame, 1); /* the first one loads a library */
        event._sigev_un._tid = (pid_t) syscall(SYS_gettid);
        late_made = sigaction(SIGNAL_LATE, &action, NULL) >= 0 &&
                timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &late) >= 0;
}

/* What a hypervisor gave to others counts as the thread's time, in ticks. It is asked for at most
 * fifty times a second; what it took since the last time is taken off a turn that was slow. */
static usec_t stolen_time(void)
{
        static int fd = -EBADF;
        unsigned long long stolen;
        char text[256];
        ssize_t n;

        if (fd < 0)
                fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
        if (n < 0)
                return 0;
        text[n] = 0;
        if (sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &stolen) != 1)
                return 0;
        return stolen * USEC_PER_SEC / (usec_t) sysconf(_SC_CLK_TCK);
}

static usec_t stolen;

static void look_at_stolen(void)
{
        static usec_t looked;
        struct timespec t;
        usec_t now;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        now = (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
        if (!late_made || (looked > 0 && now - looked < STOLEN_USEC))
                return;
        looked = now;
        stolen = stolen_time();
}

WRAPPED(sd_event_dispatch, sd_event *e)
{
        int r;

        make_late();
        look_at_stolen();
        current.function = NULL;
        current.label[0] = 0;
        current.n_frames = 0;
        looked_late = false;
        began = cpu_time();
        set_late(USEC_PER_MSEC);
        r = __real_sd_event_dispatch(e);
        current.took = cpu_time() - began;
        set_late(0);
        if (current.took > BUDGET_USEC && late_made)
                current.took -= MIN(current.took, stolen_time() - stolen);

        n_dispatches++;
        if (current.took > longest.took)
                longest = current;
        if (current.took > BUDGET_USEC)
                tell("slow", &current);
        return r;
}

WRAPPED(sd_event_loop, sd_event *e)
{
        int r, code;

        while (sd_event_get_state(e) != SD_EVENT_FINISHED) {
                r = sd_event_prepare(e);
                if (r == 0)
                        r = sd_event_wait(e, UINT64_MAX);
                if (r > 0)
                        r = __wrap_sd_event_dispatch(e);
                if (r < 0)
                        return r;
        }
        r = sd_event_get_exit_code(e, &code);
        return r < 0 ? r : code;
}

/* ---- what is called in it ---- */

static void *enter(Callback *c)
{
        /* sd-bus may call several; the last one is told. */
        current.function = c->function;
        return c->userdata;
}

static Callback *callback_new(AnyFunction function, void *userdata)
{
        Callback *c = malloc(sizeof *c);

        if (c)
                *c = (Callback){ function, userdata };
        return c;
}

/* The source frees its callback, and where nobody asked for the source, the loop keeps it. */
static int hand_over(int r, sd_event_source *s, sd_event_source **ret, Callback *c)
{
        if (r >= 0)
                r = sd_event_source_set_destroy_callback(s, free);
        if (r < 0) {
                free(c);
                return r;
        }
        if (ret) {
                *ret = s;
                return 0;
        }
        r = sd_event_source_set_floating(s, true);
        sd_event_source_unref(s);
        return r;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Callback *c = userdata;

        return ((sd_event_io_handler_t) c->function)(s, fd, revents, enter(c));
}

static int on_time(sd_event_source *s, uint64_t usec, void *userdata)
{
        Callback *c = userdata;

        return ((sd_event_time_handler_t) c->function)(s, usec, enter(c));
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        Callback *c = userdata;

        return ((sd_event_signal_handler_t) c->function)(s, si, enter(c));
}

static int on_child(sd_event_source *s, const siginfo_t *si, void *userdata)
{
        Callback *c = userdata;

        return ((sd_event_child_handler_t) c->function)(s, si, enter(c));
}

static int on_inotify(sd_event_source *s, const struct inotify_event *event, void *userdata)
{
        Callback *c = userdata;

        return ((sd_event_inotify_handler_t) c->function)(s, event, enter(c));
}

static int on_plain(sd_event_source *s, void *userdata)
{
        Callback *c = userdata;

        return ((sd_event_handler_t) c->function)(s, enter(c));
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Callback *c = userdata;

        return ((sd_bus_message_handler_t) c->function)(m, enter(c), error);
}

#define ADD(name, ...) \
        ({ \
                Callback *_c = callback_new((AnyFunction) callback, userdata); \
                sd_event_source *_s = NULL; \
                int _r = _c ? __real_##name(e, &_s, __VA_ARGS__, _c) : -ENOMEM; \
\
                hand_over(_r, _s, ret, _c); \
        })

WRAPPED(sd_event_add_io, sd_event *e, sd_event_source **ret, int fd, uint32_t events,
        sd_event_io_handler_t callback, void *userdata)
{
        return ADD(sd_event_add_io, fd, events, on_io);
}

WRAPPED(sd_event_add_time, sd_event *e, sd_event_source **ret, clockid_t clock, uint64_t usec,
        uint64_t accuracy, sd_event_time_handler_t callback, void *userdata)
{
        return ADD(sd_event_add_time, clock, usec, accuracy, on_time);
}

WRAPPED(sd_event_add_time_relative, sd_event *e, sd_event_source **ret, clockid_t clock,
        uint64_t usec, uint64_t accuracy, sd_event_time_handler_t callback, void *userdata)
{
        return ADD(sd_event_add_time_relative, clock, usec, accuracy, on_time);
}

WRAPPED(sd_event_add_signal, sd_event *e, sd_event_source **ret, int signal,
        sd_event_signal_handler_t callback, void *userdata)
{
        return ADD(sd_event_add_signal, signal, on_signal);
}

WRAPPED(sd_event_add_child, sd_event *e, sd_event_source **ret, pid_t pid, int options,
        sd_event_child_handler_t callback, void *userdata)
{
        return ADD(sd_event_add_child, pid, options, on_child);
}

WRAPPED(sd_event_add_inotify, sd_event *e, sd_event_source **ret, const char *path, uint32_t mask,
        sd_event_inotify_handler_t callback, void *userdata)
{
        return ADD(sd_event_add_inotify, path, mask, on_inotify);
}

#define WRAPPED_PLAIN(name) \
        WRAPPED(name, sd_event *e, sd_event_source **ret, sd_event_handler_t callback, \
                void *userdata) \
        { \
                return ADD(name, on_plain); \
        }

WRAPPED_PLAIN(sd_event_add_defer)
WRAPPED_PLAIN(sd_event_add_post)
WRAPPED_PLAIN(sd_event_add_exit)

/* ---- what sd-bus calls, in a source of its own ---- */

/* Sees what comes before its handler does, answers to our calls aside. */
static int note_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        (void) snprintf(current.label, sizeof current.label, "%s.%s",
                strempty(sd_bus_message_get_interface(m)), strempty(sd_bus_message_get_member(m)));
        return 0;
}

WRAPPED(sd_bus_attach_event, sd_bus *bus, sd_event *e, int priority)
{
        int r = sd_bus_add_filter(bus, NULL, note_message, NULL);

        return r < 0 ? r : __real_sd_bus_attach_event(bus, e, priority);
}

WRAPPED(sd_bus_call_async, sd_bus *bus, sd_bus_slot **ret, sd_bus_message *m,
        sd_bus_message_handler_t callback, void *userdata, uint64_t usec)
{
        Callback *c;
        sd_bus_slot *slot = NULL;
        int r;

        if (!callback)
                return __real_sd_bus_call_async(bus, ret, m, NULL, userdata, usec);
        c = callback_new((AnyFunction) callback, userdata);
        r = c ? __real_sd_bus_call_async(bus, &slot, m, on_message, c, usec) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_slot_set_destroy_callback(slot, free);
        if (r < 0) {
                free(c);
                return r;
        }
        if (ret) {
                *ret = slot;
                return r;
        }
        r = sd_bus_slot_set_floating(slot, true);
        sd_bus_slot_unref(slot);
        return r;
}
