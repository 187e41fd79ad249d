/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-db-internal.h"

#include "common/attachment-memory.h"

#define COLUMNS(metadata, reasoning, branches) \
        "id, parent, role, reason, live, created, " metadata ", content, " reasoning "," \
        " EXISTS (SELECT 1 FROM attachments WHERE message = messages.id), " branches
#define BRANCHES \
        "(SELECT count(*) FROM messages AS s WHERE s.parent = messages.parent" \
        " AND s.conversation = messages.conversation)"
#define MESSAGE_COLUMNS COLUMNS("metadata", "reasoning", BRANCHES)
/* The same, of which some is left out. */
#define CLIMB_COLUMNS \
        COLUMNS("iif(?3, '', metadata)", "iif(?3, '', reasoning)", "iif(?4, " BRANCHES ", 0)")

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

/* ---- messages ---- */

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

static int count_attachment(StoreAttachment *a, StoreMessages *page, Failure *failure)
{
        if (!attachment_memory_take(a->size, page->counted, ATTACHMENTS_ASKED_MAX))
                return failure_set(failure, FAILURE_BUSY,
                        "The attachments of other conversations fill the memory that there is for "
                        "them (%zu MiB). Ask again when a reply there has ended.",
                        ATTACHMENTS_ASKED_MAX / MIB(1));
        a->counted = a->size;
        page->counted += a->size;
        return 0;
}

static int read_attachment(sqlite3_stmt *stmt, StoreMessages *page, StoreDbRead what,
        StoreAttachment *a, Failure *failure)
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
        r = what & STORE_DB_COUNTED ? count_attachment(a, page, failure) : 0;
        if (r < 0)
                return r;
        a->data = malloc(MAX(a->size, (size_t) 1));
        if (!a->data)
                return failure_set_errno(failure, -ENOMEM, "Reading an attachment");
        if (a->size > 0)
                memcpy(a->data, sqlite3_column_blob(stmt, 3), a->size);
        return 0;
}

static int read_attachments(
        Database *d, StoreMessages *page, StoreMessage *m, StoreDbRead what, Failure *failure)
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
                r = read_attachment(stmt, page, what, &m->attachments[m->n_attachments++], failure);
                if (r < 0)
                        return r;
        }
        return r;
}

/* What an engine does not get: how a reply was thought of, and made. */
static int read_rest(Database *d, sqlite3_stmt *stmt, StoreMessage *m, Failure *failure)
{
        int r;

        r = statement_text(stmt, 6, &m->metadata, /* ret_size= */ NULL, failure);
        if (r < 0)
                return r;
        r = statement_text(stmt, 8, &m->reasoning, &m->reasoning_size, failure);
        if (r < 0 || !m->live)
                return r;
        return join_text(d, m->id, CHANNEL_REASONING, &m->reasoning, &m->reasoning_size, failure);
}

static int read_message(Database *d, sqlite3_stmt *stmt, StoreMessages *page, StoreDbRead what,
        StoreMessage *m, Failure *failure)
{
        int r;

        *m = (StoreMessage){
                .id = statement_u64(stmt, 0),
                .parent = statement_u64(stmt, 1),
                .role = statement_enum(stmt, 2, _ROLE_MAX, ROLE_USER),
                .reason = statement_enum(stmt, 3, _REASON_MAX, REASON_INCOMPLETE),
                .live = statement_u64(stmt, 4) != 0,
                .created = statement_u64(stmt, 5),
                .branches = statement_u64(stmt, 10),
        };
        r = statement_text(stmt, 7, &m->content, &m->content_size, failure);
        if (r < 0)
                return r;
        if (m->live) {
                r = join_text(d, m->id, CHANNEL_CONTENT, &m->content, &m->content_size, failure);
                if (r < 0)
                        return r;
        }
        if (!(what & STORE_DB_ASKED)) {
                r = read_rest(d, stmt, m, failure);
                if (r < 0)
                        return r;
        }
        return statement_u64(stmt, 9) ? read_attachments(d, page, m, what, failure) : 0;
}

#define MESSAGES_LEAST ((size_t) 8)

typedef struct Page {
        StoreMessages *messages;
        size_t n; /* that this read added */
        size_t bytes;
} Page;

