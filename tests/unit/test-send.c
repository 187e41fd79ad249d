/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conversation-fakes.h"

static StoreAttachment *new_attachments(size_t n, const char *name, size_t size)
{
        StoreAttachment *a = calloc(n, sizeof *a);

        assert_non_null(a);
        for (size_t i = 0; i < n; i++) {
                a[i] = (StoreAttachment){ strdup(name), strdup("text/plain"), calloc(1, size + 1),
                        size };
                assert_non_null(a[i].data);
        }
        return a;
}

/* ---- one exchange ---- */

static void test_exchange(void **state)
{
        Conversation *c = world_create();
        const StoreMessage *m;
        EngineReply *e;

        assert_int_equal(world_send(c, "What is up?"), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(world.told.message, 1);
        assert_int_equal(world.told.reply, 2);
        assert_log("message 1 below 0 user: What is up?\nstarted 2 below 1\nstate waiting\n");
        assert_int_equal(conversation_head(c), 2);
        assert_int_equal(conversation_messages(c), 2);
        assert_string_equal(conversation_state(c), "waiting");
        assert_int_equal(avatar_activity(world.avatar), AVATAR_THINKING);

        e = fake_last_ask();
        assert_string_equal(e->model, "");
        assert_int_equal(e->prompt->n_messages, 1);
        assert_string_equal(e->prompt->messages[0].text, "What is up?");
        assert_false(e->prompt->continues);

        fake_say(e, "Not");
        assert_int_equal(avatar_activity(world.avatar), AVATAR_TALKING);
        fake_say(e, " much.");
        assert_log("state streaming\ntext 2 to 3\ntext 2 to 9\n");
        fake_end(e, REASON_STOP);
        assert_log("title What is up?\nstate idle\nended 2 stop\n");
        assert_false(e->live);
        assert_int_equal(avatar_activity(world.avatar), AVATAR_IDLE);

        m = fake_store_message(conversation_number(c), 2);
        assert_string_equal(m->content, "Not much.");
        assert_int_equal(m->reason, REASON_STOP);
        assert_string_equal(m->metadata,
                "{\"model\":\"parrot\",\"engine\":\"fake\",\"elapsed_us\":1500,"
                "\"first_token_us\":500,\"tokens_in\":7,\"tokens_out\":3,\"context_used\":10,"
                "\"context_size\":4096,\"tokens_per_second\":2.500}");
        assert_string_equal(fake_store_conversation(conversation_number(c))->title, "What is up?");
        assert_int_equal(conversation_context_used(c), 10);
        assert_int_equal(conversation_context_size(c), 4096);
        assert_int_equal(conversation_unread(c), 1);
        assert_null(conversation_live_reply(c));
        assert_int_equal(conversations_live(world.cs), 0);
}

/* The engine is asked before the question is durable; nobody sees anything until it is. */
static void test_text_before_durable(void **state)
{
        Conversation *c = world_create();
        Told told = { 0 };
        EngineReply *e;

        assert_int_equal(world_send(c, "first"), 0);
        fake_end(fake_last_ask(), REASON_STOP);
        free(world_take_log());

        /* The context is read, then the store hangs. */
        fake_store.hold_after = 1U << FAKE_GET_CONTEXT;
        assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ 0 }, &told), 0);
        world_settle();
        assert_false(told.called);
        e = fake_last_ask();
        assert_int_equal(e->prompt->n_messages, 1); /* the empty reply is left out */
        assert_string_equal(e->prompt->messages[0].text, "first\n\nHi");
        fake_say(e, "[yolla:wave]early");
        fake_say_bytes(e, CHANNEL_REASONING, "hm", 2);
        fake_end(e, REASON_STOP);
        assert_log("");
        assert_null(conversation_live_reply(c));
        assert_null(conversation_find_reply(c, 4));

        fake_store_release();
        world_settle();
        assert_true(told.called);
        assert_log("message 3 below 2 user: Hi\nstarted 4 below 3\nstate waiting\n"
                   "state streaming\ncommand wave - at 0\ntext 4 to 5\nstate idle\nended 4 stop\n");
        assert_string_equal(fake_store_message(conversation_number(c), 4)->content, "early");
        assert_string_equal(fake_store_message(conversation_number(c), 4)->reasoning, "hm");
        told_clear(&told);
}

