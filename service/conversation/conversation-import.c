/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/conversation-import.h"

#include "common/log.h"
#include "service/conversation/conversation-internal.h"

static uint64_t next_id(void *userdata)
{
        return store_next_id(userdata);
}

static void on_purged(const Failure *failure, void *userdata)
{
        if (failure)
                log_debug("An import that failed is there at the next start: %s",
                        failure_message(failure));
}

/* Whoever is told that it failed imports it again. */
static void take_back(Pending *p)
{
        int r;

        r = store_purge(p->parent->store, p->values.number, on_purged, NULL, NULL);
        if (r < 0)
                log_debug_errno(r, "An import that failed is there at the next start: %m");
}

/* All of it is durable: now there is such a conversation. */
static int import_applied(Pending *p, Failure *failure)
{
        int r;

        r = conversations_add(p->parent, p->conversation);
        if (r < 0) {
                take_back(p);
                return failure_set_errno(failure, r, "The conversation cannot be listed");
        }
        conversations_tell(p->parent, added, p->conversation);
        return 0;
}

static int new_id(const Conversations *cs, sd_id128_t *id)
{
        int r = 0;

        while (r >= 0 && conversations_find((Conversations *) cs, *id))
                r = sd_id128_randomize(id);
        return r;
}

/* What is listed later, from what is stored now. */
static int new_conversation(
        Conversations *cs, StoreConversation *stored, Conversation **ret, Failure *failure)
{
        _cleanup_(conversation_unrefp) Conversation *c = NULL;
        int r;

        r = new_id(cs, &stored->id);
        if (r >= 0)
                r = conversation_new(&c, stored->id, stored->number);
        if (r >= 0)
                r = free_and_strdup(&c->title, stored->title);
        if (r >= 0)
                r = free_and_strdup(&c->model, stored->model);
        if (r < 0)
                return failure_set_errno(failure, r, "The conversation cannot be made");
        c->created = stored->created;
        c->modified = stored->modified;
        c->head = stored->head;
        c->messages = stored->messages;
        c->read = c->last_ended = stored->read;
        c->flags = (stored->archived ? CONVERSATION_ARCHIVED : 0) |
                (stored->hidden ? CONVERSATION_HIDDEN : 0) |
                (stored->title_set ? CONVERSATION_TITLE_SET : 0);
        *ret = TAKE_PTR(c);
        return 0;
}

int conversations_import(Conversations *cs, Imported *imported, conversation_done_t done,
        void *userdata, Failure *failure)
{
        _cleanup_(conversation_unrefp) Conversation *c = NULL;
        _cleanup_(imported_done) Imported i = *imported;
        _cleanup_(pending_freep) Pending *p = NULL;
        int r;

        *imported = (Imported){ 0 };
        if (conversations_stopping(cs))
                return failure_set(failure, FAILURE_BUSY, "The service is stopping.");
        imported_number(&i, next_id, cs->store);
        i.conversation.number = store_next_number(cs->store, /* private= */ false);
        i.conversation.read = i.n_messages > 0 ? i.messages[i.n_messages - 1].id : 0;
        r = new_conversation(cs, &i.conversation, &c, failure);
        if (r < 0)
                return r;
        r = pending_new(&p, cs, c, done, userdata, failure);
        if (r < 0)
                return r;
        p->values = i.conversation;
        i.conversation.title = i.conversation.model = NULL; /* they are the values' now */
        p->apply = import_applied;
        r = store_create_whole(cs->store, &p->values, i.system, i.messages, i.n_messages,
                pending_done, p, &p->slot);
        return pending_begun(&p, r, failure);
}
