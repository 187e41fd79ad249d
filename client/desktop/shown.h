/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A model's text as a desktop may show it: short, and nothing but text. The caller frees what comes
 * back. */

#include "common/macro.h"

/* At most so many characters, cut with an ellipsis; no control characters but newlines, and none of
 * these at the ends. */
int shown_text(const char *text, size_t characters, char **ret);
/* The same in one line. */
int shown_line(const char *text, size_t characters, char **ret);
/* & < > as entities, for servers that read markup. */
int shown_escape(const char *text, char **ret);
