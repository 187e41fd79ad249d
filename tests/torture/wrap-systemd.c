/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/wrap.h"

#include <stdarg.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-login.h>

/* ---- sd-bus ---- */

#define BUS(name, parameters, arguments) WRAP(KIND_BUS, int, name, -ENOMEM, parameters, arguments)

BUS(sd_bus_new, (sd_bus * *ret), (ret))
BUS(sd_bus_start, (sd_bus * bus), (bus))
BUS(sd_bus_set_address, (sd_bus * bus, const char *address), (bus, address))
BUS(sd_bus_set_fd, (sd_bus * bus, int in, int out), (bus, in, out))
BUS(sd_bus_set_server, (sd_bus * bus, int b, sd_id128_t id), (bus, b, id))
BUS(sd_bus_set_sender, (sd_bus * bus, const char *name), (bus, name))
BUS(sd_bus_set_description, (sd_bus * bus, const char *text), (bus, text))
BUS(sd_bus_set_bus_client, (sd_bus * bus, int b), (bus, b))
BUS(sd_bus_set_anonymous, (sd_bus * bus, int b), (bus, b))
BUS(sd_bus_set_trusted, (sd_bus * bus, int b), (bus, b))
BUS(sd_bus_set_connected_signal, (sd_bus * bus, int b), (bus, b))
BUS(sd_bus_set_exit_on_disconnect, (sd_bus * bus, int b), (bus, b))
BUS(sd_bus_set_watch_bind, (sd_bus * bus, int b), (bus, b))
BUS(sd_bus_negotiate_fds, (sd_bus * bus, int b), (bus, b))
BUS(sd_bus_open_system_with_description, (sd_bus * *ret, const char *text), (ret, text))
BUS(sd_bus_process, (sd_bus * bus, sd_bus_message **ret), (bus, ret))
BUS(sd_bus_get_fd, (sd_bus * bus), (bus))
BUS(sd_bus_get_n_queued_write, (sd_bus * bus, uint64_t *ret), (bus, ret))
BUS(sd_bus_is_ready, (sd_bus * bus), (bus))
BUS(sd_bus_can_send, (sd_bus * bus, char type), (bus, type))
BUS(sd_bus_attach_event, (sd_bus * bus, sd_event *e, int priority), (bus, e, priority))
BUS(sd_bus_add_object_vtable,
        (sd_bus * bus, sd_bus_slot **slot, const char *path, const char *interface,
                const sd_bus_vtable *vtable, void *userdata),
        (bus, slot, path, interface, vtable, userdata))
BUS(sd_bus_add_fallback_vtable,
        (sd_bus * bus, sd_bus_slot **slot, const char *prefix, const char *interface,
                const sd_bus_vtable *vtable, sd_bus_object_find_t find, void *userdata),
        (bus, slot, prefix, interface, vtable, find, userdata))
BUS(sd_bus_add_node_enumerator,
        (sd_bus * bus, sd_bus_slot **slot, const char *path, sd_bus_node_enumerator_t f,
                void *userdata),
        (bus, slot, path, f, userdata))
BUS(sd_bus_add_filter,
        (sd_bus * bus, sd_bus_slot **slot, sd_bus_message_handler_t f, void *userdata),
        (bus, slot, f, userdata))
BUS(sd_bus_match_signal,
        (sd_bus * bus, sd_bus_slot **slot, const char *sender, const char *path,
                const char *interface, const char *member, sd_bus_message_handler_t f,
                void *userdata),
        (bus, slot, sender, path, interface, member, f, userdata))
BUS(sd_bus_match_signal_async,
        (sd_bus * bus, sd_bus_slot **slot, const char *sender, const char *path,
                const char *interface, const char *member, sd_bus_message_handler_t f,
                sd_bus_message_handler_t installed, void *userdata),
        (bus, slot, sender, path, interface, member, f, installed, userdata))
BUS(sd_bus_call_async,
        (sd_bus * bus, sd_bus_slot **slot, sd_bus_message *m, sd_bus_message_handler_t f,
                void *userdata, uint64_t usec),
        (bus, slot, m, f, userdata, usec))
