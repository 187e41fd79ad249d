/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The index: every conversation's few words in memory, by id, by number and by time. */

#include "common/event-util.h"
#include "common/log.h"
#include "service/conversation/conversation-internal.h"

#define BUCKETS_MIN        64U
#define TRASH_KEEP_DEFAULT (7 * 24 * 3600 * USEC_PER_SEC)

/* ---- one conversation's memory ---- */

int conversation_new(Conversation **ret, sd_id128_t id, uint64_t number)
{
        _cleanup_(conversation_unrefp) Conversation *c = NULL;

        c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        c->n_ref = 1;
        c->id = id;
        c->number = number;
        c->title = strdup("");
        c->model = strdup("");
        if (!c->title || !c->model)
                return -ENOMEM;

        *ret = TAKE_PTR(c);
        return 0;
}

Conversation *conversation_ref(Conversation *c)
{
        assert(c->n_ref > 0);
        c->n_ref++;
        return c;
}

Conversation *conversation_unref(Conversation *c)
{
        if (!c || --c->n_ref > 0)
                return NULL;

        free(c->title);
        free(c->model);
        free(c->path);
        return mfree(c);
}

/* ---- by id and by number ---- */

static size_t number_bucket(const Conversations *cs, uint64_t number)
{
        /* Numbers are consecutive: the low bits are as good as any hash. */
        return number & (cs->n_buckets - 1);
}

static size_t id_bucket(const Conversations *cs, sd_id128_t id)
{
        return id.qwords[0] & (cs->n_buckets - 1);
}

static void link_buckets(Conversations *cs, Conversation *c)
{
        Conversation **by_id = &cs->by_id[id_bucket(cs, c->id)];
        Conversation **by_number = &cs->by_number[number_bucket(cs, c->number)];

        c->next_id = *by_id;
        *by_id = c;
        c->next_number = *by_number;
        *by_number = c;
}

static void unlink_buckets(Conversations *cs, Conversation *c)
{
        Conversation **p;

        for (p = &cs->by_id[id_bucket(cs, c->id)]; *p != c;)
                p = &(*p)->next_id;
        *p = c->next_id;
        for (p = &cs->by_number[number_bucket(cs, c->number)]; *p != c;)
                p = &(*p)->next_number;
        *p = c->next_number;
}

static int ensure_buckets(Conversations *cs, size_t count)
{
        Conversation **by_id, **by_number;
        size_t n = MAX(cs->n_buckets, (size_t) BUCKETS_MIN);

        while (n < count)
                n *= 2;
        if (n == cs->n_buckets)
                return 0;

        by_id = calloc(n, sizeof *by_id);
        by_number = calloc(n, sizeof *by_number);
        if (!by_id || !by_number) {
                free(by_id);
                free(by_number);
                return -ENOMEM;
        }
        free(cs->by_id);
        free(cs->by_number);
        cs->by_id = by_id;
        cs->by_number = by_number;
        cs->n_buckets = n;
        for (Conversation *c = cs->newest; c; c = c->older)
                link_buckets(cs, c);
        return 0;
}

Conversation *conversations_find(Conversations *cs, sd_id128_t id)
{
        for (Conversation *c = cs->by_id[id_bucket(cs, id)]; c; c = c->next_id)
                if (sd_id128_equal(c->id, id))
                        return c;
        return NULL;
}

Conversation *conversations_find_number(Conversations *cs, uint64_t number)
{
        for (Conversation *c = cs->by_number[number_bucket(cs, number)]; c; c = c->next_number)
                if (c->number == number)
                        return c;
        return NULL;
}

/* ---- by time ---- */

static void link_newest(Conversations *cs, Conversation *c)
{
        c->newer = NULL;
        c->older = cs->newest;
        if (c->older)
                c->older->newer = c;
        else
                cs->oldest = c;
        cs->newest = c;
}

static void link_oldest(Conversations *cs, Conversation *c)
{
        c->older = NULL;
        c->newer = cs->oldest;
        if (c->newer)
                c->newer->older = c;
        else
                cs->newest = c;
        cs->oldest = c;
}

static void unlink_time(Conversations *cs, Conversation *c)
{
        if (c->newer)
                c->newer->older = c->older;
        else
                cs->newest = c->older;
        if (c->older)
                c->older->newer = c->newer;
        else
                cs->oldest = c->newer;
}

