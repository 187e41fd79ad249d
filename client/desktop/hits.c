/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/hits.h"

struct Hits {
        Hit kept[HITS_KEPT];
        size_t next; /* where the oldest is */
};

void hit_done(Hit *h)
{
        h->title = mfree(h->title);
        h->snippet = mfree(h->snippet);
}

int hits_new(Hits **ret)
{
        Hits *h = calloc(1, sizeof *h);

        if (!h)
                return -ENOMEM;
        *ret = h;
        return 0;
}

Hits *hits_free(Hits *h)
{
        if (!h)
                return NULL;
        for (size_t i = 0; i < HITS_KEPT; i++)
                hit_done(&h->kept[i]);
        free(h);
        return NULL;
}

const Hit *hits_find(const Hits *h, const Place *place)
{
        for (size_t i = 0; i < HITS_KEPT; i++)
                if (h->kept[i].title && h->kept[i].place.message == place->message &&
                        streq(h->kept[i].place.conversation, place->conversation))
                        return &h->kept[i];
        return NULL;
}

void hits_keep(Hits *h, Hit *hit)
{
        Hit *place = (Hit *) hits_find(h, &hit->place);

        if (!place) {
                place = &h->kept[h->next];
                h->next = (h->next + 1) % HITS_KEPT;
        }
        hit_done(place);
        *place = *hit;
        *hit = (Hit){ 0 };
}
