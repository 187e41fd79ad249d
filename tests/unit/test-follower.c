/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "service/conversation/follower.h"

/* ---- a reply of the test's own: the text, and who watches ---- */

#define WATCHES_MAX 4

struct ReplyWatch {
        Reply *reply;
        const ReplyWatchOps *ops;
        void *userdata;
};

struct Reply {
        uint64_t id;
        ReplyState state;
        Buffer text[_CHANNEL_MAX];
        ReplyWatch *watches[WATCHES_MAX];
};

uint64_t reply_id(const Reply *r)
{
        return r->id;
}

ReplyState reply_state(const Reply *r)
{
        return r->state;
}

const char *reply_text(const Reply *r, Channel c, size_t *ret_size)
{
        *ret_size = r->text[c].size;
        return buffer_text(&r->text[c]);
}

int reply_watch(Reply *r, const ReplyWatchOps *ops, void *userdata, ReplyWatch **ret)
{
        ReplyWatch *w = calloc(1, sizeof *w);

        assert_non_null(w);
        *w = (ReplyWatch){ r, ops, userdata };
        for (size_t i = 0; i < WATCHES_MAX; i++)
                if (!r->watches[i]) {
                        *ret = r->watches[i] = w;
                        return 0;
                }
        free(w);
        return -ENOBUFS;
}

ReplyWatch *reply_watch_free(ReplyWatch *w)
{
        if (!w)
                return NULL;
        for (size_t i = 0; i < WATCHES_MAX; i++)
                if (w->reply->watches[i] == w)
                        w->reply->watches[i] = NULL;
        free(w);
        return NULL;
}

static unsigned n_watches(const Reply *r)
{
        unsigned n = 0;

        for (size_t i = 0; i < WATCHES_MAX; i++)
                n += r->watches[i] != NULL;
        return n;
}

static void reply_init(Reply *r, uint64_t id)
{
        *r = (Reply){ .id = id, .state = REPLY_STREAMING };
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                r->text[c] = BUFFER_INIT(REPLY_TEXT_MAX);
}

static void reply_done(Reply *r)
{
        assert_int_equal(n_watches(r), 0);
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                buffer_done(&r->text[c]);
}

static void add_text(Reply *r, Channel c, const char *text, size_t size)
{
        assert_int_equal(buffer_append(&r->text[c], text, size), 0);
}

static void tell_text(Reply *r)
{
        for (size_t i = 0; i < WATCHES_MAX; i++)
                if (r->watches[i])
                        r->watches[i]->ops->text(r, r->watches[i]->userdata);
}

static void say(Reply *r, const char *text)
{
        add_text(r, CHANNEL_CONTENT, text, strlen(text));
        tell_text(r);
}

static void say_bytes(Reply *r, size_t n)
{
        char *text = malloc(n);

        assert_non_null(text);
        memset(text, 'x', n);
        add_text(r, CHANNEL_CONTENT, text, n);
        tell_text(r);
        free(text);
}

static void end(Reply *r)
{
        r->state = REPLY_ENDED;
        for (size_t i = 0; i < WATCHES_MAX; i++)
                if (r->watches[i])
                        r->watches[i]->ops->ended(r, r->watches[i]->userdata);
}

/* ---- a client that keeps what it got ---- */

typedef struct Client {
        Buffer text[_CHANNEL_MAX];
        uint64_t sequence; /* of the last */
        uint64_t end;      /* its sequence, 0 = none yet */
        uint64_t dropped;  /* the reply */
        size_t last_size, largest;
        unsigned n_stalled;
        bool refuse;
} Client;

static int on_delta(const FollowerDelta *d, void *userdata)
{
        Client *c = userdata;

        if (c->refuse)
                return -ENOBUFS;
        assert_int_equal(d->sequence, c->sequence + 1);
        assert_int_equal(d->offset, c->text[d->channel].size);
        assert_true(d->size > 0);
        assert_int_equal(c->end, 0);
        /* never a part of a character */
        assert_true(((unsigned char) d->text[0] & 0xC0) != 0x80);
        c->sequence = d->sequence;
        c->last_size = d->size;
        c->largest = MAX(c->largest, d->size);
        assert_int_equal(buffer_append(&c->text[d->channel], d->text, d->size), 0);
        return 0;
}

