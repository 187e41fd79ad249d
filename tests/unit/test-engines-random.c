/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/engine-world.h"

#include <inttypes.h>

/* Questions to servers with every fault, in any order, cancelled at each step, while engines come
 * and go, the machine sleeps and lists are asked for: each ends once, and no place stays taken. A
 * seed that fails is printed; CONDUCTOR_TEST_SEED begins with it. */

#define STEPS         60U
#define SEEDS         10U
#define QUESTIONS_MAX STEPS

static uint64_t state, seed;
static unsigned n_ended, n_cancelled, n_good;

static unsigned draw(unsigned n)
{
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (unsigned) (state >> 32) % n;
}

static Question questions[QUESTIONS_MAX];
static size_t n_questions;
static unsigned n_lists, n_listed;

static void ask_any(Fixture *f)
{
        static const char *const models[] = { "one/good", "one/busy", "one/reset", "one/empty",
                "one/breaks", "one/silent", "one/stops", "one/lingers", "one/missing", "one/broken",
                "one/cuts", "one/overflow", "one/too-long", "one/down", "two/other", "two/strict",
                "two/unclean", "two/good", "two/reset", "twin", "good", "", "one/twin",
                "two/missing", "builtin" };
        static const size_t sizes[] = { 2, 9000, KIB(300) };
        size_t all[5];
        Question *q = &questions[n_questions];
        size_t n = 1 + 2 * draw(3);

        for (size_t i = 0; i < n; i++)
                all[i] = sizes[draw(8) == 0 ? 2 : draw(2)];
        *q = (Question){ .free_at = "\0\0\0rf0cbe"[draw(9)] };
        if (ask_prompt(f, q, models[draw(ELEMENTSOF(models))], make_prompt("x", all, n), NULL) >= 0)
                n_questions++;
        else
                question_done(q);
}

static void configure(Fixture *f, unsigned which)
{
        Config c = f->config;
        EngineConfig engines[2] = { f->configs[0], f->configs[1] };

        c.engines = engines;
        if (which == 1)
                engines[0].max_concurrent = 1;
        else if (which == 2)
                c.n_engines = 1;
        else if (which == 3)
                c.n_engines = 0;
        else if (which == 4)
                engines[1].max_concurrent = 2;
        assert_int_equal(engines_reconfigure(f->engines, &c), 0);
}

static void on_models(const ModelInfo *models, size_t n, void *userdata)
{
        n_listed++;
}

static void step(Fixture *f)
{
        switch (draw(12)) {
        case 0:
                configure(f, draw(5));
                break;
        case 1:
                engines_resumed(f->engines);
                break;
        case 2:
                n_lists++;
                assert_int_equal(
                        engines_list_models(f->engines, draw(2), on_models, NULL, NULL), 0);
                break;
        case 3:
                if (n_questions > 0) {
                        Question *q = &questions[draw(n_questions)];

                        q->reply = engine_reply_free(q->reply);
                }
                break;
        case 4:
                assert_int_equal(
                        engines_set_default_model(f->engines, draw(2) ? "" : "one/good"), 0);
                break;
        default:
                if (n_questions < QUESTIONS_MAX)
                        ask_any(f);
        }
        for (unsigned n = draw(12); n > 0; n--)
                assert_true(sd_event_run(f->event, draw(4) * USEC_PER_MSEC) >= 0);
}

static bool is_over(const Question *q)
{
        return q->ended || !q->reply;
}

static bool all_over(void)
{
        for (size_t i = 0; i < n_questions; i++)
                if (!is_over(&questions[i]))
                        return false;
        return n_listed == n_lists;
}

static void run_seed(uint64_t i)
{
        void *fixture;
        Fixture *f;

        seed = i;
        state = i * UINT64_C(0x9e3779b97f4a7c15) + 1;
        n_questions = n_lists = n_listed = 0;
        assert_int_equal(fixture_setup(&fixture), 0);
        f = fixture;
        f->configs[1] = engine_config("two", ENGINE_OPENAI, f->servers[1].url);
        for (size_t k = 0; k < 2; k++)
                f->configs[k].first_byte_timeout = f->configs[k].stall_timeout = 100 *
                        USEC_PER_MSEC;
        fixture_start(f);
        for (unsigned k = 0; k < STEPS; k++)
                step(f);
        while (!all_over())
                turn(f);
        assert_int_equal(engines_live(f->engines), 0);
        assert_int_equal(engines_waiting(f->engines), 0);
        for (size_t k = 0; k < n_questions; k++) {
                n_ended += questions[k].ended;
                n_cancelled += !questions[k].ended;
                n_good += questions[k].ended && questions[k].outcome.reason == REASON_STOP;
                question_done(&questions[k]);
        }
        assert_int_equal(fixture_teardown(&fixture), 0);
}

static void test_any_order(void **unused)
{
        const char *first = getenv("CONDUCTOR_TEST_SEED");
        uint64_t begin = first ? strtoull(first, NULL, 10) : 1;

        for (uint64_t i = begin; i < begin + SEEDS; i++)
                run_seed(i);
        printf("# tried | questions to engines with every fault, in any order | %u"
               " | %u well, %u failed, %u cancelled, 0 without an end |\n",
                n_ended + n_cancelled, n_good, n_ended - n_good, n_cancelled);
}

static int tell_seed(void **unused)
{
        printf("# the last seed: %" PRIu64 "\n", seed);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_any_order, tell_seed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
