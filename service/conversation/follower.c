/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/follower.h"

#include "common/log.h"
#include "common/utf8.h"

/* One reply on its way to one follower. */
typedef struct Stream {
        struct Stream *next;
        Follower *follower;
        Reply *reply; /* held by the watch */
        ReplyWatch *watch;
        uint64_t offsets[_CHANNEL_MAX];  /* sent up to here */
        uint64_t sent, acked;            /* sequences; sent - acked <= FOLLOWER_WINDOW */
        uint32_t sizes[FOLLOWER_WINDOW]; /* of what is not acknowledged, by sequence */
        size_t unacked;                  /* their sum */
        sd_event_source *timer;          /* only when the reply has ended */
        enum {
                STREAM_STALLED = 1 << 0,
                STREAM_ENDED = 1 << 1,
                STREAM_END_SENT = 1 << 2,
        } flags;
} Stream;

struct Follower {
        sd_event *event;
        const FollowerSink *sink;
        void *userdata;
        usec_t patience;
        Stream *streams;
};

static Stream *stream_free(Stream *s)
{
        if (!s)
                return NULL;
        for (Stream **p = &s->follower->streams; *p; p = &(*p)->next)
                if (*p == s) {
                        *p = s->next;
                        break;
                }
        sd_event_source_disable_unref(s->timer);
        reply_watch_free(s->watch);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(Stream *, stream_free)

static Stream *follower_find(const Follower *f, uint64_t reply)
{
        for (Stream *s = f->streams; s; s = s->next)
                if (reply_id(s->reply) == reply)
                        return s;
        return NULL;
}

/* ---- sending ---- */

static bool stream_has_room(const Stream *s)
{
        return s->sent - s->acked < FOLLOWER_WINDOW && s->unacked < FOLLOWER_WINDOW_BYTES;
}

/* How much of the text may go as one delta: 0 when not even one character fits. */
static size_t stream_cut(const Stream *s, const char *text, size_t size)
{
        return utf8_cut(text, size, MIN(FOLLOWER_DELTA_MAX, FOLLOWER_WINDOW_BYTES - s->unacked));
}

static void stream_stalled(Stream *s)
{
        const Follower *f = s->follower;

        if (s->flags & STREAM_STALLED)
                return;
        s->flags |= STREAM_STALLED;
        f->sink->stalled(s->reply, s->sent, f->userdata);
}

static void stream_count(Stream *s, size_t size)
{
        s->sent++;
        s->sizes[s->sent % FOLLOWER_WINDOW] = size;
        s->unacked += size;
}

/* 1 when all of the channel's text is sent, 0 when the window is full. */
static int stream_send_channel(Stream *s, Channel channel)
{
        const Follower *f = s->follower;
        const char *text;
        size_t total;
        int r;

        text = reply_text(s->reply, channel, &total);
        while (s->offsets[channel] < total) {
                FollowerDelta delta = {
                        .reply = reply_id(s->reply),
                        .sequence = s->sent + 1,
                        .channel = channel,
                        .offset = s->offsets[channel],
                        .text = text + s->offsets[channel],
                };

                if (stream_has_room(s))
                        delta.size = stream_cut(s, delta.text, total - s->offsets[channel]);
                if (delta.size == 0) {
                        stream_stalled(s);
                        return 0;
                }
                r = f->sink->delta(&delta, f->userdata);
                if (r < 0)
                        return r;
                s->offsets[channel] += delta.size;
                stream_count(s, delta.size);
        }
        return 1;
}

/* Sends what there is and what the window takes. A failure leaves the rest for the next time, which
 * there is as long as the reply lives. */
static int stream_pump(Stream *s)
{
        static const Channel order[] = { CHANNEL_REASONING, CHANNEL_CONTENT };
        const Follower *f = s->follower;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                r = stream_send_channel(s, order[i]);
                if (r < 0)
                        log_debug_errno(r, "Cannot send a delta to a follower: %m");
                if (r <= 0)
                        return r;
        }

        if (!(s->flags & STREAM_ENDED) || (s->flags & STREAM_END_SENT) || !stream_has_room(s))
                return 0;
        r = f->sink->end(s->reply, s->sent + 1, f->userdata);
        if (r < 0)
                return log_debug_errno(r, "Cannot send a reply's end to a follower: %m");
        stream_count(s, 0);
        s->flags |= STREAM_END_SENT;
        return 0;
}

/* ---- the end ---- */

