/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-internal.h"

struct StoreSlot {
        StoreRequest *request; /* NULL when it has been delivered */
};

/* ---- requests ---- */

int store_request_new(StoreRequest **ret, Store *s, StoreRequestKind kind, uint64_t number,
        int (*run)(StoreRequest *r, StoreDb *db, Failure *failure),
        void (*deliver)(StoreRequest *r, const Failure *failure))
{
        StoreRequest *r = calloc(1, sizeof *r);

        if (!r)
                return -ENOMEM;
        r->store = s;
        r->kind = kind;
        r->number = number;
        r->run = run;
        r->deliver = deliver;
        *ret = r;
        return 0;
}

static void request_give_back(StoreRequest *r, Worker *worker)
{
        if (!r->loan.release)
                return;
        r->messages[0].content = r->messages[0].reasoning = NULL;
        r->loan.release(r->loan.owner, worker);
        r->loan = (StoreLoan){ 0 };
}

StoreRequest *store_request_free(StoreRequest *r)
{
        if (!r)
                return NULL;

        if (r->slot)
                r->slot->request = NULL;
        request_give_back(r, /* worker= */ NULL);
        free(r->text);
        free(r->value);
        free(r->conversation.title);
        free(r->conversation.model);
        for (size_t i = 0; i < r->n_messages; i++)
                store_message_done(&r->messages[i]);
        free(r->messages);
        failure_done(&r->failure);
        store_messages_free(r->page);
        free(r->part.text);
        free(r->part.metadata);
        free(r->ids);
        store_hits_free(r->hits, r->n_hits);
        free(r->string);
        store_db_opened_done(&r->opened);
        return mfree(r);
}

StoreSlot *store_slot_free(StoreSlot *slot)
{
        if (!slot)
                return NULL;

        if (slot->request) {
                slot->request->slot = NULL;
                slot->request->dropped = true;
        }
        return mfree(slot);
}

static size_t messages_size(const StoreMessage *messages, size_t n)
{
        size_t size = 0;

        for (size_t i = 0; i < n; i++)
                size += messages[i].content_size + messages[i].reasoning_size;
        return size;
}

static void release_messages(void *data)
{
        store_messages_free(data);
}

void store_messages_dispose(Store *s, StoreMessages *m)
{
        if (m && messages_size(m->messages, m->n_messages) >= WORKER_DISPOSED_MIN)
                worker_dispose(s->worker, m, release_messages);
        else
                store_messages_free(m);
}

static void release_request(void *data)
{
        (void) store_request_free(data);
}

/* What is large goes back to the kernel on the thread. */
static void request_dispose(StoreRequest *r)
{
        size_t size;

        request_give_back(r, r->store->worker);
        size = messages_size(r->messages, r->n_messages) + r->part.size;
        if (r->kind == STORE_REQUEST_WRITE)
                size += r->size;
        if (r->page)
                size += messages_size(r->page->messages, r->page->n_messages);
        if (size >= WORKER_DISPOSED_MIN)
                worker_dispose(r->store->worker, r, release_request);
        else
                (void) store_request_free(r);
}

void store_request_finish(StoreRequest *r)
{
        const Failure *failure = failure_is_set(&r->failure) ? &r->failure : NULL;
        Store *s = r->store;

        assert(s->n_pending > 0);
        s->n_pending--;
        if (r->slot)
                r->slot->request = NULL;
        r->slot = NULL;
        store_care(s, r);
        if (!r->dropped)
                r->deliver(r, failure);
        request_dispose(r);
}

static void on_done(void *data)
{
        StoreRequest *r = ASSERT_PTR(data);

        if (r->again && r->again(r))
                return;
        store_request_finish(r);
}

static void on_discard(void *data)
{
        (void) store_request_free(data);
}

int store_request_resubmit(StoreRequest *r)
{
        return worker_submit(r->store->worker,
                &(WorkerJob){
                        .run = store_thread_run,
                        .done = on_done,
                        .discard = on_discard,
                        .data = r,
                });
}

int store_request_submit(StoreRequest *request, StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *r = request;
        _cleanup_(store_slot_freep) StoreSlot *slot = NULL;
        int error;

        if (ret_slot) {
                slot = calloc(1, sizeof *slot);
                if (!slot)
                        return -ENOMEM;
                slot->request = r;
                r->slot = slot;
        }
        error = store_request_resubmit(r);
        if (error < 0)
                return error;

        r->store->n_pending++;
        r = NULL;
        if (ret_slot)
                *ret_slot = TAKE_PTR(slot);
        return 0;
}

