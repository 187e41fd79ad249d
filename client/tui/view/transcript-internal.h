/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What placing, drawing and moving share. */

#include "client/tui/view/transcript.h"
#include "client/tui/view/words.h"

#define MARGIN_LEFT  2 /* a bar and a blank */
#define MARGIN_RIGHT 1

/* Of each message, from above. */
typedef enum Part {
        PART_GAP,
        PART_HEADING,
        PART_ATTACHMENTS,
        PART_FOLD,
        PART_REASONING,
        PART_PAUSE, /* between reasoning and answer */
        PART_CONTENT,
        PART_STATE,
        PART_METADATA,
        PART_TAIL, /* what is said below the last message that is loaded */
        _PART_MAX,
} Part;

/* A row on the screen. */
typedef struct Position {
        size_t index; /* of the message, among those loaded */
        Part part;
        RowPlace row; /* for what is no document: row.row alone */
} Position;

/* A row for longer: what it shows, whatever is loaded around it and however wide it is. */
typedef struct Anchor {
        uint64_t message, parent;
        size_t index; /* where the message was last */
        Part part;
        size_t offset; /* byte of the source */
        size_t row;    /* behind the first row that shows the byte */
} Anchor;

typedef struct RowKey {
        uint64_t message;
        Position position;
} RowKey;

/* The messages that may have layouts. Those that are no longer visible are trimmed. */
#define KEPT_MAX 256U

typedef struct Kept {
        uint64_t message;
        size_t counted, characters; /* of the reasoning */
} Kept;

#define TOGGLED_MAX 1000U

struct Transcript {
        Mirror *mirror;
        TranscriptFlags flags;
        TranscriptKeys keys;
        char *words;           /* to be marked */
        char conversation[33]; /* that is open */

        bool follow;
        Anchor anchor; /* of the first row, when it does not follow */
        uint64_t marked, marked_parent;
        uint64_t wanted;     /* to be shown when it is there */
        bool wanted_is_next; /* it may be of the conversation that is opened next */
        uint64_t *toggled;
        size_t n_toggled;
        Kept kept[KEPT_MAX];

        /* The last block that was asked for. */
        uint64_t code_message;
        size_t code;

        /* The last frame. */
        Area area;
        int width;
        bool waiting;
        int n_rows;
        RowKey rows[SCREEN_ROWS_MAX];
        int used[SCREEN_ROWS_MAX]; /* columns up to the last one that is written on */
};

/* ---- transcript-place.c ---- */

/* The document of a part for the width of now; NULL for a part that is none. */
Document *part_document(Transcript *t, MessageItem *m, Part part);
ssize_t find_message(const Transcript *t, uint64_t id, size_t hint);
/* The reply or question that stands where this one was, after a branch was chosen. */
ssize_t find_branch(const Transcript *t, uint64_t id, uint64_t parent);
bool is_unfolded(const Transcript *t, const MessageItem *m);
Kept *kept_of(Transcript *t, const MessageItem *m);
/* All but these messages, by their place among those loaded. */
void trim_others(Transcript *t, size_t first, size_t last);

/* Rows down (> 0) or up; returns how far. */
int position_move(Transcript *t, Position *p, int by);
/* The first row of the screen. There is a message. */
Position position_top(Transcript *t);
/* At most so far down that the screen is full; returns whether its last row is the last one. */
bool position_fill(Transcript *t, Position *p, int *ret_up);
void anchor_set(Transcript *t, Position p);

/* ---- transcript-message.c ---- */

size_t fixed_rows(const Transcript *t, const MessageItem *m, size_t index, Part part);
void fixed_draw(Transcript *t, Screen *s, const MessageItem *m, Position p, int row, usec_t now);
/* Draws, and remembers how far the row is written on. */
int row_draw(
        Transcript *t, Screen *s, int row, int column, int columns, Style style, const char *text);
