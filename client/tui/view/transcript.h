/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The open conversation, drawn: messages with their text, state and attachments, from where the
 * reader is. The place is kept as a byte of a message, so that text that arrives, a new width or
 * older pages never move what is being read; only at the end it follows. */

#include "client/tui/model/mirror.h"
#include "client/tui/terminal/screen.h"

#define TRANSCRIPT_COLUMNS_MAX 100 /* of text: longer lines are hard to read */

typedef struct Transcript Transcript;

int transcript_new(Mirror *mirror, Transcript **ret);
Transcript *transcript_free(Transcript *t);
DEFINE_CLEANUP(Transcript *, transcript_free)

typedef enum TranscriptFlags {
        TRANSCRIPT_REASONING = 1 << 0, /* unfolded for all */
        TRANSCRIPT_METADATA = 1 << 1,  /* a line of figures below each reply */
        TRANSCRIPT_ASCII = 1 << 2,
} TranscriptFlags;

void transcript_set_flags(Transcript *t, TranscriptFlags flags);

/* What the hints name, where keys were configured; NULL: the default. Borrowed. */
typedef struct TranscriptKeys {
        const char *help, *palette, *newline, *retry, *resume;
} TranscriptKeys;

void transcript_set_keys(Transcript *t, const TranscriptKeys *keys);

/* Another conversation may be open: starts at its end, if so. */
void transcript_reset(Transcript *t);
/* Messages changed: what was kept of them is looked up anew. */
void transcript_update(Transcript *t);

/* Draws into the area; asks the mirror for older or newer messages when the reader comes near the
 * edge of what is there. now: CLOCK_MONOTONIC, for waiting times. Allocates only to lay out text
 * that was not visible before. */
void transcript_draw(Transcript *t, Screen *screen, Area area, usec_t now);

/* Of what was drawn last: the widest area of so many rows, at the bottom right, with nothing
 * written in it nor right beside it; of no columns when there is none. For the avatar, which never
 * covers text: ask for the rows of its largest size first, then of smaller ones. Lines are wrapped
 * at TRANSCRIPT_COLUMNS_MAX, so on a wide screen it is always there; on a narrow one where lines
 * are short or the conversation ends above. */
Area transcript_free_area(const Transcript *t, int rows);

/* Whether something that counts seconds is visible. */
bool transcript_is_waiting(const Transcript *t);

/* By rows; returns how far (up: < 0). All of these want to have been drawn once. */
int transcript_scroll(Transcript *t, int rows);
int transcript_page(Transcript *t, int pages);
/* The previous (-1) or next message's first row, and marks it; returns whether there was one. */
int transcript_message(Transcript *t, int by);
void transcript_home(Transcript *t);
void transcript_end(Transcript *t);
/* At the top, and marks it until the reader moves on. 1; 0: it is not there, and is shown as soon
 * as it is (see mirror_open()). */
int transcript_show(Transcript *t, uint64_t message);

/* The message that actions are about: the marked one, else the one at the middle of the screen, at
 * the end the last. NULL: there is none. */
MessageItem *transcript_current(Transcript *t);
int transcript_toggle_reasoning(Transcript *t); /* of the current message; -ENOENT, -ENOMEM */

/* The code block under the reader: that nearest to the middle of the screen, at the end the last;
 * each call in a row the one before. Borrowed until the next call or frame; -ENOENT. */
int transcript_code(Transcript *t, const char **ret, size_t *ret_size);

/* Words to be marked where they are visible; NULL for none. */
int transcript_highlight(Transcript *t, const char *words);
