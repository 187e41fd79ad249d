/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The terminal on stdin and stdout: its modes, its size, what it can, bytes in and out. Nothing
 * here blocks: output that it does not take waits, and the next frame is only made when it has
 * gone. However the program ends, the modes are given back: by terminal_free(), by a handler for
 * deadly signals, and for SIGKILL by a small child that waits for the end of its pipe. */

#include <systemd/sd-event.h>

#include "client/tui/terminal/input.h"
#include "client/tui/terminal/screen.h"
#include "common/failure.h"

/* Without a further byte for so long, an ESC is the key, not the start of another one's bytes. */
#define TERMINAL_ESCAPE_USEC (50 * USEC_PER_MSEC)

/* None of these may free the terminal. */
typedef struct TerminalOps {
        InputOps input; /* but cursor, background, synchronized: answers are terminal.c's own */
        void (*resized)(int rows, int columns, void *userdata); /* also once at the start */
        /* All that was written has gone: time for a frame that was held back. */
        void (*drained)(void *userdata);
        /* What is measured was measured (widths, background), or another program has given the
         * terminal back: draw everything anew. */
        void (*changed)(void *userdata);
        /* It hung up, or cannot be read or written any more: 0. Or why it cannot be taken back. */
        void (*closed)(int error, void *userdata);
} TerminalOps;

typedef struct TerminalOptions {
        const char *theme; /* "dark", "light", NULL or "auto": asked of the terminal */
        bool mouse;
} TerminalOptions;

typedef struct Terminal Terminal;

/* SIGWINCH, SIGTSTP, SIGCONT and SIGHUP are blocked from then on, and are the terminal's: a program
 * started from here needs its own mask. One terminal in a program.
 * -ENOTTY with a sentence when stdin or stdout is no terminal; an unknown TERM is treated as a
 * plain ANSI one. Reads TERM, COLORTERM, NO_COLOR, the locale (LC_ALL, LC_CTYPE, LANG; tries
 * C.UTF-8). */
int terminal_open(sd_event *event, const TerminalOps *ops, const TerminalOptions *options,
        void *userdata, Terminal **ret, Failure *failure);
Terminal *terminal_free(Terminal *t);
DEFINE_CLEANUP(Terminal *, terminal_free)

Screen *terminal_screen(Terminal *t);
bool terminal_has_focus(const Terminal *t); /* true where the terminal does not say */
bool terminal_is_ascii(const Terminal *t);  /* the locale has no UTF-8 */
/* The same before there is a terminal; sets the locale as terminal_open() does. */
bool terminal_locale_is_utf8(void);

/* Renders the screen and writes; nothing while another program has the terminal. -EBUSY while the
 * last frame has not gone: wait for drained(). */
int terminal_show(Terminal *t);

/* Bytes beside the picture: OSC 52 (copy), the title. Bounded by 1 MiB; -EFBIG. */
/* -EOPNOTSUPP where the terminal is known not to. */
int terminal_copy(Terminal *t, const char *text, size_t size);
int terminal_set_title(Terminal *t, const char *title);

int terminal_set_mouse(Terminal *t, bool on);
int terminal_set_theme(Terminal *t, const char *theme);

/* Gives the terminal to another program ($EDITOR, $PAGER) and takes it back: then resized() and
 * changed() are called. For the shell at Ctrl-Z send SIGTSTP to this process, which does both. */
int terminal_release(Terminal *t);
int terminal_take(Terminal *t);
