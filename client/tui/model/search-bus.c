/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Questions whose answer is handed on and not kept: search, models. */

#include "client/tui/model/mirror-internal.h"

#define HITS 100U

static void set_unread(Failure *failure, int r)
{
        (void) failure_set_errno(failure, r, "The service's answer cannot be read");
}

/* As read_rows(). The failure of the call, or own, set when the answer is not as it has to be. */
static const Failure *read_answer(const Failure *failure, sd_bus_message *answer, const Rows *rows,
        void *items, size_t *n, Failure *own)
{
        int r;

        if (failure)
                return failure;
        r = read_rows(answer, rows, items, n);
        if (r >= 0)
                return NULL;
        set_unread(own, r);
        return own;
}

/* ---- search ---- */

static void free_hits(SearchHit *hits, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(hits[i].snippet);
                free(hits[i].title);
        }
        free(hits);
}

static int read_hit(sd_bus_message *m, void *item, void *userdata)
{
        SearchHit *ret = item;
        const char *path, *role, *snippet, *title = "", *id;
        uint64_t message, created = 0;
        const Field fields[] = { { "title", 's', &title }, { "created", 't', &created } };
        int r;

        r = sd_bus_message_read(m, "otss", &path, &message, &role, &snippet);
        if (r < 0)
                return r;
        r = read_dictionary(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return r;
        id = conversation_id_of(path);
        if (!id || role_from_string(role) < 0)
                return -EBADMSG;
        *ret = (SearchHit){
                .message = message,
                .role = role_from_string(role),
                .snippet = strdup(snippet),
                .title = strdup(title),
                .created = created,
        };
        (void) snprintf(ret->id, sizeof ret->id, "%s", id);
        return ret->snippet && ret->title ? 0 : -ENOMEM;
}

static int on_hits(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        _cleanup_failure_ Failure unread = FAILURE_NULL;
        static const Rows rows = { "otssa{sv}", sizeof(SearchHit), read_hit };
        SearchHit *hits = NULL;
        size_t n = 0;

        failure = read_answer(failure, answer, &rows, &hits, &n, &unread);
        call->done_with.hits(failure, failure ? NULL : hits, failure ? 0 : n, call->userdata);
        free_hits(hits, n);
        return 0;
}

int mirror_search(Mirror *m, const char *query, mirror_hits_t done, void *userdata)
{
        if (!m->up)
                return -ENOTCONN;
        mirror_drop_calls(m, CALL_SEARCH);
        return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, "Search",
                &(MirrorCall){
                        .flags = CALL_SEARCH,
                        .answer = on_hits,
                        .done_with.hits = done,
                        .userdata = userdata,
                },
                "sa{sv}", query, 1, "limit", "u", HITS);
}

/* ---- models ---- */

static void free_models(ModelItem *models, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(models[i].model);
                free(models[i].engine);
                free(models[i].state);
        }
        free(models);
}

static int read_model(sd_bus_message *m, void *item, void *userdata)
{
        ModelItem *ret = item;
        const char *model, *engine, *state;
        int loaded = 0, chat = 0, r;
        const Field fields[] = {
                { "loaded", 'b', &loaded },
                { "chat", 'b', &chat },
        };

        r = sd_bus_message_read(m, "sss", &model, &engine, &state);
        if (r < 0)
                return r;
        r = read_dictionary(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return r;
        *ret = (ModelItem){
                .engine = strdup(engine),
                .state = strdup(state),
                .loaded = loaded,
                .chat = chat,
        };
        if (asprintf(&ret->model, "%s/%s", engine, model) < 0)
                ret->model = NULL;
        return ret->model && ret->engine && ret->state ? 0 : -ENOMEM;
}

static int on_models(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        _cleanup_failure_ Failure unread = FAILURE_NULL;
        static const Rows rows = { "sssa{sv}", sizeof(ModelItem), read_model };
        ModelItem *models = NULL;
        size_t n = 0;

        failure = read_answer(failure, answer, &rows, &models, &n, &unread);
        call->done_with.models(failure, failure ? NULL : models, failure ? 0 : n, call->userdata);
        free_models(models, n);
        return 0;
}

int mirror_list_models(Mirror *m, mirror_models_t done, void *userdata)
{
        if (!m->up)
                return -ENOTCONN;
        mirror_drop_calls(m, CALL_MODELS);
        return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, "ListModels",
                &(MirrorCall){
                        .flags = CALL_MODELS,
                        .answer = on_models,
                        .done_with.models = done,
                        .userdata = userdata,
                },
                "b", 0);
}
