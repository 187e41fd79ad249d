/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/repeat.h"

#define STAMP_KEY "created_at"

/* Bytes that stand for themselves in a JSON string. */
static bool is_plain(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if ((unsigned char) text[i] < ' ' || text[i] == '"' || text[i] == '\\')
                        return false;
        return true;
}

static size_t stamp_length(const char *text, size_t size)
{
        size_t n = 0;

        while (n < size && ((text[n] >= '0' && text[n] <= '9') || memchr("-+:.TZ", text[n], 6)))
                n++;
        return n;
}

/* Where the value of the only such key begins. In valid JSON without escapes the bytes of a quoted
 * key are that key, or a string of the same letters, which would make two. */
static const char *find_value(const char *line, size_t size, const char *key)
{
        const char *p, *end = line + size;
        char quoted[64];
        int n;

        n = snprintf(quoted, sizeof quoted, "\"%s\"", key);
        if (n >= (int) sizeof quoted)
                return NULL;
        p = memmem(line, size, quoted, n);
        if (!p || memmem(p + n, end - p - n, quoted, n))
                return NULL;
        p += n;
        return end - p >= 2 && p[0] == ':' && p[1] == '"' ? p + 2 : NULL;
}

void repeat_learn(Repeat *r, const char *line, size_t size, const char *key, const char *text,
        size_t text_size)
{
        const char *value, *stamp, *end = line + size;

        r->size = 0;
        if (size > sizeof r->line || memchr(line, '\\', size))
                return;

        value = find_value(line, size, key);
        if (!value || text_size >= (size_t) (end - value) || value[text_size] != '"' ||
                memcmp(value, text, text_size) != 0)
                return;

        /* A stamp behind the text would be looked for at a place that moves: it is no wildcard. */
        stamp = find_value(line, size, STAMP_KEY);
        if (stamp && stamp > value)
                stamp = NULL;
        memcpy(r->line, line, size);
        r->size = size;
        r->stamp_start = stamp ? stamp - line : 0;
        r->stamp_end = stamp ? r->stamp_start + stamp_length(stamp, value - stamp) : 0;
        r->text_start = value - line;
        r->text_end = r->text_start + text_size;
}

bool repeat_match(
        const Repeat *r, const char *line, size_t size, const char **ret, size_t *ret_size)
{
        size_t tail = r->size - r->text_end, middle = r->text_start - r->stamp_end, at, n;

        if (r->size == 0 || size < r->stamp_start + middle + tail ||
                memcmp(line, r->line, r->stamp_start) != 0)
                return false;

        at = r->stamp_start;
        if (r->stamp_end > r->stamp_start)
                at += stamp_length(line + at, size - at);
        if (size - at < middle + tail || memcmp(line + at, r->line + r->stamp_end, middle) != 0)
                return false;

        at += middle;
        n = size - at - tail;
        if (memcmp(line + size - tail, r->line + r->text_end, tail) != 0 || !is_plain(line + at, n))
                return false;

        *ret = line + at;
        *ret_size = n;
        return true;
}
