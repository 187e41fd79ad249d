/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of one question: which engine, a place at it, what it needs to know, the attempts
 * (engine-retry.c, engine-request.c), the end. Every way in from the loop pins the reply, because
 * every callback may free it. */
#include "service/engine/engine.h"

#include <inttypes.h>
#include <limits.h>

#include "common/log.h"
#include "service/engine/context.h"

#define CUT_ESTIMATE_MIN 4096U
#define CUT_TOKENS_MIN   1000U

/* ---- references ---- */

EngineReply *engine_reply_ref(EngineReply *r)
{
        assert(r && r->n_ref > 0);
        r->n_ref++;
        return r;
}

static void routing_cancel(EngineReply *r)
{
        for (size_t i = 0; i < r->n_probe_waits; i++)
                engine_wait_cancel(r->probe_waits + i);
        r->probe_waits = mfree(r->probe_waits);
        r->n_probe_waits = 0;
}

/* Ends all activity; what was said stays readable. */
static void reply_stop(EngineReply *r)
{
        r->phase = ASK_ENDED;
        engine_request_stop(r);
        routing_cancel(r);
        engine_wait_cancel(&r->wait);
        r->show = engine_fetch_free(r->show);
        r->defer = sd_event_source_disable_unref(r->defer);
        r->timer = sd_event_source_disable_unref(r->timer);
        if (r->engine)
                engine_queue_remove(r->engine, r);
        r->prompt = engines_free_prompt(r->engines, r->prompt);
}

void engine_reply_drop(EngineReply *r)
{
        r->ops = NULL;
        reply_stop(r);
        r->engine = engine_unref(r->engine);
        if (r->engines)
                TAILQ_REMOVE(&r->engines->replies, r, all);
        r->engines = NULL;
}

EngineReply *engine_reply_unref(EngineReply *r)
{
        if (!r)
                return NULL;
        assert(r->n_ref > 0);
        if (--r->n_ref > 0)
                return NULL;

        engine_reply_drop(r);
        wire_decoder_free(r->decoder);
        failure_done(&r->last_failure);
        free(r->requested);
        free(r->model);
        free(r);
        return NULL;
}

EngineReply *engine_reply_free(EngineReply *r)
{
        if (!r)
                return NULL;
        engine_reply_drop(r);
        return engine_reply_unref(r);
}

/* ---- telling ---- */

void engine_reply_tell_place(EngineReply *r, unsigned place)
{
        if (r->place == place)
                return;
        r->place = place;
        if (r->ops && r->ops->place)
                r->ops->place(place, r->userdata);
}

void engine_reply_tell_phase(EngineReply *r, const char *phase)
{
        if (r->ops && r->ops->phase)
                r->ops->phase(phase, r->userdata);
}

static usec_t reply_now(const EngineReply *r)
{
        usec_t now = 0;

        (void) sd_event_now(r->engines->event, CLOCK_MONOTONIC, &now);
        return now;
}

void engine_reply_tell_text(EngineReply *r, Channel channel, const char *text, size_t size)
{
        if (!r->ops || size == 0)
                return;
        if (r->first_token == 0) {
                r->first_token = reply_now(r);
                engine_set_state(r->engine, ENGINE_READY, NULL);
        }
        if (r->ops->text)
                r->ops->text(channel, text, size, r->userdata);
}

static void reply_end(EngineReply *r, EngineOutcome *outcome)
{
        _cleanup_(engine_reply_unrefp) _unused_ EngineReply *pin = engine_reply_ref(r);
        const EngineReplyOps *ops = r->ops;
        usec_t now;

        if (!ops)
                return;
        now = reply_now(r);
        outcome->engine = r->engine ? r->engine->config.name : "";
        outcome->model = strempty(r->model);
        outcome->elapsed = now - r->started;
        outcome->first_token = r->first_token > 0 ? MAX(r->first_token - r->started, 1U) : 0;
        outcome->dropped_messages = r->skip;
        outcome->attempts = r->attempts;

        reply_stop(r);
        r->ops = NULL;
        if (ops->ended)
                ops->ended(outcome, r->userdata);
}

