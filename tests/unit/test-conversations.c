/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/names.h"
#include "conversation-fakes.h"
#include "service/conversation/conversation-internal.h"

/* Makes the call that is given, settles, and checks what came of it. */
#define done_with(expected, call) \
        ({ \
                told_clear(&world.told); \
                assert_int_equal(call, 0); \
                assert_false(world.told.called); \
                world_settle(); \
                assert_true(world.told.called); \
                assert_int_equal(world.told.code, expected); \
        })
#define DONE world_done, &world.told, NULL

static void exchange(Conversation *c)
{
        assert_int_equal(world_send(c, "Hi"), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        fake_say(fake_last_ask(), "Ho");
        fake_end(fake_last_ask(), REASON_STOP);
}

/* ---- the index ---- */

/* The database was damaged while it was in use: what is listed is what is left. */
static void test_salvaged(void **state)
{
        const ConversationOptions secret = { .private = true };
        Conversation *c[4], *found;
        uint64_t number[4];

        for (unsigned i = 0; i < ELEMENTSOF(c); i++) {
                if (i < 3)
                        c[i] = world_create();
                else {
                        done_with(FAILURE_NONE, conversations_create(world.cs, &secret, DONE));
                        c[i] = conversations_next(world.cs, NULL);
                }
                number[i] = conversation_number(c[i]);
        }
        exchange(c[0]);
        exchange(c[1]);
        assert_int_equal(world_send(c[1], "Under way"), 0);
        free(world_take_log());

        /* One lost in the middle of a reply, one shortened, one untouched, one found again. */
        fake_store_lose(number[1]);
        fake_store_lose(number[3]);
        fake_store_cut(number[0], conversation_head(c[0]) - 1, 1);
        fake_store_recover(4711, "Recovered");
        fake_store_salvage();
        world_settle();

        assert_null(conversations_find_number(world.cs, number[1]));
        assert_false(fake_last_ask()->live);
        assert_ptr_equal(conversations_find_number(world.cs, number[0]), c[0]);
        assert_int_equal(conversation_messages(c[0]), 1);
        assert_int_equal(conversation_head(c[0]), fake_store_conversation(number[0])->head);
        assert_ptr_equal(conversations_find_number(world.cs, number[2]), c[2]);
        assert_ptr_equal(conversations_find_number(world.cs, number[3]), c[3]); /* private */
        found = conversations_find_number(world.cs, 4711);
        assert_non_null(found);
        assert_string_equal(conversation_title(found), "Recovered");
        assert_int_equal(conversations_count(world.cs), 4);
        {
                _cleanup_free_ char *log = world_take_log();

                assert_non_null(strstr(log, "removed\n"));
                assert_non_null(strstr(log, "added\n"));
                assert_null(strstr(strstr(log, "removed\n") + 1, "removed\n"));
        }
        /* It goes on from what is left. */
        exchange(c[0]);
        assert_int_equal(conversation_messages(c[0]), 3);
}

static void on_stopped(void *userdata)
{
        bool *stopped = userdata;

        assert_false(*stopped);
        *stopped = true;
}

static void read_at_end(Reply *r, void *userdata)
{
        unsigned *ends = userdata;

        (*ends)++;
        assert_int_equal(conversation_mark_read(reply_conversation(r)), 0);
}

/* What is written of a conversation that is lost ends before that is told, and whoever waits for it
 * may call it read, with what was there before. */
static void test_lost_while_waited_for(void **state)
{
        static const ReplyWatchOps ops = { .ended = read_at_end };
        Conversation *c = world_create();
        ReplyWatch *watch;
        unsigned ends = 0;

        exchange(c);
        assert_int_equal(conversation_unread(c), 1);
        assert_int_equal(world_send(c, "Under way"), 0);
        assert_int_equal(reply_watch(conversation_live_reply(c), &ops, &ends, &watch), 0);
        free(world_take_log());
        fake_store_lose(conversation_number(c));
        fake_store_salvage();
        world_settle();
        assert_int_equal(ends, 1);
        assert_log("ended 4 cancelled\nremoved\n");
        reply_watch_free(watch);
}

/* A reply whose row is not there any more can never be stored: it is no reason to wait or to stay.
 */
static void test_row_lost(void **state)
{
        Conversation *c = world_create();
        bool stopped = false;

        assert_int_equal(world_send(c, "Hi"), 0);
        fake_say(fake_last_ask(), "Ho");
        free(world_take_log());
        fake_store_lose(conversation_number(c));
        fake_end(fake_last_ask(), REASON_STOP);
        assert_log("state idle\nended 2 stop\n");
        assert_int_equal(conversations_live(world.cs) + conversations_waiting(world.cs), 0);
        assert_null(conversation_live_reply(c));
        assert_int_equal(conversations_stop(world.cs, on_stopped, &stopped), 0);
        world_settle();
        assert_true(stopped);
}

static void test_create(void **state)
{
        const ConversationOptions o = {
                .title = "Plans", .model = "fake/owl", .system = "Be brief.", .private = true
        };
        Conversation *c;
        char path[128], id[SD_ID128_STRING_MAX];

        done_with(FAILURE_NONE, conversations_create(world.cs, &o, DONE));
        assert_log("added\n");
        c = conversations_next(world.cs, NULL);
        assert_string_equal(conversation_title(c), "Plans");
        assert_string_equal(conversation_model(c), "fake/owl");
        assert_string_equal(conversation_state(c), "idle");
        assert_true(conversation_private(c));
        assert_ptr_equal(conversations_find(world.cs, conversation_id(c)), c);
        assert_ptr_equal(conversations_find_number(world.cs, conversation_number(c)), c);
        (void) snprintf(path, sizeof path, PATH_CONVERSATION "/%s",
                sd_id128_to_string(conversation_id(c), id));
        assert_string_equal(conversation_path(c), path);
        assert_null(conversations_find_number(world.cs, 12345));
        assert_null(conversations_find(world.cs, SD_ID128_NULL));

        /* A title that a person gave stays. */
        assert_int_equal(world_send(c, "Hi"), 0);
        fake_place(fake_last_ask(), 0); /* its model is known */
        fake_end(fake_last_ask(), REASON_STOP);
        assert_string_equal(conversation_title(c), "Plans");
        assert_null(fake_store.last_model); /* private */
}

/* Asked again, also while it is being made, it is the same one. */
static void test_create_again(void **state)
{
        ConversationOptions o = { .title = "Mine" };
        Told first = { 0 };
        Conversation *c;

        assert_return_code(sd_id128_randomize(&o.id), 0);
        /* Nothing of what failed is left. */
        fake_store.full = true;
        assert_int_equal(conversations_create(world.cs, &o, world_done, &first, NULL), 0);
        done_with(FAILURE_STORE_FULL, conversations_create(world.cs, &o, DONE));
        assert_int_equal(first.code, FAILURE_STORE_FULL);
        told_clear(&first);
        fake_store.full = false;
        assert_null(conversations_find(world.cs, o.id));

        assert_int_equal(conversations_create(world.cs, &o, world_done, &first, NULL), 0);
        o.title = "Again";
        done_with(FAILURE_NONE, conversations_create(world.cs, &o, DONE));
        assert_true(first.called);
        assert_int_equal(first.code, FAILURE_NONE);
        c = conversations_find(world.cs, o.id);
        assert_non_null(c);
        assert_string_equal(conversation_title(c), "Mine");
        assert_log("added\n");
        done_with(FAILURE_NONE, conversations_create(world.cs, &o, DONE));
        assert_int_equal(conversations_count(world.cs), 1);
        assert_log("");

        done_with(FAILURE_NONE, conversation_delete(c, DONE));
        assert_true(conversations_create(world.cs, &o, DONE) < 0);
        assert_int_equal(conversations_count(world.cs), 1);
}

static void test_create_fails(void **state)
{
        char title[CONVERSATION_TITLE_MAX + 2];
        ConversationOptions o = { .title = title };

        memset(title, 'x', sizeof title - 1);
        title[sizeof title - 1] = 0;
        assert_true(conversations_create(world.cs, &o, DONE) < 0);
        title[CONVERSATION_TITLE_MAX] = 0;
        done_with(FAILURE_NONE, conversations_create(world.cs, &o, DONE));
        o.title = "two\nlines";
        assert_true(conversations_create(world.cs, &o, DONE) < 0);
        o = (ConversationOptions){ .model = "none/such" };
        assert_true(conversations_create(world.cs, &o, DONE) < 0);
        o = (ConversationOptions){ .system = "\xff" };
        assert_true(conversations_create(world.cs, &o, DONE) < 0);
        fake_store.refuse_mask = 1U << FAKE_CREATE;
        o = (ConversationOptions){ 0 };
        assert_true(conversations_create(world.cs, &o, DONE) < 0);
        fake_store.refuse_mask = 0;
        fake_store.full = true;
        done_with(FAILURE_STORE_FULL, conversations_create(world.cs, &o, DONE));
        assert_int_equal(conversations_count(world.cs), 1);
}

static void test_order(void **state)
{
        Conversation *a = world_create(), *b = world_create(), *c = world_create();
        uint64_t numbers[] = { conversation_number(b), conversation_number(c),
                conversation_number(a) };
        Conversation *i = NULL;

        exchange(c);
        exchange(b);
        assert_ptr_equal(conversations_next(world.cs, NULL), b);
        assert_ptr_equal(conversations_next(world.cs, b), c);
        assert_ptr_equal(conversations_next(world.cs, c), a);
        assert_null(conversations_next(world.cs, a));

        world_restart();
        for (size_t n = 0; n < 3; n++) {
                i = conversations_next(world.cs, i);
                assert_int_equal(conversation_number(i), numbers[n]);
        }
        assert_null(conversations_next(world.cs, i));
}

static void test_many(void **state)
{
        enum { N = 1000 };
        sd_id128_t ids[N];
        size_t n = 0;

        for (size_t i = 0; i < N; i++)
                ids[i] = conversation_id(world_create());
        assert_int_equal(conversations_count(world.cs), N);
        for (size_t i = 0; i < N; i++)
                assert_true(sd_id128_equal(
                        conversation_id(conversations_find(world.cs, ids[i])), ids[i]));
        for (size_t i = 0; i < N; i += 2)
                done_with(FAILURE_NONE,
                        conversation_delete(conversations_find(world.cs, ids[i]), DONE));
        done_with(FAILURE_NONE, conversations_purge_deleted(world.cs, DONE));
        assert_int_equal(conversations_count(world.cs), N / 2);
        for (Conversation *c = NULL; (c = conversations_next(world.cs, c));)
                n++;
        assert_int_equal(n, N / 2);
        for (size_t i = 0; i < N; i++)
                assert_int_equal(conversations_find(world.cs, ids[i]) != NULL, i % 2);
}

/* ---- what a person sets ---- */

static void test_set(void **state)
{
        Conversation *c = world_create();
        uint64_t number = conversation_number(c);
        const StoreConversation *s;

        done_with(FAILURE_NONE, conversation_set_title(c, "Named", DONE));
        done_with(FAILURE_NONE, conversation_set_model(c, "fake/cat", DONE));
        done_with(FAILURE_NONE, conversation_set_archived(c, true, DONE));
        done_with(FAILURE_NONE, conversation_set_hidden(c, true, DONE));
        assert_string_equal(conversation_title(c), "Named");
        assert_string_equal(conversation_model(c), "fake/cat");
        assert_true(conversation_archived(c));
        assert_true(conversation_hidden(c));
        s = fake_store_conversation(number);
        assert_true(s->title_set && s->archived && s->hidden);
        world_restart();
        c = conversations_find_number(world.cs, number);
        assert_string_equal(conversation_title(c), "Named");
        assert_true(conversation_archived(c));
        done_with(FAILURE_NONE, conversation_set_archived(c, false, DONE));
        assert_false(conversation_archived(c));

        assert_true(conversation_set_title(c, "\x1b[2J", DONE) < 0);
        assert_true(conversation_set_model(c, "none/such", DONE) < 0);
        assert_true(conversation_set_system(c, "\xff", DONE) < 0);
        fake_store.full = true;
        done_with(FAILURE_STORE_FULL, conversation_set_title(c, "Other", DONE));
        assert_string_equal(conversation_title(c), "Named");
        fake_store.full = false;
        exchange(c);
        assert_string_equal(conversation_title(c), "Named");
}

static void set_title_now(void *userdata)
{
        assert_int_equal(conversation_set_title(userdata, "Mine", DONE), 0);
}

/* A title given while the first reply ends is not overwritten. */
static void test_title_race(void **state)
{
        Conversation *c = world_create();

        assert_int_equal(world_send(c, "Hi"), 0);
        told_clear(&world.told);
        fake_store.held = true;
        fake_end(fake_last_ask(), REASON_STOP);
        fake_dispatch(set_title_now, c);
        fake_store_release();
        world_settle();
        assert_string_equal(conversation_title(c), "Mine");
        assert_string_equal(fake_store_conversation(conversation_number(c))->title, "Mine");
}

static void test_unread(void **state)
{
        Conversation *c = world_create();
        uint64_t number = conversation_number(c);

        exchange(c);
        exchange(c);
        assert_int_equal(conversation_unread(c), 2);
        assert_int_equal(conversation_mark_read(c), 0);
        world_settle();
        assert_int_equal(conversation_unread(c), 0);
        assert_int_equal(fake_store_conversation(number)->read, 4);
        assert_int_equal(fake_store.counts[FAKE_UPDATE], 3); /* two ends and this */
        assert_int_equal(conversation_mark_read(c), 0);
        world_settle();
        assert_int_equal(fake_store.counts[FAKE_UPDATE], 3);
        world_restart();
        c = conversations_find_number(world.cs, number);
        assert_int_equal(conversation_unread(c), 0);

        /* What was read while it streamed has not ended yet. */
        assert_int_equal(world_send(c, "Hi"), 0);
        assert_int_equal(conversation_mark_read(c), 0);
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(conversation_unread(c), 1);
        world_restart();
        assert_int_equal(conversation_unread(conversations_find_number(world.cs, number)), 1);
}

/* ---- the trash ---- */

static void test_delete_and_restore(void **state)
{
        Conversation *c = world_create();
        uint64_t number = conversation_number(c);

        exchange(c);
        free(world_take_log());
        done_with(FAILURE_NONE, conversation_delete(c, DONE));
        assert_true(conversation_deleted(c) > 0);
        assert_log("removed\n");
        world_restart();
        c = conversations_find_number(world.cs, number);
        assert_true(conversation_deleted(c) > 0);
        done_with(FAILURE_NONE, conversation_restore(c, DONE));
        assert_log("added\n");
        assert_int_equal(conversation_deleted(c), 0);
        exchange(c);
        assert_int_equal(fake_store_count(number), 4);
}

/* A live reply ends with its conversation, and is there when that is brought back. */
static void test_delete_live(void **state)
{
        Conversation *c = world_create();
        uint64_t number = conversation_number(c);

        assert_int_equal(world_send(c, "Hi"), 0);
        fake_say(fake_last_ask(), "Ho");
        done_with(FAILURE_NONE, conversation_delete(c, DONE));
        assert_false(fake_last_ask()->live);
        assert_int_equal(fake_store_message(number, 2)->reason, REASON_CANCELLED);
        assert_string_equal(fake_store_message(number, 2)->content, "Ho");
}

static void test_purge(void **state)
{
        Conversation *a = world_create(), *b = world_create();
        uint64_t number = conversation_number(a);
        Told told = { 0 };

        done_with(FAILURE_NONE, conversation_delete(a, DONE));
        free(world_take_log());
        fake_store.full = true;
        done_with(FAILURE_STORE_FULL, conversations_purge_deleted(world.cs, DONE));
        assert_non_null(conversations_find_number(world.cs, number));
        fake_store.full = false;

        /* On its way out it cannot be brought back. */
        told_clear(&world.told);
        assert_int_equal(conversations_purge_deleted(world.cs, DONE), 0);
        assert_true(conversation_restore(a, world_done, &told, NULL) < 0);
        world_settle();
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_null(conversations_find_number(world.cs, number));
        assert_null(fake_store_conversation(number));
        assert_ptr_equal(conversations_next(world.cs, NULL), b);
        assert_log(""); /* it was removed before */
}

static void test_keep_nothing(void **state)
{
        Conversation *a = world_create(), *b = world_create();
        uint64_t number = conversation_number(b);

        done_with(FAILURE_NONE, conversation_delete(a, DONE));
        assert_int_equal(conversations_count(world.cs), 2);
        conversations_set_trash_keep(world.cs, 0);
        assert_int_equal(world_send(b, "Hi"), 0);
        free(world_take_log());
        done_with(FAILURE_NONE, conversation_delete(b, DONE));
        assert_null(conversations_find_number(world.cs, number));
        assert_false(fake_last_ask()->live);
        assert_int_equal(fake_store_count(number), 0);
}

/* Those whose time was over while the service was away go at once. */
static void test_purged_at_start(void **state)
{
        Conversation *c = world_create();
        uint64_t number = conversation_number(c);

        done_with(FAILURE_NONE, conversation_delete(c, DONE));
        world_restart();
        conversations_set_trash_keep(world.cs, USEC_INFINITY);
        world_settle();
        assert_non_null(conversations_find_number(world.cs, number));
        fake_store_age(number, 8 * 24 * 3600 * USEC_PER_SEC);
        world_restart();
        world_settle();
        assert_null(conversations_find_number(world.cs, number));
        assert_null(fake_store_conversation(number));
}

/* What is under way for a conversation that goes fails, and touches nothing that is gone. */
static void test_purge_under_way(void **state)
{
        Conversation *c = world_create();
        Told told = { 0 };

        conversations_set_trash_keep(world.cs, 0);
        told_clear(&world.told);
        assert_int_equal(conversation_delete(c, DONE), 0);
        assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ .token = "t" }, &told), 0);
        world_settle();
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_true(told.called);
        assert_int_equal(told.code, FAILURE_NO_SUCH_CONVERSATION);
        assert_int_equal(conversations_live(world.cs) + conversations_waiting(world.cs), 0);
        told_clear(&told);
}

