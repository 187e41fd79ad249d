/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/screen-internal.h"

void cluster_table_done(ClusterTable *t)
{
        t->entries = mfree(t->entries);
        *t = (ClusterTable){ 0 };
}

static uint16_t *head_of(ClusterTable *t, const char *text, size_t size)
{
        uint32_t hash = 2166136261U; /* FNV-1a */

        for (size_t i = 0; i < size; i++)
                hash = (hash ^ (unsigned char) text[i]) * 16777619U;
        return &t->heads[(hash ^ hash >> 16) % ELEMENTSOF(t->heads)];
}

int cluster_table_put(ClusterTable *t, const char *text, size_t size)
{
        uint16_t *head = head_of(t, text, size);
        ClusterEntry *e;

        for (unsigned i = *head; i > 0; i = t->entries[i - 1].next) {
                e = &t->entries[i - 1];
                if (e->size == size && memcmp(e->text, text, size) == 0)
                        return (int) i - 1;
        }
        if (t->n == CLUSTERS_MAX)
                return -ENOSPC;
        if (!t->entries) {
                t->entries = calloc(CLUSTERS_MAX, sizeof(ClusterEntry));
                if (!t->entries)
                        return -ENOMEM;
        }
        e = &t->entries[t->n];
        memcpy(e->text, text, size);
        e->size = (uint8_t) size;
        e->next = *head;
        *head = (uint16_t) ++t->n;
        return (int) t->n - 1;
}

static uint32_t cell_index(const Cell *c)
{
        uint32_t index;

        memcpy(&index, c->text, sizeof index);
        return index;
}

void cluster_table_collect(ClusterTable *t, Cell *cells, size_t n_cells)
{
        uint16_t moved[CLUSTERS_MAX];
        unsigned n = 0;

        for (unsigned i = 0; i < t->n; i++)
                t->entries[i].used = false;
        for (size_t i = 0; i < n_cells; i++)
                if (cells[i].flags & CELL_LONG)
                        t->entries[cell_index(&cells[i])].used = true;

        memset(t->heads, 0, sizeof t->heads);
        for (unsigned i = 0; i < t->n; i++) {
                uint16_t *head;

                if (!t->entries[i].used)
                        continue;
                moved[i] = (uint16_t) n;
                t->entries[n] = t->entries[i];
                head = head_of(t, t->entries[n].text, t->entries[n].size);
                t->entries[n].next = *head;
                *head = (uint16_t) ++n;
        }
        t->n = n;

        for (size_t i = 0; i < n_cells; i++)
                if (cells[i].flags & CELL_LONG) {
                        uint32_t index = moved[cell_index(&cells[i])];

                        memcpy(cells[i].text, &index, sizeof index);
                }
}
