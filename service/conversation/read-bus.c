/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Methods that read: messages, replies, branches, the system prompt. What is only on disk is
 * answered when the store's thread has read it. */

#include <inttypes.h>

#include "common/utf8.h"
#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/conversation/conversation-face.h"

/* ---- a read for a call ---- */

int bus_read_new(
        BusRead **ret, Manager *m, sd_bus_message *message, Conversation *c, sd_bus_error *error)
{
        ConversationFace *f = m->conversation_face;
        BusRead *read;
        Call *call;
        int r;

        r = call_new(m->doors, message, &call, error);
        if (r < 0)
                return r;
        read = calloc(1, sizeof *read);
        if (!read) {
                const Failure failure = { .code = FAILURE_NO_MEMORY };

                return conversation_handed_over(-ENOMEM, call, &failure);
        }
        read->face = f;
        read->call = call;
        read->conversation = conversation_number(c);
        read->next = f->reads;
        if (f->reads)
                f->reads->previous = read;
        f->reads = read;
        *ret = read;
        return 0;
}

BusRead *bus_read_free(BusRead *r)
{
        if (!r)
                return NULL;
        if (r->previous)
                r->previous->next = r->next;
        else
                r->face->reads = r->next;
        if (r->next)
                r->next->previous = r->previous;
        store_slot_free(r->slot);
        free(r);
        return NULL;
}

int bus_read_begun(BusRead *read, int r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (r >= 0)
                return 1;
        (void) failure_set_errno(&failure, r, "The store cannot be asked");
        (void) bus_read_failed(read, &failure);
        return 1;
}

bool bus_read_failed(BusRead *read, const Failure *failure)
{
        if (!failure)
                return false;
        (void) call_fail(read->call, failure);
        bus_read_free(read);
        return true;
}

/* Sends the answer, or an error when it could not be built. Frees the read. */
static void bus_read_answer(BusRead *read, sd_bus_message *answer, int r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (r >= 0)
                (void) call_reply_message(read->call, answer);
        else {
                (void) failure_set_errno(&failure, r, "The answer cannot be built");
                (void) call_fail(read->call, &failure);
        }
        bus_read_free(read);
}

/* ---- GetMessages ---- */

