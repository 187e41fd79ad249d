/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/utf8.h"
#include "service/config/config-internal.h"

static const char suffix[] = ".conf";

static void file_done(ConfigFile *f)
{
        f->name = mfree(f->name);
        f->path = mfree(f->path);
}

void config_files_done(ConfigFiles *f)
{
        for (size_t i = 0; i < f->n; i++)
                file_done(f->files + i);
        f->files = mfree(f->files);
        f->n = 0;
}

static bool is_masked(const struct stat *st)
{
        return (S_ISREG(st->st_mode) && st->st_size == 0) ||
                (S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3));
}

static bool is_wanted(const char *name)
{
        size_t n = strlen(name);

        return name[0] != '.' && n >= sizeof suffix && streq(name + n - strlen(suffix), suffix) &&
                utf8_is_clean_line(name, n);
}

static int make_path(ConfigFile *f, const char *folder, const char *subfolder, const char *name)
{
        f->name = strdup(name);
        if (!f->name)
                return -ENOMEM;
        if (asprintf(&f->path, "%s/%s/%s", folder, subfolder, name) < 0) {
                f->path = NULL;
                return -ENOMEM;
        }
        return 0;
}

/* Takes the file over. 1 when there was no room for it. */
static int put(ConfigFiles *l, ConfigFile *f, size_t maximum)
{
        ConfigFile *files;

        for (size_t i = 0; i < l->n; i++)
                if (streq(l->files[i].name, f->name)) {
                        file_done(l->files + i);
                        l->files[i] = *f;
                        return 0;
                }
        if (l->n == maximum) {
                file_done(f);
                return 1;
        }
        files = realloc(l->files, (l->n + 1) * sizeof *files);
        if (!files) {
                file_done(f);
                return -ENOMEM;
        }
        l->files = files;
        l->files[l->n++] = *f;
        return 0;
}

/* 1 when there was no room for it. */
static int add_file(const char *folder, const char *subfolder, const char *name, size_t maximum,
        ConfigWarnings *warnings, ConfigFiles *l)
{
        ConfigFile f = { 0 };
        struct stat st;
        int r;

        r = make_path(&f, folder, subfolder, name);
        if (r >= 0 && stat(f.path, &st) < 0)
                r = config_note_unread(warnings, f.path, errno); /* reading it warns */
        else if (r >= 0)
                f.masked = is_masked(&st);
        if (r < 0) {
                file_done(&f);
                return r;
        }
        return put(l, &f, maximum);
}

static int warn_unread(ConfigWarnings *warnings, const char *path, int error)
{
        int r;

        r = config_note_unread(warnings, path, error);
        return r < 0 ? r : config_warn(warnings, path, 0, "Cannot be read: %s.", strerror(error));
}

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

static int list_folder(const char *folder, const char *subfolder, size_t maximum,
        ConfigWarnings *warnings, ConfigFiles *l)
{
        _cleanup_(closedirp) DIR *d = NULL;
        _cleanup_free_ char *path = NULL;
        bool full = false;
        struct stat st;
        int r;

        if (asprintf(&path, "%s/%s", folder, subfolder) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        d = opendir(path);
        if (!d) {
                if (errno == ENOENT || errno == ENOTDIR)
                        return 0;
                return warn_unread(warnings, path, errno);
        }
        if (fstat(dirfd(d), &st) >= 0 && st.st_mode & S_IWOTH)
                return config_warn(warnings, path, 0,
                        "Every user can put files there, ignoring it: run 'chmod o-w %s'.", path);

        for (;;) {
                struct dirent *entry;

                errno = 0;
                entry = readdir(d);
                if (!entry && errno > 0)
                        return warn_unread(warnings, path, errno);
                if (!entry)
                        break;
                if (!is_wanted(entry->d_name))
                        continue;
                r = add_file(folder, subfolder, entry->d_name, maximum, warnings, l);
                if (r < 0)
                        return r;
                full = full || r > 0;
        }
        if (full)
                return config_warn(warnings, path, 0,
                        "There are more than %zu files, some are ignored.", maximum);
        return 0;
}

static int compare(const void *a, const void *b)
{
        return strcmp(((const ConfigFile *) a)->name, ((const ConfigFile *) b)->name);
}

int config_list_files(char *const *folders, const char *subfolder, size_t maximum,
        ConfigWarnings *warnings, ConfigFiles *ret)
{
        _cleanup_(config_files_done) ConfigFiles l = { 0 };
        int r;

        for (char *const *folder = folders; *folder; folder++) {
                r = list_folder(*folder, subfolder, maximum, warnings, &l);
                if (r < 0)
                        return r;
        }
        if (l.n > 0)
                qsort(l.files, l.n, sizeof *l.files, compare);
        *ret = l;
        l = (ConfigFiles){ 0 };
        return 0;
}

int config_find_file(char *const *folders, const char *name, char **ret)
{
        _cleanup_free_ char *found = NULL;

        for (char *const *folder = folders; *folder; folder++) {
                _cleanup_free_ char *path = NULL;
                struct stat st;
                int r;

                if (asprintf(&path, "%s/%s", *folder, name) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                r = stat(path, &st) < 0 ? -errno : 0;
                if (r == -ENOENT || r == -ENOTDIR)
                        continue;
                /* One that cannot be looked at counts: reading it will say why. */
                free(found);
                found = r >= 0 && is_masked(&st) ? NULL : TAKE_PTR(path);
        }
        *ret = TAKE_PTR(found);
        return 0;
}
