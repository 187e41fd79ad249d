/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What was written and not sent, for each conversation, and what was sent: kept in
 * $XDG_STATE_HOME/conductor/tui/ (0600) from one run to the next. Of private conversations nothing
 * is kept. Several clients may run: a draft's file is replaced whole, the history is appended to.
 *
 * What is on disk is read and written by child processes (keeper.h), but for what is read at the
 * start, before there is a screen. */

#include "common/buffer.h"

#define DRAFT_MAX     MIB(1) /* larger ones are in memory only */
#define HISTORY_MAX   500U   /* texts, and so many bytes of them together: */
#define HISTORY_BYTES MIB(1)
#define HISTORY_TEXT  KIB(16) /* of one; a larger one is not remembered */
#define DRAFT_ID      33      /* with its end */

typedef struct Drafts Drafts;

typedef enum DraftsFlags {
        DRAFTS_REMOTE = 1 << 0, /* conversations of other machines: whether they are gone is not
                                   known here */
} DraftsFlags;

/* Reads the history. A folder that cannot be used is no error: nothing is kept then. */
int drafts_new(DraftsFlags flags, Drafts **ret);
Drafts *drafts_free(Drafts *d);
DEFINE_CLEANUP(Drafts *, drafts_free)

/* ---- what was sent, in memory ---- */

/* id: of the conversation, "" for one that is not known; -EINVAL for anything else. 0: there is
 * nothing to be written: it is the newest already, or none that is remembered. */
int history_remember(Drafts *d, const char *id, const char *text, size_t size);
/* The conversation of the newest that is this text and has none. */
void history_adopt(Drafts *d, const char *text, const char *id);
/* 0 = the newest: first those of this conversation, behind them all others. NULL behind the oldest.
 * Borrowed. */
const char *history_get(const Drafts *d, const char *id, size_t nth);
/* Whether the file has more than it is worth: history_tidy(). */
bool history_is_untidy(const Drafts *d);

/* Not of these conversations, ids of 32 bytes one after another. */
void history_forget(Drafts *d, const char *ids);

/* ---- on disk: by a child process ---- */

/* Nothing, where there is none. */
int draft_read(const Drafts *d, const char *id, Buffer *ret);
typedef enum DraftWrite {
        DRAFT_REPLACE, /* by whom has read it; text of no bytes removes it */
        DRAFT_BELOW,   /* what is there comes before it, or is set aside when it cannot be read */
        DRAFT_ASIDE,   /* what is there is set aside: it could not be read */
} DraftWrite;
/* On disk when it returns. -EFBIG: too large; what is there stays. */
int draft_write(const Drafts *d, const char *id, DraftWrite how, const char *text, size_t size);
/* This was sent: if the draft begins with it, only the rest is kept. */
int draft_sent(const Drafts *d, const char *id, const char *text, size_t size);
/* How many bytes of the draft are what was sent, with the line end behind it; 0: it is not. */
size_t draft_sent_size(const char *draft, size_t size, const char *sent, size_t sent_size);

int history_write(const Drafts *d, const char *id, const char *text, size_t size);
int history_tidy(Drafts *d);

/* The ids, one after another, of all that there is something of. */
int drafts_list(const Drafts *d, Buffer *ret);
int drafts_forget(Drafts *d, const char *ids);
