/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For the tests of the conversations: a store in memory that can be full or slow, engines that say
 * what the test says, and a room between them that writes down all that it tells. */

#include "common/buffer.h"
#include "service/conversation/conversations.h"

/* ---- the store ---- */

typedef enum FakeKind {
        FAKE_CREATE,
        FAKE_CREATE_WHOLE,
        FAKE_UPDATE,
        FAKE_SET_SYSTEM,
        FAKE_SETTING,
        FAKE_ADD,
        FAKE_APPEND,
        FAKE_END,
        FAKE_REOPEN,
        FAKE_PURGE,
        FAKE_PURGE_DELETED,
        FAKE_FIRST_READ,
        FAKE_FIND_TOKEN = FAKE_FIRST_READ,
        FAKE_GET_PAGE,
        FAKE_GET_CONTEXT,
        FAKE_GET_MESSAGE,
        FAKE_GET_SYSTEM,
        FAKE_FIND_HEAD,
        _FAKE_MAX,
} FakeKind;

typedef struct FakeStore {
        bool held;            /* nothing is carried out */
        unsigned hold_after;  /* kinds after which nothing more is carried out, by 1 << kind */
        bool full;            /* every write fails */
        unsigned fail_mask;   /* kinds of which each request fails, by 1 << kind */
        unsigned refuse_mask; /* kinds that cannot even be queued: -ENOMEM */
        unsigned counts[_FAKE_MAX]; /* carried out */
        char *last_model;
} FakeStore;
extern FakeStore fake_store;

void fake_store_release(void); /* after held */
unsigned fake_store_waiting(void);
/* What is stored; NULL = nothing. */
const StoreMessage *fake_store_message(uint64_t number, uint64_t id);
const StoreConversation *fake_store_conversation(uint64_t number);
unsigned fake_store_count(uint64_t number);      /* messages */
void fake_store_age(uint64_t number, usec_t by); /* it was set aside so much earlier */
StoreIndex *fake_store_open(void);
/* What a damaged disk does to it; the salvage then tells the room what is left. */
void fake_store_lose(uint64_t number);
void fake_store_cut(uint64_t number, uint64_t head, uint64_t messages);
void fake_store_recover(uint64_t number, const char *title);
void fake_store_salvage(void);
void fake_store_close(void); /* what waits is forgotten */
void fake_store_clear(void);

/* ---- the engines ---- */

struct EngineReply {
        char *model;
        Prompt *prompt;
        const EngineReplyOps *ops;
        void *userdata;
        bool live; /* the connection is open */
};

#define FAKE_ASKS_MAX 2048U
typedef struct FakeEngines {
        EngineReply *asks[FAKE_ASKS_MAX]; /* in order; they stay when they are over */
        unsigned n_asks;
        FailureCode refuse; /* engines_ask() fails at once */
        unsigned dropped;   /* messages that it says were left out */
        char *last_model;
} FakeEngines;
extern FakeEngines fake_engines;

EngineReply *fake_ask(unsigned i);
EngineReply *fake_last_ask(void);

void fake_engines_clear(void);

/* Each is one dispatch of the loop, and all that comes of it. */
void fake_say(EngineReply *e, const char *text);
void fake_say_bytes(EngineReply *e, Channel channel, const char *text, size_t size);
void fake_end(EngineReply *e, EndReason reason);
void fake_place(EngineReply *e, unsigned place);
/* Several in one dispatch. */
void fake_dispatch(void (*f)(void *userdata), void *userdata);
void fake_text_now(EngineReply *e, const char *text); /* from inside one */
void fake_end_now(EngineReply *e, EndReason reason);

/* ---- the room ---- */

typedef struct Told {
        bool called;
        FailureCode code;
        char *sentence;
        uint64_t message, reply;
} Told;

typedef struct World {
        sd_event *event;
        Avatar *avatar;
        Conversations *cs;
        Buffer log; /* what the observer was told, a line each */
        Told told;  /* of the call made last */
} World;
extern World world;

int world_set_up(void **state);
int world_tear_down(void **state);
/* The room again, on what is stored. */
void world_restart(void);
/* Runs the loop until nothing is left to do. */
void world_settle(void);
Conversation *world_create(void);

/* Each makes the call and settles; world.told says what came of it. */
int world_send(Conversation *c, const char *text);
int world_send_with(Conversation *c, const char *text, const SendOptions *options);
/* The same without settling. */
int world_start_send(Conversation *c, const char *text, const SendOptions *options, Told *told);
/* For other calls. */
void world_told(const Failure *failure, uint64_t message, uint64_t reply, void *userdata);
void world_done(const Failure *failure, Conversation *c, void *userdata);
void told_clear(Told *t);

/* The log since it was last taken; the caller frees it. */
char *world_take_log(void);
#define assert_log(expected) \
        ({ \
                char *_log = world_take_log(); \
                assert_string_equal(_log, expected); \
                free(_log); \
        })
