/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/conversation-fakes.h"
#include "tests/unit/fake-store-disk.h"

/* Everything that is done to conversations, in any order, while the store is slow, full or refuses:
 * what was answered is there at the end, once, nothing is live for ever, and memory says what the
 * disk says. A seed that fails is printed; CONDUCTOR_TEST_SEED begins with it. */

#define STEPS     120U
#define SEEDS     1000U
#define CALLS_MAX (2 * STEPS)

typedef struct Call {
        Told told;
        bool begun;
        unsigned life; /* of the service */
        uint64_t number;
} Call;

/* The clock on the wall, which somebody sets. */
static int64_t skew;

int clock_gettime(clockid_t id, struct timespec *ret)
{
        int r = (int) syscall(SYS_clock_gettime, id, ret);

        if (r >= 0 && id == CLOCK_REALTIME)
                ret->tv_sec += skew;
        return r;
}

static Call calls[CALLS_MAX];
static unsigned n_calls, life;
static uint64_t state, seed_now;
static uint64_t n_acknowledged, n_refused;

static unsigned draw(unsigned n)
{
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (unsigned) (state >> 32) % n;
}

static Call *call_new(Conversation *c)
{
        Call *call = &calls[n_calls++];

        assert_true(n_calls < CALLS_MAX);
        *call = (Call){ .life = life, .number = c ? conversation_number(c) : 0 };
        return call;
}

static Conversation *any_conversation(void)
{
        Conversation *c = NULL;

        for (unsigned n = draw(conversations_count(world.cs) + 1); n > 0; n--)
                c = conversations_next(world.cs, c);
        return c;
}

static uint64_t any_message(const Conversation *c)
{
        uint64_t ids[64], n = 0;

        for (size_t i = 0; i < fake_disk.n_rows && n < ELEMENTSOF(ids); i++)
                if (fake_disk.rows[i].number == conversation_number(c))
                        ids[n++] = fake_disk.rows[i].m.id;
        return n > 0 ? ids[draw(n)] : 4711;
}

static EngineReply *any_live(void)
{
        unsigned first = fake_engines.n_asks > 0 ? draw(fake_engines.n_asks) : 0;

        for (unsigned i = 0; i < fake_engines.n_asks; i++) {
                EngineReply *e = fake_ask((first + i) % fake_engines.n_asks);

                if (e->live)
                        return e;
        }
        return NULL;
}

static void begun(Call *call, int r)
{
        call->begun = r >= 0;
}

static void send(Conversation *c)
{
        static const char *const tokens[] = { NULL, NULL, "a", "b" };
        SendOptions o = { .queue = draw(2), .token = tokens[draw(ELEMENTSOF(tokens))] };
        Call *call = call_new(c);

        if (draw(4) == 0) {
                o.parent_given = true;
                o.parent = draw(2) ? any_message(c) : 0;
        }
        begun(call, conversation_send(c, "Hi", &o, world_told, &call->told, NULL));
}

static void ask_about(Conversation *c)
{
        uint64_t id = any_message(c);
        Call *call = call_new(c);
        Told *t = &call->told;

        switch (draw(3)) {
        case 0:
                begun(call, conversation_edit(c, id, "Ho", world_told, t, NULL));
                break;
        case 1:
                begun(call, conversation_regenerate(c, id, NULL, world_told, t, NULL));
                break;
        default:
                begun(call, conversation_continue(c, id, world_told, t, NULL));
        }
}

static void change(Conversation *c)
{
        Call *call = call_new(c);
        Told *t = &call->told;

        switch (draw(7)) {
        case 0:
                begun(call, conversation_set_title(c, draw(2) ? "T" : "", world_done, t, NULL));
                break;
        case 1:
                begun(call, conversation_set_archived(c, draw(2), world_done, t, NULL));
                break;
        case 2:
                begun(call, conversation_select_branch(c, any_message(c), world_done, t, NULL));
                break;
        case 3:
                begun(call, conversation_delete(c, world_done, t, NULL));
                break;
        case 4:
                begun(call, conversation_restore(c, world_done, t, NULL));
                break;
        case 5:
                begun(call, conversations_purge_deleted(world.cs, world_done, t, NULL));
                break;
        default:
                (void) conversation_cancel(c, draw(2) ? any_message(c) : 0, NULL);
                (void) conversation_mark_read(c);
        }
}

static void engine(void)
{
        static const EndReason reasons[] = { REASON_STOP, REASON_LENGTH, REASON_FAILED,
                REASON_INCOMPLETE };
        EngineReply *e;

        /* What is about to happen may be its end. */
        world_settle();
        e = any_live();
        if (!e)
                return;
        switch (draw(4)) {
        case 0:
                fake_say_bytes(e, CHANNEL_REASONING, "hm ", 3);
                break;
        case 1:
                fake_end(e, reasons[draw(ELEMENTSOF(reasons))]);
                break;
        case 2:
                fake_place(e, draw(3));
                break;
        default:
                fake_say(e, "word ");
        }
}

/* Not while something is on its way to what is lost: the disk refuses no such thing, it fails. */
static void damage(void)
{
        const Conversation *c = any_conversation();

        if (!c || conversation_private(c) || fake_store.held || fake_store_waiting() > 0)
                return;
        fake_store_lose(conversation_number(c));
        fake_store_salvage();
}

