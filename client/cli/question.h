/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* conductor ask: the question, from the command line and standard input to the call. */

#include "client/cli/cli.h"
#include "common/buffer.h"

#define QUESTION_MAX MIB(16) /* the interface's limit */
/* A buffer for question_read(): reading needs room beyond the limit to see that it is passed. */
#define QUESTION_BUFFER_INIT BUFFER_INIT(QUESTION_MAX + KIB(128))

/* The words, standard input, or both: the words come first, they say what to do with what is piped
 * in. An ExitCode; prints what is wrong. */
int question_read(const Cli *cli, int argc, char *argv[], Buffer *b);

/* Manager.Ask with its options left open: reply_stream_new() closes them. conversation: an id or
 * path, NULL for a new one. An ExitCode. */
int question_build_call(
        const Cli *cli, const char *conversation, const char *question, sd_bus_message **ret);

/* Says why it cannot be asked; r is a negative errno. An ExitCode. */
int question_fail(const Cli *cli, int r);
