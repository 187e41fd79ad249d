/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The list of conversations, read again when it changed in a way that its signals do not say. */

#include "client/tui/model/mirror-internal.h"

static int on_list(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        ConversationItem *items;
        size_t n;
        int r;

        if (failure)
                return 0;
        r = read_conversations(answer, &items, &n);
        if (r < 0)
                return r;
        list_replace(m, items, n);
        m->more = n == call->id;
        mirror_tell(m, MIRROR_LIST);
        if (!m->list_stale)
                return 0;
        m->list_stale = false;
        return list_refresh(m);
}

/* One at a time: what changes meanwhile is one more. */
int list_refresh(Mirror *m)
{
        uint32_t limit = MIN(MAX((uint32_t) m->n_list, MIRROR_PAGE), ENTRIES_MAX);

        if (mirror_has_call(m, CALL_LIST)) {
                m->list_stale = true;
                return 0;
        }
        return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, "ListConversations",
                &(MirrorCall){ .flags = CALL_LIST, .answer = on_list, .id = limit }, "a{sv}", 1,
                "limit", "u", limit);
}

static int on_more(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        ConversationItem *items;
        size_t n;
        int r;

        if (failure)
                return m->bus ? list_refresh(m) : 0; /* the one that it began after may be gone */
        r = read_conversations(answer, &items, &n);
        if (r < 0)
                return r;
        m->more = n == MIRROR_PAGE;
        r = list_append(m, items, n);
        mirror_tell(m, MIRROR_LIST);
        if (r < 0 || !m->list_stale)
                return r;
        m->list_stale = false;
        return list_refresh(m);
}

int mirror_list_more(Mirror *m)
{
        if (!m->up)
                return -ENOTCONN;
        if (!m->more || m->n_list == 0 || mirror_has_call(m, CALL_LIST))
                return 0;
        return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, "ListConversations",
                &(MirrorCall){ .flags = CALL_LIST, .answer = on_more }, "a{sv}", 2, "limit", "u",
                (uint32_t) MIRROR_PAGE, "before", "s", m->list[m->n_list - 1].id);
}

/* ---- one conversation ---- */

typedef struct Properties {
        const char *title, *model, *state;
        uint64_t head, messages, used, size, created, modified;
        int archived, private; /* negative: not said */
} Properties;

static int update(ConversationItem *c, const Properties *p)
{
        int r = 0;

        if (p->title)
                r = free_and_strdup(&c->title, p->title);
        if (r >= 0 && p->model)
                r = free_and_strdup(&c->model, p->model);
        if (p->state)
                c->state = conversation_state_from_string(p->state);
        if (p->messages != UINT64_MAX)
                c->messages = p->messages;
        if (p->created > 0)
                c->created = p->created;
        if (p->modified > 0)
                c->modified = p->modified;
        if (p->archived >= 0)
                c->archived = p->archived;
        if (p->private >= 0) {
                c->private = p->private;
                c->known = true;
        }
        return r;
}

static int update_open(Mirror *m, const Properties *p)
{
        int r;

        r = update(&m->open.item, p);
        if (p->used != UINT64_MAX)
                m->open.context_used = p->used;
        if (p->size != UINT64_MAX)
                m->open.context_size = p->size;
        if (p->head != UINT64_MAX)
                open_head_changed(m, p->head);
        mirror_tell(m, MIRROR_OPEN);
        return r;
}

int conversation_read_properties(Mirror *m, const char *id, sd_bus_message *message)
{
        Properties p = {
                .head = UINT64_MAX,
                .messages = UINT64_MAX,
                .used = UINT64_MAX,
                .size = UINT64_MAX,
                .archived = -1,
                .private = -1,
        };
        const Field fields[] = {
                { "Title", 's', &p.title },
                { "Model", 's', &p.model },
                { "State", 's', &p.state },
                { "Head", 't', &p.head },
                { "Messages", 't', &p.messages },
                { "ContextUsed", 't', &p.used },
                { "ContextSize", 't', &p.size },
                { "Created", 't', &p.created },
                { "Modified", 't', &p.modified },
                { "Archived", 'b', &p.archived },
                { "Private", 'b', &p.private },
        };
        ConversationItem *c = list_find(m, id);
        int r;

        r = read_dictionary(message, fields, ELEMENTSOF(fields));
        if (r < 0)
                return r;
        if (c && p.archived > 0) {
                list_remove(m, id);
                mirror_tell(m, MIRROR_LIST);
        } else if (c) {
                usec_t before = c->modified;

                r = update(c, &p);
                if (c->modified != before)
                        list_sort(m);
                mirror_tell(m, MIRROR_LIST);
        } else if (p.archived == 0 || (p.modified > 0 && p.archived < 0))
                r = list_refresh(m);
        if (r >= 0 && streq(id, m->open.item.id))
                r = update_open(m, &p);
        return r;
}

/* ---- engines ---- */

static int on_engines(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        EngineItem *items;
        size_t n;
        int r;

        if (failure)
                return 0;
        r = read_engines(answer, &items, &n);
        if (r < 0)
                return r;
        engines_replace(m, items, n);
        mirror_tell(m, MIRROR_ENGINES);
        return 0;
}

int engines_refresh(Mirror *m)
{
        mirror_drop_calls(m, CALL_ENGINES);
        return mirror_call_with(m, PATH_ROOT, INTERFACE_MANAGER, "ListEngines",
                &(MirrorCall){ .flags = CALL_ENGINES, .answer = on_engines }, "");
}
