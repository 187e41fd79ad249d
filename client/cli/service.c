/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reaching the service and what it keeps. */

#include <stdarg.h>

#include "client/bus/call.h"
#include "client/cli/cli.h"
#include "common/names.h"

#define ID_DIGITS 32U

int cli_connect(Cli *cli)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        ClientOptions options = { .host = cli->host };

        if (cli->bus)
                return EXIT_DONE;
        if (client_connect(&options, &cli->bus, &cli->door, &failure) < 0) {
                (void) cli_fail(&failure);
                return failure.code == FAILURE_INVALID_ARGUMENT ? EXIT_USAGE : EXIT_NO_SERVICE;
        }
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
        if (r < 0) {
                cli_error("conductor: %s cannot be called: %s", member, strerror(-r));
                return EXIT_USAGE;
        }
        r = client_send(cli->bus, call, ret_reply, &failure);
        return r < 0 ? cli_fail(&failure) : EXIT_DONE;
}

/* Looks through a list for ids that begin with the word (all of them do with ""): 1 found and
 * unique, 0 none, -EEXIST several. */
static int match_list(sd_bus_message *m, const char *word, char **ret)
{
        _cleanup_free_ char *found = NULL;
        const char *path, *id;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(osstta{sv})");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'r', "osstta{sv}")) > 0) {
                r = sd_bus_message_read(m, "o", &path);
                if (r < 0)
                        return r;
                id = strrchr(path, '/') + 1;
                if (startswith(id, word)) {
                        if (found)
                                return -EEXIST;
                        found = strdup(path);
                        if (!found)
                                return -ENOMEM;
                }
                r = sd_bus_message_skip(m, "sstta{sv}");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (!found)
                return 0;
        *ret = TAKE_PTR(found);
        return 1;
}

static int find_last(Cli *cli, char **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *list = NULL;
        int r;

        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", &list, "a{sv}", 1,
                "limit", "u", UINT32_C(1));
        if (r != EXIT_DONE)
                return r;
        if (match_list(list, "", ret) > 0)
                return EXIT_DONE;
        cli_error("conductor: there is no conversation yet; 'conductor ask' begins one.");
        return EXIT_NOT_FOUND;
}

/* The word is looked for in all lists: a deleted conversation can be named to restore it. */
static int find_by_prefix(Cli *cli, const char *word, char **ret)
{
        static const char *const lists[] = { NULL, "archived", "deleted" };
        int r, found;

        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *list = NULL;

                if (!lists[i])
                        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", &list,
                                "a{sv}", 1, "limit", "u", UINT32_C(1000));
                else
                        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", &list,
                                "a{sv}", 2, "limit", "u", UINT32_C(1000), lists[i], "b", true);
                if (r != EXIT_DONE)
                        return r;
                found = match_list(list, word, ret);
                if (found == -EEXIST) {
                        cli_error("conductor: several ids begin with '%s'; give more of it.", word);
                        return EXIT_USAGE;
                }
                if (found > 0)
                        return EXIT_DONE;
        }
        cli_error("conductor: there is no conversation '%s'; 'conductor list' shows those there "
                  "are.",
                word);
        return EXIT_NOT_FOUND;
}

int cli_find_conversation(Cli *cli, const char *word, char **ret)
{
        const char *tail = startswith(word, PATH_CONVERSATION "/");

        if (tail)
                word = tail;
        if (streq(word, "last"))
                return find_last(cli, ret);
        if (isempty(word) || strspn(word, "0123456789abcdef") != strlen(word) ||
                strlen(word) > ID_DIGITS) {
                cli_error("conductor: '%s' is not the id of a conversation; 'conductor list' shows "
                          "them.",
                        word);
                return EXIT_USAGE;
        }
        if (strlen(word) < ID_DIGITS)
                return find_by_prefix(cli, word, ret);
        if (asprintf(ret, PATH_CONVERSATION "/%s", word) < 0) {
                *ret = NULL;
                return EXIT_FAILED;
        }
        return EXIT_DONE;
}