/* Makes room for one more: there is room for eight, and for each power of two above. */
static int messages_grow(StoreMessages *m, Failure *failure)
{
        size_t n = m->n_messages;
        StoreMessage *more;

        if (n > 0 && (n < MESSAGES_LEAST || (n & (n - 1)) != 0))
                return 0;
        more = reallocarray(m->messages, MAX(2 * n, MESSAGES_LEAST), sizeof *more);
        if (!more)
                return failure_set_errno(failure, -ENOMEM, "Reading messages");
        m->messages = more;
        return 0;
}

/* Returns 0 when the message would be over the page's bytes: it is not in the page then. */
static int page_add(Page *page, Database *d, sqlite3_stmt *stmt, size_t max_bytes, StoreDbRead what,
        Failure *failure)
{
        size_t size = (size_t) sqlite3_column_bytes(stmt, 6) +
                (size_t) sqlite3_column_bytes(stmt, 7) + (size_t) sqlite3_column_bytes(stmt, 8);
        StoreMessages *m = page->messages;
        StoreMessage *message;
        int r;

        if (page->n > 0 && (page->bytes > max_bytes || size > max_bytes - page->bytes))
                return 0;
        page->bytes += size;
        page->n++;

        r = messages_grow(m, failure);
        if (r < 0)
                return r;
        /* Counted first: a half-read one is freed with the others. */
        message = &m->messages[m->n_messages++];
        r = read_message(d, stmt, m, what, message, failure);
        if (r < 0)
                return r;
        for (size_t i = 0; i < message->n_attachments; i++)
                if (message->attachments[i].data)
                        page->bytes += message->attachments[i].size;
        return 1;
}

void store_messages_reverse(StoreMessages *m)
{
        for (size_t i = 0, j = m->n_messages; i + 1 < j; i++) {
                StoreMessage swap = m->messages[i];

                m->messages[i] = m->messages[--j];
                m->messages[j] = swap;
        }
}

static int climb(Database *d, uint64_t number, uint64_t *id, uint32_t limit, size_t max_bytes,
        StoreDbRead what, StoreMessages *messages, Failure *failure)
{
        Page page = { .messages = messages };
        int r;

        while (*id != 0 && page.n < limit) {
                _cleanup_statement_ sqlite3_stmt *stmt = NULL;
                uint64_t parent;

                r = database_query(d, &stmt, failure,
                        "SELECT " CLIMB_COLUMNS " FROM messages"
                        " WHERE id = ?1 AND conversation = ?2",
                        "uuuu", *id, number, (uint64_t) (what & STORE_DB_ASKED),
                        (uint64_t) (what & STORE_DB_BRANCHES));
                if (r < 0)
                        return r;
                r = database_step(d, stmt, failure);
                if (r < 0)
                        return r;
                if (r == 0) {
                        if (messages->n_messages == 0)
                                return failure_set(failure, FAILURE_NO_SUCH_MESSAGE, NULL);
                        *id = 0;
                        return 0;
                }
                /* Older than its child, always: in a file that somebody changed too, this ends. */
                parent = statement_u64(stmt, 1);
                parent = parent < *id ? parent : 0;

                r = page_add(&page, d, stmt, max_bytes, what, failure);
                if (r <= 0)
                        return r;
                *id = parent;
        }
        return 0;
}

int store_db_climb(StoreDb *db, uint64_t number, uint64_t *id, uint32_t limit, size_t max_bytes,
        StoreDbRead what, StoreMessages *messages, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        return climb(d, number, id, limit, max_bytes, what, messages, failure);
}

