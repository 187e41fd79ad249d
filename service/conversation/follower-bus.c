/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Follow, Unfollow, Ack, and what a follower is sent: ReplyDelta, ReplyEnd, Dropped. */

#include <inttypes.h>

#include "common/log.h"
#include "common/message-ids.h"
#include "common/names.h"
#include "common/utf8.h"
#include "service/bus/append.h"
#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/conversation/conversation-face.h"
#include "service/conversation/follower.h"

/* One client that follows one conversation. */
struct BusFollower {
        ConversationFace *face;
        BusFollower *next, *previous;
        uint64_t conversation;
        char *path;
        Peer *peer;
        PeerWatch *watch;
        Follower *follower;
        bool passive;
};

static BusFollower *bus_follower_free(BusFollower *b)
{
        if (!b)
                return NULL;
        if (b->previous)
                b->previous->next = b->next;
        else
                b->face->followers = b->next;
        if (b->next)
                b->next->previous = b->previous;
        b->face->n_followers--;
        if (!b->passive)
                b->face->n_active_followers--;
        peer_watch_free(b->watch);
        follower_free(b->follower);
        free(b->path);
        free(b);
        return NULL;
}
DEFINE_CLEANUP(BusFollower *, bus_follower_free)

static BusFollower *followers_find(ConversationFace *f, const Peer *peer, uint64_t conversation)
{
        for (BusFollower *b = f->followers; b; b = b->next)
                if (b->peer == peer && b->conversation == conversation)
                        return b;
        return NULL;
}

void followers_free(ConversationFace *f)
{
        while (f->followers)
                bus_follower_free(f->followers);
}

/* Whoever has not been sent the end yet, for its window is full, must not wait for it. */
void followers_end(ConversationFace *f, uint64_t conversation)
{
        for (BusFollower *b = f->followers, *next; b; b = next) {
                next = b->next;
                if (b->conversation != conversation)
                        continue;
                follower_end(b->follower);
                bus_follower_free(b);
        }
}

/* ---- what is sent ---- */

static int new_signal(const BusFollower *b, const char *member, sd_bus_message **ret)
{
        return peer_new_signal(b->peer, ret, b->path, INTERFACE_CONVERSATION, member);
}

static int send_delta(const FollowerDelta *delta, void *userdata)
{
        const BusFollower *b = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = new_signal(b, "ReplyDelta", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "ttst", delta->reply, delta->sequence,
                channel_to_string(delta->channel), delta->offset);
        if (r < 0)
                return r;
        r = bus_append_text(m, delta->text, delta->size);
        if (r < 0)
                return r;
        return peer_send(b->peer, m);
}

static int send_end(Reply *reply, uint64_t sequence, void *userdata)
{
        const BusFollower *b = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        ReplyInfo info;
        int r;

        reply_get_info(reply, &info);
        r = new_signal(b, "ReplyEnd", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(
                m, "tts", reply_id(reply), sequence, end_reason_to_string(info.reason));
        if (r < 0)
                return r;
        r = metadata_append_reply(m, &info);
        if (r < 0)
                return r;
        return peer_send(b->peer, m);
}

static int send_dropped(const BusFollower *b, uint64_t reply)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = new_signal(b, "Dropped", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "t", reply);
        if (r < 0)
                return r;
        return peer_send(b->peer, m);
}

static int send_phase(const BusFollower *b, uint64_t reply, const ReplyInfo *info)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = new_signal(b, "ReplyPhase", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "tsu", reply, strempty(info->phase), (uint32_t) info->place);
        if (r < 0)
                return r;
        return peer_send(b->peer, m);
}

void followers_reply_phase(ConversationFace *f, Reply *reply)
{
        uint64_t number = conversation_number(reply_conversation(reply));
        ReplyInfo info;
        int r;

        reply_get_info(reply, &info);
        for (const BusFollower *b = f->followers; b; b = b->next) {
                if (b->conversation != number)
                        continue;
                r = send_phase(b, reply_id(reply), &info);
                if (r < 0)
                        log_debug_errno(r, "Cannot tell a follower of a phase, ignoring: %m");
        }
}

/* ---- the journal ---- */

static void log_follower(
        const BusFollower *b, const char *message_id, uint64_t reply, int level, const char *what)
{
        char conversation_field[64], reply_field[64], peer_field[128];
        const char *id = strrchr(b->path, '/') + 1;
        const char *const fields[] = { conversation_field, reply_field, peer_field, NULL };

        /* Of what is private not even the name is written. */
        if (b->conversation & STORE_PRIVATE)
                return;
        (void) snprintf(
                conversation_field, sizeof conversation_field, "CONDUCTOR_CONVERSATION=%s", id);
        (void) snprintf(reply_field, sizeof reply_field, "CONDUCTOR_REPLY=%" PRIu64, reply);
        (void) snprintf(peer_field, sizeof peer_field, "CONDUCTOR_PEER=%s", peer_name(b->peer));
        log_struct(level, message_id, fields,
                "Follower %s of conversation %s, reply %" PRIu64 ": %s", peer_name(b->peer), id,
                reply, what);
}

