/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of this room share; for nobody else. An Engine is one configured or found server
 * (or the built-in one): what is known of it, its key, the replies that wait for it. engines.c owns
 * them all; replies and a key that is being read hold a reference, so that an engine that left the
 * configuration lives until they end. */

#include <sys/queue.h>

#include "common/buffer.h"
#include "service/engine/builtin.h"
#include "service/engine/engines.h"
#include "service/engine/http.h"
#include "service/engine/keys.h"
#include "service/engine/routing.h"
#include "service/engine/wire.h"

#define ENGINE_FRESH_USEC    (10 * USEC_PER_SEC)
#define ENGINE_LESSONS_MAX   64U
#define PROBE_CONNECT_USEC   (5 * USEC_PER_SEC)
#define PROBE_ANSWER_USEC    (10 * USEC_PER_SEC)
#define PROBE_WHOLE_USEC     (15 * USEC_PER_SEC)
#define REPLY_ATTEMPTS_MAX   4U
#define REPLY_RETRY_USEC     (500 * USEC_PER_MSEC) /* the first; then twice as long each time */
#define RETRY_AFTER_MAX_USEC (60 * USEC_PER_SEC)
#define PHASE_MAX            280U /* "starting" and a unit's name */
#define ERROR_BODY_MAX       KIB(64)

typedef struct Engine Engine;
typedef struct EngineProbe EngineProbe;
typedef struct EngineFetch EngineFetch;
typedef struct KeyReading KeyReading;
typedef struct RequestBody RequestBody;

typedef enum KeyMode {
        KEY_QUIET,
        KEY_MAY_PROMPT, /* for a question: a person may be asked to unlock the keyring */
} KeyMode;

/* ---- waiting for something that several wait for ---- */

typedef struct EngineWait EngineWait;
typedef TAILQ_HEAD(EngineWaits, EngineWait) EngineWaits;

/* Part of whoever waits. Zeroed = not waiting. */
struct EngineWait {
        TAILQ_ENTRY(EngineWait) entries;
        EngineWaits *list;
        void (*done)(void *userdata);
        void *userdata;
};

void engine_wait_add(EngineWaits *list, EngineWait *w);
void engine_wait_cancel(EngineWait *w);
/* Calls all, in the order in which they came. Whoever is called may cancel others or wait anew. */
void engine_waits_wake(EngineWaits *list);

/* ---- one engine ---- */

/* What answers taught about one model; a probe does not wipe it. */
typedef struct EngineLesson {
        char *model;
        uint64_t context_size;
        double ratio;  /* bytes a token: context.h */
        bool cut_told; /* that the engine cuts silently was said */
} EngineLesson;

struct Engine {
        unsigned n_ref;
        Engines *engines; /* NULL after engines_free() */
        TAILQ_ENTRY(Engine) all;
        EngineConfig config;
        char *display; /* the url without user and password */

        EngineState state;
        char *last_error;
        FailureCode last_code;
        usec_t probed;
        WireModel *models;
        size_t n_models;
        EngineLesson *lessons;
        size_t n_lessons;
        bool no_stream_options;

        Key *key;
        Failure key_failure;
        unsigned key_serial; /* changes when a reading brought another key */
        bool key_known, key_reading;
        KeyMode key_mode;       /* of the last reading */
        KeyReading *key_lookup; /* while the keyring is asked */
        usec_t key_pause;       /* until then a failure of the keyring is believed */
        EngineWaits key_waits;

        EngineProbe *probe;
        EngineWaits probe_waits;

        UnitStart *unit_start; /* under way, once for all who wait */
        EngineWaits unit_waits;
        Failure unit_failure; /* of the last start */

        TAILQ_HEAD(EngineQueue, EngineReply) queue;
        unsigned live, n_queued;
        sd_event_source *queue_source;
};
typedef struct EngineQueue EngineQueue;

struct Engines {
        sd_event *event;
        Http *http;
        Worker *worker;
        Worker *requests; /* a thread for what is large (engine-body.c, engine-fetch.c), or NULL */
        EnginesObserver observer;
        EngineUnits units;
        EngineSecrets secrets;
        char *configured_default, *default_model, *last_model, *default_shown;
        Engine **engines; /* the configured and found ones, each with a reference */
        size_t n_engines;
        TAILQ_HEAD(, Engine) all; /* those that left the configuration, too */
        TAILQ_HEAD(EngineReplies, EngineReply) replies;
        TAILQ_HEAD(ModelsQueries, ModelsQuery) queries;
        usec_t retry_usec, whole_usec;
};

int engine_new(Engine **ret, Engines *engines, const EngineConfig *config);
Engine *engine_ref(Engine *e);
Engine *engine_unref(Engine *e);
DEFINE_CLEANUP(Engine *, engine_unref)
/* The registry goes: nothing is asked or told any more. */
void engine_detach(Engine *e);
bool engine_config_equal(const EngineConfig *a, const EngineConfig *b);

