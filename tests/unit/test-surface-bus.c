/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/names.h"
#include "service/conversation/conversation-bus.h"
#include "service/manager.h"
#include "service/surface/surface-bus.h"
#include "tests/skip.h"
#include "tests/unit/doors-util.h"

/* The surfaces' face behind real doors. The conversations are one path: of them the face wants to
 * know only whether there is one and to say that it was seen. */

#define CONVERSATION PATH_CONVERSATION "/0123456789abcdef0123456789abcdef"

static unsigned n_marked;
static bool deleted;

Conversation *conversation_at(Manager *m, const char *path)
{
        return streq(path, CONVERSATION) && !deleted ? (Conversation *) &n_marked : NULL;
}

int conversation_mark_read(Conversation *c)
{
        n_marked++;
        return 0;
}

/* ---- the service ---- */

typedef struct Test {
        Fixture *f;
        Manager manager;
        Daemon daemon;
        sd_bus *owner, *other;
        unsigned n_surfaces_changed, n_focus_changed;
} Test;

static Test test;

static int property_surfaces(sd_bus *bus, const char *path, const char *interface,
        const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Manager *m = userdata;

        return sd_bus_message_append(reply, "u", surfaces_count(m->surfaces));
}

/* clang-format off */
static const sd_bus_vtable root_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("RegisterSurface", "sasa{sv}", "o", surface_method_register,
                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Surfaces", "u", property_surfaces, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

static const BusInterface root_interfaces[] = { { INTERFACE_MANAGER, root_vtable } };
static const BusObject *const root_children[] = { &surface_object, NULL };
static const BusObject root = {
        .path = PATH_ROOT,
        .interfaces = root_interfaces,
        .n_interfaces = ELEMENTSOF(root_interfaces),
        .children = root_children,
};

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *interface, *name;

        assert_true(sd_bus_message_read(m, "s", &interface) > 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        assert_true(sd_bus_message_enter_container(m, 'e', "sv") > 0);
        assert_true(sd_bus_message_read(m, "s", &name) > 0);
        if (streq(interface, INTERFACE_MANAGER)) {
                assert_string_equal(sd_bus_message_get_path(m), PATH_ROOT);
                assert_string_equal(name, "Surfaces");
                test.n_surfaces_changed++;
        } else {
                assert_string_equal(interface, INTERFACE_SURFACE);
                assert_string_equal(name, "Focus");
                test.n_focus_changed++;
        }
        return 0;
}

static int setup(void **state)
{
        test = (Test){ 0 };
        n_marked = 0;
        deleted = false;
        if (fixture_setup(state) < 0)
                return -1;
        test.f = *state;
        test.f->doors = doors_free(test.f->doors);
        if (surfaces_new(&test.manager.surfaces) < 0 ||
                doors_new(&test.f->doors, test.f->event, &root, &test.manager,
                        &(DoorsObserver){ 0 }) < 0)
                return -1;
        test.manager.doors = test.f->doors;
        return 0;
}

static int teardown(void **state)
{
        test.owner = client_close(test.owner);
        test.other = client_close(test.other);
        surfaces_free(test.manager.surfaces);
        daemon_stop(&test.daemon);
        (void) unsetenv("DBUS_SESSION_BUS_ADDRESS");
        return fixture_teardown(state);
}

static void watch_properties(sd_bus *bus)
{
        assert_true(sd_bus_add_match_async(bus, NULL, "type='signal',member='PropertiesChanged'",
                            on_properties, NULL, NULL) >= 0);
}

/* ---- calling ---- */

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        *(sd_bus_message **) userdata = sd_bus_message_ref(m);
        return 0;
}

static sd_bus_message *call(sd_bus *bus, sd_bus_message *m)
{
        sd_bus_message *answer = NULL;

        assert_true(sd_bus_call_async(bus, NULL, m, on_answer, &answer, 0) >= 0);
        run_until(test.f, answer);
        return answer;
}

