/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a terminal sends: any split gives the same keys, pastes and answers; a key has a name that
 * means it; what is pasted is text; no more is kept than the limits say. Where the first byte says
 * so, keys and the rest that the input chooses are written here as xterm and kitty send them: what
 * comes out is what was chosen. */

#include "client/tui/terminal/input-internal.h"
#include "tests/fuzz/fuzz.h"

#define CURSORS_MAX 4U /* run() expects so many answers, less one, at most */

static void on_key(Key key, void *userdata)
{
        _cleanup_free_ char *name = NULL;
        Key again = { 0 };

        fuzz_format(userdata, "<%x %x>", key.code, key.modifiers);
        CHECK(key.code > 0 && (key.code >= KEY_ENTER || key_is_clean(key.code)));
        CHECK(key.code <= KEY_F12);
        CHECK(key_to_string(key, &name) == 0);
        CHECK(key_from_string(name, &again) == 0);
        CHECK(again.code == key.code && again.modifiers == key.modifiers);
}

static void on_paste(const char *text, size_t size, void *userdata)
{
        CHECK(utf8_is_valid(text, size) && text[size] == 0);
        fuzz_format(userdata, "<paste %zu:", size);
        fuzz_append(userdata, text, size);
        fuzz_append(userdata, ">", 1);
}

static void on_mouse(MouseButton button, int row, int column, void *userdata)
{
        CHECK(button >= MOUSE_LEFT && button <= MOUSE_WHEEL_DOWN && row >= 0 && column >= 0);
        fuzz_format(userdata, "<mouse %d %d %d>", (int) button, row, column);
}

static void on_focus(bool focused, void *userdata)
{
        fuzz_format(userdata, "<focus %d>", focused);
}

static void on_cursor(int row, int column, void *userdata)
{
        CHECK(row >= 0 && column >= 0);
        fuzz_format(userdata, "<cursor %d %d>", row, column);
}

static void on_background(bool dark, void *userdata)
{
        fuzz_format(userdata, "<dark %d>", dark);
}

static void on_synchronized(bool known, void *userdata)
{
        fuzz_format(userdata, "<synchronized %d>", known);
}

static void on_margins(bool known, void *userdata)
{
        fuzz_format(userdata, "<margins %d>", known);
}

static void run(FuzzCut cut, uint32_t seed, FuzzInput in, Buffer *out)
{
        const InputOps ops = { on_key, on_paste, on_mouse, on_focus, on_cursor, on_background,
                on_synchronized, on_margins };
        _cleanup_(input_freep) Input *i = NULL;

        CHECK(input_new(&ops, out, &i) == 0);
        CHECK(input_add_sequence(i, "\033[[X", (Key){ KEY_F1, 0 }) == 0);
        input_expect_cursor(i, seed % CURSORS_MAX);
        while (in.size > 0) {
                size_t n;
                const char *piece = fuzz_bytes(&in, fuzz_piece(cut, &seed, in.size), &n);

                CHECK(input_feed(i, piece, n) == 0);
                CHECK(i->n_sequence <= INPUT_STRING_MAX + INPUT_SEQUENCE_MAX);
                CHECK(i->n_character < sizeof i->character);
        }
        /* Time passes: what is unfinished is taken for what it is so far. */
        if (input_is_pending(i))
                input_flush(i);
}

/* ---- what is known to be sent ---- */

#define SAY       (1U << 7) /* of the first byte */
#define MODIFIERS (KEY_SHIFT | KEY_ALT | KEY_CONTROL)

typedef struct Said {
        FuzzInput *in;
        Buffer *sent, *expected;
        unsigned n_cursors;
} Said;

typedef struct SentKey {
        const char *sent;
        uint32_t code;
} SentKey;

static uint32_t choose(Said *s, size_t n)
{
        return fuzz_byte(s->in) % (uint32_t) n;
}

static void expect_key(Said *s, uint32_t code, unsigned modifiers)
{
        on_key((Key){ code, modifiers }, s->expected);
}