static int on_end(Reply *r, uint64_t sequence, void *userdata)
{
        Client *c = userdata;

        if (c->refuse)
                return -ENOBUFS;
        assert_int_equal(sequence, c->sequence + 1);
        c->sequence = c->end = sequence;
        return 0;
}

static int on_dropped(uint64_t reply, void *userdata)
{
        Client *c = userdata;

        c->dropped = reply;
        return 0;
}

static void on_stalled(Reply *r, uint64_t sequence, void *userdata)
{
        Client *c = userdata;

        assert_int_equal(sequence, c->sequence);
        c->n_stalled++;
}

static const FollowerSink sink = { on_delta, on_end, on_dropped, on_stalled };

static void client_init(Client *c)
{
        *c = (Client){ 0 };
        for (Channel i = 0; i < _CHANNEL_MAX; i++)
                c->text[i] = BUFFER_INIT(REPLY_TEXT_MAX);
}

static void client_done(Client *c)
{
        for (Channel i = 0; i < _CHANNEL_MAX; i++)
                buffer_done(&c->text[i]);
}

static void assert_has_all(const Client *c, const Reply *r)
{
        for (Channel i = 0; i < _CHANNEL_MAX; i++) {
                assert_int_equal(c->text[i].size, r->text[i].size);
                assert_memory_equal(
                        buffer_text(&c->text[i]), buffer_text(&r->text[i]), r->text[i].size);
        }
}

/* ---- one reply, one follower ---- */

typedef struct Fixture {
        sd_event *event;
        Reply reply;
        Client client;
        Follower *follower;
} Fixture;

static const uint64_t beginning[_CHANNEL_MAX] = { 0 };

static void fixture_init(Fixture *f, usec_t patience)
{
        assert_int_equal(sd_event_new(&f->event), 0);
        reply_init(&f->reply, 7);
        client_init(&f->client);
        assert_int_equal(follower_new(&f->follower, f->event, &sink, &f->client, patience), 0);
        assert_int_equal(follower_add(f->follower, &f->reply, beginning), 0);
}

static void fixture_done(Fixture *f)
{
        follower_free(f->follower);
        client_done(&f->client);
        reply_done(&f->reply);
        sd_event_unref(f->event);
}

static void test_text_goes_at_once(void **state)
{
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        say(&f.reply, "Hello");
        assert_int_equal(f.client.sequence, 1);
        say(&f.reply, ", world");
        assert_int_equal(f.client.sequence, 2);
        add_text(&f.reply, CHANNEL_REASONING, "hm", 2);
        add_text(&f.reply, CHANNEL_CONTENT, "!", 1);
        tell_text(&f.reply);
        assert_int_equal(f.client.sequence, 4);
        tell_text(&f.reply); /* nothing new */
        assert_int_equal(f.client.sequence, 4);
        assert_has_all(&f.client, &f.reply);
        assert_int_equal(f.client.n_stalled, 0);
        fixture_done(&f);
}

static void test_window_of_deltas(void **state)
{
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        for (unsigned i = 0; i < FOLLOWER_WINDOW; i++)
                say(&f.reply, "a");
        assert_int_equal(f.client.sequence, FOLLOWER_WINDOW);
        assert_int_equal(f.client.n_stalled, 0); /* full, but nothing waits */
        for (unsigned i = 0; i < 10; i++)
                say(&f.reply, "b");
        assert_int_equal(f.client.sequence, FOLLOWER_WINDOW);
        assert_int_equal(f.client.n_stalled, 1);

        /* What has gathered comes as one. */
        follower_ack(f.follower, 7, 1);
        assert_int_equal(f.client.sequence, FOLLOWER_WINDOW + 1);
        assert_int_equal(f.client.last_size, 10);
        say(&f.reply, "c");
        assert_int_equal(f.client.sequence, FOLLOWER_WINDOW + 1);
        follower_ack(f.follower, 7, FOLLOWER_WINDOW + 1);
        assert_int_equal(f.client.sequence, FOLLOWER_WINDOW + 2);
        assert_int_equal(f.client.n_stalled, 1); /* told once */
        assert_has_all(&f.client, &f.reply);
        fixture_done(&f);
}

