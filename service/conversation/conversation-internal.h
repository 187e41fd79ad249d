/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the room share: conversations.c (the index), trash.c, conversation.c (what is
 * said and changed about one), ask.c and ask-write.c (the line of questions), reply.c (a live
 * text), reply-run.c (asking the engine), reply-end.c (saving and ending). */

#include <time.h>

#include "common/buffer.h"
#include "service/conversation/conversations.h"

typedef struct Ask Ask;
typedef struct Pending Pending;

typedef enum ConversationFlags {
        CONVERSATION_ARCHIVED = 1 << 0,
        CONVERSATION_HIDDEN = 1 << 1,
        CONVERSATION_TITLE_SET = 1 << 2, /* by a person, or made from the first exchange */
        CONVERSATION_CUT_TOLD = 1 << 3,  /* a person knows that it is sent without its beginning */
        CONVERSATION_KEPT = 1 << 4,      /* a salvage found it; only while that is looked at */
} ConversationFlags;

typedef enum ConversationState {
        CONVERSATION_IDLE,
        CONVERSATION_WAITING,
        CONVERSATION_STREAMING,
} ConversationState;

/* Held by the index while it is listed, by its replies and by what is under way for it. */
struct Conversation {
        unsigned n_ref;
        ConversationFlags flags;
        Conversations *parent; /* NULL once it is purged */
        Conversation *newer, *older;
        Conversation *next_id, *next_number; /* of the same bucket */

        sd_id128_t id;
        uint64_t number;
        char *title, *model, *path;
        usec_t created, modified, deleted;
        uint64_t head, messages;
        uint64_t read, last_ended; /* message ids */
        uint64_t context_used, context_size;
        unsigned unread;
        ConversationState state; /* as it was last announced */

        Reply *replies; /* in the order of their questions; ended ones that are watched too */
        Ask *asks;      /* not yet durable, in order */
        uint64_t asked; /* questions, and changes that count for them, so far */
        unsigned n_holding;
};

struct Conversations {
        sd_event *event;
        Store *store;
        Engines *engines;
        Avatar *avatar;
        ConversationsObserver observer;
        char *last_model;

        Conversation *newest, *oldest;
        Conversation **by_id, **by_number; /* n_buckets each, a power of two */
        size_t n_buckets, count;

        Reply *replies; /* all that have not ended */
        Reply *dirty;   /* have text that was not announced */
        sd_event_source *flush, *save, *feed;

        usec_t trash_keep;
        sd_event_source *purge;
        usec_t purging_before; /* newest border of the purges under way */
        unsigned n_purging;

        Pending *pending;

        void (*stopped)(void *userdata);
        void *stopped_userdata;
        sd_event_source *stop;
};

/* A reply's way. Only QUEUED to FINISHING count as live. */
typedef enum ReplyPhase {
        REPLY_PHASE_QUEUED,    /* behind another reply of its conversation */
        REPLY_PHASE_LOADING,   /* its context is being read */
        REPLY_PHASE_ASKING,    /* at the engine */
        REPLY_PHASE_FINISHING, /* its end is being written, or waits for its question's commit */
        REPLY_PHASE_STUCK,     /* its end could not be written: kept, and tried again */
        REPLY_PHASE_ENDED,
} ReplyPhase;

typedef enum ReplyFlags {
        REPLY_DURABLE = 1 << 0,    /* its row is: it may be announced */
        REPLY_HAS_TEXT = 1 << 1,   /* in this life; a continued one begins without */
        REPLY_DIRTY = 1 << 2,      /* in the list of those with text to announce */
        REPLY_CONTINUES = 1 << 3,  /* an ended one that was opened again */
        REPLY_CLOSED = 1 << 4,     /* takes no more text */
        REPLY_STUCK_TOLD = 1 << 5, /* it was told as failed: it could not be stored */
} ReplyFlags;

struct ReplyWatch {
        Reply *reply;
        ReplyWatch *next;
        const ReplyWatchOps *ops; /* NULL: freed while the list was walked */
        void *userdata;
};

/* A reply's text, in each channel. Nobody changes it once the store has it, too. */
typedef struct ReplyText {
        Buffer channel[_CHANNEL_MAX];
        unsigned n_ref; /* the loop's */
} ReplyText;

/* What is being saved of one channel. */
typedef struct ReplySave {
        Reply *reply;
        StoreSlot *slot; /* NULL: nothing now */
        size_t from;
} ReplySave;

