/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/tui/terminal/screen.h"

/* One row of the picture last drawn, as text, trailing blanks left out. The caller frees. */
char *screen_row_text(const Screen *s, int row);
void assert_screen_row(const Screen *s, int row, const char *expected);
