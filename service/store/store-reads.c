/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-internal.h"

/* A branch is read in steps. The first is small, for it may stand before the question's own write:
 * a short conversation's request leaves for the engine beside that write. Behind a write nothing is
 * read before that is on the disk: no conversation's length delays it. */
#define FIRST_BYTES   KIB(64)
#define STEP_MESSAGES 512U
#define STEP_BYTES    KIB(32)
#define STEPS         16U /* at once */

static int read_new(StoreRequest **ret, Store *s, uint64_t number,
        int (*run)(StoreRequest *r, StoreDb *db, Failure *failure),
        void (*deliver)(StoreRequest *r, const Failure *failure), void *userdata)
{
        int r;

        r = store_request_new(ret, s, STORE_REQUEST_READ, number, run, deliver);
        if (r < 0)
                return r;
        (*ret)->userdata = userdata;
        return 0;
}

/* ---- tokens ---- */

static int run_find_token(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_find_token(db, r->number, r->text, &r->found[0], &r->found[1], failure);
}

static void deliver_token(StoreRequest *r, const Failure *failure)
{
        r->callback.token(
                failure, failure ? 0 : r->found[0], failure ? 0 : r->found[1], r->userdata);
}

int store_find_token(Store *s, uint64_t number, const char *token, store_token_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *request = NULL;
        int r;

        r = read_new(&request, s, number, run_find_token, deliver_token, userdata);
        if (r < 0)
                return r;
        request->callback.token = done;
        r = free_and_strdup(&request->text, strempty(token));
        if (r < 0)
                return r;
        return store_request_submit(TAKE_PTR(request), ret_slot);
}

/* ---- messages ---- */

static int run_get_branch(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_get_branch(
                db, r->number, r->id, r->limit, r->size, r->flags, &r->page, failure);
}

static int run_get_context(StoreRequest *r, StoreDb *db, Failure *failure)
{
        bool first = !r->page;
        unsigned steps = first ? 1 : STEPS;
        int error;

        if (first) {
                r->page = calloc(1, sizeof *r->page);
                if (!r->page)
                        return failure_set_errno(failure, -ENOMEM, "Reading messages");
                r->cursor = r->id;
                r->more = store_db_is_writing(db);
                if (r->more)
                        return 0;
        }
        for (r->more = true; r->more && steps > 0; steps--) {
                error = store_db_climb(db, r->number, &r->cursor,
                        first ? STORE_CONTEXT_SHORT : STEP_MESSAGES,
                        first ? FIRST_BYTES : STEP_BYTES,
                        STORE_DB_ATTACHMENTS | STORE_DB_COUNTED | STORE_DB_ASKED, r->page, failure);
                if (error < 0)
                        return error;
                r->more = r->cursor != 0;
                /* The next step's texts take the place of this one's pages. */
                if (!first)
                        store_db_forget_pages(db, r->number);
        }
        if (r->more)
                return 0;
        store_messages_reverse(r->page);
        return store_db_get_system(db, r->number, &r->page->system, failure);
}

/* Upwards a branch never changes: between two steps others have their turn. */
static bool context_again(StoreRequest *r)
{
        int error;

        if (!r->more || r->dropped || failure_is_set(&r->failure))
                return false;
        r->more = false;
        error = store_request_resubmit(r);
        if (error < 0)
                (void) failure_set_errno(&r->failure, error, "Reading messages");
        return error >= 0;
}

static int run_get_after(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_get_after(
                db, r->number, r->id, r->position, r->limit, r->size, &r->page, failure);
}

static int run_get_all(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_get_all(db, r->number, r->id, r->limit, r->size, &r->page, failure);
}

static void deliver_messages(StoreRequest *r, const Failure *failure)
{
        r->callback.messages(failure, failure ? NULL : TAKE_PTR(r->page), r->userdata);
}

static int read_messages(Store *s, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes,
        StoreDbRead what, int (*run)(StoreRequest *r, StoreDb *db, Failure *failure),
        store_messages_done_t done, void *userdata, StoreSlot **ret_slot)
{
        StoreRequest *request;
        int r;

        r = read_new(&request, s, number, run, deliver_messages, userdata);
        if (r < 0)
                return r;
        request->callback.messages = done;
        request->id = id;
        request->limit = limit;
        request->size = max_bytes;
        request->flags = what;
        return store_request_submit(request, ret_slot);
}

int store_get_page(Store *s, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes,
        store_messages_done_t done, void *userdata, StoreSlot **ret_slot)
{
        return read_messages(s, number, id, limit, max_bytes, STORE_DB_BRANCHES, run_get_branch,
                done, userdata, ret_slot);
}

int store_get_after(Store *s, uint64_t number, uint64_t after, uint64_t head, uint32_t limit,
        size_t max_bytes, store_messages_done_t done, void *userdata, StoreSlot **ret_slot)
{
        StoreRequest *request;
        int r;

        r = read_new(&request, s, number, run_get_after, deliver_messages, userdata);
        if (r < 0)
                return r;
        request->callback.messages = done;
        request->id = after;
        request->position = head;
        request->limit = limit;
        request->size = max_bytes;
        return store_request_submit(request, ret_slot);
}

