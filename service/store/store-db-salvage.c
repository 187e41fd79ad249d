/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/buffer.h"

#include "service/store/store-db-internal.h"

/* A new database is made of what can be read of the damaged one, under another name. Only when it
 * is whole and on the disk does it take the place; the damaged one is renamed, its bytes are never
 * touched. Ended anywhere, this begins again, or ends at the next start (files_replace()). */

typedef struct Table {
        const char *name;
        const char *columns;
        const char *rowid; /* its name, where it is a column */
} Table;

static const Table tables[] = {
        { "conversations",
                "number, id, created, modified, deleted, head, messages, read, context_used,"
                " context_size, archived, hidden, title_set, title, model",
                "number" },
        { "prompts", "conversation, content", "conversation" },
        { "messages",
                "id, conversation, parent, role, reason, live, created, metadata, content,"
                " reasoning",
                "id" },
        { "parts", "id, reply, channel, start, content", "id" },
        { "attachments", "id, message, name, type, size, data", "id" },
        { "tokens", "id, conversation, token, user, reply, created", "id" },
        { "settings", "key, value", "rowid" },
        { "meta", "key, value", "rowid" },
};

/* What the rows that are left say about each other. */
static const char mend[] =
        "DELETE FROM messages WHERE id <= 0 OR conversation <= 0;"
        "UPDATE conversations SET id = randomblob(16) WHERE length(id) <> 16;"
        "INSERT INTO conversations (number, id, created, modified, deleted, head, messages, read,"
        " context_used, context_size, archived, hidden, title_set, title, model)"
        " SELECT conversation, randomblob(16), min(created), max(created), 0, 0, 0, 0, 0, 0, 0, 0,"
        " 1, 'Recovered', '' FROM messages"
        " WHERE conversation NOT IN (SELECT number FROM conversations) GROUP BY conversation;"
        "DELETE FROM prompts WHERE conversation NOT IN (SELECT number FROM conversations);"
        "DELETE FROM tokens WHERE conversation NOT IN (SELECT number FROM conversations);"
        "DELETE FROM parts WHERE reply NOT IN (SELECT id FROM messages);"
        "DELETE FROM attachments WHERE message NOT IN (SELECT id FROM messages);"
        /* A message whose parent is lost follows the one before it: all of it stays readable. */
        "UPDATE messages AS m SET parent = coalesce((SELECT max(id) FROM messages p"
        "   WHERE p.conversation = m.conversation AND p.id < m.id), 0)"
        " WHERE parent <> 0 AND NOT EXISTS (SELECT 1 FROM messages p"
        "   WHERE p.id = m.parent AND p.conversation = m.conversation AND p.id < m.id);"
        "UPDATE conversations AS c SET"
        " messages = (SELECT count(*) FROM messages WHERE conversation = c.number),"
        " head = iif(EXISTS (SELECT 1 FROM messages WHERE id = c.head AND conversation = c.number),"
        "   head,"
        "   coalesce((SELECT max(id) FROM messages WHERE conversation = c.number), 0));"
        "INSERT INTO search (rowid, content)"
        " SELECT id, split(content, 1) FROM messages WHERE NOT live AND content <> '';";

/* ---- rows ---- */

typedef struct Copy {
        Database *from, *to;
        sqlite3_stmt *up, *down; /* rows over, and rows below and over a rowid */
        sqlite3_stmt *insert;
        int n_columns;
        unsigned n_back; /* so many rows came before one that is higher */
} Copy;

/* A bit that fell over in a row's number puts it behind others, which are read on all the same; a
 * page that leads back to one above it would be read for ever. */
#define BACK_MAX 1000U

/* More than SQLite takes to read and to write any row that was ever stored. */
#define ROW_MEMORY MIB(256)

static void copy_done(Copy *c)
{
        (void) sqlite3_finalize(c->up);
        (void) sqlite3_finalize(c->down);
        (void) sqlite3_finalize(c->insert);
}

static int prepare(Database *d, sqlite3_stmt **ret, const char *sql, Failure *failure)
{
        int code = sqlite3_prepare_v2(d->sqlite, sql, -1, ret, /* pzTail= */ NULL);

        return code == SQLITE_OK ? 0 : database_fail(d, code, "save it", failure);
}

static bool is_memory(int code)
{
        return (code & 0xff) == SQLITE_NOMEM;
}

/* No memory says nothing about the rows: they are not left out for it. But a damaged row may claim
 * to be larger than any memory. */
static int check_readable(Database *from, int code, Failure *failure)
{
        void *enough;

        if (!is_memory(code))
                return 0;
        enough = sqlite3_malloc64(ROW_MEMORY);
        if (!enough)
                return database_fail(from, code, "save it", failure);
        sqlite3_free(enough);
        return 0;
}

