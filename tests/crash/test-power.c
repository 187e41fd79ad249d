/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/store-fixture.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "service/store/store-db-internal.h"
#include "tests/crash/disk.h"

/* The power is cut at every moment of a store's life; the store is opened with what the disk may
 * have kept, and all that it had acknowledged is there, whole and once. CONDUCTOR_TEST_SEED repeats
 * a run, CONDUCTOR_TEST_ROUNDS says how often the whole tape is gone through. */

#define FACTS_MAX 1200U
#define TEXT_MAX  600U
#define REPLY_MAX 40U /* words */

/* And more: so many facts are from before the tape. */
#define MARK_EARLIER ((uint64_t) FACTS_MAX * _KNOWN_MAX)

/* ---- what was asked for and acknowledged ---- */

typedef enum FactKind {
        FACT_CREATED,
        FACT_PAIR, /* a question and its reply, the question with an attachment */
        FACT_TEXT, /* so much of the reply's text */
        FACT_ENDED,
        FACT_PURGED,
        FACT_SETTING,
        FACT_DAMAGED, /* by the test, on the disk; nothing is lost with it */
} FactKind;

typedef enum Known {
        UNKNOWN,
        ASKED,
        ACKNOWLEDGED,
        _KNOWN_MAX,
} Known;

typedef struct Fact {
        FactKind kind;
        uint64_t number, question, reply;
        unsigned words;
        Known known; /* while a tape is played */
} Fact;

typedef struct World {
        Fixture *f;
        Fact facts[FACTS_MAX];
        size_t n_facts;
        unsigned n_setting;
        char cut[80];   /* the folder after the cut */
        char path[112]; /* the database there */
        char problem[512];
        unsigned seed;
        unsigned n_cuts, n_second, n_salvaged, n_lost;
        uint64_t n_checked;
} World;

static size_t ask(World *w, Fact fact)
{
        assert_true(w->n_facts < FACTS_MAX);
        w->facts[w->n_facts] = fact;
        disk_mark(w->n_facts * _KNOWN_MAX + ASKED);
        return w->n_facts++;
}

static void acknowledge(size_t fact)
{
        disk_mark(fact * _KNOWN_MAX + ACKNOWLEDGED);
}

static void make_question(uint64_t id, char text[static TEXT_MAX])
{
        (void) snprintf(text, TEXT_MAX, "question q%luq of 東京 and more %0*d", (unsigned long) id,
                (int) (id % 500), 7);
}

static char *make_reply(uint64_t id, unsigned words)
{
        char *text = calloc(1, 32 * REPLY_MAX + 1), *end = text;

        assert_non_null(text);
        for (unsigned i = 0; i < words; i++)
                end += sprintf(end, "r%lur-%u-ö ", (unsigned long) id, i);
        return text;
}

static void make_attachment(uint64_t id, char data[static 3000])
{
        for (size_t i = 0; i < 3000; i++)
                data[i] = (char) ((i + 1) * id >> 3);
}

/* ---- a store's life ---- */

static uint64_t live_create(World *w)
{
        uint64_t number = store_next_number(w->f->store, /* private= */ false);
        size_t fact = ask(w, (Fact){ .kind = FACT_CREATED, .number = number });

        assert_int_equal(do_create(w->f, number, "power"), FAILURE_NONE);
        acknowledge(fact);
        return number;
}

static Fact live_ask(World *w, uint64_t number, uint64_t *parent)
{
        char text[TEXT_MAX], data[3000];
        StoreMessage pair[2] = {
                { .id = store_next_id(w->f->store), .parent = *parent, .role = ROLE_USER },
                { .role = ROLE_ASSISTANT, .live = true },
        };
        Fact asked = { .kind = FACT_PAIR, .number = number };
        size_t fact;

        asked.question = pair[0].id;
        asked.reply = *parent = pair[1].id = store_next_id(w->f->store);
        pair[1].parent = pair[0].id;
        make_question(asked.question, text);
        pair[0].content = text;
        pair[0].content_size = strlen(text);
        make_attachment(asked.question, data);
        pair[0].attachments = calloc(1, sizeof *pair[0].attachments);
        pair[0].attachments[0] = (StoreAttachment){
                .name = strdup("a.bin"),
                .type = strdup("application/octet-stream"),
                .data = malloc(sizeof data),
                .size = sizeof data,
        };
        memcpy(pair[0].attachments[0].data, data, sizeof data);
        pair[0].n_attachments = 1;

        fact = ask(w, asked);
        assert_int_equal(
                do_add_all(w->f, number, pair, 2, asked.reply, /* token= */ NULL), FAILURE_NONE);
        acknowledge(fact);
        return asked;
}