/* What was set aside while the clock was ahead goes as well, and what is set aside meanwhile by one
 * that is not stays. */
static void test_purge_by_another_clock(void **state)
{
        Conversation *a = world_create(), *b = world_create();
        uint64_t first = conversation_number(a), second = conversation_number(b);
        Told purged = { 0 };
        usec_t ahead;

        done_with(FAILURE_NONE, conversation_delete(a, DONE));
        fake_store_age(first, -(3600 * USEC_PER_SEC));
        world_restart();
        ahead = conversation_deleted(conversations_find_number(world.cs, first));
        b = conversations_find_number(world.cs, second);

        assert_int_equal(conversations_purge_deleted(world.cs, world_done, &purged, NULL), 0);
        told_clear(&world.told);
        assert_int_equal(conversation_delete(b, DONE), 0);
        world_settle();
        assert_true(purged.called);
        assert_null(conversations_find_number(world.cs, first));
        assert_null(fake_store_conversation(first));
        assert_true(conversation_deleted(b) > ahead);
        assert_non_null(fake_store_conversation(second));
}

/* ---- stopping ---- */

static void test_stop_idle(void **state)
{
        Conversation *c = world_create();
        bool stopped = false;

        assert_int_equal(conversations_stop(world.cs, on_stopped, &stopped), 0);
        assert_false(stopped);
        world_settle();
        assert_true(stopped);
        assert_true(conversations_stop(world.cs, on_stopped, &stopped) < 0);
        assert_true(world_send(c, "Hi") < 0);
        assert_int_equal(world.told.code, FAILURE_BUSY);
        assert_true(conversations_create(world.cs, &(ConversationOptions){ 0 }, DONE) < 0);
}