int store_get_context(Store *s, uint64_t number, uint64_t id, store_messages_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        StoreRequest *request;
        int r;

        r = read_new(&request, s, number, run_get_context, deliver_messages, userdata);
        if (r < 0)
                return r;
        request->callback.messages = done;
        request->id = id;
        request->again = context_again;
        return store_request_submit(request, ret_slot);
}

int store_get_message(Store *s, uint64_t number, uint64_t id, store_messages_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        return read_messages(s, number, id, /* limit= */ 1, SIZE_MAX,
                STORE_DB_ATTACHMENTS | STORE_DB_COUNTED, run_get_branch, done, userdata, ret_slot);
}

int store_get_all(Store *s, uint64_t number, uint64_t after, uint32_t limit, size_t max_bytes,
        store_messages_done_t done, void *userdata, StoreSlot **ret_slot)
{
        return read_messages(s, number, after, limit, max_bytes, STORE_DB_ATTACHMENTS, run_get_all,
                done, userdata, ret_slot);
}

static int run_get_text(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_get_text(
                db, r->number, r->id, r->channel, r->position, r->size, &r->part, failure);
}

static void deliver_text(StoreRequest *r, const Failure *failure)
{
        r->callback.text(failure, failure ? NULL : &r->part, r->userdata);
}

int store_get_text(Store *s, uint64_t number, uint64_t reply, Channel channel, uint64_t offset,
        size_t maximum, store_text_done_t done, void *userdata, StoreSlot **ret_slot)
{
        StoreRequest *request;
        int r;

        r = read_new(&request, s, number, run_get_text, deliver_text, userdata);
        if (r < 0)
                return r;
        request->callback.text = done;
        request->id = reply;
        request->channel = channel;
        request->position = offset;
        request->size = maximum;
        return store_request_submit(request, ret_slot);
}

/* ---- branches ---- */

static int run_list_siblings(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_list_siblings(db, r->number, r->id, &r->ids, &r->n_ids, failure);
}

static int run_find_head_below(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_find_head_below(db, r->number, r->id, &r->found[0], failure);
}

static void deliver_ids(StoreRequest *r, const Failure *failure)
{
        r->callback.ids(failure, failure ? NULL : r->ids, failure ? 0 : r->n_ids, r->userdata);
}

static void deliver_head(StoreRequest *r, const Failure *failure)
{
        r->callback.ids(failure, failure ? NULL : r->found, failure ? 0 : 1, r->userdata);
}

static int read_ids(Store *s, uint64_t number, uint64_t id,
        int (*run)(StoreRequest *r, StoreDb *db, Failure *failure),
        void (*deliver)(StoreRequest *r, const Failure *failure), store_ids_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        StoreRequest *request;
        int r;

        r = read_new(&request, s, number, run, deliver, userdata);
        if (r < 0)
                return r;
        request->callback.ids = done;
        request->id = id;
        return store_request_submit(request, ret_slot);
}

int store_list_siblings(Store *s, uint64_t number, uint64_t id, store_ids_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        return read_ids(s, number, id, run_list_siblings, deliver_ids, done, userdata, ret_slot);
}

int store_find_head_below(Store *s, uint64_t number, uint64_t id, store_ids_done_t done,
        void *userdata, StoreSlot **ret_slot)
{
        return read_ids(s, number, id, run_find_head_below, deliver_head, done, userdata, ret_slot);
}

static int run_get_system(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_get_system(db, r->number, &r->string, failure);
}

static void deliver_system(StoreRequest *r, const Failure *failure)
{
        r->callback.system(failure, failure ? NULL : r->string, r->userdata);
}

int store_get_system(Store *s, uint64_t number,
        void (*done)(const Failure *failure, const char *system, void *userdata), void *userdata,
        StoreSlot **ret_slot)
{
        StoreRequest *request;
        int r;

        r = read_new(&request, s, number, run_get_system, deliver_system, userdata);
        if (r < 0)
                return r;
        request->callback.system = done;
        return store_request_submit(request, ret_slot);
}

/* ---- search ---- */

static int run_search(StoreRequest *r, StoreDb *db, Failure *failure)
{
        return store_db_search(
                db, r->text, r->flags, r->id, r->limit, &r->hits, &r->n_hits, failure);
}

static void deliver_hits(StoreRequest *r, const Failure *failure)
{
        r->callback.hits(failure, failure ? NULL : r->hits, failure ? 0 : r->n_hits, r->userdata);
}

int store_search(Store *s, const char *query, StoreSearchFlags flags, uint64_t before,
        uint32_t limit, store_search_done_t done, void *userdata, StoreSlot **ret_slot)
{
        _cleanup_(store_request_freep) StoreRequest *request = NULL;
        int r;

        r = read_new(&request, s, /* number= */ 0, run_search, deliver_hits, userdata);
        if (r < 0)
                return r;
        request->callback.hits = done;
        r = free_and_strdup(&request->text, strempty(query));
        if (r < 0)
                return r;
        request->flags = flags;
        request->id = before;
        request->limit = limit;
        return store_request_submit(TAKE_PTR(request), ret_slot);
}
