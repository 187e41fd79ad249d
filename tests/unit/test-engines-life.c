/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "tests/unit/engine-world.h"

static void attach(Prompt *p, size_t size)
{
        PromptAttachment *a = calloc(1, sizeof *a);

        assert_non_null(a);
        *a = (PromptAttachment){
                .name = strdup("picture.png"),
                .type = strdup("image/png"),
                .data = calloc(1, size),
                .size = size,
        };
        assert_true(a->name && a->type && a->data);
        p->messages[0].attachments = a;
        p->messages[0].n_attachments = 1;
}

/* ---- the queue ---- */

static void test_queue(void **state)
{
        Question q[4] = { 0 };
        Fixture *f = *state;

        f->configs[0].max_concurrent = 1;
        fixture_start(f);
        for (size_t i = 0; i < 4; i++) {
                char text[2] = { 'a' + (char) i, 0 };

                ask(f, q + i, "one/gate", text);
        }
        wait_count(f, f->servers, &f->servers[0].chats, 1);
        while (q[3].log.size < 2)
                turn(f);
        assert_string_equal(buffer_text(&q[0].log), "r0");
        assert_string_equal(buffer_text(&q[1].log), "r1");
        assert_string_equal(buffer_text(&q[3].log), "r3");
        assert_int_equal(engines_live(f->engines), 1);
        assert_int_equal(engines_waiting(f->engines), 3);

        /* One of those who wait goes away: the others move up. */
        q[1].reply = engine_reply_free(q[1].reply);
        while (q[3].log.size < 3)
                turn(f);
        assert_string_equal(buffer_text(&q[2].log), "r21");
        assert_string_equal(buffer_text(&q[3].log), "r32");

        server_release(f->servers, 10);
        wait_end(f, q + 0);
        wait_end(f, q + 2);
        wait_end(f, q + 3);
        assert_string_equal(buffer_text(&q[2].log), "r210fe");
        assert_string_equal(buffer_text(&q[3].log), "r3210fe");
        assert_string_equal(buffer_text(&f->servers[0].order), "acd");
        assert_int_equal(f->servers[0].live_max, 1);
        for (size_t i = 0; i < 4; i++)
                question_done(q + i);
        assert_int_equal(engines_waiting(f->engines), 0);
}

static void test_no_limit(void **state)
{
        Question q[8] = { 0 };
        Fixture *f = *state;

        fixture_start(f);
        for (size_t i = 0; i < 8; i++)
                ask(f, q + i, "one/gate", "hi");
        wait_count(f, f->servers, &f->servers[0].chats, 8);
        assert_int_equal(engines_waiting(f->engines), 0);
        server_release(f->servers, 8);
        for (size_t i = 0; i < 8; i++) {
                wait_end(f, q + i);
                question_done(q + i);
        }
        assert_int_equal(f->servers[0].live_max, 8);
}

/* One engine hangs, in its list and in its answer: the other one's questions pass. */
static void test_hanging_engine(void **state)
{
        _cleanup_question_ Question hung = { 0 }, queued = { 0 }, q = { 0 };
        Fixture *f = *state;

        f->configs[0].max_concurrent = 1;
        server_set_lists(f->servers, "hang", NULL);
        f->configs[1] = engine_config("two", ENGINE_OPENAI, f->servers[1].url);
        fixture_start(f);
        ask(f, &hung, "one/silent", "hi");
        ask(f, &queued, "one/good", "hi");
        ask(f, &q, "two/other", "hi");
        wait_end(f, &q);
        expect_good(&q, "two", 1);
        assert_false(hung.ended || queued.ended);
}

/* ---- cancelling ---- */

