/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/desktop/fake-server.h"

#include <fcntl.h>

#include "common/buffer.h"
#include "tests/bus/private-bus.h"
#include "tests/bus/process.h"

#define NOTIFICATIONS "org.freedesktop.Notifications"
#define PATH          "/org/freedesktop/Notifications"
#define LOGIND        "org.freedesktop.login1"

/* ---- notifications ---- */

static int method_capabilities(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        FakeServer *s = userdata;

        s->n_asked++;
        assert_return_code(sd_bus_message_new_method_return(m, &answer), 0);
        assert_return_code(sd_bus_message_append_strv(answer, (char **) s->capabilities), 0);
        return sd_bus_send(s->bus, answer, NULL);
}

static void read_actions(sd_bus_message *m, Shown *shown)
{
        _cleanup_buffer_ Buffer keys = BUFFER_INIT(KIB(1));
        const char *key, *label;

        assert_return_code(sd_bus_message_enter_container(m, 'a', "s"), 0);
        while (sd_bus_message_read(m, "s", &key) > 0) {
                assert_true(sd_bus_message_read(m, "s", &label) > 0);
                assert_return_code(buffer_append_format(&keys, "%s,", key), 0);
        }
        assert_return_code(sd_bus_message_exit_container(m), 0);
        assert_return_code(buffer_steal(&keys, &shown->actions, NULL), 0);
}

static void read_hints(sd_bus_message *m, Shown *shown)
{
        const char *key, *entry = NULL;

        assert_return_code(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_return_code(sd_bus_message_read(m, "s", &key), 0);
                if (streq(key, "transient"))
                        assert_return_code(sd_bus_message_read(m, "v", "b", &shown->transient), 0);
                else if (streq(key, "desktop-entry"))
                        assert_return_code(sd_bus_message_read(m, "v", "s", &entry), 0);
                else
                        assert_return_code(sd_bus_message_skip(m, "v"), 0);
                assert_return_code(sd_bus_message_exit_container(m), 0);
        }
        assert_return_code(sd_bus_message_exit_container(m), 0);
        assert_string_equal(entry, "org.aiway.Conductor");
}

static int method_notify(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FakeServer *s = userdata;
        Shown *shown = &s->shown[s->n_shown];
        const char *name, *icon, *summary, *body;

        assert_true(s->n_shown < SHOWN_MAX);
        assert_true(sd_bus_message_read(
                            m, "susss", &name, &shown->replaces, &icon, &summary, &body) > 0);
        shown->summary = strdup(summary);
        shown->body = strdup(body);
        read_actions(m, shown);
        read_hints(m, shown);
        shown->id = shown->replaces > 0 ? shown->replaces : ++s->last_id;
        s->n_shown++;
        return sd_bus_reply_method_return(m, "u", shown->id);
}

