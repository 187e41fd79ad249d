/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Markdown of the kind that models write, and of the kind that breaks those who read it. */

#include <stddef.h>

typedef struct Sample {
        const char *name;
        const char *text;
} Sample;

extern const Sample corpus[];
extern const size_t n_corpus;
