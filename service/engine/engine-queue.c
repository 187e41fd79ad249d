/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MaxConcurrent=: who comes first is served first, the others are told their place. Each engine has
 * a queue of its own, so that one that hangs delays no other. */
#include "service/engine/engine.h"

#include "common/event-util.h"

static bool has_room(const Engine *e)
{
        return e->config.max_concurrent == 0 || e->live < e->config.max_concurrent;
}

static int on_queue(sd_event_source *source, void *userdata)
{
        _cleanup_(engine_unrefp) Engine *e = engine_ref(ASSERT_PTR(userdata));
        unsigned place = 0;
        EngineReply *r;

        while (has_room(e) && (r = TAILQ_FIRST(&e->queue))) {
                TAILQ_REMOVE(&e->queue, r, queue);
                e->n_queued--;
                e->live++;
                r->queued = false;
                r->has_place = true;
                engine_reply_admit(r);
        }

        /* Whoever is told may leave, and others with it: then places are told anew next turn. */
        for (r = TAILQ_FIRST(&e->queue); r;) {
                _cleanup_(engine_reply_unrefp) EngineReply *pin = engine_reply_ref(r);

                engine_reply_tell_place(pin, ++place);
                if (!pin->queued)
                        break;
                r = TAILQ_NEXT(pin, queue);
        }
        return 0;
}

static void schedule(Engine *e)
{
        int r;

        if (!e->engines)
                return;
        if (!e->queue_source)
                r = sd_event_add_defer(e->engines->event, &e->queue_source, on_queue, e);
        else
                r = sd_event_source_set_enabled(e->queue_source, SD_EVENT_ONESHOT);
        if (r < 0)
                event_give_up(e->engines->event, r, "an engine's queue");
}

void engine_queue_add(Engine *e, EngineReply *r)
{
        assert(!r->queued && !r->has_place);
        TAILQ_INSERT_TAIL(&e->queue, r, queue);
        e->n_queued++;
        r->queued = true;
        schedule(e);
}

void engine_queue_remove(Engine *e, EngineReply *r)
{
        if (r->queued) {
                TAILQ_REMOVE(&e->queue, r, queue);
                e->n_queued--;
                r->queued = false;
        } else if (r->has_place) {
                e->live--;
                r->has_place = false;
        } else
                return;
        if (!TAILQ_EMPTY(&e->queue))
                schedule(e);
}
