/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/crash/disk.h"

#define SECTOR    512U
#define NAMES_MAX 64U

/* What a disk keeps of that which was not synced. */
typedef enum Keeps {
        KEEPS_NOTHING,
        KEEPS_ALL,
        KEEPS_BEGINNING, /* what happened first, of all files and folders, as a journal would */
        KEEPS_ANY,       /* any sector, any half of one, any name */
        _KEEPS_MAX,
} Keeps;

typedef struct Bytes {
        char *data;
        size_t size;
} Bytes;

typedef struct Names {
        struct {
                const char *name;
                unsigned file; /* UINT32_MAX = a folder */
        } names[NAMES_MAX];
        size_t n;
} Names;

typedef struct Pending {
        const DiskOp **ops;
        size_t n;
} Pending;

struct Disk {
        const Tape *tape;
        size_t at;
        Bytes *files;    /* what is safe of each */
        Names names;     /* that are safe */
        Pending pending; /* all else */
};

static void *must(void *allocated)
{
        if (!allocated)
                abort();
        return allocated;
}

static unsigned pick(unsigned *seed, size_t n)
{
        return (unsigned) rand_r(seed) % (unsigned) MAX(n, (size_t) 1);
}

Disk *disk_new(const Tape *tape)
{
        Disk *d = must(calloc(1, sizeof *d));

        d->tape = tape;
        d->files = must(calloc(MAX(tape->n_files, 1U), sizeof *d->files));
        return d;
}

Disk *disk_free(Disk *d)
{
        if (!d)
                return NULL;
        for (unsigned i = 0; i < d->tape->n_files; i++)
                free(d->files[i].data);
        free(d->files);
        free(d->pending.ops);
        return mfree(d);
}

/* ---- files ---- */

static void resize(Bytes *b, size_t size)
{
        b->data = must(realloc(b->data, size + 1));
        if (size > b->size)
                memset(b->data + b->size, 0, size - b->size);
        b->size = size;
}

static void put(Bytes *b, const DiskOp *op, size_t from, size_t to)
{
        if (from == to)
                return;
        if (op->where + to > b->size)
                resize(b, op->where + to);
        memcpy(b->data + op->where + from, op->data + from, to - from);
}

static void change(Bytes *b, const DiskOp *op)
{
        if (op->kind == DISK_TRUNCATE)
                resize(b, op->size);
        else
                put(b, op, 0, op->size);
}

/* Any sectors of what was written, and of some only the first half. */
static void change_torn(Bytes *b, const DiskOp *op, unsigned *seed)
{
        if (op->kind == DISK_TRUNCATE) {
                if (pick(seed, 2))
                        resize(b, op->size);
                return;
        }
        for (size_t from = 0, to; from < op->size; from = to) {
                to = MIN(from + SECTOR - (op->where + from) % SECTOR, op->size);
                if (pick(seed, 2))
                        put(b, op, from, pick(seed, 8) ? to : from + (to - from) / 2);
        }
}

static bool is_of_file(const DiskOp *op)
{
        return op->kind == DISK_WRITE || op->kind == DISK_TRUNCATE;
}

/* ---- names ---- */

static size_t find_name(const Names *names, const char *name)
{
        size_t i = 0;

        while (i < names->n && !streq(names->names[i].name, name))
                i++;
        return i;
}

static void set_name(Names *names, const char *name, unsigned file)
{
        size_t i = find_name(names, name);

        if (i == names->n && names->n++ == NAMES_MAX)
                abort();
        names->names[i].name = name;
        names->names[i].file = file;
}

static void drop_name(Names *names, const char *name)
{
        size_t i = find_name(names, name);

        if (i < names->n)
                names->names[i] = names->names[--names->n];
}

static void change_names(Names *names, const DiskOp *op)
{
        size_t i;

        switch (op->kind) {
        case DISK_HAD:
        case DISK_CREATE:
                set_name(names, op->name, op->file);
                break;
        case DISK_MKDIR:
                set_name(names, op->name, UINT32_MAX);
                break;
        case DISK_UNLINK:
                drop_name(names, op->name);
                break;
        case DISK_RENAME:
                i = find_name(names, op->name);
                if (i == names->n)
                        break;
                set_name(names, op->to, names->names[i].file);
                drop_name(names, op->name);
                break;
        case DISK_WRITE:
        case DISK_TRUNCATE:
        case DISK_SYNC:
        case DISK_SYNC_FOLDER:
        case DISK_MARK:
                break;
        }
}