static void disk(void)
{
        switch (draw(8)) {
        case 6:
                damage();
                break;
        case 7:
                skew = draw(3) ? (int64_t) draw(100000) - 50000 : 0;
                break;
        case 0:
                fake_store.full = !fake_store.full;
                break;
        case 1:
                fake_store.held = true;
                break;
        case 2:
                fake_store.hold_after = 1U << draw(_FAKE_MAX);
                fake_store_release();
                break;
        case 3:
                fake_store.fail_mask = draw(2) ? 1U << draw(_FAKE_MAX) : 0;
                break;
        case 4:
                fake_store.refuse_mask = draw(2) ? 1U << draw(_FAKE_MAX) : 0;
                break;
        default:
                fake_store_release();
        }
}

static void step(void)
{
        Conversation *c = any_conversation();
        Call *call;

        switch (draw(16)) {
        case 0:
                call = call_new(NULL);
                begun(call,
                        conversations_create(world.cs,
                                &(ConversationOptions){ .private = !draw(5) }, world_done,
                                &call->told, NULL));
                break;
        case 1:
                conversations_set_trash_keep(world.cs, draw(2) ? 0 : 3600 * USEC_PER_SEC);
                break;
        case 2:
        case 3:
                disk();
                break;
        case 4:
        case 5:
        case 6:
        case 7:
                engine();
                break;
        case 8:
                if (draw(8) == 0) {
                        world_restart();
                        life++;
                }
                break;
        case 9:
        case 10:
                if (c)
                        change(c);
                break;
        case 11:
                if (c)
                        ask_about(c);
                break;
        default:
                if (c)
                        send(c);
        }
        if (draw(3) > 0)
                world_settle();
}

static void on_stopped(void *userdata)
{
        *(bool *) userdata = true;
}

/* It waits for nothing that does not come. */
static void stop(void)
{
        bool stopped = false;

        assert_int_equal(conversations_stop(world.cs, on_stopped, &stopped), 0);
        world_settle();
        assert_true(stopped);
        world_restart();
        life++;
}

/* All that is under way comes to its end. */
static void calm_down(void)
{
        EngineReply *e;

        fake_store.full = false;
        fake_store.fail_mask = fake_store.refuse_mask = fake_store.hold_after = 0;
        fake_store_release();
        if (draw(3) == 0)
                stop();
        world_settle();
        while ((e = any_live()))
                fake_end(e, REASON_STOP);
        /* What could not be stored is tried again with it. */
        (void) world_create();
        world_settle();
        while ((e = any_live()))
                fake_end(e, REASON_STOP);
}

static void check_calls(void)
{
        for (unsigned i = 0; i < n_calls; i++) {
                Call *call = &calls[i];
                const StoreMessage *m;

                if (call->life == life)
                        assert_int_equal(call->told.called, call->begun);
                if (!call->told.called || call->told.code != FAILURE_NONE) {
                        n_refused++;
                        continue;
                }
                n_acknowledged++;
                if (call->told.reply == 0 || !fake_find_thread(call->number))
                        continue;
                assert_non_null(fake_store_message(call->number, call->told.message));
                m = fake_store_message(call->number, call->told.reply);
                assert_non_null(m);
                assert_false(m->live);
        }
}

static void check_memory(void)
{
        size_t n = 0;

        assert_int_equal(conversations_live(world.cs) + conversations_waiting(world.cs), 0);
        assert_null(conversations_next_reply(world.cs, NULL));
        for (Conversation *c = NULL; (c = conversations_next(world.cs, c));) {
                const StoreConversation *s = fake_store_conversation(conversation_number(c));

                assert_non_null(s);
                n++;
                assert_string_equal(conversation_state(c), "idle");
                assert_int_equal(conversation_head(c), s->head);
                assert_int_equal(conversation_messages(c), s->messages);
                assert_int_equal(conversation_messages(c), fake_store_count(s->number));
                assert_int_equal(conversation_deleted(c), s->deleted);
                assert_int_equal(conversation_archived(c), s->archived);
        }
        assert_int_equal(n, fake_disk.n_threads);
}

static void test_any_order(void **unused)
{
        const char *seed = getenv("CONDUCTOR_TEST_SEED");
        uint64_t first = seed ? strtoull(seed, NULL, 10) : 1, n_steps = 0;

        for (uint64_t i = first; i < first + SEEDS; i++) {
                void *none = NULL;

                state = i * UINT64_C(0x9e3779b97f4a7c15) + 1;
                n_calls = life = 0;
                skew = 0;
                assert_int_equal(world_set_up(&none), 0);
                seed_now = i;
                (void) world_create();
                for (unsigned k = 0; k < STEPS; k++, n_steps++)
                        step();
                calm_down();
                check_calls();
                check_memory();
                for (unsigned k = 0; k < n_calls; k++)
                        told_clear(&calls[k].told);
                world_tear_down(&none);
        }
        printf("# tried | calls, replies and disks in any order, %u steps each | %" PRIu64
               " | %" PRIu64 " acknowledged calls there once, %" PRIu64
               " refused, 0 live for ever |\n",
                STEPS, n_steps / STEPS, n_acknowledged, n_refused);
}

static int tell_seed(void **unused)
{
        printf("# the last seed: %" PRIu64 "\n", seed_now);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_any_order, tell_seed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