/* Held by the conversation until its end is durable, by its watches, and by callbacks on the way.
 */
struct Reply {
        unsigned n_ref;
        unsigned walking; /* how deep the watches are being walked */
        ReplyPhase phase;
        ReplyFlags flags;
        Conversation *conversation;
        Conversations *parent;          /* NULL when the conversation is purged */
        Reply *next;                    /* in the conversation */
        Reply *all_previous, *all_next; /* of all */
        Reply *dirty_next;
        ReplyWatch *watches;

        uint64_t id, message;
        usec_t created; /* CLOCK_REALTIME */
        ReplyText *shared;
        Buffer *text;               /* its channels */
        Buffer held[_CHANNEL_MAX];  /* came before the row was durable, or behind such text */
        size_t fed[_CHANNEL_MAX];   /* so much of it is in the text by now */
        size_t saved[_CHANNEL_MAX]; /* or on its way there */
        ReplySave saves[_CHANNEL_MAX];
        size_t announced; /* of both channels together */

        char *question; /* to append to the context, or NULL: it is there already */
        uint64_t context;
        char *asked_model;
        EngineReply *engine;
        Avatar *avatar;
        AvatarFilter filter;
        unsigned n_commands; /* that it gave the avatar */
        StoreSlot *slot;     /* reading the context, later writing the end */

        usec_t started;  /* CLOCK_MONOTONIC */
        usec_t modified; /* CLOCK_REALTIME: when it ended */
        ReplyInfo info;  /* strings are owned below */
        char *model, *engine_name, *phase_text, *note;
        Failure failure;
        Failure unstored; /* with REPLY_STUCK_TOLD: why its end is not written yet */
        char *title;      /* for a conversation that has none */
};

