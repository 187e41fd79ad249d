/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sprite files' grammar, which stands at the top of large.sprite. */
#include "client/tui/avatar/sprites-internal.h"

#include "common/parse.h"
#include "common/utf8.h"

#define LINE_MAX_BYTES 512
#define WORDS_MAX      (SPRITE_LAYERS_MAX + 4)

typedef struct Group {
        char name[SPRITE_NAME_MAX + 1];
        uint8_t n_layers;
        SpriteLayer layers[SPRITE_LAYERS_MAX];
} Group;

typedef struct Parser {
        SpriteSet *set;
        const char *name;
        unsigned line;
        Failure *failure;
        SpriteDrawing *drawing;    /* which the next picture row belongs to */
        SpriteAnimation animation; /* which the next frame belongs to */
        Group *groups;
        size_t n_groups;
} Parser;

static const char *const place_table[_FACE_PLACE_MAX] = {
        [FACE_EYES] = "eyes",
        [FACE_MOUTH] = "mouth",
        [FACE_CHEEKS] = "cheeks",
        [FACE_SPARK] = "spark",
};

/* sentence: what is wrong with the line, and what would be right. */
#define WRONG(p, sentence, ...) \
        failure_set((p)->failure, FAILURE_CONFIGURATION, "%s:%u: " sentence, (p)->name, (p)->line, \
                ##__VA_ARGS__)

static int no_memory(Parser *p)
{
        return failure_set_errno(p->failure, -ENOMEM, "Loading the avatar");
}

static FacePlace place_from_string(const char *s)
{
        for (FacePlace i = 0; i < _FACE_PLACE_MAX; i++)
                if (streq(place_table[i], s))
                        return i;
        return _FACE_PLACE_INVALID;
}

/* ---- words ---- */

static size_t split_words(char *line, char *words[static WORDS_MAX + 1])
{
        size_t n = 0;

        for (;;) {
                line += strspn(line, " ");
                if (*line == 0 || n > WORDS_MAX)
                        return n;
                words[n++] = line;
                line += strcspn(line, " ");
                if (*line)
                        *line++ = 0;
        }
}

static int parse_number(Parser *p, const char *word, int minimum, int maximum, int *ret)
{
        bool negative = word[0] == '-';
        uint64_t u;

        if (parse_u64(word + negative, &u) < 0 || u > INT16_MAX ||
                (negative ? -(int) u : (int) u) < minimum ||
                (negative ? -(int) u : (int) u) > maximum)
                return WRONG(p, "'%s' is to be a number from %d to %d.", word, minimum, maximum);
        *ret = negative ? -(int) u : (int) u;
        return 0;
}

/* ROW,COLUMN, in place */
static int parse_shift(Parser *p, char *word, int minimum, int *ret_row, int *ret_column)
{
        char *comma = strchr(word, ',');
        int r;

        if (!comma)
                return WRONG(p, "'%s' is to be ROW,COLUMN.", word);
        *comma = 0;
        r = parse_number(p, word, minimum, SPRITE_SHIFT_MAX, ret_row);
        if (r < 0)
                return r;
        return parse_number(p, comma + 1, minimum, SPRITE_SHIFT_MAX, ret_column);
}

static int check_name(Parser *p, const char *name)
{
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

        if (n == 0 || name[n] || n > SPRITE_NAME_MAX)
                return WRONG(p,
                        "A name is made of a to z, 0 to 9 and '-', at most %d of them, not '%s'.",
                        SPRITE_NAME_MAX, name);
        return 0;
}

static const Group *find_group(const Parser *p, const char *name)
{
        for (size_t i = 0; i < p->n_groups; i++)
                if (streq(p->groups[i].name, name))
                        return &p->groups[i];
        return NULL;
}

static int16_t find_part(const SpriteSet *set, const char *name)
{
        for (size_t i = 0; i < set->n_parts; i++)
                if (streq(set->parts[i].name, name))
                        return (int16_t) i;
        return -ENOENT;
}

static int check_new_name(Parser *p, const char *name)
{
        int r;

        r = check_name(p, name);
        if (r < 0)
                return r;
        if (find_part(p->set, name) >= 0 || find_group(p, name) || place_from_string(name) >= 0 ||
                streq(name, "none"))
                return WRONG(p, "There is a '%s' already: take another name.", name);
        return 0;
}

/* ---- pictures ---- */

/* Characters that are one cell wide on every terminal and that fonts for terminals have. */
static bool is_drawable(uint32_t c)
{
        static const struct {
                uint16_t first, last;
        } ranges[] = {
                { 0x20, 0x7e },
                { 0xa1, 0xac },
                { 0xae, 0x17f },
                { 0x2010, 0x2027 },
                { 0x2030, 0x205e },
                { 0x2190, 0x2193 },
                { 0x2500, 0x25fc },
                { 0x2669, 0x266f },
        };

        for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
                if (c >= ranges[i].first && c <= ranges[i].last)
                        return true;
        return false;
}

/* text is well-formed. Returns the bytes of its first character. */
static size_t decode(const char *text, uint32_t *ret)
{
        const uint8_t *b = (const uint8_t *) text;

        if (b[0] < 0x80) {
                *ret = b[0];
                return 1;
        }
        if (b[0] < 0xe0) {
                *ret = (b[0] & 0x1fU) << 6 | (b[1] & 0x3fU);
                return 2;
        }
        if (b[0] < 0xf0) {
                *ret = (b[0] & 0x0fU) << 12 | (b[1] & 0x3fU) << 6 | (b[2] & 0x3fU);
                return 3;
        }
        *ret = (b[0] & 0x07U) << 18 | (b[1] & 0x3fU) << 12 | (b[2] & 0x3fU) << 6 | (b[3] & 0x3fU);
        return 4;
}

static int parse_letter(Parser *p, char letter, SpriteCell *cell)
{
        static const struct {
                char letter;
                StyleRole role;
        } roles[] = {
                { 'o', STYLE_AVATAR_OUTLINE },
                { 'b', STYLE_AVATAR_BODY },
                { 's', STYLE_AVATAR_SHADE },
                { 'f', STYLE_AVATAR_FACE },
                { 'e', STYLE_AVATAR_EYE },
                { 'c', STYLE_AVATAR_CHEEK },
                { 'x', STYLE_AVATAR_EXTRA },
        };

        cell->kind = letter == '-' ? CELL_HOLE : letter == '.' ? CELL_CLEAR : CELL_INK;
        if (cell->kind != CELL_INK)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(roles); i++)
                if ((letter | 0x20) == roles[i].letter) {
                        cell->style = (Style) roles[i].role;
                        if (letter != roles[i].letter)
                                cell->style |= STYLE_BOLD;
                        return 0;
                }
        /* It is not repeated: it may be a part of a longer character. */
        return WRONG(p,
                "A cell's letter is one of o b s f e c x, '-' for a hole or '.' for what is below.");
}

