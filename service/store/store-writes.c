/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-internal.h"

static int write_new(StoreRequest **ret, Store *s, uint64_t number,
        int (*run)(StoreRequest *r, StoreDb *db, Failure *failure), store_done_t done,
        void *userdata)
{
        StoreRequest *request;
        int r;

        r = store_request_new(&request, s, STORE_REQUEST_WRITE, number, run, store_deliver_done);
        if (r < 0)
                return r;
        request->callback.done = done;
        request->userdata = userdata;
        *ret = request;
        return 0;
}

static int copy_conversation(StoreConversation *to, const StoreConversation *from)
{
        *to = *from;
        to->title = strdup(strempty(from->title));
        to->model = strdup(strempty(from->model));
        return to->title && to->model ? 0 : -ENOMEM;
}

/* ---- conversations ---- */

static int run_create(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_create_conversation(db, &r->conversation, r->text, failure);
}

int store_create_conversation(Store *s, const StoreConversation *c, const char *system,
        store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *request = NULL;
        int r;

        r = write_new(&request, s, c->number, run_create, done, userdata);
        if (r < 0)
                return r;
        r = copy_conversation(&request->conversation, c);
        if (r < 0)
                return r;
        r = free_and_strdup(&request->text, system);
        if (r < 0)
                return r;
        return store_request_submit(TAKE_PTR(request), ret_slot);
}

static int run_update(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_update_conversation(db, &r->conversation, r->flags, failure);
}

int store_update_conversation(Store *s, const StoreConversation *c, StoreField fields,
        store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *request = NULL;
        int r;

        r = write_new(&request, s, c->number, run_update, done, userdata);
        if (r < 0)
                return r;
        r = copy_conversation(&request->conversation, c);
        if (r < 0)
                return r;
        request->flags = fields;
        return store_request_submit(TAKE_PTR(request), ret_slot);
}

static int run_set_system(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_set_system(db, r->number, r->text, failure);
}

int store_set_system(Store *s, uint64_t number, const char *system, store_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *request = NULL;
        int r;

        r = write_new(&request, s, number, run_set_system, done, userdata);
        if (r < 0)
                return r;
        r = free_and_strdup(&request->text, strempty(system));
        if (r < 0)
                return r;
        return store_request_submit(TAKE_PTR(request), ret_slot);
}

static int run_set_setting(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_set_setting(db, r->text, r->value, failure);
}

int store_set_setting(Store *s, const char *key, const char *value, store_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *request = NULL;
        int r;

        r = write_new(&request, s, /* number= */ 0, run_set_setting, done, userdata);
        if (r < 0)
                return r;
        r = free_and_strdup(&request->text, key);
        if (r < 0)
                return r;
        r = free_and_strdup(&request->value, strempty(value));
        if (r < 0)
                return r;
        return store_request_submit(TAKE_PTR(request), ret_slot);
}

/* ---- messages ---- */

static char *copy_text(const char *text, size_t size)
{
        char *copy = malloc(size + 1);

        if (!copy)
                return NULL;
        if (size > 0)
                memcpy(copy, text, size);
        copy[size] = 0;
        return copy;
}

static int copy_message(StoreMessage *to, const StoreMessage *from)
{
        *to = *from;
        to->attachments = NULL;
        to->n_attachments = 0;
        to->content = copy_text(from->content, from->content_size);
        to->reasoning = copy_text(from->reasoning, from->reasoning_size);
        to->metadata = strdup(strempty(from->metadata));
        return to->content && to->reasoning && to->metadata ? 0 : -ENOMEM;
}