/* Returns 0 where the table is lost altogether. */
static int prepare_selects(Copy *c, const Table *t, Failure *failure)
{
        _cleanup_free_ char *up = NULL, *down = NULL;
        int code;

        if (asprintf(&up, "SELECT rowid, %s FROM %s NOT INDEXED WHERE rowid > ?1 ORDER BY rowid",
                    t->columns, t->name) < 0) {
                up = NULL;
                return failure_set_errno(failure, -ENOMEM, "Saving a damaged database");
        }
        if (asprintf(&down,
                    "SELECT rowid, %s FROM %s NOT INDEXED WHERE rowid < ?1 AND rowid > ?2"
                    " ORDER BY rowid DESC",
                    t->columns, t->name) < 0) {
                down = NULL;
                return failure_set_errno(failure, -ENOMEM, "Saving a damaged database");
        }
        code = sqlite3_prepare_v2(c->from->sqlite, up, -1, &c->up, /* pzTail= */ NULL);
        if (code == SQLITE_OK)
                code = sqlite3_prepare_v2(c->from->sqlite, down, -1, &c->down, /* pzTail= */ NULL);
        if (code != SQLITE_OK)
                return is_memory(code) ? database_fail(c->from, code, "save it", failure) : 0;
        c->n_columns = sqlite3_column_count(c->up) - 1;
        return 1;
}

static int prepare_insert(Copy *c, const Table *t, Failure *failure)
{
        _cleanup_buffer_ Buffer sql = BUFFER_INIT(KIB(4));
        int r;

        r = buffer_append_format(
                &sql, "INSERT OR IGNORE INTO %s (%s) VALUES (", t->name, t->columns);
        for (int i = 0; r >= 0 && i < c->n_columns; i++)
                r = buffer_append_format(&sql, i == 0 ? "?%d" : ", ?%d", i + 1);
        if (r >= 0)
                r = buffer_append_string(&sql, ")");
        if (r < 0)
                return failure_set_errno(failure, r, "Saving a damaged database");
        return prepare(c->to, &c->insert, buffer_text(&sql), failure);
}

/* A value of the wrong type is damage too: such a row is left out. */
static int copy_row(Copy *c, sqlite3_stmt *row, Failure *failure)
{
        int code = SQLITE_OK;

        for (int i = 0; code == SQLITE_OK && i < c->n_columns; i++)
                code = sqlite3_bind_value(c->insert, i + 1, sqlite3_column_value(row, i + 1));
        if (code == SQLITE_OK)
                code = sqlite3_step(c->insert);
        (void) sqlite3_reset(c->insert);
        (void) sqlite3_clear_bindings(c->insert);

        if (code == SQLITE_DONE || (code & 0xff) == SQLITE_CONSTRAINT ||
                (code & 0xff) == SQLITE_MISMATCH)
                return 0;
        return database_fail(c->to, code, "save it", failure);
}

/* Upwards from *last. Returns 1 at the table's end, 0 where it cannot be read further. */
static int copy_up(Copy *c, int64_t *last, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = c->up;
        int code, r;

        (void) sqlite3_bind_int64(stmt, 1, *last);
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
                int64_t rowid = sqlite3_column_int64(stmt, 0);

                if (rowid <= *last && ++c->n_back > BACK_MAX)
                        return 0;
                r = copy_row(c, stmt, failure);
                if (r < 0)
                        return r;
                *last = rowid;
        }
        r = check_readable(c->from, code, failure);
        return r < 0 ? r : code == SQLITE_DONE;
}

/* Down from *first, the first row that can be read again, into the hole. */
static int read_down(Copy *c, int64_t *first, int64_t last, int *ret_code, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = c->down;
        int code, r;

        (void) sqlite3_bind_int64(stmt, 1, *first);
        (void) sqlite3_bind_int64(stmt, 2, last);
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
                int64_t rowid = sqlite3_column_int64(stmt, 0);

                if (rowid >= *first)
                        break;
                r = copy_row(c, stmt, failure);
                if (r < 0)
                        return r;
                *first = rowid;
        }
        *ret_code = code;
        return check_readable(c->from, code, failure);
}

/* This is the last look at a row: it is read again where there was no memory for a moment. */
static int copy_down(Copy *c, int64_t first, int64_t last, Failure *failure)
{
        int code, r;

        r = read_down(c, &first, last, &code, failure);
        if (r >= 0 && is_memory(code))
                r = read_down(c, &first, last, &code, failure);
        return r;
}

