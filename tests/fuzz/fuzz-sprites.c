/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file of the avatar's pictures: refused with a sentence, or every picture of it can be drawn.
 * Where the first byte is 0xff, a right file is written here of what the input chooses: the picture
 * is the one that its parts make, laid one upon another. */

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

/* ---- a file that is right ---- */

#define SAY        0xff /* the first byte: in no UTF-8 */
#define SIZE_SAID  6    /* rows and columns at most */
#define PARTS_SAID 4
#define MOOD_SAID  MOOD_SLEEPY

typedef struct SaidCell {
        const char *text, *ascii;
        char letter;
} SaidCell;

typedef struct SaidPart {
        int row, column, rows, columns;
        bool ascii; /* it has a second drawing */
        SaidCell cells[SIZE_SAID][SIZE_SAID];
} SaidPart;

typedef struct Said {
        int rows, columns;
        SaidPart parts[PARTS_SAID];
        size_t n_parts;
        const SaidCell *canvas[SIZE_SAID][SIZE_SAID];
} Said;

static int choose(FuzzInput *in, int first, int last)
{
        return first + fuzz_byte(in) % (last - first + 1);
}

static void choose_part(FuzzInput *in, const Said *said, SaidPart *part)
{
        static const char *const texts[] = { "a", " ", "#", "█", "é", "♪" };
        static const char letters[] = "obsfecxOBSFECX.-";

        part->row = choose(in, 0, said->rows - 1);
        part->column = choose(in, 0, said->columns - 1);
        part->rows = choose(in, 1, said->rows - part->row);
        part->columns = choose(in, 1, said->columns - part->column);
        part->ascii = false;
        for (int i = 0; i < part->rows; i++)
                for (int k = 0; k < part->columns; k++) {
                        unsigned byte = fuzz_byte(in);
                        const char *text = texts[byte % ELEMENTSOF(texts)];

                        part->cells[i][k] = (SaidCell){ text, byte & 1 ? "+" : "=",
                                letters[byte / 8 % strlen(letters)] };
                        part->ascii = part->ascii || (text[0] & 0x80);
                }
}

static void write_rows(Buffer *file, const SaidPart *part, bool ascii)
{
        for (int i = 0; i < part->rows; i++) {
                fuzz_append(file, "|", 1);
                for (int k = 0; k < part->columns; k++)
                        fuzz_format(file, "%s",
                                ascii ? part->cells[i][k].ascii : part->cells[i][k].text);
                fuzz_append(file, "|", 1);
                for (int k = 0; k < part->columns; k++)
                        fuzz_append(file, &part->cells[i][k].letter, 1);
                fuzz_append(file, "|\n", 2);
        }
}

static void write_part(Buffer *file, const SaidPart *part, size_t n)
{
        fuzz_format(file, "part p%zu at %d,%d\n", n, part->row, part->column);
        write_rows(file, part, false);
        if (!part->ascii)
                return;
        fuzz_format(file, "ascii at %d,%d\n", part->row, part->column);
        write_rows(file, part, true);
}

static void lay_part(Said *said, const SaidPart *part, int row_shift, int column_shift)
{
        for (int i = 0; i < part->rows; i++)
                for (int k = 0; k < part->columns; k++) {
                        const SaidCell *cell = &part->cells[i][k];
                        int row = part->row + row_shift + i;
                        int column = part->column + column_shift + k;

                        if (cell->letter != '.' && row >= 0 && row < said->rows && column >= 0 &&
                                column < said->columns)
                                said->canvas[row][column] = cell->letter == '-' ? NULL : cell;
                }
}

/* Layers by name, shifted, in a group, and by a mood's face. */
static void write_layers(FuzzInput *in, Said *said, Buffer *file)
{
        int group = choose(in, 0, (int) said->n_parts - 1);
        int eyes = choose(in, 0, (int) said->n_parts - 1), row, column;

        fuzz_format(file, "group g p%d p%d@0,1\nmood neutral mouth=p0\n", group, group);
        fuzz_format(file, "mood %s eyes=p%d mouth=none\n", sprite_mood_to_string(MOOD_SAID), eyes);
        fuzz_format(file, "animation %s 3 times\n120", sprite_animation_to_string(0));
        for (int n = choose(in, 1, 6); n > 0; n--) {
                int which = choose(in, -3, (int) said->n_parts - 1);

                row = choose(in, -2, 2);
                column = choose(in, -2, 2);
                if (which == -3)
                        fuzz_format(file, " mouth"); /* none */
                else if (which == -2) {
                        fuzz_format(file, " g@%d,%d", row, column);
                        lay_part(said, &said->parts[group], row, column);
                        lay_part(said, &said->parts[group], row, column + 1);
                } else if (which == -1) {
                        fuzz_format(file, " eyes@%d,%d", row, column);
                        lay_part(said, &said->parts[eyes], row, column);
                } else {
                        fuzz_format(file, " p%d@%d,%d", which, row, column);
                        lay_part(said, &said->parts[which], row, column);
                }
        }
        fuzz_append(file, "\n", 1);
        for (SpriteAnimation a = 1; a < _SPRITE_ANIMATION_MAX; a++)
                fuzz_format(file, "animation %s once\n20 p0\n", sprite_animation_to_string(a));
}