static int on_dropped(uint64_t reply, void *userdata)
{
        const BusFollower *b = ASSERT_PTR(userdata);
        int r;

        log_follower(b, MESSAGE_FOLLOWER_DROPPED, reply, LOG_NOTICE,
                "dropped, it did not acknowledge all of an ended reply, or could not be sent it.");
        r = send_dropped(b, reply);
        if (r < 0)
                peer_disconnect(b->peer); /* the end of its connection is seen in any case */
        return r;
}

static void on_stalled(Reply *reply, uint64_t sequence, void *userdata)
{
        BusFollower *b = ASSERT_PTR(userdata);

        b->face->stalls++;
        log_follower(b, MESSAGE_FOLLOWER_STALLED, reply_id(reply), LOG_INFO,
                "its window is full, it is sent more when it acknowledges.");
}

/* ---- Follow ---- */

typedef struct FollowOptions {
        uint64_t reply;
        uint64_t offsets[_CHANNEL_MAX];
        bool reply_given, content_given, reasoning_given, passive;
} FollowOptions;

static int read_follow_options(sd_bus_message *m, FollowOptions *o, sd_bus_error *error)
{
        const BusOption options[] = {
                { "reply", "t", &o->reply, &o->reply_given },
                { "content", "t", &o->offsets[CHANNEL_CONTENT], &o->content_given },
                { "reasoning", "t", &o->offsets[CHANNEL_REASONING], &o->reasoning_given },
                { "passive", "b", &o->passive },
        };
        int r;

        r = bus_read_options(m, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (!o->reply_given && (o->content_given || o->reasoning_given))
                return bus_error_invalid(error,
                        "The offsets \"content\" and \"reasoning\" need the option \"reply\".");
        return 0;
}

/* Borders between characters of what is there. */
static int check_offsets(const Reply *reply, const FollowOptions *o, sd_bus_error *error)
{
        for (Channel c = 0; c < _CHANNEL_MAX; c++) {
                size_t total;
                const char *text = reply_text(reply, c, &total);

                if (o->offsets[c] > total || utf8_cut(text, total, o->offsets[c]) != o->offsets[c])
                        return bus_error_invalid(error,
                                "Offset %" PRIu64 " of channel \"%s\" is no place in the reply's "
                                "text, which has %zu bytes.",
                                o->offsets[c], channel_to_string(c), total);
        }
        return 0;
}

static int check_limits(const ConversationFace *f, uint64_t conversation, Failure *failure)
{
        unsigned n = 0;

        for (const BusFollower *b = f->followers; b; b = b->next)
                n += b->conversation == conversation;
        if (n >= CONVERSATION_FOLLOWERS_MAX)
                return failure_set(failure, FAILURE_BUSY,
                        "A conversation has at most %u followers.", CONVERSATION_FOLLOWERS_MAX);
        if (f->n_followers >= FOLLOWERS_MAX)
                return failure_set(
                        failure, FAILURE_BUSY, "There are at most %u followers.", FOLLOWERS_MAX);
        return 0;
}

static void on_peer_gone(Peer *peer, void *userdata)
{
        bus_follower_free(ASSERT_PTR(userdata));
}

static int bus_follower_new(
        ConversationFace *f, Conversation *c, Peer *peer, bool passive, BusFollower **ret)
{
        static const FollowerSink sink = {
                .delta = send_delta,
                .end = send_end,
                .dropped = on_dropped,
                .stalled = on_stalled,
        };
        _cleanup_(bus_follower_freep) BusFollower *b = NULL;
        int r;

        b = calloc(1, sizeof *b);
        if (!b)
                return -ENOMEM;
        b->face = f;
        b->next = f->followers;
        if (b->next)
                b->next->previous = b;
        f->followers = b;
        b->passive = passive;
        f->n_followers++;
        if (!passive)
                f->n_active_followers++;

        b->conversation = conversation_number(c);
        b->peer = peer;
        b->path = strdup(conversation_path(c));
        if (!b->path)
                return -ENOMEM;
        r = follower_new(&b->follower, f->manager->event, &sink, b, FOLLOWER_PATIENCE);
        if (r < 0)
                return r;
        r = peer_watch(peer, on_peer_gone, b, &b->watch);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

static void bus_follower_add(BusFollower *b, Reply *reply, const uint64_t *offsets)
{
        int r;

        r = follower_add(b->follower, reply, offsets);
        if (r >= 0)
                return;
        log_warning_errno(r, "Cannot send a reply to a follower, dropping it: %m");
        if (send_dropped(b, reply_id(reply)) < 0)
                peer_disconnect(b->peer);
}

/* What is live, and the reply that was asked for, if its text is still in memory; else the client
 * is told to read it with GetReply. */
static void bus_follower_start(BusFollower *b, Conversation *c, const FollowOptions *o)
{
        static const uint64_t beginning[_CHANNEL_MAX] = { 0 };
        Conversations *all = b->face->manager->conversations;
        bool found = false;
        Reply *reply;
        int r;

        for (reply = conversations_next_reply(all, NULL); reply;
                reply = conversations_next_reply(all, reply)) {
                bool asked = o->reply_given && reply_id(reply) == o->reply;

                if (reply_conversation(reply) != c)
                        continue;
                found = found || asked;
                bus_follower_add(b, reply, asked ? o->offsets : beginning);
        }
        if (!o->reply_given || found)
                return;
        reply = conversation_find_reply(c, o->reply);
        if (reply) {
                bus_follower_add(b, reply, o->offsets);
                return;
        }
        r = send_dropped(b, o->reply);
        if (r < 0)
                log_debug_errno(r, "Cannot tell a follower that a reply has ended, ignoring: %m");
}

int conversation_method_follow(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        ConversationFace *f = manager->conversation_face;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        FollowOptions o = { 0 };
        BusFollower *b, *before;
        const Reply *reply;
        Peer *peer;
        int r;

        r = read_follow_options(m, &o, error);
        if (r < 0)
                return r;
        reply = o.reply_given ? conversation_find_reply(c, o.reply) : NULL;
        if (reply) {
                r = check_offsets(reply, &o, error);
                if (r < 0)
                        return r;
        }
        r = doors_get_peer(manager->doors, m, &peer);
        if (r < 0)
                return r;
        before = followers_find(f, peer, conversation_number(c));
        if (!before) {
                r = check_limits(f, conversation_number(c), &failure);
                if (r < 0)
                        return bus_error_from_failure(error, &failure);
        }
        r = bus_follower_new(f, c, peer, o.passive, &b);
        if (r < 0)
                return r;
        bus_follower_free(before);
        if (o.passive)
                peer_set_passive(peer, true);

        /* The answer goes first, the deltas after it. */
        r = sd_bus_reply_method_return(m, "tu", f->epoch, FOLLOWER_WINDOW);
        if (r < 0) {
                bus_follower_free(b);
                return r;
        }
        bus_follower_start(b, c, &o);
        return 1;
}

int conversation_face_follow(ConversationFace *f, Peer *p, Conversation *c, Failure *failure)
{
        static const FollowOptions beginning = { 0 };
        uint64_t number = conversation_number(c);
        BusFollower *b;
        int r;

        if (followers_find(f, p, number))
                return 0;
        r = check_limits(f, number, failure);
        if (r < 0)
                return r;
        r = bus_follower_new(f, c, p, /* passive= */ false, &b);
        if (r < 0)
                return failure_set_errno(failure, r, "The conversation cannot be followed");
        bus_follower_start(b, c, &beginning);
        return 0;
}

int conversation_method_unfollow(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        Peer *peer;
        int r;

        r = doors_get_peer(manager->doors, m, &peer);
        if (r < 0)
                return r;
        bus_follower_free(followers_find(manager->conversation_face, peer, conversation_number(c)));
        return sd_bus_reply_method_return(m, NULL);
}

int conversation_method_ack(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        uint64_t reply, sequence;
        BusFollower *b;
        Peer *peer;
        int r;

        r = sd_bus_message_read(m, "tt", &reply, &sequence);
        if (r < 0)
                return r;
        r = doors_get_peer(manager->doors, m, &peer);
        if (r < 0)
                return r;
        b = followers_find(manager->conversation_face, peer, conversation_number(c));
        if (b)
                follower_ack(b->follower, reply, sequence);
        r = sd_bus_reply_method_return(m, NULL); /* nothing is sent when none is expected */
        return r < 0 ? r : 1;
}

/* A continued reply has its text already: who followed it goes on from there, and who did not sees
 * by the offset that there is something before. */
void followers_reply_started(ConversationFace *f, Reply *r)
{
        uint64_t number = conversation_number(reply_conversation(r));

        for (BusFollower *b = f->followers; b; b = b->next) {
                uint64_t offsets[_CHANNEL_MAX];

                if (b->conversation != number)
                        continue;
                if (!follower_get_offsets(b->follower, reply_id(r), offsets))
                        for (Channel c = 0; c < _CHANNEL_MAX; c++) {
                                size_t size;

                                (void) reply_text(r, c, &size);
                                offsets[c] = size;
                        }
                bus_follower_add(b, r, offsets);
        }
}

unsigned conversation_face_followers(const ConversationFace *f)
{
        return f->n_followers;
}

uint64_t conversation_face_stalls(const ConversationFace *f)
{
        return f->stalls;
}
