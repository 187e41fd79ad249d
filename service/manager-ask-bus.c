/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Manager.Ask: one question, one answer. With the option `follow` the caller follows the
 * conversation, is told at once what it asked (Asked), and gets the text by ReplyDelta. A caller
 * that goes away ends nothing. */

#include "common/log.h"
#include "common/names.h"
#include "service/bus/append.h"
#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/conversation/conversation-face.h"
#include "service/manager-bus.h"

/* The call keeps its message, and with it all strings. */
typedef struct Asking Asking;

struct Asking {
        Manager *manager;
        Asking *next, *previous;
        Call *call;
        const char *question;
        ConversationOptions create;
        SendOptions send;
        BusAttachments *attachments;
        bool follow;

        uint64_t conversation; /* its number: it may be gone when something comes */
        uint64_t reply;
        ReplyWatch *watch;
};

static Asking *asking_free(Asking *a)
{
        if (!a)
                return NULL;
        if (a->previous)
                a->previous->next = a->next;
        else
                a->manager->asks = a->next;
        if (a->next)
                a->next->previous = a->previous;
        reply_watch_free(a->watch);
        bus_attachments_free(a->attachments);
        store_attachments_free(a->send.attachments, a->send.n_attachments);
        free(a);
        return NULL;
}
DEFINE_CLEANUP(Asking *, asking_free)

static int asking_new(Asking **ret, Manager *m)
{
        Asking *a;

        a = calloc(1, sizeof *a);
        if (!a)
                return -ENOMEM;
        a->manager = m;
        a->next = m->asks;
        if (a->next)
                a->next->previous = a;
        m->asks = a;
        *ret = a;
        return 0;
}

void manager_asks_free(Manager *m)
{
        while (m->asks)
                asking_free(m->asks);
}

static void fail(Asking *a, const Failure *failure)
{
        (void) call_fail(a->call, failure);
        asking_free(a);
}

/* ---- the answer ---- */

static int build_answer(Asking *a, Reply *reply, const ReplyInfo *info, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const BusEntry which[] = {
                { "conversation", 's', .s = conversation_path(reply_conversation(reply)) },
                { "reply", 't', .t = reply_id(reply) },
        };
        const char *text;
        size_t size;
        int r;

        r = sd_bus_message_new_method_return(call_message(a->call), &m);
        if (r < 0)
                return r;
        text = reply_text(reply, CHANNEL_CONTENT, &size);
        /* Who follows has the text already. */
        r = bus_append_text(m, text, a->follow ? 0 : size);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = bus_append_entries(m, which, ELEMENTSOF(which));
        if (r < 0)
                return r;
        r = conversation_append_reply_info(m, info);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/* Who asked has the answer. */
static void note_read(Conversation *c)
{
        int r = conversation_mark_read(c);

        if (r < 0)
                log_warning_errno(r, "Cannot mark a conversation as read, ignoring: %m");
}

static void on_answered(Reply *reply, void *userdata)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(asking_freep) Asking *a = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        ReplyInfo info;
        int r;

        if (call_is_awaited(a->call))
                note_read(reply_conversation(reply));
        reply_get_info(reply, &info);
        if (info.reason == REASON_FAILED) {
                (void) call_fail(a->call, info.failure);
                return;
        }
        r = build_answer(a, reply, &info, &m);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The answer cannot be sent");
                (void) call_fail(a->call, &failure);
                return;
        }
        (void) call_reply_message(a->call, m);
}

/* ---- asked ---- */

static int send_asked(const Asking *a, Peer *peer, Conversation *c, uint64_t message)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = peer_new_signal(peer, &m, conversation_path(c), INTERFACE_CONVERSATION, "Asked");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "tt", message, a->reply);
        if (r < 0)
                return r;
        return peer_send(peer, m);
}

/* Only now, so that Asked comes before the text: the caller learns from it which reply is its own.
 */
static int follow(Asking *a, Conversation *c, uint64_t message, Failure *failure)
{
        Peer *peer;
        int r;

        r = doors_get_peer(a->manager->doors, call_message(a->call), &peer);
        if (r < 0)
                return failure_set_errno(failure, r, "The conversation cannot be followed");
        r = send_asked(a, peer, c, message);
        if (r < 0)
                return failure_set_errno(failure, r, "The answer cannot be followed");
        return conversation_face_follow(a->manager->conversation_face, peer, c, failure);
}

