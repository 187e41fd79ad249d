/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Making conversations: of an id that the caller chose, and private ones. */

#include <signal.h>

#include "tests/bus/harness.h"

#define ID   "00112233445566778899aabbccddeeff"
#define PATH PATH_CONVERSATION "/" ID

static void assert_fails(Harness *h, sd_bus *bus, const char *id, const char *expected)
{
        _cleanup_free_ char *given = harness_call_error(h, bus, NULL, PATH_ROOT, INTERFACE_MANAGER,
                "CreateConversation", "a{sv}", 1, "id", "s", id);

        assert_string_equal(given, expected);
}

static void assert_created(Harness *h, sd_bus *bus, const char *title, bool private)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(h, bus, PATH_ROOT,
                INTERFACE_MANAGER, "CreateConversation", "a{sv}", 3, "id", "s", ID, "title", "s",
                title, "private", "b", (int) private);
        const char *path;

        assert_return_code(sd_bus_message_read(answer, "o", &path), 0);
        assert_string_equal(path, PATH);
}

static sd_bus_message *get(Harness *h, sd_bus *bus, const char *property)
{
        return harness_call(h, bus, PATH, "org.freedesktop.DBus.Properties", "Get", "ss",
                INTERFACE_CONVERSATION, property);
}

static void assert_is(Harness *h, sd_bus *bus, const char *title, bool private)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *titled = get(h, bus, "Title"),
                                                        *kept = get(h, bus, "Private");
        const char *s;
        int b;

        assert_return_code(sd_bus_message_read(titled, "v", "s", &s), 0);
        assert_string_equal(s, title);
        assert_return_code(sd_bus_message_read(kept, "v", "b", &b), 0);
        assert_int_equal(b, private);
}

/* It is one conversation, also after the service was killed. */
static void test_own_id(void **state)
{
        static const char *const wrong[] = {
                "",
                "x",
                "00000000000000000000000000000000",
                "00112233445566778899AABBCCDDEEFF",
                "00112233-4455-6677-8899-aabbccddeeff",
                "00112233445566778899aabbccddeef",
                "00112233445566778899aabbccddeeff0",
        };
        Harness *h = *state;

        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

                for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                        assert_fails(h, bus, wrong[i], "InvalidArgument");
                assert_created(h, bus, "First", false);
                assert_created(h, bus, "Again", true);
                assert_is(h, bus, "First", false);
        }
        harness_kill(h, SIGKILL);
        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

                assert_created(h, bus, "Again", false);
                assert_is(h, bus, "First", false);
                sd_bus_message_unref(harness_call(
                        h, bus, PATH_ROOT, INTERFACE_MANAGER, "DeleteConversation", "s", ID));
                assert_fails(h, bus, ID, "NoSuchConversation");
        }
        assert_int_equal(harness_stop(h), 0);
}

/* A private one is gone with the service: its id is free again. */
static void test_private(void **state)
{
        Harness *h = *state;

        for (unsigned i = 0; i < 2; i++) {
                harness_start(h);
                {
                        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);

                        assert_created(h, bus, "Secret", true);
                        assert_is(h, bus, "Secret", true);
                        assert_created(h, bus, "Again", true);
                        assert_is(h, bus, "Secret", true);
                }
                assert_int_equal(harness_stop(h), 0);
        }
}

/* What is set aside has a path, and nothing is there until it is taken back. */
static void test_set_aside(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *path = NULL;
        const char *id;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        path = harness_create(h, bus, "");
        id = strrchr(path, '/') + 1;
        sd_bus_message_unref(
                harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "DeleteConversation", "s", id));
        for (unsigned restored = 0; restored <= 1; restored++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                        h, bus, PATH_ROOT, INTERFACE_MANAGER, "OpenConversation", "s", id);
                const char *opened;

                assert_true(sd_bus_message_read(answer, "o", &opened) > 0);
                assert_string_equal(opened, path);
                if (restored)
                        break;
                harness_assert_error(harness_call_error(h, bus, NULL, path, INTERFACE_CONVERSATION,
                                             "GetSystem", ""),
                        "NoSuchConversation");
                sd_bus_message_unref(harness_call(
                        h, bus, PATH_ROOT, INTERFACE_MANAGER, "RestoreConversation", "s", id));
        }
        sd_bus_message_unref(harness_call(h, bus, path, INTERFACE_CONVERSATION, "GetSystem", ""));
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_own_id, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_private, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_set_aside, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("create", tests, NULL, NULL);
}