static inline usec_t usec_now(clockid_t clock)
{
        struct timespec t = { 0 };

        (void) clock_gettime(clock, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

/* ---- conversations.c ---- */

/* Tells the observer, if there is one that wants to know. */
#define conversations_tell(c, callback, ...) \
        ({ \
                const ConversationsObserver *_o = &(c)->observer; \
                if (_o->callback) \
                        _o->callback(__VA_ARGS__, _o->userdata); \
        })

Conversation *conversation_ref(Conversation *c);
Conversation *conversation_unref(Conversation *c);
DEFINE_CLEANUP(Conversation *, conversation_unref)

/* A new one that is listed nowhere. */
int conversation_new(Conversation **ret, sd_id128_t id, uint64_t number);
/* As it is stored, listed nowhere: the strings change hands. */
int conversation_new_stored(Conversation **ret, StoreConversation *s);
/* Lists it, by the time when it was modified. -ENOMEM. */
int conversations_add(Conversations *cs, Conversation *c);
/* Unlists it; what is under way for it fails. */
void conversations_remove(Conversations *cs, Conversation *c);
void conversation_touch(Conversation *c, usec_t modified); /* makes it the newest */
void conversation_set_flag(Conversation *c, ConversationFlags flag, bool on);
void conversations_check_stopped(Conversations *cs);
bool conversations_stopping(const Conversations *cs);

/* ---- pending.c ---- */

/* A change of what is stored about conversations, on its way to the disk: it is carried out in
 * memory, by apply, when it is durable. */
struct Pending {
        Conversations *parent;
        Pending *previous, *next;
        StoreSlot *slot;
        Conversation *conversation; /* NULL: not of a single one */
        StoreConversation values;   /* with a number and strings of its own */
        StoreField fields;
        usec_t before;  /* for a purge */
        uint64_t order; /* before which question: that waits for it; 0: no matter */
        int (*apply)(Pending *p, Failure *failure);
        void (*failed)(Pending *p); /* may be NULL */
        conversation_done_t done;   /* may be NULL */
        void *userdata;
};

int pending_new(Pending **ret, Conversations *cs, Conversation *c, conversation_done_t done,
        void *userdata, Failure *failure);
Pending *pending_free(Pending *p); /* nobody is told */
DEFINE_CLEANUP(Pending *, pending_free)
/* What is asked from now on waits until this is done: it builds on what is chosen here. */
void pending_hold_asks(Pending *p);
bool pending_holds(const Conversation *c, uint64_t order);
/* The completion of what was given to the store: applies, tells, frees. */
void pending_done(const Failure *failure, void *userdata);
/* The same where it came to nothing, without what it was to do. */
void pending_failed(Pending *p, const Failure *failure);
/* The end of a function that gave it to the store: r is the store's answer. */
int pending_begun(Pending **p, int r, Failure *failure);
/* Writes values' fields, and puts them into the conversation when they are durable. */
int pending_write(Pending **p, Failure *failure);

/* ---- trash.c ---- */

/* The conversation was set aside, or is back. */
void trash_changed(Conversation *c, usec_t deleted);

/* Sets the timer for the next one that is due, not before earliest from now. */
void trash_arm(Conversations *cs, usec_t earliest);

/* ---- salvage.c ---- */

/* What is stored is not what was known: the index becomes what is stored. Takes it over. */
void conversations_salvaged(StoreIndex *index, void *userdata);

/* ---- conversation.c ---- */

void conversation_update_state(Conversation *c);
void conversation_changed(Conversation *c, ConversationChange what);
/* Fails when it is set aside or the service stops. */
int conversation_check_usable(const Conversation *c, Failure *failure);

/* ---- title.c ---- */

#define TITLE_LENGTH 60U /* characters */

/* A title out of what a person wrote first: the first sentence or line, without markup and quotes.
 * *ret is "" when there is nothing to make one of; the caller frees. */
int title_from_text(const char *text, size_t size, char **ret);

/* ---- question.c ---- */

typedef enum PromptFlags {
        PROMPT_CONTINUES = 1 << 0, /* the last message is a reply to go on with */
} PromptFlags;
/* What the engine is asked: takes the strings out of messages (may be NULL), and question. The
 * title is made of the first message when it is wanted (ret_title not NULL); the caller frees. */
int question_new_prompt(Prompt **ret, StoreMessages *messages, const char *system, char **question,
        PromptFlags flags, char **ret_title);

/* ---- ask.c ---- */

void asks_fail(Conversation *c, const Failure *failure); /* all of them */
void asks_cancel(Conversation *c);                       /* those that can still be taken back */
void asks_free(Conversation *c);                         /* without telling anyone */

/* ---- reply.c ---- */

int reply_new(Reply **ret, Conversation *c, uint64_t id, uint64_t message);
Reply *reply_ref(Reply *r);
Reply *reply_unref(Reply *r);
DEFINE_CLEANUP(Reply *, reply_unref)
void reply_link(Reply *r);
void reply_unlink(Reply *r); /* from those that have not ended */
void conversation_unlist_reply(Reply *r);
bool reply_is_live(const Reply *r);
/* It waits for its turn or for an engine's. */
bool reply_is_waiting(const Reply *r);

int reply_append(Reply *r, Channel channel, const char *text, size_t size);
/* One owner of it less; worker: who frees what is large, or NULL. */
void reply_text_unref(ReplyText *t, Worker *worker);
/* Tells the watches and the observer of new text. */
void reply_flush(Reply *r);
void reply_tell_ended(Reply *r);
/* How it ended, also while others are told that it is not stored. */
void reply_get_stored_info(const Reply *r, ReplyInfo *ret);
int replies_new(Conversations *cs); /* their sources */
void replies_update_avatar(Conversations *cs, AvatarActivity idle);

/* ---- reply-run.c ---- */

/* Reads the context and asks, when no other reply of the conversation is before it. */
int reply_begin(Reply *r, Failure *failure);
void conversation_begin_next(Conversation *c);
/* Drops what it waits for and closes the engine's connection. */
void reply_disconnect(Reply *r);
/* Its row is durable, and its flag says so already: all are told. */
void reply_became_durable(Reply *r);

/* There is text that came too early: the end waits for it. */
bool reply_has_held(const Reply *r);
/* The handler of its source. */
int replies_feed(sd_event_source *source, void *userdata);
/* No more text comes. */
void reply_close_text(Reply *r);

/* ---- reply-end.c ---- */

/* Ends it, whatever it is doing. */
void reply_finish(Reply *r, EndReason reason);
/* The second half, when its row is durable: announces the last text and writes the end. */
void reply_close(Reply *r);
void reply_log(const Reply *r, int level, const char *message_id, const char *what);
/* Once: that it has ended. */
void reply_announce_end(Reply *r, Conversations *cs);
/* The conversation is gone: nothing is written any more. True when it had not ended before. */
bool reply_abandon(Reply *r);
void replies_save_later(Conversations *cs);
/* A write succeeded, or is about to be tried: those that are stuck may pass now. */
void replies_retry(Conversations *cs);

/* ---- reply-metadata.c ---- */

/* What is stored of a reply beside its text: a JSON object. The caller frees. */
int reply_metadata(const Reply *r, char **ret);
