/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor show: the messages of a conversation's current branch, oldest first. */

#include <inttypes.h>

#include "client/bus/limits.h"
#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/json-util.h"
#include "common/names.h"

/* Pages come newest first: they are collected and shown from the last one on. */
typedef struct Pages {
        sd_bus_message **pages;
        size_t n, allocated;
} Pages;

static void pages_done(Pages *p)
{
        for (size_t i = 0; i < p->n; i++)
                sd_bus_message_unref(p->pages[i]);
        free(p->pages);
}

static int pages_add(Pages *p, sd_bus_message *m)
{
        if (p->n == p->allocated) {
                size_t allocate = MAX(p->allocated * 2, (size_t) 8);
                sd_bus_message **pages = reallocarray(p->pages, allocate, sizeof *pages);

                if (!pages)
                        return -ENOMEM;
                p->pages = pages;
                p->allocated = allocate;
        }
        p->pages[p->n++] = sd_bus_message_ref(m);
        return 0;
}

/* How many messages a page has, its oldest, and the parent of that. */
typedef struct Measure {
        unsigned n;
        uint64_t id, parent;
} Measure;

static int measure_row(sd_bus_message *m, void *userdata)
{
        Measure *page = ASSERT_PTR(userdata);
        uint64_t id, parent;
        int r;

        r = sd_bus_message_read(m, "tt", &id, &parent);
        if (r < 0)
                return r;
        if (page->n++ == 0) {
                page->id = id;
                page->parent = parent;
        }
        return 0;
}

/* A message is made after the one that it answers; else the pages would not come to an end. */
static bool is_before(const Measure *page, uint64_t end)
{
        return page->n == 0 || (page->parent < page->id && (end == 0 || page->id <= end));
}

static int read_pages(Cli *cli, const char *path, Pages *p)
{
        Measure measured;
        uint64_t end = 0;
        unsigned wanted = cli->limit > 0 ? cli->limit : UINT32_MAX;
        int r;

        do {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                r = cli_call(cli, path, INTERFACE_CONVERSATION, "GetMessages", &m, "tu", end,
                        MIN(wanted, ENTRIES_MAX));
                if (r != EXIT_DONE)
                        return r;
                r = pages_add(p, m);
                if (r < 0) {
                        cli_error("conductor: out of memory.");
                        return EXIT_FAILED;
                }
                measured = (Measure){ 0 };
                r = cli_each_row(m, ROW_MESSAGE, measure_row, &measured);
                if (r != EXIT_DONE)
                        return r;
                if (!is_before(&measured, end)) {
                        cli_error("conductor: the service's messages do not come to an end: one "
                                  "answers one that came after it.");
                        return EXIT_FAILED;
                }
                end = measured.parent;
                wanted -= MIN(measured.n, wanted);
        } while (measured.n > 0 && end > 0 && wanted > 0);
        return EXIT_DONE;
}

/* ---- for people ---- */

/* What is said beside a message's text. */
typedef struct Notes {
        const char *reason, *message;
        Buffer attachments;
} Notes;

static void notes_done(Notes *n)
{
        buffer_done(&n->attachments);
}

static int read_attachments(sd_bus_message *m, Buffer *b)
{
        const char *name, *type;
        uint64_t size;
        int r;

        r = sd_bus_message_enter_container(m, 'v', "a(sst)");
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, 'a', "(sst)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(sst)", &name, &type, &size)) > 0) {
                r = buffer_append_format(b, "[%s, %s, %" PRIu64 " bytes]\n", name, type, size);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static int read_note(sd_bus_message *m, const char *key, void *userdata)
{
        Notes *n = ASSERT_PTR(userdata);

        if (streq(key, "reason"))
                return sd_bus_message_read(m, "v", "s", &n->reason);
        if (streq(key, "message"))
                return sd_bus_message_read(m, "v", "s", &n->message);
        if (streq(key, "attachments"))
                return read_attachments(m, &n->attachments);
        return 0;
}

static int print_role(const char *role)
{
        int r;

        if (cli_colors())
                return cli_print_own("\033[1m%s:\033[0m\n", role);
        r = cli_print(role, strlen(role));
        return r != EXIT_DONE ? r : cli_print(":\n", 2);
}

static int print_message(const char *role, const char *text, const Notes *n)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(128));
        size_t size = strlen(text);
        int r;

        r = buffer_append(&b, text, size);
        if (r >= 0 && size > 0 && text[size - 1] != '\n')
                r = buffer_append(&b, "\n", 1);
        if (r >= 0)
                r = buffer_append(&b, n->attachments.data, n->attachments.size);
        if (r >= 0 && !isempty(n->reason) && !streq(n->reason, "stop"))
                r = buffer_append_format(&b, "(%s%s%s)\n", n->reason,
                        isempty(n->message) ? "" : ": ", strempty(n->message));
        if (r >= 0)
                r = buffer_append(&b, "\n", 1);
        if (r < 0) {
                cli_error("conductor: a message cannot be shown: %s", strerror(-r));
                return EXIT_FAILED;
        }
        r = print_role(role);
        return r != EXIT_DONE ? r : cli_print(b.data, b.size);
}

static int print_row(sd_bus_message *m, void *userdata)
{
        _cleanup_(notes_done) Notes n = { .attachments = BUFFER_INIT(KIB(64)) };
        const char *role, *text;
        uint64_t id, parent;
        int r;

        r = sd_bus_message_read(m, "ttss", &id, &parent, &role, &text);
        if (r < 0)
                return r;
        r = cli_each_entry(m, read_note, &n);
        return r < 0 ? r : print_message(role, text, &n);
}

/* ---- for programs ---- */

/* All pages as one array of objects. */
static int print_json(const Cli *cli, const Pages *p)
{
        static const char *const names[] = { "id", "parent", "role", "content", "metadata" };
        _cleanup_(json_putp) json_object *out = json_object_new_array();
        int r = EXIT_DONE;

        for (size_t i = p->n; out && r == EXIT_DONE && i > 0; i--)
                r = cli_add_rows(out, p->pages[i - 1], names, ELEMENTSOF(names));
        return r != EXIT_DONE ? r : cli_print_json(cli, TAKE_PTR(out));
}

int verb_show(Cli *cli, int argc, char *argv[])
{
        _cleanup_(pages_done) Pages pages = { 0 };
        _cleanup_free_ char *path = NULL;
        int r;

        r = cli_find_conversation(cli, argc > 1 ? argv[1] : "last", &path);
        if (r != EXIT_DONE)
                return r;
        r = read_pages(cli, path, &pages);
        if (r != EXIT_DONE)
                return r;
        if (cli->json != JSON_OFF)
                return print_json(cli, &pages);
        for (size_t i = pages.n; r == EXIT_DONE && i > 0; i--)
                r = cli_each_row(pages.pages[i - 1], ROW_MESSAGE, print_row, NULL);
        return r;
}
