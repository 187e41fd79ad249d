/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/doors-util.h"

#include <sys/stat.h>

#include "common/names.h"
#include "tests/skip.h"

static Daemon bus;

static int setup(void **state)
{
        char address[128];
        Fixture *f;

        if (fixture_setup(state) < 0)
                return -1;
        f = *state;
        (void) snprintf(address, sizeof(address), "unix:path=%s/bus", f->folder);
        return setenv("DBUS_SESSION_BUS_ADDRESS", address, /* overwrite= */ 1);
}

static int teardown(void **state)
{
        Fixture *f = *state;
        char path[128];

        daemon_stop(&bus);
        (void) snprintf(path, sizeof(path), "%s/bus", f->folder);
        (void) unlink(path);
        return fixture_teardown(state);
}

static void start_bus(void)
{
        if (!daemon_start(&bus, getenv("DBUS_SESSION_BUS_ADDRESS")))
                skip_because("dbus-daemon is missing");
}

static sd_bus *open_client(Fixture *f)
{
        return client_open(f, getenv("DBUS_SESSION_BUS_ADDRESS"), /* bus_client= */ true);
}

/* The bus has taken the name when a call to it is answered. */
static void wait_for_name(Fixture *f, sd_bus *client)
{
        bool there = false;

        while (!there) {
                _cleanup_(sd_bus_message_unrefp)
                        sd_bus_message *m = client_call_wait(f, client, "Ping");

                there = sd_bus_message_is_method_error(m, NULL) == 0;
        }
}

static void test_no_address(void **state)
{
        Fixture *f = *state;

        assert_int_equal(unsetenv("DBUS_SESSION_BUS_ADDRESS"), 0);
        assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
        assert_int_equal(doors_open_session(f->doors), 0);
        assert_int_equal(f->n_settled, 1);
        run_quiet(f);
        assert_int_equal(f->n_connected, 0);
}

/* $XDG_RUNTIME_DIR/bus, with characters that mean something in an address. */
static void test_runtime_folder(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL;
        char folder[128], path[160], address[256];

        (void) snprintf(folder, sizeof(folder), "%s/a,b=c%%d", f->folder);
        (void) snprintf(path, sizeof(path), "%s/bus", folder);
        (void) snprintf(address, sizeof(address), "unix:path=%s/a%%2cb%%3dc%%25d/bus", f->folder);
        assert_int_equal(mkdir(folder, 0700), 0);
        if (!daemon_start(&bus, address)) {
                assert_int_equal(rmdir(folder), 0);
                skip_because("dbus-daemon is missing");
        }
        a = client_open(f, address, /* bus_client= */ true);

        assert_int_equal(unsetenv("DBUS_SESSION_BUS_ADDRESS"), 0);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, /* overwrite= */ 1), 0);
        assert_int_equal(doors_open_session(f->doors), 1);
        wait_for_name(f, a);

        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(folder), 0);
}

/* Whoever is told that the service is ready calls it by its name at once. */
static void test_settled(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL;

        start_bus();
        a = open_client(f);
        assert_int_equal(doors_open_session(f->doors), 1);
        assert_int_equal(f->n_settled, 0);
        run_until(f, f->n_settled > 0);
        assert_true(sd_bus_get_name_creds(a, BUS_NAME, 0, NULL) >= 0);
        run_quiet(f);
        assert_int_equal(f->n_settled, 1);
}

/* There is no bus: the private door must not wait for it. */
static void test_settled_without_bus(void **state)
{
        Fixture *f = *state;

        assert_int_equal(doors_open_session(f->doors), 1);
        assert_int_equal(f->n_settled, 1);
        start_bus();
        run_until(f, f->n_connected > 0);
        run_quiet(f);
        assert_int_equal(f->n_settled, 1);
}

static void test_bad_address(void **state)
{
        Fixture *f = *state;

        assert_int_equal(setenv("DBUS_SESSION_BUS_ADDRESS", "nonsense", 1), 0);
        assert_int_equal(doors_open_session(f->doors), 1);
        assert_int_equal(f->n_settled, 1);
        run_quiet(f);
        assert_int_equal(f->n_connected, 0);
        assert_null(f->name_lost);
}

static void test_call_and_peer(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL;
        const char *name;

        start_bus();
        assert_int_equal(doors_open_session(f->doors), 1);
        a = open_client(f);
        wait_for_name(f, a);
        assert_int_equal(f->n_connected, 1);

        sd_bus_message_unref(client_call_wait(f, a, "Watch"));
        assert_true(sd_bus_get_unique_name(a, &name) >= 0);
        assert_string_equal(peer_name(f->peer), name);
        assert_int_equal(doors_reasons_to_stay(f->doors), 0);
        f->watch = peer_watch_free(f->watch);
}