/* Of a long conversation nothing is read before the question is stored. */
static void test_long_conversation(void **state)
{
        Conversation *c = world_create();

        while (conversation_messages(c) <= STORE_CONTEXT_SHORT + 2) {
                uint64_t n = conversation_messages(c);
                unsigned asks = fake_engines.n_asks;
                Told told = { 0 };

                fake_store.hold_after = 1U << FAKE_ADD;
                assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ 0 }, &told), 0);
                world_settle();
                assert_true(told.called);
                assert_int_equal(fake_engines.n_asks, asks + (n <= STORE_CONTEXT_SHORT));
                fake_store_release();
                world_settle();
                assert_int_equal(fake_engines.n_asks, asks + 1);
                assert_int_equal(fake_last_ask()->prompt->n_messages, n + 1);
                fake_say(fake_last_ask(), "Yes.");
                fake_end(fake_last_ask(), REASON_STOP);
                told_clear(&told);
        }
}

static void test_commit_fails(void **state)
{
        Conversation *c = world_create();

        fake_store.full = true;
        assert_int_equal(world_send(c, "Hi"), 0);
        assert_int_equal(world.told.code, FAILURE_STORE_FULL);
        assert_int_equal(world.told.reply, 0);
        assert_int_equal(fake_engines.n_asks, 1);
        assert_false(fake_last_ask()->live);
        assert_log("");
        assert_int_equal(conversation_head(c), 0);
        assert_int_equal(conversation_messages(c), 0);
        assert_string_equal(conversation_state(c), "idle");
        assert_int_equal(conversations_live(world.cs) + conversations_waiting(world.cs), 0);

        /* Space again, same process. */
        fake_store.full = false;
        assert_int_equal(world_send(c, "Hi"), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(fake_store_count(conversation_number(c)), 2);
}

static void test_queueing_refused(void **state)
{
        static const FakeKind kinds[] = { FAKE_GET_SYSTEM, FAKE_ADD };
        Conversation *c = world_create();

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                fake_store.refuse_mask = 1U << kinds[i];
                assert_true(world_send(c, "Hi") < 0);
                assert_int_equal(world.told.code, FAILURE_NO_MEMORY);
                assert_string_equal(conversation_state(c), "idle");
                world_settle();
                assert_int_equal(fake_store_count(conversation_number(c)), 0);
                for (unsigned n = 0; n < fake_engines.n_asks; n++)
                        assert_false(fake_ask(n)->live);
        }
        fake_store.refuse_mask = 0;
        assert_int_equal(world_send(c, "Hi"), 0);
}

