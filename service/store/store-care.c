/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-internal.h"

/* Purging in steps, the check after an unclean end, and the salvage of a damaged database. */

static void purges_unpark(Store *s);

/* ---- salvage ---- */

static int run_salvage(StoreRequest *r, StoreDb *db, Failure *failure)
{
        int error;

        error = store_db_salvage(db, &r->string, failure);
        if (error < 0)
                return error;
        return store_db_read_index(db, &r->opened.index, failure);
}

static void deliver_salvage(StoreRequest *r, const Failure *failure)
{
        Store *s = r->store;

        if (failure)
                s->notice(STORE_NOTICE_FAILED, failure_message(failure), s->userdata);
        else {
                if (s->salvaged)
                        s->salvaged(TAKE_PTR(r->opened.index), s->salvaged_userdata);
                s->notice(STORE_NOTICE_SALVAGED, r->string, s->userdata);
        }
}

/* Once in a run: what is damaged again at once has a reason that this does not mend. */
static void salvage_begin(Store *s)
{
        StoreRequest *request;

        if (s->salvage_tried)
                return;
        s->salvage_tried = true;
        if (store_request_new(&request, s, STORE_REQUEST_ALONE, /* number= */ 0, run_salvage,
                    deliver_salvage) < 0 ||
                store_request_submit(request, /* ret_slot= */ NULL) < 0) {
                s->salvage_tried = false; /* whoever meets the damage next begins it */
                s->notice(STORE_NOTICE_FAILED, "The database is damaged. Start the service again.",
                        s->userdata);
        }
}

/* ---- the check ---- */

static void run_check(void *data)
{
        Store *s = ASSERT_PTR(data);

        s->check_result = store_db_check(s->path, &s->check_stop);
}

static int run_checked(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_checked(db, failure);
}

static void deliver_checked(StoreRequest *r, const Failure *failure)
{
        Store *s = r->store;

        if (failure)
                s->notice(STORE_NOTICE_FAILED, failure_message(failure), s->userdata);
        else
                s->notice(STORE_NOTICE_CHECKED, s->path, s->userdata);
}

static void check_passed(Store *s)
{
        StoreRequest *request;

        /* Not noted, it is only done again at the next start. */
        if (store_request_new(&request, s, STORE_REQUEST_WRITE, /* number= */ 0, run_checked,
                    deliver_checked) >= 0)
                (void) store_request_submit(request, /* ret_slot= */ NULL);
}

void store_check_failed(Store *s)
{
        s->notice(STORE_NOTICE_FAILED,
                "The database could not be checked after an unclean end; that will be done at the "
                "next start.",
                s->userdata);
}

static void on_checked(void *data)
{
        Store *s = ASSERT_PTR(data);

        s->checking = false;
        switch (s->check_result) {
        case STORE_CHECK_WHOLE:
                check_passed(s);
                break;
        case STORE_CHECK_DAMAGED:
                salvage_begin(s);
                break;
        case STORE_CHECK_STOPPED:
                if (!s->check_stop)
                        store_check_failed(s);
                if (s->salvage_wanted)
                        salvage_begin(s);
                else
                        s->check_again = s->parked;
                break;
        }
        purges_unpark(s);
}

int store_check_begin(Store *s)
{
        int r;

        s->check_again = false;
        s->check_stop = false;
        if (!s->checker) {
                r = worker_new(&s->checker, s->event, "store-check", /* batch= */ NULL);
                if (r < 0)
                        return r;
        }
        r = worker_submit(
                s->checker, &(WorkerJob){ .run = run_check, .done = on_checked, .data = s });
        if (r < 0)
                return r;
        s->checking = true;
        return 0;
}

void store_care(Store *s, const StoreRequest *r)
{
        /* Its thread is done with; it cannot be ended from its own callback. */
        if (s->checker && !s->checking)
                s->checker = worker_leave(s->checker);

        if (!r->damaged)
                return;
        s->salvage_wanted = true;
        if (s->checking)
                s->check_stop = true;
        else
                salvage_begin(s);
}

/* ---- the search index of an earlier version ---- */

static int run_convert(StoreRequest *r, StoreDb *db, Failure *failure)
{
        int more = store_db_convert_index(db, failure);

        r->more = more > 0;
        return more;
}

