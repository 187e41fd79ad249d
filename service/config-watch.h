/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reads the configuration again when a file of it changes, and notices that the service's own
 * program was replaced. manager_reload() is in the same file. */

#include "service/manager.h"

/* Before READY: it makes the user's own folder. */
int config_watch_new(ConfigWatch **ret, Manager *m);
ConfigWatch *config_watch_free(ConfigWatch *w);
DEFINE_CLEANUP(ConfigWatch *, config_watch_free)

/* The log level that the configuration asks for, and its warnings. */
void config_watch_apply_log(const Config *config);
