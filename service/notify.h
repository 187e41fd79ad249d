/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What changes often is told to systemd without ever waiting for it: sd_notify() does wait while
 * the manager does not read, which is its queue of a few datagrams. */

#include "common/macro.h"

/* A socket to the manager; -ENXIO when nobody wants to be told ($NOTIFY_SOCKET). */
int notify_open(int *ret);

/* -EAGAIN when the manager is behind: say it again with the next news. */
int notify_send(int fd, const char *text);
