/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The text that is being written: several lines, edited by clusters, with undo, a kill ring and
 * pastes that were folded to a chip. Knows no keys: actions.c says which key does what. Drawing and
 * typing allocate nothing but when the text outgrows its memory. */

#include "client/tui/terminal/screen.h"

#define EDITOR_TEXT_MAX   MIB(16) /* the service's limit of a message */
#define EDITOR_FOLD_BYTES 2048U   /* a paste larger than this, or of more */
#define EDITOR_FOLD_LINES 20U     /* lines than this becomes a chip */

typedef struct Editor Editor;

int editor_new(Editor **ret);
Editor *editor_free(Editor *e);
DEFINE_CLEANUP(Editor *, editor_free)

typedef enum EditorMove {
        MOVE_LEFT,
        MOVE_RIGHT,
        MOVE_UP,
        MOVE_DOWN,         /* up and down by rows as wrapped; 0 at the edge */
        MOVE_LEFT_IN_LINE, /* as vi's h and l: not over the line's ends */
        MOVE_RIGHT_IN_LINE,
        MOVE_WORD_LEFT,
        MOVE_WORD_RIGHT,
        MOVE_LINE_START,
        MOVE_LINE_END,
        MOVE_START,
        MOVE_END,
} EditorMove;

typedef enum EditorKill {
        KILL_LEFT,  /* the cluster before (Backspace): not into the ring */
        KILL_RIGHT, /* the cluster under (Delete) */
        KILL_WORD_LEFT,
        KILL_WORD_RIGHT,
        KILL_LINE_START, /* to the line's start; there, the line end before it */
        KILL_LINE_END,   /* to the line's end; there, the line end itself */
        KILL_WHOLE_LINE,
        KILL_ALL,
} EditorKill;

/* Each returns whether something changed (moved), or a negative errno: -EFBIG over the limit,
 * -ENOMEM; nothing has changed then. Text may be anything: what is no UTF-8 is replaced, control
 * characters but \n and \t are left out. */
int editor_insert(Editor *e, const char *text, size_t size); /* what is typed: undone by words */
int editor_paste(Editor *e, const char *text, size_t size);  /* undone as one; folds when large */
int editor_move(Editor *e, EditorMove move);
int editor_kill(Editor *e, EditorKill kill);
int editor_yank(Editor *e);
int editor_yank_pop(Editor *e); /* after a yank: the one before in the ring */
int editor_transpose(Editor *e);
int editor_undo(Editor *e);
int editor_redo(Editor *e);
void editor_forget_steps(Editor *e); /* what was there before is another conversation's */

/* The whole, chips unfolded. Borrowed until the next change. */
const char *editor_text(Editor *e, size_t *ret_size);
int editor_set_text(
        Editor *e, const char *text, size_t size); /* one step of undo; cursor at the end */
bool editor_is_empty(const Editor *e);
size_t editor_cursor(const Editor *e); /* offset in editor_text() */
void editor_set_cursor(Editor *e, size_t offset);
/* Replaces bytes [start, end), as completion does; the cursor is behind them then. -EINVAL when
 * these are not the ends of clusters. */
int editor_replace(Editor *e, size_t start, size_t end, const char *text);

/* The folded paste under or before the cursor becomes text again: 1, or 0 when there is none. */
int editor_unfold(Editor *e);

/* Rows that it wants at this width (1 to maximum); the last column is for the cursor. */
int editor_rows(Editor *e, int columns, int maximum);
void editor_draw(Editor *e, Screen *screen, Area area, const char *placeholder);
