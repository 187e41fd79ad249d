/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/call.h"

#include "common/names.h"

int client_fail(Failure *failure, int r, const sd_bus_error *error)
{
        const char *own;

        assert(r < 0);

        /* The library names what it made of an errno itself. */
        if (!error || !sd_bus_error_is_set(error) || startswith(error->name, "System.Error.")) {
                if (r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE || r == -ETIMEDOUT)
                        (void) failure_set(failure, FAILURE_NO_SERVICE,
                                "The connection to the conductor service broke. "
                                "'conductor doctor' finds out why.");
                return failure_set_errno(failure, r, "The conductor service did not answer");
        }
        own = startswith(error->name, ERROR_PREFIX);
        if (own) {
                (void) failure_set(
                        failure, failure_code_from_string(own), "%s", strempty(error->message));
                return r;
        }
        if (sd_bus_error_has_names(
                    error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                (void) failure_set(failure, FAILURE_NO_SERVICE,
                        "The bus does not know the conductor service. Is it installed? "
                        "'systemctl --user status conductor.service' says more.");
                return r;
        }
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY)) {
                (void) failure_set(failure, FAILURE_NO_SERVICE,
                        "The conductor service went away before it had answered. "
                        "'journalctl --user -u conductor.service' says why.");
                return r;
        }
        if (strstr(error->name, ".Spawn.") ||
                startswith(error->name, "org.freedesktop.systemd1.")) {
                (void) failure_set(failure, FAILURE_NO_SERVICE,
                        "The conductor service could not be started: %s. "
                        "'conductor doctor' finds out why.",
                        strempty(error->message));
                return r;
        }
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_METHOD)) {
                (void) failure_set(failure, FAILURE_NOT_SUPPORTED,
                        "The running conductor service is older than this program: "
                        "'systemctl --user restart conductor.service' starts the new one.");
                return r;
        }
        (void) failure_set(failure,
                sd_bus_error_has_name(error, SD_BUS_ERROR_INVALID_ARGS) ? FAILURE_INVALID_ARGUMENT
                                                                        : FAILURE_INTERNAL,
                "%s", isempty(error->message) ? error->name : error->message);
        return r;
}

int client_new_call(sd_bus *bus, const char *path, const char *interface, const char *member,
        sd_bus_message **ret)
{
        return sd_bus_message_new_method_call(bus, ret, BUS_NAME, path, interface, member);
}
