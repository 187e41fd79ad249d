/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A disk whose power can be cut. What this process does to the files below a folder, by the C
 * library's functions, is taken down on a tape, whoever calls them: SQLite or the service. Played
 * back up to any moment, the tape tells what a disk may have kept then: all that was synced, and of
 * the rest whatever it likes, in any order, some sectors, halves of sectors; a file's name only
 * when its folder was synced. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macro.h"

typedef enum DiskOpKind {
        DISK_HAD, /* a file that was there */
        DISK_CREATE,
        DISK_MKDIR,
        DISK_WRITE,
        DISK_TRUNCATE,
        DISK_RENAME,
        DISK_UNLINK,
        DISK_SYNC,
        DISK_SYNC_FOLDER,
        DISK_MARK, /* the test's own word */
} DiskOpKind;

typedef struct DiskOp {
        DiskOpKind kind;
        unsigned file;  /* counted from 0, whatever its name */
        char *name;     /* below the folder, "" = itself */
        char *to;       /* renamed */
        char *data;     /* written, or had */
        size_t size;    /* of it, or of the file after it was cut off */
        uint64_t where; /* written there; or the mark */
} DiskOp;

typedef struct Tape {
        DiskOp *ops;
        size_t n;
        unsigned n_files;
} Tape;

Tape *tape_free(Tape *t);
DEFINE_CLEANUP(Tape *, tape_free)

/* One at a time. What is below the folder now is on the disk already. */
void disk_record(const char *folder);
void disk_mark(uint64_t mark);
Tape *disk_stop(void);
/* From now on nothing is taken for synced, as with PRAGMA synchronous = OFF: for a test of the
 * test. */
void disk_ignore_syncs(bool ignore);

typedef struct Disk Disk;

/* The tape must live as long. */
Disk *disk_new(const Tape *tape);
Disk *disk_free(Disk *d);
DEFINE_CLEANUP(Disk *, disk_free)
/* What happened next, which is from now on a part of what a cut comes after; NULL at the end. */
const DiskOp *disk_next(Disk *d);
/* Makes the folder, which is empty, as the disk has it after the cut. */
void disk_cut(const Disk *d, unsigned *seed, const char *folder);
