/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What each call takes, refuses, keeps and gives back. */

#include <signal.h>

#include "tests/bus/harness.h"
#include "tests/bus/reader.h"

#define MODEL       "test/tiny:latest"
#define MESSAGE_MAX MIB(16)
#define TITLE_MAX   256U
#define NO_SUCH_ID  UINT64_C(999999)
#define NO_SUCH_HEX "0123456789abcdef0123456789abcdef"

static void call_plain(Harness *h, sd_bus *bus, const char *path, const char *interface,
        const char *member, const char *argument)
{
        sd_bus_message_unref(
                harness_call(h, bus, path, interface, member, argument ? "s" : "", argument));
}

static char *repeated(char c, size_t n)
{
        char *s = malloc(n + 1);

        assert_non_null(s);
        memset(s, c, n);
        s[n] = 0;
        return s;
}

static char *get_string(
        Harness *h, sd_bus *bus, const char *path, const char *interface, const char *property)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, property);
        const char *value;
        char *copy;

        assert_return_code(sd_bus_message_read(answer, "v", "s", &value), 0);
        copy = strdup(value);
        assert_non_null(copy);
        return copy;
}

/* ---- options ---- */

static const struct {
        const char *interface, *member, *before; /* arguments' types before the options */
        const char *const keys[12];
} with_options[] = {
        { INTERFACE_MANAGER, "CreateConversation", "",
                { "title", "model", "system", "private", "id" } },
        { INTERFACE_MANAGER, "ListConversations", "",
                { "limit", "before", "archived", "deleted" } },
        { INTERFACE_MANAGER, "Search", "s", { "limit", "order", "before", "archived", "hidden" } },
        { INTERFACE_MANAGER, "Ask", "s",
                { "conversation", "model", "title", "system", "private", "token", "queue",
                        "attachments", "follow" } },
        { INTERFACE_MANAGER, "RegisterSurface", "sas", { "passive" } },
        { INTERFACE_CONVERSATION, "Send", "s",
                { "model", "parent", "attachments", "queue", "token" } },
        { INTERFACE_CONVERSATION, "Regenerate", "t", { "model" } },
        { INTERFACE_CONVERSATION, "Follow", "", { "reply", "content", "reasoning", "passive" } },
};

/* No option is a double. */
static void check_option(Harness *h, sd_bus *bus, const char *path, size_t i, const char *key)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                bus, path, with_options[i].interface, with_options[i].member);
        _cleanup_free_ char *sentence = NULL;

        for (const char *type = with_options[i].before; *type; type++) {
                if (*type == 'a') {
                        assert_return_code(sd_bus_message_append(m, "as", 1, "text"), 0);
                        type++;
                } else if (*type == 's')
                        assert_return_code(sd_bus_message_append(m, "s", "word"), 0);
                else
                        assert_return_code(sd_bus_message_append(m, "t", NO_SUCH_ID), 0);
        }
        assert_return_code(sd_bus_message_append(m, "a{sv}", 1, key, "d", 1.5), 0);
        harness_assert_error(harness_call_error_message(h, bus, m, &sentence), "InvalidArgument");
        if (!strstr(sentence, key))
                fail_msg("%s, option %s: %s", with_options[i].member, key, sentence);
}

static void test_options(void **state)
{
        Harness *h = *state;

        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                _cleanup_free_ char *conversation = harness_create(h, bus, "");

                for (size_t i = 0; i < ELEMENTSOF(with_options); i++) {
                        const char *path = streq(with_options[i].interface, INTERFACE_MANAGER)
                                ? PATH_ROOT
                                : conversation;

                        check_option(h, bus, path, i, "colour");
                        for (size_t k = 0; with_options[i].keys[k]; k++)
                                check_option(h, bus, path, i, with_options[i].keys[k]);
                }
        }
        assert_int_equal(harness_stop(h), 0);
}

/* ---- ids ---- */

