/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/utf8.h"

/* The second byte's range is what makes overlong forms, surrogates and numbers over U+10FFFF
 * ill-formed (Unicode, table 3-7); further bytes are 80..BF. */
typedef struct Lead {
        unsigned char length; /* of the whole character, 0 = no lead byte */
        unsigned char low, high;
} Lead;

static Lead lead_of(unsigned char c)
{
        if (c >= 0xc2 && c <= 0xdf)
                return (Lead){ 2, 0x80, 0xbf };
        if (c >= 0xe0 && c <= 0xef)
                return (Lead){ 3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf };
        if (c >= 0xf0 && c <= 0xf4)
                return (Lead){ 4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf };
        return (Lead){ 0 };
}

typedef enum Sequence {
        SEQUENCE_VALID,
        SEQUENCE_INVALID,    /* a maximal subpart that is ill-formed, a noncharacter, or a NUL */
        SEQUENCE_INCOMPLETE, /* well-formed up to the end of the input */
} Sequence;

/* U+FDD0 to U+FDEF and the last two of each plane are no characters: sd-bus sends no text that has
 * one. The sequence is well-formed. */
static bool is_noncharacter(const unsigned char *p, size_t length)
{
        if (length == 3 && p[0] == 0xef)
                return (p[1] == 0xb7 && p[2] >= 0x90 && p[2] <= 0xaf) ||
                        (p[1] == 0xbf && p[2] >= 0xbe);
        return length == 4 && (p[1] & 0x0f) == 0x0f && p[2] == 0xbf && p[3] >= 0xbe;
}

/* Looks at the first sequence of a non-empty input; *ret_size is its length. */
static Sequence next_sequence(const unsigned char *p, size_t size, size_t *ret_size)
{
        Lead lead;

        if (p[0] < 0x80) {
                *ret_size = 1;
                return p[0] ? SEQUENCE_VALID : SEQUENCE_INVALID;
        }

        lead = lead_of(p[0]);
        for (size_t i = 1; i < lead.length; i++) {
                *ret_size = i;
                if (i == size)
                        return SEQUENCE_INCOMPLETE;
                if (i == 1 ? p[i] < lead.low || p[i] > lead.high : (p[i] & 0xc0) != 0x80)
                        return SEQUENCE_INVALID;
        }
        *ret_size = MAX(lead.length, 1);
        return lead.length > 0 && !is_noncharacter(p, lead.length) ? SEQUENCE_VALID
                                                                   : SEQUENCE_INVALID;
}

/* Eight bytes at a time: nearly all text is ASCII. */
static size_t ascii_prefix(const char *text, size_t size)
{
        const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
        size_t i = 0;

        for (; size - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
                uint64_t w;

                memcpy(&w, text + i, sizeof w);
                if ((w & highs) != 0 || ((w - ones) & ~w & highs) != 0)
                        break;
        }
        while (i < size && text[i] > 0)
                i++;
        return i;
}

/* Most of what is no ASCII is of two or three bytes whose lead says nothing special of the second.
 */
static size_t common_prefix(const unsigned char *p, size_t size)
{
        size_t i = 0;

        for (;;)
                if (size - i >= 3 && p[i] >= 0xe1 && p[i] <= 0xee && p[i] != 0xed &&
                        (p[i + 1] & 0xc0) == 0x80 && (p[i + 2] & 0xc0) == 0x80)
                        i += 3;
                else if (size - i >= 2 && p[i] >= 0xc2 && p[i] <= 0xdf && (p[i + 1] & 0xc0) == 0x80)
                        i += 2;
                else
                        return i;
}

size_t utf8_valid_prefix(const char *text, size_t size)
{
        const unsigned char *p = (const unsigned char *) text;
        size_t i = 0, n;

        for (;;) {
                i += ascii_prefix(text + i, size - i);
                i += common_prefix(p + i, size - i);
                if (i < size && p[i] > 0 && p[i] < 0x80)
                        continue;
                if (i >= size || next_sequence(p + i, size - i, &n) != SEQUENCE_VALID)
                        return i;
                i += n;
        }
}

bool utf8_is_valid(const char *text, size_t size)
{
        return utf8_valid_prefix(text, size) == size;
}

size_t utf8_cut(const char *text, size_t size, size_t maximum)
{
        if (size <= maximum)
                return size;
        while (maximum > 0 && ((unsigned char) text[maximum] & 0xc0) == 0x80)
                maximum--;
        return maximum;
}

static uint32_t decode(const unsigned char *p, size_t n)
{
        uint32_t c;

        if (n == 1)
                return p[0];
        c = p[0] & (0x7fU >> n);
        for (size_t i = 1; i < n; i++)
                c = c << 6 | (p[i] & 0x3fU);
        return c;
}