/* What follows an appended part is acknowledged: so the part is durable as well. */
static void live_stream(World *w, Fact reply, unsigned from, unsigned to)
{
        StoreConversation touched = { .number = reply.number, .read = reply.reply };

        for (unsigned words = from + 1; words <= to; words++) {
                _cleanup_free_ char *before = make_reply(reply.reply, words - 1),
                                    *text = make_reply(reply.reply, words);
                size_t offset = strlen(before), fact;

                reply.kind = FACT_TEXT;
                reply.words = words;
                fact = ask(w, reply);
                assert_return_code(
                        store_append_reply(w->f->store, reply.number, reply.reply, CHANNEL_CONTENT,
                                offset, text + offset, strlen(text) - offset),
                        errno);
                assert_int_equal(do_update(w->f, &touched, STORE_READ), FAILURE_NONE);
                acknowledge(fact);
        }
}

static void live_end(World *w, Fact reply)
{
        _cleanup_free_ char *text = make_reply(reply.reply, REPLY_MAX);
        size_t fact;

        reply.kind = FACT_ENDED;
        fact = ask(w, reply);
        assert_int_equal(do_end(w->f, reply.number, reply.reply, text, REASON_STOP), FAILURE_NONE);
        acknowledge(fact);
}

static void live_purge(World *w, uint64_t number)
{
        size_t fact = ask(w, (Fact){ .kind = FACT_PURGED, .number = number });

        assert_int_equal(do_purge(w->f, number), FAILURE_NONE);
        acknowledge(fact);
}

static void live_set(World *w)
{
        char value[32];
        size_t fact = ask(w, (Fact){ .kind = FACT_SETTING, .words = ++w->n_setting });
        Call call = CALL(w->f);

        (void) snprintf(value, sizeof value, "model-%u", w->n_setting);
        assert_int_equal(call_wait(&call,
                                 store_set_setting(w->f->store, "last_model", value, on_call_done,
                                         &call, /* ret_slot= */ NULL)),
                FAILURE_NONE);
        acknowledge(fact);
}

static void live_settle(World *w)
{
        while (store_pending(w->f->store) > 0)
                assert_return_code(sd_event_run(w->f->event, UINT64_MAX), errno);
}

static void live_session(World *w, unsigned pairs)
{
        uint64_t a = live_create(w), b = live_create(w), last_a = 0, last_b = 0;
        Fact left;

        for (unsigned i = 0; i < pairs; i++) {
                Fact reply = live_ask(w, i % 3 ? a : b, i % 3 ? &last_a : &last_b);

                live_stream(w, reply, 0, 1 + i % 3);
                if (i % 4 != 3)
                        live_end(w, reply);
        }
        live_set(w);
        live_purge(w, b);
        live_settle(w);
        left = live_ask(w, a, &last_a);
        live_stream(w, left, 0, 2);
}

/* ---- the database of an earlier version ---- */

/* From each version to the one before it. */
static const char *const back[] = {
        "INSERT INTO search (search) VALUES ('rebuild');"
        "DELETE FROM meta WHERE key LIKE 'unsplit%';"
        "PRAGMA user_version = 1",
        "DELETE FROM search_config WHERE k IN ('automerge', 'crisismerge');"
        "PRAGMA user_version = 2",
};

