/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A request on its way: made on the loop, carried out on the thread, delivered on the loop. */

#include "service/store/store-db.h"

typedef struct StoreRequest StoreRequest;

typedef enum StoreRequestKind {
        STORE_REQUEST_READ,
        STORE_REQUEST_WRITE, /* in the batch's transaction */
        STORE_REQUEST_ALONE, /* what waits is committed before it */
} StoreRequestKind;

typedef enum StorePurgeStep {
        STORE_PURGE_ROWS_FIRST,
        STORE_PURGE_ROWS,
        STORE_PURGE_INDEX_FIRST,
        STORE_PURGE_INDEX,
        STORE_PURGE_LOG,
} StorePurgeStep;

struct StoreRequest {
        Store *store;
        StoreRequest *next; /* in the thread's transaction, or waiting for the check to end */
        StoreSlot *slot;
        bool dropped; /* the caller does not want to know */
        StoreRequestKind kind;

        int (*run)(StoreRequest *r, StoreDb *db, Failure *failure); /* on the thread */
        /* On the loop, before it is delivered: true when the request goes on with another step. */
        bool (*again)(StoreRequest *r);
        void (*deliver)(StoreRequest *r, const Failure *failure); /* calls the caller back */
        union {
                store_done_t done;
                store_token_done_t token;
                store_messages_done_t messages;
                store_text_done_t text;
                store_ids_done_t ids;
                store_search_done_t hits;
                void (*system)(const Failure *failure, const char *system, void *userdata);
        } callback;
        void *userdata;

        /* What is asked. */
        uint64_t number, id, position;
        char *text, *value;
        size_t size; /* of text; of a read the most that it may bring */
        StoreConversation conversation;
        StoreMessage *messages;
        size_t n_messages;
        StoreLoan loan; /* of the first message's texts */
        usec_t time;
        Channel channel;
        uint32_t limit;
        unsigned flags;
        StorePurgeStep step;

        /* What came of it. */
        Failure failure;
        bool damaged;
        bool more;
        uint64_t cursor; /* where a branch that is read in steps goes on */
        StoreMessages *page;
        StoreText part;
        uint64_t *ids;
        size_t n_ids;
        StoreHit *hits;
        size_t n_hits;
        char *string;
        uint64_t found[2];
        StoreDbOpened opened;
};

/* What only the thread touches while it runs. */
typedef struct StoreThread {
        StoreDb *db;
        Failure failure;            /* why there is no db */
        Failure locked;             /* another program did not let this batch write */
        StoreRequest *first, *last; /* in the open transaction, or having read from it */
        _Atomic uint64_t commits;   /* read on the loop, too */
        unsigned unmerged;          /* writes for which the search index is to be tidied */
} StoreThread;

struct Store {
        sd_event *event;
        char *path;
        Worker *worker;
        StoreThread thread;
        unsigned n_pending;
        uint64_t last_id, last_number, last_private;

        store_opened_t opened;
        store_notice_t notice;
        void *userdata;
        store_salvaged_t salvaged;
        void *salvaged_userdata;

        /* The check after an unclean end, beside the thread. */
        Worker *checker;
        bool checking;
        bool check_again; /* it was stopped for a purge */
        bool salvage_wanted;
        bool salvage_tried;
        _Atomic bool check_stop;
        StoreCheckResult check_result;
        StoreRequest *parked; /* purges that wait for the check's end */
};

int store_request_new(StoreRequest **ret, Store *s, StoreRequestKind kind, uint64_t number,
        int (*run)(StoreRequest *r, StoreDb *db, Failure *failure),
        void (*deliver)(StoreRequest *r, const Failure *failure));
StoreRequest *store_request_free(StoreRequest *r);
DEFINE_CLEANUP(StoreRequest *, store_request_free)

/* Takes the request over, also on failure. ret_slot may be NULL. */
int store_request_submit(StoreRequest *r, StoreSlot **ret_slot);
/* Another step of one that came back. */
int store_request_resubmit(StoreRequest *r);
/* Delivers and frees it. */
void store_request_finish(StoreRequest *r);

/* A write failed of which nobody else is told. */
void store_notice_failure(Store *s, const Failure *failure);
/* Callbacks of type store_done_t. */
void store_deliver_done(StoreRequest *r, const Failure *failure);

/* ---- on the thread (store-thread.c) ---- */

void store_thread_run(void *request);
bool store_thread_settled(void *store);
void store_thread_end(void *store);
void store_thread_after(void *store);

/* ---- care for the database (store-care.c) ---- */

int store_check_begin(Store *s);
/* Tells that it could not be done. */
void store_check_failed(Store *s);
/* After each request: what came back from a damaged database starts a salvage. */
void store_care(Store *s, const StoreRequest *r);
int store_purge_finish(Store *s);  /* of the last run */
int store_convert_begin(Store *s); /* of an earlier version's search index */
