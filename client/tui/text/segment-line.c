/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/segment-line.h"

#define FENCE_MIN 3U

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

unsigned line_indent(const char *line, size_t size, unsigned column, size_t *ret_bytes)
{
        unsigned start = column;
        size_t n = 0;

        for (; n < size && is_blank(line[n]); n++)
                column = line[n] == '\t' ? column / 4 * 4 + 4 : column + 1;
        if (ret_bytes)
                *ret_bytes = n;
        return column - start;
}

static bool line_is_blank(const char *line, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (!is_blank(line[i]) && line[i] != '\r')
                        return false;
        return true;
}

static size_t count(const char *line, size_t size, char c)
{
        size_t n = 0;

        while (n < size && line[n] == c)
                n++;
        return n;
}

bool line_is_heading(const char *line, size_t size)
{
        size_t n = count(line, size, '#');

        return n >= 1 && n <= 6 && (n == size || is_blank(line[n]));
}

/* Nothing but this character and white space; how many of it. */
static size_t count_only(const char *line, size_t size, char c)
{
        size_t n = 0;

        for (size_t i = 0; i < size; i++)
                if (line[i] == c)
                        n++;
                else if (!is_blank(line[i]))
                        return 0;
        return n;
}

bool line_is_rule(const char *line, size_t size)
{
        if (size == 0 || !strchr("-*_", line[0]) || !line[0])
                return false;
        return count_only(line, size, line[0]) >= 3;
}

bool line_is_setext(const char *line, size_t size)
{
        size_t n = count(line, size, '-');

        return n > 0 && line_is_blank(line + n, size - n);
}

bool line_is_table(const char *line, size_t size)
{
        bool bar = false, dash = false;

        for (size_t i = 0; i < size; i++)
                switch (line[i]) {
                case '|':
                        bar = true;
                        break;
                case '-':
                        dash = true;
                        break;
                case ':':
                case ' ':
                case '\t':
                        break;
                default:
                        return false;
                }
        return bar && dash;
}

bool line_marker(const char *line, size_t size, Marker *ret)
{
        Marker m = { 0 };

        if (size == 0)
                return false;
        if (line[0] == '-' || line[0] == '+' || line[0] == '*')
                m.type = line[0];
        else {
                for (; m.size < size && m.size < 9 && is_digit(line[m.size]); m.size++)
                        m.number = m.number * 10 + (uint32_t) (line[m.size] - '0');
                if (m.size == 0 || m.size == size || (line[m.size] != '.' && line[m.size] != ')'))
                        return false;
                m.type = line[m.size];
        }
        m.size++;
        if (m.size < size && !is_blank(line[m.size]))
                return false;
        m.empty = line_is_blank(line + m.size, size - m.size);
        *ret = m;
        return true;
}

unsigned line_fence(const char *line, size_t size)
{
        size_t n;

        if (size < FENCE_MIN || (line[0] != '`' && line[0] != '~'))
                return 0;
        n = count(line, size, line[0]);
        if (n < FENCE_MIN || (line[0] == '`' && memchr(line + n, '`', size - n)))
                return 0;
        return (unsigned) n;
}

bool line_closes_fence(const char *line, size_t size, char fence, unsigned fence_size)
{
        size_t n = count(line, size, fence);

        return n >= fence_size && line_is_blank(line + n, size - n);
}

bool line_is_ambiguous(const char *line, size_t size)
{
        size_t n = 0;

        if (size > 0 && is_digit(line[0])) {
                while (n < size && n < 9 && is_digit(line[n]))
                        n++;
                if (n < size && (line[n] == '.' || line[n] == ')'))
                        n++;
                return n == size;
        }
        for (; n < size; n++)
                if (!memchr("-+*_=`~#>|: \t\r", line[n], 14))
                        return false;
        return true;
}
