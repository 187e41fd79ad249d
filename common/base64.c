/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_append(Buffer *b, const void *data, size_t size)
{
        const unsigned char *in = data;
        size_t n;
        char *out;
        int r;

        if (size > SIZE_MAX / 4)
                return -EFBIG;
        n = BASE64_SIZE(size);
        r = buffer_reserve(b, n, &out);
        if (r < 0)
                return r;
        for (; size >= 3; size -= 3, in += 3) {
                *out++ = alphabet[in[0] >> 2];
                *out++ = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
                *out++ = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
                *out++ = alphabet[in[2] & 63];
        }
        if (size > 0) {
                unsigned second = size == 2 ? in[1] : 0;

                *out++ = alphabet[in[0] >> 2];
                *out++ = alphabet[(in[0] & 3) << 4 | second >> 4];
                *out++ = size == 2 ? alphabet[(second & 15) << 2] : '=';
                *out++ = '=';
        }
        buffer_advance(b, n);
        return 0;
}

static int digit(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -EBADMSG;
}

/* n digits (2, 3, 4) of one group; returns the bytes they make. */
static int decode_group(const char *text, size_t n, unsigned char *out)
{
        uint32_t bits = 0;

        for (size_t i = 0; i < 4; i++) {
                int d = i < n ? digit(text[i]) : 0;

                if (d < 0)
                        return d;
                bits = bits << 6 | (uint32_t) d;
        }
        if ((n == 2 && (bits & 0xFFFF)) || (n == 3 && (bits & 0xFF)))
                return -EBADMSG;
        for (size_t i = 0; i + 1 < n; i++)
                out[i] = bits >> (16 - 8 * i);
        return (int) n - 1;
}

int base64_decode(const char *text, size_t size, void **ret, size_t *ret_size)
{
        _cleanup_free_ unsigned char *data = NULL;
        size_t n = 0;

        if (size % 4 != 0)
                return -EBADMSG;
        data = malloc(size / 4 * 3 + 1);
        if (!data)
                return -ENOMEM;
        for (size_t i = 0; i < size; i += 4) {
                size_t digits = 4;
                int r;

                if (i + 4 == size)
                        while (digits > 2 && text[i + digits - 1] == '=')
                                digits--;
                r = decode_group(text + i, digits, data + n);
                if (r < 0)
                        return r;
                n += r;
        }
        *ret = TAKE_PTR(data);
        *ret_size = n;
        return 0;
}
