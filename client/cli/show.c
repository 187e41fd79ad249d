/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor show: the messages of a conversation's current branch, oldest first. */

#include <inttypes.h>

#include "client/bus/message-json.h"
#include "client/cli/verbs.h"
#include "common/names.h"

#define PAGE 1000U /* the interface's limit */

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
        p->pages[p->n++] = m;
        return 0;
}

/* The parent of the page's oldest message, and how many messages it has; rewinds it. */
static int look_at_page(sd_bus_message *m, uint64_t *ret_parent, unsigned *ret_n)
{
        uint64_t id, parent = 0, first = 0;
        unsigned n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ttssa{sv})");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'r', "ttssa{sv}")) > 0) {
                r = sd_bus_message_read(m, "tt", &id, &parent);
                if (r < 0)
                        return r;
                if (n++ == 0)
                        first = parent;
                r = sd_bus_message_skip(m, "ssa{sv}");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret_parent = first;
        *ret_n = n;
        return sd_bus_message_rewind(m, true);
}

static int read_pages(Cli *cli, const char *path, Pages *p)
{
        uint64_t end = 0, parent;
        unsigned n, wanted = cli->limit > 0 ? cli->limit : UINT32_MAX;
        int r;

        do {
                sd_bus_message *m = NULL;

                r = cli_call(cli, path, INTERFACE_CONVERSATION, "GetMessages", &m, "tu", end,
                        MIN(wanted, PAGE));
                if (r != EXIT_DONE)
                        return r;
                if (pages_add(p, m) < 0) {
                        sd_bus_message_unref(m);
                        return EXIT_FAILED;
                }
                if (look_at_page(m, &parent, &n) < 0)
                        return EXIT_FAILED;
                end = parent;
                wanted -= MIN(n, wanted);
        } while (n > 0 && end > 0 && wanted > 0);
        return EXIT_DONE;
}

static int print_message(const char *role, const char *text)
{
        const char *bold = cli_colors() ? "\033[1m" : "", *plain = cli_colors() ? "\033[0m" : "";
        size_t size = strlen(text);

        if (printf("%s%s:%s\n", bold, role, plain) < 0 || fflush(stdout) < 0)
                return -EIO;
        if (cli_write(STDOUT_FILENO, text, size) < 0)
                return -EIO;
        return cli_write(STDOUT_FILENO, "\n\n", size > 0 && text[size - 1] == '\n' ? 1 : 2);
}

static int print_page(sd_bus_message *m)
{
        const char *role, *text;
        uint64_t id, parent;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ttssa{sv})");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'r', "ttssa{sv}")) > 0) {
                r = sd_bus_message_read(m, "ttss", &id, &parent, &role, &text);
                if (r < 0)
                        return r;
                r = print_message(role, text);
                if (r < 0)
                        return r;
                r = sd_bus_message_skip(m, "a{sv}");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r;
}

/* All pages as one array of objects. */
static int print_json(const Cli *cli, const Pages *p)
{
        static const char *const names[] = { "id", "parent", "role", "content", "metadata" };
        json_object *out = json_object_new_array();

        for (size_t i = p->n; out && i > 0; i--) {
                json_object *page = NULL;

                if (message_to_json(p->pages[i - 1], &page) < 0)
                        break;
                for (size_t k = 0; k < json_object_array_length(page); k++) {
                        json_object *row = json_object_array_get_idx(page, k);
                        json_object *object = json_object_new_object();

                        for (size_t j = 0; object && j < ELEMENTSOF(names); j++)
                                (void) json_object_object_add(object, names[j],
                                        json_object_get(json_object_array_get_idx(row, j)));
                        (void) json_object_array_add(out, object);
                }
                json_object_put(page);
        }
        return out ? cli_print_json(cli, out) : EXIT_FAILED;
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
        if (cli->json_given)
                return print_json(cli, &pages);
        for (size_t i = pages.n; i > 0; i--) {
                r = print_page(pages.pages[i - 1]);
                if (r < 0)
                        return EXIT_FAILED;
        }
        return EXIT_DONE;
}
