/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The open conversation, drawn: messages with their text, state and attachments, from where the
 * reader is. The place is kept as a byte of a message, so that text that arrives, a new width or
 * older pages never move what is being read; only at the end it follows. */

#include "client/tui/model/mirror.h"
#include "client/tui/terminal/screen.h"

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

/* Another conversation is open, or messages changed: what was kept of them is looked up anew. */
void transcript_reset(Transcript *t);
void transcript_update(Transcript *t);

/* Draws into the area; asks the mirror for older or newer messages when the reader comes near the
 * edge of what is there. now: CLOCK_MONOTONIC, for waiting times. */
void transcript_draw(Transcript *t, Screen *screen, Area area, usec_t now);

/* Whether something that counts seconds is visible. */
bool transcript_is_waiting(const Transcript *t);

/* By rows; returns how far. */
int transcript_scroll(Transcript *t, int rows);
int transcript_page(Transcript *t, int pages);
int transcript_message(Transcript *t, int by); /* the previous (-1) or next message's first row */
void transcript_home(Transcript *t);
void transcript_end(Transcript *t);
bool transcript_at_end(const Transcript *t);
int transcript_show(Transcript *t, uint64_t message); /* at the top; marks it for a while */

/* The message that actions are about: the marked one, else the one at the middle of the screen, at
 * the end the last. */
MessageItem *transcript_current(Transcript *t);
int transcript_toggle_reasoning(Transcript *t); /* of the current message */

/* The code block under the reader: that of the current message nearest to the middle; each call in
 * a row the one before. Borrowed; -ENOENT. */
int transcript_code(Transcript *t, const char **ret, size_t *ret_size);

/* Words to be marked where they are visible; NULL for none. */
int transcript_highlight(Transcript *t, const char *words);
