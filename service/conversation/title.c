/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/utf8.h"
#include "service/conversation/conversation-internal.h"

#define TITLE_LINE_MAX     1024U /* bytes of the line that are looked at */
#define TITLE_SENTENCE_MIN 10U   /* bytes: a shorter first sentence ("Hi!") says nothing */
#define TITLE_WORD_MIN     30U   /* characters: a word border before this one is too early */

#define ELLIPSIS "…"

static bool is_space(char c)
{
        return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                (unsigned char) c >= 0x80;
}

/* Marks of headings, quotations and lists, and white space. */
static size_t skip_line_marks(const char *line, size_t size)
{
        size_t i = 0, digits;

        for (;;) {
                while (i < size && (is_space(line[i]) || line[i] == '#' || line[i] == '>'))
                        i++;
                if (i + 1 < size && strchr("-*+", line[i]) && is_space(line[i + 1])) {
                        i++;
                        continue;
                }
                for (digits = i; digits < size && line[digits] >= '0' && line[digits] <= '9';)
                        digits++;
                if (digits == i || digits + 1 >= size || line[digits] != '.' ||
                        !is_space(line[digits + 1]))
                        return i;
                i = digits + 1;
        }
}

/* "[text](address)" at its '[': what is before the ']' is kept, the address is skipped. */
static size_t link_end(const char *line, size_t size, size_t bracket)
{
        if (bracket + 1 >= size || line[bracket + 1] != '(')
                return bracket + 1;
        for (size_t i = bracket + 2; i < size; i++)
                if (line[i] == ')')
                        return i + 1;
        return bracket + 1;
}

/* Whether what begins here may be a link's text: "](" comes somewhere. */
static bool is_link_text(const char *line, size_t size, size_t bracket)
{
        for (size_t i = bracket + 1; i + 1 < size; i++)
                if (line[i] == ']' && line[i + 1] == '(')
                        return true;
        return false;
}

/* Without emphasis, code marks and links. Underscores inside words are letters. */
static int strip_markup(const char *line, size_t size, Buffer *out)
{
        unsigned links = 0;
        int r;

        for (size_t i = 0; i < size;) {
                char c = line[i];

                if (c == '*' || c == '`' ||
                        (c == '_' &&
                                (i == 0 || i + 1 == size || !is_word(line[i - 1]) ||
                                        !is_word(line[i + 1])))) {
                        i++;
                        continue;
                }
                if (c == '[' && is_link_text(line, size, i)) {
                        links++;
                        i++;
                        continue;
                }
                if (c == ']' && links > 0) {
                        links--;
                        i = link_end(line, size, i);
                        continue;
                }
                r = buffer_append(out, &c, 1);
                if (r < 0)
                        return r;
                i++;
        }
        return 0;
}

/* The first line that says something, made plain. Empty when there is none. */
static int first_line(const char *text, size_t size, char **ret)
{
        for (size_t begin = 0; begin < size;) {
                _cleanup_buffer_ Buffer plain = BUFFER_INIT(TITLE_LINE_MAX);
                _cleanup_free_ char *line = NULL;
                const char *end = memchr(text + begin, '\n', size - begin);
                size_t length = end ? (size_t) (end - text) - begin : size - begin;
                size_t skip, used = utf8_cut(text + begin, length, TITLE_LINE_MAX);
                int r;

                skip = skip_line_marks(text + begin, used);
                if (used - skip < 3 || memcmp(text + begin + skip, "```", 3) != 0) {
                        r = strip_markup(text + begin + skip, used - skip, &plain);
                        if (r < 0)
                                return r;
                        r = utf8_sanitize_line(
                                buffer_text(&plain), plain.size, TITLE_LINE_MAX, &line);
                        if (r < 0)
                                return r;
                        if (!isempty(line)) {
                                *ret = TAKE_PTR(line);
                                return 0;
                        }
                }
                begin += length + 1;
        }

        *ret = strdup("");
        return *ret ? 0 : -ENOMEM;
}

/* The length of a quotation mark with which s begins, else 0. */
static size_t quote_length(const char *s)
{
        static const char *const quotes[] = { "\"", "'", "“", "”", "„", "‘", "’", "«", "»" };

        for (size_t i = 0; i < ELEMENTSOF(quotes); i++)
                if (startswith(s, quotes[i]))
                        return strlen(quotes[i]);
        return 0;
}

static size_t last_quote_length(const char *s, size_t size)
{
        for (size_t n = 1; n <= 3 && n < size; n++)
                if (quote_length(s + size - n) == n)
                        return n;
        return 0;
}

