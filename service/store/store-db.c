/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>

#include "common/utf8.h"
#include "service/store/store-db-internal.h"

/* A tenth of the memory that the whole service may have dirty. */
#define CACHE_KIB 300

/* Pages in the log after which it is copied into the database when nobody waits, and when somebody
 * always does. */
#define LOG_PAGES_MAX  500U
#define LOG_PAGES_LONG 5000U

/* How long another program (a backup, sqlite3) may keep the database locked. */
#define LOCKED_MSEC 5000

/* ---- what went wrong ---- */

static FailureCode failure_code_of(Database *d, int code)
{
        switch (code & 0xff) {
        case SQLITE_FULL:
                return FAILURE_STORE_FULL;
        case SQLITE_IOERR:
                return d->error == EDQUOT || d->error == EFBIG || d->error == ENOSPC
                        ? FAILURE_STORE_FULL
                        : FAILURE_STORE_FAILED;
        case SQLITE_NOMEM:
                return FAILURE_NO_MEMORY;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return FAILURE_BUSY;
        case SQLITE_TOOBIG:
                return FAILURE_TOO_LARGE;
        default:
                return FAILURE_STORE_FAILED;
        }
}

int database_fail(Database *d, int code, const char *doing, Failure *failure)
{
        FailureCode failed = failure_code_of(d, code);
        const char *reason = d->sqlite ? sqlite3_errmsg(d->sqlite) : sqlite3_errstr(code);

        switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                d->damaged = true;
                return failure_set(failure, failed,
                        "The database %s is damaged; what can be read of it is being saved. Try "
                        "again in a moment.",
                        d->path);
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
                return failure_set(failure, failed,
                        "The database %s cannot be written (%s). Make it and its folder writable "
                        "for you, then start the service again.",
                        d->path, reason);
        default:
                break;
        }

        if (failed == FAILURE_STORE_FULL)
                return failure_set(failure, failed,
                        "There is no space left for the database %s: nothing was stored. Free some "
                        "space and try again.",
                        d->path);
        if (failed == FAILURE_BUSY)
                return failure_set(failure, failed,
                        "Another program keeps the database %s locked. End it and try again.",
                        d->path);
        return failure_set(
                failure, failed, "The database %s: could not %s: %s.", d->path, doing, reason);
}

int check_text(const char *text, size_t size, const char *what, Failure *failure)
{
        if (utf8_is_valid(strempty(text), size))
                return 0;
        return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                "The %s is not text: it must be UTF-8 without NUL. Binary data can be attached "
                "as a file.",
                what);
}

/* ---- statements ---- */

static int database_prepare(Database *d, const char *sql, sqlite3_stmt **ret, Failure *failure)
{
        sqlite3_stmt *stmt;
        Statement *statements;
        int code;

        for (size_t i = 0; i < d->n_statements; i++)
                if (d->statements[i].sql == sql) {
                        *ret = d->statements[i].stmt;
                        return 0;
                }

        statements = reallocarray(d->statements, d->n_statements + 1, sizeof *statements);
        if (!statements)
                return failure_set_errno(failure, -ENOMEM, "Preparing a statement");
        d->statements = statements;

        code = sqlite3_prepare_v3(
                d->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, /* pzTail= */ NULL);
        /* The text is ours and right: a table is lost, or what the search index says of itself. */
        if ((code & 0xff) == SQLITE_ERROR)
                code = SQLITE_CORRUPT;
        if (code != SQLITE_OK)
                return database_fail(d, code, "prepare a statement", failure);

        d->statements[d->n_statements++] = (Statement){ .sql = sql, .stmt = stmt };
        *ret = stmt;
        return 0;
}

void statement_done(sqlite3_stmt **stmt)
{
        if (!*stmt)
                return;
        /* Its error was that of the last step, which was handled. */
        (void) sqlite3_reset(*stmt);
        (void) sqlite3_clear_bindings(*stmt);
}

static int bind_next(sqlite3_stmt *stmt, int i, char type, va_list *ap)
{
        const void *data;

        switch (type) {
        case 'u':
                return sqlite3_bind_int64(stmt, i, (int64_t) va_arg(*ap, uint64_t));
        case 's':
                data = va_arg(*ap, const char *);
                return sqlite3_bind_text(stmt, i, strempty(data), -1, SQLITE_STATIC);
        case 't':
                data = va_arg(*ap, const char *);
                return sqlite3_bind_text64(
                        stmt, i, strempty(data), va_arg(*ap, size_t), SQLITE_STATIC, SQLITE_UTF8);
        case 'b':
                data = va_arg(*ap, const void *);
                return sqlite3_bind_blob64(
                        stmt, i, data ? data : "", va_arg(*ap, size_t), SQLITE_STATIC);
        default:
                assert(false);
                return SQLITE_MISUSE;
        }
}

