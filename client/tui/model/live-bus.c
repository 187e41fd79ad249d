/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What happens in the open conversation while it happens: following it, deltas, acknowledging. */

#include "client/tui/model/mirror-internal.h"
#include "common/log.h"

/* ---- reading again ---- */

static int fetch(Mirror *m, Message *msg);

static int fetched_all(Mirror *m, Message *msg, const char *state, Meta *meta, unsigned ends)
{
        msg->flags &= ~(unsigned) MESSAGE_FETCHING;
        if (msg->flags & MESSAGE_GAP)
                return live_catch_up(m, msg);
        if (streq(state, "ended"))
                return message_end(msg, end_reason_from_string(strempty(meta->reason)), meta);
        if (!msg->item.live && ends == m->open.ends)
                message_begin(msg, mirror_now(m));
        return 0;
}

static int on_fetched(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        Message *msg = window_find(m, call->id);
        _cleanup_(meta_done) Meta meta = { 0 };
        const char *state, *text;
        uint64_t end;
        int more, r;

        if (!msg)
                return 0;
        if (failure) {
                msg->flags = 0;
                return 0;
        }
        r = sd_bus_message_read(answer, "sstb", &state, &text, &end, &more);
        if (r < 0)
                return r;
        r = read_meta(answer, &meta);
        if (r < 0)
                return r;
        if (end < strlen(text))
                return -EBADMSG;
        r = message_add_text(msg, msg->channel, end - strlen(text), text);
        if (r < 0)
                return r;
        if (!more || !*text)
                msg->channel++;
        if (msg->channel < _CHANNEL_MAX)
                r = fetch(m, msg);
        else
                r = fetched_all(m, msg, state, &meta, call->ends);
        mirror_tell(m, MIRROR_TEXT | MIRROR_MESSAGES);
        return r;
}

static int fetch(Mirror *m, Message *msg)
{
        return mirror_call_with(m, m->open.path, INTERFACE_CONVERSATION, "GetReply",
                &(MirrorCall){
                        .flags = CALL_OF_OPEN,
                        .answer = on_fetched,
                        .id = msg->item.id,
                        .ends = m->open.ends,
                },
                "tstt", msg->item.id, channel_to_string(msg->channel),
                message_size(msg, msg->channel), (uint64_t) REPLY_PART_MAX);
}

/* From where it is to its end, or to where its deltas go on. */
int live_catch_up(Mirror *m, Message *msg)
{
        if (msg->flags & MESSAGE_FETCHING) {
                msg->flags |= MESSAGE_GAP;
                return 0;
        }
        msg->flags = MESSAGE_FETCHING;
        msg->channel = 0;
        return fetch(m, msg);
}

/* ---- following ---- */

static int on_followed(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        int r = 0;

        if (failure) {
                m->open.following = false;
                if (!m->bus)
                        return 0;
                m->ops->notice("warning", "Replies cannot be followed here",
                        failure_message(failure), m->userdata);
                return 0;
        }
        if (call->ends == m->open.ends)
                return 0;
        /* A reply that ended before this is not sent. */
        for (size_t i = 0; i < m->open.n && r >= 0; i++)
                if (m->open.messages[i]->live && m->open.messages[i]->id != call->id)
                        r = live_catch_up(m, message_of(m->open.messages[i]));
        return r;
}

int live_follow(Mirror *m)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        MessageItem *live = mirror_live(m);
        int r;

        r = mirror_new_call(m, m->open.path, INTERFACE_CONVERSATION, "Follow", &call);
        if (r < 0)
                return r;
        if (live)
                r = sd_bus_message_append(call, "a{sv}", 3, "reply", "t", live->id, "content", "t",
                        message_size(message_of(live), CHANNEL_CONTENT), "reasoning", "t",
                        message_size(message_of(live), CHANNEL_REASONING));
        else
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = mirror_call(m, call,
                        &(MirrorCall){
                                .flags = CALL_OF_OPEN,
                                .answer = on_followed,
                                .id = live ? live->id : 0,
                                .ends = m->open.ends,
                        });
        m->open.following = r >= 0;
        return r;
}

