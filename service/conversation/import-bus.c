/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Manager.Import: one conversation after another is read on the files' thread and stored. One call
 * after another too: a conversation is in memory whole. */

#include <fcntl.h>

#include "service/bus/append.h"
#include "service/bus/error.h"
#include "service/conversation/conversation-face.h"
#include "service/conversation/conversation-import.h"

struct BusImport {
        ConversationFace *face;
        BusImport *next, *previous;
        Call *call;
        sd_bus_message *answer; /* the paths so far */
        unsigned n_imported;
        bool begun;

        int fd; /* until the thread has taken it */
        Import *import;
        Imported imported;
        int result; /* of the last step */
        Failure failure;
};

static BusImport *bus_import_free(BusImport *i)
{
        if (!i)
                return NULL;
        if (i->previous)
                i->previous->next = i->next;
        else
                i->face->imports = i->next;
        if (i->next)
                i->next->previous = i->previous;
        sd_bus_message_unref(i->answer);
        import_free(i->import);
        imported_done(&i->imported);
        failure_done(&i->failure);
        safe_close(i->fd);
        free(i);
        return NULL;
}
DEFINE_CLEANUP(BusImport *, bus_import_free)

/* The thread has ended by then. */
void imports_free(ConversationFace *f)
{
        while (f->imports)
                bus_import_free(f->imports);
}

/* ---- one step: on the thread, then on the loop ---- */

static void run_step(void *data)
{
        BusImport *i = ASSERT_PTR(data);

        if (!i->import) {
                i->result = import_new(&i->import, i->fd, &i->failure);
                if (i->result < 0)
                        return;
                i->fd = -EBADF;
        }
        i->result = import_next(i->import, &i->imported, &i->failure);
        /* What was read of a line of 129 MiB takes long to be given back. */
        if (i->result <= 0)
                i->import = import_free(i->import);
}

/* What was stored before stays: whoever mends the file must know. */
static void answer_failure(BusImport *i, const Failure *failure)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;

        if (i->n_imported > 0) {
                (void) failure_set(&f, failure->code,
                        "%s The %u conversations before it were imported.",
                        failure_message(failure), i->n_imported);
                (void) call_fail(i->call, &f);
        } else
                (void) call_fail(i->call, failure);
}

static void imports_advance(ConversationFace *f);

static void import_end(BusImport *i)
{
        ConversationFace *f = i->face;

        bus_import_free(i);
        imports_advance(f);
}

static void fail(BusImport *i, const Failure *failure)
{
        answer_failure(i, failure);
        import_end(i);
}

static void fail_errno(BusImport *i, int error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        (void) failure_set_errno(&failure, error, "The import cannot go on");
        fail(i, &failure);
}

static void answer(BusImport *i)
{
        int r;

        r = sd_bus_message_close_container(i->answer);
        if (r < 0) {
                fail_errno(i, r);
                return;
        }
        (void) call_reply_message(i->call, i->answer);
        import_end(i);
}

static int submit_step(BusImport *i);

static void on_stored(const Failure *failure, Conversation *c, void *userdata)
{
        BusImport *i = ASSERT_PTR(userdata);
        int r;

        if (failure) {
                fail(i, failure);
                return;
        }
        i->n_imported++;
        r = sd_bus_message_append(i->answer, "o", conversation_path(c));
        if (r >= 0)
                r = submit_step(i);
        if (r < 0)
                fail_errno(i, r);
}

static void on_step(void *data)
{
        BusImport *i = ASSERT_PTR(data);
        Manager *m = i->face->manager;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        if (i->result < 0) {
                fail(i, &i->failure);
                return;
        }
        if (i->result == 0) {
                answer(i);
                return;
        }
        r = conversations_import(m->conversations, &i->imported, on_stored, i, &failure);
        if (r < 0)
                fail(i, &failure);
}

static int submit_step(BusImport *i)
{
        const WorkerJob job = { .run = run_step, .done = on_step, .data = i };
        Worker *worker;
        int r;

        r = conversation_face_files(i->face, &worker);
        if (r < 0)
                return r;
        return worker_submit(worker, &job);
}

/* ---- the line ---- */

static int import_begin(BusImport *i, Failure *failure)
{
        int r;

        i->begun = true;
        r = submit_step(i);
        return r < 0 ? failure_set_errno(failure, r, "The file cannot be read") : 0;
}

static void imports_advance(ConversationFace *f)
{
        for (BusImport *i; (i = f->imports) && !i->begun;) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;

                if (import_begin(i, &failure) >= 0)
                        return;
                answer_failure(i, &failure);
                bus_import_free(i);
        }
}

/* ---- the call ---- */

static int bus_import_new(BusImport **ret, ConversationFace *f, sd_bus_message *m, int fd)
{
        _cleanup_(bus_import_freep) BusImport *i = NULL;
        int r;

        i = calloc(1, sizeof *i);
        if (!i)
                return -ENOMEM;
        i->fd = -EBADF;
        i->face = f;
        if (!f->imports)
                f->imports = i;
        else {
                i->previous = f->imports;
                while (i->previous->next)
                        i->previous = i->previous->next;
                i->previous->next = i;
        }
        i->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (i->fd < 0)
                return -errno;
        r = bus_open_answer(m, "o", &i->answer);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}

int conversation_method_import(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_(bus_import_freep) BusImport *i = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int fd, r;

        r = sd_bus_message_read(m, "h", &fd);
        if (r < 0)
                return r;
        r = bus_import_new(&i, manager->conversation_face, m, fd);
        if (r < 0)
                return bus_error_from_errno(error, r, "The file cannot be taken");
        r = call_new(manager->doors, m, &i->call, error);
        if (r < 0)
                return r;
        if (i == manager->conversation_face->imports) {
                r = import_begin(i, &failure);
                if (r < 0)
                        return call_handed_over(i->call, r, &failure);
        }
        TAKE_PTR(i);
        return 1;
}
