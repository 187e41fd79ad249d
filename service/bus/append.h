/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the answers and signals are built of: texts, dictionaries, rows, lists. */

#include <systemd/sd-bus.h>

#include "common/macro.h"

/* size bytes of UTF-8 as a string, without a copy in between. */
int bus_append_text(sd_bus_message *m, const char *text, size_t size);

/* One entry of an a{sv}. */
typedef struct BusEntry {
        const char *key;
        char type;     /* which of the values it has */
        bool optional; /* left out when it is NULL, "", false or 0 */
        union {
                const char *s;
                bool b;
                uint32_t u;
                uint64_t t;
                double d;
        };
} BusEntry;

/* Into a dictionary that is open. */
int bus_append_entries(sd_bus_message *m, const BusEntry *entries, size_t n_entries);

/* Opens an entry and its variant, for what is not one of the above. */
int bus_open_entry(sd_bus_message *m, const char *key, const char *signature);
/* Opens a row of a list: a struct of these values and a dictionary, which is open next. */
int bus_open_row(sd_bus_message *m, const char *types, ...);
/* An answer that is one array, which is open. */
int bus_open_answer(sd_bus_message *call, const char *contents, sd_bus_message **ret);

int bus_close_containers(sd_bus_message *m, unsigned n);
