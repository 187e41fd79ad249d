/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The list of conversations, newest first, and that of engines. */

#include "client/tui/model/mirror-internal.h"

void conversation_item_done(ConversationItem *c)
{
        free(c->title);
        free(c->model);
        *c = (ConversationItem){ 0 };
}

int conversation_item_copy(const ConversationItem *from, ConversationItem *ret)
{
        ConversationItem c = *from;

        c.title = strdup(strempty(from->title));
        c.model = strdup(strempty(from->model));
        if (!c.title || !c.model) {
                conversation_item_done(&c);
                return -ENOMEM;
        }
        *ret = c;
        return 0;
}

ConversationState conversation_state_from_string(const char *s)
{
        if (streq_ptr(s, "waiting"))
                return CONVERSATION_WAITING;
        return streq_ptr(s, "streaming") ? CONVERSATION_STREAMING : CONVERSATION_IDLE;
}

bool conversation_id_is_valid(const char *id)
{
        return strlen(id) == CONVERSATION_ID && strspn(id, "0123456789abcdef") == CONVERSATION_ID;
}

const char *conversation_id_of(const char *path)
{
        const char *id = path ? startswith(path, PATH_CONVERSATION "/") : NULL;

        return id && conversation_id_is_valid(id) ? id : NULL;
}

void conversation_path_of(const char *id, ConversationPath ret)
{
        (void) snprintf(ret, sizeof(ConversationPath), PATH_CONVERSATION "/%s", id);
}

ConversationItem *list_find(Mirror *m, const char *id)
{
        for (size_t i = 0; i < m->n_list; i++)
                if (streq(m->list[i].id, id))
                        return m->list + i;
        return NULL;
}

void list_clear_items(ConversationItem *items, size_t n)
{
        for (size_t i = 0; i < n; i++)
                conversation_item_done(items + i);
        free(items);
}

/* What only this client saw stays known. */
static void keep_own(Mirror *m, ConversationItem *items, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const ConversationItem *known = list_find(m, items[i].id);

                if (known && known->modified == items[i].modified)
                        items[i].failed = known->failed;
        }
}

void list_replace(Mirror *m, ConversationItem *items, size_t n)
{
        keep_own(m, items, n);
        list_clear_items(m->list, m->n_list);
        m->list = items;
        m->n_list = n;
}

int list_append(Mirror *m, ConversationItem *items, size_t n)
{
        ConversationItem *all;

        all = reallocarray(m->list, MAX(m->n_list + n, (size_t) 1), sizeof *all);
        if (!all) {
                list_clear_items(items, n);
                return -ENOMEM;
        }
        m->list = all;
        for (size_t i = 0; i < n; i++)
                if (list_find(m, items[i].id))
                        conversation_item_done(items + i);
                else
                        m->list[m->n_list++] = items[i];
        free(items);
        return 0;
}

void list_remove(Mirror *m, const char *id)
{
        ConversationItem *c = list_find(m, id);

        if (!c)
                return;
        conversation_item_done(c);
        m->n_list--;
        memmove(c, c + 1, (size_t) (m->list + m->n_list - c) * sizeof *c);
}

/* Mostly one has moved to the top: so by insertion. */
void list_sort(Mirror *m)
{
        for (size_t i = 1; i < m->n_list; i++) {
                ConversationItem c = m->list[i];
                size_t to = i;

                while (to > 0 && m->list[to - 1].modified < c.modified)
                        to--;
                if (to == i)
                        continue;
                memmove(m->list + to + 1, m->list + to, (i - to) * sizeof c);
                m->list[to] = c;
        }
}

const ConversationItem *mirror_list(const Mirror *m, size_t *ret_n)
{
        *ret_n = m->n_list;
        return m->list;
}

bool mirror_list_has_more(const Mirror *m)
{
        return m->more;
}

/* ---- engines ---- */

void engines_clear(EngineItem *items, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(items[i].name);
                free(items[i].state);
        }
        free(items);
}

void engines_replace(Mirror *m, EngineItem *items, size_t n)
{
        engines_clear(m->engines, m->n_engines);
        m->engines = items;
        m->n_engines = n;
}

const EngineItem *mirror_engines(const Mirror *m, size_t *ret_n)
{
        *ret_n = m->n_engines;
        return m->engines;
}
