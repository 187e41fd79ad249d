/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/routing.h"

#include "common/buffer.h"

#define LIST_SHOWN_MAX 6U
#define LIST_BYTES_MAX KIB(4)

const WireModel *route_find_model(const WireModel *models, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (streq(models[i].name, name))
                        return models + i;
        for (size_t i = 0; i < n; i++) {
                const char *rest = startswith(models[i].name, name);

                if (rest && streq(rest, ":latest"))
                        return models + i;
        }
        return NULL;
}

static const char *find_alias(const EngineConfig *c, const char *name)
{
        for (size_t i = 0; i < c->n_models; i++)
                if (streq(c->models[i].alias, name))
                        return c->models[i].model;
        return NULL;
}

/* It said what it has, and is there, whatever went wrong with a single question. */
static bool has_list(const RouteEngine *e)
{
        return e->state != ENGINE_UNREACHABLE && e->n_models > 0;
}

/* Engines from a file are there, whether they answer or not; a found one only when it answers. */
static bool engine_counts(const RouteEngine *e)
{
        if (e->config->type == ENGINE_BUILTIN)
                return false;
        return !e->config->found || e->state == ENGINE_READY || e->key_refused || has_list(e);
}

static int check_name(const char *name, Failure *failure)
{
        size_t n = strlen(name);

        if (n > MODEL_NAME_MAX)
                return failure_set(failure, FAILURE_NO_SUCH_MODEL,
                        "A model's name is at most %u bytes; this one has %zu.", MODEL_NAME_MAX, n);
        for (size_t i = 0; i < n; i++)
                if ((unsigned char) name[i] < 0x20 || name[i] == 0x7f)
                        return failure_set(failure, FAILURE_NO_SUCH_MODEL,
                                "A model's name has no control characters.");
        return 0;
}

/* "engine/model", where the part before the first slash is an engine's name. */
static bool find_prefix(const RouteQuery *q, const char *name, Route *ret)
{
        for (size_t i = 0; i < q->n_engines; i++) {
                const EngineConfig *c = q->engines[i].config;
                const char *rest = startswith(name, c->name), *model;

                if (!rest || rest[0] != '/' || !rest[1])
                        continue;
                model = find_alias(c, rest + 1);
                *ret = (Route){ .engine = i, .model = model ? model : rest + 1 };
                return true;
        }
        return false;
}

static void append_candidate(Buffer *b, unsigned n, const char *engine, const char *model)
{
        /* The list serves a message only: what does not fit is left out. */
        if (n < LIST_SHOWN_MAX)
                (void) buffer_append_format(b, "%s%s/%s", n > 0 ? ", " : "", engine, model);
        else if (n == LIST_SHOWN_MAX)
                (void) buffer_append_string(b, ", …");
}

static int fail_ambiguous(const char *name, const Buffer *candidates, Failure *failure)
{
        return failure_set(failure, FAILURE_NO_SUCH_MODEL,
                "The model name '%s' is not unique: say which one, %s.", name,
                buffer_text(candidates));
}

static int route_alias(const RouteQuery *q, const char *name, Route *ret, Failure *failure)
{
        _cleanup_buffer_ Buffer candidates = BUFFER_INIT(LIST_BYTES_MAX);
        unsigned n = 0;

        for (size_t i = 0; i < q->n_engines; i++) {
                const EngineConfig *c = q->engines[i].config;
                const char *model = find_alias(c, name);

                if (!model)
                        continue;
                append_candidate(&candidates, n++, c->name, name);
                *ret = (Route){ .engine = i, .model = model };
        }
        if (n > 1)
                return fail_ambiguous(name, &candidates, failure);
        return n;
}

