/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <wctype.h>

#include "common/utf8.h"

#define RATE_MAX 1e9 /* what an engine says can be anything */

void words_add(Words *w, const char *format, ...)
{
        size_t room = sizeof w->text - w->size;
        va_list ap;
        int n;

        assert(w);
        assert(format);

        va_start(ap, format);
        n = vsnprintf(w->text + w->size, room, format, ap);
        va_end(ap);
        if (n < 0)
                w->text[w->size] = 0;
        else if ((size_t) n < room)
                w->size += (size_t) n;
        else {
                w->size += utf8_valid_prefix(w->text + w->size, room - 1);
                w->text[w->size] = 0;
        }
}

void words_add_duration(Words *w, usec_t duration)
{
        uint64_t s = duration / USEC_PER_SEC;

        if (s < 60)
                words_add(w, "%" PRIu64 " s", s);
        else if (s < 3600)
                words_add(w, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
        else
                words_add(w, "%" PRIu64 " h %02" PRIu64 " min", s / 3600, s / 60 % 60);
}

void words_add_elapsed(Words *w, usec_t elapsed)
{
        uint64_t ms = (elapsed + USEC_PER_MSEC / 2) / USEC_PER_MSEC, tenths = (ms + 50) / 100;

        if (ms < 100)
                words_add(w, "%" PRIu64 " ms", ms);
        else if (tenths < 100)
                words_add(w, "%" PRIu64 ".%" PRIu64 " s", tenths / 10, tenths % 10);
        else
                words_add_duration(w, elapsed + USEC_PER_SEC / 2);
}

void words_add_age(Words *w, usec_t age)
{
        static const struct {
                uint64_t seconds;
                char letter;
        } units[] = {
                { 365 * 86400, 'y' },
                { 7 * 86400, 'w' },
                { 86400, 'd' },
                { 3600, 'h' },
                { 60, 'm' },
        };
        uint64_t s = age / USEC_PER_SEC;

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (s >= units[i].seconds) {
                        words_add(w, "%" PRIu64 "%c", s / units[i].seconds, units[i].letter);
                        return;
                }
        words_add(w, "now");
}

void words_add_count(Words *w, uint64_t n)
{
        if (n >= 1000) {
                words_add_count(w, n / 1000);
                words_add(w, ",%03" PRIu64, n % 1000);
        } else
                words_add(w, "%" PRIu64, n);
}

void words_add_rate(Words *w, double rate)
{
        if (rate < 9.95)
                words_add(w, "%.1f", rate);
        else
                words_add_count(w, (uint64_t) MIN(rate + 0.5, RATE_MAX));
}

void words_add_bytes(Words *w, uint64_t bytes)
{
        if (bytes < 1000)
                words_add(w, "%" PRIu64 " B", bytes);
        else if (bytes < 1000000)
                words_add(w, "%" PRIu64 " KB", (bytes + 500) / 1000);
        else
                words_add(w, "%" PRIu64 ".%" PRIu64 " MB", bytes / 1000000, bytes / 100000 % 10);
}

static void add_thousands(Words *w, uint64_t n, unsigned unit)
{
        uint64_t tenths = n / unit * 10 + (n % unit * 10 + unit / 2) / unit;

        if (n < unit)
                words_add(w, "%" PRIu64, n);
        else if (tenths % 10 == 0 || tenths >= 1000)
                words_add(w, "%" PRIu64 "k", tenths / 10);
        else
                words_add(w, "%" PRIu64 ".%" PRIu64 "k", tenths / 10, tenths % 10);
}

void words_add_context(Words *w, uint64_t used, uint64_t size)
{
        unsigned unit = size > 0 && size % 1024 == 0 ? 1024 : 1000;

        add_thousands(w, used, unit);
        if (size > 0) {
                words_add(w, " of ");
                add_thousands(w, size, unit);
        }
}

int words_draw(Screen *s, int row, int column, int columns, Style style, const char *text)
{
        return words_draw_part(s, row, column, columns, style, text, strlen(text));
}

int words_draw_part(
        Screen *s, int row, int column, int columns, Style style, const char *text, size_t size)
{
        unsigned cells;
        size_t fits;

        if (columns <= 0)
                return 0;
        fits = text_fit(text, size, (unsigned) columns, &cells);
        if (fits == size)
                return screen_draw(s, row, column, columns, style, text, size);
        fits = text_fit(text, size, (unsigned) columns - 1, &cells);
        (void) screen_draw(s, row, column, columns, style, text, fits);
        return (int) cells +
                screen_print(s, row, column + (int) cells, columns - (int) cells, style, "\u2026");
}

bool words_wrap(const char *text, int columns, size_t *start, size_t *ret_size)
{
        const char *p = text + *start;
        size_t size = strlen(p), fits, cut;

        if (size == 0)
                return false;
        fits = text_fit(p, size, (unsigned) MAX(columns, 1), NULL);
        if (fits == 0) /* a cluster wider than the row */
                fits = size;
        cut = fits;
        if (fits < size && p[fits] != ' ') {
                while (cut > 0 && p[cut - 1] != ' ')
                        cut--;
                if (cut == 0)
                        cut = fits;
        }
        *ret_size = cut;
        while (p[cut] == ' ')
                cut++;
        *start += cut;
        return true;
}

/* ---- search words ---- */

/* One character, or one byte of what is none. */
static size_t decode(const char *text, size_t size, wint_t *ret)
{
        unsigned char c = (unsigned char) *text;
        size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

        if (n == 1 || n > size) {
                *ret = c;
                return 1;
        }
        *ret = c & (0xffU >> (n + 1));
        for (size_t i = 1; i < n; i++)
                *ret = *ret << 6 | ((unsigned char) text[i] & 0x3f);
        return n;
}

/* Bytes of the text that are the word, whatever its case; 0 when they are not. */
static size_t match(const char *text, size_t size, const char *word, size_t n_word)
{
        size_t i = 0, k = 0;

        while (k < n_word) {
                wint_t a, b;

                if (i >= size)
                        return 0;
                i += decode(text + i, size - i, &a);
                k += decode(word + k, n_word - k, &b);
                if (towlower(a) != towlower(b))
                        return 0;
        }
        return i;
}

size_t words_find(const char *text, size_t size, const char *words, size_t *ret_size)
{
        for (size_t i = 0; i < size;) {
                size_t n;
                wint_t c;

                for (const char *word = words; *word; word += n) {
                        size_t found;

                        word += strspn(word, WORDS_SEPARATORS);
                        n = strcspn(word, WORDS_SEPARATORS);
                        found = n > 0 ? match(text + i, size - i, word, n) : 0;
                        if (found > 0) {
                                *ret_size = found;
                                return i;
                        }
                }
                i += decode(text + i, size - i, &c);
        }
        return size;
}

void words_mark(Screen *s, Area area, const char *text, size_t size, const char *words)
{
        size_t at = 0, n;

        while ((at += words_find(text + at, size - at, words, &n)) < size) {
                int column = (int) text_cells(text, at), columns = (int) text_cells(text + at, n);

                if (column + columns <= area.columns)
                        screen_restyle(s, (Area){ area.row, area.column + column, 1, columns },
                                STYLE_MATCH);
                at += n;
        }
}
