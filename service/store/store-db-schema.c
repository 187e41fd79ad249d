/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>

#include "service/store/store-db-internal.h"

/* Each step leads from the version that is its place in the list to the next. A step is never
 * changed after a release; what is new is a new step.
 *
 * Long texts come last in their rows, so that reading a row's beginning does not read them. The
 * counts are kept, not counted: a start does not depend on how many messages there are. The search
 * index has no text of its own, and its text is split (store-db-words.c); a live reply is in it
 * when it has ended. */
static const char *const migrations[] = {
        "CREATE TABLE conversations ("
        "  number INTEGER PRIMARY KEY,"
        "  id BLOB NOT NULL UNIQUE,"
        "  created INTEGER NOT NULL,"
        "  modified INTEGER NOT NULL,"
        "  deleted INTEGER NOT NULL,"
        "  head INTEGER NOT NULL,"
        "  messages INTEGER NOT NULL,"
        "  read INTEGER NOT NULL,"
        "  context_used INTEGER NOT NULL,"
        "  context_size INTEGER NOT NULL,"
        "  archived INTEGER NOT NULL,"
        "  hidden INTEGER NOT NULL,"
        "  title_set INTEGER NOT NULL,"
        "  title TEXT NOT NULL,"
        "  model TEXT NOT NULL"
        ") STRICT;"
        "CREATE TABLE prompts ("
        "  conversation INTEGER PRIMARY KEY REFERENCES conversations(number) ON DELETE CASCADE,"
        "  content TEXT NOT NULL"
        ") STRICT;"
        "CREATE TABLE messages ("
        "  id INTEGER PRIMARY KEY,"
        "  conversation INTEGER NOT NULL REFERENCES conversations(number) ON DELETE CASCADE,"
        "  parent INTEGER NOT NULL,"
        "  role INTEGER NOT NULL,"
        "  reason INTEGER NOT NULL,"
        "  live INTEGER NOT NULL,"
        "  created INTEGER NOT NULL,"
        "  metadata TEXT NOT NULL,"
        "  content TEXT NOT NULL,"
        "  reasoning TEXT NOT NULL"
        ") STRICT;"
        "CREATE INDEX messages_by_conversation ON messages(conversation);"
        "CREATE INDEX messages_by_parent ON messages(parent, conversation);"
        "CREATE INDEX messages_live ON messages(id) WHERE live;"
        "CREATE TABLE parts ("
        "  id INTEGER PRIMARY KEY,"
        "  reply INTEGER NOT NULL REFERENCES messages(id) ON DELETE CASCADE,"
        "  channel INTEGER NOT NULL,"
        "  start INTEGER NOT NULL,"
        "  content TEXT NOT NULL"
        ") STRICT;"
        "CREATE INDEX parts_by_reply ON parts(reply, channel, start);"
        "CREATE TABLE attachments ("
        "  id INTEGER PRIMARY KEY,"
        "  message INTEGER NOT NULL REFERENCES messages(id) ON DELETE CASCADE,"
        "  name TEXT NOT NULL,"
        "  type TEXT NOT NULL,"
        "  size INTEGER NOT NULL,"
        "  data BLOB NOT NULL"
        ") STRICT;"
        "CREATE INDEX attachments_by_message ON attachments(message);"
        "CREATE TABLE tokens ("
        "  id INTEGER PRIMARY KEY,"
        "  conversation INTEGER NOT NULL REFERENCES conversations(number) ON DELETE CASCADE,"
        "  token TEXT NOT NULL,"
        "  user INTEGER NOT NULL,"
        "  reply INTEGER NOT NULL,"
        "  created INTEGER NOT NULL"
        ") STRICT;"
        "CREATE UNIQUE INDEX tokens_by_conversation ON tokens(conversation, token);"
        "CREATE INDEX tokens_by_time ON tokens(created);"
        "CREATE TABLE settings ("
        "  key TEXT PRIMARY KEY,"
        "  value TEXT NOT NULL"
        ") STRICT;"
        "CREATE TABLE meta ("
        "  key TEXT PRIMARY KEY,"
        "  value INTEGER NOT NULL"
        ") STRICT;"
        "CREATE VIRTUAL TABLE search USING fts5("
        "  content, content = 'messages', content_rowid = 'id',"
        "  tokenize = 'unicode61 remove_diacritics 2');",
        /* From here on the index gets split text. What is in it already is converted later, in
         * steps, while all else goes on. */
        "INSERT INTO meta (key, value) VALUES ('" META_UNSPLIT_NEXT "', 1),"
        " ('" META_UNSPLIT_END "', (SELECT coalesce(max(id), 0) FROM messages));",
        /* Left to itself, FTS5 merges the parts of the index inside the commit that makes one too
         * many, for up to 100 ms. We do it when nobody waits (store_db_merge_index()); the limit is
         * for a service that never comes to that. */
        ("INSERT INTO search (search, rank) VALUES ('automerge', 0);"
         "INSERT INTO search (search, rank) VALUES ('crisismerge', 256);"),
};

