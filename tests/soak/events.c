/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>

#include "tests/bus/reader.h"
#include "tests/soak/soak.h"

#define TOKENS      200U
#define HELD_TOKENS 100U
#define HUNG_MINUTE 4U /* of ten */

/* A reply and who reads it. */
typedef struct Stream {
        Soak *soak;
        sd_bus *bus;
        char *conversation;
        Reader *reader;
        uint64_t reply;
} Stream;

static void stream_begin(
        Stream *t, Soak *s, Via via, const SoakEngine *e, unsigned model, const char *question)
{
        _cleanup_free_ char *name = engine_model(e, model);

        *t = (Stream){ .soak = s, .bus = harness_connect(s->h, via) };
        t->conversation = harness_create(s->h, t->bus, name);
        t->reader = reader_new(s->h, t->bus, t->conversation);
        t->reply = harness_send(s->h, t->bus, t->conversation, question);
}

static void stream_disconnect(Stream *t)
{
        t->reader = reader_free(t->reader);
        harness_disconnectp(&t->bus);
        t->bus = NULL;
}

static void stream_delete(Stream *t)
{
        Soak *s = t->soak;

        stream_disconnect(t);
        sd_bus_message_unref(harness_call(s->h, s->bus, PATH_ROOT, INTERFACE_MANAGER,
                "DeleteConversation", "s", strrchr(t->conversation, '/') + 1));
        t->conversation = mfree(t->conversation);
}

/* Each token is there once, in order. */
static void check_text(const Stream *t, size_t from, unsigned tokens)
{
        _cleanup_buffer_ Buffer all = BUFFER_INIT(MIB(1));
        const Buffer *got = &t->reader->text[CHANNEL_CONTENT];

        for (unsigned i = 0; i < tokens; i++)
                assert_return_code(buffer_append_format(&all, "word%u ", i), 0);
        assert_int_equal(got->size, all.size - from);
        assert_memory_equal(got->data, all.data + from, got->size);
}

/* Waits for its end, which is a good one. */
static void stream_end(Stream *t, unsigned tokens)
{
        assert_string_equal(reader_wait(t->reader, t->reply), "stop");
        check_text(t, 0, tokens);
        t->soak->n[SOAK_STREAM]++;
        stream_delete(t);
}

static SoakEngine *pick(Soak *s, unsigned minute)
{
        return &s->engines[minute % SOAK_HUNG];
}

static void release(Soak *s, const SoakEngine *e)
{
        s->h->engine_port = e->port;
        free(harness_engine_page(s->h, "/release", ""));
}

/* Half of it has come, and no more comes until the engine is told. */
static void stream_begin_held(Stream *t, Soak *s, Via via, const SoakEngine *e)
{
        char question[64];

        (void) snprintf(
                question, sizeof question, "@tokens=%u @fault=hold:%u", TOKENS, HELD_TOKENS);
        stream_begin(t, s, via, e, 0, question);
        harness_run_until(s->h, t->reader->text[CHANNEL_CONTENT].size > 0);
}

/* ---- what happens ---- */

static void hang_begin(Stream *t, Soak *s)
{
        stream_begin(t, s, VIA_PRIVATE, &s->engines[SOAK_HUNG], 0, "@fault=silent");
}

/* The engine's time is over. */
static void hang_end(Stream *t)
{
        assert_string_equal(reader_wait(t->reader, t->reply), "failed");
        t->soak->n[SOAK_HANG]++;
        stream_delete(t);
}

/* All engines and models at once, a hanging one beside them now and then. */
static void streams(Soak *s, unsigned minute)
{
        Stream hung = { 0 }, t[SOAK_HUNG * SOAK_MODELS];
        char question[64];
        bool with_hung = minute % 10 == HUNG_MINUTE;

        (void) snprintf(
                question, sizeof question, "@tokens=%u%s", TOKENS, s->real ? " @rate=40" : "");
        if (with_hung)
                hang_begin(&hung, s);
        for (unsigned i = 0; i < ELEMENTSOF(t); i++)
                stream_begin(&t[i], s, i % 2 ? VIA_PRIVATE : VIA_SESSION,
                        &s->engines[i / SOAK_MODELS], i % SOAK_MODELS, question);
        for (unsigned i = 0; i < ELEMENTSOF(t); i++)
                stream_end(&t[i], TOKENS);
        if (with_hung)
                hang_end(&hung);
}

