/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A reply's text, and who is told of it. What one dispatch of the loop brought is announced once,
 * by a post source right after it. */

#include "common/event-util.h"
#include "common/log.h"
#include "common/utf8.h"
#include "service/conversation/conversation-internal.h"

#define REPLY_FLUSH_BYTES KIB(64) /* announced at once, in the middle of a dispatch */

/* ---- life ---- */

static void reply_text_free(void *data)
{
        ReplyText *t = ASSERT_PTR(data);

        for (Channel channel = 0; channel < _CHANNEL_MAX; channel++)
                buffer_done(&t->channel[channel]);
        free(t);
}

void reply_text_unref(ReplyText *t, Worker *worker)
{
        size_t size = 0;

        if (!t || --t->n_ref > 0)
                return;
        for (Channel channel = 0; channel < _CHANNEL_MAX; channel++)
                size += t->channel[channel].size;
        worker_dispose(size >= WORKER_DISPOSED_MIN ? worker : NULL, t, reply_text_free);
}

int reply_new(Reply **ret, Conversation *c, uint64_t id, uint64_t message)
{
        ReplyText *text = calloc(1, sizeof *text);
        Reply *r = calloc(1, sizeof *r);

        if (!text || !r) {
                free(text);
                free(r);
                return -ENOMEM;
        }
        text->n_ref = 1;
        *r = (Reply){
                .n_ref = 1,
                .conversation = conversation_ref(c),
                .parent = c->parent,
                .id = id,
                .message = message,
                .created = usec_now(CLOCK_REALTIME),
                .started = usec_now(CLOCK_MONOTONIC),
                .shared = text,
                .text = text->channel,
                .avatar = c->parent->avatar,
                .filter.off = !c->parent->avatar,
        };
        for (Channel channel = 0; channel < _CHANNEL_MAX; channel++) {
                r->text[channel] = r->held[channel] = BUFFER_INIT(REPLY_TEXT_MAX);
                r->saves[channel].reply = r;
        }
        *ret = r;
        return 0;
}

Reply *reply_ref(Reply *r)
{
        assert(r->n_ref > 0);
        r->n_ref++;
        return r;
}

void conversation_unlist_reply(Reply *r)
{
        for (Reply **p = &r->conversation->replies; *p; p = &(*p)->next)
                if (*p == r) {
                        *p = r->next;
                        return;
                }
}

Reply *reply_unref(Reply *r)
{
        Conversations *cs;

        if (!r || --r->n_ref > 0)
                return NULL;

        assert(!r->watches);
        conversation_unlist_reply(r);
        engine_reply_free(r->engine);
        store_slot_free(r->slot);
        cs = r->conversation->parent;
        reply_text_unref(r->shared, cs ? store_worker(cs->store) : NULL);
        for (Channel channel = 0; channel < _CHANNEL_MAX; channel++) {
                buffer_done(&r->held[channel]);
                store_slot_free(r->saves[channel].slot);
        }
        free(r->question);
        free(r->asked_model);
        free(r->model);
        free(r->engine_name);
        free(r->phase_text);
        free(r->note);
        free(r->title);
        failure_done(&r->failure);
        failure_done(&r->unstored);
        conversation_unref(r->conversation);
        return mfree(r);
}

/* On while there is any reply: a post source that is switched on in a dispatch does not run after
 * that same one. It runs only after other sources, so it keeps nothing awake. */
static void replies_arm(Conversations *cs)
{
        int r;

        r = sd_event_source_set_enabled(cs->flush, cs->replies ? SD_EVENT_ON : SD_EVENT_OFF);
        if (r < 0)
                event_give_up(cs->event, r, "the announcing of text");
}

void reply_link(Reply *r)
{
        Conversations *cs = r->parent;
        Reply **p = &r->conversation->replies;

        (void) reply_ref(r);
        while (*p)
                p = &(*p)->next;
        *p = r;
        r->all_next = cs->replies;
        if (r->all_next)
                r->all_next->all_previous = r;
        cs->replies = r;
        replies_arm(cs);
}

