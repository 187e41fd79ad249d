/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a person sees as one character (an extended grapheme cluster, UAX #29) and how many cells of
 * a terminal it takes. Terminals differ: what this one does is measured once, by terminal.c. */

#include "common/macro.h"

/* The terminal's ways with sequences; the default are those of a terminal that knows Unicode 9 and
 * newer. */
typedef enum WidthWays {
        WIDTH_JOINS_ZWJ = 1 << 0,   /* emoji joined by U+200D are one, of two cells */
        WIDTH_VS16_WIDENS = 1 << 1, /* U+FE0F makes a narrow character two cells wide */
        WIDTH_PAIRS_FLAGS = 1 << 2, /* two regional indicators are one, of two cells */
        WIDTH_JOINS_SKIN = 1 << 3,  /* a skin tone adds no cells to its emoji */
        WIDTH_MARKS_ADD = 1 << 4,   /* a spacing mark (Devanagari, Thai am) has a cell of its own */
        WIDTH_MEASURED = 1 << 5,    /* the terminal said so: what is above can be relied on */
} WidthWays;

#define WIDTH_WAYS_DEFAULT \
        (WIDTH_JOINS_ZWJ | WIDTH_VS16_WIDENS | WIDTH_PAIRS_FLAGS | WIDTH_JOINS_SKIN | \
                WIDTH_MARKS_ADD)

/* Marks without end can be heaped on one letter: a cluster is cut before it is longer. */
#define CLUSTER_BYTES_MAX 64U
#define CLUSTER_CELLS_MAX 4U

/* For the whole program: a program draws on one terminal. */
void width_set_ways(WidthWays ways);

typedef enum ClusterKind {
        CLUSTER_TEXT,
        CLUSTER_CONTROL,   /* a control character, an ill-formed byte, a turn of the direction */
        CLUSTER_MARK,      /* a combining mark with nothing to stand on */
        CLUSTER_INVISIBLE, /* takes no cell: a lone joiner, a soft hyphen, a zero width space */
} ClusterKind;

typedef struct Cluster {
        size_t size;
        unsigned cells;
        ClusterKind kind;
        bool certain; /* every terminal agrees on its cells, or this one was asked */
} Cluster;

/* The first cluster; size > 0. text is cut anywhere: what is ill-formed counts as single bytes. */
void cluster_measure(const char *text, size_t size, Cluster *ret);

/* The first cluster's bytes (at least 1 while size > 0). *ret_cells: 0 to CLUSTER_CELLS_MAX; 1 for
 * a control character, an ill-formed byte or a lone combining mark, which are drawn as something
 * visible. */
size_t cluster_next(const char *text, size_t size, unsigned *ret_cells);

/* Where the cluster begins that ends at this offset (offset > 0). */
size_t cluster_previous(const char *text, size_t offset);

/* Cells of all of it. */
unsigned text_cells(const char *text, size_t size);

/* The longest prefix of whole clusters within these cells; *ret_cells (may be NULL): what it takes.
 */
size_t text_fit(const char *text, size_t size, unsigned cells, unsigned *ret_cells);

/* It begins with a letter, a digit or a mark, of any script: a part of a word. */
bool cluster_is_word(const char *text, size_t size);

/* One cluster's likeness in ASCII, or '?'. */
char cluster_to_ascii(const char *text, size_t size);