/* To the observer: other models, or another was used last. */
void engines_tell_models(const Engines *e);

void engine_set_state(Engine *e, EngineState state, const Failure *failure);
/* What an attempt's failure says of the engine as a whole; status 0 = not HTTP's. */
void engine_learn_failure(Engine *e, const Failure *failure, long status);
bool engine_is_fresh(const Engine *e);
bool engine_is_local(const Engine *e);
const WireModel *engine_find_model(const Engine *e, const char *model);
EngineLesson *engine_lesson(Engine *e, const char *model);        /* NULL when memory is short */
uint64_t engine_context_size(const Engine *e, const char *model); /* 0 = unknown */
/* The same of one that was found. */
uint64_t engine_model_context_size(const Engine *e, const WireModel *m);
double engine_context_ratio(const Engine *e, const char *model);
void engine_describe(const Engine *e, RouteEngine *ret);

/* "Engine 'x': <the failure's sentence> <next step>", with the same code. */
void engine_name_failure(const Engine *e, const Failure *failure, Failure *ret);
/* A server may quote what it was sent, and cut it anywhere: the engine's key goes from the
 * sentence. */
void engine_hide_key(const Engine *e, Failure *failure);

/* ---- requests to it ---- */

/* "Name: value" lines, NULL-ended, the key among them. For
 * engine_headers_wipe(). */
int engine_headers(const Engine *e, char ***ret);
char **engine_headers_wipe(char **headers);
DEFINE_CLEANUP(char **, engine_headers_wipe)

/* Reads the key unless it is known (engine-key.c). 0 = known or none needed; 1 = w is called when
 * it was tried: then e->key_failure tells. */
int engine_load_key(Engine *e, KeyMode mode, EngineWait *w);
/* What is known may be out of date: a 401, a reload. */
void engine_forget_key(Engine *e);
/* Who asks now shall not hear of a failure that may be mended since. */
void engine_forget_key_failure(Engine *e);
/* Gives up asking the keyring; nobody is told. */
void engine_key_stop(Engine *e);

typedef struct ModelList {
        WireModel *models;
        size_t n;
} ModelList;

void model_list_done(ModelList *l);
/* The same, on a thread where it is long. e may be NULL. */
void engines_free_models(Engines *e, ModelList *l);

/* Of an answer into the list, which has what was known before. On a thread where it is large. */
typedef int (*engine_fetch_read_t)(
        EngineType type, const char *body, size_t size, ModelList *list, Failure *failure);
/* The callee may take the list, which is as it was before where there is a failure. */
typedef void (*engine_fetch_done_t)(ModelList *list, const Failure *failure, void *userdata);

typedef struct FetchRequest {
        const char *url;
        char *body;     /* taken over, also on failure; NULL = GET */
        ModelList list; /* the same */
        engine_fetch_read_t read;
        engine_fetch_done_t done; /* called once, unless freed before */
        void *userdata;
} FetchRequest;

/* One answer as a whole (engine-fetch.c). */
int engine_fetch_new(EngineFetch **ret, Engine *e, FetchRequest *request, Failure *failure);
EngineFetch *engine_fetch_free(EngineFetch *f);
DEFINE_CLEANUP(EngineFetch *, engine_fetch_free)

typedef enum ProbeMode {
        PROBE_ASK,
        PROBE_START, /* its unit is started where it does not answer */
} ProbeMode;

/* Asks for the models (engine-probe.c); w is called when the answer is there, never at once. */
int engine_probe(Engine *e, ProbeMode mode, EngineWait *w);
EngineProbe *engine_probe_free(EngineProbe *p);
/* "…/api/WHAT" of an Ollama. The caller frees. */
int engine_ollama_url(const Engine *e, const char *what, char **ret);

/* ---- the unit behind it (engine-unit.c) ---- */

bool engine_has_unit(const Engine *e); /* and somebody who can start it */
/* It has one, and is not known to answer. */
bool engine_wants_unit(const Engine *e);
/* w is called when the start has ended, never at once; e->unit_failure tells, also when this fails.
 */
int engine_unit_start(Engine *e, EngineWait *w);
/* Gives a start up; nobody is told. */
void engine_unit_stop(Engine *e);
/* "… Its unit was started: 'journalctl …' …", for one that does not answer all the same. */
void engine_name_unit_failure(const Engine *e, const Failure *failure, Failure *ret);

/* ---- the queue in front of it (engine-queue.c) ---- */

void engine_queue_add(Engine *e, EngineReply *r);
/* Leaves the queue, or gives the place at the engine back; harmless when it has neither. */
void engine_queue_remove(Engine *e, EngineReply *r);

/* ---- one question (engine-reply.c, engine-request.c) ---- */

typedef enum AskPhase {
        ASK_ROUTING,   /* which engine */
        ASK_QUEUED,    /* waits for a place at it */
        ASK_PREPARING, /* key, context size */
        ASK_ASKING,    /* the request is out */
        ASK_BACKOFF,   /* waits for the next attempt */
        ASK_ENDED,
} AskPhase;

