/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/held.h"

static Held *held_free(Held *h)
{
        if (!h)
                return NULL;
        free(h->text);
        return mfree(h);
}
DEFINE_CLEANUP(Held *, held_free)

static void unlink_at(HeldList *l, Held **place)
{
        Held *h = *place;

        *place = h->next;
        l->n--;
        l->bytes -= h->size;
        held_free(h);
}

Held *held_find(const HeldList *l, const char *id)
{
        Held *h = l->first;

        while (h && !streq(h->id, id))
                h = h->next;
        return h;
}

void held_drop(HeldList *l, const char *id)
{
        for (Held **place = &l->first; *place; place = &(*place)->next)
                if (streq((*place)->id, id)) {
                        unlink_at(l, place);
                        return;
                }
}

int held_put(HeldList *l, const char *id, HeldFlags flags, const char *text, size_t size)
{
        _cleanup_(held_freep) Held *h = NULL;
        Held **place = &l->first;
        int let_go = 0;

        if (strlen(id) >= DRAFT_ID)
                return -EINVAL;
        if (size > HELD_BYTES)
                return -EFBIG;
        h = calloc(1, sizeof *h);
        if (!h)
                return -ENOMEM;
        h->flags = flags;
        h->size = size;
        (void) snprintf(h->id, sizeof h->id, "%s", id);
        h->text = strndup(text, size);
        if (!h->text)
                return -ENOMEM;
        held_drop(l, id);
        for (; l->n == HELD_MAX || l->bytes + size > HELD_BYTES; let_go++)
                unlink_at(l, &l->first);
        while (*place)
                place = &(*place)->next;
        *place = TAKE_PTR(h);
        l->n++;
        l->bytes += size;
        return let_go;
}

void held_clear(HeldList *l)
{
        while (l->first)
                unlink_at(l, &l->first);
}
