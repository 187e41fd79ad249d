/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/engine-world.h"

/* ---- answers ---- */

static void test_good(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        fixture_start(f);
        ask(f, &q, "one/good", "hi");
        wait_end(f, &q);
        expect_good(&q, "one", 1);
        assert_string_equal(q.model, "good");
        assert_string_equal(buffer_text(&q.log), "r0fe");
        assert_int_equal(q.outcome.tokens_in, 7);
        assert_int_equal(q.outcome.tokens_out, 2);
        assert_true(q.outcome.tokens_per_second > 1.9 && q.outcome.tokens_per_second < 2.1);
        assert_null(q.outcome.note);
        /* A model that was named is not asked for. */
        assert_int_equal(f->servers[0].lists, 0);
        assert_string_equal(buffer_text(&f->changes), "one=ready ");
        assert_int_equal(engines_live(f->engines), 0);
        assert_string_equal(engines_default_model(f->engines), "one/good");
}

static void test_openai(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        f->configs[1] = engine_config("two", ENGINE_OPENAI, f->servers[1].url);
        fixture_start(f);
        ask(f, &q, "other", "hi");
        wait_end(f, &q);
        expect_good(&q, "two", 1);
        assert_true(q.outcome.context_estimated);
}

/* It said why it stopped, and broke the connection without the formal end. */
static void test_unclean_close(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        f->configs[0].type = ENGINE_OPENAI;
        fixture_start(f);
        ask(f, &q, "one/unclean", "hi");
        wait_end(f, &q);
        assert_int_equal(q.outcome.reason, REASON_STOP);
        assert_string_equal(buffer_text(&q.text), "Hello ");
        assert_int_equal(q.outcome.attempts, 1);
}

static void test_builtin(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        server_stop(f->servers);
        f->configs[0].found = true;
        fixture_start(f);
        ask(f, &q, "", "hello");
        wait_end(f, &q);
        assert_int_equal(q.outcome.reason, REASON_STOP);
        assert_string_equal(q.engine, "builtin");
        assert_string_equal(q.model, "doctor");
        assert_string_equal(buffer_text(&q.text), "Please go on.");
        assert_string_equal(q.outcome.note, BUILTIN_NOTE);
        assert_string_equal(engines_default_model(f->engines), "builtin/doctor");
}

/* A server that never ends its answer does not hold the reply. */
static void test_lingering(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        fixture_start(f);
        ask(f, &q, "one/lingers", "hi");
        wait_end(f, &q);
        assert_int_equal(q.outcome.reason, REASON_STOP);
        wait_count(f, f->servers, &f->servers[0].closed_by_client, 1);
}

/* ---- faults before the first token ---- */

static void test_refused_connection(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        server_stop(f->servers);
        fixture_start(f);
        ask(f, &q, "one/good", "hi");
        wait_end(f, &q);
        expect_failed(&q, FAILURE_ENGINE_UNREACHABLE, f->servers[0].url, "'one'");
        expect_failed(&q, FAILURE_ENGINE_UNREACHABLE, "conductor engine test one", "");
        assert_int_equal(q.outcome.attempts, 1);
        assert_string_equal(buffer_text(&f->changes), "one=unreachable ");
}

/* Configured and down: no other engine takes its place, the built-in one least of all. */
static void test_default_down(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        server_stop(f->servers);
        fixture_start(f);
        ask(f, &q, "", "hi");
        wait_end(f, &q);
        expect_failed(&q, FAILURE_ENGINE_UNREACHABLE, f->servers[0].url, "'one'");
}

static void test_found_default_down(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        server_stop(f->servers);
        f->configs[0].found = true;
        fixture_start(f);
        assert_int_equal(engines_set_default_model(f->engines, "one/good"), 0);
        ask(f, &q, "", "hi");
        wait_end(f, &q);
        expect_failed(&q, FAILURE_ENGINE_UNREACHABLE, f->servers[0].url, "'one'");
}

