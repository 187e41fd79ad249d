/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Letters in order, with others in between: "nwp" finds "new-private". */

#include "common/macro.h"

#define MATCH_LETTERS_MAX 64U

/* How well the letters fit, whatever their case: more is better, below 0: they do not. Blanks in
 * them count for nothing. places (may be NULL): the bytes of text that they are, MATCH_LETTERS_MAX
 * at most; *ret_n of them. */
int match_score(const char *text, const char *letters, uint16_t *places, size_t *ret_n);