/* An imported one is seldom the newest. */
static void link_by_time(Conversations *cs, Conversation *c)
{
        Conversation *newer = NULL;

        for (Conversation *p = cs->newest; p && p->modified > c->modified; p = p->older)
                newer = p;
        if (!newer) {
                link_newest(cs, c);
                return;
        }
        if (!newer->older) {
                link_oldest(cs, c);
                return;
        }
        c->newer = newer;
        c->older = newer->older;
        c->older->newer = c;
        newer->older = c;
}

void conversation_touch(Conversation *c, usec_t modified)
{
        c->modified = modified;
        if (!c->parent || c->parent->newest == c)
                return;
        unlink_time(c->parent, c);
        link_newest(c->parent, c);
}

Conversation *conversations_next(Conversations *cs, Conversation *after)
{
        return after ? after->older : cs->newest;
}

size_t conversations_count(const Conversations *cs)
{
        return cs->count;
}

/* ---- adding and removing ---- */

int conversations_add(Conversations *cs, Conversation *c)
{
        int r;

        r = ensure_buckets(cs, cs->count + 1);
        if (r < 0)
                return r;
        c->parent = cs;
        link_buckets(cs, c);
        link_by_time(cs, conversation_ref(c));
        cs->count++;
        return 0;
}

static void unlist(Conversations *cs, Conversation *c)
{
        unlink_buckets(cs, c);
        unlink_time(cs, c);
        cs->count--;
        c->parent = NULL;
}

void conversations_remove(Conversations *cs, Conversation *c)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        bool under_way = c->replies || c->asks;

        /* The list's reference is dropped at the end. */
        unlist(cs, c);
        while (c->replies) {
                _cleanup_(reply_unrefp) Reply *r = reply_ref(c->replies);

                if (reply_abandon(r))
                        reply_announce_end(r, cs);
        }
        (void) failure_set(&failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
        asks_fail(c, &failure);
        conversation_unref(c);
        /* Nothing of what ended here comes back to say so. */
        if (under_way)
                conversations_check_stopped(cs);
}

int conversation_new_stored(Conversation **ret, StoreConversation *s)
{
        Conversation *c;

        c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        *c = (Conversation){
                .n_ref = 1,
                .id = s->id,
                .number = s->number,
                .title = TAKE_PTR(s->title),
                .model = TAKE_PTR(s->model),
                .created = s->created,
                .modified = s->modified,
                .deleted = s->deleted,
                .head = s->head,
                .messages = s->messages,
                .read = s->read,
                .last_ended = s->head,
                .context_used = s->context_used,
                .context_size = s->context_size,
                .unread = s->head > s->read,
                .flags = (s->archived ? CONVERSATION_ARCHIVED : 0) |
                        (s->hidden ? CONVERSATION_HIDDEN : 0) |
                        (s->title_set ? CONVERSATION_TITLE_SET : 0),
        };
        *ret = c;
        return 0;
}

static int take_index(Conversations *cs, StoreIndex *index)
{
        int r;

        r = ensure_buckets(cs, index->n_conversations);
        if (r < 0)
                return r;
        for (size_t i = 0; i < index->n_conversations; i++) {
                Conversation *c;

                r = conversation_new_stored(&c, &index->conversations[i]);
                if (r < 0)
                        return r;
                c->parent = cs;
                link_buckets(cs, c);
                link_oldest(cs, c);
                cs->count++;
        }
        cs->last_model = TAKE_PTR(index->last_model);
        return 0;
}

int conversations_new(Conversations **ret, sd_event *event, Store *store, Engines *engines,
        Avatar *avatar, StoreIndex *index)
{
        _cleanup_(conversations_freep) Conversations *cs = NULL;
        int r;

        cs = calloc(1, sizeof *cs);
        if (!cs)
                r = -ENOMEM;
        else {
                cs->event = sd_event_ref(event);
                cs->store = store;
                cs->engines = engines;
                cs->avatar = avatar;
                cs->trash_keep = TRASH_KEEP_DEFAULT;
                r = take_index(cs, index);
        }
        store_index_free(index);
        if (r < 0)
                return r;
        r = replies_new(cs);
        if (r < 0)
                return r;

        store_set_salvaged(store, conversations_salvaged, cs);
        trash_arm(cs, 0);
        *ret = TAKE_PTR(cs);
        return 0;
}

