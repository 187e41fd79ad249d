/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks an engine what it has: key, model list, and of Ollama what is loaded. One at a time for each
 * engine, shared by all who wait for it; only ever because somebody asked. Where it does not answer
 * and somebody wants it started, its unit is, and it is asked again until it listens. */
#include "service/engine/engine.h"

#include "common/log.h"

struct EngineProbe {
        Engine *engine; /* which owns the probe, and lives until it ends: somebody waits for it */
        sd_event_source *defer, *timer;
        ProbeMode mode;
        unsigned attempts; /* since its unit was started */
        EngineWait wait;   /* key, or unit */
        EngineFetch *fetch;
};

EngineProbe *engine_probe_free(EngineProbe *p)
{
        Engine *e;

        if (!p)
                return NULL;
        e = p->engine;
        engine_wait_cancel(&p->wait);
        engine_fetch_free(p->fetch);
        sd_event_source_disable_unref(p->defer);
        sd_event_source_disable_unref(p->timer);
        free(p);
        engine_unref(e);
        return NULL;
}

/* What it is known for from now on. */
static void probe_learn_failure(EngineProbe *p, const Failure *failure)
{
        _cleanup_failure_ Failure named = FAILURE_NULL;
        Engine *e = p->engine;

        if (failure == &e->unit_failure)
                failure_copy(&named, failure);
        else if (failure->code == FAILURE_ENGINE_UNREACHABLE && p->attempts > 0)
                engine_name_unit_failure(e, failure, &named);
        else
                engine_name_failure(e, failure, &named);
        /* A server without a model list, or with one over the limit, answers all the same. */
        if (failure->code == FAILURE_NO_SUCH_MODEL || failure->code == FAILURE_TOO_LARGE)
                engine_set_state(e, ENGINE_REFUSING, &named);
        else
                engine_learn_failure(e, &named, 0);
}

/* list: the models, taken over; NULL with a failure. */
static void probe_end(EngineProbe *p, ModelList *list, const Failure *failure)
{
        _cleanup_(engine_unrefp) Engine *e = engine_ref(p->engine);

        if (failure_is_set(failure))
                probe_learn_failure(p, failure);
        else {
                ModelList old = { e->models, e->n_models };

                e->models = TAKE_PTR(list->models);
                e->n_models = list->n;
                list->n = 0;
                engines_free_models(e->engines, &old);
                /* Who is told of the state asks at once which models there are. */
                (void) sd_event_now(e->engines->event, CLOCK_MONOTONIC, &e->probed);
                engine_set_state(e, ENGINE_READY, NULL);
        }
        /* Last: what it is known for now is what it said now. */
        (void) sd_event_now(e->engines->event, CLOCK_MONOTONIC, &e->probed);
        engines_tell_models(e->engines);
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

static void probe_fail(EngineProbe *p, const Failure *failure)
{
        probe_end(p, NULL, failure);
}

static int read_loaded(
        EngineType type, const char *body, size_t size, ModelList *list, Failure *failure)
{
        return wire_parse_loaded(body, size, list->models, list->n);
}

static void on_loaded(ModelList *list, const Failure *failure, void *userdata)
{
        EngineProbe *p = ASSERT_PTR(userdata);

        if (failure_is_set(failure))
                log_debug("Engine '%s' does not say which models are loaded, ignoring.",
                        p->engine->config.name);
        probe_end(p, list, NULL);
}

static void probe_fetch(EngineProbe *p);

static void on_unit(void *userdata)
{
        EngineProbe *p = ASSERT_PTR(userdata);

        if (failure_is_set(&p->engine->unit_failure)) {
                probe_fail(p, &p->engine->unit_failure);
                return;
        }
        p->attempts = 1;
        probe_fetch(p);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        probe_fetch(ASSERT_PTR(userdata));
        return 0;
}

/* What does not answer is started; what was started may not listen yet. */
static bool probe_try_again(EngineProbe *p, const Failure *failure)
{
        Engine *e = p->engine;
        usec_t delay;

        if (p->mode != PROBE_START || failure->code != FAILURE_ENGINE_UNREACHABLE ||
                !engine_has_unit(e))
                return false;
        if (p->attempts == 0) {
                p->wait = (EngineWait){ .done = on_unit, .userdata = p };
                if (engine_unit_start(e, &p->wait) < 0)
                        probe_fail(p, &e->unit_failure);
                return true;
        }
        if (p->attempts >= REPLY_ATTEMPTS_MAX)
                return false;
        delay = engine_backoff(e->engines, p->attempts++);
        p->timer = sd_event_source_disable_unref(p->timer);
        return sd_event_add_time_relative(e->engines->event, &p->timer, CLOCK_MONOTONIC, delay,
                       10 * USEC_PER_MSEC, on_timer, p) >= 0;
}

static int read_models(
        EngineType type, const char *body, size_t size, ModelList *list, Failure *failure)
{
        return wire_parse_models(type, body, size, &list->models, &list->n, failure);
}

/* list: of Ollama, which says in a second answer what of it is loaded; taken over. */
static void on_models(ModelList *list, const Failure *failure, void *userdata)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        EngineProbe *p = ASSERT_PTR(userdata);
        FetchRequest request = { .read = read_loaded, .done = on_loaded, .userdata = p };
        _cleanup_free_ char *url = NULL;
        int r;

        if (failure_is_set(failure)) {
                if (!probe_try_again(p, failure))
                        probe_fail(p, failure);
                return;
        }
        if (p->engine->config.type != ENGINE_OLLAMA) {
                probe_end(p, list, NULL);
                return;
        }

        p->fetch = engine_fetch_free(p->fetch);
        r = engine_ollama_url(p->engine, "ps", &url);
        if (r < 0)
                (void) failure_set_errno(&f, r, "Asking an engine");
        else {
                request.url = url;
                request.list = *list;
                *list = (ModelList){ 0 };
                r = engine_fetch_new(&p->fetch, p->engine, &request, &f);
        }
        if (r < 0)
                probe_fail(p, &f);
}

