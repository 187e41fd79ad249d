/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All conversations: a light index in memory, the messages in the store, the live replies. Knows
 * nothing of the bus: what happens is told to the observer. */

#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#include "common/failure.h"
#include "common/text.h"
#include "service/avatar/avatar.h"
#include "service/conversation/reply.h"
#include "service/engine/engines.h"
#include "service/store/store.h"

#define CONVERSATION_TITLE_MAX       256U    /* bytes */
#define CONVERSATION_MESSAGE_MAX     MIB(16) /* a message's text */
#define MESSAGE_TOLD_MAX             256U
#define CONVERSATION_PAGE_MAX        1000U /* messages, or */
#define CONVERSATION_PAGE_BYTES      MIB(8)
#define CONVERSATION_ATTACHMENTS_MAX 16U
#define CONVERSATION_ATTACHMENT_MAX  MIB(32)
#define CONVERSATION_FOLLOWERS_MAX   256U
#define FOLLOWERS_MAX                1024U
#define REPLIES_LIVE_MAX             256U
#define REPLIES_WAITING_MAX          1024U

typedef struct Conversations Conversations;

typedef enum ConversationChange {
        CONVERSATION_CHANGED_TITLE = 1 << 0,
        CONVERSATION_CHANGED_MODEL = 1 << 1,
        CONVERSATION_CHANGED_STATE = 1 << 2,
        CONVERSATION_CHANGED_HEAD = 1 << 3,
        CONVERSATION_CHANGED_MESSAGES = 1 << 4,
        CONVERSATION_CHANGED_CONTEXT = 1 << 5,
        CONVERSATION_CHANGED_MODIFIED = 1 << 6,
        CONVERSATION_CHANGED_ARCHIVED = 1 << 7,
} ConversationChange;

typedef struct ConversationsObserver {
        void (*added)(Conversation *c, void *userdata);
        void (*removed)(Conversation *c, void *userdata); /* before it is freed; or set aside */
        void (*changed)(Conversation *c, ConversationChange what, void *userdata);
        /* text: its beginning, MESSAGE_TOLD_MAX bytes at least where it has so many. */
        void (*message_added)(Conversation *c, uint64_t id, uint64_t parent, Role role,
                const char *text, size_t size, void *userdata);
        void (*reply_started)(Reply *r, void *userdata);
        /* What it does (ReplyInfo: phase, place) changed, while nothing has come yet. */
        void (*reply_phase)(Reply *r, void *userdata);
        void (*reply_text)(Reply *r, void *userdata); /* once a dispatch, as for watches */
        void (*reply_ended)(Reply *r, void *userdata);
        /* One that had ended as failed, for it could not be stored then. */
        void (*reply_stored)(Reply *r, void *userdata);
        void (*avatar_command)(Reply *r, uint64_t offset, const char *verb, char *const *arguments,
                void *userdata);
        void (*notice)(int level, const char *title, const char *text, void *userdata);
        void *userdata;
} ConversationsObserver;

/* index is taken over. avatar may be NULL (off by configuration): then commands stay text. */
int conversations_new(Conversations **ret, sd_event *event, Store *store, Engines *engines,
        Avatar *avatar, StoreIndex *index);
Conversations *conversations_free(Conversations *c);
DEFINE_CLEANUP(Conversations *, conversations_free)
void conversations_set_observer(Conversations *c, const ConversationsObserver *observer);
/* After a reload; NULL = off. Replies that live keep what they began with. */
void conversations_set_avatar(Conversations *c, Avatar *avatar);
void conversations_set_trash_keep(Conversations *c, usec_t keep);

/* Ends every live reply as `interrupted` with the text it has, and calls done when that is durable
 * (shutdown). */
int conversations_stop(Conversations *c, void (*done)(void *userdata), void *userdata);

unsigned conversations_live(const Conversations *c);    /* replies streaming or asking */
unsigned conversations_waiting(const Conversations *c); /* replies in an engine's queue */
size_t conversations_count(const Conversations *c);

/* By id; set-aside ones too (conversation_deleted() tells). NULL = none. */
Conversation *conversations_find(Conversations *c, sd_id128_t id);
Conversation *conversations_find_number(Conversations *c, uint64_t number);

/* Newest modified first, over all, set aside ones too: start with after = NULL. */
Conversation *conversations_next(Conversations *c, Conversation *after);