BUS(sd_bus_call,
        (sd_bus * bus, sd_bus_message *m, uint64_t usec, sd_bus_error *e, sd_bus_message **ret),
        (bus, m, usec, e, ret))
BUS(sd_bus_add_match,
        (sd_bus * bus, sd_bus_slot **slot, const char *match, sd_bus_message_handler_t f,
                void *userdata),
        (bus, slot, match, f, userdata))
BUS(sd_bus_flush, (sd_bus * bus), (bus))
BUS(sd_bus_wait, (sd_bus * bus, uint64_t usec), (bus, usec))
BUS(sd_bus_open_user, (sd_bus * *ret), (ret))
BUS(sd_bus_set_method_call_timeout, (sd_bus * bus, uint64_t usec), (bus, usec))
BUS(sd_bus_get_unique_name, (sd_bus * bus, const char **ret), (bus, ret))
BUS(sd_bus_get_name_creds, (sd_bus * bus, const char *name, uint64_t mask, sd_bus_creds **ret),
        (bus, name, mask, ret))
BUS(sd_bus_creds_get_pid, (sd_bus_creds * c, pid_t *ret), (c, ret))
BUS(sd_bus_get_property_string,
        (sd_bus * bus, const char *to, const char *path, const char *interface, const char *name,
                sd_bus_error *e, char **ret),
        (bus, to, path, interface, name, e, ret))
BUS(sd_bus_get_property_strv,
        (sd_bus * bus, const char *to, const char *path, const char *interface, const char *name,
                sd_bus_error *e, char ***ret),
        (bus, to, path, interface, name, e, ret))
BUS(sd_bus_get_property_trivial,
        (sd_bus * bus, const char *to, const char *path, const char *interface, const char *name,
                sd_bus_error *e, char type, void *ret),
        (bus, to, path, interface, name, e, type, ret))
BUS(sd_bus_request_name_async,
        (sd_bus * bus, sd_bus_slot **slot, const char *name, uint64_t flags,
                sd_bus_message_handler_t f, void *userdata),
        (bus, slot, name, flags, f, userdata))
BUS(sd_bus_release_name_async,
        (sd_bus * bus, sd_bus_slot **slot, const char *name, sd_bus_message_handler_t f,
                void *userdata),
        (bus, slot, name, f, userdata))
BUS(sd_bus_add_match_async,
        (sd_bus * bus, sd_bus_slot **slot, const char *match, sd_bus_message_handler_t f,
                sd_bus_message_handler_t installed, void *userdata),
        (bus, slot, match, f, installed, userdata))
BUS(sd_bus_send, (sd_bus * bus, sd_bus_message *m, uint64_t *cookie), (bus, m, cookie))
BUS(sd_bus_error_set, (sd_bus_error * e, const char *name, const char *text), (e, name, text))
BUS(sd_bus_message_new_signal,
        (sd_bus * bus, sd_bus_message **ret, const char *path, const char *interface,
                const char *member),
        (bus, ret, path, interface, member))
BUS(sd_bus_message_new_method_call,
        (sd_bus * bus, sd_bus_message **ret, const char *destination, const char *path,
                const char *interface, const char *member),
        (bus, ret, destination, path, interface, member))
BUS(sd_bus_message_new_method_return, (sd_bus_message * call, sd_bus_message **ret), (call, ret))
BUS(sd_bus_message_new_method_error,
        (sd_bus_message * call, sd_bus_message **ret, const sd_bus_error *e), (call, ret, e))
BUS(sd_bus_message_set_expect_reply, (sd_bus_message * m, int b), (m, b))
BUS(sd_bus_message_at_end, (sd_bus_message * m, int complete), (m, complete))
BUS(sd_bus_message_set_auto_start, (sd_bus_message * m, int b), (m, b))
BUS(sd_bus_message_rewind, (sd_bus_message * m, int complete), (m, complete))
BUS(sd_bus_message_skip, (sd_bus_message * m, const char *types), (m, types))
BUS(sd_bus_message_verify_type, (sd_bus_message * m, char type, const char *contents),
        (m, type, contents))
