/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/connect.h"

#include <sys/stat.h>

#include "common/buffer.h"

#define HOST_MAX 255U

static int check_ours(const char *path)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        return st.st_uid == geteuid() ? 0 : -EPERM;
}

int client_runtime_directory(char **ret)
{
        _cleanup_free_ char *folder = NULL;
        const char *set = getenv("XDG_RUNTIME_DIR");
        int r = -EPERM;

        if (!isempty(set) && set[0] == '/') {
                folder = strdup(set);
                r = folder ? check_ours(folder) : -ENOMEM;
        }
        /* sudo and su may leave the variable of the user that one was. */
        if (r == -EPERM) {
                free(folder);
                if (asprintf(&folder, "/run/user/%u", (unsigned) geteuid()) < 0)
                        folder = NULL;
                r = folder ? check_ours(folder) : -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(folder);
        return 0;
}

/* D-Bus addresses escape all but a few characters as %xx. */
static int append_escaped(Buffer *b, const char *value)
{
        int r;

        for (const char *p = value; *p; p++) {
                bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
                        (*p >= 'a' && *p <= 'z') || strchr("-_/.\\*", *p);

                r = plain ? buffer_append(b, p, 1)
                          : buffer_append_format(b, "%%%02x", (unsigned char) *p);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int path_address(const char *folder, const char *name, char **ret)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(16));
        int r;

        r = buffer_append_string(&b, "unix:path=");
        if (r < 0)
                return r;
        r = append_escaped(&b, folder);
        if (r < 0)
                return r;
        r = buffer_append_string(&b, name);
        if (r < 0)
                return r;
        return buffer_steal(&b, ret, NULL);
}

static int start(const char *address, bool is_bus, sd_bus **ret)
{
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(bus, is_bus);
        if (r < 0)
                return r;
        r = sd_bus_negotiate_fds(bus, true);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

static int address_below_runtime(const char *name, char **ret)
{
        _cleanup_free_ char *folder = NULL;
        int r;

        r = client_runtime_directory(&folder);
        if (r < 0)
                return r;
        return path_address(folder, name, ret);
}

static int connect_session(sd_bus **ret)
{
        const char *set = getenv("DBUS_SESSION_BUS_ADDRESS");
        _cleanup_free_ char *address = NULL;
        int r;

        if (!isempty(set))
                return start(set, true, ret);
        r = address_below_runtime("/bus", &address);
        if (r < 0)
                return r;
        return start(address, true, ret);
}

static int connect_private(sd_bus **ret)
{
        _cleanup_free_ char *address = NULL;
        int r;

        r = address_below_runtime("/conductor/bus", &address);
        if (r < 0)
                return r;
        return start(address, false, ret);
}

int client_connect_systemd(sd_bus *bus, sd_bus **ret)
{
        _cleanup_free_ char *ours = NULL, *address = NULL;
        const char *used;
        int r;

        r = address_below_runtime("/conductor/bus", &ours);
        if (r >= 0)
                r = sd_bus_get_address(bus, &used);
        if (r >= 0)
                r = streq(used, ours) ? address_below_runtime("/systemd/private", &address)
                                      : -ENXIO;
        if (r < 0)
                return r;
        return start(address, false, ret);
}

/* What the remote shell runs. The bridge's own --user is for containers only. */
#define BRIDGE \
        "exec systemd-stdio-bridge --bus-path=\"${DBUS_SESSION_BUS_ADDRESS:-unix:path=" \
        "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/bus}\""

/* Nothing on the user's bus knows it; where there is no logind, nothing is said. */
#define LINGER \
        "case \"$(loginctl show-user \"$(id -u)\" --property=Linger --value 2>/dev/null)\" in no) " \
        "echo \"conductor: run loginctl enable-linger on $(uname -n), or replies end when you log " \
        "out there\" >&2;; esac; "

static int append_command(Buffer *address, ClientFlags flags)
{
        return append_escaped(address,
                flags & CLIENT_WILL_ASK ? "sh -c '" LINGER BRIDGE "'" : "sh -c '" BRIDGE "'");
}

static int ssh_address(const char *host, ClientFlags flags, char **ret)
{
        const char *options = flags & CLIENT_WAIT ? "-xT" : "-xToBatchMode=yes";
        _cleanup_buffer_ Buffer address = BUFFER_INIT(KIB(4));
        int r;

        r = buffer_append_string(&address, "unixexec:path=ssh,argv1=");
        if (r >= 0)
                r = append_escaped(&address, options);
        if (r >= 0)
                r = buffer_append_string(&address, ",argv2=--,argv3=");
        if (r < 0)
                return r;
        r = append_escaped(&address, host);
        if (r < 0)
                return r;
        r = buffer_append_string(&address, ",argv4=");
        if (r < 0)
                return r;
        r = append_command(&address, flags);
        if (r < 0)
                return r;
        return buffer_steal(&address, ret, NULL);
}

static int connect_host(const ClientOptions *options, sd_bus **ret, Failure *failure)
{
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        const char *host = options->host, *name;
        _cleanup_free_ char *address = NULL;
        int r;

        /* ssh would read a leading dash as an option. */
        if (isempty(host) || host[0] == '-' || strlen(host) > HOST_MAX)
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "'%.64s' is not a host; write user@host.", host);
        r = ssh_address(host, options->flags, &address);
        if (r >= 0)
                r = start(address, true, &bus);
        if (r >= 0 && options->flags & CLIENT_WAIT)
                r = sd_bus_get_unique_name(bus, &name);
        if (r < 0)
                return failure_set(failure, FAILURE_NO_SERVICE,
                        "Your session bus on %s is not reached by ssh (%s), which may have said "
                        "why. 'ssh %s systemctl --user status' must work.",
                        host, strerrordesc_np(-r), host);
        *ret = TAKE_PTR(bus);
        return 0;
}

static int fail_unreachable(int session, int private, Failure *failure)
{
        const char *set = getenv("XDG_RUNTIME_DIR");
        _cleanup_free_ char *folder = NULL;

        if (client_runtime_directory(&folder) >= 0) {
                errno = -(private < 0 ? private : session);
                return failure_set(failure, FAILURE_NO_SERVICE,
                        "The conductor service cannot be reached, neither on the session bus nor "
                        "at %s/conductor/bus (%m). 'systemctl --user start conductor.socket' opens "
                        "the door; 'conductor doctor' finds out more.",
                        folder);
        }
        if (isempty(set))
                return failure_set(failure, FAILURE_NO_SERVICE,
                        "There is no session here: XDG_RUNTIME_DIR is not set and /run/user/%u is "
                        "missing. Log in, or run 'loginctl enable-linger' once; under su or cron, "
                        "linger is what keeps the session's bus.",
                        (unsigned) geteuid());
        return failure_set(failure, FAILURE_NO_SERVICE,
                "There is no session here: XDG_RUNTIME_DIR is %s, which is not a folder of yours. "
                "Log in, or run 'loginctl enable-linger' once.",
                set);
}

int client_connect(
        const ClientOptions *options, sd_bus **ret, ClientDoor *ret_door, Failure *failure)
{
        const char *door = getenv("CONDUCTOR_BUS"), *address;
        int session = -ENOENT, private = -ENOENT;

        if (options && options->host) {
                *ret_door = CLIENT_REMOTE;
                return connect_host(options, ret, failure);
        }
        if (isempty(door) || streq(door, "session")) {
                *ret_door = CLIENT_SESSION;
                session = connect_session(ret);
                if (session >= 0)
                        return 0;
        }
        if (isempty(door) || streq(door, "private")) {
                *ret_door = CLIENT_PRIVATE;
                private = connect_private(ret);
                if (private >= 0)
                        return 0;
                return fail_unreachable(session, private, failure);
        }
        if (session < 0 && streq(door, "session"))
                return fail_unreachable(session, private, failure);

        address = startswith(door, "bus:");
        *ret_door = address ? CLIENT_SESSION : CLIENT_PRIVATE;
        if (!address)
                address = startswith(door, "peer:");
        if (!address)
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "CONDUCTOR_BUS=%s is not understood; it may be session, private, "
                        "bus:ADDRESS or peer:ADDRESS.",
                        door);
        session = start(address, *ret_door == CLIENT_SESSION, ret);
        if (session < 0)
                return failure_set(failure, FAILURE_NO_SERVICE, "Cannot connect to %s: %s", address,
                        strerrordesc_np(-session));
        return 0;
}
