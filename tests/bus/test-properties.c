/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who has read the properties once and listens to PropertiesChanged knows what they are: whatever
 * is done, no property changes without a word. */

#include "tests/bus/harness.h"

#define PROPERTIES_MAX 16U
#define TINY           "test/tiny:latest"
#define BIG            "test/big:latest"

/* The properties of one object, as they were read and told since. */
typedef struct Known {
        char *path;
        const char *interface;
        char *names[PROPERTIES_MAX], *values[PROPERTIES_MAX];
        size_t n;
        sd_bus_slot *slot;
} Known;

enum {
        MANAGER,
        AVATAR,
        CONVERSATION,
        _KNOWN_MAX,
};

typedef struct World {
        Harness *harness;
        sd_bus *bus;
        Known known[_KNOWN_MAX];
} World;

/* A variant's value; the caller frees. */
static char *read_value(sd_bus_message *m)
{
        const char *contents = NULL, *text;
        uint64_t t = 0;
        uint32_t u = 0;
        char *value = NULL;
        int b = 0, r;

        assert_true(sd_bus_message_peek_type(m, NULL, &contents) > 0);
        if (streq(contents, "s")) {
                assert_true(sd_bus_message_read(m, "v", "s", &text) > 0);
                r = asprintf(&value, "\"%s\"", text);
        } else if (streq(contents, "t")) {
                assert_true(sd_bus_message_read(m, "v", "t", &t) > 0);
                r = asprintf(&value, "%" PRIu64, t);
        } else if (streq(contents, "u")) {
                assert_true(sd_bus_message_read(m, "v", "u", &u) > 0);
                r = asprintf(&value, "%" PRIu32, u);
        } else {
                assert_string_equal(contents, "b");
                assert_true(sd_bus_message_read(m, "v", "b", &b) > 0);
                r = asprintf(&value, "%s", b ? "yes" : "no");
        }
        assert_true(r > 0);
        return value;
}

static void keep(Known *k, const char *name, char *value)
{
        size_t i = 0;

        while (i < k->n && !streq(k->names[i], name))
                i++;
        if (i == k->n) {
                assert_true(k->n < PROPERTIES_MAX);
                k->names[k->n] = strdup(name);
                assert_non_null(k->names[k->n++]);
        }
        free(k->values[i]);
        k->values[i] = value;
}

static void read_values(Known *k, sd_bus_message *m)
{
        const char *name;

        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(m, "s", &name) > 0);
                keep(k, name, read_value(m));
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
        assert_true(sd_bus_message_exit_container(m) >= 0);
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Known *k = ASSERT_PTR(userdata);
        const char *interface;

        assert_true(sd_bus_message_read(m, "s", &interface) > 0);
        if (streq(interface, k->interface))
                read_values(k, m);
        return 0;
}

static void known_done(Known *k)
{
        for (size_t i = 0; i < k->n; i++) {
                free(k->names[i]);
                free(k->values[i]);
        }
        sd_bus_slot_unref(k->slot);
        free(k->path);
}

static void get_all(World *w, const Known *k, Known *ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(w->harness, w->bus,
                k->path, "org.freedesktop.DBus.Properties", "GetAll", "s", k->interface);

        read_values(ret, answer);
}

static void know(World *w, unsigned which, const char *path, const char *interface)
{
        Known *k = &w->known[which];

        k->path = strdup(path);
        assert_non_null(k->path);
        k->interface = interface;
        assert_return_code(
                sd_bus_match_signal(w->bus, &k->slot, NULL, path, "org.freedesktop.DBus.Properties",
                        "PropertiesChanged", on_changed, k),
                0);
        get_all(w, k, k);
        assert_true(k->n > 3);
}

/* "" or what differs; the caller frees. */
static char *differs(World *w)
{
        char *what = NULL;

        for (size_t i = 0; i < _KNOWN_MAX && !what; i++) {
                Known now = { 0 }, *k = &w->known[i];

                get_all(w, k, &now);
                assert_int_equal(now.n, k->n);
                for (size_t p = 0; p < now.n && !what; p++)
                        if (!streq(now.values[p], k->values[p]))
                                assert_true(asprintf(&what, "%s is %s, last told was %s",
                                                    now.names[p], now.values[p], k->values[p]) > 0);
                known_done(&now);
        }
        return what ? what : strdup("");
}

/* What was done may come to an end later, and is told once for a turn of the service's loop. */
static void check(World *w, const char *done)
{
        usec_t deadline = harness_now() + HARNESS_PATIENCE;
        _cleanup_free_ char *name = NULL;

        for (;;) {
                _cleanup_free_ char *what = differs(w);

                if (isempty(what))
                        break;
                free(name);
                assert_true(asprintf(&name, "after %s: %s", done, what) > 0);
                w->harness->doing = name;
                harness_turn(w->harness, deadline, "PropertiesChanged");
        }
        w->harness->doing = NULL;
}

static const char *value_of(const World *w, unsigned which, const char *name)
{
        const Known *k = &w->known[which];

        for (size_t i = 0; i < k->n; i++)
                if (streq(k->names[i], name))
                        return k->values[i];
        return "none";
}

static void expect(World *w, const char *done, unsigned which, const char *name, const char *value)
{
        check(w, done);
        if (!streq(value_of(w, which, name), value))
                fail_msg("after %s %s is %s, not %s", done, name, value_of(w, which, name), value);
}

#define manager(w, ...) \
        sd_bus_message_unref( \
                harness_call((w)->harness, (w)->bus, PATH_ROOT, INTERFACE_MANAGER, __VA_ARGS__))
#define conversation(w, ...) \
        sd_bus_message_unref(harness_call((w)->harness, (w)->bus, (w)->known[CONVERSATION].path, \
                INTERFACE_CONVERSATION, __VA_ARGS__))

