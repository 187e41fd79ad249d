/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/crash/disk.h"

#define FDS_MAX   1024
#define NO_FILE   UINT32_MAX
#define OPS_MAX   ((size_t) 1 << 20)
#define NAMES_MAX 64U

/* A name and the file that it means now. */
typedef struct Name {
        char *name;
        unsigned file;
} Name;

static struct {
        pthread_mutex_t mutex; /* the store has threads */
        char *folder;          /* NULL = nothing is taken down */
        Tape *tape;
        Name names[NAMES_MAX];
        size_t n_names;
        unsigned files[FDS_MAX]; /* of a descriptor: file + 1, 0 = none of ours */
        char *folders[FDS_MAX];  /* of a descriptor: the folder's name */
        bool ignore_syncs;
} recorder = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* The functions in whose place ours are, by their names in the library. */
static int (*real_open)(const char *, int, ...);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t), (*real_fsync)(int), (*real_fdatasync)(int),
        (*real_close)(int), (*real_unlink)(const char *), (*real_mkdir)(const char *, mode_t),
        (*real_rename)(const char *, const char *);

__attribute__((constructor)) static void find_real(void)
{
        *(void **) &real_open = dlsym(RTLD_NEXT, "open64");
        *(void **) &real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
        *(void **) &real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
        *(void **) &real_fsync = dlsym(RTLD_NEXT, "fsync");
        *(void **) &real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
        *(void **) &real_close = dlsym(RTLD_NEXT, "close");
        *(void **) &real_unlink = dlsym(RTLD_NEXT, "unlink");
        *(void **) &real_mkdir = dlsym(RTLD_NEXT, "mkdir");
        *(void **) &real_rename = dlsym(RTLD_NEXT, "rename");
}

/* ---- the tape ---- */

Tape *tape_free(Tape *t)
{
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n; i++) {
                free(t->ops[i].name);
                free(t->ops[i].to);
                free(t->ops[i].data);
        }
        free(t->ops);
        return mfree(t);
}

static void *must(void *allocated)
{
        if (!allocated)
                abort();
        return allocated;
}

static void take_down(DiskOp op)
{
        Tape *t = recorder.tape;

        if (t->n == OPS_MAX)
                abort();
        if ((t->n & (t->n - 1)) == 0)
                t->ops = must(reallocarray(t->ops, MAX(2 * t->n, (size_t) 1), sizeof *t->ops));
        t->ops[t->n++] = op;
}

static void take_down_name(DiskOpKind kind, const char *name, unsigned file)
{
        take_down((DiskOp){ .kind = kind, .name = must(strdup(name)), .file = file });
}

/* ---- names ---- */

/* What SQLite shares between processes is made anew after a cut. */
static bool is_shared(const char *name)
{
        size_t size = strlen(name);

        return size > 4 && streq(name + size - 4, "-shm");
}

/* The name below the folder, or NULL. */
static const char *below(const char *path)
{
        const char *rest;

        if (!recorder.folder)
                return NULL;
        rest = startswith(path, recorder.folder);
        if (!rest || (*rest && *rest != '/'))
                return NULL;
        rest += strspn(rest, "/");
        return is_shared(rest) ? NULL : rest;
}

static Name *find_name(const char *name)
{
        for (size_t i = 0; i < recorder.n_names; i++)
                if (streq(recorder.names[i].name, name))
                        return &recorder.names[i];
        return NULL;
}

static void forget_name(const char *name)
{
        Name *found = find_name(name);

        if (!found)
                return;
        free(found->name);
        *found = recorder.names[--recorder.n_names];
}

static unsigned new_file(const char *name)
{
        if (recorder.n_names == NAMES_MAX)
                abort();
        recorder.names[recorder.n_names++] = (Name){ must(strdup(name)), recorder.tape->n_files };
        return recorder.tape->n_files++;
}

/* ---- in place of the library's functions ---- */

#define IN_PLACE_OF(name) __asm__(name) __attribute__((visibility("default"), used))

