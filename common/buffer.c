/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/buffer.h"

#include <stdarg.h>

#define BUFFER_FIRST_ALLOCATION 256

void buffer_done(Buffer *b)
{
        assert(b);
        b->data = mfree(b->data);
        b->size = b->allocated = 0;
}

int buffer_reserve(Buffer *b, size_t size, char **ret)
{
        size_t need, allocate;
        char *data;

        assert(b);

        if (size > b->maximum || b->size > b->maximum - size)
                return -EFBIG;

        need = b->size + size + 1;
        if (need > b->allocated) {
                allocate = MAX(b->allocated, (size_t) BUFFER_FIRST_ALLOCATION);
                while (allocate < need)
                        allocate *= 2;
                data = realloc(b->data, allocate);
                if (!data)
                        return -ENOMEM;
                b->data = data;
                b->allocated = allocate;
        }
        if (ret)
                *ret = b->data + b->size;
        return 0;
}

void buffer_advance(Buffer *b, size_t size)
{
        assert(b->size + size < b->allocated);
        b->size += size;
        b->data[b->size] = 0;
}

int buffer_append(Buffer *b, const void *data, size_t size)
{
        char *end;
        int r;

        r = buffer_reserve(b, size, &end);
        if (r < 0)
                return r;
        if (size > 0)
                memcpy(end, data, size);
        buffer_advance(b, size);
        return 0;
}

int buffer_append_string(Buffer *b, const char *text)
{
        return buffer_append(b, text, strlen(text));
}

int buffer_append_format(Buffer *b, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return -ENOMEM;
        }
        return buffer_append(b, text, n);
}

void buffer_consume(Buffer *b, size_t n)
{
        assert(n <= b->size);
        if (n == 0)
                return;
        memmove(b->data, b->data + n, b->size - n);
        b->size -= n;
        b->data[b->size] = 0;
}

void buffer_clear(Buffer *b)
{
        b->size = 0;
        if (b->data)
                b->data[0] = 0;
}

int buffer_steal(Buffer *b, char **ret, size_t *ret_size)
{
        int r;

        r = buffer_reserve(b, 0, NULL);
        if (r < 0)
                return r;
        b->data[b->size] = 0;
        *ret = TAKE_PTR(b->data);
        if (ret_size)
                *ret_size = b->size;
        b->size = b->allocated = 0;
        return 0;
}