void engine_reply_fail(EngineReply *r, const Failure *failure)
{
        _cleanup_failure_ Failure copy = FAILURE_NULL;
        EngineOutcome outcome = { .reason = REASON_FAILED };

        failure_copy(&copy, failure);
        outcome.failure = copy;
        reply_end(r, &outcome);
}

void engine_reply_fail_errno(EngineReply *r, int error, const char *what)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        (void) failure_set_errno(&failure, error, "%s", what);
        engine_reply_fail(r, &failure);
}

void engine_reply_notice(EngineReply *r, const char *title, const char *text)
{
        const EnginesObserver *o = &r->engines->observer;

        if (o->notice)
                o->notice(LOG_NOTICE, title, text, o->userdata);
}

/* Some servers cut what is too long without a word. Their count of the prompt's tokens tells; but
 * older ones count only what was not cached, so that a small number proves nothing. True: it was.
 */
static bool check_cut(EngineReply *r, uint64_t tokens_in)
{
        _cleanup_free_ char *text = NULL;
        EngineLesson *lesson;

        if (r->engine->config.type == ENGINE_BUILTIN || r->estimate < CUT_ESTIMATE_MIN ||
                tokens_in < CUT_TOKENS_MIN || tokens_in * 5 > r->estimate * 2)
                return false;
        lesson = engine_lesson(r->engine, r->model);
        if (!lesson || lesson->cut_told)
                return true;
        lesson->cut_told = true;
        if (asprintf(&text,
                    "Engine '%s' read only %" PRIu64 " tokens of a conversation of about %" PRIu64
                    ": it seems to leave text out without a word. ContextSize= in its "
                    "configuration tells Conductor how much fits.",
                    r->engine->config.name, tokens_in, r->estimate) < 0) {
                text = NULL;
                return true;
        }
        engine_reply_notice(r, "The model did not see the whole conversation", text);
        return true;
}

static void reply_calibrate(EngineReply *r, uint64_t tokens_in)
{
        EngineLesson *lesson = engine_lesson(r->engine, r->model);

        if (lesson)
                lesson->ratio = context_calibrate(r->prompt, r->skip, tokens_in, lesson->ratio);
}

static void reply_learn(EngineReply *r, const WireEnd *end)
{
        _cleanup_free_ char *name = NULL;
        EngineLesson *lesson;
        int k;

        engine_set_state(r->engine, ENGINE_READY, NULL);
        if (end->context_size > 0) {
                lesson = engine_lesson(r->engine, r->model);
                if (lesson)
                        lesson->context_size = end->context_size;
        }
        if (r->engine->config.type == ENGINE_BUILTIN)
                return;
        if (!check_cut(r, end->tokens_in))
                reply_calibrate(r, end->tokens_in);
        k = asprintf(&name, "%s/%s", r->engine->config.name, r->model);
        if (k < 0)
                name = NULL;
        k = name ? engines_set_last_model(r->engines, name) : -ENOMEM;
        if (k < 0)
                log_warning_errno(k, "Failed to remember the model used last, ignoring: %m");
}

void engine_reply_finish(EngineReply *r, const WireEnd *end, const char *note)
{
        _cleanup_(engine_reply_unrefp) _unused_ EngineReply *pin = engine_reply_ref(r);
        EngineOutcome outcome = {
                .reason = end->reason,
                .tokens_in = end->tokens_in,
                .tokens_out = end->tokens_out,
                .context_used = end->context_used,
                .tokens_per_second = end->tokens_per_second,
                .note = note,
        };
        usec_t spent;

        if (!r->ops)
                return;
        reply_learn(r, end);
        if (!r->ops)
                return;

        outcome.context_size = engine_context_size(r->engine, r->model);
        if (outcome.context_used == 0 && r->engine->config.type != ENGINE_BUILTIN) {
                outcome.context_used = r->estimate + end->tokens_out;
                outcome.context_estimated = true;
        }
        spent = r->first_token > 0 ? reply_now(r) - r->first_token : 0;
        if (!(outcome.tokens_per_second > 0) && spent > 0)
                outcome.tokens_per_second = (double) end->tokens_out * (double) USEC_PER_SEC /
                        (double) spent;
        reply_end(r, &outcome);
}

