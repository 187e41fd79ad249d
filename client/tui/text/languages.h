/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What lexer.c needs to know of a language. Lists of words are one string: each word between two
 * blanks. */

#include "common/macro.h"

typedef enum LanguageKind {
        LANGUAGE_CODE,   /* words, strings, comments: the tables below */
        LANGUAGE_MARKUP, /* tags, attributes, text */
        LANGUAGE_DIFF,   /* by the line's first characters */
        LANGUAGE_KEYS,   /* `key:` or `key =` at a line's beginning, else as code */
} LanguageKind;

typedef enum LanguageFlags {
        LANGUAGE_CASELESS = 1 << 0,     /* words, in letters of any size */
        LANGUAGE_CAPITALS = 1 << 1,     /* Words Like This are types */
        LANGUAGE_CALLS = 1 << 2,        /* a word before `(` is a function */
        LANGUAGE_DIRECTIVES = 1 << 3,   /* `#` first on a line: the preprocessor's */
        LANGUAGE_ATTRIBUTES = 1 << 4,   /* `@word` */
        LANGUAGE_NESTING = 1 << 5,      /* comments in comments */
        LANGUAGE_LIFETIMES = 1 << 6,    /* `'a` is no string without an end */
        LANGUAGE_VARIABLES = 1 << 7,    /* `$word` */
        LANGUAGE_WORD_COMMENT = 1 << 8, /* a comment begins only behind white space */
        LANGUAGE_DOUBLED = 1 << 9,      /* a quote in a string is doubled; \ is nothing special */
        LANGUAGE_RAW_SINGLE = 1 << 10,  /* \ is nothing special between '' */
} LanguageFlags;

#define LANGUAGE_LONG_MAX 3U

typedef struct Language {
        const char *names;
        LanguageKind kind;
        LanguageFlags flags;
        const char *keywords, *types, *constants;
        const char *line_comments[2];
        const char *block_open, *block_close;
        const char *quotes; /* strings that end with their line */
        /* Strings that go on over lines: each ends with what it began with. */
        const char *long_quotes[LANGUAGE_LONG_MAX];
} Language;

extern const Language languages[];
extern const size_t n_languages;
