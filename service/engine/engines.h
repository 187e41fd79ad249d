/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All engines: found, named, probed on demand, their models, the routing of a question to one of
 * them, the queue in front of each, retries before the first token, and what became of it. */

#include <systemd/sd-event.h>

#include "common/failure.h"
#include "common/secret-session.h"
#include "common/text.h"
#include "service/config/config.h"
#include "service/engine/prompt.h"
#include "service/store/worker.h"

typedef struct Engines Engines;
typedef struct EngineReply EngineReply;

typedef enum EngineState {
        ENGINE_UNKNOWN,
        ENGINE_READY,
        ENGINE_UNREACHABLE,
        ENGINE_REFUSING, /* it answers, with errors */
        _ENGINE_STATE_MAX,
} EngineState;
const char *engine_state_to_string(EngineState s);

typedef struct EnginesObserver {
        void (*changed)(const char *engine, EngineState state, void *userdata);
        void (*notice)(int level, const char *title, const char *text, void *userdata);
        /* Which models there are, or which was used last, is not what it was: the default may be
         * another. */
        void (*models)(void *userdata);
        void *userdata;
} EnginesObserver;

/* Who can start an engine's unit: installed by the manager, so that this room knows no bus. */
typedef struct UnitStart UnitStart;
typedef void (*unit_started_t)(const Failure *failure, void *userdata);
typedef struct EngineUnits {
        /* done comes once, later, from the loop, unless *ret was freed before. A failure says in a
         * sentence why it cannot be tried. */
        int (*start)(const char *unit, unit_started_t done, void *done_userdata, UnitStart **ret,
                Failure *failure, void *userdata);
        UnitStart *(*free)(UnitStart *s);
        void *userdata;
} EngineUnits;

/* Who can ask the desktop's keyring, likewise. */
typedef enum SecretFlags {
        SECRET_MAY_START = 1 << 0,  /* a keyring that does not run may be started */
        SECRET_MAY_PROMPT = 1 << 1, /* the person may be asked to unlock it */
} SecretFlags;

typedef struct SecretQuestion {
        const char *attributes; /* KeySecret= */
        SecretSession *session; /* taken over, also on failure */
        SecretFlags flags;
} SecretQuestion;

typedef struct SecretLookup SecretLookup;
/* text: so many bytes, of any kind, wiped when this returns. */
typedef void (*secret_found_t)(
        const char *text, size_t size, const Failure *failure, void *userdata);
typedef struct EngineSecrets {
        /* done and the failure: as those of EngineUnits. */
        int (*lookup)(const SecretQuestion *question, secret_found_t done, void *done_userdata,
                SecretLookup **ret, Failure *failure, void *userdata);
        SecretLookup *(*free)(SecretLookup *s);
        void *userdata;
} EngineSecrets;

/* config stays the caller's and must outlive it; worker is where key files are read. */
int engines_new(Engines **ret, sd_event *event, const Config *config, Worker *worker,
        const EnginesObserver *observer);
Engines *engines_free(Engines *e); /* live replies are dropped without a callback */
DEFINE_CLEANUP(Engines *, engines_free)

/* Without it nothing is started. */
void engines_set_units(Engines *e, const EngineUnits *units);
/* Without it no key comes from there. */
void engines_set_secrets(Engines *e, const EngineSecrets *secrets);

/* After a reload. Live replies go on with the engine object that they have. */
int engines_reconfigure(Engines *e, const Config *config);

/* The machine slept: nothing that was known of connections and engines is believed, and whoever
 * waits before another attempt makes it now. */
void engines_resumed(Engines *e);

/* ---- asking ---- */

typedef struct EngineOutcome {
        EndReason reason;
        Failure failure; /* set when the reason is REASON_FAILED */
        const char *engine, *model;
        uint64_t tokens_in, tokens_out;      /* 0 = the engine did not say */
        uint64_t context_used, context_size; /* 0 = unknown */
        bool context_estimated;
        double tokens_per_second;    /* 0 = unknown */
        usec_t elapsed, first_token; /* since engines_ask(); first_token 0 = none came */
        unsigned dropped_messages;   /* oldest ones left out so that the rest fitted */
        unsigned attempts;
        const char *note; /* what the engine says of itself (the built-in one), or NULL */
} EngineOutcome;

