/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/avatar/sprites.h"

#include <fcntl.h>

#include "client/tui/avatar/sprites-internal.h"
#include "common/parse.h"

struct Sprites {
        SpriteFlags flags;
        SpriteSet sets[_SPRITE_SIZE_MAX];
};

static const char *const size_table[_SPRITE_SIZE_MAX] = {
        [SPRITE_SMALL] = "small",
        [SPRITE_MEDIUM] = "medium",
        [SPRITE_LARGE] = "large",
};

static const char *const mood_table[_SPRITE_MOOD_MAX] = {
        [MOOD_NEUTRAL] = "neutral",
        [MOOD_HAPPY] = "happy",
        [MOOD_SAD] = "sad",
        [MOOD_CURIOUS] = "curious",
        [MOOD_THOUGHTFUL] = "thoughtful",
        [MOOD_SURPRISED] = "surprised",
        [MOOD_EXCITED] = "excited",
        [MOOD_CONFUSED] = "confused",
        [MOOD_WORRIED] = "worried",
        [MOOD_PROUD] = "proud",
        [MOOD_SLEEPY] = "sleepy",
        [MOOD_PLAYFUL] = "playful",
        [MOOD_SHY] = "shy",
        [MOOD_CALM] = "calm",
};

static const char *const animation_table[_SPRITE_ANIMATION_MAX] = {
        [ANIMATION_IDLE] = "idle",
        [ANIMATION_LISTENING] = "listening",
        [ANIMATION_THINKING] = "thinking",
        [ANIMATION_TALKING] = "talking",
        [ANIMATION_WORKING] = "working",
        [ANIMATION_WORRIED] = "worried",
        [ANIMATION_WAVE] = "wave",
        [ANIMATION_NOD] = "nod",
        [ANIMATION_SHAKE] = "shake",
        [ANIMATION_DANCE] = "dance",
        [ANIMATION_BOW] = "bow",
        [ANIMATION_SHRUG] = "shrug",
        [ANIMATION_CLAP] = "clap",
        [ANIMATION_POINT] = "point",
        [ANIMATION_CHANGE] = "change",
        [ANIMATION_WALK_LEFT] = "walk-left",
        [ANIMATION_WALK_RIGHT] = "walk-right",
        [ANIMATION_APPEAR] = "appear",
        [ANIMATION_VANISH] = "vanish",
};

const char *sprite_size_to_string(SpriteSize size)
{
        assert(size >= 0 && size < _SPRITE_SIZE_MAX);
        return size_table[size];
}

SpriteSize sprite_size_from_string(const char *s)
{
        return parse_word(size_table, ELEMENTSOF(size_table), s);
}

const char *sprite_mood_to_string(SpriteMood mood)
{
        assert(mood >= 0 && mood < _SPRITE_MOOD_MAX);
        return mood_table[mood];
}

SpriteMood sprite_mood_from_string(const char *s)
{
        return parse_word(mood_table, ELEMENTSOF(mood_table), s);
}

const char *sprite_animation_to_string(SpriteAnimation animation)
{
        assert(animation >= 0 && animation < _SPRITE_ANIMATION_MAX);
        return animation_table[animation];
}

SpriteAnimation sprite_animation_from_string(const char *s)
{
        return parse_word(animation_table, ELEMENTSOF(animation_table), s);
}

/* ---- files ---- */

