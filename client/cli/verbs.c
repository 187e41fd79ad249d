/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/cli/verbs.h"

/* clang-format off */
const Verb cli_verbs[] = {
        { "ask",     0, UINT32_MAX, verb_ask,     "[WORD...]",        "ask; words, standard input or both" },
        { "list",    0, 0,          verb_list,    "",               "the conversations, newest first" },
        { "show",    0, 1,          verb_show,    "[ID]",           "a conversation's messages" },
        { "search",  1, UINT32_MAX, verb_search,  "WORD...",          "full text search in all messages" },
        { "models",  0, 0,          verb_models,  "",               "the models of all engines" },
        { "default", 0, 1,          verb_default, "[MODEL]",        "the model that answers, or set it" },
        { "rename",  2, UINT32_MAX, verb_rename,  "ID TITLE...",      "give a conversation a title" },
        { "delete",  1, UINT32_MAX, verb_delete,  "ID...",            "set aside; gone for good after 7 days" },
        { "restore", 1, UINT32_MAX, verb_restore, "DELETED-ID...",            "take back what was deleted" },
        { "archive", 1, UINT32_MAX, verb_archive, "ID...",            "take out of the list" },
        { "cancel",  0, 1,          verb_cancel,  "[ID]",           "end the reply that is being written" },
        { "export",  0, UINT32_MAX, verb_export,  "[ID...]",          "as markdown, json or jsonl" },
        { "import",  1, UINT32_MAX, verb_import,  "FILE...",          "read an export (jsonl) back" },
        { "engine",  1, 4,          verb_engine,  "list|add|test|remove [ENGINE...]", "the engines that answer" },
        { "key",     1, 3,          verb_key,     "list|set|remove [ENGINE]", "the keys that engines want" },
        { "status",  0, 0,          verb_status,  "",               "the service: replies, queues, stalls" },
        { "monitor", 0, 0,          verb_monitor, "",               "all events as JSON lines" },
        { "reload",  0, 0,          verb_reload,  "",               "read the configuration again" },
        { "doctor",  0, 0,          verb_doctor,  "",               "what is wrong, and what mends it" },
        { NULL,      0, 0,          NULL,         NULL,             NULL },
};
/* clang-format on */

int cli_run_sub_verb(Cli *cli, const SubVerb *verbs, const char *names, int argc, char *argv[])
{
        const char *verb = argv[0];

        argc--;
        argv++;
        for (const SubVerb *v = verbs; v->name; v++) {
                if (!streq(argv[0], v->name))
                        continue;
                if (argc < v->min || argc > v->max) {
                        cli_error("conductor: use it as: conductor %s %s", verb, v->usage);
                        return EXIT_USAGE;
                }
                if (v->local && cli->host) {
                        cli_error("conductor: %s of another machine are changed there: "
                                  "'ssh -t %s conductor %s %s …'.",
                                v->local, cli->host, verb, v->name);
                        return EXIT_USAGE;
                }
                return v->run(cli, argc, argv);
        }
        cli_error("conductor: use it as: conductor %s %s", verb, names);
        return EXIT_USAGE;
}
