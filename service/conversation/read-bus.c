/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls that are answered when the store's thread has read what they ask for; of them ListBranches
 * and GetSystem. */

#include "service/conversation/conversation-face.h"

/* ---- a read for a call ---- */

int bus_read_new(
        BusRead **ret, Manager *m, sd_bus_message *message, Conversation *c, sd_bus_error *error)
{
        ConversationFace *f = m->conversation_face;
        BusRead *read;
        Call *call;
        int r;

        r = call_new(m->doors, message, &call, error);
        if (r < 0)
                return r;
        read = calloc(1, sizeof *read);
        if (!read) {
                const Failure failure = { .code = FAILURE_NO_MEMORY };

                return call_handed_over(call, -ENOMEM, &failure);
        }
        read->face = f;
        read->call = call;
        read->conversation = conversation_number(c);
        read->next = f->reads;
        if (f->reads)
                f->reads->previous = read;
        f->reads = read;
        *ret = read;
        return 0;
}

BusRead *bus_read_free(BusRead *r)
{
        if (!r)
                return NULL;
        if (r->previous)
                r->previous->next = r->next;
        else
                r->face->reads = r->next;
        if (r->next)
                r->next->previous = r->previous;
        store_slot_free(r->slot);
        free(r);
        return NULL;
}

int bus_read_begun(BusRead *read, int r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (r >= 0)
                return 1;
        (void) failure_set_errno(&failure, r, "The store cannot be asked");
        (void) bus_read_failed(read, &failure);
        return 1;
}

bool bus_read_failed(BusRead *read, const Failure *failure)
{
        if (!failure)
                return false;
        (void) call_fail(read->call, failure);
        bus_read_free(read);
        return true;
}

void bus_read_answer(BusRead *read, sd_bus_message *answer, int r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (r >= 0)
                (void) call_reply_message(read->call, answer);
        else {
                (void) failure_set_errno(&failure, r, "The answer cannot be built");
                (void) call_fail(read->call, &failure);
        }
        bus_read_free(read);
}

/* ---- ListBranches, GetSystem ---- */

static int append_ids(sd_bus_message *call, const uint64_t *ids, size_t n, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append_array(m, 't', ids, n * sizeof *ids);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static void on_branches(const Failure *failure, const uint64_t *ids, size_t n, void *userdata)
{
        BusRead *read = ASSERT_PTR(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        int r;

        if (bus_read_failed(read, failure))
                return;
        r = append_ids(call_message(read->call), ids, n, &answer);
        bus_read_answer(read, answer, r);
}

int conversation_method_list_branches(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        BusRead *read;
        uint64_t id;
        int r;

        r = sd_bus_message_read(m, "t", &id);
        if (r < 0)
                return r;
        r = bus_read_new(&read, manager, m, c, error);
        if (r != 0)
                return r;
        r = store_list_siblings(
                manager->store, read->conversation, id, on_branches, read, &read->slot);
        return bus_read_begun(read, r);
}

static void on_system(const Failure *failure, const char *system, void *userdata)
{
        BusRead *read = ASSERT_PTR(userdata);

        if (bus_read_failed(read, failure))
                return;
        (void) call_reply(read->call, "s", strempty(system));
        bus_read_free(read);
}

int conversation_method_get_system(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c = ASSERT_PTR(conversation_at(manager, sd_bus_message_get_path(m)));
        BusRead *read;
        int r;

        r = bus_read_new(&read, manager, m, c, error);
        if (r != 0)
                return r;
        r = store_get_system(manager->store, read->conversation, on_system, read, &read->slot);
        return bus_read_begun(read, r);
}