static int database_queryv(Database *d, sqlite3_stmt **ret, Failure *failure, const char *sql,
        const char *format, va_list *ap)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        int r;

        r = database_prepare(d, sql, &stmt, failure);
        if (r < 0)
                return r;

        for (int i = 0; format[i]; i++) {
                int code = bind_next(stmt, i + 1, format[i], ap);

                if (code != SQLITE_OK)
                        return database_fail(d, code, "bind a value", failure);
        }

        *ret = TAKE_PTR(stmt);
        return 0;
}

int database_query(
        Database *d, sqlite3_stmt **ret, Failure *failure, const char *sql, const char *format, ...)
{
        va_list ap;
        int r;

        va_start(ap, format);
        r = database_queryv(d, ret, failure, sql, format, &ap);
        va_end(ap);
        return r;
}

int database_step(Database *d, sqlite3_stmt *stmt, Failure *failure)
{
        int code;

        errno = 0;
        code = sqlite3_step(stmt);
        d->error = errno;
        if (code == SQLITE_ROW)
                return 1;
        if (code == SQLITE_DONE)
                return 0;
        /* The end of a transaction changes no table and breaks no rule: it writes the search index
         * out, which then does not agree with itself. */
        if ((code & 0xff) == SQLITE_CONSTRAINT && sqlite3_stmt_readonly(stmt))
                code = SQLITE_CORRUPT_VTAB;
        return database_fail(d, code, "read or write", failure);
}

/* The first step of a query; *ret is for the caller to reset, also after a failure. */
static int database_beginv(Database *d, sqlite3_stmt **ret, Failure *failure, const char *sql,
        const char *format, va_list *ap)
{
        int r;

        r = database_queryv(d, ret, failure, sql, format, ap);
        return r < 0 ? r : database_step(d, *ret, failure);
}

/* The same with the arguments of the function that it stands in, which va_start() has to. */
#define database_begin(d, ret, failure, sql, format) \
        ({ \
                va_list _ap; \
                int _r; \
\
                va_start(_ap, format); \
                _r = database_beginv(d, ret, failure, sql, format, &_ap); \
                va_end(_ap); \
                _r; \
        })

int database_run(Database *d, Failure *failure, const char *sql, const char *format, ...)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        int r;

        r = database_begin(d, &stmt, failure, sql, format);
        return r < 0 ? r : sqlite3_changes(d->sqlite);
}

int database_get(Database *d, uint64_t *ret, uint64_t otherwise, Failure *failure, const char *sql,
        const char *format, ...)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        int r;

        r = database_begin(d, &stmt, failure, sql, format);
        if (r < 0)
                return r;
        *ret = r > 0 ? statement_u64(stmt, 0) : otherwise;
        return 0;
}

int database_get_text(
        Database *d, char **ret, Failure *failure, const char *sql, const char *format, ...)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        int r;

        r = database_begin(d, &stmt, failure, sql, format);
        if (r < 0)
                return r;
        if (r > 0)
                return statement_text(stmt, 0, ret, /* ret_size= */ NULL, failure);
        *ret = strdup("");
        return *ret ? 0 : failure_set_errno(failure, -ENOMEM, "Reading the database");
}

int database_execute(Database *d, const char *sql, Failure *failure)
{
        int code;

        errno = 0;
        code = sqlite3_exec(d->sqlite, sql, /* callback= */ NULL, NULL, /* errmsg= */ NULL);
        d->error = errno;
        if (code != SQLITE_OK)
                return database_fail(d, code, "read or write", failure);
        return 0;
}

/* A bit that fell over on the disk is no damage that SQLite sees, but the bus refuses such text. */
static int copy_repaired(const char *text, size_t size, char **ret, size_t *ret_size)
{
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT((size + 1) * strlen(UTF8_REPLACEMENT));
        Utf8Repair repair = { 0 };
        int r;

        r = utf8_repair(&repair, text, size, &buffer);
        if (r < 0)
                return r;
        r = utf8_repair_flush(&repair, &buffer);
        if (r < 0)
                return r;
        return buffer_steal(&buffer, ret, ret_size);
}