/* Returns the object's path (to be freed), or the error's name where one is wanted. */
static char *register_surface(sd_bus *bus, const char *option, const char *wanted_error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        const char *path;

        assert_true(sd_bus_message_new_method_call(bus, &m, BUS_NAME, PATH_ROOT, INTERFACE_MANAGER,
                            "RegisterSurface") >= 0);
        assert_true(sd_bus_message_append(m, "sas", "test", 2, "text", "command") >= 0);
        if (option)
                assert_true(sd_bus_message_append(m, "a{sv}", 1, option, "b", 1) >= 0);
        else
                assert_true(sd_bus_message_append(m, "a{sv}", 0) >= 0);
        answer = call(bus, m);
        if (wanted_error) {
                assert_true(sd_bus_message_is_method_error(answer, wanted_error));
                return NULL;
        }
        assert_true(sd_bus_message_read(answer, "o", &path) > 0);
        return strdup(path);
}

/* NULL = success. */
static char *set_focus(sd_bus *bus, const char *surface, const char *type, const char *value)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;

        assert_true(sd_bus_message_new_method_call(bus, &m, BUS_NAME, surface,
                            "org.freedesktop.DBus.Properties", "Set") >= 0);
        assert_true(sd_bus_message_append(m, "ssv", INTERFACE_SURFACE, "Focus", type, value) >= 0);
        answer = call(bus, m);
        return sd_bus_message_is_method_error(answer, NULL)
                ? strdup(sd_bus_message_get_error(answer)->name)
                : NULL;
}

static sd_bus_message *get(sd_bus *bus, const char *surface, const char *name)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_method_call(bus, &m, BUS_NAME, surface,
                            "org.freedesktop.DBus.Properties", "Get") >= 0);
        assert_true(sd_bus_message_append(m, "ss", INTERFACE_SURFACE, name) >= 0);
        return call(bus, m);
}

static void expect_focus(const char *surface, const char *wanted)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = get(test.other, surface, "Focus");
        const char *path;

        assert_true(sd_bus_message_read(answer, "v", "o", &path) > 0);
        assert_string_equal(path, wanted);
}

static void expect_error(char *error, const char *wanted)
{
        assert_non_null(error);
        assert_string_equal(error, wanted);
        free(error);
}

/* ---- the cases ---- */

/* Both clients are there when it returns: a signal goes only to those who are. */
static void open_private(void)
{
        assert_true(doors_listen(test.f->doors, test.f->socket) >= 0);
        test.owner = client_open_private(test.f);
        test.other = client_open_private(test.f);
        watch_properties(test.other);
        sd_bus_message_unref(get(test.owner, PATH_SURFACE "/1", "Name"));
        sd_bus_message_unref(get(test.other, PATH_SURFACE "/1", "Name"));
}

static void test_register_and_read(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *name = NULL, *capabilities = NULL;
        _cleanup_free_ char *path = NULL;
        const char *text, *first, *second;

        open_private();
        path = register_surface(test.owner, NULL, NULL);
        assert_string_equal(path, PATH_SURFACE "/1");
        name = get(test.other, path, "Name");
        assert_true(sd_bus_message_read(name, "v", "s", &text) > 0);
        assert_string_equal(text, "test");
        capabilities = get(test.other, path, "Capabilities");
        assert_true(sd_bus_message_read(capabilities, "v", "as", 2, &first, &second) > 0);
        assert_string_equal(first, "text");
        assert_string_equal(second, "command");
        expect_focus(path, "/");
        run_until(test.f, test.n_surfaces_changed == 1);
}

static void test_focus(void **state)
{
        _cleanup_free_ char *path = NULL;

        open_private();
        path = register_surface(test.owner, NULL, NULL);
        assert_null(set_focus(test.owner, path, "o", CONVERSATION));
        expect_focus(path, CONVERSATION);
        assert_int_equal(n_marked, 1);
        assert_int_equal(test.n_focus_changed, 1);
        assert_true(surfaces_any_focus(test.manager.surfaces, CONVERSATION));

        /* Said again it is no change, but what came meanwhile has been seen. */
        assert_null(set_focus(test.owner, path, "o", CONVERSATION));
        assert_null(set_focus(test.owner, path, "o", "/"));
        expect_focus(path, "/");
        assert_int_equal(n_marked, 2);
        assert_int_equal(test.n_focus_changed, 2);
}