/* From outside, in each phase; nothing of it stays. */
static void test_cancel_phases(void **state)
{
        _cleanup_question_ Question routing = { 0 }, queued = { 0 }, asking = { 0 };
        _cleanup_question_ Question streaming = { 0 }, backoff = { 0 };
        Fixture *f = *state;

        f->configs[0].max_concurrent = 1;
        server_set_lists(f->servers, "hang", NULL);
        fixture_start(f);

        ask(f, &routing, "unheard-of", "hi");
        wait_count(f, f->servers, &f->servers[0].lists, 1);
        routing.reply = engine_reply_free(routing.reply);

        ask(f, &asking, "one/silent", "hi");
        ask(f, &queued, "one/good", "hi");
        wait_count(f, f->servers, &f->servers[0].chats, 1);
        queued.reply = engine_reply_free(queued.reply);
        asking.reply = engine_reply_free(asking.reply);
        wait_count(f, f->servers, &f->servers[0].closed_by_client, 1);

        ask(f, &streaming, "one/stops", "hi");
        while (streaming.text.size == 0)
                turn(f);
        streaming.reply = engine_reply_free(streaming.reply);
        wait_count(f, f->servers, &f->servers[0].closed_by_client, 2);

        engines_set_retry_usec(f->engines, 1000 * USEC_PER_SEC);
        ask(f, &backoff, "one/down", "hi");
        while (!strstr(buffer_text(&backoff.phases), "retrying"))
                turn(f);
        backoff.reply = engine_reply_free(backoff.reply);

        assert_int_equal(engines_live(f->engines), 0);
        assert_int_equal(engines_waiting(f->engines), 0);
        assert_false(
                routing.ended || queued.ended || asking.ended || streaming.ended || backoff.ended);
}

/* While the worker reads its key; what is read then is for the next one. */
static void test_cancel_key(void **state)
{
        char path[] = "/tmp/conductor-test-engines-XXXXXX";
        _cleanup_question_ Question q = { 0 }, next = { 0 };
        _cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);
        Fixture *f = *state;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "second", 6), 6);
        f->configs[0].key_file = path;
        fixture_start(f);
        ask(f, &q, "one/locked", "hi");
        while (q.log.size < 2)
                turn(f);
        assert_int_equal(worker_pending(f->worker), 1);
        q.reply = engine_reply_free(q.reply);
        ask(f, &next, "one/locked", "hi");
        wait_end(f, &next);
        expect_good(&next, "one", 1);
        assert_int_equal(f->servers[0].chats, 1);
        assert_int_equal(unlink(path), 0);
}

/* From inside each callback. */
static void test_free_in_callbacks(void **state)
{
        static const struct {
                char at;
                const char *model;
        } table[] = {
                { 'r', "one/good" },
                { '0', "one/good" },
                { 'c', "one/good" },
                { 'f', "one/stops" },
                { 'f', "one/good" },
                { 'b', "one/down" },
                { 'e', "one/good" },
                { 'e', "one/missing" },
                { 'f', "builtin/doctor" },
                { 'e', "builtin/doctor" },
        };
        Fixture *f = *state;

        fixture_start(f);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_question_ Question q = { .free_at = table[i].at }, after = { 0 };

                ask(f, &q, table[i].model, "hi");
                while (q.reply)
                        turn(f);
                assert_true(q.ended == (table[i].at == 'e'));
                assert_int_equal(engines_live(f->engines), 0);
                ask(f, &after, "one/good", "hi");
                wait_end(f, &after);
                expect_good(&after, "one", 1);
        }
}

/* The engines go first: replies are silent afterwards, and still freed by their owner. */
static void test_free_engines(void **state)
{
        _cleanup_question_ Question a = { 0 }, b = { 0 };
        Fixture *f = *state;

        f->configs[0].max_concurrent = 1;
        fixture_start(f);
        ask(f, &a, "one/stops", "hi");
        ask(f, &b, "one/good", "hi");
        while (a.text.size == 0)
                turn(f);
        f->engines = engines_free(f->engines);
        wait_count(f, f->servers, &f->servers[0].closed_by_client, 1);
        assert_false(a.ended || b.ended);
}

