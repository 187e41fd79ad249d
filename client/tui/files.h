/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files, for completion, attachments and exports, by a child process: a folder on a dead mount must
 * not freeze the screen. */

#include <systemd/sd-event.h>

#include "common/failure.h"

#define FILES_MAX      500U    /* names of one answer */
#define FILES_SIZE_MAX MIB(32) /* of a file to be opened: what the service takes */

/* Names are those in the folder that begin with the rest of the word, folders with a / at the end,
 * sorted; valid during the call. */
typedef void (*files_names_t)(const char *const *names, size_t n, void *userdata);
/* fd: of a regular file, open for reading, the callee's; -EBADF with a failure. */
typedef void (*files_open_t)(int fd, const Failure *failure, void *userdata);

/* failure: NULL when all of it is on the disk. */
typedef void (*files_written_t)(const Failure *failure, void *userdata);

typedef struct FilesJob FilesJob;

/* word: what was typed, "~/" understood. A job that is freed calls nobody, and its child is killed;
 * the callback, which is called once, may free it. */
int files_complete(
        sd_event *event, const char *word, files_names_t done, void *userdata, FilesJob **ret);
int files_open(
        sd_event *event, const char *path, files_open_t done, void *userdata, FilesJob **ret);
/* Makes a file, which must not be there, of what comes out of a pipe. A job that is freed goes on,
 * and tells nobody. */
int files_write(sd_event *event, const char *path, int input, files_written_t done, void *userdata,
        FilesJob **ret);
FilesJob *files_job_free(FilesJob *j);
DEFINE_CLEANUP(FilesJob *, files_job_free)
