/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/torture/points.h"

/* ---- memory ---- */

static sqlite3_mem_methods memory;

static void *memory_malloc(int size)
{
        return point_fails(KIND_SQLITE_MEMORY, "xMalloc") ? NULL : memory.xMalloc(size);
}

static void *memory_realloc(void *p, int size)
{
        return point_fails(KIND_SQLITE_MEMORY, "xRealloc") ? NULL : memory.xRealloc(p, size);
}

/* ---- files ---- */

static bool io_fails(const char *function)
{
        if (!point_fails(KIND_SQLITE_IO, function))
                return false;
        errno = EIO;
        return true;
}

static bool is_full(const char *function)
{
        if (!point_fails(KIND_SQLITE_FULL, function))
                return false;
        errno = ENOSPC;
        return true;
}

static struct {
        int (*open)(const char *, int, int);
        ssize_t (*read)(int, void *, size_t);
        ssize_t (*pread)(int, void *, size_t, off_t);
        ssize_t (*write)(int, const void *, size_t);
        ssize_t (*pwrite)(int, const void *, size_t, off_t);
        int (*ftruncate)(int, off_t);
        int (*fstat)(int, struct stat *);
        int (*unlink)(const char *);
        int (*fallocate)(int, off_t, off_t);
        void *(*mmap)(void *, size_t, int, int, int, off_t);
} real;

static int file_open(const char *path, int flags, int mode)
{
        return io_fails("open") || (flags & O_CREAT && is_full("open"))
                ? -1
                : real.open(path, flags, mode);
}

static ssize_t file_read(int fd, void *data, size_t size)
{
        return io_fails("read") ? -1 : real.read(fd, data, size);
}

/* EIO is taken for damage, others are not. */
static ssize_t file_pread(int fd, void *data, size_t size, off_t offset)
{
        if (point_fails(KIND_SQLITE_IO, "pread of a stale file")) {
                errno = ESTALE;
                return -1;
        }
        return io_fails("pread") ? -1 : real.pread(fd, data, size, offset);
}

static ssize_t file_write(int fd, const void *data, size_t size)
{
        return io_fails("write") || is_full("write") ? -1 : real.write(fd, data, size);
}

static ssize_t file_pwrite(int fd, const void *data, size_t size, off_t offset)
{
        return io_fails("pwrite") || is_full("pwrite") ? -1 : real.pwrite(fd, data, size, offset);
}

static int file_ftruncate(int fd, off_t size)
{
        return io_fails("ftruncate") ? -1 : real.ftruncate(fd, size);
}

static int file_fstat(int fd, struct stat *st)
{
        return io_fails("fstat") ? -1 : real.fstat(fd, st);
}

static int file_unlink(const char *path)
{
        return io_fails("unlink") ? -1 : real.unlink(path);
}

/* Returns the error itself, as posix_fallocate(). */
static int file_fallocate(int fd, off_t offset, off_t size)
{
        return is_full("fallocate") ? ENOSPC : real.fallocate(fd, offset, size);
}

static void *file_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
        return io_fails("mmap") ? (void *) -1 : real.mmap(at, size, protection, flags, fd, offset);
}

/* Not among the calls that SQLite lets be replaced: these take the place of libc's. */
int fsync(int fd)
{
        return io_fails("fsync") ? -1 : (int) syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
        return io_fails("fdatasync") ? -1 : (int) syscall(SYS_fdatasync, fd);
}

int sqlite_torture(void)
{
        static const struct {
                const char *name;
                sqlite3_syscall_ptr ours;
                void *theirs;
        } calls[] = {
                { "open", (sqlite3_syscall_ptr) file_open, &real.open },
                { "read", (sqlite3_syscall_ptr) file_read, &real.read },
                { "pread", (sqlite3_syscall_ptr) file_pread, &real.pread },
                { "pread64", (sqlite3_syscall_ptr) file_pread, &real.pread },
                { "write", (sqlite3_syscall_ptr) file_write, &real.write },
                { "pwrite", (sqlite3_syscall_ptr) file_pwrite, &real.pwrite },
                { "pwrite64", (sqlite3_syscall_ptr) file_pwrite, &real.pwrite },
                { "ftruncate", (sqlite3_syscall_ptr) file_ftruncate, &real.ftruncate },
                { "fstat", (sqlite3_syscall_ptr) file_fstat, &real.fstat },
                { "unlink", (sqlite3_syscall_ptr) file_unlink, &real.unlink },
                { "fallocate", (sqlite3_syscall_ptr) file_fallocate, &real.fallocate },
                { "mmap", (sqlite3_syscall_ptr) file_mmap, &real.mmap },
        };
        sqlite3_mem_methods ours;
        sqlite3_vfs *vfs;

        if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) != SQLITE_OK)
                return -ENOTSUP;
        ours = memory;
        ours.xMalloc = memory_malloc;
        ours.xRealloc = memory_realloc;
        if (sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) != SQLITE_OK)
                return -ENOTSUP;

        vfs = sqlite3_vfs_find("unix");
        if (!vfs || vfs->iVersion < 3)
                return -ENOTSUP;
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                sqlite3_syscall_ptr was = vfs->xGetSystemCall(vfs, calls[i].name);

                if (!was)
                        continue; /* this build has no such call */
                memcpy(calls[i].theirs, &was, sizeof was);
                if (vfs->xSetSystemCall(vfs, calls[i].name, calls[i].ours) != SQLITE_OK)
                        return -ENOTSUP;
        }
        return 0;
}
