/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What follows a failed attempt. Before the first token another attempt costs nobody anything;
 * after it, what was read would be read twice, so the reply ends and keeps its text. */
#include "service/engine/engine.h"

#include <inttypes.h>
#include <sys/random.h>

#include "common/log.h"

#define LISTED_MAX 5U

static bool status_is_passing(long status)
{
        return status == 429 || status == 502 || status == 503 || status == 529;
}

/* The server may think otherwise in a moment: it said so, or the connection broke after it was
 * there, or it was started for this very question. One that was never there is left alone: fail
 * fast. */
static bool may_retry(const EngineReply *r, const Failure *failure, bool connected, long status)
{
        if (r->attempts >= REPLY_ATTEMPTS_MAX)
                return false;
        if (status_is_passing(status))
                return true;
        if (failure->code != FAILURE_ENGINE_UNREACHABLE || status >= 400)
                return false;
        /* Its unit is up, but may not listen yet. */
        return connected || r->unit_tried || r->resumed;
}

/* Doubles with every attempt; up to a quarter more or less, so that clients of one server that was
 * down do not come back all at once. */
usec_t engine_backoff(const Engines *e, unsigned attempts)
{
        usec_t base = e->retry_usec << (attempts - 1);
        uint16_t random = UINT16_MAX / 2;

        if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
                (void) log_debug_errno(-errno, "No random number, ignoring: %m");
        return base - base / 4 + base / 2 * random / UINT16_MAX;
}

static void retry_later(EngineReply *r, usec_t retry_after, long status)
{
        _cleanup_(engine_reply_unrefp) _unused_ EngineReply *pin = engine_reply_ref(r);
        usec_t delay = retry_after != USEC_INFINITY ? retry_after
                                                    : engine_backoff(r->engines, r->attempts);
        char phase[64], reason[24] = "connection lost";
        int k;

        r->phase = ASK_BACKOFF;
        k = engine_reply_arm(r, delay);
        if (k < 0) {
                engine_reply_fail_errno(r, k, "Waiting for the next attempt");
                return;
        }
        if (status >= 400)
                (void) snprintf(reason, sizeof reason, "%ld", status);
        (void) snprintf(phase, sizeof phase, "retrying in %" PRIu64 " s (%s)",
                (delay + USEC_PER_SEC - 1) / USEC_PER_SEC, reason);
        engine_reply_tell_phase(r, phase);
}

void engines_resumed(Engines *e)
{
        EngineReply *r;
        Engine *engine;

        http_distrust(e->http);
        TAILQ_FOREACH(engine, &e->all, all)
        {
                engine->probed = 0; /* whoever asks next has it probed */
                engine->key_pause = 0;
        }
        engines_tell_models(e);
        TAILQ_FOREACH(r, &e->replies, all)
        {
                int k;

                r->resumed = true;
                if (r->phase != ASK_BACKOFF)
                        continue;
                k = engine_reply_arm(r, 0);
                if (k < 0)
                        log_warning_errno(k, "An attempt comes as late as planned: %m");
        }
}

/* Another engine that has the same model. What was meant for this machine never leaves it. */
static Engine *find_other(const EngineReply *r)
{
        if (r->moved)
                return NULL;
        for (size_t i = 0; i < r->engines->n_engines; i++) {
                Engine *e = r->engines->engines[i];

                if (e == r->engine || e->state != ENGINE_READY || !engine_find_model(e, r->model))
                        continue;
                if (engine_is_local(r->engine) && !engine_is_local(e))
                        continue;
                return e;
        }
        return NULL;
}

static bool try_other(EngineReply *r, FailureCode code, long status)
{
        _cleanup_(engine_reply_unrefp) _unused_ EngineReply *pin = engine_reply_ref(r);
        Engine *other;
        char phase[128];

        if (code != FAILURE_ENGINE_UNREACHABLE && code != FAILURE_ENGINE_STALLED &&
                !status_is_passing(status))
                return false;
        other = find_other(r);
        if (!other)
                return false;
        (void) snprintf(phase, sizeof phase, "asking engine '%s' instead of '%s'",
                other->config.name, r->engine->config.name);
        engine_reply_move(r, other);
        engine_reply_tell_phase(r, phase);
        return true;
}

/* ---- words for the end ---- */

