/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An engine's key comes with the first question: from a file or the like, which is read on the
 * worker, or from the desktop's keyring, which is asked on the loop. */
#include "service/engine/engine.h"

#include "common/graphical.h"
#include "common/log.h"

/* A keyring that took so long to fail is not asked again for a while: neither does everybody wait
 * for one that hangs, nor is a person asked again at once who did not want to unlock it. */
#define SLOW_USEC  (1 * USEC_PER_SEC)
#define PAUSE_USEC (10 * USEC_PER_SEC)

struct KeyReading {
        Engine *engine; /* a reference; not touched on the thread */
        char *credential, *file, *environment;
        Key *key;
        Failure failure;

        bool keyring, graphical;
        SecretSession *session; /* for the keyring */
        SecretLookup *lookup;
        usec_t begun;
};

static KeyReading *key_reading_free(KeyReading *k)
{
        if (!k)
                return NULL;
        if (k->lookup)
                k->engine->engines->secrets.free(k->lookup);
        engine_unref(k->engine);
        free(k->credential);
        free(k->file);
        free(k->environment);
        key_free(k->key);
        failure_done(&k->failure);
        secret_session_free(k->session);
        free(k);
        return NULL;
}
DEFINE_CLEANUP(KeyReading *, key_reading_free)

static usec_t now(const Engine *e)
{
        usec_t t = 0;

        (void) sd_event_now(e->engines->event, CLOCK_MONOTONIC, &t);
        return t;
}

/* ---- the end ---- */

static void finish(KeyReading *reading)
{
        _cleanup_(key_reading_freep) KeyReading *k = reading;
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

/* ---- the keyring ---- */

/* Another place that has a key does as well; else the keyring's failure is the one to tell. */
static void keyring_failed(KeyReading *k, const Failure *failure)
{
        Engine *e = k->engine;
        const char *name = e->config.name;
        usec_t t = now(e);

        e->key_pause = t - k->begun >= SLOW_USEC ? t + PAUSE_USEC : 0;
        if (k->key) {
                log_warning("Engine '%s': %s Its key is taken from elsewhere.", name,
                        failure_message(failure));
                return;
        }
        failure_done(&k->failure);
        (void) failure_set(&k->failure, failure->code,
                "%s 'conductor key set %s' stores the key anew, 'conductor key set %s file' in a "
                "file.",
                failure_message(failure), name, name);
}

static void on_secret(const char *text, size_t size, const Failure *failure, void *userdata)
{
        _cleanup_(engine_unrefp) Engine *e = engine_ref(ASSERT_PTR(userdata));
        _cleanup_failure_ Failure f = FAILURE_NULL;
        KeyReading *k = TAKE_PTR(e->key_lookup);
        Key *key;

        k->lookup = e->engines->secrets.free(k->lookup);
        if (!failure_is_set(failure) && key_from_keyring(text, size, &key, &f) >= 0) {
                key_free(k->key);
                k->key = key;
                failure_done(&k->failure);
        } else
                keyring_failed(k, failure_is_set(failure) ? failure : &f);
        finish(k);
}

static int ask_keyring(KeyReading *k, Failure *failure)
{
        Engine *e = k->engine;
        const EngineSecrets *secrets = &e->engines->secrets;
        SecretQuestion question = { .attributes = e->config.key_secret };

        if (!secrets->lookup || !k->session)
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "KeySecret= needs a keyring, which cannot be asked.");
        question.session = TAKE_PTR(k->session);
        if (k->graphical)
                question.flags = SECRET_MAY_START |
                        (e->key_mode == KEY_MAY_PROMPT ? SECRET_MAY_PROMPT : 0);
        k->begun = now(e);
        return secrets->lookup(&question, on_secret, e, &k->lookup, failure, secrets->userdata);
}

/* ---- the worker ---- */

static void on_run(void *data)
{
        KeyReading *k = ASSERT_PTR(data);
        KeyPlaces places = {
                .credential = k->credential,
                .file = k->file,
                .environment = k->environment,
        };

        (void) key_read(&places, &k->key, &k->failure);
        if (!k->keyring)
                return;
        (void) secret_session_new(&k->session);
        k->graphical = session_is_graphical();
}

static void on_done(void *data)
{
        KeyReading *k = ASSERT_PTR(data);
        _cleanup_failure_ Failure f = FAILURE_NULL;
        Engine *e = k->engine;

        if (k->keyring && e->engines) {
                if (ask_keyring(k, &f) >= 0) {
                        e->key_lookup = k;
                        return;
                }
                keyring_failed(k, &f);
        }
        finish(k);
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
        k->keyring = !isempty(e->config.key_secret);
        k->engine = engine_ref(e);

        r = worker_submit(e->engines->worker,
                &(WorkerJob){ .run = on_run, .done = on_done, .discard = on_discard, .data = k });
        if (r < 0)
                return r;
        TAKE_PTR(k);
        e->key_reading = true;
        return 0;
}

/* ---- who wants it ---- */

static bool has_place(const EngineConfig *c)
{
        return !isempty(c->key_secret) || !isempty(c->key_credential) || !isempty(c->key_file) ||
                !isempty(c->key_environment);
}

/* It failed for somebody for whom nobody was to be disturbed. */
static bool may_ask_person(const Engine *e, KeyMode mode)
{
        return mode == KEY_MAY_PROMPT && e->key_mode == KEY_QUIET &&
                failure_is_set(&e->key_failure) && !isempty(e->config.key_secret) &&
                now(e) >= e->key_pause;
}

int engine_load_key(Engine *e, KeyMode mode, EngineWait *w)
{
        int r;

        if (e->key_known && !may_ask_person(e, mode))
                return 0;
        if (!has_place(&e->config)) {
                e->key_known = true;
                return 0;
        }
        if (!e->key_reading) {
                r = start_reading(e);
                if (r < 0)
                        return r;
                e->key_known = false;
                e->key_mode = mode;
        }
        engine_wait_add(&e->key_waits, w);
        return 1;
}

void engine_forget_key(Engine *e)
{
        /* The key itself stays until the next one is read: to see whether it is another. */
        e->key_known = false;
}

void engine_forget_key_failure(Engine *e)
{
        if (failure_is_set(&e->key_failure) && now(e) >= e->key_pause)
                e->key_known = false;
}

void engine_key_stop(Engine *e)
{
        e->key_lookup = key_reading_free(e->key_lookup);
}
