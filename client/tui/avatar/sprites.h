/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Pictures of the avatar, read once at the start from text files in share/conductor/avatar/ that
 * people can edit: one file for each size (small 8 by 4, medium 16 by 8, large 24 by 12 cells). A
 * file has parts (an eye, a mouth, an arm) and animations, whose frames name the parts that lie one
 * upon another; a mood chooses among faces. The grammar stands at the top of large.sprite. */

#include "client/tui/terminal/style.h"
#include "common/failure.h"

#define SPRITE_ROWS_MAX     16
#define SPRITE_COLUMNS_MAX  40
#define SPRITE_FRAMES_MAX   32 /* of an animation */
#define SPRITE_PARTS_MAX    160
#define SPRITE_GROUPS_MAX   32
#define SPRITE_LAYERS_MAX   16 /* of a frame */
#define SPRITE_NAME_MAX     24
#define SPRITE_FILE_MAX     KIB(128)
#define SPRITE_SHIFT_MAX    40 /* cells */
#define SPRITE_DURATION_MIN (20 * USEC_PER_MSEC)
#define SPRITE_DURATION_MAX (10 * USEC_PER_SEC)

typedef enum SpriteSize {
        SPRITE_SMALL,
        SPRITE_MEDIUM,
        SPRITE_LARGE,
        _SPRITE_SIZE_MAX,
        _SPRITE_SIZE_INVALID = -EINVAL,
} SpriteSize;

const char *sprite_size_to_string(SpriteSize size);
SpriteSize sprite_size_from_string(const char *s);

/* The moods that org.aiway.Conductor1.Avatar has. */
typedef enum SpriteMood {
        MOOD_NEUTRAL,
        MOOD_HAPPY,
        MOOD_SAD,
        MOOD_CURIOUS,
        MOOD_THOUGHTFUL,
        MOOD_SURPRISED,
        MOOD_EXCITED,
        MOOD_CONFUSED,
        MOOD_WORRIED,
        MOOD_PROUD,
        MOOD_SLEEPY,
        MOOD_PLAYFUL,
        MOOD_SHY,
        MOOD_CALM,
        _SPRITE_MOOD_MAX,
        _SPRITE_MOOD_INVALID = -EINVAL,
} SpriteMood;

const char *sprite_mood_to_string(SpriteMood mood);
SpriteMood sprite_mood_from_string(const char *s);

/* What can be played. */
typedef enum SpriteAnimation {
        ANIMATION_IDLE,
        ANIMATION_LISTENING,
        ANIMATION_THINKING,
        ANIMATION_TALKING,
        ANIMATION_WORKING,
        ANIMATION_WORRIED,
        ANIMATION_WAVE,
        ANIMATION_NOD,
        ANIMATION_SHAKE,
        ANIMATION_DANCE,
        ANIMATION_BOW,
        ANIMATION_SHRUG,
        ANIMATION_CLAP,
        ANIMATION_POINT,
        ANIMATION_CHANGE, /* between two activities or moods: a blink */
        ANIMATION_WALK_LEFT,
        ANIMATION_WALK_RIGHT,
        ANIMATION_APPEAR,
        ANIMATION_VANISH,
        _SPRITE_ANIMATION_MAX,
        _SPRITE_ANIMATION_INVALID = -EINVAL,
} SpriteAnimation;

const char *sprite_animation_to_string(SpriteAnimation animation); /* "walk-left" */
SpriteAnimation sprite_animation_from_string(const char *s);

typedef struct SpriteLayer {
        int16_t part; /* a part, or ~a place in the face that the mood fills */
        int8_t row, column;
} SpriteLayer;

typedef struct AnimationFrame {
        usec_t duration;
        uint8_t n_layers;
        SpriteLayer layers[SPRITE_LAYERS_MAX]; /* the first lies undermost */
} AnimationFrame;

typedef struct Animation {
        const AnimationFrame *frames;
        size_t n_frames;  /* at least 1 */
        unsigned n_times; /* 0: for ever; else it stands still on its last frame after so many */
} Animation;

typedef struct Sprites Sprites;

typedef enum SpriteFlags {
        SPRITES_ASCII = 1 << 0, /* take the drawings made of ASCII alone */
} SpriteFlags;

/* directory: where the files are. What a file gets wrong is a sentence with file and line. */
int sprites_load(const char *directory, SpriteFlags flags, Sprites **ret, Failure *failure);
Sprites *sprites_free(Sprites *s);
DEFINE_CLEANUP(Sprites *, sprites_free)

/* Never NULL: a file without one of them is not loaded. */
const Animation *sprites_animation(const Sprites *s, SpriteSize size, SpriteAnimation animation);
int sprites_rows(const Sprites *s, SpriteSize size);
int sprites_columns(const Sprites *s, SpriteSize size);

/* ---- a picture ---- */

typedef struct SpriteRun {
        Style style;
        uint16_t column; /* cells from the sprite's left edge; cells in no run are transparent */
        uint16_t size;   /* bytes; each character is one cell */
        const char *text;
} SpriteRun;

typedef struct SpriteFrame {
        uint16_t rows, columns;
        const SpriteRun *runs[SPRITE_ROWS_MAX]; /* each row's */
        uint16_t n_runs[SPRITE_ROWS_MAX];
} SpriteFrame;

/* A frame and the memory that its runs lie in: not to be copied. */
typedef struct SpritePicture {
        SpriteFrame frame;
        SpriteRun runs[SPRITE_ROWS_MAX * SPRITE_COLUMNS_MAX];
        char text[SPRITE_ROWS_MAX * SPRITE_COLUMNS_MAX * 3];
} SpritePicture;

/* Lays the frame's parts one upon another. No allocation. */
void sprites_compose(const Sprites *s, SpriteSize size, SpriteMood mood,
        const AnimationFrame *frame, SpritePicture *ret);
