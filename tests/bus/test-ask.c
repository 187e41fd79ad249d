/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A question and its answer, through both doors, by the built-in engine and the scripted ones. */

#include <signal.h>

#include "tests/bus/harness.h"
#include "tests/bus/reader.h"

static void test_ask(void **state)
{
        Harness *h = *state;

        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
                const char *text;

                answer = harness_call(
                        h, bus, PATH_ROOT, INTERFACE_MANAGER, "Ask", "sa{sv}", "I am sad.", 0);
                assert_return_code(sd_bus_message_read(answer, "s", &text), 0);
                assert_true(strlen(text) > 0);
        }
        assert_int_equal(harness_stop(h), 0);
}

/* What a follower was sent, joined, is what GetReply tells. */
static void test_follow(void **state)
{
        Harness *h = *state;

        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                _cleanup_free_ char *conversation = harness_create(h, bus, ""), *text = NULL,
                                    *end = NULL;
                _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
                uint64_t reply = harness_send(h, bus, conversation, "My mother hates me.");

                assert_int_equal(reader->window, 64);
                assert_string_equal(reader_wait(reader, reply), "stop");
                text = harness_get_reply(h, bus, conversation, reply, "content", &end);
                assert_string_equal(end, "stop");
                assert_true(strlen(text) > 0);
                assert_string_equal(buffer_text(&reader->text[CHANNEL_CONTENT]), text);
        }
        assert_int_equal(harness_stop(h), 0);
}

static void ask_engine(Harness *h, const char *type)
{
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *text = NULL, *thought = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        uint64_t reply;

        harness_start_engine(h, type, "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "test/tiny:latest");
        reader = reader_new(h, bus, conversation);
        reply = harness_send(h, bus, conversation, "@tokens=3 @reasoning=2");
        assert_string_equal(reader_wait(reader, reply), "stop");
        text = harness_get_reply(h, bus, conversation, reply, "content", NULL);
        assert_string_equal(text, "word0 word1 word2 ");
        assert_string_equal(buffer_text(&reader->text[CHANNEL_CONTENT]), text);
        thought = harness_get_reply(h, bus, conversation, reply, "reasoning", NULL);
        assert_string_equal(thought, "thought0 thought1 ");
        assert_string_equal(buffer_text(&reader->text[CHANNEL_REASONING]), thought);
        assert_int_equal(harness_stop(h), 0);
}

static void test_ollama(void **state)
{
        ask_engine(*state, "ollama");
}

static void test_openai(void **state)
{
        ask_engine(*state, "openai");
}

static void test_anthropic(void **state)
{
        ask_engine(*state, "anthropic");
}

/* Cancel closes the engine's connection in mid-stream, and what came is kept. */
static void test_cancel(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *text = NULL, *end = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        uint64_t reply;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "test/tiny:latest");
        reader = reader_new(h, bus, conversation);
        reply = harness_send(h, bus, conversation, "@fault=hold:2");
        harness_engine_wait(h, "held=1");
        harness_run_until(h, streq(buffer_text(&reader->text[CHANNEL_CONTENT]), "word0 word1 "));

        answer = harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "Cancel", "t", UINT64_C(0));
        harness_engine_wait(h, "cancelled=1");
        assert_string_equal(reader_wait(reader, reply), "cancelled");
        text = harness_get_reply(h, bus, conversation, reply, "content", &end);
        assert_string_equal(text, "word0 word1 ");
        assert_string_equal(end, "cancelled");
        assert_int_equal(harness_stop(h), 0);
}

/* After a stop in mid-stream the partial reply is there, ended as interrupted. */
static void test_stop_and_read_again(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *conversation = NULL, *text = NULL, *end = NULL;
        _cleanup_connection_ sd_bus *later = NULL;
        uint64_t reply;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
                _cleanup_(reader_freep) Reader *reader = NULL;

                conversation = harness_create(h, bus, "test/tiny:latest");
                reader = reader_new(h, bus, conversation);
                reply = harness_send(h, bus, conversation, "@fault=hold:2");
                harness_run_until(
                        h, streq(buffer_text(&reader->text[CHANNEL_CONTENT]), "word0 word1 "));
        }
        assert_int_equal(harness_stop(h), 0);

        harness_start(h);
        later = harness_connect(h, VIA_PRIVATE);
        text = harness_get_reply(h, later, conversation, reply, "content", &end);
        assert_string_equal(text, "word0 word1 ");
        assert_string_equal(end, "interrupted");
        assert_int_equal(harness_stop(h), 0);
}

