/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Words to values. Each takes the whole string (white space around it is not accepted) and returns
 * -EINVAL for what it does not know, -ERANGE for what does not fit. */

#include "common/macro.h"

/* The place of s in the table, in which a word may be missing (NULL). */
int parse_word(const char *const *table, size_t n, const char *s);

int parse_u64(const char *s, uint64_t *ret); /* decimal digits only */
int parse_bool(const char *s, bool *ret);    /* yes, true, on, 1; no, false, off, 0; any case */

/* "5min", "1h 30min", "500ms", "2.5s"; a plain number is seconds; "infinity" is USEC_INFINITY.
 * Units as in systemd.time(7): us, ms, s, min, h, d, w and their long forms. */
int parse_usec(const char *s, usec_t *ret);
