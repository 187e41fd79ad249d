/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Long answers of engines about their models, which a thread reads. */
#include "tests/unit/engine-world.h"

#define READ_AT_ONCE KIB(32) /* engine-fetch.c's */
#define MANY         4096U   /* what is kept of a list */

/* The text with white space behind it. */
static char *padded(const char *text, size_t size)
{
        char *p = malloc(size + 1);

        assert_non_null(p);
        assert_true(strlen(text) <= size);
        memset(p, ' ', size);
        memcpy(p, text, strlen(text));
        p[size] = 0;
        return p;
}

/* "m0", "m1", … */
static char *long_list(unsigned n)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(4));
        char *text;

        assert_int_equal(buffer_append_string(&b, "{\"models\":["), 0);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(
                        buffer_append_format(&b,
                                "%s{\"name\":\"m%u\",\"modified_at\":\"2026-01-01T00:00:00Z\","
                                "\"capabilities\":[\"completion\",\"tools\"]}",
                                i > 0 ? "," : "", i),
                        0);
        assert_int_equal(buffer_append_string(&b, "]}"), 0);
        assert_int_equal(buffer_steal(&b, &text, NULL), 0);
        return text;
}

typedef struct Listing {
        size_t n, n_loaded;
        unsigned done;
        EngineState state;
} Listing;

/* Of engine "one". */
static void on_models(const ModelInfo *models, size_t n, void *userdata)
{
        Listing *l = userdata;

        l->done++;
        l->n = l->n_loaded = 0;
        for (size_t i = 0; i < n && streq(models[i].engine, "one"); i++) {
                l->n++;
                l->n_loaded += models[i].loaded;
                l->state = models[i].state;
        }
}

static void list(Fixture *f, Listing *l)
{
        unsigned done = l->done;

        assert_int_equal(engines_list_models(f->engines, true, on_models, l, NULL), 0);
        while (l->done == done)
                turn(f);
}

/* Until the thread has something to read. */
static void wait_reading(Fixture *f)
{
        while (!f->engines->requests || worker_pending(f->engines->requests) == 0)
                turn(f);
}

static void wait_asked(Fixture *f)
{
        unsigned n = server_get(f->servers, &f->servers[0].lists);

        wait_count(f, f->servers, &f->servers[0].lists, n + 1);
}

static void wait_idle(Fixture *f)
{
        while (worker_pending(f->engines->requests) > 0 || worker_pending(f->worker) > 0)
                turn(f);
}

static void test_border(void **state)
{
        Fixture *f = *state;

        fixture_start(f);
        for (size_t over = 0; over <= 1; over++) {
                _cleanup_free_ char *text = padded(TAGS(TAG("good")), READ_AT_ONCE + over);
                Listing l = { 0 };

                server_set_lists(f->servers, text, NULL);
                list(f, &l);
                assert_int_equal(l.n, 1);
                assert_int_equal(l.state, ENGINE_READY);
                assert_int_equal(!!f->engines->requests, over);
                server_set_lists(f->servers, NULL, NULL);
        }
}

static void test_size(void **state)
{
        Fixture *f = *state;

        fixture_start(f);
        for (size_t over = 0; over <= 1; over++) {
                _cleanup_free_ char *text = padded(TAGS(TAG("good")), WIRE_BODY_MAX + over);
                EngineInfo info;
                Listing l = { 0 };

                server_set_lists(f->servers, text, NULL);
                list(f, &l);
                engines_get(f->engines, 0, &info);
                assert_int_equal(info.state, over > 0 ? ENGINE_REFUSING : ENGINE_READY);
                assert_int_equal(!!strstr(info.last_error, "more than 16 MiB"), over);
                assert_int_equal(l.n, 1); /* what was known stays */
                server_set_lists(f->servers, NULL, NULL);
        }
        wait_idle(f);
}

/* All of it, and once more: the old list is given back. */
static void test_many(void **state)
{
        static const struct {
                unsigned sent, kept;
        } table[] = { { MANY - 1, MANY - 1 }, { MANY, MANY }, { MANY + 1, MANY } };
        Fixture *f = *state;

        fixture_start(f);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *text = long_list(table[i].sent);
                Listing l = { 0 };

                server_set_lists(f->servers, text, text);
                list(f, &l);
                assert_int_equal(l.n, table[i].kept);
                assert_int_equal(l.n_loaded, table[i].kept);
                server_set_lists(f->servers, NULL, NULL);
        }
        wait_idle(f);
}

