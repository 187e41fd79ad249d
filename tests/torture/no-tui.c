/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/tui.h"

/* Where the curses client is not built. */

const bool tui_is_built = false;
const Tui tui_ask, tui_read, tui_host;

void tui_play(Torture *t)
{
        found(t, "there is no curses client");
}
