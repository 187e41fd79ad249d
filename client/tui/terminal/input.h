/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a terminal sends, decoded: keys, pastes, the mouse, focus, answers to questions. Its bytes
 * are hostile: bounded, and garbage is dropped, never taken for keys with consequences. Sequences
 * may come cut at any byte. */

#include "common/buffer.h"

#define INPUT_PASTE_MAX    MIB(32)
#define INPUT_SEQUENCE_MAX 256     /* of one escape sequence that is looked at */
#define INPUT_STRING_MAX   KIB(64) /* of a string that is passed over (DCS, OSC, APC) */
#define INPUT_KEYS_MAX     128     /* sequences by terminfo */

typedef enum KeyCode {
        /* below: a character (Unicode), as typed */
        KEY_NONE_ = 0,
        KEY_ENTER = 0x110000,
        KEY_TAB,
        KEY_BACKSPACE,
        KEY_ESCAPE,
        KEY_UP,
        KEY_DOWN,
        KEY_LEFT,
        KEY_RIGHT,
        KEY_HOME,
        KEY_END,
        KEY_PAGE_UP,
        KEY_PAGE_DOWN,
        KEY_INSERT,
        KEY_DELETE,
        KEY_F1, /* … F12 = KEY_F1 + 11 */
        KEY_F12 = KEY_F1 + 11,
} KeyCode;

#define KEY_SHIFT   (1U << 0)
#define KEY_ALT     (1U << 1)
#define KEY_CONTROL (1U << 2)

/* Control-letters are the small letter with KEY_CONTROL: Ctrl-C is { 'c', KEY_CONTROL }; Enter,
 * Tab, Backspace (also as ^H) and Escape are themselves; Shift-Tab is Tab with KEY_SHIFT. Ctrl-J is
 * { 'j', CONTROL }. A character has KEY_SHIFT only beside KEY_CONTROL: else it is the one that
 * shift makes. */
typedef struct Key {
        uint32_t code;
        unsigned modifiers;
} Key;

typedef enum MouseButton {
        MOUSE_LEFT,
        MOUSE_MIDDLE,
        MOUSE_RIGHT,
        MOUSE_WHEEL_UP,
        MOUSE_WHEEL_DOWN
} MouseButton;

typedef struct InputOps {
        void (*key)(Key key, void *userdata);
        /* Whole, repaired to UTF-8, line ends as \n; text is valid during the call. */
        void (*paste)(const char *text, size_t size, void *userdata);
        void (*mouse)(
                MouseButton button, int row, int column, void *userdata); /* from 0; presses only */
        void (*focus)(bool focused, void *userdata);
        void (*cursor)(int row, int column, void *userdata); /* an answer to \e[6n, from 0 */
        /* An answer to \e]11;?: the background is dark (or light). */
        void (*background)(bool dark, void *userdata);
        /* An answer to \e[?2026$p: known or not. */
        void (*synchronized)(bool known, void *userdata);
        /* An answer to \e[?69$p: it can be switched on, or is. */
        void (*margins)(bool known, void *userdata);
} InputOps;

typedef struct Input Input;

/* Every callback may be NULL. None of them may free the input. */
int input_new(const InputOps *ops, void *userdata, Input **ret);
Input *input_free(Input *i);
DEFINE_CLEANUP(Input *, input_free)

/* A key's own sequence by terminfo (\e is its first byte): for terminals with other ones than
 * xterm's, which are known. -EINVAL, -ENOSPC, -ENOMEM. */
int input_add_sequence(Input *i, const char *sequence, Key key);

/* So many answers to \e[6n will come: what else looks like one is Shift-F3. */
void input_expect_cursor(Input *i, unsigned n);

/* -ENOMEM: a paste was lost; what came behind it was not. */
int input_feed(Input *i, const char *data, size_t size);

/* An escape sequence is unfinished: after 50 ms without a byte call input_flush(), which takes a
 * lone ESC for the key, and two bytes for Alt and the second. What is longer was no key: its rest
 * is still waited for, over a slow line, and never taken for text. Pastes wait without a limit. */
bool input_is_pending(const Input *i);
void input_flush(Input *i);

/* "Ctrl-C", "Alt-Enter", "PageUp", "?": for people, and what the configuration reads. -EINVAL for
 * what no key can be. The caller frees. */
int key_to_string(Key key, char **ret);
int key_from_string(const char *s, Key *ret);
