/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conversation-fakes.h"

/* ---- watches ---- */

typedef struct Watcher {
        ReplyWatch *watch;
        unsigned texts, ends;
        size_t seen;
        bool leave_at_text, leave_at_end, cancel_at_text;
        struct Watcher *other; /* whose watch is freed at the text */
} Watcher;

static void on_text(Reply *r, void *userdata)
{
        Watcher *w = userdata;

        assert_int_equal(w->ends, 0);
        w->texts++;
        (void) reply_text(r, CHANNEL_CONTENT, &w->seen);
        if (w->other)
                w->other->watch = reply_watch_free(w->other->watch);
        if (w->leave_at_text)
                w->watch = reply_watch_free(w->watch);
        if (w->cancel_at_text)
                assert_int_equal(conversation_cancel(reply_conversation(r), 0, NULL), 0);
}

static void on_ended(Reply *r, void *userdata)
{
        Watcher *w = userdata;

        assert_int_equal(w->ends, 0);
        assert_true(reply_state(r) == REPLY_ENDED);
        w->ends++;
        (void) reply_text(r, CHANNEL_CONTENT, &w->seen);
        if (w->leave_at_end)
                w->watch = reply_watch_free(w->watch);
}

static const ReplyWatchOps ops = { on_text, on_ended };

static Conversation *begin(Reply **ret_reply)
{
        Conversation *c = world_create();

        assert_int_equal(world_send(c, "Hi"), 0);
        *ret_reply = conversation_live_reply(c);
        assert_non_null(*ret_reply);
        free(world_take_log());
        return c;
}

static void say_thrice(void *userdata)
{
        fake_text_now(userdata, "one ");
        fake_text_now(userdata, "two ");
        fake_text_now(userdata, "three");
}

/* All that one dispatch brought is told once. */
static void test_once_a_dispatch(void **state)
{
        Reply *r;
        Watcher w = { 0 };

        begin(&r);
        assert_int_equal(reply_watch(r, &ops, &w, &w.watch), 0);
        fake_dispatch(say_thrice, fake_last_ask());
        assert_int_equal(w.texts, 1);
        assert_int_equal(w.seen, 13);
        assert_log("state streaming\ntext 2 to 13\n");
        fake_say(fake_last_ask(), "!");
        assert_int_equal(w.texts, 2);
        w.watch = reply_watch_free(w.watch);
        fake_say(fake_last_ask(), "?");
        assert_int_equal(w.texts, 2);
}

static void say_and_end(void *userdata)
{
        fake_text_now(userdata, "last");
        fake_end_now(userdata, REASON_STOP);
}

static void test_text_before_end(void **state)
{
        Watcher w = { .leave_at_end = true };
        Reply *r;

        begin(&r);
        assert_int_equal(reply_watch(r, &ops, &w, &w.watch), 0);
        fake_dispatch(say_and_end, fake_last_ask());
        assert_int_equal(w.texts, 1);
        assert_int_equal(w.ends, 1);
        assert_int_equal(w.seen, 4);
        assert_null(w.watch);
}

/* A reply that ended is there for as long as somebody watches it. */
static void test_outlives_its_end(void **state)
{
        Watcher w = { 0 }, late = { 0 };
        uint64_t number;
        Conversation *c;
        ReplyInfo info;
        size_t size;
        Reply *r;

        c = begin(&r);
        number = conversation_number(c);
        assert_int_equal(reply_watch(r, &ops, &w, &w.watch), 0);
        fake_say(fake_last_ask(), "text");
        fake_end(fake_last_ask(), REASON_FAILED);
        assert_int_equal(w.ends, 1);
        assert_ptr_equal(conversation_find_reply(c, 2), r);
        assert_null(conversation_live_reply(c));
        assert_int_equal(reply_watch(r, &ops, &late, &late.watch), 0);
        late.watch = reply_watch_free(late.watch);
        assert_int_equal(late.ends, 0);

        /* Even of a conversation that is gone, and of a service that is. */
        conversations_set_trash_keep(world.cs, 0);
        told_clear(&world.told);
        assert_int_equal(conversation_delete(c, world_done, &world.told, NULL), 0);
        world_settle();
        assert_null(conversations_find_number(world.cs, number));
        assert_string_equal(reply_text(r, CHANNEL_CONTENT, &size), "text");
        reply_get_info(r, &info);
        assert_int_equal(info.reason, REASON_FAILED);
        assert_int_equal(info.failure->code, FAILURE_ENGINE_STALLED);
        assert_int_equal(conversation_number(reply_conversation(r)), number);
        world_restart();
        assert_string_equal(reply_text(r, CHANNEL_CONTENT, &size), "text");
        reply_watch_free(w.watch);
}

