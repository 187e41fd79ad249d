/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Many replies at once, and many followers of one: what the service spends on a token, beside a
 * program that only sends the same signals, and how late it is at its reader, beside that and
 * beside as many `curl -N` straight to the engine. A token's text is the time when it was made. The
 * Readers check that nothing is lost. */

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/buffer.h"
#include "tests/bench/sender.h"
#include "tests/bus/process.h"
#include "tests/bus/reader.h"

#define ROUNDS         bench_rounds(2, 1)
#define FOLLOWERS_MAX  100U
#define FOLLOWERS_RATE 100U /* by which the shapes of many followers are known */

typedef struct Shape {
        unsigned n_streams, n_followers, rate, n_tokens;
} Shape;

/* What arrived, and the CPU time of the sending process at 20 % and 80 % of it: between these all
 * streams run. */
typedef struct Arrived {
        pid_t sender;
        size_t n, n_signals, expected;
        double cpu[2], at[2];
        const Harness *service; /* NULL: the sender is not it */
        double kib;             /* its memory at the last of these moments */
        Samples *delays;
} Arrived;

static double private_dirty(const Arrived *a)
{
        Memory memory;

        if (!a->service)
                return 0;
        harness_memory(a->service, &memory);
        return (double) memory.private_dirty / 1024;
}

