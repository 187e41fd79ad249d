/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/input-internal.h"

#define ESC '\033'

static const char paste_end[] = "\033[201~";

int input_new(const InputOps *ops, void *userdata, Input **ret)
{
        Input *i;

        i = calloc(1, sizeof(Input));
        if (!i)
                return -ENOMEM;
        i->ops = *ops;
        i->userdata = userdata;
        i->paste = BUFFER_INIT(INPUT_PASTE_MAX);
        *ret = i;
        return 0;
}

Input *input_free(Input *i)
{
        if (!i)
                return NULL;
        for (size_t k = 0; k < i->n_keys; k++)
                free(i->keys[k].text);
        buffer_done(&i->paste);
        free(i);
        return NULL;
}

int input_add_sequence(Input *i, const char *sequence, Key key)
{
        char *copy;

        if (sequence[0] != ESC || strlen(sequence) < 2 || strlen(sequence) >= INPUT_SEQUENCE_MAX)
                return -EINVAL;
        if (i->n_keys == INPUT_KEYS_MAX)
                return -ENOSPC;
        copy = strdup(sequence);
        if (!copy)
                return -ENOMEM;
        i->keys[i->n_keys++] = (KeySequence){ .text = copy, .key = key };
        return 0;
}

void input_expect_cursor(Input *i, unsigned n)
{
        i->n_cursors += n;
}

void input_key(Input *i, uint32_t code, unsigned modifiers)
{
        if (i->alt)
                modifiers |= KEY_ALT;
        i->alt = false;
        if (i->ops.key && key_is_clean(code))
                i->ops.key((Key){ .code = code, .modifiers = modifiers }, i->userdata);
}

/* ---- characters ---- */

static void control_key(Input *i, unsigned char c)
{
        if (c == '\r')
                input_key(i, KEY_ENTER, 0);
        else if (c == '\t')
                input_key(i, KEY_TAB, 0);
        else if (c == 0x7f || c == '\b')
                input_key(i, KEY_BACKSPACE, 0);
        else if (c == 0)
                input_key(i, ' ', KEY_CONTROL);
        else /* ^A … ^Z, ^\ ^] ^^ ^_ */
                input_key(i, c <= 26 ? c - 1U + 'a' : c + 0x40U, KEY_CONTROL);
}

static uint32_t decode(const char *text, unsigned n)
{
        static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
        uint32_t c = (unsigned char) text[0] & masks[n];

        for (unsigned k = 1; k < n; k++)
                c = c << 6 | ((unsigned char) text[k] & 0x3f);
        return c;
}

/* One byte of a character; what is no UTF-8 is left out. */
static void character_byte(Input *i, char byte)
{
        unsigned char c = (unsigned char) byte, lead;
        unsigned length;

        if (i->n_character > 0 && (c & 0xc0) != 0x80) {
                i->n_character = 0;
                i->alt = false;
        }
        if (c < 0x80) {
                if (c < 0x20 || c == 0x7f)
                        control_key(i, c);
                else
                        input_key(i, c, 0);
                return;
        }
        i->character[i->n_character++] = byte;
        lead = (unsigned char) i->character[0];
        length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
        if (i->n_character < length)
                return;
        i->n_character = 0;
        /* What the second half of Latin-1 has for controls is no key. */
        if (utf8_is_valid(i->character, length) && decode(i->character, length) >= 0xa0)
                input_key(i, decode(i->character, length), 0);
        i->alt = false;
}

/* ---- pastes ---- */

static void paste_start(Input *i)
{
        i->state = INPUT_PASTE;
        i->n_end = 0;
        i->paste_result = 0;
        i->repair = (Utf8Repair){ 0 };
        buffer_clear(&i->paste);
}

static void paste_add(Input *i, const char *data, size_t size)
{
        /* What is over the limit is left out. */
        if (i->paste_result >= 0)
                i->paste_result = utf8_repair(&i->repair, data, size, &i->paste);
}

