/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Many replies at once, and many followers of one, beside a program that only sends the same
 * signals: what the service spends on a token, and how late it is at its reader. A token's text is
 * the time when it was made. The Readers check that nothing is lost. */

#include <sys/socket.h>

#include "tests/bench/sender.h"
#include "tests/bus/process.h"
#include "tests/bus/reader.h"

#define ROUNDS        3U
#define FOLLOWERS_MAX 100U

typedef struct Shape {
        unsigned n_streams, n_followers, rate, n_tokens;
} Shape;

/* What arrived, and the CPU time of the sending process at 20 % and 80 % of it: between these all
 * streams run. */
typedef struct Arrived {
        pid_t sender;
        size_t n, n_signals, expected;
        double cpu[2], at[2];
        Samples *delays;
} Arrived;

static void count_token(Arrived *a, double delay)
{
        size_t fifth = a->expected / 5;

        samples_add(a->delays, delay);
        a->n++;
        for (size_t i = 0; i < ELEMENTSOF(a->cpu); i++)
                if (a->n == fifth * (i == 0 ? 1 : 4)) {
                        a->cpu[i] = bench_cpu_ms(a->sender);
                        a->at[i] = bench_now_us();
                }
}

static double cpu_us_a_token(const Arrived *a)
{
        return (a->cpu[1] - a->cpu[0]) * 1e3 / ((double) (a->expected / 5) * 3);
}

static double cpu_percent(const Arrived *a)
{
        return (a->cpu[1] - a->cpu[0]) * 1e5 / (a->at[1] - a->at[0]);
}

static int on_delta(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Arrived *a = ASSERT_PTR(userdata);
        double now = bench_now_us();
        const char *channel, *text;
        uint64_t reply, sequence, offset;

        assert_return_code(
                sd_bus_message_read(m, "ttsts", &reply, &sequence, &channel, &offset, &text), 0);
        a->n_signals++;
        for (char *end; *text; text = end) {
                double made = strtod(text, &end);

                assert_ptr_not_equal(text, end);
                assert_int_equal(*end++, ' ');
                count_token(a, now - made);
        }
        return 0;
}

typedef struct Result {
        Samples cpu, percent, merged, delays;
} Result;

static void result_done(Result *r)
{
        samples_done(&r->cpu);
        samples_done(&r->percent);
        samples_done(&r->merged);
        samples_done(&r->delays);
}

static void take(Result *result, const Arrived *a)
{
        samples_add(&result->cpu, cpu_us_a_token(a));
        samples_add(&result->percent, cpu_percent(a));
        samples_add(&result->merged, (double) a->n / (double) a->n_signals);
}

/* ---- the floor ---- */

static sd_bus *connect_pair(Harness *h, int fd)
{
        sd_bus *bus = NULL;

        assert_return_code(sd_bus_new(&bus), 0);
        assert_return_code(sd_bus_set_fd(bus, fd, fd), 0);
        assert_return_code(sd_bus_start(bus), 0);
        assert_return_code(sd_bus_attach_event(bus, h->event, SD_EVENT_PRIORITY_NORMAL), 0);
        return bus;
}