static void test_faults(void **state)
{
        static const struct {
                const char *model;
                FailureCode code;
                const char *part, *part2;
                unsigned attempts;
        } table[] = {
                { "one/missing", FAILURE_NO_SUCH_MODEL, "ollama pull missing", "no model 'missing'",
                        1 },
                { "one/down", FAILURE_ENGINE_REFUSED, "503", "'one'", 4 },
                { "one/broken", FAILURE_ENGINE_REFUSED, "oops", "conductor engine test one", 1 },
                { "one/tomorrow", FAILURE_ENGINE_REFUSED, "wait for 61 s", "quota", 1 },
                { "one/locked", FAILURE_KEY_REFUSED, "bad key", "'one'", 1 },
                { "one/too-long", FAILURE_CONTEXT_TOO_LONG, "alone", "'too-long'", 1 },
        };
        Fixture *f = *state;

        fixture_start(f);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_question_ Question q = { 0 };

                ask(f, &q, table[i].model, "hi");
                wait_end(f, &q);
                expect_failed(&q, table[i].code, table[i].part, table[i].part2);
                if (q.outcome.attempts != table[i].attempts)
                        fail_msg("%s: %u attempts", table[i].model, q.outcome.attempts);
                assert_int_equal(q.outcome.first_token, 0);
        }
}

static void test_retries(void **state)
{
        static const struct {
                const char *model;
                unsigned attempts;
                const char *phase;
        } table[] = {
                /* First: a kept connection that breaks libcurl itself replaces. */
                { "reset", 2, "retrying in 1 s (connection lost)" },
                { "busy", 3, "retrying in 1 s (503)" },
                { "limited", 2, "retrying in 1 s (429)" },
                { "empty", 2, "retrying in" },
        };
        Fixture *f = *state;

        fixture_start(f);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *name = NULL;
                _cleanup_question_ Question q = { 0 };

                f->servers[0].chats = 0;
                assert_true(asprintf(&name, "one/%s", table[i].model) > 0);
                ask(f, &q, name, "hi");
                wait_end(f, &q);
                expect_good(&q, "one", table[i].attempts);
                if (!strstr(buffer_text(&q.phases), table[i].phase))
                        fail_msg("%s: %s", name, buffer_text(&q.phases));
                if (streq(table[i].model, "limited"))
                        assert_true(q.outcome.elapsed >= USEC_PER_SEC);
        }
}

/* So long, and no longer ("tomorrow" asks for a second more), is waited for. */
static void test_longest_wait(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        fixture_start(f);
        ask(f, &q, "one/soon", "hi");
        while (!q.ended && !strstr(buffer_text(&q.phases), "retrying in 60 s (429)"))
                turn(f);
        assert_false(q.ended);
}

/* After the first token nothing is asked twice, and the text is kept. */
static void test_break_in_stream(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        fixture_start(f);
        ask(f, &q, "one/breaks", "hi");
        wait_end(f, &q);
        assert_int_equal(q.outcome.reason, REASON_FAILED);
        assert_int_equal(q.code, FAILURE_ENGINE_UNREACHABLE);
        assert_string_equal(buffer_text(&q.text), "Hello ");
        assert_int_equal(f->servers[0].chats, 1);
}

static void test_stalls(void **state)
{
        static const char *const models[] = { "one/silent", "one/stops" };
        Fixture *f = *state;

        f->configs[0].first_byte_timeout = f->configs[0].stall_timeout = 20 * USEC_PER_MSEC;
        fixture_start(f);
        for (unsigned i = 0; i < ELEMENTSOF(models); i++) {
                _cleanup_question_ Question q = { 0 };

                ask(f, &q, models[i], "hi");
                wait_end(f, &q);
                expect_failed(&q, FAILURE_ENGINE_STALLED, "0.02 s", "'one'");
                assert_int_equal(q.outcome.attempts, 1);
                wait_count(f, f->servers, &f->servers[0].closed_by_client, i + 1);
        }
}

/* Another engine with a model of the same name, where the first one is gone. */
static void test_other_engine(void **state)
{
        _cleanup_question_ Question q = { 0 }, first = { 0 };
        Fixture *f = *state;

        f->configs[1] = engine_config("two", ENGINE_OPENAI, f->servers[1].url);
        fixture_start(f);
        ask(f, &first, "other", "hi"); /* makes both lists known */
        wait_end(f, &first);
        server_stop(f->servers);
        ask(f, &q, "one/twin", "hi");
        wait_end(f, &q);
        expect_good(&q, "two", 2);
        assert_non_null(strstr(buffer_text(&q.phases), "asking engine 'two' instead of 'one'"));
        assert_int_equal(engines_live(f->engines), 0);
}

