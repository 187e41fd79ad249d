/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/tui-allocations.h"

#include <stdlib.h>

#include "tests/sanitized.h"

size_t n_allocations;

#if !SANITIZED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
        n_allocations++;
        return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
        n_allocations++;
        return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
        n_allocations++;
        return __libc_realloc(p, size);
}
#endif
