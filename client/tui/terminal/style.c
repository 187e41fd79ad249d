/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/style.h"

#define STYLE_FAINT (1U << 13) /* only themes say it: an attribute of looks, not of styles */
#define ATTRIBUTES  0x3f00U

#define OWN (-1) /* the terminal's own colour */

/* Colours are 0xRRGGBB here. Normal text has the terminal's own, so that it is as readable as
 * everything else there. */
typedef struct Look {
        int32_t foreground, background;
        unsigned attributes;
} Look;

/* Each is readable (4.5 to 1, pictures 3 to 1) on its background, or on black and on the greys that
 * people have: tests/unit/test-tui-style.c counts. */
static const Look rich_looks[_THEME_MAX][_STYLE_ROLE_MAX] = {
        [THEME_DARK] = {
                [STYLE_NORMAL] = { OWN, OWN },
                [STYLE_DIM] = { 0x969ba6, OWN },
                [STYLE_ACCENT] = { 0x8ab4f8, OWN },
                [STYLE_TITLE] = { 0xd0b3ff, OWN, STYLE_BOLD },
                [STYLE_USER] = { 0x84d3c8, OWN },
                [STYLE_GOOD] = { 0x93cf84, OWN },
                [STYLE_WARNING] = { 0xe8c47c, OWN },
                [STYLE_BAD] = { 0xff8a8a, OWN },
                [STYLE_REASONING] = { 0xa5a3b8, OWN, STYLE_ITALIC },
                [STYLE_QUOTE] = { 0xb4bccb, OWN, STYLE_ITALIC },
                [STYLE_CODE] = { 0xd8dbe2, 0x262930 },
                [STYLE_KEYWORD] = { 0xcf9bf0, 0x262930 },
                [STYLE_TYPE] = { 0x84d3c8, 0x262930 },
                [STYLE_STRING] = { 0xa9d58d, 0x262930 },
                [STYLE_NUMBER] = { 0xf4ac78, 0x262930 },
                [STYLE_COMMENT] = { 0x989da8, 0x262930, STYLE_ITALIC },
                [STYLE_FUNCTION] = { 0x8ab4f8, 0x262930 },
                [STYLE_BAR] = { 0xd4d7de, 0x343841 },
                [STYLE_BAR_GOOD] = { 0x9fdb90, 0x343841 },
                [STYLE_BAR_WARNING] = { 0xf0cd86, 0x343841 },
                [STYLE_BAR_BAD] = { 0xffa09c, 0x343841, STYLE_BOLD },
                [STYLE_SELECTED] = { 0xf2f4f8, 0x3d4a63 },
                [STYLE_MATCH] = { 0x1c1a10, 0xe8c47c },
                [STYLE_INPUT] = { OWN, OWN },
                [STYLE_CHIP] = { 0xa8c7fa, 0x343841 },
                [STYLE_AVATAR_OUTLINE] = { 0xe8618c, OWN },
                [STYLE_AVATAR_BODY] = { 0xffb9d0, OWN },
                [STYLE_AVATAR_SHADE] = { 0xf094b4, OWN },
                [STYLE_AVATAR_FACE] = { 0x6b1d40, 0xffb9d0 },
                [STYLE_AVATAR_EYE] = { 0x2b0f1e, 0xffb9d0 },
                [STYLE_AVATAR_CHEEK] = { 0xcc2f63, 0xffb9d0 },
                [STYLE_AVATAR_EXTRA] = { 0xffd97a, OWN },
        },
        [THEME_LIGHT] = {
                [STYLE_NORMAL] = { OWN, OWN },
                [STYLE_DIM] = { 0x646872, OWN },
                [STYLE_ACCENT] = { 0x1a57b0, OWN },
                [STYLE_TITLE] = { 0x6f35a5, OWN, STYLE_BOLD },
                [STYLE_USER] = { 0x00626b, OWN },
                [STYLE_GOOD] = { 0x23692a, OWN },
                [STYLE_WARNING] = { 0x7d5000, OWN },
                [STYLE_BAD] = { 0xb3261e, OWN },
                [STYLE_REASONING] = { 0x5c5d70, OWN, STYLE_ITALIC },
                [STYLE_QUOTE] = { 0x4a5160, OWN, STYLE_ITALIC },
                [STYLE_CODE] = { 0x24292f, 0xeeeff2 },
                [STYLE_KEYWORD] = { 0x7f2aa6, 0xeeeff2 },
                [STYLE_TYPE] = { 0x005f68, 0xeeeff2 },
                [STYLE_STRING] = { 0x22652a, 0xeeeff2 },
                [STYLE_NUMBER] = { 0x9a4300, 0xeeeff2 },
                [STYLE_COMMENT] = { 0x5d616b, 0xeeeff2, STYLE_ITALIC },
                [STYLE_FUNCTION] = { 0x1a57b0, 0xeeeff2 },
                [STYLE_BAR] = { 0x2b2f36, 0xdfe2e8 },
                [STYLE_BAR_GOOD] = { 0x1d5a24, 0xdfe2e8 },
                [STYLE_BAR_WARNING] = { 0x6b4400, 0xdfe2e8 },
                [STYLE_BAR_BAD] = { 0x9b1c16, 0xdfe2e8, STYLE_BOLD },
                [STYLE_SELECTED] = { 0x14213a, 0xc9daf7 },
                [STYLE_MATCH] = { 0x241c00, 0xffe08a },
                [STYLE_INPUT] = { OWN, OWN },
                [STYLE_CHIP] = { 0x174a96, 0xdfe2e8 },
                [STYLE_AVATAR_OUTLINE] = { 0xa3245a, OWN },
                [STYLE_AVATAR_BODY] = { 0xd65f8d, OWN },
                [STYLE_AVATAR_SHADE] = { 0xb94874, OWN },
                [STYLE_AVATAR_FACE] = { 0x3d0c22, 0xd65f8d },
                [STYLE_AVATAR_EYE] = { 0x1a0610, 0xd65f8d },
                [STYLE_AVATAR_CHEEK] = { 0x6e062b, 0xd65f8d },
                [STYLE_AVATAR_EXTRA] = { 0x8a5a00, OWN },
        },
};

