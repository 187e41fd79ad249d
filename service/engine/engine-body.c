/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The body of a request: the prompt's texts, read from where they are as they are sent, and what
 * stands between them. How long it will be has to be said first: for a small one that is found at
 * once, so that nothing is between the question and its way out; for a large one, which takes up to
 * a second, on a thread of its own, so that nothing else waits for it. */
#include "service/engine/engine.h"

#define REQUEST_BODY_MAX MIB(384)
#define MEASURED_AT_ONCE KIB(256) /* of text: a third of a millisecond */

struct RequestBody {
        Engines *engines;   /* these two are the loop's */
        EngineReply *reply; /* who waits for it; NULL: nobody, or not any more */
        atomic_bool stop;

        EngineType type;
        WireRequest request; /* while it is written */
        Prompt *prompt;
        char *model, *keep_alive;

        WireBody *wire;
        Failure failure;
        int error;
};

RequestBody *request_body_free(RequestBody *b)
{
        if (!b)
                return NULL;

        wire_body_free(b->wire);
        engines_free_prompt(b->engines, b->prompt);
        free(b->model);
        free(b->keep_alive);
        failure_done(&b->failure);
        return mfree(b);
}

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

        b->error = wire_build_chat(b->type, &b->request, REQUEST_BODY_MAX, &b->wire, &b->failure);
}

/* ---- on the loop ---- */

static void release_body(void *data)
{
        request_body_free(data);
}

static void on_done(void *data)
{
        _cleanup_(request_body_freep) RequestBody *b = ASSERT_PTR(data);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        EngineReply *r = TAKE_PTR(b->reply);
        int error = b->error;

        if (!r)
                return;
        r->writing = NULL;
        failure_copy(&failure, &b->failure);
        engine_request_written(r, error, error < 0 ? NULL : TAKE_PTR(b), &failure);
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

static int request_body_new(RequestBody **ret, EngineReply *r)
{
        RequestBody *b;

        b = calloc(1, sizeof *b);
        if (!b)
                return -ENOMEM;
        b->engines = r->engines;
        b->type = r->engine->config.type;
        b->prompt = prompt_share(r->prompt);
        b->request = describe(r);
        *ret = b;
        return 0;
}

/* The thread sees the prompt, which nobody changes, and copies of all else. */
static int write_later(EngineReply *r, RequestBody **body)
{
        RequestBody *b = *body;
        Engines *e = r->engines;
        int k;

        k = engines_start_requests(e);
        if (k < 0)
                return k;
        b->model = strdup(r->model);
        b->keep_alive = strdup(strempty(r->engine->config.keep_alive));
        if (!b->model || !b->keep_alive)
                return -ENOMEM;
        b->request.model = b->model;
        b->request.keep_alive = b->keep_alive;
        b->request.stop = &b->stop;
        k = worker_submit(e->requests,
                &(WorkerJob){ .run = on_run, .done = on_done, .discard = release_body, .data = b });
        if (k < 0)
                return k;
        b->reply = r;
        r->writing = TAKE_PTR(*body);
        return 1;
}

static bool is_large(const EngineReply *r)
{
        size_t size = strlen(strempty(r->prompt->system));

        for (size_t i = r->skip; i < r->prompt->n_messages; i++) {
                const PromptMessage *m = r->prompt->messages + i;

                size += m->size;
                if (m->n_attachments > 0 || size > MEASURED_AT_ONCE)
                        return true;
        }
        return false;
}

int engine_body_write(EngineReply *r, RequestBody **ret, Failure *failure)
{
        _cleanup_(request_body_freep) RequestBody *b = NULL;
        int k;

        k = request_body_new(&b, r);
        if (k < 0)
                return k;
        if (is_large(r))
                return write_later(r, &b);
        k = wire_build_chat(b->type, &b->request, REQUEST_BODY_MAX, &b->wire, failure);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(b);
        return 0;
}

void engine_body_stop(EngineReply *r)
{
        if (!r->writing)
                return;
        atomic_store(&r->writing->stop, true);
        r->writing->reply = NULL;
        r->writing = NULL;
}

/* ---- as it is sent ---- */

static ssize_t on_read(size_t offset, char *to, size_t size, void *userdata)
{
        RequestBody *b = ASSERT_PTR(userdata);

        if (offset == 0)
                wire_body_rewind(b->wire);
        return wire_body_read(b->wire, to, size);
}

HttpBody request_body_to_http(RequestBody *b)
{
        return (HttpBody){
                .size = wire_body_size(b->wire),
                .read = on_read,
                .release = release_body,
                .userdata = b,
        };
}
