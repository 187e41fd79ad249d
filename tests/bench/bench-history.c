/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a list, opening a conversation, a search and a start take with a thousand, a hundred
 * thousand and a million messages. The floors: a call that needs nothing, the same query in SQLite
 * alone, and a program that only opens the bus and the database. */

#include <signal.h>
#include <sqlite3.h>

#include "tests/bench/bench.h"
#include "tests/bench/history.h"

#define WARM_UP bench_rounds(20, 3)
#define ROUNDS  bench_rounds(200, 20)
/* From so many messages on some have the rare word (history.h). */
#define NEEDLES 10000U
#define PAGE    50U /* messages */
#define STARTS  bench_rounds(10, 3)

static void print(
        const char *what, unsigned messages, const char *unit, Samples *ours, Samples *floor)
{
        char name[64];

        (void) snprintf(name, sizeof name, "history-%s/%u", what, messages);
        bench_print(name, unit, ours, floor);
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

/* The newest page of the conversation that was written last. */
static double open_newest(Harness *h, sd_bus *bus, const char *path)
{
        double before = bench_now_us();

        sd_bus_message_unref(harness_call(
                h, bus, path, INTERFACE_CONVERSATION, "GetMessages", "tu", UINT64_C(0), PAGE));
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

static void measure_list(Harness *h, unsigned messages)
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
        print("list", messages, "us", &samples, &floor);
}

static void measure_open(Harness *h, unsigned messages)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *all = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", "a{sv}", 0);
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        const char *path;

        assert_true(sd_bus_message_enter_container(all, 'a', NULL) > 0);
        assert_true(sd_bus_message_enter_container(all, 'r', NULL) > 0);
        assert_return_code(sd_bus_message_read_basic(all, 'o', &path), 0);
        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
                double bare = empty_call(h, bus), ours = open_newest(h, bus, path);

                if (i < WARM_UP)
                        continue;
                samples_add(&floor, bare);
                samples_add(&samples, ours);
        }
        print("open", messages, "us", &samples, &floor);
}

/* The first one too: there is no warm-up that a person would wait for. */
static void measure_search(Harness *h, unsigned messages, const char *name, const char *word)
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
        print(name, messages, "us", &samples, &floor);
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

static void measure_start(Harness *h, unsigned messages)
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
        print("start-ready", messages, "ms", &samples, &floor);
}

static void measure(unsigned conversations, unsigned messages)
{
        unsigned all = conversations * messages;
        Harness *h = bench_begin();

        history_write(h->database, conversations, messages);
        measure_start(h, all);
        bench_start(h);
        measure_list(h, all);
        measure_open(h, all);
        measure_search(h, all, "search-frequent", "w0");
        if (all >= NEEDLES)
                measure_search(h, all, "search-rare", "needle");
        measure_search(h, all, "search-two-words", "w1 w2");
        bench_end(h);
}

int main(void)
{
        measure(1, 1000);
        if (bench_quick()) {
                measure(10, 1000);
                return EXIT_SUCCESS;
        }
        measure(100, 1000);
        measure(1000, 1000);
        return EXIT_SUCCESS;
}
