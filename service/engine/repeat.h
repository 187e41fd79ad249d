/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A flood of tokens comes in lines that differ in nothing but the token (and Ollama's time stamp).
 * When the bytes around the text are those of a line that was parsed before, and the text needs no
 * unescaping, then the line is as valid as that one and means the same with another text: it is not
 * parsed again. This is several times faster than any parser. Any other line goes to the parser. */

#include "common/macro.h"

#define REPEAT_LINE_MAX 1024 /* longer lines are always parsed */

typedef struct Repeat {
        char line[REPEAT_LINE_MAX];
        size_t size;                   /* 0 = nothing learnt */
        size_t stamp_start, stamp_end; /* before the text; equal = none */
        size_t text_start, text_end;
} Repeat;

/* The line was parsed, and all that it brought was this text, the string member key. */
void repeat_learn(Repeat *r, const char *line, size_t size, const char *key, const char *text,
        size_t text_size);

/* Is this the learnt line with another text? The text is borrowed from line; it may be empty. */
bool repeat_match(
        const Repeat *r, const char *line, size_t size, const char **ret, size_t *ret_size);
