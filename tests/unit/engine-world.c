/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/engine-world.h"

#include <sys/eventfd.h>

#define LIMIT_USEC (20 * USEC_PER_SEC)
#define RETRY_USEC (5 * USEC_PER_MSEC)

/* ---- the engines under test ---- */

static void on_changed(const char *engine, EngineState state, void *userdata)
{
        Fixture *f = userdata;

        assert_int_equal(
                buffer_append_format(&f->changes, "%s=%s ", engine, engine_state_to_string(state)),
                0);
}

static void on_notice(int level, const char *title, const char *text, void *userdata)
{
        Fixture *f = userdata;

        assert_int_equal(buffer_append_format(&f->notices, "%s: %s\n", title, text), 0);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        fail_msg("nothing happened for too long");
        return 0;
}

static int on_poke(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        eventfd_t n;

        (void) eventfd_read(fd, &n);
        return 0;
}

EngineConfig engine_config(const char *name, EngineType type, const char *url)
{
        static char empty[] = "", test[] = "test";

        return (EngineConfig){
                .name = (char *) name,
                .type = type,
                .url = (char *) url,
                .keep_alive = empty,
                .unit = empty,
                .key_credential = empty,
                .key_secret = empty,
                .key_file = empty,
                .key_environment = empty,
                .ca_file = empty,
                .proxy = empty,
                .source = test,
                .connect_timeout = 5 * USEC_PER_SEC,
                .first_byte_timeout = 5 * USEC_PER_SEC,
                .stall_timeout = 5 * USEC_PER_SEC,
        };
}

void fixture_start(Fixture *f)
{
        f->config = (Config){ .default_model = (char *) "",
                .engines = f->configs,
                .n_engines = f->configs[1].name ? 2 : 1 };
        assert_int_equal(engines_new(&f->engines, f->event, &f->config, f->worker,
                                 &(EnginesObserver){ on_changed, on_notice, NULL, f }),
                0);
        engines_set_retry_usec(f->engines, RETRY_USEC);
}

/* One engine "one" (Ollama), and "two" (OpenAI) when a test adds it before fixture_start(). */
int fixture_setup(void **state)
{
        Fixture *f = calloc(1, sizeof *f);

        assert_non_null(f);
        f->notices = f->changes = BUFFER_INIT(KIB(64));
        assert_true(sd_event_new(&f->event) >= 0);
        assert_true(sd_event_add_time_relative(f->event, &f->timeout, CLOCK_MONOTONIC, LIMIT_USEC,
                            0, on_timeout, f) >= 0);
        assert_int_equal(worker_new(&f->worker, f->event, "test", NULL), 0);
        for (size_t i = 0; i < 2; i++) {
                server_listen(f->servers + i);
                assert_true(sd_event_add_io(f->event, f->pokes + i, f->servers[i].event_fd, EPOLLIN,
                                    on_poke, f) >= 0);
        }
        server_set_lists(f->servers, TAGS(TAG("good") "," TAG("twin")), NULL);
        server_set_lists(f->servers + 1, "{\"data\":[{\"id\":\"other\"},{\"id\":\"twin\"}]}", NULL);
        f->configs[0] = engine_config("one", ENGINE_OLLAMA, f->servers[0].url);
        *state = f;
        return 0;
}

int fixture_teardown(void **state)
{
        Fixture *f = *state;

        f->engines = engines_free(f->engines);
        f->worker = worker_free(f->worker);
        for (size_t i = 0; i < 2; i++) {
                sd_event_source_disable_unref(f->pokes[i]);
                server_stop(f->servers + i);
        }
        sd_event_source_disable_unref(f->timeout);
        sd_event_unref(f->event);
        buffer_done(&f->notices);
        buffer_done(&f->changes);
        free(f);
        return 0;
}

void turn(Fixture *f)
{
        assert_true(sd_event_run(f->event, UINT64_MAX) >= 0);
}

void wait_count(Fixture *f, Server *s, const unsigned *counter, unsigned n)
{
        while (server_get(s, counter) < n)
                turn(f);
}

/* ---- one question ---- */

static void note(Question *q, char what)
{
        assert_int_equal(buffer_append(&q->log, &what, 1), 0);
        if (what == q->free_at)
                q->reply = engine_reply_free(q->reply);
}

