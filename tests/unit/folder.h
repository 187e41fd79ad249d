/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A folder of a test's own, and files. */

#include <stddef.h>

/* In memory where that is possible: what is tested does not need the disk's own time. */
char *folder_new(void);
/* With all that is in it; one that is not there is fine. */
void folder_remove(const char *folder);
/* The same. Returns NULL. */
char *folder_free(char *folder);
/* All of a file, and a NUL behind it; the caller frees. */
char *file_read(const char *path, size_t *ret_size);
/* The same of one below tests/fixtures/. */
char *fixture_read(const char *name, size_t *ret_size);
/* "FOLDER/NAME"; the caller frees. */
char *folder_below(const char *folder, const char *name);
