/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the terminal's description says. Apart from everything else because the names of curses.h
 * are everywhere. */

#include "common/macro.h"

/* -ENOENT when nothing is known of this TERM. Close before the next one is opened. */
int terminfo_open(const char *term, int fd);
void terminfo_close(void);

/* By their short names ("kcuu1"). A string without its padding, valid until the next call; NULL
 * when the terminal has none. */
const char *terminfo_string(const char *name);
int terminfo_number(const char *name); /* -1 */
bool terminfo_flag(const char *name);
