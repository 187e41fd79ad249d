/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must be there before a request leaves: the engine itself, where a unit starts it, its key,
 * and how much of the conversation fits. */
#include "service/engine/engine.h"

#include <inttypes.h>

#include "common/json-util.h"
#include "service/engine/context.h"

#define CONTEXT_ASSUMED_TOKENS 2048U /* what the smallest of today's defaults holds */
#define SHOW_BODY_MAX          KIB(4)

/* ---- the size of the context ---- */

static void on_prepared(void *userdata)
{
        _cleanup_(engine_reply_unrefp) EngineReply *r = engine_reply_ref(ASSERT_PTR(userdata));

        engine_reply_prepare(r);
}

static void on_unit(void *userdata)
{
        _cleanup_(engine_reply_unrefp) EngineReply *r = engine_reply_ref(ASSERT_PTR(userdata));

        if (failure_is_set(&r->engine->unit_failure))
                engine_reply_unit_failed(r);
        else
                engine_reply_prepare(r);
}

/* 1 = goes on later. */
static int reply_start_unit(EngineReply *r)
{
        char phase[PHASE_MAX];
        int k;

        if (r->unit_tried || !engine_wants_unit(r->engine))
                return 0;
        r->unit_tried = true;
        r->wait = (EngineWait){ .done = on_unit, .userdata = r };
        k = engine_unit_start(r->engine, &r->wait);
        if (k < 0)
                return k;
        (void) snprintf(phase, sizeof phase, "starting %s", r->engine->config.unit);
        engine_reply_tell_phase(r, phase);
        return 1;
}

static int read_show(
        EngineType type, const char *body, size_t size, ModelList *list, Failure *failure)
{
        return wire_parse_show(body, size, list->models);
}

static void on_show(ModelList *list, const Failure *failure, void *userdata)
{
        _cleanup_(engine_reply_unrefp) EngineReply *r = engine_reply_ref(ASSERT_PTR(userdata));
        EngineLesson *lesson;

        if (!failure_is_set(failure) && list->models->context_size > 0) {
                lesson = engine_lesson(r->engine, r->model);
                if (lesson)
                        lesson->context_size = list->models->context_size;
        }
        r->show = engine_fetch_free(r->show);
        engine_reply_prepare(r);
}

static int build_show(const char *model, char **ret)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(SHOW_BODY_MAX);
        int k;

        k = buffer_append_string(&b, "{\"model\":");
        if (k >= 0)
                k = json_append_string(&b, model, strlen(model));
        if (k >= 0)
                k = buffer_append_string(&b, "}");
        if (k < 0)
                return k;
        return buffer_steal(&b, ret, NULL);
}

static int list_of_one(const char *name, ModelList *ret)
{
        ModelList l = { .models = calloc(1, sizeof *l.models), .n = 1 };

        if (!l.models)
                return -ENOMEM;
        l.models->name = strdup(name);
        if (!l.models->name) {
                model_list_done(&l);
                return -ENOMEM;
        }
        *ret = l;
        return 0;
}

static int reply_ask_show(EngineReply *r)
{
        FetchRequest request = { .read = read_show, .done = on_show, .userdata = r };
        _cleanup_free_ char *url = NULL;
        int k;

        k = engine_ollama_url(r->engine, "show", &url);
        if (k < 0)
                return k;
        request.url = url;
        k = list_of_one(r->model, &request.list);
        if (k < 0)
                return k;
        k = build_show(r->model, &request.body);
        if (k < 0) {
                model_list_done(&request.list);
                return k;
        }
        return engine_fetch_new(&r->show, r->engine, &request, NULL);
}

/* Asks for the context's size where a long conversation makes it matter. 1 = asked, goes on later.
 */
static int reply_ask_context(EngineReply *r)
{
        Engine *e = r->engine;
        bool ollama = e->config.type == ENGINE_OLLAMA;

        if (!r->overflowed &&
                (r->estimate <= CONTEXT_ASSUMED_TOKENS || engine_context_size(e, r->model) > 0))
                return 0;
        if (!r->probe_tried &&
                (r->overflowed || e->probed == 0 || (ollama && !engine_is_fresh(e)))) {
                r->probe_tried = true;
                r->wait = (EngineWait){ .done = on_prepared, .userdata = r };
                return engine_probe(e, PROBE_ASK, &r->wait) < 0 ? 0 : 1;
        }
        if (ollama && !r->show_tried && engine_context_size(e, r->model) == 0) {
                r->show_tried = true;
                return reply_ask_show(r) < 0 ? 0 : 1;
        }
        return 0;
}

