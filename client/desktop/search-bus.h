/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service's search, for others' calls: as many at once as they like to begin, within a limit,
 * and each is answered. */

#include "client/desktop/hits.h"
#include "client/desktop/session-bus.h"

#define SEARCHES_MAX 64U /* at once; more find nothing */

typedef struct Search Search;

int search_new(Session *session, Search **ret);
Search *search_free(Search *s);
DEFINE_CLEANUP(Search *, search_free)

/* Answers the call with what was found, newest first, at most HITS_OF_SEARCH. */
typedef int (*search_answer_t)(sd_bus_message *call, const Hit *hits, size_t n);

int search_begin(Search *s, sd_bus_message *call, const char *query, search_answer_t answer);
/* One of an earlier search, or NULL. */
const Hit *search_find(const Search *s, const Place *place);
