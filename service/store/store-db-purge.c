/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-db-internal.h"

/* Pages of the search index that one step rewrites: some milliseconds, for others wait. */
#define INDEX_STEP 64

int store_db_purge_one(StoreDb *db, uint64_t number, Failure *failure)
{
        uint64_t last;
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;

        if (d->searchable) {
                /* Ids of what is gone are not given out again, nor is the number. */
                r = database_get(d, &last, 0, failure, "SELECT max(id) FROM messages", "");
                if (r < 0)
                        return r;
                r = database_run(d, failure,
                        "INSERT INTO meta (key, value) VALUES ('" META_LAST_ID "', ?1),"
                        " ('" META_LAST_NUMBER "', ?2), ('" META_PURGE_OWED "', 1)"
                        " ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
                        "uu", last, number);
                if (r < 0)
                        return r;
                r = database_run(d, failure,
                        "INSERT INTO search (search, rowid, content)"
                        " SELECT 'delete', id, content FROM messages"
                        " WHERE conversation = ?1 AND NOT live AND content <> ''",
                        "u", number);
                if (r < 0)
                        return r;
        }
        r = database_run(d, failure, "DELETE FROM conversations WHERE number = ?1", "u", number);
        if (r < 0)
                return r;
        return r == 0 ? failure_set(failure, FAILURE_NO_SUCH_CONVERSATION, NULL) : 0;
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
        r = store_db_purge_one(db, number, failure);
        return r < 0 ? r : 1;
}

/* FTS5 only notes what was deleted; the words go when its parts are merged into one. A negative
 * number asks for that, positive ones go on with it; it is done when nothing more changes. */
int store_db_purge_index(StoreDb *db, bool first, Failure *failure)
{
        Database *d = &db->disk;
        uint64_t owed;
        int r, before;

        r = database_get_meta(d, META_PURGE_OWED, &owed, failure);
        if (r < 0)
                return r;
        if (!owed)
                return 0;

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
