/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reads the a{sv} of a call strictly: a key that is not in the table, one given twice, or a value
 * of another type is InvalidArgument and names the key. */

#include <systemd/sd-bus.h>

#include "common/macro.h"

typedef struct BusOption {
        const char *name;
        const char *type; /* 's','o' (const char *), 'b' (bool), 'u' (uint32_t), 't' (uint64_t), or
                           * any other signature with parse set */
        void *value;      /* strings are borrowed from the message */
        bool *given;      /* or NULL */
        int (*parse)(sd_bus_message *m, void *value, sd_bus_error *error);
} BusOption;

int bus_read_options(
        sd_bus_message *m, const BusOption *options, size_t n_options, sd_bus_error *error);
