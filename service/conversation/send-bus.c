/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Send, with its attachments: these are read on the files' thread before the message is sent. */

#include <fcntl.h>

#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/conversation/attachment.h"
#include "service/conversation/conversation-face.h"

typedef struct SendFile {
        const char *name; /* borrowed from the message */
        int fd;
} SendFile;

/* A Send whose files are being read. The call keeps its message, and with it all strings. */
typedef struct SendJob {
        Manager *manager;
        Call *call;
        uint64_t conversation;
        const char *text;
        SendOptions options;
        SendFile files[CONVERSATION_ATTACHMENTS_MAX];
        size_t n_files;
        Failure failure; /* set on the thread */
} SendJob;

static SendJob *send_job_free(SendJob *j)
{
        if (!j)
                return NULL;
        for (size_t i = 0; i < j->n_files; i++)
                safe_close(j->files[i].fd);
        store_attachments_free(j->options.attachments, j->options.n_attachments);
        failure_done(&j->failure);
        free(j);
        return NULL;
}
DEFINE_CLEANUP(SendJob *, send_job_free)

static void answer_ids(const Failure *failure, uint64_t message, uint64_t reply, void *userdata)
{
        Call *call = ASSERT_PTR(userdata);

        if (failure)
                (void) call_fail(call, failure);
        else
                (void) call_reply(call, "tt", message, reply);
}

/* ---- on the files' thread ---- */

static void run_send_job(void *data)
{
        SendJob *j = ASSERT_PTR(data);
        SendOptions *o = &j->options;

        o->attachments = calloc(j->n_files, sizeof *o->attachments);
        if (!o->attachments) {
                (void) failure_set(&j->failure, FAILURE_NO_MEMORY, NULL);
                return;
        }
        for (; o->n_attachments < j->n_files; o->n_attachments++) {
                const SendFile *file = &j->files[o->n_attachments];

                if (attachment_read(file->fd, file->name, CONVERSATION_ATTACHMENT_MAX,
                            &o->attachments[o->n_attachments], &j->failure) < 0)
                        return;
        }
}

/* ---- on the loop ---- */

static void on_files_read(void *data)
{
        _cleanup_(send_job_freep) SendJob *j = ASSERT_PTR(data);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        SendOptions options = j->options;
        Conversation *c;
        int r;

        if (failure_is_set(&j->failure)) {
                (void) call_fail(j->call, &j->failure);
                return;
        }
        c = conversations_find_number(j->manager->conversations, j->conversation);
        if (!c || conversation_deleted(c) > 0) {
                (void) failure_set(&failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
                (void) call_fail(j->call, &failure);
                return;
        }
        j->options.attachments = NULL; /* taken over */
        j->options.n_attachments = 0;
        r = conversation_send(c, j->text, &options, answer_ids, j->call, &failure);
        (void) conversation_handed_over(r, j->call, &failure);
}

static void discard_send_job(void *data)
{
        send_job_free(data);
}

static int read_file(sd_bus_message *m, SendJob *j, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const char *name;
        int fd, r;

        r = sd_bus_message_read(m, "(sh)", &name, &fd);
        if (r <= 0)
                return r;
        if (j->n_files >= CONVERSATION_ATTACHMENTS_MAX) {
                (void) failure_set(&failure, FAILURE_TOO_LARGE,
                        "A message has at most %u attachments.", CONVERSATION_ATTACHMENTS_MAX);
                return bus_error_from_failure(error, &failure);
        }
        if (!attachment_name_is_valid(name))
                return bus_error_invalid(error,
                        "An attachment's name has 1 to %u bytes, no '/' and no control characters.",
                        ATTACHMENT_NAME_MAX);
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        j->files[j->n_files++] = (SendFile){ .name = name, .fd = fd };
        return 1;
}

static int parse_attachments(sd_bus_message *m, void *value, sd_bus_error *error)
{
        SendJob *j = ASSERT_PTR(value);
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(sh)");
        if (r < 0)
                return r;
        do
                r = read_file(m, j, error);
        while (r > 0);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

static int read_send(sd_bus_message *m, SendJob *j, sd_bus_error *error)
{
        SendOptions *o = &j->options;
        const BusOption options[] = {
                { "model", "s", &o->model },
                { "parent", "t", &o->parent, &o->parent_given },
                { "attachments", "a(sh)", j, NULL, parse_attachments },
                { "queue", "b", &o->queue },
                { "token", "s", &o->token },
        };
        int r;

        r = sd_bus_message_read(m, "s", &j->text);
        if (r < 0)
                return r;
        return bus_read_options(m, options, ELEMENTSOF(options), error);
}

/* The job is the thread's when this succeeds. */
static int submit_send_job(SendJob *j)
{
        const WorkerJob job = {
                .run = run_send_job,
                .done = on_files_read,
                .discard = discard_send_job,
                .data = j,
        };
        Worker *worker;
        int r;

        r = conversation_face_files(j->manager->conversation_face, &worker);
        if (r < 0)
                return r;
        return worker_submit(worker, &job);
}

int conversation_method_send(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(send_job_freep) SendJob *j = NULL;
        int r;

        j = calloc(1, sizeof *j);
        if (!j)
                return -ENOMEM;
        j->manager = manager;
        j->conversation = conversation_number(c);
        r = read_send(m, j, error);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &j->call, error);
        if (r < 0)
                return r;

        if (j->n_files == 0) {
                r = conversation_send(c, j->text, &j->options, answer_ids, j->call, &failure);
                return conversation_handed_over(r, j->call, &failure);
        }
        r = submit_send_job(j);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The attachments cannot be read");
                return conversation_handed_over(r, j->call, &failure);
        }
        TAKE_PTR(j);
        return 1;
}
