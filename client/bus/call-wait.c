/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/call.h"

#include <stdarg.h>

/* A file of its own, so that a client with a loop does not link what waits. */

int client_send(sd_bus *bus, sd_bus_message *call, sd_bus_message **ret_reply, Failure *failure)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call(bus, call, UINT64_MAX, &error, ret_reply);
        if (r < 0)
                return client_fail(failure, r, &error);
        return 0;
}

int client_call(sd_bus *bus, const char *path, const char *interface, const char *member,
        sd_bus_message **ret_reply, Failure *failure, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        va_list ap;
        int r;

        r = client_new_call(bus, path, interface, member, &call);
        if (r >= 0 && !isempty(types)) {
                va_start(ap, types);
                r = sd_bus_message_appendv(call, types, ap);
                va_end(ap);
        }
        if (r < 0)
                return failure_set_errno(failure, r, "%s cannot be called", member);
        return client_send(bus, call, ret_reply, failure);
}
