/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-internal.h"

/* Group commit: all requests that wait when the thread wakes up are one transaction, each within a
 * savepoint. Their completions leave after the commit. */

/* Writes after which the search index is tidied when nobody waits, for each step is a commit of its
 * own in the next one's way; and when somebody always does. */
#define UNMERGED_IDLE 64U
#define UNMERGED_BUSY 128U

static void clear_results(StoreRequest *r)
{
        store_messages_free(r->page);
        r->page = NULL;
        free(r->part.text);
        free(r->part.metadata);
        r->part = (StoreText){ 0 };
        r->ids = mfree(r->ids);
        r->n_ids = 0;
        store_hits_free(r->hits, r->n_hits);
        r->hits = NULL;
        r->n_hits = 0;
        r->string = mfree(r->string);
        r->cursor = 0;
        r->more = false;
}

static int request_call(StoreRequest *r, StoreThread *t)
{
        int error = r->run(r, t->db, &r->failure);

        if (error < 0 && !failure_is_set(&r->failure))
                (void) failure_set_errno(&r->failure, error, "Using the database");
        return error;
}

static void group_add(StoreThread *t, StoreRequest *r)
{
        r->next = NULL;
        if (t->last)
                t->last->next = r;
        else
                t->first = r;
        t->last = r;
}

/* Nothing of the transaction is on the disk: what was to be written has failed, what was read from
 * it is read again. */
static void group_fail(StoreThread *t, const Failure *failure)
{
        StoreRequest *r = t->first;

        t->first = t->last = NULL;
        for (StoreRequest *next; r; r = next) {
                next = r->next;
                r->next = NULL;
                clear_results(r);
                failure_done(&r->failure);
                if (r->kind == STORE_REQUEST_READ)
                        (void) request_call(r, t);
                else
                        failure_copy(&r->failure, failure);
        }
}

/* With no memory, a full disk or a file that cannot be read SQLite may have given up the whole
 * transaction, in the midst of any request: then nothing of it can be acknowledged. */
static bool group_is_lost(StoreThread *t, const Failure *why)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (!t->first || store_db_in_transaction(t->db))
                return false;
        if (!why || !failure_is_set(why)) {
                (void) failure_set(&failure, FAILURE_STORE_FAILED,
                        "The database gave up what was to be stored. Try again.");
                why = &failure;
        }
        group_fail(t, why);
        return true;
}

static void group_commit(StoreThread *t)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (!t->db || group_is_lost(t, NULL))
                return;
        if (store_db_in_transaction(t->db)) {
                if (store_db_commit(t->db, &failure) < 0) {
                        group_fail(t, &failure);
                        return;
                }
                t->commits++;
        }
        t->first = t->last = NULL;
}

static void run_write(StoreRequest *r, StoreThread *t)
{
        bool private = r->number & STORE_PRIVATE;
        int error, end;

        /* It waited as long as the one before it: else the last of many would wait for minutes. */
        if (!private && failure_is_set(&t->locked)) {
                failure_copy(&r->failure, &t->locked);
                return;
        }
        error = store_db_savepoint(t->db, r->number, &r->failure);
        if (error < 0) {
                if (!private && !group_is_lost(t, &r->failure) && r->failure.code == FAILURE_BUSY)
                        failure_copy(&t->locked, &r->failure);
                return;
        }
        error = request_call(r, t);
        end = store_db_savepoint_end(t->db, r->number, error < 0, &r->failure);
        if (private)
                return;
        if (!group_is_lost(t, &r->failure) && error >= 0 && end >= 0)
                group_add(t, r);
        if (end >= 0)
                t->unmerged++;
}

static void run_read(StoreRequest *r, StoreThread *t)
{
        if (store_db_in_transaction(t->db)) {
                (void) request_call(r, t);
                if (store_db_in_transaction(t->db))
                        group_add(t, r);
                else
                        (void) group_is_lost(t, &r->failure);
                return;
        }
        store_db_look(t->db);
        (void) request_call(r, t);
        store_db_look_end(t->db);
}

void store_thread_run(void *request)
{
        StoreRequest *r = ASSERT_PTR(request);
        StoreThread *t = &r->store->thread;

        if (!t->db && failure_is_set(&t->failure)) {
                failure_copy(&r->failure, &t->failure);
                return;
        }

        switch (r->kind) {
        case STORE_REQUEST_READ:
                run_read(r, t);
                break;
        case STORE_REQUEST_WRITE:
                run_write(r, t);
                break;
        case STORE_REQUEST_ALONE:
                group_commit(t);
                (void) request_call(r, t);
                break;
        }
        r->damaged = t->db && store_db_is_damaged(t->db);
}

/* Nothing waits for a commit: what was read before the first write need not either. */
bool store_thread_settled(void *store)
{
        const StoreThread *t = &((const Store *) ASSERT_PTR(store))->thread;

        return !t->first && (!t->db || !store_db_in_transaction(t->db));
}

void store_thread_end(void *store)
{
        Store *s = ASSERT_PTR(store);

        group_commit(&s->thread);
        failure_done(&s->thread.locked);
}

/* A step for each write keeps up with them; it ends by itself when there is nothing to do. Where
 * somebody always waits, there is a step in each turn all the same. */
static void merge_index(Store *s)
{
        StoreThread *t = &s->thread;
        bool owed = t->unmerged >= UNMERGED_BUSY;

        if (t->unmerged < UNMERGED_IDLE)
                return;
        while (t->unmerged > 0 && (owed || !worker_is_wanted(s->worker))) {
                owed = false;
                t->unmerged--;
                /* What failed is tried again after the next write. */
                if (store_db_merge_index(t->db, NULL) <= 0)
                        t->unmerged = 0;
        }
}

void store_thread_after(void *store)
{
        Store *s = ASSERT_PTR(store);

        if (!s->thread.db)
                return;
        merge_index(s);
        if (!worker_is_wanted(s->worker) || store_db_log_is_long(s->thread.db))
                store_db_checkpoint(s->thread.db);
}
