/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The real service is killed at random moments of a mixed load, and while it starts, now and then
 * with a database of each earlier version: again and again on the same database. After each kill
 * all that it had acknowledged is there, once. CONDUCTOR_TEST_SEED repeats a run,
 * CONDUCTOR_TEST_ROUNDS says how many kills. */

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/bus/harness.h"
#include "tests/bus/reader.h"
#include "tests/crash/copies.h"
#include "tests/unit/sqlite-util.h"

#define LANES       6U
#define STREAMS     2U /* lanes with one reply that does not end */
#define SAMPLES_MAX 4096U
#define SEARCHES    50U /* one after the other, in each round */
#define PURGE_AFTER 3U  /* messages of a lane that is purged */

/* What was seen for so long is on the disk. */
#define SAVED_AFTER (1 * USEC_PER_SEC)

typedef struct Fact {
        unsigned question; /* its number, which is in its text */
        unsigned conversation;
        uint64_t message, reply; /* 0 = not acknowledged */
        size_t least;            /* bytes of the reply that must be there */
        bool ended;              /* a follower saw its end */
} Fact;

typedef struct World World;

typedef struct Lane {
        World *world;
        char *path;
        unsigned conversation, n_sent;
        size_t fact; /* the last question's */
        Reader *reader;
        bool waits, purging;
        struct {
                usec_t time;
                size_t size;
        } samples[SAMPLES_MAX];
        size_t n_samples;
} Lane;

struct World {
        Harness *h;
        sd_bus *bus;
        unsigned seed, rounds;
        Lane lanes[LANES];
        Copies *copies;
        Fact *facts;
        size_t n_facts, first; /* of this round */
        unsigned n_conversations;
        bool *purged; /* by conversation: acknowledged */
        bool *purging;
        usec_t killed;
        unsigned n_kills, n_starts, n_migrations, n_interrupted, n_acknowledged, n_purged;
        unsigned n_searches;
};

static unsigned pick(World *w, unsigned n)
{
        return (unsigned) rand_r(&w->seed) % n;
}

/* ---- the load ---- */

static int on_sent(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Lane *lane = ASSERT_PTR(userdata);
        Fact *fact = &lane->world->facts[lane->fact];

        lane->waits = false;
        if (sd_bus_message_is_method_error(m, NULL)) {
                assert_true(lane->world->killed > 0);
                return 0;
        }
        assert_return_code(sd_bus_message_read(m, "tt", &fact->message, &fact->reply), 0);
        lane->world->n_acknowledged++;
        return 0;
}

static int attachment(void)
{
        int fd = memfd_create("attachment", MFD_CLOEXEC);

        assert_return_code(fd, errno);
        assert_int_equal(write(fd, "an attachment", 13), 13);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        return fd;
}

static void lane_send(Lane *lane)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        World *w = lane->world;
        bool streams = lane < w->lanes + STREAMS;
        _cleanup_close_ int fd = attachment();
        char text[128];

        if ((w->n_facts & (w->n_facts - 1)) == 0) {
                w->facts = reallocarray(w->facts, MAX(2 * w->n_facts, (size_t) 1), sizeof(Fact));
                assert_non_null(w->facts);
        }
        lane->fact = w->n_facts++;
        w->facts[lane->fact] = (Fact){ .question = (unsigned) lane->fact,
                .conversation = lane->conversation };
        lane->n_samples = 0;
        lane->n_sent++;
        lane->waits = true;

        (void) snprintf(text, sizeof text, "q%uq @tokens=%u%s", (unsigned) lane->fact,
                streams ? 100000 : 1 + pick(w, 20), streams ? " @rate=100" : "");
        m = harness_message(w->bus, lane->path, INTERFACE_CONVERSATION, "Send");
        if (lane->n_sent % 2)
                assert_return_code(sd_bus_message_append(m, "sa{sv}", text, 0), 0);
        else
                assert_return_code(sd_bus_message_append(m, "sa{sv}", text, 1, "attachments",
                                           "a(sh)", 1, "a.txt", fd),
                        0);
        assert_return_code(
                sd_bus_call_async(w->bus, NULL, m, on_sent, lane, /* usec= */ UINT64_MAX), 0);
}

static int on_purged(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Lane *lane = ASSERT_PTR(userdata);
        World *w = lane->world;

        lane->waits = false;
        if (sd_bus_message_is_method_error(m, NULL)) {
                assert_true(w->killed > 0);
                return 0;
        }
        w->purged[lane->conversation] = true;
        w->n_purged++;
        return 0;
}

