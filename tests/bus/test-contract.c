/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the running service says of its objects is what the interface files promise: each member,
 * each argument's name, type and direction, and D-Bus's own annotations. */

#include "common/buffer.h"
#include "tests/bus/harness.h"

#define XML_MAX     MIB(1)
#define MEMBERS_MAX 256U

/* One line for each member of one interface, sorted. */
typedef struct Members {
        char *lines[MEMBERS_MAX];
        size_t n;
} Members;

static void members_done(Members *m)
{
        for (size_t i = 0; i < m->n; i++)
                free(m->lines[i]);
}

static int compare_lines(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The value of one attribute of a tag, "" when it has none. The caller frees. */
static char *attribute(const char *tag, const char *name)
{
        _cleanup_free_ char *key = NULL;
        const char *at;
        char *value;

        assert_true(asprintf(&key, " %s=\"", name) > 0);
        at = strstr(tag, key);
        value = at ? strndup(at + strlen(key), strcspn(at + strlen(key), "\"")) : strdup("");
        assert_non_null(value);
        return value;
}

static void append_argument(Buffer *line, const char *tag)
{
        _cleanup_free_ char *name = attribute(tag, "name"), *type = attribute(tag, "type"),
                            *direction = attribute(tag, "direction");

        assert_return_code(
                buffer_append_format(line, " (%s %s %s)", name, type, strempty(direction)), 0);
}

static void append_annotation(Buffer *line, const char *tag)
{
        _cleanup_free_ char *name = attribute(tag, "name"), *value = attribute(tag, "value");

        if (startswith(name, "org.freedesktop.DBus."))
                assert_return_code(buffer_append_format(line, " [%s=%s]", name, value), 0);
}

static void begin_member(Buffer *line, const char *tag)
{
        _cleanup_free_ char *name = attribute(tag, "name"), *type = attribute(tag, "type"),
                            *access = attribute(tag, "access");

        buffer_clear(line);
        assert_return_code(buffer_append_format(line, "%.*s %s %s %s", (int) strcspn(tag, " "), tag,
                                   name, type, access),
                0);
}

static void end_member(Members *m, Buffer *line)
{
        if (line->size == 0)
                return;
        assert_true(m->n < MEMBERS_MAX);
        m->lines[m->n] = strdup(buffer_text(line));
        assert_non_null(m->lines[m->n++]);
        buffer_clear(line);
}

/* Of a well-formed document: comments and other interfaces are passed over. */
static void read_members(const char *xml, const char *interface, Members *ret)
{
        _cleanup_buffer_ Buffer line = BUFFER_INIT(KIB(64));
        bool wanted = false;

        while ((xml = strchr(xml, '<'))) {
                bool comment = startswith(xml, "<!--");
                const char *end = strstr(xml, comment ? "-->" : ">");
                _cleanup_free_ char *tag = NULL;

                assert_non_null(end);
                tag = strndup(xml + 1, (size_t) (end - xml - 1));
                assert_non_null(tag);
                xml = end;
                if (comment)
                        continue;
                if (startswith(tag, "interface ")) {
                        _cleanup_free_ char *name = attribute(tag, "name");

                        wanted = streq(name, interface);
                } else if (!wanted)
                        continue;
                else if (startswith(tag, "method ") || startswith(tag, "signal ") ||
                        startswith(tag, "property ")) {
                        end_member(ret, &line);
                        begin_member(&line, tag);
                } else if (startswith(tag, "arg "))
                        append_argument(&line, tag);
                else if (startswith(tag, "annotation "))
                        append_annotation(&line, tag);
                else if (startswith(tag, "/interface")) {
                        end_member(ret, &line);
                        wanted = false;
                }
        }
        qsort(ret->lines, ret->n, sizeof ret->lines[0], compare_lines);
}

static void promised(const char *interface, Members *ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(XML_MAX);
        _cleanup_fclose_ FILE *f = NULL;
        _cleanup_free_ char *path = NULL;
        char part[4096];
        size_t n;

        assert_non_null(getenv("CONDUCTOR_INTERFACES"));
        assert_true(asprintf(&path, "%s/%s.xml", getenv("CONDUCTOR_INTERFACES"), interface) > 0);
        f = fopen(path, "re");
        assert_non_null(f);
        while ((n = fread(part, 1, sizeof part, f)) > 0)
                assert_return_code(buffer_append(&text, part, n), 0);
        read_members(buffer_text(&text), interface, ret);
        assert_true(ret->n > 0);
}

static void check_object(Harness *h, sd_bus *bus, const char *path, const char *interface)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_(members_done) Members want = { .n = 0 }, have = { .n = 0 };
        const char *xml;

        answer = harness_call(
                h, bus, path, "org.freedesktop.DBus.Introspectable", "Introspect", "");
        assert_return_code(sd_bus_message_read(answer, "s", &xml), 0);
        promised(interface, &want);
        read_members(xml, interface, &have);
        for (size_t i = 0; i < MIN(want.n, have.n); i++)
                assert_string_equal(have.lines[i], want.lines[i]);
        assert_int_equal(have.n, want.n);
}

static void test_interfaces(void **state)
{
        Harness *h = *state;

        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                _cleanup_free_ char *conversation = harness_create(h, bus, "");
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
                const char *surface;

                answer = harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "RegisterSurface",
                        "sasa{sv}", "test", 1, "text", 0);
                assert_return_code(sd_bus_message_read(answer, "o", &surface), 0);
                check_object(h, bus, PATH_ROOT, INTERFACE_MANAGER);
                check_object(h, bus, conversation, INTERFACE_CONVERSATION);
                check_object(h, bus, surface, INTERFACE_SURFACE);
                check_object(h, bus, PATH_AVATAR, INTERFACE_AVATAR);
        }
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_interfaces, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