static void test_delta_size(void **state)
{
        static const struct {
                size_t bytes;
                unsigned deltas;
        } table[] = {
                { 1, 1 },
                { FOLLOWER_DELTA_MAX - 1, 1 },
                { FOLLOWER_DELTA_MAX, 1 },
                { FOLLOWER_DELTA_MAX + 1, 2 },
                { 2 * FOLLOWER_DELTA_MAX, 2 },
                { FOLLOWER_WINDOW_BYTES, 4 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Fixture f;

                fixture_init(&f, FOLLOWER_PATIENCE);
                say_bytes(&f.reply, table[i].bytes);
                assert_int_equal(f.client.sequence, table[i].deltas);
                assert_int_equal(f.client.n_stalled, 0);
                assert_has_all(&f.client, &f.reply);
                fixture_done(&f);
        }
}

static void test_window_of_bytes(void **state)
{
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        say_bytes(&f.reply, FOLLOWER_WINDOW_BYTES - 10);
        say_bytes(&f.reply, 11);
        assert_int_equal(f.client.text[CHANNEL_CONTENT].size, FOLLOWER_WINDOW_BYTES);
        assert_int_equal(f.client.n_stalled, 1);
        say_bytes(&f.reply, 1000);
        assert_int_equal(f.client.text[CHANNEL_CONTENT].size, FOLLOWER_WINDOW_BYTES);

        /* The first delta's 64 KiB make room for all of the rest. */
        follower_ack(f.follower, 7, 1);
        assert_int_equal(f.client.last_size, 1001);
        assert_has_all(&f.client, &f.reply);
        fixture_done(&f);
}

static void test_cut_at_characters(void **state)
{
        Fixture f;

        /* A character over the border of a delta goes with the next one. */
        for (size_t before = 1; before <= 4; before++) {
                fixture_init(&f, FOLLOWER_PATIENCE);
                say_bytes(&f.reply, 0);
                for (size_t i = 0; i < FOLLOWER_DELTA_MAX - before; i++)
                        add_text(&f.reply, CHANNEL_CONTENT, "x", 1);
                say(&f.reply, "\xf0\x9f\x98\x80y");
                assert_int_equal(f.client.sequence, 2);
                assert_int_equal(f.client.last_size, before == 4 ? 1 : 5);
                assert_has_all(&f.client, &f.reply);
                fixture_done(&f);
        }

        /* One that does not fit into the window's rest waits. */
        fixture_init(&f, FOLLOWER_PATIENCE);
        say_bytes(&f.reply, FOLLOWER_WINDOW_BYTES - 3);
        assert_int_equal(f.client.n_stalled, 0);
        say(&f.reply, "\xf0\x9f\x98\x80");
        assert_int_equal(f.client.text[CHANNEL_CONTENT].size, FOLLOWER_WINDOW_BYTES - 3);
        assert_int_equal(f.client.n_stalled, 1);
        follower_ack(f.follower, 7, 1);
        assert_has_all(&f.client, &f.reply);
        fixture_done(&f);
}

static void test_wrong_acks(void **state)
{
        static const struct {
                uint64_t reply, sequence;
        } table[] = {
                { 7, 0 },
                { 7, FOLLOWER_WINDOW + 1 }, /* not sent yet */
                { 7, UINT64_MAX },
                { 8, 1 }, /* not followed */
                { 0, 0 },
                { UINT64_MAX, UINT64_MAX },
        };
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        for (unsigned i = 0; i < FOLLOWER_WINDOW + 1; i++)
                say(&f.reply, "a");
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                follower_ack(f.follower, table[i].reply, table[i].sequence);
                assert_int_equal(f.client.sequence, FOLLOWER_WINDOW);
        }

        follower_ack(f.follower, 7, 2);
        assert_int_equal(f.client.sequence, FOLLOWER_WINDOW + 1);
        say(&f.reply, "b");
        assert_int_equal(f.client.sequence, FOLLOWER_WINDOW + 2);
        say(&f.reply, "c");
        follower_ack(f.follower, 7, 2); /* again */
        follower_ack(f.follower, 7, 1); /* an old one */
        assert_int_equal(f.client.sequence, FOLLOWER_WINDOW + 2);
        fixture_done(&f);
}

