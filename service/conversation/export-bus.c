/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What Export and ExportPart share, and ExportPart: a conversation as text, one part for each call,
 * for connections that pass no descriptors. */

#include <inttypes.h>

#include "service/bus/error.h"
#include "service/conversation/conversation-face.h"

/* At once, of both: each has a page of messages in memory, and the largest message is a large page.
 */
#define EXPORTS_MAX 16U
#define PART_MAX    KIB(256)

/* ---- of both ---- */

int bus_export_new(ConversationFace *f, Conversation *c, const char *format_name,
        export_wake_t wake, void *userdata, Export **ret, sd_bus_error *error)
{
        ExportFormat format = export_format_from_string(format_name);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const ExportHead head = {
                .number = conversation_number(c),
                .id = conversation_id(c),
                .title = conversation_title(c),
                .model = conversation_model(c),
                .created = conversation_created(c),
                .modified = conversation_modified(c),
                .head = conversation_head(c),
                .archived = conversation_archived(c),
                .hidden = conversation_hidden(c),
        };
        int r;

        if (format < 0)
                return bus_error_invalid(
                        error, "The format must be \"markdown\", \"json\" or \"jsonl\".");
        if (f->n_exports >= EXPORTS_MAX) {
                (void) failure_set(&failure, FAILURE_BUSY,
                        "%u exports are not read to their end yet, which is the limit. Read or "
                        "close one of them first.",
                        f->n_exports);
                return bus_error_from_failure(error, &failure);
        }
        r = export_new(ret, f->manager->store, &head, format, wake, userdata);
        if (r < 0)
                return r;
        f->n_exports++;
        return 0;
}

Export *bus_export_free(ConversationFace *f, Export *e)
{
        if (e)
                f->n_exports--;
        return export_free(e);
}

/* ---- ExportPart ---- */

struct BusParts {
        ConversationFace *face;
        BusParts *next, *previous;
        uint64_t id;
        Peer *peer;
        PeerWatch *watch;
        Export *export;
        Call *call; /* waits for the store */
};

static BusParts *bus_parts_free(BusParts *p)
{
        if (!p)
                return NULL;
        if (p->previous)
                p->previous->next = p->next;
        else
                p->face->parts = p->next;
        if (p->next)
                p->next->previous = p->previous;
        peer_watch_free(p->watch);
        bus_export_free(p->face, p->export);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(BusParts *, bus_parts_free)

void parts_free(ConversationFace *f)
{
        while (f->parts)
                bus_parts_free(f->parts);
}

static void on_peer_gone(Peer *peer, void *userdata)
{
        BusParts *p = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Call *call = TAKE_PTR(p->call);

        bus_parts_free(p);
        if (!call)
                return;
        (void) failure_set(&failure, FAILURE_CANCELLED, "Nobody reads the export any more.");
        (void) call_fail(call, &failure);
}

static int build_part(BusParts *p, const char *data, size_t size, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call_message(p->call), &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "t", size > 0 ? p->id : 0);
        if (r < 0)
                return r;
        r = sd_bus_message_append_array(m, 'y', data, size);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/* Answers the call if there is something; after the last part, or a failure, the export is freed.
 */
static void answer(BusParts *p)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const char *data = NULL;
        size_t size = 0;
        Call *call;
        int more, r;

        more = export_peek(p->export, &data, &size);
        if (more == 0)
                return;
        size = more > 0 ? MIN(size, PART_MAX) : 0;
        r = more > 0 || more == -ENODATA ? build_part(p, data, size, &m) : more;
        call = TAKE_PTR(p->call);
        if (r >= 0 && more > 0)
                export_taken(p->export, size);
        else
                bus_parts_free(p);
        if (r >= 0) {
                (void) call_reply_message(call, m);
                return;
        }
        (void) failure_set_errno(&failure, r, "The export ended early");
        (void) call_fail(call, &failure);
}

static void on_wake(void *userdata)
{
        BusParts *p = ASSERT_PTR(userdata);

        if (p->call)
                answer(p);
}

static int bus_parts_new(ConversationFace *f, Conversation *c, Peer *peer, const char *format,
        BusParts **ret, sd_bus_error *error)
{
        _cleanup_(bus_parts_freep) BusParts *p = calloc(1, sizeof *p);
        int r;

        if (!p)
                return -ENOMEM;
        p->face = f;
        p->next = f->parts;
        if (p->next)
                p->next->previous = p;
        f->parts = p;
        p->id = ++f->last_parts;
        p->peer = peer;
        r = bus_export_new(f, c, format, on_wake, p, &p->export, error);
        if (r < 0)
                return r;
        r = peer_watch(peer, on_peer_gone, p, &p->watch);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

static int bus_parts_find(
        ConversationFace *f, const Peer *peer, uint64_t id, BusParts **ret, sd_bus_error *error)
{
        BusParts *p = f->parts;

        while (p && (p->id != id || p->peer != peer))
                p = p->next;
        if (!p)
                return bus_error_invalid(
                        error, "This connection has no export %" PRIu64 "; 0 begins one.", id);
        if (p->call)
                return bus_error_invalid(
                        error, "A part of export %" PRIu64 " is on its way already.", id);
        *ret = p;
        return 0;
}

int conversation_method_export_part(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        ConversationFace *f = manager->conversation_face;
        _cleanup_(bus_parts_freep) BusParts *begun = NULL;
        const char *format;
        BusParts *p = NULL;
        uint64_t id;
        Peer *peer;
        int r;

        r = sd_bus_message_read(m, "st", &format, &id);
        if (r < 0)
                return r;
        r = doors_get_peer(manager->doors, m, &peer);
        if (r < 0)
                return r;
        if (id == 0)
                r = bus_parts_new(f, c, peer, format, &begun, error);
        else
                r = bus_parts_find(f, peer, id, &p, error);
        if (r < 0)
                return r;
        if (id == 0)
                p = begun;
        r = call_new(manager->doors, m, &p->call, error);
        if (r != 0)
                return r;
        TAKE_PTR(begun);
        answer(p);
        return 1;
}
