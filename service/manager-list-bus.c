/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The Manager's listings: conversations, search hits, models, engines. */

#include "common/names.h"
#include "common/utf8.h"
#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/manager-bus.h"

#define LIST_DEFAULT   100U
#define SEARCH_DEFAULT 20U

/* ---- conversations ---- */

static int append_conversation_details(sd_bus_message *m, Conversation *c)
{
        int r;

        r = bus_append_string(m, "state", conversation_state(c));
        if (r < 0)
                return r;
        r = bus_append_u64(m, "messages", conversation_messages(c));
        if (r < 0)
                return r;
        r = bus_append_u64(m, "unread", conversation_unread(c));
        if (r < 0)
                return r;
        r = bus_append_u64(m, "head", conversation_head(c));
        if (r < 0)
                return r;
        if (conversation_archived(c)) {
                r = bus_append_bool(m, "archived", true);
                if (r < 0)
                        return r;
        }
        if (conversation_private(c)) {
                r = bus_append_bool(m, "private", true);
                if (r < 0)
                        return r;
        }
        if (conversation_deleted(c) > 0)
                return bus_append_u64(m, "deleted", conversation_deleted(c));
        return 0;
}

int manager_append_conversation(sd_bus_message *m, Conversation *c)
{
        int r;

        r = sd_bus_message_open_container(m, 'r', "osstta{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "osstt", conversation_path(c), conversation_title(c),
                conversation_model(c), conversation_created(c), conversation_modified(c));
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = append_conversation_details(m, c);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
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

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(osstta{sv})");
        if (r < 0)
                return r;
        for (uint32_t n = 0; n < o.limit;) {
                c = conversations_next(manager->conversations, c);
                if (!c)
                        break;
                if (!is_listed(c, &o))
                        continue;
                r = manager_append_conversation(reply, c);
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
        r = sd_bus_message_open_container(m, 'r', "otssa{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "otss", conversation_path(c), hit->message,
                role_to_string(hit->role), hit->snippet);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = bus_append_string(m, "title", conversation_title(c));
        if (r < 0)
                return r;
        r = bus_append_u64(m, "created", hit->created);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int build_hits(Search *s, const StoreHit *hits, size_t n, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call_message(s->call), &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(otssa{sv})");
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

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", "capabilities");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'v', "as");
        if (r < 0)
                return r;
        r = sd_bus_message_append_strv(m, (char **) capabilities);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int append_model_details(sd_bus_message *m, const ModelInfo *model)
{
        int r;

        if (model->context_size > 0) {
                r = bus_append_u64(m, "context_size", model->context_size);
                if (r < 0)
                        return r;
        }
        if (model->size > 0) {
                r = bus_append_u64(m, "size", model->size);
                if (r < 0)
                        return r;
        }
        if (model->modified > 0) {
                r = bus_append_u64(m, "modified", model->modified);
                if (r < 0)
                        return r;
        }
        r = bus_append_bool(m, "loaded", model->loaded);
        if (r < 0)
                return r;
        r = bus_append_bool(m, "chat", model->chat);
        if (r < 0)
                return r;
        if (model->capabilities && model->capabilities[0])
                return append_capabilities(m, model->capabilities);
        return 0;
}

static int append_model(sd_bus_message *m, const ModelInfo *model)
{
        int r;

        r = sd_bus_message_open_container(m, 'r', "sssa{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(
                m, "sss", model->model, model->engine, engine_state_to_string(model->state));
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = append_model_details(m, model);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int build_models(Call *call, const ModelInfo *models, size_t n, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call_message(call), &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(sssa{sv})");
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

static int append_engine_details(sd_bus_message *m, const EngineInfo *engine)
{
        int r;

        r = bus_append_string(m, "url", engine->url);
        if (r < 0)
                return r;
        if (!isempty(engine->last_error)) {
                r = bus_append_string(m, "last_error", engine->last_error);
                if (r < 0)
                        return r;
        }
        if (!isempty(engine->key_source)) {
                r = bus_append_string(m, "key_source", engine->key_source);
                if (r < 0)
                        return r;
        }
        if (engine->found) {
                r = bus_append_bool(m, "found", true);
                if (r < 0)
                        return r;
        }
        r = bus_append_u32(m, "live", engine->live);
        if (r < 0)
                return r;
        return bus_append_u32(m, "waiting", engine->waiting);
}

int manager_append_engine(sd_bus_message *m, const EngineInfo *engine)
{
        int r;

        r = sd_bus_message_open_container(m, 'r', "sssa{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(
                m, "sss", engine->name, engine->type, engine_state_to_string(engine->state));
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = append_engine_details(m, engine);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

int manager_method_list_engines(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        EngineInfo engine;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(sssa{sv})");
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
