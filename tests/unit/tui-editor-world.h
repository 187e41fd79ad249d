/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Short forms of what is done with an editor in a test. */

#include "client/tui/view/editor-internal.h"

#define FAMILY "\U0001f468\u200d\U0001f469\u200d\U0001f467" /* one cluster, of 18 bytes */

Editor *make(const char *text);
void type(Editor *e, const char *text); /* each cluster by itself */
void assert_text(Editor *e, const char *expected);
