/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What import takes and what it refuses. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "tests/unit/import-util.h"

#define C \
        "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\"," \
        "\"title\":\"t\",\"created\":1,\"modified\":2,\"head\":0}\n"
#define M1 \
        "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"user\",\"created\":1,\"content\":\"a\"}\n"
#define END0 "{\"type\":\"end\",\"messages\":0}\n"
#define END1 "{\"type\":\"end\",\"messages\":1}\n"

static const struct {
        const char *text, *message;
        FailureCode code; /* NONE = INVALID_ARGUMENT */
} bad[] = {
        { "garbage", "Line 1: This is no JSON object" },
        { "[1]", "Line 1: This is no JSON object" },
        { "\xff\xfe", "Line 1: This is no JSON object" },
        { "{\"type\":\"conversation\"", "Line 1: This is no JSON object" },
        { "{\"type\":3}", "Line 1: \"type\" is missing" },
        { "{\"a\":3}", "Line 1: \"type\" is missing" },
        { "# A title\n", "Only jsonl exports" },
        { "{\"version\":1,\"conversation\":{},\n\"messages\":[]}", "Line 1: This is no JSON" },
        { "\n\n{\"type\":\"song\"}", "Line 3: \"type\" is none" },
        { M1, "Line 1: A conversation must begin" },
        { END0, "Line 1: A conversation must begin" },
        { C, "ends in the middle of a conversation, after line 1" },
        { C M1, "ends in the middle of a conversation, after line 2" },
        { C C, "Line 2: A conversation begins before" },
        { C END1, "Line 2: The conversation should have 1 messages; 0 came" },
        { C M1 END0, "Line 3: The conversation should have 0 messages; 1 came" },
        { C M1 M1 END1, "Line 3: The messages' ids must increase" },
        { C "{\"type\":\"end\"}", "Line 2: \"messages\" is missing" },
        { C "{\"type\":\"end\",\"messages\":-1}", "Line 2: \"messages\" must be a whole number" },
        { C "{\"type\":\"end\",\"messages\":0.5}", "Line 2: \"messages\" must be a whole number" },
        { "{\"type\":\"conversation\",\"version\":2}", "version 2 of the format",
                FAILURE_NOT_SUPPORTED },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"xyz\"}", "must be 32 hex digits" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"00000000000000000000000000000000\"}",
                "must be 32 hex digits" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"title\":\"a\\nb\"}",
                "\"title\" has characters" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"title\":7}",
                "\"title\" must be a string" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"created\":1,\"modified\":2,\"head\":0,\"archived\":1}",
                "\"archived\" must be true or false" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"created\":1,\"modified\":99999999999999999999,\"head\":0}",
                "\"modified\" must be a whole number" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"created\":1,\"modified\":2,\"head\":9}\n" M1 END1,
                "Line 3: The conversation's head is none of its messages" },
        { C "{\"type\":\"message\",\"id\":0,\"parent\":0}", "Line 2: The messages' ids" },
        { C "{\"type\":\"message\",\"id\":2,\"parent\":2}", "Line 2: The parent 2 is no message" },
        { C M1 "{\"type\":\"message\",\"id\":3,\"parent\":2}",
                "Line 3: The parent 2 is no message" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"king\"}", "\"role\" is none" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0}", "\"role\" must be a string" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"user\",\"created\":1}",
                "\"content\" is missing" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"user\",\"created\":1,"
            "\"content\":\"a\\u0000b\"}",
                "\"content\" has characters" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"assistant\",\"created\":1,"
            "\"content\":\"\",\"reason\":\"boredom\"}",
                "\"reason\" is none that is known" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"assistant\",\"created\":1,"
            "\"content\":\"\",\"reason\":\"stop\",\"metadata\":[]}",
                "\"metadata\" must be an object" },
        { C "{\"type\":\"attachment\",\"message\":1}", "Line 2: An attachment belongs to" },
        { C M1 "{\"type\":\"attachment\",\"message\":2}", "Line 3: An attachment belongs to" },
        { C M1 "{\"type\":\"attachment\",\"message\":1,\"name\":\"../x\",\"data\":\"\"}",
                "\"name\" is no name of an attachment" },
        { C M1 "{\"type\":\"attachment\",\"message\":1,\"name\":\"x\"}", "\"data\" must be a" },
        { C M1 "{\"type\":\"attachment\",\"message\":1,\"name\":\"x\",\"data\":\"A\"}",
                "\"data\" is no base64" },
};

