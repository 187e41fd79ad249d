/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The verbs that change one thing each. */

#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/names.h"

static int on_conversation(Cli *cli, const char *word, const char *member)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = cli_find_conversation(cli, word, &path);
        if (r != EXIT_DONE)
                return r;
        return cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, member, NULL, "s", cli_id(path));
}

/* Goes through all of them; the first failure is the exit code. */
static int on_each(Cli *cli, int argc, char *argv[], const char *member)
{
        int first = EXIT_DONE, r;

        for (int i = 1; i < argc; i++) {
                r = on_conversation(cli, argv[i], member);
                if (first == EXIT_DONE)
                        first = r;
        }
        return first;
}

int verb_delete(Cli *cli, int argc, char *argv[])
{
        return on_each(cli, argc, argv, "DeleteConversation");
}

int verb_restore(Cli *cli, int argc, char *argv[])
{
        return on_each(cli, argc, argv, "RestoreConversation");
}

int verb_archive(Cli *cli, int argc, char *argv[])
{
        int first = EXIT_DONE, r;

        for (int i = 1; i < argc; i++) {
                _cleanup_free_ char *path = NULL;

                r = cli_find_conversation(cli, argv[i], &path);
                if (r == EXIT_DONE)
                        r = cli_call(cli, path, INTERFACE_CONVERSATION, "Archive", NULL, "b",
                                !cli->undo);
                if (first == EXIT_DONE)
                        first = r;
        }
        return first;
}

int verb_rename(Cli *cli, int argc, char *argv[])
{
        _cleanup_buffer_ Buffer title = BUFFER_INIT(KIB(64));
        _cleanup_free_ char *path = NULL;
        int r;

        for (int i = 2; i < argc; i++)
                if (buffer_append_format(&title, "%s%s", i > 2 ? " " : "", argv[i]) < 0) {
                        cli_error("conductor: that title is too long.");
                        return EXIT_LIMIT;
                }
        r = cli_find_conversation(cli, argv[1], &path);
        if (r != EXIT_DONE)
                return r;
        return cli_call(
                cli, path, INTERFACE_CONVERSATION, "SetTitle", NULL, "s", buffer_text(&title));
}

int verb_cancel(Cli *cli, int argc, char *argv[])
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = cli_find_conversation(cli, argc > 1 ? argv[1] : "last", &path);
        if (r != EXIT_DONE)
                return r;
        return cli_call(cli, path, INTERFACE_CONVERSATION, "Cancel", NULL, "t", UINT64_C(0));
}

int verb_reload(Cli *cli, int argc, char *argv[])
{
        return cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "Reload", NULL, NULL);
}

static int print_default(Cli *cli)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *model;
        int r;

        r = cli_call(cli, PATH_ROOT, "org.freedesktop.DBus.Properties", "Get", &reply, "ss",
                INTERFACE_MANAGER, "DefaultModel");
        if (r != EXIT_DONE)
                return r;
        r = sd_bus_message_read(reply, "v", "s", &model);
        if (r < 0) {
                cli_error("conductor: the service's answer cannot be read: %s", strerror(-r));
                return EXIT_FAILED;
        }
        if (cli->json != JSON_OFF)
                return cli_print_json(cli, json_object_new_string(model));
        if (isempty(model))
                model = "(none: no engine that has it has answered yet)";
        r = cli_print(model, strlen(model));
        return r != EXIT_DONE ? r : cli_print("\n", 1);
}

int verb_default(Cli *cli, int argc, char *argv[])
{
        if (argc == 1)
                return print_default(cli);
        return cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "SetDefaultModel", NULL, "s", argv[1]);
}
