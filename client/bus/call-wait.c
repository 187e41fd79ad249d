/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/call.h"

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