static void test_watches_leave(void **state)
{
        Watcher first = { 0 }, second = { 0 }, third = { .leave_at_text = true };
        Reply *r;

        /* The newest is told first: it takes the others and itself away. */
        begin(&r);
        assert_int_equal(reply_watch(r, &ops, &first, &first.watch), 0);
        assert_int_equal(reply_watch(r, &ops, &second, &second.watch), 0);
        assert_int_equal(reply_watch(r, &ops, &third, &third.watch), 0);
        third.other = &first;
        fake_say(fake_last_ask(), "x");
        assert_int_equal(first.texts, 0);
        assert_int_equal(second.texts, 1);
        assert_int_equal(third.texts, 1);
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(first.ends, 0);
        assert_int_equal(second.ends, 1);
        assert_int_equal(third.ends, 0);
        reply_watch_free(second.watch);
}

static void test_cancel_from_watch(void **state)
{
        Watcher w = { .cancel_at_text = true, .leave_at_end = true };
        Conversation *c;
        Reply *r;

        c = begin(&r);
        assert_int_equal(reply_watch(r, &ops, &w, &w.watch), 0);
        fake_say(fake_last_ask(), "x");
        assert_false(fake_last_ask()->live);
        assert_int_equal(w.ends, 1);
        assert_int_equal(fake_store_message(conversation_number(c), 2)->reason, REASON_CANCELLED);
}

/* ---- the avatar's commands ---- */

static void test_avatar(void **state)
{
        static const char text[] = "Hello [yolla:mood happy]there [yolla:wave][no:command]";
        char *whole, *parts;

        for (size_t cut = 0; cut < strlen(text); cut++) {
                _cleanup_free_ char *log = NULL;
                Conversation *c;
                Reply *r;

                c = begin(&r);
                fake_say_bytes(fake_last_ask(), CHANNEL_CONTENT, text, cut);
                fake_say(fake_last_ask(), text + cut);
                fake_end(fake_last_ask(), REASON_STOP);
                assert_string_equal(
                        fake_store_message(conversation_number(c), conversation_head(c))->content,
                        "Hello there [no:command]");
                log = world_take_log();
                whole = strstr(log, "command mood happy at 6\n");
                parts = strstr(log, "command wave - at 12\n");
                assert_non_null(whole);
                assert_non_null(parts);
                assert_true(whole < parts);
        }
        assert_string_equal(avatar_mood(world.avatar), "happy");
}

static void test_avatar_cut_off(void **state)
{
        Conversation *c;
        Reply *r;

        c = begin(&r);
        fake_say(fake_last_ask(), "Hello [yolla:mo");
        assert_int_equal(conversation_cancel(c, 0, NULL), 0);
        world_settle();
        assert_string_equal(
                fake_store_message(conversation_number(c), 2)->content, "Hello [yolla:mo");
}

