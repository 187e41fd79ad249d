/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/layout-build.h"

/* Those that people and models write; others are shown as they are. */
static const struct {
        const char *name;
        const char *text;
} entities[] = {
        { "amp", "&" },
        { "lt", "<" },
        { "gt", ">" },
        { "quot", "\"" },
        { "apos", "'" },
        { "nbsp", "\xc2\xa0" },
        { "copy", "©" },
        { "reg", "®" },
        { "trade", "™" },
        { "hellip", "…" },
        { "mdash", "—" },
        { "ndash", "–" },
        { "lsquo", "‘" },
        { "rsquo", "’" },
        { "ldquo", "“" },
        { "rdquo", "”" },
        { "laquo", "«" },
        { "raquo", "»" },
        { "bull", "•" },
        { "middot", "·" },
        { "deg", "°" },
        { "plusmn", "±" },
        { "times", "×" },
        { "divide", "÷" },
        { "frac12", "½" },
        { "sup2", "²" },
        { "sup3", "³" },
        { "micro", "µ" },
        { "para", "¶" },
        { "sect", "§" },
        { "euro", "€" },
        { "pound", "£" },
        { "yen", "¥" },
        { "cent", "¢" },
        { "larr", "←" },
        { "rarr", "→" },
        { "uarr", "↑" },
        { "darr", "↓" },
        { "harr", "↔" },
        { "rArr", "⇒" },
        { "le", "≤" },
        { "ge", "≥" },
        { "ne", "≠" },
        { "asymp", "≈" },
        { "equiv", "≡" },
        { "infin", "∞" },
        { "sum", "∑" },
        { "prod", "∏" },
        { "int", "∫" },
        { "radic", "√" },
        { "part", "∂" },
        { "forall", "∀" },
        { "exist", "∃" },
        { "isin", "∈" },
        { "alpha", "α" },
        { "beta", "β" },
        { "gamma", "γ" },
        { "delta", "δ" },
        { "Delta", "Δ" },
        { "epsilon", "ε" },
        { "theta", "θ" },
        { "lambda", "λ" },
        { "mu", "μ" },
        { "pi", "π" },
        { "sigma", "σ" },
        { "Sigma", "Σ" },
        { "phi", "φ" },
        { "omega", "ω" },
        { "Omega", "Ω" },
        { "auml", "ä" },
        { "ouml", "ö" },
        { "uuml", "ü" },
        { "Auml", "Ä" },
        { "Ouml", "Ö" },
        { "Uuml", "Ü" },
        { "szlig", "ß" },
        { "eacute", "é" },
        { "egrave", "è" },
        { "agrave", "à" },
        { "ccedil", "ç" },
        { "ntilde", "ñ" },
        { "check", "✓" },
};

static size_t encode(uint32_t c, char *ret)
{
        if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                c = 0xfffd;
        if (c < 0x80) {
                ret[0] = (char) c;
                return 1;
        }
        if (c < 0x800) {
                ret[0] = (char) (0xc0 | c >> 6);
                ret[1] = (char) (0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                ret[0] = (char) (0xe0 | c >> 12);
                ret[1] = (char) (0x80 | (c >> 6 & 0x3f));
                ret[2] = (char) (0x80 | (c & 0x3f));
                return 3;
        }
        ret[0] = (char) (0xf0 | c >> 18);
        ret[1] = (char) (0x80 | (c >> 12 & 0x3f));
        ret[2] = (char) (0x80 | (c >> 6 & 0x3f));
        ret[3] = (char) (0x80 | (c & 0x3f));
        return 4;
}

static int digit_of(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return 16;
}

/* &#123; and &#x7b; */
static size_t decode_number(const char *text, size_t size, char *ret)
{
        bool hex = size > 0 && (text[0] == 'x' || text[0] == 'X');
        uint32_t c = 0;

        for (size_t i = hex ? 1 : 0; i < size; i++) {
                int digit = digit_of(text[i]), base = hex ? 16 : 10;

                if (digit >= base)
                        return 0;
                c = c * (uint32_t) base + (uint32_t) digit;
                if (c > 0x10ffff)
                        break;
        }
        return size > (hex ? 1 : 0) ? encode(c, ret) : 0;
}

size_t entity_decode(const char *text, size_t size, char ret[static 8])
{
        if (size < 4 || text[0] != '&' || text[size - 1] != ';')
                return 0;
        text++;
        size -= 2;
        if (text[0] == '#')
                return decode_number(text + 1, size - 1, ret);
        for (size_t i = 0; i < ELEMENTSOF(entities); i++)
                if (strlen(entities[i].name) == size && memcmp(entities[i].name, text, size) == 0) {
                        size_t n = strlen(entities[i].text);

                        memcpy(ret, entities[i].text, n);
                        return n;
                }
        return 0;
}
