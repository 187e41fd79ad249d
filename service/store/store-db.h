/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The databases, as the worker thread sees them: the one on disk and, for private conversations,
 * one in memory. One thread at a time. Functions return a negative errno with the failure
 * set; strings that come back are the caller's to free. */

#include "service/store/store.h"

typedef struct StoreDb StoreDb;

#define STORE_SNIPPET_MAX 200U /* bytes */
#define STORE_RANKED_HITS 2000U
#define STORE_SEARCH_MAX  1000U /* hits in one answer */
#define STORE_QUERY_MAX   KIB(4)
#define STORE_TEXT_MAX    MIB(1) /* of store_get_text() */
#define STORE_TOKEN_KEEP  (7 * 24 * 3600 * USEC_PER_SEC)

/* ---- opening (store-db.c, store-db-open.c) ---- */

typedef struct StoreDbOpened {
        StoreIndex *index;
        uint64_t last_id, last_number; /* the highest that were ever given out */
        char *salvaged;                /* the damaged database, set aside; NULL = none was */
        bool check;                    /* the last run did not end well: store_db_check() it */
        bool convert;                  /* the search index is an earlier version's */
        bool purge;                    /* bytes of purged conversations may be left */
} StoreDbOpened;

void store_db_opened_done(StoreDbOpened *o);

int store_db_open(StoreDb **ret, const char *path, StoreDbOpened *ret_opened, Failure *failure);
StoreDb *store_db_free(StoreDb *db);
DEFINE_CLEANUP(StoreDb *, store_db_free)

/* What store_db_open() gave, as it is now. */
int store_db_read_index(StoreDb *db, StoreIndex **ret, Failure *failure);

/* Kept for the next run: ids that were given out are not given out again. */
void store_db_remember(StoreDb *db, uint64_t last_id, uint64_t last_number);

/* ---- transactions (store-db.c) ---- */

/* A savepoint around one request; on disk all of them are in one transaction until
 * store_db_commit(). end: rolls back when the request failed. store_db_in_transaction() is false
 * after it when SQLite gave up the whole transaction with it. */
int store_db_savepoint(StoreDb *db, uint64_t number, Failure *failure);
int store_db_savepoint_end(StoreDb *db, uint64_t number, bool failed, Failure *failure);
bool store_db_in_transaction(const StoreDb *db);
/* In one that waits for its commit. */
bool store_db_is_writing(const StoreDb *db);
int store_db_commit(StoreDb *db, Failure *failure);

/* Around a read that is in no transaction: its statements share one look at the database, which
 * locks and unlocks the log once and not with each of them. */
void store_db_look(StoreDb *db);
void store_db_look_end(StoreDb *db);

/* Copies the log into the database when it has grown; when nobody waits. */
void store_db_checkpoint(StoreDb *db);
/* So long that whoever waits has to wait for that. */
bool store_db_log_is_long(const StoreDb *db);
/* Pages that were read only once need not stay in memory. */
void store_db_forget_pages(StoreDb *db, uint64_t number);

/* SQLite said that the database on disk is damaged. */
bool store_db_is_damaged(const StoreDb *db);

/* ---- writing (store-db-write.c) ---- */

int store_db_create_conversation(
        StoreDb *db, const StoreConversation *c, const char *system, Failure *failure);
int store_db_update_conversation(
        StoreDb *db, const StoreConversation *c, StoreField fields, Failure *failure);
int store_db_set_system(StoreDb *db, uint64_t number, const char *system, Failure *failure);
int store_db_set_setting(StoreDb *db, const char *key, const char *value, Failure *failure);
int store_db_add_messages(StoreDb *db, uint64_t number, const StoreMessage *messages, size_t n,
        uint64_t head, usec_t modified, const char *token, Failure *failure);
int store_db_append_reply(StoreDb *db, uint64_t number, uint64_t reply, Channel channel,
        uint64_t offset, const char *text, size_t size, Failure *failure);
int store_db_end_reply(StoreDb *db, uint64_t number, const StoreMessage *reply, Failure *failure);
int store_db_reopen_reply(StoreDb *db, uint64_t number, uint64_t reply, Failure *failure);

/* ---- purging, in steps between which others have their turn (store-db-purge.c) ---- */

