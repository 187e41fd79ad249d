/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/tui/avatar/sprites.h"

/* The parts of the face that a mood chooses; a frame names them like parts. */
typedef enum FacePlace {
        FACE_EYES,
        FACE_MOUTH,
        FACE_CHEEKS,
        FACE_SPARK, /* what is above or beside the head */
        _FACE_PLACE_MAX,
        _FACE_PLACE_INVALID = -EINVAL,
} FacePlace;

#define PART_NONE INT16_MAX

typedef enum CellKind {
        CELL_CLEAR, /* what lies below is seen */
        CELL_HOLE,  /* nothing is seen */
        CELL_INK,
} CellKind;

typedef struct SpriteCell {
        char text[3];
        uint8_t size;
        uint8_t kind;
        Style style;
} SpriteCell;

typedef struct SpriteDrawing {
        int8_t row, column; /* of its top left cell */
        uint8_t rows, columns;
        uint32_t first; /* among the set's cells, row by row */
} SpriteDrawing;

typedef struct SpritePart {
        char name[SPRITE_NAME_MAX + 1];
        bool is_ascii; /* its first drawing */
        SpriteDrawing drawing, ascii;
} SpritePart;

typedef struct SpriteSet {
        int rows, columns;
        SpriteCell *cells;
        size_t n_cells, n_cells_allocated;
        SpritePart *parts;
        size_t n_parts;
        int16_t faces[_SPRITE_MOOD_MAX][_FACE_PLACE_MAX];
        struct {
                AnimationFrame *frames;
                Animation public;
        } animations[_SPRITE_ANIMATION_MAX];
} SpriteSet;

void sprite_set_done(SpriteSet *set);

/* text: a whole file; name: what a sentence calls it. On failure *set is to be done with as well.
 */
int sprite_set_parse(
        SpriteSet *set, const char *name, const char *text, size_t size, Failure *failure);
