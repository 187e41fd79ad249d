/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Texts that are in memory only: the disk did not take them, or they must not go there. Of each
 * conversation one, the oldest first. */

#include "client/tui/drafts.h"

#define HELD_MAX   64U     /* texts, and so many bytes of them together: */
#define HELD_BYTES MIB(32) /* at least one of the largest that can be written */

typedef enum HeldFlags {
        HELD_PRIVATE = 1 << 0, /* never goes to the disk */
        HELD_UNSURE = 1 << 1,  /* nor does this, until it is known whether it is private */
        HELD_BELOW = 1 << 2,   /* what is on disk is not yet in it, and comes before it */
} HeldFlags;

typedef struct Held Held;
struct Held {
        Held *next;
        HeldFlags flags;
        char id[DRAFT_ID];
        char *text;
        size_t size;
};

typedef struct HeldList {
        Held *first;
        size_t n, bytes;
} HeldList;

/* In the place of what was held there. Returns how many of the oldest had to be let go for it. */
int held_put(HeldList *l, const char *id, HeldFlags flags, const char *text, size_t size);
Held *held_find(const HeldList *l, const char *id); /* or NULL */
void held_drop(HeldList *l, const char *id);
void held_clear(HeldList *l);
