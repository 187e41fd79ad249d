/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/doors-internal.h"

#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "common/names.h"
#include "service/bus/address.h"

/* A connection that did not last this long is not tried again at once. */
#define SESSION_SETTLED_USEC   (1 * USEC_PER_SEC)
#define SESSION_DELAY_MIN_USEC (100 * USEC_PER_MSEC)
#define SESSION_DELAY_MAX_USEC (64 * USEC_PER_SEC)

/* RequestName's answers. */
enum {
        NAME_PRIMARY_OWNER = 1,
        NAME_ALREADY_OWNER = 4,
};

static void session_settle(Doors *d)
{
        if (d->session.settled)
                return;
        d->session.settled = true;
        if (d->observer.session_settled)
                d->observer.session_settled(d->observer.userdata);
}

static void session_name_failed(Doors *d, const char *why)
{
        /* When it leaves, the name is being given up anyway. */
        if (!d->left && d->observer.name_lost)
                d->observer.name_lost(why, d->observer.userdata);
}

static int on_name_requested(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Doors *d = ASSERT_PTR(userdata);
        const sd_bus_error *error;
        uint32_t answer;
        int r;

        error = sd_bus_message_get_error(m);
        if (error) {
                /* The connection ended under it: Disconnected comes next and tries again. */
                if (!sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY))
                        session_name_failed(d, strempty(error->message));
                return 0;
        }

        r = sd_bus_message_read(m, "u", &answer);
        if (r < 0)
                return r;
        if (answer != NAME_PRIMARY_OWNER && answer != NAME_ALREADY_OWNER) {
                session_name_failed(d,
                        "The name " BUS_NAME " is taken on the session bus. Stop the service that "
                        "has it first: busctl --user status " BUS_NAME " shows it.");
                return 0;
        }

        d->session.named = true;
        session_settle(d);
        return 0;
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Doors *d = ASSERT_PTR(userdata);

        (void) sd_event_now(d->event, CLOCK_MONOTONIC, &d->session.connected);
        log_debug("Connected to the session bus.");
        if (d->observer.session_changed)
                d->observer.session_changed(/* connected= */ true, d->observer.userdata);
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Doors *d = ASSERT_PTR(userdata);

        /* We are inside this connection's own callback: it is closed from the loop. */
        d->session.lost = true;
        doors_schedule_reap(d);
        return 0;
}

/* The order matters: objects first, then the name, and only then the loop. A name requested before
 * the objects are there loses the very call that activated us. */
static int session_setup(Doors *d, sd_bus *bus, const char *address)
{
        static const BusHandlers handlers = { doors_count_message, on_connected, on_disconnected };
        int r;

        r = sd_bus_set_address(bus, address);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(bus, /* b= */ true);
        if (r < 0)
                return r;
        r = sd_bus_set_watch_bind(bus, /* b= */ true);
        if (r < 0)
                return r;
        (void) sd_bus_set_description(bus, "session");
        return doors_setup_bus(d, bus, &handlers, d);
}

static int session_start(Doors *d, sd_bus *bus)
{
        int r;

        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        r = sd_bus_request_name_async(
                bus, &d->session.request, BUS_NAME, /* flags= */ 0, on_name_requested, d);
        if (r < 0)
                return r;
        return sd_bus_attach_event(bus, d->event, SD_EVENT_PRIORITY_NORMAL);
}

static void session_close(Doors *d)
{
        Session *n = &d->session;

        n->request = sd_bus_slot_unref(n->request);
        n->release = sd_bus_slot_unref(n->release);
        n->bus = sd_bus_close_unref(n->bus);
        n->named = n->lost = n->released = false;
        n->connected = 0;
}

/* While sd-bus waits for the bus's socket to appear, its descriptor is no socket. */
static bool session_is_awaited(const Doors *d)
{
        int fd = sd_bus_get_fd(d->session.bus);

        return fd >= 0 && sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, /* listening= */ 0) == 0;
}