/* What was meant for this machine never leaves it: one elsewhere does not take its place. */
static void test_other_engine_elsewhere(void **state)
{
        _cleanup_question_ Question q = { 0 }, first = { 0 };
        Fixture *f = *state;

        f->configs[1] = engine_config("two", ENGINE_OPENAI, "http://elsewhere.example");
        f->configs[1].proxy = f->servers[1].url;
        fixture_start(f);
        ask(f, &first, "other", "hi"); /* makes both lists known */
        wait_end(f, &first);
        expect_good(&first, "two", 1);
        server_stop(f->servers);
        ask(f, &q, "one/twin", "hi");
        wait_end(f, &q);
        expect_failed(&q, FAILURE_ENGINE_UNREACHABLE, "Engine 'one'", "refused");
        assert_int_equal(server_get(&f->servers[1], &f->servers[1].chats), 1);
}

static void test_stream_options(void **state)
{
        Fixture *f = *state;

        f->configs[0] = engine_config("one", ENGINE_OPENAI, f->servers[0].url);
        fixture_start(f);
        for (unsigned i = 0; i < 2; i++) {
                _cleanup_question_ Question q = { 0 };

                ask(f, &q, "one/strict", "hi");
                wait_end(f, &q);
                expect_good(&q, "one", 1);
                /* Refused once, then remembered. */
                assert_int_equal(f->servers[0].chats, 2 + i);
        }
}

/* ---- keys ---- */

static void write_key(const char *path, const char *key)
{
        FILE *file;

        file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(key, file) >= 0);
        assert_int_equal(fchmod(fileno(file), 0600), 0);
        assert_int_equal(fclose(file), 0);
}

/* A 401 reads the key again: renewed since, the question goes on. */
static void test_key_renewed(void **state)
{
        char path[] = "/tmp/conductor-test-engines-XXXXXX";
        _cleanup_question_ Question q = { 0 }, again = { 0 };
        _cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);
        EngineInfo info;
        Fixture *f = *state;

        assert_true(fd >= 0);
        write_key(path, "first\n");
        f->configs[0].key_file = path;
        fixture_start(f);
        ask(f, &q, "one/locked", "hi");
        wait_end(f, &q);
        expect_failed(&q, FAILURE_KEY_REFUSED, "bad key", "'one'");
        assert_int_equal(f->servers[0].chats, 1);
        assert_null(strstr(q.message, "first"));

        write_key(path, "second\n");
        ask(f, &again, "one/locked", "hi");
        wait_end(f, &again);
        expect_good(&again, "one", 2);
        engines_get(f->engines, 0, &info);
        assert_string_equal(info.key_source, "file");
        assert_int_equal(unlink(path), 0);
}

static void test_key_is_not_quoted(void **state)
{
        static const char *const models[] = { "one/tells", "one/tells-later" };
        char path[] = "/tmp/conductor-test-engines-XXXXXX";
        _cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);
        Fixture *f = *state;

        assert_true(fd >= 0);
        write_key(path, "0123456789abcdef\n");
        f->configs[0].key_file = path;
        fixture_start(f);
        for (size_t i = 0; i < ELEMENTSOF(models); i++) {
                _cleanup_question_ Question q = { 0 };

                ask(f, &q, models[i], "hi");
                wait_end(f, &q);
                expect_failed(&q, FAILURE_ENGINE_REFUSED, "Bearer **************** or ************",
                        "'one'");
                assert_null(strstr(q.message, "0123"));
        }
        assert_int_equal(unlink(path), 0);
}

static void test_key_file_open_to_others(void **state)
{
        char path[] = "/tmp/conductor-test-engines-XXXXXX";
        _cleanup_question_ Question q = { 0 };
        _cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);
        Fixture *f = *state;

        assert_true(fd >= 0);
        assert_int_equal(fchmod(fd, 0644), 0);
        f->configs[0].key_file = path;
        fixture_start(f);
        ask(f, &q, "one/good", "hi");
        wait_end(f, &q);
        expect_failed(&q, FAILURE_KEY_REFUSED, "chmod 600", path);
        assert_int_equal(f->servers[0].chats, 0);
        assert_int_equal(unlink(path), 0);
}

/* ---- context ---- */

static void test_context_fits(void **state)
{
        static const size_t sizes[] = { 3500, 3500, 3500, 3500, 350 };
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        f->configs[0].context_size = 4000;
        fixture_start(f);
        assert_int_equal(ask_prompt(f, &q, "one/good", make_prompt("x", sizes, 5), NULL), 0);
        wait_end(f, &q);
        expect_good(&q, "one", 1);
        assert_int_equal(q.outcome.dropped_messages, 2);
        assert_int_equal(q.outcome.context_size, 4000);
        assert_non_null(strstr(buffer_text(&f->notices), "oldest 2 messages"));
}

/* The engine counted more tokens than was thought: the next question leaves out more, of that model
 * only. A person who knows that text is left out is not told again. */