int disk_open(const char *path, int flags, ...) IN_PLACE_OF("open64");
int disk_close(int fd) IN_PLACE_OF("close");
ssize_t disk_pwrite(int fd, const void *data, size_t size, off64_t offset) IN_PLACE_OF("pwrite64");
int disk_ftruncate(int fd, off64_t size) IN_PLACE_OF("ftruncate64");
int disk_fsync(int fd) IN_PLACE_OF("fsync");
int disk_fdatasync(int fd) IN_PLACE_OF("fdatasync");
int disk_unlink(const char *path) IN_PLACE_OF("unlink");
int disk_mkdir(const char *path, mode_t mode) IN_PLACE_OF("mkdir");
int disk_rename(const char *from, const char *to) IN_PLACE_OF("rename");

static void opened(int fd, const char *name, int flags)
{
        const Name *known = find_name(name);
        struct stat st;

        if (fd >= FDS_MAX || fstat(fd, &st) < 0)
                abort();
        if (S_ISDIR(st.st_mode)) {
                recorder.folders[fd] = must(strdup(name));
                return;
        }
        if (known) {
                recorder.files[fd] = known->file + 1;
                return;
        }
        if (!(flags & O_CREAT))
                abort();
        recorder.files[fd] = new_file(name) + 1;
        take_down_name(DISK_CREATE, name, recorder.files[fd] - 1);
}

int disk_open(const char *path, int flags, ...)
{
        const char *name;
        mode_t mode = 0;
        va_list ap;
        int fd;

        va_start(ap, flags);
        if (flags & O_CREAT)
                mode = va_arg(ap, mode_t);
        va_end(ap);

        (void) pthread_mutex_lock(&recorder.mutex);
        fd = real_open(path, flags, mode);
        name = below(path);
        if (fd >= 0 && name)
                opened(fd, name, flags);
        (void) pthread_mutex_unlock(&recorder.mutex);
        return fd;
}

int disk_close(int fd)
{
        (void) pthread_mutex_lock(&recorder.mutex);
        if (fd >= 0 && fd < FDS_MAX) {
                recorder.files[fd] = 0;
                recorder.folders[fd] = mfree(recorder.folders[fd]);
        }
        (void) pthread_mutex_unlock(&recorder.mutex);
        return real_close(fd);
}

static bool is_file(int fd)
{
        return recorder.folder && fd >= 0 && fd < FDS_MAX && recorder.files[fd] > 0;
}

ssize_t disk_pwrite(int fd, const void *data, size_t size, off64_t offset)
{
        ssize_t n;

        (void) pthread_mutex_lock(&recorder.mutex);
        n = real_pwrite(fd, data, size, offset);
        if (n > 0 && is_file(fd)) {
                char *copy = must(malloc((size_t) n));

                memcpy(copy, data, (size_t) n);
                take_down((DiskOp){ .kind = DISK_WRITE,
                        .file = recorder.files[fd] - 1,
                        .data = copy,
                        .size = (size_t) n,
                        .where = (uint64_t) offset });
        }
        (void) pthread_mutex_unlock(&recorder.mutex);
        return n;
}

int disk_ftruncate(int fd, off64_t size)
{
        int r;

        (void) pthread_mutex_lock(&recorder.mutex);
        r = real_ftruncate(fd, size);
        if (r >= 0 && is_file(fd))
                take_down((DiskOp){ .kind = DISK_TRUNCATE,
                        .file = recorder.files[fd] - 1,
                        .size = (size_t) size });
        (void) pthread_mutex_unlock(&recorder.mutex);
        return r;
}

static int synced(int fd, int (*real)(int))
{
        (void) pthread_mutex_lock(&recorder.mutex);
        if (!recorder.ignore_syncs && is_file(fd))
                take_down((DiskOp){ .kind = DISK_SYNC, .file = recorder.files[fd] - 1 });
        else if (!recorder.ignore_syncs && recorder.folder && fd >= 0 && fd < FDS_MAX &&
                recorder.folders[fd])
                take_down_name(DISK_SYNC_FOLDER, recorder.folders[fd], NO_FILE);
        (void) pthread_mutex_unlock(&recorder.mutex);
        return real(fd);
}

int disk_fsync(int fd)
{
        return synced(fd, real_fsync);
}

int disk_fdatasync(int fd)
{
        return synced(fd, real_fdatasync);
}

