/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/input-internal.h"

#define PARAMETERS_MAX 8U
#define NUMBER_MAX     0x110000U

/* kitty's numbers for keys that have no character. */
#define KITTY_KEYS_FIRST 57344U
#define KITTY_KEYS_LAST  63743U

typedef struct Parameter {
        unsigned number, sub; /* of "number:sub:…"; the sub of an absent one is 0 */
} Parameter;

typedef struct Parameters {
        char mark;         /* '?', '<', '>', '=', or 0 */
        char intermediate; /* the last one, or 0 */
        char final;
        Parameter items[PARAMETERS_MAX];
        size_t n;
} Parameters;

static void add_digit(unsigned *n, char c)
{
        *n = *n * 10 + (unsigned) (c - '0');
        if (*n > NUMBER_MAX)
                *n = NUMBER_MAX; /* no number we know is as large */
}

/* What is behind ESC [ or ESC O. False for more than we know of. */
static bool parse(const char *s, size_t size, Parameters *ret)
{
        unsigned subs = 0;

        *ret = (Parameters){ .final = s[size - 1], .n = 1 };
        for (size_t i = 0; i + 1 < size; i++) {
                Parameter *p = &ret->items[ret->n - 1];

                if (s[i] >= '0' && s[i] <= '9') {
                        if (subs == 0)
                                add_digit(&p->number, s[i]);
                        else if (subs == 1)
                                add_digit(&p->sub, s[i]);
                } else if (s[i] == ':')
                        subs++;
                else if (s[i] == ';') {
                        if (ret->n == PARAMETERS_MAX)
                                return false;
                        ret->n++;
                        subs = 0;
                } else if (s[i] < 0x30)
                        ret->intermediate = s[i];
                else if (i == 0)
                        ret->mark = s[i];
                else
                        return false;
        }
        return true;
}

/* xterm's number to flags. False when a key that we do not have is held as well. */
static bool decode_modifiers(unsigned number, unsigned *ret)
{
        unsigned bits = number > 0 ? number - 1 : 0, modifiers = 0;

        if (bits & (8 | 16)) /* super, hyper */
                return false;
        if (bits & 1)
                modifiers |= KEY_SHIFT;
        if (bits & (2 | 32)) /* alt, meta */
                modifiers |= KEY_ALT;
        if (bits & 4)
                modifiers |= KEY_CONTROL;
        *ret = modifiers;
        return true;
}

typedef struct Named {
        unsigned number;
        uint32_t code;
} Named;

static uint32_t find_named(const Named *table, size_t n, unsigned number)
{
        for (size_t i = 0; i < n; i++)
                if (table[i].number == number)
                        return table[i].code;
        return KEY_NONE_;
}

static uint32_t code_by_letter(char final)
{
        static const Named table[] = {
                { 'A', KEY_UP },
                { 'B', KEY_DOWN },
                { 'C', KEY_RIGHT },
                { 'D', KEY_LEFT },
                { 'F', KEY_END },
                { 'H', KEY_HOME },
                { 'M', KEY_ENTER }, /* of the number pad: ESC O M only */
                { 'P', KEY_F1 },
                { 'Q', KEY_F1 + 1 },
                { 'R', KEY_F1 + 2 },
                { 'S', KEY_F1 + 3 },
                { 'Z', KEY_TAB },
        };

        return find_named(table, ELEMENTSOF(table), (unsigned char) final);
}

static uint32_t code_by_number(unsigned number)
{
        static const Named table[] = {
                { 1, KEY_HOME },
                { 2, KEY_INSERT },
                { 3, KEY_DELETE },
                { 4, KEY_END },
                { 5, KEY_PAGE_UP },
                { 6, KEY_PAGE_DOWN },
                { 7, KEY_HOME },
                { 8, KEY_END },
                { 11, KEY_F1 },
                { 12, KEY_F1 + 1 },
                { 13, KEY_F1 + 2 },
                { 14, KEY_F1 + 3 },
                { 15, KEY_F1 + 4 },
                { 17, KEY_F1 + 5 },
                { 18, KEY_F1 + 6 },
                { 19, KEY_F1 + 7 },
                { 20, KEY_F1 + 8 },
                { 21, KEY_F1 + 9 },
                { 23, KEY_F1 + 10 },
                { 24, KEY_F12 },
        };

        return find_named(table, ELEMENTSOF(table), number);
}