static void test_stop_live(void **state)
{
        enum { N = 50 };
        uint64_t numbers[N], replies[N];
        bool stopped = false;
        Told late = { 0 };
        Conversation *c;

        for (size_t i = 0; i < N; i++) {
                c = world_create();
                numbers[i] = conversation_number(c);
                assert_int_equal(world_send_with(c, "Hi", &(SendOptions){ .queue = true }), 0);
                replies[i] = world.told.reply;
                fake_say(fake_last_ask(), "partial");
        }
        c = conversations_find_number(world.cs, numbers[0]);
        assert_int_equal(world_send_with(c, "Next", &(SendOptions){ .queue = true }), 0);
        /* One more whose question is not durable yet. */
        c = world_create();
        assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ 0 }, &late), 0);

        assert_int_equal(conversations_stop(world.cs, on_stopped, &stopped), 0);
        for (unsigned i = 0; i < fake_engines.n_asks; i++)
                assert_false(fake_ask(i)->live);
        assert_false(stopped);
        world_settle();
        assert_true(stopped);
        for (size_t i = 0; i < N; i++) {
                const StoreMessage *m = fake_store_message(numbers[i], replies[i]);

                assert_int_equal(m->reason, REASON_INTERRUPTED);
                assert_string_equal(m->content, "partial");
        }
        assert_int_equal(late.code, FAILURE_NONE);
        assert_int_equal(
                fake_store_message(conversation_number(c), late.reply)->reason, REASON_INTERRUPTED);
        told_clear(&late);
}

