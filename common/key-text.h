/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A key's text in memory of its own: not in core dumps, wiped when freed. While there is one, no
 * other program of the user may look into the process. */

#include "common/failure.h"

#define KEY_SIZE_MAX KIB(8)
/* More than the limit, which shows that a key is over it: whole pages. */
#define KEY_TEXT_ROOM KIB(12)

/* KEY_TEXT_ROOM bytes, all 0. NULL with errno. */
char *key_text_new(void);
char *key_text_free(char *text);
DEFINE_CLEANUP(char *, key_text_free)

/* What was read into it, so many bytes, becomes a key: takes the white space off and refuses what
 * cannot stand in one line of an HTTP header. where: "the file /x". */
int key_text_finish(char *text, size_t size, const char *where, Failure *failure);
