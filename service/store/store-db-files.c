/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "common/log.h"
#include "service/store/store-db-internal.h"

char *files_beside(const char *path, const char *suffix)
{
        char *name;

        return asprintf(&name, "%s%s", path, suffix) < 0 ? NULL : name;
}

static int fail_file(int error, const char *path, const char *doing, Failure *failure)
{
        char buffer[128];

        if (error == -ENOSPC || error == -EDQUOT)
                return failure_set(failure, FAILURE_STORE_FULL,
                        "There is no space left for %s. Free some space and try again.", path);
        if (error == -ENOMEM)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        return failure_set(failure, FAILURE_STORE_FAILED,
                "%s cannot be %s: %s. The service needs it to keep conversations; make its folder "
                "writable for you.",
                path, doing, strerror_r(-error, buffer, sizeof buffer));
}

/* Of the file: a new name, or none, is on the disk only then. */
static int sync_folder(const char *path)
{
        _cleanup_free_ char *folder = strdup(path);
        _cleanup_close_ int fd = -EBADF;
        char *end;

        if (!folder)
                return -ENOMEM;
        end = strrchr(folder, '/');
        if (end)
                end[end == folder ? 1 : 0] = 0;

        fd = open(end ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

/* Exactly this mode, whatever the umask is. */
static int make_directory(const char *path)
{
        if (mkdir(path, 0700) < 0)
                return errno == EEXIST ? 0 : -errno;
        if (chmod(path, 0700) < 0)
                return -errno;
        return sync_folder(path);
}

static int fail_owner(const char *path, Failure *failure)
{
        return failure_set(failure, FAILURE_STORE_FAILED,
                "%s belongs to another user, who could read or change what is kept there. Move it "
                "away and start the service again.",
                path);
}

/* One that was there: whoever may write in it may put other files in place of ours. */
static int guard_folder(const char *path, Failure *failure)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return fail_file(-errno, path, "opened", failure);
        if (st.st_uid != geteuid())
                return fail_owner(path, failure);
        if (st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX) && fchmod(fd, 0700) < 0)
                return fail_file(-errno, path, "changed", failure);
        return 0;
}

int files_make_folder(const char *path, Failure *failure)
{
        _cleanup_free_ char *folder = strdup(path);
        char *end;
        int r;

        if (!folder)
                return fail_file(-ENOMEM, path, "made", failure);
        end = strrchr(folder, '/');
        if (!end || end == folder)
                return 0;
        *end = 0;

        for (char *p = folder; p;) {
                p = strchr(p + 1, '/');
                if (p)
                        *p = 0;
                r = make_directory(folder);
                if (r < 0)
                        return fail_file(r, folder, "made", failure);
                if (p)
                        *p = '/';
        }
        return guard_folder(folder, failure);
}

/* The process that holds the lock wrote its number into the file: for people, so only a hint. */
static int fail_locked(int fd, const char *path, Failure *failure)
{
        char text[32] = "";
        ssize_t n = pread(fd, text, sizeof text - 1, 0);

        while (n > 0 && (text[n - 1] < '0' || text[n - 1] > '9'))
                n--;
        text[n > 0 ? n : 0] = 0;
        if (strspn(text, "0123456789") != strlen(text))
                text[0] = 0;

        return failure_set(failure, FAILURE_BUSY,
                "The database %s is in use by another conductord, process %s. Stop that one first "
                "('systemctl --user stop conductor.service', or 'kill %s').",
                path, text[0] ? text : "unknown", text[0] ? text : "PID");
}

int files_lock(const char *path, Failure *failure)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        _cleanup_free_ char *name = files_beside(path, ".lock");
        _cleanup_close_ int fd = -EBADF;
        char text[32];
        int n;

        if (!name)
                return fail_file(-ENOMEM, path, "locked", failure);

        fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd < 0)
                return fail_file(-errno, name, "opened", failure);
        if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
                return errno == EAGAIN || errno == EACCES
                        ? fail_locked(fd, path, failure)
                        : fail_file(-errno, name, "locked", failure);
        if (fchmod(fd, 0600) < 0)
                return fail_file(-errno, name, "changed", failure);

        n = snprintf(text, sizeof text, "%d\n", (int) getpid());
        if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t) n, 0) < 0)
                (void) log_debug_errno(-errno, "Cannot write who has the lock, ignoring: %m");
        return TAKE_FD(fd);
}

