/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reaching the service. */

#include <stdarg.h>

#include "client/bus/call.h"
#include "client/bus/start.h"
#include "client/cli/cli.h"

int cli_connect(Cli *cli)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        ClientOptions options = { .host = cli->host, .flags = CLIENT_WAIT | cli->flags };

        if (cli->bus)
                return EXIT_DONE;
        if (client_connect(&options, &cli->bus, &cli->door, &failure) < 0)
                return cli_fail(cli, &failure);
        if (client_start_service(cli->bus, cli->door, &failure) < 0)
                return cli_fail(cli, &failure);
        return EXIT_DONE;
}

int cli_call(Cli *cli, const char *path, const char *interface, const char *member,
        sd_bus_message **ret_reply, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        va_list ap;
        int r;

        r = cli_connect(cli);
        if (r != EXIT_DONE)
                return r;
        r = client_new_call(cli->bus, path, interface, member, &call);
        if (r >= 0 && !isempty(types)) {
                va_start(ap, types);
                r = sd_bus_message_appendv(call, types, ap);
                va_end(ap);
        }
        if (r == -EINVAL) {
                cli_error("conductor: %s takes text in UTF-8 only.", member);
                return EXIT_USAGE;
        }
        if (r < 0) {
                cli_error("conductor: %s cannot be called: %s", member, strerror(-r));
                return EXIT_FAILED;
        }
        r = client_send(cli->bus, call, ret_reply, &failure);
        return r < 0 ? cli_fail(cli, &failure) : EXIT_DONE;
}
