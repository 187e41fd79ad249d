/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-db-internal.h"

/* secure_delete zeroes the rows that are deleted, but when SQLite moves rows from one page to
 * another, copies of them stay in the first one's gap, the unused bytes between its list of rows
 * and the rows. So the gap is zeroed in each page that is written to the database's file: with a
 * write-ahead log that is where it is copied, and a purge empties the log afterwards.
 *
 * Offsets are those of SQLite's file format, section 1.6 ("B-tree Pages"). */

#define FILE_HEADER   100U /* before the first page's own */
#define LEAF_HEADER   8U
#define INNER_HEADER  12U
#define INNER_INDEX   0x02
#define INNER_TABLE   0x05
#define LEAF_INDEX    0x0a
#define LEAF_TABLE    0x0d
#define SCRUBBED_PAGE 4096U /* SQLite's default, which a new database gets */

static size_t get_u16(const uint8_t *p)
{
        return (size_t) p[0] << 8 | p[1];
}

/* Other pages begin with the number of a page, or with zeros: DATABASE_PAGES_MAX keeps the first
 * byte of those below all of these. */
static size_t header_size(uint8_t type)
{
        switch (type) {
        case INNER_INDEX:
        case INNER_TABLE:
                return INNER_HEADER;
        case LEAF_INDEX:
        case LEAF_TABLE:
                return LEAF_HEADER;
        default:
                return 0;
        }
}

static void scrub_page(uint8_t *page, size_t size, bool first)
{
        uint8_t *header = page + (first ? FILE_HEADER : 0);
        size_t n = header_size(header[0]), gap, rows;

        if (n == 0)
                return;
        gap = (size_t) (header - page) + n + 2 * get_u16(header + 3);
        rows = get_u16(header + 5);
        if (gap < rows && rows <= size)
                memset(page + gap, 0, rows - gap);
}

static int scrubbed_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
        const DatabaseFile *f = (const DatabaseFile *) file->pMethods;
        uint8_t page[SCRUBBED_PAGE];

        if (size != (int) sizeof page)
                return f->original->xWrite(file, data, size, offset);

        memcpy(page, data, sizeof page);
        scrub_page(page, sizeof page, offset == 0);
        return f->original->xWrite(file, page, size, offset);
}

int database_scrub_writes(Database *d, Failure *failure)
{
        sqlite3_file *file = NULL;
        int code;

        code = sqlite3_file_control(d->sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &file);
        if (code != SQLITE_OK || !file || !file->pMethods)
                return database_fail(
                        d, code != SQLITE_OK ? code : SQLITE_INTERNAL, "open it", failure);

        static_assert(offsetof(DatabaseFile, methods) == 0, "a file's methods lead to it");
        d->file = (DatabaseFile){ .methods = *file->pMethods, .original = file->pMethods };
        d->file.methods.xWrite = scrubbed_write;
        file->pMethods = &d->file.methods;
        return 0;
}
