/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Base64 (RFC 4648), with padding: what JSON carries bytes in. */

#include "common/buffer.h"

/* So many bytes are so many characters. */
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

int base64_append(Buffer *b, const void *data, size_t size);

/* Strict: no white space, whole groups, padding at the end only, no bits left over; else -EBADMSG.
 * *ret is malloc'ed, and never NULL on success. */
int base64_decode(const char *text, size_t size, void **ret, size_t *ret_size);
