/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pwd.h>
#include <sys/stat.h>

#include "client/cli/doctor.h"

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNIT    "org.freedesktop.systemd1.Unit"

/* A manager that hangs must not hang the doctor. */
#define SYSTEMD_TIMEOUT (5 * USEC_PER_SEC)

/* ---- the session ---- */

static bool examine_folder(Doctor *d)
{
        const char *set = getenv("XDG_RUNTIME_DIR");
        _cleanup_free_ char *folder = NULL;

        if (client_runtime_directory(&folder) < 0) {
                doctor_say(d, FINDING_FAIL, "sudo loginctl enable-linger \"$USER\"",
                        isempty(set) ? "There is no session: XDG_RUNTIME_DIR is not set and "
                                       "/run/user/%u is missing."
                                     : "There is no session: XDG_RUNTIME_DIR is not a folder of "
                                       "user %u.",
                        (unsigned) geteuid());
                return false;
        }
        if (!streq(folder, strempty(set)))
                doctor_say(d, FINDING_WARN, "export XDG_RUNTIME_DIR=/run/user/$(id -u)",
                        "XDG_RUNTIME_DIR is not set, or another user's (su, sudo and cron do "
                        "that); %s is used.",
                        folder);
        else
                doctor_say(d, FINDING_OK, NULL, "The session's folder is %s.", folder);
        return true;
}

/* The bus's Hello is waited for: a socket alone answers nobody. */
static int open_session(Doctor *d)
{
        _cleanup_free_ char *folder = NULL, *address = NULL;
        const char *name;
        int r;

        if (isempty(getenv("DBUS_SESSION_BUS_ADDRESS")) && client_runtime_directory(&folder) >= 0) {
                if (asprintf(&address, "unix:path=%s/bus", folder) < 0) {
                        address = NULL;
                        return -ENOMEM;
                }
                if (setenv("DBUS_SESSION_BUS_ADDRESS", address, 0) < 0)
                        return -errno;
        }
        r = sd_bus_open_user(&d->session);
        if (r < 0)
                return r;
        r = sd_bus_set_method_call_timeout(d->session, SYSTEMD_TIMEOUT);
        if (r < 0)
                return r;
        return sd_bus_get_unique_name(d->session, &name);
}

static void examine_bus(Doctor *d)
{
        int r = open_session(d);

        if (r >= 0) {
                doctor_say(d, FINDING_OK, NULL, "The session bus answers.");
                return;
        }
        d->session = sd_bus_close_unref(d->session);
        doctor_say(d, FINDING_WARN, "sudo apt install dbus-user-session",
                "There is no session bus (%s); only the private socket is left.", strerror(-r));
}

/* ssh without linger: the user manager ends with the last login, and the service with it. */
static void examine_linger(Doctor *d)
{
        const struct passwd *user = getpwuid(geteuid());
        _cleanup_free_ char *path = NULL;

        if (isempty(getenv("SSH_CONNECTION")) || !user ||
                asprintf(&path, "/var/lib/systemd/linger/%s", user->pw_name) < 0)
                return;
        if (access(path, F_OK) < 0)
                doctor_say(d, FINDING_WARN, "loginctl enable-linger",
                        "This is an ssh session without linger: replies end when you log out.");
        else
                doctor_say(d, FINDING_OK, NULL, "Linger is on: replies go on when you log out.");
}

/* ---- the units ---- */

static int get_unit(Doctor *d, const char *name, char **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        int r;

        r = sd_bus_call_method(d->session, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "LoadUnit",
                NULL, &reply, "s", name);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
}

static char *unit_property(Doctor *d, const char *unit, const char *name)
{
        char *value = NULL;

        (void) sd_bus_get_property_string(
                d->session, SYSTEMD_NAME, unit, SYSTEMD_UNIT, name, NULL, &value);
        return value;
}

/* A failed service is not called: that would start it, and dbus-daemon keeps a name whose service
 * does not come blocked for minutes. */