BUS(sd_bus_message_set_destination, (sd_bus_message * m, const char *name), (m, name))
BUS(sd_bus_message_open_container, (sd_bus_message * m, char type, const char *contents),
        (m, type, contents))
BUS(sd_bus_message_close_container, (sd_bus_message * m), (m))
BUS(sd_bus_message_appendv, (sd_bus_message * m, const char *types, va_list ap), (m, types, ap))
BUS(sd_bus_message_append_basic, (sd_bus_message * m, char type, const void *value),
        (m, type, value))
BUS(sd_bus_message_append_strv, (sd_bus_message * m, char **l), (m, l))
BUS(sd_bus_message_append_string_space, (sd_bus_message * m, size_t size, char **ret),
        (m, size, ret))
BUS(sd_bus_message_append_array, (sd_bus_message * m, char type, const void *data, size_t size),
        (m, type, data, size))
BUS(sd_bus_message_enter_container, (sd_bus_message * m, char type, const char *contents),
        (m, type, contents))
BUS(sd_bus_message_exit_container, (sd_bus_message * m), (m))
BUS(sd_bus_message_read_basic, (sd_bus_message * m, char type, void *ret), (m, type, ret))
BUS(sd_bus_message_read_array, (sd_bus_message * m, char type, const void **ret, size_t *ret_size),
        (m, type, ret, ret_size))
BUS(sd_bus_message_read_strv, (sd_bus_message * m, char ***ret), (m, ret))
BUS(sd_bus_message_peek_type, (sd_bus_message * m, char *type, const char **contents),
        (m, type, contents))

int __wrap_sd_bus_message_append(sd_bus_message *m, const char *types, ...);
int __wrap_sd_bus_message_append(sd_bus_message *m, const char *types, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_BUS, "sd_bus_message_append"))
                return -ENOMEM;
        va_start(ap, types);
        r = __real_sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        return r;
}

int __wrap_sd_bus_message_read(sd_bus_message *m, const char *types, ...);
int __wrap_sd_bus_message_read(sd_bus_message *m, const char *types, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_BUS, "sd_bus_message_read"))
                return -ENOMEM;
        va_start(ap, types);
        r = sd_bus_message_readv(m, types, ap);
        va_end(ap);
        return r;
}

int __wrap_sd_bus_reply_method_return(sd_bus_message *call, const char *types, ...);
int __wrap_sd_bus_reply_method_return(sd_bus_message *call, const char *types, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_BUS, "sd_bus_reply_method_return"))
                return -ENOMEM;
        va_start(ap, types);
        r = sd_bus_reply_method_returnv(call, types, ap);
        va_end(ap);
        return r;
}

int __wrap_sd_bus_call_method_async(sd_bus *bus, sd_bus_slot **slot, const char *destination,
        const char *path, const char *interface, const char *member, sd_bus_message_handler_t f,
        void *userdata, const char *types, ...);
int __wrap_sd_bus_call_method_async(sd_bus *bus, sd_bus_slot **slot, const char *destination,
        const char *path, const char *interface, const char *member, sd_bus_message_handler_t f,
        void *userdata, const char *types, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_BUS, "sd_bus_call_method_async"))
                return -ENOMEM;
        va_start(ap, types);
        r = sd_bus_call_method_asyncv(
                bus, slot, destination, path, interface, member, f, userdata, types, ap);
        va_end(ap);
        return r;
}

int __wrap_sd_bus_call_method(sd_bus *bus, const char *to, const char *path, const char *interface,
        const char *member, sd_bus_error *e, sd_bus_message **ret, const char *types, ...);
int __wrap_sd_bus_call_method(sd_bus *bus, const char *to, const char *path, const char *interface,
        const char *member, sd_bus_error *e, sd_bus_message **ret, const char *types, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_BUS, "sd_bus_call_method"))
                return -ENOMEM;
        va_start(ap, types);
        r = sd_bus_call_methodv(bus, to, path, interface, member, e, ret, types, ap);
        va_end(ap);
        return r;
}

/* ---- sd-event ---- */

#define LOOP(name, parameters, arguments) WRAP(KIND_LOOP, int, name, -ENOMEM, parameters, arguments)

