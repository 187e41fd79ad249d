/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GetMessages, GetMessagesAfter: a page of the current branch. */

#include "common/utf8.h"
#include "service/bus/append.h"
#include "service/bus/error.h"
#include "service/conversation/conversation-face.h"

static int append_attachments(sd_bus_message *m, const StoreMessage *message)
{
        int r;

        if (message->n_attachments == 0)
                return 0;
        r = bus_open_entry(m, "attachments", "a(sst)");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "(sst)");
        if (r < 0)
                return r;
        for (size_t i = 0; i < message->n_attachments; i++) {
                const StoreAttachment *a = &message->attachments[i];

                r = sd_bus_message_append(m, "(sst)", a->name, a->type, (uint64_t) a->size);
                if (r < 0)
                        return r;
        }
        return bus_close_containers(m, 3);
}

/* A live reply's text is in memory; what is stored of it is up to a second old. A text that is too
 * large for one answer is cut and says so: GetReply reads it in pieces. */
typedef struct MessageText {
        const Reply *live;
        const char *text[_CHANNEL_MAX];
        size_t size[_CHANNEL_MAX], sent[_CHANNEL_MAX];
} MessageText;

static MessageText message_text(Conversation *c, const StoreMessage *message)
{
        MessageText t = {
                .text = { [CHANNEL_CONTENT] = strempty(message->content),
                        [CHANNEL_REASONING] = strempty(message->reasoning) },
                .size = { [CHANNEL_CONTENT] = message->content_size,
                        [CHANNEL_REASONING] = message->reasoning_size },
        };

        t.live = c && message->live ? conversation_find_reply(c, message->id) : NULL;
        for (Channel i = 0; i < _CHANNEL_MAX; i++) {
                if (t.live)
                        t.text[i] = reply_text(t.live, i, &t.size[i]);
                t.sent[i] = utf8_cut(t.text[i], t.size[i], CONVERSATION_MESSAGE_MAX);
        }
        return t;
}

static int append_reasoning(sd_bus_message *m, const MessageText *t)
{
        int r;

        if (t->size[CHANNEL_REASONING] == 0)
                return 0;
        r = bus_open_entry(m, "reasoning", "s");
        if (r < 0)
                return r;
        r = bus_append_text(m, t->text[CHANNEL_REASONING], t->sent[CHANNEL_REASONING]);
        if (r < 0)
                return r;
        return bus_close_containers(m, 2);
}

/* How much there is of a channel that was cut; 0 when it is all there. */
static uint64_t cut_size(const MessageText *t, Channel c)
{
        return t->sent[c] == t->size[c] ? 0 : t->size[c];
}

static int append_metadata(sd_bus_message *m, const StoreMessage *message, const MessageText *t)
{
        const BusEntry more[] = {
                { "live", 'b', .optional = true, .b = message->live },
                { "branches", 't', .optional = true,
                        .t = message->branches > 1 ? message->branches : 0 },
                { "content_size", 't', .optional = true, .t = cut_size(t, CHANNEL_CONTENT) },
                { "reasoning_size", 't', .optional = true, .t = cut_size(t, CHANNEL_REASONING) },
        };
        ReplyInfo info;
        int r;

        r = sd_bus_message_append(m, "{sv}", "created", "t", message->created);
        if (r < 0)
                return r;
        if (t->live) {
                reply_get_info(t->live, &info);
                r = conversation_append_reply_info(m, &info);
        } else
                r = metadata_append_json(m, message->metadata, message->reason);
        if (r < 0)
                return r;
        r = bus_append_entries(m, more, ELEMENTSOF(more));
        if (r < 0)
                return r;
        r = append_reasoning(m, t);
        if (r < 0)
                return r;
        return append_attachments(m, message);
}

static int append_message(sd_bus_message *m, Conversation *c, const StoreMessage *message)
{
        MessageText t = message_text(c, message);
        int r;

        r = sd_bus_message_open_container(m, 'r', "ttssa{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(
                m, "tts", message->id, message->parent, role_to_string(message->role));
        if (r < 0)
                return r;
        r = bus_append_text(m, t.text[CHANNEL_CONTENT], t.sent[CHANNEL_CONTENT]);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = append_metadata(m, message, &t);
        if (r < 0)
                return r;
        return bus_close_containers(m, 2);
}

static int append_messages(
        sd_bus_message *call, Conversation *c, const StoreMessages *messages, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = bus_open_answer(call, "(ttssa{sv})", &m);
        if (r < 0)
                return r;
        for (size_t i = 0; i < messages->n_messages; i++) {
                r = append_message(m, c, &messages->messages[i]);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static void on_messages(const Failure *failure, StoreMessages *messages, void *userdata)
{
        BusRead *read = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        Conversation *c;
        int r;

        if (bus_read_failed(read, failure))
                return;
        c = conversations_find_number(read->face->manager->conversations, read->conversation);
        r = append_messages(call_message(read->call), c, messages, &answer);
        store_messages_dispose(read->face->manager->store, messages);
        bus_read_answer(read, answer, r);
}

static int check_count(uint32_t count, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (count == 0)
                return bus_error_invalid(error, "A page has at least one message.");
        if (count <= CONVERSATION_PAGE_MAX)
                return 0;
        (void) failure_set(&failure, FAILURE_TOO_LARGE,
                "A page has at most %u messages; ask for the next one by the first id.",
                CONVERSATION_PAGE_MAX);
        return bus_error_from_failure(error, &failure);
}

int conversation_method_get_messages(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        uint32_t count;
        uint64_t id;
        BusRead *read;
        int r;

        r = sd_bus_message_read(m, "tu", &id, &count);
        if (r < 0)
                return r;
        r = check_count(count, error);
        if (r < 0)
                return r;
        if (id == 0)
                id = conversation_head(c);
        if (id == 0)
                return sd_bus_reply_method_return(m, "a(ttssa{sv})", 0);

        r = bus_read_new(&read, manager, m, c, error);
        if (r != 0)
                return r;
        r = store_get_page(manager->store, read->conversation, id, count, CONVERSATION_PAGE_BYTES,
                on_messages, read, &read->slot);
        return bus_read_begun(read, r);
}

int conversation_method_get_messages_after(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        uint32_t count;
        uint64_t after;
        BusRead *read;
        int r;

        r = sd_bus_message_read(m, "tu", &after, &count);
        if (r < 0)
                return r;
        r = check_count(count, error);
        if (r < 0)
                return r;
        r = bus_read_new(&read, manager, m, c, error);
        if (r != 0)
                return r;
        r = store_get_after(manager->store, read->conversation, after, conversation_head(c), count,
                CONVERSATION_PAGE_BYTES, on_messages, read, &read->slot);
        return bus_read_begun(read, r);
}