static void test_engine_refuses(void **state)
{
        Conversation *c = world_create();
        const StoreMessage *m;

        fake_engines.refuse = FAILURE_NO_SUCH_MODEL;
        assert_int_equal(world_send(c, "Hi"), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_log("message 1 below 0 user: Hi\nstarted 2 below 1\nstate waiting\n"
                   "title Hi\nstate idle\nended 2 failed\n");
        m = fake_store_message(conversation_number(c), 2);
        assert_int_equal(m->reason, REASON_FAILED);
        assert_non_null(strstr(m->metadata, "\"error\":\"NoSuchModel\""));
        assert_int_equal(avatar_activity(world.avatar), AVATAR_WORRIED);
        fake_engines.refuse = FAILURE_NONE;
        assert_int_equal(world_send(c, "Again"), 0);
        assert_int_equal(avatar_activity(world.avatar), AVATAR_THINKING);
}

static void test_context_cannot_be_read(void **state)
{
        Conversation *c = world_create();

        fake_store.fail_mask = 1U << FAKE_GET_SYSTEM;
        assert_int_equal(world_send(c, "Hi"), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(fake_engines.n_asks, 0);
        assert_int_equal(fake_store_message(conversation_number(c), 2)->reason, REASON_FAILED);
}

/* ---- what may be sent ---- */

static void refuse(Conversation *c, const char *text, const SendOptions *o, FailureCode code)
{
        assert_true(world_send_with(c, text, o) < 0);
        assert_int_equal(world.told.code, code);
        assert_int_equal(fake_store_count(conversation_number(c)), 0);
}

static void test_limits_of_text(void **state)
{
        Conversation *c = world_create();
        char *text = malloc(CONVERSATION_MESSAGE_MAX + 2);

        assert_non_null(text);
        memset(text, 'x', CONVERSATION_MESSAGE_MAX + 1);
        text[CONVERSATION_MESSAGE_MAX + 1] = 0;
        refuse(c, "", &(SendOptions){ 0 }, FAILURE_INVALID_ARGUMENT);
        refuse(c, "\xff", &(SendOptions){ 0 }, FAILURE_INVALID_ARGUMENT);
        refuse(c, text, &(SendOptions){ 0 }, FAILURE_TOO_LARGE);
        refuse(c, "x", &(SendOptions){ .model = "none/such" }, FAILURE_NO_SUCH_MODEL);
        text[CONVERSATION_MESSAGE_MAX] = 0;
        assert_int_equal(world_send(c, text), 0);
        assert_int_equal(fake_store_message(conversation_number(c), 1)->content_size,
                CONVERSATION_MESSAGE_MAX);
        free(text);
}

static void test_limits_of_attachments(void **state)
{
        Conversation *c = world_create();
        unsigned max = CONVERSATION_ATTACHMENTS_MAX;
        SendOptions o = { .n_attachments = max + 1 };

        o.attachments = new_attachments(max + 1, "a", 1);
        refuse(c, "x", &o, FAILURE_TOO_LARGE);
        o.n_attachments = 1;
        o.attachments = new_attachments(1, "a", 0);
        o.attachments[0].size = CONVERSATION_ATTACHMENT_MAX + 1;
        refuse(c, "x", &o, FAILURE_TOO_LARGE);
        o.attachments = new_attachments(1, "", 1);
        refuse(c, "x", &o, FAILURE_INVALID_ARGUMENT);
        o.attachments = new_attachments(1, "a\nb", 1);
        refuse(c, "x", &o, FAILURE_INVALID_ARGUMENT);

        o.n_attachments = max;
        o.attachments = new_attachments(max, "a", 1);
        assert_int_equal(world_send_with(c, "x", &o), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(fake_last_ask()->prompt->messages[0].n_attachments, max);
        fake_end(fake_last_ask(), REASON_STOP);
}

/* Attachments go with their message each time, also after a restart; words are not needed. */
static void test_attachments(void **state)
{
        Conversation *c = world_create();
        SendOptions o = { .attachments = new_attachments(1, "notes.txt", 5), .n_attachments = 1 };
        uint64_t number = conversation_number(c);
        const Prompt *p;

        assert_int_equal(world_send_with(c, "", &o), 0);
        p = fake_last_ask()->prompt;
        assert_int_equal(p->n_messages, 1);
        assert_int_equal(p->messages[0].n_attachments, 1);
        fake_say(fake_last_ask(), "Read.");
        fake_end(fake_last_ask(), REASON_STOP);
        assert_string_equal(conversation_title(c), "notes.txt");

        world_restart();
        c = conversations_find_number(world.cs, number);
        assert_int_equal(world_send(c, "More"), 0);
        p = fake_last_ask()->prompt;
        assert_int_equal(p->n_messages, 3);
        assert_string_equal(p->messages[0].attachments[0].name, "notes.txt");
        assert_int_equal(p->messages[0].attachments[0].size, 5);
        fake_end(fake_last_ask(), REASON_STOP);

        /* An edit keeps what was attached. */
        told_clear(&world.told);
        assert_int_equal(conversation_edit(c, 1, "Look", world_told, &world.told, NULL), 0);
        world_settle();
        assert_int_equal(world.told.code, FAILURE_NONE);
        p = fake_last_ask()->prompt;
        assert_int_equal(p->n_messages, 1);
        assert_string_equal(p->messages[0].text, "Look");
        assert_int_equal(p->messages[0].n_attachments, 1);
}

static void test_model_and_system(void **state)
{
        Conversation *c = world_create();

        told_clear(&world.told);
        assert_int_equal(conversation_set_system(c, "Be brief.", world_done, &world.told, NULL), 0);
        world_settle();
        told_clear(&world.told);
        assert_int_equal(conversation_set_model(c, "fake/owl", world_done, &world.told, NULL), 0);
        world_settle();
        assert_int_equal(world_send(c, "One"), 0);
        assert_string_equal(fake_last_ask()->model, "fake/owl");
        assert_string_equal(fake_last_ask()->prompt->system, "Be brief.");
        fake_say(fake_last_ask(), "1");
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(world_send_with(c, "Two", &(SendOptions){ .model = "fake/cat" }), 0);
        assert_string_equal(fake_last_ask()->model, "fake/cat");
        assert_string_equal(fake_last_ask()->prompt->system, "Be brief.");
        assert_int_equal(fake_last_ask()->prompt->n_messages, 3);
}

/* That the beginning is left out is told once a conversation and run. */
static void test_cut_told(void **state)
{
        static const struct {
                unsigned dropped;
                bool told_before;
        } table[] = { { 0, false }, { 2, false }, { 0, true }, { 4, true } };
        Conversation *c = world_create(), *other = world_create();

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                fake_engines.dropped = table[i].dropped;
                assert_int_equal(world_send(c, "Hi"), 0);
                assert_int_equal(fake_last_ask()->prompt->cut_told, table[i].told_before);
                fake_end(fake_last_ask(), REASON_STOP);
        }
        fake_engines.dropped = 0;
        assert_int_equal(world_send(other, "Hi"), 0);
        assert_false(fake_last_ask()->prompt->cut_told);
}

static void test_last_model(void **state)
{
        Conversation *c = world_create();

        assert_int_equal(world_send(c, "One"), 0);
        fake_place(fake_last_ask(), 0);
        assert_string_equal(fake_engines.last_model, "fake/parrot");
        assert_string_equal(fake_store.last_model, "fake/parrot");
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(world_send(c, "Two"), 0);
        fake_place(fake_last_ask(), 0);
        assert_int_equal(fake_store.counts[FAKE_SETTING], 1);
}

/* ---- busy, queue, token ---- */

static void test_busy(void **state)
{
        Conversation *c = world_create();

        assert_int_equal(world_send(c, "One"), 0);
        assert_true(world_send(c, "Two") < 0);
        assert_int_equal(world.told.code, FAILURE_BUSY);
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(world_send(c, "Two"), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
}

static void test_busy_before_durable(void **state)
{
        Conversation *c = world_create();
        Told one = { 0 }, two = { 0 };

        assert_int_equal(world_start_send(c, "One", &(SendOptions){ 0 }, &one), 0);
        assert_true(world_start_send(c, "Two", &(SendOptions){ 0 }, &two) < 0);
        assert_int_equal(two.code, FAILURE_BUSY);
        world_settle();
        assert_int_equal(one.reply, 2);
        told_clear(&one);
        told_clear(&two);
}

static void test_queue(void **state)
{
        Conversation *c = world_create();
        Told told[3] = { 0 };

        /* All at once: they become durable in order, each below the one before. */
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(world_start_send(c,
                                         i == 0           ? "A"
                                                 : i == 1 ? "B"
                                                          : "C",
                                         &(SendOptions){ .queue = true }, &told[i]),
                        0);
        world_settle();
        for (unsigned i = 0; i < 3; i++) {
                assert_true(told[i].called);
                assert_int_equal(told[i].code, FAILURE_NONE);
                assert_int_equal(told[i].message, 2 * i + 1);
                assert_int_equal(
                        fake_store_message(conversation_number(c), 2 * i + 1)->parent, 2 * i);
                told_clear(&told[i]);
        }
        assert_int_equal(fake_engines.n_asks, 1);
        assert_int_equal(conversations_live(world.cs), 1);
        assert_int_equal(conversations_waiting(world.cs), 2);

        fake_say(fake_last_ask(), "a");
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(fake_engines.n_asks, 2);
        assert_int_equal(fake_last_ask()->prompt->n_messages, 3);
        assert_string_equal(fake_last_ask()->prompt->messages[1].text, "a");
        assert_string_equal(fake_last_ask()->prompt->messages[2].text, "B");
        assert_int_equal(conversation_cancel(c, 4, NULL), 0);
        world_settle();
        assert_int_equal(fake_engines.n_asks, 3);
        fake_end(fake_last_ask(), REASON_FAILED);
        assert_int_equal(fake_store_message(conversation_number(c), 4)->reason, REASON_CANCELLED);
        assert_int_equal(fake_store_message(conversation_number(c), 6)->reason, REASON_FAILED);
        assert_string_equal(conversation_state(c), "idle");
}

static void test_token(void **state)
{
        Conversation *c = world_create();
        Told one = { 0 }, two = { 0 };
        const SendOptions o = { .token = "t1" };
        uint64_t number = conversation_number(c);

        /* Again while the first is being written. */
        assert_int_equal(world_start_send(c, "Hi", &o, &one), 0);
        assert_int_equal(world_start_send(c, "Hi", &o, &two), 0);
        world_settle();
        assert_int_equal(one.reply, 2);
        assert_int_equal(two.message, 1);
        assert_int_equal(two.reply, 2);
        /* While the reply lives: no Busy. */
        assert_int_equal(world_send_with(c, "Hi", &o), 0);
        assert_int_equal(world.told.reply, 2);
        /* Another one is. */
        assert_int_equal(world_send_with(c, "Hi", &(SendOptions){ .token = "t2" }), 0);
        assert_int_equal(world.told.code, FAILURE_BUSY);
        fake_end(fake_last_ask(), REASON_STOP);
        /* After a restart. */
        world_restart();
        c = conversations_find_number(world.cs, number);
        assert_int_equal(world_send_with(c, "Hi", &o), 0);
        assert_int_equal(world.told.message, 1);
        assert_int_equal(world.told.reply, 2);
        assert_int_equal(fake_store_count(number), 2);
        assert_int_equal(fake_engines.n_asks, 0);
        told_clear(&one);
        told_clear(&two);
}

/* Who stands in line behind a repetition, which stores nothing, has a turn all the same. */
static void test_behind_token(void **state)
{
        Conversation *c = world_create();
        Told told[3] = { 0 };

        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(
                        world_start_send(c, i == 2 ? "Next" : "Hi",
                                &(SendOptions){ .token = i == 2 ? NULL : "t", .queue = i == 2 },
                                &told[i]),
                        0);
        world_settle();
        for (unsigned i = 0; i < 3; i++) {
                assert_true(told[i].called);
                assert_int_equal(told[i].code, FAILURE_NONE);
                assert_int_equal(told[i].reply, i == 2 ? 4 : 2);
                told_clear(&told[i]);
        }
}

/* The first failed: the second is no repetition. */
static void test_token_after_failure(void **state)
{
        Conversation *c = world_create();
        const SendOptions o = { .token = "t" };

        fake_store.full = true;
        assert_int_equal(world_send_with(c, "Hi", &o), 0);
        assert_int_equal(world.told.code, FAILURE_STORE_FULL);
        fake_store.full = false;
        assert_int_equal(world_send_with(c, "Hi", &o), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(fake_store_count(conversation_number(c)), 2);
}

/* ---- limits of replies ---- */

static void test_limit_live(void **state)
{
        for (unsigned i = 0; i < REPLIES_LIVE_MAX; i++) {
                assert_int_equal(world_send(world_create(), "Hi"), 0);
                assert_int_equal(world.told.code, FAILURE_NONE);
        }
        assert_int_equal(conversations_live(world.cs), REPLIES_LIVE_MAX);
        assert_true(world_send(world_create(), "Hi") < 0);
        assert_int_equal(world.told.code, FAILURE_BUSY);
        assert_non_null(strstr(world.told.sentence, "256"));
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(world_send(world_create(), "Hi"), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
}

static void test_limit_waiting(void **state)
{
        Conversation *c = world_create();
        const SendOptions o = { .queue = true };

        for (unsigned i = 0; i <= REPLIES_WAITING_MAX; i++) {
                assert_int_equal(world_send_with(c, "Hi", &o), 0);
                assert_int_equal(world.told.code, FAILURE_NONE);
        }
        assert_int_equal(conversations_waiting(world.cs), REPLIES_WAITING_MAX);
        assert_true(world_send_with(c, "Hi", &o) < 0);
        assert_int_equal(world.told.code, FAILURE_BUSY);
        assert_non_null(strstr(world.told.sentence, "1024"));
}

/* ---- branches ---- */

static void exchange(Conversation *c, const char *question, const char *answer)
{
        assert_int_equal(world_send(c, question), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        fake_say(fake_last_ask(), answer);
        fake_end(fake_last_ask(), REASON_STOP);
}

static void test_parent(void **state)
{
        Conversation *c = world_create(), *other = world_create();

        exchange(c, "A", "a");
        exchange(c, "B", "b");
        exchange(other, "X", "x"); /* 5, 6 */
        assert_int_equal(
                world_send_with(c, "C", &(SendOptions){ .parent = 2, .parent_given = true }), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(fake_last_ask()->prompt->n_messages, 3);
        assert_string_equal(fake_last_ask()->prompt->messages[2].text, "C");
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(
                world_send_with(c, "R", &(SendOptions){ .parent = 0, .parent_given = true }), 0);
        assert_int_equal(fake_last_ask()->prompt->n_messages, 1);
        fake_end(fake_last_ask(), REASON_STOP);
        /* Of another conversation, and of none. */
        for (uint64_t parent = 6; parent < 1000; parent += 900) {
                assert_int_equal(world_send_with(c, "C",
                                         &(SendOptions){ .parent = parent, .parent_given = true }),
                        0);
                assert_int_equal(world.told.code, FAILURE_NO_SUCH_MESSAGE);
        }
}

static int call(int (*f)(Conversation *, uint64_t, send_done_t, void *, Failure *), Conversation *c,
        uint64_t id)
{
        int r;

        told_clear(&world.told);
        r = f(c, id, world_told, &world.told, NULL);
        world_settle();
        return r;
}

static int regenerate(
        Conversation *c, uint64_t id, send_done_t done, void *userdata, Failure *failure)
{
        return conversation_regenerate(c, id, NULL, done, userdata, failure);
}

static int edit(Conversation *c, uint64_t id, send_done_t done, void *userdata, Failure *failure)
{
        return conversation_edit(c, id, "edited", done, userdata, failure);
}

static void test_regenerate_and_edit(void **state)
{
        Conversation *c = world_create();
        uint64_t number = conversation_number(c);

        exchange(c, "A", "a");
        assert_int_equal(call(regenerate, c, 2), 0);
        assert_int_equal(world.told.message, 1);
        assert_int_equal(world.told.reply, 3);
        assert_int_equal(fake_store_message(number, 3)->parent, 1);
        assert_int_equal(fake_last_ask()->prompt->n_messages, 1);
        fake_say(fake_last_ask(), "again");
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(conversation_head(c), 3);
        assert_int_equal(conversation_messages(c), 3);

        assert_int_equal(call(edit, c, 1), 0);
        assert_int_equal(world.told.message, 4);
        assert_int_equal(world.told.reply, 5);
        assert_int_equal(fake_store_message(number, 4)->parent, 0);
        assert_string_equal(fake_last_ask()->prompt->messages[0].text, "edited");
        fake_end(fake_last_ask(), REASON_STOP);

        assert_int_equal(call(regenerate, c, 1), 0);
        assert_int_equal(world.told.code, FAILURE_INVALID_ARGUMENT);
        assert_int_equal(call(edit, c, 2), 0);
        assert_int_equal(world.told.code, FAILURE_INVALID_ARGUMENT);
        assert_int_equal(call(edit, c, 77), 0);
        assert_int_equal(world.told.code, FAILURE_NO_SUCH_MESSAGE);
        assert_true(conversation_edit(c, 1, "", world_told, &world.told, NULL) < 0);

        told_clear(&world.told);
        assert_int_equal(conversation_select_branch(c, 2, world_done, &world.told, NULL), 0);
        world_settle();
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(conversation_head(c), 2);
        assert_int_equal(fake_store_conversation(number)->head, 2);
        told_clear(&world.told);
        assert_int_equal(conversation_select_branch(c, 99, world_done, &world.told, NULL), 0);
        world_settle();
        assert_int_equal(world.told.code, FAILURE_NO_SUCH_MESSAGE);
}

/* It builds on what was chosen before it, also where that is not on the disk yet; and where the
 * choice comes to nothing, on what was there. */
static void test_sent_behind_a_choice(void **state)
{
        Conversation *c = world_create();
        uint64_t number = conversation_number(c);
        Told chosen[3] = { 0 };

        assert_int_equal(world_send(c, "A"), 0);
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(call(regenerate, c, 2), 0);
        fake_end(fake_last_ask(), REASON_STOP);
        assert_int_equal(conversation_head(c), 3);

        told_clear(&world.told);
        fake_store.held = true;
        assert_int_equal(conversation_select_branch(c, 2, world_done, chosen + 0, NULL), 0);
        assert_int_equal(world_start_send(c, "B", &(SendOptions){ 0 }, &world.told), 0);
        fake_store_release();
        world_settle();
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(fake_store_message(number, 4)->parent, 2);
        fake_end(fake_last_ask(), REASON_STOP);

        told_clear(&world.told);
        fake_store.held = true;
        assert_int_equal(conversation_set_model(c, "fake/owl", world_done, chosen + 1, NULL), 0);
        assert_int_equal(world_start_send(c, "C", &(SendOptions){ 0 }, &world.told), 0);
        fake_store_release();
        world_settle();
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_string_equal(fake_last_ask()->model, "fake/owl");
        fake_end(fake_last_ask(), REASON_STOP);

        told_clear(&world.told);
        fake_store.held = true;
        assert_int_equal(conversation_select_branch(c, 99, world_done, chosen + 2, NULL), 0);
        assert_int_equal(world_start_send(c, "D", &(SendOptions){ 0 }, &world.told), 0);
        fake_store_release();
        world_settle();
        assert_int_equal(chosen[2].code, FAILURE_NO_SUCH_MESSAGE);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(fake_store_message(number, 8)->parent, 7);
        for (size_t i = 0; i < ELEMENTSOF(chosen); i++)
                told_clear(chosen + i);
}

static int go_on(Conversation *c, uint64_t id, send_done_t done, void *userdata, Failure *failure)
{
        return conversation_continue(c, id, done, userdata, failure);
}

/* While the message is looked up that it builds on. */
static void test_cancelled_while_looked_up(void **state)
{
        static const struct {
                int (*f)(Conversation *, uint64_t, send_done_t, void *, Failure *);
                uint64_t id;
        } table[] = { { edit, 1 }, { regenerate, 2 }, { go_on, 2 } };
        Conversation *c = world_create();

        assert_int_equal(world_send(c, "A"), 0);
        fake_end(fake_last_ask(), REASON_LENGTH);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                told_clear(&world.told);
                fake_store.held = true;
                assert_int_equal(table[i].f(c, table[i].id, world_told, &world.told, NULL), 0);
                assert_int_equal(conversation_cancel(c, 0, NULL), 0);
                fake_store_release();
                world_settle();
                assert_true(world.told.called);
                assert_int_equal(world.told.code, FAILURE_CANCELLED);
                assert_int_equal(fake_store_count(conversation_number(c)), 2);
                assert_int_equal(fake_engines.n_asks, 1);
        }
}

/* ---- continue ---- */

static void test_continue(void **state)
{
        Conversation *c = world_create();
        uint64_t number = conversation_number(c);
        const StoreMessage *m;
        size_t size;

        assert_int_equal(world_send(c, "A"), 0);
        fake_say_bytes(fake_last_ask(), CHANNEL_REASONING, "think", 5);
        fake_say(fake_last_ask(), "Once upon");
        fake_end(fake_last_ask(), REASON_LENGTH);
        free(world_take_log());

        assert_int_equal(call(conversation_continue, c, 2), 0);
        assert_int_equal(world.told.reply, 2);
        assert_int_equal(world.told.message, 1);
        assert_true(fake_last_ask()->prompt->continues);
        assert_int_equal(fake_last_ask()->prompt->n_messages, 2);
        assert_string_equal(fake_last_ask()->prompt->messages[1].text, "Once upon");
        assert_true(fake_store_message(number, 2)->live);
        (void) reply_text(conversation_live_reply(c), CHANNEL_CONTENT, &size);
        assert_int_equal(size, 9);
        assert_true(reply_state(conversation_live_reply(c)) == REPLY_WAITING);
        fake_say(fake_last_ask(), " a time");
        fake_end(fake_last_ask(), REASON_STOP);
        assert_log("started 2 below 1\nstate waiting\nstate streaming\ntext 2 to 16\n"
                   "state idle\nended 2 stop\n");
        m = fake_store_message(number, 2);
        assert_string_equal(m->content, "Once upon a time");
        assert_string_equal(m->reasoning, "think");
        assert_int_equal(conversation_messages(c), 2);

        /* Complete now; a question cannot be continued. */
        assert_int_equal(call(conversation_continue, c, 2), 0);
        assert_int_equal(world.told.code, FAILURE_INVALID_ARGUMENT);
        assert_int_equal(call(conversation_continue, c, 1), 0);
        assert_int_equal(world.told.code, FAILURE_INVALID_ARGUMENT);
}

static void test_continue_reasons(void **state)
{
        static const EndReason reasons[] = { REASON_LENGTH, REASON_CANCELLED, REASON_INTERRUPTED,
                REASON_INCOMPLETE, REASON_FAILED };

        for (size_t i = 0; i < ELEMENTSOF(reasons); i++) {
                Conversation *c = world_create();
                uint64_t reply;

                assert_int_equal(world_send(c, "A"), 0);
                reply = world.told.reply;
                fake_end(fake_last_ask(), reasons[i]);
                assert_int_equal(call(conversation_continue, c, reply), 0);
                assert_int_equal(world.told.code, FAILURE_NONE);
                /* Nothing to go on with: the question is just asked again. */
                assert_false(fake_last_ask()->prompt->continues);
                fake_end(fake_last_ask(), REASON_STOP);
        }
}

static void test_continue_fails(void **state)
{
        Conversation *c = world_create();

        assert_int_equal(world_send(c, "A"), 0);
        fake_say(fake_last_ask(), "Once");
        fake_end(fake_last_ask(), REASON_INCOMPLETE);
        fake_store.full = true;
        assert_int_equal(call(conversation_continue, c, 2), 0);
        assert_int_equal(world.told.code, FAILURE_STORE_FULL);
        assert_false(fake_last_ask()->live);
        assert_int_equal(fake_store_message(conversation_number(c), 2)->reason, REASON_INCOMPLETE);
        fake_store.full = false;
        assert_int_equal(call(conversation_continue, c, 2), 0);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(call(conversation_continue, c, 2), -EBUSY);
}

/* ---- set aside, stopping ---- */

static void test_deleted(void **state)
{
        Conversation *c = world_create();

        told_clear(&world.told);
        assert_int_equal(conversation_delete(c, world_done, &world.told, NULL), 0);
        world_settle();
        assert_true(world_send(c, "Hi") < 0);
        assert_int_equal(world.told.code, FAILURE_NO_SUCH_CONVERSATION);
        assert_non_null(strstr(world.told.sentence, "conductor restore "));
}

/* It goes in line before what sets it aside is stored. */
static void test_sent_while_set_aside(void **state)
{
        Conversation *c = world_create();
        Told deleted = { 0 };

        told_clear(&world.told);
        fake_store.held = true;
        assert_int_equal(conversation_delete(c, world_done, &deleted, NULL), 0);
        assert_int_equal(world_start_send(c, "Hi", &(SendOptions){ 0 }, &world.told), 0);
        fake_store_release();
        world_settle();
        assert_true(deleted.called && world.told.called);
        assert_int_equal(deleted.code, FAILURE_NONE);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_int_equal(fake_store_message(conversation_number(c), 2)->reason, REASON_CANCELLED);
        assert_int_equal(conversations_live(world.cs), 0);
        told_clear(&deleted);
}

/* What is stored of a conversation is what a person called it, or its first question. */
static void test_title_is_kept(void **state)
{
        static const char *const titles[] = { "A", "A", "Mine" };
        Conversation *c = world_create();
        uint64_t number = conversation_number(c);

        for (size_t i = 0; i < ELEMENTSOF(titles); i++) {
                if (i == 2) {
                        told_clear(&world.told);
                        assert_int_equal(
                                conversation_set_title(c, "Mine", world_done, &world.told, NULL),
                                0);
                        world_settle();
                }
                exchange(c, i == 0 ? "A" : "B", "answer");
                assert_string_equal(conversation_title(c), titles[i]);
                assert_string_equal(fake_store_conversation(number)->title, titles[i]);
        }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_exchange),
                TEST(test_text_before_durable),
                TEST(test_long_conversation),
                TEST(test_commit_fails),
                TEST(test_queueing_refused),
                TEST(test_engine_refuses),
                TEST(test_context_cannot_be_read),
                TEST(test_limits_of_text),
                TEST(test_limits_of_attachments),
                TEST(test_attachments),
                TEST(test_model_and_system),
                TEST(test_cut_told),
                TEST(test_last_model),
                TEST(test_busy),
                TEST(test_busy_before_durable),
                TEST(test_queue),
                TEST(test_token),
                TEST(test_behind_token),
                TEST(test_token_after_failure),
                TEST(test_limit_live),
                TEST(test_limit_waiting),
                TEST(test_parent),
                TEST(test_regenerate_and_edit),
                TEST(test_sent_behind_a_choice),
                TEST(test_cancelled_while_looked_up),
                TEST(test_continue),
                TEST(test_continue_reasons),
                TEST(test_continue_fails),
                TEST(test_deleted),
                TEST(test_sent_while_set_aside),
                TEST(test_title_is_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
