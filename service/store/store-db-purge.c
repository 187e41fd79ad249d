/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "service/store/store-db-internal.h"

/* Pages of the search index that one step rewrites: some milliseconds, for others wait. */
#define INDEX_STEP 64

/* A step begins no further row after so long: others wait for it, for what the search index merges
 * meanwhile, and for its commit. */
#define STEP_USEC (2 * USEC_PER_MSEC)

static usec_t now_monotonic(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/* From the first step on it is no conversation any more: nothing finds it, changes it or lists it,
 * in this run or the next. Ids of what goes are not given out again, nor is the number. */
static int purge_mark(Database *d, uint64_t number, bool first, Failure *failure)
{
        uint64_t last;
        int r;

        r = database_run(d, failure,
                "UPDATE conversations SET deleted = " DELETED_PURGING " WHERE number = ?1", "u",
                number);
        if (r < 0)
                return r;
        if (r == 0 && first)
                return failure_set(failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
        if (r == 0 || !d->searchable)
                return 0;
        r = database_get(d, &last, 0, failure, "SELECT max(id) FROM messages", "");
        if (r < 0)
                return r;
        r = database_run(d, failure,
                "INSERT INTO meta (key, value) VALUES ('" META_LAST_ID "', ?1),"
                " ('" META_LAST_NUMBER "', ?2), ('" META_PURGE_OWED "', 1)"
                " ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
                "uu", last, number);
        return r < 0 ? r : 0;
}

/* 1 = time is up. */
static int purge_attachments(Database *d, uint64_t message, usec_t until, Failure *failure)
{
        int r;

        for (;;) {
                r = database_run(d, failure,
                        "DELETE FROM attachments WHERE id ="
                        " (SELECT id FROM attachments WHERE message = ?1 LIMIT 1)",
                        "u", message);
                if (r <= 0)
                        return r;
                if (now_monotonic() >= until)
                        return 1;
        }
}

/* 1 = time is up, 0 = none is left. */
static int purge_messages(Database *d, uint64_t number, usec_t until, Failure *failure)
{
        uint64_t id, found;
        int r;

        do {
                r = database_get(d, &id, 0, failure,
                        "SELECT id FROM messages WHERE conversation = ?1 LIMIT 1", "u", number);
                if (r < 0 || id == 0)
                        return r;
                /* That was the index' word. Where a bit of it fell over, the message is another
                 * conversation's. */
                r = database_get(d, &found, 0, failure,
                        "SELECT conversation FROM messages WHERE id = ?1", "u", id);
                if (r < 0)
                        return r;
                if (found != number)
                        return database_fail(d, SQLITE_CORRUPT, "purge", failure);
                r = purge_attachments(d, id, until, failure);
                if (r != 0)
                        return r;
                r = database_unindex_message(d, id, failure);
                if (r < 0)
                        return r;
                r = database_run(d, failure, "DELETE FROM messages WHERE id = ?1", "u", id);
                if (r < 0)
                        return r;
        } while (now_monotonic() < until);
        return 1;
}

int store_db_purge_one(StoreDb *db, uint64_t number, bool first, Failure *failure)
{
        usec_t until = now_monotonic() + STEP_USEC;
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = purge_mark(d, number, first, failure);
        if (r < 0)
                return r;
        r = purge_messages(d, number, until, failure);
        if (r != 0)
                return r;
        r = database_run(d, failure, "DELETE FROM conversations WHERE number = ?1", "u", number);
        return r < 0 ? r : 0;
}

static int purge_first(StoreDb *db, uint64_t which, usec_t before, uint64_t *ret, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, which, &d, failure);
        if (r < 0)
                return r;
        return database_get(d, ret, 0, failure,
                "SELECT number FROM conversations WHERE deleted > 0 AND deleted < ?1 LIMIT 1", "u",
                MIN(before, (uint64_t) INT64_MAX));
}

int store_db_purge_next(StoreDb *db, usec_t before, Failure *failure)
{
        uint64_t number = 0;
        int r;

        r = purge_first(db, /* which= */ 0, before, &number, failure);
        if (r >= 0 && number == 0 && db->memory.sqlite)
                r = purge_first(db, STORE_PRIVATE, before, &number, failure);
        if (r < 0)
                return r;
        if (number == 0)
                return 0;
        r = store_db_purge_one(db, number, /* first= */ false, failure);
        return r < 0 ? r : 1;
}

/* ---- the search index ---- */

/* Each merge of all parts puts the index a level higher, whether the levels below have anything or
 * not, and FTS5 takes an index of more than 2,000 levels for damaged. Long before that it is made
 * anew, which nothing else brings down to the ground again. */
#define INDEX_LEVELS_MAX 1000

/* FTS5's own record of its parts: a cookie, a mark where secure-delete was on, and as a number of
 * seven bits a byte, high ones first, how many levels there are. */
#define INDEX_PARTS_ID "10"

static int count_levels(Database *d, unsigned *ret, Failure *failure)
{
        static const uint8_t mark[] = { 0xff, 0, 0, 1 };
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        const uint8_t *record;
        size_t size, at = 4;
        unsigned n = 0;
        int r;

        r = database_query(
                d, &stmt, failure, "SELECT block FROM search_data WHERE id = " INDEX_PARTS_ID, "");
        if (r < 0)
                return r;
        r = database_step(d, stmt, failure);
        if (r < 0)
                return r;
        if (r > 0) {
                record = sqlite3_column_blob(stmt, 0);
                size = (size_t) sqlite3_column_bytes(stmt, 0);
                if (size >= at + sizeof mark && memcmp(record + at, mark, sizeof mark) == 0)
                        at += sizeof mark;
                while (at < size && n <= INDEX_LEVELS_MAX) {
                        n = n << 7 | (record[at] & 0x7fU);
                        if (!(record[at++] & 0x80U))
                                break;
                }
        }
        *ret = n;
        return 0;
}

static int make_index_anew(Database *d, Failure *failure)
{
        int r;

        r = database_run(d, failure, "INSERT INTO search (search) VALUES ('delete-all')", "");
        if (r < 0)
                return r;
        r = database_run(d, failure,
                "INSERT INTO search (rowid, content) SELECT id, split(content, 1) FROM messages"
                " WHERE NOT live AND content <> ''",
                "");
        if (r < 0)
                return r;
        r = database_set_meta(d, META_UNSPLIT_END, 0, failure);
        return r < 0 ? r : 0;
}

/* FTS5 only notes what was deleted; the words go when its parts are merged into one. A negative
 * number asks for that, positive ones go on with it; it is done when nothing more changes. */
int store_db_purge_index(StoreDb *db, bool first, Failure *failure)
{
        Database *d = &db->disk;
        unsigned levels;
        uint64_t owed;
        int r, before;

        r = database_get_meta(d, META_PURGE_OWED, &owed, failure);
        if (r < 0)
                return r;
        if (!owed)
                return 0;

        r = count_levels(d, &levels, failure);
        if (r < 0)
                return r;
        if (first && levels > INDEX_LEVELS_MAX) {
                r = make_index_anew(d, failure);
                if (r < 0)
                        return r;
        }
        before = sqlite3_total_changes(d->sqlite);
        r = database_run(d, failure, "INSERT INTO search (search, rank) VALUES ('merge', ?1)", "u",
                (uint64_t) (first ? -INDEX_STEP : INDEX_STEP));
        if (r < 0)
                return r;
        return sqlite3_total_changes(d->sqlite) - before >= 2;
}

int store_db_purge_log(StoreDb *db, Failure *failure)
{
        Database *d = &db->disk;
        uint64_t owed;
        int code, r;

        r = database_get_meta(d, META_PURGE_OWED, &owed, failure);
        if (r < 0)
                return r;
        if (!owed)
                return 0;

        code = sqlite3_wal_checkpoint_v2(
                d->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, /* pnLog= */ NULL, NULL);
        if ((code & 0xff) == SQLITE_BUSY)
                return failure_set(failure, FAILURE_BUSY,
                        "The conversations were deleted, but another program reads the database "
                        "%s, so that their bytes are still in its log. End it and purge again.",
                        d->path);
        if (code != SQLITE_OK)
                return database_fail(d, code, "copy its log", failure);
        /* What this writes to the emptied log is nobody's text. */
        r = database_set_meta(d, META_PURGE_OWED, 0, failure);
        return r < 0 ? r : 0;
}
