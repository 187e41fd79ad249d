/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a person sets for the curses client: tui.conf in the folders of configuration, of which the
 * last that has one counts, with [Screen] Theme=, Mouse=, List=, Avatar=, Editing=emacs|vi and
 * [Keys] action=Key Key. What is toggled for good (the avatar) is written to
 * $XDG_STATE_HOME/conductor/tui/settings, and goes before. */

#include "client/tui/view/keymap.h"

typedef struct Settings {
        char *theme; /* "auto", "dark", "light" */
        bool mouse, list, avatar, vi;
        Keymap *keymap;
        char *complaint; /* the first thing that a file got wrong, with file and line; or NULL */
} Settings;

/* Only -ENOMEM: what cannot be read is a complaint, and has its default. */
int settings_read(Settings *ret);
void settings_done(Settings *s);
int settings_remember_avatar(bool on); /* by a child process: keeper.h */
