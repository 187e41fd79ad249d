/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/engine.h"

struct EngineFetch {
        Engine *engine;
        HttpTransfer *transfer;
        Buffer body;
        usec_t begun;
        engine_fetch_done_t done;
        void *userdata;
};

EngineFetch *engine_fetch_free(EngineFetch *f)
{
        if (!f)
                return NULL;
        http_transfer_free(f->transfer);
        buffer_done(&f->body);
        engine_unref(f->engine);
        free(f);
        return NULL;
}

static int on_body(const char *data, size_t size, void *userdata)
{
        EngineFetch *f = ASSERT_PTR(userdata);
        usec_t now;

        /* One byte now and then is no silence, but all who wait for an engine's list would wait
         * for ever. */
        (void) sd_event_now(f->engine->engines->event, CLOCK_MONOTONIC, &now);
        if (now - f->begun > f->engine->engines->whole_usec)
                return -ETIMEDOUT;
        return buffer_append(&f->body, data, size);
}

static void on_done(const HttpResult *result, void *userdata)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        EngineFetch *f = ASSERT_PTR(userdata);
        const EngineConfig *c = &f->engine->config;

        if (failure_is_set(&result->failure))
                failure_copy(&failure, &result->failure);
        else if (result->headers.status >= 400)
                (void) wire_error(c->type, result->headers.status, result->headers.content_type,
                        buffer_text(&f->body), f->body.size, c->name, &failure);
        f->done(buffer_text(&f->body), f->body.size, &failure, f->userdata);
}

int engine_fetch_new(EngineFetch **ret, Engine *e, const char *url, char *body,
        engine_fetch_done_t done, void *userdata, Failure *failure)
{
        static const HttpOps ops = { .body = on_body, .done = on_done };
        _cleanup_(engine_headers_wipep) char **headers = NULL;
        _cleanup_(engine_fetch_freep) EngineFetch *f = NULL;
        _cleanup_free_ char *owned = body;
        int r;

        f = calloc(1, sizeof *f);
        if (!f || engine_headers(e, &headers) < 0)
                return failure_set_errno(failure, -ENOMEM, "Asking an engine");
        f->engine = engine_ref(e);
        f->body = BUFFER_INIT(WIRE_BODY_MAX);
        (void) sd_event_now(e->engines->event, CLOCK_MONOTONIC, &f->begun);
        f->done = done;
        f->userdata = userdata;

        r = http_start(e->engines->http,
                &(HttpRequest){
                        .url = url,
                        .headers = (const char *const *) headers,
                        .body = http_body_of(TAKE_PTR(owned)),
                        .ca_file = e->config.ca_file,
                        .proxy = e->config.proxy,
                        .connect_timeout = MIN(e->config.connect_timeout, PROBE_CONNECT_USEC),
                        .first_byte_timeout = PROBE_ANSWER_USEC,
                        .stall_timeout = PROBE_ANSWER_USEC,
                },
                &ops, f, &f->transfer, failure);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(f);
        return 0;
}
