/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/engine.h"

#include "common/log.h"
#include "service/engine/context.h"

/* ---- waiting ---- */

void engine_wait_add(EngineWaits *list, EngineWait *w)
{
        assert(!w->list);
        w->list = list;
        TAILQ_INSERT_TAIL(list, w, entries);
}

void engine_wait_cancel(EngineWait *w)
{
        if (!w->list)
                return;
        TAILQ_REMOVE(w->list, w, entries);
        w->list = NULL;
}

void engine_waits_wake(EngineWaits *list)
{
        EngineWaits now = TAILQ_HEAD_INITIALIZER(now);
        EngineWait *w;

        /* Those who wait anew from inside a callback wait for the next time. */
        TAILQ_CONCAT(&now, list, entries);
        TAILQ_FOREACH(w, &now, entries) w->list = &now;
        while ((w = TAILQ_FIRST(&now))) {
                engine_wait_cancel(w);
                w->done(w->userdata);
        }
}

/* ---- configuration ---- */

static const size_t config_strings[] = {
        offsetof(EngineConfig, name),
        offsetof(EngineConfig, url),
        offsetof(EngineConfig, keep_alive),
        offsetof(EngineConfig, unit),
        offsetof(EngineConfig, key_credential),
        offsetof(EngineConfig, key_secret),
        offsetof(EngineConfig, key_file),
        offsetof(EngineConfig, key_environment),
        offsetof(EngineConfig, ca_file),
        offsetof(EngineConfig, proxy),
        offsetof(EngineConfig, source),
};

static char **config_string(EngineConfig *c, size_t i)
{
        return (char **) ((char *) c + config_strings[i]);
}

static const char *config_get_string(const EngineConfig *c, size_t i)
{
        return strempty(*(char *const *) ((const char *) c + config_strings[i]));
}

static void config_done(EngineConfig *c)
{
        for (size_t i = 0; i < ELEMENTSOF(config_strings); i++)
                free(*config_string(c, i));
        for (size_t i = 0; i < c->n_models; i++) {
                free(c->models[i].alias);
                free(c->models[i].model);
        }
        free(c->models);
        *c = (EngineConfig){ 0 };
}

/* Strings are never NULL in the copy. */
static int config_copy(EngineConfig *ret, const EngineConfig *c)
{
        _cleanup_(config_done) EngineConfig copy = *c;

        for (size_t i = 0; i < ELEMENTSOF(config_strings); i++)
                *config_string(&copy, i) = NULL;
        copy.models = NULL;
        copy.n_models = 0;

        for (size_t i = 0; i < ELEMENTSOF(config_strings); i++) {
                *config_string(&copy, i) = strdup(config_get_string(c, i));
                if (!*config_string(&copy, i))
                        return -ENOMEM;
        }
        copy.models = calloc(c->n_models + 1, sizeof *copy.models);
        if (!copy.models)
                return -ENOMEM;
        for (size_t i = 0; i < c->n_models; i++) {
                ModelAlias *m = copy.models + copy.n_models++;

                m->alias = strdup(c->models[i].alias);
                m->model = strdup(c->models[i].model);
                if (!m->alias || !m->model)
                        return -ENOMEM;
        }
        *ret = copy;
        copy = (EngineConfig){ 0 };
        return 0;
}

bool engine_config_equal(const EngineConfig *a, const EngineConfig *b)
{
        for (size_t i = 0; i < ELEMENTSOF(config_strings); i++)
                if (!streq(config_get_string(a, i), config_get_string(b, i)))
                        return false;
        if (a->n_models != b->n_models)
                return false;
        for (size_t i = 0; i < a->n_models; i++)
                if (!streq(a->models[i].alias, b->models[i].alias) ||
                        !streq(a->models[i].model, b->models[i].model))
                        return false;
        return a->type == b->type && a->max_concurrent == b->max_concurrent &&
                a->context_size == b->context_size && a->max_tokens == b->max_tokens &&
                a->connect_timeout == b->connect_timeout &&
                a->first_byte_timeout == b->first_byte_timeout &&
                a->stall_timeout == b->stall_timeout && a->found == b->found;
}