int files_secure(const char *path, Failure *failure)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
        if (fd < 0)
                return fail_file(-errno, path, "opened for writing", failure);
        if (fstat(fd, &st) < 0)
                return fail_file(-errno, path, "read", failure);
        if (!S_ISREG(st.st_mode))
                return failure_set(failure, FAILURE_STORE_FAILED,
                        "%s is not a regular file. Move it away and start the service again.",
                        path);
        if (st.st_uid != geteuid())
                return fail_owner(path, failure);
        if ((st.st_mode & 07777) != 0600 && fchmod(fd, 0600) < 0)
                return fail_file(-errno, path, "changed", failure);
        return 0;
}

static bool is_left(const char *path, const char *suffix)
{
        _cleanup_free_ char *name = files_beside(path, suffix);
        struct stat st;

        return name && stat(name, &st) >= 0 && st.st_size > 0;
}

bool files_log_is_left(const char *path)
{
        return is_left(path, "-wal");
}

bool files_journal_is_left(const char *path)
{
        return is_left(path, "-journal");
}

int files_remove(const char *path, Failure *failure)
{
        static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                _cleanup_free_ char *name = files_beside(path, suffixes[i]);

                if (!name)
                        return fail_file(-ENOMEM, path, "removed", failure);
                if (unlink(name) < 0 && errno != ENOENT)
                        return fail_file(-errno, name, "removed", failure);
        }
        return 0;
}

/* ---- the place of a damaged database ---- */

/* conversations.db.damaged-20261121-042000, with a number after it when that is taken. */
static int name_aside(const char *path, char **ret)
{
        time_t now = time(NULL);
        char stamp[32];
        struct tm tm;

        if (!gmtime_r(&now, &tm) || strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm) == 0)
                return -EINVAL;

        for (unsigned i = 0; i < 100; i++) {
                _cleanup_free_ char *name = NULL;
                char number[16] = "";

                if (i > 0)
                        (void) snprintf(number, sizeof number, ".%u", i);
                if (asprintf(&name, "%s.damaged-%s%s", path, stamp, number) < 0)
                        return -ENOMEM;
                if (access(name, F_OK) < 0 && errno == ENOENT) {
                        *ret = TAKE_PTR(name);
                        return 0;
                }
        }
        return -EEXIST;
}

static int rename_beside(const char *from, const char *to, const char *suffix)
{
        _cleanup_free_ char *a = files_beside(from, suffix), *b = files_beside(to, suffix);

        if (!a || !b)
                return -ENOMEM;
        if (rename(a, b) < 0 && errno != ENOENT)
                return -errno;
        return 0;
}

/* The log goes first, on the disk too: beside the new database it would be taken for that one's. */
static int set_aside(const char *path, char **ret)
{
        _cleanup_free_ char *aside = NULL, *shared = files_beside(path, "-shm");
        int r;

        if (!shared)
                return -ENOMEM;
        r = name_aside(path, &aside);
        if (r < 0)
                return r;
        if (unlink(shared) < 0 && errno != ENOENT)
                return -errno;
        r = rename_beside(path, aside, "-wal");
        if (r < 0)
                return r;
        r = sync_folder(path);
        if (r < 0)
                return r;
        r = rename_beside(path, aside, "");
        if (r < 0)
                return r;

        *ret = TAKE_PTR(aside);
        return 0;
}

int files_replace(const char *path, char **ret_aside, Failure *failure)
{
        _cleanup_free_ char *salvaged = files_beside(path, ".salvaged"), *aside = NULL;
        int r;

        if (!salvaged)
                return fail_file(-ENOMEM, path, "replaced", failure);
        if (access(salvaged, F_OK) < 0)
                return errno == ENOENT ? 0 : fail_file(-errno, salvaged, "read", failure);

        /* Before the other is gone. */
        r = sync_folder(path);
        if (r < 0)
                return fail_file(r, salvaged, "kept", failure);
        if (access(path, F_OK) >= 0) {
                r = set_aside(path, &aside);
                if (r < 0)
                        return fail_file(r, path, "set aside", failure);
        }
        if (rename(salvaged, path) < 0)
                return fail_file(-errno, salvaged, "renamed", failure);
        r = sync_folder(path);
        if (r < 0)
                return fail_file(r, path, "replaced", failure);
        if (!aside)
                return 0;

        *ret_aside = TAKE_PTR(aside);
        return 1;
}
