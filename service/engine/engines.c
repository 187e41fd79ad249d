/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/engines.h"

#include "common/log.h"
#include "service/engine/engine.h"

/* ---- life ---- */

static int add_engine(Engine ***engines, size_t *n, Engine *e)
{
        Engine **p;

        p = realloc(*engines, (*n + 1) * sizeof **engines);
        if (!p)
                return -ENOMEM;
        *engines = p;
        p[(*n)++] = engine_ref(e);
        return 0;
}

static void free_list(Engine **engines, size_t n)
{
        for (size_t i = 0; i < n; i++)
                engine_unref(engines[i]);
        free(engines);
}

/* The engine of this configuration: the one that is there, with all it knows, or a new one. */
static int take_engine(Engines *e, const EngineConfig *config, Engine ***engines, size_t *n_engines)
{
        _cleanup_(engine_unrefp) Engine *engine = NULL;
        int r;

        for (size_t i = 0; i < e->n_engines && !engine; i++)
                if (engine_config_equal(&e->engines[i]->config, config))
                        engine = engine_ref(e->engines[i]);
        if (!engine) {
                r = engine_new(&engine, e, config);
                if (r < 0)
                        return r;
        }
        return add_engine(engines, n_engines, engine);
}

/* The built-in engine is always there, under the name "builtin" as a model, too. */
static int take_builtin(Engines *e, const Config *config, Engine ***engines, size_t *n_engines)
{
        static char name[] = BUILTIN_ENGINE, model[] = BUILTIN_MODEL, empty[] = "";
        ModelAlias alias = { .alias = name, .model = model };
        EngineConfig builtin = {
                .name = name,
                .type = ENGINE_BUILTIN,
                .url = empty,
                .models = &alias,
                .n_models = 1,
                .found = true,
                .source = empty,
        };

        for (size_t i = 0; i < config->n_engines; i++)
                if (config->engines[i].type == ENGINE_BUILTIN ||
                        streq(config->engines[i].name, name))
                        return 0;
        return take_engine(e, &builtin, engines, n_engines);
}

int engines_reconfigure(Engines *e, const Config *config)
{
        Engine **engines = NULL;
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; i < config->n_engines && r >= 0; i++)
                r = take_engine(e, config->engines + i, &engines, &n);
        if (r >= 0)
                r = take_builtin(e, config, &engines, &n);
        if (r >= 0)
                r = free_and_strdup(&e->configured_default, strempty(config->default_model));
        if (r < 0) {
                free_list(engines, n);
                return r;
        }

        free_list(e->engines, e->n_engines);
        e->engines = engines;
        e->n_engines = n;
        for (size_t i = 0; i < n; i++)
                engine_forget_key(engines[i]);
        return 0;
}

Engines *engines_free(Engines *e)
{
        EngineReply *reply;
        Engine *engine;

        if (!e)
                return NULL;

        while ((reply = TAILQ_FIRST(&e->replies)))
                engine_reply_drop(reply);
        models_query_drop_all(e);
        while ((engine = TAILQ_FIRST(&e->all))) {
                /* What it was waiting for may hold the last reference. */
                (void) engine_ref(engine);
                engine_detach(engine);
                engine_unref(engine);
        }
        free_list(e->engines, e->n_engines);
        /* What was being written or read is nobody's any more: it ends soon. */
        worker_free(e->requests);
        http_free(e->http);
        sd_event_unref(e->event);
        free(e->configured_default);
        free(e->default_model);
        free(e->last_model);
        free(e->default_shown);
        free(e);
        return NULL;
}

int engines_new(Engines **ret, sd_event *event, const Config *config, Worker *worker,
        const EnginesObserver *observer)
{
        _cleanup_(engines_freep) Engines *e = NULL;
        int r;

        assert(ret && event && config && worker && observer);

        e = calloc(1, sizeof *e);
        if (!e)
                return -ENOMEM;
        TAILQ_INIT(&e->all);
        TAILQ_INIT(&e->replies);
        TAILQ_INIT(&e->queries);
        e->event = sd_event_ref(event);
        e->worker = worker;
        e->observer = *observer;
        e->retry_usec = REPLY_RETRY_USEC;
        e->whole_usec = PROBE_WHOLE_USEC;

        r = http_new(&e->http, event);
        if (r < 0)
                return r;
        r = engines_reconfigure(e, config);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(e);
        return 0;
}

int engines_start_requests(Engines *e)
{
        return e->requests ? 0 : worker_new(&e->requests, e->event, "requests", NULL);
}

void engines_set_units(Engines *e, const EngineUnits *units)
{
        e->units = *units;
}

void engines_set_secrets(Engines *e, const EngineSecrets *secrets)
{
        e->secrets = *secrets;
}

void engines_set_retry_usec(Engines *e, usec_t usec)
{
        e->retry_usec = usec;
}

void engines_set_whole_usec(Engines *e, usec_t usec)
{
        e->whole_usec = usec;
}

/* ---- names ---- */

