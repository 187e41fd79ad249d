/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <time.h>

#include "service/store/store-db-internal.h"

static usec_t now_realtime(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

static int check_string(const char *text, const char *what, Failure *failure)
{
        return check_text(text, strlen(strempty(text)), what, failure);
}

/* ---- conversations ---- */

int store_db_create_conversation(
        StoreDb *db, const StoreConversation *c, const char *system, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, c->number, &d, failure);
        if (r < 0)
                return r;
        r = check_string(c->title, "title", failure);
        if (r < 0)
                return r;
        r = check_string(c->model, "model's name", failure);
        if (r < 0)
                return r;

        r = database_run(d, failure,
                "INSERT INTO conversations (number, id, created, modified, deleted, head, messages,"
                " read, context_used, context_size, archived, hidden, title_set, title, model)"
                " VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                "ubuuuuuuuuuss", c->number, &c->id, sizeof c->id, c->created, c->modified,
                c->deleted, c->read, c->context_used, c->context_size, (uint64_t) c->archived,
                (uint64_t) c->hidden, (uint64_t) c->title_set, c->title, c->model);
        if (r < 0)
                return r;
        return isempty(system) ? 0 : store_db_set_system(db, c->number, system, failure);
}

int store_db_update_conversation(
        StoreDb *db, const StoreConversation *c, StoreField fields, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, c->number, &d, failure);
        if (r < 0)
                return r;
        if (fields & STORE_TITLE) {
                r = check_string(c->title, "title", failure);
                if (r < 0)
                        return r;
        }
        if (fields & STORE_MODEL) {
                r = check_string(c->model, "model's name", failure);
                if (r < 0)
                        return r;
        }

        r = database_run(d, failure,
                "UPDATE conversations SET"
                " title = iif(?2 & 1, ?3, title), title_set = iif(?2 & 1, ?4, title_set),"
                " model = iif(?2 & 2, ?5, model),"
                " head = iif(?2 & 4, ?6, head),"
                " modified = iif(?2 & 8, ?7, modified),"
                " deleted = iif(?2 & 16, ?8, deleted),"
                " archived = iif(?2 & 32, ?9, archived),"
                " hidden = iif(?2 & 64, ?10, hidden),"
                " read = iif(?2 & 128, ?11, read),"
                " context_used = iif(?2 & 256, ?12, context_used),"
                " context_size = iif(?2 & 256, ?13, context_size)"
                " WHERE number = ?1 AND deleted <> " DELETED_PURGING,
                "uususuuuuuuuu", c->number, (uint64_t) fields, c->title, (uint64_t) c->title_set,
                c->model, c->head, c->modified, c->deleted, (uint64_t) c->archived,
                (uint64_t) c->hidden, c->read, c->context_used, c->context_size);
        if (r < 0)
                return r;
        return r == 0 ? failure_set(failure, FAILURE_NO_SUCH_CONVERSATION, NULL) : 0;
}

int database_check_conversation(Database *d, uint64_t number, Failure *failure)
{
        uint64_t found;
        int r;

        r = database_get(d, &found, 0, failure,
                "SELECT EXISTS (SELECT 1 FROM conversations WHERE number = ?1"
                " AND deleted <> " DELETED_PURGING ")",
                "u", number);
        if (r < 0)
                return r;
        return found ? 0 : failure_set(failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
}

int store_db_set_system(StoreDb *db, uint64_t number, const char *system, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = check_string(system, "system prompt", failure);
        if (r < 0)
                return r;
        r = database_check_conversation(d, number, failure);
        if (r < 0)
                return r;
        r = database_run(d, failure,
                "INSERT OR REPLACE INTO prompts (conversation, content) VALUES (?1, ?2)", "us",
                number, system);
        return r < 0 ? r : 0;
}

int store_db_set_setting(StoreDb *db, const char *key, const char *value, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, /* number= */ 0, &d, failure);
        if (r < 0)
                return r;
        r = check_string(value, "setting", failure);
        if (r < 0)
                return r;
        r = database_run(d, failure, "INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)",
                "ss", key, value);
        return r < 0 ? r : 0;
}

/* ---- the search index ---- */

static int database_index_message(
        Database *d, uint64_t id, const char *content, size_t size, Failure *failure)
{
        int r;

        if (!d->searchable || size == 0)
                return 0;
        r = database_run(d, failure,
                "INSERT INTO search (rowid, content) VALUES (?1, " INDEXED("?1", "?2") ")", "ut",
                id, content, size);
        return r < 0 ? r : 0;
}

/* The index keeps no text, so it must be told what it had been given: before the row changes. */
int database_unindex_message(Database *d, uint64_t id, Failure *failure)
{
        int r;

        if (!d->searchable)
                return 0;
        r = database_run(d, failure,
                "INSERT INTO search (search, rowid, content)"
                " SELECT 'delete', id, " INDEXED(
                        "id", "content") " FROM messages"
                                         " WHERE id = ?1 AND NOT live AND content <> ''",
                "u", id);
        return r < 0 ? r : 0;
}