/* More than a reply may give are taken out as well, and not obeyed. */
static void test_avatar_limit(void **state)
{
        Conversation *c;
        Reply *r;

        c = begin(&r);
        for (unsigned i = 0; i < AVATAR_COMMANDS_MAX - 1; i++)
                fake_say(fake_last_ask(), "[yolla:wave]");
        fake_say(fake_last_ask(), "[yolla:mood sad][yolla:mood happy]x");
        fake_end(fake_last_ask(), REASON_STOP);
        assert_string_equal(avatar_mood(world.avatar), "sad");
        assert_string_equal(
                fake_store_message(conversation_number(c), conversation_head(c))->content, "x");
}

static void test_avatar_off(void **state)
{
        Conversation *c;
        Reply *r;

        conversations_set_avatar(world.cs, NULL);
        c = begin(&r);
        fake_say_bytes(fake_last_ask(), CHANNEL_REASONING, "[yolla:wave]", 12);
        fake_say(fake_last_ask(), "[yolla:wave]");
        fake_end(fake_last_ask(), REASON_STOP);
        assert_string_equal(fake_store_message(conversation_number(c), 2)->content, "[yolla:wave]");
        assert_string_equal(
                fake_store_message(conversation_number(c), 2)->reasoning, "[yolla:wave]");
}

/* ---- the limit ---- */

static void fill(EngineReply *e, size_t bytes)
{
        size_t piece = MIB(8);
        char *text = malloc(piece);

        assert_non_null(text);
        memset(text, 'x', piece);
        while (bytes > 0) {
                size_t n = MIN(bytes, piece);

                fake_say_bytes(e, CHANNEL_CONTENT, text, n);
                bytes -= n;
        }
        free(text);
}

static void test_limit(void **state)
{
        Conversation *c;
        Reply *r;

        /* Full to the brim. */
        c = begin(&r);
        fake_say_bytes(fake_last_ask(), CHANNEL_REASONING, "think", 5);
        fill(fake_last_ask(), REPLY_TEXT_MAX - 5);
        assert_true(fake_last_ask()->live);
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(fake_store_message(conversation_number(c), 2)->reason, REASON_STOP);

        /* One over: cut between two characters, the connection closed. */
        assert_int_equal(world_send(c, "More"), 0);
        fill(fake_last_ask(), REPLY_TEXT_MAX - 1);
        fake_say(fake_last_ask(), "é");
        assert_false(fake_last_ask()->live);
        assert_int_equal(fake_store_message(conversation_number(c), 4)->reason, REASON_LENGTH);
        assert_int_equal(
                fake_store_message(conversation_number(c), 4)->content_size, REPLY_TEXT_MAX - 1);
}

static void test_large_dispatch(void **state)
{
        Watcher w = { .leave_at_end = true };
        Reply *r;
        char *text = malloc(KIB(64));

        assert_non_null(text);
        memset(text, 'x', KIB(64));
        begin(&r);
        assert_int_equal(reply_watch(r, &ops, &w, &w.watch), 0);
        fake_say_bytes(fake_last_ask(), CHANNEL_CONTENT, text, KIB(64) - 1);
        assert_int_equal(w.texts, 1);
        /* Told in the middle of the dispatch, and not again after it. */
        fake_say_bytes(fake_last_ask(), CHANNEL_CONTENT, text, KIB(64));
        assert_int_equal(w.texts, 2);
        fake_end(fake_last_ask(), REASON_STOP);
        free(text);
}

/* ---- what comes before the question is durable ---- */

static char *letters(size_t size)
{
        char *text = malloc(size + 1);

        assert_non_null(text);
        for (size_t i = 0; i < size; i++)
                text[i] = "abcdefghijklmnopqrstuvw"[i % 23];
        text[size] = 0;
        return text;
}

/* The engine has said it, and nobody has seen it: what the store has to do waits. */
static Conversation *begin_held(Told *told, const char *text)
{
        Conversation *c = world_create();

        fake_store.hold_after = 1U << FAKE_GET_SYSTEM;
        assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ 0 }, told), 0);
        world_settle();
        fake_say_bytes(fake_last_ask(), CHANNEL_REASONING, "think", 5);
        fake_say_bytes(fake_last_ask(), CHANNEL_CONTENT, text, strlen(text));
        assert_null(conversation_live_reply(c));
        fake_store.hold_after = 0;
        fake_store_release();
        return c;
}