enum { BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE };

/* Eight colours are what each terminal makes of them, so no two of them are laid on each other
 * but where the terminal's own two could not be told apart; blue on black is for nobody, nor are
 * green, yellow and cyan on white. */
static const Look poor_looks[_THEME_MAX][_STYLE_ROLE_MAX] = {
        [THEME_DARK] = {
                [STYLE_NORMAL] = { OWN, OWN },
                [STYLE_DIM] = { OWN, OWN, STYLE_FAINT },
                [STYLE_ACCENT] = { CYAN, OWN },
                [STYLE_TITLE] = { MAGENTA, OWN, STYLE_BOLD },
                [STYLE_USER] = { CYAN, OWN },
                [STYLE_GOOD] = { GREEN, OWN },
                [STYLE_WARNING] = { YELLOW, OWN },
                [STYLE_BAD] = { RED, OWN, STYLE_BOLD },
                [STYLE_REASONING] = { OWN, OWN, STYLE_FAINT },
                [STYLE_QUOTE] = { OWN, OWN, STYLE_ITALIC },
                [STYLE_CODE] = { OWN, OWN },
                [STYLE_KEYWORD] = { MAGENTA, OWN },
                [STYLE_TYPE] = { CYAN, OWN },
                [STYLE_STRING] = { GREEN, OWN },
                [STYLE_NUMBER] = { YELLOW, OWN },
                [STYLE_COMMENT] = { OWN, OWN, STYLE_FAINT },
                [STYLE_FUNCTION] = { OWN, OWN, STYLE_BOLD },
                [STYLE_BAR] = { OWN, OWN, STYLE_REVERSE },
                [STYLE_BAR_GOOD] = { GREEN, OWN, STYLE_REVERSE },
                [STYLE_BAR_WARNING] = { YELLOW, OWN, STYLE_REVERSE },
                [STYLE_BAR_BAD] = { RED, OWN, STYLE_REVERSE | STYLE_BOLD },
                [STYLE_SELECTED] = { OWN, OWN, STYLE_REVERSE },
                [STYLE_MATCH] = { BLACK, YELLOW },
                [STYLE_INPUT] = { OWN, OWN },
                [STYLE_CHIP] = { CYAN, OWN, STYLE_REVERSE },
                [STYLE_AVATAR_OUTLINE] = { RED, OWN },
                [STYLE_AVATAR_BODY] = { MAGENTA, OWN },
                [STYLE_AVATAR_SHADE] = { MAGENTA, OWN },
                [STYLE_AVATAR_FACE] = { BLACK, MAGENTA },
                [STYLE_AVATAR_EYE] = { BLACK, MAGENTA },
                [STYLE_AVATAR_CHEEK] = { WHITE, MAGENTA },
                [STYLE_AVATAR_EXTRA] = { YELLOW, OWN, STYLE_BOLD },
        },
        [THEME_LIGHT] = {
                [STYLE_NORMAL] = { OWN, OWN },
                [STYLE_DIM] = { OWN, OWN, STYLE_FAINT },
                [STYLE_ACCENT] = { BLUE, OWN },
                [STYLE_TITLE] = { BLUE, OWN, STYLE_BOLD },
                [STYLE_USER] = { BLUE, OWN },
                [STYLE_GOOD] = { BLUE, OWN },
                [STYLE_WARNING] = { MAGENTA, OWN },
                [STYLE_BAD] = { RED, OWN, STYLE_BOLD },
                [STYLE_REASONING] = { OWN, OWN, STYLE_FAINT },
                [STYLE_QUOTE] = { OWN, OWN, STYLE_ITALIC },
                [STYLE_CODE] = { OWN, OWN },
                [STYLE_KEYWORD] = { MAGENTA, OWN },
                [STYLE_TYPE] = { BLUE, OWN },
                [STYLE_STRING] = { RED, OWN },
                [STYLE_NUMBER] = { BLUE, OWN },
                [STYLE_COMMENT] = { OWN, OWN, STYLE_FAINT },
                [STYLE_FUNCTION] = { OWN, OWN, STYLE_BOLD },
                [STYLE_BAR] = { OWN, OWN, STYLE_REVERSE },
                [STYLE_BAR_GOOD] = { BLUE, OWN, STYLE_REVERSE },
                [STYLE_BAR_WARNING] = { MAGENTA, OWN, STYLE_REVERSE },
                [STYLE_BAR_BAD] = { RED, OWN, STYLE_REVERSE | STYLE_BOLD },
                [STYLE_SELECTED] = { OWN, OWN, STYLE_REVERSE },
                [STYLE_MATCH] = { BLACK, YELLOW },
                [STYLE_INPUT] = { OWN, OWN },
                [STYLE_CHIP] = { BLUE, OWN, STYLE_REVERSE },
                [STYLE_AVATAR_OUTLINE] = { RED, OWN },
                [STYLE_AVATAR_BODY] = { MAGENTA, OWN },
                [STYLE_AVATAR_SHADE] = { MAGENTA, OWN },
                [STYLE_AVATAR_FACE] = { BLACK, MAGENTA },
                [STYLE_AVATAR_EYE] = { BLACK, MAGENTA },
                [STYLE_AVATAR_CHEEK] = { WHITE, MAGENTA },
                [STYLE_AVATAR_EXTRA] = { BLUE, OWN },
        },
};

