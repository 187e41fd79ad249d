/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/bus/object.h"

static int handler(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return 0;
}

static int getter(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return 0;
}

static int setter(sd_bus *bus, const char *path, const char *interface, const char *property,
        sd_bus_message *value, void *userdata, sd_bus_error *error)
{
        return 0;
}

static int find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
        sd_bus_error *error)
{
        return 0;
}

/* clang-format off */
static const sd_bus_vtable root_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Ask", SD_BUS_ARGS("s", question, "a{sv}", options),
                SD_BUS_RESULT("a(osstta{sv})", answers, "b", more), handler,
                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Plain", "ai", "(y(bd))x", handler, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Quiet", NULL, NULL, handler,
                SD_BUS_VTABLE_METHOD_NO_REPLY | SD_BUS_VTABLE_DEPRECATED),
        SD_BUS_METHOD("Secret", NULL, NULL, handler, SD_BUS_VTABLE_HIDDEN),
        SD_BUS_PROPERTY("Version", "s", getter, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Count", "u", getter, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Text", "s", getter, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_WRITABLE_PROPERTY("Level", "s", getter, setter, 0, 0),
        SD_BUS_SIGNAL_WITH_ARGS("Said", SD_BUS_ARGS("t", id, "as", words), 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable child_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Go", NULL, NULL, handler, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

static const BusInterface root_interfaces[] = { { "org.example.Root", root_vtable } };
static const BusInterface child_interfaces[] = { { "org.example.Child", child_vtable, find } };
static const BusObject child = {
        .path = "/org/example/child",
        .interfaces = child_interfaces,
        .n_interfaces = ELEMENTSOF(child_interfaces),
};
static const BusObject elsewhere = {
        .path = "/elsewhere",
        .interfaces = child_interfaces,
        .n_interfaces = ELEMENTSOF(child_interfaces),
};
static const BusObject *const children[] = { &child, &elsewhere, NULL };
static const BusObject root = {
        .path = "/org/example",
        .interfaces = root_interfaces,
        .n_interfaces = ELEMENTSOF(root_interfaces),
        .children = children,
};

static int introspect(const char *path, char **ret)
{
        size_t size;
        FILE *f;
        int r;

        f = open_memstream(ret, &size);
        assert_non_null(f);
        r = bus_object_introspect(f, &root, path);
        assert_int_equal(fclose(f), 0);
        return r;
}

static void test_list(void **state)
{
        _cleanup_free_ char *text = NULL;

        assert_int_equal(introspect("list", &text), 0);
        assert_string_equal(text, "/org/example\n/org/example/child\n/elsewhere\n");
}

static void test_xml(void **state)
{
        _cleanup_free_ char *text = NULL;
        const char *body;

        assert_int_equal(introspect("/org/example", &text), 0);
        body = strstr(text, "<node");
        assert_non_null(body);
        assert_string_equal(body,
                "<node name=\"/org/example\">\n"
                " <interface name=\"org.example.Root\">\n"
                "  <method name=\"Ask\">\n"
                "   <arg type=\"s\" name=\"question\" direction=\"in\"/>\n"
                "   <arg type=\"a{sv}\" name=\"options\" direction=\"in\"/>\n"
                "   <arg type=\"a(osstta{sv})\" name=\"answers\" direction=\"out\"/>\n"
                "   <arg type=\"b\" name=\"more\" direction=\"out\"/>\n"
                "  </method>\n"
                "  <method name=\"Plain\">\n"
                "   <arg type=\"ai\" direction=\"in\"/>\n"
                "   <arg type=\"(y(bd))\" direction=\"out\"/>\n"
                "   <arg type=\"x\" direction=\"out\"/>\n"
                "  </method>\n"
                "  <method name=\"Quiet\">\n"
                "   <annotation name=\"org.freedesktop.DBus.Deprecated\" value=\"true\"/>\n"
                "   <annotation name=\"org.freedesktop.DBus.Method.NoReply\" value=\"true\"/>\n"
                "  </method>\n"
                "  <property name=\"Version\" type=\"s\" access=\"read\">\n"
                "   <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\""
                " value=\"const\"/>\n"
                "  </property>\n"
                "  <property name=\"Count\" type=\"u\" access=\"read\">\n"
                "  </property>\n"
                "  <property name=\"Text\" type=\"s\" access=\"read\">\n"
                "   <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\""
                " value=\"invalidates\"/>\n"
                "  </property>\n"
                "  <property name=\"Level\" type=\"s\" access=\"readwrite\">\n"
                "   <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\""
                " value=\"false\"/>\n"
                "  </property>\n"
                "  <signal name=\"Said\">\n"
                "   <arg type=\"t\" name=\"id\"/>\n"
                "   <arg type=\"as\" name=\"words\"/>\n"
                "  </signal>\n"
                " </interface>\n"
                " <node name=\"child\"/>\n"
                "</node>\n");
}

static void test_child_and_unknown(void **state)
{
        _cleanup_free_ char *text = NULL, *nothing = NULL;

        assert_int_equal(introspect("/org/example/child", &text), 0);
        assert_non_null(strstr(text, "org.example.Child"));
        assert_null(strstr(text, "org.example.Root"));
        assert_int_equal(introspect("/org/example/chil", &nothing), -ENOENT);
        assert_string_equal(nothing, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_list),
                cmocka_unit_test(test_xml),
                cmocka_unit_test(test_child_and_unknown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
