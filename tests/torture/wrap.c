/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/wrap.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <termios.h>

/* ---- memory ---- */

#define MEMORY(type, name, parameters, arguments) \
        WRAP(KIND_MEMORY, type, name, FAIL(ENOMEM, NULL), parameters, arguments)

MEMORY(void *, malloc, (size_t size), (size))
MEMORY(void *, calloc, (size_t n, size_t size), (n, size))
MEMORY(void *, realloc, (void *p, size_t size), (p, size))
MEMORY(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
MEMORY(char *, strdup, (const char *s), (s))
MEMORY(char *, strndup, (const char *s, size_t n), (s, n))
WRAP(KIND_MEMORY, int, vasprintf, FAIL(ENOMEM, -1), (char **ret, const char *format, va_list ap),
        (ret, format, ap))

int __wrap_asprintf(char **ret, const char *format, ...) _printf_(2, 3);
int __wrap_asprintf(char **ret, const char *format, ...)
{
        va_list ap;
        int r;

        if (point_fails(KIND_MEMORY, "asprintf"))
                return FAIL(ENOMEM, -1);
        va_start(ap, format);
        r = __real_vasprintf(ret, format, ap);
        va_end(ap);
        return r;
}

/* ---- system calls ---- */

#define SYSTEM(type, name, error, parameters, arguments) \
        WRAP(KIND_SYSTEM, type, name, FAIL(error, -1), parameters, arguments)

SYSTEM(ssize_t, read, EIO, (int fd, void *data, size_t size), (fd, data, size))
SYSTEM(ssize_t, pread64, EIO, (int fd, void *data, size_t size, off_t offset),
        (fd, data, size, offset))
SYSTEM(ssize_t, write, EIO, (int fd, const void *data, size_t size), (fd, data, size))
SYSTEM(ssize_t, pwrite64, ENOSPC, (int fd, const void *data, size_t size, off_t offset),
        (fd, data, size, offset))
SYSTEM(ssize_t, send, ENOBUFS, (int fd, const void *data, size_t size, int flags),
        (fd, data, size, flags))
SYSTEM(int, mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
SYSTEM(int, rename, EIO, (const char *from, const char *to), (from, to))
SYSTEM(int, unlink, EIO, (const char *path), (path))
SYSTEM(int, chmod, EPERM, (const char *path, mode_t mode), (path, mode))
SYSTEM(int, fchmod, EPERM, (int fd, mode_t mode), (fd, mode))
SYSTEM(int, ftruncate64, ENOSPC, (int fd, off_t size), (fd, size))
SYSTEM(int, fstat64, EIO, (int fd, struct stat *st), (fd, st))
SYSTEM(int, stat64, EIO, (const char *path, struct stat *st), (path, st))
SYSTEM(int, lstat64, EIO, (const char *path, struct stat *st), (path, st))
SYSTEM(int, access, EACCES, (const char *path, int mode), (path, mode))
SYSTEM(ssize_t, readlink, EIO, (const char *path, char *target, size_t size), (path, target, size))
SYSTEM(int, pipe2, EMFILE, (int *ends, int flags), (ends, flags))
SYSTEM(int, socket, EMFILE, (int domain, int type, int protocol), (domain, type, protocol))
SYSTEM(int, bind, EADDRNOTAVAIL, (int fd, const struct sockaddr *a, socklen_t size), (fd, a, size))
SYSTEM(int, connect, ECONNREFUSED, (int fd, const struct sockaddr *a, socklen_t size),
        (fd, a, size))
SYSTEM(int, listen, EADDRINUSE, (int fd, int backlog), (fd, backlog))
SYSTEM(int, accept4, EMFILE, (int fd, struct sockaddr *a, socklen_t *size, int flags),
        (fd, a, size, flags))
SYSTEM(int, getsockopt, ENOBUFS, (int fd, int level, int option, void *value, socklen_t *size),
        (fd, level, option, value, size))
SYSTEM(int, eventfd, EMFILE, (unsigned int start, int flags), (start, flags))
SYSTEM(ssize_t, getrandom, ENOSYS, (void *data, size_t size, unsigned flags), (data, size, flags))
SYSTEM(ssize_t, sendmsg, EAGAIN, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
SYSTEM(int, poll, ENOMEM, (struct pollfd * list, nfds_t n, int msec), (list, n, msec))
SYSTEM(int, getrlimit64, EPERM, (__rlimit_resource_t what, struct rlimit *l), (what, l))
SYSTEM(int, setrlimit64, EPERM, (__rlimit_resource_t what, const struct rlimit *l), (what, l))
SYSTEM(int, fsync, EIO, (int fd), (fd))
SYSTEM(int, renameat, EIO, (int a, const char *from, int b, const char *to), (a, from, b, to))
SYSTEM(int, renameat2, EIO, (int a, const char *from, int b, const char *to, unsigned flags),
        (a, from, b, to, flags))
SYSTEM(int, unlinkat, EIO, (int folder, const char *name, int flags), (folder, name, flags))
SYSTEM(int, faccessat, EACCES, (int folder, const char *name, int mode, int flags),
        (folder, name, mode, flags))
SYSTEM(int, memfd_create, EMFILE, (const char *name, unsigned flags), (name, flags))
SYSTEM(int, statvfs64, EIO, (const char *path, struct statvfs *s), (path, s))
SYSTEM(int, fflush, ENOSPC, (FILE * f), (f))
SYSTEM(int, madvise, EINVAL, (void *at, size_t size, int what), (at, size, what))
SYSTEM(int, tcgetattr, EIO, (int fd, struct termios *modes), (fd, modes))
SYSTEM(int, tcsetattr, EIO, (int fd, int when, const struct termios *modes), (fd, when, modes))
WRAP(KIND_SYSTEM, int, getpwuid_r, EIO,
        (uid_t uid, struct passwd *p, char *room, size_t size, struct passwd **ret),
        (uid, p, room, size, ret))
WRAP(KIND_SYSTEM, DIR *, opendir, FAIL(EMFILE, NULL), (const char *path), (path))
WRAP(KIND_SYSTEM, struct dirent *, readdir64, FAIL(EIO, NULL), (DIR * d), (d))
WRAP(KIND_SYSTEM, void *, mmap64, FAIL(ENOMEM, MAP_FAILED),
        (void *at, size_t size, int protection, int flags, int fd, off_t offset),
        (at, size, protection, flags, fd, offset))
WRAP(KIND_SYSTEM, int, pthread_create, EAGAIN,
        (pthread_t * thread, const pthread_attr_t *a, void *(*run)(void *), void *userdata),
        (thread, a, run, userdata))

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
        mode_t mode = 0;
        va_list ap;

        if (point_fails(KIND_SYSTEM, "open"))
                return FAIL(EMFILE, -1);
        if (flags & (O_CREAT | __O_TMPFILE)) {
                va_start(ap, flags);
                mode = va_arg(ap, mode_t);
                va_end(ap);
        }
        return __real_open64(path, flags, mode);
}

int __real_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...)
{
        mode_t mode = 0;
        va_list ap;

        if (point_fails(KIND_SYSTEM, "openat"))
                return FAIL(EMFILE, -1);
        if (flags & (O_CREAT | __O_TMPFILE)) {
                va_start(ap, flags);
                mode = va_arg(ap, mode_t);
                va_end(ap);
        }
        return __real_openat64(folder, path, flags, mode);
}

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
        va_list ap;
        void *value;

        if (point_fails(KIND_SYSTEM, "fcntl"))
                return FAIL(EMFILE, -1);
        va_start(ap, command);
        value = va_arg(ap, void *);
        va_end(ap);
        return __real_fcntl64(fd, command, value);
}
