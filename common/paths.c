/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/paths.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>

char **strv_free(char **strv)
{
        if (!strv)
                return NULL;
        for (char **s = strv; *s; s++)
                free(*s);
        return mfree(strv);
}

static const char *absolute_variable(const char *name)
{
        const char *e = getenv(name);

        return e && e[0] == '/' ? e : NULL;
}

static int home(char **ret)
{
        const char *e = absolute_variable("HOME");
        struct passwd entry, *found = NULL;
        char buffer[KIB(4)];
        char *copy;
        int r;

        if (!e) {
                r = getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found);
                if (r != 0)
                        return -r;
                if (!found || found->pw_dir[0] != '/')
                        return -ENXIO;
                e = found->pw_dir;
        }
        copy = strdup(e);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

/* $variable/suffix, or ~/fallback/suffix. */
static int below(const char *variable, const char *fallback, const char *suffix, char **ret)
{
        const char *base = absolute_variable(variable);
        _cleanup_free_ char *h = NULL;
        char *path;
        int r;

        if (!base) {
                r = home(&h);
                if (r < 0)
                        return r;
        }
        r = base ? asprintf(&path, "%s/%s", base, suffix)
                 : asprintf(&path, "%s/%s/%s", h, fallback, suffix);
        if (r < 0)
                return -ENOMEM;
        *ret = path;
        return 0;
}

int path_config_home(char **ret)
{
        return below("XDG_CONFIG_HOME", ".config", "conductor", ret);
}

int path_config_dirs(char ***ret)
{
        _cleanup_(strv_freep) char **dirs = NULL;
        int r;

        dirs = calloc(4, sizeof *dirs);
        if (!dirs)
                return -ENOMEM;
        dirs[0] = strdup("/usr/lib/conductor");
        if (!dirs[0])
                return -ENOMEM;
        dirs[1] = strdup("/etc/conductor");
        if (!dirs[1])
                return -ENOMEM;
        r = path_config_home(&dirs[2]);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(dirs);
        return 0;
}

int path_state(char **ret)
{
        return below("XDG_STATE_HOME", ".local/state", "conductor", ret);
}

int path_database(char **ret)
{
        return below("XDG_STATE_HOME", ".local/state", "conductor/conversations.db", ret);
}

int path_runtime_socket(char **ret)
{
        const char *base = absolute_variable("XDG_RUNTIME_DIR");
        char *path;

        if (!base)
                return -ENXIO;
        if (asprintf(&path, "%s/conductor/bus", base) < 0)
                return -ENOMEM;
        *ret = path;
        return 0;
}

/* Exactly this mode, whatever the umask is. */
static int make_folder(const char *path)
{
        if (mkdir(path, 0700) < 0)
                return errno == EEXIST ? 0 : -errno;
        return chmod(path, 0700) < 0 ? -errno : 0;
}

static int make_parents(char *path)
{
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                int r;

                *slash = 0;
                r = make_folder(path);
                *slash = '/';
                /* Above a folder that exists there may be ones where we may not write. */
                if (r < 0 && r != -EACCES && r != -EROFS && r != -EPERM)
                        return r;
        }
        return 0;
}

int mkdir_private(const char *path)
{
        _cleanup_free_ char *copy = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        assert(path && path[0] == '/');

        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        r = make_parents(copy);
        if (r < 0)
                return r;
        r = make_folder(path);
        if (r < 0)
                return r;

        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_uid != geteuid())
                return -EPERM;
        if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
                return -errno;
        return 0;
}