/* ---- which engine ---- */

static void on_probed(void *userdata)
{
        _cleanup_(engine_reply_unrefp) EngineReply *r = engine_reply_ref(ASSERT_PTR(userdata));
        int k;

        routing_cancel(r);
        k = engine_reply_schedule(r);
        if (k < 0)
                engine_reply_fail_errno(r, k, "Going on with a question");
}

/* Waits for all engines that are not known; the first answer may already decide. */
static int reply_ask_engines(EngineReply *r, const RouteEngine *views)
{
        Engines *e = r->engines;
        int k;

        r->probe_waits = calloc(e->n_engines, sizeof *r->probe_waits);
        if (!r->probe_waits)
                return -ENOMEM;
        r->n_probe_waits = e->n_engines;
        for (size_t i = 0; i < e->n_engines; i++) {
                EngineWait *w = r->probe_waits + i;

                if (views[i].known)
                        continue;
                *w = (EngineWait){ .done = on_probed, .userdata = r };
                k = engine_probe(e->engines[i], PROBE_ASK, w);
                if (k < 0)
                        return k;
        }
        return 0;
}

/* No engine that is up will do; one whose unit is started may. */
static int reply_start_engines(EngineReply *r)
{
        Engines *e = r->engines;
        char phase[PHASE_MAX] = "";
        int k;

        if (r->units_tried)
                return -ECONNREFUSED; /* as the routing's failure says */
        r->units_tried = true;
        r->probe_waits = calloc(e->n_engines, sizeof *r->probe_waits);
        if (!r->probe_waits)
                return -ENOMEM;
        r->n_probe_waits = e->n_engines;
        for (size_t i = 0; i < e->n_engines; i++) {
                if (!engine_wants_unit(e->engines[i]))
                        continue;
                r->probe_waits[i] = (EngineWait){ .done = on_probed, .userdata = r };
                k = engine_probe(e->engines[i], PROBE_START, r->probe_waits + i);
                if (k < 0)
                        return k;
                if (!phase[0])
                        (void) snprintf(
                                phase, sizeof phase, "starting %s", e->engines[i]->config.unit);
        }
        engine_reply_tell_phase(r, phase);
        return ROUTE_START;
}

static int reply_take_route(EngineReply *r, Engine *engine, const char *model)
{
        char *copy;

        copy = strdup(model);
        if (!copy)
                return -ENOMEM;
        free(r->model);
        r->model = copy;
        r->engine = engine_ref(engine);
        return 0;
}

static void reply_route(EngineReply *r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_free_ RouteEngine *views = NULL;
        Engines *e = r->engines;
        Route route;
        int k;

        k = engines_route(e, r->requested, r->verify, r->started, &views, &route, &failure);
        if (k == ROUTE_START)
                k = reply_start_engines(r);
        if (k < 0) {
                (void) failure_set_errno(&failure, k, "Starting an engine");
                engine_reply_fail(r, &failure);
                return;
        }
        if (k == ROUTE_START)
                return;
        if (k == ROUTE_ASK) {
                engine_reply_tell_phase(r, "looking for a model");
                k = r->ops ? reply_ask_engines(r, views) : 0;
                if (k < 0)
                        engine_reply_fail_errno(r, k, "Asking the engines for their models");
                return;
        }

        k = reply_take_route(r, e->engines[route.engine], route.model);
        if (k < 0) {
                engine_reply_fail_errno(r, k, "Choosing a model");
                return;
        }
        if (!r->routed_told) {
                r->routed_told = true;
                if (r->ops->routed)
                        r->ops->routed(r->engine->config.name, r->model, r->userdata);
        }
        if (!r->ops)
                return;
        r->phase = ASK_QUEUED;
        engine_queue_add(r->engine, r);
}

