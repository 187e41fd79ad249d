/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A conversation partner that needs no network and no model, after the idea of Joseph Weizenbaum's
 * DOCTOR (1966): find the weightiest pattern in what was said, and answer with a sentence that
 * reuses the person's own words. The same conversation always gives the same answer. */

#include "service/engine/prompt.h"

/* The answer to the prompt's last question; where the prompt continues, the rest of that answer.
 * The caller frees. */
int doctor_answer(const Prompt *prompt, char **ret);

/* ---- the script (doctor-script.c) ---- */

#define DOCTOR_ANSWERS_MAX 5U

/* A pattern is words with one space between: "*" stands for any number of words (none too) and is
 * kept, "a|b" for one of several words. In answers "$1" is what the first "*" stood for, seen from
 * the other side ("my" is "your"). */
typedef struct DoctorRule {
        unsigned rank; /* the highest that matches wins; among equals the one that comes first */
        const char *pattern;
        const char *answers[DOCTOR_ANSWERS_MAX];
} DoctorRule;

extern const DoctorRule doctor_rules[]; /* ends with a NULL pattern */
extern const char *const doctor_fallbacks[], *const doctor_memories[]; /* NULL-ended */
extern const char *const doctor_empty, *const doctor_file;
