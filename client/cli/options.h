/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The options of the command line, in one table: what parses them, their help and the completion
 * of shells are made of it. */

#include "client/cli/cli.h"

typedef struct Option {
        const char *name; /* without "--" */
        char letter;      /* 0: none */
        /* As a verb's arguments; "[...]": it may be left out, and comes after '='. NULL: none. */
        const char *argument;
        const char *help;
        /* Takes the value over into cli; -EINVAL when it has said what is wrong. */
        int (*set)(Cli *cli, const char *value);
} Option;

/* All options; the last has no name. */
extern const Option cli_options[];

/* Parses the options and brings them before the other words, of which the first is argv[n]. -EINVAL
 * when it has said what is wrong. */
int cli_parse_options(Cli *cli, int argc, char *argv[]);
void cli_print_options(FILE *f);
