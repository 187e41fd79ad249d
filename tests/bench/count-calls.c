/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For LD_PRELOAD: counts what count.h names. Whose code asked is told by the return address; behind
 * libc's own calls the stack is looked through for the first that is not libc. */

#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/count.h"

#define RANGES_MAX 128U
#define DEPTH      16

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);

#define OWNER_LIBC _COUNT_OWNER_MAX

typedef struct Range {
        uintptr_t begin, end;
        unsigned owner;
} Range;

static CountPage *page; /* NULL before there is one */
static Range ranges[RANGES_MAX];
static unsigned n_ranges;

static _Thread_local int is_main __attribute__((tls_model("initial-exec")));
static _Thread_local bool looking __attribute__((tls_model("initial-exec")));

/* ---- whose code ---- */

static unsigned owner_of_library(const char *path)
{
        static const struct {
                const char *name;
                unsigned owner;
        } names[] = {
                { "/libjson-c.", COUNT_JSON_C },
                { "/libsystemd.", COUNT_SYSTEMD },
                { "/libcurl.", COUNT_CURL },
                { "/libsqlite3.", COUNT_SQLITE },
                { "/libmd4c.", COUNT_MD4C },
                { "/libc.", OWNER_LIBC },
                { "/count-calls.", OWNER_LIBC },
        };

        if (!*path)
                return COUNT_OWN;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (strstr(path, names[i].name))
                        return names[i].owner;
        return COUNT_OTHER;
}

static int add_ranges(struct dl_phdr_info *info, size_t size, void *userdata)
{
        for (unsigned i = 0; i < info->dlpi_phnum && n_ranges < RANGES_MAX; i++) {
                const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
                uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

                if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
                        continue;
                ranges[n_ranges++] = (Range){
                        .begin = begin,
                        .end = begin + segment->p_memsz,
                        .owner = owner_of_library(info->dlpi_name),
                };
        }
        return 0;
}

static unsigned owner_of(const void *address)
{
        for (unsigned i = 0; i < n_ranges; i++)
                if ((uintptr_t) address >= ranges[i].begin && (uintptr_t) address < ranges[i].end)
                        return ranges[i].owner;
        return COUNT_OTHER;
}

static unsigned owner_behind_libc(void)
{
        void *stack[DEPTH];
        int n;

        looking = true;
        n = backtrace(stack, DEPTH);
        looking = false;
        for (int i = 0; i < n; i++)
                if (owner_of(stack[i]) != OWNER_LIBC)
                        return owner_of(stack[i]);
        return COUNT_OTHER;
}

__attribute__((constructor)) static void map_page(void)
{
        const char *path = getenv(COUNT_VARIABLE);
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *mapped, *stack[DEPTH];

        if (fd < 0)
                return;
        (void) backtrace(stack, DEPTH); /* it loads what it needs with the first use */
        (void) dl_iterate_phdr(add_ranges, NULL);
        mapped = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void) close(fd);
        if (mapped != MAP_FAILED)
                page = mapped;
}

/* ---- counting ---- */

static void count(const void *caller)
{
        unsigned owner;

        if (!page || looking)
                return;
        if (is_main == 0)
                is_main = syscall(SYS_gettid) == getpid() ? 1 : -1;
        owner = owner_of(caller);
        if (owner == OWNER_LIBC)
                owner = owner_behind_libc();
        atomic_fetch_add(is_main > 0 ? &page->main_thread[owner] : &page->other_threads[owner], 1);
}

static void count_kept(int more)
{
        if (page && !looking)
                atomic_fetch_add(&page->kept, more);
}

void *malloc(size_t size)
{
        count(__builtin_return_address(0));
        count_kept(1);
        return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
        count(__builtin_return_address(0));
        count_kept(1);
        return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
        count(__builtin_return_address(0));
        if (!p)
                count_kept(1);
        return __libc_realloc(p, size);
}

void free(void *p)
{
        if (p)
                count_kept(-1);
        __libc_free(p);
}

static int count_sync(long call, int fd)
{
        if (page)
                atomic_fetch_add(&page->fsyncs, 1);
        return (int) syscall(call, fd);
}

int fsync(int fd)
{
        return count_sync(SYS_fsync, fd);
}

int fdatasync(int fd)
{
        return count_sync(SYS_fdatasync, fd);
}
