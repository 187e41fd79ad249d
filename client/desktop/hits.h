/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the last searches found: a desktop asks for the ids first, and later for what they are. */

#include "client/desktop/place.h"

#define HITS_OF_SEARCH 10U  /* a desktop shows five */
#define HITS_KEPT      128U /* the oldest are forgotten */

typedef struct Hit {
        Place place;
        char *title, *snippet; /* clean lines; title is never empty */
} Hit;

void hit_done(Hit *h);

typedef struct Hits Hits;

int hits_new(Hits **ret);
Hits *hits_free(Hits *h);
DEFINE_CLEANUP(Hits *, hits_free)

/* Takes the strings; what is known already is replaced. */
void hits_keep(Hits *h, Hit *hit);
/* NULL when it is forgotten. Borrowed until the next hits_keep(). */
const Hit *hits_find(const Hits *h, const Place *place);
