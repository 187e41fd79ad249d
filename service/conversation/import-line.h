/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One line of an import, judged by what the lines before it said. */

#include "service/conversation/import.h"

typedef struct ImportState {
        Imported *imported;
        bool began;
        uint64_t head; /* as the file has it */
        uint64_t *ids; /* the file's ids of imported->messages, increasing */
        size_t size;   /* bytes in memory, for IMPORT_CONVERSATION_MAX */
} ImportState;

void import_state_done(ImportState *s); /* not what was imported */

/* 1 when the conversation is complete. A failure's sentence says what is wrong with this line. */
int import_line(ImportState *s, const char *line, size_t size, Failure *failure);
