/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/tui/view/editor.h"
#include "common/buffer.h"

#define CHIPS_MAX      64U   /* further pastes are not folded */
#define KILLS_MAX      8U    /* and no more than EDITOR_TEXT_MAX bytes together */
#define UNDO_MAX       1000U /* steps, and so many bytes: */
#define UNDO_BYTES_MAX (2 * EDITOR_TEXT_MAX)
#define CHIP_LABEL_MAX 64U

/* A folded paste: a part of the text that is edited and drawn as one cluster. */
typedef struct Chip {
        size_t start, size;
} Chip;

/* What stands, or stood, in a place. Chips' starts are counted from its own. */
typedef struct Piece {
        const char *text;
        size_t size;
        const Chip *chips;
        size_t n_chips;
} Piece;

/* A step that can be undone (or done again): `size` bytes at the offset were other `bytes`
 * bytes, which the stack has. */
typedef struct Step {
        size_t offset, size, bytes;
        size_t cursor; /* before it */
        Chip *chips;   /* of the former bytes */
        size_t n_chips;
} Step;

/* Bytes of all steps, in their order: a step needs no memory of its own. */
typedef struct Steps {
        Step *steps;
        size_t n, allocated;
        Buffer bytes;
} Steps;

typedef struct Kill {
        char *text;
        size_t size;
        Chip *chips;
        size_t n_chips;
} Kill;

/* What was done last: some things go on from there. */
typedef enum Doing {
        DOING_NOTHING,
        DOING_TYPING,  /* the next character joins the step */
        DOING_ERASING, /* … an erased one too */
        DOING_KILL,    /* the next joins the kill */
        DOING_YANK,
        DOING_ROWS, /* up and down: the goal column holds */
} Doing;

struct Editor {
        Buffer text; /* chips unfolded */
        size_t cursor;
        Chip chips[CHIPS_MAX]; /* in order */
        size_t n_chips;
        Steps undo, redo;
        Kill kills[KILLS_MAX]; /* newest first */
        size_t n_kills;
        Doing doing;
        size_t yank_start, yank; /* where the last yank put which kill */
        bool typed_word;         /* the last typed character belongs to a word */
        int columns;
        int goal;
        size_t top; /* where the first visible row begins */
};

/* ---- editor-text.c: the text, its chips and clusters ---- */

const Chip *chip_at(const Editor *e, size_t offset);     /* that begins there, or NULL */
const Chip *chip_before(const Editor *e, size_t offset); /* that ends there */
size_t next_cluster(const Editor *e, size_t offset);     /* behind the one that begins there */
size_t previous_cluster(const Editor *e, size_t offset);
size_t line_start(const Editor *e, size_t offset);
size_t line_end(const Editor *e, size_t offset);
/* Offset, or where the cluster begins that it is within. */
size_t snap(const Editor *e, size_t offset);

/* Puts the piece in the place of size bytes. -EFBIG, -ENOMEM: nothing changed. */
int splice(Editor *e, size_t offset, size_t size, const Piece *piece);

/* Makes foreign text fit: UTF-8, no control character but \n and \t. *ret is text itself, or in
 * buffer. */
int clean_text(const char *text, size_t size, Buffer *buffer, const char **ret, size_t *ret_size);

/* ---- editor-undo.c ---- */

void steps_done(Steps *s);
/* The change as one step; splice() with its undoing. The cursor is behind the piece then, or behind
 * the cluster that it became a part of. */
int change(Editor *e, size_t offset, size_t size, const Piece *piece);
/* What goes on with the last step where it can: text at the cursor, clusters taken out. */
int change_typed(Editor *e, const Piece *piece);
int change_erased(Editor *e, size_t offset, size_t size);

/* ---- editor.c ---- */

size_t word_left(const Editor *e, size_t offset);
size_t word_right(const Editor *e, size_t offset);

/* ---- editor-kill.c ---- */

void kills_done(Editor *e);

/* ---- editor-rows.c ---- */

/* The row on which this offset is, as wrapped at e->columns. */
size_t row_start(const Editor *e, size_t offset);
/* *ret_end: where the next row begins, or the text's end. False for the last row. */
bool row_end(const Editor *e, size_t start, size_t *ret_end);
int move_rows(Editor *e, int by);
