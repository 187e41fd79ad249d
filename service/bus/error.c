/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/error.h"

#include <stdarg.h>

#include "common/names.h"

int bus_error_from_failure(sd_bus_error *error, const Failure *failure)
{
        char name[sizeof ERROR_PREFIX + 64];

        (void) snprintf(
                name, sizeof name, ERROR_PREFIX "%s", failure_code_to_string(failure->code));
        /* The result of a set function is the errno that sd-bus knows for the name; ours are in our
         * own table. */
        (void) sd_bus_error_set(error, name, failure_message(failure));
        return failure_code_to_errno(failure->code);
}

int bus_error_from_errno(sd_bus_error *error, int r, const char *what)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        (void) failure_set_errno(&failure, r, "%s", what);
        return bus_error_from_failure(error, &failure);
}

int bus_error_invalid(sd_bus_error *error, const char *format, ...)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return -ENOMEM;
        }

        (void) failure_set(&failure, FAILURE_INVALID_ARGUMENT, "%s", text);
        return bus_error_from_failure(error, &failure);
}
