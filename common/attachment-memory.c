/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/attachment-memory.h"

#include <stdatomic.h>

static atomic_size_t used;

bool attachment_memory_take(size_t size, size_t own, size_t maximum)
{
        size_t now = atomic_load(&used);

        do {
                assert(own <= now);
                if (now > own && (now > maximum || size > maximum - now))
                        return false;
        } while (!atomic_compare_exchange_weak(&used, &now, now + size));
        return true;
}

void attachment_memory_give(size_t size)
{
        size_t before = atomic_fetch_sub(&used, size);

        assert(before >= size);
        (void) before;
}

size_t attachment_memory_used(void)
{
        return atomic_load(&used);
}
