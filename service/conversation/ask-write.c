/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rows of a question and its reply, written while the engine is being asked. */

#include "service/conversation/ask.h"

static bool has_question(const Ask *a)
{
        return a->kind == ASK_SEND || a->kind == ASK_EDIT;
}

static void on_written(const Failure *failure, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);
        _cleanup_(conversation_unrefp) Conversation *c = conversation_ref(a->conversation);
        _cleanup_(reply_unrefp) Reply *reply = reply_ref(a->reply);
        Conversations *cs = c->parent;
        ConversationChange what = CONVERSATION_CHANGED_MODIFIED;

        if (failure) {
                (void) reply_abandon(reply);
                ask_done(a, failure);
                asks_advance(c);
                return;
        }

        conversation_touch(c, a->modified);
        if (a->kind != ASK_CONTINUE) {
                c->head = reply->id;
                c->messages += has_question(a) ? 2 : 1;
                what |= CONVERSATION_CHANGED_HEAD | CONVERSATION_CHANGED_MESSAGES;
        }
        /* Who asked waits; all others hear of it after that. */
        reply->flags |= REPLY_DURABLE;
        ask_answer(a, NULL);
        conversation_changed(c, what);
        if (has_question(a))
                conversations_tell(cs, message_added, c, reply->message, a->parent, ROLE_USER,
                        a->beginning, strlen(a->beginning));
        ask_free(a);
        reply_became_durable(reply);
        replies_retry(cs);
        asks_advance(c);
}

/* The store takes the attachments over. */
static int write_rows(Ask *a, Failure *failure)
{
        Conversation *c = a->conversation;
        Reply *reply = a->reply;
        char *text = a->text ? a->text : reply->question;
        StoreMessage rows[] = {
                {
                        .id = reply->message,
                        .parent = a->parent,
                        .role = ROLE_USER,
                        .content = text,
                        .content_size = strlen(strempty(text)),
                        .reasoning = (char *) "",
                        .metadata = (char *) "",
                        .created = a->modified,
                        .attachments = TAKE_PTR(a->attachments),
                        .n_attachments = a->n_attachments,
                },
                {
                        .id = reply->id,
                        .parent = reply->message,
                        .role = ROLE_ASSISTANT,
                        .content = (char *) "",
                        .reasoning = (char *) "",
                        .metadata = (char *) "",
                        .live = true,
                        .created = a->modified,
                },
        };
        size_t skip = has_question(a) ? 0 : 1;
        Store *store = c->parent->store;
        int r;

        a->n_attachments = 0;
        if (a->kind == ASK_CONTINUE)
                r = store_reopen_reply(store, c->number, reply->id, on_written, a, &a->slot);
        else
                r = store_add_messages(store, c->number, rows + skip, ELEMENTSOF(rows) - skip,
                        reply->id, a->modified, a->token, on_written, a, &a->slot);
        if (r < 0)
                return failure_set_errno(failure, r, "The message could not be stored");
        return 0;
}

static int new_reply(Ask *a, Failure *failure)
{
        Conversation *c = a->conversation;
        Store *store = c->parent->store;
        uint64_t question = has_question(a) ? store_next_id(store) : a->parent;
        uint64_t id = a->kind == ASK_CONTINUE ? a->target : store_next_id(store);
        const char *model = isempty(a->model) ? c->model : a->model;

        if (reply_new(&a->reply, c, id, question) < 0 ||
                free_and_strdup(&a->reply->asked_model, model) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        return 0;
}

/* What the engine gets to read. Where it can be, that is read and asked while the rows are being
 * written; else it is read back after them. */
static int set_context(Ask *a, bool at_once, Failure *failure)
{
        Reply *reply = a->reply;

        if (a->kind == ASK_CONTINUE)
                reply->context = reply->id;
        else if (!has_question(a) || !at_once)
                reply->context = reply->message;
        else {
                reply->context = a->parent;
                /* Not copied, it may be large. */
                reply->question = TAKE_PTR(a->text);
        }
        return 0;
}

static int keep_text(Reply *reply, const StoreMessage *kept, Failure *failure)
{
        if (buffer_append(&reply->text[CHANNEL_CONTENT], kept->content, kept->content_size) < 0 ||
                buffer_append(
                        &reply->text[CHANNEL_REASONING], kept->reasoning, kept->reasoning_size) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        for (Channel channel = 0; channel < _CHANNEL_MAX; channel++) {
                reply->saved[channel] = reply->text[channel].size;
                reply->announced += reply->text[channel].size;
        }
        reply->created = kept->created;
        reply->flags |= REPLY_CONTINUES;
        return 0;
}

int ask_write(Ask *a, uint64_t parent, const StoreMessage *kept, Failure *failure)
{
        Conversation *c = a->conversation;
        bool at_once = a->n_attachments == 0 && !conversation_has_unfinished(c);
        /* The question is not to wait for what is read while the reading waits for it in turn. */
        bool before = at_once && c->messages <= STORE_CONTEXT_SHORT;
        int r;

        /* A reply that waits to be stored gets its chance first: then what follows sees it. */
        replies_retry(c->parent);
        a->parent = parent;
        a->modified = usec_now(CLOCK_REALTIME);
        r = new_reply(a, failure);
        if (r < 0)
                return r;
        r = set_context(a, at_once, failure);
        if (r < 0)
                return r;
        if (kept) {
                r = keep_text(a->reply, kept, failure);
                if (r < 0)
                        return r;
        }
        reply_link(a->reply);

        r = before ? reply_begin(a->reply, failure) : 0;
        if (r >= 0)
                r = write_rows(a, failure);
        if (r < 0) {
                (void) reply_abandon(a->reply);
                return r;
        }
        if (!before && reply_begin(a->reply, &a->reply->failure) < 0)
                reply_finish(a->reply, REASON_FAILED);
        return 0;
}
