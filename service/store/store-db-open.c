/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-db-internal.h"

void store_db_opened_done(StoreDbOpened *o)
{
        store_index_free(o->index);
        free(o->salvaged);
        *o = (StoreDbOpened){ 0 };
}

/* ---- the index ---- */

static int read_conversation(sqlite3_stmt *stmt, StoreConversation *c, Failure *failure)
{
        int r;

        *c = (StoreConversation){
                .number = statement_u64(stmt, 0),
                .created = statement_u64(stmt, 2),
                .modified = statement_u64(stmt, 3),
                .deleted = statement_u64(stmt, 4),
                .head = statement_u64(stmt, 5),
                .messages = statement_u64(stmt, 6),
                .read = statement_u64(stmt, 7),
                .context_used = statement_u64(stmt, 8),
                .context_size = statement_u64(stmt, 9),
                .archived = statement_u64(stmt, 10) != 0,
                .hidden = statement_u64(stmt, 11) != 0,
                .title_set = statement_u64(stmt, 12) != 0,
        };
        if (sqlite3_column_bytes(stmt, 1) == sizeof c->id)
                memcpy(&c->id, sqlite3_column_blob(stmt, 1), sizeof c->id);

        r = statement_text(stmt, 13, &c->title, /* ret_size= */ NULL, failure);
        if (r < 0)
                return r;
        return statement_text(stmt, 14, &c->model, /* ret_size= */ NULL, failure);
}

static int read_conversations(Database *d, StoreIndex *index, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        size_t allocated = 0;
        int r;

        r = database_query(d, &stmt, failure,
                "SELECT number, id, created, modified, deleted, head, messages, read, context_used,"
                " context_size, archived, hidden, title_set, title, model"
                " FROM conversations WHERE deleted <> " DELETED_PURGING
                " ORDER BY modified DESC, number DESC",
                "");
        if (r < 0)
                return r;

        while ((r = database_step(d, stmt, failure)) > 0) {
                if (index->n_conversations == allocated) {
                        StoreConversation *more;

                        allocated = MAX(allocated * 2, 64U);
                        more = reallocarray(index->conversations, allocated, sizeof *more);
                        if (!more)
                                return failure_set_errno(failure, -ENOMEM, "Reading the index");
                        index->conversations = more;
                }
                /* Counted first: a half-read one is freed with the others. */
                r = read_conversation(
                        stmt, &index->conversations[index->n_conversations++], failure);
                if (r < 0)
                        return r;
        }
        return r;
}

static int read_setting(Database *d, const char *key, char **ret, Failure *failure)
{
        return database_get_text(
                d, ret, failure, "SELECT value FROM settings WHERE key = ?1", "s", key);
}

static int read_index(Database *d, StoreIndex **ret, Failure *failure)
{
        _cleanup_(store_index_freep) StoreIndex *index = calloc(1, sizeof *index);
        int r;

        if (!index)
                return failure_set_errno(failure, -ENOMEM, "Reading the index");
        r = read_conversations(d, index, failure);
        if (r < 0)
                return r;
        r = read_setting(d, "default_model", &index->default_model, failure);
        if (r < 0)
                return r;
        r = read_setting(d, "last_model", &index->last_model, failure);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(index);
        return 0;
}

int store_db_read_index(StoreDb *db, StoreIndex **ret, Failure *failure)
{
        return read_index(&db->disk, ret, failure);
}

/* ---- numbers that were given out ---- */

static int read_last(Database *d, StoreDbOpened *o, Failure *failure)
{
        uint64_t id, number;
        int r;

        r = database_get(d, &id, 0, failure, "SELECT max(id) FROM messages", "");
        if (r < 0)
                return r;
        r = database_get(d, &number, 0, failure, "SELECT max(number) FROM conversations", "");
        if (r < 0)
                return r;
        r = database_get_meta(d, META_LAST_ID, &o->last_id, failure);
        if (r < 0)
                return r;
        r = database_get_meta(d, META_LAST_NUMBER, &o->last_number, failure);
        if (r < 0)
                return r;

        o->last_id = MAX(o->last_id, id);
        o->last_number = MAX(o->last_number, number);
        return 0;
}

void store_db_remember(StoreDb *db, uint64_t last_id, uint64_t last_number)
{
        Database *d = &db->disk;
        StoreDbOpened known = { 0 };

        /* They matter only where the newest messages were purged or private: best effort. */
        if (!d->sqlite || read_last(d, &known, NULL) < 0)
                return;
        if (known.last_id < last_id)
                (void) database_set_meta(d, META_LAST_ID, last_id, NULL);
        if (known.last_number < last_number)
                (void) database_set_meta(d, META_LAST_NUMBER, last_number, NULL);
}

/* ---- opening ---- */

static int end_live(StoreDb *db, uint64_t *ret_interrupted, Failure *failure)
{
        Database *d = &db->disk;
        uint64_t interrupted;
        int r;

        r = database_run(d, failure, "BEGIN IMMEDIATE", "");
        if (r < 0)
                return r;
        r = database_end_live(d, &interrupted, failure);
        if (r < 0) {
                if (store_db_in_transaction(db))
                        (void) database_run(d, NULL, "ROLLBACK", "");
                return r;
        }
        r = store_db_commit(db, failure);
        if (r < 0)
                return r;

        *ret_interrupted = interrupted;
        return 0;
}