/* ---- one conversation ---- */

sd_id128_t conversation_id(const Conversation *c);
const char *conversation_path(Conversation *c); /* the object path */
uint64_t conversation_number(const Conversation *c);
const char *conversation_title(const Conversation *c);
const char *conversation_model(const Conversation *c); /* "" = the default */
const char *conversation_state(const Conversation *c); /* "idle", "waiting", "streaming" */
uint64_t conversation_head(const Conversation *c);
uint64_t conversation_messages(const Conversation *c);
/* Replies that ended since a person was last shown some; of an earlier run's at most one counts. */
uint64_t conversation_unread(const Conversation *c);
uint64_t conversation_context_used(const Conversation *c);
uint64_t conversation_context_size(const Conversation *c);
usec_t conversation_created(const Conversation *c);
usec_t conversation_modified(const Conversation *c);
usec_t conversation_deleted(const Conversation *c);
bool conversation_archived(const Conversation *c);
bool conversation_hidden(const Conversation *c);
bool conversation_private(const Conversation *c);
/* The newest live reply, NULL = none; a live or still watched one by id. */
Reply *conversation_live_reply(Conversation *c);
Reply *conversation_find_reply(Conversation *c, uint64_t id);
/* The next live reply of all conversations: for snapshots and status. */
Reply *conversations_next_reply(Conversations *c, Reply *after);

/* A surface shows it to a person now: what has ended is read. */
int conversation_mark_read(Conversation *c);

/* ---- what can be done; the completion comes from the loop, exactly once on success of the call
 * ---- */

typedef void (*conversation_done_t)(const Failure *failure, Conversation *c, void *userdata);

typedef struct ConversationOptions {
        const char *title, *model, *system; /* NULL or "" = none */
        bool private;
        /* The caller's own, or SD_ID128_NULL. Where there is such a conversation already, or it is
         * being made, that is the one: who asks again gets no second one. */
        sd_id128_t id;
} ConversationOptions;

int conversations_create(Conversations *c, const ConversationOptions *options,
        conversation_done_t done, void *userdata, Failure *failure);
int conversation_delete(Conversation *c, conversation_done_t done, void *userdata, Failure *f);
int conversation_restore(Conversation *c, conversation_done_t done, void *userdata, Failure *f);
int conversations_purge_deleted(
        Conversations *c, conversation_done_t done, void *userdata, Failure *f);
int conversation_set_title(
        Conversation *c, const char *title, conversation_done_t done, void *userdata, Failure *f);
int conversation_set_model(
        Conversation *c, const char *model, conversation_done_t done, void *userdata, Failure *f);
int conversation_set_system(
        Conversation *c, const char *system, conversation_done_t done, void *userdata, Failure *f);
int conversation_set_archived(
        Conversation *c, bool archived, conversation_done_t done, void *userdata, Failure *f);
int conversation_set_hidden(
        Conversation *c, bool hidden, conversation_done_t done, void *userdata, Failure *f);

/* failure NULL: both are durable. */
typedef void (*send_done_t)(
        const Failure *failure, uint64_t message, uint64_t reply, void *userdata);

typedef struct SendOptions {
        const char *model, *token; /* NULL = none */
        uint64_t parent;           /* with parent_given: the message to answer below; 0 = root */
        bool parent_given, queue;
        StoreAttachment *attachments; /* taken over, also on failure */
        size_t n_attachments;
} SendOptions;

/* Whether it could be sent now, in a conversation that is still to be made. */
int conversations_check_send(
        const Conversations *cs, const char *text, const SendOptions *options, Failure *failure);
int conversation_send(Conversation *c, const char *text, const SendOptions *options,
        send_done_t done, void *userdata, Failure *failure);
int conversation_edit(Conversation *c, uint64_t message, const char *text, send_done_t done,
        void *userdata, Failure *failure);
int conversation_regenerate(Conversation *c, uint64_t reply, const char *model, send_done_t done,
        void *userdata, Failure *failure);
int conversation_continue(
        Conversation *c, uint64_t reply, send_done_t done, void *userdata, Failure *failure);
/* reply 0 = whatever is live. The engine's connection is closed before this returns. */
int conversation_cancel(Conversation *c, uint64_t reply, Failure *failure);
int conversation_select_branch(Conversation *c, uint64_t message, conversation_done_t done,
        void *userdata, Failure *failure);
