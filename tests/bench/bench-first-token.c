/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How long after the engine made a reply's first token it is here: through the service, and through
 * `curl -N` straight to the engine. The token's text is the time when it was made. */

#include "common/buffer.h"
#include "tests/bench/bench.h"
#include "tests/bus/process.h"
#include "tests/bus/reader.h"

#define WARM_UP bench_rounds(10, 2)
#define ROUNDS  bench_rounds(300, 10)
/* The second token comes so late that nothing waits behind the first. */
#define QUESTION "@tokens=2 @rate=100 @text=clock"

typedef struct First {
        double delay; /* < 0 until it came */
} First;

static int on_delta(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        First *first = ASSERT_PTR(userdata);
        double now = bench_now_us();
        const char *channel, *text;
        uint64_t reply, sequence, offset;

        if (first->delay >= 0)
                return 0;
        assert_return_code(
                sd_bus_message_read(m, "ttsts", &reply, &sequence, &channel, &offset, &text), 0);
        first->delay = now - strtod(text, NULL);
        return 0;
}

static double through_service(Harness *h, Reader *reader, First *first)
{
        uint64_t reply;

        first->delay = -1;
        reply = harness_send(h, reader->bus, reader->conversation, QUESTION);
        assert_string_equal(reader_wait(reader, reply), "stop");
        assert_true(first->delay >= 0);
        return first->delay;
}

static double through_curl(Harness *h)
{
        static const char key[] = "\"content\":\"";
        _cleanup_free_ char *url = NULL;
        _cleanup_buffer_ Buffer answer = BUFFER_INIT(MIB(1));
        double delay = -1;
        int out[2];
        pid_t pid;

        assert_true(asprintf(&url, "http://127.0.0.1:%d/api/chat", h->engine_port) > 0);
        assert_return_code(pipe(out), errno);
        assert_return_code(
                process_spawn(
                        &(Spawn){ .arguments = (const char *const[]){ "curl", "-sN", "-d",
                                          "{\"model\":\"tiny:latest\",\"messages\":[{\"role\":"
                                          "\"user\",\"content\":\"" QUESTION "\"}]}",
                                          url, NULL },
                                .environment = (const char *const[]){ NULL },
                                .output = out[1],
                                .errors = -EBADF,
                                .pass = -EBADF },
                        &pid),
                0);
        safe_close(out[1]);
        for (;;) {
                char *place;
                const char *found;
                ssize_t n;

                assert_return_code(buffer_reserve(&answer, KIB(4), &place), 0);
                n = read(out[0], place, KIB(4));
                assert_return_code(n, errno);
                if (n == 0)
                        break;
                if (delay < 0) {
                        double now = bench_now_us();

                        buffer_advance(&answer, (size_t) n);
                        found = strstr(buffer_text(&answer), key);
                        if (found)
                                delay = now - strtod(found + strlen(key), NULL);
                }
        }
        safe_close(out[0]);
        assert_int_equal(process_wait(pid, HARNESS_PATIENCE), 0);
        assert_true(delay >= 0);
        return delay;
}

static void measure(Harness *h, Via via, const char *name)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_free_ char *conversation = harness_create(h, bus, "test/tiny:latest");
        _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        First first = { 0 };

        assert_return_code(sd_bus_match_signal(bus, &slot, BUS_NAME, conversation,
                                   INTERFACE_CONVERSATION, "ReplyDelta", on_delta, &first),
                0);
        for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
                double bare = through_curl(h), ours = through_service(h, reader, &first);

                if (i < WARM_UP)
                        continue;
                samples_add(&floor, bare);
                samples_add(&samples, ours);
        }
        bench_print(name, "us", &samples, &floor);
}

int main(void)
{
        Harness *h = bench_begin();

        harness_start_engine(h, "ollama", "", NULL);
        bench_start(h);
        measure(h, VIA_SESSION, "first-token-session");
        measure(h, VIA_PRIVATE, "first-token-private");
        bench_end(h);
        return EXIT_SUCCESS;
}