/* One turn of the loop; how much there is of the reply then. */
static size_t turn(Conversation *c)
{
        Reply *r;
        size_t n[_CHANNEL_MAX];

        assert_true(sd_event_run(world.event, 0) > 0);
        r = conversation_live_reply(c);
        if (!r)
                return 0;
        (void) reply_text(r, CHANNEL_CONTENT, &n[CHANNEL_CONTENT]);
        (void) reply_text(r, CHANNEL_REASONING, &n[CHANNEL_REASONING]);
        return n[CHANNEL_CONTENT] + n[CHANNEL_REASONING];
}

static void check_stored(const Conversation *c, EndReason reason, const char *text, size_t size)
{
        const StoreMessage *m = fake_store_message(conversation_number(c), conversation_head(c));

        assert_non_null(m);
        assert_int_equal(m->reason, reason);
        assert_string_equal(m->reasoning, "think");
        assert_int_equal(m->content_size, size);
        assert_memory_equal(m->content, text, size);
}

static void test_held_in_turns(void **state)
{
        _cleanup_free_ char *text = letters(3 * REPLY_HELD_TURN), *all = NULL;
        Told told = { 0 };
        size_t before = 0, n;
        Conversation *c = begin_held(&told, text);

        assert_true(asprintf(&all, "%sbehind", text) > 0);
        while ((n = turn(c)) == 0)
                ;
        assert_int_equal(n, REPLY_HELD_TURN);
        /* What comes while there is still some goes behind it, and the end, too. */
        fake_text_now(fake_last_ask(), "behind");
        fake_end_now(fake_last_ask(), REASON_STOP);
        for (; n > 0; n = turn(c)) {
                assert_in_range(n, before, before + REPLY_HELD_TURN);
                before = n;
        }
        world_settle();
        check_stored(c, REASON_STOP, all, strlen(all));
        told_clear(&told);
}

static void test_held_and_cancelled(void **state)
{
        _cleanup_free_ char *text = letters(3 * REPLY_HELD_TURN);
        Watcher w = { .leave_at_end = true };
        Told told = { 0 };
        Conversation *c = begin_held(&told, text);

        while (turn(c) == 0)
                ;
        assert_int_equal(reply_watch(conversation_live_reply(c), &ops, &w, &w.watch), 0);
        assert_int_equal(conversation_cancel(c, 0, NULL), 0);
        assert_int_equal(w.ends, 0);
        world_settle();
        assert_int_equal(w.ends, 1);
        /* What had come before is there, once. */
        check_stored(c, REASON_CANCELLED, text, 3 * REPLY_HELD_TURN);
        told_clear(&told);
}

/* Full to the brim, and one over. */
static void test_held_limit(void **state)
{
        for (size_t over = 0; over <= 1; over++) {
                _cleanup_free_ char *text = letters(REPLY_TEXT_MAX - 5 + over);
                Told told = { 0 };
                Conversation *c = begin_held(&told, text);

                world_settle();
                if (over == 0)
                        fake_end(fake_last_ask(), REASON_STOP);
                assert_false(fake_last_ask()->live);
                check_stored(c, over ? REASON_LENGTH : REASON_STOP, text, REPLY_TEXT_MAX - 5);
                told_clear(&told);
        }
}

/* Its engine had ended before: the end says that there was more. */
static void test_held_limit_ended(void **state)
{
        _cleanup_free_ char *text = letters(REPLY_TEXT_MAX - 4);
        Told told = { 0 };
        Conversation *c = begin_held(&told, text);

        fake_end_now(fake_last_ask(), REASON_STOP);
        world_settle();
        check_stored(c, REASON_LENGTH, text, REPLY_TEXT_MAX - 5);
        told_clear(&told);
}

/* ---- saving ---- */