/* ---- life ---- */

/* The built-in engine needs no probe: its one model is known. */
static int engine_make_builtin(Engine *e)
{
        e->models = calloc(1, sizeof *e->models);
        if (!e->models)
                return -ENOMEM;
        e->n_models = 1;
        e->models[0].chat = e->models[0].loaded = true;
        e->models[0].name = strdup(BUILTIN_MODEL);
        e->models[0].capabilities = calloc(2, sizeof(char *));
        if (!e->models[0].name || !e->models[0].capabilities)
                return -ENOMEM;
        e->models[0].capabilities[0] = strdup("completion");
        if (!e->models[0].capabilities[0])
                return -ENOMEM;
        e->state = ENGINE_READY;
        return 0;
}

int engine_new(Engine **ret, Engines *engines, const EngineConfig *config)
{
        _cleanup_(engine_unrefp) Engine *e = NULL;
        int r;

        e = calloc(1, sizeof *e);
        if (!e)
                return -ENOMEM;
        e->n_ref = 1;
        TAILQ_INIT(&e->key_waits);
        TAILQ_INIT(&e->probe_waits);
        TAILQ_INIT(&e->unit_waits);
        TAILQ_INIT(&e->queue);

        r = config_copy(&e->config, config);
        if (r < 0)
                return r;
        r = http_url_display(e->config.url, &e->display);
        if (r < 0)
                return r;
        e->last_error = strdup("");
        if (!e->last_error)
                return -ENOMEM;
        if (config->type == ENGINE_BUILTIN) {
                r = engine_make_builtin(e);
                if (r < 0)
                        return r;
        }

        TAILQ_INSERT_TAIL(&engines->all, e, all);
        e->engines = engines;
        *ret = TAKE_PTR(e);
        return 0;
}

Engine *engine_ref(Engine *e)
{
        assert(e && e->n_ref > 0);
        e->n_ref++;
        return e;
}

void engine_detach(Engine *e)
{
        if (!e->engines)
                return;
        e->probe = engine_probe_free(e->probe);
        engine_unit_stop(e);
        engine_key_stop(e);
        e->queue_source = sd_event_source_disable_unref(e->queue_source);
        TAILQ_REMOVE(&e->engines->all, e, all);
        e->engines = NULL;
}

Engine *engine_unref(Engine *e)
{
        if (!e)
                return NULL;
        assert(e->n_ref > 0);
        if (--e->n_ref > 0)
                return NULL;

        engine_detach(e);
        for (size_t i = 0; i < e->n_lessons; i++)
                free(e->lessons[i].model);
        free(e->lessons);
        wire_models_free(e->models, e->n_models);
        key_free(e->key);
        failure_done(&e->key_failure);
        failure_done(&e->unit_failure);
        free(e->last_error);
        free(e->display);
        config_done(&e->config);
        free(e);
        return NULL;
}

/* ---- what is known of it ---- */

const char *engine_state_to_string(EngineState s)
{
        static const char *const table[_ENGINE_STATE_MAX] = {
                [ENGINE_UNKNOWN] = "unknown",
                [ENGINE_READY] = "ready",
                [ENGINE_UNREACHABLE] = "unreachable",
                [ENGINE_REFUSING] = "refusing",
        };

        assert(s >= 0 && s < _ENGINE_STATE_MAX);
        return table[s];
}

void engine_set_state(Engine *e, EngineState state, const Failure *failure)
{
        EngineState before = e->state;

        if (failure_is_set(failure)) {
                if (free_and_strdup(&e->last_error, failure_message(failure)) < 0)
                        log_oom();
                e->last_code = failure->code;
        } else {
                e->last_error[0] = 0;
                e->last_code = FAILURE_NONE;
        }

        e->state = state;
        if (state == before)
                return;
        /* It is back, and what it has now nobody knows, but a probe that has just asked. */
        if (before == ENGINE_UNREACHABLE && !e->probe)
                e->probed = 0;
        log_debug("Engine '%s' (%s): %s -> %s.", e->config.name, e->display,
                engine_state_to_string(before), engine_state_to_string(state));
        if (e->engines && e->engines->observer.changed)
                e->engines->observer.changed(e->config.name, state, e->engines->observer.userdata);
}

