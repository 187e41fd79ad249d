/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "service/engine/builtin.h"
#include "service/engine/doctor.h"

typedef struct Listener {
        sd_event *event;
        Buffer text;
        unsigned pieces, words, ended;
        BuiltinAnswer *answer;
        unsigned free_after; /* pieces; 0 = never */
} Listener;

static void on_text(const char *text, size_t size, void *userdata)
{
        Listener *l = userdata;

        assert_true(size > 0);
        assert_int_equal(buffer_append(&l->text, text, size), 0);
        l->pieces++;
        if (l->pieces == l->free_after) {
                l->answer = builtin_answer_free(l->answer);
                assert_true(sd_event_exit(l->event, 0) >= 0);
        }
}

static void on_ended(unsigned words, void *userdata)
{
        Listener *l = userdata;

        l->ended++;
        l->words = words;
        l->answer = builtin_answer_free(l->answer);
        assert_true(sd_event_exit(l->event, 0) >= 0);
}

static const BuiltinOps ops = { .text = on_text, .ended = on_ended };

static void listen_to(Listener *l, const char *question)
{
        PromptMessage m = {
                .role = ROLE_USER, .text = (char *) question, .size = strlen(question)
        };
        Prompt p = { .messages = &m, .n_messages = 1 };

        l->text = BUFFER_INIT(KIB(64));
        assert_true(sd_event_new(&l->event) >= 0);
        assert_int_equal(builtin_answer_new(&l->answer, l->event, &p, &ops, l), 0);
        /* Nothing is said before the loop turns. */
        assert_int_equal(l->pieces, 0);
        assert_int_equal(sd_event_loop(l->event), 0);
}

static void listener_done(Listener *l)
{
        assert_null(l->answer);
        buffer_done(&l->text);
        sd_event_unref(l->event);
}

static void test_stream(void **state)
{
        PromptMessage m = { .role = ROLE_USER, .text = (char *) "hello", .size = 5 };
        Prompt p = { .messages = &m, .n_messages = 1 };
        _cleanup_free_ char *whole = NULL;
        Listener l = { 0 };

        listen_to(&l, "hello");
        assert_int_equal(doctor_answer(&p, &whole), 0);
        assert_string_equal(buffer_text(&l.text), whole);
        assert_int_equal(l.ended, 1);
        assert_int_equal(l.words, 6); /* Hello. What is on your mind? */
        assert_int_equal(l.pieces, 6);
        listener_done(&l);
}

static void test_free_in_text(void **state)
{
        Listener l = { .free_after = 2 };

        listen_to(&l, "hello");
        assert_int_equal(l.pieces, 2);
        assert_int_equal(l.ended, 0);
        listener_done(&l);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stream),
                cmocka_unit_test(test_free_in_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
