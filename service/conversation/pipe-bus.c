/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* OpenStream and Export: text through a pipe, taken from where it is as fast as it is read. */

#include "service/bus/error.h"
#include "service/conversation/conversation-face.h"
#include "service/conversation/pipe-writer.h"
#include "service/conversation/reply-source.h"

/* Of both kinds: each has a descriptor, and up to REPLY_SOURCE_PIECE of a stored reply. */
#define PIPES_MAX 256U

struct BusPipe {
        ConversationFace *face;
        BusPipe *next, *previous;
        PipeWriter *writer;
        ReplySource *reply; /* one of the two */
        Export *export;
};

static BusPipe *bus_pipe_free(BusPipe *p)
{
        if (!p)
                return NULL;
        if (p->previous)
                p->previous->next = p->next;
        else
                p->face->pipes = p->next;
        if (p->next)
                p->next->previous = p->previous;
        p->face->n_pipes--;
        pipe_writer_free(p->writer);
        reply_source_free(p->reply);
        bus_export_free(p->face, p->export);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(BusPipe *, bus_pipe_free)

void pipes_free(ConversationFace *f)
{
        while (f->pipes)
                bus_pipe_free(f->pipes);
}

/* A connection that passes descriptors, or NotSupported. */
static int check_descriptors(sd_bus_message *m, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (sd_bus_can_send(sd_bus_message_get_bus(m), 'h') > 0)
                return 0;
        (void) failure_set(&failure, FAILURE_NOT_SUPPORTED,
                "This connection does not pass file descriptors; read with GetReply or "
                "ExportPart instead.");
        return bus_error_from_failure(error, &failure);
}

static int pipe_peek(const char **ret, size_t *ret_size, void *userdata)
{
        BusPipe *p = ASSERT_PTR(userdata);

        return p->reply ? reply_source_peek(p->reply, ret, ret_size)
                        : export_peek(p->export, ret, ret_size);
}

static void pipe_taken(size_t n, void *userdata)
{
        BusPipe *p = ASSERT_PTR(userdata);

        if (p->reply)
                reply_source_taken(p->reply, n);
        else
                export_taken(p->export, n);
}

static void pipe_closed(int error, void *userdata)
{
        bus_pipe_free(ASSERT_PTR(userdata));
}

static void pipe_wake(void *userdata)
{
        BusPipe *p = ASSERT_PTR(userdata);

        pipe_writer_wake(p->writer);
}

/* Whoever opens pipes and reads none of them would take all descriptors that there are. */
static int check_pipes(const ConversationFace *f, Failure *failure)
{
        if (f->n_pipes < PIPES_MAX)
                return 0;
        return failure_set(failure, FAILURE_BUSY,
                "%u replies and exports are not read to their end yet, which is the limit. Read or "
                "close one of them first.",
                f->n_pipes);
}

static int bus_pipe_new(ConversationFace *f, BusPipe **ret, int *ret_fd)
{
        static const PipeSource source = {
                .peek = pipe_peek,
                .taken = pipe_taken,
                .closed = pipe_closed,
        };
        _cleanup_(bus_pipe_freep) BusPipe *p = NULL;
        int r;

        p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        p->face = f;
        p->next = f->pipes;
        if (p->next)
                p->next->previous = p;
        f->pipes = p;
        f->n_pipes++;
        r = pipe_writer_new(&p->writer, f->manager->event, &source, p, ret_fd);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

/* ---- OpenStream ---- */

static int answer_live(sd_bus_message *m, ConversationFace *f, Reply *reply, sd_bus_error *error)
{
        _cleanup_(bus_pipe_freep) BusPipe *p = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (check_pipes(f, &failure) < 0)
                return bus_error_from_failure(error, &failure);
        r = bus_pipe_new(f, &p, &fd);
        if (r < 0)
                return bus_error_from_errno(error, r, "The pipe cannot be made");
        r = reply_source_new_live(&p->reply, reply, pipe_wake, p);
        if (r < 0)
                return r;
        r = sd_bus_reply_method_return(m, "h", fd);
        if (r < 0)
                return r;
        TAKE_PTR(p);
        return 1;
}

static int begin_stored(BusRead *read, const StoreText *text, int *ret_fd)
{
        _cleanup_(bus_pipe_freep) BusPipe *p = NULL;
        _cleanup_close_ int fd = -EBADF;
        ConversationFace *f = read->face;
        int r;

        r = bus_pipe_new(f, &p, &fd);
        if (r < 0)
                return r;
        r = reply_source_new_stored(
                &p->reply, f->manager->store, read->conversation, read->id, text, pipe_wake, p);
        if (r < 0)
                return r;
        TAKE_PTR(p);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* The first piece tells whether there is such a reply. */
static void on_first_piece(const Failure *failure, const StoreText *text, void *userdata)
{
        BusRead *read = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure f = FAILURE_NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (bus_read_failed(read, failure))
                return;
        /* Here, not with the call: others may have been opened meanwhile. */
        r = check_pipes(read->face, &f);
        if (r >= 0)
                r = begin_stored(read, text, &fd);
        if (r < 0) {
                if (!failure_is_set(&f))
                        (void) failure_set_errno(&f, r, "The pipe cannot be made");
                (void) bus_read_failed(read, &f);
                return;
        }
        (void) call_reply(read->call, "h", fd);
        bus_read_free(read);
}

int conversation_method_open_stream(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        BusRead *read;
        Reply *reply;
        uint64_t id;
        int r;

        r = sd_bus_message_read(m, "t", &id);
        if (r < 0)
                return r;
        r = check_descriptors(m, error);
        if (r < 0)
                return r;
        reply = conversation_find_reply(c, id);
        if (reply)
                return answer_live(m, manager->conversation_face, reply, error);

        r = bus_read_new(&read, manager, m, c, error);
        if (r != 0)
                return r;
        read->id = id;
        r = store_get_text(manager->store, read->conversation, id, CHANNEL_CONTENT, 0,
                REPLY_SOURCE_PIECE, on_first_piece, read, &read->slot);
        return bus_read_begun(read, r);
}

/* ---- Export ---- */

int conversation_method_export(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        ConversationFace *f = manager->conversation_face;
        _cleanup_(bus_pipe_freep) BusPipe *p = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *format;
        int r;

        r = sd_bus_message_read(m, "s", &format);
        if (r < 0)
                return r;
        r = check_descriptors(m, error);
        if (r < 0)
                return r;
        if (check_pipes(f, &failure) < 0)
                return bus_error_from_failure(error, &failure);
        r = bus_pipe_new(f, &p, &fd);
        if (r < 0)
                return bus_error_from_errno(error, r, "The pipe cannot be made");
        r = bus_export_new(f, c, format, pipe_wake, p, &p->export, error);
        if (r < 0)
                return r;
        r = sd_bus_reply_method_return(m, "h", fd);
        if (r < 0)
                return r;
        TAKE_PTR(p);
        return 1;
}
