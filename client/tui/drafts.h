/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What was written and not sent, for each conversation, and what was sent, across all: kept in
 * $XDG_STATE_HOME/conductor/tui/ (0600) from one run to the next. Of private conversations nothing
 * is kept. Several clients may run: a draft's file is replaced whole, the history is appended to.
 */

#include "common/macro.h"

#define DRAFT_MAX     MIB(1) /* larger ones are not kept over the end of the program */
#define HISTORY_MAX   500U   /* texts, and so many bytes of them together: */
#define HISTORY_BYTES MIB(1)
#define HISTORY_TEXT  KIB(16) /* of one; a larger one is not remembered */

typedef struct Drafts Drafts;

/* Reads the history. A folder that cannot be used is no error: nothing is kept then. */
int drafts_new(Drafts **ret);
Drafts *drafts_free(Drafts *d);
DEFINE_CLEANUP(Drafts *, drafts_free)

/* id: of a conversation, "" for one that is not yet made; -EINVAL for anything else. The caller
 * frees; NULL when there is none, or none that can be read. */
int drafts_read(Drafts *d, const char *id, char **ret);
/* Text of no bytes removes it. */
int drafts_write(Drafts *d, const char *id, const char *text, size_t size);

/* The same text again is one. Other clients' are seen by the next run. What is added while another
 * client writes the file anew is written with the next one or at the end; it is only lost when
 * another one does so then, too. */
int history_add(Drafts *d, const char *text, size_t size);
/* 0 = the newest. NULL behind the oldest. Borrowed. */
const char *history_get(const Drafts *d, size_t nth);