static uint64_t count_conversations(Harness *h, sd_bus *bus)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint64_t n = 0;

        m = harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", "a{sv}", 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "(osstta{sv})") > 0);
        while (sd_bus_message_skip(m, "(osstta{sv})") > 0)
                n++;
        return n;
}

/* A question that is refused leaves no conversation behind. */
static void test_refused(void **state)
{
        static const struct {
                const char *text, *option, *value, *error;
        } table[] = {
                { "", "title", "x", "InvalidArgument" },
                { "Hi", "model", "nowhere/none", "NoSuchModel" },
                { "Hi", "token", NULL, "TooLarge" },
        };
        Harness *h = *state;
        char token[258];

        memset(token, 'x', sizeof token - 1);
        token[sizeof token - 1] = 0;
        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);

                for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                        _cleanup_free_ char *name = NULL, *sentence = NULL;

                        name = harness_call_error(h, bus, &sentence, PATH_ROOT, INTERFACE_MANAGER,
                                "Ask", "sa{sv}", table[i].text, 1, table[i].option, "s",
                                table[i].value ? table[i].value : token);
                        assert_string_equal(name, table[i].error);
                }
                assert_int_equal(count_conversations(h, bus), 0);
        }
        assert_int_equal(harness_stop(h), 0);
}

static void test_errors(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *name = NULL, *sentence = NULL;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        name = harness_call_error(h, bus, &sentence,
                PATH_CONVERSATION "/0123456789abcdef0123456789abcdef", INTERFACE_CONVERSATION,
                "Send", "sa{sv}", "Hello", 0);
        assert_string_equal(name, "NoSuchConversation");
        assert_true(strlen(sentence) > 10);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- a conversation that goes while it is asked ---- */

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        sd_bus_message **answer = userdata;

        *answer = sd_bus_message_ref(m);
        return 0;
}

static void call_later(sd_bus *bus, sd_bus_message *m, sd_bus_message **answer)
{
        assert_return_code(sd_bus_call_async(bus, NULL, m, on_answer, answer, 0), 0);
}

/* The question is not yet stored when its conversation is to be purged, and when it is, the reply's
 * end comes too late: that has one all the same, before the conversation is gone. */
static void purge_while_asked(Harness *h, sd_bus *bus)
{
        _cleanup_free_ char *conversation = harness_create(h, bus, "");
        _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *ask = NULL, *asked = NULL, *delete = NULL,
                                                        *deleted = NULL;
        _cleanup_(watch_freep) Watch *started = harness_watch(
                h, bus, conversation, INTERFACE_CONVERSATION, "ReplyStarted");
        _cleanup_(watch_freep) Watch *finished = harness_watch(
                h, bus, conversation, INTERFACE_CONVERSATION, "ReplyFinished");

        /* One that nobody has read. */
        assert_string_equal(
                reader_wait(reader, harness_send(h, bus, conversation, "I am sad.")), "stop");
        ask = harness_message(bus, PATH_ROOT, INTERFACE_MANAGER, "Ask");
        assert_return_code(sd_bus_message_append(ask, "sa{sv}", "And now?", 1, "conversation", "s",
                                   strrchr(conversation, '/') + 1),
                0);
        call_later(bus, ask, &asked);
        delete = harness_message(bus, PATH_ROOT, INTERFACE_MANAGER, "DeleteConversation");
        assert_return_code(sd_bus_message_append(delete, "s", strrchr(conversation, '/') + 1), 0);
        call_later(bus, delete, &deleted);
        harness_run_until(h, asked && deleted);
        assert_null(sd_bus_message_get_error(deleted));
        harness_run_until(h, finished->n == started->n);
}

static void test_purged_while_asked(void **state)
{
        Harness *h = *state;

        harness_write_config(h, "conductor.conf", "[Service]\nTrashKeepDays=0\n");
        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);

                for (unsigned i = 0; i < 4; i++)
                        purge_while_asked(h, bus);
        }
        assert_false(harness_logged(h, "could not be stored"));
        assert_false(harness_logged(h, "Cannot write the database"));
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_ask, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_follow, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_ollama, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_openai, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_anthropic, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_cancel, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_stop_and_read_again, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_refused, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_errors, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_purged_while_asked, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("ask", tests, NULL, NULL);
}