/* Quotation marks around the whole. */
static void strip_quotes(char *s)
{
        for (;;) {
                size_t size = strlen(s), first = quote_length(s), last = last_quote_length(s, size);

                if (first == 0 || last == 0 || first + last > size)
                        return;
                memmove(s, s + first, size - first - last);
                s[size - first - last] = 0;
        }
}

/* "e.g. this", "J. S. Bach": no full stop. */
static bool is_abbreviation(const char *s, const char *stop)
{
        return *stop == '.' && stop - s >= 2 && stop[-1] != '.' &&
                (stop[-2] == ' ' || stop[-2] == '.');
}

static bool ends_sentence(const char *s, const char *p, size_t n)
{
        if (!p[n])
                return true;
        /* The marks of languages that write without spaces need none after them. */
        if (n == 1 && p[1] != ' ')
                return false;
        return p - s >= (ptrdiff_t) TITLE_SENTENCE_MIN && !is_abbreviation(s, p);
}

/* Ends it after the first sentence; a full stop goes, the other marks stay. */
static void cut_sentence(char *s)
{
        static const char *const marks[] = { ".", "!", "?", "…", "。", "！", "？" };

        for (char *p = s; *p; p++)
                for (size_t i = 0; i < ELEMENTSOF(marks); i++) {
                        size_t n = strlen(marks[i]);

                        if (!startswith(p, marks[i]) || !ends_sentence(s, p, n))
                                continue;
                        p[n] = 0;
                        for (; p >= s && *p == '.'; p--)
                                *p = 0;
                        return;
                }
}

/* text is valid. */
static uint32_t decode(const char *s, size_t *ret_length)
{
        unsigned char c = (unsigned char) *s;
        size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        uint32_t u = n == 1 ? c : c & (0x7f >> n);

        for (size_t i = 1; i < n; i++)
                u = u << 6 | ((unsigned char) s[i] & 0x3f);
        *ret_length = n;
        return u;
}

/* Belongs to the character before it: cutting there would change what was written. The ranges are
 * those that occur in titles, emoji above all, not the whole of Unicode's table. */
static bool extends(uint32_t u)
{
        return (u >= 0x0300 && u <= 0x036f) || (u >= 0x0591 && u <= 0x05c7) ||
                (u >= 0x064b && u <= 0x065f) || (u >= 0x093a && u <= 0x094f) ||
                (u >= 0x0e31 && u <= 0x0e3a) || (u >= 0x0e47 && u <= 0x0e4e) || u == 0x200d ||
                (u >= 0x20d0 && u <= 0x20ff) || (u >= 0x3099 && u <= 0x309a) ||
                (u >= 0xfe00 && u <= 0xfe0f) || (u >= 0x1f3fb && u <= 0x1f3ff) ||
                (u >= 0xe0020 && u <= 0xe007f);
}

static bool is_regional(uint32_t u)
{
        return u >= 0x1f1e6 && u <= 0x1f1ff;
}

static size_t count_characters(const char *s)
{
        size_t n = 0;

        for (size_t length; *s; s += length, n++)
                (void) decode(s, &length);
        return n;
}

/* At most TITLE_LENGTH characters, cut at a word's border where there is one not too early, else
 * between two characters as a person counts them. */
static int cut_length(const char *s, char **ret)
{
        size_t n = 0, length, word = 0, border = 0;
        uint32_t u, previous = 0;
        bool paired = false;
        char *title;

        if (count_characters(s) <= TITLE_LENGTH) {
                title = strdup(s);
                if (!title)
                        return -ENOMEM;
                *ret = title;
                return 0;
        }

        for (const char *p = s; n < TITLE_LENGTH; p += length, n++, previous = u) {
                bool joined;

                u = decode(p, &length);
                joined = extends(u) || previous == 0x200d ||
                        (is_regional(u) && is_regional(previous) && !paired);
                paired = joined && is_regional(u);
                if (joined)
                        continue;
                border = (size_t) (p - s);
                if (u == ' ' && n >= TITLE_WORD_MIN)
                        word = border;
        }
        if (asprintf(&title, "%.*s" ELLIPSIS, (int) (word > 0 ? word : border), s) < 0)
                return -ENOMEM;
        *ret = title;
        return 0;
}

int title_from_text(const char *text, size_t size, char **ret)
{
        _cleanup_free_ char *line = NULL;
        int r;

        r = first_line(text, size, &line);
        if (r < 0)
                return r;
        strip_quotes(line);
        cut_sentence(line);
        return cut_length(line, ret);
}