int store_db_get_branch(StoreDb *db, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes,
        StoreDbRead what, StoreMessages **ret, Failure *failure)
{
        _cleanup_(store_messages_freep) StoreMessages *messages = NULL;
        int r;

        messages = calloc(1, sizeof *messages);
        if (!messages)
                return failure_set_errno(failure, -ENOMEM, "Reading messages");
        r = store_db_climb(db, number, &id, limit, max_bytes, what, messages, failure);
        if (r < 0)
                return r;
        store_messages_reverse(messages);

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
        /* That nothing more comes must not mean that it was purged meanwhile. */
        if (messages->n_messages == 0) {
                r = database_check_conversation(d, number, failure);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(messages);
        return 0;
}

/* ---- a branch downwards ---- */

/* On the way to the head: every id is below it, for a parent is older than its child. */
typedef struct Descent {
        Database *d;
        uint64_t number, head, at;
        uint64_t *path; /* from a fork on, as climbed from the head; a ring of `limit` */
        size_t n_path, limit;
} Descent;

/* From the head up to a fork. Only the last ids are kept: those that come first below it. */
static int descent_climb(Descent *d, Failure *failure)
{
        uint64_t id = d->head;
        size_t n = 0;

        d->path = reallocarray(NULL, d->limit, sizeof *d->path);
        if (!d->path)
                return failure_set_errno(failure, -ENOMEM, "Reading messages");
        while (id > d->at) {
                uint64_t parent;
                int r;

                d->path[n++ % d->limit] = id;
                r = database_get(d->d, &parent, 0, failure,
                        "SELECT parent FROM messages WHERE id = ?1 AND conversation = ?2", "uu", id,
                        d->number);
                if (r < 0)
                        return r;
                id = parent < id ? parent : 0;
        }
        if (id != d->at)
                return failure_set(failure, FAILURE_NO_SUCH_MESSAGE,
                        "The message is not on the conversation's current branch.");
        d->n_path = n;
        return 0;
}

/* Only children: two of them say that it is a fork, none that this branch ends beside the head. */
static int descent_children(Descent *d, uint64_t *ret, unsigned *ret_n, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        int r;

        r = database_query(d->d, &stmt, failure,
                "SELECT id FROM messages WHERE parent = ?1 AND conversation = ?2"
                " AND id > ?1 AND id <= ?3 LIMIT 2",
                "uuu", d->at, d->number, d->head);
        if (r < 0)
                return r;
        *ret_n = 0;
        while ((r = database_step(d->d, stmt, failure)) > 0)
                if ((*ret_n)++ == 0)
                        *ret = statement_u64(stmt, 0);
        return r;
}

/* The next message below. A line without forks, which is what most conversations are, is walked;
 * the first fork is decided by climbing from the head, once. */
static int descent_next(Descent *d, uint64_t *ret, Failure *failure)
{
        unsigned n;
        int r;

        if (!d->path) {
                r = descent_children(d, ret, &n, failure);
                if (r < 0 || n == 1)
                        return r;
                r = descent_climb(d, failure);
                if (r < 0)
                        return r;
        }
        *ret = d->path[--d->n_path % d->limit];
        return 0;
}

static int descend(
        Descent *d, size_t max_bytes, StoreMessages *messages, uint32_t limit, Failure *failure)
{
        Page page = { .messages = messages };
        int r;

        while (page.n < limit && d->at < d->head) {
                _cleanup_statement_ sqlite3_stmt *stmt = NULL;
                uint64_t next = 0;

                r = descent_next(d, &next, failure);
                if (r < 0)
                        return r;
                r = database_query(d->d, &stmt, failure,
                        "SELECT " MESSAGE_COLUMNS " FROM messages"
                        " WHERE id = ?1 AND conversation = ?2",
                        "uu", next, d->number);
                if (r < 0)
                        return r;
                r = database_step(d->d, stmt, failure);
                if (r < 0)
                        return r;
                if (r == 0)
                        return 0;
                r = page_add(&page, d->d, stmt, max_bytes, /* what= */ 0, failure);
                if (r <= 0)
                        return r;
                d->at = next;
        }
        return 0;
}

int store_db_get_after(StoreDb *db, uint64_t number, uint64_t after, uint64_t head, uint32_t limit,
        size_t max_bytes, StoreMessages **ret, Failure *failure)
{
        _cleanup_(store_messages_freep) StoreMessages *messages = NULL;
        Descent d = { .number = number, .head = head, .at = after, .limit = limit };
        int r;

        r = store_db_of(db, number, &d.d, failure);
        if (r < 0)
                return r;
        if (after > head)
                return failure_set(failure, FAILURE_NO_SUCH_MESSAGE, NULL);
        messages = calloc(1, sizeof *messages);
        if (!messages)
                return failure_set_errno(failure, -ENOMEM, "Reading messages");
        r = descend(&d, max_bytes, messages, limit, failure);
        free(d.path);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(messages);
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
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        return database_get_text(d, ret, failure,
                "SELECT content FROM prompts WHERE conversation = ?1", "u", number);
}
