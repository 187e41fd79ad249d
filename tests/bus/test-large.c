/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Questions with the largest attachments there may be, the longest lists of models, answers that
 * are no stream, and the longest that is one message: the service answers others while it reads,
 * stores and sends them. How long its turns take is judged by tests/enforcement/loop. */

#include <inttypes.h>
#include <sys/mman.h>

#include "tests/bus/harness.h"
#include "tests/bus/reader.h"

#define SIZE_MAX_EACH MIB(32)

#define FEW  5U  /* as base64 they are what the scripted engine still reads */
#define MOST 16U /* as many as a message may have: no engine is sent so much */

/* One that looks like it as far as anybody looks. */
static int new_picture(size_t size)
{
        int fd = memfd_create("picture", MFD_CLOEXEC);

        assert_return_code(fd, errno);
        assert_int_equal(write(fd, "\x89PNG\r\n\x1a\n", 8), 8);
        assert_return_code(ftruncate(fd, size), errno);
        return fd;
}

static uint64_t send_pictures(Harness *h, sd_bus *bus, const char *conversation, unsigned n)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                bus, conversation, INTERFACE_CONVERSATION, "Send");
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        size_t size = harness_can_measure() ? SIZE_MAX_EACH : MIB(1);
        _cleanup_close_ int fd = new_picture(size);
        uint64_t question, reply;

        assert_return_code(sd_bus_message_append(m, "s", "@tokens=2"), 0);
        assert_return_code(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
        harness_append_attachments(m, "picture.png", fd, n);
        assert_return_code(sd_bus_message_close_container(m), 0);
        answer = harness_call_message(h, bus, m);
        assert_return_code(sd_bus_message_read(answer, "tt", &question, &reply), 0);
        return reply;
}

static void check(Harness *h, sd_bus *bus, unsigned n, const char *reason)
{
        _cleanup_free_ char *conversation = harness_create(h, bus, "test/tiny:latest");
        Reader *reader = reader_new(h, bus, conversation);
        uint64_t reply = send_pictures(h, bus, conversation, n);

        /* Whoever asks something else meanwhile is answered. */
        sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "GetSnapshot", ""));
        assert_string_equal(reader_wait(reader, reply), reason);
        reader_free(reader);
}

static void test_large(void **state)
{
        _cleanup_connection_ sd_bus *bus = NULL;
        Harness *h = *state;
        bool real = harness_can_measure();

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        check(h, bus, FEW, "stop");
        check(h, bus, MOST, real ? "failed" : "stop");
        assert_int_equal(harness_engine_count(h, "chats"), real ? 1 : 2);
        assert_int_equal(harness_stop(h), 0);
}

static unsigned list_models(Harness *h, sd_bus *bus, int refresh)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "ListModels", "b", refresh);
        unsigned n = 0;

        assert_return_code(sd_bus_message_enter_container(answer, 'a', "(sssa{sv})"), 0);
        while (sd_bus_message_skip(answer, "(sssa{sv})") > 0)
                n++;
        return n;
}

/* As many as are kept of a list, and one that is left out. */
static void check_models(Harness *h, const char *type)
{
        static const char *const many[] = { "--models", "4097", "--capability", "vision", NULL };
        _cleanup_connection_ sd_bus *bus = NULL;

        harness_start_engine(h, type, "", many);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        assert_int_equal(list_models(h, bus, false), 4097); /* and the built-in engine's */
        assert_int_equal(list_models(h, bus, true), 4097);
        /* The default is looked for in all of them. */
        sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "GetSnapshot", ""));
        assert_int_equal(harness_stop(h), 0);
}

static void test_models_ollama(void **state)
{
        check_models(*state, "ollama");
}

static void test_models_openai(void **state)
{
        check_models(*state, "openai");
}

/* An answer of 7 MiB that is no stream, although one was asked for. */
static void test_whole(void **state)
{
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL;
        Harness *h = *state;
        Reader *reader;
        uint64_t reply;

        harness_start_engine(h, "openai", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        conversation = harness_create(h, bus, "test/tiny:latest");
        reader = reader_new(h, bus, conversation);
        reply = harness_send(h, bus, conversation, "@no-stream @tokens=112 @size=65536");
        assert_string_equal(reader_wait(reader, reply), "stop");
        reader_free(reader);
        assert_int_equal(harness_stop(h), 0);
}

/* The answer of Ask, which is one message: nearly as long as a reply may be. */
static void test_asked(void **state)
{
        const uint64_t tokens = harness_can_measure() ? 60 : 4;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *question = NULL;
        Harness *h = *state;
        const char *text;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        assert_true(asprintf(&question, "@tokens=%" PRIu64 " @size=1000000", tokens) > 0);
        answer = harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Ask", "sa{sv}", question, 1,
                "model", "s", "test/tiny:latest");
        assert_return_code(sd_bus_message_read(answer, "s", &text), 0);
        assert_int_equal(strlen(text), tokens * 1000000);
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_large, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_models_ollama, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_models_openai, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_whole, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_asked, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
