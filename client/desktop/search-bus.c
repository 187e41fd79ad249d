/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/search-bus.h"

#include <sys/queue.h>

#include "client/bus/call.h"
#include "client/bus/limits.h"
#include "client/bus/read.h"
#include "common/log.h"
#include "common/names.h"
#include "common/utf8.h"

#define TITLE_MAX   256U
#define SNIPPET_MAX 256U
#define UNTITLED    "Conversation"

typedef struct Running Running;

struct Search {
        Session *session;
        Hits *hits;
        unsigned running;
        TAILQ_HEAD(, Running) all;
};

/* The call keeps the bus: who is not answered any more must be let go. */
struct Running {
        Search *search;
        TAILQ_ENTRY(Running) entries;
        sd_bus_slot *slot;
        sd_bus_message *call;
        search_answer_t answer;
};

int search_new(Session *session, Search **ret)
{
        _cleanup_(search_freep) Search *s = NULL;
        int r;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->session = session;
        TAILQ_INIT(&s->all);
        r = hits_new(&s->hits);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

Search *search_free(Search *s)
{
        Running *run;

        if (!s)
                return NULL;
        while ((run = TAILQ_FIRST(&s->all)))
                sd_bus_slot_unref(run->slot); /* and run with it */
        hits_free(s->hits);
        free(s);
        return NULL;
}

const Hit *search_find(const Search *s, const Place *place)
{
        return hits_find(s->hits, place);
}

/* ---- the answer ---- */

static int read_hit(sd_bus_message *m, void *item, void *userdata)
{
        const char *path, *snippet, *title = "";
        const Field fields[] = { { "title", 's', &title } };
        uint64_t message;
        Hit *h = item;
        int r;

        r = sd_bus_message_read(m, "otss", &path, &message, NULL, &snippet);
        if (r < 0)
                return r;
        r = read_dictionary(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return r;
        r = place_of(path, message, &h->place);
        if (r < 0)
                return r;
        if (isempty(title))
                title = UNTITLED;
        r = utf8_sanitize_line(title, strlen(title), TITLE_MAX, &h->title);
        return r < 0 ? r : utf8_sanitize_line(snippet, strlen(snippet), SNIPPET_MAX, &h->snippet);
}

static void keep_and_free(Search *s, Hit *hits, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (hits[i].title && hits[i].snippet)
                        hits_keep(s->hits, &hits[i]);
                else
                        hit_done(&hits[i]);
        free(hits);
}

static void answer(Running *run, sd_bus_message *m)
{
        static const Rows rows = { "otssa{sv}", sizeof(Hit), read_hit };
        Hit *hits = NULL;
        size_t n = 0;
        int r = 0;

        if (m)
                r = read_rows(m, &rows, &hits, &n);
        if (r < 0)
                log_warning_errno(r, "The service's answer cannot be read, showing nothing: %m");
        r = run->answer(run->call, hits, r < 0 ? 0 : MIN(n, (size_t) HITS_OF_SEARCH));
        if (r < 0)
                log_warning_errno(r, "A search cannot be answered, ignoring: %m");
        keep_and_free(run->search, hits, n);
}

static int on_found(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Running *run = ASSERT_PTR(userdata);

        if (error) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;

                (void) client_fail(&failure, -EIO, error);
                log_warning("Nothing is found: %s", failure_message(&failure));
        }
        answer(run, error ? NULL : m);
        sd_bus_slot_unref(run->slot);
        return 0;
}

/* ---- the question ---- */

static void on_slot_gone(void *userdata)
{
        Running *run = ASSERT_PTR(userdata);

        TAILQ_REMOVE(&run->search->all, run, entries);
        run->search->running--;
        session_release(run->search->session);
        sd_bus_message_unref(run->call);
        free(run);
}

static int new_call(Search *s, const char *query, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = client_new_call(session_bus(s->session), PATH_ROOT, INTERFACE_MANAGER, "Search", &m);
        if (r >= 0)
                r = sd_bus_message_append(
                        m, "sa{sv}", query, 2, "limit", "u", HITS_OF_SEARCH, "hidden", "b", false);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

int search_begin(Search *s, sd_bus_message *call, const char *query, search_answer_t answer_it)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        _cleanup_free_ Running *run = NULL;
        int r;

        if (isempty(query) || strlen(query) > QUERY_MAX || s->running >= SEARCHES_MAX)
                return answer_it(call, NULL, 0);
        run = calloc(1, sizeof *run);
        if (!run)
                return -ENOMEM;
        r = new_call(s, query, &m);
        if (r >= 0)
                r = sd_bus_call_async(session_bus(s->session), &slot, m, on_found, run, 0);
        if (r >= 0)
                r = sd_bus_slot_set_destroy_callback(slot, on_slot_gone);
        if (r < 0)
                return r;
        *run = (Running){
                .search = s,
                .slot = TAKE_PTR(slot),
                .call = sd_bus_message_ref(call),
                .answer = answer_it,
        };
        TAILQ_INSERT_TAIL(&s->all, run, entries);
        s->running++;
        session_hold(s->session);
        TAKE_PTR(run);
        return 1;
}