static int add_cells(Parser *p, size_t n, SpriteCell **ret)
{
        SpriteSet *set = p->set;
        size_t allocate = MAX((size_t) 256, set->n_cells_allocated);
        SpriteCell *cells = NULL;

        while (allocate < set->n_cells + n)
                allocate *= 2;
        if (allocate > set->n_cells_allocated) {
                cells = realloc(set->cells, allocate * sizeof *cells);
                if (!cells)
                        return no_memory(p);
                set->cells = cells;
                set->n_cells_allocated = allocate;
        }
        *ret = set->cells + set->n_cells;
        memset(*ret, 0, n * sizeof **ret);
        set->n_cells += n;
        return 0;
}

/* |picture|letters|: as many characters in the one as in the other, so that a bar can be drawn. */
static int find_columns(Parser *p, const char *line, size_t *ret_columns, const char **ret_letters)
{
        size_t size = strlen(line), n = 0, at = 0;
        uint32_t c;

        for (size_t i = 0; i < size; n++)
                i += decode(line + i, &c);
        if (n < 5 || n % 2 == 0)
                return WRONG(p, "A row is |PICTURE|LETTERS|, both of as many characters.");
        *ret_columns = (n - 3) / 2;
        if (*ret_columns > SPRITE_COLUMNS_MAX)
                return WRONG(p, "A row has at most %d cells.", SPRITE_COLUMNS_MAX);
        for (size_t i = 0; i < *ret_columns + 1; i++) {
                at += decode(line + at, &c);
                if (!is_drawable(c))
                        return WRONG(p,
                                "U+%04X is not among the characters that every terminal draws in "
                                "one cell.",
                                c);
        }
        if (line[at] != '|' || line[size - 1] != '|')
                return WRONG(p, "A row is |PICTURE|LETTERS|, both of as many characters.");
        *ret_letters = line + at + 1;
        return 0;
}