/* Without colours: what matters is still told apart. */
static const uint16_t bare_attributes[_STYLE_ROLE_MAX] = {
        [STYLE_DIM] = STYLE_FAINT,
        [STYLE_ACCENT] = STYLE_BOLD,
        [STYLE_TITLE] = STYLE_BOLD | STYLE_UNDERLINE,
        [STYLE_USER] = STYLE_BOLD,
        [STYLE_WARNING] = STYLE_BOLD,
        [STYLE_BAD] = STYLE_BOLD,
        [STYLE_REASONING] = STYLE_FAINT,
        [STYLE_QUOTE] = STYLE_ITALIC,
        [STYLE_KEYWORD] = STYLE_BOLD,
        [STYLE_COMMENT] = STYLE_FAINT,
        [STYLE_BAR] = STYLE_REVERSE,
        [STYLE_BAR_GOOD] = STYLE_REVERSE,
        [STYLE_BAR_WARNING] = STYLE_REVERSE | STYLE_BOLD,
        [STYLE_BAR_BAD] = STYLE_REVERSE | STYLE_BOLD,
        [STYLE_SELECTED] = STYLE_REVERSE,
        [STYLE_MATCH] = STYLE_REVERSE | STYLE_BOLD,
        [STYLE_CHIP] = STYLE_REVERSE,
        [STYLE_AVATAR_FACE] = STYLE_REVERSE,
        [STYLE_AVATAR_EYE] = STYLE_REVERSE,
        [STYLE_AVATAR_CHEEK] = STYLE_REVERSE,
        [STYLE_AVATAR_EXTRA] = STYLE_BOLD,
};

