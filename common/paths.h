/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where things are. An XDG variable counts only when it is an absolute path, as the XDG Base
 * Directory Specification says; else it is its default below $HOME, or below the home folder in the
 * user database. The caller frees what comes back. */

#include "common/macro.h"

/* Folders of configuration, each later one over the earlier: /usr/lib/conductor, /etc/conductor,
 * $XDG_CONFIG_HOME/conductor. NULL-ended; strv_free(). */
int path_config_dirs(char ***ret);
int path_config_home(char **ret); /* the last of them */

int path_state(char **ret);    /* $XDG_STATE_HOME/conductor */
int path_database(char **ret); /* conversations.db in it */

/* $XDG_RUNTIME_DIR/conductor/bus; -ENXIO without that variable. */
int path_runtime_socket(char **ret);

/* Makes a folder and the missing ones above it, each 0700, and gives the folder itself this mode
 * when it is ours. -ENOTDIR when something else is there, -EPERM when it is another user's. */
int mkdir_private(const char *path);

char **strv_free(char **strv);
DEFINE_CLEANUP(char **, strv_free)
