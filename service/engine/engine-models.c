/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of all models of all engines: asks those whose list is old, then tells what is known. */
#include "common/log.h"
#include "service/engine/engine.h"

struct ModelsQuery {
        Engines *engines;
        TAILQ_ENTRY(ModelsQuery) entries;
        bool floating; /* nobody holds it: it frees itself */
        models_done_t done;
        void *userdata;
        sd_event_source *defer;
        EngineWait *waits;
        size_t n_waits, n_missing;
};

static void query_drop(ModelsQuery *q)
{
        if (!q->engines)
                return;
        for (size_t i = 0; i < q->n_waits; i++)
                engine_wait_cancel(q->waits + i);
        q->defer = sd_event_source_disable_unref(q->defer);
        TAILQ_REMOVE(&q->engines->queries, q, entries);
        q->engines = NULL;
}

ModelsQuery *models_query_free(ModelsQuery *q)
{
        if (!q)
                return NULL;
        query_drop(q);
        free(q->waits);
        free(q);
        return NULL;
}
DEFINE_CLEANUP(ModelsQuery *, models_query_free)

void models_query_drop_all(Engines *e)
{
        ModelsQuery *q;

        while ((q = TAILQ_FIRST(&e->queries))) {
                query_drop(q);
                if (q->floating)
                        models_query_free(q);
        }
}

/* A model that the configuration names although the engine does not list it. */
static bool is_declared(const Engine *e, const ModelAlias *m)
{
        return streq(m->alias, m->model) && !engine_find_model(e, m->model);
}

static size_t count_models(const Engines *e)
{
        size_t n = 0;

        for (size_t i = 0; i < e->n_engines; i++)
                n += e->engines[i]->n_models + e->engines[i]->config.n_models;
        return n;
}

static size_t fill_models(const Engine *e, ModelInfo *infos)
{
        size_t n = 0;

        for (size_t i = 0; i < e->n_models; i++) {
                const WireModel *m = e->models + i;

                infos[n++] = (ModelInfo){
                        .model = m->name,
                        .engine = e->config.name,
                        .state = e->state,
                        .context_size = engine_model_context_size(e, m),
                        .size = m->size,
                        .modified = m->modified,
                        .loaded = m->loaded,
                        .chat = m->chat,
                        .capabilities = (const char *const *) m->capabilities,
                };
        }
        for (size_t i = 0; i < e->config.n_models; i++)
                if (is_declared(e, e->config.models + i))
                        infos[n++] = (ModelInfo){
                                .model = e->config.models[i].model,
                                .engine = e->config.name,
                                .state = e->state,
                                .context_size = engine_context_size(e, e->config.models[i].model),
                                .chat = true,
                        };
        return n;
}

/* Tells what is known, and is gone. */
static void query_finish(ModelsQuery *q)
{
        _cleanup_free_ ModelInfo *infos = NULL;
        models_done_t done = q->done;
        void *userdata = q->userdata;
        const Engines *e = q->engines;
        size_t n = 0;

        infos = calloc(count_models(e) + 1, sizeof *infos);
        if (!infos)
                log_oom();
        for (size_t i = 0; infos && i < e->n_engines; i++)
                n += fill_models(e->engines[i], infos + n);

        query_drop(q);
        if (q->floating)
                models_query_free(q);
        done(infos, n, userdata);
}

static void on_probed(void *userdata)
{
        ModelsQuery *q = ASSERT_PTR(userdata);

        if (--q->n_missing == 0)
                query_finish(q);
}

static int on_defer(sd_event_source *source, void *userdata)
{
        ModelsQuery *q = ASSERT_PTR(userdata);

        query_finish(q);
        return 0;
}

static int query_start(ModelsQuery *q, bool refresh)
{
        Engines *e = q->engines;
        int r;

        q->waits = calloc(e->n_engines, sizeof *q->waits);
        if (!q->waits)
                return -ENOMEM;
        q->n_waits = e->n_engines;
        for (size_t i = 0; i < e->n_engines; i++) {
                Engine *engine = e->engines[i];

                if (engine->config.type == ENGINE_BUILTIN || (!refresh && engine_is_fresh(engine)))
                        continue;
                q->waits[i] = (EngineWait){ .done = on_probed, .userdata = q };
                r = engine_probe(engine, refresh ? PROBE_START : PROBE_ASK, q->waits + i);
                if (r < 0)
                        return r;
                q->n_missing++;
        }
        if (q->n_missing > 0)
                return 0;
        return sd_event_add_defer(e->event, &q->defer, on_defer, q);
}

int engines_list_models(
        Engines *e, bool refresh, models_done_t done, void *userdata, ModelsQuery **ret)
{
        _cleanup_(models_query_freep) ModelsQuery *q = NULL;
        int r;

        assert(e && done);

        q = calloc(1, sizeof *q);
        if (!q)
                return -ENOMEM;
        q->floating = !ret;
        q->done = done;
        q->userdata = userdata;
        TAILQ_INSERT_TAIL(&e->queries, q, entries);
        q->engines = e;

        r = query_start(q, refresh);
        if (r < 0)
                return r;
        if (ret)
                *ret = q;
        TAKE_PTR(q);
        return 0;
}
