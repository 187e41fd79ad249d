/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The Manager's listings: conversations, search hits, models, engines. */

#include "common/names.h"
#include "common/utf8.h"
#include "service/bus/append.h"
#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/manager-bus.h"

#define LIST_DEFAULT   100U
#define SEARCH_DEFAULT 20U

/* ---- conversations ---- */

int manager_append_conversation(const Manager *manager, sd_bus_message *m, Conversation *c)
{
        const BusEntry details[] = {
                { "state", 's', .s = conversation_state(c) },
                { "messages", 't', .t = conversation_messages(c) },
                { "unread", 't', .t = conversation_unread(c) },
                { "head", 't', .t = conversation_head(c) },
                { "archived", 'b', .optional = true, .b = conversation_archived(c) },
                { "private", 'b', .optional = true, .b = conversation_private(c) },
                { "deleted", 't', .optional = true, .t = conversation_deleted(c) },
                { "focus", 'b', .optional = true,
                        .b = surfaces_any_focus(manager->surfaces, conversation_path(c)) },
        };
        int r;

        r = bus_open_row(m, "osstt", conversation_path(c), conversation_title(c),
                conversation_model(c), conversation_created(c), conversation_modified(c));
        if (r < 0)
                return r;
        r = bus_append_entries(m, details, ELEMENTSOF(details));
        if (r < 0)
                return r;
        return bus_close_containers(m, 2);
}

typedef struct ListOptions {
        uint32_t limit;
        const char *before;
        bool archived, deleted;
} ListOptions;

/* Archived and set aside ones are shown only to those who ask for them, and then alone. */
static bool is_listed(const Conversation *c, const ListOptions *o)
{
        if (o->deleted)
                return conversation_deleted(c) > 0;
        if (conversation_deleted(c) > 0)
                return false;
        return conversation_archived(c) == o->archived;
}

int manager_method_list_conversations(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        ListOptions o = { .limit = LIST_DEFAULT };
        Conversation *c = NULL;
        int r;

        const BusOption options[] = {
                { "limit", "u", &o.limit },
                { "before", "s", &o.before },
                { "archived", "b", &o.archived },
                { "deleted", "b", &o.deleted },
        };
        r = bus_read_options(m, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (o.limit < 1 || o.limit > MANAGER_LIST_MAX)
                return bus_error_invalid(error, "limit must be 1 to %u.", MANAGER_LIST_MAX);
        if (o.before) {
                r = manager_find_conversation(manager, o.before, &c, error);
                if (r < 0)
                        return r;
        }

        r = bus_open_answer(m, "(osstta{sv})", &reply);
        if (r < 0)
                return r;
        for (uint32_t n = 0; n < o.limit;) {
                c = conversations_next(manager->conversations, c);
                if (!c)
                        break;
                if (!is_listed(c, &o))
                        continue;
                r = manager_append_conversation(manager, reply, c);
                if (r < 0)
                        return r;
                n++;
        }
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_send(NULL, reply, NULL);
}

/* ---- search ---- */

typedef struct Search {
        Manager *manager;
        Call *call;
} Search;

static int append_hit(sd_bus_message *m, Manager *manager, const StoreHit *hit)
{
        Conversation *c = conversations_find_number(manager->conversations, hit->number);
        int r;

        if (!c) /* purged while the search ran */
                return 0;
        r = bus_open_row(m, "otss", conversation_path(c), hit->message, role_to_string(hit->role),
                hit->snippet);
        if (r < 0)
                return r;
        const BusEntry more[] = {
                { "title", 's', .s = conversation_title(c) },
                { "created", 't', .t = hit->created },
        };
        r = bus_append_entries(m, more, ELEMENTSOF(more));
        if (r < 0)
                return r;
        return bus_close_containers(m, 2);
}

static int build_hits(Search *s, const StoreHit *hits, size_t n, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = bus_open_answer(call_message(s->call), "(otssa{sv})", &reply);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                r = append_hit(reply, s->manager, hits + i);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(reply);
        return 0;
}

static void on_searched(const Failure *failure, const StoreHit *hits, size_t n, void *userdata)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_failure_ Failure own = FAILURE_NULL;
        _cleanup_free_ Search *s = ASSERT_PTR(userdata);
        int r;

        if (failure) {
                (void) call_fail(s->call, failure);
                return;
        }
        r = build_hits(s, hits, n, &reply);
        if (r < 0) {
                (void) failure_set_errno(&own, r, "The hits cannot be sent");
                (void) call_fail(s->call, &own);
                return;
        }
        (void) call_reply_message(s->call, reply);
}

typedef struct SearchOptions {
        uint32_t limit;
        const char *order;
        uint64_t before;
        bool archived, hidden;
} SearchOptions;

