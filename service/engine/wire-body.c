/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base64.h"
#include "common/json-util.h"
#include "common/utf8.h"
#include "service/engine/wire-private.h"

/* A multiple of three, whose base64 needs no filling. */
#define PIECE_SIZE  KIB(6)
#define ENCODED_MAX (6 * PIECE_SIZE) /* six bytes for a control character */

int wire_body_new(WireBody **ret, size_t maximum)
{
        WireBody *b;

        b = calloc(1, sizeof *b);
        if (!b)
                return -ENOMEM;
        b->words = BUFFER_INIT(maximum);
        b->encoded = BUFFER_INIT(ENCODED_MAX);
        *ret = b;
        return 0;
}

WireBody *wire_body_free(WireBody *b)
{
        if (!b)
                return NULL;
        buffer_done(&b->words);
        buffer_done(&b->encoded);
        free(b->parts);
        return mfree(b);
}

static int make_room(WireBody *b)
{
        size_t allocate = MAX(2 * b->allocated, (size_t) 8);
        WirePart *more;

        if (b->n_parts < b->allocated)
                return 0;
        more = reallocarray(b->parts, allocate, sizeof *more);
        if (!more)
                return -ENOMEM;
        b->parts = more;
        b->allocated = allocate;
        return 0;
}

int wire_body_insert(WireBody *b, WireForm form, const void *data, size_t size, size_t encoded_size)
{
        int r;

        if (size == 0)
                return 0;
        if (encoded_size > b->words.maximum - b->words.size)
                return -EFBIG;
        r = make_room(b);
        if (r < 0)
                return r;
        b->parts[b->n_parts++] = (WirePart){
                .form = form, .data = data, .size = size, .words = b->words.size
        };
        b->inserted += encoded_size;
        b->words.maximum -= encoded_size;
        return 0;
}

size_t wire_body_size(const WireBody *b)
{
        return b->words.size + b->inserted;
}

static int encode_next(WireBody *b)
{
        const WirePart *p = &b->parts[b->part];
        const char *data = p->data + b->part_read;
        size_t left = p->size - b->part_read, n = MIN(left, (size_t) PIECE_SIZE);
        int r = -EINVAL;

        buffer_clear(&b->encoded);
        b->encoded_read = 0;
        switch (p->form) {
        case WIRE_ESCAPED:
                n = utf8_cut(data, left, PIECE_SIZE);
                r = json_append_escaped(&b->encoded, data, n);
                break;
        case WIRE_BASE64:
                r = base64_append(&b->encoded, data, n);
                break;
        }
        if (r < 0)
                return r;
        b->part_read += n;
        if (b->part_read == p->size) {
                b->part++;
                b->part_read = 0;
        }
        return 0;
}

static size_t take(const Buffer *from, size_t *position, size_t end, char *to, size_t room)
{
        size_t n = MIN(end - *position, room);

        memcpy(to, from->data + *position, n);
        *position += n;
        return n;
}

ssize_t wire_body_read(WireBody *b, char *to, size_t size)
{
        size_t n = 0;

        while (n < size) {
                size_t words = b->part < b->n_parts ? b->parts[b->part].words : b->words.size;
                int r;

                if (b->encoded_read < b->encoded.size)
                        n += take(&b->encoded, &b->encoded_read, b->encoded.size, to + n, size - n);
                else if (b->words_read < words)
                        n += take(&b->words, &b->words_read, words, to + n, size - n);
                else if (b->part == b->n_parts)
                        break;
                else {
                        r = encode_next(b);
                        if (r < 0)
                                return r;
                }
        }
        return (ssize_t) n;
}

void wire_body_rewind(WireBody *b)
{
        buffer_clear(&b->encoded);
        b->words_read = b->part = b->part_read = 0;
}
