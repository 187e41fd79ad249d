/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/utf8.h"
#include "service/engine/doctor.h"

#define TURNS_MAX 64

static char *answer(const char *const *said, size_t n)
{
        PromptMessage messages[TURNS_MAX] = { 0 };
        Prompt p = { .messages = messages, .n_messages = n };
        char *text = NULL;

        assert_true(n <= TURNS_MAX);
        for (size_t i = 0; i < n; i++) {
                messages[i].role = i % 2 == 0 ? ROLE_USER : ROLE_ASSISTANT;
                messages[i].text = (char *) said[i];
                messages[i].size = strlen(said[i]);
        }
        assert_int_equal(doctor_answer(&p, &text), 0);
        return text;
}

static char *answer_one(const char *said)
{
        return answer(&said, 1);
}

/* A question and a word that must be in its answer. */
static void test_samples(void **state)
{
        static const struct {
                const char *question, *part;
        } table[] = {
                { "Hello", "Hello" },
                { "hello!", "Hello" },
                { "Who are you?", "not a language model" },
                { "What are you", "not a language model" },
                { "tell me, what model are you", "not a language model" },
                { "Are you a language model?", "not a language model" },
                { "What is your name?", "not a language model" },
                { "What can you do?", "without any network" },
                { "help", "language model" },
                { "What is the capital of France?", "capital of France" },
                { "Explain monads.", "language model" },
                { "I am sad about my mother", "sorry" },
                { "My cat is ill", "your cat is ill" },
                { "I want your book", "my book" },
                { "I need my money", "your money" },
                { "You are kind", "I am kind" },
                { "What is love?", "love" },
                { "I was happy", "glad" },
                { "thanks", "welcome" },
                { "Good-bye. Bye!", "Good-bye" },
                { "I can\xe2\x80\x99t sleep", "cannot sleep" },
                { "Tell me a story", "clerk" },
                { "", "Silence" },
                { "  \n\t ", "Please go on" },
                { "xyzzy", "Please go on" },
                { "My \xc3\x9c"
                  "ber-Katze schl\xc3\xa4"
                  "ft",
                        "your \xc3\x9c"
                        "ber-Katze" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *a = answer_one(table[i].question), *b = NULL;

                if (!strstr(a, table[i].part))
                        fail_msg("'%s' is answered '%s', without '%s'", table[i].question, a,
                                table[i].part);
                b = answer_one(table[i].question);
                assert_string_equal(a, b);
        }
}

/* Rank decides, not order: the weightier word wins wherever it stands. */
static void test_rank(void **state)
{
        _cleanup_free_ char *a = answer_one("My dog barks. Who are you?");
        _cleanup_free_ char *b = answer_one("Who are you? My dog barks.");

        assert_string_equal(a, b);
        assert_non_null(strstr(a, "not a language model"));
}

static void test_turns(void **state)
{
        static const char *const said[] = { "flurb", "-", "flurb", "-", "flurb" };
        _cleanup_free_ char *a = answer(said, 1), *b = answer(said, 3), *c = answer(said, 5);

        assert_string_not_equal(a, b);
        assert_string_not_equal(b, c);
}

static void test_memory(void **state)
{
        static const char *const said[] = { "My cat hates me", "-", "flurb" };
        static const char *const nothing[] = { "gnarf", "-", "flurb" };
        _cleanup_free_ char *a = answer(said, 3), *b = answer(nothing, 3);

        assert_non_null(strstr(a, "your cat hates you"));
        assert_null(strstr(b, "cat"));
}

static void test_continue(void **state)
{
        PromptMessage messages[2] = {
                { .role = ROLE_USER, .text = (char *) "Who are you?", .size = 12 },
                { .role = ROLE_ASSISTANT },
        };
        Prompt p = { .messages = messages, .n_messages = 2, .continues = true };
        _cleanup_free_ char *whole = answer_one("Who are you?");
        size_t n = strlen(whole);

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *rest = NULL;

                messages[1].text = whole;
                messages[1].size = i;
                assert_int_equal(doctor_answer(&p, &rest), 0);
                assert_string_equal(rest, whole + i);
        }
        messages[1].size = n;
        {
                _cleanup_free_ char *rest = NULL;

                assert_int_equal(doctor_answer(&p, &rest), 0);
                assert_string_equal(rest, " Please go on.");
        }
}

static void test_attachment(void **state)
{
        PromptAttachment file = { .name = (char *) "a.txt", .type = (char *) "text/plain" };
        PromptMessage m = {
                .role = ROLE_USER, .text = (char *) "", .attachments = &file, .n_attachments = 1
        };
        Prompt p = { .messages = &m, .n_messages = 1 };
        _cleanup_free_ char *a = NULL;

        assert_int_equal(doctor_answer(&p, &a), 0);
        assert_non_null(strstr(a, "file"));
}

static void test_no_messages(void **state)
{
        _cleanup_free_ char *a = NULL;
        Prompt p = { 0 };

        assert_int_equal(doctor_answer(&p, &a), 0);
        assert_string_equal(a, doctor_empty);
}

/* Long input, and a character across the end of what is looked at: never ill-formed. */
static void test_long_and_hostile(void **state)
{
        enum { SIZE = 5000 };
        _cleanup_free_ char *text = malloc(SIZE + 1);

        assert_non_null(text);
        for (size_t shift = 0; shift < 4; shift++) {
                _cleanup_free_ char *a = NULL;

                memset(text, 'a', SIZE);
                text[SIZE] = 0;
                memcpy(text, "my ", 3);
                for (size_t i = 3 + shift; i + 4 <= SIZE; i += 4)
                        memcpy(text + i, "\xf0\x9f\x98\x80", 4);
                a = answer_one(text);
                assert_true(utf8_is_valid(a, strlen(a)));
                assert_true(strlen(a) < SIZE);
        }

        for (size_t i = 0; i < SIZE; i++)
                text[i] = i % 2 ? ' ' : 'i';
        free(answer_one(text));
        memset(text, '.', SIZE);
        free(answer_one(text));
}

static void test_control_characters(void **state)
{
        _cleanup_free_ char *a = answer_one("My \x1b[31mred\x07 cat");

        assert_true(utf8_is_clean_line(a, strlen(a)));
        assert_non_null(strstr(a, "red"));
}

/* Every rule can be reached, and every answer refers only to what its pattern keeps. */
static void test_script(void **state)
{
        for (const DoctorRule *r = doctor_rules; r->pattern; r++) {
                int stars = 0;

                for (const char *p = r->pattern; *p; p++)
                        stars += *p == '*';
                assert_true(stars <= 4);
                assert_non_null(r->answers[0]);
                for (size_t i = 0; i < DOCTOR_ANSWERS_MAX && r->answers[i]; i++)
                        for (const char *p = strchr(r->answers[i], '$'); p; p = strchr(p + 1, '$'))
                                if (p[1] < '1' || p[1] > '0' + stars)
                                        fail_msg("%s: %s", r->pattern, r->answers[i]);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_samples),
                cmocka_unit_test(test_rank),
                cmocka_unit_test(test_turns),
                cmocka_unit_test(test_memory),
                cmocka_unit_test(test_continue),
                cmocka_unit_test(test_attachment),
                cmocka_unit_test(test_no_messages),
                cmocka_unit_test(test_long_and_hostile),
                cmocka_unit_test(test_control_characters),
                cmocka_unit_test(test_script),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