static void world_begin(World *w, Harness *h)
{
        _cleanup_free_ char *path = NULL;

        w->harness = h;
        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        w->bus = harness_connect(h, VIA_SESSION);
        path = harness_create(h, w->bus, TINY);
        know(w, MANAGER, PATH_ROOT, INTERFACE_MANAGER);
        know(w, AVATAR, PATH_AVATAR, INTERFACE_AVATAR);
        know(w, CONVERSATION, path, INTERFACE_CONVERSATION);
}

static void world_end(World *w)
{
        for (size_t i = 0; i < _KNOWN_MAX; i++)
                known_done(&w->known[i]);
        harness_disconnectp(&w->bus);
        assert_int_equal(harness_stop(w->harness), 0);
}

static void test_conversation(void **state)
{
        World w = { 0 };

        world_begin(&w, *state);
        conversation(&w, "SetTitle", "s", "A title");
        expect(&w, "SetTitle", CONVERSATION, "Title", "\"A title\"");
        conversation(&w, "SetModel", "s", BIG);
        expect(&w, "SetModel", CONVERSATION, "Model", "\"" BIG "\"");
        conversation(&w, "Archive", "b", 1);
        expect(&w, "Archive", CONVERSATION, "Archived", "yes");
        conversation(&w, "Send", "sa{sv}", "@tokens=3 @fault=hold:1", 0);
        expect(&w, "Send", CONVERSATION, "Messages", "2");
        harness_engine_wait(w.harness, "held=1");
        expect(&w, "the first text", MANAGER, "LiveReplies", "1");
        free(harness_engine_page(w.harness, "/release", ""));
        conversation(&w, "Send", "sa{sv}", "[yolla:mood happy]", 1, "queue", "b", 1);
        conversation(&w, "Send", "sa{sv}", "@say=\"[yolla:mood happy]\"", 1, "queue", "b", 1);
        manager(&w, "Ask", "sa{sv}", "@tokens=1", 2, "conversation", "s",
                w.known[CONVERSATION].path, "queue", "b", 1);
        expect(&w, "replies", AVATAR, "Mood", "\"happy\"");
        expect(&w, "replies", CONVERSATION, "Messages", "8");
        conversation(&w, "SelectBranch", "t", UINT64_C(1));
        conversation(&w, "Edit", "ts", UINT64_C(1), "@tokens=1");
        expect(&w, "Edit", CONVERSATION, "Messages", "10");
        conversation(&w, "SelectBranch", "t", UINT64_C(1));
        expect(&w, "SelectBranch", CONVERSATION, "Head", "8");
        world_end(&w);
}

static void test_surfaces(void **state)
{
        World w = { 0 };

        world_begin(&w, *state);
        {
                _cleanup_connection_ sd_bus *other = harness_connect(w.harness, VIA_PRIVATE);

                sd_bus_message_unref(harness_call(w.harness, other, PATH_ROOT, INTERFACE_MANAGER,
                        "RegisterSurface", "sasa{sv}", "a", 1, "text", 0));
                expect(&w, "RegisterSurface", MANAGER, "Surfaces", "1");
        }
        while (!streq(value_of(&w, MANAGER, "Surfaces"), "0"))
                harness_turn(w.harness, harness_now() + HARNESS_PATIENCE, "no surface");
        check(&w, "its connection");
        world_end(&w);
}

/* What "" means depends on what was asked last, what is set, and what the engines have. */
static void test_default_model(void **state)
{
        World w = { 0 };

        world_begin(&w, *state);
        manager(&w, "Ask", "sa{sv}", "@tokens=1", 1, "model", "s", TINY);
        expect(&w, "a question to one model", MANAGER, "DefaultModel", "\"" TINY "\"");
        manager(&w, "Ask", "sa{sv}", "@tokens=1", 1, "model", "s", BIG);
        expect(&w, "a question to another", MANAGER, "DefaultModel", "\"" BIG "\"");
        manager(&w, "SetDefaultModel", "s", TINY);
        expect(&w, "SetDefaultModel", MANAGER, "DefaultModel", "\"" TINY "\"");
        manager(&w, "SetDefaultModel", "s", "");
        expect(&w, "SetDefaultModel of none", MANAGER, "DefaultModel", "\"" BIG "\"");
        harness_write_config(
                w.harness, "conductor.conf", "[Conversation]\nDefaultModel=" TINY "\n");
        manager(&w, "Reload", "");
        expect(&w, "another configuration", MANAGER, "DefaultModel", "\"" TINY "\"");
        harness_remove_config(w.harness, "conductor.conf");
        harness_remove_config(w.harness, "engines.d/test.conf");
        manager(&w, "Reload", "");
        expect(&w, "an engine's end", MANAGER, "DefaultModel", "\"\"");
        manager(&w, "ListModels", "b", 0);
        expect(&w, "the models that are left", MANAGER, "DefaultModel", "\"builtin/doctor\"");
        world_end(&w);
}

/* The engine says what it has; then there is one more, of which nobody knows what it has. */
static void test_more_engines(void **state)
{
        World w = { 0 };

        world_begin(&w, *state);
        manager(&w, "ListModels", "b", 1);
        check(&w, "the models");
        harness_write_config(w.harness, "engines.d/more.conf",
                "[Engine]\nType=ollama\nUrl=http://127.0.0.1:%d\n", w.harness->engine_port);
        manager(&w, "Reload", "");
        check(&w, "one engine more");
        manager(&w, "ListModels", "b", 1);
        check(&w, "its models");
        world_end(&w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_conversation),
                TEST(test_surfaces),
                TEST(test_default_model),
                TEST(test_more_engines),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
