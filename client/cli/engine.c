/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor engine: list, add, test, remove. */

#include "client/cli/engine.h"

#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/json-util.h"
#include "common/names.h"

int engine_fetch_all(Cli *cli, json_object **ret)
{
        static const char *const names[] = { "name", "type", "state", "details" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        json_object *engines;
        int r;

        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListEngines", &reply, NULL);
        if (r != EXIT_DONE)
                return r;
        engines = cli_rows(reply, names, ELEMENTSOF(names));
        if (!engines)
                return EXIT_FAILED;
        *ret = engines;
        return EXIT_DONE;
}

const char *engine_detail(json_object *engine, const char *key)
{
        json_object *details;

        return json_get_object(engine, "details", &details) < 0 ? "" : cli_member(details, key);
}

/* ---- list ---- */

static int print_engines(json_object *engines)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        int r = 0;

        for (size_t i = 0; r >= 0 && i < json_object_array_length(engines); i++) {
                json_object *engine = json_object_array_get_idx(engines, i);
                const char *error = engine_detail(engine, "last_error");

                r = buffer_append_format(&b, "%-14s %-10s %-12s %s%s%s\n",
                        cli_member(engine, "name"), cli_member(engine, "type"),
                        cli_member(engine, "state"), engine_detail(engine, "url"),
                        isempty(error) ? "" : "  ", error);
        }
        if (r >= 0)
                return cli_print(buffer_text(&b), b.size);
        cli_error("conductor: the engines cannot be shown: %s", strerror(-r));
        return EXIT_FAILED;
}

static int list(Cli *cli, int argc, char *argv[])
{
        _cleanup_(json_putp) json_object *engines = NULL;
        int r;

        r = engine_fetch_all(cli, &engines);
        if (r != EXIT_DONE)
                return r;
        return cli->json == JSON_OFF ? print_engines(engines)
                                     : cli_print_json(cli, TAKE_PTR(engines));
}

/* ---- test ---- */

typedef struct Count {
        const char *engine;
        unsigned n;
} Count;

static int count_row(sd_bus_message *m, void *userdata)
{
        Count *c = ASSERT_PTR(userdata);
        const char *model, *engine;
        int r;

        r = sd_bus_message_read(m, "ss", &model, &engine);
        if (r < 0)
                return r;
        c->n += streq(engine, c->engine);
        return 0;
}

static int count_models(Cli *cli, const char *name, unsigned *ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Count c = { .engine = name };
        int r;

        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListModels", &reply, "b", true);
        if (r == EXIT_DONE)
                r = cli_each_row(reply, ROW_MODEL, count_row, &c);
        if (r != EXIT_DONE)
                return r;
        *ret = c.n;
        return EXIT_DONE;
}

static int say_state(json_object *engine, unsigned models)
{
        const char *name = cli_member(engine, "name"), *state = cli_member(engine, "state");
        const char *url = engine_detail(engine, "url");
        const char *error = engine_detail(engine, "last_error");
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(16));

        if (!streq(state, "ready")) {
                cli_error(
                        "conductor: %s is %s%s%s", name, state, isempty(error) ? "." : ": ", error);
                return EXIT_ENGINE;
        }
        if (buffer_append_format(&b, "%s answers%s%s, with %u model%s.\n", name,
                    isempty(url) ? "" : " at ", url, models, models == 1 ? "" : "s") < 0)
                return EXIT_FAILED;
        return cli_print(buffer_text(&b), b.size);
}

static int test(Cli *cli, int argc, char *argv[])
{
        _cleanup_(json_putp) json_object *engines = NULL;
        unsigned models;
        int r;

        /* Asking for the models is what finds out how the engine is. */
        r = count_models(cli, argv[1], &models);
        if (r == EXIT_DONE)
                r = engine_fetch_all(cli, &engines);
        if (r != EXIT_DONE)
                return r;

        for (size_t i = 0; i < json_object_array_length(engines); i++) {
                json_object *engine = json_object_array_get_idx(engines, i);

                if (streq(cli_member(engine, "name"), argv[1]))
                        return say_state(engine, models);
        }
        cli_error(
                "conductor: there is no engine '%s'; 'conductor engine list' shows them.", argv[1]);
        return EXIT_NOT_FOUND;
}

int verb_engine(Cli *cli, int argc, char *argv[])
{
        static const SubVerb verbs[] = {
                { "list", 1, 1, NULL, list, "list" },
                { "add", 3, 4, "engines", engine_add, "add NAME TYPE URL [--key-file PATH]" },
                { "test", 2, 2, NULL, test, "test NAME" },
                { "remove", 2, 2, "engines", engine_remove, "remove NAME" },
                { NULL, 0, 0, NULL, NULL, NULL },
        };

        return cli_run_sub_verb(cli, verbs, "list|add|test|remove", argc, argv);
}