void store_notice_failure(Store *s, const Failure *failure)
{
        s->notice(failure->code == FAILURE_STORE_FULL ? STORE_NOTICE_FULL : STORE_NOTICE_FAILED,
                failure_message(failure), s->userdata);
}

/* A write that nobody waits for fails aloud; but who purges a conversation wants nothing of it. */
void store_deliver_done(StoreRequest *r, const Failure *failure)
{
        if (r->callback.done)
                r->callback.done(failure, r->userdata);
        else if (failure && failure->code != FAILURE_NO_SUCH_CONVERSATION)
                store_notice_failure(r->store, failure);
}

/* ---- opening ---- */

static int run_open(StoreRequest *r, StoreDb *db, Failure *failure)
{
        StoreThread *t = &r->store->thread;
        int error;

        error = store_db_open(&t->db, r->store->path, &r->opened, &t->failure);
        if (error < 0)
                failure_copy(failure, &t->failure);
        return error;
}

static void deliver_open(StoreRequest *r, const Failure *failure)
{
        Store *s = r->store;

        if (failure) {
                s->opened(failure, NULL, s->userdata);
                return;
        }

        s->last_id = r->opened.last_id;
        s->last_number = r->opened.last_number;
        s->opened(NULL, TAKE_PTR(r->opened.index), s->userdata);
        if (r->opened.salvaged)
                s->notice(STORE_NOTICE_SALVAGED, r->opened.salvaged, s->userdata);
        if (r->opened.check && store_check_begin(s) < 0)
                store_check_failed(s);
        if (r->opened.convert && store_convert_begin(s) < 0)
                s->notice(STORE_NOTICE_FAILED,
                        "The search index could not be brought up to date; that will be done at "
                        "the next start.",
                        s->userdata);
        if (r->opened.purge && store_purge_finish(s) < 0)
                s->notice(STORE_NOTICE_FAILED,
                        "Bytes of deleted conversations are still in the database; the next start "
                        "removes them.",
                        s->userdata);
}

int store_open(Store **ret, sd_event *event, const char *path, store_opened_t opened,
        store_notice_t notice, void *userdata)
{
        _cleanup_(store_freep) Store *s = NULL;
        StoreRequest *request;
        int r;

        assert(ret);
        assert(event);
        assert(path);
        assert(opened);
        assert(notice);

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->opened = opened;
        s->notice = notice;
        s->userdata = userdata;
        s->path = strdup(path);
        if (!s->path)
                return -ENOMEM;

        r = worker_new(&s->worker, event, "store",
                &(WorkerBatch){
                        .settled = store_thread_settled,
                        .end = store_thread_end,
                        .after = store_thread_after,
                        .userdata = s,
                });
        if (r < 0)
                return r;
        r = store_request_new(
                &request, s, STORE_REQUEST_ALONE, /* number= */ 0, run_open, deliver_open);
        if (r < 0)
                return r;
        r = store_request_submit(request, /* ret_slot= */ NULL);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

Store *store_free(Store *s)
{
        if (!s)
                return NULL;

        s->check_stop = true;
        worker_free(s->checker);
        worker_free(s->worker);
        while (s->parked) {
                StoreRequest *next = s->parked->next;

                (void) store_request_free(s->parked);
                s->parked = next;
        }
        /* The thread has ended: what was its is ours. */
        if (s->thread.db)
                store_db_remember(s->thread.db, s->last_id, s->last_number);
        store_db_free(s->thread.db);
        failure_done(&s->thread.failure);
        sd_event_unref(s->event);
        free(s->path);
        return mfree(s);
}

void store_set_salvaged(Store *s, store_salvaged_t salvaged, void *userdata)
{
        s->salvaged = salvaged;
        s->salvaged_userdata = userdata;
}

Worker *store_worker(Store *s)
{
        return s->worker;
}

unsigned store_pending(const Store *s)
{
        return s->n_pending;
}

uint64_t store_commits(const Store *s)
{
        return s->thread.commits;
}

uint64_t store_next_number(Store *s, bool private)
{
        return private ? STORE_PRIVATE | ++s->last_private : ++s->last_number;
}

uint64_t store_next_id(Store *s)
{
        return ++s->last_id;
}