static void on_routed(const char *engine, const char *model, void *userdata)
{
        note(userdata, 'r');
}

static void on_place(unsigned place, void *userdata)
{
        note(userdata, '0' + (char) place);
}

static void on_phase(const char *phase, void *userdata)
{
        Question *q = userdata;

        assert_int_equal(buffer_append_format(&q->phases, "%s|", phase), 0);
        if (q->free_at == 'c' && streq(phase, "connecting"))
                note(q, 'c');
        if (q->free_at == 'b' && startswith(phase, "retrying"))
                note(q, 'b');
}

static void on_text(Channel channel, const char *text, size_t size, void *userdata)
{
        Question *q = userdata;
        bool first = q->text.size == 0;

        assert_int_equal(channel, CHANNEL_CONTENT);
        assert_int_equal(buffer_append(&q->text, text, size), 0);
        if (first)
                note(q, 'f');
}

static void on_ended(const EngineOutcome *outcome, void *userdata)
{
        Question *q = userdata;

        assert_false(q->ended);
        q->ended = true;
        q->outcome = *outcome;
        q->engine = strdup(outcome->engine);
        q->model = strdup(outcome->model);
        q->message = strdup(failure_message(&outcome->failure));
        q->code = outcome->failure.code;
        assert_true((outcome->reason == REASON_FAILED) == failure_is_set(&outcome->failure));
        note(q, 'e');
}

static const EngineReplyOps question_ops = {
        .routed = on_routed,
        .place = on_place,
        .phase = on_phase,
        .text = on_text,
        .ended = on_ended,
};

/* sizes: of the messages, the user's and the assistant's in turn; each begins with text's letter.
 */
Prompt *make_prompt(const char *text, const size_t *sizes, size_t n)
{
        Prompt *p = calloc(1, sizeof *p);

        assert_non_null(p);
        p->system = strdup("");
        p->messages = calloc(n, sizeof *p->messages);
        assert_non_null(p->messages);
        for (size_t i = 0; i < n; i++) {
                PromptMessage *m = p->messages + i;

                m->role = i % 2 == 0 ? ROLE_USER : ROLE_ASSISTANT;
                m->size = sizes[i];
                m->text = malloc(m->size + 1);
                assert_non_null(m->text);
                memset(m->text, text[0], m->size);
                m->text[m->size] = 0;
        }
        p->n_messages = n;
        return p;
}

int ask_prompt(Fixture *f, Question *q, const char *model, Prompt *p, Failure *failure)
{
        q->text = q->log = q->phases = BUFFER_INIT(KIB(64));
        return engines_ask(f->engines, model, p, &question_ops, q, &q->reply, failure);
}

void ask(Fixture *f, Question *q, const char *model, const char *text)
{
        size_t size = strlen(text);

        assert_int_equal(ask_prompt(f, q, model, make_prompt(text, &size, 1), NULL), 0);
        assert_int_equal(q->log.size, 0);
}

void wait_end(Fixture *f, Question *q)
{
        while (!q->ended)
                turn(f);
}

void question_done(Question *q)
{
        q->reply = engine_reply_free(q->reply);
        buffer_done(&q->text);
        buffer_done(&q->log);
        buffer_done(&q->phases);
        q->engine = mfree(q->engine);
        q->model = mfree(q->model);
        q->message = mfree(q->message);
}
void expect_good(Question *q, const char *engine, unsigned attempts)
{
        if (q->outcome.reason != REASON_STOP)
                fail_msg("%s", q->message);
        assert_string_equal(buffer_text(&q->text), "Hello world");
        assert_string_equal(q->engine, engine);
        assert_int_equal(q->outcome.attempts, attempts);
        assert_true(q->outcome.first_token > 0);
        assert_true(q->outcome.elapsed >= q->outcome.first_token);
}

void expect_failed(Question *q, FailureCode code, const char *part, const char *part2)
{
        assert_int_equal(q->outcome.reason, REASON_FAILED);
        if (q->code != code || !strstr(q->message, part) || !strstr(q->message, part2))
                fail_msg("%s: %s", failure_code_to_string(q->code), q->message);
}
