/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/shown.h"

#include "common/utf8.h"

#define ELLIPSIS      "…"
#define CHARACTER_MAX 4U /* bytes */
#define LINE_READ     4U /* times what is shown */

/* Bytes of the first so many characters; all of them when there are fewer. */
static size_t prefix(const char *text, size_t characters)
{
        const char *p = text;

        for (size_t n = 0; *p; p++)
                if (((unsigned char) *p & 0xc0) != 0x80 && n++ == characters)
                        break;
        return (size_t) (p - text);
}

static int cut(const char *text, size_t characters, char **ret)
{
        size_t size;
        char *s;

        assert(characters > 0);
        if (!text[prefix(text, characters)]) {
                s = strdup(text);
        } else {
                size = prefix(text, characters - 1);
                while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\n'))
                        size--;
                if (asprintf(&s, "%.*s" ELLIPSIS, (int) size, text) < 0)
                        s = NULL;
        }
        if (!s)
                return -ENOMEM;
        *ret = s;
        return 0;
}

int shown_line(const char *text, size_t characters, char **ret)
{
        /* More than is shown: white space goes, and a text may begin with much of it. */
        size_t size = utf8_cut(text, strlen(text), LINE_READ * characters * CHARACTER_MAX);
        _cleanup_free_ char *line = NULL;
        int r;

        r = utf8_sanitize_line(text, size, (characters + 1) * CHARACTER_MAX, &line);
        return r < 0 ? r : cut(line, characters, ret);
}

int shown_text(const char *text, size_t characters, char **ret)
{
        _cleanup_buffer_ Buffer all = BUFFER_INIT((characters + 1) * (CHARACTER_MAX + 1));
        unsigned empty = 0;
        int r = 0;

        for (const char *p = text; *p && r >= 0;) {
                size_t size = strcspn(p, "\n");
                _cleanup_free_ char *line = NULL;

                r = utf8_sanitize_line(p, size, (characters + 1) * CHARACTER_MAX, &line);
                p += size + (p[size] == '\n');
                if (r < 0)
                        return r;
                if (!*line) {
                        empty++;
                        continue;
                }
                /* Paragraphs stay apart. */
                if (all.size > 0)
                        r = buffer_append_string(&all, empty > 0 ? "\n\n" : "\n");
                empty = 0;
                if (r >= 0)
                        r = buffer_append(
                                &all, line, utf8_cut(line, strlen(line), all.maximum - all.size));
        }
        if (r < 0 && r != -EFBIG)
                return r;
        return cut(buffer_text(&all), characters, ret);
}

int shown_escape(const char *text, char **ret)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(strlen(text) * strlen("&amp;") + 1);
        int r = 0;

        for (const char *p = text; *p && r >= 0; p++)
                r = *p == '&'       ? buffer_append_string(&b, "&amp;")
                        : *p == '<' ? buffer_append_string(&b, "&lt;")
                        : *p == '>' ? buffer_append_string(&b, "&gt;")
                                    : buffer_append(&b, p, 1);
        return r < 0 ? r : buffer_steal(&b, ret, NULL);
}
