/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service asks logind to wait with the machine's sleep while a reply is being written. */

#include "tests/desktop/fake-server.h"

static char *begin_reply(Desk *d)
{
        char *conversation = harness_create(d->h, d->bus, "");

        (void) harness_send(d->h, d->bus, conversation, "@fault=hold:1 @tokens=2");
        return conversation;
}

static void begin(Desk *d)
{
        harness_start_engine(d->h, "ollama", "", NULL);
        harness_start(d->h);
}

static void test_held(void **state)
{
        _cleanup_logind_ FakeLogind l = { 0 };
        _cleanup_free_ char *one = NULL, *two = NULL, *three = NULL;
        _cleanup_(watch_freep) Watch *ended = NULL;
        Desk *d = *state;

        fake_logind_start(&l, d, /* without= */ false);
        begin(d);
        ended = harness_watch(d->h, d->bus, NULL, INTERFACE_CONVERSATION, "ReplyFinished");
        assert_int_equal(l.n_inhibited, 0);
        one = begin_reply(d);
        harness_run_until(d->h, l.n_inhibited == 1);
        assert_string_equal(l.last, "sleep,Conductor,A reply is being written,delay,");
        /* One for all. */
        two = begin_reply(d);
        sd_bus_message_unref(harness_call(
                d->h, d->bus, one, INTERFACE_CONVERSATION, "Cancel", "t", UINT64_C(0)));
        harness_run_until(d->h, ended->n == 1);
        assert_int_equal(l.n_released, 0);
        sd_bus_message_unref(harness_call(
                d->h, d->bus, two, INTERFACE_CONVERSATION, "Cancel", "t", UINT64_C(0)));
        harness_run_until(d->h, l.n_released == 1);
        assert_int_equal(l.n_inhibited, 1);
        /* And anew; the service's end gives it back. */
        three = begin_reply(d);
        harness_run_until(d->h, l.n_inhibited == 2);
        assert_int_equal(harness_stop(d->h), 0);
        harness_run_until(d->h, l.n_released == 2);
}

static void prepare_for_sleep(FakeLogind *l, bool begins)
{
        assert_return_code(
                sd_bus_emit_signal(l->bus, "/org/freedesktop/login1",
                        "org.freedesktop.login1.Manager", "PrepareForSleep", "b", (int) begins),
                0);
        assert_return_code(sd_bus_flush(l->bus), 0);
}

/* The machine slept, and the engine's connection with it: before the first token it is asked again.
 */
static void test_resume(void **state)
{
        _cleanup_logind_ FakeLogind l = { 0 };
        _cleanup_free_ char *conversation = NULL, *text = NULL, *reason = NULL;
        _cleanup_(watch_freep) Watch *ended = NULL;
        Desk *d = *state;
        uint64_t reply;

        fake_logind_start(&l, d, /* without= */ false);
        begin(d);
        ended = harness_watch(d->h, d->bus, NULL, INTERFACE_CONVERSATION, "ReplyFinished");
        conversation = harness_create(d->h, d->bus, "");
        reply = harness_send(d->h, d->bus, conversation, "@fail-first=1 @fault=reset:0 @tokens=2");
        harness_run_until(d->h, l.n_inhibited == 1);
        prepare_for_sleep(&l, false);
        harness_run_until(d->h, ended->n == 1);
        text = harness_get_reply(d->h, d->bus, conversation, reply, "content", &reason);
        assert_string_equal(reason, "stop");
        assert_string_equal(text, "word0 word1 ");
        harness_run_until(d->h, l.n_released == l.n_inhibited);
}

static int on_phase(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        bool *waits = userdata;
        const char *phase;
        uint64_t reply;

        assert_return_code(sd_bus_message_read(m, "ts", &reply, &phase), 0);
        *waits = *waits || startswith(phase, "retrying");
        return 0;
}

/* The engine said to come back in a minute: after a sleep that may be over, and nobody waits. The
 * connection from before is not used again. */
static void test_backoff(void **state)
{
        _cleanup_logind_ FakeLogind l = { 0 };
        _cleanup_free_ char *conversation = NULL, *text = NULL, *reason = NULL;
        _cleanup_(watch_freep) Watch *ended = NULL;
        uint64_t reply, opened;
        bool waits = false;
        Desk *d = *state;

        fake_logind_start(&l, d, /* without= */ false);
        begin(d);
        ended = harness_watch(d->h, d->bus, NULL, INTERFACE_CONVERSATION, "ReplyFinished");
        conversation = harness_create(d->h, d->bus, "");
        assert_return_code(sd_bus_match_signal(d->bus, NULL, NULL, conversation,
                                   INTERFACE_CONVERSATION, "ReplyPhase", on_phase, &waits),
                0);
        sd_bus_message_unref(harness_call(
                d->h, d->bus, conversation, INTERFACE_CONVERSATION, "Follow", "a{sv}", 0));
        reply = harness_send(
                d->h, d->bus, conversation, "@fail-first=1 @status=503 @retry-after=59 @tokens=2");
        harness_run_until(d->h, waits && l.n_inhibited == 1);
        opened = harness_engine_count(d->h, "opened");
        /* That it begins is no end of it. */
        prepare_for_sleep(&l, true);
        fake_logind_settle(&l);
        assert_int_equal(harness_engine_count(d->h, "opened"), opened);
        prepare_for_sleep(&l, false);
        harness_run_until(d->h, ended->n == 1);
        assert_int_equal(harness_engine_count(d->h, "opened"), opened + 1);
        text = harness_get_reply(d->h, d->bus, conversation, reply, "content", &reason);
        assert_string_equal(reason, "stop");
        assert_string_equal(text, "word0 word1 ");
}

static void test_refused(void **state)
{
        _cleanup_logind_ FakeLogind l = { .refuses = true };
        _cleanup_free_ char *one = NULL, *two = NULL;
        Desk *d = *state;

        fake_logind_start(&l, d, /* without= */ false);
        begin(d);
        /* It lasts: a short one may be over before the service has found the system bus. */
        one = begin_reply(d);
        harness_run_until(d->h, l.n_inhibited == 1);
        sd_bus_message_unref(harness_call(
                d->h, d->bus, one, INTERFACE_CONVERSATION, "Cancel", "t", UINT64_C(0)));
        two = desk_converse(d, "Two");
}

static void test_nobody(void **state)
{
        _cleanup_logind_ FakeLogind l = { 0 };
        _cleanup_free_ char *one = NULL, *two = NULL;
        Desk *d = *state;

        begin(d);
        one = desk_converse(d, "No system bus");
        fake_logind_start(&l, d, /* without= */ true);
        two = desk_converse(d, "No logind");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_held),
                TEST(test_resume),
                TEST(test_backoff),
                TEST(test_refused),
                TEST(test_nobody),
        };

        harness_require_bus();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
