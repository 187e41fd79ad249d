/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A conversation on a screen, without a bus and without a terminal. */

#include "client/tui/view/transcript.h"
#include "tests/unit/tui-fake-mirror.h"

#define NOW (1000 * USEC_PER_SEC)

typedef struct World {
        Mirror *mirror;
        Transcript *transcript;
        Screen *screen;
        usec_t now;
} World;

/* A screen of 10 by 40. */
int transcript_set_up(void **state);
int transcript_tear_down(void **state);

void resize(World *w, int rows, int columns);
void draw(World *w);
/* All rows, each with a line's end; blank ones at the end left out. */
const char *screen_text(World *w);
void assert_screen(World *w, const char *expected);
void assert_row(World *w, int row, const char *expected);

/* A row for each number: "line 1". */
MessageItem *add_lines(World *w, Role role, unsigned n);
void append(MessageItem *item, const char *text);
MessageItem *add_live(World *w, const char *text); /* for 12 seconds */