typedef struct EngineReplyOps {
        /* Known now which engine and model answer: before any of the others, at most once. */
        void (*routed)(const char *engine, const char *model, void *userdata);
        /* Waits for the engine: place 1 is next; 0 = the request leaves now. */
        void (*place)(unsigned place, void *userdata);
        /* A phase in words for people: "connecting", "loading the model", "retrying in 2 s". */
        void (*phase)(const char *phase, void *userdata);
        /* Valid UTF-8 without NUL; may be cut anywhere between characters. */
        void (*text)(Channel channel, const char *text, size_t size, void *userdata);
        /* Exactly once, unless engine_reply_free() came first. Never from inside engines_ask(). */
        void (*ended)(const EngineOutcome *outcome, void *userdata);
} EngineReplyOps;

/* model: "engine/model", an alias, a model's own name, or "" for the default.
 * Takes the prompt over, also on failure. ops must outlive the reply; all callbacks come from the
 * loop. Fails at once for what is known at once (FAILURE_BUSY over the limits,
 * FAILURE_NO_SUCH_MODEL when every engine's list is fresh or the engine named is not configured);
 * the rest comes by ended(). */
int engines_ask(Engines *e, const char *model, Prompt *prompt, const EngineReplyOps *ops,
        void *userdata, EngineReply **ret, Failure *failure);

/* Cancels when it has not ended: the connection is closed before this returns. */
EngineReply *engine_reply_free(EngineReply *r);
DEFINE_CLEANUP(EngineReply *, engine_reply_free)

/* ---- models ---- */

typedef struct ModelInfo {
        const char *model, *engine;
        EngineState state;
        uint64_t context_size; /* 0 = unknown */
        uint64_t size;         /* bytes, 0 = unknown */
        usec_t modified;       /* CLOCK_REALTIME, 0 = unknown */
        bool loaded, chat;
        const char *const *capabilities; /* NULL-ended */
} ModelInfo;

/* Valid only during the callback; failure is set when no engine answered at all. */
typedef void (*models_done_t)(const ModelInfo *models, size_t n, void *userdata);

typedef struct ModelsQuery ModelsQuery;
ModelsQuery *models_query_free(ModelsQuery *q); /* the callback is then not called */

/* Asks every engine whose list is older than 10 s (refresh: all, and those that do not answer have
 * their unit started first); done is called from the loop.
 * *ret: as a store slot; may be NULL. */
int engines_list_models(
        Engines *e, bool refresh, models_done_t done, void *userdata, ModelsQuery **ret);

/* The model that "" means now, "engine/model", or "" while nobody knows. */
const char *engines_default_model(Engines *e);
/* Kept ones from the store; either may be "". */
int engines_set_default_model(Engines *e, const char *model);
int engines_set_last_model(Engines *e, const char *model);

/* Checks what can be checked without asking anyone: FAILURE_NO_SUCH_MODEL for an unknown engine
 * prefix or, when all lists are fresh, an unknown model. */
int engines_check_model(Engines *e, const char *model, Failure *failure);

/* ---- engines ---- */

typedef struct EngineInfo {
        const char *name, *type, *url; /* url without user and password */
        EngineState state;
        const char *last_error; /* "" = none */
        unsigned live, waiting;
        bool found;              /* at its usual place, not from a file: its absence is no error */
        const char *key_source;  /* "", "file", "credential", "environment", "keyring" */
        const char *key_place;   /* the path, name, variable or attributes; "" */
        const char *key_failure; /* why it has none, "" = no failure is known */
        usec_t probed;           /* CLOCK_MONOTONIC, 0 = never */
} EngineInfo;

size_t engines_count(const Engines *e);
void engines_get(const Engines *e, size_t i, EngineInfo *ret);
unsigned engines_live(const Engines *e);
unsigned engines_waiting(const Engines *e);