static void make_earlier(World *w, size_t version)
{
        sqlite3 *sqlite;

        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 12);
        fixture_close(w->f);
        assert_int_equal(sqlite3_open(w->f->path, &sqlite), SQLITE_OK);
        for (size_t i = ELEMENTSOF(back); i >= version; i--)
                assert_int_equal(sqlite3_exec(sqlite, back[i - 1], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

/* ---- damage that loses nothing ---- */

static void damage(World *w)
{
        size_t fact = ask(w, (Fact){ .kind = FACT_DAMAGED });
        char page[4096];
        sqlite3_stmt *stmt;
        sqlite3 *sqlite;
        int64_t root;
        int fd;

        assert_int_equal(sqlite3_open(w->f->path, &sqlite), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(sqlite,
                                 "SELECT rootpage FROM sqlite_schema WHERE name = 'messages_live'",
                                 -1, &stmt, NULL),
                SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        root = sqlite3_column_int64(stmt, 0);
        assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);

        memset(page, 0xa5, sizeof page);
        fd = open(w->f->path, O_RDWR | O_CLOEXEC);
        assert_return_code(fd, errno);
        assert_int_equal(pwrite(fd, page, sizeof page, (root - 1) * 4096), sizeof page);
        assert_return_code(fsync(fd), errno);
        assert_return_code(close(fd), errno);
        acknowledge(fact);
}

/* ---- after the cut ---- */

_printf_(2, 3) static void problem(World *w, const char *format, ...)
{
        va_list ap;

        if (*w->problem)
                return;
        va_start(ap, format);
        (void) vsnprintf(w->problem, sizeof w->problem, format, ap);
        va_end(ap);
}

static Known purged(const World *w, uint64_t number)
{
        for (size_t i = 0; i < w->n_facts; i++)
                if (w->facts[i].kind == FACT_PURGED && w->facts[i].number == number)
                        return w->facts[i].known;
        return UNKNOWN;
}

static bool was_damaged(const World *w)
{
        for (size_t i = 0; i < w->n_facts; i++)
                if (w->facts[i].kind == FACT_DAMAGED && w->facts[i].known != UNKNOWN)
                        return true;
        return false;
}

static size_t count_hits(StoreDb *db, char kind, uint64_t id)
{
        StoreHit *hits;
        char query[64];
        size_t n;

        (void) snprintf(query, sizeof query, "%c%lu%c", kind, (unsigned long) id, kind);
        if (store_db_search(db, query, 0, 0, 10, &hits, &n, NULL) < 0)
                return SIZE_MAX;
        store_hits_free(hits, n);
        return n;
}

static StoreMessages *read_one(StoreDb *db, uint64_t number, uint64_t id)
{
        StoreMessages *m = NULL;

        (void) store_db_get_branch(db, number, id, 1, SIZE_MAX, STORE_DB_ATTACHMENTS, &m, NULL);
        return m;
}

static void check_question(World *w, StoreDb *db, const Fact *fact)
{
        _cleanup_(store_messages_freep) StoreMessages *m = NULL;
        char text[TEXT_MAX], data[3000];

        m = read_one(db, fact->number, fact->question);
        if (!m) {
                problem(w, "message %lu is lost", (unsigned long) fact->question);
                return;
        }
        make_question(fact->question, text);
        make_attachment(fact->question, data);
        if (!streq(m->messages[0].content, text))
                problem(w, "message %lu has another text", (unsigned long) fact->question);
        if (m->messages[0].n_attachments != 1 ||
                m->messages[0].attachments[0].size != sizeof data ||
                memcmp(m->messages[0].attachments[0].data, data, sizeof data) != 0)
                problem(w, "message %lu has no attachment", (unsigned long) fact->question);
        if (count_hits(db, 'q', fact->question) != 1)
                problem(w, "message %lu is not found once", (unsigned long) fact->question);
}

/* So many words at least, all others as they would have come, and an end. */
static void check_reply(World *w, StoreDb *db, const Fact *fact)
{
        _cleanup_(store_messages_freep) StoreMessages *m = NULL;
        _cleanup_free_ char *least = make_reply(fact->reply, fact->words),
                            *most = make_reply(fact->reply, REPLY_MAX);
        const StoreMessage *reply;
        unsigned long id = (unsigned long) fact->reply;

        m = read_one(db, fact->number, fact->reply);
        if (!m) {
                problem(w, "reply %lu is lost", id);
                return;
        }
        reply = &m->messages[0];
        if (reply->live || reply->reason == REASON_NONE)
                problem(w, "reply %lu has no end", id);
        if (!startswith(reply->content, fact->kind == FACT_ENDED ? most : least) ||
                !startswith(most, reply->content))
                problem(w, "reply %lu is '%.40s'", id, reply->content);
        if (fact->kind == FACT_ENDED && reply->reason != REASON_STOP)
                problem(w, "reply %lu ended as %d", id, (int) reply->reason);
        if (*reply->content && count_hits(db, 'r', fact->reply) != 1)
                problem(w, "reply %lu is not found once", id);
}

/* Asked for and not acknowledged: there with all that belongs to it, or not at all. */
static void check_whole(World *w, StoreDb *db, const Fact *fact)
{
        _cleanup_(store_messages_freep) StoreMessages *a = NULL, *b = NULL;

        a = read_one(db, fact->number, fact->question);
        b = read_one(db, fact->number, fact->reply);
        if (!a != !b)
                problem(w, "of question %lu and its reply there is one",
                        (unsigned long) fact->question);
        else if (a)
                check_question(w, db, fact);
}

static void check_gone(World *w, StoreDb *db, const Fact *fact)
{
        if (purged(w, fact->number) != ACKNOWLEDGED)
                return;
        if (count_hits(db, 'q', fact->question) != 0)
                problem(w, "purged message %lu is found", (unsigned long) fact->question);
}

static void check_fact(World *w, StoreDb *db, const Fact *fact)
{
        if (fact->kind == FACT_PAIR && fact->known != UNKNOWN)
                check_gone(w, db, fact);
        if (purged(w, fact->number) != UNKNOWN || fact->known == UNKNOWN)
                return;
        w->n_checked += fact->known == ACKNOWLEDGED;

        switch (fact->kind) {
        case FACT_PAIR:
                if (fact->known == ASKED)
                        check_whole(w, db, fact);
                else
                        check_question(w, db, fact);
                break;
        case FACT_TEXT:
        case FACT_ENDED:
                if (fact->known == ACKNOWLEDGED)
                        check_reply(w, db, fact);
                break;
        case FACT_CREATED:
        case FACT_PURGED:
        case FACT_SETTING:
        case FACT_DAMAGED:
                break;
        }
}

static void check_index(World *w, const StoreIndex *index)
{
        unsigned least = 0, most = 0, got = 0;

        for (size_t i = 0; i < w->n_facts; i++) {
                const Fact *fact = &w->facts[i];
                bool found = false;

                if (fact->kind == FACT_SETTING && fact->known != UNKNOWN)
                        *(fact->known == ACKNOWLEDGED ? &least : &most) = fact->words;
                if (fact->kind != FACT_CREATED || fact->known != ACKNOWLEDGED)
                        continue;
                for (size_t k = 0; k < index->n_conversations; k++)
                        found |= index->conversations[k].number == fact->number;
                if (!found && purged(w, fact->number) == UNKNOWN)
                        problem(w, "conversation %lu is lost", (unsigned long) fact->number);
                if (found && purged(w, fact->number) == ACKNOWLEDGED)
                        problem(w, "conversation %lu is purged and there",
                                (unsigned long) fact->number);
        }
        if (*index->last_model && sscanf(index->last_model, "model-%u", &got) != 1)
                problem(w, "a setting is '%s'", index->last_model);
        if (got < least || got > MAX(least, most))
                problem(w, "a setting is of turn %u, not %u", got, least);
}

static void check_agrees(World *w, StoreDb *db)
{
        static const char *const queries[] = {
                "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
                "SELECT count(*) FROM messages WHERE live",
                "SELECT count(*) FROM conversations c WHERE deleted <> " DELETED_PURGING
                " AND messages <> (SELECT count(*) FROM messages WHERE conversation = c.number)",
                "SELECT count(*) FROM conversations c WHERE deleted <> " DELETED_PURGING
                " AND head <> 0 AND NOT EXISTS"
                " (SELECT 1 FROM messages WHERE id = c.head AND conversation = c.number)",
                "SELECT count(*) FROM messages m WHERE parent <> 0 AND NOT EXISTS"
                " (SELECT 1 FROM messages WHERE id = m.parent AND conversation = m.conversation)"
                " AND EXISTS (SELECT 1 FROM conversations WHERE number = m.conversation"
                "  AND deleted <> " DELETED_PURGING ")",
        };

        for (size_t i = 0; i < ELEMENTSOF(queries); i++) {
                uint64_t n = 1;

                if (database_get(&db->disk, &n, 1, NULL, queries[i], "") < 0 || n != 0)
                        problem(w, "%lu of: %s", (unsigned long) n, queries[i]);
        }
        if (database_run(&db->disk, NULL, "INSERT INTO search (search) VALUES ('integrity-check')",
                    "") < 0)
                problem(w, "the search index does not agree with itself");
}

/* Opens the store in the folder after the cut, as a start does. */
static void check_cut(World *w)
{
        _cleanup_(store_db_freep) StoreDb *db = NULL;
        _cleanup_(store_db_opened_done) StoreDbOpened opened = { 0 };
        _cleanup_failure_ Failure f = FAILURE_NULL;

        if (store_db_open(&db, w->path, &opened, &f) < 0) {
                problem(w, "not opened: %s", failure_message(&f));
                return;
        }
        w->n_salvaged += opened.salvaged != NULL;
        if (opened.salvaged && !was_damaged(w))
                problem(w, "it was taken for damaged");
        while (store_db_convert_index(db, NULL) > 0)
                ;
        check_agrees(w, db);
        check_index(w, opened.index);
        for (size_t i = 0; i < w->n_facts; i++)
                check_fact(w, db, &w->facts[i]);
}

/* ---- cutting ---- */

static void empty_cut(World *w)
{
        remove_folder(w->cut);
        assert_return_code(mkdir(w->cut, 0700), errno);
}

static void note_mark(World *w, const DiskOp *op)
{
        if (op->kind != DISK_MARK)
                return;
        if (op->where < MARK_EARLIER)
                w->facts[op->where / _KNOWN_MAX].known = (Known) (op->where % _KNOWN_MAX);
        else
                for (size_t i = 0; i < op->where - MARK_EARLIER; i++)
                        w->facts[i].known = ACKNOWLEDGED;
}

static bool is_sync(const DiskOp *op)
{
        return op->kind == DISK_SYNC || op->kind == DISK_SYNC_FOLDER;
}

/* Cut while the store starts after a cut. */
static void cut_again(World *w, const Tape *tape)
{
        _cleanup_(disk_freep) Disk *d = disk_new(tape);
        const DiskOp *op;

        while ((op = disk_next(d))) {
                if (op->kind == DISK_HAD || (!is_sync(op) && rand_r(&w->seed) % 16 > 0))
                        continue;
                empty_cut(w);
                disk_cut(d, &w->seed, w->cut);
                check_cut(w);
                w->n_second++;
                if (*w->problem)
                        return;
        }
}

static void cut(World *w, const Disk *d, bool twice)
{
        Tape *tape;

        empty_cut(w);
        disk_cut(d, &w->seed, w->cut);
        if (twice)
                disk_record(w->cut);
        check_cut(w);
        w->n_cuts++;
        if (!twice)
                return;
        tape = disk_stop();
        if (!*w->problem)
                cut_again(w, tape);
        (void) tape_free(tape);
}

/* Before and after each sync, and now and then. */
static void cut_everywhere(World *w, const Tape *tape)
{
        _cleanup_(disk_freep) Disk *d = disk_new(tape);
        const DiskOp *op;
        unsigned seed;

        for (size_t i = 0; i < w->n_facts; i++)
                w->facts[i].known = UNKNOWN;
        for (size_t i = 0; (op = disk_next(d)); i++) {
                bool before = i + 1 < tape->n && is_sync(&tape->ops[i + 1]);

                note_mark(w, op);
                if (op->kind == DISK_HAD || (!is_sync(op) && !before && rand_r(&w->seed) % 64 > 0))
                        continue;
                seed = w->seed;
                cut(w, d, /* twice= */ rand_r(&w->seed) % 24 == 0);
                if (!*w->problem)
                        continue;
                w->n_lost++;
                print_message(
                        "# after %zu of %zu, seed %u: %s\n", i + 1, tape->n, seed, w->problem);
                return;
        }
}

/* ---- the tests ---- */

static int setup(void **state)
{
        const char *seed = getenv("CONDUCTOR_TEST_SEED");
        World *w = calloc(1, sizeof *w);
        void *f;

        assert_non_null(w);
        assert_int_equal(fixture_setup(&f), 0);
        w->f = f;
        fixture_close(w->f);
        (void) snprintf(w->cut, sizeof w->cut, "%s.cut", w->f->folder);
        (void) snprintf(w->path, sizeof w->path, "%s/state/conversations.db", w->cut);
        w->seed = seed ? (unsigned) strtoul(seed, NULL, 10) : (unsigned) getpid();
        print_message("# CONDUCTOR_TEST_SEED=%u\n", w->seed);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        World *w = *state;
        void *f = w->f;

        disk_ignore_syncs(false);
        remove_folder(w->cut);
        (void) fixture_teardown(&f);
        free(w);
        return 0;
}

/* From the first start on: no file, no folder is there. */
static Tape *record_first(World *w)
{
        char folder[96];

        (void) snprintf(folder, sizeof folder, "%s/state", w->f->folder);
        remove_folder(folder);
        disk_record(w->f->folder);
        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 6);
        fixture_close(w->f);
        return disk_stop();
}

/* An earlier version's database is brought up to date, used, closed; damaged, saved, used. */
static Tape *record_life(World *w)
{
        make_earlier(w, 1);
        disk_record(w->f->folder);
        disk_mark(MARK_EARLIER + w->n_facts);
        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 24);
        fixture_close(w->f);

        damage(w);
        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 6);
        assert_int_equal(w->f->notices[STORE_NOTICE_SALVAGED], 1);
        fixture_close(w->f);
        return disk_stop();
}

