/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The text of an answer, one token after the other. */

#include "common/buffer.h"
#include "tests/server/script.h"

typedef struct TextSource {
        const Script *script;
        const char *echo;
        uint64_t made; /* tokens so far */
        size_t at;     /* of a text that is cut into pieces */
        uint64_t repeated;
} TextSource;

/* Appends the next token. 0 when there is none any more. */
int text_next(TextSource *t, Buffer *b);
/* The n-th token of reasoning. */
int text_reasoning(Buffer *b, uint64_t n);
