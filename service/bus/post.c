/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is announced to all, private connections each: sent after the turn of the loop in which it
 * came about, so that fifty answers of one commit do not wait for what fifty peers are told of
 * each. */

#include "common/event-util.h"
#include "common/log.h"
#include "service/bus/doors-internal.h"

/* Messages that one turn of the loop sends, about as long as a call takes: calls that came in have
 * their turns in between. */
#define POST_MAX 16U

static void post_link(Connection *c)
{
        Doors *d = c->doors;

        c->post_next = NULL;
        if (d->post_last)
                d->post_last->post_next = c;
        else
                d->post_first = c;
        d->post_last = c;
}

static void post_unlink(Connection *c)
{
        Doors *d = c->doors;
        Connection *before = NULL;

        for (Connection *i = d->post_first; i != c; i = i->post_next)
                before = i;
        if (before)
                before->post_next = c->post_next;
        else
                d->post_first = c->post_next;
        if (d->post_last == c)
                d->post_last = before;
        c->post_next = NULL;
}

void connection_forget_posted(Connection *c)
{
        if (c->n_posted > 0)
                post_unlink(c);
        for (size_t i = 0; i < c->n_posted; i++)
                sd_bus_message_unref(c->posted[c->first_posted + i]);
        c->posted = mfree(c->posted);
        c->first_posted = c->n_posted = 0;
}

/* One that cannot be told is not left waiting: among what it is not told may be answers. */
static int post_send(Connection *c, size_t n)
{
        int r = 0;

        for (; n > 0 && r >= 0; n--) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = c->posted[c->first_posted];

                if (c->n_posted == 1)
                        post_unlink(c);
                c->first_posted++;
                c->n_posted--;
                r = connection_send_ahead(c, m);
        }
        if (r < 0 || c->n_posted == 0)
                connection_forget_posted(c);
        if (r < 0)
                connection_doom(c);
        return r;
}

int connection_flush(Connection *c)
{
        return post_send(c, c->n_posted);
}

static int on_post(sd_event_source *s, void *userdata)
{
        Doors *d = ASSERT_PTR(userdata);
        Connection *c;
        size_t left = POST_MAX, n;
        int r;

        for (; (c = d->post_first) && left > 0; left -= n) {
                n = MIN(left, c->n_posted);
                r = post_send(c, n);
                if (r < 0)
                        log_debug_errno(r, "%s: cannot be told, ignoring: %m", peer_name(c->peer));
        }
        if (d->post_first)
                event_source_arm(s, "announcements");
        return 0;
}

static int post_schedule(Doors *d)
{
        int r;

        if (d->post)
                return sd_event_source_set_enabled(d->post, SD_EVENT_ONESHOT);
        r = sd_event_add_defer(d->event, &d->post, on_post, d);
        if (r >= 0)
                (void) sd_event_source_set_description(d->post, "doors-post");
        return r;
}

/* Where something is always left of it, what was sent would take more and more room. */
static void post_move_up(Connection *c)
{
        memmove(c->posted, c->posted + c->first_posted, c->n_posted * sizeof *c->posted);
        c->first_posted = 0;
}

static int post_add(Connection *c, sd_bus_message *m)
{
        sd_bus_message **more;
        int r;

        if (c->n_posted >= DOORS_QUEUE_MESSAGES_MAX) {
                r = connection_flush(c);
                if (r < 0)
                        return r;
        } else if (c->first_posted + c->n_posted >= DOORS_QUEUE_MESSAGES_MAX)
                post_move_up(c);
        r = post_schedule(c->doors);
        if (r < 0)
                return r;
        more = reallocarray(c->posted, c->first_posted + c->n_posted + 1, sizeof(sd_bus_message *));
        if (!more)
                return -ENOMEM;
        c->posted = more;
        if (c->n_posted == 0)
                post_link(c);
        c->posted[c->first_posted + c->n_posted++] = sd_bus_message_ref(m);
        return 0;
}

int connection_post(Connection *c, sd_bus_message *m)
{
        int r;

        if (c->doomed)
                return -ECONNRESET;
        r = post_add(c, m);
        if (r != -ENOMEM)
                return r;
        /* What cannot wait is sent now, behind what does. */
        r = connection_flush(c);
        return r < 0 ? r : connection_send_ahead(c, m);
}
