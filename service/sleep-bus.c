/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/sleep-bus.h"

#include <fcntl.h>
#include <systemd/sd-bus.h>

#include "common/log.h"

#define LOGIND "org.freedesktop.login1"

struct Sleep {
        sd_event *event;
        void (*resumed)(void *userdata);
        void *userdata;
        sd_bus *bus;          /* from the first reply on */
        sd_bus_slot *inhibit; /* while it is asked for */
        int fd;               /* the lock: as long as it is open */
        bool delayed;
};

int sleep_new(sd_event *event, void (*resumed)(void *userdata), void *userdata, Sleep **ret)
{
        Sleep *s = calloc(1, sizeof *s);

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->resumed = resumed;
        s->userdata = userdata;
        s->fd = -EBADF;
        *ret = s;
        return 0;
}

Sleep *sleep_free(Sleep *s)
{
        if (!s)
                return NULL;
        sd_bus_slot_unref(s->inhibit);
        sd_bus_close_unref(s->bus);
        safe_close(s->fd);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

static int take_lock(Sleep *s, sd_bus_message *m)
{
        int fd, r;

        r = sd_bus_message_read(m, "h", &fd);
        if (r < 0)
                return r;
        s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return s->fd < 0 ? -errno : 0;
}

static int on_inhibited(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Sleep *s = ASSERT_PTR(userdata);
        int r = 0;

        if (error)
                log_debug("The machine may fall asleep in a reply: %s", strempty(error->message));
        else
                r = take_lock(s, m);
        if (r < 0)
                log_debug_errno(r, "The machine may fall asleep in a reply: %m");
        s->inhibit = sd_bus_slot_unref(s->inhibit);
        return 0;
}

static int on_prepare(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Sleep *s = ASSERT_PTR(userdata);
        int r, begins;

        r = sd_bus_message_read(m, "b", &begins);
        if (r < 0)
                log_debug_errno(r, "What logind says of sleep cannot be read, ignoring: %m");
        else if (!begins) {
                log_debug("The machine slept.");
                s->resumed(s->userdata);
        }
        return 0;
}

static int open_bus(Sleep *s)
{
        int r;

        if (s->bus && sd_bus_is_open(s->bus) > 0)
                return 0;
        s->bus = sd_bus_close_unref(s->bus);
        r = sd_bus_open_system_with_description(&s->bus, "logind");
        if (r < 0)
                return r;
        r = sd_bus_attach_event(s->bus, s->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        return sd_bus_match_signal_async(s->bus, /* ret_slot= */ NULL, LOGIND,
                "/org/freedesktop/login1", LOGIND ".Manager", "PrepareForSleep", on_prepare,
                /* install_callback= */ NULL, s);
}

static int ask(Sleep *s)
{
        int r;

        r = open_bus(s);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(s->bus, &s->inhibit, LOGIND, "/org/freedesktop/login1",
                LOGIND ".Manager", "Inhibit", on_inhibited, s, "ssss", "sleep", "Conductor",
                "A reply is being written", "delay");
}

void sleep_set_delayed(Sleep *s, bool delayed)
{
        int r;

        if (s->delayed == delayed)
                return;
        s->delayed = delayed;
        if (!delayed) {
                /* A lock that is still on its way is closed when it comes. */
                s->inhibit = sd_bus_slot_unref(s->inhibit);
                s->fd = safe_close(s->fd);
                return;
        }
        r = ask(s);
        if (r < 0) {
                log_debug_errno(r, "Nobody is asked to delay the machine's sleep: %m");
                s->bus = sd_bus_close_unref(s->bus);
        }
}