static void describe_no_model(const EngineReply *r, Failure *ret)
{
        _cleanup_buffer_ Buffer list = BUFFER_INIT(KIB(4));
        const Engine *e = r->engine;

        /* The list serves a message only: what does not fit is left out. */
        for (size_t i = 0; i < e->n_models && i <= LISTED_MAX; i++)
                (void) buffer_append_format(&list, "%s%s", i > 0 ? ", " : " It has ",
                        i < LISTED_MAX ? e->models[i].name : "…");
        if (list.size > 0)
                (void) buffer_append_string(&list, ".");
        if (e->config.type == ENGINE_OLLAMA)
                (void) failure_set(ret, FAILURE_NO_SUCH_MODEL,
                        "Engine '%s' (%s) has no model '%s'.%s 'ollama pull %s' fetches it.",
                        e->config.name, e->display, r->model, buffer_text(&list), r->model);
        else
                (void) failure_set(ret, FAILURE_NO_SUCH_MODEL,
                        "Engine '%s' (%s) has no model '%s'.%s 'conductor models' shows all there "
                        "are.",
                        e->config.name, e->display, r->model, buffer_text(&list));
}

static void describe_retry_after(
        const EngineReply *r, const Failure *failure, usec_t retry_after, Failure *ret)
{
        (void) failure_set(ret, failure->code,
                "Engine '%s' (%s) asks to wait for %" PRIu64
                " s: %s Try again then, or take another model.",
                r->engine->config.name, r->engine->display, retry_after / USEC_PER_SEC,
                failure_message(failure));
        engine_hide_key(r->engine, ret);
}

/* ---- decisions ---- */

/* A key may have been renewed since it was read. 1 = it is read again. */
static int retry_key(EngineReply *r, const Failure *named)
{
        if (r->key_retried || !r->engine->key)
                return 0;
        r->key_retried = true;
        failure_done(&r->last_failure);
        failure_copy(&r->last_failure, named);
        engine_forget_key(r->engine);
        r->phase = ASK_PREPARING;
        return engine_reply_schedule(r) < 0 ? 0 : 1;
}

/* It answered until now: its unit may have ended since. 1 = it is started again. */
static int retry_unit(EngineReply *r, const Failure *named)
{
        if (r->connected || r->unit_tried)
                return 0;
        engine_learn_failure(r->engine, named, r->status);
        if (!r->ops || !engine_wants_unit(r->engine))
                return 0;
        r->phase = ASK_PREPARING;
        return engine_reply_schedule(r) < 0 ? 0 : 1;
}

/* The estimate was too low, or the size was not known. 1 = less is sent. */
static int retry_shorter(EngineReply *r)
{
        if (r->overflowed)
                return 0;
        r->overflowed = true;
        r->probe_tried = false;
        r->phase = ASK_PREPARING;
        return engine_reply_schedule(r) < 0 ? 0 : 1;
}

void engine_reply_unit_failed(EngineReply *r)
{
        _cleanup_(engine_reply_unrefp) _unused_ EngineReply *pin = engine_reply_ref(r);
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        failure_copy(&failure, &r->engine->unit_failure);
        engine_learn_failure(r->engine, &failure, 0);
        if (r->ops && !try_other(r, failure.code, 0))
                engine_reply_fail(r, &failure);
}

void engine_reply_attempt_failed(EngineReply *r, const Failure *failure)
{
        _cleanup_(engine_reply_unrefp) _unused_ EngineReply *pin = engine_reply_ref(r);
        _cleanup_failure_ Failure named = FAILURE_NULL;
        usec_t retry_after = r->retry_after;
        FailureCode code = failure->code;
        bool connected = r->connected;
        long status = r->status;

        if (code == FAILURE_NO_SUCH_MODEL)
                describe_no_model(r, &named);
        else if (code == FAILURE_ENGINE_UNREACHABLE && r->unit_tried)
                engine_name_unit_failure(r->engine, failure, &named);
        else
                engine_name_failure(r->engine, failure, &named);
        engine_request_stop(r);
        if (r->first_token > 0) {
                engine_learn_failure(r->engine, &named, status);
                engine_reply_fail(r, &named);
                return;
        }

        if (code == FAILURE_KEY_REFUSED && retry_key(r, &named) > 0)
                return;
        if (code == FAILURE_ENGINE_UNREACHABLE && retry_unit(r, &named) > 0)
                return;
        if (code == FAILURE_CONTEXT_TOO_LONG && retry_shorter(r) > 0)
                return;
        if (code == FAILURE_NO_SUCH_MODEL && isempty(r->requested) && !r->rerouted) {
                engine_learn_failure(r->engine, &named, status);
                engine_reply_route_again(r);
                return;
        }
        if (may_retry(r, failure, connected, status) &&
                (retry_after == USEC_INFINITY || retry_after <= RETRY_AFTER_MAX_USEC)) {
                retry_later(r, retry_after, status);
                return;
        }

        engine_learn_failure(r->engine, &named, status);
        if (!r->ops || try_other(r, code, status))
                return;
        if (retry_after != USEC_INFINITY && retry_after > RETRY_AFTER_MAX_USEC) {
                _cleanup_failure_ Failure wait = FAILURE_NULL;

                describe_retry_after(r, failure, retry_after, &wait);
                engine_reply_fail(r, &wait);
                return;
        }
        engine_reply_fail(r, &named);
}
