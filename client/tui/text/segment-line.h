/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One line of markdown, by its beginning: what it may start. */

#include "common/macro.h"

/* Bytes of a line that decide what it is; what is longer is text. */
#define LINE_LOOK KIB(4)

typedef struct Marker {
        char type;       /* '-', '+', '*', '.', ')' */
        uint32_t number; /* of a numbered one */
        size_t size;     /* bytes */
        bool empty;      /* nothing behind it on this line */
} Marker;

/* Columns of the white space that the line begins with, tabs to every fourth; *ret_bytes of it. */
unsigned line_indent(const char *line, size_t size, unsigned column, size_t *ret_bytes);

/* All of these look at a line behind its indentation. */
bool line_is_heading(const char *line, size_t size);
bool line_is_rule(const char *line, size_t size);
bool line_is_setext(const char *line, size_t size); /* the line of dashes below a heading */
bool line_is_table(const char *line, size_t size);  /* the line below a table's head */
bool line_marker(const char *line, size_t size, Marker *ret);

/* An opening fence: its size, else 0. */
unsigned line_fence(const char *line, size_t size);
bool line_closes_fence(const char *line, size_t size, char fence, unsigned fence_size);

/* Of an unfinished line: what it shows may be a mark that the next byte explains. */
bool line_is_ambiguous(const char *line, size_t size);