static void count_token(Arrived *a, double delay)
{
        size_t fifth = a->expected / 5;

        samples_add(a->delays, delay);
        a->n++;
        for (size_t i = 0; i < ELEMENTSOF(a->cpu); i++)
                if (a->n == fifth * (i == 0 ? 1 : 4)) {
                        a->cpu[i] = bench_cpu_ms(a->sender);
                        a->at[i] = bench_now_us();
                        a->kib = private_dirty(a);
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
        Samples cpu, percent, merged, delays, kib;
} Result;

static void result_done(Result *r)
{
        samples_done(&r->cpu);
        samples_done(&r->percent);
        samples_done(&r->merged);
        samples_done(&r->delays);
        samples_done(&r->kib);
}

static void take(Result *result, const Arrived *a)
{
        samples_add(&result->cpu, cpu_us_a_token(a));
        samples_add(&result->percent, cpu_percent(a));
        samples_add(&result->kib, a->kib);
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

/* ---- curl ---- */

typedef struct Curl {
        pid_t pid;
        int fd;
        sd_event_source *source;
        Buffer line; /* a beginning of one */
        unsigned *n_ended;
        Samples *delays;
} Curl;

static void take_line(Curl *c, const char *line, double now)
{
        static const char key[] = "\"content\":\"";
        const char *text = strstr(line, key);
        char *end;
        double made;

        if (!text)
                return;
        text += strlen(key);
        made = strtod(text, &end);
        if (end > text)
                samples_add(c->delays, now - made);
}

static int on_lines(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Curl *c = ASSERT_PTR(userdata);
        double now = bench_now_us();
        char *place, *stop;
        ssize_t n;

        assert_return_code(buffer_reserve(&c->line, KIB(64), &place), 0);
        n = read(fd, place, KIB(64));
        assert_return_code(n, errno);
        if (n == 0) {
                (*c->n_ended)++;
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        buffer_advance(&c->line, (size_t) n);
        while ((stop = memchr(c->line.data, '\n', c->line.size))) {
                *stop = 0;
                take_line(c, c->line.data, now);
                buffer_consume(&c->line, (size_t) (stop + 1 - c->line.data));
        }
        return 0;
}

static void curl_start(Curl *c, Harness *h, const char *question)
{
        _cleanup_free_ char *url = NULL, *body = NULL;
        int out[2];

        assert_true(asprintf(&url, "http://127.0.0.1:%d/api/chat", h->engine_port) > 0);
        assert_true(asprintf(&body,
                            "{\"model\":\"tiny:latest\",\"messages\":[{\"role\":\"user\","
                            "\"content\":\"%s\"}]}",
                            question) > 0);
        assert_return_code(pipe2(out, O_CLOEXEC), errno);
        assert_return_code(process_spawn(&(Spawn){ .arguments = (const char *const[]){ "curl",
                                                           "-sN", "-d", body, url, NULL },
                                                 .environment = (const char *const[]){ NULL },
                                                 .output = out[1],
                                                 .errors = -EBADF,
                                                 .pass = -EBADF },
                                   &c->pid),
                0);
        safe_close(out[1]);
        c->fd = out[0];
        c->line = BUFFER_INIT(MIB(1));
        assert_return_code(sd_event_add_io(h->event, &c->source, c->fd, EPOLLIN, on_lines, c), 0);
}

/* One process for each stream, as people would do it. */
static void run_curl(Harness *h, const Shape *shape, Samples *delays)
{
        _cleanup_free_ Curl *curls = calloc(shape->n_streams, sizeof *curls);
        _cleanup_free_ char *question = NULL;
        unsigned n_ended = 0;
        size_t before = delays->n;

        assert_non_null(curls);
        assert_true(asprintf(&question, "@text=clock @tokens=%u @rate=%u", shape->n_tokens,
                            shape->rate) > 0);
        for (unsigned i = 0; i < shape->n_streams; i++) {
                curls[i] = (Curl){ .n_ended = &n_ended, .delays = delays };
                curl_start(&curls[i], h, question);
        }
        harness_run_until(h, n_ended == shape->n_streams);
        assert_int_equal(delays->n - before, shape->n_streams * shape->n_tokens);
        for (unsigned i = 0; i < shape->n_streams; i++) {
                assert_int_equal(process_wait(curls[i].pid, HARNESS_PATIENCE), 0);
                sd_event_source_unref(curls[i].source);
                safe_close(curls[i].fd);
                buffer_done(&curls[i].line);
        }
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
                .service = h,
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

/* The point of each line that belongs to this many streams, or followers. */
static void print_point(const char *what, Via via, const char *figure, unsigned n, const char *unit,
        Samples *ours, Samples *floor)
{
        char name[64];

        (void) snprintf(name, sizeof name, "%s-%s-%s/%u", what, bench_door(via), figure, n);
        bench_print(name, unit, ours, floor);
}

static void print(const Shape *shape, Via via, Result *ours, Result *bare, Samples *curl)
{
        bool followers = shape->rate == FOLLOWERS_RATE;
        const char *what = followers ? "followers" : "streams";
        unsigned n = followers ? shape->n_followers : shape->n_streams;

        print_point(what, via, "cpu-a-token", n, "us", &ours->cpu, &bare->cpu);
        print_point(what, via, "cpu", n, "%", &ours->percent, &bare->percent);
        print_point(what, via, "tokens-a-signal", n, "", &ours->merged, &bare->merged);
        print_point(what, via, "delay", n, "us", &ours->delays, &bare->delays);
        print_point(what, via, "private-dirty", n, "KiB", &ours->kib, NULL);
        if (!followers)
                print_point(what, via, "delay-beside-curl", n, "us", &ours->delays, curl);
}

/* Both doors turn about, and curl, which has none, once for both. */
static void measure(Harness *h, Shape shape)
{
        static const Via doors[] = { VIA_SESSION, VIA_PRIVATE };
        size_t n_doors = bench_on_broker() ? 1 : ELEMENTSOF(doors);
        Result ours[ELEMENTSOF(doors)] = { 0 }, bare[ELEMENTSOF(doors)] = { 0 };
        _cleanup_samples_ Samples curl = { 0 };

        shape.n_tokens = bench_rounds(shape.n_tokens, shape.n_tokens / 20);
        for (unsigned i = 0; i < ROUNDS; i++) {
                if (shape.rate != FOLLOWERS_RATE)
                        run_curl(h, &shape, &curl);
                for (size_t door = 0; door < n_doors; door++) {
                        run_bare(h, doors[door], &shape, &bare[door]);
                        run_service(h, doors[door], &shape, &ours[door]);
                }
        }
        for (size_t door = 0; door < n_doors; door++) {
                print(&shape, doors[door], &ours[door], &bare[door], &curl);
                result_done(&ours[door]);
                result_done(&bare[door]);
        }
}

int main(void)
{
        /* At most 10,000 tokens a second in all. */
        static const Shape shapes[] = {
                { 1, 1, 200, 400 },
                { 10, 1, 200, 400 },
                { 50, 1, 200, 400 },
                { 200, 1, 50, 100 },
                { 1, 1, FOLLOWERS_RATE, 120 },
                { 1, 10, FOLLOWERS_RATE, 120 },
                { 1, 100, FOLLOWERS_RATE, 120 },
        };
        Harness *h = bench_begin();

        /* An Ollama would else be asked one question after the other. */
        harness_start_engine(h, "ollama", "MaxConcurrent=0", NULL);
        bench_start(h);
        for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
                if (bench_on_broker() && shapes[i].rate != FOLLOWERS_RATE)
                        continue;
                measure(h, shapes[i]);
        }
        bench_end(h);
        return EXIT_SUCCESS;
}