/* Any character that does no harm on a line. */
static void say_character(Said *s)
{
        uint32_t c = (uint32_t) fuzz_byte(s->in) << 16 | fuzz_u16(s->in);
        char text[5] = "";
        size_t n = 1;

        c %= 0x110000;
        if (!key_is_clean(c) || (c >= 0xd800 && c < 0xe000))
                c = 'x';
        if (c < 0x80)
                text[0] = (char) c;
        else if (c < 0x800) {
                text[0] = (char) (0xc0 | c >> 6);
                n = 2;
        } else if (c < 0x10000) {
                text[0] = (char) (0xe0 | c >> 12);
                n = 3;
        } else {
                text[0] = (char) (0xf0 | c >> 18);
                n = 4;
        }
        for (size_t i = 1; i < n; i++)
                text[i] = (char) (0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
        fuzz_append(s->sent, text, n);
        expect_key(s, c, 0);
}

/* One byte, or Escape and one. */
static void say_byte(Said *s)
{
        static const SentKey keys[] = { { "\r", KEY_ENTER }, { "\t", KEY_TAB },
                { "\x7f", KEY_BACKSPACE }, { "\x08", KEY_BACKSPACE } };
        uint32_t letter = 'a' + choose(s, 26);
        size_t k = choose(s, ELEMENTSOF(keys) + 2);

        if (k < ELEMENTSOF(keys)) {
                fuzz_append(s->sent, keys[k].sent, 1);
                expect_key(s, keys[k].code, 0);
        } else if (k == ELEMENTSOF(keys)) {
                fuzz_format(s->sent, "\033%c", (int) letter);
                expect_key(s, letter, KEY_ALT);
        } else if (!memchr("him", (int) letter, 3)) { /* Backspace, Tab, Enter */
                fuzz_format(s->sent, "%c", (int) (letter & 0x1f));
                expect_key(s, letter, KEY_CONTROL);
        }
}

/* CSI 1 ; modifiers LETTER, or without modifiers CSI LETTER or SS3 LETTER. */
static void say_lettered(Said *s)
{
        static const SentKey keys[] = { { "A", KEY_UP }, { "B", KEY_DOWN }, { "C", KEY_RIGHT },
                { "D", KEY_LEFT }, { "H", KEY_HOME }, { "F", KEY_END }, { "P", KEY_F1 },
                { "Q", KEY_F1 + 1 }, { "S", KEY_F1 + 3 } };
        const SentKey *k = &keys[choose(s, ELEMENTSOF(keys))];
        unsigned modifiers = fuzz_byte(s->in);

        if (modifiers & MODIFIERS)
                fuzz_format(s->sent, "\033[1;%u%s", (modifiers & MODIFIERS) + 1, k->sent);
        else
                fuzz_format(s->sent, "\033%c%s",
                        modifiers & 8 || strchr("PQS", *k->sent) ? 'O' : '[', k->sent);
        expect_key(s, k->code, modifiers & MODIFIERS);
}

/* CSI NUMBER ; modifiers ~ */
static void say_numbered(Said *s)
{
        static const SentKey keys[] = { { "2", KEY_INSERT }, { "3", KEY_DELETE },
                { "5", KEY_PAGE_UP }, { "6", KEY_PAGE_DOWN }, { "1", KEY_HOME }, { "4", KEY_END },
                { "15", KEY_F1 + 4 }, { "17", KEY_F1 + 5 }, { "18", KEY_F1 + 6 },
                { "19", KEY_F1 + 7 }, { "20", KEY_F1 + 8 }, { "21", KEY_F1 + 9 },
                { "23", KEY_F1 + 10 }, { "24", KEY_F12 } };
        const SentKey *k = &keys[choose(s, ELEMENTSOF(keys))];
        unsigned modifiers = fuzz_byte(s->in) & MODIFIERS;

        if (modifiers)
                fuzz_format(s->sent, "\033[%s;%u~", k->sent, modifiers + 1);
        else
                fuzz_format(s->sent, "\033[%s~", k->sent);
        expect_key(s, k->code, modifiers);
}

/* CSI character ; modifiers u */
static void say_kitty(Said *s)
{
        uint32_t letter = 'a' + choose(s, 26);
        unsigned modifiers = fuzz_byte(s->in) & MODIFIERS;

        fuzz_format(s->sent, "\033[%u;%uu", letter, modifiers + 1);
        if ((modifiers & KEY_SHIFT) && !(modifiers & KEY_CONTROL))
                expect_key(s, letter - 'a' + 'A', modifiers & ~KEY_SHIFT);
        else
                expect_key(s, letter, modifiers);
}

static void say_paste(Said *s)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MIB(1)), repaired = BUFFER_INIT(MIB(1));
        Utf8Repair repair = { 0 };
        size_t n;
        const char *bytes = fuzz_bytes(s->in, fuzz_byte(s->in), &n);

        fuzz_format(s->sent, "\033[200~");
        for (size_t i = 0; i < n; i++) {
                char c = bytes[i];

                if ((c >= 0 && c < ' ' && !strchr("\r\n\t", c)) || c == 0 || c == 0x7f)
                        c = '.';
                fuzz_append(s->sent, &c, 1);
                if (c == '\n' && i > 0 && bytes[i - 1] == '\r')
                        continue;
                fuzz_append(&text, c == '\r' ? "\n" : &c, 1);
        }
        fuzz_format(s->sent, "\033[201~");
        CHECK(utf8_repair(&repair, buffer_text(&text), text.size, &repaired) == 0);
        CHECK(utf8_repair_flush(&repair, &repaired) == 0);
        on_paste(buffer_text(&repaired), repaired.size, s->expected);
}