static void test_context_learned(void **state)
{
        static const size_t sizes[] = { 2100, 2100, 350 };
        static const struct {
                const char *model;
                bool knows;
                unsigned dropped;
                bool told;
        } table[] = {
                { "one/cuts", false, 0, false }, /* counts 2000 tokens: 2.3 bytes each */
                { "one/good", false, 0, false },
                { "one/cuts", false, 2, true },
                { "one/cuts", true, 2, false },
        };
        Fixture *f = *state;

        f->configs[0].context_size = 2600;
        fixture_start(f);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_question_ Question q = { 0 };
                Prompt *p = make_prompt("x", sizes, ELEMENTSOF(sizes));

                p->cut_told = table[i].knows;
                buffer_clear(&f->notices);
                assert_int_equal(ask_prompt(f, &q, table[i].model, p, NULL), 0);
                wait_end(f, &q);
                expect_good(&q, "one", 1);
                assert_int_equal(q.outcome.dropped_messages, table[i].dropped);
                assert_int_equal(
                        strstr(buffer_text(&f->notices), "oldest 2") != NULL, table[i].told);
        }
}

/* The size was not known: the refusal teaches, and the question goes out once more. */
static void test_context_overflow(void **state)
{
        static const size_t sizes[] = { 5000, 3500, 3500, 3500, 350 };
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        fixture_start(f);
        assert_int_equal(ask_prompt(f, &q, "one/overflow", make_prompt("x", sizes, 5), NULL), 0);
        wait_end(f, &q);
        expect_good(&q, "one", q.outcome.attempts);
        assert_true(q.outcome.dropped_messages > 0);
        assert_true(q.outcome.attempts <= 2);
}

static void test_context_asked(void **state)
{
        static const size_t sizes[] = { 5000, 3500, 3500, 3500, 350 };
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        fixture_start(f);
        assert_int_equal(ask_prompt(f, &q, "one/good", make_prompt("x", sizes, 5), NULL), 0);
        wait_end(f, &q);
        expect_good(&q, "one", 1);
        assert_int_equal(f->servers[0].shows, 1);
        assert_int_equal(q.outcome.context_size, 2048);
        assert_int_equal(q.outcome.dropped_messages, 4);
}

static void test_context_hopeless(void **state)
{
        static const size_t size = 35000;
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        f->configs[0].context_size = 1000;
        fixture_start(f);
        assert_int_equal(ask_prompt(f, &q, "one/good", make_prompt("x", &size, 1), NULL), 0);
        wait_end(f, &q);
        expect_failed(&q, FAILURE_CONTEXT_TOO_LONG, "10005 tokens", "takes 1000");
        assert_int_equal(f->servers[0].chats, 0);
}

/* The engine counted far fewer tokens than were sent: said once for each model. A handful only
 * proves nothing: older servers leave out what they had cached. */
static void test_silent_cut(void **state)
{
        static const struct {
                const char *model;
                bool told;
        } table[] = { { "one/good", false }, { "one/cuts", true }, { "one/cuts", false } };
        static const size_t size = 35000;
        Fixture *f = *state;

        f->configs[0].context_size = 100000;
        fixture_start(f);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_question_ Question q = { 0 };

                buffer_clear(&f->notices);
                assert_int_equal(
                        ask_prompt(f, &q, table[i].model, make_prompt("x", &size, 1), NULL), 0);
                wait_end(f, &q);
                expect_good(&q, "one", 1);
                assert_true((strstr(buffer_text(&f->notices), "only 2000 tokens") != NULL) ==
                        table[i].told);
        }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
        static const struct CMUnitTest tests[] = {
                TEST(test_good),
                TEST(test_openai),
                TEST(test_unclean_close),
                TEST(test_builtin),
                TEST(test_lingering),
                TEST(test_refused_connection),
                TEST(test_default_down),
                TEST(test_found_default_down),
                TEST(test_faults),
                TEST(test_retries),
                TEST(test_longest_wait),
                TEST(test_break_in_stream),
                TEST(test_stalls),
                TEST(test_other_engine),
                TEST(test_other_engine_elsewhere),
                TEST(test_stream_options),
                TEST(test_key_renewed),
                TEST(test_key_is_not_quoted),
                TEST(test_key_file_open_to_others),
                TEST(test_context_fits),
                TEST(test_context_learned),
                TEST(test_context_overflow),
                TEST(test_context_asked),
                TEST(test_context_hopeless),
                TEST(test_silent_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