Conversations *conversations_free(Conversations *cs)
{
        if (!cs)
                return NULL;

        cs->observer = (ConversationsObserver){ 0 };
        store_set_salvaged(cs->store, NULL, NULL);
        for (Conversation *c; (c = cs->newest);) {
                asks_free(c);
                while (c->replies)
                        (void) reply_abandon(c->replies);
                unlist(cs, c);
                conversation_unref(c);
        }
        while (cs->pending)
                pending_free(cs->pending);
        sd_event_source_disable_unref(cs->flush);
        sd_event_source_disable_unref(cs->save);
        sd_event_source_disable_unref(cs->feed);
        sd_event_source_disable_unref(cs->purge);
        sd_event_source_disable_unref(cs->stop);
        sd_event_unref(cs->event);
        free(cs->by_id);
        free(cs->by_number);
        free(cs->last_model);
        return mfree(cs);
}

void conversations_set_observer(Conversations *cs, const ConversationsObserver *observer)
{
        cs->observer = observer ? *observer : (ConversationsObserver){ 0 };
}

void conversations_set_avatar(Conversations *cs, Avatar *avatar)
{
        cs->avatar = avatar;
}

/* ---- live replies ---- */

/* One whose end could not be stored yet is among them: a reason to stay. */
unsigned conversations_live(const Conversations *cs)
{
        unsigned n = 0;

        for (const Reply *r = cs->replies; r; r = r->all_next)
                n += !reply_is_waiting(r);
        return n;
}

unsigned conversations_waiting(const Conversations *cs)
{
        unsigned n = 0;

        for (const Reply *r = cs->replies; r; r = r->all_next)
                n += reply_is_waiting(r);
        return n;
}

Reply *conversations_next_reply(Conversations *cs, Reply *after)
{
        Reply *r = after ? after->all_next : cs->replies;

        while (r && (!reply_is_live(r) || !(r->flags & REPLY_DURABLE)))
                r = r->all_next;
        return r;
}

/* ---- stopping ---- */

bool conversations_stopping(const Conversations *cs)
{
        return cs->stopped;
}

static int on_stopped(sd_event_source *source, void *userdata)
{
        Conversations *cs = ASSERT_PTR(userdata);

        cs->stopped(cs->stopped_userdata);
        return 0;
}

static unsigned count_under_way(const Conversations *cs)
{
        unsigned n = 0;

        for (const Reply *r = cs->replies; r; r = r->all_next)
                n += reply_is_live(r);
        for (const Conversation *c = cs->newest; c; c = c->older)
                n += c->asks != NULL;
        return n;
}

void conversations_check_stopped(Conversations *cs)
{
        if (!cs->stopped || count_under_way(cs) > 0)
                return;
        for (Reply *reply = cs->replies; reply; reply = reply->all_next)
                log_error("The end of a reply could not be stored before the service stopped; what "
                          "was saved of it while it streamed is kept.");
        event_source_arm(cs->stop, "the end of the conversations");
}

int conversations_stop(Conversations *cs, void (*done)(void *userdata), void *userdata)
{
        int r;

        assert(done);

        if (cs->stopped)
                return -EALREADY;
        r = sd_event_add_defer(cs->event, &cs->stop, on_stopped, cs);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(cs->stop, "conversations-stopped");
        r = sd_event_source_set_enabled(cs->stop, SD_EVENT_OFF);
        if (r < 0)
                return r;

        cs->stopped = done;
        cs->stopped_userdata = userdata;
        replies_retry(cs);
        for (Reply *reply = cs->replies, *next; reply; reply = next) {
                _cleanup_(reply_unrefp) Reply *pin = NULL;

                next = reply->all_next;
                if (next)
                        pin = reply_ref(next);
                reply_finish(reply, REASON_INTERRUPTED);
                /* Whoever was told of its last text may have done away with the next one. */
                if (next && !next->parent)
                        next = cs->replies;
        }
        conversations_check_stopped(cs);
        return 0;
}
