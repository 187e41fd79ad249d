/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/engine-world.h"

/* Engine "one" listens only once its unit runs, which the test starts by hand. */
struct UnitStart {
        int unused;
};

static struct World {
        Server server;
        UnitStart start;
        unsigned starts, frees;
        unit_started_t done;
        void *userdata;
        bool refuse; /* the start cannot even be tried */
} w;

static int on_start(const char *unit, unit_started_t done, void *done_userdata, UnitStart **ret,
        Failure *failure, void *userdata)
{
        assert_ptr_equal(userdata, &w);
        assert_string_equal(unit, "late.service");
        assert_int_equal(w.starts, w.frees);
        if (w.refuse)
                return failure_set(failure, FAILURE_ENGINE_UNREACHABLE, "nobody to ask.");
        w.starts++;
        w.done = done;
        w.userdata = done_userdata;
        *ret = &w.start;
        return 0;
}

static UnitStart *on_free(UnitStart *s)
{
        assert_ptr_equal(s, &w.start);
        w.frees++;
        w.done = NULL;
        return NULL;
}

static void start_ended(const char *why)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        assert_non_null(w.done);
        if (why)
                (void) failure_set(&failure, FAILURE_ENGINE_UNREACHABLE, "%s", why);
        w.done(why ? &failure : NULL, w.userdata);
        assert_null(w.done);
}

static void wait_start(Fixture *f, unsigned n)
{
        while (w.starts < n)
                turn(f);
        assert_int_equal(w.starts, n);
}

static int setup(void **state)
{
        static char unit[] = "late.service";
        Fixture *f;

        if (fixture_setup(state) < 0)
                return -1;
        f = *state;
        w = (struct World){ 0 };
        server_bind(&w.server, 0);
        server_set_lists(&w.server, TAGS(TAG("good")), NULL);
        f->configs[0].url = w.server.url;
        f->configs[0].unit = unit;
        fixture_start(f);
        engines_set_units(f->engines, &(EngineUnits){ on_start, on_free, &w });
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;

        f->engines = engines_free(f->engines);
        server_stop(&w.server);
        assert_int_equal(w.starts, w.frees);
        return fixture_teardown(state);
}

static bool has(Question *q, const char *phase)
{
        return strstr(buffer_text(&q->phases), phase);
}

static void test_before_the_first_request(void **state)
{
        _cleanup_question_ Question q = { 0 }, again = { 0 };
        Fixture *f = *state;

        ask(f, &q, "one/good", "hi");
        wait_start(f, 1);
        assert_true(has(&q, "starting late.service|"));
        assert_false(has(&q, "connecting|"));
        server_open(&w.server);
        start_ended(NULL);
        wait_end(f, &q);
        expect_good(&q, "one", 1);

        /* It is known to answer: nobody is asked to start it. */
        ask(f, &again, "one/good", "hi");
        wait_end(f, &again);
        expect_good(&again, "one", 1);
        assert_int_equal(w.starts, 1);
}

static void test_shared(void **state)
{
        _cleanup_question_ Question a = { 0 }, b = { 0 }, gone = { 0 };
        Fixture *f = *state;

        ask(f, &a, "one/good", "hi");
        ask(f, &gone, "one/good", "hi");
        ask(f, &b, "one/good", "hi");
        while (!has(&a, "starting") || !has(&b, "starting") || !has(&gone, "starting"))
                turn(f);
        /* One of those who wait goes away: the others wait on. */
        gone.reply = engine_reply_free(gone.reply);
        server_open(&w.server);
        start_ended(NULL);
        wait_end(f, &a);
        wait_end(f, &b);
        expect_good(&a, "one", 1);
        expect_good(&b, "one", 1);
        assert_false(gone.ended);
        assert_int_equal(w.starts, 1);
}

static void test_failed(void **state)
{
        _cleanup_question_ Question q = { 0 }, again = { 0 };
        Fixture *f = *state;

        ask(f, &q, "one/good", "hi");
        wait_start(f, 1);
        start_ended("late.service could not be started (it failed).");
        wait_end(f, &q);
        expect_failed(&q, FAILURE_ENGINE_UNREACHABLE, "Engine 'one' (http://127.0.0.1:",
                "needs its unit: late.service could not be started (it failed).");
        assert_int_equal(q.outcome.attempts, 0);
        assert_string_equal(buffer_text(&f->changes), "one=unreachable ");

        /* The next question tries again. */
        ask(f, &again, "one/good", "hi");
        wait_start(f, 2);
        server_open(&w.server);
        start_ended(NULL);
        wait_end(f, &again);
        expect_good(&again, "one", 1);
}

static void test_nobody_to_ask(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        w.refuse = true;
        ask(f, &q, "one/good", "hi");
        wait_end(f, &q);
        expect_failed(&q, FAILURE_ENGINE_UNREACHABLE, "Engine 'one'", "nobody to ask.");
}

static void test_not_listening_yet(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        ask(f, &q, "one/good", "hi");
        wait_start(f, 1);
        start_ended(NULL);
        while (!has(&q, "retrying"))
                turn(f);
        server_open(&w.server);
        wait_end(f, &q);
        expect_good(&q, "one", q.outcome.attempts);
        assert_true(q.outcome.attempts > 1);
        assert_int_equal(w.starts, 1);
}