/* ---- messages ---- */

static int check_parent(Database *d, uint64_t number, const StoreMessage *m, Failure *failure)
{
        uint64_t found;
        int r;

        if (m->parent == 0)
                return 0;
        r = database_get(d, &found, 0, failure,
                "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1 AND conversation = ?2)", "uu",
                m->parent, number);
        if (r < 0)
                return r;
        if (!found || m->parent >= m->id)
                return failure_set(failure, FAILURE_NO_SUCH_MESSAGE,
                        "There is no message %" PRIu64 " in this conversation to go on from.",
                        m->parent);
        return 0;
}

static int add_attachments(Database *d, const StoreMessage *m, Failure *failure)
{
        int r;

        for (size_t i = 0; i < m->n_attachments; i++) {
                const StoreAttachment *a = &m->attachments[i];

                r = check_string(a->name, "attachment's name", failure);
                if (r < 0)
                        return r;
                r = check_string(a->type, "attachment's type", failure);
                if (r < 0)
                        return r;
                r = database_run(d, failure,
                        "INSERT INTO attachments (message, name, type, size, data)"
                        " VALUES (?1, ?2, ?3, ?4, ?5)",
                        "ussub", m->id, a->name, a->type, (uint64_t) a->size, a->data, a->size);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_message(const StoreMessage *m, Failure *failure)
{
        int r;

        r = check_text(m->content, m->content_size, "message", failure);
        if (r < 0)
                return r;
        r = check_text(m->reasoning, m->reasoning_size, "reasoning", failure);
        if (r < 0)
                return r;
        return check_string(m->metadata, "metadata", failure);
}

static int add_message(Database *d, uint64_t number, const StoreMessage *m, Failure *failure)
{
        int r;

        r = check_message(m, failure);
        if (r < 0)
                return r;
        r = check_parent(d, number, m, failure);
        if (r < 0)
                return r;

        r = database_run(d, failure,
                "INSERT INTO messages (id, conversation, parent, role, reason, live, created,"
                " metadata, content, reasoning) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                "uuuuuuustt", m->id, number, m->parent, (uint64_t) m->role, (uint64_t) m->reason,
                (uint64_t) m->live, m->created, m->metadata, m->content, m->content_size,
                m->reasoning, m->reasoning_size);
        if (r < 0)
                return r;
        if (!m->live) {
                r = database_index_message(d, m->id, m->content, m->content_size, failure);
                if (r < 0)
                        return r;
        }
        return add_attachments(d, m, failure);
}

static int add_token(Database *d, uint64_t number, const char *token, const StoreMessage *messages,
        size_t n, Failure *failure)
{
        usec_t now = now_realtime();
        uint64_t found;
        int r;

        r = check_string(token, "token", failure);
        if (r < 0)
                return r;
        r = database_run(d, failure, "DELETE FROM tokens WHERE created < ?1", "u",
                now > STORE_TOKEN_KEEP ? now - STORE_TOKEN_KEEP : 0);
        if (r < 0)
                return r;
        r = database_get(d, &found, 0, failure,
                "SELECT EXISTS (SELECT 1 FROM tokens WHERE conversation = ?1 AND token = ?2)", "us",
                number, token);
        if (r < 0)
                return r;
        if (found)
                return failure_set(failure, FAILURE_BUSY,
                        "A message with this token was accepted a moment ago. Send it again to get "
                        "that message's ids.");
        r = database_run(d, failure,
                "INSERT INTO tokens (conversation, token, user, reply, created)"
                " VALUES (?1, ?2, ?3, ?4, ?5)",
                "usuuu", number, token, messages[0].id, n > 1 ? messages[1].id : 0, now);
        return r < 0 ? r : 0;
}

int store_db_add_messages(StoreDb *db, uint64_t number, const StoreMessage *messages, size_t n,
        uint64_t head, usec_t modified, const char *token, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = database_run(d, failure,
                "UPDATE conversations SET head = ?2, modified = ?3, messages = messages + ?4"
                " WHERE number = ?1 AND deleted <> " DELETED_PURGING,
                "uuuu", number, head, modified, (uint64_t) n);
        if (r < 0)
                return r;
        if (r == 0)
                return failure_set(failure, FAILURE_NO_SUCH_CONVERSATION, NULL);

        for (size_t i = 0; i < n; i++) {
                r = add_message(d, number, &messages[i], failure);
                if (r < 0)
                        return r;
        }
        if (n > 0 && !isempty(token))
                return add_token(d, number, token, messages, n, failure);
        return 0;
}

/* ---- replies ---- */

static int check_reply(Database *d, uint64_t number, uint64_t reply, Failure *failure)
{
        uint64_t found;
        int r;

        r = database_get(d, &found, 0, failure,
                "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1 AND conversation = ?2)", "uu",
                reply, number);
        if (r < 0)
                return r;
        return found ? 0 : failure_set(failure, FAILURE_NO_SUCH_MESSAGE, NULL);
}

int store_db_append_reply(StoreDb *db, uint64_t number, uint64_t reply, Channel channel,
        uint64_t offset, const char *text, size_t size, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = check_text(text, size, "reply", failure);
        if (r < 0)
                return r;

        r = database_run(d, failure,
                "INSERT INTO parts (reply, channel, start, content)"
                " SELECT id, ?3, ?4, ?5 FROM messages WHERE id = ?1 AND conversation = ?2 AND live",
                "uuuut", reply, number, (uint64_t) channel, offset, text, size);
        if (r < 0)
                return r;
        return r == 0
                ? failure_set(failure, FAILURE_NO_SUCH_MESSAGE,
                          "The reply %" PRIu64 " is not live: nothing can be added to it.", reply)
                : 0;
}

static int replace_text(Database *d, const StoreMessage *m, Failure *failure)
{
        int r;

        r = database_unindex_message(d, m->id, failure);
        if (r < 0)
                return r;
        r = database_run(d, failure,
                "UPDATE messages SET reason = ?2, live = 0, metadata = ?3, content = ?4,"
                " reasoning = ?5 WHERE id = ?1",
                "uustt", m->id, (uint64_t) m->reason, m->metadata, m->content, m->content_size,
                m->reasoning, m->reasoning_size);
        if (r < 0)
                return r;
        r = database_run(d, failure, "DELETE FROM parts WHERE reply = ?1", "u", m->id);
        if (r < 0)
                return r;
        return database_index_message(d, m->id, m->content, m->content_size, failure);
}

int store_db_end_reply(StoreDb *db, uint64_t number, const StoreMessage *reply, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = check_message(reply, failure);
        if (r < 0)
                return r;
        r = check_reply(d, number, reply->id, failure);
        if (r < 0)
                return r;
        return replace_text(d, reply, failure);
}

int store_db_reopen_reply(StoreDb *db, uint64_t number, uint64_t reply, Failure *failure)
{
        Database *d;
        int r;

        r = store_db_of(db, number, &d, failure);
        if (r < 0)
                return r;
        r = check_reply(d, number, reply, failure);
        if (r < 0)
                return r;
        r = database_unindex_message(d, reply, failure);
        if (r < 0)
                return r;
        r = database_run(d, failure, "UPDATE messages SET live = 1, reason = ?2 WHERE id = ?1",
                "uu", reply, (uint64_t) REASON_NONE);
        return r < 0 ? r : 0;
}

/* ---- after a run that did not end well ---- */

static int end_interrupted(Database *d, uint64_t id, Failure *failure)
{
        _cleanup_(store_message_done) StoreMessage m = { .id = id, .reason = REASON_INTERRUPTED };
        _cleanup_free_ char *content = NULL, *reasoning = NULL;
        size_t content_size, reasoning_size;
        int r;

        {
                _cleanup_statement_ sqlite3_stmt *stmt = NULL;

                r = database_query(d, &stmt, failure,
                        "SELECT metadata, content, reasoning, live FROM messages WHERE id = ?1",
                        "u", id);
                if (r < 0)
                        return r;
                r = database_step(d, stmt, failure);
                if (r < 0)
                        return r;
                /* An index that says otherwise than its table would say so for ever. */
                if (r == 0 || !statement_u64(stmt, 3))
                        return database_fail(d, SQLITE_CORRUPT, "end a reply", failure);
                r = statement_text(stmt, 0, &m.metadata, /* ret_size= */ NULL, failure);
                if (r < 0)
                        return r;
                r = statement_text(stmt, 1, &content, &content_size, failure);
                if (r < 0)
                        return r;
                r = statement_text(stmt, 2, &reasoning, &reasoning_size, failure);
                if (r < 0)
                        return r;
        }

        r = database_join_reply(d, id, CHANNEL_CONTENT, content, content_size, &m.content,
                &m.content_size, failure);
        if (r < 0)
                return r;
        r = database_join_reply(d, id, CHANNEL_REASONING, reasoning, reasoning_size, &m.reasoning,
                &m.reasoning_size, failure);
        if (r < 0)
                return r;
        return replace_text(d, &m, failure);
}

int database_end_live(Database *d, uint64_t *ret_n, Failure *failure)
{
        uint64_t id, n = 0;
        int r;

        for (;;) {
                r = database_get(d, &id, 0, failure, "SELECT min(id) FROM messages WHERE live", "");
                if (r < 0)
                        return r;
                if (id == 0)
                        break;
                r = end_interrupted(d, id, failure);
                if (r < 0)
                        return r;
                n++;
        }

        *ret_n = n;
        return 0;
}