/* Waits for the timer: there is nothing else that the loop could wait for. */
static void wait_for_save(void)
{
        unsigned before = fake_store.counts[FAKE_APPEND];

        while (fake_store.counts[FAKE_APPEND] == before)
                assert_true(sd_event_run(world.event, 3 * USEC_PER_SEC) > 0);
        world_settle();
}

static void test_saved_while_it_streams(void **state)
{
        uint64_t number;
        Conversation *c;
        Reply *r;

        c = begin(&r);
        number = conversation_number(c);
        fake_say(fake_last_ask(), "half ");
        fake_say_bytes(fake_last_ask(), CHANNEL_REASONING, "hm", 2);
        assert_int_equal(fake_store.counts[FAKE_APPEND], 0);
        wait_for_save();
        assert_int_equal(fake_store.counts[FAKE_APPEND], 2);
        assert_string_equal(fake_store_message(number, 2)->content, "half ");
        assert_string_equal(fake_store_message(number, 2)->reasoning, "hm");
        /* A live reply that gets nothing has no timer and no source that is pending. */
        assert_int_equal(sd_event_run(world.event, 1200 * USEC_PER_MSEC), 0);

        /* Killed: what was saved is there, and can be continued. */
        world_restart();
        c = conversations_find_number(world.cs, number);
        assert_string_equal(fake_store_message(number, 2)->content, "half ");
        told_clear(&world.told);
        assert_int_equal(conversation_continue(c, 2, world_told, &world.told, NULL), 0);
        world_settle();
        assert_int_equal(world.told.code, FAILURE_NONE);
        fake_say(fake_last_ask(), "and all");
        wait_for_save();
        assert_string_equal(fake_store_message(number, 2)->content, "half and all");
}

/* Much in a second is saved in several turns of the loop, cut between two characters. */
static void test_saved_in_parts(void **state)
{
        unsigned saved = 0;
        Conversation *c;
        Reply *r;

        c = begin(&r);
        fill(fake_last_ask(), MIB(1) - 1);
        fake_say(fake_last_ask(), "é");
        fill(fake_last_ask(), MIB(1) - 1);
        while (saved < 3) {
                assert_true(sd_event_run(world.event, 3 * USEC_PER_SEC) > 0);
                assert_in_range(fake_store.counts[FAKE_APPEND], saved, saved + 1);
                saved = fake_store.counts[FAKE_APPEND];
        }
        world_settle();
        assert_int_equal(fake_store_message(conversation_number(c), 2)->content_size, MIB(2));
        assert_int_equal(sd_event_run(world.event, 1200 * USEC_PER_MSEC), 0);
}

/* What found no space comes with what is saved after it: else a crash would take both. */
static void test_saved_after_failure(void **state)
{
        uint64_t number;
        Conversation *c;
        Reply *r;

        c = begin(&r);
        number = conversation_number(c);
        fake_say(fake_last_ask(), "one ");
        fake_say_bytes(fake_last_ask(), CHANNEL_REASONING, "hm", 2);
        fake_store.full = true;
        wait_for_save();
        assert_int_equal(fake_store.counts[FAKE_APPEND], 2);
        assert_string_equal(fake_store_message(number, 2)->content, "");
        /* Not until there is more of it. */
        assert_int_equal(sd_event_run(world.event, 1200 * USEC_PER_MSEC), 0);
        fake_store.full = false;
        fake_say(fake_last_ask(), "two");
        wait_for_save();
        assert_string_equal(fake_store_message(number, 2)->content, "one two");
        assert_string_equal(fake_store_message(number, 2)->reasoning, "hm");
}

