/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/doors-internal.h"

#include <stdarg.h>

#include "common/log.h"
#include "service/bus/error.h"

struct Call {
        Doors *doors;
        Peer *peer; /* stays, gone or not, while a call holds it */
        sd_bus_message *message;
        Call *next, *previous;
        bool ahead;
};

static Call *call_free(Call *c)
{
        if (!c)
                return NULL;

        if (c->previous)
                c->previous->next = c->next;
        else
                c->doors->calls = c->next;
        if (c->next)
                c->next->previous = c->previous;
        c->doors->n_calls--;

        c->peer->n_calls--;
        if (c->peer->n_calls == 0)
                doors_schedule_reap(c->doors);

        sd_bus_message_unref(c->message);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(Call *, call_free)

int call_new(Doors *d, sd_bus_message *m, Call **ret, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Peer *p;
        Call *c;
        int r;

        r = doors_get_peer(d, m, &p);
        if (r < 0)
                return r;

        if (p->n_calls >= DOORS_CALLS_MAX) {
                (void) failure_set(&failure, FAILURE_BUSY,
                        "This client has %u calls in flight, which is the limit. "
                        "Wait for an answer before the next call.",
                        DOORS_CALLS_MAX);
                return bus_error_from_failure(error, &failure);
        }

        c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        c->doors = d;
        c->peer = p;
        c->message = sd_bus_message_ref(m);
        c->next = d->calls;
        if (c->next)
                c->next->previous = c;
        d->calls = c;
        d->n_calls++;
        p->n_calls++;

        *ret = c;
        return 0;
}

sd_bus_message *call_message(Call *c)
{
        return c->message;
}

void call_set_ahead(Call *c)
{
        c->ahead = true;
}

bool call_is_awaited(const Call *c)
{
        return !(c->peer->flags & PEER_GONE) && sd_bus_message_get_expect_reply(c->message) > 0;
}

/* A caller that is gone gets no answer, and that is no failure. */
static int call_send(Call *c, sd_bus_message *reply)
{
        int r;

        if (!call_is_awaited(c))
                return 0;

        if (!(c->peer->flags & PEER_PRIVATE))
                r = sd_bus_send(c->doors->session.bus, reply, /* ret_cookie= */ NULL);
        else if (c->ahead)
                r = connection_send_ahead(c->peer->connection, reply);
        else
                r = connection_send(c->peer->connection, reply);
        return r == -ECONNRESET || r == -ENOTCONN ? 0 : r;
}

static int call_send_error(Call *c, const sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_error(c->message, &reply, error);
        if (r >= 0)
                r = call_send(c, reply);
        if (r < 0 && call_is_awaited(c)) {
                log_error_errno(r, "%s: a call cannot be answered, not even with an error: %m",
                        peer_name(c->peer));
                peer_disconnect(c->peer);
        }
        return r;
}

/* The answer could not be made: the caller is told that, instead of waiting for nothing. */
static int call_send_broken(Call *c, int error)
{
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        log_error_errno(error, "Cannot answer %s: %m", sd_bus_message_get_member(c->message));
        (void) failure_set_errno(&failure, error, "Cannot answer");
        (void) bus_error_from_failure(&e, &failure);
        (void) call_send_error(c, &e);
        return error;
}

static int call_replyv(Call *call, const char *types, va_list ap)
{
        _cleanup_(call_freep) Call *c = call;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (c->peer->flags & PEER_GONE)
                return 0;

        r = sd_bus_message_new_method_return(c->message, &reply);
        if (r >= 0 && !isempty(types))
                r = sd_bus_message_appendv(reply, types, ap);
        if (r >= 0)
                r = call_send(c, reply);
        return r < 0 ? call_send_broken(c, r) : 0;
}

int call_reply(Call *c, const char *types, ...)
{
        va_list ap;
        int r;

        va_start(ap, types);
        r = call_replyv(c, types, ap);
        va_end(ap);
        return r;
}

int call_reply_message(Call *call, sd_bus_message *reply)
{
        _cleanup_(call_freep) Call *c = call;
        int r;

        r = call_send(c, reply);
        return r < 0 ? call_send_broken(c, r) : 0;
}

int call_fail(Call *call, const Failure *failure)
{
        _cleanup_(call_freep) Call *c = call;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

        (void) bus_error_from_failure(&e, failure);
        return call_send_error(c, &e);
}

int call_finish(Call *c, const Failure *failure, const char *types, ...)
{
        va_list ap;
        int r;

        if (failure)
                return call_fail(c, failure);
        va_start(ap, types);
        r = call_replyv(c, types, ap);
        va_end(ap);
        return r;
}

int call_handed_over(Call *c, int r, const Failure *failure)
{
        if (r < 0)
                (void) call_fail(c, failure);
        return 1;
}

void doors_free_calls(Doors *d)
{
        while (d->calls)
                call_free(d->calls);
}
