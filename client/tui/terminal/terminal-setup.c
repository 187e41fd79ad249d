/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <langinfo.h>
#include <locale.h>
#include <strings.h>

#include "client/tui/terminal/terminal-internal.h"
#include "client/tui/terminal/terminfo.h"

/* ---- the locale ---- */

static bool is_utf8_name(const char *codeset)
{
        return strncasecmp(codeset, "UTF-8", 5) == 0 || strncasecmp(codeset, "utf8", 4) == 0;
}

bool terminal_locale_is_utf8(void)
{
        static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };
        const char *name = NULL;

        for (size_t i = 0; i < ELEMENTSOF(variables) && isempty(name); i++)
                name = getenv(variables[i]);
        /* What it says of the terminal is true even when the locale is not installed. */
        if (!isempty(name) && strchr(name, '.'))
                return is_utf8_name(strchr(name, '.') + 1);
        if (setlocale(LC_CTYPE, "") && is_utf8_name(nl_langinfo(CODESET)))
                return true;
        return setlocale(LC_CTYPE, "C.UTF-8") != NULL;
}

/* ---- colours ---- */

static ColourDepth find_depth(const char *term, bool known)
{
        const char *colorterm = strempty(getenv("COLORTERM"));
        int colours = known ? terminfo_number("colors") : 8;

        if (!isempty(getenv("NO_COLOR")) || streq(term, "dumb"))
                return COLOURS_NONE;
        if (streq(colorterm, "truecolor") || streq(colorterm, "24bit") ||
                (known && (terminfo_flag("RGB") || terminfo_flag("Tc"))) || colours > 256)
                return COLOURS_TRUE;
        if (colours >= 256 || strstr(term, "256color"))
                return COLOURS_256;
        return colours >= 8 ? COLOURS_8 : COLOURS_NONE;
}

/* ---- keys ---- */

static const struct {
        const char *name;
        Key key;
} named_keys[] = {
        { "kcuu1", { KEY_UP, 0 } },
        { "kcud1", { KEY_DOWN, 0 } },
        { "kcub1", { KEY_LEFT, 0 } },
        { "kcuf1", { KEY_RIGHT, 0 } },
        { "khome", { KEY_HOME, 0 } },
        { "kend", { KEY_END, 0 } },
        { "kpp", { KEY_PAGE_UP, 0 } },
        { "knp", { KEY_PAGE_DOWN, 0 } },
        { "kich1", { KEY_INSERT, 0 } },
        { "kdch1", { KEY_DELETE, 0 } },
        { "kent", { KEY_ENTER, 0 } },
        { "kcbt", { KEY_TAB, KEY_SHIFT } },
        { "kLFT", { KEY_LEFT, KEY_SHIFT } },
        { "kRIT", { KEY_RIGHT, KEY_SHIFT } },
        { "kri", { KEY_UP, KEY_SHIFT } },
        { "kind", { KEY_DOWN, KEY_SHIFT } },
        { "kHOM", { KEY_HOME, KEY_SHIFT } },
        { "kEND", { KEY_END, KEY_SHIFT } },
        { "kDC", { KEY_DELETE, KEY_SHIFT } },
        { "kf1", { KEY_F1, 0 } },
        { "kf2", { KEY_F1 + 1, 0 } },
        { "kf3", { KEY_F1 + 2, 0 } },
        { "kf4", { KEY_F1 + 3, 0 } },
        { "kf5", { KEY_F1 + 4, 0 } },
        { "kf6", { KEY_F1 + 5, 0 } },
        { "kf7", { KEY_F1 + 6, 0 } },
        { "kf8", { KEY_F1 + 7, 0 } },
        { "kf9", { KEY_F1 + 8, 0 } },
        { "kf10", { KEY_F1 + 9, 0 } },
        { "kf11", { KEY_F1 + 10, 0 } },
        { "kf12", { KEY_F12, 0 } },
};

static int add_keys(Input *input)
{
        for (size_t i = 0; i < ELEMENTSOF(named_keys); i++) {
                const char *sequence = terminfo_string(named_keys[i].name);
                int r = 0;

                /* Two bytes that start other keys, or one: some descriptions have such. */
                if (sequence && sequence[0] == '\033' && strlen(sequence) > 2)
                        r = input_add_sequence(input, sequence, named_keys[i].key);
                if (r == -ENOMEM)
                        return r;
        }
        return 0;
}

/* ---- sequences ---- */

static void append(char text[static RESCUE_BYTES_MAX], const char *more)
{
        size_t n = strlen(text), size = strlen(more);

        if (n + size < RESCUE_BYTES_MAX)
                memcpy(text + n, more, size + 1);
}

