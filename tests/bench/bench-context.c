/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A conversation of 1,000, 10,000 and 100,000 tokens: what making the engine's request of it takes,
 * beside a bare copy of its text; and how much memory the longest takes at the most and afterwards.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "service/conversation/conversation-internal.h"
#include "service/engine/wire.h"
#include "service/store/store-db.h"
#include "tests/bench/bench.h"
#include "tests/bus/process.h"
#include "tests/bus/reader.h"

#define MESSAGES     400U
#define MESSAGE_SIZE 1000U /* bytes: about four a token */
#define ROUNDS       bench_rounds(200, 20)
#define TEXT_SIZE    ((size_t) MESSAGES * MESSAGE_SIZE)
#define LONG_ONES    5U

typedef struct Long {
        const char *path; /* of the database */
        sd_id128_t ids[LONG_ONES];
} Long;

static StoreMessages *make_messages(size_t n)
{
        static const char text[] = "She said \"no\", and then\nnothing more for quite a while. ";
        StoreMessages *all = calloc(1, sizeof *all);

        assert_non_null(all);
        all->messages = calloc(n, sizeof *all->messages);
        all->system = strdup("");
        assert_non_null(all->messages);
        assert_non_null(all->system);
        all->n_messages = n;
        for (size_t i = 0; i < n; i++) {
                StoreMessage *m = &all->messages[i];

                m->id = i + 1;
                m->parent = i;
                m->role = i % 2 ? ROLE_ASSISTANT : ROLE_USER;
                m->content = malloc(MESSAGE_SIZE + 1);
                assert_non_null(m->content);
                for (size_t k = 0; k < MESSAGE_SIZE; k++)
                        m->content[k] = text[k % (sizeof text - 1)];
                m->content[MESSAGE_SIZE] = 0;
                m->content_size = MESSAGE_SIZE;
        }
        return all;
}

/* As it is sent: each piece in the place of the one before. */
static size_t read_whole(WireBody *body)
{
        static char piece[KIB(16)];
        size_t size = 0;
        ssize_t n;

        while ((n = wire_body_read(body, piece, sizeof piece)) > 0)
                size += n;
        return size;
}

/* From a question's messages to the last byte that is sent. */
static double build(StoreMessages *messages, EngineType type)
{
        _cleanup_(wire_body_freep) WireBody *body = NULL;

        _cleanup_(prompt_freep) Prompt *prompt = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        char *question = strdup("And now?");
        double before = bench_now_us();

        assert_non_null(question);
        assert_return_code(
                question_new_prompt(&prompt, messages, NULL, &question, 0, /* ret_title= */ NULL),
                0);
        assert_return_code(
                wire_build_chat(type,
                        &(WireRequest){
                                .model = "tiny:latest", .prompt = prompt, .keep_alive = "5m" },
                        MIB(1024), &body, &failure),
                0);
        assert_int_equal(read_whole(body), wire_body_size(body));
        before = bench_now_us() - before;
        assert_true(wire_body_size(body) > (messages->n_messages - 1) * MESSAGE_SIZE);
        free(question);
        return before;
}

static double copy_bare(const StoreMessages *messages)
{
        _cleanup_buffer_ Buffer copy = BUFFER_INIT(MIB(1024));
        double before = bench_now_us();

        for (size_t i = 0; i < messages->n_messages; i++)
                assert_return_code(buffer_append(&copy, messages->messages[i].content,
                                           messages->messages[i].content_size),
                        0);
        return bench_now_us() - before;
}

static void measure_time(EngineType type, size_t n_messages)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        char name[64];

        for (unsigned i = 0; i < ROUNDS; i++) {
                _cleanup_(store_messages_freep) StoreMessages *messages = make_messages(n_messages);

                samples_add(&floor, copy_bare(messages));
                samples_add(&samples, build(messages, type));
        }
        (void) snprintf(name, sizeof name, "context-build-%s/%zu", engine_type_to_string(type),
                n_messages * MESSAGE_SIZE / 4);
        bench_print(name, "us", &samples, &floor);
}

/* ---- memory: that of the real service, at its highest ---- */

static double service_rss(const Harness *h)
{
        _cleanup_free_ char *path = NULL;

        assert_true(asprintf(&path, "/proc/%d/status", (int) h->service) > 0);
        return bench_status(path, "VmRSS");
}

/* The kernel notes the highest (VmHWM) from counts that each processor adds to in lots of 32 pages:
 * of so little text that may be half of it, up or down. What it says of now is added up. So that is
 * read, again and again, while the service works: a watch that is not let run finds too little,
 * none finds too much. */
typedef struct PeakWatch {
        const Harness *h;
        atomic_bool stop;
        double peak;
        pthread_t thread;
} PeakWatch;

static void *peak_watch_run(void *userdata)
{
        PeakWatch *w = ASSERT_PTR(userdata);

        do {
                double now = service_rss(w->h);

                w->peak = MAX(w->peak, now);
        } while (!atomic_load(&w->stop));
        return NULL;
}

static void peak_watch_begin(PeakWatch *w)
{
        assert_int_equal(pthread_create(&w->thread, NULL, peak_watch_run, w), 0);
}

static double peak_watch_end(PeakWatch *w)
{
        atomic_store(&w->stop, true);
        assert_int_equal(pthread_join(w->thread, NULL), 0);
        return w->peak;
}

