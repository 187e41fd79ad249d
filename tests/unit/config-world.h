/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Three folders of configuration in place of /usr/lib, /etc and the user's own: 0, 1, 2. */

#include "service/config/config-internal.h"

extern char *config_top; /* all of them are in it */
extern char *config_folders[4];

int config_setup(void **state);
int config_teardown(void **state);

/* A file's path, its folder made; the caller frees. */
char *config_path(unsigned folder, const char *name);
void config_write_bytes(unsigned folder, const char *name, const char *data, size_t size);
void config_write(unsigned folder, const char *name, const char *text);

/* What they say all together. */
Config *config_read(void);
size_t config_warnings(const Config *c);
void expect_warning(const Config *c, size_t i, const char *place, const char *words);
/* NULL when there is none of that name. */
const EngineConfig *find_engine(const Config *c, const char *name);
