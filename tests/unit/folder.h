/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A folder of a test's own. */

/* In memory where that is possible: what is tested does not need the disk's own time. */
char *folder_new(void);
/* With all that is in it; one that is not there is fine. */
void folder_remove(const char *folder);
/* The same. Returns NULL. */
char *folder_free(char *folder);
/* "FOLDER/NAME"; the caller frees. */
char *folder_below(const char *folder, const char *name);
