/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Figures as people read them, and sentences that fit their place. Nothing here allocates: a frame
 * that shows nothing new must not. */

#include "client/tui/terminal/screen.h"

typedef struct Words {
        char text[1024];
        size_t size;
} Words;

/* What does not fit is cut at a character's end. */
void words_add(Words *w, const char *format, ...) _printf_(2, 3);

void words_add_duration(Words *w, usec_t duration); /* "7 s", "2 min 05 s", "1 h 02 min" */
void words_add_elapsed(Words *w, usec_t elapsed);   /* the same, but "85 ms", "0.4 s", "7.2 s" */
void words_add_age(Words *w, usec_t age);           /* "now", "5m", "3h", "2d", "4w", "1y" */
void words_add_count(Words *w, uint64_t n);         /* "1,234" */
void words_add_rate(Words *w, double rate);         /* "7.2", "43", "28,169" */
void words_add_bytes(Words *w, uint64_t bytes);     /* "12 KB" */

/* "3.1k of 8k"; where size is a multiple of 1024, as sizes of contexts often are, both are told in
 * that unit. size 0: unknown. */
void words_add_context(Words *w, uint64_t used, uint64_t size);

/* Draws a line; one that does not fit ends with an ellipsis. Returns the cells used. */
int words_draw(Screen *s, int row, int column, int columns, Style style, const char *text);
int words_draw_part(
        Screen *s, int row, int column, int columns, Style style, const char *text, size_t size);

/* What is no part of a word that is searched for: blanks, and the marks of a query. */
#define WORDS_SEPARATORS " \"*()"

/* The first place where one of the words is, whatever its case, and its bytes; size when there is
 * none. */
size_t words_find(const char *text, size_t size, const char *words, size_t *ret_size);
/* Marks them all in text that was drawn from this cell on, into so many columns. */
void words_mark(Screen *s, Area area, const char *text, size_t size, const char *words);

/* The row that begins at *start, wrapped at blanks; moves *start to the next one. False at the end.
 */
bool words_wrap(const char *text, int columns, size_t *start, size_t *ret_size);