static void remove_other(Reply *r, void *userdata)
{
        Conversation **other = userdata;

        if (*other)
                conversations_remove(world.cs, *other);
        *other = NULL;
}

/* Whoever is told of a reply's last text may do away with the one that is next. */
static void test_stop_removes(void **state)
{
        static const ReplyWatchOps ops = { .text = remove_other };
        Conversation *c[3], *other;
        uint64_t first;
        ReplyWatch *watch;
        bool stopped = false;

        for (size_t i = 0; i < ELEMENTSOF(c); i++) {
                c[i] = world_create();
                assert_int_equal(world_send(c[i], "Hi"), 0);
        }
        first = conversation_number(c[0]);
        other = c[1];
        assert_int_equal(reply_watch(conversation_live_reply(c[2]), &ops, &other, &watch), 0);
        fake_text_now(fake_last_ask(), "last words");

        assert_int_equal(conversations_stop(world.cs, on_stopped, &stopped), 0);
        reply_watch_free(watch);
        assert_null(other);
        world_settle();
        assert_true(stopped);
        assert_int_equal(fake_store_message(first, 2)->reason, REASON_INTERRUPTED);
}

/* What was still to come of a conversation that is purged is not waited for. */
static void test_stop_purged(void **state)
{
        Conversation *c = world_create();
        Told told = { 0 };
        bool stopped = false;

        conversations_set_trash_keep(world.cs, 0);
        assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ 0 }, &told), 0);
        told_clear(&world.told);
        assert_int_equal(conversation_delete(c, DONE), 0);
        assert_int_equal(conversations_stop(world.cs, on_stopped, &stopped), 0);
        world_settle();
        assert_int_equal(told.code, FAILURE_NONE);
        assert_int_equal(conversations_count(world.cs), 0);
        assert_true(stopped);
        told_clear(&told);
}

