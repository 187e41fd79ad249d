/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A map from 128-bit keys (ids, or a number in one half) to borrowed pointers. The hash is seeded
 * with the process's random bytes, so that keys from outside cannot be made to collide. */

#include "common/macro.h"

typedef struct TableKey {
        uint64_t high, low;
} TableKey;

static inline TableKey table_number(uint64_t n)
{
        return (TableKey){ .low = n };
}

typedef struct TableEntry {
        TableKey key;
        void *value; /* NULL = a free place */
} TableEntry;

typedef struct Table {
        TableEntry *entries;
        size_t n_places, n_entries; /* places: 0 or a power of two */
} Table;

void table_done(Table *t); /* the values are the caller's */

/* value is not NULL. -EEXIST when the key is there already, -ENOMEM. */
int table_put(Table *t, TableKey key, void *value);
void *table_get(const Table *t, TableKey key);
void *table_remove(Table *t, TableKey key); /* NULL when it was not there */

/* The order is none that anyone may rely on; the table must not change meanwhile. */
#define TABLE_FOREACH(entry, t) \
        for (const TableEntry *entry = (t)->entries, *_end = entry + (t)->n_places; entry < _end; \
                entry++) \
                if (entry->value)