int disk_unlink(const char *path)
{
        const char *name;
        int r;

        (void) pthread_mutex_lock(&recorder.mutex);
        r = real_unlink(path);
        name = below(path);
        if (r >= 0 && name) {
                take_down_name(DISK_UNLINK, name, NO_FILE);
                forget_name(name);
        }
        (void) pthread_mutex_unlock(&recorder.mutex);
        return r;
}

int disk_mkdir(const char *path, mode_t mode)
{
        const char *name;
        int r;

        /* A sanitizer makes the folders of its reports before any constructor runs, and has no
         * mutex yet. */
        if (!recorder.folder) {
                if (!real_mkdir)
                        find_real();
                return real_mkdir(path, mode);
        }
        (void) pthread_mutex_lock(&recorder.mutex);
        r = real_mkdir(path, mode);
        name = below(path);
        if (r >= 0 && name)
                take_down_name(DISK_MKDIR, name, NO_FILE);
        (void) pthread_mutex_unlock(&recorder.mutex);
        return r;
}

int disk_rename(const char *from, const char *to)
{
        const char *a, *b;
        int r;

        (void) pthread_mutex_lock(&recorder.mutex);
        r = real_rename(from, to);
        a = below(from);
        b = below(to);
        if (r >= 0 && a && b) {
                Name *name;

                take_down((DiskOp){ .kind = DISK_RENAME,
                        .file = NO_FILE,
                        .name = must(strdup(a)),
                        .to = must(strdup(b)) });
                forget_name(b);
                name = find_name(a);
                if (!name)
                        abort();
                free(name->name);
                name->name = must(strdup(b));
        }
        (void) pthread_mutex_unlock(&recorder.mutex);
        return r;
}

/* ---- recording ---- */

static void had(const char *name, const char *path)
{
        DiskOp op = { .kind = DISK_HAD, .name = must(strdup(name)) };
        int fd = real_open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                abort();
        op.size = (size_t) st.st_size;
        op.data = must(malloc(op.size + 1));
        if (read(fd, op.data, op.size) != (ssize_t) op.size)
                abort();
        (void) real_close(fd);
        op.file = new_file(name);
        take_down(op);
}

static void had_all(const char *name)
{
        char path[1024], inner[512];
        const struct dirent *e;
        struct stat st;
        DIR *d;

        (void) snprintf(path, sizeof path, "%s/%s", recorder.folder, name);
        d = must(opendir(path));
        while ((e = readdir(d))) {
                if (e->d_name[0] == '.' || is_shared(e->d_name))
                        continue;
                (void) snprintf(inner, sizeof inner, "%s%s%s", name, *name ? "/" : "", e->d_name);
                (void) snprintf(path, sizeof path, "%s/%s", recorder.folder, inner);
                if (lstat(path, &st) < 0)
                        abort();
                if (S_ISDIR(st.st_mode)) {
                        take_down((DiskOp){
                                .kind = DISK_HAD, .file = NO_FILE, .name = must(strdup(inner)) });
                        had_all(inner);
                } else
                        had(inner, path);
        }
        (void) closedir(d);
}

void disk_record(const char *folder)
{
        (void) pthread_mutex_lock(&recorder.mutex);
        recorder.tape = must(calloc(1, sizeof *recorder.tape));
        recorder.folder = must(strdup(folder));
        had_all("");
        (void) pthread_mutex_unlock(&recorder.mutex);
}

void disk_mark(uint64_t mark)
{
        (void) pthread_mutex_lock(&recorder.mutex);
        if (recorder.folder)
                take_down((DiskOp){ .kind = DISK_MARK, .file = NO_FILE, .where = mark });
        (void) pthread_mutex_unlock(&recorder.mutex);
}

Tape *disk_stop(void)
{
        Tape *tape;

        (void) pthread_mutex_lock(&recorder.mutex);
        tape = TAKE_PTR(recorder.tape);
        recorder.folder = mfree(recorder.folder);
        while (recorder.n_names > 0)
                free(recorder.names[--recorder.n_names].name);
        (void) pthread_mutex_unlock(&recorder.mutex);
        return tape;
}

void disk_ignore_syncs(bool ignore)
{
        recorder.ignore_syncs = ignore;
}
