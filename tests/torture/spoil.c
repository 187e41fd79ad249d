/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/spoil.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

/* As the service leaves it when a check is not done. */
#define OWES_CHECK \
        "INSERT INTO meta (key, value) VALUES ('check-owed', 1)" \
        " ON CONFLICT (key) DO UPDATE SET value = 1;"

/* The page of an index: no message is in it, and no table can be trusted with it. */
#define SPOILT_PAGE "SELECT rootpage FROM sqlite_schema WHERE name = 'messages_by_parent'"

/* As the version before filled its search index. */
#define AGED \
        "INSERT INTO search (search) VALUES ('rebuild');" \
        "DELETE FROM meta WHERE key LIKE 'unsplit%';" \
        "PRAGMA user_version = 1;"

static int query(sqlite3 *db, const char *sql, int64_t *ret)
{
        sqlite3_stmt *stmt = NULL;
        int r = -EIO;

        if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
                sqlite3_step(stmt) == SQLITE_ROW) {
                *ret = sqlite3_column_int64(stmt, 0);
                r = 0;
        }
        (void) sqlite3_finalize(stmt);
        return r;
}

static int damage(const char *path, int64_t page, int64_t size)
{
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
        _cleanup_free_ char *data = malloc((size_t) size);

        if (fd < 0 || !data || page < 2)
                return -EIO;
        memset(data, 0xa5, (size_t) size);
        return pwrite(fd, data, (size_t) size, (page - 1) * size) == size ? 0 : -EIO;
}

static int spoil(const char *path, Spoil how)
{
        int64_t page = 0, size = 0;
        sqlite3 *db = NULL;
        int r = -EIO;

        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
                sqlite3_exec(db, how == SPOIL_AGE ? AGED : OWES_CHECK, NULL, NULL, NULL) ==
                        SQLITE_OK)
                r = query(db, SPOILT_PAGE, &page);
        if (r >= 0)
                r = query(db, "PRAGMA page_size", &size);
        if (sqlite3_close_v2(db) != SQLITE_OK)
                r = -EIO;
        return r < 0 || how == SPOIL_AGE ? r : damage(path, page, size);
}

int spoil_database(const char *path, Spoil how)
{
        pid_t pid = fork(); /* SQLite's memory is ours to replace only before its first use */
        int status;

        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(spoil(path, how) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -EIO;
}
