/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One reply while it lives: its text, once, in two channels with absolute offsets; saved once a
 * second; watched by any number of readers, each of which reads from where it is. It outlives its
 * end while somebody still watches it. */

#include "common/failure.h"
#include "common/text.h"

/* Each is a signal to all: no answer of a page's length has so many, and a model that does nothing
 * else would fill the queues of those who do not read. The rest is taken out and not obeyed. */
#define AVATAR_COMMANDS_MAX 1024U

#define REPLY_TEXT_MAX MIB(64) /* of both channels together; then it ends with REASON_LENGTH */

/* Of what came before the question was stored, in one turn of the loop. */
#define REPLY_HELD_TURN KIB(256)

typedef struct Reply Reply;
typedef struct Conversation Conversation;

typedef enum ReplyState {
        REPLY_WAITING,   /* in an engine's queue, or for its first token */
        REPLY_STREAMING, /* text has come */
        REPLY_ENDED,
} ReplyState;

/* Metadata of a reply, as the interface documents it. Strings belong to the reply. */
typedef struct ReplyInfo {
        const char *model, *engine, *phase, *note;
        EndReason reason;
        usec_t elapsed, first_token;
        uint64_t tokens_in, tokens_out, context_used, context_size;
        bool estimated;
        double tokens_per_second;
        unsigned dropped_messages, place;
        const Failure *failure; /* set when the reason is REASON_FAILED */
} ReplyInfo;

uint64_t reply_id(const Reply *r);
uint64_t reply_parent(const Reply *r);
Conversation *reply_conversation(const Reply *r);
ReplyState reply_state(const Reply *r);
const char *reply_text(const Reply *r, Channel c, size_t *ret_size);
void reply_get_info(const Reply *r, ReplyInfo *ret);

/* Watching: text() comes once after each dispatch that brought some; ended() once, after the last
 * text() and when the end is durable. A watch holds the reply; on one that has ended it does
 * nothing else. Both may free the watch. */
typedef struct ReplyWatch ReplyWatch;
typedef struct ReplyWatchOps {
        void (*text)(Reply *r, void *userdata); /* may be NULL */
        void (*ended)(Reply *r, void *userdata);
} ReplyWatchOps;
int reply_watch(Reply *r, const ReplyWatchOps *ops, void *userdata, ReplyWatch **ret);
ReplyWatch *reply_watch_free(ReplyWatch *w);
DEFINE_CLEANUP(ReplyWatch *, reply_watch_free)
