/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Send: a question, with its attachments read before it is sent. */

#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/conversation/conversation-face.h"

/* A Send whose attachments are being read. The call keeps its message, and with it all strings. */
struct BusSend {
        ConversationFace *face;
        BusSend *next, *previous;
        Call *call;
        uint64_t conversation;
        const char *text;
        SendOptions options;
        BusAttachments *attachments;
};

static BusSend *bus_send_free(BusSend *s)
{
        if (!s)
                return NULL;
        if (s->previous)
                s->previous->next = s->next;
        else
                s->face->sends = s->next;
        if (s->next)
                s->next->previous = s->previous;
        bus_attachments_free(s->attachments);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(BusSend *, bus_send_free)

void sends_free(ConversationFace *f)
{
        while (f->sends)
                bus_send_free(f->sends);
}

static int send_loaded(BusSend *s, Failure *failure)
{
        Conversation *c;
        int r;

        c = conversations_find_number(s->face->manager->conversations, s->conversation);
        if (!c || conversation_deleted(c) > 0)
                return failure_set(failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
        r = bus_attachments_take(
                s->attachments, &s->options.attachments, &s->options.n_attachments);
        if (r < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        return conversation_send(
                c, s->text, &s->options, conversation_answer_ids, s->call, failure);
}

static void on_loaded(const Failure *failure, void *userdata)
{
        _cleanup_(bus_send_freep) BusSend *s = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure own = FAILURE_NULL;

        if (failure)
                (void) call_fail(s->call, failure);
        else if (send_loaded(s, &own) < 0)
                (void) call_fail(s->call, &own);
}

static int read_send(sd_bus_message *m, BusSend *s, sd_bus_error *error)
{
        SendOptions *o = &s->options;
        const BusOption options[] = {
                { "model", "s", &o->model },
                { "parent", "t", &o->parent, &o->parent_given },
                { "attachments", "a(sh)", &s->attachments, NULL, bus_attachments_parse },
                { "queue", "b", &o->queue },
                { "token", "s", &o->token },
        };
        int r;

        r = sd_bus_message_read(m, "s", &s->text);
        if (r < 0)
                return r;
        return bus_read_options(m, options, ELEMENTSOF(options), error);
}

static int bus_send_new(BusSend **ret, ConversationFace *f, Conversation *c)
{
        BusSend *s;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->face = f;
        s->conversation = conversation_number(c);
        s->next = f->sends;
        if (s->next)
                s->next->previous = s;
        f->sends = s;
        *ret = s;
        return 0;
}

int conversation_method_send(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(bus_send_freep) BusSend *s = NULL;
        int r;

        r = bus_send_new(&s, manager->conversation_face, c);
        if (r < 0)
                return r;
        r = read_send(m, s, error);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &s->call, error);
        if (r < 0)
                return r;

        if (!s->attachments) {
                r = conversation_send(
                        c, s->text, &s->options, conversation_answer_ids, s->call, &failure);
                return call_handed_over(s->call, r, &failure);
        }
        r = bus_attachments_load(s->attachments, manager->conversation_face, on_loaded, s);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The attachments cannot be read");
                return call_handed_over(s->call, r, &failure);
        }
        TAKE_PTR(s);
        return 1;
}
