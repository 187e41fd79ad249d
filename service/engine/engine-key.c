/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An engine's key is a file or the like, so it is read on the worker, with the first question. */
#include "service/engine/engine.h"

#include "common/log.h"

typedef struct KeyReading {
        Engine *engine; /* a reference; not touched on the thread */
        char *credential, *file, *environment;
        Key *key;
        Failure failure;
} KeyReading;

static KeyReading *key_reading_free(KeyReading *k)
{
        if (!k)
                return NULL;
        engine_unref(k->engine);
        free(k->credential);
        free(k->file);
        free(k->environment);
        key_free(k->key);
        failure_done(&k->failure);
        free(k);
        return NULL;
}
DEFINE_CLEANUP(KeyReading *, key_reading_free)

static void on_run(void *data)
{
        KeyReading *k = ASSERT_PTR(data);
        KeyPlaces places = {
                .credential = k->credential,
                .file = k->file,
                .environment = k->environment,
        };

        (void) key_read(&places, &k->key, &k->failure);
}

static void on_done(void *data)
{
        _cleanup_(key_reading_freep) KeyReading *k = ASSERT_PTR(data);
        Engine *e = k->engine;

        e->key_reading = false;
        e->key_known = true;
        if (!key_equal(e->key, k->key))
                e->key_serial++;
        key_free(e->key);
        e->key = TAKE_PTR(k->key);
        failure_done(&e->key_failure);
        e->key_failure = k->failure;
        k->failure = FAILURE_NULL;
        if (failure_is_set(&e->key_failure))
                log_warning("Engine '%s': %s", e->config.name, failure_message(&e->key_failure));
        else if (key_source(e->key) == KEY_SOURCE_ENVIRONMENT)
                log_debug("Engine '%s' has its key from the environment.", e->config.name);
        engine_waits_wake(&e->key_waits);
}

static void on_discard(void *data)
{
        key_reading_free(data);
}

static int start_reading(Engine *e)
{
        _cleanup_(key_reading_freep) KeyReading *k = NULL;
        int r;

        k = calloc(1, sizeof *k);
        if (!k)
                return -ENOMEM;
        k->credential = strdup(e->config.key_credential);
        k->file = strdup(e->config.key_file);
        k->environment = strdup(e->config.key_environment);
        if (!k->credential || !k->file || !k->environment)
                return -ENOMEM;
        k->engine = engine_ref(e);

        r = worker_submit(e->engines->worker,
                &(WorkerJob){ .run = on_run, .done = on_done, .discard = on_discard, .data = k });
        if (r < 0)
                return r;
        TAKE_PTR(k);
        e->key_reading = true;
        return 0;
}

int engine_load_key(Engine *e, EngineWait *w)
{
        const EngineConfig *c = &e->config;
        int r;

        if (e->key_known)
                return 0;
        if (isempty(c->key_credential) && isempty(c->key_file) && isempty(c->key_environment)) {
                if (!isempty(c->key_secret))
                        (void) failure_set(&e->key_failure, FAILURE_KEY_REFUSED,
                                "KeySecret= (the desktop's keyring) is not supported yet: use "
                                "KeyFile= or KeyCredential= in %s.",
                                c->source);
                e->key_known = true;
                return 0;
        }
        if (!e->key_reading) {
                r = start_reading(e);
                if (r < 0)
                        return r;
        }
        engine_wait_add(&e->key_waits, w);
        return 1;
}

void engine_forget_key(Engine *e)
{
        /* The key itself stays until the next one is read: to see whether it is another. */
        e->key_known = false;
}