static uint64_t reply_estimate(const EngineReply *r)
{
        return context_estimate(r->prompt, r->skip, engine_context_ratio(r->engine, r->model));
}

/* Leaves out what does not fit. */
static int reply_fit(EngineReply *r, Failure *failure)
{
        uint64_t size = engine_context_size(r->engine, r->model), target = UINT64_MAX;
        unsigned before = r->skip;

        if (size > 0)
                target = context_budget(size, r->engine->config.max_tokens);
        /* The estimate was evidently too low. */
        if (r->overflowed)
                target = MIN(target, r->estimate / 5 * 3);
        r->skip = context_fit(
                r->prompt, r->skip, engine_context_ratio(r->engine, r->model), target);
        r->estimate = reply_estimate(r);

        /* Far too much is not even tried; what is near the limit the engine counts better. */
        if ((size > 0 && r->estimate / 2 > size) || (r->overflowed && r->skip == before))
                return failure_set(failure, FAILURE_CONTEXT_TOO_LONG,
                        "The last message alone is about %" PRIu64
                        " tokens, and model '%s' of engine '%s' takes %" PRIu64
                        "%s. Shorten it, or take a model with a larger context: 'conductor models' "
                        "shows them.",
                        r->estimate, r->model, r->engine->config.name, size,
                        size > 0 ? " with the answer" : " (not known)");
        return r->skip > before;
}

static void reply_tell_dropped(EngineReply *r)
{
        _cleanup_free_ char *text = NULL;

        if (r->prompt->cut_told)
                return;
        r->prompt->cut_told = true;
        if (asprintf(&text,
                    "The oldest %u messages were left out of this question, so that the rest fits "
                    "into the context of model '%s' of engine '%s'. They stay in the "
                    "conversation.",
                    r->skip, r->model, r->engine->config.name) < 0) {
                text = NULL;
                return;
        }
        engine_reply_notice(r, "The conversation is longer than the model's context", text);
}

/* 1 = goes on later. */
static int reply_load_key(EngineReply *r)
{
        int k;

        if (!r->key_asked)
                engine_forget_key_failure(r->engine);
        r->key_asked = true;
        r->wait = (EngineWait){ .done = on_prepared, .userdata = r };
        k = engine_load_key(r->engine, KEY_MAY_PROMPT, &r->wait);
        if (k > 0 && !isempty(r->engine->config.key_secret))
                engine_reply_tell_phase(r, "asking the keyring for the engine's key");
        return k;
}

static int reply_check_key(EngineReply *r, Failure *failure)
{
        Engine *e = r->engine;

        if (failure_is_set(&e->key_failure)) {
                engine_name_failure(e, &e->key_failure, failure);
                return -EKEYREJECTED;
        }
        /* Refused, read again, and still the same. */
        if (r->key_retried && e->key_serial == r->key_serial) {
                failure_copy(failure, &r->last_failure);
                return -EKEYREJECTED;
        }
        return 0;
}

void engine_reply_prepare(EngineReply *r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int k;

        if (r->engine->config.type == ENGINE_BUILTIN) {
                engine_request_start(r);
                return;
        }

        k = reply_start_unit(r);
        if (k < 0)
                engine_reply_unit_failed(r);
        if (k != 0)
                return;
        k = reply_load_key(r);
        if (k < 0) {
                engine_reply_fail_errno(r, k, "Reading the engine's key");
                return;
        }
        if (k > 0)
                return;
        if (reply_check_key(r, &failure) < 0) {
                engine_reply_fail(r, &failure);
                return;
        }

        r->estimate = reply_estimate(r);
        if (reply_ask_context(r) > 0)
                return;
        k = reply_fit(r, &failure);
        if (k < 0) {
                engine_reply_fail(r, &failure);
                return;
        }
        if (k > 0)
                reply_tell_dropped(r);
        if (r->ops)
                engine_request_start(r);
}
