/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lists of conversations, and one conversation by its id or the beginning of it. */

#include "client/bus/limits.h"
#include "client/cli/cli.h"
#include "common/names.h"

const char *cli_id(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* ---- pages ---- */

static int fetch_page(
        Cli *cli, ListKind kind, const char *before, uint32_t limit, sd_bus_message **ret)
{
        if (before)
                return cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", ret,
                        "a{sv}", 4, "limit", "u", limit, "archived", "b",
                        (int) (kind == LIST_ARCHIVED), "deleted", "b", (int) (kind == LIST_DELETED),
                        "before", "s", before);
        return cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", ret, "a{sv}", 3,
                "limit", "u", limit, "archived", "b", (int) (kind == LIST_ARCHIVED), "deleted", "b",
                (int) (kind == LIST_DELETED));
}

/* How many conversations a page has, and the last one's id. */
typedef struct Measure {
        unsigned n;
        const char *last;
} Measure;

static int measure_row(sd_bus_message *m, void *userdata)
{
        Measure *page = ASSERT_PTR(userdata);
        int r;

        r = sd_bus_message_read(m, "o", &page->last);
        if (r < 0)
                return r;
        page->n++;
        return 0;
}

/* Where the pages are. A broken service could lead in a circle for ever: the place is compared with
 * one before, which is another one after 1, 2, 4, 8… pages, and so inside of any circle in the end.
 */
typedef struct Way {
        char *last, *before; /* ids */
        unsigned steps, turn;
} Way;

static void way_done(Way *w)
{
        free(w->last);
        free(w->before);
}

static int way_go_on(Way *w, const char *last)
{
        int r;

        if (streq_ptr(w->before, last)) {
                cli_error("conductor: the service's list does not come to an end: it goes on with "
                          "what was there before. 'conductor doctor' finds out more.");
                return EXIT_FAILED;
        }
        r = free_and_strdup(&w->last, last);
        if (r >= 0 && w->steps++ == w->turn) {
                r = free_and_strdup(&w->before, last);
                w->turn = 2 * w->turn + 1;
        }
        if (r < 0)
                cli_error("conductor: out of memory.");
        return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int cli_each_page(Cli *cli, ListKind kind, uint32_t limit,
        int (*look)(sd_bus_message *page, void *userdata), void *userdata)
{
        uint32_t wanted = limit > 0 ? limit : UINT32_MAX;
        _cleanup_(way_done) Way way = { 0 };
        Measure measured;
        unsigned asked;
        int r;

        do {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *page = NULL;

                asked = MIN(wanted, ENTRIES_MAX);
                r = fetch_page(cli, kind, way.last, asked, &page);
                if (r != EXIT_DONE)
                        return r;
                measured = (Measure){ 0 };
                r = cli_each_row(page, ROW_CONVERSATION, measure_row, &measured);
                if (r != EXIT_DONE)
                        return r;
                if (measured.last)
                        r = way_go_on(&way, cli_id(measured.last));
                if (r == EXIT_DONE)
                        r = look(page, userdata);
                if (r != EXIT_DONE)
                        return r;
                if (limit > 0)
                        wanted -= MIN(measured.n, wanted);
        } while (measured.n == asked && wanted > 0);
        return EXIT_DONE;
}

/* ---- one of them ---- */

typedef struct Search {
        const char *word;
        char *path;
        bool several;
} Search;

static void search_done(Search *s)
{
        free(s->path);
}

/* Ids that begin with the word; all of them do with "". */
static int look_at(sd_bus_message *m, void *userdata)
{
        Search *s = ASSERT_PTR(userdata);
        const char *path;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r < 0)
                return r;
        if (!startswith(cli_id(path), s->word))
                return 0;
        s->several = s->path;
        return free_and_strdup(&s->path, path);
}

static int look_for(sd_bus_message *page, void *userdata)
{
        return cli_each_row(page, ROW_CONVERSATION, look_at, userdata);
}

static int find_last(Cli *cli, char **ret)
{
        _cleanup_(search_done) Search s = { .word = "" };
        int r;

        r = cli_each_page(cli, LIST_CURRENT, 1, look_for, &s);
        if (r != EXIT_DONE)
                return r;
        if (!s.path) {
                cli_error("conductor: there is no conversation yet; 'conductor ask' begins one.");
                return EXIT_NOT_FOUND;
        }
        *ret = TAKE_PTR(s.path);
        return EXIT_DONE;
}

/* The word is looked for in all lists: a deleted conversation can be named to restore it. */
static int find_by_prefix(Cli *cli, const char *word, char **ret)
{
        _cleanup_(search_done) Search s = { .word = word };
        int r;

        for (ListKind kind = 0; kind < _LIST_MAX && !s.path; kind++) {
                r = cli_each_page(cli, kind, 0, look_for, &s);
                if (r != EXIT_DONE)
                        return r;
        }
        if (s.several) {
                cli_error("conductor: several ids begin with '%s'; give more of it.", word);
                return EXIT_USAGE;
        }
        if (!s.path) {
                cli_error("conductor: there is no conversation '%s'; 'conductor list' shows those "
                          "there are.",
                        word);
                return EXIT_NOT_FOUND;
        }
        *ret = TAKE_PTR(s.path);
        return EXIT_DONE;
}

int cli_find_conversation(Cli *cli, const char *word, char **ret)
{
        const char *tail = startswith(word, PATH_CONVERSATION "/");

        if (tail)
                word = tail;
        if (streq(word, "last"))
                return find_last(cli, ret);
        if (isempty(word) || strspn(word, "0123456789abcdef") != strlen(word) ||
                strlen(word) > CONVERSATION_ID) {
                cli_error("conductor: '%s' is not the id of a conversation; 'conductor list' shows "
                          "them.",
                        word);
                return EXIT_USAGE;
        }
        if (strlen(word) < CONVERSATION_ID)
                return find_by_prefix(cli, word, ret);
        if (asprintf(ret, PATH_CONVERSATION "/%s", word) < 0) {
                *ret = NULL;
                cli_error("conductor: out of memory.");
                return EXIT_FAILED;
        }
        return EXIT_DONE;
}