static bool convert_again(StoreRequest *r)
{
        int error;

        if (!r->more || failure_is_set(&r->failure))
                return false;
        r->more = false;
        error = store_request_resubmit(r);
        if (error < 0)
                (void) failure_set_errno(&r->failure, error, "Converting the search index");
        return error >= 0;
}

int store_convert_begin(Store *s)
{
        StoreRequest *request;
        int r;

        r = store_request_new(
                &request, s, STORE_REQUEST_WRITE, /* number= */ 0, run_convert, store_deliver_done);
        if (r < 0)
                return r;
        request->again = convert_again;
        return store_request_submit(request, /* ret_slot= */ NULL);
}

/* ---- purging ---- */

static int run_purge(StoreRequest *r, StoreDb *db, Failure *failure)
{
        int more = 0;

        switch (r->step) {
        case STORE_PURGE_ROWS_FIRST:
        case STORE_PURGE_ROWS:
                more = r->number ? store_db_purge_one(db, r->number,
                                           r->step == STORE_PURGE_ROWS_FIRST, failure)
                                 : store_db_purge_next(db, r->time, failure);
                break;
        case STORE_PURGE_INDEX_FIRST:
        case STORE_PURGE_INDEX:
                more = store_db_purge_index(db, r->step == STORE_PURGE_INDEX_FIRST, failure);
                break;
        case STORE_PURGE_LOG:
                more = store_db_purge_log(db, failure);
                break;
        }
        r->more = more > 0;
        return more;
}

static void purge_step(StoreRequest *r, StorePurgeStep step)
{
        r->step = step;
        r->kind = step == STORE_PURGE_LOG ? STORE_REQUEST_ALONE : STORE_REQUEST_WRITE;
}

static bool purge_again(StoreRequest *r)
{
        Store *s = r->store;
        int error;

        if (failure_is_set(&r->failure) || r->step == STORE_PURGE_LOG) {
                if (s->check_again)
                        (void) store_check_begin(s);
                return false;
        }

        if (r->step <= STORE_PURGE_ROWS)
                purge_step(r, r->more ? STORE_PURGE_ROWS : STORE_PURGE_INDEX_FIRST);
        else
                purge_step(r, r->more ? STORE_PURGE_INDEX : STORE_PURGE_LOG);
        r->more = false;

        /* The log cannot be emptied under a reader. */
        if (r->step == STORE_PURGE_LOG && s->checking) {
                s->check_stop = true;
                r->next = s->parked;
                s->parked = r;
                return true;
        }

        error = store_request_resubmit(r);
        if (error < 0)
                (void) failure_set_errno(&r->failure, error, "Purging");
        return error >= 0;
}

static void purges_unpark(Store *s)
{
        while (s->parked) {
                StoreRequest *r = s->parked;
                int error;

                s->parked = r->next;
                r->next = NULL;
                error = store_request_resubmit(r);
                if (error < 0) {
                        (void) failure_set_errno(&r->failure, error, "Purging");
                        store_request_finish(r);
                }
        }
}

static int purge_begin(Store *s, uint64_t number, usec_t before, store_done_t done, void *userdata,
        StoreSlot **ret_slot)
{
        StoreRequest *request;
        int r;

        r = store_request_new(
                &request, s, STORE_REQUEST_WRITE, number, run_purge, store_deliver_done);
        if (r < 0)
                return r;
        request->callback.done = done;
        request->userdata = userdata;
        request->again = purge_again;
        request->time = before;
        purge_step(request, STORE_PURGE_ROWS_FIRST);
        return store_request_submit(request, ret_slot);
}

int store_purge_finish(Store *s)
{
        return purge_begin(s, /* number= */ 0, STORE_DB_PURGING_ONLY,
                /* done= */ NULL, NULL, /* ret_slot= */ NULL);
}

int store_purge_deleted(
        Store *s, usec_t before, store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        return purge_begin(s, /* number= */ 0, before, done, userdata, ret_slot);
}

int store_purge(Store *s, uint64_t number, store_done_t done, void *userdata, StoreSlot **ret_slot)
{
        assert(number != 0);
        return purge_begin(s, number, /* before= */ 0, done, userdata, ret_slot);
}