static int acknowledge(Mirror *m)
{
        OpenConversation *o = &m->open;

        o->unacknowledged = 0;
        o->unacknowledged_bytes = 0;
        return mirror_call_quietly(m, o->path, "Ack", "tt", o->reply, o->sequence);
}

/* ---- signals to followers ---- */

static int on_delta(Mirror *m, sd_bus_message *signal)
{
        OpenConversation *o = &m->open;
        uint64_t reply, sequence, offset;
        const char *channel, *text;
        unsigned change = MIRROR_TEXT;
        Message *msg;
        Channel c;
        int r;

        r = sd_bus_message_read(signal, "ttsts", &reply, &sequence, &channel, &offset, &text);
        if (r < 0)
                return r;
        c = channel_from_string(channel);
        o->reply = reply;
        o->sequence = sequence;
        o->unacknowledged++;
        o->unacknowledged_bytes += strlen(text);
        msg = window_find(m, reply);
        if (msg && c >= 0) {
                if (message_size(msg, CHANNEL_CONTENT) + message_size(msg, CHANNEL_REASONING) == 0)
                        change |= MIRROR_FIRST_TEXT;
                if (msg->item.first_text == 0)
                        msg->item.first_text = mirror_now(m);
                r = message_add_text(msg, c, offset, text);
                if (r == -ESPIPE)
                        r = live_catch_up(m, msg);
                message_measure(msg, mirror_now(m));
        }
        if (r >= 0 && (o->unacknowledged >= ACK_DELTAS || o->unacknowledged_bytes >= ACK_BYTES))
                r = acknowledge(m);
        if (msg)
                mirror_tell(m, change);
        return r;
}

static int on_end(Mirror *m, sd_bus_message *signal)
{
        _cleanup_(meta_done) Meta meta = { 0 };
        uint64_t reply, sequence;
        const char *reason;
        Message *msg;
        int r;

        r = sd_bus_message_read(signal, "tts", &reply, &sequence, &reason);
        if (r < 0)
                return r;
        r = read_meta(signal, &meta);
        if (r < 0)
                return r;
        m->open.reply = reply;
        m->open.sequence = sequence;
        m->open.ends++;
        reply_came(m, reply);
        r = acknowledge(m);
        msg = window_find(m, reply);
        if (!msg)
                return r;
        /* What is being read again ends when all of it is there. */
        if (msg->flags & MESSAGE_FETCHING)
                msg->flags |= MESSAGE_GAP;
        else if (r >= 0)
                r = message_end(msg, end_reason_from_string(reason), &meta);
        mirror_tell(m, MIRROR_MESSAGES | MIRROR_TEXT);
        return r;
}

/* A reply ended, and its last text does not come by itself. */
static int on_ended_unseen(Mirror *m, sd_bus_message *signal, bool (*wanted)(Mirror *, Message *))
{
        uint64_t reply;
        Message *msg;
        int r;

        r = sd_bus_message_read(signal, "t", &reply);
        if (r < 0)
                return r;
        m->open.ends++;
        reply_came(m, reply);
        msg = window_find(m, reply);
        return msg && (!wanted || wanted(m, msg)) ? live_catch_up(m, msg) : 0;
}

static int on_dropped(Mirror *m, sd_bus_message *signal)
{
        return on_ended_unseen(m, signal, NULL);
}

static int on_phase(Mirror *m, sd_bus_message *signal)
{
        const char *phase;
        uint64_t reply;
        uint32_t place;
        Message *msg;
        int r;

        r = sd_bus_message_read(signal, "tsu", &reply, &phase, &place);
        if (r < 0)
                return r;
        msg = window_find(m, reply);
        if (!msg)
                return 0;
        r = free_and_strdup(&msg->item.phase, phase);
        msg->item.place = place;
        mirror_tell(m, MIRROR_MESSAGES);
        return r;
}