static void run_bare(Harness *h, Via via, const Shape *shape, Result *result)
{
        Arrived a = { .delays = &result->delays,
                .expected = (size_t) shape->n_streams * shape->n_followers * shape->n_tokens };
        sd_bus *buses[FOLLOWERS_MAX] = { NULL };
        const char *names[FOLLOWERS_MAX];
        int ours[FOLLOWERS_MAX], theirs[FOLLOWERS_MAX];
        _cleanup_close_ int go = -EBADF;

        for (unsigned i = 0; i < shape->n_followers; i++) {
                if (via == VIA_SESSION) {
                        buses[i] = harness_connect(h, via);
                        assert_return_code(sd_bus_get_unique_name(buses[i], &names[i]), 0);
                } else {
                        int pair[2];

                        assert_return_code(
                                socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
                        ours[i] = pair[0];
                        theirs[i] = pair[1];
                }
        }
        a.sender = sender_start(&(Sender){ .address = via == VIA_SESSION ? h->address : NULL,
                                        .fds = theirs,
                                        .destination = names,
                                        .n_destinations = shape->n_followers,
                                        .n_streams = shape->n_streams,
                                        .n_tokens = shape->n_tokens,
                                        .rate = shape->rate },
                &go);
        for (unsigned i = 0; i < shape->n_followers; i++) {
                if (via == VIA_PRIVATE) {
                        safe_close(theirs[i]);
                        buses[i] = connect_pair(h, ours[i]);
                }
                assert_return_code(sd_bus_match_signal(buses[i], NULL, NULL, NULL,
                                           INTERFACE_CONVERSATION, "ReplyDelta", on_delta, &a),
                        0);
        }
        assert_int_equal(write(go, "", 1), 1);
        harness_run_until(h, a.n == a.expected);
        take(result, &a);
        process_end(&a.sender);
        for (unsigned i = 0; i < shape->n_followers; i++)
                sd_bus_flush_close_unref(buses[i]);
}

/* ---- ours ---- */

typedef struct Followed {
        char *conversation;
        Reader *readers[FOLLOWERS_MAX];
        uint64_t reply;
} Followed;

static bool all_ended(const Followed *f, const Shape *shape)
{
        for (unsigned i = 0; i < shape->n_streams; i++)
                for (unsigned k = 0; k < shape->n_followers; k++)
                        if (f[i].readers[k]->reply != f[i].reply || !f[i].readers[k]->reason)
                                return false;
        return true;
}

static void run_service(Harness *h, Via via, const Shape *shape, Result *result)
{
        Arrived a = { .sender = h->service,
                .delays = &result->delays,
                .expected = (size_t) shape->n_streams * shape->n_followers * shape->n_tokens };
        _cleanup_connection_ sd_bus *asking = harness_connect(h, via);
        _cleanup_free_ Followed *followed = calloc(shape->n_streams, sizeof *followed);
        _cleanup_free_ char *question = NULL;
        sd_bus *buses[FOLLOWERS_MAX] = { NULL };

        assert_non_null(followed);
        assert_true(asprintf(&question, "@text=clock @tokens=%u @rate=%u", shape->n_tokens,
                            shape->rate) > 0);
        for (unsigned i = 0; i < shape->n_streams; i++)
                followed[i].conversation = harness_create(h, asking, "test/tiny:latest");
        for (unsigned k = 0; k < shape->n_followers; k++) {
                buses[k] = harness_connect(h, via);
                assert_return_code(sd_bus_match_signal(buses[k], NULL, BUS_NAME, NULL,
                                           INTERFACE_CONVERSATION, "ReplyDelta", on_delta, &a),
                        0);
                for (unsigned i = 0; i < shape->n_streams; i++)
                        followed[i].readers[k] = reader_new(h, buses[k], followed[i].conversation);
        }
        for (unsigned i = 0; i < shape->n_streams; i++)
                followed[i].reply = harness_send(h, asking, followed[i].conversation, question);
        harness_run_until(h, all_ended(followed, shape));
        assert_int_equal(a.n, a.expected);
        take(result, &a);
        for (unsigned i = 0; i < shape->n_streams; i++) {
                for (unsigned k = 0; k < shape->n_followers; k++) {
                        assert_string_equal(followed[i].readers[k]->reason, "stop");
                        reader_free(followed[i].readers[k]);
                }
                free(followed[i].conversation);
        }
        for (unsigned k = 0; k < shape->n_followers; k++)
                sd_bus_flush_close_unref(buses[k]);
}

static void measure(Harness *h, Via via, const Shape *shape, const char *what)
{
        _cleanup_(result_done) Result ours = { 0 }, bare = { 0 };
        const char *door = via == VIA_SESSION ? "session" : "private";
        char name[64];

        for (unsigned i = 0; i < ROUNDS; i++) {
                run_bare(h, via, shape, &bare);
                run_service(h, via, shape, &ours);
        }
        (void) snprintf(name, sizeof name, "%s-%s-cpu-a-token", what, door);
        bench_print(name, "us", &ours.cpu, &bare.cpu);
        (void) snprintf(name, sizeof name, "%s-%s-cpu", what, door);
        bench_print(name, "%", &ours.percent, &bare.percent);
        (void) snprintf(name, sizeof name, "%s-%s-tokens-a-signal", what, door);
        bench_print(name, "", &ours.merged, &bare.merged);
        (void) snprintf(name, sizeof name, "%s-%s-delay", what, door);
        bench_print(name, "us", &ours.delays, &bare.delays);
}

int main(void)
{
        static const struct {
                const char *name;
                Shape shape;
        } shapes[] = {
                { "streams-50", { 50, 1, 200, 800 } },
                { "followers-1", { 1, 1, 100, 120 } },
                { "followers-10", { 1, 10, 100, 120 } },
                { "followers-100", { 1, 100, 100, 120 } },
        };
        Harness *h = bench_begin();

        /* An Ollama would else be asked one question after the other. */
        harness_start_engine(h, "ollama", "MaxConcurrent=0", NULL);
        bench_start(h);
        for (size_t i = 0; i < ELEMENTSOF(shapes); i++)
                for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++)
                        measure(h, via, &shapes[i].shape, shapes[i].name);
        bench_end(h);
        return EXIT_SUCCESS;
}
