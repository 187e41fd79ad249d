/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints every picture of the avatar, for those who draw it:
 * avatar-sheet DIRECTORY [--ascii] [--mono] [--light] [--moods] [small|medium|large] */

#include "client/tui/avatar/sprites.h"

#define COLUMNS 176

typedef struct Sheet {
        const Sprites *sprites;
        bool mono;
} Sheet;

static int cells(const SpriteRun *run)
{
        int n = 0;

        for (size_t i = 0; i < run->size; i++)
                n += ((uint8_t) run->text[i] & 0xc0) != 0x80;
        return n;
}

static void print_row(const Sheet *sheet, const SpriteFrame *frame, int row)
{
        int column = 0;

        for (size_t i = 0; i < frame->n_runs[row]; i++) {
                const SpriteRun *run = &frame->runs[row][i];
                char sequence[STYLE_CHANGE_MAX];

                printf("%*s", run->column - column, "");
                if (!sheet->mono) {
                        size_t n = style_change(STYLE_UNKNOWN, run->style, sequence);

                        (void) fwrite(sequence, 1, n, stdout);
                }
                printf("%.*s%s", (int) run->size, run->text, sheet->mono ? "" : "\x1b[0m");
                column = run->column + cells(run);
        }
        printf("%*s", frame->columns - column + 1, "");
}

static void print_pictures(const Sheet *sheet, const SpritePicture *pictures, size_t n)
{
        size_t per_line = COLUMNS / (pictures[0].frame.columns + 1U);

        for (size_t first = 0; first < n; first += per_line)
                for (int row = 0; row < pictures[0].frame.rows; row++) {
                        for (size_t i = first; i < MIN(n, first + per_line); i++)
                                print_row(sheet, &pictures[i].frame, row);
                        putchar('\n');
                }
}

static void print_animation(const Sheet *sheet, SpriteSize size, SpriteAnimation animation)
{
        static SpritePicture pictures[SPRITE_FRAMES_MAX];
        const Animation *a = sprites_animation(sheet->sprites, size, animation);

        printf("%s %s\n", sprite_size_to_string(size), sprite_animation_to_string(animation));
        for (size_t i = 0; i < a->n_frames; i++)
                sprites_compose(sheet->sprites, size, MOOD_NEUTRAL, &a->frames[i], &pictures[i]);
        print_pictures(sheet, pictures, a->n_frames);
}

static void print_moods(const Sheet *sheet, SpriteSize size)
{
        static SpritePicture pictures[_SPRITE_MOOD_MAX];
        const Animation *a = sprites_animation(sheet->sprites, size, ANIMATION_IDLE);

        printf("%s:", sprite_size_to_string(size));
        for (SpriteMood m = 0; m < _SPRITE_MOOD_MAX; m++) {
                printf(" %s", sprite_mood_to_string(m));
                sprites_compose(sheet->sprites, size, m, &a->frames[a->n_frames - 1], &pictures[m]);
        }
        putchar('\n');
        print_pictures(sheet, pictures, _SPRITE_MOOD_MAX);
}

int main(int argc, char **argv)
{
        _cleanup_(sprites_freep) Sprites *sprites = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        SpriteSize only = _SPRITE_SIZE_INVALID;
        bool ascii = false, light = false, moods = false;
        Sheet sheet = { 0 };

        for (int i = 2; i < argc; i++) {
                ascii = ascii || streq(argv[i], "--ascii");
                light = light || streq(argv[i], "--light");
                moods = moods || streq(argv[i], "--moods");
                sheet.mono = sheet.mono || streq(argv[i], "--mono");
                if (sprite_size_from_string(argv[i]) >= 0)
                        only = sprite_size_from_string(argv[i]);
        }
        if (argc < 2 || sprites_load(argv[1], ascii ? SPRITES_ASCII : 0, &sprites, &failure) < 0) {
                fprintf(stderr, "%s\n", argc < 2 ? "Which directory?" : failure_message(&failure));
                return EXIT_FAILURE;
        }
        sheet.sprites = sprites;
        style_load(light ? THEME_LIGHT : THEME_DARK, COLOURS_TRUE);
        for (SpriteSize size = 0; size < _SPRITE_SIZE_MAX; size++) {
                if (only >= 0 && size != only)
                        continue;
                if (moods)
                        print_moods(&sheet, size);
                for (SpriteAnimation a = 0; !moods && a < _SPRITE_ANIMATION_MAX; a++)
                        print_animation(&sheet, size, a);
        }
        return EXIT_SUCCESS;
}
