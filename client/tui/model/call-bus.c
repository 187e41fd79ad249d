/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls to the service: none waits, none has a limit of time; the connection's end ends them. */

#include <stdarg.h>

#include "client/bus/call.h"
#include "client/tui/model/mirror-internal.h"
#include "common/log.h"

static void unlink_call(MirrorCall *call)
{
        *call->previous = call->next;
        if (call->next)
                call->next->previous = call->previous;
}

static void free_call(MirrorCall *call)
{
        sd_bus_slot_unref(call->slot);
        free(call);
}

/* The call is on no list any more: whoever is told may ask for the same again. */
static void finish(MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        _cleanup_failure_ Failure unread = FAILURE_NULL;
        int r = 0;

        if (call->answer)
                r = call->answer(call->mirror, call, answer, failure);
        if (r < 0 && !failure) {
                (void) failure_set_errno(&unread, r, "The service's answer cannot be read");
                log_debug_errno(r, "An answer cannot be read: %m");
                failure = &unread;
        }
        if (call->done)
                call->done(failure, call->userdata);
        free_call(call);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        MirrorCall *call = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        unlink_call(call);
        if (error)
                (void) client_fail(&failure, -sd_bus_message_get_errno(m), error);
        finish(call, error ? NULL : m, error ? &failure : NULL);
        return 0;
}

static void count(Mirror *m, const char *member)
{
        for (size_t i = 0; i < ELEMENTSOF(m->counted); i++) {
                if (!m->counted[i].member)
                        m->counted[i].member = member;
                if (streq(m->counted[i].member, member)) {
                        m->counted[i].n++;
                        return;
                }
        }
}

unsigned mirror_count_calls(const Mirror *m, const char *member)
{
        for (size_t i = 0; i < ELEMENTSOF(m->counted) && m->counted[i].member; i++)
                if (streq(m->counted[i].member, member))
                        return m->counted[i].n;
        return 0;
}

/* member: a constant. */
int mirror_new_call(Mirror *m, const char *path, const char *interface, const char *member,
        sd_bus_message **ret)
{
        if (!m->bus)
                return -ENOTCONN;
        count(m, member);
        return client_new_call(m->bus, path, interface, member, ret);
}

int mirror_call(Mirror *m, sd_bus_message *message, const MirrorCall *template)
{
        MirrorCall *call;
        int r;

        call = malloc(sizeof *call);
        if (!call)
                return -ENOMEM;
        *call = *template;
        call->flags |= CALL_ANY;
        call->mirror = m;
        call->slot = NULL;
        r = sd_bus_call_async(m->bus, &call->slot, message, on_answer, call, UINT64_MAX);
        if (r < 0) {
                free(call);
                return r;
        }
        call->next = m->calls;
        call->previous = &m->calls;
        if (call->next)
                call->next->previous = &call->next;
        m->calls = call;
        return 0;
}

int mirror_call_with(Mirror *m, const char *path, const char *interface, const char *member,
        const MirrorCall *template, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        va_list ap;
        int r;

        r = mirror_new_call(m, path, interface, member, &message);
        if (r < 0)
                return r;
        va_start(ap, types);
        r = sd_bus_message_appendv(message, types, ap);
        va_end(ap);
        if (r < 0)
                return r;
        return mirror_call(m, message, template);
}

int mirror_call_quietly(Mirror *m, const char *path, const char *member, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        va_list ap;
        int r;

        r = mirror_new_call(m, path, INTERFACE_CONVERSATION, member, &message);
        if (r < 0)
                return r;
        va_start(ap, types);
        r = sd_bus_message_appendv(message, types, ap);
        va_end(ap);
        if (r < 0)
                return r;
        r = sd_bus_message_set_expect_reply(message, false);
        if (r < 0)
                return r;
        r = sd_bus_message_set_auto_start(message, false);
        if (r < 0)
                return r;
        return sd_bus_send(m->bus, message, NULL);
}

bool mirror_has_call(const Mirror *m, unsigned flags)
{
        for (const MirrorCall *c = m->calls; c; c = c->next)
                if (c->flags & flags)
                        return true;
        return false;
}

void mirror_drop_calls(Mirror *m, unsigned flags)
{
        for (MirrorCall *c = m->calls, *next; c; c = next) {
                next = c->next;
                if (!(c->flags & flags))
                        continue;
                if (c->done && flags != CALL_ANY) {
                        /* What it did is a person's doing, who is told of it. */
                        c->answer = NULL;
                        c->flags = CALL_ANY;
                        continue;
                }
                unlink_call(c);
                free_call(c);
        }
}

void mirror_fail_calls(Mirror *m, const Failure *failure)
{
        MirrorCall *c;

        while ((c = m->calls)) {
                unlink_call(c);
                c->slot = sd_bus_slot_unref(c->slot);
                finish(c, NULL, failure);
        }
}
