/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The open conversation: a window of its messages, oldest first, on one branch. */

#include "client/tui/model/mirror-internal.h"

static Message *at(const Mirror *m, size_t i)
{
        return message_of(m->open.messages[i]);
}

Message *window_find(const Mirror *m, uint64_t id)
{
        for (size_t i = m->open.n; i > 0; i--)
                if (m->open.messages[i - 1]->id == id)
                        return at(m, i - 1);
        return NULL;
}

bool window_is_at_beginning(const Mirror *m)
{
        return m->open.n == 0 || m->open.messages[0]->parent == 0;
}

/* Drops n messages, from the index on. */
static void drop(Mirror *m, size_t first, size_t n)
{
        OpenConversation *o = &m->open;

        for (size_t i = first; i < first + n; i++)
                message_free(at(m, i));
        o->n -= n;
        if (o->n > first)
                memmove(o->messages + first, o->messages + first + n,
                        (o->n - first) * sizeof *o->messages);
}

void window_clear(Mirror *m)
{
        OpenConversation *o = &m->open;

        for (size_t i = 0; i < o->n; i++)
                message_free(at(m, i));
        free(o->messages);
        o->messages = NULL;
        o->n = o->allocated = 0;
}

static int grow(OpenConversation *o, size_t n)
{
        MessageItem **more;
        size_t wanted;

        if (o->n + n <= o->allocated)
                return 0;
        wanted = MAX(o->n + n, 2 * o->allocated);
        more = reallocarray(o->messages, wanted, sizeof *more);
        if (!more)
                return -ENOMEM;
        o->messages = more;
        o->allocated = wanted;
        return 0;
}

static bool contains(MessageItem *const *messages, size_t n, const MessageItem *item)
{
        for (size_t i = 0; i < n; i++)
                if (messages[i] == item)
                        return true;
        return false;
}

void window_replace(Mirror *m, MessageItem **messages, size_t n)
{
        OpenConversation *o = &m->open;

        for (size_t i = 0; i < o->n; i++)
                if (!contains(messages, n, o->messages[i]))
                        message_free(at(m, i));
        free(o->messages);
        o->messages = messages;
        o->n = o->allocated = n;
}

int window_prepend(Mirror *m, MessageItem **messages, size_t n)
{
        OpenConversation *o = &m->open;
        int r;

        r = grow(o, n);
        if (r < 0)
                return r;
        memmove(o->messages + n, o->messages, o->n * sizeof *o->messages);
        memcpy(o->messages, messages, n * sizeof *messages);
        o->n += n;
        if (o->n > MIRROR_KEPT) {
                drop(m, MIRROR_KEPT, o->n - MIRROR_KEPT);
                o->newer = true;
        }
        return 0;
}

int window_append(Mirror *m, MessageItem **messages, size_t n)
{
        OpenConversation *o = &m->open;
        int r;

        r = grow(o, n);
        if (r < 0)
                return r;
        if (n > 0)
                memcpy(o->messages + o->n, messages, n * sizeof *messages);
        o->n += n;
        if (o->n > MIRROR_KEPT)
                drop(m, 0, o->n - MIRROR_KEPT);
        return 0;
}

int window_attach(Mirror *m, Message *msg, bool *ret_sibling)
{
        OpenConversation *o = &m->open;
        uint64_t parent = msg->item.parent;
        MessageItem *item = &msg->item;
        size_t i = o->n;

        while (i > 0 && o->messages[i - 1]->id != parent)
                i--;
        if (i == 0 && (parent != 0 || !window_is_at_beginning(m)))
                return -ENOENT;
        *ret_sibling = i < o->n;
        drop(m, i, o->n - i);
        o->newer = false;
        return window_append(m, &item, 1);
}

void open_reset_stream(OpenConversation *o)
{
        o->following = false;
        o->reply = o->sequence = o->promised = 0;
        o->unacknowledged = 0;
        o->unacknowledged_bytes = 0;
}

void open_done(OpenConversation *o)
{
        conversation_item_done(&o->item);
        free(o->model);
}

int open_set(Mirror *m, const char *id)
{
        const ConversationItem *known = list_find(m, id);
        const unsigned generation = m->open.generation + 1;
        ConversationItem item = { 0 };
        int r;

        r = conversation_item_copy(known ? known : &(ConversationItem){ 0 }, &item);
        if (r < 0)
                return r;
        window_clear(m);
        open_done(&m->open);
        m->open = (OpenConversation){ .item = item, .generation = generation };
        (void) snprintf(m->open.item.id, sizeof m->open.item.id, "%s", id);
        conversation_path_of(id, m->open.path);
        return 0;
}

/* ---- what is handed out ---- */

const ConversationItem *mirror_open_conversation(const Mirror *m)
{
        return *m->open.item.id ? &m->open.item : NULL;
}

bool mirror_new_is_private(const Mirror *m)
{
        return m->open.private;
}

void mirror_context(const Mirror *m, uint64_t *ret_used, uint64_t *ret_size)
{
        *ret_used = m->open.context_used;
        *ret_size = m->open.context_size;
}

bool mirror_has_older(const Mirror *m)
{
        return !window_is_at_beginning(m);
}

bool mirror_has_newer(const Mirror *m)
{
        return m->open.newer;
}

bool mirror_is_loading(const Mirror *m)
{
        return mirror_has_call(m, CALL_PAGE);
}

/* The first of them: others wait for it. */
MessageItem *mirror_live(const Mirror *m)
{
        for (size_t i = 0; i < m->open.n; i++)
                if (m->open.messages[i]->live)
                        return m->open.messages[i];
        return NULL;
}