/* A run that did not end well left a log, and replies without an end. */
static int end_last_run(StoreDb *db, bool unclean, uint64_t *ret_interrupted, Failure *failure)
{
        Database *d = &db->disk;
        uint64_t live;
        int r;

        /* So that a check that does not come to its end begins again at the next start. Where there
         * is no space to note that, history can be read all the same. */
        if (unclean)
                (void) database_set_meta(d, META_CHECK_OWED, 1, NULL);

        r = database_get(
                d, &live, 0, failure, "SELECT EXISTS (SELECT 1 FROM messages WHERE live)", "");
        if (r < 0)
                return r;
        if (live)
                return end_live(db, ret_interrupted, failure);

        *ret_interrupted = 0;
        return 0;
}

static int read_opened(StoreDb *db, bool unclean, StoreDbOpened *ret, Failure *failure)
{
        _cleanup_(store_db_opened_done) StoreDbOpened o = { 0 };
        Database *d = &db->disk;
        uint64_t interrupted, check, convert, purge;
        int r;

        r = end_last_run(db, unclean, &interrupted, failure);
        if (r < 0)
                return r;
        r = read_index(d, &o.index, failure);
        if (r < 0)
                return r;
        r = read_last(d, &o, failure);
        if (r < 0)
                return r;
        r = database_get_meta(d, META_CHECK_OWED, &check, failure);
        if (r < 0)
                return r;
        r = database_get(d, &purge, 0, failure,
                "SELECT EXISTS (SELECT 1 FROM conversations WHERE deleted = " DELETED_PURGING ")"
                " OR EXISTS (SELECT 1 FROM meta WHERE key = '" META_PURGE_OWED "' AND value)",
                "");
        if (r < 0)
                return r;

        r = database_get_meta(d, META_UNSPLIT_END, &convert, failure);
        if (r < 0)
                return r;

        o.index->interrupted = interrupted;
        o.convert = convert != 0;
        o.check = check != 0 || unclean;
        o.purge = purge != 0;
        *ret = o;
        o = (StoreDbOpened){ 0 };
        return 0;
}

int store_db_open_disk(StoreDb *db, Failure *failure)
{
        Database *d = &db->disk;
        int r;

        r = files_secure(db->path, failure);
        if (r < 0)
                return r;
        r = database_peek(db->path, failure);
        if (r < 0)
                return r;
        r = database_open(d, db->path, DATABASE_WRITE, failure);
        if (r < 0)
                return r;
        if (sqlite3_db_readonly(d->sqlite, "main") > 0)
                r = database_fail(d, SQLITE_READONLY, "write it", failure);
        else
                r = database_migrate(d, failure);
        if (r < 0)
                database_close(d);
        return r;
}

static int try_open(StoreDb *db, StoreDbOpened *ret, Failure *failure)
{
        bool unclean = files_log_is_left(db->path);
        int r;

        r = store_db_open_disk(db, failure);
        if (r < 0)
                return r;
        r = read_opened(db, unclean, ret, failure);
        if (r < 0) {
                database_close(&db->disk);
                return r;
        }
        database_forget_statements(&db->disk);
        return 0;
}

/* Damaged so much that it cannot even be opened. */
static int open_salvaged(StoreDb *db, char **ret_aside, StoreDbOpened *ret, Failure *failure)
{
        _cleanup_free_ char *aside = NULL;
        int r;

        r = store_db_salvage(db, &aside, failure);
        if (r < 0)
                return r;
        r = read_opened(db, /* unclean= */ false, ret, failure);
        if (r < 0)
                return r;
        *ret_aside = TAKE_PTR(aside);
        return 0;
}

int store_db_open(StoreDb **ret, const char *path, StoreDbOpened *ret_opened, Failure *failure)
{
        _cleanup_(store_db_freep) StoreDb *db = NULL;
        _cleanup_(store_db_opened_done) StoreDbOpened opened = { 0 };
        _cleanup_free_ char *aside = NULL;
        _cleanup_failure_ Failure first = FAILURE_NULL;
        int r;

        db = calloc(1, sizeof *db);
        if (!db)
                return failure_set_errno(failure, -ENOMEM, "Opening the database");
        db->lock_fd = -EBADF;
        db->path = strdup(path);
        if (!db->path)
                return failure_set_errno(failure, -ENOMEM, "Opening the database");

        r = files_make_folder(db->path, failure);
        if (r < 0)
                return r;
        db->lock_fd = files_lock(db->path, failure);
        if (db->lock_fd < 0)
                return db->lock_fd;
        /* A salvage that was interrupted at its end. */
        r = files_replace(db->path, &aside, failure);
        if (r < 0)
                return r;

        r = try_open(db, &opened, &first);
        if (r == -EBADMSG || (r < 0 && db->disk.damaged))
                r = open_salvaged(db, &aside, &opened, failure);
        else if (r < 0)
                (void) failure_set(failure, first.code, "%s", failure_message(&first));
        if (r < 0)
                return r;

        opened.salvaged = TAKE_PTR(aside);
        *ret_opened = opened;
        opened = (StoreDbOpened){ 0 };
        *ret = TAKE_PTR(db);
        return 0;
}

StoreDb *store_db_free(StoreDb *db)
{
        if (!db)
                return NULL;

        database_close(&db->disk);
        database_close(&db->memory);
        safe_close(db->lock_fd);
        free(db->path);
        return mfree(db);
}