/* Terminals send CR where the text had a line's end; other programs' text has CRLF. */
static size_t unify_line_ends(char *text, size_t size)
{
        size_t to = 0;

        for (size_t from = 0; from < size; from++) {
                char c = text[from];

                if (c == '\r') {
                        c = '\n';
                        if (from + 1 < size && text[from + 1] == '\n')
                                from++;
                }
                text[to++] = c;
        }
        return to;
}

static int paste_finish(Input *i)
{
        int r = i->paste_result;

        i->state = INPUT_GROUND;
        if (r >= 0)
                r = utf8_repair_flush(&i->repair, &i->paste);
        if (r != -ENOMEM && i->ops.paste) {
                if (i->paste.size > 0) {
                        i->paste.size = unify_line_ends(i->paste.data, i->paste.size);
                        i->paste.data[i->paste.size] = 0;
                }
                i->ops.paste(buffer_text(&i->paste), i->paste.size, i->userdata);
        }
        buffer_done(&i->paste);
        i->paste = BUFFER_INIT(INPUT_PASTE_MAX);
        return r == -ENOMEM ? r : 0;
}

/* Returns how much of it was used. */
static size_t paste_feed(Input *i, const char *data, size_t size, int *ret_result)
{
        for (size_t k = 0; k < size; k++) {
                const char *next;

                if (data[k] == paste_end[i->n_end]) {
                        if (++i->n_end < sizeof paste_end - 1)
                                continue;
                        *ret_result = paste_finish(i);
                        return k + 1;
                }
                paste_add(i, paste_end, i->n_end); /* it was text after all */
                i->n_end = data[k] == ESC ? 1 : 0;
                if (i->n_end == 1)
                        continue;
                next = memchr(data + k, ESC, size - k);
                if (!next)
                        next = data + size;
                paste_add(i, data + k, (size_t) (next - data) - k);
                k = (size_t) (next - data) - 1;
        }
        return size;
}

/* ---- sequences ---- */

static void sequence_start(Input *i)
{
        i->state = INPUT_ESCAPE;
        i->sequence[0] = ESC;
        i->n_sequence = 1;
        i->linux_key = i->late = false;
}

static void sequence_end(Input *i)
{
        i->state = INPUT_GROUND;
        i->alt = false;
        i->n_sequence = 0;
}

static void sequence_add(Input *i, char c)
{
        if (i->n_sequence < INPUT_SEQUENCE_MAX)
                i->sequence[i->n_sequence] = c;
        i->n_sequence++;
}

/* A sequence of this terminal's own: true when it was one and the key was said. */
static bool sequence_is_own(Input *i)
{
        const KeySequence *found = NULL;

        if (i->n_sequence > INPUT_SEQUENCE_MAX)
                return false;
        for (size_t k = 0; k < i->n_keys; k++) {
                size_t n = strlen(i->keys[k].text);

                if (n < i->n_sequence || memcmp(i->keys[k].text, i->sequence, i->n_sequence) != 0)
                        continue;
                if (n > i->n_sequence)
                        return false; /* it may become a longer one */
                found = &i->keys[k];
        }
        if (!found)
                return false;
        i->state = INPUT_GROUND;
        input_key(i, found->key.code, found->key.modifiers);
        sequence_end(i);
        return true;
}

static void escape_byte(Input *i, char c)
{
        switch (c) {
        case ESC:
                if (i->alt) { /* the first of three is a key */
                        i->alt = false;
                        input_key(i, KEY_ESCAPE, 0);
                }
                i->alt = true;
                sequence_start(i);
                return;
        case '[':
                i->state = INPUT_CONTROL;
                break;
        case 'O':
                i->state = INPUT_SINGLE;
                break;
        case 'P':
        case 'X':
        case ']':
        case '^':
        case '_':
                i->state = INPUT_STRING;
                break;
        default:
                sequence_add(i, c);
                if (sequence_is_own(i))
                        return;
                i->state = INPUT_GROUND;
                i->alt = true;
                character_byte(i, c);
                return;
        }
        sequence_add(i, c);
        (void) sequence_is_own(i);
}

