/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/width.h"

#include <utf8proc.h>

#define ZWJ  0x200d
#define VS15 0xfe0e
#define VS16 0xfe0f

/* How far back the beginning of a cluster is looked for. */
#define PREVIOUS_BYTES_MAX KIB(4)

static WidthWays ways = WIDTH_WAYS_DEFAULT;

void width_set_ways(WidthWays w)
{
        ways = w;
}

typedef struct Character {
        int32_t code; /* -1 for a byte that is ill-formed */
        size_t size;
        utf8proc_category_t category;
        int boundary;
} Character;

static Character character_at(const char *text, size_t size)
{
        Character c = { .code = -1, .size = 1, .boundary = UTF8PROC_BOUNDCLASS_CONTROL };
        const utf8proc_property_t *property;
        utf8proc_ssize_t n;

        n = utf8proc_iterate(
                (const utf8proc_uint8_t *) text, (utf8proc_ssize_t) MIN(size, (size_t) 4), &c.code);
        if (n <= 0) {
                c.code = -1;
                return c;
        }
        property = utf8proc_get_property(c.code);
        c.size = (size_t) n;
        c.category = (utf8proc_category_t) property->category;
        c.boundary = (int) property->boundclass;
        return c;
}

static bool is_regional(int32_t c)
{
        return c >= 0x1f1e6 && c <= 0x1f1ff;
}

static bool is_skin_tone(int32_t c)
{
        return c >= 0x1f3fb && c <= 0x1f3ff;
}