static void test_bus_comes_later(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL;

        assert_int_equal(doors_open_session(f->doors), 1);
        run_quiet(f);
        assert_int_equal(f->n_connected, 0);

        start_bus();
        run_until(f, f->n_connected == 1);
        a = open_client(f);
        wait_for_name(f, a);
}

static void test_bus_goes_and_comes(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL, *b = NULL;

        start_bus();
        assert_int_equal(doors_open_session(f->doors), 1);
        a = open_client(f);
        wait_for_name(f, a);
        sd_bus_message_unref(client_call_wait(f, a, "Watch"));

        /* Who was there before is gone, whoever it is that comes. */
        daemon_stop(&bus);
        run_until(f, f->n_disconnected == 1);
        assert_int_equal(f->n_gone, 1);

        start_bus();
        run_until(f, f->n_connected == 2);
        b = open_client(f);
        wait_for_name(f, b);
        assert_null(f->name_lost);
}

static void test_peer_goes(void **state)
{
        Fixture *f = *state;
        sd_bus *a, *b;

        start_bus();
        assert_int_equal(doors_open_session(f->doors), 1);
        a = open_client(f);
        b = open_client(f);
        wait_for_name(f, a);
        sd_bus_message_unref(client_call_wait(f, a, "Watch"));
        client_close(b);
        run_quiet(f);
        assert_int_equal(f->n_gone, 0);
        client_close(a);
        run_until(f, f->n_gone == 1);
}

static void on_gone(Peer *p, void *userdata)
{
        (*(unsigned *) userdata)++;
}

/* The peer had gone before anybody asked the bus to tell. */
static void test_peer_was_gone(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *b = NULL;
        PeerWatch *watch = NULL;
        sd_bus_message *never = NULL;
        unsigned n_gone = 0;
        Peer *peer;
        sd_bus *a;

        start_bus();
        assert_int_equal(doors_open_session(f->doors), 1);
        a = open_client(f);
        b = open_client(f);
        wait_for_name(f, a);
        client_call(a, "Hold", &never);
        run_until(f, f->n_held == 1);
        client_close(a);
        wait_for_name(f, b); /* the bus has seen its end by then */

        assert_int_equal(doors_get_peer(f->doors, call_message(f->held[0]), &peer), 0);
        assert_int_equal(peer_watch(peer, on_gone, &n_gone, &watch), 0);
        run_until(f, n_gone == 1);
        peer_watch_free(watch);
        assert_int_equal(call_reply(f->held[0], "s", "late"), 0);
        run_quiet(f);
        sd_bus_message_unref(never);
}

static void test_calls_limit(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL;
        sd_bus_message *answers[DOORS_CALLS_MAX + 1] = { NULL };

        start_bus();
        assert_int_equal(doors_open_session(f->doors), 1);
        a = open_client(f);
        wait_for_name(f, a);
        for (size_t i = 0; i <= DOORS_CALLS_MAX; i++)
                client_call(a, "Hold", answers + i);
        run_until(f, answers[DOORS_CALLS_MAX]);
        assert_int_equal(f->n_held, DOORS_CALLS_MAX);
        assert_true(
                sd_bus_message_is_method_error(answers[DOORS_CALLS_MAX], ERROR_PREFIX "Busy") > 0);
        assert_int_equal(doors_reasons_to_stay(f->doors), DOORS_CALLS_MAX);
        for (size_t i = 0; i < DOORS_CALLS_MAX; i++)
                assert_int_equal(call_reply(f->held[i], "s", "now"), 0);
        run_until(f, answers[DOORS_CALLS_MAX - 1]);
        for (size_t i = 0; i <= DOORS_CALLS_MAX; i++) {
                assert_non_null(answers[i]);
                sd_bus_message_unref(answers[i]);
        }
}

static int fill_said(sd_bus_message *m, void *userdata)
{
        return sd_bus_message_append(m, "s", "said");
}