static bool breaks_line(uint32_t c)
{
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

static bool turns_direction(uint32_t c)
{
        return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                (c >= 0x2066 && c <= 0x2069);
}

bool utf8_is_clean_line(const char *text, size_t size)
{
        const unsigned char *p = (const unsigned char *) text;

        for (size_t i = 0, n; i < size; i += n) {
                uint32_t c;

                if (next_sequence(p + i, size - i, &n) != SEQUENCE_VALID)
                        return false;
                c = decode(p + i, n);
                if (breaks_line(c) || turns_direction(c))
                        return false;
        }
        return true;
}

int utf8_sanitize_line(const char *text, size_t size, size_t maximum, char **ret)
{
        const unsigned char *p = (const unsigned char *) text;
        _cleanup_buffer_ Buffer out = BUFFER_INIT(maximum);
        bool space = false;
        int r;

        for (size_t i = 0, n; i < size; i += n) {
                const char *piece = text + i;
                size_t piece_size;

                if (next_sequence(p + i, size - i, &n) == SEQUENCE_VALID) {
                        uint32_t c = decode(p + i, n);

                        if (breaks_line(c) || c == ' ') {
                                space = out.size > 0;
                                continue;
                        }
                        if (turns_direction(c))
                                continue;
                        piece_size = n;
                } else if (p[i] == 0) {
                        space = out.size > 0;
                        continue;
                } else {
                        piece = UTF8_REPLACEMENT;
                        piece_size = strlen(UTF8_REPLACEMENT);
                }

                if (out.size + space + piece_size > maximum)
                        break;
                if (space) {
                        r = buffer_append(&out, " ", 1);
                        if (r < 0)
                                return r;
                        space = false;
                }
                r = buffer_append(&out, piece, piece_size);
                if (r < 0)
                        return r;
        }
        return buffer_steal(&out, ret, NULL);
}

/* The pending bytes and as many of the data as the character that they begin needs, so that one
 * look decides. Returns how many of the data were used; the result's text is in *ret. */
static size_t repair_pending(
        Utf8Repair *u, const char *data, size_t size, char ret[4], size_t *ret_size)
{
        unsigned char joined[4];
        size_t n_data, n;
        Sequence s;

        memcpy(joined, u->pending, u->n_pending);
        n_data = MIN(size, sizeof joined - u->n_pending);
        memcpy(joined + u->n_pending, data, n_data);

        s = next_sequence(joined, u->n_pending + n_data, &n);
        switch (s) {
        case SEQUENCE_VALID:
                memcpy(ret, joined, n);
                *ret_size = n;
                break;
        case SEQUENCE_INVALID:
                memcpy(ret, UTF8_REPLACEMENT, 3);
                *ret_size = 3;
                break;
        case SEQUENCE_INCOMPLETE:
                memcpy(u->pending, joined, n);
                n_data = n - u->n_pending;
                u->n_pending = n;
                *ret_size = 0;
                return n_data;
        }

        /* The pending bytes alone were well-formed so far: the subpart ends in the data. */
        n_data = n - u->n_pending;
        u->n_pending = 0;
        return n_data;
}

int utf8_repair(Utf8Repair *u, const char *data, size_t size, Buffer *out)
{
        size_t start = out->size, i = 0, n, first_size = 0;
        Utf8Repair saved = *u;
        char first[4];
        int r = 0;

        if (u->n_pending > 0 && size > 0) {
                i = repair_pending(u, data, size, first, &first_size);
                r = buffer_append(out, first, first_size);
        }

        while (r >= 0 && i < size) {
                n = utf8_valid_prefix(data + i, size - i);
                r = buffer_append(out, data + i, n);
                if (r < 0)
                        break;
                i += n;
                if (i == size)
                        break;
                if (next_sequence((const unsigned char *) data + i, size - i, &n) ==
                        SEQUENCE_INCOMPLETE) {
                        memcpy(u->pending, data + i, n);
                        u->n_pending = n;
                        break;
                }
                r = buffer_append_string(out, UTF8_REPLACEMENT);
                i += n;
        }
        if (r >= 0)
                return 0;

        *u = saved;
        if (out->data)
                out->data[start] = 0;
        out->size = start;
        return r;
}

int utf8_repair_flush(Utf8Repair *u, Buffer *out)
{
        int r;

        if (u->n_pending == 0)
                return 0;
        r = buffer_append_string(out, UTF8_REPLACEMENT);
        if (r < 0)
                return r;
        u->n_pending = 0;
        return 0;
}