static void lane_purge(Lane *lane)
{
        World *w = lane->world;
        const char *id = strrchr(lane->path, '/') + 1;

        lane->waits = lane->purging = true;
        w->purging[lane->conversation] = true;
        assert_return_code(sd_bus_call_method_async(w->bus, NULL, BUS_NAME, PATH_ROOT,
                                   INTERFACE_MANAGER, "DeleteConversation", NULL, NULL, "s", id),
                0);
        assert_return_code(sd_bus_call_method_async(w->bus, NULL, BUS_NAME, PATH_ROOT,
                                   INTERFACE_MANAGER, "PurgeDeleted", on_purged, lane, NULL),
                0);
}

static void lane_open(World *w, Lane *lane)
{
        lane->world = w;
        lane->path = harness_create(w->h, w->bus, "test/tiny:latest");
        lane->conversation = w->n_conversations++;
        lane->reader = reader_new(w->h, w->bus, lane->path);
        lane->n_sent = 0;
        lane->waits = lane->purging = false;
        lane_send(lane);
}

static void lane_close(Lane *lane)
{
        lane->reader = reader_free(lane->reader);
        lane->path = mfree(lane->path);
}

/* What a follower has seen, and when. */
static void lane_look(Lane *lane)
{
        Fact *fact = &lane->world->facts[lane->fact];
        const Reader *r = lane->reader;
        size_t size = r->text[CHANNEL_CONTENT].size;

        if (fact->reply == 0 || r->reply != fact->reply)
                return;
        fact->ended = r->reason;
        if (lane->n_samples == SAMPLES_MAX ||
                (lane->n_samples > 0 && lane->samples[lane->n_samples - 1].size == size))
                return;
        lane->samples[lane->n_samples].time = harness_now();
        lane->samples[lane->n_samples++].size = size;
}

static void lane_go_on(Lane *lane)
{
        lane_look(lane);
        if (lane->waits || lane->purging || !lane->world->facts[lane->fact].ended)
                return;
        if (lane == lane->world->lanes + LANES - 1 && lane->n_sent == PURGE_AFTER)
                lane_purge(lane);
        else
                lane_send(lane);
}

static void lane_judge(Lane *lane)
{
        Fact *fact = &lane->world->facts[lane->fact];

        for (size_t i = 0; i < lane->n_samples; i++)
                if (lane->samples[i].time + SAVED_AFTER <= lane->world->killed)
                        fact->least = lane->samples[i].size;
}

/* ---- the kill ---- */

static int on_kill(sd_event_source *source, uint64_t usec, void *userdata)
{
        World *w = ASSERT_PTR(userdata);

        w->killed = harness_now();
        assert_return_code(kill(w->h->service, SIGKILL), errno);
        w->n_kills++;
        copies_killed(w->copies);
        /* Nobody is there to be told what was read. */
        for (size_t i = 0; i < LANES; i++)
                if (w->lanes[i].reader)
                        w->lanes[i].reader->silent = true;
        return 0;
}

static sd_event_source *kill_in(World *w, usec_t usec)
{
        sd_event_source *timer = NULL;

        w->killed = 0;
        assert_return_code(sd_event_add_time_relative(w->h->event, &timer, CLOCK_MONOTONIC, usec,
                                   /* accuracy= */ 1, on_kill, w),
                0);
        return timer;
}

static int on_found(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        World *w = ASSERT_PTR(userdata);

        if (sd_bus_message_is_method_error(m, NULL))
                return 0;
        if (++w->n_searches % SEARCHES == 0)
                return 0;
        return sd_bus_call_method_async(w->bus, NULL, BUS_NAME, PATH_ROOT, INTERFACE_MANAGER,
                "Search", on_found, w, "sa{sv}", "tokens", 0);
}

/* Every tenth load lasts long enough for a reply to be saved, more than once. */
static void load(World *w, unsigned round)
{
        usec_t lasts = round % 10 == 4 ? 2 * USEC_PER_SEC + pick(w, 1500) * USEC_PER_MSEC
                                       : pick(w, 300) * USEC_PER_MSEC;
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *timer = NULL;
        usec_t deadline = harness_now() + HARNESS_PATIENCE;

        w->first = w->n_facts;
        w->bus = harness_connect(w->h, VIA_PRIVATE);
        for (size_t i = 0; i < LANES; i++)
                lane_open(w, &w->lanes[i]);
        copies_begin(w->copies, w->bus);
        assert_return_code(sd_bus_call_method_async(w->bus, NULL, BUS_NAME, PATH_ROOT,
                                   INTERFACE_MANAGER, "Search", on_found, w, "sa{sv}", "tokens", 0),
                0);
        timer = kill_in(w, lasts);
        while (w->killed == 0) {
                harness_turn(w->h, deadline, "the kill");
                for (size_t i = 0; w->killed == 0 && i < LANES; i++)
                        lane_go_on(&w->lanes[i]);
        }
        assert_int_equal(harness_wait_exit(w->h), 128 + SIGKILL);
        /* It said more before it died. */
        while (sd_bus_is_open(w->bus) > 0)
                harness_turn(w->h, deadline, "the end of the connection");
        for (size_t i = 0; i < LANES; i++) {
                lane_look(&w->lanes[i]);
                lane_judge(&w->lanes[i]);
                lane_close(&w->lanes[i]);
        }
        copies_end(w->copies);
        harness_disconnectp(&w->bus);
        w->bus = NULL;
}

