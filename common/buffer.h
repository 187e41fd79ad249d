/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Growing bytes with a mandatory maximum. Always NUL-terminated after the last byte (the NUL is not
 * counted), so that text kept in one can be handed out as a C string without a copy. */

#include "common/macro.h"

typedef struct Buffer {
        char *data; /* NULL while nothing was ever appended */
        size_t size;
        size_t allocated;
        size_t maximum; /* bytes; appending beyond it is -EFBIG and appends nothing */
} Buffer;

#define BUFFER_INIT(max) ((Buffer){ .maximum = (max) })

void buffer_done(Buffer *b);
#define _cleanup_buffer_ _cleanup_(buffer_done)

/* -ENOMEM, -EFBIG; on failure the buffer is unchanged. */
int buffer_append(Buffer *b, const void *data, size_t size);
int buffer_append_string(Buffer *b, const char *text);
int buffer_append_format(Buffer *b, const char *format, ...) _printf_(2, 3);

/* Room for size more bytes at the returned place; follow with buffer_advance(). */
int buffer_reserve(Buffer *b, size_t size, char **ret);
void buffer_advance(Buffer *b, size_t size);

/* Drops the first n bytes. Costs a move of the rest: call it once for many lines, not per line. */
void buffer_consume(Buffer *b, size_t n);

/* Empties it and keeps the memory. */
void buffer_clear(Buffer *b);

/* Hands over the bytes (malloc'ed, NUL-terminated, never NULL on success) and empties the buffer.
 */
int buffer_steal(Buffer *b, char **ret, size_t *ret_size);

/* "" instead of NULL. */
static inline const char *buffer_text(const Buffer *b)
{
        return b->data ? b->data : "";
}
