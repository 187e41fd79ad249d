/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service's answers, read: what is not known in them is passed over. */

#include <systemd/sd-bus.h>

#include "common/macro.h"

typedef struct Field {
        const char *key;
        char type; /* s: const char *; t: uint64_t, of t or u; b: int; d: double; *: read() */
        void *value;
        int (*read)(sd_bus_message *m, void *value);
} Field;
int read_dictionary(sd_bus_message *m, const Field *fields, size_t n);

/* Of an array of structs: appends an item for each, counted before it is read, so that a half-made
 * one is freed with the others. */
typedef struct Rows {
        const char *contents; /* of a struct */
        size_t size;          /* of an item, which is given as zeroes */
        int (*read)(sd_bus_message *m, void *item, void *userdata);
        void *userdata;
} Rows;
/* items: the address of the array's pointer. */
int read_rows(sd_bus_message *m, const Rows *rows, void *items, size_t *n);
