/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Letters in order, with others in between: "nwp" finds "new-private". */

#include "common/macro.h"

#define MATCH_LETTERS_MAX 64U
#define MATCH_TEXT_MAX    256U /* bytes of a text that are looked at */

/* For one list in one turn of the loop: about 2 ms of looking for the best places. From there on
 * the first places that fit are taken, for which a few steps for each byte of a text suffice. */
#define MATCH_STEPS_MAX 400000U

/* How well the letters fit, whatever their case: more is better, below 0: they do not. Blanks in
 * them count for nothing. *steps: taken so far, for all texts of one list. places (may be NULL):
 * the bytes of text that they are, MATCH_LETTERS_MAX at most; *ret_n of them. */
int match_score(
        const char *text, const char *letters, size_t *steps, uint16_t *places, size_t *ret_n);
