/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the terminal's life (terminal.c) and finding out what it is (terminal-setup.c) share. */

#include <termios.h>

#include "client/tui/terminal/rescue.h"
#include "client/tui/terminal/terminal.h"

#define TERMINAL_OUTPUT_MAX MIB(8)

typedef enum TerminalFlags {
        TERMINAL_PLAIN = 1 << 0,    /* nothing is known of it but ANSI's own */
        TERMINAL_XTERM = 1 << 1,    /* understands private modes, OSC and questions */
        TERMINAL_ASCII = 1 << 2,    /* no UTF-8 */
        TERMINAL_AUTO = 1 << 3,     /* the theme is what the background is */
        TERMINAL_MOUSE = 1 << 4,    /* is on */
        TERMINAL_BLURRED = 1 << 5,  /* has no focus */
        TERMINAL_RELEASED = 1 << 6, /* another program has it */
        TERMINAL_CLOSED = 1 << 7,   /* closed() was called */
        TERMINAL_WAITED = 1 << 8,   /* output waits */
} TerminalFlags;

struct Terminal {
        TerminalOps ops;
        void *userdata;
        TerminalFlags flags;
        Theme theme;
        ColourDepth depth;

        int fd; /* of our own, non-blocking: that of stdout is shared with the shell */
        struct termios modes;
        char enter[RESCUE_BYTES_MAX], leave[RESCUE_BYTES_MAX];
        Screen *screen;
        ScreenFlags screen_flags;
        Input *input;
        Buffer output;
        size_t n_sent; /* of it */

        size_t n_probed; /* answers that came */
        WidthWays ways;
        bool measurable; /* no answer was absurd */

        sd_event_source *io, *escape, *start;
        sd_event_source *signals[4];
};

/* TERM, COLORTERM, NO_COLOR, the locale: flags, depth, sequences, keys. */
int terminal_setup(Terminal *t);

/* The questions, to be written on the empty screen; and the answer to one of them. Returns true
 * when the last one was answered. */
int terminal_ask(Terminal *t, Buffer *out);
bool terminal_take_width(Terminal *t, int column);
