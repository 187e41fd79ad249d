/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A million messages in a thousand conversations: what a list, a search and a start then take. The
 * floors: a call that needs nothing, the same query in SQLite alone, and a program that only opens
 * the bus and the database. */

#include <signal.h>
#include <sqlite3.h>

#include "tests/bench/bench.h"
#include "tests/bench/history.h"

#define WARM_UP 20U
#define ROUNDS  200U
#define STARTS  10U

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

        history_write(h->database, /* conversations= */ 1000, /* messages= */ 1000);
        measure_start(h);
        bench_start(h);
        measure_list(h);
        measure_search(h, "history-search-frequent", "w0");
        measure_search(h, "history-search-rare", "needle");
        measure_search(h, "history-search-two-words", "w1 w2");
        bench_end(h);
        return EXIT_SUCCESS;
}