static void test_bad_imports(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                Imported imported;

                assert_true(import_text(bad[i].text, strlen(bad[i].text), &imported, &failure) < 0);
                if (!strstr(failure_message(&failure), bad[i].message))
                        fail_msg("%zu: \"%s\" instead of \"%s\"", i, failure_message(&failure),
                                bad[i].message);
                assert_int_equal(failure.code,
                        bad[i].code == FAILURE_NONE ? FAILURE_INVALID_ARGUMENT : bad[i].code);
        }
}

/* A good file, cut anywhere: never imported, never anything worse. */
static void test_cut_anywhere(void **state)
{
        static const char good[] = C M1 END1;
        Imported imported;

        for (size_t n = 1; n + 1 < sizeof good - 1; n++)
                assert_true(import_text(good, n, &imported, NULL) < 0);
        /* The last line's end may be missing. */
        assert_int_equal(import_text(good, sizeof good - 2, &imported, NULL), 1);
        imported_done(&imported);
}

static void test_good_oddities(void **state)
{
        static const char *const table[] = {
                C END0, "\n\n" C "\n" END0 "\n\n",
                "{\"type\":\"conversation\",\"version\":1,"
                "\"id\":\"0123456789ABCDEF0123456789abcdef\",\"created\":1,\"modified\":2,"
                "\"head\":0,\"from the future\":{}}\r\n{\"type\":\"end\",\"messages\":0}\r\n",
                C M1 END1, /* no head: the newest */
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Imported imported;

                assert_int_equal(import_text(table[i], strlen(table[i]), &imported, NULL), 1);
                assert_int_equal(imported.conversation.head, imported.n_messages);
                imported_done(&imported);
        }
}

static void test_many_in_one_file(void **state)
{
        static const char text[] = C END0 C M1 END1 C M1 END0;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(import_freep) Import *i = NULL;
        Imported imported;

        assert_int_equal(import_new(&i, import_file(text, sizeof text - 1), NULL), 0);
        for (unsigned n = 0; n < 2; n++) {
                assert_int_equal(import_next(i, &imported, &failure), 1);
                assert_int_equal(imported.n_messages, n);
                imported_done(&imported);
        }
        assert_true(import_next(i, &imported, &failure) < 0);
        assert_non_null(strstr(failure_message(&failure), "Line 8:"));

        i = import_free(i);
        assert_int_equal(import_new(&i, import_file("", 0), NULL), 0);
        assert_int_equal(import_next(i, &imported, NULL), 0);
}

/* A limit, and one over: what comes before and after the part that grows. */
static void check_limit(const char *before, char fill, size_t limit, const char *after)
{
        for (size_t over = 0; over < 2; over++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(100));
                Imported imported;
                char *space;
                int r;

                assert_int_equal(buffer_append_string(&b, before), 0);
                assert_int_equal(buffer_reserve(&b, limit + over, &space), 0);
                memset(space, fill, limit + over);
                buffer_advance(&b, limit + over);
                assert_int_equal(buffer_append_string(&b, after), 0);
                r = import_text(b.data, b.size, &imported, &failure);
                if (over == 0) {
                        assert_int_equal(r, 1);
                        imported_done(&imported);
                } else {
                        assert_true(r < 0);
                        assert_int_equal(failure.code, FAILURE_TOO_LARGE);
                }
        }
}

static void test_limits(void **state)
{
        check_limit("{\"type\":\"conversation\",\"version\":1,"
                    "\"id\":\"0123456789abcdef0123456789abcdef\",\"title\":\"",
                't', 256, "\",\"created\":1,\"modified\":2,\"head\":0}\n" END0);
        check_limit(C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"user\",\"created\":1,"
                      "\"content\":\"",
                'x', MIB(16), "\"}\n" END1);
}