static void test_unknown_ids(void **state)
{
        static const char *const by_id[] = { "OpenConversation", "DeleteConversation",
                "RestoreConversation" };
        static const char *const by_message[] = { "Cancel", "Continue", "OpenStream",
                "ListBranches", "SelectBranch" };
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "");
        for (size_t i = 0; i < ELEMENTSOF(by_id); i++)
                harness_assert_error(harness_call_error(h, bus, NULL, PATH_ROOT, INTERFACE_MANAGER,
                                             by_id[i], "s", NO_SUCH_HEX),
                        "NoSuchConversation");
        for (size_t i = 0; i < ELEMENTSOF(by_message); i++)
                harness_assert_error(
                        harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                by_message[i], "t", NO_SUCH_ID),
                        "NoSuchMessage");
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "Regenerate", "ta{sv}", NO_SUCH_ID, 0),
                "NoSuchMessage");
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "Edit", "ts", NO_SUCH_ID, "text"),
                "NoSuchMessage");
        harness_assert_error(
                harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION, "GetReply",
                        "tstt", NO_SUCH_ID, "content", UINT64_C(0), UINT64_C(100)),
                "NoSuchMessage");
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "Send", "sa{sv}", "text", 1, "parent", "t", NO_SUCH_ID),
                "NoSuchMessage");
        assert_int_equal(harness_stop(h), 0);
}

/* ---- sizes ---- */

static void test_message_sizes(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *largest = repeated('a', MESSAGE_MAX),
                            *larger = repeated('a', MESSAGE_MAX + 1);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        const char *role, *text;
        uint64_t id, parent;
        Exchange ids;

        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        conversation = harness_create(h, bus, "");
        reader = reader_new(h, bus, conversation);
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "Send", "sa{sv}", "", 0),
                "InvalidArgument");
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "Send", "sa{sv}", larger, 0),
                "TooLarge");
        assert_int_equal(harness_head(h, bus, conversation), 0);

        ids = harness_exchange(h, bus, conversation, largest, NULL);
        assert_string_equal(reader_wait(reader, ids.reply), "stop");
        answer = harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "GetMessages", "tu", ids.message, 1);
        assert_true(sd_bus_message_enter_container(answer, 'a', "(ttssa{sv})") > 0);
        assert_true(sd_bus_message_enter_container(answer, 'r', "ttssa{sv}") > 0);
        assert_return_code(sd_bus_message_read(answer, "ttss", &id, &parent, &role, &text), 0);
        assert_int_equal(id, ids.message);
        assert_string_equal(role, "user");
        assert_int_equal(strcmp(text, largest), 0);
        assert_int_equal(harness_stop(h), 0);
}

static void test_title_sizes(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *longest = repeated('t', TITLE_MAX),
                            *longer = repeated('t', TITLE_MAX + 1), *title = NULL;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "");
        call_plain(h, bus, conversation, INTERFACE_CONVERSATION, "SetTitle", longest);
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "SetTitle", "s", longer),
                "TooLarge");
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "SetTitle", "s", "two\nlines"),
                "InvalidArgument");
        title = get_string(h, bus, conversation, INTERFACE_CONVERSATION, "Title");
        assert_string_equal(title, longest);
        harness_assert_error(harness_call_error(h, bus, NULL, PATH_ROOT, INTERFACE_MANAGER,
                                     "CreateConversation", "a{sv}", 1, "title", "s", longer),
                "TooLarge");
        assert_int_equal(harness_stop(h), 0);
}

/* ---- twice, and while busy ---- */

/* The same token is the same question, also after the service was killed; the engine is asked
 * once. */
static void test_token(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *conversation = NULL;
        Exchange first, again, other;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
                _cleanup_(reader_freep) Reader *reader = NULL;

                conversation = harness_create(h, bus, MODEL);
                reader = reader_new(h, bus, conversation);
                first = harness_exchange(h, bus, conversation, "Once.", "a-token");
                assert_string_equal(reader_wait(reader, first.reply), "stop");
                again = harness_exchange(h, bus, conversation, "Once.", "a-token");
                assert_memory_equal(&again, &first, sizeof first);
                harness_kill(h, SIGKILL);
        }
        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
                _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);

                again = harness_exchange(h, bus, conversation, "Once.", "a-token");
                assert_memory_equal(&again, &first, sizeof first);
                assert_int_equal(harness_engine_count(h, "chats"), 1);
                other = harness_exchange(h, bus, conversation, "Once.", "another");
                assert_int_not_equal(other.message, first.message);
                assert_string_equal(reader_wait(reader, other.reply), "stop");
                assert_int_equal(harness_engine_count(h, "chats"), 2);
        }
        assert_int_equal(harness_stop(h), 0);
}

