/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/doors-util.h"

#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "common/names.h"

/* ---- the object ---- */

static int method_ping(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return sd_bus_reply_method_return(m, NULL);
}

/* Answered by the test. */
static int method_hold(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fixture *f = userdata;
        Call *call;
        int r;

        r = call_new(f->doors, m, &call, error);
        if (r < 0)
                return r;
        assert_true(f->n_held < ELEMENTSOF(f->held));
        f->held[f->n_held++] = call;
        return 1;
}

static int method_who(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fixture *f = userdata;
        int r;

        r = doors_get_peer(f->doors, m, &f->peer);
        return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static void on_gone(Peer *p, void *userdata)
{
        Fixture *f = userdata;

        assert_ptr_equal(p, f->peer);
        f->n_gone++;
        f->watch = peer_watch_free(f->watch);
}

static int method_watch(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fixture *f = userdata;
        int r;

        r = doors_get_peer(f->doors, m, &f->peer);
        if (r < 0)
                return r;
        r = peer_watch(f->peer, on_gone, f, &f->watch);
        return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static int property_level(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Fixture *f = userdata;

        return sd_bus_message_append(reply, "u", f->level);
}

/* clang-format off */
static const sd_bus_vtable test_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Ping", NULL, NULL, method_ping, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Hold", NULL, "s", method_hold, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Who", NULL, NULL, method_who, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Watch", NULL, NULL, method_watch, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Level", "u", property_level, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_SIGNAL("Said", "s", 0),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

static const BusInterface test_interfaces[] = { { TEST_INTERFACE, test_vtable } };
static const BusObject test_object = {
        .path = TEST_PATH,
        .interfaces = test_interfaces,
        .n_interfaces = ELEMENTSOF(test_interfaces),
};

/* ---- the fixture ---- */

static void on_session_changed(bool connected, void *userdata)
{
        Fixture *f = userdata;

        if (connected)
                f->n_connected++;
        else
                f->n_disconnected++;
}

static void on_session_settled(void *userdata)
{
        Fixture *f = userdata;

        f->n_settled++;
}

static void on_name_lost(const char *why, void *userdata)
{
        Fixture *f = userdata;

        assert_int_equal(free_and_strdup(&f->name_lost, why), 0);
}

int fixture_setup(void **state)
{
        Fixture *f = calloc(1, sizeof(Fixture));
        const DoorsObserver observer = { on_session_changed, on_session_settled, on_name_lost, f };

        if (!f || sd_event_new(&f->event) < 0)
                return -1;
        f->folder = strdup("/tmp/test-doors-XXXXXX");
        if (!f->folder || !mkdtemp(f->folder) ||
                asprintf(&f->socket, "%s/conductor/bus", f->folder) < 0)
                return -1;
        if (doors_new(&f->doors, f->event, &test_object, f, &observer) < 0)
                return -1;
        *state = f;
        return 0;
}

int fixture_teardown(void **state)
{
        Fixture *f = *state;
        char folder[256];

        peer_watch_free(f->watch);
        doors_free(f->doors);
        sd_event_unref(f->event);
        (void) unlink(f->socket);
        (void) snprintf(folder, sizeof(folder), "%s/conductor", f->folder);
        (void) rmdir(folder);
        if (rmdir(f->folder) < 0)
                return -1; /* something was left behind */
        free(f->folder);
        free(f->socket);
        free(f->name_lost);
        free(f);
        return 0;
}

usec_t test_now(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

void run_quiet(Fixture *f)
{
        while (sd_event_run(f->event, 0) > 0)
                ;
}

/* ---- clients ---- */

sd_bus *client_open(Fixture *f, const char *address, bool bus_client)
{
        sd_bus *bus = NULL;

        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_address(bus, address) >= 0);
        assert_true(sd_bus_set_bus_client(bus, bus_client) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        assert_true(sd_bus_attach_event(bus, f->event, 0) >= 0);
        return bus;
}

sd_bus *client_open_private(Fixture *f)
{
        char address[256];

        (void) snprintf(address, sizeof(address), "unix:path=%s", f->socket);
        return client_open(f, address, /* bus_client= */ false);
}

sd_bus *client_close(sd_bus *bus)
{
        return sd_bus_close_unref(bus);
}

int raw_connect(Fixture *f)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->socket);
        assert_int_equal(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        return fd;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        sd_bus_message **ret = userdata;

        *ret = sd_bus_message_ref(m);
        return 0;
}

void client_call(sd_bus *bus, const char *member, sd_bus_message **ret)
{
        assert_true(sd_bus_call_method_async(bus, NULL, BUS_NAME, TEST_PATH, TEST_INTERFACE, member,
                            on_answer, ret, NULL) >= 0);
}

sd_bus_message *client_call_wait(Fixture *f, sd_bus *bus, const char *member)
{
        sd_bus_message *answer = NULL;

        client_call(bus, member, &answer);
        run_until(f, answer);
        return answer;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        unsigned *n = userdata;

        assert_string_equal(sd_bus_message_get_path(m), TEST_PATH);
        (*n)++;
        return 0;
}

void client_count_signals(sd_bus *bus, const char *member, unsigned *n)
{
        char rule[128];

        (void) snprintf(rule, sizeof(rule), "type='signal',member='%s'", member);
        assert_true(sd_bus_add_match_async(bus, NULL, rule, on_signal, NULL, n) >= 0);
}

/* ---- the bus ---- */

/* No folders of services: the caller's own would be started. */
#define DAEMON_CONFIG \
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n" \
        " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n" \
        "<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth>\n" \
        "<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\n" \
        "<allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>\n"

bool daemon_start(Daemon *d, const char *address)
{
        char argument[64], line[512];
        char *argv[] = { (char *) "dbus-daemon", argument, (char *) "--nofork",
                (char *) "--nopidfile", (char *) "--print-address=3", NULL };
        _cleanup_close_ int config = memfd_create("bus.conf", MFD_CLOEXEC);
        posix_spawn_file_actions_t actions;
        int fds[2], r;
        ssize_t n;

        assert_true(config >= 0);
        assert_true(dprintf(config, DAEMON_CONFIG, address) > 0);
        (void) snprintf(
                argument, sizeof(argument), "--config-file=/proc/%d/fd/%d", (int) getpid(), config);
        assert_int_equal(pipe(fds), 0);
        assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fds[1], 3), 0);
        r = posix_spawnp(&d->pid, argv[0], &actions, NULL, argv, environ);
        (void) posix_spawn_file_actions_destroy(&actions);
        (void) close(fds[1]);
        if (r == ENOENT) {
                (void) close(fds[0]);
                return false;
        }
        assert_int_equal(r, 0);

        /* It says its address when it listens. */
        n = read(fds[0], line, sizeof(line) - 1);
        (void) close(fds[0]);
        assert_true(n > 1);
        line[n] = 0;
        line[strcspn(line, "\n")] = 0;
        d->address = strdup(line);
        return true;
}

void daemon_stop(Daemon *d)
{
        if (d->pid > 0) {
                (void) kill(d->pid, SIGKILL);
                (void) waitpid(d->pid, NULL, 0);
        }
        d->pid = 0;
        d->address = mfree(d->address);
}