static void say_failed(Doctor *d, const char *name, bool is_socket)
{
        doctor_say(d, FINDING_FAIL,
                is_socket ? "systemctl --user reset-failed conductor.socket conductor.service && "
                            "systemctl --user start conductor.socket"
                          : "journalctl --user -u conductor.service -n 20; "
                            "systemctl --user restart conductor.service",
                "%s has failed.", name);
        d->service_failed = d->service_failed || !is_socket;
}

static void examine_unit_state(Doctor *d, const char *name, const char *unit)
{
        _cleanup_free_ char *load = unit_property(d, unit, "LoadState"),
                            *active = unit_property(d, unit, "ActiveState"),
                            *file = unit_property(d, unit, "UnitFileState");
        bool is_socket = streq(name, "conductor.socket");

        if (streq_ptr(load, "masked"))
                doctor_say(d, FINDING_FAIL,
                        is_socket ? "systemctl --user unmask conductor.socket"
                                  : "systemctl --user unmask conductor.service",
                        "%s is masked.", name);
        else if (!streq_ptr(load, "loaded"))
                doctor_say(d, FINDING_FAIL, "systemctl --user daemon-reload",
                        "%s is not known to the user manager (%s). Is Conductor installed where "
                        "it looks?",
                        name, strempty(load));
        else if (streq_ptr(active, "failed"))
                say_failed(d, name, is_socket);
        else if (is_socket && !streq_ptr(active, "active"))
                doctor_say(d, FINDING_WARN, "systemctl --user enable --now conductor.socket",
                        "conductor.socket is %s: only D-Bus activates the service.",
                        strempty(active));
        else
                doctor_say(d, FINDING_OK, NULL, "%s is %s%s%s.", name, strempty(active),
                        isempty(file) ? "" : ", ", strempty(file));
}

static void examine_unit(Doctor *d, const char *name)
{
        _cleanup_free_ char *unit = NULL;
        int stale = 0, r;

        r = get_unit(d, name, &unit);
        if (r < 0) {
                doctor_say(d, FINDING_FAIL, "systemctl --user status", "%s cannot be looked at: %s",
                        name, strerror(-r));
                return;
        }
        examine_unit_state(d, name, unit);
        if (sd_bus_get_property_trivial(d->session, SYSTEMD_NAME, unit, SYSTEMD_UNIT,
                    "NeedDaemonReload", NULL, 'b', &stale) >= 0 &&
                stale)
                doctor_say(d, FINDING_WARN, "systemctl --user daemon-reload",
                        "%s has changed on disk since it was loaded.", name);
}

/* ---- variables ---- */

/* Names only: some of their values are secret. */
static void examine_variables(Doctor *d)
{
        _cleanup_free_ char *names = NULL, *mend = NULL;

        if (cli_missing_variables(d->session, &names) < 0 || !names)
                return;
        if (asprintf(&mend,
                    "systemctl --user import-environment %s && systemctl --user restart "
                    "conductor.service",
                    names) < 0)
                mend = NULL;
        doctor_say(
                d, FINDING_WARN, mend, "This shell has %s, which the service does not see.", names);
}

void doctor_examine_session(Doctor *d)
{
        _cleanup_free_ char *version = NULL;

        if (!examine_folder(d))
                return;
        examine_bus(d);
        examine_linger(d);
        if (!d->session)
                return;
        examine_variables(d);
        if (sd_bus_get_property_string(d->session, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                    "Version", NULL, &version) < 0) {
                doctor_say(d, FINDING_WARN, "systemctl --user status",
                        "No user manager answers on the bus: nothing starts the service, run "
                        "conductord by hand.");
                return;
        }
        doctor_say(d, FINDING_OK, NULL, "The user manager is systemd %s.", version);
        examine_unit(d, "conductor.socket");
        examine_unit(d, "conductor.service");
}