/* The first row behind the hole, found with growing steps; INT64_MAX = none. */
static int find_behind(Copy *c, int64_t last, int64_t *ret, Failure *failure)
{
        *ret = INT64_MAX;
        for (uint64_t step = 1; step < (uint64_t) (INT64_MAX - MAX(last, 0)); step *= 2) {
                _cleanup_statement_ sqlite3_stmt *stmt = c->up;
                int64_t from = last + (int64_t) step;
                int code, r;

                (void) sqlite3_bind_int64(stmt, 1, from);
                code = sqlite3_step(stmt);
                if (code == SQLITE_DONE)
                        return 0;
                if (code == SQLITE_ROW && sqlite3_column_int64(stmt, 0) > from) {
                        *ret = sqlite3_column_int64(stmt, 0);
                        return 0;
                }
                r = check_readable(c->from, code, failure);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int copy_table(Database *from, Database *to, const Table *t, Failure *failure)
{
        _cleanup_(copy_done) Copy c = { .from = from, .to = to };
        int64_t last = -1, behind;
        int r;

        r = prepare_selects(&c, t, failure);
        if (r <= 0)
                return r;
        r = prepare_insert(&c, t, failure);
        if (r < 0)
                return r;

        while ((r = copy_up(&c, &last, failure)) == 0) {
                r = find_behind(&c, last, &behind, failure);
                if (r < 0)
                        return r;
                r = copy_down(&c, behind, last, failure);
                if (r < 0)
                        return r;
                if (behind == INT64_MAX)
                        break;
                last = behind - 1;
        }
        return r < 0 ? r : 0;
}

/* ---- the new database ---- */

static int fill(Database *to, const char *path, Failure *failure)
{
        _cleanup_failure_ Failure why = FAILURE_NULL;
        Database from = { 0 };
        int r;

        r = database_execute(to, "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE", failure);
        if (r < 0)
                return r;
        r = database_open(&from, path, DATABASE_READ_DAMAGED, &why);
        if (r < 0 && !from.damaged)
                return failure_set(failure, why.code, "%s", failure_message(&why));
        /* Where it is the damage that not even this works, nothing of it can be read. */
        if (r >= 0) {
                for (size_t i = 0; r >= 0 && i < ELEMENTSOF(tables); i++)
                        r = copy_table(&from, to, &tables[i], failure);
                database_close(&from);
                if (r < 0)
                        return r;
        }
        r = database_execute(to, mend, failure);
        if (r < 0)
                return r;
        return database_execute(to, "COMMIT", failure);
}

static int make_salvaged(const char *path, Failure *failure)
{
        _cleanup_free_ char *salvaging = files_beside(path, ".salvaging"),
                            *salvaged = files_beside(path, ".salvaged");
        Database to = { 0 };
        int r;

        if (!salvaging || !salvaged)
                return failure_set_errno(failure, -ENOMEM, "Saving a damaged database");
        r = files_remove(salvaging, failure);
        if (r < 0)
                return r;
        r = files_secure(salvaging, failure);
        if (r < 0)
                return r;

        r = database_open(&to, salvaging, DATABASE_WRITE, failure);
        if (r < 0)
                return r;
        r = database_migrate(&to, failure);
        if (r >= 0)
                r = fill(&to, path, failure);
        /* With the last connection the log is copied, synced and removed. */
        database_close(&to);
        if (r < 0)
                return r;
        if (files_log_is_left(salvaging))
                return failure_set(failure, FAILURE_STORE_FAILED,
                        "%s could not be completed. Free some space and start the service again.",
                        salvaging);
        if (rename(salvaging, salvaged) < 0)
                return failure_set_errno(failure, -errno, "Renaming %s", salvaging);
        /* SQLite says nothing when it could not remove what was beside it. */
        (void) files_remove(salvaging, NULL);
        return 0;
}

int store_db_salvage(StoreDb *db, char **ret_aside, Failure *failure)
{
        _cleanup_free_ char *aside = NULL;
        Database *d = &db->disk;
        int r;

        if (d->sqlite) {
                (void) sqlite3_db_config(d->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
                database_close(d);
        }

        r = make_salvaged(db->path, failure);
        if (r < 0) {
                /* A part of it may still be of use until there is space, or whatever is missing. */
                (void) store_db_open_disk(db, NULL);
                return r;
        }
        r = files_replace(db->path, &aside, failure);
        if (r < 0)
                return r;
        if (r == 0)
                return failure_set(failure, FAILURE_STORE_FAILED,
                        "The database %s went away while it was being saved. Start the service "
                        "again.",
                        db->path);
        r = store_db_open_disk(db, failure);
        if (r == -EBADMSG)
                return failure_set(failure, FAILURE_STORE_FAILED, NULL);
        if (r < 0)
                return r;

        *ret_aside = TAKE_PTR(aside);
        return 0;
}
