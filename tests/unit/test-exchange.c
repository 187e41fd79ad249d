/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The conversations on a real database with the built-in engine: a question and what becomes of it,
 * across restarts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/log.h"
#include "service/conversation/conversations.h"
#include "tests/unit/folder.h"

static struct {
        char *folder;
        sd_event *event;
        Config *config;
        Store *store;
        Engines *engines;
        Conversations *cs;
        StoreIndex *index;
} house;

static struct {
        bool done, ended, stopped;
        FailureCode code;
        uint64_t message, reply;
        char *text;
        EndReason reason;
} seen;

static void wait_until(const bool *flag)
{
        while (!*flag)
                assert_true(sd_event_run(house.event, 20 * USEC_PER_SEC) > 0);
}

static bool opened;

static void on_opened(const Failure *failure, StoreIndex *index, void *userdata)
{
        assert_null(failure);
        house.index = index;
        opened = true;
}

static void on_notice(StoreNoticeKind kind, const char *detail, void *userdata)
{
        if (kind != STORE_NOTICE_CHECKED)
                fail_msg("%s", detail);
}

static void on_reply_ended(Reply *r, void *userdata)
{
        ReplyInfo info;
        size_t size;

        free(seen.text);
        seen.text = strdup(reply_text(r, CHANNEL_CONTENT, &size));
        assert_non_null(seen.text);
        reply_get_info(r, &info);
        seen.reason = info.reason;
        seen.ended = true;
}

static void open_house(void)
{
        const ConversationsObserver observer = { .reply_ended = on_reply_ended };
        char path[128], folder[96];

        (void) snprintf(folder, sizeof folder, "%s/config", house.folder);
        (void) snprintf(path, sizeof path, "%s/state/conversations.db", house.folder);
        assert_true(sd_event_new(&house.event) >= 0);
        assert_int_equal(config_load_from((char *[]){ folder, NULL }, &house.config), 0);
        opened = false;
        assert_int_equal(
                store_open(&house.store, house.event, path, on_opened, on_notice, NULL), 0);
        wait_until(&opened);
        assert_int_equal(engines_new(&house.engines, house.event, house.config,
                                 store_worker(house.store), &(EnginesObserver){ 0 }),
                0);
        assert_int_equal(conversations_new(&house.cs, house.event, house.store, house.engines, NULL,
                                 house.index),
                0);
        conversations_set_observer(house.cs, &observer);
}

static void close_house(void)
{
        house.cs = conversations_free(house.cs);
        house.engines = engines_free(house.engines);
        house.store = store_free(house.store);
        house.config = config_free(house.config);
        house.event = sd_event_unref(house.event);
}

