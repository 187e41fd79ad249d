/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/desktop/desk.h"

#include <fcntl.h>
#include <signal.h>

#include "tests/bus/process.h"

#define SYSTEMD "org.freedesktop.systemd1"

/* ---- the programs ---- */

static char *setting(const char *name, const char *value)
{
        char *s = NULL;

        assert_true(asprintf(&s, "%s=%s", name, strempty(value)) > 0);
        return s;
}

void desk_start(Desk *d, const char *variable, const char *argument)
{
        const char *program = getenv(variable);
        _cleanup_close_ int log = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        _cleanup_free_ char *home = setting("HOME", d->h->home),
                            *runtime = setting("XDG_RUNTIME_DIR", d->h->runtime),
                            *bus = setting("DBUS_SESSION_BUS_ADDRESS", d->h->address),
                            *system = setting("DBUS_SYSTEM_BUS_ADDRESS", d->h->system_address),
                            *asan = setting("ASAN_OPTIONS", getenv("ASAN_OPTIONS")),
                            *ubsan = setting("UBSAN_OPTIONS", getenv("UBSAN_OPTIONS"));

        assert_non_null(program);
        assert_return_code(log, errno);
        assert_int_equal(d->program, 0);
        assert_return_code(
                process_spawn(
                        &(Spawn){ .arguments = (const char *const[]){ program, argument, NULL },
                                .environment = (const char *const[]){ home, runtime, bus, system,
                                        asan, ubsan,
                                        d->environment[0] ? d->environment[0]
                                                          : "PATH=/usr/bin:/bin",
                                        "LANG=C.UTF-8", "CONDUCTOR_LOG_LEVEL=debug",
                                        d->environment[0] ? d->environment[1] : NULL, NULL },
                                .output = -EBADF,
                                .errors = log,
                                .pass = -EBADF },
                        &d->program),
                0);
}

int desk_wait_exit(Desk *d)
{
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *child = NULL;
        int status = -EISCONN;

        harness_watch_exit(d->h, d->program, &child, &status);
        harness_run_until(d->h, status >= 0);
        d->program = 0;
        return status;
}

int desk_stop(Desk *d)
{
        assert_return_code(kill(d->program, SIGTERM), errno);
        return desk_wait_exit(d);
}

bool desk_logged(const Desk *d, const char *text)
{
        _cleanup_fclose_ FILE *f = fopen(d->log, "re");
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0;

        while (f && getline(&line, &allocated, f) > 0)
                if (strstr(line, text))
                        return true;
        return false;
}

/* ---- names ---- */

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Desk *d = userdata;

        d->n_changes++;
        return 0;
}

static bool is_owned(Desk *d, const char *name)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        int owned;

        m = desk_message("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                "NameHasOwner", d, "s", name);
        answer = harness_call_message(d->h, d->bus, m);
        assert_return_code(sd_bus_message_read(answer, "b", &owned), 0);
        return owned;
}

void desk_wait_name(Desk *d, const char *name, bool owned)
{
        unsigned before = d->n_changes;

        while (is_owned(d, name) != owned) {
                harness_run_until(d->h, d->n_changes > before);
                before = d->n_changes;
        }
}

/* ---- in the user manager's place ---- */

static void unit_clear(Unit *u)
{
        free(u->name);
        for (size_t i = 0; i < ARGUMENTS_MAX; i++)
                free(u->arguments[i]);
        free(u->environment);
        free(u->input);
        *u = (Unit){ 0 };
}

static void read_command(Unit *u, sd_bus_message *m)
{
        const char *program, *argument, *flag;
        size_t n = 0;

        assert_true(sd_bus_message_enter_container(m, 'v', "a(sasas)") > 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "(sasas)") > 0);
        assert_true(sd_bus_message_enter_container(m, 'r', "sasas") > 0);
        assert_true(sd_bus_message_read(m, "s", &program) > 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "s") > 0);
        while (sd_bus_message_read(m, "s", &argument) > 0) {
                assert_true(n < ARGUMENTS_MAX);
                u->arguments[n++] = strdup(argument);
        }
        assert_string_equal(program, u->arguments[0]);
        assert_true(sd_bus_message_exit_container(m) > 0);
        assert_true(sd_bus_message_read(m, "as", 1, &flag) > 0);
        assert_string_equal(flag, "no-env-expand");
        for (unsigned i = 0; i < 3; i++)
                assert_true(sd_bus_message_exit_container(m) > 0);
}