static void probe_fetch(EngineProbe *p)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        const EngineConfig *c = &p->engine->config;
        FetchRequest request = { .read = read_models, .done = on_models, .userdata = p };
        _cleanup_free_ char *url = NULL;
        int r;

        if (failure_is_set(&p->engine->key_failure)) {
                probe_fail(p, &p->engine->key_failure);
                return;
        }
        p->fetch = engine_fetch_free(p->fetch);
        r = wire_models_url(c->type, c->url, &url);
        if (r < 0)
                (void) failure_set_errno(&f, r, "Asking an engine");
        else {
                request.url = url;
                r = engine_fetch_new(&p->fetch, p->engine, &request, &f);
        }
        if (r < 0)
                probe_fail(p, &f);
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

        p->wait = (EngineWait){ .done = on_key, .userdata = p };
        engine_forget_key_failure(p->engine);
        r = engine_load_key(p->engine, KEY_QUIET, &p->wait);
        if (r < 0) {
                (void) failure_set_errno(&f, r, "Reading a key");
                probe_fail(p, &f);
        } else if (r == 0)
                probe_fetch(p);
        return 0;
}

int engine_probe(Engine *e, ProbeMode mode, EngineWait *w)
{
        int r;

        assert(e->config.type != ENGINE_BUILTIN);

        if (!e->probe) {
                EngineProbe *p;

                p = calloc(1, sizeof *p);
                if (!p)
                        return -ENOMEM;
                p->engine = engine_ref(e);
                /* Not at once: then nobody who asks is called from inside the asking. */
                r = sd_event_add_defer(e->engines->event, &p->defer, on_defer, p);
                if (r < 0) {
                        engine_probe_free(p);
                        return r;
                }
                e->probe = p;
        }
        if (mode == PROBE_START) {
                e->probe->mode = mode;
                /* What it was known for ends with the start. */
                if (engine_wants_unit(e)) {
                        e->probed = 0;
                        engines_tell_models(e->engines);
                }
        }
        engine_wait_add(&e->probe_waits, w);
        return 0;
}
