/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The line in front of a conversation: questions, edits, regenerations and continuations become
 * durable one after another, each seeing what the one before it left. */

#include "service/conversation/conversation-internal.h"

typedef enum AskKind {
        ASK_SEND,
        ASK_EDIT,       /* target: the user's message */
        ASK_REGENERATE, /* target: the reply */
        ASK_CONTINUE,   /* target: the reply */
} AskKind;

typedef enum AskFlags {
        ASK_QUEUE = 1 << 0,
        ASK_PARENT_GIVEN = 1 << 1, /* target: the parent */
        ASK_STARTED = 1 << 2,
        ASK_CANCELLED = 1 << 3,
} AskFlags;

struct Ask {
        Ask *next;
        Conversation *conversation;
        AskKind kind;
        AskFlags flags;
        char *text;      /* until it is the reply's question */
        char *beginning; /* of the text, to tell of */
        char *model, *token;
        uint64_t target;
        StoreAttachment *attachments;
        size_t n_attachments;
        send_done_t done;
        void *userdata;

        StoreSlot *slot;
        Reply *reply;
        usec_t modified;
        uint64_t parent; /* of the question */
        uint64_t order;  /* among what was asked of the conversation */
};

int ask_new(Ask **ret, Conversation *c, AskKind kind, const char *text, send_done_t done,
        void *userdata);
Ask *ask_free(Ask *a);
DEFINE_CLEANUP(Ask *, ask_free)

int ask_check_limits(const Conversations *cs, Failure *failure); /* of all replies */
/* Puts it in line. It is freed when that fails. */
int ask_enter(Ask *a, Failure *failure);

/* Takes it out of the line and tells whoever asked; then the line may go on. */
void ask_done(Ask *a, const Failure *failure);
/* The same, and it is still to be freed. */
void ask_answer(Ask *a, const Failure *failure);
void asks_advance(Conversation *c); /* from the loop only */
/* One of its replies is not yet read to the end: another has to wait. */
bool conversation_has_unfinished(const Conversation *c);

/* ---- ask-write.c ---- */

/* Makes the reply, asks the engine and writes the rows. parent: of the question, or for a new reply
 * to an old one the question itself. kept: what a reply that is continued has already, or NULL. The
 * end is ask_done(). */
int ask_write(Ask *a, uint64_t parent, const StoreMessage *kept, Failure *failure);
