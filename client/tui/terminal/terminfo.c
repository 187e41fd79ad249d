/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/terminfo.h"

#include <curses.h>
#include <term.h>

#define STRING_MAX 64

int terminfo_open(const char *term, int fd)
{
        int error = 0;

        if (setupterm((char *) term, fd, &error) != OK)
                return -ENOENT;
        return 0;
}

void terminfo_close(void)
{
        if (cur_term)
                (void) del_curterm(cur_term);
}

const char *terminfo_string(const char *name)
{
        static char text[STRING_MAX];
        const char *s = tigetstr((char *) name);
        size_t n = 0;

        if (!s || s == (const char *) -1 || !*s)
                return NULL;
        for (; *s; s++) {
                if (s[0] == '$' && s[1] == '<' && strchr(s, '>')) {
                        s = strchr(s, '>');
                        continue;
                }
                if (n == sizeof text - 1)
                        return NULL;
                text[n++] = *s;
        }
        text[n] = 0;
        return text;
}

int terminfo_number(const char *name)
{
        int n = tigetnum((char *) name);

        return n < 0 ? -1 : n;
}

bool terminfo_flag(const char *name)
{
        return tigetflag((char *) name) > 0;
}
