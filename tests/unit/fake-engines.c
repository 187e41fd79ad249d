/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conversation-fakes.h"

FakeEngines fake_engines;

/* ---- the engines ---- */

int engines_ask(Engines *e, const char *model, Prompt *prompt, const EngineReplyOps *ops,
        void *userdata, EngineReply **ret, Failure *failure)
{
        EngineReply *a;

        if (fake_engines.refuse != FAILURE_NONE) {
                prompt_free(prompt);
                return failure_set(failure, fake_engines.refuse, NULL);
        }
        assert_true(fake_engines.n_asks < FAKE_ASKS_MAX);
        a = calloc(1, sizeof *a);
        assert_non_null(a);
        *a = (EngineReply){ strdup(model), prompt, ops, userdata, .live = true };
        fake_engines.asks[fake_engines.n_asks++] = a;
        *ret = a;
        return 0;
}

EngineReply *engine_reply_free(EngineReply *r)
{
        if (r)
                r->live = false;
        return NULL;
}

int engines_set_last_model(Engines *e, const char *model)
{
        return free_and_strdup(&fake_engines.last_model, model);
}

int engines_check_model(Engines *e, const char *model, Failure *failure)
{
        return streq(model, "none/such") ? failure_set(failure, FAILURE_NO_SUCH_MODEL, NULL) : 0;
}

EngineReply *fake_ask(unsigned i)
{
        assert_true(i < fake_engines.n_asks);
        return fake_engines.asks[i];
}

EngineReply *fake_last_ask(void)
{
        return fake_ask(fake_engines.n_asks - 1);
}

typedef struct Dispatch {
        void (*f)(void *userdata);
        void *userdata;
} Dispatch;

static int on_dispatch(sd_event_source *source, void *userdata)
{
        Dispatch *d = userdata;

        d->f(d->userdata);
        return 0;
}

void fake_dispatch(void (*f)(void *userdata), void *userdata)
{
        Dispatch d = { f, userdata };
        sd_event_source *source;

        assert_true(sd_event_add_defer(world.event, &source, on_dispatch, &d) >= 0);
        world_settle();
        sd_event_source_disable_unref(source);
}

typedef struct Saying {
        EngineReply *e;
        Channel channel;
        const char *text;
        size_t size;
        EndReason reason;
        unsigned place;
} Saying;

static void say(void *userdata)
{
        const Saying *s = userdata;

        assert_true(s->e->live);
        s->e->ops->text(s->channel, s->text, s->size, s->e->userdata);
}

void fake_say_bytes(EngineReply *e, Channel channel, const char *text, size_t size)
{
        fake_dispatch(say, &(Saying){ e, channel, text, size });
}

void fake_say(EngineReply *e, const char *text)
{
        fake_say_bytes(e, CHANNEL_CONTENT, text, strlen(text));
}

void fake_text_now(EngineReply *e, const char *text)
{
        say(&(Saying){ e, CHANNEL_CONTENT, text, strlen(text) });
}

void fake_end_now(EngineReply *e, EndReason reason)
{
        const EngineOutcome outcome = {
                .reason = reason,
                .failure = { reason == REASON_FAILED ? FAILURE_ENGINE_STALLED : FAILURE_NONE,
                        NULL },
                .engine = "fake",
                .model = "parrot",
                .tokens_in = 7,
                .tokens_out = 3,
                .context_used = 10,
                .context_size = 4096,
                .tokens_per_second = 2.5,
                .elapsed = 1500,
                .first_token = 500,
                .dropped_messages = fake_engines.dropped,
        };

        assert_true(e->live);
        e->ops->ended(&outcome, e->userdata);
}

static void end(void *userdata)
{
        const Saying *s = userdata;

        fake_end_now(s->e, s->reason);
}

void fake_end(EngineReply *e, EndReason reason)
{
        fake_dispatch(end, &(Saying){ .e = e, .reason = reason });
}

static void place(void *userdata)
{
        const Saying *s = userdata;

        s->e->ops->routed("fake", "parrot", s->e->userdata);
        s->e->ops->place(s->place, s->e->userdata);
}

void fake_place(EngineReply *e, unsigned n)
{
        fake_dispatch(place, &(Saying){ .e = e, .place = n });
}

void fake_engines_clear(void)
{
        for (unsigned i = 0; i < fake_engines.n_asks; i++) {
                EngineReply *e = fake_engines.asks[i];

                assert_false(e->live);
                prompt_free(e->prompt);
                free(e->model);
                free(e);
        }
        free(fake_engines.last_model);
        memset(&fake_engines, 0, sizeof fake_engines);
}