static void reply_leave_engine(EngineReply *r)
{
        engine_queue_remove(r->engine, r);
        r->engine = engine_unref(r->engine);
        r->unit_tried = r->probe_tried = r->show_tried = r->key_asked = r->key_retried =
                r->overflowed = false;
        r->place = UINT_MAX;
}

void engine_reply_move(EngineReply *r, Engine *to)
{
        reply_leave_engine(r);
        r->engine = engine_ref(to);
        r->moved = true;
        r->skip = 0;
        r->phase = ASK_QUEUED;
        engine_queue_add(r->engine, r);
}

void engine_reply_route_again(EngineReply *r)
{
        int k;

        reply_leave_engine(r);
        r->rerouted = r->verify = true;
        r->phase = ASK_ROUTING;
        k = engine_reply_schedule(r);
        if (k < 0)
                engine_reply_fail_errno(r, k, "Choosing another model");
}

void engine_reply_admit(EngineReply *r)
{
        _cleanup_(engine_reply_unrefp) _unused_ EngineReply *pin = engine_reply_ref(r);

        engine_reply_tell_place(r, 0);
        if (!r->ops)
                return;
        r->phase = ASK_PREPARING;
        engine_reply_prepare(r);
}

/* ---- its ways in from the loop ---- */

static void reply_proceed(EngineReply *r)
{
        _cleanup_(engine_reply_unrefp) _unused_ EngineReply *pin = engine_reply_ref(r);

        switch (r->phase) {
        case ASK_ROUTING:
                reply_route(r);
                break;
        case ASK_PREPARING:
        case ASK_BACKOFF:
                r->phase = ASK_PREPARING;
                engine_reply_prepare(r);
                break;
        case ASK_ASKING:
                engine_request_complete(r);
                break;
        case ASK_QUEUED:
        case ASK_ENDED:
                break;
        }
}

static int on_defer(sd_event_source *source, void *userdata)
{
        reply_proceed(ASSERT_PTR(userdata));
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        reply_proceed(ASSERT_PTR(userdata));
        return 0;
}

int engine_reply_schedule(EngineReply *r)
{
        if (!r->defer)
                return sd_event_add_defer(r->engines->event, &r->defer, on_defer, r);
        return sd_event_source_set_enabled(r->defer, SD_EVENT_ONESHOT);
}

int engine_reply_arm(EngineReply *r, usec_t delay)
{
        int k;

        if (!r->timer)
                return sd_event_add_time_relative(r->engines->event, &r->timer, CLOCK_MONOTONIC,
                        delay, 10 * USEC_PER_MSEC, on_timer, r);
        k = sd_event_source_set_time_relative(r->timer, delay);
        if (k < 0)
                return k;
        return sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

/* ---- asking ---- */

int engines_ask(Engines *e, const char *model, Prompt *prompt, const EngineReplyOps *ops,
        void *userdata, EngineReply **ret, Failure *failure)
{
        _cleanup_(prompt_freep) Prompt *owned = prompt;
        _cleanup_(engine_reply_unrefp) EngineReply *r = NULL;
        int k;

        assert(e && model && prompt && ops && ret);

        k = engines_check_model(e, model, failure);
        if (k < 0)
                return k;

        r = calloc(1, sizeof *r);
        if (!r)
                return failure_set_errno(failure, -ENOMEM, "Asking an engine");
        r->n_ref = 1;
        r->place = UINT_MAX;
        r->ops = ops;
        r->userdata = userdata;
        r->prompt = TAKE_PTR(owned);
        r->requested = strdup(model);
        if (!r->requested)
                return failure_set_errno(failure, -ENOMEM, "Asking an engine");
        TAILQ_INSERT_TAIL(&e->replies, r, all);
        r->engines = e;
        r->started = reply_now(r);
        k = engine_reply_schedule(r);
        if (k < 0)
                return failure_set_errno(failure, k, "Asking an engine");

        *ret = TAKE_PTR(r);
        return 0;
}
