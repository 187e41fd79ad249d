/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One answer to a question: made as its script says, token by token. */

#include "tests/server/connection.h"
#include "tests/server/format.h"

typedef struct Question {
        Format format;
        const char *model;
        const char *echo; /* what was asked, in words: for @text=echo */
        bool stream, include_usage;
        uint64_t tokens_in;
} Question;

/* Takes the script over, also on failure. The answer belongs to the connection, which frees it. */
int answer_start(Connection *c, const Question *question, Script *script);
Answer *answer_free(Answer *a);

/* Makes what is due and what there is room for. */
void answer_pump(Answer *a);
/* It stopped because its reader is slow. */
bool answer_wants_room(const Answer *a);
/* Lets answers at @fault=hold go on to their end, and those at @fault=step by one token. */
void answer_release(Answer *a);
