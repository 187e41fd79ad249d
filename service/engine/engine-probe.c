/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks an engine what it has: key, model list, and of Ollama what is loaded. One at a time for each
 * engine, shared by all who wait for it; only ever because somebody asked. */
#include "service/engine/engine.h"

#include "common/log.h"

struct EngineProbe {
        Engine *engine; /* which owns the probe */
        sd_event_source *defer;
        EngineWait key_wait;
        EngineFetch *fetch;
        WireModel *models;
        size_t n_models;
};

EngineProbe *engine_probe_free(EngineProbe *p)
{
        if (!p)
                return NULL;
        engine_wait_cancel(&p->key_wait);
        engine_fetch_free(p->fetch);
        sd_event_source_disable_unref(p->defer);
        wire_models_free(p->models, p->n_models);
        free(p);
        return NULL;
}

static void probe_end(EngineProbe *p, const Failure *failure)
{
        _cleanup_(engine_unrefp) Engine *e = engine_ref(p->engine);

        (void) sd_event_now(e->engines->event, CLOCK_MONOTONIC, &e->probed);
        if (failure_is_set(failure)) {
                _cleanup_failure_ Failure named = FAILURE_NULL;
                usec_t probed = e->probed;

                engine_name_failure(e, failure, &named);
                /* A server without a model list answers all the same. */
                if (failure->code == FAILURE_NO_SUCH_MODEL)
                        engine_set_state(e, ENGINE_REFUSING, &named);
                else
                        engine_learn_failure(e, &named, 0);
                e->probed = probed;
        } else {
                wire_models_free(e->models, e->n_models);
                e->models = TAKE_PTR(p->models);
                e->n_models = p->n_models;
                p->n_models = 0;
                engine_set_state(e, ENGINE_READY, NULL);
        }
        e->probe = engine_probe_free(p);
        engine_waits_wake(&e->probe_waits);
}

int engine_ollama_url(const Engine *e, const char *what, char **ret)
{
        static const char tags[] = "tags";
        _cleanup_free_ char *models = NULL;
        size_t n;
        int r;

        /* Beside the list of models, whatever stands in front of it. */
        r = wire_models_url(ENGINE_OLLAMA, e->config.url, &models);
        if (r < 0)
                return r;
        n = strlen(models);
        assert(n > strlen(tags) && streq(models + n - strlen(tags), tags));
        if (asprintf(ret, "%.*s%s", (int) (n - strlen(tags)), models, what) < 0)
                return -ENOMEM;
        return 0;
}

static void on_loaded(const char *body, size_t size, const Failure *failure, void *userdata)
{
        EngineProbe *p = ASSERT_PTR(userdata);
        int r = 0;

        if (!failure_is_set(failure))
                r = wire_parse_loaded(body, size, p->models, p->n_models);
        if (failure_is_set(failure) || r < 0)
                log_debug("Engine '%s' does not say which models are loaded, ignoring.",
                        p->engine->config.name);
        probe_end(p, NULL);
}

static void on_models(const char *body, size_t size, const Failure *failure, void *userdata)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        EngineProbe *p = ASSERT_PTR(userdata);
        const EngineConfig *c = &p->engine->config;
        _cleanup_free_ char *url = NULL;
        int r;

        if (failure_is_set(failure)) {
                probe_end(p, failure);
                return;
        }
        r = wire_parse_models(c->type, body, size, &p->models, &p->n_models, &f);
        if (r < 0 || c->type != ENGINE_OLLAMA) {
                probe_end(p, &f);
                return;
        }

        p->fetch = engine_fetch_free(p->fetch);
        r = engine_ollama_url(p->engine, "ps", &url);
        if (r < 0)
                (void) failure_set_errno(&f, r, "Asking an engine");
        else
                r = engine_fetch_new(&p->fetch, p->engine, url, NULL, on_loaded, p, &f);
        if (r < 0)
                probe_end(p, &f);
}

static void probe_fetch(EngineProbe *p)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        const EngineConfig *c = &p->engine->config;
        _cleanup_free_ char *url = NULL;
        int r;

        if (failure_is_set(&p->engine->key_failure)) {
                probe_end(p, &p->engine->key_failure);
                return;
        }
        r = wire_models_url(c->type, c->url, &url);
        if (r < 0)
                (void) failure_set_errno(&f, r, "Asking an engine");
        else
                r = engine_fetch_new(&p->fetch, p->engine, url, NULL, on_models, p, &f);
        if (r < 0)
                probe_end(p, &f);
}

static void on_key(void *userdata)
{
        probe_fetch(userdata);
}

static int on_defer(sd_event_source *source, void *userdata)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        EngineProbe *p = ASSERT_PTR(userdata);
        int r;

        p->key_wait = (EngineWait){ .done = on_key, .userdata = p };
        r = engine_load_key(p->engine, &p->key_wait);
        if (r < 0) {
                (void) failure_set_errno(&f, r, "Reading a key");
                probe_end(p, &f);
        } else if (r == 0)
                probe_fetch(p);
        return 0;
}

int engine_probe(Engine *e, EngineWait *w)
{
        int r;

        assert(e->config.type != ENGINE_BUILTIN);

        if (!e->probe) {
                EngineProbe *p;

                p = calloc(1, sizeof *p);
                if (!p)
                        return -ENOMEM;
                p->engine = e;
                /* Not at once: then nobody who asks is called from inside the asking. */
                r = sd_event_add_defer(e->engines->event, &p->defer, on_defer, p);
                if (r < 0) {
                        engine_probe_free(p);
                        return r;
                }
                e->probe = p;
        }
        engine_wait_add(&e->probe_waits, w);
        return 0;
}
