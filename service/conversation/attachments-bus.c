/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The option `attachments` of Send and Ask: descriptors out of a message, read on the files' thread
 * before the question is sent. */

#include <fcntl.h>

#include "common/attachment-memory.h"
#include "service/bus/error.h"
#include "service/conversation/attachment.h"
#include "service/conversation/conversation-face.h"

typedef struct AttachmentFile {
        char *name;
        int fd;
} AttachmentFile;

struct BusAttachments {
        AttachmentFile files[CONVERSATION_ATTACHMENTS_MAX];
        size_t n_files;
        StoreAttachment attachments[CONVERSATION_ATTACHMENTS_MAX]; /* what was read */
        size_t n_attachments;
        size_t counted;  /* of their memory */
        Failure failure; /* set on the thread */

        bool loading; /* the thread has it: */
        bool orphan;  /* it is freed when the thread is done */
        bus_attachments_done_t done;
        void *userdata;
};

BusAttachments *bus_attachments_free(BusAttachments *a)
{
        if (!a)
                return NULL;
        if (a->loading) {
                a->orphan = true;
                return NULL;
        }
        for (size_t i = 0; i < a->n_files; i++) {
                free(a->files[i].name);
                safe_close(a->files[i].fd);
        }
        for (size_t i = 0; i < a->n_attachments; i++) {
                free(a->attachments[i].name);
                free(a->attachments[i].type);
                free(a->attachments[i].data);
                attachment_memory_give(a->attachments[i].counted);
        }
        failure_done(&a->failure);
        free(a);
        return NULL;
}
DEFINE_CLEANUP(BusAttachments *, bus_attachments_free)

/* ---- out of the message ---- */

static int parse_file(sd_bus_message *m, BusAttachments *a, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        AttachmentFile file;
        const char *name;
        int fd, r;

        r = sd_bus_message_read(m, "(sh)", &name, &fd);
        if (r <= 0)
                return r;
        if (a->n_files >= CONVERSATION_ATTACHMENTS_MAX) {
                (void) failure_set(&failure, FAILURE_TOO_LARGE,
                        "A message has at most %u attachments.", CONVERSATION_ATTACHMENTS_MAX);
                return bus_error_from_failure(error, &failure);
        }
        if (attachment_check_name(name, &failure) < 0)
                return bus_error_from_failure(error, &failure);
        file.name = strdup(name);
        if (!file.name)
                return -ENOMEM;
        file.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (file.fd < 0) {
                r = -errno;
                free(file.name);
                return bus_error_from_errno(error, r, "The attachment cannot be taken");
        }
        a->files[a->n_files++] = file;
        return 1;
}

int bus_attachments_parse(sd_bus_message *m, void *value, sd_bus_error *error)
{
        _cleanup_(bus_attachments_freep) BusAttachments *a = NULL;
        BusAttachments **ret = ASSERT_PTR(value);
        int r;

        a = calloc(1, sizeof *a);
        if (!a)
                return -ENOMEM;
        r = sd_bus_message_enter_container(m, 'a', "(sh)");
        if (r < 0)
                return r;
        do
                r = parse_file(m, a, error);
        while (r > 0);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

/* ---- off the loop ---- */

static void run(void *data)
{
        BusAttachments *a = ASSERT_PTR(data);

        for (; a->n_attachments < a->n_files; a->n_attachments++) {
                const AttachmentFile *file = &a->files[a->n_attachments];

                if (attachment_read(file->fd, file->name, CONVERSATION_ATTACHMENT_MAX, &a->counted,
                            &a->attachments[a->n_attachments], &a->failure) < 0)
                        return;
        }
}

static void on_run(void *data)
{
        BusAttachments *a = ASSERT_PTR(data);

        a->loading = false;
        if (a->orphan)
                bus_attachments_free(a);
        else
                a->done(failure_is_set(&a->failure) ? &a->failure : NULL, a->userdata);
}

/* The owner frees it, or has done so already. */
static void discard(void *data)
{
        BusAttachments *a = ASSERT_PTR(data);

        a->loading = false;
        if (a->orphan)
                bus_attachments_free(a);
}

int bus_attachments_load(
        BusAttachments *a, ConversationFace *f, bus_attachments_done_t done, void *userdata)
{
        const WorkerJob job = { .run = run, .done = on_run, .discard = discard, .data = a };
        Worker *worker;
        int r;

        r = conversation_face_files(f, &worker);
        if (r < 0)
                return r;
        a->done = done;
        a->userdata = userdata;
        r = worker_submit(worker, &job);
        if (r < 0)
                return r;
        a->loading = true;
        return 0;
}

int bus_attachments_take(BusAttachments *a, StoreAttachment **ret, size_t *ret_n)
{
        StoreAttachment *taken = NULL;
        size_t n = a ? a->n_attachments : 0;

        if (n > 0) {
                taken = calloc(n, sizeof *taken);
                if (!taken)
                        return -ENOMEM;
                memcpy(taken, a->attachments, n * sizeof *taken);
                a->n_attachments = 0;
        }
        *ret = taken;
        *ret_n = n;
        return 0;
}