/* What is in force; colours as the depth has them. */
static Look looks[_STYLE_ROLE_MAX];
static ColourDepth depth_loaded = COLOURS_NONE;

static const char *const theme_names[_THEME_MAX] = {
        [THEME_DARK] = "dark",
        [THEME_LIGHT] = "light",
};

Theme theme_from_string(const char *s)
{
        for (Theme t = 0; s && t < _THEME_MAX; t++)
                if (streq(theme_names[t], s))
                        return t;
        return _THEME_INVALID;
}

/* ---- colours ---- */

static int distance(int32_t a, int32_t b)
{
        int sum = 0;

        for (unsigned shift = 0; shift < 24; shift += 8) {
                int d = (a >> shift & 0xff) - (b >> shift & 0xff);

                sum += d * d;
        }
        return sum;
}

/* The nearest of xterm's 240 fixed colours: its cube of six steps, and its greys. */
static int32_t nearest_256(int32_t colour)
{
        static const int steps[] = { 0, 95, 135, 175, 215, 255 };
        int32_t best = 16;
        int best_distance = INT32_MAX;

        for (int32_t i = 16; i < 256; i++) {
                int32_t candidate;
                int d;

                if (i < 232) {
                        int n = i - 16;

                        candidate = steps[n / 36] << 16 | steps[n / 6 % 6] << 8 | steps[n % 6];
                } else
                        candidate = (8 + 10 * (i - 232)) * 0x010101;
                d = distance(colour, candidate);
                if (d < best_distance) {
                        best = i;
                        best_distance = d;
                }
        }
        return best;
}

void style_load(Theme theme, ColourDepth depth)
{
        for (StyleRole r = 0; r < _STYLE_ROLE_MAX; r++)
                switch (depth) {
                case COLOURS_NONE:
                        looks[r] = (Look){ OWN, OWN, bare_attributes[r] };
                        break;
                case COLOURS_8:
                        looks[r] = poor_looks[theme][r];
                        break;
                case COLOURS_256:
                        looks[r] = rich_looks[theme][r];
                        if (looks[r].foreground != OWN)
                                looks[r].foreground = nearest_256(looks[r].foreground);
                        if (looks[r].background != OWN)
                                looks[r].background = nearest_256(looks[r].background);
                        break;
                case COLOURS_TRUE:
                        looks[r] = rich_looks[theme][r];
                        break;
                }
        depth_loaded = depth;
}

static Look look_of(Style s)
{
        StyleRole role = STYLE_ROLE(s);
        Look look = role < _STYLE_ROLE_MAX ? looks[role] : looks[STYLE_NORMAL];

        look.attributes |= s & ATTRIBUTES & ~STYLE_FAINT;
        return look;
}

/* ---- sequences ---- */

typedef struct Sequence {
        char *text;
        size_t size;
} Sequence;

static void add_byte(Sequence *s, char c)
{
        s->text[s->size++] = c;
}

static void add_number(Sequence *s, unsigned n)
{
        if (n >= 100)
                add_byte(s, (char) ('0' + n / 100));
        if (n >= 10)
                add_byte(s, (char) ('0' + n / 10 % 10));
        add_byte(s, (char) ('0' + n % 10));
}

/* One parameter of a sequence that starts with \e[ */
static void add_parameter(Sequence *s, unsigned n)
{
        if (s->size > 2)
                add_byte(s, ';');
        add_number(s, n);
}

