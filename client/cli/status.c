/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor status: what the service is doing now. */

#include "client/bus/message-json.h"
#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/names.h"

static int fetch(Cli *cli, const char *member, json_object **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, member, &reply, NULL);
        if (r != EXIT_DONE)
                return r;
        if (message_to_json(reply, ret) < 0) {
                cli_error("conductor: the service's answer to %s cannot be read.", member);
                return EXIT_FAILED;
        }
        return EXIT_DONE;
}

static uint64_t number(json_object *statistics, const char *key)
{
        json_object *value;

        return json_object_object_get_ex(statistics, key, &value) ? json_object_get_uint64(value)
                                                                  : 0;
}

static const char *text(json_object *object, const char *key)
{
        json_object *value;

        return json_object_object_get_ex(object, key, &value)
                ? strempty(json_object_get_string(value))
                : "";
}

static int append_statistics(Buffer *b, json_object *s)
{
        return buffer_append_format(b,
                "version        %s\n"
                "conversations  %llu\n"
                "replies        %llu live, %llu waiting\n"
                "engines        %llu requests, %llu queued\n"
                "followers      %llu, %llu dropped since the start\n"
                "surfaces       %llu\n"
                "connections    %llu private\n"
                "calls          %llu in flight, %llu messages queued\n"
                "store          %llu requests pending\n",
                text(s, "version"), (unsigned long long) number(s, "conversations"),
                (unsigned long long) number(s, "replies_live"),
                (unsigned long long) number(s, "replies_waiting"),
                (unsigned long long) number(s, "engine_requests"),
                (unsigned long long) number(s, "engine_queue"),
                (unsigned long long) number(s, "followers"),
                (unsigned long long) number(s, "stalls"),
                (unsigned long long) number(s, "surfaces"),
                (unsigned long long) number(s, "private_connections"),
                (unsigned long long) number(s, "calls"),
                (unsigned long long) number(s, "messages_queued"),
                (unsigned long long) number(s, "store_pending"));
}

/* rows: a(sssa{sv}) as arrays: name, type, state, details. */
static int append_engines(Buffer *b, json_object *rows)
{
        int r;

        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                json_object *row = json_object_array_get_idx(rows, i);
                json_object *details = json_object_array_get_idx(row, 3);
                const char *error = text(details, "last_error");

                r = buffer_append_format(b, "engine         %s: %s%s%s%s%s\n",
                        json_object_get_string(json_object_array_get_idx(row, 0)),
                        json_object_get_string(json_object_array_get_idx(row, 2)),
                        isempty(text(details, "url")) ? "" : " at ", text(details, "url"),
                        isempty(error) ? "" : ": ", error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int verb_status(Cli *cli, int argc, char *argv[])
{
        json_object *statistics = NULL, *engines = NULL, *both;
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        int r;

        r = fetch(cli, "GetStatistics", &statistics);
        if (r != EXIT_DONE)
                return r;
        r = fetch(cli, "ListEngines", &engines);
        if (r != EXIT_DONE) {
                json_object_put(statistics);
                return r;
        }
        if (cli->json_given) {
                both = json_object_new_object();
                (void) json_object_object_add(both, "statistics", statistics);
                (void) json_object_object_add(both, "engines", engines);
                return cli_print_json(cli, both);
        }
        r = append_statistics(&b, statistics);
        if (r >= 0)
                r = append_engines(&b, engines);
        json_object_put(statistics);
        json_object_put(engines);
        if (r >= 0)
                r = cli_write(STDOUT_FILENO, buffer_text(&b), b.size);
        return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