#define SCHEMA_VERSION ELEMENTSOF(migrations)

/* In the file's header, so that `file` and others know whose it is: "Cndr". */
#define APPLICATION_ID 0x436e6472U

static int fail_newer(const char *path, uint64_t version, Failure *failure)
{
        return failure_set(failure, FAILURE_STORE_FAILED,
                "The database %s comes from a newer version of Conductor (its format is %" PRIu64
                ", this one knows %zu). It was left untouched: install that version again, or move "
                "the file away.",
                path, version, SCHEMA_VERSION);
}

static int fail_foreign(const char *path, Failure *failure)
{
        return failure_set(failure, FAILURE_STORE_FAILED,
                "%s is another program's database. It was left untouched: move it away and start "
                "the service again.",
                path);
}

int database_peek(const char *path, Failure *failure)
{
        struct {
                uint8_t other[60];
                uint32_t version;
                uint32_t vacuum;
                uint32_t application;
                uint8_t rest[28];
        } header;
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        static_assert(sizeof header == 100, "SQLite's header");

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return failure_set_errno(failure, -errno, "Opening %s", path);
        n = pread(fd, &header, sizeof header, 0);
        if (n < 0)
                return failure_set_errno(failure, -errno, "Reading %s", path);
        if (n == 0)
                return 0;
        /* One that was being made when the power was cut: SQLite takes that back. */
        if ((size_t) n < sizeof header || memcmp(header.other, "SQLite format 3", 16) != 0)
                return files_journal_is_left(path) ? 1 : -EBADMSG;
        if (be32toh(header.version) > SCHEMA_VERSION)
                return fail_newer(path, be32toh(header.version), failure);
        if (be32toh(header.application) != APPLICATION_ID &&
                (be32toh(header.application) != 0 || be32toh(header.version) != 0))
                return fail_foreign(path, failure);
        return 1;
}

static int migrate_from(Database *d, uint64_t version, Failure *failure)
{
        char pragmas[96];
        int r;

        r = database_execute(d, "BEGIN IMMEDIATE", failure);
        if (r < 0)
                return r;
        for (size_t i = version; i < SCHEMA_VERSION; i++) {
                r = database_execute(d, migrations[i], failure);
                if (r < 0)
                        return r;
        }
        (void) snprintf(pragmas, sizeof pragmas,
                "PRAGMA user_version = %zu; PRAGMA application_id = %u; COMMIT", SCHEMA_VERSION,
                APPLICATION_ID);
        return database_execute(d, pragmas, failure);
}

int database_migrate(Database *d, Failure *failure)
{
        uint64_t version, tables;
        int r;

        r = database_get(d, &version, 0, failure, "PRAGMA user_version", "");
        if (r < 0)
                return r;
        /* The file's header may be older than the log, which only SQLite reads. */
        if (version > SCHEMA_VERSION)
                return fail_newer(d->path, version, failure);
        if (version == 0) {
                r = database_get(d, &tables, 0, failure, "SELECT count(*) FROM sqlite_schema", "");
                if (r < 0)
                        return r;
                if (tables > 0)
                        return fail_foreign(d->path, failure);
        }

        /* From here on it is ours to write. The mode is kept in the file; changed, it must be
         * while nothing is open. */
        r = database_execute(d, "PRAGMA journal_mode = WAL", failure);
        if (r < 0)
                return r;
        (void) sqlite3_db_config(d->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);

        if (version == SCHEMA_VERSION)
                return 0;
        r = migrate_from(d, version, failure);
        if (r < 0 && !sqlite3_get_autocommit(d->sqlite))
                (void) database_execute(d, "ROLLBACK", NULL);
        return r;
}
