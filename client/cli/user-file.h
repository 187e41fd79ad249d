/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small files of the user's configuration: written whole or not at all, for nobody else to read. */

#include "common/macro.h"

typedef enum UserFileMode {
        USER_FILE_NEW, /* -EEXIST when there is one of that name */
        USER_FILE_REPLACE,
} UserFileMode;

/* "…/conductor/FOLDER". The caller frees. */
int user_file_folder(const char *folder, char **ret);
/* Makes the folder where it is missing. */
int user_file_write(
        const char *folder, const char *name, const void *data, size_t size, UserFileMode mode);
