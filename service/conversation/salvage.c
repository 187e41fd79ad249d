/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A damaged database lost conversations and messages, perhaps, while they were being shown: what is
 * known of them follows what is stored. */

#include "common/log.h"
#include "service/conversation/conversation-internal.h"

/* Of what a salvage can change; the strings change hands. */
static ConversationChange take_stored(Conversation *c, StoreConversation *s)
{
        ConversationChange what = 0;

        if (!streq(c->title, strempty(s->title))) {
                free(c->title);
                c->title = TAKE_PTR(s->title);
                what |= CONVERSATION_CHANGED_TITLE;
        }
        if (!streq(c->model, strempty(s->model))) {
                free(c->model);
                c->model = TAKE_PTR(s->model);
                what |= CONVERSATION_CHANGED_MODEL;
        }
        if (c->head != s->head) {
                c->head = s->head;
                what |= CONVERSATION_CHANGED_HEAD;
        }
        if (c->messages != s->messages) {
                c->messages = s->messages;
                what |= CONVERSATION_CHANGED_MESSAGES;
        }
        conversation_set_flag(c, CONVERSATION_ARCHIVED, s->archived);
        conversation_set_flag(c, CONVERSATION_HIDDEN, s->hidden);
        if ((c->deleted > 0) != (s->deleted > 0))
                trash_changed(c, s->deleted);
        return what;
}

static void drop_lost(Conversations *cs, Conversation *lost)
{
        _cleanup_(conversation_unrefp) Conversation *c = conversation_ref(lost);

        conversations_remove(cs, c);
        if (c->deleted == 0)
                conversations_tell(cs, removed, c);
}

/* One that is known only by its messages comes back under a new id. */
static void add_found(Conversations *cs, StoreConversation *s)
{
        _cleanup_(conversation_unrefp) Conversation *c = NULL;
        int r;

        r = conversation_new_stored(&c, s);
        if (r >= 0)
                r = conversations_add(cs, c);
        if (r < 0)
                log_error_errno(r,
                        "Failed to list a conversation that was saved from the damaged database; "
                        "it is there when the service starts again: %m");
        else if (c->deleted == 0)
                conversations_tell(cs, added, c);
}

static void drop_all_lost(Conversations *cs, const StoreIndex *index)
{
        for (size_t i = 0; i < index->n_conversations; i++) {
                const StoreConversation *s = &index->conversations[i];
                Conversation *c = conversations_find_number(cs, s->number);

                if (c && sd_id128_equal(c->id, s->id))
                        conversation_set_flag(c, CONVERSATION_KEPT, true);
        }
        for (Conversation *c = cs->newest, *older; c; c = older) {
                older = c->older;
                if (!(c->flags & CONVERSATION_KEPT) && !conversation_private(c))
                        drop_lost(cs, c);
                else
                        conversation_set_flag(c, CONVERSATION_KEPT, false);
        }
}

void conversations_salvaged(StoreIndex *index, void *userdata)
{
        _cleanup_(store_index_freep) StoreIndex *owned = index;
        Conversations *cs = ASSERT_PTR(userdata);

        drop_all_lost(cs, owned);
        for (size_t i = 0; i < owned->n_conversations; i++) {
                StoreConversation *s = &owned->conversations[i];
                Conversation *c = conversations_find_number(cs, s->number);
                ConversationChange what;

                if (!c) {
                        add_found(cs, s);
                        continue;
                }
                what = take_stored(c, s);
                if (what)
                        conversation_changed(c, what);
        }
        trash_arm(cs, 0);
}