/* An engine leaves the configuration under its replies. */
static void test_reconfigure(void **state)
{
        _cleanup_question_ Question q = { 0 };
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Question late = { 0 };
        size_t size = 2;
        Config none = { .default_model = (char *) "" };
        Fixture *f = *state;

        fixture_start(f);
        ask(f, &q, "one/gate", "hi");
        wait_count(f, f->servers, &f->servers[0].chats, 1);
        /* The same again: nothing changes, its reply counts. */
        assert_int_equal(engines_reconfigure(f->engines, &f->config), 0);
        assert_int_equal(engines_count(f->engines), 2);
        assert_int_equal(engines_live(f->engines), 1);

        assert_int_equal(engines_reconfigure(f->engines, &none), 0);
        assert_int_equal(engines_count(f->engines), 1);
        assert_int_equal(engines_live(f->engines), 1);
        assert_true(ask_prompt(f, &late, "one/gate", make_prompt("x", &size, 1), &failure) < 0);
        assert_int_equal(failure.code, FAILURE_NO_SUCH_MODEL);
        server_release(f->servers, 1);
        wait_end(f, &q);
        expect_good(&q, "one", 1);
        assert_int_equal(engines_live(f->engines), 0);
}

/* ---- large requests ---- */

#define MEASURED_AT_ONCE KIB(256)

/* Text up to the border is written on the loop, which needs no thread; over it, or with an
 * attachment, by the thread. */
static void test_large(void **state)
{
        static const struct {
                size_t first, second;
                bool attached, written;
        } table[] = {
                { 10, 10, false, false },
                { MEASURED_AT_ONCE, 0, false, false },
                { MEASURED_AT_ONCE / 2, MEASURED_AT_ONCE / 2, false, false },
                { 10, 10, true, true },
                { MEASURED_AT_ONCE, 1, false, true },
                { MEASURED_AT_ONCE * 4, 0, false, true },
        };
        Fixture *f = *state;

        f->configs[0].context_size = 10000000;
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_question_ Question q = { 0 };
                const size_t sizes[] = { table[i].first, 0, table[i].second };
                Prompt *p = make_prompt("x", sizes, ELEMENTSOF(sizes));

                if (table[i].attached)
                        attach(p, 10);
                fixture_start(f);
                assert_int_equal(ask_prompt(f, &q, "one/good", p, NULL), 0);
                wait_end(f, &q);
                expect_good(&q, "one", 1);
                assert_true(!!f->engines->requests == table[i].written);
                f->engines = engines_free(f->engines);
        }
}

static void ask_large(Fixture *f, Question *q)
{
        const size_t size = 1;
        Prompt *p = make_prompt("x", &size, 1);

        attach(p, MIB(32));
        assert_int_equal(ask_prompt(f, q, "one/good", p, NULL), 0);
        while (!q->reply->writing)
                turn(f);
}

/* While it is written: nobody is told, nothing is sent, the place at the engine is free, and what
 * comes after it is answered. */
static void test_cancel_large(void **state)
{
        _cleanup_question_ Question q = { 0 }, after = { 0 };
        Fixture *f = *state;

        f->configs[0].max_concurrent = 1;
        fixture_start(f);
        ask_large(f, &q);
        q.reply = engine_reply_free(q.reply);
        assert_int_equal(engines_live(f->engines), 0);
        ask(f, &after, "one/good", "hi");
        wait_end(f, &after);
        expect_good(&after, "one", 1);
        while (worker_pending(f->engines->requests) > 0)
                turn(f);
        assert_false(q.ended);
        assert_int_equal(server_get(f->servers, &f->servers[0].chats), 1);
}

/* The engines go while it is written. */
static void test_free_engines_large(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        fixture_start(f);
        ask_large(f, &q);
        f->engines = engines_free(f->engines);
        assert_false(q.ended);
}

/* Its engine leaves the configuration while it is written, and gets it all the same. */
static void test_reconfigure_large(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Config none = { .default_model = (char *) "" };
        const size_t size = MEASURED_AT_ONCE + 1;
        Fixture *f = *state;

        f->configs[0].context_size = 10000000;
        fixture_start(f);
        assert_int_equal(ask_prompt(f, &q, "one/good", make_prompt("x", &size, 1), NULL), 0);
        while (!q.reply->writing)
                turn(f);
        assert_int_equal(engines_reconfigure(f->engines, &none), 0);
        wait_end(f, &q);
        expect_good(&q, "one", 1);
}