static Tape *record_upgrade(World *w)
{
        make_earlier(w, 2);
        disk_record(w->f->folder);
        disk_mark(MARK_EARLIER + w->n_facts);
        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 2);
        fixture_close(w->f);
        return disk_stop();
}

static void cut_tape(World *w, Tape *(*record)(World *), const char *what)
{
        const char *rounds = getenv("CONDUCTOR_TEST_ROUNDS");
        _cleanup_(tape_freep) Tape *tape = record(w);

        for (unsigned i = 0; i < (rounds ? strtoul(rounds, NULL, 10) : 1) && !*w->problem; i++)
                cut_everywhere(w, tape);
        if (*w->problem)
                fail_msg("%s", w->problem);
        print_message(
                "# tried | power cut, %s | %u | %lu acknowledged things there, %u started with"
                " a damaged file, %u more cuts while it started after a cut, 0 lost\n",
                what, w->n_cuts, (unsigned long) w->n_checked, w->n_salvaged, w->n_second);
}

static void test_first_start(void **state)
{
        cut_tape(*state, record_first, "from the first start on");
}

static void test_life(void **state)
{
        cut_tape(*state, record_life,
                "during upgrade, use, purge, close and the salvage of a"
                " damaged file");
}

static void test_upgrade(void **state)
{
        cut_tape(*state, record_upgrade, "during the upgrade from the version before");
}

/* Without syncs, what is acknowledged is lost: so this test sees it. */
static void test_without_syncs(void **state)
{
        World *w = *state;
        _cleanup_(tape_freep) Tape *tape = NULL;

        disk_ignore_syncs(true);
        tape = record_first(w);
        cut_everywhere(w, tape);
        assert_int_equal(w->n_lost, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_start, setup, teardown),
                cmocka_unit_test_setup_teardown(test_life, setup, teardown),
                cmocka_unit_test_setup_teardown(test_upgrade, setup, teardown),
                cmocka_unit_test_setup_teardown(test_without_syncs, setup, teardown),
        };

        return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
