/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One attempt: the request out, the answer in, until it is complete or has failed. */
#include "service/engine/engine.h"

#include "common/log.h"

#define COMPLETE_USEC (200 * USEC_PER_MSEC)

void engine_request_stop(EngineReply *r)
{
        engine_body_stop(r);
        r->transfer = http_transfer_free(r->transfer);
        r->builtin = builtin_answer_free(r->builtin);
        /* From inside a text callback the decoder is on the stack: it goes with the reply then. */
        if (!r->decoding)
                r->decoder = wire_decoder_free(r->decoder);
        buffer_done(&r->error_body);
        r->error_type = mfree(r->error_type);
        failure_done(&r->wire_failure);
        r->complete = false;
        if (r->timer)
                (void) sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
}

/* ---- the answer ---- */

static int on_wire_text(Channel channel, const char *text, size_t size, void *userdata)
{
        EngineReply *r = ASSERT_PTR(userdata);

        engine_reply_tell_text(r, channel, text, size);
        return r->ops ? 0 : -ECANCELED;
}

/* Nothing more comes. */
static void request_finish(EngineReply *r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        WireEnd end = { 0 };
        int k;

        if (!r->decoder) {
                (void) failure_set(&failure, FAILURE_ENGINE_FAILED,
                        "it closed the connection without an answer.");
                engine_reply_attempt_failed(r, &failure);
                return;
        }
        r->decoding = true;
        k = wire_decoder_finish(r->decoder, &end, &failure);
        r->decoding = false;
        if (!r->ops)
                return;
        if (k < 0)
                engine_reply_attempt_failed(r, &failure);
        else if (end.reason == REASON_INCOMPLETE && r->first_token == 0) {
                (void) failure_set(&failure, FAILURE_ENGINE_UNREACHABLE,
                        "it closed the connection before the first word.");
                engine_reply_attempt_failed(r, &failure);
        } else
                engine_reply_finish(r, &end, NULL);
}

static void on_headers(const HttpHeaders *headers, void *userdata)
{
        static const WireOps ops = { .text = on_wire_text };
        EngineReply *r = ASSERT_PTR(userdata);
        int k;

        r->status = headers->status;
        r->retry_after = headers->retry_after;
        if (headers->status >= 400) {
                if (free_and_strdup(&r->error_type, headers->content_type) < 0)
                        log_oom();
                return;
        }
        k = wire_decoder_new(&r->decoder, r->engine->config.type, headers->content_type, &ops, r);
        if (k < 0)
                (void) failure_set_errno(&r->wire_failure, k, "Reading an answer");
}

static int on_body(const char *data, size_t size, void *userdata)
{
        _cleanup_(engine_reply_unrefp) EngineReply *r = engine_reply_ref(ASSERT_PTR(userdata));
        int k;

        if (r->status >= 400) {
                size_t room = ERROR_BODY_MAX - MIN(r->error_body.size, ERROR_BODY_MAX);

                return buffer_append(&r->error_body, data, MIN(size, room));
        }
        if (!r->decoder)
                return -ENOMEM;
        if (r->complete)
                return 0;

        r->decoding = true;
        k = wire_decoder_feed(r->decoder, data, size, &r->wire_failure);
        r->decoding = false;
        if (!r->ops)
                return -ECANCELED;
        if (k > 0) {
                /* The server's own end of the answer follows at once, and the connection is kept;
                 * but one that never ends the connection must not hold the reply. */
                r->complete = true;
                k = engine_reply_arm(r, COMPLETE_USEC);
        }
        return MIN(k, 0);
}

static bool refuses_stream_options(const EngineReply *r)
{
        return r->engine->config.type == ENGINE_OPENAI && !r->engine->no_stream_options &&
                wire_error_is_stream_options(
                        r->status, buffer_text(&r->error_body), r->error_body.size);
}

static void request_refused(EngineReply *r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (refuses_stream_options(r)) {
                r->engine->no_stream_options = true;
                r->attempts--;
                engine_request_stop(r);
                engine_request_start(r);
                return;
        }
        (void) wire_error(r->engine->config.type, r->status, strempty(r->error_type),
                buffer_text(&r->error_body), r->error_body.size, r->engine->config.name, &failure);
        engine_reply_attempt_failed(r, &failure);
}

/* What the decoder still holds back came before the connection broke. An engine that had said why
 * it stopped had said all: then only the formal end is missing. */
static void request_broken(EngineReply *r, const Failure *broken)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        WireEnd end = { .reason = REASON_INCOMPLETE };

        if (r->decoder) {
                int k;

                r->decoding = true;
                k = wire_decoder_finish(r->decoder, &end, NULL);
                r->decoding = false;
                if (!r->ops)
                        return;
                if (k >= 0 && end.reason != REASON_INCOMPLETE) {
                        engine_reply_finish(r, &end, NULL);
                        return;
                }
        }
        failure_copy(&failure, broken);
        engine_reply_attempt_failed(r, &failure);
}

