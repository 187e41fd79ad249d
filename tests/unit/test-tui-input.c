/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/terminal/input.h"
#include "common/utf8.h"

/* All that was understood, as words. */
typedef struct Log {
        Buffer text;
        Input *input;
} Log;

static void say(Log *log, const char *what)
{
        if (log->text.size > 0)
                assert_int_equal(buffer_append_string(&log->text, " "), 0);
        assert_int_equal(buffer_append_string(&log->text, what), 0);
}

static void on_key(Key key, void *userdata)
{
        _cleanup_free_ char *name = NULL;
        Key back;

        assert_int_equal(key_to_string(key, &name), 0);
        assert_int_equal(key_from_string(name, &back), 0);
        assert_true(back.code == key.code && back.modifiers == key.modifiers);
        say(userdata, name);
}

static void on_paste(const char *text, size_t size, void *userdata)
{
        assert_true(utf8_is_valid(text, size) || size == 0);
        assert_int_equal(text[size], 0);
        say(userdata, "paste{");
        say(userdata, text);
        say(userdata, "}");
}

static void on_mouse(MouseButton button, int row, int column, void *userdata)
{
        char s[64];

        (void) snprintf(s, sizeof s, "mouse%d@%d,%d", (int) button, row, column);
        say(userdata, s);
}

static void on_focus(bool focused, void *userdata)
{
        say(userdata, focused ? "focus" : "blur");
}

static void on_cursor(int row, int column, void *userdata)
{
        char s[64];

        (void) snprintf(s, sizeof s, "cursor@%d,%d", row, column);
        say(userdata, s);
}

static void on_background(bool dark, void *userdata)
{
        say(userdata, dark ? "dark" : "light");
}

static void on_synchronized(bool known, void *userdata)
{
        say(userdata, known ? "sync" : "nosync");
}

static void on_margins(bool known, void *userdata)
{
        say(userdata, known ? "margins" : "nomargins");
}

static const InputOps ops = {
        .key = on_key,
        .paste = on_paste,
        .mouse = on_mouse,
        .focus = on_focus,
        .cursor = on_cursor,
        .background = on_background,
        .synchronized = on_synchronized,
        .margins = on_margins,
};

static void log_init(Log *log)
{
        *log = (Log){ .text = BUFFER_INIT(MIB(64)) };
        assert_int_equal(input_new(&ops, log, &log->input), 0);
        assert_int_equal(input_add_sequence(log->input, "\033[25~", (Key){ KEY_F1, KEY_SHIFT }), 0);
        assert_int_equal(
                input_add_sequence(log->input, "\033[3$", (Key){ KEY_DELETE, KEY_SHIFT }), 0);
        assert_int_equal(input_add_sequence(log->input, "\033h", (Key){ KEY_HOME, 0 }), 0);
}

static void log_done(Log *log)
{
        log->input = input_free(log->input);
        buffer_done(&log->text);
}

