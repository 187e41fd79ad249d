/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "common/macro.h"

/* Whether CONDUCTOR_TEST_BUS (daemon, unless it says broker) is installed. */
bool private_bus_installed(void);

/* Starts a session bus that listens at socket and starts no services. control: a descriptor that
 * must stay open as long as the bus shall live, or -EBADF. */
int private_bus_start(const char *folder, const char *socket, pid_t *ret_pid, int *ret_control);