static int copy_messages(StoreRequest *request, const StoreMessage *messages, size_t n)
{
        int r;

        request->messages = calloc(MAX(n, (size_t) 1), sizeof *messages);
        if (!request->messages)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                /* Counted first: a half-copied one is freed with the others. */
                request->n_messages++;
                r = copy_message(&request->messages[i], &messages[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* They are in the database's hands now, and whoever asks an engine reads them from there: that may
 * come before the request's end. */
static void give_back_attachments(StoreMessage *messages, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                store_attachments_free(messages[i].attachments, messages[i].n_attachments);
                messages[i].attachments = NULL;
                messages[i].n_attachments = 0;
        }
}

static int run_add_messages(StoreRequest *r, StoreDb *db, Failure *failure)
{
        int error;

        error = store_db_add_messages(
                db, r->number, r->messages, r->n_messages, r->id, r->time, r->text, failure);
        give_back_attachments(r->messages, r->n_messages);
        return error;
}

static int take_messages(StoreRequest *request, StoreMessage *messages, size_t n_messages)
{
        int r;

        r = copy_messages(request, messages, n_messages);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n_messages; i++) {
                request->messages[i].attachments = TAKE_PTR(messages[i].attachments);
                request->messages[i].n_attachments = messages[i].n_attachments;
                messages[i].n_attachments = 0;
        }
        return 0;
}

int store_add_messages(Store *s, uint64_t number, StoreMessage *messages, size_t n_messages,
        uint64_t head, usec_t modified, const char *token, store_done_t done, void *userdata,
        StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *request = NULL;
        int r;

        r = write_new(&request, s, number, run_add_messages, done, userdata);
        if (r >= 0)
                r = take_messages(request, messages, n_messages);
        if (r >= 0)
                r = free_and_strdup(&request->text, token);
        if (r >= 0) {
                request->id = head;
                request->time = modified;
                r = store_request_submit(TAKE_PTR(request), ret_slot);
        }
        give_back_attachments(messages, n_messages); /* what was not taken over */
        return r;
}

static int run_create_whole(StoreRequest *r, StoreDb *db, Failure *failure)
{
        const StoreConversation *c = &r->conversation;
        int error;

        error = store_db_create_conversation(db, c, r->text, failure);
        if (error >= 0 && r->n_messages > 0)
                error = store_db_add_messages(db, r->number, r->messages, r->n_messages, c->head,
                        c->modified, /* token= */ NULL, failure);
        give_back_attachments(r->messages, r->n_messages);
        return error;
}

int store_create_whole(Store *s, const StoreConversation *c, const char *system,
        StoreMessage *messages, size_t n_messages, store_done_t done, void *userdata,
        StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *request = NULL;
        int r;

        r = write_new(&request, s, c->number, run_create_whole, done, userdata);
        if (r >= 0)
                r = copy_conversation(&request->conversation, c);
        if (r >= 0)
                r = free_and_strdup(&request->text, system);
        if (r >= 0)
                r = take_messages(request, messages, n_messages);
        if (r >= 0)
                r = store_request_submit(TAKE_PTR(request), ret_slot);
        give_back_attachments(messages, n_messages);
        return r;
}

static int run_append_reply(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_append_reply(
                db, r->number, r->id, r->channel, r->position, r->text, r->size, failure);
}

/* Its caller has nobody to tell. */
static void deliver_append(StoreRequest *r, const Failure *failure)
{
        if (failure)
                store_notice_failure(r->store, failure);
        if (r->callback.done)
                r->callback.done(failure, r->userdata);
}

int store_append_reply(Store *s, uint64_t number, uint64_t reply, Channel channel, uint64_t offset,
        const char *text, size_t size, store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *request = NULL;
        int r;

        r = write_new(&request, s, number, run_append_reply, done, userdata);
        if (r < 0)
                return r;
        request->deliver = deliver_append;
        request->text = copy_text(text, size);
        if (!request->text)
                return -ENOMEM;
        request->size = size;
        request->id = reply;
        request->channel = channel;
        request->position = offset;
        return store_request_submit(TAKE_PTR(request), ret_slot);
}

static int run_end_reply(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_end_reply(db, r->number, &r->messages[0], failure);
}

static int make_end_reply(StoreRequest *request, const StoreMessage *reply)
{
        request->messages = calloc(1, sizeof *request->messages);
        if (!request->messages)
                return -ENOMEM;
        request->n_messages = 1;
        request->messages[0] = *reply;
        request->messages[0].attachments = NULL;
        request->messages[0].n_attachments = 0;
        request->messages[0].metadata = strdup(strempty(reply->metadata));
        return request->messages[0].metadata ? 0 : -ENOMEM;
}

int store_end_reply(Store *s, uint64_t number, const StoreMessage *reply, const StoreLoan *loan,
        store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        StoreRequest *request;
        int r;

        r = write_new(&request, s, number, run_end_reply, done, userdata);
        if (r < 0) {
                loan->release(loan->owner, s->worker);
                return r;
        }
        r = make_end_reply(request, reply);
        if (r < 0) {
                request->n_messages = 0;
                (void) store_request_free(request);
                loan->release(loan->owner, s->worker);
                return r;
        }
        request->loan = *loan;
        return store_request_submit(request, ret_slot);
}

static int run_reopen_reply(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_reopen_reply(db, r->number, r->id, failure);
}

int store_reopen_reply(Store *s, uint64_t number, uint64_t reply, store_done_t done, void *userdata,
        StoreSlot **ret_slot)
{
        StoreRequest *request;
        int r;

        r = write_new(&request, s, number, run_reopen_reply, done, userdata);
        if (r < 0)
                return r;
        request->id = reply;
        return store_request_submit(request, ret_slot);
}
