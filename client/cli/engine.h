/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the service says of its engines, for the verbs that show it. */

#include "client/cli/cli.h"

/* An array of objects with name, type, state, details. An ExitCode. */
int engine_fetch_all(Cli *cli, json_object **ret);
/* One of the details as a string, "" when it has none. Borrowed. */
const char *engine_detail(json_object *engine, const char *key);

/* engine-file.c: an engine of one's own is a file. */
bool engine_is_name(const char *name);
/* Has the service read the configuration again. An ExitCode. */
int engine_reload(Cli *cli);
int engine_add(Cli *cli, int argc, char *argv[]);
int engine_remove(Cli *cli, int argc, char *argv[]);