int statement_text(sqlite3_stmt *stmt, int column, char **ret, size_t *ret_size, Failure *failure)
{
        const char *text = strempty((const char *) sqlite3_column_text(stmt, column));
        size_t size = (size_t) sqlite3_column_bytes(stmt, column);
        char *copy;
        int r;

        if (utf8_is_valid(text, size)) {
                copy = strndup(text, size);
                r = copy ? 0 : -ENOMEM;
        } else
                r = copy_repaired(text, size, &copy, &size);
        if (r < 0)
                return failure_set_errno(failure, r, "Reading text");

        *ret = copy;
        if (ret_size)
                *ret_size = size;
        return 0;
}

int database_get_meta(Database *d, const char *key, uint64_t *ret, Failure *failure)
{
        return database_get(d, ret, 0, failure, "SELECT value FROM meta WHERE key = ?1", "s", key);
}

int database_set_meta(Database *d, const char *key, uint64_t value, Failure *failure)
{
        return database_run(d, failure, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
                "su", key, value);
}

/* ---- connections ---- */

static int on_commit(void *userdata, sqlite3 *sqlite, const char *name, int pages)
{
        Database *d = ASSERT_PTR(userdata);

        d->log_pages = (unsigned) pages;
        return SQLITE_OK;
}

static int database_set_up(Database *d, Failure *failure)
{
        _cleanup_free_ char *pragmas = NULL;
        int r;

        /* Pages that were freed are zeroed, and nothing goes to a temporary file: what was deleted
         * is gone. A log that is copied by hand, when nobody waits, delays nobody's commit. */
        if (asprintf(&pragmas,
                    "PRAGMA synchronous = FULL;"
                    "PRAGMA foreign_keys = ON;"
                    "PRAGMA secure_delete = ON;"
                    "PRAGMA temp_store = MEMORY;"
                    "PRAGMA trusted_schema = OFF;"
                    "PRAGMA cell_size_check = ON;"
                    "PRAGMA mmap_size = 0;"
                    "PRAGMA wal_autocheckpoint = 0;"
                    "PRAGMA journal_size_limit = 4194304;"
                    "PRAGMA max_page_count = " DATABASE_PAGES_MAX ";"
                    "PRAGMA cache_size = -%d;",
                    CACHE_KIB) < 0)
                return failure_set_errno(failure, -ENOMEM, "Opening the database");
        r = database_execute(d, pragmas, failure);
        if (r < 0)
                return r;

        (void) sqlite3_wal_hook(d->sqlite, on_commit, d);
        return 0;
}

/* The file may be somebody else's work: what it has beside tables and indexes of ours is not run,
 * and what only SQLite itself may write is not written. Whoever could write that may also read a
 * file that has lost its end, or a part of its schema. */