static int parse_picture_row(Parser *p, const char *line)
{
        SpriteDrawing *d = p->drawing;
        SpritePart *part;
        const char *letters = NULL;
        SpriteCell *cells = NULL;
        size_t columns = 0;
        int r;

        if (!d)
                return WRONG(p, "A row of a picture comes after 'part' or 'ascii'.");
        part = &p->set->parts[p->set->n_parts - 1];
        r = find_columns(p, line, &columns, &letters);
        if (r < 0)
                return r;
        if (d->rows > 0 && d->columns != columns)
                return WRONG(p, "The row has %zu cells, the one above %u.", columns, d->columns);
        if (d->row + d->rows >= p->set->rows || d->column + (int) columns > p->set->columns)
                return WRONG(p, "The part reaches out of the picture of %d rows and %d columns.",
                        p->set->rows, p->set->columns);
        r = add_cells(p, columns, &cells);
        if (r < 0)
                return r;
        if (d->rows++ == 0)
                d->first = (uint32_t) (cells - p->set->cells);
        d->columns = (uint8_t) columns;
        line++;
        for (size_t i = 0; i < columns; i++) {
                uint32_t c;

                cells[i].size = (uint8_t) decode(line, &c);
                memcpy(cells[i].text, line, cells[i].size);
                line += cells[i].size;
                r = parse_letter(p, letters[i], &cells[i]);
                if (r < 0)
                        return r;
                if (c >= 0x80 && d == &part->ascii)
                        return WRONG(p, "U+%04X is no ASCII.", c);
                if (c >= 0x80)
                        part->is_ascii = false;
        }
        return 0;
}

/* ---- statements ---- */

static int parse_size(Parser *p, char **words, size_t n)
{
        int r, rows = 0, columns = 0;

        if (n != 3 || p->set->rows > 0)
                return WRONG(p, "The size is said once: size ROWS COLUMNS.");
        r = parse_number(p, words[1], 1, SPRITE_ROWS_MAX, &rows);
        if (r < 0)
                return r;
        r = parse_number(p, words[2], 1, SPRITE_COLUMNS_MAX, &columns);
        if (r < 0)
                return r;
        p->set->rows = rows;
        p->set->columns = columns;
        return 0;
}

/* The part before is complete: each has at least one row, and something for ASCII. */
static int end_part(Parser *p)
{
        const SpriteSet *set = p->set;
        const SpritePart *part;

        p->drawing = NULL;
        if (set->n_parts == 0)
                return 0;
        part = &set->parts[set->n_parts - 1];
        if (part->drawing.rows == 0)
                return WRONG(p, "The part '%s' has no picture.", part->name);
        if (!part->is_ascii && part->ascii.rows == 0)
                return WRONG(p, "The part '%s' has no ascii picture.", part->name);
        return 0;
}

static int parse_place(Parser *p, char **words, size_t n, SpriteDrawing *d)
{
        int r, row = 0, column = 0;

        if (n == 0)
                return 0;
        if (n != 2 || !streq(words[0], "at"))
                return WRONG(p, "Where it lies is said so: at ROW,COLUMN.");
        r = parse_shift(p, words[1], 0, &row, &column);
        if (r < 0)
                return r;
        d->row = (int8_t) row;
        d->column = (int8_t) column;
        return 0;
}

static int parse_part(Parser *p, char **words, size_t n)
{
        SpritePart *part;
        int r;

        if (p->set->rows == 0)
                return WRONG(p, "The first line is the size: size ROWS COLUMNS.");
        if (n < 2)
                return WRONG(p, "A part has a name: part NAME [at ROW,COLUMN].");
        r = check_new_name(p, words[1]);
        if (r < 0)
                return r;
        if (p->set->n_parts == SPRITE_PARTS_MAX)
                return WRONG(p, "A file has at most %d parts.", SPRITE_PARTS_MAX);
        part = &p->set->parts[p->set->n_parts];
        *part = (SpritePart){ .is_ascii = true };
        r = parse_place(p, words + 2, n - 2, &part->drawing);
        if (r < 0)
                return r;
        strcpy(part->name, words[1]);
        part->ascii = part->drawing;
        p->set->n_parts++;
        p->drawing = &part->drawing;
        return 0;
}

static int parse_ascii(Parser *p, char **words, size_t n)
{
        SpritePart *part;

        if (!p->drawing || p->drawing->rows == 0)
                return WRONG(p, "'ascii' comes after a part's picture.");
        part = &p->set->parts[p->set->n_parts - 1];
        if (p->drawing == &part->ascii)
                return WRONG(p, "The part has an ascii picture already.");
        p->drawing = &part->ascii;
        return parse_place(p, words + 1, n - 1, &part->ascii);
}

