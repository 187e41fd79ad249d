/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/avatar/sprites-internal.h"

static char *directory(void)
{
        char *path;

        assert_true(asprintf(&path, "%s/../../client/tui/avatar", getenv("FIXTURES")) > 0);
        return path;
}

static Sprites *load(SpriteFlags flags)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_free_ char *path = directory();
        Sprites *s = NULL;

        if (sprites_load(path, flags, &s, &failure) < 0)
                fail_msg("%s", failure_message(&failure));
        return s;
}

static bool is_alike(const SpritePicture *a, const SpritePicture *b)
{
        for (int row = 0; row < a->frame.rows; row++) {
                if (a->frame.n_runs[row] != b->frame.n_runs[row])
                        return false;
                for (size_t i = 0; i < a->frame.n_runs[row]; i++) {
                        const SpriteRun *x = &a->frame.runs[row][i], *y = &b->frame.runs[row][i];

                        if (x->column != y->column || x->size != y->size || x->style != y->style ||
                                memcmp(x->text, y->text, x->size) != 0)
                                return false;
                }
        }
        return true;
}

static void check_animation(
        const Sprites *s, SpriteSize size, SpriteAnimation animation, SpriteMood mood, bool ascii)
{
        static SpritePicture pictures[SPRITE_FRAMES_MAX];
        const Animation *a = sprites_animation(s, size, animation);
        size_t n_different = 0;

        for (size_t i = 0; i < a->n_frames; i++) {
                bool is_new = true;

                sprites_compose(s, size, mood, &a->frames[i], &pictures[i]);
                for (size_t j = 0; j < i; j++)
                        is_new = is_new && !is_alike(&pictures[i], &pictures[j]);
                n_different += is_new;
                for (int row = 0; row < pictures[i].frame.rows; row++)
                        for (size_t j = 0; j < pictures[i].frame.n_runs[row]; j++) {
                                const SpriteRun *run = &pictures[i].frame.runs[row][j];

                                for (size_t b = 0; ascii && b < run->size; b++)
                                        assert_in_range(run->text[b], 0x20, 0x7e);
                                assert_in_range(run->column, 0, pictures[i].frame.columns - 1);
                        }
        }
        if (animation < ANIMATION_CHANGE && (a->n_frames < 4 || n_different < 4))
                fail_msg("%s %s in mood %s has %zu frames, %zu different",
                        sprite_size_to_string(size), sprite_animation_to_string(animation),
                        sprite_mood_to_string(mood), a->n_frames, n_different);
}

/* Every picture of ours: of its size, in motion; those for ASCII are ASCII. */
static void test_ours(void **state)
{
        static const int sizes[][2] = { { 4, 8 }, { 8, 16 }, { 12, 24 } };

        for (int ascii = 0; ascii < 2; ascii++) {
                _cleanup_(sprites_freep) Sprites *s = load(ascii ? SPRITES_ASCII : 0);

                for (SpriteSize size = 0; size < _SPRITE_SIZE_MAX; size++) {
                        assert_int_equal(sprites_rows(s, size), sizes[size][0]);
                        assert_int_equal(sprites_columns(s, size), sizes[size][1]);
                        for (SpriteAnimation a = 0; a < _SPRITE_ANIMATION_MAX; a++)
                                check_animation(s, size, a, MOOD_NEUTRAL, ascii);
                }
        }
}

static void test_every_mood_has_a_face(void **state)
{
        static SpritePicture pictures[_SPRITE_MOOD_MAX];
        _cleanup_(sprites_freep) Sprites *s = load(0);

        for (SpriteSize size = 0; size < _SPRITE_SIZE_MAX; size++)
                for (SpriteMood m = 0; m < _SPRITE_MOOD_MAX; m++) {
                        sprites_compose(s, size, m,
                                &sprites_animation(s, size, ANIMATION_IDLE)->frames[0],
                                &pictures[m]);
                        for (SpriteMood other = 0; other < m; other++)
                                assert_false(is_alike(&pictures[m], &pictures[other]));
                }
}

static void test_still_at_the_end_of_idle(void **state)
{
        _cleanup_(sprites_freep) Sprites *s = load(0);

        for (SpriteSize size = 0; size < _SPRITE_SIZE_MAX; size++) {
                assert_int_equal(sprites_animation(s, size, ANIMATION_IDLE)->n_times, 1);
                assert_int_not_equal(sprites_animation(s, size, ANIMATION_WORRIED)->n_times, 0);
        }
}

#define S "size 2 4\n"
#define A S "part a\n|ab|bb|\n"