/* In a process of its own, so that its memory is not the benchmark's. */
static void write_long(int ready, void *userdata)
{
        const Long *all = ASSERT_PTR(userdata);
        StoreDbOpened opened = { 0 };
        uint64_t last = 0;
        StoreDb *db = NULL;

        assert_return_code(store_db_open(&db, all->path, &opened, NULL), 0);
        for (uint64_t number = 1; number <= LONG_ONES; number++) {
                _cleanup_(store_messages_freep) StoreMessages *messages = make_messages(MESSAGES);
                char title[] = "Long", model[] = "test/tiny:latest";
                StoreConversation c = { .number = number,
                        .id = all->ids[number - 1],
                        .title = title,
                        .model = model,
                        .created = 1,
                        .modified = 1,
                        .title_set = true };

                for (size_t i = 0; i < MESSAGES; i++) {
                        messages->messages[i].parent = i == 0 ? 0 : last;
                        messages->messages[i].id = ++last;
                }
                assert_return_code(store_db_savepoint(db, number, NULL), 0);
                assert_return_code(store_db_create_conversation(db, &c, "", NULL), 0);
                assert_return_code(store_db_add_messages(db, number, messages->messages, MESSAGES,
                                           last, /* modified= */ 1, NULL, NULL),
                        0);
                assert_return_code(
                        store_db_savepoint_end(db, number, /* failed= */ false, NULL), 0);
                assert_return_code(store_db_commit(db, NULL), 0);
        }
        store_db_remember(db, last, LONG_ONES);
        store_db_opened_done(&opened);
        store_db_free(db);
        assert_int_equal(write(ready, "", 1), 1);
}

/* The engine says what it was asked: nothing was left out. */
static void ask(Harness *h, sd_bus *bus, const char *conversation, unsigned expected)
{
        _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
        uint64_t reply = harness_send(h, bus, conversation, "@text=echo");
        unsigned n = 0;

        assert_string_equal(reader_wait(reader, reply), "stop");
        for (const char *p = buffer_text(&reader->text[CHANNEL_CONTENT]); (p = strchr(p, ':')); p++)
                n++;
        assert_int_equal(n, expected);
        /* Its end is stored and what it took is given back when a durable change has come after. */
        sd_bus_message_unref(harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "SetTitle", "s", "Asked"));
}

static double ask_for_peak(Harness *h, sd_bus *bus, const char *conversation, unsigned expected)
{
        double before = service_rss(h);
        PeakWatch w = { .h = h };

        peak_watch_begin(&w);
        ask(h, bus, conversation, expected);
        return (peak_watch_end(&w) - before) * 1024 / (double) TEXT_SIZE;
}

/* The service starts anew each time, so that nothing is reused; a short conversation comes first,
 * for all that is made with the first use, and another as the floor. */
static double measure_peak(Harness *h, sd_id128_t id, Samples *peak, Samples *floor)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);
        _cleanup_free_ char *small = harness_create(h, bus, "test/tiny:latest"), *large = NULL;
        double before;

        assert_true(asprintf(&large, PATH_CONVERSATION "/" SD_ID128_FORMAT_STR,
                            SD_ID128_FORMAT_VAL(id)) > 0);
        ask(h, bus, small, 1);
        samples_add(floor, ask_for_peak(h, bus, small, 3));
        before = service_rss(h);
        samples_add(peak, ask_for_peak(h, bus, large, MESSAGES + 1));
        return before;
}

static void ping(Harness *h)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);

        sd_bus_message_unref(
                harness_call(h, bus, PATH_ROOT, "org.freedesktop.DBus.Peer", "Ping", ""));
}

/* Free memory goes back when the connections are closed, after half a minute; what the service does
 * with their end it has done when it answers. */
static void measure_kept(Harness *h, double before)
{
        _cleanup_samples_ Samples kept = { 0 }, bare = { 0 };

        harness_engine_wait_unused(h);
        ping(h);
        samples_add(&kept, (service_rss(h) - before) * 1024 / (double) TEXT_SIZE);
        samples_add(&bare, 0);
        bench_print("context-100k-memory-kept", "x text", &kept, &bare);
}

static void measure_memory(Harness *h, const Long *all)
{
        _cleanup_samples_ Samples peak = { 0 }, floor = { 0 };
        double before = 0;

        for (unsigned i = 0; i < bench_rounds(LONG_ONES, 1); i++) {
                if (i > 0)
                        assert_int_equal(harness_stop(h), 0);
                bench_start(h);
                before = measure_peak(h, all->ids[i], &peak, &floor);
        }
        bench_print("context-100k-memory-peak", "x text", &peak, &floor);
        if (!bench_quick())
                measure_kept(h, before);
}

int main(void)
{
        Harness *h = bench_begin();
        Long all = { .path = h->database };
        pid_t writer;

        for (EngineType type = ENGINE_OLLAMA; type <= ENGINE_ANTHROPIC; type++)
                for (size_t n = MESSAGES / 100; n <= MESSAGES; n *= 10)
                        measure_time(type, n);

        for (size_t i = 0; i < LONG_ONES; i++)
                assert_return_code(sd_id128_randomize(&all.ids[i]), 0);
        writer = bench_fork(write_long, &all);
        assert_int_equal(process_wait(writer, HARNESS_PATIENCE), 0);
        harness_start_engine(
                h, "ollama", "", (const char *const[]){ "--context", "1000000", NULL });
        measure_memory(h, &all);
        bench_end(h);
        return EXIT_SUCCESS;
}
