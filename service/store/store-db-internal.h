/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files that speak SQLite share. Strings that come back are the caller's to free. */

#include <sqlite3.h>

#include "service/store/store-db.h"

/* An SQL text is its own key: each is a literal at the one place that uses it. */
typedef struct Statement {
        const char *sql;
        sqlite3_stmt *stmt;
} Statement;

/* SQLite's functions for a file, one of them replaced. (store-db-scrub.c) */
typedef struct DatabaseFile {
        sqlite3_io_methods methods;
        const sqlite3_io_methods *original;
} DatabaseFile;

/* 128 GiB. With more pages the first byte of a page would not tell what it is. */
#define DATABASE_PAGES_MAX "33554431"

/* Must not move while it is open. */
typedef struct Database {
        sqlite3 *sqlite; /* NULL = not open */
        DatabaseFile file;
        const char *path;
        Statement *statements;
        size_t n_statements;
        bool searchable; /* keeps a search index */
        bool damaged;
        int error; /* errno after the last step: SQLite tells "no space" apart, but not a quota */
        unsigned log_pages; /* in the write-ahead log after the last commit */
} Database;

struct StoreDb {
        char *path;
        int lock_fd;
        Database disk;
        Database memory; /* opened with the first private conversation */
};

/* What SQLite said, as a failure; doing: "read a message". Returns the negative errno. */
int database_fail(Database *d, int code, const char *doing, Failure *failure);

/* The prepared statement with its values bound: format has a letter for each value, u (uint64_t),
 * s (const char *), t (const char *, size_t: text), b (const void *, size_t: bytes). Bound memory
 * must live until the statement is reset. */
int database_query(Database *d, sqlite3_stmt **ret, Failure *failure, const char *sql,
        const char *format, ...);
/* 1 = a row, 0 = no more. */
int database_step(Database *d, sqlite3_stmt *stmt, Failure *failure);
/* A statement without rows. Returns the number of rows changed. */
int database_run(Database *d, Failure *failure, const char *sql, const char *format, ...);
/* The first column of the only row; 0 rows: *ret = otherwise. */
int database_get(Database *d, uint64_t *ret, uint64_t otherwise, Failure *failure, const char *sql,
        const char *format, ...);
/* The same of text, a copy; "" for 0 rows. */
int database_get_text(
        Database *d, char **ret, Failure *failure, const char *sql, const char *format, ...);
/* Statements without parameters that are not worth keeping. */
int database_execute(Database *d, const char *sql, Failure *failure);

/* Resets; the statement stays with its database. */
void statement_done(sqlite3_stmt **stmt);
#define _cleanup_statement_ _cleanup_(statement_done)

static inline uint64_t statement_u64(sqlite3_stmt *stmt, int column)
{
        return (uint64_t) sqlite3_column_int64(stmt, column);
}

/* A copy of a text column, "" for NULL, always valid UTF-8; ret_size may be NULL. */
int statement_text(sqlite3_stmt *stmt, int column, char **ret, size_t *ret_size, Failure *failure);

/* A row's number or role that is not one of ours becomes otherwise: the file may be damaged. */
static inline int statement_enum(sqlite3_stmt *stmt, int column, int max, int otherwise)
{
        int64_t value = sqlite3_column_int64(stmt, column);

        return value >= 0 && value < max ? (int) value : otherwise;
}

typedef enum DatabaseMode {
        DATABASE_WRITE,        /* created if it is not there */
        DATABASE_READ,         /* leaves the log alone, also when it is closed */
        DATABASE_READ_DAMAGED, /* the same, and what is wrong with a part does not hide the rest */
        DATABASE_IN_MEMORY,
} DatabaseMode;

/* Opens and sets the connection up; touches no content. path is kept, not copied. */
int database_open(Database *d, const char *path, DatabaseMode mode, Failure *failure);
void database_close(Database *d);
/* From here on no copies of rows are left in the file's pages. */
int database_scrub_writes(Database *d, Failure *failure);
/* What was used once, at the start, need not stay in memory. */
void database_forget_statements(Database *d);

/* Text as the search index gets it, and so a search: 1 = *ret, 0 = as it is. (store-db-words.c) */
int words_split(const char *text, size_t size, char **ret, size_t *ret_size);
/* The same for statements. */
int database_add_functions(Database *d, Failure *failure);

/* Creates or migrates; refuses a newer one. (store-db-schema.c) */
int database_migrate(Database *d, Failure *failure);
/* Before SQLite touches the file: 1 = a database that this version may open, 0 = it is empty,
 * -EBADMSG = no database or a damaged one; otherwise a failure is set. */
int database_peek(const char *path, Failure *failure);

/* The number's database, the one in memory opened on first use. */
int store_db_of(StoreDb *db, uint64_t number, Database **ret, Failure *failure);

/* -EBADMSG without a failure: it is damaged, or no database. (store-db-open.c) */
int store_db_open_disk(StoreDb *db, Failure *failure);

/* The text of replies that nobody writes any more: ends them as interrupted. (store-db-write.c) */
int database_end_live(Database *d, uint64_t *ret_n, Failure *failure);
/* A live reply's rows and what they follow, joined. (store-db-text.c) */
int database_join_reply(Database *d, uint64_t reply, Channel channel, const char *base,
        size_t base_size, char **ret, size_t *ret_size, Failure *failure);
/* How the index has a message's text: what an earlier version put into it is converted in steps. */
#define INDEXED(id, content) \
        "split(" content ", " id " NOT BETWEEN" \
        " (SELECT value FROM meta WHERE key = '" META_UNSPLIT_NEXT "') AND" \
        " (SELECT value FROM meta WHERE key = '" META_UNSPLIT_END "'))"
int database_unindex_message(Database *d, uint64_t id, Failure *failure);

/* Small facts about the database itself. */
int database_get_meta(Database *d, const char *key, uint64_t *ret, Failure *failure);
int database_set_meta(Database *d, const char *key, uint64_t value, Failure *failure);

/* When a conversation was set aside, if it is being purged. */
#define DELETED_PURGING "1"

#define META_LAST_ID     "last-id"
#define META_LAST_NUMBER "last-number"
#define META_CHECK_OWED  "check-owed"
#define META_PURGE_OWED  "purge-owed"
/* The messages that are in the index as an earlier version puts them there; end 0 = none. */
#define META_UNSPLIT_NEXT "unsplit-next"
#define META_UNSPLIT_END  "unsplit-end"

/* There is such a conversation, and it is not being purged. */
int database_check_conversation(Database *d, uint64_t number, Failure *failure);
int check_text(const char *text, size_t size, const char *what, Failure *failure);

/* ---- files (store-db-files.c) ---- */

int files_make_folder(const char *path, Failure *failure);
int files_lock(const char *path, Failure *failure); /* a descriptor */
/* Creates the database file with mode 0600, or gives it that. */
int files_secure(const char *path, Failure *failure);
/* Whether the last run left a log behind. */
bool files_log_is_left(const char *path);
/* Whether it was being made, or changed its mode. */
bool files_journal_is_left(const char *path);
/* The names beside a database. */
char *files_beside(const char *path, const char *suffix);
/* Puts PATH.salvaged in the place of the database, which is set aside under a new name together
 * with its log. 0 = there is no PATH.salvaged, or it took the place of nothing; 1 = ret_aside. */
int files_replace(const char *path, char **ret_aside, Failure *failure);
int files_remove(const char *path, Failure *failure);
