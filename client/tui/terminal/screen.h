/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The picture to be shown, in cells, and what a terminal must be sent to show it. Views draw a
 * whole picture each frame; only cells that differ from what the terminal shows are sent. Drawing
 * allocates nothing while the size stays. Why not curses' own: its doupdate() blocks when the
 * terminal does not read, and a cell of it cannot hold a long cluster. */

#include "client/tui/terminal/style.h"
#include "client/tui/terminal/width.h"

#define SCREEN_ROWS_MAX    400
#define SCREEN_COLUMNS_MAX 1000

typedef struct Area {
        int row, column, rows, columns;
} Area;

typedef struct Screen Screen;

typedef enum ScreenFlags {
        SCREEN_ASCII = 1 << 0,        /* what is not ASCII is drawn as the like of it, or `?` */
        SCREEN_SYNCHRONIZED = 1 << 1, /* frames between \e[?2026h and l (see tmux, kitty) */
        SCREEN_CAN_SCROLL = 1 << 2,   /* the terminal has scroll regions */
        SCREEN_CAN_ERASE = 1 << 3,    /* erase-to-end uses the current background (terminfo bce) */
        SCREEN_SCROLLS_MANY = 1 << 4, /* \e[nS and T (terminfo indn, rin) */
        SCREEN_HAS_MARGINS = 1 << 5,  /* left and right ones are switched on (DECLRMM) */
} ScreenFlags;

int screen_new(Screen **ret);
Screen *screen_free(Screen *s);
DEFINE_CLEANUP(Screen *, screen_free)

void screen_set_flags(Screen *s, ScreenFlags flags);

/* Everything is drawn anew by the next frame. -ENOMEM; sizes over the maximum are cut to it. */
int screen_resize(Screen *s, int rows, int columns);
int screen_rows(const Screen *s);
int screen_columns(const Screen *s);

/* ---- a frame ---- */

/* Starts an empty picture. */
void screen_begin(Screen *s);

/* Draws text (one line) from this cell on, within the columns given; what does not fit, or lies
 * outside of the screen, is left out; a wide cluster that would be cut becomes a blank. Control
 * characters, ill-formed bytes and what turns the direction of writing are drawn harmless (U+FFFD,
 * or the control's picture U+2400+). Returns the cells used. */
int screen_draw(
        Screen *s, int row, int column, int columns, Style style, const char *text, size_t size);
int screen_print(Screen *s, int row, int column, int columns, Style style, const char *text);

/* Blanks of this style. */
void screen_fill(Screen *s, Area area, Style style);

/* Adds attributes, or changes the role (keeping the text), of what is there: for selections and
 * search hits. */
void screen_restyle(Screen *s, Area area, Style style);

/* A hint: rows of this area hold what was `lines` rows further down (> 0) or up before. Where it
 * saves bytes, the terminal is told to scroll it, a part of its rows, or what stands beside it as
 * well. */
void screen_scrolled(Screen *s, Area area, int lines);

/* Where the terminal's cursor is after the frame; hidden by default. */
void screen_place_cursor(Screen *s, int row, int column);

/* Appends what turns the picture shown into the one drawn; nothing when they are alike. On failure
 * the next frame is drawn anew. */
int screen_render(Screen *s, Buffer *out);

/* The terminal's picture is unknown (after another program used it, after lost output). */
void screen_forget(Screen *s);