static void test_end_counts(void **state)
{
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        for (unsigned i = 0; i < FOLLOWER_WINDOW + 5; i++)
                say(&f.reply, "a");
        end(&f.reply);
        assert_int_equal(f.client.end, 0); /* text waits, and the window is full */
        follower_ack(f.follower, 7, 1);
        assert_int_equal(f.client.sequence, FOLLOWER_WINDOW + 1); /* the text */
        assert_int_equal(f.client.end, 0);
        follower_ack(f.follower, 7, 2);
        assert_int_equal(f.client.end, FOLLOWER_WINDOW + 2);
        assert_has_all(&f.client, &f.reply);

        /* The text is held until the last is taken. */
        follower_ack(f.follower, 7, FOLLOWER_WINDOW + 1);
        assert_int_equal(n_watches(&f.reply), 1);
        follower_ack(f.follower, 7, FOLLOWER_WINDOW + 2);
        assert_int_equal(n_watches(&f.reply), 0);
        follower_ack(f.follower, 7, FOLLOWER_WINDOW + 2); /* too late, harmless */
        fixture_done(&f);
}

static void test_end_without_text(void **state)
{
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        end(&f.reply);
        assert_int_equal(f.client.end, 1);
        follower_ack(f.follower, 7, 1);
        assert_int_equal(n_watches(&f.reply), 0);
        fixture_done(&f);
}

/* An ended reply whose bytes fill the window exactly: the end waits as text would. */
static void test_end_waits_for_bytes(void **state)
{
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        say_bytes(&f.reply, FOLLOWER_WINDOW_BYTES);
        end(&f.reply);
        assert_int_equal(f.client.end, 0);
        follower_ack(f.follower, 7, 2);
        assert_int_equal(f.client.end, 5);
        fixture_done(&f);
}

