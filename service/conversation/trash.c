/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Conversations that are set aside, and how they go for good. One timer waits for the next that is
 * due; nothing looks regularly. */

#include "common/log.h"
#include "service/conversation/conversation-internal.h"

#define PURGE_ACCURACY (60 * USEC_PER_SEC)
#define PURGE_RETRY    (3600 * USEC_PER_SEC) /* after a purge that failed */
#define NEVER          (USEC_INFINITY / 4)   /* so far off that sums cannot overflow */

/* ---- purging ---- */

static void purge_failed(Pending *p)
{
        p->parent->n_purging--;
}

static int purge_applied(Pending *p, Failure *failure)
{
        Conversations *cs = p->parent;

        cs->n_purging--;
        for (Conversation *c = cs->newest, *older; c; c = older) {
                older = c->older;
                if (c->deleted > 0 && c->deleted < p->before)
                        conversations_remove(cs, c);
        }
        return 0;
}

static int purge(Conversations *cs, usec_t before, conversation_done_t done, void *userdata,
        Failure *failure)
{
        _cleanup_(pending_freep) Pending *p = NULL;
        int r;

        r = pending_new(&p, cs, NULL, done, userdata, failure);
        if (r < 0)
                return r;
        p->before = before;
        p->apply = purge_applied;
        p->failed = purge_failed;
        cs->purging_before = cs->n_purging > 0 ? MAX(cs->purging_before, before) : before;
        cs->n_purging++;
        r = store_purge_deleted(cs->store, before, pending_done, p, &p->slot);
        return pending_begun(&p, r, failure);
}

int conversations_purge_deleted(
        Conversations *cs, conversation_done_t done, void *userdata, Failure *failure)
{
        usec_t newest = usec_now(CLOCK_REALTIME);

        /* Not USEC_INFINITY: what is set aside after this call stays. But the clock may have been
         * ahead when something was. */
        for (const Conversation *c = cs->newest; c; c = c->older)
                newest = MAX(newest, c->deleted);
        return purge(cs, newest + 1, done, userdata, failure);
}

/* Never before the border of a purge that is under way, where the clock was set back. */
static usec_t time_to_delete(const Conversations *cs)
{
        usec_t now = usec_now(CLOCK_REALTIME);

        return cs->n_purging > 0 ? MAX(now, cs->purging_before) : now;
}

static void on_purged(const Failure *failure, Conversation *c, void *userdata)
{
        Conversations *cs = ASSERT_PTR(userdata);

        if (failure)
                log_warning("Failed to remove what was deleted, trying again in an hour: %s",
                        failure_message(failure));
        trash_arm(cs, failure ? PURGE_RETRY : 0);
}

static int on_purge_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Conversations *cs = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        usec_t now = usec_now(CLOCK_REALTIME);

        if (conversations_stopping(cs) || now < cs->trash_keep)
                return 0;
        if (purge(cs, now - cs->trash_keep, on_purged, cs, &failure) < 0)
                on_purged(&failure, NULL, cs);
        return 0;
}

static usec_t oldest_deleted(const Conversations *cs)
{
        usec_t oldest = USEC_INFINITY;

        for (const Conversation *c = cs->newest; c; c = c->older)
                if (c->deleted > 0)
                        oldest = MIN(oldest, c->deleted);
        return oldest;
}

void trash_arm(Conversations *cs, usec_t earliest)
{
        usec_t now = usec_now(CLOCK_REALTIME), oldest = oldest_deleted(cs), wait = 0;
        int r;

        if (oldest >= NEVER || cs->trash_keep >= NEVER) {
                cs->purge = sd_event_source_disable_unref(cs->purge);
                return;
        }
        /* One accuracy later: then it is surely over its time when the timer fires. */
        if (oldest + cs->trash_keep >= now)
                wait = oldest + cs->trash_keep - now + PURGE_ACCURACY;
        wait = MAX(wait, earliest);

        if (cs->purge) {
                r = sd_event_source_set_time_relative(cs->purge, wait);
                if (r >= 0)
                        r = sd_event_source_set_enabled(cs->purge, SD_EVENT_ONESHOT);
        } else {
                r = sd_event_add_time_relative(cs->event, &cs->purge, CLOCK_BOOTTIME, wait,
                        PURGE_ACCURACY, on_purge_timer, cs);
                if (r >= 0)
                        (void) sd_event_source_set_description(cs->purge, "purge-deleted");
        }
        if (r < 0)
                log_error_errno(r,
                        "Failed to set the time to remove what was deleted, "
                        "ignoring: %m");
}

void conversations_set_trash_keep(Conversations *cs, usec_t keep)
{
        cs->trash_keep = keep;
        trash_arm(cs, 0);
}

/* ---- setting aside ---- */

void trash_changed(Conversation *c, usec_t deleted)
{
        bool was = c->deleted > 0, is = deleted > 0;

        c->deleted = deleted;
        if (is)
                /* What was sent while it was being set aside. */
                (void) conversation_cancel(c, 0, NULL);
        if (is && !was)
                conversations_tell(c->parent, removed, c);
        if (!is && was)
                conversations_tell(c->parent, added, c);
        trash_arm(c->parent, 0);
}

static int delete_applied(Pending *p, Failure *failure)
{
        Conversation *c = p->conversation;

        if (!c->parent)
                return 0;
        conversations_remove(p->parent, c);
        if (c->deleted == 0)
                conversations_tell(p->parent, removed, c);
        return 0;
}

int conversation_delete(Conversation *c, conversation_done_t done, void *userdata, Failure *failure)
{
        _cleanup_(pending_freep) Pending *p = NULL;
        Conversations *cs = c->parent;
        int r;

        r = pending_new(&p, cs, c, done, userdata, failure);
        if (r < 0)
                return r;
        (void) conversation_cancel(c, 0, NULL);

        if (cs->trash_keep == 0) {
                p->apply = delete_applied;
                r = store_purge(cs->store, c->number, pending_done, p, &p->slot);
                return pending_begun(&p, r, failure);
        }
        p->fields = STORE_DELETED;
        p->values.deleted = c->deleted > 0 ? c->deleted : time_to_delete(cs);
        return pending_write(&p, failure);
}

int conversation_restore(
        Conversation *c, conversation_done_t done, void *userdata, Failure *failure)
{
        _cleanup_(pending_freep) Pending *p = NULL;
        Conversations *cs = c->parent;
        int r;

        if (c->deleted > 0 && cs->n_purging > 0 && c->deleted < cs->purging_before)
                return failure_set(failure, FAILURE_NO_SUCH_CONVERSATION,
                        "The conversation is being removed for good.");
        r = pending_new(&p, cs, c, done, userdata, failure);
        if (r < 0)
                return r;
        p->fields = STORE_DELETED;
        return pending_write(&p, failure);
}
