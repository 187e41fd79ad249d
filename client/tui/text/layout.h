/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A segment as rows of styled text for a width: markdown by md4c, code by lexer.h, wrapped at words
 * and at any cluster where a word is too long. Rows hold every visible character of the text in
 * order: joined, they give it back. A line's end in a paragraph stays one: models write verses and
 * addresses. HTML is shown as text, but for <br>; $ is no mark, since prices are more frequent than
 * formulas. */

#include "client/tui/terminal/style.h"
#include "client/tui/text/segment.h"

typedef struct Run {
        uint32_t start, size; /* bytes of the layout's text */
        Style style;
        uint16_t cells;
} Run;

typedef enum RowFlags {
        ROW_FILL = 1 << 0,  /* the style of its last run goes on to the right edge: code */
        ROW_SOFT = 1 << 1,  /* the next row goes on with the same line */
        ROW_ADDED = 1 << 2, /* none of it is the source's: a border, a code's language */
} RowFlags;

typedef struct Row {
        uint32_t first_run, n_runs; /* a row of code has at least one run, if only for its style */
        uint32_t source;            /* what it shows first: bytes from the segment's start */
        uint16_t indent;            /* blank cells before */
        uint16_t flags;
} Row;

/* One block of memory. */
typedef struct Layout {
        unsigned width;
        char *text;
        Run *runs;
        Row *rows;
        size_t n_runs, n_rows;
        size_t bytes; /* of memory, all of it */
} Layout;

#define LAYOUT_WIDTH_MIN 8U
#define LAYOUT_WIDTH_MAX 1000U

typedef enum LayoutFlags {
        LAYOUT_ASCII = 1 << 0, /* bullets, rules and borders in ASCII */
        LAYOUT_PLAIN = 1 << 1, /* no markdown: the text as it is (a person's own words) */
} LayoutFlags;

/* What making a layout needs, for the next one: what is still growing is laid out with each frame.
 */
typedef struct Builder Builder;
Builder *builder_free(Builder *b);
DEFINE_CLEANUP(Builder *, builder_free)

/* width: cells; what is not within the limits is taken to them. role: what normal text is drawn as.
 * Links show their address behind their text, unless it is the same. There is always a row.
 * kept: NULL, or where the builder is, which is made when it is wanted first. */
int layout_new(const Segments *segments, size_t index, unsigned width, StyleRole role,
        LayoutFlags flags, Builder **kept, Layout **ret);
Layout *layout_free(Layout *l);
DEFINE_CLEANUP(Layout *, layout_free)