static void database_distrust(Database *d, DatabaseMode mode)
{
        const struct {
                int option, value;
        } options[] = {
                { SQLITE_DBCONFIG_DEFENSIVE, mode != DATABASE_READ_DAMAGED },
                { SQLITE_DBCONFIG_WRITABLE_SCHEMA, mode == DATABASE_READ_DAMAGED },
                { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
                { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
                { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                (void) sqlite3_db_config(d->sqlite, options[i].option, options[i].value, NULL);
}

int database_open(Database *d, const char *path, DatabaseMode mode, Failure *failure)
{
        int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
        int code, r;

        assert(!d->sqlite);

        *d = (Database){ .path = path, .searchable = mode != DATABASE_IN_MEMORY };
        flags |= mode == DATABASE_READ || mode == DATABASE_READ_DAMAGED
                ? SQLITE_OPEN_READONLY
                : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        code = sqlite3_open_v2(mode == DATABASE_IN_MEMORY ? ":memory:" : path, &d->sqlite, flags,
                /* zVfs= */ NULL);
        if (code != SQLITE_OK) {
                r = database_fail(d, code, "open it", failure);
                database_close(d);
                return r;
        }

        /* A database that turns out to be newer or damaged is left as it is, log and all. */
        (void) sqlite3_db_config(d->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void) sqlite3_db_config(d->sqlite, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
        (void) sqlite3_busy_timeout(d->sqlite, LOCKED_MSEC);
        database_distrust(d, mode);

        r = database_set_up(d, failure);
        if (r >= 0)
                r = database_add_functions(d, failure);
        if (r >= 0 && mode == DATABASE_WRITE)
                r = database_scrub_writes(d, failure);
        if (r < 0)
                database_close(d);
        return r;
}

void database_forget_statements(Database *d)
{
        for (size_t i = 0; i < d->n_statements; i++)
                (void) sqlite3_finalize(d->statements[i].stmt);
        d->statements = mfree(d->statements);
        d->n_statements = 0;
}

void database_close(Database *d)
{
        database_forget_statements(d);
        /* With the statements gone it cannot be busy; what was committed is durable already. */
        (void) sqlite3_close_v2(d->sqlite);
        d->sqlite = NULL;
        d->log_pages = 0;
}

int store_db_of(StoreDb *db, uint64_t number, Database **ret, Failure *failure)
{
        int r;

        if (!(number & STORE_PRIVATE)) {
                if (!db->disk.sqlite)
                        return failure_set(failure, FAILURE_STORE_FAILED,
                                "The database %s could not be opened again. Start the service "
                                "again.",
                                db->path);
                *ret = &db->disk;
                return 0;
        }

        if (!db->memory.sqlite) {
                r = database_open(
                        &db->memory, "of private conversations", DATABASE_IN_MEMORY, failure);
                if (r < 0)
                        return r;
                r = database_migrate(&db->memory, failure);
                if (r < 0) {
                        database_close(&db->memory);
                        return r;
                }
        }
        *ret = &db->memory;
        return 0;
}

/* ---- transactions ---- */

bool store_db_in_transaction(const StoreDb *db)
{
        return db->disk.sqlite && !sqlite3_get_autocommit(db->disk.sqlite);
}

bool store_db_is_writing(const StoreDb *db)
{
        return db->disk.sqlite && sqlite3_txn_state(db->disk.sqlite, "main") == SQLITE_TXN_WRITE;
}

int store_db_savepoint(StoreDb *db, uint64_t number, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        if (d == &db->disk && !store_db_in_transaction(db)) {
                r = database_run(d, failure, "BEGIN IMMEDIATE", "");
                if (r < 0)
                        return r;
        }
        return database_run(d, failure, "SAVEPOINT request", "");
}

int store_db_savepoint_end(StoreDb *db, uint64_t number, bool failed, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        /* A full disk or memory may have made SQLite roll all of it back. */
        if (sqlite3_get_autocommit(d->sqlite))
                return failed
                        ? 0
                        : failure_set(failure, FAILURE_STORE_FAILED,
                                  "The database %s gave up a transaction. Try again.", d->path);
        if (failed)
                r = database_run(d, failure, "ROLLBACK TO request", "");
        if (r >= 0)
                r = database_run(d, failure, "RELEASE request", "");
        /* What cannot be taken back alone is taken back with all the rest. */
        if (r < 0 && !sqlite3_get_autocommit(d->sqlite))
                (void) database_run(d, NULL, "ROLLBACK", "");
        return r;
}

int store_db_commit(StoreDb *db, Failure *failure)
{
        int r;

        r = database_run(&db->disk, failure, "COMMIT", "");
        if (r < 0) {
                if (store_db_in_transaction(db))
                        (void) database_run(&db->disk, NULL, "ROLLBACK", "");
                return r;
        }
        return 0;
}

void store_db_forget_pages(StoreDb *db, uint64_t number)
{
        if (!(number & STORE_PRIVATE) && db->disk.sqlite)
                (void) sqlite3_db_release_memory(db->disk.sqlite);
}

bool store_db_log_is_long(const StoreDb *db)
{
        return db->disk.log_pages >= LOG_PAGES_LONG;
}

void store_db_checkpoint(StoreDb *db)
{
        if (!db->disk.sqlite || db->disk.log_pages < LOG_PAGES_MAX)
                return;

        /* A reader elsewhere may keep it from ending: the next commit brings it here again. */
        (void) sqlite3_wal_checkpoint_v2(
                db->disk.sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        db->disk.log_pages = 0;
}

void store_db_look(StoreDb *db)
{
        /* Without it each statement looks for itself: slower, not wrong. */
        if (db->disk.sqlite)
                (void) database_run(&db->disk, NULL, "BEGIN", "");
}

void store_db_look_end(StoreDb *db)
{
        if (store_db_in_transaction(db))
                (void) store_db_commit(db, NULL);
}

bool store_db_is_damaged(const StoreDb *db)
{
        return db->disk.damaged;
}
