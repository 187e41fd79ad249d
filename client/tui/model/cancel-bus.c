/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cancelling what was asked for, in whatever state it is by then: a question that is not sent, a
 * call on its way, a reply that has an id and did not begin, or one that is live. */

#include "client/tui/model/mirror-internal.h"

static bool mark_cancelling(Mirror *m, uint64_t reply)
{
        bool any = false;

        for (size_t i = 0; i < m->open.n; i++) {
                MessageItem *item = m->open.messages[i];

                if (item->live && (reply == 0 || item->id == reply))
                        item->cancelling = any = true;
        }
        return any;
}

/* ---- replies that are asked for, and not here yet ---- */

int reply_promised(Mirror *m, const char *path, uint64_t reply, bool cancelling)
{
        const bool here = streq(path, m->open.path);

        if (cancelling) {
                if (here)
                        (void) mark_cancelling(m, reply);
                return mirror_call_quietly(m, path, "Cancel", "t", reply);
        }
        if (here && !window_find(m, reply))
                m->open.promised = reply;
        return 0;
}

void reply_came(Mirror *m, uint64_t reply)
{
        if (m->open.promised == reply)
                m->open.promised = 0;
}

static int on_promised(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        uint64_t reply;
        Message *msg;
        int r;

        if (failure)
                return 0;
        r = sd_bus_message_read(answer, "t", &reply);
        if (r < 0)
                return r;
        msg = window_find(m, reply);
        /* One that goes on. */
        if (msg && !msg->item.live && call->ends == m->open.ends && !call->cancelling)
                m->open.promised = reply;
        return reply_promised(m, call->path, reply, call->cancelling);
}

int reply_ask(Mirror *m, sd_bus_message *message, mirror_done_t done, void *userdata)
{
        MirrorCall call = {
                .flags = CALL_REPLY,
                .answer = on_promised,
                .done = done,
                .userdata = userdata,
                .ends = m->open.ends,
        };

        memcpy(call.path, m->open.path, sizeof call.path);
        return mirror_call(m, message, &call);
}

static bool is_of_open(const Mirror *m, const MirrorCall *call)
{
        return (call->flags & CALL_REPLY) && streq(call->path, m->open.path);
}

static bool is_asking(const Mirror *m)
{
        for (const MirrorCall *c = m->calls; c; c = c->next)
                if (is_of_open(m, c))
                        return true;
        return false;
}

static bool cancel_asked(Mirror *m)
{
        bool any = false;

        for (MirrorCall *c = m->calls; c; c = c->next)
                if (is_of_open(m, c))
                        c->cancelling = any = true;
        return any;
}

/* ---- what a person cancels ---- */

bool mirror_can_cancel(const Mirror *m)
{
        return mirror_live(m) || sends_of_open(m) || is_asking(m) || m->open.promised != 0 ||
                (*m->open.item.id && m->up && m->open.item.state != CONVERSATION_IDLE);
}

int mirror_cancel(Mirror *m, uint64_t message)
{
        const bool of_sends = message == 0 || (message & UNSENT_ID);
        bool live, later;

        if (!m->up && !sends_of_open(m))
                return -ENOTCONN;
        if (!m->up) {
                sends_take_back(m, of_sends ? message : 0);
                return 0;
        }
        live = mark_cancelling(m, message);
        later = of_sends && sends_cancel(m, message);
        if (message == 0) {
                later = cancel_asked(m) || later;
                live = m->open.promised != 0 || live;
                m->open.promised = 0;
        }
        mirror_tell(m, MIRROR_MESSAGES);
        if (!live && (later || message & UNSENT_ID))
                return 0;
        return mirror_call_with(m, m->open.path, INTERFACE_CONVERSATION, "Cancel",
                &(MirrorCall){ .flags = CALL_OF_OPEN }, "t", message);
}
