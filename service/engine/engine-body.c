/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The body of a request: a small one is written at once, so that nothing is between the question
 * and its way out; a large one, which takes up to a second, on a thread of its own, so that nothing
 * else waits for it. */
#include "service/engine/engine.h"

#define REQUEST_BODY_MAX MIB(384) /* in memory whole, beside the attachments */
#define WRITTEN_AT_ONCE  KIB(256) /* of text: a third of a millisecond */

struct RequestBody {
        Engines *engines;   /* these two are the loop's */
        EngineReply *reply; /* NULL: it does not want it any more */
        atomic_bool stop;

        EngineType type;
        WireRequest request;
        Prompt *prompt;
        char *model, *keep_alive;

        Buffer body;
        Failure failure;
        int error;
};

static RequestBody *request_body_free(RequestBody *b)
{
        if (!b)
                return NULL;

        prompt_free(b->prompt);
        free(b->model);
        free(b->keep_alive);
        buffer_done(&b->body);
        failure_done(&b->failure);
        return mfree(b);
}
DEFINE_CLEANUP(RequestBody *, request_body_free)

static void release_prompt(void *data)
{
        prompt_free(data);
}

Prompt *engines_free_prompt(Engines *e, Prompt *p)
{
        if (p && e && p->n_shared == 0 && prompt_size(p) >= WORKER_DISPOSED_MIN) {
                worker_dispose(e->worker, p, release_prompt);
                return NULL;
        }
        return prompt_free(p);
}

/* ---- on the thread ---- */

static void on_run(void *data)
{
        RequestBody *b = ASSERT_PTR(data);

        b->error = wire_build_chat(b->type, &b->request, &b->body, &b->failure);
        if (b->error < 0)
                buffer_done(&b->body);
}

static void release_body(void *data)
{
        request_body_free(data);
}

/* ---- on the loop ---- */

static void on_done(void *data)
{
        _cleanup_(request_body_freep) RequestBody *b = ASSERT_PTR(data);
        EngineReply *r = b->reply;

        b->prompt = engines_free_prompt(b->engines, b->prompt);
        if (r) {
                r->writing = NULL;
                engine_request_written(r, b->error, &b->body, &b->failure);
        }
        if (b->body.size >= WORKER_DISPOSED_MIN)
                worker_dispose(b->engines->worker, TAKE_PTR(b), release_body);
}

static WireRequest describe(const EngineReply *r)
{
        const EngineConfig *c = &r->engine->config;

        return (WireRequest){
                .model = r->model,
                .prompt = r->prompt,
                .skip = r->skip,
                .context_size = c->context_size,
                .max_tokens = c->max_tokens,
                .keep_alive = c->keep_alive,
                .no_stream_options = r->engine->no_stream_options,
        };
}

/* The thread sees the prompt, which nobody changes, and copies of all else. */
static int request_body_new(RequestBody **ret, EngineReply *r)
{
        _cleanup_(request_body_freep) RequestBody *b = NULL;

        b = calloc(1, sizeof *b);
        if (!b)
                return -ENOMEM;
        b->model = strdup(r->model);
        b->keep_alive = strdup(strempty(r->engine->config.keep_alive));
        if (!b->model || !b->keep_alive)
                return -ENOMEM;
        b->engines = r->engines;
        b->reply = r;
        b->type = r->engine->config.type;
        b->prompt = prompt_share(r->prompt);
        b->request = describe(r);
        b->request.model = b->model;
        b->request.keep_alive = b->keep_alive;
        b->request.stop = &b->stop;
        b->body = BUFFER_INIT(REQUEST_BODY_MAX);

        *ret = TAKE_PTR(b);
        return 0;
}

static int write_later(EngineReply *r)
{
        _cleanup_(request_body_freep) RequestBody *b = NULL;
        Engines *e = r->engines;
        int k;

        if (!e->writer) {
                k = worker_new(&e->writer, e->event, "requests", NULL);
                if (k < 0)
                        return k;
        }
        k = request_body_new(&b, r);
        if (k < 0)
                return k;
        k = worker_submit(e->writer,
                &(WorkerJob){ .run = on_run, .done = on_done, .discard = release_body, .data = b });
        if (k < 0)
                return k;
        r->writing = TAKE_PTR(b);
        return 1;
}

static bool is_large(const EngineReply *r)
{
        size_t size = strlen(strempty(r->prompt->system));

        for (size_t i = r->skip; i < r->prompt->n_messages; i++) {
                const PromptMessage *m = r->prompt->messages + i;

                size += m->size;
                if (m->n_attachments > 0 || size > WRITTEN_AT_ONCE)
                        return true;
        }
        return false;
}

int engine_body_write(EngineReply *r, Buffer *ret, Failure *failure)
{
        WireRequest request = describe(r);

        if (is_large(r))
                return write_later(r);
        *ret = BUFFER_INIT(REQUEST_BODY_MAX);
        return wire_build_chat(r->engine->config.type, &request, ret, failure);
}

void engine_body_stop(EngineReply *r)
{
        if (!r->writing)
                return;
        atomic_store(&r->writing->stop, true);
        r->writing->reply = NULL;
        r->writing = NULL;
}
