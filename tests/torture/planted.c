/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/planted.h"

#include <sqlite3.h>

#include "common/macro.h"

/* As a careless function would: what it already has is forgotten when the next call fails. */
static _Atomic(char *) lost;

static int careless(void)
{
        lost = malloc(77);
        if (!lost)
                return -ENOMEM;
        lost = strdup("the second");
        if (!lost)
                return -ENOMEM;
        free(lost);
        return 0;
}

static bool loses;

/* What was acknowledged goes; its triggers have functions that only the service knows. */
void planted_end(const char *database)
{
        static const char sql[] =
                "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE type = 'trigger';"
                "PRAGMA writable_schema = RESET; DELETE FROM messages";
        sqlite3 *db = NULL;

        if (!loses)
                return;
        if (sqlite3_open(database, &db) != SQLITE_OK ||
                sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                fprintf(stderr, "the planted loss: %s\n", sqlite3_errmsg(db));
        (void) sqlite3_close(db);
}

void planted(void)
{
        const char *what = getenv("TORTURE_PLANTED");
        _cleanup_free_ char *text = NULL;

        if (!what)
                return;
        if (streq(what, "leak")) {
                (void) careless();
                return;
        }
        text = strdup("a text");
        if (text)
                return;
        if (streq(what, "crash"))
                *(volatile char *) text = 0;
        else if (streq(what, "hang"))
                (void) pause();
        else if (streq(what, "loss"))
                loses = true;
        else if (streq(what, "silent"))
                exit(EXIT_SUCCESS);
}
