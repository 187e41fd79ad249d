/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What segment.c (the stream, and how long segments become) and segment-markdown.c (what a line
 * begins) know of each other. */

#include "client/tui/text/segment.h"

/* A line, or the beginning of one that is too long to be looked at as a whole. */
typedef struct Line {
        size_t start, end; /* in the source, without \n and the \r before it */
        size_t bytes;      /* of white space at its beginning */
        unsigned column;   /* where the text behind that begins */
        bool whole;
} Line;

/* The line behind its white space. */
const char *segments_line_text(const Segments *s, const Line *line, size_t *ret_size);

Segment *segments_last(Segments *s);

/* The cells that the marks of the first n lists take. */
uint8_t lists_margin(const SegmentState *st, unsigned n);

/* A new segment that begins here; indent and depth say how its lines begin. */
int segments_open(Segments *s, SegmentState *st, SegmentKind kind, size_t start, unsigned indent,
        unsigned depth);
/* The open segment goes on in another one from here on. */
int segments_split(Segments *s, SegmentState *st, size_t start, SegmentFlags flags);
/* The open segment now reaches to here. */
int segments_extend(Segments *s, SegmentState *st, size_t end);
/* The line belongs to the open segment, unless that would become too long. */
int segments_extend_line(Segments *s, SegmentState *st, const Line *line);

/* A line of the fenced block that is open, or its end. */
int segments_code_line(Segments *s, SegmentState *st, const Line *line);
/* Any other line that is not blank. */
int segments_markdown_line(Segments *s, SegmentState *st, Line *line);
