/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The commands that are known: what the filter takes out of the text, and what the avatar does. */

#include "service/avatar/avatar.h"

typedef struct AvatarCommand {
        const char *verb;
        AvatarChange what;
        const char *const *values; /* NULL-ended words that it takes; NULL: it stands alone */
        const char *value;         /* then for this one */
} AvatarCommand;

/* NULL when there is no such verb or it takes other arguments. *ret_value is static. */
const AvatarCommand *avatar_command_find(
        const char *verb, char *const *arguments, const char **ret_value);
