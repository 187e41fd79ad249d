/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A conversation in a file, by a pipe and by parts; found, set aside, gone, and back from it. */

#include <sys/mman.h>

#include "common/buffer.h"
#include "tests/bus/harness.h"
#include "tests/bus/reader.h"

#define HEX_OF(path) (strrchr(path, '/') + 1)

static unsigned count_hits(Harness *h, sd_bus *bus, const char *query, const char *path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "Search", "sa{sv}", query, 0);
        const char *where, *role, *snippet;
        uint64_t message;
        unsigned n = 0;

        assert_true(sd_bus_message_enter_container(answer, 'a', "(otssa{sv})") > 0);
        while (sd_bus_message_enter_container(answer, 'r', "otssa{sv}") > 0) {
                assert_return_code(
                        sd_bus_message_read(answer, "otss", &where, &message, &role, &snippet), 0);
                assert_string_equal(where, path);
                assert_non_null(strstr(snippet, "aardvark"));
                assert_return_code(sd_bus_message_skip(answer, "a{sv}"), 0);
                assert_return_code(sd_bus_message_exit_container(answer), 0);
                n++;
        }
        return n;
}

/* Into a memfd, as Import wants one. */
static int export_all(Harness *h, sd_bus *bus, const char *path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, path, INTERFACE_CONVERSATION, "Export", "s", "jsonl");
        int pipe, file = memfd_create("export", MFD_CLOEXEC);
        char part[4096];
        ssize_t n;

        assert_return_code(file, errno);
        assert_return_code(sd_bus_message_read(answer, "h", &pipe), 0);
        while ((n = read(pipe, part, sizeof part)) > 0)
                assert_int_equal(write(file, part, (size_t) n), n);
        assert_int_equal(n, 0);
        return file;
}

/* One that is not read has a page in memory: so many, and no more until one is closed. */
static void test_exports_unread(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        sd_bus_message *exports[16] = { NULL };
        _cleanup_free_ char *path = NULL, *text = malloc(KIB(512)), *error = NULL;

        assert_non_null(text);
        memset(text, 'x', KIB(512) - 1);
        text[KIB(512) - 1] = 0;
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        path = harness_create(h, bus, "builtin/doctor");
        (void) harness_send(h, bus, path, text);
        for (size_t i = 0; i < ELEMENTSOF(exports); i++)
                exports[i] = harness_call(
                        h, bus, path, INTERFACE_CONVERSATION, "Export", "s", "jsonl");
        error = harness_call_error(
                h, bus, NULL, path, INTERFACE_CONVERSATION, "Export", "s", "jsonl");
        assert_string_equal(error, "Busy");

        exports[0] = sd_bus_message_unref(exports[0]); /* and with it its descriptor */
        free(harness_create(h, bus, ""));              /* by its answer that was seen */
        exports[0] = harness_call(h, bus, path, INTERFACE_CONVERSATION, "Export", "s", "jsonl");
        for (size_t i = 0; i < ELEMENTSOF(exports); i++)
                sd_bus_message_unref(exports[i]);
        assert_int_equal(harness_stop(h), 0);
}

static char *read_file(int fd, size_t *ret_size)
{
        off_t size = lseek(fd, 0, SEEK_END);
        char *text = malloc((size_t) size + 1);

        assert_non_null(text);
        assert_int_equal(pread(fd, text, (size_t) size, 0), size);
        *ret_size = (size_t) size;
        return text;
}

static uint64_t next_part(
        Harness *h, sd_bus *bus, const char *path, const char *format, uint64_t export, Buffer *all)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *part = harness_call(
                h, bus, path, INTERFACE_CONVERSATION, "ExportPart", "st", format, export);
        const void *data;
        size_t size;

        assert_return_code(sd_bus_message_read(part, "t", &export), 0);
        assert_return_code(sd_bus_message_read_array(part, 'y', &data, &size), 0);
        assert_in_range(size, export ? 1 : 0, export ? KIB(256) : 0);
        assert_return_code(buffer_append(all, data, size), 0);
        return export;
}

/* Part by part the same bytes come as by the pipe; one that is not read to its end is nobody's when
 * its connection ends. */