/* ---- signals to all ---- */

static void note_newest(Mirror *m, uint64_t id)
{
        m->open.newest = MAX(m->open.newest, id);
}

/* Puts it where it belongs, or asks for the page in which it is. *ret is NULL then. */
static int add_message(Mirror *m, uint64_t id, uint64_t parent, Role role, Message **ret)
{
        _cleanup_(message_freep) Message *msg = NULL;
        bool sibling = false;
        int r;

        *ret = NULL;
        note_newest(m, id);
        if (mirror_has_call(m, CALL_WHOLE)) /* it is in it, or asked for after it */
                return 0;
        r = message_new(m, id, parent, role, &msg);
        if (r < 0)
                return r;
        r = window_attach(m, msg, &sibling);
        if (r == -ENOENT)
                return m->open.newer ? 0 : open_load_newest(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(msg);
        return sibling ? open_fetch_siblings(m, id) : 0;
}

static int on_message_added(Mirror *m, sd_bus_message *signal)
{
        const char *role, *text;
        uint64_t id, parent;
        Message *msg;
        int r;

        r = sd_bus_message_read(signal, "ttss", &id, &parent, &role, &text);
        if (r < 0)
                return r;
        if (window_find(m, id) || role_from_string(role) < 0)
                return 0;
        if (role_from_string(role) == ROLE_USER)
                sends_arrived(m, text);
        r = add_message(m, id, parent, role_from_string(role), &msg);
        if (r < 0 || !msg)
                return r;
        /* The signal has its beginning only, and not its attachments. */
        r = document_append(msg->item.channels[CHANNEL_CONTENT], text, strlen(text));
        if (r >= 0)
                r = open_fetch_one(m, id);
        mirror_tell(m, MIRROR_MESSAGES);
        return r;
}

static int on_reply_started(Mirror *m, sd_bus_message *signal)
{
        _cleanup_(meta_done) Meta meta = { 0 };
        uint64_t reply, parent;
        Message *msg;
        int r;

        r = sd_bus_message_read(signal, "tt", &reply, &parent);
        if (r < 0)
                return r;
        r = read_meta(signal, &meta);
        if (r < 0)
                return r;
        reply_came(m, reply);
        msg = window_find(m, reply);
        if (!msg) {
                r = add_message(m, reply, parent, ROLE_ASSISTANT, &msg);
                if (r < 0)
                        return r;
        }
        if (msg) {
                message_begin(msg, mirror_now(m));
                r = message_set_meta(msg, &meta);
        }
        mirror_tell(m, MIRROR_MESSAGES);
        return r;
}

static bool is_live_unfollowed(Mirror *m, Message *msg)
{
        return msg->item.live && !m->open.following;
}

static int on_reply_finished(Mirror *m, sd_bus_message *signal)
{
        return on_ended_unseen(m, signal, is_live_unfollowed);
}

static int on_reply_failed(Mirror *m, sd_bus_message *signal)
{
        const char *error, *text;
        uint64_t reply;
        Message *msg;
        int r;

        r = sd_bus_message_read(signal, "tss", &reply, &error, &text);
        if (r < 0)
                return r;
        msg = window_find(m, reply);
        if (!msg)
                return 0;
        r = free_and_strdup(&msg->item.error, text);
        mirror_tell(m, MIRROR_MESSAGES);
        return r;
}

int live_signal(Mirror *m, sd_bus_message *signal)
{
        static const SignalHandler handlers[] = {
                { "ReplyDelta", on_delta },
                { "ReplyEnd", on_end },
                { "Dropped", on_dropped },
                { "ReplyPhase", on_phase },
                { "MessageAdded", on_message_added },
                { "ReplyStarted", on_reply_started },
                { "ReplyFinished", on_reply_finished },
                { "ReplyFailed", on_reply_failed },
        };

        return mirror_handle_signal(m, signal, handlers, ELEMENTSOF(handlers));
}