static void test_signals(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL, *b = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *const names[] = { "Level", NULL };
        unsigned at_a = 0, at_b = 0, changed = 0;

        start_bus();
        assert_int_equal(doors_open_session(f->doors), 1);
        a = open_client(f);
        b = open_client(f);
        client_count_signals(a, "Said", &at_a);
        client_count_signals(b, "Said", &at_b);
        client_count_signals(b, "PropertiesChanged", &changed);
        wait_for_name(f, b);
        sd_bus_message_unref(client_call_wait(f, a, "Watch"));

        assert_int_equal(
                doors_emit(f->doors, DOOR_BOTH, TEST_PATH, TEST_INTERFACE, "Said", fill_said, NULL),
                0);
        assert_int_equal(doors_emit(f->doors, DOOR_PRIVATE, TEST_PATH, TEST_INTERFACE, "Said",
                                 fill_said, NULL),
                0);
        assert_true(peer_new_signal(f->peer, &m, TEST_PATH, TEST_INTERFACE, "Said") >= 0);
        assert_true(sd_bus_message_append(m, "s", "to one") >= 0);
        assert_true(peer_send(f->peer, m) >= 0);
        assert_int_equal(doors_emit_properties(f->doors, TEST_PATH, TEST_INTERFACE, names), 0);

        run_until(f, at_a == 2 && at_b == 1 && changed == 1);
        wait_for_name(f, a);
        wait_for_name(f, b);
        assert_int_equal(at_a, 2);
        assert_int_equal(at_b, 1);
        f->watch = peer_watch_free(f->watch);
}

static void test_name_taken(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL;

        start_bus();
        a = open_client(f);
        assert_true(sd_bus_request_name_async(a, NULL, BUS_NAME, 0, NULL, NULL) >= 0);
        run_until(f, sd_bus_is_ready(a) > 0);
        assert_int_equal(doors_open_session(f->doors), 1);
        run_until(f, f->name_lost);
        assert_non_null(strstr(f->name_lost, BUS_NAME));
}

static void on_left(void *userdata)
{
        Fixture *f = userdata;

        f->n_left++;
}

/* Calls that come all the time: each is answered by the service, or by the bus with the word that
 * nobody has the name, which is where it would start the next service. */
static void test_leave_under_calls(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL;
        sd_bus_message *answers[200] = { NULL };
        size_t n = 0, n_served = 0;

        start_bus();
        assert_int_equal(doors_open_session(f->doors), 1);
        a = open_client(f);
        wait_for_name(f, a);

        for (; n < 100; n++)
                client_call(a, "Ping", answers + n);
        run_until(f, answers[0]);
        assert_int_equal(doors_leave(f->doors, on_left, f), 0);
        while (f->n_left == 0) {
                if (n < ELEMENTSOF(answers))
                        client_call(a, "Ping", answers + n++);
                assert_true(sd_event_run(f->event, TEST_PATIENCE_USEC) > 0);
        }
        /* This is where the service ends. */
        f->doors = doors_free(f->doors);

        for (size_t i = 0; i < n; i++) {
                run_until(f, answers[i]);
                if (sd_bus_message_is_method_error(answers[i], NULL) == 0)
                        n_served++;
                else
                        assert_true(sd_bus_message_is_method_error(
                                            answers[i], SD_BUS_ERROR_SERVICE_UNKNOWN) > 0);
                sd_bus_message_unref(answers[i]);
        }
        assert_true(n_served > 0);
}

static void test_leave_waits_for_calls(void **state)
{
        Fixture *f = *state;
        _cleanup_(client_closep) sd_bus *a = NULL;
        sd_bus_message *answer = NULL;

        start_bus();
        assert_int_equal(doors_open_session(f->doors), 1);
        a = open_client(f);
        wait_for_name(f, a);
        client_call(a, "Hold", &answer);
        run_until(f, f->n_held == 1);
        assert_int_equal(doors_leave(f->doors, on_left, f), 0);
        /* The name is gone when the bus says so; the call still lives. */
        for (bool there = true; there;) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = client_call_wait(f, a, "Ping");

                there = sd_bus_message_is_method_error(m, NULL) == 0;
        }
        assert_int_equal(f->n_left, 0);
        assert_int_equal(call_reply(f->held[0], "s", "still"), 0);
        run_until(f, f->n_left == 1 && answer);
        assert_int_equal(sd_bus_message_is_method_error(answer, NULL), 0);
        sd_bus_message_unref(answer);
}

static void test_leave_before_the_bus_came(void **state)
{
        Fixture *f = *state;

        assert_int_equal(doors_open_session(f->doors), 1);
        assert_int_equal(doors_leave(f->doors, on_left, f), 0);
        run_until(f, f->n_left == 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_no_address),
                TEST(test_runtime_folder),
                TEST(test_settled),
                TEST(test_settled_without_bus),
                TEST(test_bad_address),
                TEST(test_call_and_peer),
                TEST(test_bus_comes_later),
                TEST(test_bus_goes_and_comes),
                TEST(test_peer_goes),
                TEST(test_peer_was_gone),
                TEST(test_calls_limit),
                TEST(test_signals),
                TEST(test_name_taken),
                TEST(test_leave_under_calls),
                TEST(test_leave_waits_for_calls),
                TEST(test_leave_before_the_bus_came),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
