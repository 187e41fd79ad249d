/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Send, which returns when the question is on disk, beside a bare write and fdatasync in the same
 * folder: one at a time, where nobody shares a sync, and fifty at once, who do. */

#include <fcntl.h>

#include "tests/bench/bench.h"
#include "tests/bus/reader.h"

#define WARM_UP      bench_rounds(20, 5)
#define SENDS        bench_rounds(300, 30)
#define SENDERS      50U
#define MANY_WARM_UP bench_rounds(3, 1)
#define MANY_ROUNDS  bench_rounds(30, 3)
/* About what one transaction adds to the write-ahead log. */
#define FLOOR_BYTES 4096U

static double sync_bare(int fd)
{
        static const char bytes[FLOOR_BYTES];
        double before = bench_now_us();

        assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
        assert_return_code(fdatasync(fd), errno);
        return bench_now_us() - before;
}

/* The reply's own end is written after it was told: a durable change of something else waits for
 * it, so that the next Send waits for nobody's sync but its own. */
static void settle(Harness *h, sd_bus *bus, const char *conversation, unsigned i)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;

        answer = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "SetTitle", "s",
                i % 2 ? "odd" : "even");
}

static void measure_one(Harness *h, int fd)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);
        _cleanup_free_ char *conversation = harness_create(h, bus, "test/tiny:latest");
        _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);

        for (unsigned i = 0; i < WARM_UP + SENDS; i++) {
                double bare = sync_bare(fd), before = bench_now_us(), ours;
                uint64_t reply = harness_send(h, bus, conversation, "@tokens=1");

                ours = bench_now_us() - before;
                assert_string_equal(reader_wait(reader, reply), "stop");
                settle(h, bus, conversation, i);
                if (i < WARM_UP)
                        continue;
                samples_add(&floor, bare);
                samples_add(&samples, ours);
        }
        bench_print("send-durable", "us", &samples, &floor);
}

/* ---- fifty at once ---- */

typedef struct Sender {
        sd_bus *bus;
        char *conversation;
        Reader *reader;
        uint64_t user, reply; /* 0 until it is answered */
} Sender;

static int on_sent(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Sender *s = ASSERT_PTR(userdata);

        assert_false(sd_bus_message_is_method_error(m, NULL));
        assert_return_code(sd_bus_message_read(m, "tt", &s->user, &s->reply), 0);
        return 0;
}

static bool all_sent(const Sender *senders)
{
        for (unsigned i = 0; i < SENDERS; i++)
                if (senders[i].reply == 0)
                        return false;
        return true;
}

/* The time until the last of them is answered. */
static double send_all(Harness *h, Sender *senders)
{
        double before = bench_now_us();

        for (unsigned i = 0; i < SENDERS; i++) {
                senders[i].reply = 0;
                assert_return_code(sd_bus_call_method_async(senders[i].bus, NULL, BUS_NAME,
                                           senders[i].conversation, INTERFACE_CONVERSATION, "Send",
                                           on_sent, &senders[i], "sa{sv}", "@tokens=1", 0),
                        0);
        }
        harness_run_until(h, all_sent(senders));
        return bench_now_us() - before;
}

static uint64_t get_number(Harness *h, sd_bus *bus, const char *wanted)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "GetStatistics", "");
        const char *key;
        uint64_t n = UINT64_MAX;

        assert_true(sd_bus_message_enter_container(answer, 'a', "{sv}") > 0);
        while (n == UINT64_MAX && sd_bus_message_enter_container(answer, 'e', "sv") > 0) {
                assert_return_code(sd_bus_message_read(answer, "s", &key), 0);
                if (streq(key, wanted))
                        assert_return_code(sd_bus_message_read(answer, "v", "t", &n), 0);
                else
                        assert_return_code(sd_bus_message_skip(answer, "v"), 0);
                assert_return_code(sd_bus_message_exit_container(answer), 0);
        }
        assert_true(n != UINT64_MAX);
        return n;
}

/* Fsyncs so far; the service counts them itself. */
static double count_commits(Harness *h, sd_bus *bus)
{
        return (double) get_number(h, bus, "store_commits");
}

/* All have been told of the last round. */
static void drain(Harness *h, sd_bus *bus)
{
        while (get_number(h, bus, "messages_queued") > 0)
                ;
}

/* Each sender has a connection of its own. On the private door, where there are no match rules,
 * each is also sent what is broadcast for all of the others. Of the commits some are those of
 * replies that ended meanwhile; the floor is one for each sender. */
static void measure_many(Harness *h, int fd, Via via, const char *name)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 }, commits = { 0 }, alone = { 0 };
        _cleanup_free_ char *name_commits = NULL;
        Sender senders[SENDERS] = { 0 };

        for (unsigned i = 0; i < SENDERS; i++) {
                Sender *s = &senders[i];

                s->bus = harness_connect(h, via);
                s->conversation = harness_create(h, s->bus, "test/tiny:latest");
                s->reader = reader_new(h, s->bus, s->conversation);
        }
        for (unsigned i = 0; i < MANY_WARM_UP + MANY_ROUNDS; i++) {
                double before = count_commits(h, senders[0].bus), bare = sync_bare(fd),
                       ours = send_all(h, senders), after = count_commits(h, senders[0].bus);

                for (unsigned k = 0; k < SENDERS; k++)
                        assert_string_equal(
                                reader_wait(senders[k].reader, senders[k].reply), "stop");
                settle(h, senders[0].bus, senders[0].conversation, i);
                drain(h, senders[0].bus);
                if (i < MANY_WARM_UP)
                        continue;
                samples_add(&floor, bare);
                samples_add(&samples, ours);
                samples_add(&commits, after - before);
                samples_add(&alone, SENDERS);
        }
        for (unsigned i = 0; i < SENDERS; i++) {
                reader_free(senders[i].reader);
                sd_bus_flush_close_unref(senders[i].bus);
                free(senders[i].conversation);
        }
        bench_print(name, "us", &samples, &floor);
        assert_true(asprintf(&name_commits, "%s-commits", name) > 0);
        bench_print(name_commits, "fsyncs", &commits, &alone);
}

int main(void)
{
        _cleanup_close_ int fd = -EBADF;
        Harness *h = bench_begin();
        _cleanup_free_ char *path = NULL;

        harness_start_engine(h, "ollama", "MaxConcurrent=0", NULL);
        bench_start(h);
        assert_true(asprintf(&path, "%s/floor", h->state) > 0);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        assert_return_code(fd, errno);
        measure_one(h, fd);
        measure_many(h, fd, VIA_SESSION, "send-50-at-once-session");
        measure_many(h, fd, VIA_PRIVATE, "send-50-at-once-private");
        bench_end(h);
        return EXIT_SUCCESS;
}