static int session_open(Doors *d, const char *address)
{
        int r;

        r = sd_bus_new(&d->session.bus);
        if (r < 0)
                return r;

        r = session_setup(d, d->session.bus, address);
        if (r >= 0)
                r = session_start(d, d->session.bus);
        if (r < 0)
                session_close(d);
        return r;
}

static usec_t next_delay(usec_t delay)
{
        return delay == 0 ? SESSION_DELAY_MIN_USEC : MIN(delay * 2, SESSION_DELAY_MAX_USEC);
}

static int on_retry(sd_event_source *s, usec_t usec, void *userdata)
{
        Doors *d = ASSERT_PTR(userdata);
        int r;

        r = doors_open_session(d);
        if (r < 0)
                log_error_errno(r, "Cannot open the session bus again, ignoring: %m");
        return 0;
}

static void session_try_later(Doors *d)
{
        Session *n = &d->session;
        int r;

        if (n->retry)
                r = sd_event_source_set_time_relative(n->retry, n->delay);
        else
                r = sd_event_add_time_relative(d->event, &n->retry, CLOCK_MONOTONIC, n->delay,
                        /* accuracy= */ 0, on_retry, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(n->retry, SD_EVENT_ONESHOT);
        if (r < 0)
                log_error_errno(r, "Cannot open the session bus again, ignoring: %m");
}

int doors_open_session(Doors *d)
{
        _cleanup_free_ char *address = NULL;
        int r;

        r = address_of_session(&address);
        if (r == -ENXIO) {
                session_settle(d);
                log_debug("Nobody says where a session bus is: only the private socket is open.");
                return 0;
        }
        if (r < 0)
                return r;

        r = session_open(d, address);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                log_warning_errno(r, "Cannot open the session bus, trying again later: %m");
                d->session.delay = next_delay(d->session.delay);
                session_try_later(d);
        }
        if (r < 0 || session_is_awaited(d))
                session_settle(d);
        return 1;
}

void session_reap(Doors *d)
{
        Session *n = &d->session;
        usec_t now = 0, connected = n->connected;

        if (!n->lost)
                return;

        (void) sd_event_now(d->event, CLOCK_MONOTONIC, &now);
        session_close(d);
        session_settle(d);
        peers_session_gone(d);
        if (connected > 0 && d->observer.session_changed)
                d->observer.session_changed(/* connected= */ false, d->observer.userdata);
        if (d->left)
                return;

        /* sd-bus itself watches for the socket to appear; the delay is for a bus that takes us and
         * throws us out at once. */
        n->delay = connected > 0 && now - connected >= SESSION_SETTLED_USEC ? 0
                                                                            : next_delay(n->delay);
        session_try_later(d);
}

static int on_name_released(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Doors *d = ASSERT_PTR(userdata);

        /* All calls that the bus had sent to the name came before this answer. An error answer
         * means that we did not have it. */
        d->session.named = false;
        d->session.released = true;
        return 0;
}

void session_leave(Doors *d)
{
        Session *n = &d->session;
        int r;

        n->retry = sd_event_source_disable_unref(n->retry);
        if (!n->bus || n->lost)
                return;
        if (sd_bus_is_ready(n->bus) <= 0) {
                session_close(d); /* it never was there: nothing can have come */
                return;
        }

        r = sd_bus_release_name_async(n->bus, &n->release, BUS_NAME, on_name_released, d);
        if (r < 0) {
                log_warning_errno(r, "Cannot release the name " BUS_NAME ", ignoring: %m");
                n->released = true;
        }
}

bool session_is_quiet(const Doors *d)
{
        uint64_t queued;

        if (!d->session.bus)
                return true;
        if (!d->session.released)
                return false;
        return sd_bus_get_n_queued_write(d->session.bus, &queued) < 0 || queued == 0;
}

void session_done(Doors *d)
{
        d->session.retry = sd_event_source_disable_unref(d->session.retry);
        session_close(d);
}

bool session_is_ready(const Doors *d)
{
        return d->session.bus && !d->session.lost && sd_bus_is_ready(d->session.bus) > 0;
}