/* After each refusal the same connection can still be talked on. */
static void test_bad_focus(void **state)
{
        static const char *const bad[] = { "/x", PATH_ROOT, PATH_CONVERSATION,
                PATH_CONVERSATION "/1", PATH_CONVERSATION "/00000000000000000000000000000000",
                PATH_CONVERSATION "/0123456789ABCDEF0123456789ABCDEF", CONVERSATION "/x" };
        _cleanup_free_ char *path = NULL;

        open_private();
        path = register_surface(test.owner, NULL, NULL);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                expect_error(set_focus(test.owner, path, "o", bad[i]),
                        ERROR_PREFIX "NoSuchConversation");
        deleted = true;
        expect_error(
                set_focus(test.owner, path, "o", CONVERSATION), ERROR_PREFIX "NoSuchConversation");
        deleted = false;
        expect_error(set_focus(test.owner, path, "s", CONVERSATION), SD_BUS_ERROR_INVALID_ARGS);
        expect_error(set_focus(test.other, path, "o", CONVERSATION), SD_BUS_ERROR_ACCESS_DENIED);
        expect_focus(path, "/");
        assert_int_equal(n_marked, 0);
        assert_int_equal(test.n_focus_changed, 0);
        assert_null(set_focus(test.owner, path, "o", CONVERSATION));
}

static void expect_gone_with_its_connection(const char *path)
{
        sd_bus_message *answer;

        run_until(test.f, test.n_surfaces_changed == 1);
        test.owner = client_close(test.owner);
        run_until(test.f, surfaces_count(test.manager.surfaces) == 0);
        run_until(test.f, test.n_surfaces_changed == 2);
        answer = get(test.other, path, "Focus");
        assert_true(sd_bus_message_is_method_error(answer, SD_BUS_ERROR_UNKNOWN_OBJECT));
        sd_bus_message_unref(answer);
}

static void test_gone_with_private_connection(void **state)
{
        _cleanup_free_ char *path = NULL;

        open_private();
        path = register_surface(test.owner, NULL, NULL);
        expect_gone_with_its_connection(path);
}

static void test_gone_with_bus_name(void **state)
{
        _cleanup_free_ char *path = NULL;
        char address[300];
        bool there = false;

        (void) snprintf(address, sizeof address, "unix:path=%s/bus", test.f->folder);
        if (!daemon_start(&test.daemon, address))
                skip_because("dbus-daemon is missing");
        (void) setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
        assert_int_equal(doors_open_session(test.f->doors), 1);
        test.owner = client_open(test.f, address, true);
        test.other = client_open(test.f, address, true);
        watch_properties(test.other);
        while (!there) {
                _cleanup_(sd_bus_message_unrefp)
                        sd_bus_message *m = get(test.other, PATH_SURFACE "/1", "Name");

                there = !sd_bus_message_is_method_error(m, SD_BUS_ERROR_SERVICE_UNKNOWN);
        }

        path = register_surface(test.owner, NULL, NULL);
        expect_error(set_focus(test.other, path, "o", "/"), SD_BUS_ERROR_ACCESS_DENIED);
        assert_null(set_focus(test.owner, path, "o", CONVERSATION));
        expect_gone_with_its_connection(path);
        (void) unlink(address + strlen("unix:path="));
}

static void test_passive(void **state)
{
        _cleanup_free_ char *a = NULL, *b = NULL;

        open_private();
        a = register_surface(test.owner, NULL, NULL);
        assert_int_equal(surfaces_active(test.manager.surfaces), 1);
        assert_int_equal(doors_reasons_to_stay(test.f->doors), 2); /* the two connections */
        b = register_surface(test.other, "passive", NULL);
        assert_int_equal(surfaces_active(test.manager.surfaces), 1);
        assert_int_equal(doors_reasons_to_stay(test.f->doors), 1);
}

static void test_refused(void **state)
{
        open_private();
        (void) register_surface(test.owner, "active", ERROR_PREFIX "InvalidArgument");
        for (unsigned i = 0; i < SURFACES_MAX; i++)
                free(register_surface(test.owner, NULL, NULL));
        (void) register_surface(test.owner, NULL, ERROR_PREFIX "Busy");
        assert_int_equal(surfaces_count(test.manager.surfaces), SURFACES_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_register_and_read),
                TEST(test_focus),
                TEST(test_bad_focus),
                TEST(test_gone_with_private_connection),
                TEST(test_gone_with_bus_name),
                TEST(test_passive),
                TEST(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
