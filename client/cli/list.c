/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The listings. What has any width comes last in a line, and is cut where a terminal's line ends.
 */

#include <inttypes.h>
#include <time.h>

#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/json-util.h"
#include "common/names.h"

#define LIST_USUAL  100U
#define LISTING_MAX MIB(64)

/* Ends a line with a text that may be too long for the terminal. */
static int append_rest(Buffer *b, size_t line, const char *text)
{
        size_t columns = cli_columns(), used = 0, fits;
        int r;

        if (columns != SIZE_MAX) {
                used = b->size - line; /* all ASCII so far */
                columns = columns > used ? columns - used : 0;
                fits = cli_fitting(text, columns);
                if (text[fits]) {
                        fits = cli_fitting(text, columns > 0 ? columns - 1 : 0);
                        return buffer_append_format(b, "%.*s…\n", (int) fits, text);
                }
        }
        r = buffer_append_string(b, text);
        return r < 0 ? r : buffer_append(b, "\n", 1);
}

/* ---- list ---- */

typedef struct Details {
        const char *state;
        uint64_t messages, unread;
} Details;

static int read_detail(sd_bus_message *m, const char *key, void *userdata)
{
        Details *d = ASSERT_PTR(userdata);

        if (streq(key, "state"))
                return sd_bus_message_read(m, "v", "s", &d->state);
        if (streq(key, "messages"))
                return sd_bus_message_read(m, "v", "t", &d->messages);
        if (streq(key, "unread"))
                return sd_bus_message_read(m, "v", "t", &d->unread);
        return 0;
}

static void format_time(uint64_t usec, char *ret, size_t size)
{
        time_t seconds = usec / USEC_PER_SEC;
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(ret, size, "%Y-%m-%d %H:%M", &tm) == 0)
                (void) snprintf(ret, size, "-");
}

typedef struct Listing {
        json_object *rows; /* or, without --json=, */
        Buffer text;
        unsigned n;
} Listing;

static int list_row(sd_bus_message *m, void *userdata)
{
        const char *path, *title, *model;
        Listing *l = ASSERT_PTR(userdata);
        uint64_t created, modified;
        Details d = { .state = "" };
        size_t line = l->text.size;
        char when[32];
        int r;

        r = sd_bus_message_read(m, "osstt", &path, &title, &model, &created, &modified);
        if (r < 0)
                return r;
        r = cli_each_entry(m, read_detail, &d);
        if (r < 0)
                return r;
        format_time(modified, when, sizeof when);
        r = buffer_append_format(&l->text, "%.*s  %s  %-9s %5" PRIu64 "  %s", ID_SHOWN,
                cli_id(path), when, d.state, d.messages, d.unread > 0 ? "* " : "");
        if (r < 0)
                return r;
        l->n++;
        return append_rest(&l->text, line, isempty(title) ? "(no title)" : title);
}

static int list_page(sd_bus_message *page, void *userdata)
{
        static const char *const names[] = { "path", "title", "model", "created", "modified",
                "more" };
        Listing *l = ASSERT_PTR(userdata);

        return l->rows ? cli_add_rows(l->rows, page, names, ELEMENTSOF(names))
                       : cli_each_row(page, ROW_CONVERSATION, list_row, l);
}

static int print_listing(const Cli *cli, const Listing *l, uint32_t limit)
{
        int r;

        if (l->n == 0) {
                cli_error(cli->archived        ? "No conversation is archived."
                                : cli->deleted ? "No conversation is set aside."
                                               : "No conversations; 'conductor ask' begins one.");
                return EXIT_DONE;
        }
        r = cli_print(buffer_text(&l->text), l->text.size);
        if (r == EXIT_DONE && l->n == limit && cli->limit == 0 && !cli->quiet &&
                cli_is_terminal(STDERR_FILENO))
                cli_error("(the newest %u; --all shows all)", (unsigned) limit);
        return r;
}

int verb_list(Cli *cli, int argc, char *argv[])
{
        ListKind kind = cli->deleted ? LIST_DELETED : cli->archived ? LIST_ARCHIVED : LIST_CURRENT;
        uint32_t limit = cli->limit > 0 ? cli->limit : cli->all ? 0 : LIST_USUAL;
        Listing l = { .text = BUFFER_INIT(LISTING_MAX) };
        int r;

        if (cli->json != JSON_OFF) {
                l.rows = json_object_new_array();
                if (!l.rows)
                        return cli_print_json(cli, NULL);
        }
        r = cli_each_page(cli, kind, limit, list_page, &l);
        if (r == EXIT_DONE)
                r = l.rows ? cli_print_json(cli, TAKE_PTR(l.rows)) : print_listing(cli, &l, limit);
        json_object_put(l.rows);
        buffer_done(&l.text);
        return r;
}

/* ---- search ---- */

static int hit_row(sd_bus_message *m, void *userdata)
{
        const char *path, *role, *snippet;
        Buffer *b = ASSERT_PTR(userdata);
        size_t line = b->size;
        uint64_t message;
        int r;

        r = sd_bus_message_read(m, "otss", &path, &message, &role, &snippet);
        if (r < 0)
                return r;
        r = buffer_append_format(
                b, "%.*s  %6" PRIu64 "  %-9s  ", ID_SHOWN, cli_id(path), message, role);
        return r < 0 ? r : append_rest(b, line, snippet);
}

/* One line for each row, or the sentence when there is none. */
static int print_rows(sd_bus_message *m, const char *types, cli_row_t row, const char *none)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(LISTING_MAX);
        int r;

        r = cli_each_row(m, types, row, &b);
        if (r != EXIT_DONE)
                return r;
        if (b.size == 0)
                cli_error("%s", none);
        return cli_print(buffer_text(&b), b.size);
}

int verb_search(Cli *cli, int argc, char *argv[])
{
        static const char *const names[] = { "path", "message", "role", "snippet", "more" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_buffer_ Buffer query = BUFFER_INIT(KIB(64));
        uint32_t limit = cli->limit > 0 ? cli->limit : 20;
        json_object *rows;
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
        if (cli->json == JSON_OFF)
                return print_rows(reply, ROW_HIT, hit_row, "No message has all of these words.");
        rows = cli_rows(reply, names, ELEMENTSOF(names));
        return rows ? cli_print_json(cli, rows) : EXIT_FAILED;
}

/* ---- models ---- */

static int model_row(sd_bus_message *m, void *userdata)
{
        const char *model, *engine, *state;
        Buffer *b = ASSERT_PTR(userdata);
        int r;

        r = sd_bus_message_read(m, "sss", &model, &engine, &state);
        return r < 0 ? r : buffer_append_format(b, "%-11s  %s/%s\n", state, engine, model);
}

int verb_models(Cli *cli, int argc, char *argv[])
{
        static const char *const names[] = { "model", "engine", "state", "details" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        json_object *rows;
        int r;

        r = cli_call(
                cli, PATH_ROOT, INTERFACE_MANAGER, "ListModels", &reply, "b", (int) cli->refresh);
        if (r != EXIT_DONE)
                return r;
        if (cli->json == JSON_OFF)
                return print_rows(reply, ROW_MODEL, model_row,
                        "No engine has a model now; 'conductor doctor' says why.");
        rows = cli_rows(reply, names, ELEMENTSOF(names));
        return rows ? cli_print_json(cli, rows) : EXIT_FAILED;
}
