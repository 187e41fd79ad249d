/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A store's database, looked at and changed behind the store's back. */

#include <sqlite3.h>
#include <stdint.h>

/* Runs statements in the database; returns how many rows the last one changed. */
int sqlite_change(const char *path, const char *sql);
/* The first column of the first row; -1 when there is none. */
int64_t sqlite_number(const char *path, const char *sql);
/* The same through an open connection; argument: ?1, where the statement has one. */
int64_t sqlite_get(sqlite3 *sqlite, const char *sql, int64_t argument);