static int add_layer(
        Parser *p, SpriteLayer layer, int row, int column, SpriteLayer *layers, uint8_t *n_layers)
{
        if (*n_layers == SPRITE_LAYERS_MAX)
                return WRONG(p, "At most %d parts lie one upon another.", SPRITE_LAYERS_MAX);
        row += layer.row;
        column += layer.column;
        if (abs(row) > SPRITE_SHIFT_MAX || abs(column) > SPRITE_SHIFT_MAX)
                return WRONG(p, "A part is shifted by at most %d cells.", SPRITE_SHIFT_MAX);
        layers[(*n_layers)++] = (SpriteLayer){ layer.part, (int8_t) row, (int8_t) column };
        return 0;
}

/* NAME or NAME@ROW,COLUMN, in place; a group stands for its layers. */
static int parse_layer(Parser *p, char *word, SpriteLayer *layers, uint8_t *n_layers)
{
        char *at = strchr(word, '@');
        int r, row = 0, column = 0;
        const Group *group;
        FacePlace place;
        int16_t part;

        if (at) {
                *at = 0;
                r = parse_shift(p, at + 1, -SPRITE_SHIFT_MAX, &row, &column);
                if (r < 0)
                        return r;
        }
        place = place_from_string(word);
        if (place >= 0)
                return add_layer(p, (SpriteLayer){ .part = (int16_t) ~place }, row, column, layers,
                        n_layers);
        part = find_part(p->set, word);
        if (part >= 0)
                return add_layer(p, (SpriteLayer){ .part = part }, row, column, layers, n_layers);
        group = find_group(p, word);
        if (!group)
                return WRONG(p, "There is no part or group '%s' above this line.", word);
        for (size_t i = 0; i < group->n_layers; i++) {
                r = add_layer(p, group->layers[i], row, column, layers, n_layers);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_group(Parser *p, char **words, size_t n)
{
        Group *group = &p->groups[p->n_groups];
        int r;

        if (n < 3)
                return WRONG(p, "A group is a name and what belongs to it: group NAME PART ….");
        r = check_new_name(p, words[1]);
        if (r < 0)
                return r;
        if (p->n_groups == SPRITE_GROUPS_MAX)
                return WRONG(p, "A file has at most %d groups.", SPRITE_GROUPS_MAX);
        *group = (Group){ 0 };
        for (size_t i = 2; i < n; i++) {
                r = parse_layer(p, words[i], group->layers, &group->n_layers);
                if (r < 0)
                        return r;
        }
        strcpy(group->name, words[1]);
        p->n_groups++;
        return 0;
}

/* The neutral face comes first: it is what all others have where they say nothing. */
static int parse_mood(Parser *p, char **words, size_t n)
{
        SpriteMood mood = n < 2 ? _SPRITE_MOOD_INVALID : sprite_mood_from_string(words[1]);

        if (mood < 0)
                return WRONG(p,
                        "A mood is one of those of org.aiway.Conductor1.Avatar: "
                        "mood WORD PLACE=PART ….");
        for (size_t i = 2; i < n; i++) {
                char *equal = strchr(words[i], '=');
                FacePlace place;
                int16_t part;

                if (!equal)
                        return WRONG(p, "'%s' is to be PLACE=PART.", words[i]);
                *equal = 0;
                place = place_from_string(words[i]);
                if (place < 0)
                        return WRONG(
                                p, "A face has eyes, mouth, cheeks and spark, no '%s'.", words[i]);
                part = streq(equal + 1, "none") ? PART_NONE : find_part(p->set, equal + 1);
                if (part < 0)
                        return WRONG(p, "There is no part '%s' above this line.", equal + 1);
                if (mood == MOOD_NEUTRAL)
                        for (SpriteMood m = 0; m < _SPRITE_MOOD_MAX; m++)
                                p->set->faces[m][place] = part;
                p->set->faces[mood][place] = part;
        }
        return 0;
}

static int parse_animation(Parser *p, char **words, size_t n)
{
        SpriteAnimation animation = n < 3 ? _SPRITE_ANIMATION_INVALID
                                          : sprite_animation_from_string(words[1]);
        int r, times = 0;

        if (animation < 0)
                return WRONG(p,
                        "An animation is one that the client plays, and how often: "
                        "animation NAME once, NUMBER times, or forever.");
        if (p->set->animations[animation].public.n_frames > 0)
                return WRONG(p, "There is a '%s' already.", words[1]);
        if (n == 3 && streq(words[2], "once"))
                times = 1;
        else if (n == 4 && streq(words[3], "times")) {
                r = parse_number(p, words[2], 1, 1000, &times);
                if (r < 0)
                        return r;
        } else if (n != 3 || !streq(words[2], "forever"))
                return WRONG(p, "How often is: once, NUMBER times, or forever.");
        p->animation = animation;
        p->set->animations[animation].public.n_times = (unsigned) times;
        return 0;
}

static int parse_frame(Parser *p, char **words, size_t n)
{
        AnimationFrame *frames, frame = { 0 };
        Animation *a;
        int r, ms = 0;

        if (p->animation < 0)
                return WRONG(p, "A frame comes after 'animation'.");
        a = &p->set->animations[p->animation].public;
        if (a->n_frames == SPRITE_FRAMES_MAX)
                return WRONG(p, "An animation has at most %d frames.", SPRITE_FRAMES_MAX);
        r = parse_number(p, words[0], (int) (SPRITE_DURATION_MIN / USEC_PER_MSEC),
                (int) (SPRITE_DURATION_MAX / USEC_PER_MSEC), &ms);
        if (r < 0)
                return r;
        frame.duration = (usec_t) ms * USEC_PER_MSEC;
        for (size_t i = 1; i < n; i++) {
                r = parse_layer(p, words[i], frame.layers, &frame.n_layers);
                if (r < 0)
                        return r;
        }
        frames = realloc(
                p->set->animations[p->animation].frames, (a->n_frames + 1) * sizeof *frames);
        if (!frames)
                return no_memory(p);
        frames[a->n_frames++] = frame;
        p->set->animations[p->animation].frames = frames;
        a->frames = frames;
        return 0;
}

static int parse_statement(Parser *p, char *line)
{
        static const struct {
                const char *word;
                int (*parse)(Parser *p, char **words, size_t n);
        } statements[] = {
                { "size", parse_size },
                { "part", parse_part },
                { "group", parse_group },
                { "mood", parse_mood },
                { "animation", parse_animation },
        };
        char *words[WORDS_MAX + 1];
        size_t n = split_words(line, words);
        int r;

        if (n == 0)
                return 0;
        if (n > WORDS_MAX)
                return WRONG(p, "The line has more than %d words.", WORDS_MAX);
        if (streq(words[0], "ascii"))
                return parse_ascii(p, words, n);
        r = end_part(p);
        if (r < 0)
                return r;
        if (words[0][0] >= '0' && words[0][0] <= '9')
                return parse_frame(p, words, n);
        p->animation = _SPRITE_ANIMATION_INVALID;
        for (size_t i = 0; i < ELEMENTSOF(statements); i++)
                if (streq(words[0], statements[i].word))
                        return statements[i].parse(p, words, n);
        return WRONG(p,
                "A line begins with size, part, ascii, group, mood, animation, a number, a "
                "bar or #.");
}

static int parse_line(Parser *p, const char *text, size_t size)
{
        char line[LINE_MAX_BYTES + 1];

        p->line++;
        if (size > LINE_MAX_BYTES)
                return WRONG(p, "A line has at most %d bytes.", LINE_MAX_BYTES);
        if (!utf8_is_clean_line(text, size))
                return WRONG(p, "The line has bytes that are no UTF-8, or control characters.");
        memcpy(line, text, size);
        line[size] = 0;
        if (line[0] == '#')
                return 0;
        return line[0] == '|' ? parse_picture_row(p, line) : parse_statement(p, line);
}

static int check_complete(Parser *p)
{
        int r;

        r = end_part(p);
        if (r < 0)
                return r;
        for (SpriteAnimation i = 0; i < _SPRITE_ANIMATION_MAX; i++)
                if (p->set->animations[i].public.n_frames == 0)
                        return WRONG(p, "The file has no animation '%s'.",
                                sprite_animation_to_string(i));
        return 0;
}

int sprite_set_parse(
        SpriteSet *set, const char *name, const char *text, size_t size, Failure *failure)
{
        _cleanup_free_ Group *groups = NULL;
        Parser p = {
                .set = set,
                .name = name,
                .failure = failure,
                .animation = _SPRITE_ANIMATION_INVALID,
        };
        int r;

        for (SpriteMood m = 0; m < _SPRITE_MOOD_MAX; m++)
                for (FacePlace i = 0; i < _FACE_PLACE_MAX; i++)
                        set->faces[m][i] = PART_NONE;
        set->parts = calloc(SPRITE_PARTS_MAX, sizeof *set->parts);
        p.groups = groups = calloc(SPRITE_GROUPS_MAX + 1, sizeof *groups);
        if (!set->parts || !groups)
                return no_memory(&p);

        while (size > 0) {
                const char *lf = memchr(text, '\n', size);
                size_t n = lf ? (size_t) (lf - text) : size;

                r = parse_line(&p, text, n);
                if (r < 0)
                        return r;
                text += n + (lf != NULL);
                size -= n + (lf != NULL);
        }
        return check_complete(&p);
}