/* What is no list is said as ever, and what was known stays; a second answer without sense only
 * leaves open what is loaded. */
static void test_senseless(void **state)
{
        _cleanup_free_ char *none = padded("nonsense", READ_AT_ONCE + 1);
        _cleanup_free_ char *wrong = padded("{\"list\":[]}", READ_AT_ONCE + 1);
        const char *const bad[] = { none, wrong };
        _cleanup_free_ char *text = long_list(1000);
        Fixture *f = *state;
        Listing l = { 0 };

        server_set_lists(f->servers, text, NULL);
        fixture_start(f);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                server_set_lists(f->servers, text, bad[i]);
                list(f, &l);
                assert_int_equal(l.n, 1000);
                assert_int_equal(l.n_loaded, 0);
                assert_int_equal(l.state, ENGINE_READY);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                server_set_lists(f->servers, bad[i], wrong);
                list(f, &l);
                assert_int_equal(l.n, 1000);
                assert_int_equal(l.state, ENGINE_REFUSING);
        }
        server_set_lists(f->servers, NULL, NULL);
}

/* Whoever asked leaves while the thread reads: the list is kept for the next one. */
static void test_cancel(void **state)
{
        _cleanup_free_ char *text = long_list(MANY);
        _cleanup_question_ Question q = { 0 };
        ModelsQuery *query;
        Fixture *f = *state;
        Listing l = { 0 };

        server_set_lists(f->servers, text, text);
        fixture_start(f);
        assert_int_equal(engines_list_models(f->engines, false, on_models, &l, &query), 0);
        ask(f, &q, "m17", "hi");
        wait_reading(f);
        models_query_free(query);
        q.reply = engine_reply_free(q.reply);
        assert_int_equal(engines_list_models(f->engines, false, on_models, &l, NULL), 0);
        while (!l.done)
                turn(f);
        assert_int_equal(l.done, 1);
        assert_int_equal(l.n_loaded, MANY);
        assert_int_equal(f->servers[0].lists, 1);
        assert_false(q.ended);
}

/* The engine itself leaves the configuration meanwhile: before it was asked, while it answers,
 * while the thread reads. Who waits for its list gets it without. */
static void test_engine_leaves(void **state)
{
        static void (*const moments[])(Fixture * f) = { NULL, turn, wait_asked, wait_reading };
        _cleanup_free_ char *text = long_list(MANY);
        const Config none = { .default_model = (char *) "" };
        Fixture *f = *state;
        Listing l = { 0 };

        server_set_lists(f->servers, text, text);
        fixture_start(f);
        for (unsigned i = 0; i < ELEMENTSOF(moments); i++) {
                Listing after = { 0 };

                assert_int_equal(engines_list_models(f->engines, true, on_models, &l, NULL), 0);
                if (moments[i])
                        moments[i](f);
                assert_int_equal(engines_reconfigure(f->engines, &none), 0);
                while (l.done == i)
                        turn(f);
                assert_int_equal(l.n, 0);
                wait_idle(f);
                assert_int_equal(engines_reconfigure(f->engines, &f->config), 0);
                list(f, &after);
                assert_int_equal(after.n, MANY);
        }
}

/* All of it ends while the thread reads: the first list, the second one, or one model. */
static void test_free_engines(void **state)
{
        _cleanup_free_ char *text = long_list(MANY);
        Fixture *f = *state;

        server_set_lists(f->servers, text, text);
        for (unsigned i = 0; i < 2; i++) {
                Listing l = { 0 };

                fixture_start(f);
                assert_int_equal(engines_list_models(f->engines, true, on_models, &l, NULL), 0);
                wait_reading(f);
                if (i == 1)
                        while (server_get(f->servers, &f->servers[0].loads) == 0 ||
                                worker_pending(f->engines->requests) == 0)
                                turn(f);
                f->engines = engines_free(f->engines);
                assert_int_equal(l.done, 0);
        }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
        static const struct CMUnitTest tests[] = {
                TEST(test_border),
                TEST(test_size),
                TEST(test_many),
                TEST(test_senseless),
                TEST(test_cancel),
                TEST(test_engine_leaves),
                TEST(test_free_engines),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