static void control_byte(Input *i, char c)
{
        if ((unsigned char) c < 0x20 ||
                (unsigned char) c >= 0x7f) { /* cut off: dropped, and the byte that cut it */
                sequence_end(i);
                if (c == ESC)
                        sequence_start(i);
                return;
        }
        sequence_add(i, c);
        if (sequence_is_own(i))
                return;
        if (i->n_sequence == 3 && c == '[' && i->state == INPUT_CONTROL) {
                i->linux_key = true;
                return;
        }
        if (c < 0x40)
                return;
        if (i->n_sequence == 3 && c == 'M' && i->state == INPUT_CONTROL) {
                i->state = INPUT_OLD_MOUSE;
                return;
        }
        if (i->n_sequence <= INPUT_SEQUENCE_MAX) {
                if (i->state == INPUT_CONTROL)
                        input_control_sequence(i);
                else
                        input_single_sequence(i);
        }
        if (i->n_sequence == 6 && memcmp(i->sequence, "\033[200~", 6) == 0) {
                sequence_end(i);
                paste_start(i);
        } else
                sequence_end(i);
}

/* Its end is lost. One that is late is at most a cut answer: what a person types then is not to be
 * passed over for long. */
static bool string_is_over(const Input *i, char c)
{
        return c == 0x18 || c == 0x1a || i->n_sequence >= INPUT_STRING_MAX ||
                (i->late && ((unsigned char) c < 0x20 || i->n_sequence >= INPUT_SEQUENCE_MAX));
}

static void string_byte(Input *i, char c)
{
        if (i->state == INPUT_STRING_ESCAPE) {
                if (c == '\\')
                        input_string(i);
                sequence_end(i);
                if (c != '\\') { /* cut off by a sequence */
                        sequence_start(i);
                        escape_byte(i, c);
                }
        } else if (c == ESC)
                i->state = INPUT_STRING_ESCAPE;
        else if (c == '\a') {
                input_string(i);
                sequence_end(i);
        } else if (string_is_over(i, c))
                sequence_end(i);
        else
                sequence_add(i, c);
}

static void feed_byte(Input *i, char c)
{
        switch (i->state) {
        case INPUT_GROUND:
                if (c == ESC) {
                        i->n_character = 0;
                        i->alt = false;
                        sequence_start(i);
                } else
                        character_byte(i, c);
                break;
        case INPUT_ESCAPE:
                escape_byte(i, c);
                break;
        case INPUT_CONTROL:
        case INPUT_SINGLE:
                control_byte(i, c);
                break;
        case INPUT_STRING:
        case INPUT_STRING_ESCAPE:
                string_byte(i, c);
                break;
        case INPUT_OLD_MOUSE:
                sequence_add(i, c);
                if (i->n_sequence == 6)
                        sequence_end(i);
                break;
        case INPUT_PASTE: /* input_feed()'s own */
                break;
        }
}

int input_feed(Input *i, const char *data, size_t size)
{
        int result = 0;

        for (size_t k = 0; k < size;)
                if (i->state == INPUT_PASTE) {
                        int r = 0;

                        k += paste_feed(i, data + k, size - k, &r);
                        if (result >= 0)
                                result = r;
                } else
                        feed_byte(i, data[k++]);
        return result;
}

bool input_is_pending(const Input *i)
{
        return i->state != INPUT_GROUND && i->state != INPUT_PASTE && !i->late;
}

void input_flush(Input *i)
{
        bool twice = i->alt;

        if (!input_is_pending(i))
                return;
        if (i->n_sequence > 2 || i->state == INPUT_STRING_ESCAPE) {
                i->late = true;
                return;
        }
        i->state = INPUT_GROUND;
        i->alt = false;
        if (i->n_sequence == 1) {
                input_key(i, KEY_ESCAPE, 0);
                if (twice)
                        input_key(i, KEY_ESCAPE, 0);
        } else
                input_key(i, (unsigned char) i->sequence[1], KEY_ALT); /* Alt-[ and its like */
        sequence_end(i);
}
