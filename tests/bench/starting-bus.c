/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/starting-bus.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include "tests/bus/process.h"

#define BUS_CONFIG \
        "<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>\n" \
        "<servicedir>%s</servicedir>\n" \
        "<policy context=\"default\"><allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy>\n" \
        "</busconfig>\n"

static void write_file(const char *folder, const char *name, const char *format, ...)
        _printf_(3, 4);
static void write_file(const char *folder, const char *name, const char *format, ...)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        va_list ap;

        assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
        f = fopen(path, "we");
        assert_non_null(f);
        va_start(ap, format);
        assert_true(vfprintf(f, format, ap) > 0);
        va_end(ap);
        assert_int_equal(fflush(f), 0);
}

char *starting_bus_start(const Harness *h, pid_t *ret)
{
        _cleanup_free_ char *socket = NULL, *option = NULL, *home = NULL, *runtime = NULL,
                            *config = NULL, *state = NULL, *bus = NULL;
        char *address = NULL, line[256];
        _cleanup_close_ int log = open(h->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        int out[2];

        assert_return_code(log, errno);
        assert_true(asprintf(&socket, "%s/starting-bus", h->folder) > 0);
        assert_true(asprintf(&address, "unix:path=%s", socket) > 0);
        assert_true(asprintf(&option, "--config-file=%s/starting.conf", h->folder) > 0);
        assert_true(asprintf(&home, "HOME=%s", h->home) > 0);
        assert_true(asprintf(&runtime, "XDG_RUNTIME_DIR=%s", h->runtime) > 0);
        assert_true(asprintf(&config, "XDG_CONFIG_HOME=%s/config", h->folder) > 0);
        assert_true(asprintf(&state, "XDG_STATE_HOME=%s/state", h->folder) > 0);
        assert_true(asprintf(&bus, "DBUS_SESSION_BUS_ADDRESS=%s", address) > 0);
        write_file(h->folder, "starting.conf", BUS_CONFIG, socket, h->folder);
        write_file(h->folder, BUS_NAME ".service", "[D-BUS Service]\nName=%s\nExec=%s\n", BUS_NAME,
                getenv("CONDUCTORD"));
        write_file(h->folder, STARTING_BUS_FLOOR ".service",
                "[D-BUS Service]\nName=%s\nExec=%s %s\n", STARTING_BUS_FLOOR,
                getenv("BENCH_SERVICE"), STARTING_BUS_FLOOR);

        assert_return_code(pipe2(out, O_CLOEXEC), errno);
        assert_return_code(
                process_spawn(
                        &(Spawn){ .arguments = (const char *const[]){ "dbus-daemon", option,
                                          "--nofork", "--nopidfile", "--print-address=1", NULL },
                                .environment = (const char *const[]){ home, runtime, config, state,
                                        bus, "CONDUCTOR_LOG_LEVEL=warning", NULL },
                                .output = out[1],
                                .errors = log,
                                .pass = -EBADF },
                        ret),
                0);
        safe_close(out[1]);
        assert_true(read(out[0], line, sizeof line) > 0);
        safe_close(out[0]);
        return address;
}

pid_t starting_bus_service(sd_bus *bus, const char *name)
{
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        pid_t pid;

        if (sd_bus_get_name_creds(bus, name, SD_BUS_CREDS_PID, &creds) < 0)
                return 0;
        assert_return_code(sd_bus_creds_get_pid(creds, &pid), 0);
        return pid;
}

void starting_bus_end_service(sd_bus *bus, const char *name)
{
        struct pollfd gone = { .events = POLLIN };
        pid_t pid = starting_bus_service(bus, name);

        if (pid == 0)
                return;
        gone.fd = (int) syscall(SYS_pidfd_open, pid, 0);
        assert_return_code(gone.fd, errno);
        assert_return_code(kill(pid, SIGTERM), errno);
        assert_int_equal(poll(&gone, 1, (int) (HARNESS_PATIENCE / USEC_PER_MSEC)), 1);
        safe_close(gone.fd);
}
