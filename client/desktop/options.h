/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The arguments of a program that a bus or a manager starts. */

#include "common/macro.h"

typedef struct ProgramHelp {
        const char *name;
        const char *what; /* for --help */
        usec_t *idle;     /* --idle=TIME, or NULL where there is none */
} ProgramHelp;

/* 1: go on. 0: all is done. -EINVAL: not understood, which was said. */
int options_read(int argc, char *argv[], const ProgramHelp *help);
