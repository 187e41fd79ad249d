/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How often a keyring is asked that fails: one that took long is left alone for a while. */
#include "tests/unit/engine-world.h"

#include "tests/unit/skipped-clock.h"

/* ---- the clock ---- */

static int on_skipped(sd_event_source *source, void *userdata)
{
        bool *done = userdata;

        *done = true;
        return 0;
}

/* By the time that the loop knows. */
static void skip_time(Fixture *f, unsigned seconds)
{
        _cleanup_(sd_event_source_unrefp) sd_event_source *source = NULL;
        bool done = false;

        clock_skip(seconds);
        assert_return_code(sd_event_add_defer(f->event, &source, on_skipped, &done), 0);
        while (!done)
                turn(f);
}

/* ---- the keyring ---- */

struct SecretLookup {
        int unused;
};

static struct Keyring {
        SecretLookup lookup;
        unsigned lookups, frees;
        secret_found_t done;
        void *userdata;
} keyring;

static int on_lookup(const SecretQuestion *question, secret_found_t done, void *done_userdata,
        SecretLookup **ret, Failure *failure, void *userdata)
{
        assert_int_equal(keyring.lookups, keyring.frees);
        secret_session_free(question->session);
        keyring.lookups++;
        keyring.done = done;
        keyring.userdata = done_userdata;
        *ret = &keyring.lookup;
        return 0;
}

static SecretLookup *on_free(SecretLookup *s)
{
        assert_ptr_equal(s, &keyring.lookup);
        keyring.frees++;
        return NULL;
}

static void wait_lookup(Fixture *f, unsigned n)
{
        while (keyring.lookups < n)
                turn(f);
        assert_int_equal(keyring.lookups, n);
}

static void fail_after(Fixture *f, unsigned seconds)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        skip_time(f, seconds);
        (void) failure_set(&failure, FAILURE_KEY_REFUSED, "The keyring is locked.");
        keyring.done(NULL, 0, &failure, keyring.userdata);
}

static int setup(void **state)
{
        static char secret[] = "application=conductor";
        Fixture *f;

        if (fixture_setup(state) < 0)
                return -1;
        f = *state;
        keyring = (struct Keyring){ 0 };
        f->configs[0].key_secret = secret;
        fixture_start(f);
        engines_set_secrets(f->engines, &(EngineSecrets){ on_lookup, on_free, NULL });
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;

        f->engines = engines_free(f->engines);
        assert_int_equal(keyring.lookups, keyring.frees);
        return fixture_teardown(state);
}

/* ---- who asks ---- */

static void on_models(const ModelInfo *models, size_t n, void *userdata)
{
        bool *listed = userdata;

        *listed = true;
}

static void expect_refused(Fixture *f, Question *q)
{
        wait_end(f, q);
        expect_failed(q, FAILURE_KEY_REFUSED, "The keyring is locked.", "conductor key set");
}

/* So many lookups when it fails, the last of them after so many seconds. */
static void refuse(Fixture *f, unsigned lookups, unsigned seconds)
{
        _cleanup_question_ Question q = { 0 };

        ask(f, &q, "one/good", "hi");
        wait_lookup(f, lookups);
        fail_after(f, seconds);
        expect_refused(f, &q);
}

static void refuse_at_once(Fixture *f, unsigned lookups)
{
        _cleanup_question_ Question q = { 0 };

        ask(f, &q, "one/good", "hi");
        expect_refused(f, &q);
        assert_int_equal(keyring.lookups, lookups);
}

static void test_quick(void **state)
{
        Fixture *f = *state;

        for (unsigned i = 1; i <= 3; i++)
                refuse(f, i, 0);
}

static void test_slow(void **state)
{
        Fixture *f = *state;

        refuse(f, 1, 1);
        refuse_at_once(f, 1);
        skip_time(f, 9);
        refuse_at_once(f, 1);
        skip_time(f, 1);
        refuse(f, 2, 0);
        refuse(f, 3, 0);
}

/* What was asked for a list, and disturbed nobody, keeps a question waiting as little. */
static void test_slow_list(void **state)
{
        bool listed = false;
        Fixture *f = *state;

        assert_int_equal(engines_list_models(f->engines, true, on_models, &listed, NULL), 0);
        wait_lookup(f, 1);
        fail_after(f, 1);
        while (!listed)
                turn(f);
        refuse_at_once(f, 1);
        skip_time(f, 10);
        refuse(f, 2, 0);
}

/* After a sleep of the machine nothing of it is believed. */
static void test_resumed(void **state)
{
        Fixture *f = *state;

        refuse(f, 1, 1);
        refuse_at_once(f, 1);
        engines_resumed(f->engines);
        refuse(f, 2, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_quick),
                TEST(test_slow),
                TEST(test_slow_list),
                TEST(test_resumed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
