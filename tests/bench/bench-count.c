/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is counted and not timed: allocations on the main thread, by whose code asks for them, for a
 * token (from the engine's socket to the signal), a call, a key and a frame of the curses client;
 * what of them is kept; and how often a Send waits for the disk. One thing at a time, and the
 * median of many: so they are the same on every machine with the same libraries. */

#include <fcntl.h>
#include <sys/mman.h>

#include "tests/bench/count.h"
#include "tests/bench/pty.h"
#include "tests/bench/step.h"

#define WARM_UP 20U
#define TOKENS  300U
#define CALLS   200U
#define SENDS   20U
#define KEYS    100U
#define FRAMES  bench_rounds(100, 40)

typedef struct World {
        Harness *h;
        CountPage *page;
        char *preload, *variable;
} World;

/* One number for each owner, then what was kept. */
#define COUNT_KEPT _COUNT_OWNER_MAX
#define COUNTS     (_COUNT_OWNER_MAX + 1)

static const char *const names[COUNTS] = {
        [COUNT_OWN] = "own",
        [COUNT_JSON_C] = "json-c",
        [COUNT_SYSTEMD] = "systemd",
        [COUNT_CURL] = "curl",
        [COUNT_SQLITE] = "sqlite",
        [COUNT_MD4C] = "md4c",
        [COUNT_OTHER] = "other",
        [COUNT_KEPT] = "kept",
};

typedef struct Counts {
        double n[COUNTS];
} Counts;

typedef struct Series {
        Counts last;
        Samples samples[COUNTS];
} Series;

static void world_begin(World *w)
{
        _cleanup_close_ int fd = -EBADF;
        void *page;

        *w = (World){ .h = bench_begin() };
        assert_non_null(getenv("BENCH_COUNT_CALLS"));
        assert_true(asprintf(&w->preload, "LD_PRELOAD=%s", getenv("BENCH_COUNT_CALLS")) > 0);
        assert_true(asprintf(&w->variable, COUNT_VARIABLE "=%s/counts", w->h->folder) > 0);
        fd = open(strchr(w->variable, '=') + 1, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_return_code(fd, errno);
        assert_return_code(ftruncate(fd, sizeof *w->page), errno);
        page = mmap(NULL, sizeof *w->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(page != MAP_FAILED);
        w->page = page;
}

static void count_service(World *w)
{
        w->h->environment[0] = w->preload;
        w->h->environment[1] = w->variable;
}

static void world_end(World *w)
{
        bench_end(w->h);
        (void) munmap(w->page, sizeof *w->page);
        free(w->preload);
        free(w->variable);
}

/* ---- series ---- */

static Counts look(const World *w)
{
        Counts c;

        for (size_t i = 0; i < _COUNT_OWNER_MAX; i++)
                c.n[i] = (double) atomic_load(&w->page->main_thread[i]);
        c.n[COUNT_KEPT] = (double) atomic_load(&w->page->kept);
        return c;
}

static void series_begin(Series *s, const World *w)
{
        *s = (Series){ .last = look(w) };
        assert_true(s->last.n[COUNT_OWN] > 0); /* it does count */
}

/* What was counted since the last time. */
static void series_add(Series *s, const World *w)
{
        Counts now = look(w);

        for (size_t i = 0; i < COUNTS; i++)
                samples_add(&s->samples[i], now.n[i] - s->last.n[i]);
        s->last = now;
}

/* Each is printed beside nothing; aside: what else was done each time, and is not meant. */
static void series_print(Series *s, const char *what, const Series *aside)
{
        for (size_t i = 0; i < COUNTS; i++) {
                char name[64];

                for (size_t k = 0; aside && k < s->samples[i].n; k++)
                        s->samples[i].value[k] -= samples_median(&aside->samples[i]);
                (void) snprintf(name, sizeof name, "count-%s-%s", what, names[i]);
                bench_print(name, i == COUNT_KEPT ? "blocks" : "allocations", &s->samples[i], NULL);
        }
}

static void series_done(Series *s)
{
        for (size_t i = 0; i < COUNTS; i++)
                samples_done(&s->samples[i]);
}

/* ---- the service ---- */

static void measure_tokens(const char *type, const char *text, Via via, const char *what)
{
        _cleanup_(series_done) Series tokens = { 0 }, pings = { 0 };
        World w;
        Step s;

        world_begin(&w);
        count_service(&w);
        harness_start_engine(w.h, type, "", NULL);
        bench_start(w.h);
        step_begin(&s, w.h, via,
                &(StepShape){ .before = 1, .tokens = WARM_UP + TOKENS, .text = text });
        for (unsigned i = 0; i < WARM_UP; i++)
                step_next(&s);
        series_begin(&tokens, &w);
        for (unsigned i = 0; i < TOKENS; i++) {
                step_next(&s);
                series_add(&tokens, &w);
        }
        series_begin(&pings, &w);
        for (unsigned i = 0; i < WARM_UP; i++) {
                step_ping(&s);
                series_add(&pings, &w);
        }
        step_end(&s);
        series_print(&tokens, what, &pings);
        world_end(&w);
}

static void measure_calls(World *w, Via via, const char *what)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(w->h, via);
        _cleanup_(series_done) Series calls = { 0 };

        for (unsigned i = 0; i < WARM_UP + CALLS; i++) {
                sd_bus_message_unref(
                        harness_call(w->h, bus, PATH_ROOT, "org.freedesktop.DBus.Properties", "Get",
                                "ss", INTERFACE_MANAGER, "Version"));
                if (i < WARM_UP)
                        series_begin(&calls, w);
                else
                        series_add(&calls, w);
        }
        series_print(&calls, what, NULL);
}

/* What the reply before left to write is written when a durable change was answered; this one's
 * text does not come before the count is taken. */
static void measure_sends(World *w)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(w->h, VIA_PRIVATE);
        _cleanup_free_ char *conversation = harness_create(w->h, bus, "test/tiny:latest");
        _cleanup_(reader_freep) Reader *reader = reader_new(w->h, bus, conversation);
        _cleanup_samples_ Samples fsyncs = { 0 };

        for (unsigned i = 0; i < SENDS; i++) {
                uint64_t before, reply;
                char held[16];

                sd_bus_message_unref(harness_call(w->h, bus, conversation, INTERFACE_CONVERSATION,
                        "SetTitle", "s", i % 2 ? "odd" : "even"));
                before = atomic_load(&w->page->fsyncs);
                reply = harness_send(w->h, bus, conversation, "@tokens=1 @fault=hold:0");
                samples_add(&fsyncs, (double) (atomic_load(&w->page->fsyncs) - before));
                (void) snprintf(held, sizeof held, "held=%u", i + 1);
                harness_engine_wait(w->h, held);
                free(harness_engine_page(w->h, "/release", ""));
                assert_string_equal(reader_wait(reader, reply), "stop");
        }
        bench_print("count-send-fsyncs", "fsyncs", &fsyncs, NULL);
}

static void measure_service(void)
{
        World w;

        world_begin(&w);
        count_service(&w);
        harness_start_engine(w.h, "ollama", "", NULL);
        bench_start(w.h);
        measure_calls(&w, VIA_PRIVATE, "call-private");
        measure_calls(&w, VIA_SESSION, "call-session");
        measure_sends(&w);
        world_end(&w);
}

/* ---- the curses client ---- */

/* Found again in what it sends: in no other word. */
static const char *const letters[] = { "é", "ö", "ø", "ñ", "ü", "å", "ç", "ß" };

static void measure_keys(World *w, Pty *p)
{
        _cleanup_(series_done) Series keys = { 0 };

        for (unsigned i = 0; i < WARM_UP + KEYS; i++) {
                const char *letter = letters[i % ELEMENTSOF(letters)];

                if (i == WARM_UP)
                        series_begin(&keys, w);
                pty_forget(p);
                pty_write(p, letter, strlen(letter));
                pty_wait(p, letter);
                if (i >= WARM_UP)
                        series_add(&keys, w);
        }
        series_print(&keys, "key", NULL);
        pty_write(p, "\x15", 1); /* Ctrl-U */
        pty_wait(p, "Ask something");
}

static void measure_frames(World *w, Pty *p)
{
        _cleanup_(series_done) Series frames = { 0 };
        char text[64];

        (void) snprintf(
                text, sizeof text, "@tokens=%u @fault=step:1\r", WARM_UP + FRAMES + WARM_UP);
        pty_write(p, text, strlen(text));
        pty_wait(p, "word0");
        for (unsigned i = 1; i < WARM_UP + FRAMES; i++) {
                if (i == WARM_UP)
                        series_begin(&frames, w);
                (void) snprintf(text, sizeof text, "word%u", i);
                pty_forget(p);
                free(harness_engine_page(w->h, "/release", ""));
                pty_wait(p, text);
                if (i >= WARM_UP)
                        series_add(&frames, w);
        }
        series_print(&frames, "frame", NULL);
}

static void measure_client(void)
{
        World w;
        Pty p = { 0 };

        world_begin(&w);
        harness_start_engine(w.h, "ollama", "", NULL);
        bench_start(w.h);
        pty_start_client(
                &p, w.h, NULL, (const char *const[]){ w.preload, w.variable, NULL }, 40, 120);
        pty_wait(&p, "test/tiny:latest");
        pty_write(&p, "\033[18~", 5); /* F7: Yollayah goes */
        measure_keys(&w, &p);
        measure_frames(&w, &p);
        pty_end(&p);
        world_end(&w);
}

int main(void)
{
        if (!harness_can_measure()) {
                print_message("this build has an allocator of its own\n");
                return 77;
        }
        measure_tokens("ollama", NULL, VIA_PRIVATE, "token-ollama");
        measure_tokens("openai", NULL, VIA_PRIVATE, "token-openai");
        measure_tokens("anthropic", NULL, VIA_PRIVATE, "token-anthropic");
        measure_tokens("ollama", NULL, VIA_SESSION, "token-session");
        /* Lines that have to be parsed, for there is an escape in each. */
        measure_tokens("ollama", "@text=escape", VIA_PRIVATE, "token-parsed-ollama");
        measure_tokens("openai", "@text=escape", VIA_PRIVATE, "token-parsed-openai");
        measure_tokens("anthropic", "@text=escape", VIA_PRIVATE, "token-parsed-anthropic");
        measure_service();
        if (!streq(strempty(getenv("CONDUCTOR_TUI")), ""))
                measure_client();
        return EXIT_SUCCESS;
}
