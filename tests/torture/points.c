/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/points.h"

#include <execinfo.h>
#include <sys/mman.h>

#define POINTS_MAX (1U << 19)
#define WAYS_MAX   (1U << 16)

/* The program's own code, by the linker. */
extern const char __executable_start[], etext[];

static atomic_ullong *tried; /* shared; open addressing */
static unsigned part = 1, occurrences = 1;

static Run *run; /* of this process */
static _Atomic(uint64_t) ways[WAYS_MAX];
static atomic_uint times[WAYS_MAX];
static atomic_ulong counts[_KIND_MAX];

static const char *const kind_table[_KIND_MAX] = {
        [KIND_MEMORY] = "memory",
        [KIND_SYSTEM] = "system calls",
        [KIND_BUS] = "sd-bus",
        [KIND_LOOP] = "sd-event",
        [KIND_JSON] = "json-c",
        [KIND_CURL] = "libcurl",
        [KIND_CRYPTO] = "libgcrypt",
        [KIND_SQLITE_MEMORY] = "SQLite's memory",
        [KIND_SQLITE_IO] = "SQLite's input and output",
        [KIND_SQLITE_FULL] = "SQLite's disk full",
};

const char *kind_to_string(Kind k)
{
        return kind_table[k];
}

const char *mode_to_string(Mode m)
{
        static const char *const table[_MODE_MAX] = { "nothing fails", "fails once",
                "fails from then on" };

        return table[m];
}

int points_open(unsigned every, unsigned how_often)
{
        void *stack[4];

        part = every;
        occurrences = how_often;
        tried = mmap(NULL, POINTS_MAX * sizeof *tried, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (tried == MAP_FAILED)
                return -errno;
        (void) backtrace(stack, ELEMENTSOF(stack)); /* the first one allocates */
        return 0;
}

void points_set_part(unsigned every)
{
        part = every;
}

void points_arm(Run *r)
{
        run = r;
}

void points_disarm(void)
{
        run = NULL;
}

ptrdiff_t points_offset(const void *address)
{
        return (const char *) address - __executable_start;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
        hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 29;
}

/* Returns whether this process is the one that put it there. */
static bool claim(uint64_t key)
{
        key = key ?: 1;
        for (size_t i = key % POINTS_MAX;; i = (i + 1) % POINTS_MAX) {
                unsigned long long there = 0;

                if (atomic_compare_exchange_strong(&tried[i], &there, key))
                        return true;
                if (there == key)
                        return false;
        }
}

/* How often this process came here by this way, this time included. */
static unsigned count_way(uint64_t way)
{
        way = way ?: 1;
        for (size_t i = way % WAYS_MAX;; i = (i + 1) % WAYS_MAX) {
                uint64_t there = 0;

                if (atomic_compare_exchange_strong(&ways[i], &there, way) || there == way)
                        return atomic_fetch_add(&times[i], 1) + 1;
        }
}

/* Libraries' frames are left out: how deep sd-event or SQLite call is not ours. */
static uint64_t way_here(Kind kind, const char *function, void *const *stack, int depth)
{
        uint64_t way = mix(mix(0, kind), (uintptr_t) function - (uintptr_t) __executable_start);

        for (int i = 0; i < depth; i++) {
                const char *p = stack[i];

                if (p >= __executable_start && p < etext)
                        way = mix(way, (uint64_t) (p - __executable_start));
        }
        return way;
}

bool point_fails(Kind kind, const char *function)
{
        void *stack[POINT_DEPTH];
        unsigned long n;
        bool no = false;
        uint64_t key;
        unsigned nth;
        int depth;

        if (!run || run->mode == MODE_NONE || !(run->kinds & 1U << kind))
                return false;
        n = atomic_fetch_add(&counts[kind], 1) + 1;
        if (atomic_load(&run->failed))
                return run->mode == MODE_ON && run->kind == kind;

        depth = backtrace(stack, POINT_DEPTH);
        key = way_here(kind, function, stack, depth);
        if (key % part != 0)
                return false;
        nth = count_way(key);
        if (nth > occurrences || !claim(mix(mix(key, nth), run->mode)))
                return false;
        /* Another thread may have failed meanwhile: this point then counts as tried with that. */
        if (!atomic_compare_exchange_strong(&run->failed, &no, true))
                return false;

        run->kind = kind;
        run->function = function;
        run->n = n;
        memcpy(run->stack, stack, sizeof stack[0] * (size_t) depth);
        run->depth = depth;
        return true;
}
