/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/step.h"

void step_ping(Step *s)
{
        sd_bus_message_unref(
                harness_call(s->h, s->bus, PATH_ROOT, "org.freedesktop.DBus.Peer", "Ping", ""));
}

static bool has_come(const Reader *r, uint64_t reply, const char *end)
{
        const Buffer *text = &r->text[CHANNEL_CONTENT];

        return r->reply == reply && text->size >= strlen(end) &&
                memcmp(text->data + text->size - strlen(end), end, strlen(end)) == 0;
}

void step_begin(Step *s, Harness *h, Via via, const StepShape *shape)
{
        char question[128], end[32];
        uint64_t reply;

        *s = (Step){ .h = h, .bus = harness_connect(h, via) };
        s->conversation = harness_create(h, s->bus, "test/tiny:latest");
        s->reader = reader_new(h, s->bus, s->conversation);
        (void) snprintf(question, sizeof question, "@tokens=%u @fault=step:%u %s",
                shape->before + shape->tokens, shape->before, strempty(shape->text));
        reply = harness_send(h, s->bus, s->conversation, question);
        if (shape->text)
                harness_run_until(h, s->reader->n_deltas == 1);
        else {
                (void) snprintf(end, sizeof end, "word%u ", shape->before - 1);
                harness_run_until(h, has_come(s->reader, reply, end));
        }
        step_ping(s);
}

void step_next(Step *s)
{
        unsigned before = s->reader->n_deltas;

        free(harness_engine_page(s->h, "/release", ""));
        harness_run_until(s->h, s->reader->n_deltas > before);
        step_ping(s);
}

void step_end(Step *s)
{
        free(harness_engine_page(s->h, "/release", ""));
        harness_run_until(s->h, s->reader->reason);
        assert_string_equal(s->reader->reason, "stop");
        s->reader = reader_free(s->reader);
        s->bus = sd_bus_flush_close_unref(s->bus);
        s->conversation = mfree(s->conversation);
}
