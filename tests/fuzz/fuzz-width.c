/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Clusters and their cells: each has a byte at least and no more than the limits; they are the text
 * without gaps; what fits is a prefix of whole ones. */

#include "client/tui/terminal/width.h"
#include "tests/fuzz/fuzz.h"

static unsigned check_clusters(const char *text, size_t size)
{
        unsigned cells = 0;

        for (size_t at = 0; at < size;) {
                Cluster c = { 0 };
                unsigned n = 0;
                size_t next = cluster_next(text + at, size - at, &n);
                char likeness;

                CHECK(next >= 1 && next <= size - at && next <= CLUSTER_BYTES_MAX);
                CHECK(n <= CLUSTER_CELLS_MAX);
                cluster_measure(text + at, size - at, &c);
                CHECK(c.size == next);
                CHECK((c.kind == CLUSTER_INVISIBLE) == (n == 0));
                likeness = cluster_to_ascii(text + at, next);
                CHECK(likeness >= ' ' && likeness < 0x7f);
                (void) cluster_is_word(text + at, next);
                cells += n;
                at += next;
        }
        return cells;
}

static void check_backwards(const char *text, size_t size)
{
        for (size_t at = size; at > 0;) {
                size_t before = cluster_previous(text, at);

                CHECK(before < at && at - before <= CLUSTER_BYTES_MAX);
                at = before;
        }
}

static void check_fit(const char *text, size_t size, unsigned cells, unsigned all)
{
        unsigned used = 0;
        size_t n = text_fit(text, size, cells, &used);

        CHECK(n <= size && used <= cells);
        CHECK(text_cells(text, n) == used);
        if (all <= cells)
                CHECK(n == size && used == all);
        else
                CHECK(n < size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        WidthWays ways = fuzz_byte(&in) & 0x3f;
        unsigned cells = fuzz_byte(&in), all;
        size_t n;
        const char *text = fuzz_bytes(&in, SIZE_MAX, &n);

        width_set_ways(ways);
        all = check_clusters(text, n);
        CHECK(all == text_cells(text, n));
        check_backwards(text, n);
        check_fit(text, n, cells, all);
        width_set_ways(WIDTH_WAYS_DEFAULT);
        return 0;
}
