/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "common/failure.h"

/* Fills error from the failure (org.aiway.Conductor1.Error.<code>) and returns its negative errno:
 * `return bus_error_from_failure(error, &failure);` in a handler. */
int bus_error_from_failure(sd_bus_error *error, const Failure *failure);

/* What the errno of a system call alone would say to a caller is no sentence. */
int bus_error_from_errno(sd_bus_error *error, int r, const char *what);

/* For bad arguments: InvalidArgument with a sentence. Returns -EINVAL. */
int bus_error_invalid(sd_bus_error *error, const char *format, ...) _printf_(2, 3);
