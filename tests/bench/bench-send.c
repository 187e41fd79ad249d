/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Send, which returns when the question is on disk, beside a bare write and fdatasync in the same
 * folder. One at a time: nobody shares a sync. */

#include <fcntl.h>

#include "tests/bench/bench.h"
#include "tests/bus/reader.h"

#define WARM_UP 20U
#define SENDS   300U
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

int main(void)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        _cleanup_close_ int fd = -EBADF;
        Harness *h = bench_begin();
        _cleanup_free_ char *path = NULL, *conversation = NULL;

        harness_start_engine(h, "ollama", "", NULL);
        bench_start(h);
        assert_true(asprintf(&path, "%s/floor", h->state) > 0);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        assert_return_code(fd, errno);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);
                _cleanup_(reader_freep) Reader *reader = NULL;

                conversation = harness_create(h, bus, "test/tiny:latest");
                reader = reader_new(h, bus, conversation);
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
        }
        bench_print("send-durable", "us", &samples, &floor);
        bench_end(h);
        return EXIT_SUCCESS;
}
