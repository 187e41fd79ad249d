/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A client's connection that comes back, on a session bus that the test itself is. */

#include "client/bus/link.h"
#include "tests/unit/hostile-service.h"

#define RETURNS 7U /* the last pause is 12 to 20 s, which nobody waits for */

typedef struct World {
        Hostile *session;
        Link *link;
        unsigned n_opened, n_closed, n_matched;
        usec_t planned; /* the attempt after the last closed() */
} World;

static void answer_as_bus(Hostile *h, sd_bus_message *call, const char *member)
{
        World *w = h->userdata;

        w->n_matched += streq(member, "AddMatch");
        hostile_reply(call, streq(member, "Hello") ? "s" : "", ":1.1");
}

static void say_owner(World *w, const char *before, const char *after)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        assert_return_code(sd_bus_message_new_signal(w->session->bus, &m, "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "NameOwnerChanged"),
                0);
        assert_return_code(sd_bus_message_set_sender(m, "org.freedesktop.DBus"), 0);
        assert_return_code(sd_bus_message_append(m, "sss", BUS_NAME, before, after), 0);
        assert_return_code(sd_bus_send(w->session->bus, m, NULL), 0);
}

static usec_t loop_now(const World *w)
{
        usec_t now;

        assert_return_code(sd_event_now(w->session->event, CLOCK_MONOTONIC, &now), 0);
        return now;
}

static void on_opened(sd_bus *bus, ClientDoor door, void *userdata)
{
        World *w = userdata;

        assert_int_equal(door, CLIENT_SESSION);
        if (w->planned > 0)
                assert_true(loop_now(w) < w->planned || w->n_closed < RETURNS);
        w->n_opened++;
        link_succeeded(w->link);
}

/* Each pause is twice the last, a quarter more or less. */
static void on_closed(void *userdata)
{
        World *w = userdata;
        usec_t pause = LINK_PAUSE_MIN << w->n_closed, retry;

        assert_int_equal(link_state(w->link, NULL, &retry), LINK_DOWN);
        assert_in_range(retry - loop_now(w), pause * 3 / 4, pause * 5 / 4);
        w->planned = retry;
        w->n_closed++;
}

static void test_returns(void **state)
{
        static const LinkOps ops = { .opened = on_opened, .closed = on_closed };
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        World w = { 0 };

        w.session = hostile_new(answer_as_bus, &w);
        assert_int_equal(
                setenv("DBUS_SESSION_BUS_ADDRESS", startswith(w.session->address, "peer:"), 1), 0);
        assert_int_equal(setenv("CONDUCTOR_BUS", "session", 1), 0);
        assert_return_code(link_new(w.session->event, NULL, &ops, &w, &w.link, &failure), 0);
        link_start(w.link);
        for (unsigned i = 0; i < RETURNS; i++) {
                hostile_run_until(w.session, w.n_opened == i + 1 && w.n_matched == i + 1);
                say_owner(&w, ":1.2", "");
                hostile_run_until(w.session, w.n_closed == i + 1);
                /* At once, whatever pause was planned, when the name is there again. */
                say_owner(&w, "", ":1.3");
        }
        hostile_run_until(w.session, w.n_opened == RETURNS + 1);
        assert_int_equal(link_state(w.link, NULL, NULL), LINK_UP);
        link_free(w.link);
        hostile_free(w.session);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_returns),
        };

        return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
