/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GetReply: a part of a reply's text, out of memory while it lives, else out of the store. */

#include <inttypes.h>

#include "common/utf8.h"
#include "service/bus/append.h"
#include "service/bus/error.h"
#include "service/conversation/conversation-face.h"

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
                return bus_error_invalid(error,
                        "The maximum must be 0 or at least 4 bytes: a character may need so many.");
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