/* One part after the other: they do not gather behind a disk that is slow. */
static void test_saved_one_after_the_other(void **state)
{
        Conversation *c;
        Reply *r;

        c = begin(&r);
        fake_say(fake_last_ask(), "one ");
        fake_store.held = true;
        assert_true(sd_event_run(world.event, 3 * USEC_PER_SEC) > 0);
        fake_say(fake_last_ask(), "two ");
        assert_true(sd_event_run(world.event, 3 * USEC_PER_SEC) > 0);
        assert_int_equal(fake_store_waiting(), 1);
        fake_store_release();
        while (fake_store.counts[FAKE_APPEND] < 2)
                assert_true(sd_event_run(world.event, 3 * USEC_PER_SEC) > 0);
        assert_string_equal(fake_store_message(conversation_number(c), 2)->content, "one two ");
}

/* ---- the end cannot be written ---- */

static void test_stuck(void **state)
{
        Watcher w = { .leave_at_end = true };
        _cleanup_free_ char *log = NULL;
        Conversation *c, *other;
        ReplyInfo info;
        Reply *r;

        other = world_create();
        c = begin(&r);
        assert_int_equal(reply_watch(r, &ops, &w, &w.watch), 0);
        fake_say(fake_last_ask(), "precious");
        fake_store.full = true;
        fake_end(fake_last_ask(), REASON_STOP);
        /* Whoever waits is told, and why. */
        assert_int_equal(w.ends, 1);
        assert_log("state streaming\ntext 2 to 8\nnotice A reply could not be stored\n"
                   "ended 2 failed\nstate idle\n");
        reply_get_info(r, &info);
        assert_int_equal(info.failure->code, FAILURE_STORE_FULL);
        assert_non_null(strstr(failure_message(info.failure), "kept in memory"));
        assert_int_equal(reply_state(r), REPLY_ENDED);
        assert_ptr_equal(conversation_find_reply(c, 2), r);
        assert_int_equal(conversations_live(world.cs), 1); /* a reason to stay */

        /* Still full: no success, no notice again. */
        assert_int_equal(world_send(c, "More"), 0);
        assert_int_equal(world.told.code, FAILURE_STORE_FULL);
        assert_log("");

        /* Space: any write brings it down. */
        fake_store.full = false;
        told_clear(&world.told);
        assert_int_equal(conversation_set_title(other, "x", world_done, &world.told, NULL), 0);
        world_settle();
        assert_int_equal(w.ends, 1);
        log = world_take_log();
        assert_non_null(strstr(log, "stored 2\n"));
        assert_null(strstr(log, "ended 2"));
        assert_string_equal(fake_store_message(conversation_number(c), 2)->content, "precious");
        assert_int_equal(fake_store_message(conversation_number(c), 2)->reason, REASON_STOP);
        assert_null(strstr(fake_store_message(conversation_number(c), 2)->metadata, "error"));
        assert_int_equal(conversations_live(world.cs), 0);
}

