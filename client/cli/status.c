/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor status: what the service is doing now. */

#include "client/bus/message-json.h"
#include "client/cli/engine.h"
#include "client/cli/verbs.h"
#include "common/json-util.h"
#include "common/names.h"

static int fetch_statistics(Cli *cli, json_object **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "GetStatistics", &reply, NULL);
        if (r != EXIT_DONE)
                return r;
        r = message_to_json(reply, ret);
        if (r >= 0)
                return EXIT_DONE;
        cli_error("conductor: the service's numbers cannot be read: %s", strerror(-r));
        return EXIT_FAILED;
}

static unsigned long long number(json_object *statistics, const char *key)
{
        uint64_t n = 0;

        (void) json_get_u64(statistics, key, &n);
        return n;
}

static int append_statistics(Buffer *b, json_object *s)
{
        return buffer_append_format(b,
                "version        %s\n"
                "conversations  %llu\n"
                "replies        %llu live, %llu waiting\n"
                "engines        %llu requests, %llu queued\n"
                "followers      %llu; %llu stalls since the start\n"
                "surfaces       %llu\n"
                "connections    %llu private\n"
                "calls          %llu in flight, %llu messages queued\n"
                "store          %llu requests pending\n",
                cli_member(s, "version"), number(s, "conversations"), number(s, "replies_live"),
                number(s, "replies_waiting"), number(s, "engine_requests"),
                number(s, "engine_queue"), number(s, "followers"), number(s, "stalls"),
                number(s, "surfaces"), number(s, "private_connections"), number(s, "calls"),
                number(s, "messages_queued"), number(s, "store_pending"));
}

static int append_engines(Buffer *b, json_object *engines)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < json_object_array_length(engines); i++) {
                json_object *engine = json_object_array_get_idx(engines, i);
                const char *url = engine_detail(engine, "url");
                const char *error = engine_detail(engine, "last_error");

                if (!isempty(error)) /* that says enough */
                        url = "";
                r = buffer_append_format(b, "engine         %s: %s%s%s%s%s\n",
                        cli_member(engine, "name"), cli_member(engine, "state"),
                        isempty(url) ? "" : " at ", url, isempty(error) ? "" : ": ", error);
        }
        return r;
}

static int print_both(json_object *statistics, json_object *engines)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        int r;

        r = append_statistics(&b, statistics);
        if (r >= 0)
                r = append_engines(&b, engines);
        if (r >= 0)
                return cli_print(buffer_text(&b), b.size);
        cli_error("conductor: the status cannot be shown: %s", strerror(-r));
        return EXIT_FAILED;
}

int verb_status(Cli *cli, int argc, char *argv[])
{
        _cleanup_(json_putp) json_object *statistics = NULL, *engines = NULL, *both = NULL;
        int r;

        r = fetch_statistics(cli, &statistics);
        if (r == EXIT_DONE)
                r = engine_fetch_all(cli, &engines);
        if (r != EXIT_DONE)
                return r;
        if (cli->json == JSON_OFF)
                return print_both(statistics, engines);

        both = json_object_new_object();
        if (both && cli_add_shared(both, "statistics", statistics) >= 0 &&
                cli_add_shared(both, "engines", engines) >= 0)
                return cli_print_json(cli, TAKE_PTR(both));
        cli_error("conductor: out of memory.");
        return EXIT_FAILED;
}