static usec_t now(void)
{
        struct timespec t;

        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
        return t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

static void run_until_dropped(Fixture *f)
{
        while (f->client.dropped == 0)
                assert_true(sd_event_run(f->event, 10 * USEC_PER_SEC) > 0);
}

static void test_dropped_when_ended(void **state)
{
        const usec_t patience = 300 * USEC_PER_MSEC;
        usec_t acked;
        Fixture f;

        fixture_init(&f, patience);
        for (unsigned i = 0; i < 3; i++)
                say(&f.reply, "a");
        end(&f.reply);
        assert_int_equal(f.client.end, 4);
        acked = now();
        follower_ack(f.follower, 7, 2); /* patience begins anew */
        run_until_dropped(&f);
        assert_true(now() - acked >= patience);
        assert_int_equal(f.client.dropped, 7);
        assert_int_equal(n_watches(&f.reply), 0);
        follower_ack(f.follower, 7, 4);
        fixture_done(&f);
}

/* Only the one that was not sent the end hears of it. */
static void test_no_more(void **state)
{
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        say_bytes(&f.reply, FOLLOWER_WINDOW_BYTES + 1);
        end(&f.reply);
        assert_int_equal(f.client.dropped, 0);
        follower_end(f.follower);
        assert_int_equal(f.client.dropped, 7);
        fixture_done(&f);

        fixture_init(&f, FOLLOWER_PATIENCE);
        say_bytes(&f.reply, FOLLOWER_WINDOW_BYTES - 1);
        end(&f.reply);
        follower_end(f.follower);
        assert_int_equal(f.client.dropped, 0);
        fixture_done(&f);
}

/* A stopped follower of a live reply costs no timer: it may take as long as it likes. */
static void test_not_dropped_while_live(void **state)
{
        Fixture f;

        fixture_init(&f, /* patience= */ 1);
        for (unsigned i = 0; i < 2 * FOLLOWER_WINDOW; i++)
                say(&f.reply, "a");
        assert_int_equal(f.client.n_stalled, 1);
        assert_int_equal(sd_event_run(f.event, 0), 0);
        assert_int_equal(sd_event_run(f.event, 5 * USEC_PER_MSEC), 0);
        assert_int_equal(f.client.dropped, 0);
        end(&f.reply);
        run_until_dropped(&f);
        fixture_done(&f);
}

static void test_not_dropped_when_taken(void **state)
{
        Fixture f;

        fixture_init(&f, /* patience= */ 1);
        say(&f.reply, "a");
        end(&f.reply);
        follower_ack(f.follower, 7, 2);
        assert_int_equal(sd_event_run(f.event, 5 * USEC_PER_MSEC), 0);
        assert_int_equal(f.client.dropped, 0);
        fixture_done(&f);
}

static void test_two_followers_one_stopped(void **state)
{
        Follower *stopped;
        Client sleeper;
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        client_init(&sleeper);
        assert_int_equal(follower_new(&stopped, f.event, &sink, &sleeper, FOLLOWER_PATIENCE), 0);
        assert_int_equal(follower_add(stopped, &f.reply, beginning), 0);

        for (unsigned i = 0; i < 1000; i++) {
                say(&f.reply, "token ");
                if (i % 32 == 31)
                        follower_ack(f.follower, 7, f.client.sequence);
        }
        assert_has_all(&f.client, &f.reply);
        assert_int_equal(f.client.n_stalled, 0);
        assert_int_equal(f.client.sequence, 1000);
        assert_int_equal(sleeper.sequence, FOLLOWER_WINDOW);
        end(&f.reply);
        assert_int_equal(f.client.end, 1001);

        /* It wakes up and catches up exactly, in one more delta. */
        follower_ack(stopped, 7, sleeper.sequence);
        assert_int_equal(sleeper.end, FOLLOWER_WINDOW + 2);
        assert_has_all(&sleeper, &f.reply);

        follower_free(stopped);
        client_done(&sleeper);
        fixture_done(&f);
}

static void test_offsets(void **state)
{
        uint64_t offsets[_CHANNEL_MAX] = { [CHANNEL_CONTENT] = 6, [CHANNEL_REASONING] = 2 };
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        add_text(&f.reply, CHANNEL_REASONING, "hmm", 3);
        say(&f.reply, "Hello, world");

        /* Again, from where it had come to: sequence 1, the rest of each. */
        follower_free(f.follower);
        f.client.sequence = 0;
        f.client.text[CHANNEL_CONTENT].size = 6;
        f.client.text[CHANNEL_REASONING].size = 2;
        assert_int_equal(
                follower_new(&f.follower, f.event, &sink, &f.client, FOLLOWER_PATIENCE), 0);
        assert_false(follower_get_offsets(f.follower, 7, offsets));
        assert_int_equal(follower_add(f.follower, &f.reply, offsets), 0);
        assert_int_equal(f.client.sequence, 2);
        assert_has_all(&f.client, &f.reply);
        assert_true(follower_get_offsets(f.follower, 7, offsets));
        assert_int_equal(offsets[CHANNEL_CONTENT], 12);
        assert_int_equal(offsets[CHANNEL_REASONING], 3);

        /* Followed again while it is followed: one stream, begun anew. */
        f.client.sequence = 0;
        say(&f.reply, "");
        assert_int_equal(follower_add(f.follower, &f.reply, offsets), 0);
        assert_int_equal(n_watches(&f.reply), 1);
        say(&f.reply, "!");
        assert_int_equal(f.client.sequence, 1);
        assert_has_all(&f.client, &f.reply);
        fixture_done(&f);
}

static void test_ended_before(void **state)
{
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        follower_free(f.follower);
        say(&f.reply, "Hello");
        end(&f.reply);
        assert_int_equal(
                follower_new(&f.follower, f.event, &sink, &f.client, FOLLOWER_PATIENCE), 0);
        assert_int_equal(follower_add(f.follower, &f.reply, beginning), 0);
        assert_int_equal(f.client.end, 2);
        assert_has_all(&f.client, &f.reply);
        fixture_done(&f);
}

static void test_failed_send_is_repeated(void **state)
{
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        f.client.refuse = true;
        say(&f.reply, "Hello");
        assert_int_equal(f.client.sequence, 0);
        f.client.refuse = false;
        say(&f.reply, ", world");
        assert_int_equal(f.client.sequence, 1);
        f.client.refuse = true;
        end(&f.reply);
        /* Nothing that comes later would send it. */
        assert_int_equal(f.client.end, 0);
        assert_int_equal(f.client.dropped, 7);
        fixture_done(&f);
}

/* Any text in any pieces, acknowledged anyhow: what arrives is what was said, within the window. */
static void test_any_pieces(void **state)
{
        static const char *const characters[] = { "a", "\xc3\xa4", "\xe2\x82\xac",
                "\xf0\x9f\x98\x80" };
        uint64_t acked = 0;
        uint32_t seed = 1;
        Fixture f;

        fixture_init(&f, FOLLOWER_PATIENCE);
        for (unsigned round = 0; round < 400; round++) {
                size_t n;

                seed = seed * 1664525 + 1013904223;
                n = (seed >> 8) % (round % 8 == 0 ? 40000 : 40);
                for (size_t i = 0; i < n; i++) {
                        const char *c = characters[(seed >> (i % 24)) & 3];

                        add_text(&f.reply, (seed >> 30) & 1, c, strlen(c));
                }
                tell_text(&f.reply);
                if ((seed >> 16) % 50 == 0) {
                        acked = MAX(acked, f.client.sequence - MIN(f.client.sequence, n % 3));
                        follower_ack(f.follower, 7, acked);
                }
                assert_true(f.client.sequence - acked <= FOLLOWER_WINDOW);
        }
        end(&f.reply);
        while (f.client.end == 0)
                follower_ack(f.follower, 7, f.client.sequence);
        assert_has_all(&f.client, &f.reply);
        assert_true(f.client.n_stalled > 0);
        assert_true(f.client.largest <= FOLLOWER_DELTA_MAX);
        fixture_done(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text_goes_at_once),
                cmocka_unit_test(test_window_of_deltas),
                cmocka_unit_test(test_delta_size),
                cmocka_unit_test(test_window_of_bytes),
                cmocka_unit_test(test_cut_at_characters),
                cmocka_unit_test(test_wrong_acks),
                cmocka_unit_test(test_end_counts),
                cmocka_unit_test(test_end_without_text),
                cmocka_unit_test(test_end_waits_for_bytes),
                cmocka_unit_test(test_dropped_when_ended),
                cmocka_unit_test(test_no_more),
                cmocka_unit_test(test_not_dropped_while_live),
                cmocka_unit_test(test_not_dropped_when_taken),
                cmocka_unit_test(test_two_followers_one_stopped),
                cmocka_unit_test(test_offsets),
                cmocka_unit_test(test_ended_before),
                cmocka_unit_test(test_failed_send_is_repeated),
                cmocka_unit_test(test_any_pieces),
        };

        return cmocka_run_group_tests_name("follower", tests, NULL, NULL);
}