static int read_file(const char *path, char **ret, size_t *ret_size, Failure *failure)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        size_t size = 0;
        ssize_t n;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return failure_set_errno(failure, -errno, "Opening the avatar's file %s", path);
        text = malloc(SPRITE_FILE_MAX + 1);
        if (!text)
                return failure_set_errno(failure, -ENOMEM, "Reading %s", path);
        while (size <= SPRITE_FILE_MAX) {
                n = read(fd, text + size, SPRITE_FILE_MAX + 1 - size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return failure_set_errno(failure, -errno, "Reading %s", path);
                if (n == 0)
                        break;
                size += (size_t) n;
        }
        if (size > SPRITE_FILE_MAX)
                return failure_set(failure, FAILURE_CONFIGURATION,
                        "%s is larger than %zu KiB, which no drawing of the avatar needs: "
                        "install Conductor's own again.",
                        path, SPRITE_FILE_MAX / KIB(1));
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

static int load_set(SpriteSet *set, const char *directory, SpriteSize size, Failure *failure)
{
        _cleanup_free_ char *path = NULL, *text = NULL;
        size_t n = 0;
        int r;

        if (asprintf(&path, "%s/%s.sprite", directory, size_table[size]) < 0) {
                path = NULL;
                return failure_set_errno(failure, -ENOMEM, "Loading the avatar");
        }
        r = read_file(path, &text, &n, failure);
        if (r < 0)
                return r;
        return sprite_set_parse(set, path, text, n, failure);
}

int sprites_load(const char *directory, SpriteFlags flags, Sprites **ret, Failure *failure)
{
        _cleanup_(sprites_freep) Sprites *s = NULL;
        int r;

        s = calloc(1, sizeof *s);
        if (!s)
                return failure_set_errno(failure, -ENOMEM, "Loading the avatar");
        s->flags = flags;
        for (SpriteSize size = 0; size < _SPRITE_SIZE_MAX; size++) {
                r = load_set(&s->sets[size], directory, size, failure);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

void sprite_set_done(SpriteSet *set)
{
        for (size_t i = 0; i < _SPRITE_ANIMATION_MAX; i++)
                free(set->animations[i].frames);
        free(set->parts);
        free(set->cells);
        *set = (SpriteSet){ 0 };
}

Sprites *sprites_free(Sprites *s)
{
        if (!s)
                return NULL;
        for (SpriteSize size = 0; size < _SPRITE_SIZE_MAX; size++)
                sprite_set_done(&s->sets[size]);
        return mfree(s);
}

const Animation *sprites_animation(const Sprites *s, SpriteSize size, SpriteAnimation animation)
{
        assert(size >= 0 && size < _SPRITE_SIZE_MAX);
        assert(animation >= 0 && animation < _SPRITE_ANIMATION_MAX);
        return &s->sets[size].animations[animation].public;
}

int sprites_rows(const Sprites *s, SpriteSize size)
{
        return s->sets[size].rows;
}

int sprites_columns(const Sprites *s, SpriteSize size)
{
        return s->sets[size].columns;
}

/* ---- a picture ---- */

typedef const SpriteCell *Canvas[SPRITE_ROWS_MAX][SPRITE_COLUMNS_MAX];

static void lay(Canvas canvas, const SpriteSet *set, const SpriteDrawing *d, int row_shift,
        int column_shift)
{
        for (int i = 0; i < d->rows; i++)
                for (int j = 0; j < d->columns; j++) {
                        const SpriteCell *cell =
                                &set->cells[d->first + (size_t) i * d->columns + (size_t) j];
                        int row = d->row + row_shift + i, column = d->column + column_shift + j;

                        if (cell->kind != CELL_CLEAR && row >= 0 && row < set->rows &&
                                column >= 0 && column < set->columns)
                                canvas[row][column] = cell->kind == CELL_INK ? cell : NULL;
                }
}

static void collect_runs(Canvas canvas, const SpriteSet *set, SpritePicture *ret)
{
        SpriteRun *run = ret->runs;
        char *text = ret->text;

        ret->frame.rows = (uint16_t) set->rows;
        ret->frame.columns = (uint16_t) set->columns;
        for (int row = 0; row < set->rows; row++) {
                const SpriteCell *previous = NULL;

                ret->frame.runs[row] = run;
                for (int column = 0; column < set->columns; column++) {
                        const SpriteCell *cell = canvas[row][column];

                        if (cell && (!previous || previous->style != cell->style))
                                *run++ = (SpriteRun){ .style = cell->style,
                                        .column = (uint16_t) column,
                                        .text = text };
                        if (cell) {
                                memcpy(text, cell->text, cell->size);
                                text += cell->size;
                                run[-1].size += cell->size;
                        }
                        previous = cell;
                }
                ret->frame.n_runs[row] = (uint16_t) (run - ret->frame.runs[row]);
        }
}

void sprites_compose(const Sprites *s, SpriteSize size, SpriteMood mood,
        const AnimationFrame *frame, SpritePicture *ret)
{
        const SpriteSet *set = &s->sets[size];
        Canvas canvas = { 0 };

        for (size_t i = 0; i < frame->n_layers; i++) {
                const SpriteLayer *layer = &frame->layers[i];
                int index = layer->part < 0 ? set->faces[mood][~layer->part] : layer->part;
                const SpritePart *part;

                if (index == PART_NONE)
                        continue;
                part = &set->parts[index];
                lay(canvas, set,
                        s->flags & SPRITES_ASCII && !part->is_ascii ? &part->ascii : &part->drawing,
                        layer->row, layer->column);
        }
        collect_runs(canvas, set, ret);
}