static bool is_pictographic(Character c)
{
        return c.boundary == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

static bool turns_direction(int32_t c)
{
        return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                (c >= 0x2066 && c <= 0x2069);
}

static bool is_control(Character c)
{
        return c.code < 0 || c.category == UTF8PROC_CATEGORY_CC ||
                c.category == UTF8PROC_CATEGORY_ZL || c.category == UTF8PROC_CATEGORY_ZP ||
                turns_direction(c.code);
}

static bool is_nonspacing(Character c)
{
        return c.category == UTF8PROC_CATEGORY_MN || c.category == UTF8PROC_CATEGORY_ME;
}

/* Formats that draw nothing, and what has no meaning but with something before it. */
static bool is_invisible(Character c)
{
        if (c.boundary == UTF8PROC_BOUNDCLASS_PREPEND)
                return false;
        return c.category == UTF8PROC_CATEGORY_CF || (c.code >= 0xfe00 && c.code <= 0xfe0f) ||
                (c.code >= 0xe0000 && c.code <= 0xe0fff) || c.code == 0x034f ||
                (c.code >= 0x180b && c.code <= 0x180f);
}

/* As terminals count a character that stands alone, where the library does otherwise. */
static unsigned character_cells(Character c)
{
        int n;

        if (is_control(c))
                return 1;
        if (is_invisible(c) || is_nonspacing(c))
                return 0;
        /* The vowels and finals of Hangul stand in the leading consonant's two cells. */
        if (c.boundary == UTF8PROC_BOUNDCLASS_V || c.boundary == UTF8PROC_BOUNDCLASS_T)
                return 0;
        if (is_regional(c.code))
                return (ways & WIDTH_PAIRS_FLAGS) ? 1 : 2;
        n = utf8proc_charwidth(c.code);
        return n == 2 ? 2 : 1;
}

/* Terminals know different versions of Unicode: what was added or has changed lately. */
static bool is_disputed(int32_t c)
{
        return (c >= 0x3248 && c <= 0x324f) || (c >= 0x4dc0 && c <= 0x4dff) ||
                (c >= 0x1f6d8 && c <= 0x1f6df) || (c >= 0x1f7f0 && c <= 0x1f7ff) ||
                (c >= 0x1fa6e && c <= 0x1faff);
}

static bool character_is_certain(Character c)
{
        return !is_regional(c.code) && c.boundary != UTF8PROC_BOUNDCLASS_PREPEND &&
                c.boundary != UTF8PROC_BOUNDCLASS_V && c.boundary != UTF8PROC_BOUNDCLASS_T &&
                c.category != UTF8PROC_CATEGORY_CN && c.category != UTF8PROC_CATEGORY_MC &&
                c.category != UTF8PROC_CATEGORY_CO && !is_disputed(c.code);
}

/* The cells of the cluster when this character is added to it. */
static unsigned cells_with(Character first, Character next, unsigned cells, bool *certain)
{
        bool measured = (ways & WIDTH_MEASURED) != 0;

        if (next.code == VS16) {
                *certain = *certain && measured && is_pictographic(first);
                /* Beside pictures it is digits, # and * that it makes key caps of. */
                return (ways & WIDTH_VS16_WIDENS) && (is_pictographic(first) || first.code < 0x80)
                        ? MAX(cells, 2U)
                        : cells;
        }
        if (is_skin_tone(next.code)) {
                *certain = *certain && measured && is_pictographic(first);
                return (ways & WIDTH_JOINS_SKIN) ? MAX(cells, 2U) : cells + 2;
        }
        if (is_regional(next.code)) {
                *certain = measured && is_regional(first.code);
                return (ways & WIDTH_PAIRS_FLAGS) ? 2 : 4;
        }
        if (is_pictographic(next) && is_pictographic(first)) {
                /* A narrow one at the start keeps some terminals from widening it. */
                *certain = *certain && measured && character_cells(first) == 2;
                return MAX(cells, character_cells(next));
        }
        if (next.boundary == UTF8PROC_BOUNDCLASS_SPACINGMARK ||
                next.category == UTF8PROC_CATEGORY_MC) {
                *certain = *certain && measured;
                return cells + ((ways & WIDTH_MARKS_ADD) ? character_cells(next) : 0);
        }
        if (next.code == ZWJ)
                *certain = *certain && is_pictographic(first);
        else if (next.boundary == UTF8PROC_BOUNDCLASS_V || next.boundary == UTF8PROC_BOUNDCLASS_T)
                *certain = *certain && first.boundary == UTF8PROC_BOUNDCLASS_L;
        else if (!is_nonspacing(next) || next.code == VS15)
                *certain = false;
        return cells + character_cells(next);
}

static void measure_first(Character c, Cluster *ret)
{
        *ret = (Cluster){
                .size = c.size,
                .cells = character_cells(c),
                .kind = CLUSTER_TEXT,
                .certain = character_is_certain(c),
        };
        if (is_control(c))
                ret->kind = CLUSTER_CONTROL;
        else if (is_invisible(c))
                ret->kind = CLUSTER_INVISIBLE;
        else if (ret->cells == 0) {
                ret->kind = CLUSTER_MARK;
                ret->cells = 1;
        }
}

void cluster_measure(const char *text, size_t size, Cluster *ret)
{
        Character first, last;
        utf8proc_int32_t state = 0;

        /* Nearly all text: nothing but ASCII joins no ASCII, but LF a CR. */
        if ((unsigned char) text[0] - 0x20U < 0x5fU &&
                (size == 1 || (unsigned char) text[1] < 0x80)) {
                *ret = (Cluster){ .size = 1, .cells = 1, .certain = true };
                return;
        }

        first = last = character_at(text, size);
        measure_first(first, ret);
        while (last.code >= 0 && ret->size < size) {
                Character next = character_at(text + ret->size, size - ret->size);
                bool certain = ret->certain;
                unsigned cells;

                if (next.code < 0 || utf8proc_grapheme_break_stateful(last.code, next.code, &state))
                        break;
                if (last.code == ZWJ && is_pictographic(next) && !(ways & WIDTH_JOINS_ZWJ))
                        break; /* this terminal shows two pictures */
                cells = ret->kind == CLUSTER_CONTROL
                        ? 1
                        : cells_with(first, next, ret->cells, &certain);
                if (cells > CLUSTER_CELLS_MAX || ret->size + next.size > CLUSTER_BYTES_MAX)
                        break;
                /* A joiner with a visible mark behind it is no longer nothing. */
                if (ret->kind == CLUSTER_INVISIBLE && !is_invisible(next)) {
                        ret->kind = CLUSTER_MARK;
                        cells = MAX(cells, 1U);
                }
                ret->cells = cells;
                ret->certain = certain;
                ret->size += next.size;
                last = next;
        }
}

size_t cluster_next(const char *text, size_t size, unsigned *ret_cells)
{
        Cluster c;

        if (size == 0) {
                *ret_cells = 0;
                return 0;
        }
        cluster_measure(text, size, &c);
        *ret_cells = c.cells;
        return c.size;
}

/* Where the character, or the ill-formed byte, begins that ends at this offset. */
static size_t character_before(const char *text, size_t offset)
{
        for (size_t n = 1; n <= MIN(offset, (size_t) 4); n++) {
                if (((unsigned char) text[offset - n] & 0xc0) == 0x80)
                        continue;
                return character_at(text + offset - n, n).size == n ? offset - n : offset - 1;
        }
        return offset - 1;
}

/* There is a break between these, whatever stands before them. */
static bool breaks_surely(Character before, Character after)
{
        if (before.code < 0 || after.code < 0)
                return true;
        return !(before.code == ZWJ && is_pictographic(after)) &&
                !(is_regional(before.code) && is_regional(after.code)) &&
                utf8proc_grapheme_break_stateful(before.code, after.code, NULL);
}

size_t cluster_previous(const char *text, size_t offset)
{
        size_t start = character_before(text, offset),
               limit = offset > PREVIOUS_BYTES_MAX ? offset - PREVIOUS_BYTES_MAX : 0;

        while (start > limit) {
                size_t before = character_before(text, start);

                if (breaks_surely(character_at(text + before, start - before),
                            character_at(text + start, offset - start)))
                        break;
                start = before;
        }
        for (;;) {
                unsigned cells;
                size_t n = cluster_next(text + start, offset - start, &cells);

                if (start + n >= offset)
                        return start;
                start += n;
        }
}

unsigned text_cells(const char *text, size_t size)
{
        unsigned cells = 0;

        for (size_t i = 0; i < size;) {
                unsigned n;

                i += cluster_next(text + i, size - i, &n);
                cells += n;
        }
        return cells;
}

size_t text_fit(const char *text, size_t size, unsigned cells, unsigned *ret_cells)
{
        unsigned used = 0;
        size_t i = 0;

        while (i < size) {
                unsigned n;
                size_t bytes = cluster_next(text + i, size - i, &n);

                if (n > cells - used)
                        break;
                used += n;
                i += bytes;
        }
        if (ret_cells)
                *ret_cells = used;
        return i;
}

bool cluster_is_word(const char *text, size_t size)
{
        Character c = character_at(text, size);

        return c.code >= 0 && c.category >= UTF8PROC_CATEGORY_LU &&
                c.category <= UTF8PROC_CATEGORY_NO;
}

/* ---- without UTF-8 ---- */

typedef struct Likeness {
        int32_t first, last;
        char like;
} Likeness;

/* In the order of their numbers. */
static const Likeness likenesses[] = {
        { 0x00a0, 0x00a0, ' ' },
        { 0x00ab, 0x00ab, '<' },
        { 0x00b7, 0x00b7, '.' },
        { 0x00bb, 0x00bb, '>' },
        { 0x00d7, 0x00d7, 'x' },
        { 0x00df, 0x00df, 's' },
        { 0x2000, 0x200a, ' ' },
        { 0x2010, 0x2015, '-' },
        { 0x2018, 0x201b, '\'' },
        { 0x201c, 0x201f, '"' },
        { 0x2022, 0x2023, '*' },
        { 0x2026, 0x2026, '.' },
        { 0x202f, 0x202f, ' ' },
        { 0x2039, 0x2039, '<' },
        { 0x203a, 0x203a, '>' },
        { 0x2190, 0x2190, '<' },
        { 0x2191, 0x2191, '^' },
        { 0x2192, 0x2192, '>' },
        { 0x2193, 0x2193, 'v' },
        { 0x21b5, 0x21b5, '<' },
        { 0x2212, 0x2212, '-' },
        { 0x2400, 0x2426, '?' },
        { 0x2500, 0x2501, '-' },
        { 0x2502, 0x2503, '|' },
        { 0x2504, 0x2505, '-' },
        { 0x2506, 0x2507, '|' },
        { 0x2508, 0x2509, '-' },
        { 0x250a, 0x250b, '|' },
        { 0x250c, 0x254b, '+' },
        { 0x254c, 0x254d, '-' },
        { 0x254e, 0x254f, '|' },
        { 0x2550, 0x2550, '=' },
        { 0x2551, 0x2551, '|' },
        { 0x2552, 0x2570, '+' },
        { 0x2571, 0x2571, '/' },
        { 0x2572, 0x2572, '\\' },
        { 0x2573, 0x2573, 'X' },
        { 0x2574, 0x2574, '-' },
        { 0x2575, 0x2575, '|' },
        { 0x2576, 0x2576, '-' },
        { 0x2577, 0x2577, '|' },
        { 0x2578, 0x2578, '-' },
        { 0x2579, 0x2579, '|' },
        { 0x257a, 0x257a, '-' },
        { 0x257b, 0x257b, '|' },
        { 0x2580, 0x259f, '#' },
        { 0x25a0, 0x25a1, '#' },
        { 0x25b2, 0x25b5, '^' },
        { 0x25b6, 0x25bb, '>' },
        { 0x25bc, 0x25bf, 'v' },
        { 0x25c0, 0x25c5, '<' },
        { 0x25c6, 0x25c7, '*' },
        { 0x25cb, 0x25cb, 'o' },
        { 0x25cf, 0x25cf, '*' },
        { 0x2605, 0x2606, '*' },
        { 0x2713, 0x2714, 'v' },
        { 0x2717, 0x2718, 'x' },
        { 0x276e, 0x276e, '<' },
        { 0x276f, 0x276f, '>' },
        { 0x3000, 0x3000, ' ' },
};

char cluster_to_ascii(const char *text, size_t size)
{
        Character c = character_at(text, size);
        utf8proc_int32_t parts[8];
        int class = 0;
        utf8proc_ssize_t n;

        if (c.code < 0)
                return '?';
        for (size_t i = 0; i < ELEMENTSOF(likenesses); i++)
                if (c.code >= likenesses[i].first && c.code <= likenesses[i].last)
                        return likenesses[i].like;
        /* A letter without its accents, a full-width one as a plain one. */
        n = utf8proc_decompose_char(
                c.code, parts, ELEMENTSOF(parts), UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &class);
        return n > 0 && parts[0] >= 0x20 && parts[0] < 0x7f ? (char) parts[0] : '?';
}