/* ---- what is there ---- */

static sqlite3 *open_database(const World *w)
{
        sqlite3 *sqlite;

        assert_int_equal(
                sqlite3_open_v2(w->h->database, &sqlite, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_busy_timeout(sqlite, 30000), SQLITE_OK);
        return sqlite;
}

static void run(sqlite3 *sqlite, const char *sql)
{
        if (sqlite3_exec(sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(sqlite));
}

static char *get_text(sqlite3 *sqlite, uint64_t id)
{
        sqlite3_stmt *stmt;
        char *text = NULL;

        assert_int_equal(
                sqlite3_prepare_v2(sqlite,
                        "SELECT content FROM messages WHERE id = ?1 AND NOT live", -1, &stmt, NULL),
                SQLITE_OK);
        assert_int_equal(sqlite3_bind_int64(stmt, 1, (int64_t) id), SQLITE_OK);
        if (sqlite3_step(stmt) == SQLITE_ROW)
                text = strdup((const char *) sqlite3_column_text(stmt, 0));
        assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
        return text;
}

/* "word0 word1 …", cut anywhere. */
static bool is_prefix(const char *text)
{
        char word[32];

        for (unsigned i = 0; *text; i++) {
                size_t n = (size_t) snprintf(word, sizeof word, "word%u ", i), left = strlen(text);

                if (strncmp(text, word, MIN(n, left)) != 0)
                        return false;
                text += MIN(n, left);
        }
        return true;
}

static void check_fact(World *w, sqlite3 *sqlite, const Fact *fact)
{
        _cleanup_free_ char *question = NULL, *reply = NULL;
        char start[32];

        if (fact->message == 0 || w->purging[fact->conversation])
                return;
        question = get_text(sqlite, fact->message);
        reply = get_text(sqlite, fact->reply);
        (void) snprintf(start, sizeof start, "q%uq ", fact->question);
        if (!question || !startswith(question, start))
                fail_msg("question %u: '%s'", fact->question, question ? question : "lost");
        if (!reply || !is_prefix(reply) || strlen(reply) < fact->least)
                fail_msg("reply to %u, of which %zu bytes were seen: '%.200s'", fact->question,
                        fact->least, reply ? reply : "lost");
}

static void check_bus(World *w, sd_bus *bus, const Fact *fact)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        char query[32];
        unsigned n = 0;

        (void) snprintf(query, sizeof query, "q%uq", fact->question);
        answer = harness_call(
                w->h, bus, PATH_ROOT, INTERFACE_MANAGER, "Search", "sa{sv}", query, 0);
        assert_return_code(sd_bus_message_enter_container(answer, 'a', "(otssa{sv})"), 0);
        while (sd_bus_message_skip(answer, "(otssa{sv})") > 0)
                n++;
        if (w->purged[fact->conversation] && n != 0)
                fail_msg("question %u is purged and found", fact->question);
        if (!w->purging[fact->conversation] && fact->message != 0 && n != 1)
                fail_msg("question %u is found %u times", fact->question, n);
}

static void check(World *w, size_t first)
{
        sqlite3 *sqlite = open_database(w);
        _cleanup_connection_ sd_bus *bus = harness_connect(w->h, VIA_PRIVATE);

        assert_int_equal(
                sqlite_get(sqlite,
                        "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
                        0),
                0);
        run(sqlite, "INSERT INTO search (search) VALUES ('integrity-check')");
        copies_check(w->copies, sqlite);
        assert_int_equal(sqlite_get(sqlite, "SELECT count(*) FROM messages WHERE live", 0), 0);
        /* Each question is there once, and each has its reply. */
        assert_int_equal(sqlite_get(sqlite,
                                 "SELECT count(*) - count(DISTINCT content) FROM messages"
                                 " WHERE content LIKE 'q%'",
                                 0),
                0);
        assert_int_equal(sqlite_get(sqlite,
                                 "SELECT count(*) FROM messages q WHERE content LIKE 'q%' AND NOT"
                                 " EXISTS (SELECT 1 FROM messages WHERE parent = q.id)"
                                 " AND EXISTS (SELECT 1 FROM conversations"
                                 "  WHERE number = q.conversation AND deleted <> 1)",
                                 0),
                0);
        for (size_t i = first; i < w->n_facts; i++) {
                const Fact *fact = &w->facts[i];

                check_fact(w, sqlite, fact);
                if (i + 2 * LANES >= w->n_facts)
                        check_bus(w, bus, fact);
        }
        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
        assert_false(harness_logged(w->h, "damaged"));
}

/* How each reply of this round ended. */
static void check_ends(World *w)
{
        sqlite3 *sqlite = open_database(w);

        for (size_t i = w->first; i < w->n_facts; i++) {
                const Fact *fact = &w->facts[i];
                int64_t reason;

                if (fact->reply == 0 || w->purging[fact->conversation])
                        continue;
                reason = sqlite_get(
                        sqlite, "SELECT reason FROM messages WHERE id = ?1", (int64_t) fact->reply);
                w->n_interrupted += reason == REASON_INTERRUPTED;
                assert_true(reason == REASON_INTERRUPTED || reason == REASON_STOP);
                if (fact->ended)
                        assert_int_equal(reason, REASON_STOP);
        }
        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

/* ---- rounds ---- */

/* From each version to the one before it. */
static const char *const back[] = {
        "INSERT INTO search (search) VALUES ('rebuild');"
        "DELETE FROM meta WHERE key LIKE 'unsplit%'",
        "DELETE FROM search_config WHERE k IN ('automerge', 'crisismerge')",
};

static void make_earlier(World *w)
{
        sqlite3 *sqlite = open_database(w);
        unsigned version = 1 + w->n_migrations++ % ELEMENTSOF(back);
        char pragma[64];

        /* A new version is to be undone here, too. */
        assert_int_equal(sqlite_get(sqlite, "PRAGMA user_version", 0), ELEMENTSOF(back) + 1);
        assert_int_equal(sqlite_get(sqlite,
                                 "SELECT count(*) FROM search_config"
                                 " WHERE k IN ('automerge', 'crisismerge')",
                                 0),
                2);
        for (unsigned i = ELEMENTSOF(back); i >= version; i--)
                run(sqlite, back[i - 1]);
        (void) snprintf(pragma, sizeof pragma, "PRAGMA user_version = %u", version);
        run(sqlite, pragma);
        assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

/* Sometimes it is killed while it starts, once more. */
static void start(World *w, unsigned round)
{
        if (round % 4 == 3)
                make_earlier(w);
        if (round % 2) {
                _unused_ _cleanup_(sd_event_source_disable_unrefp)
                        sd_event_source *timer = kill_in(w, pick(w, 30) * USEC_PER_MSEC);

                if (harness_try_start(w->h) == 128 + SIGKILL)
                        w->n_starts++;
                else
                        assert_int_equal(harness_wait_exit(w->h), 128 + SIGKILL);
        }
        harness_start(w->h);
}

static void test_kill(void **state)
{
        const char *seed = getenv("CONDUCTOR_TEST_SEED"), *rounds = getenv("CONDUCTOR_TEST_ROUNDS");
        World *w = calloc(1, sizeof *w);

        assert_non_null(w);
        w->h = *state;
        w->seed = seed ? (unsigned) strtoul(seed, NULL, 10) : (unsigned) getpid();
        w->rounds = rounds ? (unsigned) strtoul(rounds, NULL, 10) : 50;
        w->purged = calloc((size_t) w->rounds * LANES, sizeof *w->purged);
        w->purging = calloc((size_t) w->rounds * LANES, sizeof *w->purging);
        assert_true(w->purged && w->purging);
        w->copies = copies_new(w->h);
        print_message("# CONDUCTOR_TEST_SEED=%u\n", w->seed);

        harness_start_engine(w->h, "ollama", "MaxConcurrent=0", NULL);
        harness_start(w->h);
        for (unsigned round = 0; w->n_kills < w->rounds; round++) {
                load(w, round);
                start(w, round);
                check_ends(w);
                check(w, w->first);
        }
        check(w, 0);
        assert_int_equal(harness_stop(w->h), 0);
        print_message("# tried | kill -9 at a random moment of a mixed load | %u | %u acknowledged"
                      " messages there once, %u replies interrupted, %u purged conversations gone,"
                      " %u while it started, %u upgrades of %zu earlier versions, %u searches,"
                      " %u imports there whole, %u exported again, 0 lost\n",
                w->n_kills, w->n_acknowledged, w->n_interrupted, w->n_purged, w->n_starts,
                w->n_migrations, ELEMENTSOF(back), w->n_searches, copies_imported(w->copies),
                copies_exported(w->copies));
        copies_free(w->copies);
        free(w->facts);
        free(w->purged);
        free(w->purging);
        free(w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_kill, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
