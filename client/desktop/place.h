/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A message as a desktop names it, in one word: CONVERSATION/MESSAGE. */

#include "client/bus/limits.h"

#define PLACE_MAX (CONVERSATION_ID + sizeof "/18446744073709551615")

typedef struct Place {
        char conversation[CONVERSATION_ID + 1];
        uint64_t message; /* 0 = the end */
} Place;

/* From the conversation's object path; -EINVAL for another one's. */
int place_of(const char *path, uint64_t message, Place *ret);
void place_format(const Place *p, char ret[static PLACE_MAX]);
/* -EINVAL, -ERANGE: it comes from outside. */
int place_parse(const char *word, Place *ret);
