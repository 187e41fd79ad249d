/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "tests/torture/torture.h"

/* ---- in a process of its own, which says on its pipe what is wrong ---- */

typedef struct Look {
        sqlite3 *db;
        int out;
} Look;

static void say(const Look *l, const char *what, const char *more)
{
        (void) dprintf(l->out, "%s: %s\n", what, more);
}

/* One number, or -1. */
static int64_t get(const Look *l, const char *sql, const char *text, uint64_t number)
{
        sqlite3_stmt *stmt = NULL;
        int64_t result = -1;

        if (sqlite3_prepare_v2(l->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
                sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC) == SQLITE_OK &&
                (sqlite3_bind_parameter_count(stmt) < 2 ||
                        sqlite3_bind_int64(stmt, 2, (int64_t) number) == SQLITE_OK) &&
                sqlite3_step(stmt) == SQLITE_ROW)
                result = sqlite3_column_int64(stmt, 0);
        else
                say(l, sql, sqlite3_errmsg(l->db));
        (void) sqlite3_finalize(stmt);
        return result;
}

static void check_integrity(const Look *l)
{
        sqlite3_stmt *stmt = NULL;

        if (sqlite3_prepare_v2(l->db, "PRAGMA integrity_check", -1, &stmt, NULL) != SQLITE_OK ||
                sqlite3_step(stmt) != SQLITE_ROW)
                say(l, "integrity check", sqlite3_errmsg(l->db));
        else if (!streq((const char *) sqlite3_column_text(stmt, 0), "ok"))
                say(l, "integrity check", (const char *) sqlite3_column_text(stmt, 0));
        (void) sqlite3_finalize(stmt);
        if (get(l, "SELECT count(*) FROM sqlite_schema WHERE name = 'search' AND ?1 = ''", "", 0) ==
                0)
                return; /* there was no time to make it */
        if (sqlite3_exec(l->db, "INSERT INTO search (search) VALUES ('integrity-check')", NULL,
                    NULL, NULL) != SQLITE_OK)
                say(l, "integrity check of the search index", sqlite3_errmsg(l->db));
}

static void check_ack(const Look *l, const Ack *a)
{
        int64_t n;

        if (a->message == 0) {
                if (get(l, "SELECT count(*) FROM conversations WHERE id = unhex_id(?1)",
                            a->conversation, 0) != 1)
                        say(l, "acknowledged, not there: conversation", a->conversation);
                return;
        }
        if (get(l, "SELECT count(*) FROM messages WHERE content = ?1 AND id = ?2", a->text,
                    a->message) != 1)
                say(l, "acknowledged, not there", a->text);
        n = get(l, "SELECT count(*) FROM messages WHERE content = ?1", a->text, 0);
        if (n > 1)
                say(l, "there more than once", a->text);
}

static int hex(char c)
{
        return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void unhex_id(sqlite3_context *context, int n, sqlite3_value **values)
{
        const char *text = (const char *) sqlite3_value_text(values[0]);
        uint8_t id[16];

        for (size_t i = 0; i < sizeof id; i++)
                id[i] = (uint8_t) (hex(text[2 * i]) << 4 | hex(text[2 * i + 1]));
        sqlite3_result_blob(context, id, sizeof id, SQLITE_TRANSIENT);
}

_noreturn_ static void look(const Torture *t, int out)
{
        Look l = { .out = out };

        if (sqlite3_open_v2(t->database, &l.db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
                sqlite3_create_function_v2(l.db, "unhex_id", 1, SQLITE_UTF8, NULL, unhex_id, NULL,
                        NULL, NULL) != SQLITE_OK)
                say(&l, "the database cannot be opened", sqlite3_errmsg(l.db));
        else {
                check_integrity(&l);
                for (size_t i = 0; i < t->n_acks; i++)
                        check_ack(&l, &t->acks[i]);
        }
        (void) sqlite3_close_v2(l.db);
        _exit(EXIT_SUCCESS);
}

/* ---- in the watcher ---- */

/* Whatever failed, it was not the file: nothing may have been set aside as damaged. For SQLite, EIO
 * of a read means just that. */
static bool may_be_there(const Torture *t, const char *name)
{
        static const char *const usual[] = { "", "-wal", "-shm", "-journal", ".lock" };
        const char *end = startswith(name, "conversations.db");

        for (size_t i = 0; end && i < ELEMENTSOF(usual); i++)
                if (streq(end, usual[i]))
                        return true;
        if (!end || !startswith(end, ".damaged-"))
                return false;
        if (t->scenario->seed == SEED_DAMAGED)
                return true;
        return client_may_fail(t) && t->run->kind == KIND_SQLITE_IO &&
                (streq(t->run->function, "pread") || streq(t->run->function, "read"));
}

static void check_files(Torture *t)
{
        DIR *d = opendir(t->state);

        for (struct dirent *e; d && (e = readdir(d));)
                if (e->d_name[0] != '.' && !may_be_there(t, e->d_name))
                        found(t, "a file is left: %s", e->d_name);
        if (d)
                (void) closedir(d);
}

void verify(Torture *t)
{
        _cleanup_close_ int in = -EBADF;
        char text[2048];
        size_t size = 0;
        int ends[2], status;
        ssize_t n;
        pid_t pid;

        if (access(t->database, F_OK) < 0) {
                if (t->n_acks > 0)
                        found(t, "there is no database");
                return;
        }
        check_files(t);

        if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
                found(t, "cannot look: %s", strerror(errno));
                return;
        }
        if (pid == 0)
                look(t, ends[1]);
        safe_close(ends[1]);
        in = ends[0];
        while (size < sizeof text - 1 && (n = read(in, text + size, sizeof text - 1 - size)) > 0)
                size += (size_t) n;
        text[size] = 0;
        if (size > 0)
                found(t, "%s", text);
        if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
                found(t, "looking at the database crashed");
}