static void test_never_listening(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        ask(f, &q, "one/good", "hi");
        wait_start(f, 1);
        start_ended(NULL);
        wait_end(f, &q);
        expect_failed(&q, FAILURE_ENGINE_UNREACHABLE, "refused",
                "'journalctl --user -u late.service' says what became of it");
        assert_int_equal(q.outcome.attempts, REPLY_ATTEMPTS_MAX);
}

/* It answered, and is gone: the next question starts it again. */
static void test_ended_since(void **state)
{
        _cleanup_question_ Question q = { 0 }, again = { 0 };
        unsigned port = w.server.port;
        Fixture *f = *state;

        ask(f, &q, "one/good", "hi");
        wait_start(f, 1);
        server_open(&w.server);
        start_ended(NULL);
        wait_end(f, &q);
        server_stop(&w.server);
        server_bind(&w.server, port);
        server_set_lists(&w.server, TAGS(TAG("good")), NULL);

        ask(f, &again, "one/good", "hi");
        wait_start(f, 2);
        assert_true(has(&again, "starting late.service|"));
        server_open(&w.server);
        start_ended(NULL);
        wait_end(f, &again);
        expect_good(&again, "one", again.outcome.attempts);

        /* It was away in between: what models it has is asked anew. */
        question_done(&again);
        again = (Question){ 0 };
        ask(f, &again, "good", "hi");
        wait_end(f, &again);
        expect_good(&again, "one", 1);
}

typedef struct Listed {
        bool done;
        size_t n;
} Listed;

static void on_models(const ModelInfo *models, size_t n, void *userdata)
{
        Listed *l = userdata;

        l->done = true;
        for (size_t i = 0; i < n; i++)
                l->n += streq(models[i].engine, "one");
}

static void test_list(void **state)
{
        Listed known = { 0 }, anew = { 0 };
        Fixture *f = *state;

        assert_int_equal(engines_list_models(f->engines, false, on_models, &known, NULL), 0);
        while (!known.done)
                turn(f);
        assert_int_equal(known.n, 0);
        assert_int_equal(w.starts, 0);

        assert_int_equal(engines_list_models(f->engines, true, on_models, &anew, NULL), 0);
        wait_start(f, 1);
        assert_false(anew.done);
        server_open(&w.server);
        start_ended(NULL);
        while (!anew.done)
                turn(f);
        assert_int_equal(anew.n, 1);
}

static void list_fails(Fixture *f, const char *why, const char *part)
{
        EngineInfo info;
        Listed l = { 0 };

        assert_int_equal(engines_list_models(f->engines, true, on_models, &l, NULL), 0);
        wait_start(f, w.starts + 1);
        start_ended(why);
        while (!l.done)
                turn(f);
        engines_get(f->engines, 0, &info);
        assert_int_equal(info.state, ENGINE_UNREACHABLE);
        if (!strstr(info.last_error, part))
                fail_msg("%s", info.last_error);
}

static void test_list_fails(void **state)
{
        list_fails(*state, "it failed.", "needs its unit: it failed.");
        list_fails(*state, NULL, "'journalctl --user -u late.service' says what became of it");
}

/* Who is not up may have the model that is meant; it is started when nobody else will do. */
static void test_found_by_start(void **state)
{
        static const char *const names[] = { "good", "" };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_question_ Question q = { 0 };

                assert_int_equal(engines_check_model(f->engines, names[i], NULL), 0);
                ask(f, &q, names[i], "hi");
                if (i == 0) {
                        wait_start(f, 1);
                        assert_true(has(&q, "looking for a model|starting late.service|"));
                        server_open(&w.server);
                        start_ended(NULL);
                }
                wait_end(f, &q);
                expect_good(&q, "one", 1);
        }
        assert_int_equal(w.starts, 1);
}

static void test_not_found_by_start(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        ask(f, &q, "nothing", "hi");
        wait_start(f, 1);
        server_open(&w.server);
        start_ended(NULL);
        wait_end(f, &q);
        expect_failed(&q, FAILURE_NO_SUCH_MODEL, "nothing", "one/good");

        /* A name that is none starts nothing. */
        assert_true(engines_check_model(f->engines, "bad\x01name", NULL) < 0);
}

static void test_other_will_do(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        f->configs[1] = engine_config("two", ENGINE_OPENAI, f->servers[1].url);
        f->config.n_engines = 2;
        assert_int_equal(engines_reconfigure(f->engines, &f->config), 0);
        ask(f, &q, "other", "hi");
        wait_end(f, &q);
        assert_string_equal(q.engine, "two");
        assert_int_equal(w.starts, 0);
}

static void test_free_while_it_starts(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        ask(f, &q, "one/good", "hi");
        wait_start(f, 1);
        f->engines = engines_free(f->engines);
        assert_int_equal(w.frees, 1);
        assert_false(q.ended);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        static const struct CMUnitTest tests[] = {
                TEST(test_before_the_first_request),
                TEST(test_shared),
                TEST(test_failed),
                TEST(test_nobody_to_ask),
                TEST(test_not_listening_yet),
                TEST(test_never_listening),
                TEST(test_ended_since),
                TEST(test_list),
                TEST(test_list_fails),
                TEST(test_found_by_start),
                TEST(test_not_found_by_start),
                TEST(test_other_will_do),
                TEST(test_free_while_it_starts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
