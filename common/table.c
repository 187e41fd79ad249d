/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/table.h"

#include <sys/auxv.h>

#define TABLE_PLACES_MIN 16

void table_done(Table *t)
{
        assert(t);
        t->entries = mfree(t->entries);
        t->n_places = t->n_entries = 0;
}

/* The kernel gives every process 16 random bytes: no call can fail or wait here. */
static void get_seed(uint64_t ret[2])
{
        memcpy(ret, (const void *) getauxval(AT_RANDOM), 2 * sizeof(uint64_t));
}

/* Two rounds of multiply and fold: every bit of key and seed reaches the low bits that are used. */
static uint64_t fold(uint64_t a, uint64_t b)
{
        __uint128_t product = (__uint128_t) a * b;

        return (uint64_t) product ^ (uint64_t) (product >> 64);
}

static size_t place_of(const Table *t, TableKey key)
{
        uint64_t seed[2];

        get_seed(seed);
        return fold(fold(key.high ^ seed[0], key.low ^ seed[1]) ^ seed[0],
                       UINT64_C(0x9e3779b97f4a7c15)) &
                (t->n_places - 1);
}

static bool key_equal(TableKey a, TableKey b)
{
        return a.high == b.high && a.low == b.low;
}

/* The key's entry, or the free place where it belongs. There always is a free one. */
static TableEntry *find(const Table *t, TableKey key)
{
        size_t i = place_of(t, key);

        while (t->entries[i].value && !key_equal(t->entries[i].key, key))
                i = (i + 1) & (t->n_places - 1);
        return t->entries + i;
}

static int grow(Table *t)
{
        Table larger = { .n_places = MAX(t->n_places * 2, (size_t) TABLE_PLACES_MIN) };

        larger.entries = calloc(larger.n_places, sizeof *larger.entries);
        if (!larger.entries)
                return -ENOMEM;
        TABLE_FOREACH (e, t)
                *find(&larger, e->key) = *e;
        larger.n_entries = t->n_entries;
        free(t->entries);
        *t = larger;
        return 0;
}

int table_put(Table *t, TableKey key, void *value)
{
        TableEntry *e;
        int r;

        assert(value);

        if (table_get(t, key))
                return -EEXIST;
        if ((t->n_entries + 1) * 4 > t->n_places * 3) {
                r = grow(t);
                if (r < 0)
                        return r;
        }
        e = find(t, key);
        *e = (TableEntry){ .key = key, .value = value };
        t->n_entries++;
        return 0;
}

void *table_get(const Table *t, TableKey key)
{
        return t->n_places > 0 ? find(t, key)->value : NULL;
}

void *table_remove(Table *t, TableKey key)
{
        size_t mask = t->n_places - 1, hole;
        TableEntry *e;
        void *value;

        if (t->n_places == 0)
                return NULL;
        e = find(t, key);
        value = e->value;
        if (!value)
                return NULL;

        /* Moves back what would no longer be found across the hole: no marks of removed ones. */
        hole = e - t->entries;
        for (size_t i = (hole + 1) & mask; t->entries[i].value; i = (i + 1) & mask) {
                size_t wanted = place_of(t, t->entries[i].key);

                if (((i - wanted) & mask) >= ((i - hole) & mask)) {
                        t->entries[hole] = t->entries[i];
                        hole = i;
                }
        }
        t->entries[hole].value = NULL;
        t->n_entries--;
        return value;
}