void engine_learn_failure(Engine *e, const Failure *failure, long status)
{
        switch (failure->code) {
        case FAILURE_ENGINE_UNREACHABLE:
                (void) sd_event_now(e->engines->event, CLOCK_MONOTONIC, &e->probed);
                engine_set_state(e, ENGINE_UNREACHABLE, failure);
                break;
        case FAILURE_ENGINE_REFUSED:
                /* A bad request, or too many: the engine itself is well. */
                if (status < 400 || status >= 500)
                        engine_set_state(e, ENGINE_REFUSING, failure);
                break;
        case FAILURE_ENGINE_FAILED:
        case FAILURE_ENGINE_STALLED:
        case FAILURE_KEY_REFUSED:
        case FAILURE_CONFIGURATION:
                engine_set_state(e, ENGINE_REFUSING, failure);
                break;
        case FAILURE_NO_SUCH_MODEL:
                /* The list is out of date. */
                e->probed = 0;
                engines_tell_models(e->engines);
                break;
        case FAILURE_NONE:
        case FAILURE_INVALID_ARGUMENT:
        case FAILURE_NO_SUCH_CONVERSATION:
        case FAILURE_NO_SUCH_MESSAGE:
        case FAILURE_CONTEXT_TOO_LONG:
        case FAILURE_BUSY:
        case FAILURE_TOO_LARGE:
        case FAILURE_NOT_SUPPORTED:
        case FAILURE_CANCELLED:
        case FAILURE_STORE_FULL:
        case FAILURE_STORE_FAILED:
        case FAILURE_NO_MEMORY:
        case FAILURE_NO_SERVICE:
        case FAILURE_INTERNAL:
        case _FAILURE_MAX:
                break;
        }
}

bool engine_is_local(const Engine *e)
{
        return e->config.type == ENGINE_BUILTIN || http_url_is_loopback(e->config.url);
}

bool engine_is_fresh(const Engine *e)
{
        usec_t now, keep = ENGINE_FRESH_USEC;

        if (e->config.type == ENGINE_BUILTIN)
                return true;
        if (e->probed == 0 || sd_event_now(e->engines->event, CLOCK_MONOTONIC, &now) < 0)
                return false;
        /* Asking this machine again costs nothing, and who has just started an engine does not want
         * to hear for ten seconds that it is not there. */
        if (e->state == ENGINE_UNREACHABLE && engine_is_local(e))
                keep = USEC_PER_SEC;
        return now < e->probed + keep;
}

const WireModel *engine_find_model(const Engine *e, const char *model)
{
        return route_find_model(e->models, e->n_models, model);
}

EngineLesson *engine_lesson(Engine *e, const char *model)
{
        _cleanup_free_ char *copy = NULL;
        EngineLesson *lessons;

        for (size_t i = 0; i < e->n_lessons; i++)
                if (streq(e->lessons[i].model, model))
                        return e->lessons + i;
        if (e->n_lessons >= ENGINE_LESSONS_MAX)
                return NULL;

        copy = strdup(model);
        lessons = realloc(e->lessons, (e->n_lessons + 1) * sizeof *lessons);
        if (lessons)
                e->lessons = lessons;
        if (!copy || !lessons)
                return NULL;
        lessons[e->n_lessons] = (EngineLesson){ .model = TAKE_PTR(copy), .ratio = CONTEXT_RATIO };
        return lessons + e->n_lessons++;
}