static int fail_no_such_model(const RouteQuery *q, const char *name, Failure *failure)
{
        _cleanup_buffer_ Buffer there = BUFFER_INIT(LIST_BYTES_MAX);
        _cleanup_buffer_ Buffer silent = BUFFER_INIT(LIST_BYTES_MAX);
        unsigned n = 0;

        for (size_t i = 0; i < q->n_engines; i++) {
                const RouteEngine *e = q->engines + i;

                if (e->state == ENGINE_UNREACHABLE && !e->config->found)
                        (void) buffer_append_format(&silent,
                                " Engine '%s' (%s) does not answer: 'conductor engine test %s' "
                                "says why.",
                                e->config->name, e->display, e->config->name);
                if (has_list(e))
                        for (size_t j = 0; j < e->n_models; j++)
                                append_candidate(&there, n++, e->config->name, e->models[j].name);
        }
        return failure_set(failure, FAILURE_NO_SUCH_MODEL,
                "No engine has a model '%s'. %s%s%s'conductor models' shows all.%s%s", name,
                n > 0 ? "There are " : "", buffer_text(&there), n > 0 ? "; " : "",
                streq(name, strempty(q->default_model))
                        ? " It is the default; 'conductor default ENGINE/MODEL' sets another."
                        : "",
                buffer_text(&silent));
}

static int fail_unless_started(const RouteQuery *q, int error)
{
        for (size_t i = 0; i < q->n_engines; i++)
                if (q->engines[i].may_start)
                        return ROUTE_START;
        return error;
}

static int route_bare(const RouteQuery *q, const char *name, Route *ret, Failure *failure)
{
        _cleanup_buffer_ Buffer candidates = BUFFER_INIT(LIST_BYTES_MAX);
        bool unknown = false;
        unsigned n = 0;

        for (size_t i = 0; i < q->n_engines; i++) {
                const RouteEngine *e = q->engines + i;
                const WireModel *m;

                if (!e->known) {
                        unknown = true;
                        continue;
                }
                if (!has_list(e))
                        continue;
                m = route_find_model(e->models, e->n_models, name);
                if (!m)
                        continue;
                append_candidate(&candidates, n++, e->config->name, m->name);
                *ret = (Route){ .engine = i, .model = m->name };
        }
        if (n > 1)
                return fail_ambiguous(name, &candidates, failure);
        if (unknown)
                return ROUTE_ASK;
        if (n == 0)
                return fail_unless_started(q, fail_no_such_model(q, name, failure));
        return ROUTE_FOUND;
}

static int route_name(const RouteQuery *q, const char *name, Route *ret, Failure *failure)
{
        int r;

        r = check_name(name, failure);
        if (r < 0)
                return r;
        if (find_prefix(q, name, ret))
                return ROUTE_FOUND;
        r = route_alias(q, name, ret, failure);
        if (r < 0)
                return r;
        if (r > 0)
                return ROUTE_FOUND;
        return route_bare(q, name, ret, failure);
}

/* The one used last, where it may still be there. The built-in engine never becomes a habit: it
 * answered only because there was nothing else. */
static int route_last(const RouteQuery *q, Route *ret)
{
        const RouteEngine *e;
        Route route;

        if (isempty(q->last_model) || check_name(q->last_model, NULL) < 0 ||
                !find_prefix(q, q->last_model, &route))
                return -ENOENT;

        e = q->engines + route.engine;
        if (e->config->type == ENGINE_BUILTIN)
                return -ENOENT;
        if (!e->known) {
                if (q->verify)
                        return ROUTE_ASK;
        } else if (has_list(e) && !route_find_model(e->models, e->n_models, route.model) &&
                !find_alias(e->config, route.model))
                return -ENOENT;
        *ret = route;
        return ROUTE_FOUND;
}

static bool better_model(const WireModel *a, const WireModel *b)
{
        if (!b)
                return true;
        if (a->loaded != b->loaded)
                return a->loaded;
        return a->modified > b->modified;
}