static void write_engine(const char *folder)
{
        char path[128];
        FILE *f;

        (void) snprintf(path, sizeof path, "%s/config", folder);
        assert_int_equal(mkdir(path, 0700), 0);
        (void) snprintf(path, sizeof path, "%s/config/engines.d", folder);
        assert_int_equal(mkdir(path, 0700), 0);
        (void) snprintf(path, sizeof path, "%s/config/engines.d/builtin.conf", folder);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs("[Engine]\nType=builtin\n", f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
        log_set_max_level(LOG_CRIT);
        memset(&seen, 0, sizeof seen);
        house.folder = folder_new();
        write_engine(house.folder);
        open_house();
        return 0;
}

static int tear_down(void **state)
{
        close_house();
        free(seen.text);
        house.folder = folder_free(house.folder);
        return 0;
}

static void on_done(const Failure *failure, Conversation *c, void *userdata)
{
        seen.code = failure ? failure->code : FAILURE_NONE;
        seen.done = true;
}

static void on_sent(const Failure *failure, uint64_t message, uint64_t reply, void *userdata)
{
        seen.code = failure ? failure->code : FAILURE_NONE;
        seen.message = message;
        seen.reply = reply;
        seen.done = true;
}

static Conversation *create(void)
{
        seen.done = false;
        assert_int_equal(
                conversations_create(house.cs, &(ConversationOptions){ 0 }, on_done, NULL, NULL),
                0);
        wait_until(&seen.done);
        assert_int_equal(seen.code, FAILURE_NONE);
        return conversations_next(house.cs, NULL);
}

static void send_question(Conversation *c, const char *text, const SendOptions *o)
{
        seen.done = false;
        seen.ended = false;
        assert_int_equal(conversation_send(c, text, o, on_sent, NULL, NULL), 0);
        wait_until(&seen.done);
        assert_int_equal(seen.code, FAILURE_NONE);
}

static StoreMessages *messages;
static bool got;

static void on_messages(const Failure *failure, StoreMessages *m, void *userdata)
{
        assert_null(failure);
        messages = m;
        got = true;
}

static void read_all(Conversation *c)
{
        got = false;
        assert_int_equal(
                store_get_page(house.store, conversation_number(c), conversation_head(c),
                        /* limit= */ 100, /* max_bytes= */ SIZE_MAX, on_messages, NULL, NULL),
                0);
        wait_until(&got);
}

static void test_exchange(void **state)
{
        const SendOptions token = { .token = "once" };
        uint64_t number, message, reply;
        Conversation *c;

        c = create();
        number = conversation_number(c);
        send_question(c, "I am *tired* of waiting. Why?", &token);
        message = seen.message;
        reply = seen.reply;
        wait_until(&seen.ended);
        assert_int_equal(seen.reason, REASON_STOP);
        assert_true(strlen(seen.text) > 0);
        send_question(c, "My mother told me to.", &(SendOptions){ 0 });
        wait_until(&seen.ended);

        close_house();
        open_house();
        c = conversations_find_number(house.cs, number);
        assert_non_null(c);
        assert_string_equal(conversation_title(c), "I am tired of waiting");
        assert_int_equal(conversation_messages(c), 4);
        send_question(c, "Again", &token);
        assert_int_equal(seen.message, message);
        assert_int_equal(seen.reply, reply);
        read_all(c);
        assert_int_equal(messages->n_messages, 4);
        assert_string_equal(messages->messages[0].content, "I am *tired* of waiting. Why?");
        assert_string_equal(messages->messages[3].content, seen.text);
        assert_non_null(strstr(messages->messages[3].metadata, "\"engine\":\"builtin\""));
        assert_int_equal(messages->messages[3].reason, REASON_STOP);
        store_messages_free(messages);
}

static void on_stopped(void *userdata)
{
        seen.stopped = true;
}

/* Stopped in mid-stream, and continued by the next service. */
static void test_stop_and_continue(void **state)
{
        uint64_t number, reply;
        Conversation *c;

        c = create();
        number = conversation_number(c);
        send_question(c, "I dreamt of a very long day.", &(SendOptions){ 0 });
        reply = seen.reply;
        assert_int_equal(conversations_stop(house.cs, on_stopped, NULL), 0);
        wait_until(&seen.stopped);
        assert_true(seen.ended);
        assert_int_equal(seen.reason, REASON_INTERRUPTED);

        close_house();
        open_house();
        c = conversations_find_number(house.cs, number);
        assert_int_equal(conversation_head(c), reply);
        seen.done = seen.ended = false;
        assert_int_equal(conversation_continue(c, reply, on_sent, NULL, NULL), 0);
        wait_until(&seen.done);
        assert_int_equal(seen.code, FAILURE_NONE);
        assert_int_equal(seen.reply, reply);
        wait_until(&seen.ended);
        assert_int_equal(seen.reason, REASON_STOP);
        read_all(c);
        assert_int_equal(messages->n_messages, 2);
        assert_string_equal(messages->messages[1].content, seen.text);
        store_messages_free(messages);
}

static void test_private_and_deleted(void **state)
{
        const ConversationOptions private = { .private = true };
        uint64_t hidden, kept;
        Conversation *c;

        seen.done = false;
        assert_int_equal(conversations_create(house.cs, &private, on_done, NULL, NULL), 0);
        wait_until(&seen.done);
        c = conversations_next(house.cs, NULL);
        hidden = conversation_number(c);
        send_question(c, "Between us.", &(SendOptions){ 0 });
        wait_until(&seen.ended);
        assert_int_equal(seen.reason, REASON_STOP);

        c = create();
        kept = conversation_number(c);
        send_question(c, "For the record.", &(SendOptions){ 0 });
        wait_until(&seen.ended);
        seen.done = false;
        assert_int_equal(conversation_delete(c, on_done, NULL, NULL), 0);
        wait_until(&seen.done);

        close_house();
        open_house();
        assert_null(conversations_find_number(house.cs, hidden));
        c = conversations_find_number(house.cs, kept);
        assert_true(conversation_deleted(c) > 0);
        seen.done = false;
        assert_int_equal(conversations_purge_deleted(house.cs, on_done, NULL, NULL), 0);
        wait_until(&seen.done);
        assert_int_equal(seen.code, FAILURE_NONE);
        assert_int_equal(conversations_count(house.cs), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_exchange),
                TEST(test_stop_and_continue),
                TEST(test_private_and_deleted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