static uint64_t find_context_size(const Engine *e, const char *model, const WireModel *m)
{
        if (e->config.context_size > 0)
                return e->config.context_size;
        if (m && m->loaded && m->context_size > 0)
                return m->context_size;
        for (size_t i = 0; i < e->n_lessons; i++)
                if (streq(e->lessons[i].model, model) && e->lessons[i].context_size > 0)
                        return e->lessons[i].context_size;
        return m ? m->context_size : 0;
}

uint64_t engine_context_size(const Engine *e, const char *model)
{
        return find_context_size(e, model, engine_find_model(e, model));
}

uint64_t engine_model_context_size(const Engine *e, const WireModel *m)
{
        return find_context_size(e, m->name, m);
}

double engine_context_ratio(const Engine *e, const char *model)
{
        for (size_t i = 0; i < e->n_lessons; i++)
                if (streq(e->lessons[i].model, model))
                        return e->lessons[i].ratio;
        return CONTEXT_RATIO;
}

void engine_describe(const Engine *e, RouteEngine *ret)
{
        *ret = (RouteEngine){
                .config = &e->config,
                .display = e->display,
                .last_error = e->last_error,
                .state = e->state,
                .known = engine_is_fresh(e),
                .key_refused = e->state == ENGINE_REFUSING && e->last_code == FAILURE_KEY_REFUSED &&
                        (e->key || failure_is_set(&e->key_failure)),
                .may_start = engine_wants_unit(e),
                .models = e->models,
                .n_models = e->n_models,
        };
}

void engine_hide_key(const Engine *e, Failure *failure)
{
        if (failure->message && key_hide(e->key, failure->message) < 0)
                failure->message = mfree(failure->message); /* the code has a sentence, too */
}

void engine_name_failure(const Engine *e, const Failure *failure, Failure *ret)
{
        const char *text = failure_message(failure), *name = e->config.name, *rest;

        /* The wire formats begin "engine NAME refused: …" or "the engine reports: …"; HTTP's own
         * sentences have the address in them. */
        rest = startswith(text, "engine ");
        if (rest)
                rest = startswith(rest, name);
        if (!rest || *rest != ' ')
                rest = startswith(text, "the engine");

        if (rest && *rest == ' ')
                (void) failure_set(ret, failure->code,
                        "Engine '%s' (%s)%s 'conductor engine test %s' says more.", name,
                        e->display, rest, name);
        else if (strstr(text, "://"))
                (void) failure_set(ret, failure->code,
                        "Engine '%s': %s 'conductor engine test %s' says more.", name, text, name);
        else
                (void) failure_set(ret, failure->code,
                        "Engine '%s' (%s): %s 'conductor engine test %s' says more.", name,
                        e->display, text, name);
        if (ret)
                engine_hide_key(e, ret);
}

/* ---- requests ---- */

char **engine_headers_wipe(char **headers)
{
        if (!headers)
                return NULL;
        for (char **h = headers; *h; h++) {
                explicit_bzero(*h, strlen(*h));
                free(*h);
        }
        free(headers);
        return NULL;
}

/* Not by asprintf(), which leaves the beginning of a long line behind where it began. */
static char *key_header(const char *begin, const char *key)
{
        char *line = malloc(strlen(begin) + strlen(key) + 1);

        if (line)
                (void) stpcpy(stpcpy(line, begin), key);
        return line;
}

int engine_headers(const Engine *e, char ***ret)
{
        _cleanup_(engine_headers_wipep) char **headers = NULL;
        bool anthropic = e->config.type == ENGINE_ANTHROPIC;
        size_t n = 0;

        headers = calloc(4, sizeof *headers);
        if (!headers)
                return -ENOMEM;
        headers[n] = strdup("Content-Type: application/json");
        if (!headers[n++])
                return -ENOMEM;
        if (anthropic) {
                headers[n] = strdup("anthropic-version: 2023-06-01");
                if (!headers[n++])
                        return -ENOMEM;
        }
        if (e->key) {
                headers[n] = key_header(
                        anthropic ? "x-api-key: " : "Authorization: Bearer ", key_text(e->key));
                if (!headers[n])
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(headers);
        return 0;
}
