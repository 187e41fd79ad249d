/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>

#include "service/config/config-internal.h"

static int add(ConfigWarnings *w, char *text)
{
        char **list;

        list = realloc(w->list, (w->n + 2) * sizeof *list);
        if (!list) {
                free(text);
                return -ENOMEM;
        }
        w->list = list;
        w->list[w->n++] = text;
        w->list[w->n] = NULL;
        return 0;
}

/* What it is and whose it is will be the same the next time. */
static bool is_of_the_file(int error)
{
        switch (error) {
        case EACCES:
        case EISDIR:
        case ELOOP:
        case ENAMETOOLONG:
        case ENODEV:
        case ENOENT:
        case ENOTDIR:
        case ENXIO:
        case EPERM:
                return true;
        default:
                return false;
        }
}

int config_note_unread(ConfigWarnings *w, const char *path, int error)
{
        if (w->unread || is_of_the_file(error))
                return 0;
        if (asprintf(&w->unread, "%s cannot be read: %s.", path, strerror(error)) < 0) {
                w->unread = NULL;
                return -ENOMEM;
        }
        return 0;
}

int config_warn(ConfigWarnings *w, const char *file, unsigned line, const char *format, ...)
{
        _cleanup_free_ char *sentence = NULL;
        char *text;
        va_list ap;
        int n;

        if (w->n > CONFIG_WARNINGS_MAX)
                return 0;
        if (w->n == CONFIG_WARNINGS_MAX) {
                text = strdup("There are more warnings, which are not shown.");
                return text ? add(w, text) : -ENOMEM;
        }

        va_start(ap, format);
        n = vasprintf(&sentence, format, ap);
        va_end(ap);
        if (n < 0) {
                sentence = NULL;
                return -ENOMEM;
        }
        n = line > 0 ? asprintf(&text, "%s:%u: %s", file, line, sentence)
                     : asprintf(&text, "%s: %s", file, sentence);
        return n < 0 ? -ENOMEM : add(w, text);
}
