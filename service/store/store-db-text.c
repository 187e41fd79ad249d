/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/utf8.h"
#include "service/store/store-db-internal.h"

/* ---- live text ---- */

int database_join_reply(Database *d, uint64_t reply, Channel channel, const char *base,
        size_t base_size, char **ret, size_t *ret_size, Failure *failure)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(SIZE_MAX / 4);
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        int r;

        r = database_query(d, &stmt, failure,
                "SELECT start, content FROM parts WHERE reply = ?1 AND channel = ?2"
                " ORDER BY start, id",
                "uu", reply, (uint64_t) channel);
        if (r < 0)
                return r;
        r = buffer_append(&text, base, base_size);
        if (r < 0)
                return failure_set_errno(failure, r, "Reading a reply");

        while ((r = database_step(d, stmt, failure)) > 0) {
                uint64_t start = statement_u64(stmt, 0);
                _cleanup_free_ char *part = NULL;
                size_t size;

                /* A part that found no space is missing: what follows it would make no sense. */
                if (start > text.size)
                        break;
                r = statement_text(stmt, 1, &part, &size, failure);
                if (r < 0)
                        return r;
                if (start + size <= text.size)
                        continue;
                r = buffer_append(&text, part + (text.size - start), size - (text.size - start));
                if (r < 0)
                        return failure_set_errno(failure, r, "Reading a reply");
        }
        if (r < 0)
                return r;

        r = buffer_steal(&text, ret, ret_size);
        return r < 0 ? failure_set_errno(failure, r, "Reading a reply") : 0;
}

/* ---- a part of a reply's text ---- */

/* The text around the part, with room for the characters at its borders. */
typedef struct Window {
        char *text;
        size_t size;
        uint64_t start; /* of the window, in the whole text */
        uint64_t total;
} Window;

static void window_done(Window *w)
{
        free(w->text);
}

/* Without changing a byte's place: offsets stay true where a disk changed a bit. */
static void mask_invalid(char *text, size_t size)
{
        for (size_t n; (n = utf8_valid_prefix(text, size)) < size; text += n + 1, size -= n + 1)
                text[n] = '?';
}

static bool is_continuation(char c)
{
        return ((unsigned char) c & 0xc0) == 0x80;
}

/* What belongs to a character that the window cuts is neither shown nor counted as invalid. */
static int window_cut(Window *w, uint64_t offset, size_t maximum, StoreText *t, Failure *failure)
{
        size_t at = (size_t) (offset - w->start), first = 0, n;

        while (w->start > 0 && first < w->size && first < 3 && is_continuation(w->text[first]))
                first++;
        if (w->start + w->size == w->total)
                mask_invalid(w->text + first, w->size - first);
        while (at > first && at < w->size && is_continuation(w->text[at]))
                at--;

        n = utf8_cut(w->text + at, w->size - at, maximum);
        t->text = strndup(w->text + at, n);
        if (!t->text)
                return failure_set_errno(failure, -ENOMEM, "Reading a reply");
        if (!utf8_is_valid(t->text, n))
                mask_invalid(t->text, n);
        t->size = n;
        t->offset = w->start + at;
        t->total = w->total;
        return 0;
}

/* A reply of 64 MiB is not brought into memory for a part of it. */
static int window_read(Database *d, uint64_t reply, Channel channel, uint64_t offset,
        size_t maximum, Window *ret, Failure *failure)
{
        const char *column = channel == CHANNEL_REASONING ? "reasoning" : "content";
        sqlite3_blob *blob = NULL;
        Window w = { 0 };
        int code;

        code = sqlite3_blob_open(
                d->sqlite, "main", "messages", column, (int64_t) reply, /* flags= */ 0, &blob);
        if (code != SQLITE_OK) {
                (void) sqlite3_blob_close(blob);
                return database_fail(d, code, "read a reply", failure);
        }

        w.total = (uint64_t) sqlite3_blob_bytes(blob);
        offset = MIN(offset, w.total);
        w.start = offset > 3 ? offset - 3 : 0;
        w.size = (size_t) MIN(w.total - w.start, (uint64_t) maximum + 8);
        w.text = malloc(w.size + 1);
        if (!w.text) {
                (void) sqlite3_blob_close(blob);
                return failure_set_errno(failure, -ENOMEM, "Reading a reply");
        }
        code = sqlite3_blob_read(blob, w.text, (int) w.size, (int) w.start);
        (void) sqlite3_blob_close(blob);
        if (code != SQLITE_OK) {
                free(w.text);
                return database_fail(d, code, "read a reply", failure);
        }
        *ret = w;
        return 0;
}

static int window_read_live(
        Database *d, uint64_t reply, Channel channel, Window *ret, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        _cleanup_free_ char *base = NULL;
        Window w = { 0 };
        size_t size;
        int r;

        r = database_query(d, &stmt, failure,
                "SELECT iif(?2, reasoning, content) FROM messages WHERE id = ?1", "uu", reply,
                (uint64_t) (channel == CHANNEL_REASONING));
        if (r < 0)
                return r;
        r = database_step(d, stmt, failure);
        if (r < 0)
                return r;
        r = statement_text(stmt, 0, &base, &size, failure);
        if (r < 0)
                return r;
        r = database_join_reply(d, reply, channel, base, size, &w.text, &w.size, failure);
        if (r < 0)
                return r;
        w.total = w.size;
        *ret = w;
        return 0;
}

int store_db_get_text(StoreDb *db, uint64_t number, uint64_t reply, Channel channel,
        uint64_t offset, size_t maximum, StoreText *ret, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        _cleanup_(window_done) Window window = { 0 };
        _cleanup_free_ char *metadata = NULL;
        StoreText t = { 0 };
        Database *d;
        int r;

        maximum = MIN(maximum, STORE_TEXT_MAX);
        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = database_query(d, &stmt, failure,
                "SELECT reason, live, metadata FROM messages WHERE id = ?1 AND conversation = ?2",
                "uu", reply, number);
        if (r < 0)
                return r;
        r = database_step(d, stmt, failure);
        if (r < 0)
                return r;
        if (r == 0)
                return failure_set(failure, FAILURE_NO_SUCH_MESSAGE, NULL);

        t.reason = statement_enum(stmt, 0, _REASON_MAX, REASON_INCOMPLETE);
        t.live = statement_u64(stmt, 1) != 0;
        r = statement_text(stmt, 2, &metadata, /* ret_size= */ NULL, failure);
        if (r < 0)
                return r;
        r = t.live ? window_read_live(d, reply, channel, &window, failure)
                   : window_read(d, reply, channel, offset, maximum, &window, failure);
        if (r < 0)
                return r;
        r = window_cut(&window, MIN(offset, window.total), maximum, &t, failure);
        if (r < 0)
                return r;

        t.metadata = TAKE_PTR(metadata);
        *ret = t;
        return 0;
}