static int search_flags(const SearchOptions *o, StoreSearchFlags *ret, sd_bus_error *error)
{
        StoreSearchFlags flags = 0;

        if (streq(o->order, "rank"))
                flags |= STORE_SEARCH_RANKED;
        else if (!streq(o->order, "newest"))
                return bus_error_invalid(error, "order must be 'newest' or 'rank'.");
        if (o->limit < 1 || o->limit > MANAGER_LIST_MAX)
                return bus_error_invalid(error, "limit must be 1 to %u.", MANAGER_LIST_MAX);
        if (!o->hidden)
                flags |= STORE_SEARCH_NO_HIDDEN;
        if (o->archived)
                flags |= STORE_SEARCH_ARCHIVED;
        *ret = flags;
        return 0;
}

int manager_method_search(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_free_ Search *s = NULL;
        SearchOptions o = {
                .limit = SEARCH_DEFAULT, .order = "newest", .archived = true, .hidden = true
        };
        StoreSearchFlags flags = 0;
        const char *query;
        int r;

        r = sd_bus_message_read(m, "s", &query);
        if (r < 0)
                return r;
        const BusOption options[] = {
                { "limit", "u", &o.limit },
                { "order", "s", &o.order },
                { "before", "t", &o.before },
                { "archived", "b", &o.archived },
                { "hidden", "b", &o.hidden },
        };
        r = bus_read_options(m, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        r = search_flags(&o, &flags, error);
        if (r < 0)
                return r;
        if (strlen(query) > MANAGER_QUERY_MAX) {
                (void) failure_set(&failure, FAILURE_TOO_LARGE,
                        "A search may have %u bytes at most.", MANAGER_QUERY_MAX);
                return bus_error_from_failure(error, &failure);
        }

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->manager = manager;
        r = call_new(manager->doors, m, &s->call, error);
        if (r < 0)
                return r;
        r = store_search(manager->store, query, flags, o.before, o.limit, on_searched, s, NULL);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The search cannot be started");
                (void) call_fail(s->call, &failure);
                return 1;
        }
        TAKE_PTR(s);
        return 1;
}

/* ---- models ---- */

static int append_capabilities(sd_bus_message *m, const char *const *capabilities)
{
        int r;

        if (!capabilities || !capabilities[0])
                return 0;
        r = bus_open_entry(m, "capabilities", "as");
        if (r < 0)
                return r;
        r = sd_bus_message_append_strv(m, (char **) capabilities);
        if (r < 0)
                return r;
        return bus_close_containers(m, 2);
}

static int append_model(sd_bus_message *m, const ModelInfo *model)
{
        const BusEntry details[] = {
                { "context_size", 't', .optional = true, .t = model->context_size },
                { "size", 't', .optional = true, .t = model->size },
                { "modified", 't', .optional = true, .t = model->modified },
                { "loaded", 'b', .b = model->loaded },
                { "chat", 'b', .b = model->chat },
        };
        int r;

        r = bus_open_row(
                m, "sss", model->model, model->engine, engine_state_to_string(model->state));
        if (r < 0)
                return r;
        r = bus_append_entries(m, details, ELEMENTSOF(details));
        if (r < 0)
                return r;
        r = append_capabilities(m, model->capabilities);
        if (r < 0)
                return r;
        return bus_close_containers(m, 2);
}

static int build_models(Call *call, const ModelInfo *models, size_t n, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = bus_open_answer(call_message(call), "(sssa{sv})", &reply);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                r = append_model(reply, models + i);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(reply);
        return 0;
}

static void on_models(const ModelInfo *models, size_t n, void *userdata)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Call *call = ASSERT_PTR(userdata);
        int r;

        r = build_models(call, models, n, &reply);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The models cannot be sent");
                (void) call_fail(call, &failure);
                return;
        }
        (void) call_reply_message(call, reply);
}

int manager_method_list_models(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int refresh, r;
        Call *call;

        r = sd_bus_message_read(m, "b", &refresh);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = engines_list_models(manager->engines, refresh, on_models, call, NULL);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The engines cannot be asked");
                (void) call_fail(call, &failure);
        }
        return 1;
}

/* ---- engines ---- */

int manager_append_engine(sd_bus_message *m, const EngineInfo *engine)
{
        const BusEntry details[] = {
                { "url", 's', .s = engine->url },
                { "last_error", 's', .optional = true, .s = engine->last_error },
                { "key_source", 's', .optional = true, .s = engine->key_source },
                { "key_place", 's', .optional = true, .s = engine->key_place },
                { "key_failure", 's', .optional = true, .s = engine->key_failure },
                { "found", 'b', .optional = true, .b = engine->found },
                { "live", 'u', .u = engine->live },
                { "waiting", 'u', .u = engine->waiting },
        };
        int r;

        r = bus_open_row(
                m, "sss", engine->name, engine->type, engine_state_to_string(engine->state));
        if (r < 0)
                return r;
        r = bus_append_entries(m, details, ELEMENTSOF(details));
        if (r < 0)
                return r;
        return bus_close_containers(m, 2);
}

int manager_method_list_engines(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        EngineInfo engine;
        int r;

        r = bus_open_answer(m, "(sssa{sv})", &reply);
        if (r < 0)
                return r;
        for (size_t i = 0; i < engines_count(manager->engines); i++) {
                engines_get(manager->engines, i, &engine);
                r = manager_append_engine(reply, &engine);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_send(NULL, reply, NULL);
}
