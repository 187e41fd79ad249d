/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A million messages in a thousand conversations: what a list, a search and a start then take. The
 * floors: a call that needs nothing, the same query in SQLite alone, and a program that only opens
 * the bus and the database. */

#include <signal.h>
#include <sqlite3.h>

#include "service/store/store-db.h"
#include "tests/bench/bench.h"
#include "tests/bus/process.h"

#define CONVERSATIONS 1000U
#define MESSAGES      1000U /* in each */
#define WORDS         24U   /* in each message */
#define VOCABULARY    20000U
#define NEEDLE_EVERY  9973U
#define FIRST_TIME    (UINT64_C(1700000000) * USEC_PER_SEC)

#define WARM_UP 20U
#define ROUNDS  200U
#define STARTS  10U

/* ---- the history ---- */

typedef struct History {
        const char *path;
        uint64_t last_id;
        uint32_t state; /* of the random numbers, always the same ones */
} History;

static uint32_t next_random(History *history)
{
        history->state = history->state * 1664525U + 1013904223U;
        return history->state >> 8;
}

/* Few words are frequent, most are rare, as in any language. */
static unsigned next_word(History *history)
{
        double x = (double) next_random(history) / (1U << 24);

        return (unsigned) (x * x * x * VOCABULARY);
}

static void write_text(History *history, StoreMessage *m)
{
        size_t allocated;
        FILE *f = open_memstream(&m->content, &allocated);

        assert_non_null(f);
        if (m->id % NEEDLE_EVERY == 0)
                assert_true(fputs("needle ", f) >= 0);
        for (unsigned i = 0; i < WORDS; i++)
                assert_true(fprintf(f, "w%x ", next_word(history)) > 0);
        assert_int_equal(fclose(f), 0);
        m->content_size = strlen(m->content);
}

static void add_messages(StoreDb *db, History *history, uint64_t number)
{
        static StoreMessage messages[MESSAGES];
        uint64_t parent = 0;

        for (size_t i = 0; i < MESSAGES; i++) {
                StoreMessage *m = &messages[i];

                *m = (StoreMessage){ .id = ++history->last_id,
                        .parent = parent,
                        .role = i % 2 ? ROLE_ASSISTANT : ROLE_USER,
                        .reason = i % 2 ? REASON_STOP : REASON_NONE,
                        .created = FIRST_TIME + history->last_id * USEC_PER_SEC };
                write_text(history, m);
                parent = m->id;
        }
        assert_return_code(store_db_add_messages(db, number, messages, MESSAGES, parent,
                                   messages[MESSAGES - 1].created, NULL, NULL),
                0);
        for (size_t i = 0; i < MESSAGES; i++)
                free(messages[i].content);
}

/* In a process of its own, so that its memory is not the benchmark's. */
static void write_history(int ready, void *userdata)
{
        History history = { .path = userdata, .state = 1 };
        StoreDbOpened opened = { 0 };
        StoreDb *db = NULL;

        assert_return_code(store_db_open(&db, history.path, &opened, NULL), 0);
        for (uint64_t number = 1; number <= CONVERSATIONS; number++) {
                char title[] = "A conversation of long ago", model[] = "test/tiny:latest";
                StoreConversation c = { .number = number,
                        .title = title,
                        .model = model,
                        .created = FIRST_TIME,
                        .modified = FIRST_TIME,
                        .title_set = true };

                assert_return_code(sd_id128_randomize(&c.id), 0);
                assert_return_code(store_db_savepoint(db, number, NULL), 0);
                assert_return_code(store_db_create_conversation(db, &c, "", NULL), 0);
                add_messages(db, &history, number);
                assert_return_code(
                        store_db_savepoint_end(db, number, /* failed= */ false, NULL), 0);
                assert_return_code(store_db_commit(db, NULL), 0);
                store_db_checkpoint(db);
        }
        store_db_remember(db, history.last_id, CONVERSATIONS);
        store_db_opened_done(&opened);
        store_db_free(db);
        assert_int_equal(write(ready, "", 1), 1);
}

/* ---- calls ---- */