static void test_sentences(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                { "", "f:0: The file has no animation 'idle'." },
                { A, "f:3: The file has no animation 'idle'." },
                { "part a", "f:1: The first line is the size" },
                { "# x\n\nsize 17 4", "f:3: '17' is to be a number from 1 to 16." },
                { "size 4 41", "f:1: '41' is to be a number from 1 to 40." },
                { "size 0 4", "f:1: '0' is to be" },
                { "size -1 4", "f:1: '-1' is to be" },
                { "size 99999999999999999999 4", "f:1: '99999999999999999999' is to be" },
                { S S, "f:2: The size is said once" },
                { "nonsense", "f:1: A line begins with" },
                { "\x1b[2J", "f:1: The line has bytes" },
                { "size \xff", "f:1: The line has bytes" },
                { S "part", "f:2: A part has a name" },
                { S "part A", "f:2: A name is made of" },
                { S "part a2345678901234567890123456", "f:2: A name is made of" },
                { S "part eyes", "f:2: There is a 'eyes' already" },
                { S "part none", "f:2: There is a 'none' already" },
                { A "part a", "f:4: There is a 'a' already" },
                { S "part a at 1", "f:2: '1' is to be ROW,COLUMN." },
                { S "part a at 1,-1", "f:2: '-1' is to be" },
                { S "part a over 1,1", "f:2: Where it lies" },
                { S "part a\npart b", "f:3: The part 'a' has no picture." },
                { S "part a\n|abcde|bbbbb|", "f:3: The part reaches out" },
                { S "part a at 1,0\n|a|b|\n|a|b|", "f:4: The part reaches out" },
                { S "part a at 40,40\n|a|b|", "f:3: The part reaches out" },
                { S "part a\n|ab|b|", "f:3: A row is" },
                { S "part a\n|||", "f:3: A row is" },
                { S "part a\n|ab|bb", "f:3: A row is" },
                { S "part a\n|ab|bb|\n|a|b|", "f:4: The row has 1 cells, the one above 2." },
                { S "part a\n|a|q|", "f:3: A cell's letter is" },
                { S "part a\n|\xe6\xbc\xa2|b|", "f:3: U+6F22 is not among" },
                { S "part a\n|\xf0\x9f\x98\x80|b|", "f:3: U+1F600 is not among" },
                { S "part a\n|\xe2\x96\x88|b|\npart b", "f:4: The part 'a' has no ascii picture." },
                { S "part a\n|\xe2\x96\x88|b|\nascii\n|\xe2\x96\x88|b|",
                        "f:5: U+2588 is no ASCII." },
                { S "ascii", "f:2: 'ascii' comes after" },
                { A "ascii\n|a|b|\nascii", "f:6: The part has an ascii picture already." },
                { S "|a|b|", "f:2: A row of a picture comes after" },
                { A "group g", "f:4: A group is" },
                { A "group a a", "f:4: There is a 'a' already" },
                { A "group g b", "f:4: There is no part or group 'b'" },
                { A "group g g", "f:4: There is no part or group 'g'" },
                { A "group g a@41,0", "f:4: '41' is to be" },
                { A "group g a@30,0\ngroup h g@11,0", "f:5: A part is shifted by at most 40" },
                { A "group g a a a a a a a a a\ngroup h g g", "f:5: At most 16 parts" },
                { A "mood grim", "f:4: A mood is" },
                { A "mood sad eyes", "f:4: 'eyes' is to be PLACE=PART." },
                { A "mood sad nose=a", "f:4: A face has" },
                { A "mood sad eyes=b", "f:4: There is no part 'b'" },
                { A "animation fly once", "f:4: An animation is" },
                { A "animation idle", "f:4: An animation is" },
                { A "animation idle often", "f:4: How often is" },
                { A "animation idle 0 times", "f:4: '0' is to be" },
                { A "animation idle once\n20 a\nanimation idle once", "f:6: There is a 'idle'" },
                { A "20 a", "f:4: A frame comes after 'animation'." },
                { A "animation idle once\n19 a", "f:5: '19' is to be a number from 20 to 10000." },
                { A "animation idle once\n10001 a", "f:5: '10001' is to be" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                SpriteSet set = { 0 };

                assert_true(sprite_set_parse(
                                    &set, "f", cases[i].text, strlen(cases[i].text), &failure) < 0);
                if (!startswith(failure_message(&failure), cases[i].sentence))
                        fail_msg("%zu: %s", i, failure_message(&failure));
                sprite_set_done(&set);
        }
}

static void test_missing(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Sprites *s = NULL;

        assert_true(sprites_load("/nonexistent", 0, &s, &failure) < 0);
        assert_non_null(strstr(failure_message(&failure), "/nonexistent/small.sprite"));
        assert_null(s);
}

static size_t read_ours(char *text)
{
        _cleanup_free_ char *folder = directory(), *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;

        assert_true(asprintf(&path, "%s/small.sprite", folder) > 0);
        f = fopen(path, "re");
        assert_non_null(f);
        return fread(text, 1, SPRITE_FILE_MAX, f);
}

static void parse_hostile(const char *text, size_t size)
{
        _cleanup_free_ char *copy = malloc(size + 1); /* so that a read beyond its end is seen */
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        SpriteSet set = { 0 };
        int r;

        assert_non_null(copy);
        memcpy(copy, text, size);
        r = sprite_set_parse(&set, "f", copy, size, &failure);
        assert_int_equal(r < 0, failure_is_set(&failure));
        sprite_set_done(&set);
}

static void test_hostile(void **state)
{
        _cleanup_free_ char *text = malloc(SPRITE_FILE_MAX);
        uint32_t seed = 4711;
        size_t size;

        assert_non_null(text);
        size = read_ours(text);
        for (size_t n = 0; n < size; n += 13)
                parse_hostile(text, n);
        for (size_t i = 0; i < 2000; i++) {
                size_t at;
                char kept;

                seed = seed * 1664525 + 1013904223;
                at = (seed >> 8) % size;
                kept = text[at];
                text[at] = (char) (seed >> 3);
                parse_hostile(text, size);
                if (i % 5 > 0) /* every fifth stays */
                        text[at] = kept;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ours),
                cmocka_unit_test(test_every_mood_has_a_face),
                cmocka_unit_test(test_still_at_the_end_of_idle),
                cmocka_unit_test(test_sentences),
                cmocka_unit_test(test_missing),
                cmocka_unit_test(test_hostile),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
