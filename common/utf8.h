/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* UTF-8 as sd-bus wants it: well-formed, without NUL and without noncharacters (U+FFFE and the
 * like). A chunk from outside may end anywhere. */

#include "common/buffer.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Well-formed (no overlong forms, no surrogates, nothing over U+10FFFF), without NUL and
 * noncharacters. */
bool utf8_is_valid(const char *text, size_t size);

/* The length of the longest prefix that utf8_is_valid(). */
size_t utf8_valid_prefix(const char *text, size_t size);

/* The largest prefix of at most maximum bytes that ends between two characters. text is valid. */
size_t utf8_cut(const char *text, size_t size, size_t maximum);

/* Valid, and fit for one line on a screen: no control character (C0, DEL, C1, line and paragraph
 * separators) and none that turns the direction of writing: for titles and names from outside. */
bool utf8_is_clean_line(const char *text, size_t size);

/* Makes a foreign sentence harmless: every run of control characters and white space becomes one
 * space (none at the ends), what turns the direction of writing goes, bytes that are no UTF-8 are
 * replaced; cut at maximum bytes, at a character's end. What comes out utf8_is_clean_line(); the
 * caller frees it. */
int utf8_sanitize_line(const char *text, size_t size, size_t maximum, char **ret);

/* ---- repairing a stream ---- */

/* The beginning of a character whose rest is yet to come. Zeroed at the start of a stream. */
typedef struct Utf8Repair {
        char pending[3];
        size_t n_pending;
} Utf8Repair;

/* Appends the text to out: each ill-formed maximal subpart (Unicode's recommended practice), each
 * noncharacter and each NUL becomes one U+FFFD, however the stream is cut; an incomplete character
 * waits. On failure (-EFBIG, -ENOMEM of the buffer) neither state nor out has changed. */
int utf8_repair(Utf8Repair *u, const char *data, size_t size, Buffer *out);

/* At the stream's end: what waits is replaced. Same failures. */
int utf8_repair_flush(Utf8Repair *u, Buffer *out);
