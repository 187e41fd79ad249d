/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/ini.h"

#include "common/buffer.h"
#include "common/utf8.h"

typedef struct Ini {
        const IniOps *ops;
        void *userdata;
        char *section; /* NULL before the first one, and after a header that was not understood */
        bool skip;     /* … of which the reader was told: what follows is left out in silence */
        unsigned line; /* where the present one begins */
} Ini;

static int diagnose(Ini *ini, const char *sentence)
{
        return ini->ops->diagnose(ini->line, sentence, ini->userdata);
}

/* Cuts white space off both ends, in place. */
static char *strip(char *s)
{
        size_t n;

        s += strspn(s, " \t");
        n = strlen(s);
        while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
                n--;
        s[n] = 0;
        return s;
}

static int parse_section(Ini *ini, char *text)
{
        size_t n = strlen(text);

        ini->section = mfree(ini->section);
        ini->skip = true;
        if (n < 3 || text[n - 1] != ']')
                return diagnose(ini, "A section is written [Name]; what follows is ignored.");
        ini->section = strndup(text + 1, n - 2);
        if (!ini->section)
                return -ENOMEM;
        ini->skip = false;
        return 0;
}

/* text: one joined line, NUL-terminated, to be changed in place. */
static int parse_line(Ini *ini, char *text)
{
        char *equal, *key;

        text = strip(text);
        if (*text == 0)
                return 0;
        if (*text == '[')
                return parse_section(ini, text);

        equal = strchr(text, '=');
        if (!equal || equal == text)
                return diagnose(ini, "This is no Key=value line, ignoring it.");
        if (ini->skip)
                return 0;
        if (!ini->section)
                return diagnose(ini, "An assignment before the first [Section], ignoring it.");
        *equal = 0;
        key = strip(text);
        return ini->ops->assign(ini->section, key, strip(equal + 1), ini->line, ini->userdata);
}

static bool is_comment(const char *text, size_t size)
{
        while (size > 0 && (*text == ' ' || *text == '\t')) {
                text++;
                size--;
        }
        return size > 0 && (*text == '#' || *text == ';');
}

/* Takes one line off the input, without its LF or CRLF. */
static const char *next_line(const char **data, size_t *size, size_t *ret_size)
{
        const char *start = *data, *lf = memchr(start, '\n', *size);
        size_t n = lf ? (size_t) (lf - start) : *size;

        *data += lf ? n + 1 : n;
        *size -= lf ? n + 1 : n;
        if (n > 0 && start[n - 1] == '\r')
                n--;
        *ret_size = n;
        return start;
}

static int parse_joined(Ini *ini, Buffer *joined, int state)
{
        int r;

        if (state == -EFBIG)
                r = diagnose(ini, "The line is too long, ignoring it.");
        else if (!utf8_is_valid(buffer_text(joined), joined->size))
                r = diagnose(ini, "The line is not valid UTF-8, ignoring it.");
        else if (joined->size > 0)
                r = parse_line(ini, joined->data);
        else
                r = 0;
        buffer_clear(joined);
        return r;
}

int ini_parse(const char *data, size_t size, const IniOps *ops, void *userdata)
{
        _cleanup_buffer_ Buffer joined = BUFFER_INIT(INI_LINE_MAX);
        Ini ini = { .ops = ops, .userdata = userdata };
        bool continued = false;
        unsigned number = 0;
        int state = 0, r = 0;

        if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
                data += 3;
                size -= 3;
        }

        while (r >= 0 && size > 0) {
                size_t n;
                const char *line = next_line(&data, &size, &n);

                number++;
                if (is_comment(line, n))
                        continue;
                if (!continued) {
                        ini.line = number;
                        state = 0;
                }
                continued = n > 0 && line[n - 1] == '\\';
                if (state >= 0)
                        state = buffer_append(&joined, line, continued ? n - 1 : n);
                if (state >= 0 && continued)
                        state = buffer_append(&joined, " ", 1);
                if (state == -ENOMEM)
                        r = state;
                else if (!continued)
                        r = parse_joined(&ini, &joined, state);
        }
        if (r >= 0 && continued)
                r = parse_joined(&ini, &joined, state);
        free(ini.section);
        return r < 0 ? r : 0;
}