static const struct Case {
        const char *bytes;
        size_t size;
        const char *expected; /* without a flush at the end */
        const char *flushed;  /* and what that adds */
} cases[] = {
#define CASE(bytes, expected) \
        { \
                bytes, sizeof(bytes) - 1, expected, "" \
        }
#define CASE_FLUSHED(bytes, expected, by) \
        { \
                bytes, sizeof(bytes) - 1, expected, by \
        }
        CASE("aB ?", "a B Space ?"),
        CASE("\r\n\t\x7f\b", "Enter Ctrl-J Tab Backspace Backspace"),
        CASE("\x01\x1a\x03\0\x1c\x1f", "Ctrl-A Ctrl-Z Ctrl-C Ctrl-Space Ctrl-\\ Ctrl-_"),
        CASE("\u00e4\u6f22\U0001f600", "\u00e4 \u6f22 \U0001f600"),
        CASE("a\xff\xc3(b\xed\xa0\x80\xc2\x9b"
             "c",
                "a ( b c"),
        /* keys of the xterm kind */
        CASE("\033[A\033[B\033[C\033[D\033[H\033[F", "Up Down Right Left Home End"),
        CASE("\033OA\033OB\033OC\033OD\033OH\033OF\033OM", "Up Down Right Left Home End Enter"),
        CASE("\033OP\033OQ\033OR\033OS\033[15~\033[24~", "F1 F2 F3 F4 F5 F12"),
        CASE("\033[1~\033[2~\033[3~\033[4~\033[5~\033[6~\033[7~\033[8~",
                "Home Insert Delete End PageUp PageDown Home End"),
        CASE("\033[1;5C\033[1;3D\033[1;2A\033[3;5~\033[5;7~",
                "Ctrl-Right Alt-Left Shift-Up Ctrl-Delete Ctrl-Alt-PageUp"),
        CASE("\033[1;2P\033[1;2R\033[Z", "Shift-F1 Shift-F3 Shift-Tab"),
        CASE("\033O5A\033O1;5B", "Ctrl-Up Ctrl-Down"),
        CASE("\033Oj\033Oy\033O2k", "* 9 +"),
        CASE("\033[[A\033[[E\033[[Fx", "F1 F5 x"),
        CASE("\033[1;9Ax\033[1;17Bx", "x x"), /* with super or hyper */
        CASE("\033[25~\033[3$\033h", "Shift-F1 Shift-Delete Home"),
        /* Alt */
        CASE("\033a\033\r\033\x7f\033\033[A\033\u00e4",
                "Alt-a Alt-Enter Alt-Backspace Alt-Up Alt-\u00e4"),
        CASE("\033\x03\033 ", "Ctrl-Alt-C Alt-Space"),
        CASE_FLUSHED("\033", "", "Esc"),
        CASE_FLUSHED("\033\033", "", "Esc Esc"),
        CASE_FLUSHED("\033\033\033", "Esc", "Esc Esc"),
        CASE_FLUSHED("\033[", "", "Alt-["),
        CASE_FLUSHED("\033O", "", "Alt-O"),
        CASE_FLUSHED("\033]", "", "Alt-]"),
        CASE_FLUSHED("a\033[1;", "a", ""),
        /* characters by number */
        CASE("\033[97;5u\033[27u\033[13;2u\033[9;2u\033[127;5u\033[32;5u",
                "Ctrl-A Esc Shift-Enter Shift-Tab Ctrl-Backspace Ctrl-Space"),
        CASE("\033[97;6u\033[97:65;2u\033[97;2u\033[49:33;2u", "Ctrl-Shift-A A A !"),
        CASE("\033[97;1:3ux\033[97;1:2u", "x a"), /* let go, held */
        CASE("\033[57414u\033[57399u\033[57358u\033[57419;5u", "Enter 0 Ctrl-Up"),
        CASE("\033[3u\033[155u\033[55296u\033[1114112u\033[99999999999999u", ""),
        CASE("\033[27;5;97~\033[27;2;13~\033[27;6;65~", "Ctrl-A Shift-Enter Ctrl-Shift-A"),
        /* mouse, focus */
        CASE("\033[<0;3;4M\033[<0;3;4m\033[<64;1;1M\033[<65;80;24M\033[<2;5;6M\033[<1;1;1M",
                "mouse0@3,2 mouse3@0,0 mouse4@23,79 mouse2@5,4 mouse1@0,0"),
        CASE("\033[<32;3;4M\033[<35;3;4M\033[<128;1;1M\033[<0;0;0M\033[<66;1;1M\033[<0;1M"
             "\033[<0;99999999;1M\033[<16;2;2M",
                "mouse0@1,1"),
        CASE("\033[M abx", "x"), /* the old kind */
        CASE("\033[I\033[O", "focus blur"),
        /* answers */
        CASE("\033[5;7R\033[?1;2R\033[0;0R\033[1;2Rx", "cursor@4,6 Shift-F3 x"),
        CASE("\033]11;rgb:1e1e/1e1e/2e2e\033\\\033]11;rgb:ffff/ffff/ffff\a", "dark light"),
        CASE("\033]11;rgb:f/f/f\a\033]11;rgba:00/00/00/ff\a\033]11;rgb:12/\a\033]11;red\ax",
                "light dark x"),
        CASE("\033[?2026;2$y\033[?2026;0$y\033[?2026;4$y\033[?2027;1$y\033[?2026;1yx",
                "sync nosync nosync x"),
        CASE("\033[?69;1$y\033[?69;2$y\033[?69;3$y\033[?69;0$y\033[?69;4$y\033[?6;2$y\033[?69;2;2$yx",
                "margins margins margins nomargins nomargins x"),
        CASE("\033[?62;22c\033[>0;276;0c\033P>|some(1)\033\\\033_Gi=1;OK\033\\\033^x\033\\y", "y"),
        /* what is cut */
        CASE("\033[12\033[A", "Up"),
        CASE("\033]0;title\033[A", "Up"),
        CASE("\033[1\x18x", "x"),
        CASE("\033[1\rx", "x"),
        CASE("\033]11;rg\x18x", "x"),
        CASE("\033[1;2;3;4;5;6;7;8;9Ax", "x"),
        CASE("\033[1<Ax\033[201~y", "x y"),
        CASE("\033[2Ax\033[0A", "x Up"),
        /* pastes */
        CASE("\033[200~one\r\ntwo\rthree\nfour\033[201~x", "paste{ one\ntwo\nthree\nfour } x"),
        CASE("\033[200~\033[201~", "paste{  }"),
        CASE("\033[200~a\033[A\033\033[201\033[20\033[201~\r",
                "paste{ a\033[A\033\033[201\033[20 } Enter"),
        CASE("\033[200~\xff\u00e4\xc3\033[201~", "paste{ \ufffd\u00e4\ufffd }"),
        CASE("\033[200~\0b\033[200~c\033[201~",
                "paste{ \ufffd"
                "b\033[200~c }"),
        CASE_FLUSHED("\033[200~waits\033[20", "", ""),
};