static int method_close(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FakeServer *s = userdata;

        assert_true(sd_bus_message_read(m, "u", &s->last_closed) > 0);
        s->n_closed++;
        return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable server_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD(
                "GetCapabilities", NULL, "as", method_capabilities, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Notify", "susssasa{sv}i", "u", method_notify, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("CloseNotification", "u", NULL, method_close, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

void fake_server_start(FakeServer *s, Desk *d, const char *const *capabilities)
{
        s->d = d;
        s->capabilities = capabilities;
        s->bus = harness_connect(d->h, VIA_SESSION);
        assert_return_code(
                sd_bus_add_object_vtable(s->bus, NULL, PATH, NOTIFICATIONS, server_vtable, s), 0);
        assert_return_code(
                sd_bus_request_name_async(s->bus, NULL, NOTIFICATIONS, 0, NULL, NULL), 0);
        desk_wait_name(d, NOTIFICATIONS, true);
}

void fake_server_stop(FakeServer *s)
{
        s->bus = sd_bus_flush_close_unref(s->bus);
        desk_wait_name(s->d, NOTIFICATIONS, false);
}

void fake_server_clear(FakeServer *s)
{
        s->bus = sd_bus_flush_close_unref(s->bus);
        for (unsigned i = 0; i < s->n_shown; i++) {
                free(s->shown[i].summary);
                free(s->shown[i].body);
                free(s->shown[i].actions);
        }
}

void fake_server_close(FakeServer *s, uint32_t id)
{
        assert_return_code(
                sd_bus_emit_signal(s->bus, PATH, NOTIFICATIONS, "NotificationClosed", "uu", id, 2),
                0);
}

void fake_server_act(FakeServer *s, const char *signal, uint32_t id, const char *text)
{
        assert_return_code(
                sd_bus_emit_signal(s->bus, PATH, NOTIFICATIONS, signal, "us", id, text), 0);
}

/* ---- logind ---- */

static int property_locked(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        FakeLogind *l = userdata;

        l->n_asked++;
        if (l->locked == NOBODY_KNOWS)
                return sd_bus_error_set(error, LOGIND ".NoSessionForPID", "No session.");
        return sd_bus_message_append(reply, "b", l->locked == LOCKED);
}

static int on_lock_gone(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        FakeLogind *l = userdata;

        l->n_released++;
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

/* A pipe, of which this keeps the end that sees the other one closed. */
static int method_inhibit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FakeLogind *l = userdata;
        const char *what, *who, *why, *mode;
        int fds[2], r;

        assert_true(sd_bus_message_read(m, "ssss", &what, &who, &why, &mode) > 0);
        assert_return_code(free_and_strdup(&l->client, sd_bus_message_get_sender(m)), 0);
        free(l->last);
        assert_true(asprintf(&l->last, "%s,%s,%s,%s,", what, who, why, mode) > 0);
        assert_true(l->n_inhibited < LOCKS_MAX);
        if (l->refuses) {
                l->n_inhibited++;
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Not you.");
        }
        assert_return_code(pipe2(fds, O_CLOEXEC), errno);
        assert_return_code(sd_event_add_io(l->d->h->event, &l->locks[l->n_inhibited], fds[0], 0,
                                   on_lock_gone, l),
                0);
        assert_return_code(sd_event_source_set_io_fd_own(l->locks[l->n_inhibited], true), 0);
        l->n_inhibited++;
        r = sd_bus_reply_method_return(m, "h", fds[1]);
        safe_close(fds[1]);
        return r;
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Inhibit", "ssss", "h", method_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable session_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("LockedHint", "b", property_locked, 0, 0),
        SD_BUS_VTABLE_END,
};

static int on_owned(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        bool *owned = userdata;

        assert_null(sd_bus_message_get_error(m));
        *owned = true;
        return 0;
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FakeLogind *l = userdata;

        if (l->locked != SILENCE || sd_bus_message_is_method_call(m, NULL, "Get") <= 0)
                return 0;
        l->n_asked++;
        return 1;
}

void fake_logind_start(FakeLogind *l, Desk *d, bool without)
{
        const char *socket = startswith(d->h->system_address, "unix:path=");
        bool owned = false;

        l->d = d;
        assert_return_code(private_bus_start(d->h->folder, socket, &l->daemon, &l->control), 0);
        if (without)
                return;
        assert_return_code(sd_bus_new(&l->bus), 0);
        assert_return_code(sd_bus_set_address(l->bus, d->h->system_address), 0);
        assert_return_code(sd_bus_set_bus_client(l->bus, true), 0);
        assert_return_code(sd_bus_start(l->bus), 0);
        assert_return_code(sd_bus_attach_event(l->bus, d->h->event, SD_EVENT_PRIORITY_NORMAL), 0);
        assert_return_code(
                sd_bus_add_object_vtable(l->bus, NULL, "/org/freedesktop/login1/session/auto",
                        LOGIND ".Session", session_vtable, l),
                0);
        assert_return_code(sd_bus_add_filter(l->bus, NULL, on_call, l), 0);
        assert_return_code(sd_bus_add_object_vtable(l->bus, NULL, "/org/freedesktop/login1",
                                   LOGIND ".Manager", manager_vtable, l),
                0);
        assert_return_code(sd_bus_request_name_async(l->bus, NULL, LOGIND, 0, on_owned, &owned), 0);
        harness_run_until(d->h, owned);
}

static int on_pong(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        unsigned *pongs = userdata;

        assert_null(sd_bus_message_get_error(m));
        ++*pongs;
        return 0;
}

/* The second is answered by a later turn of its loop. */
void fake_logind_settle(FakeLogind *l)
{
        unsigned pongs = 0;

        for (unsigned i = 1; i <= 2; i++) {
                assert_return_code(
                        sd_bus_call_method_async(l->bus, NULL, l->client, PATH_ROOT,
                                "org.freedesktop.DBus.Peer", "Ping", on_pong, &pongs, ""),
                        0);
                harness_run_until(l->d->h, pongs == i);
        }
}

void fake_logind_stop(FakeLogind *l)
{
        l->bus = sd_bus_flush_close_unref(l->bus);
        for (unsigned i = 0; i < LOCKS_MAX; i++)
                l->locks[i] = sd_event_source_disable_unref(l->locks[i]);
        l->last = mfree(l->last);
        l->client = mfree(l->client);
        if (l->daemon > 0) {
                process_end(&l->daemon);
                l->control = safe_close(l->control);
        }
}