static void read_input(Unit *u, sd_bus_message *m)
{
        const void *data;
        size_t size;

        assert_true(sd_bus_message_enter_container(m, 'v', "ay") > 0);
        assert_true(sd_bus_message_read_array(m, 'y', &data, &size) > 0);
        u->input = strndup(data, size);
        assert_true(sd_bus_message_exit_container(m) > 0);
}

static void read_property(Unit *u, sd_bus_message *m)
{
        const char *key, *value;

        assert_true(sd_bus_message_read(m, "s", &key) > 0);
        if (streq(key, "ExecStartEx"))
                read_command(u, m);
        else if (streq(key, "StandardInputData"))
                read_input(u, m);
        else if (streq(key, "Environment")) {
                assert_true(sd_bus_message_read(m, "v", "as", 1, &value) > 0);
                u->environment = strdup(value);
        } else
                assert_true(sd_bus_message_skip(m, "v") > 0);
}

static int on_start_unit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Desk *d = userdata;
        const char *name, *mode;

        if (d->refusal)
                return sd_bus_error_set(error, SYSTEMD ".UnitExists", d->refusal);
        unit_clear(&d->unit);
        assert_true(sd_bus_message_read(m, "ss", &name, &mode) > 0);
        d->unit.name = strdup(name);
        assert_true(sd_bus_message_enter_container(m, 'a', "(sv)") > 0);
        while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
                read_property(&d->unit, m);
                assert_true(sd_bus_message_exit_container(m) > 0);
        }
        d->n_units++;
        return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/1");
}

void desk_start_manager(Desk *d)
{
        static const sd_bus_vtable vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", on_start_unit,
                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
        };

        d->manager = harness_connect(d->h, VIA_SESSION);
        assert_return_code(sd_bus_add_object_vtable(d->manager, NULL, "/org/freedesktop/systemd1",
                                   SYSTEMD ".Manager", vtable, d),
                0);
        assert_return_code(sd_bus_request_name_async(d->manager, NULL, SYSTEMD, 0, NULL, NULL), 0);
        desk_wait_name(d, SYSTEMD, true);
}

/* ---- short forms ---- */

sd_bus_message *desk_message(const char *to, const char *path, const char *interface,
        const char *member, Desk *d, const char *types, ...)
{
        sd_bus_message *m = NULL;
        va_list ap;

        assert_return_code(
                sd_bus_message_new_method_call(d->bus, &m, to, path, interface, member), 0);
        va_start(ap, types);
        if (!isempty(types))
                assert_return_code(sd_bus_message_appendv(m, types, ap), 0);
        va_end(ap);
        return m;
}

char *desk_converse(Desk *d, const char *text)
{
        char *conversation = harness_create(d->h, d->bus, "");
        _cleanup_(watch_freep) Watch *ended = harness_watch(
                d->h, d->bus, conversation, INTERFACE_CONVERSATION, "ReplyFinished");

        (void) harness_send(d->h, d->bus, conversation, text);
        harness_run_until(d->h, ended->n > 0);
        return conversation;
}

/* ---- all together ---- */

int desk_setup(void **state)
{
        Desk *d = calloc(1, sizeof *d);

        assert_non_null(d);
        assert_int_equal(harness_setup((void **) &d->h), 0);
        assert_true(asprintf(&d->log, "%s/desktop.log", d->h->folder) > 0);
        d->bus = harness_connect(d->h, VIA_SESSION);
        assert_return_code(
                sd_bus_match_signal_async(d->bus, NULL, "org.freedesktop.DBus", NULL,
                        "org.freedesktop.DBus", "NameOwnerChanged", on_owner_changed, NULL, d),
                0);
        *state = d;
        return 0;
}

int desk_teardown(void **state)
{
        Desk *d = ASSERT_PTR(*state);
        void *h = d->h;

        process_end(&d->program);
        sd_bus_flush_close_unref(d->manager);
        sd_bus_flush_close_unref(d->bus);
        (void) harness_teardown(&h);
        unit_clear(&d->unit);
        free(d->log);
        free(d);
        return 0;
}
