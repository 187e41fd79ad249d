/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/ask.h"

int pending_new(Pending **ret, Conversations *cs, Conversation *c, conversation_done_t done,
        void *userdata, Failure *failure)
{
        Pending *p;

        p = calloc(1, sizeof *p);
        if (!p)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        *p = (Pending){
                .parent = cs,
                .next = cs->pending,
                .conversation = c ? conversation_ref(c) : NULL,
                .values.number = c ? c->number : 0,
                .done = done,
                .userdata = userdata,
        };
        if (p->next)
                p->next->previous = p;
        cs->pending = p;

        *ret = p;
        return 0;
}

Pending *pending_free(Pending *p)
{
        if (!p)
                return NULL;

        if (p->previous)
                p->previous->next = p->next;
        else
                p->parent->pending = p->next;
        if (p->next)
                p->next->previous = p->previous;
        store_slot_free(p->slot);
        if (p->order > 0)
                p->conversation->n_holding--;
        conversation_unref(p->conversation);
        free(p->values.title);
        free(p->values.model);
        return mfree(p);
}

void pending_hold_asks(Pending *p)
{
        p->order = ++p->conversation->asked;
        p->conversation->n_holding++;
}

bool pending_holds(const Conversation *c, uint64_t order)
{
        if (c->n_holding == 0)
                return false;
        for (const Pending *p = c->parent ? c->parent->pending : NULL; p; p = p->next)
                if (p->conversation == c && p->order > 0 && p->order < order)
                        return true;
        return false;
}

static void tell(Pending *p, const Failure *failure)
{
        Conversation *c = p->conversation;

        if (p->done)
                p->done(failure, c, p->userdata);
        if (p->order == 0)
                return;
        p->order = 0;
        c->n_holding--;
        asks_advance(c);
}

void pending_done(const Failure *failure, void *userdata)
{
        _cleanup_(pending_freep) Pending *p = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure own = FAILURE_NULL;
        Conversations *cs = p->parent;

        if (!failure && p->apply && p->apply(p, &own) < 0)
                failure = &own;
        if (failure && p->failed)
                p->failed(p);
        tell(p, failure);
        if (!failure)
                replies_retry(cs);
}

void pending_failed(Pending *p, const Failure *failure)
{
        _cleanup_(pending_freep) _unused_ Pending *owned = p;

        tell(p, failure);
}

int pending_begun(Pending **p, int r, Failure *failure)
{
        if (r < 0) {
                if ((*p)->failed)
                        (*p)->failed(*p);
                return failure_set_errno(failure, r, "The change could not be stored");
        }
        /* Now it belongs to its completion. */
        *p = NULL;
        return 0;
}

static int write_applied(Pending *p, Failure *failure)
{
        Conversation *c = p->conversation;
        const StoreConversation *v = &p->values;

        if (!c->parent)
                return failure_set(failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
        if (p->fields & STORE_TITLE) {
                free(c->title);
                c->title = TAKE_PTR(p->values.title);
                conversation_changed(c, CONVERSATION_CHANGED_TITLE);
        }
        if (p->fields & STORE_MODEL) {
                free(c->model);
                c->model = TAKE_PTR(p->values.model);
                conversation_changed(c, CONVERSATION_CHANGED_MODEL);
        }
        if (p->fields & STORE_HEAD) {
                c->head = v->head;
                conversation_changed(c, CONVERSATION_CHANGED_HEAD);
        }
        if (p->fields & STORE_ARCHIVED) {
                conversation_set_flag(c, CONVERSATION_ARCHIVED, v->archived);
                conversation_changed(c, CONVERSATION_CHANGED_ARCHIVED);
        }
        if (p->fields & STORE_HIDDEN)
                conversation_set_flag(c, CONVERSATION_HIDDEN, v->hidden);
        if (p->fields & STORE_DELETED)
                trash_changed(c, v->deleted);
        return 0;
}

int pending_write(Pending **p, Failure *failure)
{
        int r;

        (*p)->apply = write_applied;
        r = store_update_conversation(
                (*p)->parent->store, &(*p)->values, (*p)->fields, pending_done, *p, &(*p)->slot);
        return pending_begun(p, r, failure);
}