/* The number pad, and what else kitty numbers that we know. */
static uint32_t code_by_kitty(unsigned number)
{
        static const Named table[] = {
                { 57409, '.' },
                { 57410, '/' },
                { 57411, '*' },
                { 57412, '-' },
                { 57413, '+' },
                { 57414, KEY_ENTER },
                { 57415, '=' },
                { 57417, KEY_LEFT },
                { 57418, KEY_RIGHT },
                { 57419, KEY_UP },
                { 57420, KEY_DOWN },
                { 57421, KEY_PAGE_UP },
                { 57422, KEY_PAGE_DOWN },
                { 57423, KEY_HOME },
                { 57424, KEY_END },
                { 57425, KEY_INSERT },
                { 57426, KEY_DELETE },
        };

        if (number >= 57399 && number <= 57408)
                return '0' + number - 57399;
        return find_named(table, ELEMENTSOF(table), number);
}

/* A key that was sent as the number of its character. */
static void key_by_character(Input *i, unsigned number, unsigned shifted, unsigned modifiers)
{
        uint32_t code = number;

        if (number == 13)
                code = KEY_ENTER;
        else if (number == 9)
                code = KEY_TAB;
        else if (number == 27)
                code = KEY_ESCAPE;
        else if (number == 8 || number == 127)
                code = KEY_BACKSPACE;
        else if (number >= KITTY_KEYS_FIRST && number <= KITTY_KEYS_LAST)
                code = code_by_kitty(number);
        else if (number < 0x20 || (number > 0x7f && number < 0xa0) || number >= NUMBER_MAX ||
                (number >= 0xd800 && number < 0xe000))
                return;

        if (code < KEY_ENTER && (modifiers & KEY_CONTROL)) {
                if (code >= 'A' && code <= 'Z') {
                        code += 'a' - 'A';
                        modifiers |= KEY_SHIFT;
                }
        } else if (code < KEY_ENTER && (modifiers & KEY_SHIFT)) {
                if (shifted >= 0x20 && shifted < NUMBER_MAX)
                        code = shifted;
                else if (code >= 'a' && code <= 'z')
                        code -= 'a' - 'A';
                modifiers &= ~KEY_SHIFT;
        }
        if (code != KEY_NONE_)
                input_key(i, code, modifiers);
}

static void mouse(Input *i, const Parameters *p)
{
        static const MouseButton buttons[] = { MOUSE_LEFT, MOUSE_MIDDLE, MOUSE_RIGHT };
        unsigned b = p->items[0].number, column = p->items[1].number, row = p->items[2].number;
        MouseButton button;

        /* Presses; no movement (32), no further buttons (128). */
        if (p->n != 3 || p->final != 'M' || (b & ~0x5cU) > 3 || row == 0 || column == 0 ||
                row > UINT16_MAX || column > UINT16_MAX || !i->ops.mouse)
                return;
        if (b & 64) {
                if ((b & 3) > 1)
                        return;
                button = (b & 3) == 0 ? MOUSE_WHEEL_UP : MOUSE_WHEEL_DOWN;
        } else {
                if ((b & 3) == 3)
                        return;
                button = buttons[b & 3];
        }
        i->ops.mouse(button, (int) row - 1, (int) column - 1, i->userdata);
}

/* ESC [ row ; column R; but Shift-F3 is ESC [ 1 ; 2 R. */
static bool cursor_answer(Input *i, const Parameters *p)
{
        unsigned row = p->items[0].number, column = p->items[1].number;

        if (p->n != 2 || (i->n_cursors == 0 && row == 1))
                return false;
        if (i->n_cursors > 0)
                i->n_cursors--;
        if (i->ops.cursor && row > 0 && column > 0 && row <= UINT16_MAX && column <= UINT16_MAX)
                i->ops.cursor((int) row - 1, (int) column - 1, i->userdata);
        return true;
}

static void answer_about_mode(Input *i, const Parameters *p)
{
        unsigned mode = p->items[0].number, state = p->items[1].number;

        if (p->intermediate != '$' || p->n != 2)
                return;
        if (mode == 2026 && i->ops.synchronized)
                i->ops.synchronized(state >= 1 && state <= 3, i->userdata);
        if (mode == 69 && i->ops.margins)
                i->ops.margins(state >= 1 && state <= 3, i->userdata);
}

