/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/utf8.h"
#include "service/store/store-db-internal.h"

#define MESSAGE_COLUMNS "id, parent, role, reason, live, created, metadata, content, reasoning"

int store_db_find_token(StoreDb *db, uint64_t number, const char *token, uint64_t *ret_user,
        uint64_t *ret_reply, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = check_text(token, strlen(strempty(token)), "token", failure);
        if (r < 0)
                return r;
        r = database_query(d, &stmt, failure,
                "SELECT user, reply FROM tokens WHERE conversation = ?1 AND token = ?2", "us",
                number, token);
        if (r < 0)
                return r;
        r = database_step(d, stmt, failure);
        if (r < 0)
                return r;

        *ret_user = r > 0 ? statement_u64(stmt, 0) : 0;
        *ret_reply = r > 0 ? statement_u64(stmt, 1) : 0;
        return 0;
}

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

static int join_text(
        Database *d, uint64_t reply, Channel channel, char **text, size_t *size, Failure *failure)
{
        _cleanup_free_ char *joined = NULL;
        size_t joined_size;
        int r;

        r = database_join_reply(d, reply, channel, *text, *size, &joined, &joined_size, failure);
        if (r < 0)
                return r;

        free(*text);
        *text = TAKE_PTR(joined);
        *size = joined_size;
        return 0;
}

/* ---- messages ---- */

static int read_attachment(
        sqlite3_stmt *stmt, StoreDbRead what, StoreAttachment *a, Failure *failure)
{
        int r;

        a->size = statement_u64(stmt, 2);
        r = statement_text(stmt, 0, &a->name, /* ret_size= */ NULL, failure);
        if (r < 0)
                return r;
        r = statement_text(stmt, 1, &a->type, /* ret_size= */ NULL, failure);
        if (r < 0 || !(what & STORE_DB_ATTACHMENTS))
                return r;

        a->size = (size_t) sqlite3_column_bytes(stmt, 3);
        a->data = malloc(MAX(a->size, (size_t) 1));
        if (!a->data)
                return failure_set_errno(failure, -ENOMEM, "Reading an attachment");
        if (a->size > 0)
                memcpy(a->data, sqlite3_column_blob(stmt, 3), a->size);
        return 0;
}

static int read_attachments(Database *d, StoreMessage *m, StoreDbRead what, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        int r;

        r = database_query(d, &stmt, failure,
                "SELECT name, type, size, data FROM attachments WHERE message = ?1 ORDER BY id",
                "u", m->id);
        if (r < 0)
                return r;

        while ((r = database_step(d, stmt, failure)) > 0) {
                StoreAttachment *more;

                more = reallocarray(m->attachments, m->n_attachments + 1, sizeof *more);
                if (!more)
                        return failure_set_errno(failure, -ENOMEM, "Reading an attachment");
                m->attachments = more;
                m->attachments[m->n_attachments] = (StoreAttachment){ 0 };
                /* Counted first: a half-read one is freed with the others. */
                r = read_attachment(stmt, what, &m->attachments[m->n_attachments++], failure);
                if (r < 0)
                        return r;
        }
        return r;
}

static int read_message(
        Database *d, sqlite3_stmt *stmt, StoreDbRead what, StoreMessage *m, Failure *failure)
{
        int r;

        *m = (StoreMessage){
                .id = statement_u64(stmt, 0),
                .parent = statement_u64(stmt, 1),
                .role = statement_enum(stmt, 2, _ROLE_MAX, ROLE_USER),
                .reason = statement_enum(stmt, 3, _REASON_MAX, REASON_INCOMPLETE),
                .live = statement_u64(stmt, 4) != 0,
                .created = statement_u64(stmt, 5),
        };
        r = statement_text(stmt, 6, &m->metadata, /* ret_size= */ NULL, failure);
        if (r < 0)
                return r;
        r = statement_text(stmt, 7, &m->content, &m->content_size, failure);
        if (r < 0)
                return r;
        r = statement_text(stmt, 8, &m->reasoning, &m->reasoning_size, failure);
        if (r < 0)
                return r;
        if (m->live) {
                r = join_text(d, m->id, CHANNEL_CONTENT, &m->content, &m->content_size, failure);
                if (r < 0)
                        return r;
                r = join_text(
                        d, m->id, CHANNEL_REASONING, &m->reasoning, &m->reasoning_size, failure);
                if (r < 0)
                        return r;
        }
        return read_attachments(d, m, what, failure);
}

typedef struct Page {
        StoreMessages *messages;
        size_t allocated;
        size_t bytes;
} Page;

/* Returns 0 when the message would be over the page's bytes: it is not in the page then. */
static int page_add(Page *page, Database *d, sqlite3_stmt *stmt, size_t max_bytes, StoreDbRead what,
        Failure *failure)
{
        size_t size = (size_t) sqlite3_column_bytes(stmt, 6) +
                (size_t) sqlite3_column_bytes(stmt, 7) + (size_t) sqlite3_column_bytes(stmt, 8);
        StoreMessages *m = page->messages;
        StoreMessage *message;
        int r;

        if (m->n_messages > 0 && (page->bytes > max_bytes || size > max_bytes - page->bytes))
                return 0;
        page->bytes += size;

        if (m->n_messages == page->allocated) {
                StoreMessage *more;
                size_t allocated = MAX(page->allocated * 2, (size_t) 8);

                more = reallocarray(m->messages, allocated, sizeof *more);
                if (!more)
                        return failure_set_errno(failure, -ENOMEM, "Reading messages");
                m->messages = more;
                page->allocated = allocated;
        }
        /* Counted first: a half-read one is freed with the others. */
        message = &m->messages[m->n_messages++];
        r = read_message(d, stmt, what, message, failure);
        if (r < 0)
                return r;
        for (size_t i = 0; i < message->n_attachments; i++)
                if (message->attachments[i].data)
                        page->bytes += message->attachments[i].size;
        return 1;
}