static void check(const struct Case *c, size_t first, size_t step)
{
        Log log;

        log_init(&log);
        assert_int_equal(input_feed(log.input, c->bytes, first), 0);
        for (size_t i = first; i < c->size; i += step)
                assert_int_equal(input_feed(log.input, c->bytes + i, MIN(step, c->size - i)), 0);
        assert_string_equal(buffer_text(&log.text), c->expected);
        if (input_is_pending(log.input)) {
                buffer_clear(&log.text);
                input_flush(log.input);
                assert_false(input_is_pending(log.input));
                assert_string_equal(buffer_text(&log.text), c->flushed);
        } else
                assert_string_equal(c->flushed, "");
        log_done(&log);
}

static void test_cases(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                check(&cases[i], 0, 1);
                for (size_t k = 0; k <= cases[i].size; k++)
                        check(&cases[i], k, MAX(cases[i].size, (size_t) 1));
        }
}

static void test_expected_cursors(void **state)
{
        Log log;

        log_init(&log);
        input_expect_cursor(log.input, 2);
        assert_int_equal(input_feed(log.input, "\033[1;2R\033[1;3R\033[1;2R", 18), 0);
        assert_string_equal(log.text.data, "cursor@0,1 cursor@0,2 Shift-F3");
        log_done(&log);
}

