/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How the layout*.c make a layout: a Flow takes styled text, is wrapped into lines, and those
 * become rows behind what stands at the left of them (a quote's bar, an item's mark). */

#include "client/tui/text/layout.h"
#include "client/tui/text/lexer.h"

/* Makes room for one more item. */
int grow(void **items, size_t *allocated, size_t n, size_t size);

/* Of text that no byte of the source stands for. */
#define SOURCE_NONE UINT32_MAX

/* From here on the text looks like this, and was there in the source. */
typedef struct Span {
        uint32_t start, source;
        Style style;
} Span;

typedef struct Flow {
        Buffer text; /* lines, with \n between */
        Span *spans;
        size_t n_spans, n_allocated;
} Flow;

#define FLOW_INIT ((Flow){ .text = BUFFER_INIT(MIB(64)) })
void flow_done(Flow *f);
#define _cleanup_flow_ _cleanup_(flow_done)
void flow_clear(Flow *f);
int flow_append(Flow *f, Style style, uint32_t source, const char *text, size_t size);
int flow_append_flow(Flow *f, const Flow *other);

typedef struct FlowLine {
        uint32_t start, end;
        unsigned cells;
        bool soft;
} FlowLine;

typedef struct FlowLines {
        FlowLine *items;
        size_t n_items, n_allocated;
} FlowLines;

void flow_lines_done(FlowLines *l);
#define _cleanup_flow_lines_ _cleanup_(flow_lines_done)

typedef enum WrapWay {
        WRAP_WORDS, /* white space at a line's end is left out */
        WRAP_CELLS, /* code: everything stays */
} WrapWay;

/* Appends the lines of all of it; at least one. */
int flow_wrap(const Flow *f, unsigned width, WrapWay way, FlowLines *ret);

/* Where lines are wrapped to nothing: cells of the widest. */
unsigned flow_cells(const Flow *f);

#define EDGES_MAX 16U

/* What stands left of the rows of a block: a bar on every row, or a mark on its first. */
typedef struct Edge {
        char mark[32];
        unsigned cells;
        Style style;
        bool every;   /* on every row */
        bool pending; /* not shown yet */
} Edge;

struct Builder {
        /* What grows, and stays for the next layout: its rows, and what is between the source and
         * them. */
        Row *rows;
        Run *runs;
        size_t n_rows, n_runs, rows_allocated, runs_allocated;
        Buffer text;
        Flow flow; /* lent out: builder_take_flow() */
        FlowLines lines;

        unsigned width, indent;
        StyleRole role;
        LayoutFlags flags;
        Edge edges[EDGES_MAX];
        unsigned n_edges;
        uint32_t source;     /* of the last row */
        uint32_t source_max; /* of the segment's end: md4c adds some text of its own */
        bool has_source;     /* the row that is being made knows its own */
};

/* Nothing is in it. */
void builder_clear(Builder *b);

/* An empty one that may have memory already; give it back, with whatever is in it. */
Flow builder_take_flow(Builder *b);
void builder_give_flow(Builder *b, Flow *f);

/* Cells that are left for text. */
unsigned builder_room(const Builder *b);

int builder_push(Builder *b, const Edge *edge);
void builder_pop(Builder *b);

/* A row: begin, its runs, end. */
int builder_begin(Builder *b);
int builder_blanks(Builder *b, Style style, unsigned cells);
int builder_repeat(Builder *b, Style style, const char *text, unsigned times);
int builder_line(Builder *b, const Flow *f, const FlowLine *line);
int builder_end(Builder *b, RowFlags flags);

int builder_blank(Builder *b);
/* All of the flow, and empties it. */
int builder_flow(Builder *b, Flow *f, WrapWay way, RowFlags flags);

/* ---- code (layout-code.c) ---- */

typedef struct Code {
        const Language *language;
        unsigned state;
        Flow flow;
} Code;

int code_label(Builder *b, const char *name, size_t size);
/* One line, without its end. */
int code_line(Builder *b, Code *code, const char *line, size_t size, uint32_t source);

/* ---- markdown (layout-markdown.c) ---- */

/* -ENOTSUP: too much for a table; show it as it is. */
int markdown_rows(Builder *b, const Segment *segment, const char *text);

/* The character that an entity means (&amp;), in UTF-8; 0: none is known. */
size_t entity_decode(const char *text, size_t size, char ret[static 8]);

/* ---- tables (layout-table.c) ---- */

#define TABLE_CELLS_MAX   4096U
#define TABLE_COLUMNS_MAX 64U

typedef enum CellAlign {
        ALIGN_LEFT,
        ALIGN_CENTER,
        ALIGN_RIGHT,
} CellAlign;

typedef struct Table {
        Flow *cells; /* row by row; the first row is the head */
        CellAlign align[TABLE_COLUMNS_MAX];
        size_t n_columns, n_cells, n_allocated;
} Table;

void table_done(Table *t);
/* The next cell, to be filled. */
int table_add(Table *t, Flow **ret);
int table_rows(Builder *b, const Table *t);