static void make_sequences(Terminal *t, bool known)
{
        bool alternate = known && terminfo_string("smcup");
        const char *s;

        /* A frame may have been cut anywhere: this ends strings, and sequences. */
        append(t->leave, "\033\\");
        if (t->flags & TERMINAL_XTERM)
                append(t->leave,
                        "\033[?2026l\033[?69l\033[?1006l\033[?1000l\033[?1004l\033[?2004l");
        append(t->leave, "\033[r\033[m\033[?7h\033[?25h");
        if (!alternate) /* nothing to go back to: what was shown goes */
                append(t->leave, "\033[H\033[2J");

        if (t->flags & TERMINAL_XTERM)
                append(t->enter, "\033[22;2t");
        if (alternate)
                append(t->enter, "\033[?1049h");
        append(t->enter, "\033[?7l\033[m\033[H\033[2J\033[?25l");
        if (t->flags & TERMINAL_XTERM)
                append(t->enter, "\033[?1004h\033[?2004h");
        s = known ? terminfo_string("smkx") : NULL;
        if (s)
                append(t->enter, s);
        s = known ? terminfo_string("rmkx") : NULL;
        if (s)
                append(t->leave, s);
        if (alternate)
                append(t->leave, "\033[?1049l");
        if (t->flags & TERMINAL_XTERM)
                append(t->leave, "\033[23;2t");
}

/* Consoles that print what they do not know. */
static bool is_console(const char *term)
{
        static const char *const names[] = { "linux", "ansi", "dumb", "cons25", "pcansi", "vt" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (startswith(term, names[i]))
                        return true;
        return false;
}

int terminal_setup(Terminal *t)
{
        const char *term = strempty(getenv("TERM"));
        bool known = *term && terminfo_open(term, t->fd) >= 0;
        int r = 0;

        if (!known || !terminfo_string("cup"))
                t->flags |= TERMINAL_PLAIN;
        else if (!is_console(term))
                t->flags |= TERMINAL_XTERM;
        if (!terminal_locale_is_utf8())
                t->flags |= TERMINAL_ASCII;
        t->depth = find_depth(term, known);

        if (t->flags & TERMINAL_ASCII)
                t->screen_flags |= SCREEN_ASCII;
        if (known && terminfo_string("csr") && terminfo_string("ri"))
                t->screen_flags |= SCREEN_CAN_SCROLL;
        if (known && streq(strempty(terminfo_string("indn")), "\033[%p1%dS") &&
                streq(strempty(terminfo_string("rin")), "\033[%p1%dT"))
                t->screen_flags |= SCREEN_SCROLLS_MANY;
        if (known && terminfo_flag("bce"))
                t->screen_flags |= SCREEN_CAN_ERASE;
        make_sequences(t, known);
        if (known) {
                r = add_keys(t->input);
                terminfo_close();
        }
        return r;
}

/* ---- questions ---- */

/* What the terminal's cursor moves by when this is printed tells its ways: `cells` when it has this
 * one. */
static const struct {
        const char *text;
        int cells;
        WidthWays way;
} probes[] = {
        { "\U0001f469\u200d\U0001f680", 2, WIDTH_JOINS_ZWJ },
        { "\u2764\ufe0f", 2, WIDTH_VS16_WIDENS },
        { "\U0001f1e9\U0001f1ea", 2, WIDTH_PAIRS_FLAGS },
        { "\U0001f44d\U0001f3fd", 2, WIDTH_JOINS_SKIN },
        { "\u0915\u093e", 2, WIDTH_MARKS_ADD },
};

int terminal_ask(Terminal *t, Buffer *out)
{
        int r = 0;

        t->n_probed = 0;
        t->ways = 0;
        t->measurable = true;
        if (!(t->flags & TERMINAL_XTERM))
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(probes) && r >= 0; i++)
                if (!(t->flags & TERMINAL_ASCII))
                        r = buffer_append_format(out, "\033[H%s\033[6n", probes[i].text);
        if (r >= 0)
                r = buffer_append_string(out, "\033[H\033[2J\033[?2026$p\033[?69$p\033]11;?\a");
        if (r >= 0 && !(t->flags & TERMINAL_ASCII))
                input_expect_cursor(t->input, ELEMENTSOF(probes));
        return r;
}

bool terminal_take_width(Terminal *t, int column)
{
        if (t->n_probed >= ELEMENTSOF(probes))
                return false;
        if (column == probes[t->n_probed].cells)
                t->ways |= probes[t->n_probed].way;
        /* Half of them or more than their parts: it reads no UTF-8, or somebody typed. */
        if (column < 1 || column > 4)
                t->measurable = false;
        return ++t->n_probed == ELEMENTSOF(probes);
}
