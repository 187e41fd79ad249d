/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/lock-bus.h"

#include <systemd/sd-bus.h>

#include "common/log.h"

#define LOGIND "org.freedesktop.login1"
/* Of the caller, or of the person's display where the caller is in none. */
#define SESSION_PATH "/org/freedesktop/login1/session/auto"
#define PATIENCE     (5 * USEC_PER_SEC)

struct Lock {
        sd_bus *bus;
        lock_known_t known;
        void *userdata;
};

Lock *lock_free(Lock *l)
{
        if (!l)
                return NULL;
        sd_bus_close_unref(l->bus);
        free(l);
        return NULL;
}

static int on_known(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Lock *l = ASSERT_PTR(userdata);
        int locked = true, r;

        if (error && sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN))
                locked = false;
        else if (error)
                log_debug("logind does not say whether the session is locked: %s",
                        strempty(error->message));
        else {
                r = sd_bus_message_read(m, "v", "b", &locked);
                if (r < 0)
                        log_debug_errno(r, "logind's answer cannot be read: %m");
        }
        l->known(locked, l->userdata);
        /* It has closed the connection: 1, so that sd-bus leaves it alone, which after a call that
         * had no answer in time would write next, an assertion there. */
        return 1;
}

int lock_ask(sd_event *event, lock_known_t known, void *userdata, Lock **ret)
{
        _cleanup_(lock_freep) Lock *l = NULL;
        int r;

        l = calloc(1, sizeof *l);
        if (!l)
                return -ENOMEM;
        l->known = known;
        l->userdata = userdata;
        r = sd_bus_open_system_with_description(&l->bus, "logind");
        if (r < 0) {
                log_debug_errno(r, "There is no system bus, so nothing is locked: %m");
                return 0;
        }
        r = sd_bus_attach_event(l->bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(l->bus, PATIENCE);
        if (r >= 0)
                r = sd_bus_call_method_async(l->bus, NULL, LOGIND, SESSION_PATH,
                        "org.freedesktop.DBus.Properties", "Get", on_known, l, "ss",
                        LOGIND ".Session", "LockedHint");
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 1;
}