static void clear_dirty(Reply *r)
{
        if (!(r->flags & REPLY_DIRTY))
                return;
        r->flags &= ~REPLY_DIRTY;
        for (Reply **p = &r->parent->dirty; *p; p = &(*p)->dirty_next)
                if (*p == r) {
                        *p = r->dirty_next;
                        return;
                }
}

void reply_unlink(Reply *r)
{
        Conversations *cs = r->parent;

        clear_dirty(r);
        if (r->all_previous)
                r->all_previous->all_next = r->all_next;
        else
                cs->replies = r->all_next;
        if (r->all_next)
                r->all_next->all_previous = r->all_previous;
        r->all_previous = r->all_next = NULL;
        replies_arm(cs);
        reply_unref(r);
}

/* ---- what it says of itself ---- */

uint64_t reply_id(const Reply *r)
{
        return r->id;
}

uint64_t reply_parent(const Reply *r)
{
        return r->message;
}

Conversation *reply_conversation(const Reply *r)
{
        return r->conversation;
}

/* Its end was told as a failure, for it is not stored. */
static bool ended_unstored(const Reply *r)
{
        return r->phase != REPLY_PHASE_ENDED && (r->flags & REPLY_STUCK_TOLD);
}

ReplyState reply_state(const Reply *r)
{
        if (r->phase == REPLY_PHASE_ENDED || ended_unstored(r))
                return REPLY_ENDED;
        return r->flags & REPLY_HAS_TEXT ? REPLY_STREAMING : REPLY_WAITING;
}

bool reply_is_live(const Reply *r)
{
        return r->phase <= REPLY_PHASE_FINISHING;
}

bool reply_is_waiting(const Reply *r)
{
        return r->phase <= REPLY_PHASE_LOADING ||
                (r->phase == REPLY_PHASE_ASKING && r->info.place > 0);
}

const char *reply_text(const Reply *r, Channel channel, size_t *ret_size)
{
        assert(channel >= 0 && channel < _CHANNEL_MAX);
        *ret_size = r->text[channel].size;
        return buffer_text(&r->text[channel]);
}

void reply_get_info(const Reply *r, ReplyInfo *ret)
{
        reply_get_stored_info(r, ret);
        if (ended_unstored(r)) {
                ret->reason = REASON_FAILED;
                ret->failure = &r->unstored;
        }
}

void reply_get_stored_info(const Reply *r, ReplyInfo *ret)
{
        *ret = r->info;
        ret->model = r->model;
        ret->engine = r->engine_name;
        ret->phase = r->phase < REPLY_PHASE_FINISHING ? r->phase_text : NULL;
        ret->note = r->note;
        ret->failure = r->info.reason == REASON_FAILED ? &r->failure : NULL;
        if (r->phase < REPLY_PHASE_FINISHING)
                ret->elapsed = usec_now(CLOCK_MONOTONIC) - r->started;
}

/* ---- watches ---- */

int reply_watch(Reply *r, const ReplyWatchOps *ops, void *userdata, ReplyWatch **ret)
{
        ReplyWatch *w;

        w = calloc(1, sizeof *w);
        if (!w)
                return -ENOMEM;
        *w = (ReplyWatch){
                .reply = reply_ref(r),
                .next = r->watches,
                .ops = ops,
                .userdata = userdata,
        };
        r->watches = w;
        *ret = w;
        return 0;
}

/* The caller holds the reply. */
static void sweep_watches(Reply *r)
{
        for (ReplyWatch **p = &r->watches; *p;) {
                ReplyWatch *w = *p;

                if (w->ops) {
                        p = &w->next;
                        continue;
                }
                *p = w->next;
                free(w);
                reply_unref(r);
        }
}

