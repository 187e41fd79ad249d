/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A message's source cut into segments, as it comes: what a later byte can no longer change is
 * closed for ever. So a growing reply costs what is new, whatever was before. A segment is a part
 * that can be laid out alone: a paragraph, a heading, one item of a list at any depth, a table, a
 * quote, a piece of fenced code. What the segments are depends on the bytes so far, never on how
 * they were cut on their way. Nothing here is markdown's fine print: that is layout-markdown.c's.
 */

#include "common/buffer.h"

/* A segment is closed at the latest here, at a cluster's end: a line of 10 MB is many segments. */
#define SEGMENT_BYTES_MAX  KIB(16)
#define SEGMENT_LINES_MAX  64U /* of code and of plain text */
#define SEGMENT_DEPTH_MAX  12U /* of lists in lists */
#define SEGMENT_INDENT_MAX 200U

typedef enum SegmentKind {
        SEGMENT_PROSE, /* markdown */
        SEGMENT_CODE,  /* lines of a fenced block, without the fences */
        SEGMENT_PLAIN, /* lines as they are */
} SegmentKind;

typedef enum SegmentFlags {
        SEGMENT_OPEN = 1 << 0, /* the last one, and the one before while a line is unfinished */
        SEGMENT_BLANK_BEFORE = 1 << 1, /* a blank row sets it apart */
        SEGMENT_FIRST = 1 << 2,        /* of its fenced block: shows the language */
        SEGMENT_LAST = 1 << 3,         /* of its fenced block, which has ended */
        SEGMENT_CONTINUED = 1 << 4,    /* goes on with the line of the segment before */
} SegmentFlags;

typedef struct Segment {
        uint32_t start, size; /* bytes of the source, without the end of the last line; the lines
                               * of fences and blank lines between segments belong to none */
        uint32_t language;    /* code: the info string's first word, in the source */
        uint32_t number;      /* an item of a numbered list: its number */
        uint32_t lexer_state; /* where the code before it left off (lexer.h) */
        uint16_t indent;      /* columns of the lists around it, which its lines begin with */
        uint8_t n_language;
        uint8_t depth;        /* lists around it … */
        uint8_t margin;       /* … and the cells that their marks take on a screen */
        SegmentKind kind : 8; /* a byte each: there may be a million */
        SegmentFlags flags : 8;
} Segment;

/* An item of a list whose text may go on. */
typedef struct ListLevel {
        uint32_t number;
        uint16_t offset; /* the column where its text begins */
        uint8_t margin;  /* … and the cell on a screen */
        char marker;
} ListLevel;

typedef enum SegmentMode {
        MODE_NONE, /* the next line begins a segment */
        MODE_PARAGRAPH,
        MODE_QUOTE,
        MODE_INDENTED,
        MODE_CODE,
        MODE_PLAIN,
} SegmentMode;

/* Where the reading of lines stands. */
typedef struct SegmentState {
        size_t position; /* what is before it was taken in for ever */
        size_t line;     /* where the last line taken in begins */
        size_t n_items;
        SegmentMode mode;
        ListLevel lists[SEGMENT_DEPTH_MAX];
        unsigned n_lists;
        unsigned depth;      /* lists around the paragraph that is open */
        unsigned lines;      /* of this segment */
        unsigned fence_size; /* of the fence that is open */
        char fence;
        bool blank;   /* a blank line was the last one */
        bool in_line; /* position is inside a long line */
} SegmentState;

typedef struct Segments {
        Buffer source;
        Segment *items;
        size_t n_items, n_allocated;
        bool plain; /* no markdown: set it before the first byte */

        /* segment.c's own: the state before the unfinished line, and the segment that was open. */
        SegmentState state;
        Segment open;
} Segments;

#define SEGMENTS_INIT(bytes) ((Segments){ .source = BUFFER_INIT(bytes) })
void segments_done(Segments *s);

/* text may end anywhere. *ret_changed (may be NULL): the first segment that is another one now.
 * -EFBIG: over the maximum, nothing changed; -ENOMEM: the next call makes up for it. */
int segments_append(Segments *s, const char *text, size_t size, size_t *ret_changed);

/* Nothing more will come: the last one is closed. */
int segments_finish(Segments *s, size_t *ret_changed);

/* The fence's or list's columns that a line of the segment begins with, at most: bytes to leave
 * out. */
size_t segment_line_indent(const Segment *segment, const char *line, size_t size);