static void on_done(const HttpResult *result, void *userdata)
{
        _cleanup_(engine_reply_unrefp) EngineReply *r = engine_reply_ref(ASSERT_PTR(userdata));
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (!r->ops)
                return;
        if (r->complete)
                request_finish(r);
        else if (r->status >= 400)
                request_refused(r);
        else if (failure_is_set(&r->wire_failure)) {
                failure_copy(&failure, &r->wire_failure);
                engine_reply_attempt_failed(r, &failure);
        } else if (failure_is_set(&result->failure))
                request_broken(r, &result->failure);
        else
                request_finish(r);
}

static void on_phase(const char *phase, void *userdata)
{
        _cleanup_(engine_reply_unrefp) EngineReply *r = engine_reply_ref(ASSERT_PTR(userdata));
        const WireModel *m;

        if (!streq(phase, "connecting")) {
                r->connected = true;
                m = engine_find_model(r->engine, r->model);
                if (r->engine->config.type == ENGINE_OLLAMA && m && !m->loaded)
                        phase = "loading the model";
        }
        engine_reply_tell_phase(r, phase);
}

/* ---- the request ---- */

static int request_send(EngineReply *r, RequestBody *body, Failure *failure)
{
        static const HttpOps ops = {
                .headers = on_headers,
                .body = on_body,
                .done = on_done,
                .phase = on_phase,
        };
        _cleanup_(engine_headers_wipep) char **headers = NULL;
        const EngineConfig *c = &r->engine->config;
        _cleanup_(request_body_freep) RequestBody *owned = body;
        _cleanup_free_ char *url = NULL;
        int k;

        k = wire_chat_url(c->type, c->url, &url);
        if (k >= 0)
                k = engine_headers(r->engine, &headers);
        if (k < 0)
                return failure_set_errno(failure, k, "Writing a request");

        r->key_serial = r->engine->key_serial;
        return http_start(r->engines->http,
                &(HttpRequest){
                        .url = url,
                        .headers = (const char *const *) headers,
                        .body = request_body_to_http(TAKE_PTR(owned)),
                        .ca_file = c->ca_file,
                        .proxy = c->proxy,
                        .connect_timeout = c->connect_timeout,
                        .first_byte_timeout = c->first_byte_timeout,
                        .stall_timeout = c->stall_timeout,
                },
                &ops, r, &r->transfer, failure);
}

void engine_request_written(EngineReply *r, int error, RequestBody *body, Failure *failure)
{
        _cleanup_(engine_reply_unrefp) _unused_ EngineReply *pin = engine_reply_ref(r);

        if (error >= 0)
                error = request_send(r, body, failure);
        if (error >= 0)
                return;
        (void) failure_set_errno(failure, error, "Writing a request");
        engine_reply_fail(r, failure);
}

static void request_write(EngineReply *r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        RequestBody *body = NULL;
        int k;

        k = engine_body_write(r, &body, &failure);
        if (k <= 0)
                engine_request_written(r, k, body, &failure);
}

/* ---- the built-in engine ---- */

static void on_builtin_text(const char *text, size_t size, void *userdata)
{
        _cleanup_(engine_reply_unrefp) EngineReply *r = engine_reply_ref(ASSERT_PTR(userdata));

        engine_reply_tell_text(r, CHANNEL_CONTENT, text, size);
}

static void on_builtin_ended(unsigned words, void *userdata)
{
        _cleanup_(engine_reply_unrefp) EngineReply *r = engine_reply_ref(ASSERT_PTR(userdata));

        engine_reply_finish(
                r, &(WireEnd){ .reason = REASON_STOP, .tokens_out = words }, BUILTIN_NOTE);
}

void engine_request_start(EngineReply *r)
{
        static const BuiltinOps builtin_ops = {
                .text = on_builtin_text,
                .ended = on_builtin_ended,
        };
        int k;

        r->phase = ASK_ASKING;
        r->attempts++;
        r->status = 0;
        r->retry_after = USEC_INFINITY;
        r->connected = false;
        r->error_body = BUFFER_INIT(ERROR_BODY_MAX);

        if (r->engine->config.type != ENGINE_BUILTIN) {
                request_write(r);
                return;
        }
        k = builtin_answer_new(&r->builtin, r->engines->event, r->prompt, &builtin_ops, r);
        if (k < 0)
                engine_reply_fail_errno(r, k, "Starting the built-in engine");
}

void engine_request_complete(EngineReply *r)
{
        if (r->complete)
                request_finish(r);
}
