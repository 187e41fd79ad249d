/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a terminal sends: any split gives the same keys, pastes and answers; a key has a name that
 * means it; what is pasted is text; no more is kept than the limits say. */

#include "client/tui/terminal/input-internal.h"
#include "tests/fuzz/fuzz.h"

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
        input_expect_cursor(i, seed % 4);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        uint32_t seed = fuzz_byte(&in);
        _cleanup_buffer_ Buffer whole = BUFFER_INIT(MIB(64));

        run(FUZZ_WHOLE, seed, in, &whole);
        for (FuzzCut cut = FUZZ_BYTES; cut < _FUZZ_CUT_MAX; cut++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(MIB(64));

                run(cut, seed, in, &out);
                CHECK_SAME(&whole, &out);
        }
        return 0;
}
