/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* vi's way of editing: a mode in which letters are commands, turned into actions of the one table.
 * A part of vi only: no counts, registers, marks or `:`, and d alone before d. */

#include "client/tui/view/keymap.h"

/* Zeroed: text is typed, as after `i`. One for each place where keys go. */
struct ViMode {
        bool normal;     /* letters are commands */
        uint32_t before; /* the first key of a command of two */
};

typedef struct ViCommand {
        const char *keys; /* characters, or one key by its name */
        KeyContext context;
        bool insert; /* text is typed after it */
        Action actions[KEYMAP_ACTIONS_MAX];
        const char *description;
} ViCommand;

/* All commands of the normal mode (of the transcript: always). */
const ViCommand *vi_commands(size_t *ret_n);

/* As keymap_look_up(); -ENOENT: not vi's. */
int vi_look_up(ViMode *v, KeyContext context, Key key, Action ret[static KEYMAP_ACTIONS_MAX]);
