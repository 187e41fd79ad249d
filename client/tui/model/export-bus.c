/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A conversation as a file, part by part, into a socket that another process reads as a pipe. Not
 * through a pipe of the service's, whose end looks alike when the service is gone in the middle;
 * and descriptors do not pass by ssh. */

#include <sys/socket.h>

#include "client/tui/model/mirror-internal.h"
#include "common/event-util.h"

struct MirrorExport {
        MirrorExport *next, **previous;
        Mirror *mirror;
        mirror_pipe_t done;
        void *userdata;
        char *format;
        ConversationPath path;
        uint64_t part; /* which is asked for next; 0: that was all */
        int fd;        /* -EBADF: nobody has the other end yet, or nobody wants more */
        bool given;    /* somebody has, or had it */
        char *data;    /* of a part; what is not yet sent: */
        size_t at, size;
        sd_event_source *room;
};

static MirrorExport *export_free(MirrorExport *e)
{
        if (!e)
                return NULL;
        if (e->previous) {
                *e->previous = e->next;
                if (e->next)
                        e->next->previous = e->previous;
        }
        sd_event_source_disable_unref(e->room);
        safe_close(e->fd);
        free(e->format);
        free(e->data);
        return mfree(e);
}
DEFINE_CLEANUP(MirrorExport *, export_free)

void exports_free(Mirror *m)
{
        while (m->exports)
                export_free(m->exports);
}

/* Told before the end of the socket is seen. Who closed the other end is not told. */
static void export_end(MirrorExport *e, const Failure *failure)
{
        if (failure && (!e->given || e->fd >= 0))
                e->done(failure, -EBADF, e->userdata);
        export_free(e);
}

static void export_break(MirrorExport *e, int error, const char *what)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        (void) failure_set_errno(&failure, error, "%s", what);
        export_end(e, &failure);
}

static int on_part(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure);

static int export_ask(MirrorExport *e)
{
        if (!e->mirror->up)
                return -ENOTCONN;
        return mirror_call_with(e->mirror, e->path, INTERFACE_CONVERSATION, "ExportPart",
                &(MirrorCall){ .answer = on_part, .userdata = e }, "st", e->format, e->part);
}

/* Who reads no more is no reason to leave the rest in the service: it counts those. */
static int send_part(MirrorExport *e)
{
        while (e->at < e->size && e->fd >= 0) {
                ssize_t n = send(
                        e->fd, e->data + e->at, e->size - e->at, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n >= 0)
                        e->at += (size_t) n;
                else if (errno == EAGAIN)
                        return sd_event_source_set_enabled(e->room, SD_EVENT_ONESHOT);
                else {
                        e->room = sd_event_source_disable_unref(e->room);
                        e->fd = safe_close(e->fd);
                }
        }
        e->data = mfree(e->data);
        if (e->part > 0)
                return export_ask(e);
        export_end(e, NULL);
        return 0;
}

static void export_go_on(MirrorExport *e)
{
        int r = send_part(e);

        if (r < 0)
                export_break(e, r, "The export cannot go on");
}

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        export_go_on(ASSERT_PTR(userdata));
        return 0;
}

/* At the first part, so that a refusal makes no file and starts no pager. */
static int give(MirrorExport *e)
{
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        e->fd = pair[0];
        r = sd_event_add_io(e->mirror->event, &e->room, e->fd, EPOLLOUT, on_room, e);
        if (r >= 0)
                r = sd_event_source_set_enabled(e->room, SD_EVENT_OFF);
        if (r < 0) {
                safe_close(pair[1]);
                return r;
        }
        e->given = true;
        e->done(NULL, pair[1], e->userdata);
        return 0;
}

static int read_part(MirrorExport *e, sd_bus_message *answer)
{
        const void *data;
        int r;

        r = sd_bus_message_read(answer, "t", &e->part);
        if (r >= 0)
                r = sd_bus_message_read_array(answer, 'y', &data, &e->size);
        if (r < 0)
                return r;
        if (e->size == 0 && e->part > 0)
                return -EBADMSG; /* it would go on so for ever */
        e->at = 0;
        if (e->size == 0)
                return e->given ? 0 : give(e);
        e->data = malloc(e->size);
        if (!e->data)
                return -ENOMEM;
        memcpy(e->data, data, e->size);
        return e->given ? 0 : give(e);
}

static int on_part(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        MirrorExport *e = ASSERT_PTR(call->userdata);
        int r;

        if (failure) {
                export_end(e, failure);
                return 0;
        }
        r = read_part(e, answer);
        if (r < 0)
                export_break(e, r, "The export cannot be read");
        else
                export_go_on(e);
        return 0;
}

int mirror_export(Mirror *m, const char *format, mirror_pipe_t done, void *userdata)
{
        _cleanup_(export_freep) MirrorExport *e = NULL;
        int r;

        if (!*m->open.item.id)
                return -ENOENT;
        e = malloc(sizeof *e);
        if (!e)
                return -ENOMEM;
        *e = (MirrorExport){
                .mirror = m,
                .done = done,
                .userdata = userdata,
                .format = strdup(format),
                .fd = -EBADF,
        };
        if (!e->format)
                return -ENOMEM;
        memcpy(e->path, m->open.path, sizeof e->path);
        r = export_ask(e);
        if (r < 0)
                return r;
        e->next = m->exports;
        e->previous = &m->exports;
        if (e->next)
                e->next->previous = &e->next;
        m->exports = TAKE_PTR(e);
        return 0;
}