/* A pause in a long sequence does not make text of its rest. */
static void test_late_rest(void **state)
{
        static const struct {
                const char *start, *rest, *expected;
        } table[] = {
                { "\033[<0;1", "0;4Mx", "mouse0@3,9 x" },
                { "\033[1;", "5Cx", "Ctrl-Right x" },
                { "\033]11;rgb:0000/00", "00/0000\033\\x", "dark x" },
                { "\033]11;rgb:0000/0000/0000\033", "\\x", "dark x" },
                { "\033]11;rgb:0000", "\r\rx", "Enter x" }, /* the rest was lost */
                { "\033[M ", "!!x", "x" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Log log;

                log_init(&log);
                assert_int_equal(input_feed(log.input, table[i].start, strlen(table[i].start)), 0);
                assert_true(input_is_pending(log.input));
                input_flush(log.input);
                assert_false(input_is_pending(log.input));
                assert_int_equal(log.text.size, 0);
                assert_int_equal(input_feed(log.input, table[i].rest, strlen(table[i].rest)), 0);
                assert_string_equal(buffer_text(&log.text), table[i].expected);
                log_done(&log);
        }
}

static void test_limits(void **state)
{
        _cleanup_free_ char *big = NULL;
        char long_sequence[INPUT_SEQUENCE_MAX + 50];
        Log log;

        /* One over the limit is passed over, up to its end. */
        log_init(&log);
        memset(long_sequence, '0', sizeof long_sequence);
        memcpy(long_sequence, "\033[", 2);
        long_sequence[INPUT_SEQUENCE_MAX - 1] = 'A';
        assert_int_equal(input_feed(log.input, long_sequence, INPUT_SEQUENCE_MAX), 0);
        assert_string_equal(buffer_text(&log.text), "Up");
        long_sequence[INPUT_SEQUENCE_MAX - 1] = '0';
        long_sequence[INPUT_SEQUENCE_MAX] = 'A';
        assert_int_equal(input_feed(log.input, long_sequence, INPUT_SEQUENCE_MAX + 1), 0);
        assert_int_equal(input_feed(log.input, "x", 1), 0);
        assert_string_equal(buffer_text(&log.text), "Up x");
        log_done(&log);

        /* A string without an end gives the keyboard back. */
        log_init(&log);
        big = malloc(INPUT_STRING_MAX);
        assert_non_null(big);
        memset(big, 'q', INPUT_STRING_MAX);
        assert_int_equal(input_feed(log.input, "\033P", 2), 0);
        assert_int_equal(input_feed(log.input, big, INPUT_STRING_MAX - 1), 0);
        assert_int_equal(input_feed(log.input, "xyz", 3), 0);
        assert_string_equal(buffer_text(&log.text), "x y z");
        log_done(&log);
}

static size_t pasted;

static void count_paste(const char *text, size_t size, void *userdata)
{
        pasted = size;
}

static void test_large_paste(void **state)
{
        static const InputOps counting = { .paste = count_paste };
        _cleanup_free_ char *chunk = malloc(KIB(64));
        Input *i = NULL;

        assert_non_null(chunk);
        memset(chunk, 'p', KIB(64));
        assert_int_equal(input_new(&counting, NULL, &i), 0);
        for (unsigned extra = 0; extra < 2; extra++) {
                assert_int_equal(input_feed(i, "\033[200~", 6), 0);
                for (size_t n = 0; n < INPUT_PASTE_MAX / KIB(64) + extra; n++)
                        assert_int_equal(input_feed(i, chunk, KIB(64)), 0);
                assert_int_equal(input_feed(i, "\033[201~", 6), 0);
                assert_int_equal(pasted, INPUT_PASTE_MAX);
        }
        i = input_free(i);
}

static void test_own_sequences(void **state)
{
        char large[INPUT_SEQUENCE_MAX + 1];
        Input *i = NULL;

        assert_int_equal(input_new(&ops, NULL, &i), 0);
        assert_int_equal(input_add_sequence(i, "x", (Key){ 'x', 0 }), -EINVAL);
        assert_int_equal(input_add_sequence(i, "", (Key){ 'x', 0 }), -EINVAL);
        assert_int_equal(input_add_sequence(i, "\033", (Key){ 'x', 0 }), -EINVAL);
        memset(large, '1', sizeof large);
        large[0] = '\033';
        large[INPUT_SEQUENCE_MAX] = 0;
        assert_int_equal(input_add_sequence(i, large, (Key){ 'x', 0 }), -EINVAL);
        for (unsigned k = 0; k < INPUT_KEYS_MAX; k++)
                assert_int_equal(input_add_sequence(i, "\033[25~", (Key){ 'x', 0 }), 0);
        assert_int_equal(input_add_sequence(i, "\033[25~", (Key){ 'x', 0 }), -ENOSPC);
        i = input_free(i);
}

static unsigned char any_byte(unsigned *seed)
{
        static const char likely[] =
                "\033\033\033[[[]O;;::<>?$~~ARMIyuPX_^0123456789\a\\\r\x18\x9b";

        return rand_r(seed) % 3 == 0
                ? (unsigned char) (rand_r(seed) & 0xff)
                : (unsigned char) likely[(unsigned) rand_r(seed) % (sizeof likely - 1)];
}

/* Garbage: every key is one that can be named (see on_key), and the keyboard works afterwards,
 * however the bytes were cut. */
static void test_garbage(void **state)
{
        for (unsigned seed = 1; seed < 400; seed++) {
                unsigned s = seed;
                char bytes[600];
                Log whole, cut;

                for (size_t i = 0; i < sizeof bytes; i++)
                        bytes[i] = (char) any_byte(&s);
                log_init(&whole);
                log_init(&cut);
                assert_int_equal(input_feed(whole.input, bytes, sizeof bytes), 0);
                for (size_t i = 0; i < sizeof bytes;) {
                        size_t n = MIN((size_t) rand_r(&s) % 7 + 1, sizeof bytes - i);

                        assert_int_equal(input_feed(cut.input, bytes + i, n), 0);
                        i += n;
                }
                assert_string_equal(buffer_text(&whole.text), buffer_text(&cut.text));
                /* Ends a paste, a string, a sequence, the old mouse. */
                assert_int_equal(input_feed(cut.input, "\033[201~\030\030\030", 9), 0);
                input_flush(cut.input);
                buffer_clear(&cut.text);
                assert_int_equal(input_feed(cut.input, "k", 1), 0);
                assert_string_equal(buffer_text(&cut.text), "k");
                log_done(&whole);
                log_done(&cut);
        }
}

static void test_key_names(void **state)
{
        static const struct {
                const char *text;
                int result;
                Key key;
        } table[] = {
                { "a", 0, { 'a', 0 } },
                { "A", 0, { 'A', 0 } },
                { "-", 0, { '-', 0 } },
                { "Ctrl--", 0, { '-', KEY_CONTROL } },
                { "ctrl-c", 0, { 'c', KEY_CONTROL } },
                { "Ctrl-C", 0, { 'c', KEY_CONTROL } },
                { "Alt-Ctrl-x", 0, { 'x', KEY_CONTROL | KEY_ALT } },
                { "Shift-Tab", 0, { KEY_TAB, KEY_SHIFT } },
                { "Alt-Enter", 0, { KEY_ENTER, KEY_ALT } },
                { "pageup", 0, { KEY_PAGE_UP, 0 } },
                { "F12", 0, { KEY_F12, 0 } },
                { "Space", 0, { ' ', 0 } },
                { "\u00e4", 0, { 0xe4, 0 } },
                { "", -EINVAL, { 0 } },
                { "Ctrl-", -EINVAL, { 0 } },
                { "Ctrl-Ctrl-a", -EINVAL, { 0 } },
                { "Shift-a", -EINVAL, { 0 } },
                { "ab", -EINVAL, { 0 } },
                { "\033", -EINVAL, { 0 } },
                { "\xff", -EINVAL, { 0 } },
                { "\xc3", -EINVAL, { 0 } },
                { "F13", -EINVAL, { 0 } },
        };
        char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Key key = { 0 };

                assert_int_equal(key_from_string(table[i].text, &key), table[i].result);
                assert_int_equal(key.code, table[i].key.code);
                assert_int_equal(key.modifiers, table[i].key.modifiers);
        }
        assert_int_equal(key_to_string((Key){ KEY_F12 + 1, 0 }, &text), -EINVAL);
        assert_int_equal(key_to_string((Key){ 7, 0 }, &text), -EINVAL);
        assert_int_equal(key_to_string((Key){ 0xd800, 0 }, &text), -EINVAL);
        assert_null(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_expected_cursors),
                cmocka_unit_test(test_late_rest),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_large_paste),
                cmocka_unit_test(test_own_sequences),
                cmocka_unit_test(test_garbage),
                cmocka_unit_test(test_key_names),
        };

        return cmocka_run_group_tests_name("tui-input", tests, NULL, NULL);
}
