/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The curses client in a terminal of the test's own, of which each call fails in turn, its
 * children's too, with a service in which nothing does: it goes on and does what it would, or it
 * ends with a sentence and a status that is not 0. Either way the terminal is as it was, what was
 * asked was asked once, and what was written and not sent is kept. */

#include "tests/torture/torture.h"

#define TUI_WORDS_MAX 4U

/* {id} and {n} are as in a command (commands.h). */
typedef struct Step {
        const char *wants; /* to be seen, of what came since the last step */
        const char *keys;  /* then typed */
} Step;

struct Tui {
        const char *words[TUI_WORDS_MAX + 1]; /* after "conductor-tui" */
        const Step *steps;
};

extern const bool tui_is_built;
extern const Tui tui_ask, tui_read, tui_programs, tui_files, tui_host;

void tui_play(Torture *t);
