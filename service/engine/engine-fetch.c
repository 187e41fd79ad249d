/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One answer as a whole, that tells of models: the list of all, of those that are loaded, or one.
 * A long one takes a tenth of a second to read, so that happens on the thread that prepares large
 * requests, too. */
#include "service/engine/engine.h"

#define READ_AT_ONCE KIB(32) /* of JSON: a millisecond */
#define FREE_AT_ONCE 256U    /* models: a tenth of one */

/* An answer on its way through the thread. */
typedef struct Reading {
        EngineFetch *fetch; /* who waits for it, the loop's; NULL: nobody any more */
        Engines *engines;   /* the loop's, too */
        atomic_bool dropped;

        EngineType type;
        engine_fetch_read_t read;
        Buffer body;
        ModelList list;
        Failure failure;
} Reading;

struct EngineFetch {
        Engine *engine;
        HttpTransfer *transfer;
        Buffer body;
        usec_t begun;
        ModelList list;
        Reading *reading;
        engine_fetch_read_t read;
        engine_fetch_done_t done;
        void *userdata;
};

void model_list_done(ModelList *l)
{
        wire_models_free(l->models, l->n);
        *l = (ModelList){ 0 };
}

static void release_list(void *data)
{
        ModelList *l = ASSERT_PTR(data);

        model_list_done(l);
        free(l);
}

void engines_free_models(Engines *e, ModelList *l)
{
        ModelList *moved = e && l->n > FREE_AT_ONCE ? malloc(sizeof *moved) : NULL;

        if (!moved) {
                model_list_done(l);
                return;
        }
        *moved = *l;
        *l = (ModelList){ 0 };
        worker_dispose(e->worker, moved, release_list);
}

EngineFetch *engine_fetch_free(EngineFetch *f)
{
        if (!f)
                return NULL;
        if (f->reading) {
                atomic_store(&f->reading->dropped, true);
                f->reading->fetch = NULL;
        }
        http_transfer_free(f->transfer);
        buffer_done(&f->body);
        engines_free_models(f->engine->engines, &f->list);
        engine_unref(f->engine);
        free(f);
        return NULL;
}

/* ---- what came is read ---- */

static void release_reading(void *data)
{
        Reading *g = ASSERT_PTR(data);

        buffer_done(&g->body);
        model_list_done(&g->list);
        failure_done(&g->failure);
        free(g);
}

static void read_answer(engine_fetch_read_t read, EngineType type, const Buffer *body,
        ModelList *list, Failure *failure)
{
        int r;

        r = read(type, buffer_text(body), body->size, list, failure);
        if (r < 0 && !failure_is_set(failure))
                (void) failure_set_errno(failure, r, "Reading an engine's answer");
}

/* On the thread, which gives back the answer's memory, too. */
static void on_read(void *data)
{
        Reading *g = ASSERT_PTR(data);

        if (!atomic_load(&g->dropped))
                read_answer(g->read, g->type, &g->body, &g->list, &g->failure);
        buffer_done(&g->body);
}

static void on_was_read(void *data)
{
        Reading *g = ASSERT_PTR(data);
        EngineFetch *f = g->fetch;
        _cleanup_failure_ Failure failure = g->failure;
        _cleanup_(model_list_done) ModelList list = { 0 };

        if (f) {
                f->reading = NULL;
                list = g->list;
                g->list = (ModelList){ 0 };
        } else
                engines_free_models(g->engines, &g->list);
        g->failure = FAILURE_NULL;
        release_reading(g);
        if (f)
                f->done(&list, &failure, f->userdata);
}

/* The thread sees copies, and what is its own. */
static int read_later(EngineFetch *f)
{
        Engines *e = f->engine->engines;
        Reading *g;
        int r;

        r = engines_start_requests(e);
        if (r < 0)
                return r;
        g = malloc(sizeof *g);
        if (!g)
                return -ENOMEM;
        *g = (Reading){
                .fetch = f,
                .engines = e,
                .type = f->engine->config.type,
                .read = f->read,
                .body = f->body,
                .list = f->list,
        };
        r = worker_submit(e->requests,
                &(WorkerJob){
                        .run = on_read,
                        .done = on_was_read,
                        .discard = release_reading,
                        .data = g,
                });
        if (r < 0) {
                free(g);
                return r;
        }
        f->body = BUFFER_INIT(WIRE_BODY_MAX);
        f->list = (ModelList){ 0 };
        f->reading = g;
        return 0;
}

/* ---- the answer ---- */

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
        _cleanup_(model_list_done) ModelList list = { 0 };
        EngineFetch *f = ASSERT_PTR(userdata);
        const EngineConfig *c = &f->engine->config;

        if (result->failure.code == FAILURE_TOO_LARGE)
                (void) failure_set(&failure, FAILURE_TOO_LARGE,
                        "what it says of its models has more than %zu MiB. Is that the right "
                        "address?",
                        WIRE_BODY_MAX / MIB(1));
        else if (failure_is_set(&result->failure))
                failure_copy(&failure, &result->failure);
        else if (result->headers.status >= 400)
                (void) wire_error(c->type, result->headers.status, result->headers.content_type,
                        buffer_text(&f->body), MIN(f->body.size, ERROR_BODY_MAX), c->name,
                        &failure);
        else if (f->body.size > READ_AT_ONCE) {
                int r = read_later(f);

                if (r >= 0)
                        return;
                (void) failure_set_errno(&failure, r, "Reading an engine's answer");
        } else
                read_answer(f->read, c->type, &f->body, &f->list, &failure);
        list = f->list;
        f->list = (ModelList){ 0 };
        f->done(&list, &failure, f->userdata);
}

int engine_fetch_new(EngineFetch **ret, Engine *e, FetchRequest *request, Failure *failure)
{
        static const HttpOps ops = { .body = on_body, .done = on_done };
        _cleanup_(engine_headers_wipep) char **headers = NULL;
        _cleanup_(engine_fetch_freep) EngineFetch *f = NULL;
        _cleanup_free_ char *owned = TAKE_PTR(request->body);
        int r;

        f = calloc(1, sizeof *f);
        if (!f || engine_headers(e, &headers) < 0) {
                f = mfree(f);
                model_list_done(&request->list);
                return failure_set_errno(failure, -ENOMEM, "Asking an engine");
        }
        f->engine = engine_ref(e);
        f->body = BUFFER_INIT(WIRE_BODY_MAX);
        (void) sd_event_now(e->engines->event, CLOCK_MONOTONIC, &f->begun);
        f->list = request->list;
        request->list = (ModelList){ 0 };
        f->read = request->read;
        f->done = request->done;
        f->userdata = request->userdata;

        r = http_start(e->engines->http,
                &(HttpRequest){
                        .url = request->url,
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