static void test_export_parts(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL, *other = NULL, *third = NULL;
        _cleanup_buffer_ Buffer all = BUFFER_INIT(MIB(8)), none = BUFFER_INIT(MIB(8));
        _cleanup_free_ char *path = NULL, *text = malloc(MIB(1)), *piped = NULL;
        _cleanup_close_ int file = -EBADF;
        uint64_t export = 0, n = 0, left;
        size_t size;

        assert_non_null(text);
        memset(text, 'x', MIB(1) - 1);
        text[MIB(1) - 1] = 0;
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        other = harness_connect(h, VIA_PRIVATE);
        third = harness_connect(h, VIA_PRIVATE);
        path = harness_create(h, bus, "builtin/doctor");
        for (unsigned i = 0; i < 3; i++)
                sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Ask",
                        "sa{sv}", text, 1, "conversation", "s", path));
        do
                export = next_part(h, bus, path, "jsonl", export, &all);
        while (n++, export != 0);
        assert_in_range(n, 3 * 4, UINT64_MAX);
        file = export_all(h, bus, path);
        piped = read_file(file, &size);
        assert_int_equal(all.size, size);
        assert_memory_equal(all.data, piped, size);

        harness_assert_error(harness_call_error(h, bus, NULL, path, INTERFACE_CONVERSATION,
                                     "ExportPart", "st", "html", UINT64_C(0)),
                "InvalidArgument");
        /* Each connection has its own, */
        left = next_part(h, other, path, "json", 0, &none);
        harness_assert_error(harness_call_error(h, bus, NULL, path, INTERFACE_CONVERSATION,
                                     "ExportPart", "st", "json", left),
                "InvalidArgument");
        /* and all together not more than there may be of both kinds. */
        for (unsigned i = 1; i < 16; i++)
                (void) next_part(h, other, path, "json", 0, &none);
        harness_assert_error(harness_call_error(h, bus, NULL, path, INTERFACE_CONVERSATION,
                                     "ExportPart", "st", "json", UINT64_C(0)),
                "Busy");
        harness_assert_error(harness_call_error(h, bus, NULL, path, INTERFACE_CONVERSATION,
                                     "Export", "s", "json"),
                "Busy");
        sd_bus_close(other);
        free(harness_create(h, third, "")); /* by its answer that was seen */
        assert_int_not_equal(next_part(h, bus, path, "json", 0, &none), 0);
        assert_int_equal(harness_stop(h), 0);
}

/* Messages get other numbers by an import. */
static void strike_numbers(char *text, const char *key)
{
        for (char *at = text; (at = strstr(at, key));) {
                at += strlen(key);
                memset(at, '#', strspn(at, "0123456789"));
        }
}

static char *read_export(int file)
{
        char *text = calloc(1, KIB(64));

        assert_non_null(text);
        assert_in_range(pread(file, text, KIB(64) - 1, 0), 100, KIB(64) - 2);
        strike_numbers(text, "\"head\":");
        strike_numbers(text, "\"id\":");
        strike_numbers(text, "\"parent\":");
        return text;
}

static void assert_same_export(int a, int b)
{
        _cleanup_free_ char *one = read_export(a), *two = read_export(b);

        assert_string_equal(one, two);
}

static char *import_one(Harness *h, sd_bus *bus, int file)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "Import", "h", file);
        const char *path;
        char *copy;

        assert_true(sd_bus_message_enter_container(answer, 'a', "o") > 0);
        assert_true(sd_bus_message_read(answer, "o", &path) > 0);
        copy = strdup(path);
        assert_non_null(copy);
        assert_int_equal(sd_bus_message_read(answer, "o", &path), 0);
        return copy;
}

static void call_by_id(Harness *h, sd_bus *bus, const char *member, const char *path)
{
        sd_bus_message_unref(
                harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, member, "s", HEX_OF(path)));
}

static void test_keep_and_forget(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *path = NULL, *back = NULL, *copy = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        _cleanup_close_ int before = -EBADF, after = -EBADF;
        uint64_t reply;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        path = harness_create(h, bus, "");
        reader = reader_new(h, bus, path);
        reply = harness_send(h, bus, path, "an aardvark plays banjo");
        assert_string_equal(reader_wait(reader, reply), "stop");
        assert_int_equal(count_hits(h, bus, "banjo aardvark", path), 1);
        assert_int_equal(count_hits(h, bus, "aardvark zither", path), 0);
        before = export_all(h, bus, path);

        call_by_id(h, bus, "DeleteConversation", path);
        assert_int_equal(count_hits(h, bus, "banjo aardvark", path), 0);
        call_by_id(h, bus, "RestoreConversation", path);
        assert_int_equal(count_hits(h, bus, "banjo aardvark", path), 1);

        call_by_id(h, bus, "DeleteConversation", path);
        sd_bus_message_unref(
                harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "PurgeDeleted", ""));
        harness_assert_error(harness_call_error(h, bus, NULL, PATH_ROOT, INTERFACE_MANAGER,
                                     "RestoreConversation", "s", HEX_OF(path)),
                "NoSuchConversation");

        /* Its id is free again, and is kept; the second time it is not free. */
        assert_int_equal(lseek(before, 0, SEEK_SET), 0);
        back = import_one(h, bus, before);
        assert_string_equal(back, path);
        assert_int_equal(count_hits(h, bus, "banjo aardvark", path), 1);
        after = export_all(h, bus, back);
        assert_same_export(before, after);
        assert_int_equal(lseek(before, 0, SEEK_SET), 0);
        copy = import_one(h, bus, before);
        assert_string_not_equal(copy, path);
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_exports_unread, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_export_parts, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_keep_and_forget, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