/* base: 30 for the foreground, 40 for the background. */
static void add_colour(Sequence *s, unsigned base, int32_t colour)
{
        if (colour == OWN)
                add_parameter(s, base + 9);
        else if (depth_loaded == COLOURS_8)
                add_parameter(s, base + (unsigned) colour);
        else {
                add_parameter(s, base + 8);
                add_parameter(s, depth_loaded == COLOURS_TRUE ? 2 : 5);
                if (depth_loaded == COLOURS_TRUE) {
                        add_parameter(s, (unsigned) colour >> 16 & 0xff);
                        add_parameter(s, (unsigned) colour >> 8 & 0xff);
                }
                add_parameter(s, (unsigned) colour & 0xff);
        }
}

static const struct {
        unsigned attribute, on, off;
} attribute_codes[] = {
        { STYLE_BOLD, 1, 22 },
        { STYLE_FAINT, 2, 22 },
        { STYLE_ITALIC, 3, 23 },
        { STYLE_UNDERLINE, 4, 24 },
        { STYLE_REVERSE, 7, 27 },
        { STYLE_STRIKE, 9, 29 },
};

static void add_changes(Sequence *s, Look from, Look to)
{
        unsigned gone = from.attributes & ~to.attributes, come = to.attributes & ~from.attributes;

        /* Bold and faint have one end: what stays of them is set again. */
        if (gone & (STYLE_BOLD | STYLE_FAINT)) {
                add_parameter(s, 22);
                come |= to.attributes & (STYLE_BOLD | STYLE_FAINT);
                gone &= ~(STYLE_BOLD | STYLE_FAINT);
        }
        for (size_t i = 0; i < ELEMENTSOF(attribute_codes); i++) {
                if (gone & attribute_codes[i].attribute)
                        add_parameter(s, attribute_codes[i].off);
                if (come & attribute_codes[i].attribute)
                        add_parameter(s, attribute_codes[i].on);
        }
        if (from.foreground != to.foreground)
                add_colour(s, 30, to.foreground);
        if (from.background != to.background)
                add_colour(s, 40, to.background);
}

static Sequence sequence_start(char *buffer)
{
        buffer[0] = '\033';
        buffer[1] = '[';
        return (Sequence){ .text = buffer, .size = 2 };
}

size_t style_change(Style from, Style to, char buffer[static STYLE_CHANGE_MAX])
{
        static const Look nothing = { OWN, OWN, 0 };
        char anew[STYLE_CHANGE_MAX];
        Sequence changed = sequence_start(buffer), fresh = sequence_start(anew);
        Look look = look_of(to);

        if (from != STYLE_UNKNOWN) {
                add_changes(&changed, look_of(from), look);
                if (changed.size == 2)
                        return 0;
        }
        /* No parameter at all is a reset as well. */
        if (memcmp(&look, &nothing, sizeof look) != 0) {
                add_parameter(&fresh, 0);
                add_changes(&fresh, nothing, look);
        }
        if (from == STYLE_UNKNOWN || fresh.size < changed.size) {
                memcpy(buffer, anew, fresh.size);
                changed.size = fresh.size;
        }
        buffer[changed.size++] = 'm';
        return changed.size;
}

/* ---- blanks ---- */

#define SEEN_ON_BLANKS (STYLE_UNDERLINE | STYLE_REVERSE | STYLE_STRIKE)

bool style_is_alike_blank(Style a, Style b)
{
        Look x = look_of(a), y = look_of(b);

        if (a == b)
                return true;
        if ((x.attributes & SEEN_ON_BLANKS) != (y.attributes & SEEN_ON_BLANKS))
                return false;
        /* Lines and a reversed background are drawn in the foreground's colour. */
        return x.background == y.background &&
                (!(x.attributes & SEEN_ON_BLANKS) || x.foreground == y.foreground);
}

bool style_is_plain_blank(Style s)
{
        return !(look_of(s).attributes & SEEN_ON_BLANKS);
}

bool style_has_own_background(Style s)
{
        return look_of(s).background == OWN;
}