/* A part of a conversation's messages, and the conversation when none is left. Return 1 when there
 * may be more, 0 when nothing is left. first: it must be there; later another purge may have been
 * faster. */
#define STORE_DB_PURGING_ONLY 2 /* before which only those are set aside that are being purged */
int store_db_purge_next(StoreDb *db, usec_t before, Failure *failure);
int store_db_purge_one(StoreDb *db, uint64_t number, bool first, Failure *failure);
/* A part of the search index' cleaning; first = begin anew. Returns 1 until it is clean. */
int store_db_purge_index(StoreDb *db, bool first, Failure *failure);
/* A short step of what keeps the search index in few parts. Returns 1 when there may be more. */
int store_db_merge_index(StoreDb *db, Failure *failure);
/* Outside a transaction. */
int store_db_purge_log(StoreDb *db, Failure *failure);

/* ---- reading (store-db-read.c, store-db-text.c, store-db-search.c) ---- */

int store_db_find_token(StoreDb *db, uint64_t number, const char *token, uint64_t *ret_user,
        uint64_t *ret_reply, Failure *failure);

typedef enum StoreDbRead {
        STORE_DB_ATTACHMENTS = 1 << 0, /* the attachments' data too */
        STORE_DB_COUNTED = 1 << 1,     /* and it is counted: it will be held for long */
        STORE_DB_BRANCHES = 1 << 2,    /* how many siblings each has, looked up one by one */
        STORE_DB_ASKED = 1 << 3,       /* only what an engine gets: no metadata, no reasoning */
} StoreDbRead;

/* The branch that ends at *id, upwards: appends at most limit messages, newest first, and what fits
 * into max_bytes. *id is then where it goes on, 0 at its root. */
int store_db_climb(StoreDb *db, uint64_t number, uint64_t *id, uint32_t limit, size_t max_bytes,
        StoreDbRead what, StoreMessages *messages, Failure *failure);
void store_messages_reverse(StoreMessages *m);
/* A page of it, oldest first. */
int store_db_get_branch(StoreDb *db, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes,
        StoreDbRead what, StoreMessages **ret, Failure *failure);
/* Downwards from a message towards the head. */
int store_db_get_after(StoreDb *db, uint64_t number, uint64_t after, uint64_t head, uint32_t limit,
        size_t max_bytes, StoreMessages **ret, Failure *failure);
int store_db_get_all(StoreDb *db, uint64_t number, uint64_t after, uint32_t limit, size_t max_bytes,
        StoreMessages **ret, Failure *failure);
int store_db_get_text(StoreDb *db, uint64_t number, uint64_t reply, Channel channel,
        uint64_t offset, size_t maximum, StoreText *ret, Failure *failure);
int store_db_list_siblings(
        StoreDb *db, uint64_t number, uint64_t id, uint64_t **ret, size_t *ret_n, Failure *failure);
int store_db_find_head_below(
        StoreDb *db, uint64_t number, uint64_t id, uint64_t *ret, Failure *failure);
int store_db_get_system(StoreDb *db, uint64_t number, char **ret, Failure *failure);
int store_db_search(StoreDb *db, const char *query, StoreSearchFlags flags, uint64_t before,
        uint32_t limit, StoreHit **ret, size_t *ret_n, Failure *failure);
void store_hits_free(StoreHit *hits, size_t n);

/* ---- the search index of an earlier version (store-db-words.c) ---- */

/* A part of it becomes as this version makes it. Returns 1 until all of it is. */
int store_db_convert_index(StoreDb *db, Failure *failure);

/* ---- damage (store-db-check.c, store-db-salvage.c) ---- */

typedef enum StoreCheckResult {
        STORE_CHECK_WHOLE,
        STORE_CHECK_DAMAGED,
        STORE_CHECK_STOPPED, /* or could not be done */
} StoreCheckResult;

/* With a connection of its own, so that it may run beside the thread that owns the StoreDb: nobody
 * waits for it. Ends early, between two tables, when *stop becomes true. */
StoreCheckResult store_db_check(const char *path, const _Atomic bool *stop);
/* The check that StoreDbOpened asked for found the database whole. */
int store_db_checked(StoreDb *db, Failure *failure);

/* Sets the damaged database aside and goes on with what can be read of it. Outside a transaction.
 * ret_aside: where it is. */
int store_db_salvage(StoreDb *db, char **ret_aside, Failure *failure);
