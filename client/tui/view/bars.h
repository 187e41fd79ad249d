/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What stands around the conversation: the list at the left, the status line below. */

#include "client/tui/model/mirror.h"
#include "client/tui/terminal/screen.h"

typedef struct List {
        size_t selected, first; /* first: the topmost row shown */
} List;

/* Draws, and keeps the selected one visible. focused: it has the keys. */
void list_draw(List *l, const Mirror *m, Screen *screen, Area area, bool focused, bool ascii);
/* The conversation at this row of the area, or -1. */
ssize_t list_at(const List *l, const Mirror *m, Area area, int row);

/* Model, engine and its state, context, tokens per second, what is going on in words and seconds;
 * what matters less goes first when it is narrow. notice: a sentence over the rest, or NULL. */
void status_draw(
        const Mirror *m, Screen *screen, Area area, const char *notice, usec_t now, bool ascii);