static double list(Harness *h, sd_bus *bus)
{
        double before = bench_now_us();
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", "a{sv}", 0);

        assert_true(sd_bus_message_at_end(answer, /* complete= */ false) == 0);
        return bench_now_us() - before;
}

static double empty_call(Harness *h, sd_bus *bus)
{
        double before = bench_now_us();

        sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, "org.freedesktop.DBus.Properties",
                "Get", "ss", INTERFACE_MANAGER, "Version"));
        return bench_now_us() - before;
}

static double search(Harness *h, sd_bus *bus, const char *word, unsigned *ret_hits)
{
        double before = bench_now_us();
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "Search", "sa{sv}", word, 0);
        int r;

        before = bench_now_us() - before;
        *ret_hits = 0;
        assert_return_code(sd_bus_message_enter_container(answer, 'a', "(otssa{sv})"), 0);
        while ((r = sd_bus_message_skip(answer, "(otssa{sv})")) > 0)
                (*ret_hits)++;
        return before;
}

static double search_bare(sqlite3_stmt *statement, const char *word, unsigned hits)
{
        double before = bench_now_us();
        unsigned n = 0;

        assert_int_equal(sqlite3_bind_text(statement, 1, word, -1, SQLITE_STATIC), SQLITE_OK);
        assert_int_equal(sqlite3_bind_int64(statement, 2, hits), SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW)
                n += sqlite3_column_bytes(statement, 1) > 0;
        assert_int_equal(n, hits);
        (void) sqlite3_reset(statement);
        return bench_now_us() - before;
}

static void measure_list(Harness *h)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };

        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
                double bare = empty_call(h, bus), ours = list(h, bus);

                if (i < WARM_UP)
                        continue;
                samples_add(&floor, bare);
                samples_add(&samples, ours);
        }
        bench_print("history-list", "us", &samples, &floor);
}

/* The first one too: there is no warm-up that a person would wait for. */
static void measure_search(Harness *h, const char *name, const char *word)
{
        static const char sql[] =
                "SELECT m.id, m.content FROM search JOIN messages m ON m.id = search.rowid"
                " WHERE search MATCH ?1 ORDER BY search.rowid DESC LIMIT ?2";
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        sqlite3_stmt *statement = NULL;
        sqlite3 *database = NULL;
        unsigned hits;

        assert_int_equal(
                sqlite3_open_v2(h->database, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
        for (unsigned i = 0; i < ROUNDS; i++) {
                samples_add(&samples, search(h, bus, word, &hits));
                assert_true(hits > 0);
                samples_add(&floor, search_bare(statement, word, hits));
        }
        (void) sqlite3_finalize(statement);
        (void) sqlite3_close(database);
        bench_print(name, "us", &samples, &floor);
}

/* ---- starting ---- */

static double start_once(Harness *h, const char *program)
{
        double before;

        assert_return_code(setenv("CONDUCTORD", program, /* overwrite= */ 1), errno);
        before = bench_now_us();
        assert_int_equal(harness_try_start(h), -EISCONN);
        return (bench_now_us() - before) / 1e3;
}

static void measure_start(Harness *h)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        _cleanup_free_ char *service = strdup(strempty(getenv("CONDUCTORD")));
        const char *bare = getenv("BENCH_SERVICE");

        assert_non_null(service);
        assert_non_null(bare);
        for (unsigned i = 0; i < STARTS; i++) {
                samples_add(&floor, start_once(h, bare));
                harness_kill(h, SIGTERM);
                samples_add(&samples, start_once(h, service));
                assert_int_equal(harness_stop(h), 0);
        }
        assert_return_code(setenv("CONDUCTORD", service, /* overwrite= */ 1), errno);
        bench_print("history-start-ready", "ms", &samples, &floor);
}

int main(void)
{
        Harness *h = bench_begin();
        pid_t writer;

        writer = bench_fork(write_history, h->database);
        assert_int_equal(process_wait(writer, HARNESS_PATIENCE), 0);
        measure_start(h);
        bench_start(h);
        measure_list(h);
        measure_search(h, "history-search-frequent", "w0");
        measure_search(h, "history-search-rare", "needle");
        measure_search(h, "history-search-two-words", "w1 w2");
        bench_end(h);
        return EXIT_SUCCESS;
}
