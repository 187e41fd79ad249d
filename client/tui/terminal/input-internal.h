/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What finding sequences (input.c) and understanding them (input-sequence.c) share. */

#include "client/tui/terminal/input.h"
#include "common/utf8.h"

typedef enum InputState {
        INPUT_GROUND,
        INPUT_ESCAPE,        /* ESC */
        INPUT_CONTROL,       /* ESC [ … */
        INPUT_SINGLE,        /* ESC O … */
        INPUT_STRING,        /* ESC ] and its like, up to BEL or ESC \ */
        INPUT_STRING_ESCAPE, /* an ESC in it */
        INPUT_OLD_MOUSE,     /* ESC [ M: three bytes follow */
        INPUT_PASTE,
} InputState;

typedef struct KeySequence {
        char *text;
        Key key;
} KeySequence;

struct Input {
        InputOps ops;
        void *userdata;

        InputState state;
        char sequence[INPUT_SEQUENCE_MAX]; /* from ESC on, as far as it has room */
        size_t n_sequence;                 /* may be more than that */
        bool alt;                          /* an ESC came before it */
        bool linux_key;                    /* ESC [ [: one byte follows */
        bool late;                         /* it should have been whole by now */

        char character[4]; /* UTF-8 that is not whole */
        unsigned n_character;

        Buffer paste;
        Utf8Repair repair;
        size_t n_end; /* bytes of the paste's end mark that came */
        int paste_result;

        unsigned n_cursors; /* answers that will come */
        KeySequence keys[INPUT_KEYS_MAX];
        size_t n_keys;
};

/* No character that would do harm on a line (a control, a turn of the direction): key.c. */
bool key_is_clean(uint32_t code);

void input_key(Input *i, uint32_t code, unsigned modifiers);

/* A whole sequence. */
void input_control_sequence(Input *i);
void input_single_sequence(Input *i);
void input_string(Input *i);
