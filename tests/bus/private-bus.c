/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bus/private-bus.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#include "tests/bus/process.h"

#define CONTROL_FD 3

/* Anybody may do anything, and no service is started. */
#define DAEMON_CONFIG \
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n" \
        " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n" \
        "<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>\n" \
        "<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\n" \
        "<allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>\n" \
        "<limit name=\"max_incoming_bytes\">1000000000</limit>\n" \
        "<limit name=\"max_outgoing_bytes\">1000000000</limit>\n" \
        "<limit name=\"max_message_size\">1000000000</limit>\n" \
        "<limit name=\"max_completed_connections\">100000</limit>\n" \
        "<limit name=\"max_connections_per_user\">100000</limit>\n" \
        "<limit name=\"max_pending_service_starts\">10000</limit>\n" \
        "<limit name=\"max_match_rules_per_connection\">50000</limit>\n" \
        "<limit name=\"max_replies_per_connection\">50000</limit></busconfig>\n"

static bool use_broker(void)
{
        const char *bus = getenv("CONDUCTOR_TEST_BUS");

        return bus && streq(bus, "broker");
}

bool private_bus_installed(void)
{
        const char *name = use_broker() ? "dbus-broker" : "dbus-daemon";
        _cleanup_free_ char *path = strdup(strempty(getenv("PATH")));
        char *rest = path;

        for (char *folder; path && (folder = strsep(&rest, ":"));) {
                _cleanup_free_ char *program = NULL;

                if (asprintf(&program, "%s/%s", folder, name) < 0)
                        return false;
                if (access(program, X_OK) == 0)
                        return true;
        }
        return false;
}

/* ---- dbus-daemon ---- */

static int start_daemon(const char *folder, const char *socket, pid_t *ret_pid)
{
        _cleanup_free_ char *config = NULL, *option = NULL, *log = NULL;
        _cleanup_close_ int errors = -EBADF;
        _cleanup_fclose_ FILE *f = NULL;
        int address[2], r;
        char line[256];

        if (asprintf(&config, "%s/bus.conf", folder) < 0 ||
                asprintf(&log, "%s/bus.log", folder) < 0 ||
                asprintf(&option, "--config-file=%s", config) < 0)
                return -ENOMEM;
        f = fopen(config, "we");
        if (!f || fprintf(f, DAEMON_CONFIG, socket) < 0 || fflush(f) != 0)
                return -EIO;
        errors = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (errors < 0 || pipe2(address, O_CLOEXEC) < 0)
                return -errno;
        r = process_spawn(&(Spawn){ .arguments = (const char *const[]){ "dbus-daemon", option,
                                            "--nofork", "--nopidfile", "--print-address=1", NULL },
                                  .environment = (const char *const[]){ NULL },
                                  .output = address[1],
                                  .errors = errors,
                                  .pass = -EBADF },
                ret_pid);
        safe_close(address[1]);
        /* It prints its address when it listens. */
        if (r >= 0 && read(address[0], line, sizeof line) <= 0)
                r = -EIO;
        safe_close(address[0]);
        return r;
}

/* ---- dbus-broker, without its launcher, which needs a user manager and the journal ---- */

#define BATCH  "bta(btbs)a(btssssuutt)a(btssssuutt)"
#define POLICY "a(u(" BATCH "))a(buu(" BATCH "))a(ss)bs"

/* Own any name, send to and receive from anybody. */
static int append_policy(sd_bus_message *m)
{
        const uint64_t priority = 1, all = UINT64_MAX;
        int r;

        r = sd_bus_message_open_container(m, 'v', "(" POLICY ")");
        if (r >= 0)
                r = sd_bus_message_append(m, "(" POLICY ")",
                        /* of all users: */ 1, UINT32_MAX,
                        /* connect: */ true, priority,
                        /* own: */ 1, true, priority, true, "",
                        /* send: */ 1, true, priority, "", "", "", "", 0, 0, UINT64_C(0), all,
                        /* receive: */ 1, true, priority, "", "", "", "", 0, 0, UINT64_C(0), all,
                        /* by group: */ 0, /* SELinux: */ 0, /* AppArmor: */ false, "session");
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int listen_at(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        if (strlen(path) >= sizeof address.sun_path)
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        if (bind(fd, (struct sockaddr *) &address, sizeof address) < 0 || listen(fd, 128) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int add_listener(int control, int listener)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_fd(bus, control, control);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(
                bus, &m, NULL, "/org/bus1/DBus/Broker", "org.bus1.DBus.Broker", "AddListener");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "oh", "/org/bus1/DBus/Listener/0", listener);
        if (r < 0)
                return r;
        r = append_policy(m);
        if (r < 0)
                return r;
        return sd_bus_call(bus, m, 0, NULL, NULL);
}

static int start_broker(const char *socket, pid_t *ret_pid, int *ret_control)
{
        _cleanup_close_ int listener = listen_at(socket), kept = -EBADF;
        int control[2], r;

        if (listener < 0)
                return listener;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, control) < 0)
                return -errno;
        r = process_spawn(
                &(Spawn){
                        .arguments = (const char *const[]){ "dbus-broker", "--controller", "3",
                                "--machine-id", "0123456789abcdef0123456789abcdef", "--max-bytes",
                                "536870912", "--max-fds", "4096", "--max-matches", "131072", NULL },
                        .environment = (const char *const[]){ NULL },
                        .output = -EBADF,
                        .errors = -EBADF,
                        .pass = control[1],
                        .pass_as = CONTROL_FD },
                ret_pid);
        safe_close(control[1]);
        if (r >= 0) {
                /* The broker ends with its controller's connection: a copy stays open. */
                kept = fcntl(control[0], F_DUPFD_CLOEXEC, 3);
                r = kept < 0 ? -errno : add_listener(control[0], listener);
        } else
                safe_close(control[0]);
        if (r < 0)
                return r;
        *ret_control = TAKE_FD(kept);
        return 0;
}

int private_bus_start(const char *folder, const char *socket, pid_t *ret_pid, int *ret_control)
{
        if (use_broker())
                return start_broker(socket, ret_pid, ret_control);
        return start_daemon(folder, socket, ret_pid);
}
