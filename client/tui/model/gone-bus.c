/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which conversations are gone for good: neither there nor set aside. Asked one after another. */

#include "client/tui/model/mirror-internal.h"

static int ask_next(Mirror *m);

void gone_free(Mirror *m)
{
        m->gone.ids = mfree(m->gone.ids);
}

/* Takes this one out. */
static void keep(char *at)
{
        memmove(at, at + CONVERSATION_ID, strlen(at + CONVERSATION_ID) + 1);
}

static int on_deleted(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        _cleanup_free_ char *ids = TAKE_PTR(m->gone.ids);
        ConversationItem *items;
        size_t n;
        int r;

        if (failure)
                return 0;
        r = read_conversations(answer, &items, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                for (char *at = ids; *at;)
                        if (memcmp(at, items[i].id, CONVERSATION_ID) == 0)
                                keep(at);
                        else
                                at += CONVERSATION_ID;
        list_clear_items(items, n);
        /* Of more than were told, any of these may be one. */
        if (n < ENTRIES_MAX && *ids)
                m->gone.done(ids, m->gone.userdata);
        return 0;
}

static int on_opened(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        if (!m->bus) {
                gone_free(m);
                return 0;
        }
        if (failure && failure->code == FAILURE_NO_SUCH_CONVERSATION)
                m->gone.at += CONVERSATION_ID;
        else
                keep(m->gone.ids + m->gone.at);
        return ask_next(m);
}

static int ask(Mirror *m)
{
        char id[CONVERSATION_ID + 1] = "";

        if (!m->gone.ids[m->gone.at])
                return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, "ListConversations",
                        &(MirrorCall){ .answer = on_deleted }, "a{sv}", 2, "deleted", "b", 1,
                        "limit", "u", ENTRIES_MAX);
        memcpy(id, m->gone.ids + m->gone.at, CONVERSATION_ID);
        return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, "OpenConversation",
                &(MirrorCall){ .answer = on_opened }, "s", id);
}

/* What cannot be asked is not looked for: later it may be. */
static int ask_next(Mirror *m)
{
        int r = ask(m);

        if (r < 0)
                gone_free(m);
        return r;
}

int mirror_find_gone(Mirror *m, const char *ids, mirror_gone_t done, void *userdata)
{
        if (!m->up)
                return -ENOTCONN;
        if (m->gone.ids)
                return -EBUSY;
        if (strlen(ids) % CONVERSATION_ID != 0)
                return -EINVAL;
        m->gone.ids = strdup(ids);
        if (!m->gone.ids)
                return -ENOMEM;
        m->gone.at = 0;
        m->gone.done = done;
        m->gone.userdata = userdata;
        return ask_next(m);
}