ReplyWatch *reply_watch_free(ReplyWatch *w)
{
        _cleanup_(reply_unrefp) Reply *r = NULL;

        if (!w)
                return NULL;
        r = reply_ref(w->reply);
        w->ops = NULL;
        if (r->walking == 0)
                sweep_watches(r);
        return NULL;
}

static void walk_watches(Reply *r, bool ended)
{
        r->walking++;
        for (ReplyWatch *w = r->watches; w; w = w->next) {
                if (!w->ops)
                        continue;
                if (ended)
                        w->ops->ended(r, w->userdata);
                else if (w->ops->text)
                        w->ops->text(r, w->userdata);
        }
        r->walking--;
        if (r->walking == 0)
                sweep_watches(r);
}

void reply_tell_ended(Reply *r)
{
        _cleanup_(reply_unrefp) _unused_ Reply *pin = reply_ref(r);

        walk_watches(r, /* ended= */ true);
}

/* ---- text ---- */

static size_t text_size(const Reply *r)
{
        size_t size = 0;

        for (Channel channel = 0; channel < _CHANNEL_MAX; channel++)
                size += r->text[channel].size;
        return size;
}

void reply_flush(Reply *r)
{
        _cleanup_(reply_unrefp) _unused_ Reply *pin = reply_ref(r);

        clear_dirty(r);
        if (r->announced == text_size(r))
                return;
        r->announced = text_size(r);
        walk_watches(r, /* ended= */ false);
        if (r->parent)
                conversations_tell(r->parent, reply_text, r);
}

int reply_append(Reply *r, Channel channel, const char *text, size_t size)
{
        size_t room = REPLY_TEXT_MAX - text_size(r), fits = size;
        int error;

        if (r->flags & REPLY_CLOSED)
                return -ECANCELED;
        if (size > room)
                fits = utf8_cut(text, size, room);
        error = buffer_append(&r->text[channel], text, fits);
        if (error < 0)
                return error;

        if (!(r->flags & REPLY_DIRTY)) {
                r->flags |= REPLY_DIRTY;
                r->dirty_next = r->parent->dirty;
                r->parent->dirty = r;
                replies_save_later(r->parent);
        }
        if (!(r->flags & REPLY_HAS_TEXT)) {
                r->flags |= REPLY_HAS_TEXT;
                conversation_update_state(r->conversation);
                replies_update_avatar(r->parent, AVATAR_IDLE);
        }
        if (text_size(r) - r->announced >= REPLY_FLUSH_BYTES)
                reply_flush(r);
        return fits < size ? -EFBIG : 0;
}

/* ---- after each dispatch ---- */

static int on_flush(sd_event_source *source, void *userdata)
{
        Conversations *cs = ASSERT_PTR(userdata);

        while (cs->dirty)
                reply_flush(cs->dirty);
        return 0;
}

int replies_new(Conversations *cs)
{
        int r;

        r = sd_event_add_post(cs->event, &cs->flush, on_flush, cs);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(cs->flush, "reply-flush");
        /* Right after the dispatch that brought the text, before any other. */
        r = sd_event_source_set_priority(cs->flush, SD_EVENT_PRIORITY_IMPORTANT);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(cs->flush, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_event_add_defer(cs->event, &cs->feed, replies_feed, cs);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(cs->feed, "reply-feed");
        return sd_event_source_set_enabled(cs->feed, SD_EVENT_OFF);
}

void replies_update_avatar(Conversations *cs, AvatarActivity idle)
{
        bool waiting = false;

        if (!cs->avatar)
                return;
        for (const Reply *r = cs->replies; r; r = r->all_next) {
                if (r->phase >= REPLY_PHASE_FINISHING || !(r->flags & REPLY_DURABLE))
                        continue;
                if (r->flags & REPLY_HAS_TEXT) {
                        avatar_set_activity(cs->avatar, AVATAR_TALKING);
                        return;
                }
                waiting = true;
        }
        avatar_set_activity(cs->avatar, waiting ? AVATAR_THINKING : idle);
}