static void say_mouse(Said *s)
{
        static const unsigned numbers[] = { 0, 1, 2, 64, 65 };
        MouseButton button = (MouseButton) choose(s, ELEMENTSOF(numbers));
        int row = fuzz_byte(s->in), column = fuzz_u16(s->in) % 1000;
        bool released = fuzz_byte(s->in) & 1;

        fuzz_format(s->sent, "\033[<%u;%d;%d%c", numbers[button], column + 1, row + 1,
                released ? 'm' : 'M');
        if (!released)
                on_mouse(button, row, column, s->expected);
}

static void say_answer(Said *s)
{
        unsigned choice = fuzz_byte(s->in), value = choice >> 2;

        if (choice % 4 == 0) {
                fuzz_format(s->sent, "\033[%c", value & 1 ? 'I' : 'O');
                on_focus(value & 1, s->expected);
        } else if (choice % 4 == 1) {
                fuzz_format(s->sent, "\033]11;rgb:%s%s",
                        value & 1 ? "0000/0000/0000" : "ffff/ffff/ffff",
                        value & 2 ? "\033\\" : "\a");
                on_background(value & 1, s->expected);
        } else if (choice % 4 == 2) {
                fuzz_format(s->sent, "\033[?2026;%u$y", value % 3);
                on_synchronized(value % 3 != 0, s->expected);
        } else if (s->n_cursors > 0) {
                s->n_cursors--;
                fuzz_format(s->sent, "\033[%u;%uR", value + 2, value + 9);
                on_cursor((int) value + 1, (int) value + 8, s->expected);
        }
}

static void check_said(FuzzInput in, uint32_t seed)
{
        static void (*const kinds[])(Said *) = { say_character, say_byte, say_lettered,
                say_numbered, say_kitty, say_paste, say_mouse, say_answer };
        _cleanup_buffer_ Buffer sent = BUFFER_INIT(MIB(4)), expected = BUFFER_INIT(MIB(4));
        Said s = { &in, &sent, &expected, seed % CURSORS_MAX };

        while (in.size > 0)
                kinds[choose(&s, ELEMENTSOF(kinds))](&s);
        for (FuzzCut cut = FUZZ_WHOLE; cut < _FUZZ_CUT_MAX; cut++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(MIB(64));

                run(cut, seed, (FuzzInput){ (const uint8_t *) sent.data, sent.size }, &out);
                CHECK_SAME(&expected, &out);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        uint32_t seed = fuzz_byte(&in);
        _cleanup_buffer_ Buffer whole = BUFFER_INIT(MIB(64));

        if (seed & SAY) {
                check_said(in, seed);
                return 0;
        }
        run(FUZZ_WHOLE, seed, in, &whole);
        for (FuzzCut cut = FUZZ_BYTES; cut < _FUZZ_CUT_MAX; cut++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(MIB(64));

                run(cut, seed, in, &out);
                CHECK_SAME(&whole, &out);
        }
        return 0;
}