static void on_sent(const Failure *failure, uint64_t message, uint64_t reply, void *userdata)
{
        static const ReplyWatchOps ops = { .ended = on_answered };
        _cleanup_failure_ Failure own = FAILURE_NULL;
        Asking *a = ASSERT_PTR(userdata);
        Conversation *c;
        Reply *live;
        int r;

        if (failure) {
                fail(a, failure);
                return;
        }
        c = conversations_find_number(a->manager->conversations, a->conversation);
        live = c ? conversation_find_reply(c, reply) : NULL;
        if (!live) {
                /* The same token again, and its reply has ended long ago. */
                (void) failure_set(&own, FAILURE_BUSY,
                        "This question was asked before; GetReply reads its answer.");
                fail(a, &own);
                return;
        }
        a->reply = reply;
        r = a->follow ? follow(a, c, message, &own) : 0;
        if (r >= 0)
                r = reply_watch(live, &ops, a, &a->watch);
        if (r < 0) {
                (void) failure_set_errno(&own, r, "The answer cannot be waited for");
                fail(a, &own);
        }
}

/* ---- asking ---- */

static void send_question(Asking *a, Conversation *c)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        SendOptions options = a->send;

        a->conversation = conversation_number(c);
        a->send.attachments = NULL;
        a->send.n_attachments = 0;
        if (conversation_send(c, a->question, &options, on_sent, a, &failure) < 0)
                fail(a, &failure);
}

static void on_created(const Failure *failure, Conversation *c, void *userdata)
{
        Asking *a = ASSERT_PTR(userdata);

        if (failure)
                fail(a, failure);
        else
                send_question(a, c);
}

/* For a question that cannot be sent there is none. */
static void create_conversation(Asking *a)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Conversations *cs = a->manager->conversations;
        int r;

        r = conversations_check_send(cs, a->question, &a->send, &failure);
        if (r >= 0)
                r = conversations_create(cs, &a->create, on_created, a, &failure);
        if (r < 0)
                fail(a, &failure);
}

/* The conversation that was named, or a new one. */
static void choose_conversation(Asking *a)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Conversation *c;
        int r;

        r = bus_attachments_take(a->attachments, &a->send.attachments, &a->send.n_attachments);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The question cannot be sent");
                fail(a, &failure);
                return;
        }
        if (a->conversation == 0) {
                create_conversation(a);
                return;
        }
        c = conversations_find_number(a->manager->conversations, a->conversation);
        if (c) {
                send_question(a, c);
                return;
        }
        (void) failure_set(&failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
        fail(a, &failure);
}

static int read_ask(sd_bus_message *m, Asking *a, sd_bus_error *error)
{
        const char *conversation = NULL;
        const BusOption options[] = {
                { "conversation", "s", &conversation },
                { "model", "s", &a->send.model },
                { "title", "s", &a->create.title },
                { "system", "s", &a->create.system },
                { "private", "b", &a->create.private },
                { "token", "s", &a->send.token },
                { "queue", "b", &a->send.queue },
                { "follow", "b", &a->follow },
                { "attachments", "a(sh)", &a->attachments, NULL, bus_attachments_parse },
        };
        Conversation *c;
        int r;

        r = sd_bus_message_read(m, "s", &a->question);
        if (r < 0)
                return r;
        r = bus_read_options(m, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (!conversation)
                return 0;
        if (a->create.title || a->create.system || a->create.private)
                return bus_error_invalid(error,
                        "title, system and private are for a new conversation; leave them out, or "
                        "\"conversation\".");
        r = manager_find_conversation(a->manager, conversation, &c, error);
        if (r < 0)
                return r;
        a->conversation = conversation_number(c);
        return 0;
}

static void on_files_read(const Failure *failure, void *userdata)
{
        Asking *a = ASSERT_PTR(userdata);

        if (failure)
                fail(a, failure);
        else
                choose_conversation(a);
}

int manager_method_ask(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(asking_freep) Asking *a = NULL;
        int r;

        r = asking_new(&a, ASSERT_PTR(userdata));
        if (r < 0)
                return r;
        r = read_ask(m, a, error);
        if (r < 0)
                return r;
        r = call_new(a->manager->doors, m, &a->call, error);
        if (r < 0)
                return r;

        if (!a->attachments) {
                choose_conversation(TAKE_PTR(a));
                return 1;
        }
        r = bus_attachments_load(a->attachments, a->manager->conversation_face, on_files_read, a);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The attachments cannot be read");
                fail(TAKE_PTR(a), &failure);
                return 1;
        }
        TAKE_PTR(a);
        return 1;
}
