/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ReplyProgress: what a script sees of a reply without following it. Few and small, because a bus
 * keeps a copy for each reader that does not read: a fast reply shows gaps by its offsets. Only on
 * the session bus: a private peer has no match rules to turn it off. */

#include "common/log.h"
#include "common/names.h"
#include "common/utf8.h"
#include "service/bus/append.h"
#include "service/conversation/conversation-face.h"

#define PROGRESS_MAX KIB(8)
/* At most ten a second: nine in step, and the last one, which does not wait. */
#define PROGRESS_INTERVAL (USEC_PER_SEC / 9)

/* One live reply. */
struct Progress {
        ConversationFace *face;
        Progress *next;
        Reply *reply; /* held by the watch */
        ReplyWatch *watch;
        size_t offsets[_CHANNEL_MAX]; /* told up to here */
        usec_t due[_CHANNEL_MAX];     /* CLOCK_MONOTONIC: not before */
        sd_event_source *timer;       /* on while text waits for its time */
};

static void progress_free_one(Progress *p)
{
        for (Progress **at = &p->face->progress; *at; at = &(*at)->next)
                if (*at == p) {
                        *at = p->next;
                        break;
                }
        sd_event_source_disable_unref(p->timer);
        reply_watch_free(p->watch);
        free(p);
}

void progress_free(ConversationFace *f)
{
        while (f->progress)
                progress_free_one(f->progress);
}

/* ---- sending ---- */

typedef struct ProgressText {
        uint64_t reply, offset;
        Channel channel;
        const char *text;
        size_t size;
} ProgressText;

static int fill_progress(sd_bus_message *m, void *userdata)
{
        const ProgressText *t = ASSERT_PTR(userdata);
        int r;

        r = sd_bus_message_append(m, "tst", t->reply, channel_to_string(t->channel), t->offset);
        if (r < 0)
                return r;
        return bus_append_text(m, t->text, t->size);
}

/* The newest of what was not told; what does not fit is the gap. */
static void progress_send(Progress *p, Channel channel, usec_t now)
{
        Manager *m = p->face->manager;
        size_t total, begin = p->offsets[channel];
        const char *text;
        int r;

        text = reply_text(p->reply, channel, &total);
        if (begin >= total)
                return;
        if (total - begin > PROGRESS_MAX) {
                begin = total - PROGRESS_MAX;
                while (((unsigned char) text[begin] & 0xC0) == 0x80)
                        begin++;
        }
        ProgressText t = {
                .reply = reply_id(p->reply),
                .channel = channel,
                .offset = begin,
                .text = text + begin,
                .size = total - begin,
        };

        p->offsets[channel] = total;
        p->due[channel] = now + PROGRESS_INTERVAL;
        r = doors_emit(m->doors, DOOR_SESSION, conversation_path(reply_conversation(p->reply)),
                INTERFACE_CONVERSATION, "ReplyProgress", fill_progress, &t);
        if (r < 0)
                log_debug_errno(r, "Cannot send a reply's progress, ignoring: %m");
}

static int progress_arm(Progress *p, usec_t due);

/* Sends what is due, and waits for what is not. */
static void progress_pump(Progress *p)
{
        usec_t now, next = USEC_INFINITY;
        int r;

        r = sd_event_now(p->face->manager->event, CLOCK_MONOTONIC, &now);
        if (r < 0)
                return;
        for (Channel c = 0; c < _CHANNEL_MAX; c++) {
                size_t total;

                (void) reply_text(p->reply, c, &total);
                if (p->offsets[c] >= total)
                        continue;
                if (p->due[c] <= now)
                        progress_send(p, c, now);
                else
                        next = MIN(next, p->due[c]);
        }
        if (next == USEC_INFINITY)
                return;
        r = progress_arm(p, next);
        if (r < 0)
                log_debug_errno(r, "Cannot wait with a reply's progress, ignoring: %m");
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
        progress_pump(ASSERT_PTR(userdata));
        return 0;
}

static int progress_arm(Progress *p, usec_t due)
{
        int enabled, r;

        if (!p->timer) {
                r = sd_event_add_time(p->face->manager->event, &p->timer, CLOCK_MONOTONIC, due,
                        /* accuracy= */ USEC_PER_MSEC, on_due, p);
                if (r < 0)
                        return r;
                (void) sd_event_source_set_description(p->timer, "reply-progress");
                return 0;
        }
        r = sd_event_source_get_enabled(p->timer, &enabled);
        if (r < 0 || enabled != SD_EVENT_OFF)
                return r;
        r = sd_event_source_set_time(p->timer, due);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

/* ---- what happens to a reply ---- */

static void on_text(Reply *r, void *userdata)
{
        progress_pump(ASSERT_PTR(userdata));
}

/* The last of it does not wait. */
static void on_ended(Reply *r, void *userdata)
{
        Progress *p = ASSERT_PTR(userdata);

        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                progress_send(p, c, 0);
        progress_free_one(p);
}

void progress_reply_started(ConversationFace *f, Reply *r)
{
        static const ReplyWatchOps ops = { .text = on_text, .ended = on_ended };
        Progress *p;
        int error;

        p = calloc(1, sizeof *p);
        if (!p) {
                (void) log_oom();
                return;
        }
        p->face = f;
        p->reply = r;
        p->next = f->progress;
        f->progress = p;
        /* A continued reply begins where it was. */
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                (void) reply_text(r, c, &p->offsets[c]);
        error = reply_watch(r, &ops, p, &p->watch);
        if (error < 0) {
                log_warning_errno(error, "Cannot tell a reply's progress, ignoring: %m");
                progress_free_one(p);
        }
}
