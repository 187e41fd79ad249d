/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A segment of markdown on its way into rows: blocks are layout-markdown.c's, what is in a line
 * layout-inline.c's. */

#include <md4c.h>

#include "client/tui/text/layout-build.h"

#define LISTS_MAX 16U
#define LINKS_MAX 4U /* an image in a link … */
#define HREF_MAX  KIB(4)

typedef struct List {
        bool numbered, loose;
        char delimiter;
        uint32_t number;
        size_t n_items;
} List;

typedef struct Link {
        size_t start; /* of its text */
        Buffer address;
} Link;

/* Where a line of the text given to md4c was in the segment. */
typedef struct LineStart {
        uint32_t copy, source;
} LineStart;

typedef struct Markdown {
        Builder *b;
        const Segment *segment;
        const char *text;
        size_t size;
        Buffer copy; /* the text without the indentation of lists around it */
        LineStart *starts;
        size_t n_starts, starts_allocated;

        Flow flow;
        Flow *target; /* that, or a table's cell */
        Table table;
        Code code;
        Buffer language;
        List lists[LISTS_MAX];
        unsigned n_lists, n_quotes, n_skipped;
        Link links[LINKS_MAX];
        unsigned n_links;
        unsigned emphasis, strong, strike, span_code, heading;
        bool in_code, in_head, in_table;
        bool shown; /* something, in this container */
} Markdown;

/* md4c's callbacks; userdata is the Markdown. */
int inline_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *userdata);
int inline_enter_span(MD_SPANTYPE type, void *detail, void *userdata);
int inline_leave_span(MD_SPANTYPE type, void *detail, void *userdata);
