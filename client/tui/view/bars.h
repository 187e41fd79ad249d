/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What stands around the conversation: the list at the left, the status line below. */

#include "client/tui/model/mirror.h"
#include "client/tui/terminal/screen.h"

typedef struct List {
        size_t selected, first; /* first: the topmost row shown */
} List;

/* Draws, with a line at the right edge, and keeps the selected one visible; asks the mirror for
 * more when the end of what is there comes into sight. focused: it has the keys. */
void list_draw(List *l, Mirror *m, Screen *screen, Area area, bool focused, bool ascii);
/* The conversation at this row of the area (0: its first), or -1. */
ssize_t list_at(const List *l, const Mirror *m, Area area, int row);

/* What is going on in words and seconds, model, engine and its state, context, tokens per second;
 * what matters less goes first when it is narrow. now: CLOCK_MONOTONIC. */
void status_draw(Mirror *m, Screen *screen, Area area, usec_t now, bool ascii);

/* A sentence above the status line, whole: the rows that it wants, of at most so many. What does
 * not fit into the area ends with an ellipsis. */
int notice_rows(const char *sentence, int columns, int most);
void notice_draw(Screen *screen, Area area, const char *sentence);