static int append_attachments(sd_bus_message *m, const StoreMessage *message)
{
        int r;

        if (message->n_attachments == 0)
                return 0;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", "attachments");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'v', "a(sst)");
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
        for (unsigned containers = 0; containers < 3; containers++) {
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A live reply's text is in memory; what is stored of it is up to a second old. A text that is too
 * large for one answer is cut and says so: GetReply reads it in pieces. */
typedef struct MessageText {
        const char *content;
        size_t content_size, reasoning_size, sent;
        const Reply *live;
} MessageText;

static MessageText message_text(Conversation *c, const StoreMessage *message)
{
        MessageText t = {
                .content = message->content,
                .content_size = message->content_size,
                .reasoning_size = message->reasoning_size,
        };

        t.live = c && message->live ? conversation_find_reply(c, message->id) : NULL;
        if (t.live) {
                t.content = reply_text(t.live, CHANNEL_CONTENT, &t.content_size);
                (void) reply_text(t.live, CHANNEL_REASONING, &t.reasoning_size);
        }
        t.sent = utf8_cut(t.content, t.content_size, CONVERSATION_MESSAGE_MAX);
        return t;
}

static int append_message_metadata(
        sd_bus_message *m, const StoreMessage *message, const MessageText *t)
{
        ReplyInfo info;
        int r;

        r = bus_append_u64(m, "created", message->created);
        if (r < 0)
                return r;
        if (t->live) {
                reply_get_info(t->live, &info);
                r = conversation_append_reply_info(m, &info);
        } else
                r = metadata_append_json(m, message->metadata, message->reason);
        if (r < 0)
                return r;
        if (message->live) {
                r = bus_append_bool(m, "live", true);
                if (r < 0)
                        return r;
        }
        if (t->reasoning_size > 0) {
                r = bus_append_u64(m, "reasoning_size", t->reasoning_size);
                if (r < 0)
                        return r;
        }
        if (t->sent < t->content_size) {
                r = bus_append_u64(m, "content_size", t->content_size);
                if (r < 0)
                        return r;
        }
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
        r = bus_append_text(m, t.content, t.sent);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = append_message_metadata(m, message, &t);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int append_messages(
        sd_bus_message *call, Conversation *c, const StoreMessages *messages, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "(ttssa{sv})");
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
        store_messages_free(messages);
        bus_read_answer(read, answer, r);
}

int conversation_method_get_messages(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        uint32_t count;
        uint64_t id;
        BusRead *read;
        int r;

        r = sd_bus_message_read(m, "tu", &id, &count);
        if (r < 0)
                return r;
        if (count > CONVERSATION_PAGE_MAX) {
                (void) failure_set(&failure, FAILURE_TOO_LARGE,
                        "A page has at most %u messages; ask for the next one by the first id.",
                        CONVERSATION_PAGE_MAX);
                return bus_error_from_failure(error, &failure);
        }
        if (count == 0)
                count = CONVERSATION_PAGE_MAX;
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

/* ---- GetReply ---- */

typedef struct ReplyPart {
        const char *state, *text;
        size_t size;
        uint64_t end, total;
} ReplyPart;

static int reply_part_begin(sd_bus_message *call, const ReplyPart *part, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", part->state);
        if (r < 0)
                return r;
        r = bus_append_text(m, part->text, part->size);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "tb", part->end, part->end < part->total);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static int offset_beyond(Failure *failure, uint64_t offset, uint64_t total)
{
        return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                "The offset %" PRIu64 " is beyond the text, which has %" PRIu64 " bytes.", offset,
                total);
}

static const char *reply_state_to_string(ReplyState s)
{
        switch (s) {
        case REPLY_WAITING:
                return "waiting";
        case REPLY_STREAMING:
                return "streaming";
        case REPLY_ENDED:
                return "ended";
        }
        return "ended";
}

static int answer_live(sd_bus_message *m, const Reply *reply, Channel channel, uint64_t offset,
        uint32_t maximum, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        ReplyInfo info;
        size_t total, begin, end;
        const char *text;
        int r;

        text = reply_text(reply, channel, &total);
        if (offset > total) {
                (void) offset_beyond(&failure, offset, total);
                return bus_error_from_failure(error, &failure);
        }
        begin = utf8_cut(text, total, offset);
        end = utf8_cut(text, total, begin + MIN((size_t) maximum, total - begin));
        const ReplyPart part = {
                .state = reply_state_to_string(reply_state(reply)),
                .text = text + begin,
                .size = end - begin,
                .end = end,
                .total = total,
        };

        r = reply_part_begin(m, &part, &answer);
        if (r < 0)
                return r;
        reply_get_info(reply, &info);
        r = conversation_append_reply_info(answer, &info);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(answer);
        if (r < 0)
                return r;
        r = sd_bus_send(NULL, answer, NULL);
        return r < 0 ? r : 1;
}

static int answer_stored(sd_bus_message *call, const StoreText *text, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const ReplyPart part = {
                .state = text->live ? "streaming" : "ended",
                .text = text->text,
                .size = text->size,
                .end = text->offset + text->size,
                .total = text->total,
        };
        int r;

        r = reply_part_begin(call, &part, &m);
        if (r < 0)
                return r;
        r = metadata_append_json(m, text->metadata, text->reason);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static void on_text(const Failure *failure, const StoreText *text, void *userdata)
{
        BusRead *read = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_failure_ Failure beyond = FAILURE_NULL;
        int r;

        if (bus_read_failed(read, failure))
                return;
        if (read->id > text->total) {
                (void) offset_beyond(&beyond, read->id, text->total);
                (void) bus_read_failed(read, &beyond);
                return;
        }
        r = answer_stored(call_message(read->call), text, &answer);
        bus_read_answer(read, answer, r);
}

int conversation_method_get_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        uint64_t id, offset, maximum;
        const char *name;
        const Reply *reply;
        Channel channel;
        BusRead *read;
        int r;

        r = sd_bus_message_read(m, "tstt", &id, &name, &offset, &maximum);
        if (r < 0)
                return r;
        channel = channel_from_string(name);
        if (channel < 0)
                return bus_error_invalid(
                        error, "The channel must be \"content\" or \"reasoning\".");
        if (maximum > 0 && maximum < 4)
                return bus_error_invalid(
                        error, "At most so many bytes: 0, or 4 and more, as a character has.");
        if (maximum > GET_REPLY_MAX) {
                (void) failure_set(&failure, FAILURE_TOO_LARGE,
                        "At most %zu bytes are answered at once; ask again from the end offset.",
                        GET_REPLY_MAX);
                return bus_error_from_failure(error, &failure);
        }

        reply = conversation_find_reply(c, id);
        if (reply)
                return answer_live(m, reply, channel, offset, maximum, error);

        r = bus_read_new(&read, manager, m, c, error);
        if (r != 0)
                return r;
        read->id = offset;
        r = store_get_text(manager->store, read->conversation, id, channel, offset, maximum,
                on_text, read, &read->slot);
        return bus_read_begun(read, r);
}

/* ---- ListBranches, GetSystem ---- */

static int append_ids(sd_bus_message *call, const uint64_t *ids, size_t n, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append_array(m, 't', ids, n * sizeof *ids);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static void on_branches(const Failure *failure, const uint64_t *ids, size_t n, void *userdata)
{
        BusRead *read = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        int r;

        if (bus_read_failed(read, failure))
                return;
        r = append_ids(call_message(read->call), ids, n, &answer);
        bus_read_answer(read, answer, r);
}

int conversation_method_list_branches(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        BusRead *read;
        uint64_t id;
        int r;

        r = sd_bus_message_read(m, "t", &id);
        if (r < 0)
                return r;
        r = bus_read_new(&read, manager, m, c, error);
        if (r != 0)
                return r;
        r = store_list_siblings(
                manager->store, read->conversation, id, on_branches, read, &read->slot);
        return bus_read_begun(read, r);
}

static void on_system(const Failure *failure, const char *system, void *userdata)
{
        BusRead *read = ASSERT_PTR(userdata);

        if (bus_read_failed(read, failure))
                return;
        (void) call_reply(read->call, "s", strempty(system));
        bus_read_free(read);
}

int conversation_method_get_system(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        BusRead *read;
        int r;

        r = bus_read_new(&read, manager, m, c, error);
        if (r != 0)
                return r;
        r = store_get_system(manager->store, read->conversation, on_system, read, &read->slot);
        return bus_read_begun(read, r);
}
