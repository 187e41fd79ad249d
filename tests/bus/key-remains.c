/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For LD_PRELOAD: looks for a key in memory that is given back, and in all memory that can be
 * written: at SIGUSR2, and at the end of the program. It writes lines to the file KEY_REMAINS:
 * "free FUNCTION", "in MAPPING", and "looked N" after each look at all. The key itself is not told:
 * KEY_REMAINS_OF has each of its bytes plus one. */

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "common/key-text.h"

/* So many bytes in a row, of its beginning, middle and end, in what is given back. */
#define PART 10U
/* And in all memory: what is no longer may be a register that was saved on a stack. */
#define LONG_PART 65U

extern void __libc_free(void *p);
extern void *__libc_realloc(void *p, size_t size);

static unsigned char coded[KEY_SIZE_MAX];
static size_t n_coded;
static int out = -EBADF;

static bool is_part(const unsigned char *data, const unsigned char *part, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if ((unsigned char) (data[i] + 1) != part[i])
                        return false;
        return true;
}

/* Without memory of its own: the signal may come in the middle of malloc(). */
_printf_(1, 2) static void say(const char *format, ...)
{
        char line[KIB(1)];
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(line, sizeof line, format, ap);
        va_end(ap);
        if (n < 0 || write(out, line, MIN((size_t) n, sizeof line - 1)) < 0)
                abort();
}

/* How many of its parts of n bytes are there. */
static unsigned count_parts(const void *memory, size_t size, size_t n)
{
        const unsigned char *begin = memory, *end = begin + size;
        const size_t parts[] = { 0, n_coded / 2, n_coded - n };
        unsigned found = 0;

        if (n_coded < 2 * n || size < n)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                const unsigned char *part = coded + parts[i], *at = begin;

                while (at <= end - n && (at = memchr(at, part[0] - 1, (size_t) (end - at) - n + 1)))
                        found += is_part(at++, part, n);
        }
        return found;
}

static void look_at(const void *data, size_t size, const void *caller)
{
        Dl_info info = { 0 };

        if (count_parts(data, size, PART) == 0)
                return;
        (void) dladdr(caller, &info);
        say("free %s:%s+%#tx\n", strempty(info.dli_fname), strempty(info.dli_sname),
                (const char *) caller - (const char *) info.dli_fbase);
}

/* ---- instead of the library's ---- */

void free(void *p)
{
        if (p)
                look_at(p, malloc_usable_size(p), __builtin_return_address(0));
        __libc_free(p);
}

void *realloc(void *p, size_t size)
{
        /* It may be another place, and the first one is not wiped. */
        if (p)
                look_at(p, malloc_usable_size(p), __builtin_return_address(0));
        return __libc_realloc(p, size);
}

int munmap(void *p, size_t size)
{
        static int (*next)(void *p, size_t size);

        if (!next)
                next = (int (*)(void *, size_t)) dlsym(RTLD_NEXT, "munmap");
        if (size == KEY_TEXT_ROOM)
                look_at(p, size, __builtin_return_address(0));
        return next(p, size);
}

/* ---- all there is ---- */

/* Another thread may unmap it meanwhile: so it is copied by the kernel, piece by piece, each with
 * the end of the last one before it. */
static unsigned look_at_mapping(unsigned long begin, unsigned long end)
{
        static unsigned char copy[LONG_PART - 1 + KIB(64)];
        size_t kept = 0;
        unsigned n = 0;

        if (begin <= (unsigned long) copy && (unsigned long) copy < end)
                return 0;
        while (begin < end) {
                struct iovec to = { copy + kept, MIN(end - begin, sizeof copy - kept) };
                struct iovec from = { (void *) begin, to.iov_len };
                ssize_t k = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

                if (k <= 0)
                        break;
                begin += (unsigned long) k;
                k += (ssize_t) kept;
                n += count_parts(copy, (size_t) k, LONG_PART);
                kept = MIN((size_t) k, LONG_PART - 1);
                memmove(copy, copy + k - kept, kept);
        }
        explicit_bzero(copy, sizeof copy);
        return n;
}

static void look_at_all(void)
{
        static char maps[KIB(512)];
        int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        size_t size = 0;
        unsigned n = 0;
        ssize_t k;

        while (fd >= 0 && size < sizeof maps - 1 &&
                (k = read(fd, maps + size, sizeof maps - 1 - size)) > 0)
                size += (size_t) k;
        maps[size] = 0;
        safe_close(fd);
        for (char *line = maps, *next; *line; line = next) {
                unsigned long begin, end;
                char mode[5];

                next = strchrnul(line, '\n');
                if (*next)
                        *next++ = 0;
                if (sscanf(line, "%lx-%lx %4s", &begin, &end, mode) != 3 || !startswith(mode, "rw"))
                        continue;
                for (unsigned parts = look_at_mapping(begin, end); parts > 0; parts--, n++)
                        say("in %s\n", line);
        }
        say("looked %u\n", n);
}

static void on_signal(int number)
{
        int saved = errno;

        look_at_all();
        errno = saved;
}

__attribute__((constructor)) static void begin(void)
{
        const char *text = getenv("KEY_REMAINS_OF"), *path = getenv("KEY_REMAINS");
        struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

        if (!text || !path)
                return;
        out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        n_coded = MIN(strlen(text), sizeof coded);
        memcpy(coded, text, n_coded);
        (void) sigaction(SIGUSR2, &action, NULL);
}

__attribute__((destructor)) static void end(void)
{
        if (out >= 0)
                look_at_all();
}