/* Connections to it are made, and nothing is ever read. */
static int listen_deaf(char *url, size_t size)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof a;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_return_code(fd, errno);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof a), 0);
        assert_int_equal(listen(fd, 16), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &a, &n), 0);
        (void) snprintf(url, size, "http://127.0.0.1:%u", ntohs(a.sin_port));
        return fd;
}

typedef enum MidBody {
        MID_BODY_CANCEL,
        MID_BODY_ENGINE_STAYS,
        MID_BODY_ENGINE_LEAVES,
        MID_BODY_ALL_END,
        MID_BODY_ENGINE_LEAVES_ALL_END,
        _MID_BODY_MAX,
} MidBody;

/* While a part of the question is out and the rest waits for the engine to read. */
static void test_mid_body(void **state)
{
        const Config none = { .default_model = (char *) "" };
        const size_t size = MIB(16);
        Fixture *f = *state;
        char url[64];
        _unused_ _cleanup_close_ int fd = listen_deaf(url, sizeof url);

        f->configs[0] = engine_config("one", ENGINE_OPENAI, url);
        f->configs[0].context_size = UINT32_MAX;
        for (MidBody i = 0; i < _MID_BODY_MAX; i++) {
                Question q = { 0 };

                fixture_start(f);
                assert_int_equal(ask_prompt(f, &q, "one/any", make_prompt("x", &size, 1), NULL), 0);
                while (!strstr(buffer_text(&q.phases), "first byte"))
                        turn(f);
                while (sd_event_run(f->event, 0) > 0)
                        ;
                if (i == MID_BODY_ENGINE_STAYS)
                        assert_int_equal(engines_reconfigure(f->engines, &f->config), 0);
                if (i == MID_BODY_ENGINE_LEAVES || i == MID_BODY_ENGINE_LEAVES_ALL_END)
                        assert_int_equal(engines_reconfigure(f->engines, &none), 0);
                if (i == MID_BODY_ALL_END || i == MID_BODY_ENGINE_LEAVES_ALL_END)
                        f->engines = engines_free(f->engines);
                assert_false(q.ended);
                question_done(&q);
                f->engines = engines_free(f->engines);
        }
}

/* What no engine takes is found on the thread, and said as ever. */
static void test_large_refused(void **state)
{
        _cleanup_question_ Question q = { 0 };
        const size_t size = 1;
        Prompt *p = make_prompt("x", &size, 1);
        Fixture *f = *state;

        attach(p, MIB(2));
        memset(p->messages[0].attachments[0].data, 0xff, 1);
        p->messages[0].attachments[0].type[0] = 'x';
        fixture_start(f);
        assert_int_equal(ask_prompt(f, &q, "one/good", p, NULL), 0);
        wait_end(f, &q);
        expect_failed(&q, FAILURE_NOT_SUPPORTED, "'picture.png'", "Convert it");
}

/* ---- models ---- */

typedef struct Listing {
        Buffer names;
        unsigned done;
} Listing;

static void on_models(const ModelInfo *models, size_t n, void *userdata)
{
        Listing *l = userdata;

        l->done++;
        for (size_t i = 0; i < n; i++)
                assert_int_equal(buffer_append_format(&l->names, "%s/%s:%s ", models[i].engine,
                                         models[i].model, engine_state_to_string(models[i].state)),
                        0);
}

