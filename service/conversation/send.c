/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What may be asked of a conversation, checked before it goes in line. */

#include "common/utf8.h"
#include "service/conversation/ask.h"
#include "service/conversation/attachment.h"

#define TOKEN_MAX 256U /* bytes */

static int check_attachments(const StoreAttachment *attachments, size_t n, Failure *failure)
{
        int r;

        if (n > CONVERSATION_ATTACHMENTS_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "A message has at most %u attachments; this one has %zu.",
                        CONVERSATION_ATTACHMENTS_MAX, n);
        for (size_t i = 0; i < n; i++) {
                const char *name = strempty(attachments[i].name);

                r = attachment_check_name(name, failure);
                if (r < 0)
                        return r;
                if (attachments[i].size > CONVERSATION_ATTACHMENT_MAX)
                        return failure_set(failure, FAILURE_TOO_LARGE,
                                "An attachment has at most %zu bytes; '%s' has %zu.",
                                CONVERSATION_ATTACHMENT_MAX, name, attachments[i].size);
        }
        return 0;
}

static int check_text(const char *text, Failure *failure)
{
        size_t size = strlen(text);

        if (size > CONVERSATION_MESSAGE_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "A message has at most %zu bytes; this one has %zu. Longer text can go "
                        "along as an attachment.",
                        CONVERSATION_MESSAGE_MAX, size);
        if (!utf8_is_valid(text, size))
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "A message is UTF-8 text. Other data can go along as an attachment.");
        return 0;
}

static int check_model(const Conversations *cs, const char *model, Failure *failure)
{
        return isempty(model) ? 0 : engines_check_model(cs->engines, model, failure);
}

static int check_send(
        const Conversations *cs, const char *text, const SendOptions *o, Failure *failure)
{
        int r;

        r = check_text(text, failure);
        if (r < 0)
                return r;
        if (isempty(text) && o->n_attachments == 0)
                return failure_set(failure, FAILURE_INVALID_ARGUMENT, "The message is empty.");
        if (o->token && strlen(o->token) > TOKEN_MAX)
                return failure_set(
                        failure, FAILURE_TOO_LARGE, "A token has at most %u bytes.", TOKEN_MAX);
        r = check_attachments(o->attachments, o->n_attachments, failure);
        if (r < 0)
                return r;
        return check_model(cs, o->model, failure);
}

int conversations_check_send(
        const Conversations *cs, const char *text, const SendOptions *options, Failure *failure)
{
        int r;

        r = check_send(cs, text, options, failure);
        return r < 0 ? r : ask_check_limits(cs, failure);
}

int conversation_send(Conversation *c, const char *text, const SendOptions *options,
        send_done_t done, void *userdata, Failure *failure)
{
        Ask *a;
        int r;

        r = check_send(c->parent, text, options, failure);
        if (r >= 0) {
                r = ask_new(&a, c, ASK_SEND, text, done, userdata);
                if (r < 0)
                        r = failure_set(failure, FAILURE_NO_MEMORY, NULL);
        }
        if (r < 0) {
                store_attachments_free(options->attachments, options->n_attachments);
                return r;
        }

        a->attachments = options->attachments;
        a->n_attachments = options->n_attachments;
        a->target = options->parent;
        a->flags = (options->queue ? ASK_QUEUE : 0) |
                (options->parent_given ? ASK_PARENT_GIVEN : 0);
        if (free_and_strdup(&a->model, options->model) < 0 ||
                free_and_strdup(&a->token, isempty(options->token) ? NULL : options->token) < 0) {
                ask_free(a);
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        }
        return ask_enter(a, failure);
}

static int ask_about(Conversation *c, AskKind kind, uint64_t target, const char *text,
        const char *model, send_done_t done, void *userdata, Failure *failure)
{
        _cleanup_(ask_freep) Ask *a = NULL;

        if (ask_new(&a, c, kind, text, done, userdata) < 0 || free_and_strdup(&a->model, model) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        a->target = target;
        return ask_enter(TAKE_PTR(a), failure);
}

int conversation_edit(Conversation *c, uint64_t message, const char *text, send_done_t done,
        void *userdata, Failure *failure)
{
        int r;

        r = check_text(text, failure);
        if (r < 0)
                return r;
        if (isempty(text))
                return failure_set(failure, FAILURE_INVALID_ARGUMENT, "The message is empty.");
        return ask_about(c, ASK_EDIT, message, text, NULL, done, userdata, failure);
}

int conversation_regenerate(Conversation *c, uint64_t reply, const char *model, send_done_t done,
        void *userdata, Failure *failure)
{
        int r;

        r = check_model(c->parent, model, failure);
        if (r < 0)
                return r;
        return ask_about(c, ASK_REGENERATE, reply, NULL, model, done, userdata, failure);
}

int conversation_continue(
        Conversation *c, uint64_t reply, send_done_t done, void *userdata, Failure *failure)
{
        return ask_about(c, ASK_CONTINUE, reply, NULL, NULL, done, userdata, failure);
}

int conversation_cancel(Conversation *c, uint64_t reply, Failure *failure)
{
        bool found = reply == 0;

        if (reply == 0)
                asks_cancel(c);
        for (Reply *r = c->replies; r;) {
                if (r->phase >= REPLY_PHASE_FINISHING || (reply > 0 && r->id != reply)) {
                        r = r->next;
                        continue;
                }
                found = true;
                reply_finish(r, REASON_CANCELLED);
                /* Whoever was told of its last text may have changed the list. */
                r = c->replies;
        }
        if (!found)
                return failure_set(failure, FAILURE_NO_SUCH_MESSAGE,
                        "There is no such reply under way in this conversation.");
        return 0;
}
