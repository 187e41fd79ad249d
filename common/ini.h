/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files of [Section] and Key=value lines as systemd reads them: white space around keys and values
 * does not count, lines that begin with # or ; are comments, a backslash at a line's end joins it
 * with the next by a space (comment lines between are left out). A BOM at the start and CRLF are
 * understood. */

#include "common/macro.h"

#define INI_LINE_MAX KIB(16) /* continued lines together */

typedef struct IniOps {
        /* Each assignment, in order. A negative result ends the reading with it. */
        int (*assign)(const char *section, const char *key, const char *value, unsigned line,
                void *userdata);
        /* A line that could not be understood: a sentence about it. Same result. */
        int (*diagnose)(unsigned line, const char *sentence, void *userdata);
} IniOps;

/* Returns 0, -ENOMEM, or what a callback returned: no content makes it fail. line is where a joined
 * line begins, from 1. */
int ini_parse(const char *data, size_t size, const IniOps *ops, void *userdata);
