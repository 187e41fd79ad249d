/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/cli/user-file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/paths.h"

int user_file_folder(const char *folder, char **ret)
{
        _cleanup_free_ char *home = NULL;
        int r;

        r = path_config_home(&home);
        if (r < 0)
                return r;
        return asprintf(ret, "%s/%s", home, folder) < 0 ? -ENOMEM : 0;
}

/* -EEXIST when there is one of that name. */
static int rename_new(int folder, const char *from, const char *to)
{
        if (renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        /* A file system that cannot do it in one step. */
        if (faccessat(folder, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return -EEXIST;
        return renameat(folder, from, folder, to) < 0 ? -errno : 0;
}

static int put_in_place(int folder, const char *from, const char *to, UserFileMode mode)
{
        switch (mode) {
        case USER_FILE_NEW:
                return rename_new(folder, from, to);
        case USER_FILE_REPLACE:
                break;
        }
        return renameat(folder, from, folder, to) < 0 ? -errno : 0;
}

int user_file_write(
        const char *folder, const char *name, const void *data, size_t size, UserFileMode mode)
{
        _cleanup_close_ int folder_fd = -EBADF, fd = -EBADF;
        _cleanup_free_ char *temporary = NULL;
        int r;

        r = mkdir_private(folder);
        if (r < 0)
                return r;
        folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder_fd < 0)
                return -errno;
        /* A name with a dot before it is not read by the service until it is whole. */
        if (asprintf(&temporary, ".%s.%d", name, (int) getpid()) < 0) {
                temporary = NULL;
                return -ENOMEM;
        }
        fd = openat(
                folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        (void) fchmod(fd, 0600); /* whatever the umask took */
        r = fd_write(fd, data, size);
        if (r >= 0 && fsync(fd) < 0)
                r = -errno;
        if (r >= 0)
                r = put_in_place(folder_fd, temporary, name, mode);
        if (r < 0) {
                (void) unlinkat(folder_fd, temporary, 0);
                return r;
        }
        return fsync(folder_fd) < 0 ? -errno : 0;
}
