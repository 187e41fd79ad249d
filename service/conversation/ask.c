/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first in line looks up its token, then the message it builds on, then writes its rows while
 * the engine is being asked. */

#include "service/conversation/ask.h"
#include "common/utf8.h"

/* ---- the line ---- */

static void ask_unlink(Ask *a)
{
        for (Ask **p = &a->conversation->asks; *p; p = &(*p)->next)
                if (*p == a) {
                        *p = a->next;
                        return;
                }
}

Ask *ask_free(Ask *a)
{
        if (!a)
                return NULL;

        ask_unlink(a);
        store_slot_free(a->slot);
        store_attachments_free(a->attachments, a->n_attachments);
        reply_unref(a->reply);
        conversation_unref(a->conversation);
        free(a->text);
        free(a->beginning);
        free(a->model);
        free(a->token);
        return mfree(a);
}

int ask_new(Ask **ret, Conversation *c, AskKind kind, const char *text, send_done_t done,
        void *userdata)
{
        _cleanup_(ask_freep) Ask *a = NULL;

        a = calloc(1, sizeof *a);
        if (!a)
                return -ENOMEM;
        a->conversation = conversation_ref(c);
        a->kind = kind;
        a->done = done;
        a->userdata = userdata;
        if (text) {
                size_t size = strlen(text);

                a->text = strndup(text, size);
                a->beginning = strndup(text, utf8_cut(text, size, MESSAGE_TOLD_MAX));
                if (!a->text || !a->beginning)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(a);
        return 0;
}

void ask_answer(Ask *a, const Failure *failure)
{
        ask_unlink(a);
        if (failure)
                a->done(failure, 0, 0, a->userdata);
        else
                a->done(NULL, a->reply->message, a->reply->id, a->userdata);
}

void ask_done(Ask *a, const Failure *failure)
{
        _cleanup_(ask_freep) _unused_ Ask *owned = a;

        ask_answer(a, failure);
}

void asks_free(Conversation *c)
{
        while (c->asks)
                ask_free(c->asks);
}

void asks_fail(Conversation *c, const Failure *failure)
{
        while (c->asks)
                ask_done(c->asks, failure);
}

void asks_cancel(Conversation *c)
{
        for (Ask *a = c->asks; a; a = a->next)
                if (!a->reply)
                        a->flags |= ASK_CANCELLED;
}

/* ---- what must hold ---- */

bool conversation_has_unfinished(const Conversation *c)
{
        for (const Reply *r = c->replies; r; r = r->next)
                if (r->phase < REPLY_PHASE_FINISHING)
                        return true;
        return false;
}

static int set_busy(Failure *failure)
{
        return failure_set(failure, FAILURE_BUSY,
                "A reply is under way in this conversation. Wait for it, cancel it, or send with "
                "the option 'queue'.");
}

int ask_check_limits(const Conversations *cs, Failure *failure)
{
        if (conversations_live(cs) >= REPLIES_LIVE_MAX)
                return failure_set(failure, FAILURE_BUSY,
                        "%u replies are live, which is the limit. Try again when one has ended.",
                        REPLIES_LIVE_MAX);
        if (conversations_waiting(cs) >= REPLIES_WAITING_MAX)
                return failure_set(failure, FAILURE_BUSY,
                        "%u replies are waiting, which is the limit. Try again when one has begun.",
                        REPLIES_WAITING_MAX);
        return 0;
}

static int check_turn(const Ask *a, Failure *failure)
{
        int r;

        if (a->flags & ASK_CANCELLED)
                return failure_set(failure, FAILURE_CANCELLED, "Cancelled before it was stored.");
        r = conversation_check_usable(a->conversation, failure);
        if (r < 0)
                return r;
        if (!(a->flags & ASK_QUEUE) && conversation_has_unfinished(a->conversation))
                return set_busy(failure);
        return ask_check_limits(a->conversation->parent, failure);
}

/* ---- what it builds on ---- */

static int use_question(Ask *a, StoreMessage *m, Failure *failure)
{
        if (m->role != ROLE_USER)
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "Only a message of the user can be edited.");
        /* What was attached stays attached. */
        a->attachments = TAKE_PTR(m->attachments);
        a->n_attachments = m->n_attachments;
        m->n_attachments = 0;
        return ask_write(a, m->parent, NULL, failure);
}

static int use_reply(Ask *a, const StoreMessage *m, Failure *failure)
{
        if (m->role != ROLE_ASSISTANT)
                return failure_set(
                        failure, FAILURE_INVALID_ARGUMENT, "Only a reply can be generated again.");
        return ask_write(a, m->parent, NULL, failure);
}

static int use_cut_reply(Ask *a, const StoreMessage *m, Failure *failure)
{
        if (m->role != ROLE_ASSISTANT || m->live)
                return failure_set(
                        failure, FAILURE_INVALID_ARGUMENT, "Only a reply can be continued.");
        switch (m->reason) {
        case REASON_LENGTH:
        case REASON_CANCELLED:
        case REASON_INTERRUPTED:
        case REASON_INCOMPLETE:
        case REASON_FAILED:
                break;
        case REASON_NONE:
        case REASON_STOP:
        case REASON_FILTERED:
        case REASON_TOOL:
        case _REASON_MAX:
        case _REASON_INVALID:
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "The reply is complete: there is nothing to continue.");
        }
        if (m->content_size + m->reasoning_size >= REPLY_TEXT_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "The reply has %zu bytes, which is the limit of a reply.", REPLY_TEXT_MAX);
        return ask_write(a, m->parent, m, failure);
}