static void test_models(void **state)
{
        Listing l[3] = { 0 };
        ModelsQuery *cancelled;
        Fixture *f = *state;

        for (size_t i = 0; i < 3; i++)
                l[i].names = BUFFER_INIT(KIB(4));
        fixture_start(f);
        /* Two who ask at once share the answer; a third does not wait for it. */
        assert_int_equal(engines_list_models(f->engines, false, on_models, l, NULL), 0);
        assert_int_equal(engines_list_models(f->engines, false, on_models, l + 1, NULL), 0);
        assert_int_equal(engines_list_models(f->engines, false, on_models, l + 2, &cancelled), 0);
        models_query_free(cancelled);
        while (!l[0].done || !l[1].done)
                turn(f);
        assert_string_equal(
                buffer_text(&l[0].names), "one/good:ready one/twin:ready builtin/doctor:ready ");
        assert_string_equal(buffer_text(&l[1].names), buffer_text(&l[0].names));
        assert_int_equal(f->servers[0].lists, 1);

        /* Kept for a while, unless it is asked for anew. */
        assert_int_equal(engines_list_models(f->engines, false, on_models, l, NULL), 0);
        while (l[0].done < 2)
                turn(f);
        assert_int_equal(f->servers[0].lists, 1);
        assert_int_equal(engines_list_models(f->engines, true, on_models, l, NULL), 0);
        while (l[0].done < 3)
                turn(f);
        assert_int_equal(f->servers[0].lists, 2);
        assert_int_equal(l[2].done, 0);
        for (size_t i = 0; i < 3; i++)
                buffer_done(&l[i].names);
}

/* An engine that answers without an end keeps nobody waiting for the others. */
static void test_models_of_dripping_engine(void **state)
{
        Listing l = { .names = BUFFER_INIT(KIB(4)) };
        Fixture *f = *state;

        server_set_lists(f->servers, "drip", NULL);
        f->configs[1] = engine_config("two", ENGINE_OPENAI, f->servers[1].url);
        fixture_start(f);
        engines_set_whole_usec(f->engines, 50 * USEC_PER_MSEC);
        assert_int_equal(engines_list_models(f->engines, false, on_models, &l, NULL), 0);
        while (!l.done)
                turn(f);
        assert_string_equal(
                buffer_text(&l.names), "two/other:ready two/twin:ready builtin/doctor:ready ");
        assert_non_null(strstr(buffer_text(&f->changes), "one=refusing"));
        buffer_done(&l.names);
}

static void test_default_rule(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        server_set_lists(f->servers, TAGS(TAG("good") "," TAG("twin")),
                TAGS("{\"name\":\"twin\",\"context_length\":4096}"));
        fixture_start(f);
        assert_string_equal(engines_default_model(f->engines), "");
        ask(f, &q, "", "hi");
        wait_end(f, &q);
        expect_good(&q, "one", 1);
        assert_string_equal(q.model, "twin");
        assert_int_equal(q.outcome.context_size, 4096);
        assert_int_equal(f->servers[0].loads, 1);
}

/* The one used last was removed: the 404 is not the end, the rule goes on. */
static void test_last_is_gone(void **state)
{
        _cleanup_question_ Question q = { 0 };
        Fixture *f = *state;

        fixture_start(f);
        assert_int_equal(engines_set_last_model(f->engines, "one/missing"), 0);
        ask(f, &q, "", "hi");
        wait_end(f, &q);
        expect_good(&q, "one", 2);
        assert_string_equal(q.model, "good");
}

static void test_unknown_model(void **state)
{
        _cleanup_question_ Question q = { 0 };
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Fixture *f = *state;

        fixture_start(f);
        assert_int_equal(engines_check_model(f->engines, "nothing", NULL), 0);
        ask(f, &q, "nothing", "hi");
        wait_end(f, &q);
        expect_failed(&q, FAILURE_NO_SUCH_MODEL, "one/good", "nothing");
        /* Known now: refused at once. */
        assert_true(engines_check_model(f->engines, "nothing", &failure) < 0);
        assert_int_equal(failure.code, FAILURE_NO_SUCH_MODEL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
        static const struct CMUnitTest tests[] = {
                TEST(test_queue),
                TEST(test_no_limit),
                TEST(test_hanging_engine),
                TEST(test_cancel_phases),
                TEST(test_cancel_key),
                TEST(test_free_in_callbacks),
                TEST(test_free_engines),
                TEST(test_reconfigure),
                TEST(test_large),
                TEST(test_cancel_large),
                TEST(test_free_engines_large),
                TEST(test_reconfigure_large),
                TEST(test_mid_body),
                TEST(test_large_refused),
                TEST(test_models),
                TEST(test_models_of_dripping_engine),
                TEST(test_default_rule),
                TEST(test_last_is_gone),
                TEST(test_unknown_model),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