/* A message whose line has this size, by white space in it. */
static int import_line_of(size_t size, Failure *failure)
{
        static const char head[] = "{\"type\":\"message\",\"id\":1,\"parent\":0,"
                                   "\"role\":\"user\",\"created\":1,\"content\":\"x\"";
        _cleanup_buffer_ Buffer b = BUFFER_INIT(size + KIB(1));
        Imported imported;
        char *space;
        int r;

        assert_int_equal(buffer_append_string(&b, C), 0);
        assert_int_equal(buffer_reserve(&b, size, &space), 0);
        memset(space, ' ', size);
        memcpy(space, head, strlen(head));
        space[size - 1] = '}';
        buffer_advance(&b, size);
        assert_int_equal(buffer_append_string(&b, "\n" END1), 0);
        r = import_text(b.data, b.size, &imported, failure);
        if (r > 0)
                imported_done(&imported);
        return r;
}

static void test_line_limit(void **state)
{
        for (size_t over = 0; over <= 1; over++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;

                assert_int_equal(import_line_of(IMPORT_LINE_MAX + over, &failure) > 0, over == 0);
                assert_int_equal(failure.code, over == 0 ? FAILURE_NONE : FAILURE_TOO_LARGE);
                if (over > 0)
                        assert_non_null(strstr(failure_message(&failure), "Line 2 is longer than"));
        }
}

/* Messages of this size and a last one of its own, all in memory at once. */
static int import_messages(unsigned n, size_t size, size_t last, Failure *failure)
{
        _cleanup_free_ char *text = malloc(size);
        _cleanup_(import_freep) Import *i = NULL;
        Imported imported;
        int fd = memfd_create("test-import", MFD_CLOEXEC), r;

        assert_true(fd >= 0);
        assert_non_null(text);
        memset(text, 'x', size);
        assert_true(dprintf(fd, "%s", C) > 0);
        for (unsigned k = 1; k <= n; k++) {
                size_t of = k == n ? last : size;

                assert_true(dprintf(fd,
                                    "{\"type\":\"message\",\"id\":%u,\"parent\":0,"
                                    "\"role\":\"user\",\"created\":1,\"content\":\"",
                                    k) > 0);
                assert_int_equal(write(fd, text, of), of);
                assert_true(dprintf(fd, "\"}\n") > 0);
        }
        assert_true(dprintf(fd, "{\"type\":\"end\",\"messages\":%u}\n", n) > 0);
        assert_int_equal(import_new(&i, fd, NULL), 0);
        r = import_next(i, &imported, failure);
        if (r > 0)
                imported_done(&imported);
        return r;
}

/* What a conversation has in memory: texts, and what is beside each. */
static void test_conversation_limit(void **state)
{
        const unsigned n = IMPORT_CONVERSATION_MAX / MIB(16);
        const size_t last = MIB(16) - n * sizeof(StoreMessage);

        for (size_t over = 0; over <= 1; over++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;

                assert_int_equal(import_messages(n, MIB(16), last + over, &failure) > 0, over == 0);
                assert_int_equal(failure.code, over == 0 ? FAILURE_NONE : FAILURE_TOO_LARGE);
                if (over > 0)
                        assert_non_null(strstr(failure_message(&failure),
                                "Line 17: The conversation is larger than 256"));
        }
}

static void test_attachments_limit(void **state)
{
        for (unsigned n = 16; n <= 17; n++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
                Imported imported;
                int r;

                assert_int_equal(buffer_append_string(&b, C M1), 0);
                for (unsigned i = 0; i < n; i++)
                        assert_int_equal(buffer_append_string(&b,
                                                 "{\"type\":\"attachment\",\"message\":1,\"name\":"
                                                 "\"x\",\"data\":\"QQ==\"}\n"),
                                0);
                assert_int_equal(buffer_append_string(&b, END1), 0);
                r = import_text(b.data, b.size, &imported, &failure);
                if (n == 16) {
                        assert_int_equal(r, 1);
                        assert_int_equal(imported.messages[0].n_attachments, 16);
                        imported_done(&imported);
                } else
                        assert_int_equal(failure.code, FAILURE_TOO_LARGE);
        }
}

static void test_only_files(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Import *i;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_true(import_new(&i, fds[0], &failure) < 0);
        assert_int_equal(failure.code, FAILURE_INVALID_ARGUMENT);
        safe_close(fds[0]);
        safe_close(fds[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bad_imports),
                cmocka_unit_test(test_cut_anywhere),
                cmocka_unit_test(test_good_oddities),
                cmocka_unit_test(test_many_in_one_file),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_line_limit),
                cmocka_unit_test(test_conversation_limit),
                cmocka_unit_test(test_attachments_limit),
                cmocka_unit_test(test_only_files),
        };

        return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
