/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For LD_PRELOAD: how often a program allocates, counted in the file ALLOCATIONS, which the test
 * has mapped as well. */

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static _Atomic unsigned long *counter; /* NULL before there is one */

__attribute__((constructor)) static void map_counter(void)
{
        const char *path = getenv("ALLOCATIONS");
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *page;

        if (fd < 0)
                return;
        page = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void) close(fd);
        if (page != MAP_FAILED)
                counter = page;
}

static void count(void)
{
        if (counter)
                atomic_fetch_add(counter, 1);
}

void *malloc(size_t size)
{
        count();
        return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
        count();
        return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
        count();
        return __libc_realloc(p, size);
}
