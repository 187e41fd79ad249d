/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/neighbours.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/bus/process.h"

/* ---- the keyring ---- */

static int keyring_call(Torture *t, const char *member, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;
        int r;

        r = sd_bus_message_new_method_call(
                t->keyring, &m, "org.freedesktop.secrets", "/control", "test.Keyring", member);
        va_start(ap, types);
        if (r >= 0)
                r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        return r < 0 ? r : sd_bus_call(t->keyring, m, patience, NULL, NULL);
}

static int keyring_connect(Torture *t)
{
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, t->bus_address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                t->keyring = TAKE_PTR(bus);
        return r;
}

int keyring_start(Torture *t)
{
        static const char *const engines[] = { "keyed", "locked" };
        _cleanup_free_ char *address = NULL;
        const char *program = getenv("FAKE_KEYRING");
        char line[16];
        int out[2], r;
        ssize_t n;
        pid_t pid;

        if (t->keyring)
                return 0;
        if (!program)
                return -ENOENT;
        if (asprintf(&address, "DBUS_SESSION_BUS_ADDRESS=%s", t->bus_address) < 0)
                return -ENOMEM;
        if (pipe2(out, O_CLOEXEC) < 0)
                return -errno;
        r = process_spawn(&(Spawn){ .arguments = (const char *const[]){ program, NULL },
                                  .environment = (const char *const[]){ address, NULL },
                                  .output = out[1],
                                  .errors = -EBADF,
                                  .pass = -EBADF },
                &pid); /* it ends with the bus */
        safe_close(out[1]);
        n = r < 0 ? -1 : read(out[0], line, sizeof line);
        safe_close(out[0]);
        if (n <= 0)
                return -EIO;
        r = keyring_connect(t);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(engines); i++)
                r = keyring_call(t, "Put", "a{ss}ay", 2, "application", "conductor", "engine",
                        engines[i], 5, 'a', '-', 'k', 'e', 'y');
        return r;
}

int keyring_lock(Torture *t)
{
        return keyring_call(t, "Behave", "as", 2, "locked", "prompting");
}

int keyring_unlock(Torture *t)
{
        return keyring_call(t, "Behave", "as", 0);
}

bool keyring_prompted(Torture *t)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *log;

        return sd_bus_call_method(t->keyring, "org.freedesktop.secrets", "/control", "test.Keyring",
                       "Log", NULL, &answer, "") >= 0 &&
                sd_bus_message_read(answer, "s", &log) > 0 && strstr(log, "Prompt");
}

/* ---- the user manager ---- */

static int on_start_unit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        static const char job[] = "/org/freedesktop/systemd1/job/1";
        const char *unit, *mode;
        int r;

        r = sd_bus_message_read(m, "ss", &unit, &mode);
        if (r >= 0)
                r = sd_bus_reply_method_return(m, "o", job);
        if (r >= 0)
                r = sd_bus_emit_signal(sd_bus_message_get_bus(m), "/org/freedesktop/systemd1",
                        "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", 1U, job, unit,
                        "done");
        return r;
}

static const sd_bus_vtable user_manager[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("StartUnit", "ss", "o", on_start_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void serve(int fd)
{
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        sd_id128_t id;
        int r;

        r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_new(&bus);
        if (r < 0) {
                safe_close(fd);
                return;
        }
        r = sd_bus_set_fd(bus, fd, fd);
        if (r >= 0)
                r = sd_bus_set_server(bus, true, id);
        if (r >= 0)
                r = sd_bus_set_anonymous(bus, true);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1",
                        "org.freedesktop.systemd1.Manager", user_manager, NULL);
        if (r >= 0)
                r = sd_bus_start(bus);
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
}

int user_manager_start(Torture *t)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *folder = NULL;
        pid_t parent = getpid();

        if (t->user_manager > 0)
                return 0;
        if (asprintf(&folder, "%s/systemd", t->runtime) < 0)
                return -ENOMEM;
        if (mkdir(folder, 0700) < 0)
                return -errno;
        (void) snprintf(address.sun_path, sizeof address.sun_path, "%s/private", folder);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof address) < 0 ||
                listen(fd, SOMAXCONN) < 0)
                return -errno;
        t->user_manager = fork();
        if (t->user_manager < 0)
                return -errno;
        if (t->user_manager > 0)
                return 0;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        for (;;)
                serve(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
}
