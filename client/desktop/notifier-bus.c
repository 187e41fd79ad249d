/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-daemon.h>

#include "client/bus/call.h"
#include "client/bus/read.h"
#include "client/desktop/launch-bus.h"
#include "client/desktop/notice.h"
#include "client/desktop/notifier-internal-bus.h"
#include "common/log.h"
#include "common/names.h"

/* It may be started a moment before the service has its name. */
#define START_PATIENCE (10 * USEC_PER_SEC)
#define TIMER_ACCURACY (100 * USEC_PER_MSEC)

Notifier *notifier_free(Notifier *n)
{
        Note *note;

        if (!n)
                return NULL;
        while ((note = n->notes)) {
                n->notes = note->next;
                note_free(note);
        }
        sd_event_source_disable_unref(n->patience);
        server_free(n->server);
        free(n);
        return NULL;
}

void notifier_check(Notifier *n)
{
        if (n->service || n->notes || n->patience)
                return;
        /* From here on systemd queues a start instead of taking it for running. */
        (void) sd_notify(/* unset_environment= */ false, "STOPPING=1");
        session_leave(n->session);
}

/* ---- what the person does ---- */

static void on_action(uint32_t id, ServerAction action, const char *token, void *userdata)
{
        Notifier *n = ASSERT_PTR(userdata);
        Note *note = note_with(n, id);
        Place place;
        int r = 0;

        if (!note)
                return;
        switch (action) {
        case SERVER_OPEN:
                r = place_of(note->path, note->reply, &place);
                if (r >= 0)
                        r = launch_at(n->session, &place, token, /* call= */ NULL);
                break;
        case SERVER_COPY:
                r = note_copy(note);
                break;
        }
        if (r < 0)
                log_warning_errno(r, "A notification's action failed: %m");
}

static void on_replied(uint32_t id, const char *text, void *userdata)
{
        const Note *note = note_with(ASSERT_PTR(userdata), id);
        int r = 0;

        if (note)
                r = note_answer(note, text);
        if (r < 0)
                log_warning_errno(r, "What was typed cannot be sent: %m");
}

static void on_closed(uint32_t id, void *userdata)
{
        Notifier *n = ASSERT_PTR(userdata);
        Note *next, *note = id > 0 ? note_with(n, id) : n->notes;

        for (; note; note = next) {
                next = id > 0 ? NULL : note->next;
                if (note->id == 0)
                        continue;
                note->id = 0;
                /* One that is being made anew is not dropped with its former picture. */
                if (!note->slot && !note->lock)
                        note_drop(note);
        }
}

static const ServerOps server_ops = { on_action, on_replied, on_closed };

/* ---- what the service says ---- */

static int on_finished(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Notifier *n = ASSERT_PTR(userdata);
        const char *reason, *error = NULL;
        const Field fields[] = { { "message", 's', &error } };
        uint64_t reply;
        int r;

        r = sd_bus_message_read(m, "ts", &reply, &reason);
        if (r >= 0)
                r = read_dictionary(m, fields, ELEMENTSOF(fields));
        if (r >= 0 && notice_is_news(end_reason_from_string(reason)))
                r = note_begin(n, sd_bus_message_get_path(m), reply, end_reason_from_string(reason),
                        error);
        if (r < 0)
                log_warning_errno(r, "Nobody is told that a reply has ended: %m");
        return 0;
}

/* Somebody looks at a conversation now: what there was to tell of it is seen. */
static int on_focus(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Notifier *n = ASSERT_PTR(userdata);
        const char *focus = NULL;
        const Field fields[] = { { "Focus", 's', &focus } };
        Note *note;
        int r;

        r = sd_bus_message_skip(m, "s");
        if (r >= 0)
                r = read_dictionary(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                log_debug_errno(r, "A surface's change cannot be read, ignoring: %m");
        note = r >= 0 && focus ? note_find(n, focus) : NULL;
        if (note)
                note_drop(note);
        return 0;
}

static int on_removed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const char *path;
        Note *note = NULL;

        if (sd_bus_message_read(m, "o", &path) >= 0)
                note = note_find(ASSERT_PTR(userdata), path);
        if (note)
                note_drop(note);
        return 0;
}

/* ---- whether it is there ---- */

static int on_registered(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);

        if (error)
                log_debug(
                        "The service does not know of notifications: %s", strempty(error->message));
        return 0;
}

static int register_surface(Notifier *n)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = client_new_call(
                session_bus(n->session), PATH_ROOT, INTERFACE_MANAGER, "RegisterSurface", &m);
        if (r >= 0)
                r = sd_bus_message_append(
                        m, "sasa{sv}", "notifications", 1, "notify", 1, "passive", "b", true);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, /* b= */ false);
        if (r < 0)
                return r;
        return sd_bus_call_async(session_bus(n->session), NULL, m, on_registered, n, 0);
}

static void set_service(Notifier *n, bool is_there)
{
        int r = 0;

        if (is_there) {
                n->patience = sd_event_source_disable_unref(n->patience);
                if (!n->service)
                        r = register_surface(n);
        }
        if (r < 0)
                log_warning_errno(r, "The service cannot be told of notifications: %m");
        n->service = is_there;
        notifier_check(n);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Notifier *n = ASSERT_PTR(userdata);
        const char *before, *after;
        int r;

        r = sd_bus_message_read(m, "sss", NULL, &before, &after);
        if (r < 0)
                return r;
        if (!isempty(before))
                n->service = false; /* another one does not know of us */
        set_service(n, !isempty(after));
        return 0;
}

static int on_has_owner(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        int owned = false, r;

        r = sd_bus_message_read(m, "b", &owned);
        if (r >= 0 && owned)
                set_service(ASSERT_PTR(userdata), true);
        return 0;
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
        Notifier *n = ASSERT_PTR(userdata);

        n->patience = sd_event_source_disable_unref(n->patience);
        notifier_check(n);
        return 0;
}

/* ---- the whole ---- */

static int add_matches(Notifier *n)
{
        const struct {
                const char *rule;
                sd_bus_message_handler_t handler;
        } matches[] = {
                { "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                  "arg0='" BUS_NAME "'",
                        on_owner_changed },
                { "type='signal',sender='" BUS_NAME "',interface='" INTERFACE_CONVERSATION "',"
                  "member='ReplyFinished'",
                        on_finished },
                { "type='signal',sender='" BUS_NAME "',interface='" INTERFACE_MANAGER "',"
                  "member='ConversationRemoved'",
                        on_removed },
                { "type='signal',sender='" BUS_NAME "',"
                  "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
                  "arg0='" INTERFACE_SURFACE "'",
                        on_focus },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(matches) && r >= 0; i++)
                r = sd_bus_add_match_async(session_bus(n->session), NULL, matches[i].rule,
                        matches[i].handler, NULL, n);
        return r;
}

int notifier_new(Session *session, const Copy *copy, Notifier **ret)
{
        _cleanup_(notifier_freep) Notifier *n = NULL;
        int r;

        n = calloc(1, sizeof *n);
        if (!n)
                return -ENOMEM;
        n->session = session;
        n->copy = copy;
        r = server_new(session, &server_ops, n, &n->server);
        if (r >= 0)
                r = add_matches(n);
        if (r >= 0)
                r = sd_event_add_time_relative(session_event(session), &n->patience,
                        CLOCK_MONOTONIC, START_PATIENCE, TIMER_ACCURACY, on_patience, n);
        if (r >= 0)
                r = sd_bus_call_method_async(session_bus(session), NULL, "org.freedesktop.DBus",
                        "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
                        on_has_owner, n, "s", BUS_NAME);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}
