/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-db-internal.h"

static StoreCheckResult result_of(const Database *d)
{
        return d->damaged ? STORE_CHECK_DAMAGED : STORE_CHECK_STOPPED;
}

/* What could not be read was not seen to be damaged. EIO is: SQLite calls it a broken file system.
 */
#define CHECK_UNREAD "unable to get the page. error code="

static StoreCheckResult judge(const char *said)
{
        const char *unread = strstr(said, CHECK_UNREAD);

        if (streq(said, "ok"))
                return STORE_CHECK_WHOLE;
        if (!unread)
                return STORE_CHECK_DAMAGED;
        switch (strtol(unread + strlen(CHECK_UNREAD), NULL, 10)) {
        case SQLITE_CORRUPT:
        case SQLITE_IOERR_CORRUPTFS:
                return STORE_CHECK_DAMAGED;
        default:
                return STORE_CHECK_STOPPED;
        }
}

/* With its indexes, for which a seventh more is to be computed: a message that one of them has lost
 * is not found by its conversation. */
static StoreCheckResult check_table(Database *d, const char *name)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        const char *said;

        if (database_query(d, &stmt, NULL, "SELECT integrity_check FROM pragma_integrity_check(?1)",
                    "s", name) < 0)
                return result_of(d);
        if (database_step(d, stmt, NULL) <= 0)
                return result_of(d);
        said = (const char *) sqlite3_column_text(stmt, 0);
        if (!said) /* no memory, which says nothing about the table */
                return STORE_CHECK_STOPPED;
        return judge(said);
}

/* 1 = *name is the next table's. A virtual one has no root: the search's own tables are read, and
 * its words are not compared with the texts. What is wrong in them hides a message from a search
 * only, and comparing is a write that takes as long as making the index anew. */
static int next_table(Database *d, char **name)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        int r;

        r = database_query(d, &stmt, NULL,
                "SELECT name FROM sqlite_schema"
                " WHERE type = 'table' AND rootpage > 0 AND name > ?1 ORDER BY name LIMIT 1",
                "s", *name);
        if (r < 0)
                return r;
        r = database_step(d, stmt, NULL);
        if (r <= 0)
                return r;
        r = free_and_strdup(name, (const char *) sqlite3_column_text(stmt, 0));
        return r < 0 ? r : 1;
}

/* A table at a time: a transaction that lasts keeps the log from being copied. */
static StoreCheckResult check_tables(Database *d, const _Atomic bool *stop)
{
        _cleanup_free_ char *name = NULL;
        StoreCheckResult result;
        int r;

        result = check_table(d, "sqlite_schema");
        while (result == STORE_CHECK_WHOLE && (r = next_table(d, &name)) != 0) {
                if (r < 0)
                        return result_of(d);
                if (*stop)
                        return STORE_CHECK_STOPPED;
                result = check_table(d, name);
        }
        return result;
}

StoreCheckResult store_db_check(const char *path, const _Atomic bool *stop)
{
        Database d = { 0 };
        StoreCheckResult result;

        if (database_open(&d, path, DATABASE_READ, NULL) < 0)
                return result_of(&d);
        result = check_tables(&d, stop);
        database_close(&d);
        return result;
}

int store_db_checked(StoreDb *db, Failure *failure)
{
        int r = database_set_meta(&db->disk, META_CHECK_OWED, 0, failure);

        return r < 0 ? r : 0;
}