static void test_busy_and_queue(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *page = NULL, *text = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        Exchange first, second;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, MODEL);
        reader = reader_new(h, bus, conversation);
        first = harness_exchange(h, bus, conversation, "@fault=hold:2", NULL);
        harness_engine_wait(h, "held=1");
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "Send", "sa{sv}", "Second.", 0),
                "Busy");
        answer = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "Send", "sa{sv}",
                "@text=echo", 1, "queue", "b", 1);
        second = harness_read_exchange(answer);
        assert_int_equal(harness_engine_count(h, "chats"), 1);
        page = harness_engine_page(h, "/release", "");
        assert_string_equal(reader_wait(reader, first.reply), "stop");
        assert_string_equal(reader_wait(reader, second.reply), "stop");
        /* It was asked with the first one's whole answer before it. */
        text = harness_get_reply(h, bus, conversation, second.reply, "content", NULL);
        assert_string_equal(text, "user:13 assistant:30 user:10");
        assert_int_equal(harness_stop(h), 0);
}

/* ---- surfaces, the first screen ---- */

static void test_surface(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL, *stranger = NULL;
        _cleanup_free_ char *conversation = NULL, *name = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL, *focus = NULL;
        const char *surface, *shown;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        stranger = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "");
        answer = harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "RegisterSurface", "sasa{sv}",
                "A window", 2, "text", "avatar", 0);
        assert_return_code(sd_bus_message_read(answer, "o", &surface), 0);
        name = get_string(h, bus, surface, INTERFACE_SURFACE, "Name");
        assert_string_equal(name, "A window");

        sd_bus_message_unref(harness_call(h, bus, surface, "org.freedesktop.DBus.Properties", "Set",
                "ssv", INTERFACE_SURFACE, "Focus", "o", conversation));
        harness_assert_error(
                harness_call_error(h, stranger, NULL, surface, "org.freedesktop.DBus.Properties",
                        "Set", "ssv", INTERFACE_SURFACE, "Focus", "o", "/"),
                "org.freedesktop.DBus.Error.AccessDenied");
        focus = harness_call(h, stranger, surface, "org.freedesktop.DBus.Properties", "Get", "ss",
                INTERFACE_SURFACE, "Focus");
        assert_return_code(sd_bus_message_read(focus, "v", "o", &shown), 0);
        assert_string_equal(shown, conversation);
        harness_assert_error(
                harness_call_error(h, bus, NULL, surface, "org.freedesktop.DBus.Properties", "Set",
                        "ssv", INTERFACE_SURFACE, "Focus", "o", PATH_CONVERSATION "/" NO_SUCH_HEX),
                "NoSuchConversation");
        harness_assert_error(harness_call_error(h, bus, NULL, PATH_ROOT, INTERFACE_MANAGER,
                                     "RegisterSurface", "sasa{sv}", "A window", 1, "smell", 0),
                "InvalidArgument");
        assert_int_equal(harness_stop(h), 0);
}

static void test_snapshot(void **state)
{
        static const struct {
                const char *key, *type;
        } keys[] = {
                { "version", "s" },
                { "default_model", "s" },
                { "surfaces", "u" },
                { "conversations", "a(osstta{sv})" },
                { "replies", "a(ottsa{sv})" },
                { "engines", "a(sssa{sv})" },
                { "avatar", "a{sv}" },
        };
        Harness *h = *state;
        unsigned found = 0;

        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                        h, bus, PATH_ROOT, INTERFACE_MANAGER, "GetSnapshot", "");
                const char *key, *type;

                assert_true(sd_bus_message_enter_container(answer, 'a', "{sv}") > 0);
                while (sd_bus_message_enter_container(answer, 'e', "sv") > 0) {
                        assert_return_code(sd_bus_message_read(answer, "s", &key), 0);
                        assert_true(sd_bus_message_peek_type(answer, NULL, &type) > 0);
                        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                                if (!streq(keys[i].key, key))
                                        continue;
                                assert_string_equal(type, keys[i].type);
                                found++;
                        }
                        assert_return_code(sd_bus_message_skip(answer, "v"), 0);
                        assert_return_code(sd_bus_message_exit_container(answer), 0);
                }
        }
        assert_int_equal(found, 2 * ELEMENTSOF(keys));
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_options, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_unknown_ids, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_message_sizes, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_title_sizes, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_token, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_busy_and_queue, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_surface, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_snapshot, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