static void stream_drop(Stream *s)
{
        const Follower *f = s->follower;
        uint64_t reply = reply_id(s->reply);
        int r;

        stream_free(s);
        r = f->sink->dropped(reply, f->userdata);
        if (r < 0)
                log_debug_errno(r, "Cannot tell a follower that it was dropped, ignoring: %m");
}

static int on_patience_ended(sd_event_source *source, uint64_t usec, void *userdata)
{
        stream_drop(ASSERT_PTR(userdata));
        return 0;
}

static int stream_arm(Stream *s)
{
        const Follower *f = s->follower;
        int r;

        if (!s->timer) {
                r = sd_event_add_time_relative(f->event, &s->timer, CLOCK_MONOTONIC, f->patience,
                        f->patience / 64 + 1, on_patience_ended, s);
                if (r < 0)
                        return r;
                (void) sd_event_source_set_description(s->timer, "follower-patience");
                return 0;
        }
        r = sd_event_source_set_time_relative(s->timer, f->patience);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

/* Without its timer a stopped follower would hold the text for ever. */
static void stream_arm_or_drop(Stream *s)
{
        int r;

        r = stream_arm(s);
        if (r < 0) {
                log_warning_errno(r, "Cannot wait for a follower, dropping it: %m");
                stream_drop(s);
        }
}

/* Nothing that is still to come would try again: the follower reads the rest itself. */
static void stream_go_on_or_drop(Stream *s)
{
        if (stream_pump(s) < 0)
                stream_drop(s);
        else
                stream_arm_or_drop(s);
}

static void stream_end(Stream *s)
{
        s->flags |= STREAM_ENDED;
        stream_go_on_or_drop(s);
}

static void on_text(Reply *r, void *userdata)
{
        (void) stream_pump(ASSERT_PTR(userdata));
}

static void on_ended(Reply *r, void *userdata)
{
        stream_end(ASSERT_PTR(userdata));
}

/* ---- the face ---- */

int follower_new(
        Follower **ret, sd_event *event, const FollowerSink *sink, void *userdata, usec_t patience)
{
        Follower *f;

        f = calloc(1, sizeof *f);
        if (!f)
                return -ENOMEM;
        f->event = sd_event_ref(event);
        f->sink = sink;
        f->userdata = userdata;
        f->patience = patience;
        *ret = f;
        return 0;
}

Follower *follower_free(Follower *f)
{
        if (!f)
                return NULL;
        while (f->streams)
                stream_free(f->streams);
        sd_event_unref(f->event);
        free(f);
        return NULL;
}

int follower_add(Follower *f, Reply *r, const uint64_t offsets[static _CHANNEL_MAX])
{
        static const ReplyWatchOps ops = { .text = on_text, .ended = on_ended };
        _cleanup_(stream_freep) Stream *s = NULL;
        Stream *added;
        int error;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->follower = f;
        s->reply = r;
        memcpy(s->offsets, offsets, sizeof s->offsets);
        error = reply_watch(r, &ops, s, &s->watch);
        if (error < 0)
                return error;

        stream_free(follower_find(f, reply_id(r)));
        s->next = f->streams;
        f->streams = added = TAKE_PTR(s);
        if (reply_state(r) == REPLY_ENDED)
                stream_end(added);
        else
                (void) stream_pump(added);
        return 0;
}

void follower_ack(Follower *f, uint64_t reply, uint64_t sequence)
{
        Stream *s = follower_find(f, reply);

        if (!s || sequence <= s->acked || sequence > s->sent)
                return;

        while (s->acked < sequence) {
                s->acked++;
                s->unacked -= s->sizes[s->acked % FOLLOWER_WINDOW];
        }
        if ((s->flags & STREAM_END_SENT) && s->acked == s->sent) {
                stream_free(s);
                return;
        }
        if (s->flags & STREAM_ENDED)
                stream_go_on_or_drop(s);
        else
                (void) stream_pump(s);
}

void follower_end(Follower *f)
{
        while (f->streams) {
                if (f->streams->flags & STREAM_END_SENT)
                        stream_free(f->streams);
                else
                        stream_drop(f->streams);
        }
}

bool follower_get_offsets(const Follower *f, uint64_t reply, uint64_t ret[static _CHANNEL_MAX])
{
        const Stream *s = follower_find(f, reply);

        if (!s)
                return false;
        memcpy(ret, s->offsets, sizeof s->offsets);
        return true;
}
