/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What shells complete from; conductor(1) does not list it among the verbs. */

#include "client/cli/cli.h"

/* complete table: the verbs and options, for packaging/completions/generate.
 * complete ID|DELETED-ID|MODEL|ENGINE [WORD]: what there is, a line each: a word, a tab, what it
 * is. Says nothing rather than something late, nor why the service did not answer: a person is
 * typing. */
int cli_complete(Cli *cli, int argc, char *argv[]);