/* One that is loaded, else the newest that can chat; among equals the engine named first. */
static const WireModel *route_best(const RouteQuery *q, Route *ret)
{
        const WireModel *best = NULL;

        for (size_t i = 0; i < q->n_engines; i++) {
                const RouteEngine *e = q->engines + i;

                if (!e->known || !has_list(e) || e->config->type == ENGINE_BUILTIN)
                        continue;
                for (size_t j = 0; j < e->n_models; j++) {
                        const WireModel *m = e->models + j;

                        if (!m->chat || !better_model(m, best))
                                continue;
                        best = m;
                        *ret = (Route){ .engine = i, .model = m->name };
                }
        }
        return best;
}

/* Engines whose models nobody lists may still be meant by their configuration. */
static bool route_declared(const RouteQuery *q, Route *ret)
{
        for (size_t i = 0; i < q->n_engines; i++) {
                const RouteEngine *e = q->engines + i;

                if (e->config->type == ENGINE_BUILTIN || e->config->n_models == 0 ||
                        e->state == ENGINE_UNREACHABLE)
                        continue;
                *ret = (Route){ .engine = i, .model = e->config->models[0].model };
                return true;
        }
        return false;
}

static int fail_no_default(const RouteQuery *q, Failure *failure)
{
        const RouteEngine *empty = NULL, *broken = NULL;
        FailureCode code;

        for (size_t i = 0; i < q->n_engines; i++) {
                const RouteEngine *e = q->engines + i;

                if (!engine_counts(e))
                        continue;
                if (e->state == ENGINE_READY)
                        empty = empty ? empty : e;
                else
                        broken = broken ? broken : e;
        }
        if (empty)
                return failure_set(failure, FAILURE_NO_SUCH_MODEL,
                        "Engine '%s' (%s) has no model that can chat.%s", empty->config->name,
                        empty->display,
                        empty->config->type == ENGINE_OLLAMA
                                ? " 'ollama pull qwen2.5:0.5b' fetches a small one."
                                : " Load one there, or name one with Models=.");
        if (!broken)
                return failure_set(failure, FAILURE_NO_SUCH_MODEL, "No engine is configured.");
        code = FAILURE_ENGINE_UNREACHABLE;
        if (broken->key_refused)
                code = FAILURE_KEY_REFUSED;
        else if (broken->state == ENGINE_REFUSING)
                code = FAILURE_ENGINE_REFUSED;
        if (!isempty(broken->last_error))
                return failure_set(failure, code, "%s", broken->last_error);
        return failure_set(failure, code,
                "Engine '%s' (%s) does not answer. 'conductor engine test %s' says more.",
                broken->config->name, broken->display, broken->config->name);
}

static int route_default(const RouteQuery *q, Route *ret, Failure *failure)
{
        const WireModel *best;
        bool real = false;
        int r;

        if (!isempty(q->default_model))
                return route_name(q, q->default_model, ret, failure);

        r = route_last(q, ret);
        if (r >= 0)
                return r;

        /* A loaded model need not wait for what other engines would say. */
        best = route_best(q, ret);
        if (best && best->loaded)
                return ROUTE_FOUND;
        for (size_t i = 0; i < q->n_engines; i++) {
                const RouteEngine *e = q->engines + i;

                if (!e->known && e->config->type != ENGINE_BUILTIN)
                        return ROUTE_ASK;
                real = real || engine_counts(e);
        }
        if (best)
                return ROUTE_FOUND;
        if (!real)
                for (size_t i = 0; i < q->n_engines; i++)
                        if (q->engines[i].config->type == ENGINE_BUILTIN) {
                                *ret = (Route){ .engine = i, .model = "doctor" };
                                return ROUTE_FOUND;
                        }
        if (route_declared(q, ret))
                return ROUTE_FOUND;
        return fail_unless_started(q, fail_no_default(q, failure));
}

int route_model(const RouteQuery *q, Route *ret, Failure *failure)
{
        assert(q && ret);

        if (isempty(q->model))
                return route_default(q, ret, failure);
        return route_name(q, q->model, ret, failure);
}