static bool is_in(const char *name, const char *folder)
{
        const char *rest = *folder ? startswith(name, folder) : name;

        if (!rest || (*folder && *rest++ != '/'))
                return false;
        return !strchr(rest, '/');
}

/* ---- playing ---- */

/* What is safe now does not wait any more. */
static void settle(Disk *d, const DiskOp *sync)
{
        size_t left = 0;

        for (size_t i = 0; i < d->pending.n; i++) {
                const DiskOp *op = d->pending.ops[i];

                if (sync->kind == DISK_SYNC && is_of_file(op) && op->file == sync->file)
                        change(&d->files[op->file], op);
                else if (sync->kind == DISK_SYNC_FOLDER && !is_of_file(op) &&
                        is_in(op->name, sync->name))
                        change_names(&d->names, op);
                else
                        d->pending.ops[left++] = op;
        }
        d->pending.n = left;
}

static void postpone(Pending *p, const DiskOp *op)
{
        if ((p->n & (p->n - 1)) == 0)
                p->ops = must(reallocarray(p->ops, MAX(2 * p->n, (size_t) 1), sizeof(DiskOp *)));
        p->ops[p->n++] = op;
}

const DiskOp *disk_next(Disk *d)
{
        const DiskOp *op;

        if (d->at == d->tape->n)
                return NULL;
        op = &d->tape->ops[d->at++];
        switch (op->kind) {
        case DISK_HAD:
                change_names(&d->names, op);
                if (op->file != UINT32_MAX)
                        put(&d->files[op->file], op, 0, op->size);
                break;
        case DISK_CREATE:
        case DISK_MKDIR:
        case DISK_WRITE:
        case DISK_TRUNCATE:
        case DISK_RENAME:
        case DISK_UNLINK:
                postpone(&d->pending, op);
                break;
        case DISK_SYNC:
        case DISK_SYNC_FOLDER:
                settle(d, op);
                break;
        case DISK_MARK:
                break;
        }
        return op;
}

/* ---- the cut ---- */

static void write_file(const char *path, const Bytes *b)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || (b->size > 0 && write(fd, b->data, b->size) != (ssize_t) b->size))
                abort();
        (void) close(fd);
}

/* A file whose folder is lost is lost. */
static void write_names(const Names *names, const Bytes *files, bool folders, const char *folder)
{
        char path[512];

        for (size_t i = 0; i < names->n; i++) {
                const char *name = names->names[i].name, *slash = strrchr(name, '/');
                char *parent = must(strndup(name, slash ? (size_t) (slash - name) : 0));
                bool is_lost = slash && find_name(names, parent) == names->n;

                free(parent);
                if (is_lost || folders != (names->names[i].file == UINT32_MAX))
                        continue;
                (void) snprintf(path, sizeof path, "%s/%s", folder, name);
                if (!folders)
                        write_file(path, &files[names->names[i].file]);
                else if (mkdir(path, 0700) < 0)
                        abort();
        }
}

static void keep(Keeps keeps, const DiskOp *op, Names *names, Bytes *files, unsigned *seed)
{
        if (is_of_file(op) && keeps == KEEPS_ANY)
                change_torn(&files[op->file], op, seed);
        else if (is_of_file(op))
                change(&files[op->file], op);
        else if (keeps != KEEPS_ANY || pick(seed, 2))
                change_names(names, op);
}

void disk_cut(const Disk *d, unsigned *seed, const char *folder)
{
        Keeps keeps = (Keeps) pick(seed, _KEEPS_MAX);
        Bytes *files = must(calloc(MAX(d->tape->n_files, 1U), sizeof *files));
        size_t n = d->pending.n;
        Names names = d->names;

        for (unsigned i = 0; i < d->tape->n_files; i++) {
                resize(&files[i], d->files[i].size);
                if (files[i].size > 0)
                        memcpy(files[i].data, d->files[i].data, files[i].size);
        }
        if (keeps == KEEPS_NOTHING)
                n = 0;
        else if (keeps == KEEPS_BEGINNING)
                n = pick(seed, n + 1);
        for (size_t i = 0; i < n; i++)
                keep(keeps, d->pending.ops[i], &names, files, seed);

        write_names(&names, files, /* folders= */ true, folder);
        write_names(&names, files, /* folders= */ false, folder);
        for (unsigned i = 0; i < d->tape->n_files; i++)
                free(files[i].data);
        free(files);
}