static void plain_sequence(Input *i, const Parameters *p)
{
        unsigned modifiers;
        uint32_t code;

        if ((p->final == 'I' || p->final == 'O') && i->n_sequence == 3) {
                if (i->ops.focus)
                        i->ops.focus(p->final == 'I', i->userdata);
                return;
        }
        if (p->final == 'R' && cursor_answer(i, p))
                return;
        if (p->final == '~' && p->items[0].number == 27 && p->n == 3) {
                if (decode_modifiers(p->items[1].number, &modifiers))
                        key_by_character(i, p->items[2].number, 0, modifiers);
                return;
        }
        /* kitty says as well when a key is let go. */
        if (!decode_modifiers(p->n > 1 ? p->items[1].number : 0, &modifiers) ||
                (p->n > 1 && p->items[1].sub == 3))
                return;
        if (p->final == 'u') {
                key_by_character(i, p->items[0].number, p->items[0].sub, modifiers);
                return;
        }
        if (p->final == 'M' || (p->final != '~' && p->items[0].number > 1))
                return;
        code = p->final == '~' ? code_by_number(p->items[0].number) : code_by_letter(p->final);
        if (p->final == 'Z')
                modifiers |= KEY_SHIFT;
        if (code != KEY_NONE_)
                input_key(i, code, modifiers);
}

void input_control_sequence(Input *i)
{
        Parameters p;

        if (i->linux_key) { /* ESC [ [ A to E: F1 to F5 of the Linux console */
                char c = i->sequence[3];

                if (i->n_sequence == 4 && c >= 'A' && c <= 'E')
                        input_key(i, KEY_F1 + (uint32_t) (c - 'A'), 0);
                return;
        }
        if (!parse(i->sequence + 2, i->n_sequence - 2, &p))
                return;
        if (p.mark == '<')
                mouse(i, &p);
        else if (p.mark == '?' && p.final == 'y')
                answer_about_mode(i, &p);
        else if (p.mark == 0 && p.intermediate == 0)
                plain_sequence(i, &p);
}

void input_single_sequence(Input *i)
{
        unsigned modifiers;
        Parameters p;
        uint32_t code;

        if (!parse(i->sequence + 2, i->n_sequence - 2, &p) || p.mark != 0 || p.intermediate != 0)
                return;
        /* Old xterms: ESC O 5 A; or ESC O 1 ; 5 A. */
        if (!decode_modifiers(p.items[p.n - 1].number, &modifiers))
                return;
        if (p.final >= 'j' && p.final <= 'y') { /* the number pad */
                input_key(i, (uint32_t) p.final - 'j' + '*', modifiers & ~KEY_SHIFT);
                return;
        }
        code = code_by_letter(p.final);
        if (code != KEY_NONE_)
                input_key(i, code, modifiers);
}

/* ---- what the terminal says of its background ---- */

/* "rrrr" of one to four digits, as a part of 255. */
static const char *parse_channel(const char *s, const char *end, unsigned *ret)
{
        unsigned value = 0, maximum = 0;

        for (; s < end && maximum < 0xffff; s++) {
                unsigned digit;

                if (*s >= '0' && *s <= '9')
                        digit = (unsigned) (*s - '0');
                else if ((*s | 0x20) >= 'a' && (*s | 0x20) <= 'f')
                        digit = (unsigned) ((*s | 0x20) - 'a') + 10;
                else
                        break;
                value = value << 4 | digit;
                maximum = maximum << 4 | 0xf;
        }
        if (maximum == 0)
                return NULL;
        *ret = value * 255 / maximum;
        return s;
}

void input_string(Input *i)
{
        static const char prefix[] = "\033]11;rgb";
        const char *s = i->sequence, *end = s + MIN(i->n_sequence, (size_t) INPUT_SEQUENCE_MAX);
        unsigned rgb[3];

        if ((size_t) (end - s) < sizeof prefix - 1 || memcmp(s, prefix, sizeof prefix - 1) != 0)
                return;
        s += sizeof prefix - 1;
        if (s < end && *s == 'a') /* rgba: with its transparency behind */
                s++;
        for (unsigned k = 0; k < 3; k++) {
                if (s >= end || *s != (k == 0 ? ':' : '/'))
                        return;
                s = parse_channel(s + 1, end, &rgb[k]);
                if (!s)
                        return;
        }
        /* What eyes make of the three. */
        if (i->ops.background)
                i->ops.background(
                        (299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]) / 1000 < 128, i->userdata);
}