/* The reader goes in mid-reply and comes back through the other door, where it was. */
static void reconnect(Soak *s, unsigned minute)
{
        SoakEngine *e = pick(s, minute);
        Via via = minute % 2 ? VIA_SESSION : VIA_PRIVATE;
        uint64_t from[_CHANNEL_MAX] = { 0 };
        Stream t;

        stream_begin_held(&t, s, via, e);
        from[CHANNEL_CONTENT] = t.reader->text[CHANNEL_CONTENT].size;
        stream_disconnect(&t);
        t.bus = harness_connect(s->h, via == VIA_SESSION ? VIA_PRIVATE : VIA_SESSION);
        t.reader = reader_new_from(s->h, t.bus, t.conversation, t.reply, from);
        release(s, e);
        assert_string_equal(reader_wait(t.reader, t.reply), "stop");
        check_text(&t, from[CHANNEL_CONTENT], TOKENS);
        stream_delete(&t);
        s->n[SOAK_RECONNECT]++;
}

/* The reply ends with its engine, and the next one is written by the new engine. */
static void restart_engine(Soak *s, unsigned minute)
{
        SoakEngine *e = pick(s, minute);
        Stream t;

        stream_begin_held(&t, s, VIA_SESSION, e);
        engine_end(e);
        assert_string_not_equal(reader_wait(t.reader, t.reply), "stop");
        stream_delete(&t);
        s->failed++;
        engine_start(s, e);
        stream_begin(&t, s, VIA_SESSION, e, 1, "@tokens=20");
        stream_end(&t, 20);
        s->n[SOAK_ENGINE_RESTART]++;
}

/* Asleep, while the engine goes on. */
static void suspend_service(Soak *s, unsigned minute)
{
        SoakEngine *e = pick(s, minute);
        Stream t;

        stream_begin_held(&t, s, VIA_PRIVATE, e);
        assert_return_code(kill(s->h->service, SIGSTOP), errno);
        release(s, e);
        soak_wait(s, s->real ? 5 * USEC_PER_SEC : 50 * USEC_PER_MSEC);
        assert_return_code(kill(s->h->service, SIGCONT), errno);
        stream_end(&t, TOKENS);
        s->n[SOAK_SUSPEND_SERVICE]++;
}

/* It sleeps through replies and has a question of its own when it wakes. */
static void suspend_client(Soak *s, unsigned minute)
{
        static const char question[] = "@tokens=20\r";
        _cleanup_free_ char *more = NULL;
        uint64_t n;

        if (s->tui.fd < 0)
                return;
        s->h->engine_port = s->engines[0].port; /* the default model is its */
        n = harness_engine_count(s->h, "ended");
        assert_return_code(kill(s->tui.pid, SIGSTOP), errno);
        streams(s, 0);
        pty_write(&s->tui, question, sizeof question - 1);
        assert_return_code(kill(s->tui.pid, SIGCONT), errno);
        assert_true(asprintf(&more, "ended=%u", (unsigned) n + SOAK_MODELS + 1) > 0);
        s->h->engine_port = s->engines[0].port;
        harness_engine_wait(s->h, more);
        s->n[SOAK_SUSPEND_CLIENT]++;
}

static void reload(Soak *s, unsigned minute)
{
        char extra[64];

        (void) snprintf(extra, sizeof extra, "MaxConcurrent=%u", 2 + minute % 3);
        engine_configure(s, pick(s, minute), extra);
        sd_bus_message_unref(
                harness_call(s->h, s->bus, PATH_ROOT, INTERFACE_MANAGER, "Reload", ""));
        s->n[SOAK_RELOAD]++;
}

/* A reply on the private socket does not notice. */
static void restart_bus(Soak *s, unsigned minute)
{
        SoakEngine *e = pick(s, minute);
        Stream t;

        stream_begin_held(&t, s, VIA_PRIVATE, e);
        harness_stop_bus(s->h);
        release(s, e);
        assert_string_equal(reader_wait(t.reader, t.reply), "stop");
        check_text(&t, 0, TOKENS);
        harness_start_bus(s->h);
        harness_wait_name(s->h, /* owned= */ true);
        stream_delete(&t);
        s->n[SOAK_BUS_RESTART]++;
}

void soak_minute(Soak *s, unsigned minute)
{
        static const struct {
                unsigned every;
                void (*happen)(Soak *s, unsigned minute);
                const char *name;
        } events[] = {
                { 3, reconnect, "a reader goes and comes back" },
                { 5, restart_engine, "an engine starts again" },
                { 6, suspend_service, "the service is stopped" },
                { 8, suspend_client, "the curses client is stopped" },
                { 7, reload, "the configuration changes" },
                { 30, restart_bus, "the bus starts again" },
        };
        _cleanup_free_ char *model = engine_model(pick(s, minute), minute % SOAK_MODELS);

        s->h->doing = minute % 10 == HUNG_MINUTE ? "all engines stream beside one that hangs"
                                                 : "all engines stream";
        streams(s, minute);
        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (minute % events[i].every == events[i].every - 1) {
                        s->h->doing = events[i].name;
                        events[i].happen(s, minute);
                }
        s->h->doing = NULL;
        if (minute % 4 == 3)
                cli_ask(s, model);
}
