/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "common/buffer.h"
#include "service/store/store-db-internal.h"

/* SQLite's tokenizer takes a run of letters for a word. Chinese, Japanese and Korean are written
 * without spaces, or glue to a word what English writes apart: there each character is given to the
 * index as a word, and looked for as a phrase. */

/* A step of the old index' conversion begins no further message after so long. */
#define STEP_USEC (2 * USEC_PER_MSEC)

typedef struct Range {
        uint32_t first, last;
} Range;

static bool is_in(uint32_t c, const Range *ranges, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (c >= ranges[i].first && c <= ranges[i].last)
                        return true;
        return false;
}

static bool stands_alone(uint32_t c)
{
        static const Range ranges[] = {
                { 0x3005, 0x3007 }, /* iteration mark, closing mark, zero */
                { 0x3041, 0x3096 }, /* Hiragana */
                { 0x309d, 0x309f },
                { 0x30a1, 0x30fa }, /* Katakana */
                { 0x30fc, 0x30ff },
                { 0x3105, 0x312f }, /* Bopomofo */
                { 0x31a0, 0x31bf },
                { 0x31f0, 0x31ff },
                { 0x3400, 0x4dbf }, /* ideographs */
                { 0x4e00, 0x9fff },
                { 0xac00, 0xd7a3 }, /* Hangul */
                { 0xf900, 0xfaff },
                { 0xff66, 0xff9d }, /* narrow Katakana */
                { 0x20000, 0x3ffff },
        };

        return c >= ranges[0].first && is_in(c, ranges, ELEMENTSOF(ranges));
}

/* Written on the character before it. */
static bool is_mark(uint32_t c)
{
        static const Range ranges[] = {
                { 0x0300, 0x036f },
                { 0x3099, 0x309a },
                { 0xfe00, 0xfe0f },
                { 0xe0100, 0xe01ef },
        };

        return is_in(c, ranges, ELEMENTSOF(ranges));
}

/* Whatever the bytes are, this ends and skips none: a text is split again to be taken out. */
static uint32_t decode(const unsigned char *p, size_t size, size_t *ret_length)
{
        size_t n = p[0] < 0xc0 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
        uint32_t c = n == 1 ? p[0] : p[0] & (0x7fU >> n);

        n = MIN(n, size);
        for (size_t i = 1; i < n; i++)
                c = c << 6 | (p[i] & 0x3fU);
        *ret_length = n;
        return c;
}

/* All that stands alone is of three or four bytes, the first of them at least E3. */
static bool may_stand_alone(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if ((unsigned char) text[i] >= 0xe3)
                        return true;
        return false;
}

int words_split(const char *text, size_t size, char **ret, size_t *ret_size)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(SIZE_MAX / 4);
        const unsigned char *p = (const unsigned char *) text;
        bool alone = false;
        size_t start = 0;
        int r;

        if (!may_stand_alone(text, size))
                return 0;

        for (size_t i = 0, n; i < size; i += n) {
                uint32_t c = decode(p + i, size - i, &n);
                bool was_alone = alone;

                if (alone && is_mark(c))
                        continue;
                alone = stands_alone(c);
                if (!alone && !was_alone)
                        continue;
                r = buffer_append(&out, text + start, i - start);
                if (r >= 0)
                        r = buffer_append(&out, " ", 1);
                if (r < 0)
                        return r;
                start = i;
        }
        if (start == 0 && !alone)
                return 0;

        r = buffer_append(&out, text + start, size - start);
        if (r < 0)
                return r;
        r = buffer_steal(&out, ret, ret_size);
        return r < 0 ? r : 1;
}

/* split(text, whether): text as the index gets it. */
static void on_split(sqlite3_context *context, int n_values, sqlite3_value **values)
{
        const char *text = strempty((const char *) sqlite3_value_text(values[0]));
        size_t size = (size_t) sqlite3_value_bytes(values[0]), split_size;
        char *split;
        int r;

        if (!sqlite3_value_int(values[1])) {
                sqlite3_result_value(context, values[0]);
                return;
        }
        r = words_split(text, size, &split, &split_size);
        if (r < 0)
                sqlite3_result_error_nomem(context);
        else if (r == 0)
                sqlite3_result_value(context, values[0]);
        else
                sqlite3_result_text64(context, split, split_size, free, SQLITE_UTF8);
}

int database_add_functions(Database *d, Failure *failure)
{
        int code;

        code = sqlite3_create_function_v2(d->sqlite, "split", /* nArg= */ 2,
                SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, /* pApp= */ NULL, on_split,
                /* xStep= */ NULL, /* xFinal= */ NULL, /* xDestroy= */ NULL);
        return code == SQLITE_OK ? 0 : database_fail(d, code, "open it", failure);
}

/* ---- an index of an earlier version ---- */

static usec_t now_monotonic(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

static int convert_message(
        Database *d, uint64_t id, const char *text, size_t size, Failure *failure)
{
        _cleanup_free_ char *split = NULL;
        size_t split_size;
        int r;

        r = words_split(text, size, &split, &split_size);
        if (r < 0)
                return failure_set_errno(failure, r, "Converting the search index");
        if (r == 0)
                return 0;
        r = database_run(d, failure,
                "INSERT INTO search (search, rowid, content) VALUES ('delete', ?1, ?2)", "ut", id,
                text, size);
        if (r < 0)
                return r;
        r = database_run(d, failure, "INSERT INTO search (rowid, content) VALUES (?1, ?2)", "ut",
                id, split, split_size);
        return r < 0 ? r : 0;
}

/* 1 = time is up; *next is the first that was not converted. */
static int convert_messages(Database *d, uint64_t *next, uint64_t end, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        usec_t until = now_monotonic() + STEP_USEC;
        int r;

        r = database_query(d, &stmt, failure,
                "SELECT id, live, content FROM messages WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
                "uu", *next, end);
        if (r < 0)
                return r;
        while ((r = database_step(d, stmt, failure)) > 0) {
                uint64_t id = statement_u64(stmt, 0);

                if (statement_u64(stmt, 1) == 0) {
                        const char *text = (const char *) sqlite3_column_text(stmt, 2);

                        r = convert_message(d, id, strempty(text),
                                (size_t) sqlite3_column_bytes(stmt, 2), failure);
                        if (r < 0)
                                return r;
                }
                *next = id + 1;
                if (now_monotonic() >= until)
                        return 1;
        }
        return r;
}

int store_db_convert_index(StoreDb *db, Failure *failure)
{
        Database *d = &db->disk;
        uint64_t next, end;
        int more, r;

        r = database_get_meta(d, META_UNSPLIT_END, &end, failure);
        if (r < 0)
                return r;
        r = database_get_meta(d, META_UNSPLIT_NEXT, &next, failure);
        if (r < 0)
                return r;
        if (end == 0)
                return 0;

        more = convert_messages(d, &next, end, failure);
        if (more < 0)
                return more;
        r = more > 0 ? database_set_meta(d, META_UNSPLIT_NEXT, next, failure)
                     : database_set_meta(d, META_UNSPLIT_END, 0, failure);
        return r < 0 ? r : more;
}