static void test_stop_full(void **state)
{
        Conversation *c = world_create();
        bool stopped = false;

        assert_int_equal(world_send(c, "Hi"), 0);
        fake_store.full = true;
        assert_int_equal(conversations_stop(world.cs, on_stopped, &stopped), 0);
        world_settle();
        assert_true(stopped);
}

/* What could not be stored gets one more chance. */
static void test_stop_stuck(void **state)
{
        Conversation *c = world_create();
        bool stopped = false;

        assert_int_equal(world_send(c, "Hi"), 0);
        fake_say(fake_last_ask(), "precious");
        fake_store.full = true;
        fake_end(fake_last_ask(), REASON_STOP);
        fake_store.full = false;
        assert_int_equal(conversations_stop(world.cs, on_stopped, &stopped), 0);
        world_settle();
        assert_true(stopped);
        assert_string_equal(fake_store_message(conversation_number(c), 2)->content, "precious");
        assert_int_equal(fake_store_message(conversation_number(c), 2)->reason, REASON_STOP);
}

/* Freed in the middle of everything. */
static void test_freed_in_between(void **state)
{
        Conversation *a = world_create(), *b = world_create();
        Told told[4] = { 0 };

        assert_int_equal(world_send(a, "Hi"), 0);
        fake_say(fake_last_ask(), "partial");
        assert_int_equal(world_start_send(b, "Hi", &(SendOptions){ .token = "t" }, &told[0]), 0);
        assert_int_equal(world_start_send(b, "Hi", &(SendOptions){ .queue = true }, &told[1]), 0);
        assert_int_equal(conversation_set_title(a, "x", world_done, &told[2], NULL), 0);
        assert_int_equal(conversations_create(
                                 world.cs, &(ConversationOptions){ 0 }, world_done, &told[3], NULL),
                0);
        world_restart();
        for (size_t i = 0; i < ELEMENTSOF(told); i++)
                assert_false(told[i].called);
}

