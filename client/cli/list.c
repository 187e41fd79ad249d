/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The listings. What has any width comes last in a line, so nothing needs to be measured. */

#include <inttypes.h>
#include <time.h>

#include "client/bus/message-json.h"
#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/names.h"

#define ID_SHOWN 8 /* digits of an id: enough to name it */

static int print_buffer(Buffer *b)
{
        int r = cli_write(STDOUT_FILENO, buffer_text(b), b->size);

        return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Prints an answer that is one array as JSON, its structs as objects with these names. */
static int print_named_json(const Cli *cli, sd_bus_message *m, const char *const *names, size_t n)
{
        json_object *rows = NULL, *out = json_object_new_array();

        if (!out || message_to_json(m, &rows) < 0) {
                json_object_put(out);
                return EXIT_FAILED;
        }
        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                json_object *row = json_object_array_get_idx(rows, i);
                json_object *object = json_object_new_object();

                for (size_t k = 0; object && k < n; k++)
                        (void) json_object_object_add(object, names[k],
                                json_object_get(json_object_array_get_idx(row, k)));
                (void) json_object_array_add(out, object);
        }
        json_object_put(rows);
        return cli_print_json(cli, out);
}

static void format_time(uint64_t usec, char *ret, size_t size)
{
        time_t seconds = usec / USEC_PER_SEC;
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(ret, size, "%Y-%m-%d %H:%M", &tm) == 0)
                (void) snprintf(ret, size, "-");
}

/* ---- list ---- */

typedef struct Details {
        const char *state;
        uint64_t messages, unread;
} Details;

static int read_details(sd_bus_message *m, Details *ret)
{
        const char *key;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r < 0)
                        return r;
                if (streq(key, "state"))
                        r = sd_bus_message_read(m, "v", "s", &ret->state);
                else if (streq(key, "messages"))
                        r = sd_bus_message_read(m, "v", "t", &ret->messages);
                else if (streq(key, "unread"))
                        r = sd_bus_message_read(m, "v", "t", &ret->unread);
                else
                        r = sd_bus_message_skip(m, "v");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

static int append_conversation(sd_bus_message *m, Buffer *b)
{
        const char *path, *title, *model;
        uint64_t created, modified;
        Details d = { .state = "" };
        char when[32];
        int r;

        r = sd_bus_message_read(m, "osstt", &path, &title, &model, &created, &modified);
        if (r < 0)
                return r;
        r = read_details(m, &d);
        if (r < 0)
                return r;
        format_time(modified, when, sizeof when);
        return buffer_append_format(b, "%.*s  %s  %-9s %5" PRIu64 "  %s%s\n", ID_SHOWN,
                strrchr(path, '/') + 1, when, d.state, d.messages, d.unread > 0 ? "* " : "",
                isempty(title) ? "(no title yet)" : title);
}

static int print_conversations(sd_bus_message *m)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(16));
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(osstta{sv})");
        if (r < 0)
                return EXIT_FAILED;
        while ((r = sd_bus_message_enter_container(m, 'r', "osstta{sv}")) > 0) {
                r = append_conversation(m, &b);
                if (r < 0)
                        return EXIT_FAILED;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return EXIT_FAILED;
        }
        if (r < 0)
                return EXIT_FAILED;
        if (b.size == 0)
                cli_error("No conversations; 'conductor ask' begins one.");
        return print_buffer(&b);
}

int verb_list(Cli *cli, int argc, char *argv[])
{
        static const char *const names[] = { "path", "title", "model", "created", "modified",
                "more" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint32_t limit = cli->limit > 0 ? cli->limit : cli->all ? 1000 : 100;
        int r;

        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", &reply, "a{sv}", 3,
                "limit", "u", limit, "archived", "b", (int) cli->archived, "deleted", "b",
                (int) cli->deleted);
        if (r != EXIT_DONE)
                return r;
        return cli->json_given ? print_named_json(cli, reply, names, ELEMENTSOF(names))
                               : print_conversations(reply);
}

/* ---- search ---- */

static int append_hit(sd_bus_message *m, Buffer *b)
{
        const char *path, *role, *snippet;
        uint64_t message;
        int r;

        r = sd_bus_message_read(m, "otss", &path, &message, &role, &snippet);
        if (r < 0)
                return r;
        r = sd_bus_message_skip(m, "a{sv}");
        if (r < 0)
                return r;
        return buffer_append_format(b, "%.*s  %6" PRIu64 "  %-9s  %s\n", ID_SHOWN,
                strrchr(path, '/') + 1, message, role, snippet);
}

int verb_search(Cli *cli, int argc, char *argv[])
{
        static const char *const names[] = { "path", "message", "role", "snippet", "more" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_buffer_ Buffer query = BUFFER_INIT(KIB(64)), b = BUFFER_INIT(MIB(16));
        uint32_t limit = cli->limit > 0 ? cli->limit : 20;
        int r;

        for (int i = 1; i < argc; i++)
                if (buffer_append_format(&query, "%s%s", i > 1 ? " " : "", argv[i]) < 0) {
                        cli_error("conductor: that is too much to search for.");
                        return EXIT_LIMIT;
                }
        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "Search", &reply, "sa{sv}",
                buffer_text(&query), 2, "limit", "u", limit, "order", "s",
                cli->order ? cli->order : "newest");
        if (r != EXIT_DONE)
                return r;
        if (cli->json_given)
                return print_named_json(cli, reply, names, ELEMENTSOF(names));

        r = sd_bus_message_enter_container(reply, 'a', "(otssa{sv})");
        if (r < 0)
                return EXIT_FAILED;
        while ((r = sd_bus_message_enter_container(reply, 'r', "otssa{sv}")) > 0) {
                r = append_hit(reply, &b);
                if (r < 0)
                        return EXIT_FAILED;
                r = sd_bus_message_exit_container(reply);
                if (r < 0)
                        return EXIT_FAILED;
        }
        if (b.size == 0)
                cli_error("No message has all of these words.");
        return print_buffer(&b);
}

/* ---- models ---- */

int verb_models(Cli *cli, int argc, char *argv[])
{
        static const char *const names[] = { "model", "engine", "state", "details" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(16));
        const char *model, *engine, *state;
        int r;

        r = cli_call(
                cli, PATH_ROOT, INTERFACE_MANAGER, "ListModels", &reply, "b", (int) cli->refresh);
        if (r != EXIT_DONE)
                return r;
        if (cli->json_given)
                return print_named_json(cli, reply, names, ELEMENTSOF(names));

        r = sd_bus_message_enter_container(reply, 'a', "(sssa{sv})");
        if (r < 0)
                return EXIT_FAILED;
        while ((r = sd_bus_message_enter_container(reply, 'r', "sssa{sv}")) > 0) {
                r = sd_bus_message_read(reply, "sss", &model, &engine, &state);
                if (r >= 0)
                        r = sd_bus_message_skip(reply, "a{sv}");
                if (r >= 0)
                        r = buffer_append_format(&b, "%-11s  %s/%s\n", state, engine, model);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r < 0)
                        return EXIT_FAILED;
        }
        return print_buffer(&b);
}