static Style style_of(char letter)
{
        static const StyleRole roles[] = { STYLE_AVATAR_OUTLINE, STYLE_AVATAR_BODY,
                STYLE_AVATAR_SHADE, STYLE_AVATAR_FACE, STYLE_AVATAR_EYE, STYLE_AVATAR_CHEEK,
                STYLE_AVATAR_EXTRA };
        static const char small[] = "obsfecx", bold[] = "OBSFECX";
        const char *at = strchr(small, letter);

        return at ? (Style) roles[at - small]
                  : (Style) roles[strchr(bold, letter) - bold] | STYLE_BOLD;
}

/* On terminals without UTF-8 a part's second drawing is taken, if it has one. */
static const char *text_of(const Said *said, const SaidCell *cell, bool ascii)
{
        for (size_t i = 0; i < said->n_parts; i++)
                if ((const void *) cell >= (const void *) &said->parts[i] &&
                        (const void *) cell < (const void *) &said->parts[i + 1])
                        return ascii && said->parts[i].ascii ? cell->ascii : cell->text;
        return "";
}

static void check_drawn(const Said *said, const SpriteFrame *f, bool ascii)
{
        CHECK(f->rows == said->rows && f->columns == said->columns);
        for (int row = 0; row < said->rows; row++) {
                _cleanup_buffer_ Buffer expected = BUFFER_INIT(KIB(64)),
                                        drawn = BUFFER_INIT(KIB(64));

                for (int column = 0; column < said->columns; column++) {
                        const SaidCell *cell = said->canvas[row][column];

                        if (cell)
                                fuzz_format(&expected, "%d:%x:%s ", column,
                                        (unsigned) style_of(cell->letter),
                                        text_of(said, cell, ascii));
                }
                for (size_t i = 0; i < f->n_runs[row]; i++) {
                        const SpriteRun *run = &f->runs[row][i];
                        int column = run->column;

                        for (size_t at = 0, n; at < run->size; at += n, column++) {
                                for (n = 1;
                                        at + n < run->size && (run->text[at + n] & 0xc0) == 0x80;)
                                        n++;
                                fuzz_format(&drawn, "%d:%x:%.*s ", column, (unsigned) run->style,
                                        (int) n, run->text + at);
                        }
                }
                CHECK_SAME(&expected, &drawn);
        }
}

static void check_said(FuzzInput in)
{
        _cleanup_buffer_ Buffer file = BUFFER_INIT(MIB(1));
        _cleanup_failure_ Failure f = FAILURE_NULL;
        static SpritePicture p;
        static Said said;
        const Animation *a;
        Sprites s = { 0 };

        said = (Said){ .rows = choose(&in, 1, SIZE_SAID), .columns = choose(&in, 1, SIZE_SAID) };
        said.n_parts = (size_t) choose(&in, 1, PARTS_SAID);
        fuzz_format(&file, "size %d %d\n", said.rows, said.columns);
        for (size_t i = 0; i < said.n_parts; i++) {
                choose_part(&in, &said, &said.parts[i]);
                write_part(&file, &said.parts[i], i);
        }
        write_layers(&in, &said, &file);

        CHECK(sprite_set_parse(&s.sets[0], "a.sprite", buffer_text(&file), file.size, &f) == 0);
        a = sprites_animation(&s, 0, 0);
        CHECK(a->n_frames == 1 && a->n_times == 3);
        CHECK(a->frames[0].duration == 120 * USEC_PER_MSEC);
        for (unsigned ascii = 0; ascii < 2; ascii++) {
                s.flags = ascii ? SPRITES_ASCII : 0;
                sprites_compose(&s, 0, MOOD_SAID, &a->frames[0], &p);
                check_drawn(&said, &p.frame, ascii);
        }
        sprite_set_done(&s.sets[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        Sprites s = { 0 };
        int r;

        if (size > 0 && data[0] == SAY) {
                check_said((FuzzInput){ data + 1, size - 1 });
                return 0;
        }
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
