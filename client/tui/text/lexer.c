/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/lexer.h"

#include "client/tui/text/languages.h"

#define WORD_MAX 32U

/* The state: what is open at a line's end, in the low byte; how deep a comment is nested above. */
enum {
        STATE_CODE,
        STATE_COMMENT,
        STATE_TAG,
        STATE_TAG_DOUBLE, /* a tag's attribute in "" or '' */
        STATE_TAG_SINGLE,
        STATE_LONG, /* + the index of the quotes */
};
#define STATE_NESTED (1U << 8)
#define NESTED_MAX   1000U

typedef struct Lexer {
        const Language *language;
        const char *line;
        size_t size;
        size_t at;    /* what was looked at */
        size_t start; /* where the run begins that is not yet given away */
        unsigned state;
        Style style; /* of that run */
        void (*run)(Style style, size_t start, size_t size, void *userdata);
        void *userdata;
} Lexer;

static bool is_alpha(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* ASCII only: words of languages are. */
static bool is_word_of(const char *words, const char *word, size_t size, bool caseless)
{
        char key[WORD_MAX + 2];

        if (!words || size == 0 || size > WORD_MAX)
                return false;
        key[0] = key[size + 1] = ' ';
        for (size_t i = 0; i < size; i++) {
                if (word[i] == ' ')
                        return false;
                key[i + 1] = caseless ? lower(word[i]) : word[i];
        }
        return memmem(words, strlen(words), key, size + 2);
}

const Language *language_find(const char *name, size_t size)
{
        assert(name || size == 0);

        for (size_t i = 0; i < n_languages; i++)
                if (is_word_of(languages[i].names, name, size, /* caseless= */ true))
                        return languages + i;
        return NULL;
}

static bool looking_at(const Lexer *l, const char *what)
{
        size_t n = what ? strlen(what) : 0;

        return n > 0 && l->size - l->at >= n && memcmp(l->line + l->at, what, n) == 0;
}

/* The next n bytes look like this. */
static void take(Lexer *l, Style style, size_t n)
{
        if (style != l->style) {
                if (l->at > l->start)
                        l->run(l->style, l->start, l->at - l->start, l->userdata);
                l->start = l->at;
                l->style = style;
        }
        l->at += n;
}

static void take_comment(Lexer *l)
{
        const Language *lang = l->language;

        while (l->at < l->size) {
                if (looking_at(l, lang->block_close)) {
                        take(l, STYLE_COMMENT, strlen(lang->block_close));
                        if (l->state < STATE_NESTED) {
                                l->state = STATE_CODE;
                                return;
                        }
                        l->state -= STATE_NESTED;
                } else if ((lang->flags & LANGUAGE_NESTING) && looking_at(l, lang->block_open)) {
                        take(l, STYLE_COMMENT, strlen(lang->block_open));
                        if (l->state < NESTED_MAX * STATE_NESTED)
                                l->state += STATE_NESTED;
                } else
                        take(l, STYLE_COMMENT, 1);
        }
}

static bool has_escapes(const Language *lang, const char *quote)
{
        if (lang->flags & LANGUAGE_DOUBLED)
                return false;
        return !((lang->flags & LANGUAGE_RAW_SINGLE) && quote[0] == '\'');
}

/* Up to the end of a string whose beginning was taken; false: the line ended first. */
static bool take_string(Lexer *l, const char *quote)
{
        bool escapes = has_escapes(l->language, quote);

        while (l->at < l->size) {
                if (escapes && l->line[l->at] == '\\')
                        take(l, STYLE_STRING, MIN(l->size - l->at, (size_t) 2));
                else if (looking_at(l, quote)) {
                        take(l, STYLE_STRING, strlen(quote));
                        return true;
                } else
                        take(l, STYLE_STRING, 1);
        }
        return false;
}

static void take_long(Lexer *l)
{
        if (take_string(l, l->language->long_quotes[l->state - STATE_LONG]))
                l->state = STATE_CODE;
}

static bool start_long(Lexer *l)
{
        for (unsigned i = 0; i < LANGUAGE_LONG_MAX; i++)
                if (looking_at(l, l->language->long_quotes[i])) {
                        take(l, STYLE_STRING, strlen(l->language->long_quotes[i]));
                        l->state = STATE_LONG + i;
                        take_long(l);
                        return true;
                }
        return false;
}

/* 'a in Rust: a lifetime, unless a quote follows the one character. */
static bool is_lifetime(const Lexer *l)
{
        const char *p = l->line + l->at;
        size_t left = l->size - l->at;

        return (l->language->flags & LANGUAGE_LIFETIMES) && left >= 2 && is_alpha(p[1]) &&
                !(p[1] & 0x80) && (left < 3 || p[2] != '\'');
}

static bool start_string(Lexer *l)
{
        const Language *lang = l->language;
        char quote[2] = { l->line[l->at], 0 };

        if (start_long(l))
                return true;
        if (!lang->quotes || !quote[0] || !strchr(lang->quotes, quote[0]))
                return false;
        /* don't */
        if (lang->kind == LANGUAGE_KEYS && l->at > 0 && is_alpha(l->line[l->at - 1]))
                return false;
        if (quote[0] == '\'' && is_lifetime(l)) {
                take(l, STYLE_TYPE, 1);
                while (l->at < l->size && (is_alpha(l->line[l->at]) || is_digit(l->line[l->at])))
                        take(l, STYLE_TYPE, 1);
                return true;
        }
        take(l, STYLE_STRING, 1);
        (void) take_string(l, quote);
        return true;
}

static bool start_comment(Lexer *l)
{
        const Language *lang = l->language;
        bool word = l->at == 0 || is_blank(l->line[l->at - 1]);

        if (looking_at(l, lang->block_open)) {
                take(l, STYLE_COMMENT, strlen(lang->block_open));
                l->state = STATE_COMMENT;
                take_comment(l);
                return true;
        }
        if ((lang->flags & LANGUAGE_WORD_COMMENT) && !word)
                return false;
        for (unsigned i = 0; i < ELEMENTSOF(lang->line_comments); i++)
                if (looking_at(l, lang->line_comments[i])) {
                        take(l, STYLE_COMMENT, l->size - l->at);
                        return true;
                }
        return false;
}

static void take_number(Lexer *l)
{
        while (l->at < l->size) {
                char c = l->line[l->at];
                char before = l->at > 0 ? l->line[l->at - 1] : 0;
                bool sign = (c == '+' || c == '-') && (before == 'e' || before == 'E');

                if (!is_digit(c) && !is_alpha(c) && c != '.' && !sign)
                        break;
                take(l, STYLE_NUMBER, 1);
        }
}

static Style word_style(const Lexer *l, size_t size)
{
        const Language *lang = l->language;
        const char *word = l->line + l->at;
        bool caseless = lang->flags & LANGUAGE_CASELESS;
        size_t next = l->at + size;

        if (is_word_of(lang->keywords, word, size, caseless))
                return STYLE_KEYWORD;
        if (is_word_of(lang->types, word, size, caseless))
                return STYLE_TYPE;
        if (is_word_of(lang->constants, word, size, caseless))
                return STYLE_NUMBER;
        if ((lang->flags & LANGUAGE_CALLS) && next < l->size && l->line[next] == '(')
                return STYLE_FUNCTION;
        if ((lang->flags & LANGUAGE_CALLS) && next + 1 < l->size && l->line[next] == '!' &&
                (l->line[next + 1] == '(' || l->line[next + 1] == '['))
                return STYLE_FUNCTION;
        if ((lang->flags & LANGUAGE_CAPITALS) && word[0] >= 'A' && word[0] <= 'Z')
                return STYLE_TYPE;
        return STYLE_CODE;
}

static size_t word_size(const Lexer *l, size_t from)
{
        size_t n = from;
        bool dashes = l->language->flags & LANGUAGE_VARIABLES; /* apt-get is one word */

        while (n < l->size &&
                (is_alpha(l->line[n]) || is_digit(l->line[n]) ||
                        (dashes && n > from && l->line[n] == '-')))
                n++;
        return n - from;
}

static void take_word(Lexer *l)
{
        size_t n = word_size(l, l->at);

        take(l, word_style(l, n), n);
}

/* $name, ${name}, $1, @name: one character in front makes the word another one. */
static bool start_sigil(Lexer *l)
{
        const Language *lang = l->language;
        char c = l->line[l->at];
        size_t n = 0;

        if (c == '@' && (lang->flags & LANGUAGE_ATTRIBUTES)) {
                n = word_size(l, l->at + 1);
                if (n > 0)
                        take(l, STYLE_FUNCTION, n + 1);
                return n > 0;
        }
        if (c != '$' || !(lang->flags & LANGUAGE_VARIABLES))
                return false;
        if (l->at + 1 < l->size && l->line[l->at + 1] == '{') {
                const char *end = memchr(l->line + l->at, '}', MIN(l->size - l->at, KIB(1)));

                n = end ? (size_t) (end - l->line) - l->at : 0;
        } else {
                n = 1;
                while (l->at + n < l->size &&
                        (is_alpha(l->line[l->at + n]) || is_digit(l->line[l->at + n])))
                        n++;
                n--;
        }
        if (n > 0)
                take(l, STYLE_TYPE, n + 1);
        return n > 0;
}

static void take_code(Lexer *l)
{
        char c = l->line[l->at];

        if (start_comment(l) || start_string(l) || start_sigil(l))
                return;
        /* In a shell \" is no string's beginning. */
        if (c == '\\' && (l->language->flags & LANGUAGE_VARIABLES)) {
                take(l, STYLE_CODE, MIN(l->size - l->at, (size_t) 2));
                return;
        }
        if (is_digit(c))
                take_number(l);
        else if (is_alpha(c))
                take_word(l);
        else
                take(l, STYLE_CODE, 1);
}

/* #include <x>: the word is the preprocessor's, and <x> a string. */
static void take_directive(Lexer *l)
{
        size_t n = l->at, word;

        while (n < l->size && is_blank(l->line[n]))
                n++;
        if (n == l->size || l->line[n] != '#')
                return;
        word = n + 1;
        while (word < l->size && is_blank(l->line[word]))
                word++;
        n = word_size(l, word);
        take(l, STYLE_KEYWORD, word + n - l->at);
        if (n != strlen("include") || memcmp(l->line + word, "include", n) != 0)
                return;
        while (l->at < l->size && is_blank(l->line[l->at]))
                take(l, STYLE_CODE, 1);
        if (l->at < l->size && l->line[l->at] == '<') {
                take(l, STYLE_STRING, 1);
                (void) take_string(l, ">");
        }
}

/* A key is what stands before `:` or `=`: plain, or the first string of a line. */
static void take_key(Lexer *l)
{
        size_t n = l->at, start, end;

        while (n < l->size &&
                (is_blank(l->line[n]) || l->line[n] == '-' || l->line[n] == '{' ||
                        l->line[n] == ','))
                n++;
        start = n;
        if (n < l->size && l->line[n] == '[') {
                const char *close = memchr(l->line + n, ']', l->size - n);

                if (l->language->line_comments[0][0] == '#' && close) {
                        take(l, STYLE_CODE, start - l->at);
                        take(l, STYLE_KEYWORD, (size_t) (close - l->line) + 1 - l->at);
                }
                return;
        }
        if (n < l->size && l->line[n] == '"') {
                const char *close = memchr(l->line + n + 1, '"', l->size - n - 1);

                n = close ? (size_t) (close - l->line) + 1 : n;
        } else
                while (n < l->size &&
                        (is_alpha(l->line[n]) || is_digit(l->line[n]) ||
                                (l->line[n] && strchr("-./$", l->line[n]))))
                        n++;
        for (end = n; end < l->size && is_blank(l->line[end]); end++)
                ;
        if (n == start || end == l->size || (l->line[end] != ':' && l->line[end] != '='))
                return;
        take(l, STYLE_CODE, start - l->at);
        take(l, STYLE_TYPE, n - start);
}

/* ---- markup ---- */

static void take_tag(Lexer *l)
{
        while (l->at < l->size) {
                char c = l->line[l->at];

                if (l->state == STATE_TAG_DOUBLE || l->state == STATE_TAG_SINGLE) {
                        take(l, STYLE_STRING, 1);
                        if (c == (l->state == STATE_TAG_DOUBLE ? '"' : '\''))
                                l->state = STATE_TAG;
                } else if (c == '"' || c == '\'') {
                        take(l, STYLE_STRING, 1);
                        l->state = c == '"' ? STATE_TAG_DOUBLE : STATE_TAG_SINGLE;
                } else if (c == '>') {
                        take(l, STYLE_KEYWORD, 1);
                        l->state = STATE_CODE;
                        return;
                } else if (c == '/' || c == '?')
                        take(l, STYLE_KEYWORD, 1);
                else if (is_alpha(c))
                        take(l, STYLE_TYPE, 1);
                else
                        take(l, STYLE_CODE, 1);
        }
}

static void take_markup(Lexer *l)
{
        size_t n = l->at + 1;

        if (looking_at(l, l->language->block_open)) {
                (void) start_comment(l);
                return;
        }
        if (l->line[l->at] == '<' && n < l->size &&
                (is_alpha(l->line[n]) || strchr("/!?", l->line[n] ? l->line[n] : ' '))) {
                while (n < l->size && !is_blank(l->line[n]) && l->line[n] != '>')
                        n++;
                take(l, STYLE_KEYWORD, n - l->at);
                l->state = STATE_TAG;
                take_tag(l);
                return;
        }
        if (l->line[l->at] == '&') {
                while (n < l->size &&
                        (is_alpha(l->line[n]) || is_digit(l->line[n]) || l->line[n] == '#'))
                        n++;
                if (n < l->size && l->line[n] == ';') {
                        take(l, STYLE_NUMBER, n + 1 - l->at);
                        return;
                }
        }
        take(l, STYLE_CODE, n - l->at);
}

static Style diff_style(const char *line, size_t size)
{
        static const struct {
                const char *prefix;
                Style style;
        } table[] = {
                { "+++", STYLE_KEYWORD },
                { "---", STYLE_KEYWORD },
                { "diff ", STYLE_KEYWORD },
                { "index ", STYLE_COMMENT },
                { "@@", STYLE_FUNCTION },
                { "+", STYLE_STRING },
                { "-", STYLE_NUMBER },
                { "\\", STYLE_COMMENT },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                size_t n = strlen(table[i].prefix);

                if (size >= n && memcmp(line, table[i].prefix, n) == 0)
                        return table[i].style;
        }
        return STYLE_CODE;
}

static bool is_state(const Language *lang, unsigned state)
{
        switch (state) {
        case STATE_CODE:
                return true;
        case STATE_TAG:
        case STATE_TAG_DOUBLE:
        case STATE_TAG_SINGLE:
                return lang->kind == LANGUAGE_MARKUP;
        default:
                if (state % STATE_NESTED == STATE_COMMENT)
                        return lang->block_open;
                return state >= STATE_LONG && state - STATE_LONG < LANGUAGE_LONG_MAX &&
                        lang->long_quotes[state - STATE_LONG];
        }
}

/* What was open at the end of the line before. */
static void take_open(Lexer *l)
{
        switch (l->state % STATE_NESTED) {
        case STATE_CODE:
                break;
        case STATE_COMMENT:
                take_comment(l);
                break;
        case STATE_TAG:
        case STATE_TAG_DOUBLE:
        case STATE_TAG_SINGLE:
                take_tag(l);
                break;
        default:
                take_long(l);
        }
}

unsigned lexer_line(const Language *language, unsigned state, const char *line, size_t size,
        void (*run)(Style style, size_t start, size_t size, void *userdata), void *userdata)
{
        const Language *lang = language;
        Lexer l = {
                .language = lang,
                .line = line,
                .size = size,
                .style = STYLE_CODE,
                .run = run,
                .userdata = userdata,
        };

        assert(lang);
        assert(line || size == 0);
        assert(run);

        l.state = is_state(lang, state) ? state : STATE_CODE;
        if (lang->kind == LANGUAGE_DIFF)
                take(&l, diff_style(line, size), size);
        else if (l.state != STATE_CODE)
                take_open(&l);
        else if (lang->kind == LANGUAGE_KEYS)
                take_key(&l);
        else if (lang->flags & LANGUAGE_DIRECTIVES)
                take_directive(&l);

        while (l.at < l.size) {
                if (lang->kind == LANGUAGE_MARKUP)
                        take_markup(&l);
                else
                        take_code(&l);
        }
        if (l.at > l.start)
                run(l.style, l.start, l.at - l.start, userdata);
        return l.state;
}