struct EngineReply {
        unsigned n_ref;
        Engines *engines;
        TAILQ_ENTRY(EngineReply) all, queue;
        const EngineReplyOps *ops; /* NULL once its owner freed it */
        void *userdata;

        AskPhase phase;
        sd_event_source *defer, *timer;
        char *requested; /* the model as asked */
        Prompt *prompt;
        EngineWait *probe_waits; /* while routing: one for each engine asked */
        size_t n_probe_waits;

        Engine *engine;
        char *model;
        bool routed_told, verify, rerouted, moved;
        bool queued, has_place; /* engine-queue.c's */
        unsigned place;

        EngineWait wait; /* unit, key, or context size */
        EngineFetch *show;
        bool units_tried; /* while routing: units were started so that their engines can tell */
        bool unit_tried;  /* of its engine */
        bool probe_tried, show_tried, key_asked, key_retried, overflowed;
        bool resumed; /* the network may come back later than the machine */
        unsigned key_serial;
        Failure last_failure; /* of the attempt before */

        /* the attempt */
        RequestBody *writing;
        HttpTransfer *transfer;
        WireDecoder *decoder;
        BuiltinAnswer *builtin;
        Buffer error_body;
        char *error_type;
        long status;
        usec_t retry_after;
        Failure wire_failure;
        bool connected, complete, decoding;

        unsigned skip, attempts;
        uint64_t estimate;
        usec_t started, first_token;
};

/* Goes on with the reply in the loop's next turn, by its phase. */
int engine_reply_schedule(EngineReply *r);
/* The same after a while. */
int engine_reply_arm(EngineReply *r, usec_t delay);
EngineReply *engine_reply_ref(EngineReply *r);
EngineReply *engine_reply_unref(EngineReply *r);
DEFINE_CLEANUP(EngineReply *, engine_reply_unref)
/* The engine has a place for it. */
void engine_reply_admit(EngineReply *r);
void engine_reply_tell_place(EngineReply *r, unsigned place);
void engine_reply_tell_phase(EngineReply *r, const char *phase);
void engine_reply_tell_text(EngineReply *r, Channel channel, const char *text, size_t size);
void engine_reply_notice(EngineReply *r, const char *title, const char *text);
/* Ends it as failed. */
void engine_reply_fail(EngineReply *r, const Failure *failure);
void engine_reply_fail_errno(EngineReply *r, int error, const char *what);
/* The attempt succeeded; what the engine said at the end, or what the built-in one is. */
void engine_reply_finish(EngineReply *r, const WireEnd *end, const char *note);
/* Stops all that goes on for it; nobody is told. Its registry goes, or its owner does not want it
 * any more. */
void engine_reply_drop(EngineReply *r);

/* The attempt failed (engine-retry.c): another one, another engine, or the end. */
void engine_reply_attempt_failed(EngineReply *r, const Failure *failure);
/* Its engine's unit did not start. */
void engine_reply_unit_failed(EngineReply *r);
/* How long to wait after so many attempts. */
usec_t engine_backoff(const Engines *e, unsigned attempts);
/* It has its place: unit, key and context (engine-prepare.c), then the request. */
void engine_reply_prepare(EngineReply *r);
void engine_reply_move(EngineReply *r, Engine *to);
void engine_reply_route_again(EngineReply *r);

void engine_request_start(EngineReply *r);
/* Closes the connection. */
void engine_request_stop(EngineReply *r);
/* The answer was complete a while ago, and the server has not ended it. */
void engine_request_complete(EngineReply *r);

/* Writes its request's body (engine-body.c): 0 = *ret is the caller's; 1 = it is large, and
 * engine_request_written() is called with it. */
int engine_body_write(EngineReply *r, RequestBody **ret, Failure *failure);
/* Nobody is told. */
void engine_body_stop(EngineReply *r);
/* What it is, which is taken over, or error and failure. */
void engine_request_written(EngineReply *r, int error, RequestBody *body, Failure *failure);
RequestBody *request_body_free(RequestBody *b);
DEFINE_CLEANUP(RequestBody *, request_body_free)
/* Takes it over. */
HttpBody request_body_to_http(RequestBody *b);
/* Their thread, which is made with the first job. */
int engines_start_requests(Engines *e);
/* One owner of it less; the kernel's part of a large one's end is the worker's. NULL. */
Prompt *engines_free_prompt(Engines *e, Prompt *p);

/* Where a question goes, by what is known now; what was asked since then is known, too. */
int engines_route(Engines *e, const char *model, bool verify, usec_t since, RouteEngine **ret_views,
        Route *ret, Failure *failure);

/* engine-models.c */
void models_query_drop_all(Engines *e);

/* ---- for tests ---- */

void engines_set_retry_usec(Engines *e, usec_t usec);
/* How long the answer to a probe may take in all. */
void engines_set_whole_usec(Engines *e, usec_t usec);