static void test_stuck_then_send(void **state)
{
        Conversation *c;
        Reply *r;

        c = begin(&r);
        fake_say(fake_last_ask(), "precious");
        fake_store.full = true;
        fake_end(fake_last_ask(), REASON_STOP);
        fake_store.full = false;
        assert_int_equal(world_send(c, "More"), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_string_equal(fake_last_ask()->prompt->messages[1].text, "precious");
        assert_string_equal(fake_last_ask()->prompt->messages[2].text, "More");
}

/* The end of another reply is a write that succeeds, too. */
static void test_stuck_until_another_ends(void **state)
{
        Conversation *c;
        Reply *r, *other;

        c = begin(&r);
        (void) begin(&other);
        fake_store.full = true;
        fake_end(fake_ask(0), REASON_STOP);
        fake_store.full = false;
        assert_int_equal(conversations_live(world.cs), 2);
        fake_end(fake_ask(1), REASON_STOP);
        assert_int_equal(fake_store_message(conversation_number(c), 2)->reason, REASON_STOP);
        assert_int_equal(conversations_live(world.cs), 0);
}

/* Who waits for it is not to wait for space. */
static void test_stuck_before_next(void **state)
{
        Conversation *c;
        Reply *r;

        c = begin(&r);
        assert_int_equal(world_send_with(c, "Next", &(SendOptions){ .queue = true }), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        fake_store.full = true;
        assert_int_equal(fake_engines.n_asks, 1);
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(fake_engines.n_asks, 2);
        fake_store.full = false;
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(fake_store_message(conversation_number(c), 2)->reason, REASON_STOP);
        assert_int_equal(fake_store_message(conversation_number(c), 4)->reason, REASON_STOP);
}

/* ---- cancel ---- */

static void test_cancel_phases(void **state)
{
        Conversation *c;
        Reply *r;
        Told told = { 0 };

        /* Nothing there: nothing to do. */
        c = world_create();
        assert_int_equal(conversation_cancel(c, 0, NULL), 0);
        assert_int_equal(conversation_cancel(c, 7, NULL), -ENOENT);

        /* Before it is durable: the question stays, with an empty reply. */
        assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ 0 }, &told), 0);
        assert_int_equal(conversation_cancel(c, 0, NULL), 0);
        world_settle();
        assert_int_equal(told.code, FAILURE_NONE);
        assert_int_equal(fake_engines.n_asks, 0);
        assert_int_equal(
                fake_store_message(conversation_number(c), told.reply)->reason, REASON_CANCELLED);

        /* Asked, not durable. */
        fake_store.hold_after = 1U << FAKE_GET_CONTEXT;
        assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ 0 }, &told), 0);
        world_settle();
        assert_true(fake_last_ask()->live);
        fake_say(fake_last_ask(), "early");
        assert_int_equal(conversation_cancel(c, 0, NULL), 0);
        assert_false(fake_last_ask()->live);
        fake_store_release();
        world_settle();
        assert_int_equal(told.code, FAILURE_NONE);
        assert_string_equal(
                fake_store_message(conversation_number(c), told.reply)->content, "early");

        /* Waiting for an engine, then streaming. */
        c = begin(&r);
        fake_place(fake_last_ask(), 3);
        assert_int_equal(conversations_waiting(world.cs), 1);
        assert_int_equal(conversation_cancel(c, reply_id(r), NULL), 0);
        assert_false(fake_last_ask()->live);
        world_settle();
        c = begin(&r);
        fake_say(fake_last_ask(), "some");
        assert_int_equal(conversation_cancel(c, reply_id(r), NULL), 0);
        assert_false(fake_last_ask()->live);
        assert_int_equal(conversation_cancel(c, reply_id(r), NULL), -ENOENT);
        world_settle();
        assert_string_equal(
                fake_store_message(conversation_number(c), conversation_head(c))->content, "some");
        told_clear(&told);
}

static void test_cancel_before_writing(void **state)
{
        Conversation *c = world_create();
        Told told = { 0 };

        assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ .token = "t" }, &told), 0);
        assert_int_equal(conversation_cancel(c, 0, NULL), 0);
        assert_false(told.called);
        world_settle();
        assert_true(told.called);
        assert_int_equal(told.code, FAILURE_CANCELLED);
        assert_int_equal(fake_store_count(conversation_number(c)), 0);
        told_clear(&told);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_once_a_dispatch),
                TEST(test_text_before_end),
                TEST(test_outlives_its_end),
                TEST(test_watches_leave),
                TEST(test_cancel_from_watch),
                TEST(test_avatar),
                TEST(test_avatar_cut_off),
                TEST(test_avatar_limit),
                TEST(test_avatar_off),
                TEST(test_limit),
                TEST(test_large_dispatch),
                TEST(test_held_in_turns),
                TEST(test_held_and_cancelled),
                TEST(test_held_limit),
                TEST(test_held_limit_ended),
                TEST(test_saved_while_it_streams),
                TEST(test_saved_in_parts),
                TEST(test_saved_after_failure),
                TEST(test_saved_one_after_the_other),
                TEST(test_stuck),
                TEST(test_stuck_then_send),
                TEST(test_stuck_until_another_ends),
                TEST(test_stuck_before_next),
                TEST(test_cancel_phases),
                TEST(test_cancel_before_writing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
