/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Colours of code: runs of keywords, strings, comments … by tables, one a language. Lines are given
 * one by one; what goes on over a line's end (a comment, a string) is the state. */

#include "client/tui/terminal/style.h"

typedef struct Language Language;

/* By the word behind a fence ("c", "python", "py", "sh", …), in letters of any size; NULL for one
 * that is not known. Known: C, C++, Python, JavaScript/TypeScript, shell, Rust, Go, Java, JSON,
 * YAML/INI, HTML/XML, SQL, diff. */
const Language *language_find(const char *name, size_t size);

/* Calls run() for every run of the line (without its end), in order and without gaps. Returns the
 * state after it; 0 is the state before the first line. Linear in size. */
unsigned lexer_line(const Language *language, unsigned state, const char *line, size_t size,
        void (*run)(Style style, size_t start, size_t size, void *userdata), void *userdata);