static void test_next_reply(void **state)
{
        Reply *r = NULL;
        unsigned n = 0;

        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(world_send(world_create(), "Hi"), 0);
        while ((r = conversations_next_reply(world.cs, r)))
                n++;
        assert_int_equal(n, 3);
        fake_end(fake_ask(1), REASON_STOP);
        for (n = 0; (r = conversations_next_reply(world.cs, r)); n++)
                assert_int_not_equal(reply_id(r), 4);
        assert_int_equal(n, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_salvaged),
                TEST(test_lost_while_waited_for),
                TEST(test_row_lost),
                TEST(test_create),
                TEST(test_create_again),
                TEST(test_create_fails),
                TEST(test_order),
                TEST(test_many),
                TEST(test_set),
                TEST(test_title_race),
                TEST(test_unread),
                TEST(test_delete_and_restore),
                TEST(test_delete_live),
                TEST(test_purge),
                TEST(test_keep_nothing),
                TEST(test_purged_at_start),
                TEST(test_purge_under_way),
                TEST(test_purge_by_another_clock),
                TEST(test_stop_idle),
                TEST(test_stop_live),
                TEST(test_stop_removes),
                TEST(test_stop_purged),
                TEST(test_stop_full),
                TEST(test_stop_stuck),
                TEST(test_freed_in_between),
                TEST(test_next_reply),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
