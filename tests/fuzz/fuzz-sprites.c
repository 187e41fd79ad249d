/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file of the avatar's pictures: refused with a sentence, or every picture of it can be drawn. */

/* For a set that does not come from a file. */
#include "client/tui/avatar/sprites.c"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

static void check_layers(const SpriteSet *set, const AnimationFrame *f)
{
        CHECK(f->duration >= SPRITE_DURATION_MIN && f->duration <= SPRITE_DURATION_MAX);
        CHECK(f->n_layers <= SPRITE_LAYERS_MAX);
        for (size_t i = 0; i < f->n_layers; i++) {
                int part = f->layers[i].part;

                CHECK(part >= 0 ? (size_t) part < set->n_parts : ~part < _FACE_PLACE_MAX);
        }
}

static void check_drawing(const SpriteSet *set, const SpriteDrawing *d)
{
        CHECK(d->rows <= SPRITE_ROWS_MAX && d->columns <= SPRITE_COLUMNS_MAX);
        CHECK((size_t) d->first + (size_t) d->rows * d->columns <= set->n_cells);
}

static void check_set(const SpriteSet *set)
{
        CHECK(set->rows > 0 && set->rows <= SPRITE_ROWS_MAX);
        CHECK(set->columns > 0 && set->columns <= SPRITE_COLUMNS_MAX);
        CHECK(set->n_parts <= SPRITE_PARTS_MAX);
        for (size_t i = 0; i < set->n_parts; i++) {
                check_drawing(set, &set->parts[i].drawing);
                check_drawing(set, &set->parts[i].ascii);
        }
        for (size_t i = 0; i < set->n_cells; i++)
                CHECK(set->cells[i].size <= sizeof set->cells[i].text &&
                        utf8_is_clean_line(set->cells[i].text, set->cells[i].size));
        for (SpriteMood m = 0; m < _SPRITE_MOOD_MAX; m++)
                for (FacePlace p = 0; p < _FACE_PLACE_MAX; p++)
                        CHECK(set->faces[m][p] == PART_NONE ||
                                (set->faces[m][p] >= 0 &&
                                        (size_t) set->faces[m][p] < set->n_parts));
        for (SpriteAnimation a = 0; a < _SPRITE_ANIMATION_MAX; a++) {
                const Animation *animation = &set->animations[a].public;

                CHECK(animation->n_frames >= 1 && animation->n_frames <= SPRITE_FRAMES_MAX);
                for (size_t i = 0; i < animation->n_frames; i++)
                        check_layers(set, &animation->frames[i]);
        }
}

static void check_pictures(const Sprites *s)
{
        static SpritePicture p;

        for (SpriteAnimation a = 0; a < _SPRITE_ANIMATION_MAX; a++) {
                const Animation *animation = sprites_animation(s, 0, a);

                for (size_t i = 0; i < animation->n_frames; i++) {
                        sprites_compose(s, 0, (SpriteMood) (i % _SPRITE_MOOD_MAX),
                                &animation->frames[i], &p);
                        for (size_t row = 0; row < p.frame.rows; row++)
                                for (size_t k = 0; k < p.frame.n_runs[row]; k++) {
                                        const SpriteRun *run = &p.frame.runs[row][k];

                                        CHECK(run->column < p.frame.columns);
                                        CHECK(utf8_is_clean_line(run->text, run->size));
                                }
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        Sprites s = { 0 };
        int r;

        r = sprite_set_parse(&s.sets[0], "a.sprite", (const char *) data, size, &f);
        CHECK((r < 0) == failure_is_set(&f));
        if (r >= 0) {
                check_set(&s.sets[0]);
                check_pictures(&s);
                s.flags = SPRITES_ASCII;
                check_pictures(&s);
        } else
                CHECK(utf8_is_valid(failure_message(&f), strlen(failure_message(&f))));
        sprite_set_done(&s.sets[0]);
        return 0;
}