LOOP(sd_event_new, (sd_event * *ret), (ret))
LOOP(sd_event_set_watchdog, (sd_event * e, int b), (e, b))
LOOP(sd_event_add_defer,
        (sd_event * e, sd_event_source **ret, sd_event_handler_t f, void *userdata),
        (e, ret, f, userdata))
LOOP(sd_event_add_post, (sd_event * e, sd_event_source **ret, sd_event_handler_t f, void *userdata),
        (e, ret, f, userdata))
LOOP(sd_event_add_io,
        (sd_event * e, sd_event_source **ret, int fd, uint32_t events, sd_event_io_handler_t f,
                void *userdata),
        (e, ret, fd, events, f, userdata))
LOOP(sd_event_add_time,
        (sd_event * e, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
                sd_event_time_handler_t f, void *userdata),
        (e, ret, clock, usec, accuracy, f, userdata))
LOOP(sd_event_add_time_relative,
        (sd_event * e, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
                sd_event_time_handler_t f, void *userdata),
        (e, ret, clock, usec, accuracy, f, userdata))
LOOP(sd_event_add_signal,
        (sd_event * e, sd_event_source **ret, int signal, sd_event_signal_handler_t f,
                void *userdata),
        (e, ret, signal, f, userdata))
LOOP(sd_event_add_inotify,
        (sd_event * e, sd_event_source **ret, const char *path, uint32_t mask,
                sd_event_inotify_handler_t f, void *userdata),
        (e, ret, path, mask, f, userdata))
LOOP(sd_event_add_exit, (sd_event * e, sd_event_source **ret, sd_event_handler_t f, void *userdata),
        (e, ret, f, userdata))
LOOP(sd_event_source_set_priority, (sd_event_source * s, int64_t priority), (s, priority))
LOOP(sd_event_source_set_time, (sd_event_source * s, uint64_t usec), (s, usec))
LOOP(sd_event_source_set_time_relative, (sd_event_source * s, uint64_t usec), (s, usec))
LOOP(sd_event_source_set_io_events, (sd_event_source * s, uint32_t events), (s, events))
LOOP(sd_event_source_set_description, (sd_event_source * s, const char *text), (s, text))
LOOP(sd_event_prepare, (sd_event * e), (e))
LOOP(sd_event_wait, (sd_event * e, uint64_t usec), (e, usec))
LOOP(sd_event_dispatch, (sd_event * e), (e))
LOOP(sd_event_run, (sd_event * e, uint64_t usec), (e, usec))
LOOP(sd_event_loop, (sd_event * e), (e))

/* Off cannot fail. */
int __real_sd_event_source_set_enabled(sd_event_source *s, int enabled);
int __wrap_sd_event_source_set_enabled(sd_event_source *s, int enabled);
int __wrap_sd_event_source_set_enabled(sd_event_source *s, int enabled)
{
        if (enabled != SD_EVENT_OFF && point_fails(KIND_LOOP, "sd_event_source_set_enabled"))
                return -ENOMEM;
        return __real_sd_event_source_set_enabled(s, enabled);
}

/* ---- sd-daemon, sd-login, sd-id128 ---- */

#define SYSTEMD(name, parameters, arguments) \
        WRAP(KIND_SYSTEM, int, name, -EIO, parameters, arguments)

#define SESSION(name, parameters, error, result) \
        int __wrap_##name parameters; \
        int __wrap_##name parameters \
        { \
                return point_fails(KIND_SYSTEM, #name) ? (error) : (result); \
        }

static int answer(char **ret, const char *text)
{
        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}

SYSTEMD(sd_listen_fds, (int unset), (unset))
SYSTEMD(sd_is_socket, (int fd, int family, int type, int listening), (fd, family, type, listening))
SYSTEMD(sd_id128_randomize, (sd_id128_t * ret), (ret))
/* A session of a person at a screen, where $DISPLAY says so. */
SESSION(sd_uid_get_display, (uid_t uid, char **ret), -ENODATA, answer(ret, "1"))
SESSION(sd_session_is_active, (const char *session), -ENXIO, 1)
SESSION(sd_session_get_type, (const char *session, char **ret), -ENXIO, answer(ret, "x11"))
