/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What drawing (screen.c) and sending (screen-render.c) share. */

#include "client/tui/terminal/screen.h"
#include "common/utf8.h"

#define CELL_TEXT_MAX 11U

typedef enum CellFlags {
        CELL_LONG = 1 << 0,      /* its text is in the table: text holds the index */
        CELL_UNCERTAIN = 1 << 1, /* where the cursor is behind it is not known */
} CellFlags;

/* Bytes that are not used are zero, so that cells that look alike are equal bytes. */
typedef struct Cell {
        char text[CELL_TEXT_MAX];
        uint8_t size;  /* bytes */
        uint8_t cells; /* 0: the cluster to the left goes on here */
        uint8_t flags;
        Style style;
} Cell;
static_assert(sizeof(Cell) == 16, "a picture is many cells");

/* ---- long clusters ---- */

#define CLUSTERS_MAX 1024U

typedef struct ClusterEntry {
        char text[CLUSTER_BYTES_MAX];
        uint8_t size;
        bool used;
        uint16_t next; /* of those with the same hash; an index + 1 */
} ClusterEntry;

typedef struct ClusterTable {
        ClusterEntry *entries; /* CLUSTERS_MAX, once there was a long one */
        uint16_t heads[256];   /* index + 1 */
        unsigned n;
} ClusterTable;

void cluster_table_done(ClusterTable *t);
/* The index, -ENOSPC when all are taken, -ENOMEM. */
int cluster_table_put(ClusterTable *t, const char *text, size_t size);
/* Forgets all that none of these cells names, and gives the others new numbers. */
void cluster_table_collect(ClusterTable *t, Cell *cells, size_t n_cells);

/* ---- the screen ---- */

#define SCREEN_HINTS_MAX 4U

typedef struct ScrollHint {
        Area area;
        int lines;
} ScrollHint;

typedef struct Place {
        int row, column; /* -1: not known */
} Place;

struct Screen {
        ScreenFlags flags;
        int rows, columns;
        Cell *drawn, *shown; /* rows * columns each */
        ClusterTable clusters;
        ScrollHint hints[SCREEN_HINTS_MAX];
        unsigned n_hints;
        Place wanted; /* the cursor; row -1: hidden */

        /* The terminal's: */
        bool known;
        bool cursor_visible;
        Place cursor;
        Style style;
};

static inline Cell *screen_cell(Cell *picture, const Screen *s, int row, int column)
{
        return picture + (size_t) row * (size_t) s->columns + (size_t) column;
}

static inline bool cell_is_blank(const Cell *c)
{
        return c->size == 1 && c->text[0] == ' ';
}

/* Its bytes. */
static inline const char *cell_text(const Screen *s, const Cell *c)
{
        uint32_t index;

        if (!(c->flags & CELL_LONG))
                return c->text;
        memcpy(&index, c->text, sizeof index);
        return s->clusters.entries[index].text;
}

/* ---- a frame: its bytes ---- */

/* Without out they are only counted. */
typedef struct Frame {
        Screen *s;
        Buffer *out;
        size_t bytes;
        int result; /* the first failure */
} Frame;

void frame_emit(Frame *f, const char *text);
/* \e[<n><final>, the number left out where the terminal knows it. */
void frame_emit_counted(Frame *f, int n, char final);
void frame_set_style(Frame *f, Style style);
void frame_move_to(Frame *f, int row, int column);

/* The bytes that make what is drawn in this row of these cells. */
size_t frame_row_bytes(const Frame *f, int row, const Cell *old);

/* Has the terminal scroll what it shows where that saves bytes. */
void frame_scroll(Frame *f);

void screen_blank_cells(Cell *cells, size_t n, Style style);