static const char *set_default(const Engines *e)
{
        return isempty(e->default_model) ? e->configured_default : e->default_model;
}

int engines_route(Engines *e, const char *model, bool verify, usec_t since, RouteEngine **ret_views,
        Route *ret, Failure *failure)
{
        _cleanup_free_ RouteEngine *views = NULL;
        int r;

        views = calloc(e->n_engines, sizeof *views);
        if (!views)
                return failure_set_errno(failure, -ENOMEM, "Choosing a model");
        for (size_t i = 0; i < e->n_engines; i++) {
                engine_describe(e->engines[i], views + i);
                if (e->engines[i]->probed > 0 && e->engines[i]->probed >= since)
                        views[i].known = true;
        }
        r = route_model(
                &(RouteQuery){
                        .engines = views,
                        .n_engines = e->n_engines,
                        .model = model,
                        .default_model = set_default(e),
                        .last_model = strempty(e->last_model),
                        .verify = verify,
                },
                ret, failure);
        if (r >= 0 && ret_views)
                *ret_views = TAKE_PTR(views);
        return r;
}

int engines_check_model(Engines *e, const char *model, Failure *failure)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        Route route;

        /* What else may be wrong is no matter of the name, and a reply's end tells it. */
        if (engines_route(e, model, false, USEC_INFINITY, NULL, &route, &f) >= 0 ||
                f.code != FAILURE_NO_SUCH_MODEL)
                return 0;
        return failure_set(failure, f.code, "%s", failure_message(&f));
}

const char *engines_default_model(Engines *e)
{
        char *shown = NULL;
        Route route;
        int r;

        /* An old answer shows better than none. */
        r = engines_route(e, "", false, 0, NULL, &route, NULL);
        if (r != ROUTE_FOUND)
                shown = strdup("");
        else if (asprintf(&shown, "%s/%s", e->engines[route.engine]->config.name, route.model) < 0)
                shown = NULL;
        if (shown) {
                free(e->default_shown);
                e->default_shown = shown;
        }
        return strempty(e->default_shown);
}

int engines_set_default_model(Engines *e, const char *model)
{
        return free_and_strdup(&e->default_model, strempty(model));
}

int engines_set_last_model(Engines *e, const char *model)
{
        int r;

        if (streq_ptr(e->last_model, model))
                return 0;
        r = free_and_strdup(&e->last_model, strempty(model));
        if (r >= 0)
                engines_tell_models(e);
        return r;
}

void engines_tell_models(const Engines *e)
{
        if (e->observer.models)
                e->observer.models(e->observer.userdata);
}

/* ---- what is shown ---- */

size_t engines_count(const Engines *e)
{
        return e->n_engines;
}

/* Before the key was read: where it would be looked for first. */
static KeySource expected_source(const EngineConfig *c)
{
        if (!isempty(c->key_secret))
                return KEY_SOURCE_KEYRING;
        if (!isempty(c->key_credential))
                return KEY_SOURCE_CREDENTIAL;
        if (!isempty(c->key_file))
                return KEY_SOURCE_FILE;
        if (!isempty(c->key_environment))
                return KEY_SOURCE_ENVIRONMENT;
        return KEY_SOURCE_NONE;
}

static const char *key_place(const EngineConfig *c, KeySource source)
{
        switch (source) {
        case KEY_SOURCE_FILE:
                return c->key_file;
        case KEY_SOURCE_CREDENTIAL:
                return c->key_credential;
        case KEY_SOURCE_ENVIRONMENT:
                return c->key_environment;
        case KEY_SOURCE_KEYRING:
                return c->key_secret;
        case KEY_SOURCE_NONE:
        case _KEY_SOURCE_MAX:
                break;
        }
        return "";
}

void engines_get(const Engines *e, size_t i, EngineInfo *ret)
{
        const Engine *engine;
        KeySource source;

        assert(i < e->n_engines);

        engine = e->engines[i];
        /* Known, and none: there is no such variable. */
        if (engine->key || (engine->key_known && !failure_is_set(&engine->key_failure)))
                source = key_source(engine->key);
        else
                source = expected_source(&engine->config);
        *ret = (EngineInfo){
                .name = engine->config.name,
                .type = engine_type_to_string(engine->config.type),
                .url = engine->display,
                .state = engine->state,
                .last_error = engine->last_error,
                .found = engine->config.found,
                .live = engine->live,
                .waiting = engine->n_queued,
                .key_source = key_source_to_string(source),
                .key_place = key_place(&engine->config, source),
                .key_failure = engine->key_known && failure_is_set(&engine->key_failure)
                        ? failure_message(&engine->key_failure)
                        : "",
                .probed = engine->probed,
        };
}

unsigned engines_live(const Engines *e)
{
        const Engine *engine;
        unsigned n = 0;

        TAILQ_FOREACH(engine, &e->all, all) n += engine->live;
        return n;
}

unsigned engines_waiting(const Engines *e)
{
        const Engine *engine;
        unsigned n = 0;

        TAILQ_FOREACH(engine, &e->all, all) n += engine->n_queued;
        return n;
}
