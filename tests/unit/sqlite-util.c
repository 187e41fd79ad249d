/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/sqlite-util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static sqlite3 *open_database(const char *path)
{
        sqlite3 *sqlite;

        assert_int_equal(sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        return sqlite;
}

int sqlite_change(const char *path, const char *sql)
{
        sqlite3 *sqlite = open_database(path);
        int n;

        if (sqlite3_exec(sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(sqlite));
        n = sqlite3_changes(sqlite);
        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
        return n;
}

int64_t sqlite_get(sqlite3 *sqlite, const char *sql, int64_t argument)
{
        sqlite3_stmt *stmt;
        int64_t value = -1;
        int code;

        if (sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(sqlite));
        if (sqlite3_bind_parameter_count(stmt) > 0)
                assert_int_equal(sqlite3_bind_int64(stmt, 1, argument), SQLITE_OK);
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
                value = sqlite3_column_int64(stmt, 0);
        else if (code != SQLITE_DONE)
                fail_msg("%s: %s", sql, sqlite3_errmsg(sqlite));
        assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
        return value;
}

int64_t sqlite_number(const char *path, const char *sql)
{
        sqlite3 *sqlite = open_database(path);
        int64_t value = sqlite_get(sqlite, sql, 0);

        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
        return value;
}