static int use_message(Ask *a, StoreMessage *m, Failure *failure)
{
        int r;

        /* Time has passed. */
        r = check_turn(a, failure);
        if (r < 0)
                return r;
        switch (a->kind) {
        case ASK_SEND:
                return ask_write(a, m->id, NULL, failure);
        case ASK_EDIT:
                return use_question(a, m, failure);
        case ASK_REGENERATE:
                return use_reply(a, m, failure);
        case ASK_CONTINUE:
                return use_cut_reply(a, m, failure);
        }
        return failure_set(failure, FAILURE_INTERNAL, NULL);
}

/* A step that failed on the loop. */
static void step_failed(Ask *a, const Failure *failure)
{
        _cleanup_(conversation_unrefp) Conversation *c = conversation_ref(a->conversation);

        ask_done(a, failure);
        asks_advance(c);
}

static void on_message(const Failure *failure, StoreMessages *messages, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure own = FAILURE_NULL;
        int r = 0;

        a->slot = store_slot_free(a->slot);
        if (!failure) {
                if (messages->n_messages == 1 && messages->messages[0].id == a->target)
                        r = use_message(a, &messages->messages[0], &own);
                else
                        r = failure_set(&own, FAILURE_NO_SUCH_MESSAGE, NULL);
                store_messages_free(messages);
        }
        if (failure || r < 0)
                step_failed(a, failure ? failure : &own);
}

/* The message that it builds on must first be looked up. */
static int find_target(Ask *a, Failure *failure)
{
        Conversation *c = a->conversation;
        Store *store = c->parent->store;
        int r = 0;

        switch (a->kind) {
        case ASK_SEND:
        case ASK_REGENERATE:
                /* A page leaves the attachments' data on the disk. */
                r = store_get_page(store, c->number, a->target, 1, CONVERSATION_PAGE_BYTES,
                        on_message, a, &a->slot);
                break;
        case ASK_EDIT:
        case ASK_CONTINUE:
                r = store_get_message(store, c->number, a->target, on_message, a, &a->slot);
                break;
        }
        if (r < 0)
                return failure_set_errno(failure, r, "The conversation could not be read");
        return 0;
}

static int take_turn(Ask *a, Failure *failure)
{
        uint64_t head = a->conversation->head;
        int r;

        r = check_turn(a, failure);
        if (r < 0)
                return r;
        if (a->kind == ASK_SEND && !(a->flags & ASK_PARENT_GIVEN))
                return ask_write(a, head, NULL, failure);
        if (a->kind == ASK_SEND && (a->target == 0 || a->target == head))
                return ask_write(a, a->target, NULL, failure);
        return find_target(a, failure);
}

static void on_token(const Failure *failure, uint64_t user, uint64_t reply, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);
        _cleanup_(conversation_unrefp) Conversation *c = conversation_ref(a->conversation);
        _cleanup_failure_ Failure own = FAILURE_NULL;

        a->slot = store_slot_free(a->slot);
        if (!failure && reply > 0) {
                _cleanup_(ask_freep) _unused_ Ask *owned = a;

                ask_unlink(a);
                a->done(NULL, user, reply, a->userdata);
                asks_advance(c);
                return;
        }
        if (failure || take_turn(a, &own) < 0)
                step_failed(a, failure ? failure : &own);
}

static int ask_start(Ask *a, Failure *failure)
{
        Conversation *c = a->conversation;
        int r;

        a->flags |= ASK_STARTED;
        if (!a->token)
                return take_turn(a, failure);
        /* Before anything else: what was sent already may have become Busy by itself. */
        r = store_find_token(c->parent->store, c->number, a->token, on_token, a, &a->slot);
        if (r < 0)
                return failure_set_errno(failure, r, "The token could not be looked up");
        return 0;
}

void asks_advance(Conversation *c)
{
        for (Ask *a; (a = c->asks) && !(a->flags & ASK_STARTED) && !pending_holds(c, a->order);) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;

                if (ask_start(a, &failure) < 0)
                        ask_done(a, &failure);
        }
        if (c->parent)
                conversations_check_stopped(c->parent);
}

/* ---- entering ---- */

int ask_enter(Ask *a, Failure *failure)
{
        _cleanup_(ask_freep) Ask *owned = a;
        Conversation *c = a->conversation;
        bool first = !c->asks;
        int r;

        r = conversation_check_usable(c, failure);
        if (r < 0)
                return r;
        if (!a->token && !(a->flags & ASK_QUEUE) && !first)
                return set_busy(failure);

        a->order = ++c->asked;
        for (Ask **p = &c->asks;; p = &(*p)->next)
                if (!*p) {
                        *p = a;
                        break;
                }
        if (first && !pending_holds(c, a->order)) {
                r = ask_start(a, failure);
                if (r < 0)
                        return r;
        }
        TAKE_PTR(owned);
        return 0;
}