static void reverse(StoreMessages *m)
{
        for (size_t i = 0, j = m->n_messages; i + 1 < j; i++) {
                StoreMessage swap = m->messages[i];

                m->messages[i] = m->messages[--j];
                m->messages[j] = swap;
        }
}

static int climb(Database *d, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes,
        StoreDbRead what, StoreMessages *messages, Failure *failure)
{
        Page page = { .messages = messages };
        int r;

        while (id != 0 && messages->n_messages < limit) {
                _cleanup_statement_ sqlite3_stmt *stmt = NULL;
                uint64_t parent;

                r = database_query(d, &stmt, failure,
                        "SELECT " MESSAGE_COLUMNS " FROM messages"
                        " WHERE id = ?1 AND conversation = ?2",
                        "uu", id, number);
                if (r < 0)
                        return r;
                r = database_step(d, stmt, failure);
                if (r < 0)
                        return r;
                if (r == 0) {
                        if (messages->n_messages == 0)
                                return failure_set(failure, FAILURE_NO_SUCH_MESSAGE, NULL);
                        break;
                }
                /* Older than its child, always: in a file that somebody changed too, this ends. */
                parent = statement_u64(stmt, 1);
                parent = parent < id ? parent : 0;

                r = page_add(&page, d, stmt, max_bytes, what, failure);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                id = parent;
        }
        reverse(messages);
        return 0;
}

int store_db_get_branch(StoreDb *db, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes,
        StoreDbRead what, StoreMessages **ret, Failure *failure)
{
        _cleanup_(store_messages_freep) StoreMessages *messages = NULL;
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        messages = calloc(1, sizeof *messages);
        if (!messages)
                return failure_set_errno(failure, -ENOMEM, "Reading messages");

        r = climb(d, number, id, limit, max_bytes, what, messages, failure);
        if (r < 0)
                return r;
        if (what & STORE_DB_SYSTEM) {
                r = store_db_get_system(db, number, &messages->system, failure);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(messages);
        return 0;
}

int store_db_get_all(StoreDb *db, uint64_t number, uint64_t after, uint32_t limit, size_t max_bytes,
        StoreMessages **ret, Failure *failure)
{
        _cleanup_(store_messages_freep) StoreMessages *messages = NULL;
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        Page page = { 0 };
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        page.messages = messages = calloc(1, sizeof *messages);
        if (!messages)
                return failure_set_errno(failure, -ENOMEM, "Reading messages");

        r = database_query(d, &stmt, failure,
                "SELECT " MESSAGE_COLUMNS " FROM messages"
                " WHERE conversation = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                "uuu", number, after, (uint64_t) limit);
        if (r < 0)
                return r;
        while ((r = database_step(d, stmt, failure)) > 0) {
                r = page_add(&page, d, stmt, max_bytes, STORE_DB_ATTACHMENTS, failure);
                if (r <= 0)
                        break;
        }
        if (r < 0)
                return r;

        *ret = TAKE_PTR(messages);
        return 0;
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

/* ---- branches ---- */

int store_db_list_siblings(
        StoreDb *db, uint64_t number, uint64_t id, uint64_t **ret, size_t *ret_n, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        _cleanup_free_ uint64_t *ids = NULL;
        size_t n = 0, allocated = 0;
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = database_query(d, &stmt, failure,
                "SELECT id FROM messages WHERE conversation = ?1 AND parent ="
                " iif(?2, (SELECT parent FROM messages WHERE id = ?2 AND conversation = ?1), 0)"
                " ORDER BY id",
                "uu", number, id);
        if (r < 0)
                return r;
        while ((r = database_step(d, stmt, failure)) > 0) {
                if (n == allocated) {
                        uint64_t *more;

                        allocated = MAX(allocated * 2, (size_t) 8);
                        more = reallocarray(ids, allocated, sizeof *more);
                        if (!more)
                                return failure_set_errno(failure, -ENOMEM, "Reading branches");
                        ids = more;
                }
                ids[n++] = statement_u64(stmt, 0);
        }
        if (r < 0)
                return r;
        if (n == 0 && id != 0)
                return failure_set(failure, FAILURE_NO_SUCH_MESSAGE, NULL);

        *ret = TAKE_PTR(ids);
        *ret_n = n;
        return 0;
}

int store_db_find_head_below(
        StoreDb *db, uint64_t number, uint64_t id, uint64_t *ret, Failure *failure)
{
        uint64_t head;
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = database_get(d, &head, 0, failure,
                "WITH RECURSIVE below(id) AS ("
                "  SELECT id FROM messages WHERE id = ?1 AND conversation = ?2"
                "  UNION ALL"
                "  SELECT m.id FROM below b JOIN messages m"
                "  ON m.parent = b.id AND m.conversation = ?2 AND m.id > b.id)"
                " SELECT max(id) FROM below",
                "uu", id, number);
        if (r < 0)
                return r;
        if (head == 0)
                return failure_set(failure, FAILURE_NO_SUCH_MESSAGE, NULL);

        *ret = head;
        return 0;
}

int store_db_get_system(StoreDb *db, uint64_t number, char **ret, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = database_query(d, &stmt, failure, "SELECT content FROM prompts WHERE conversation = ?1",
                "u", number);
        if (r < 0)
                return r;
        r = database_step(d, stmt, failure);
        if (r < 0)
                return r;
        if (r > 0)
                return statement_text(stmt, 0, ret, /* ret_size= */ NULL, failure);

        *ret = strdup("");
        return *ret ? 0 : failure_set_errno(failure, -ENOMEM, "Reading a system prompt");
}
