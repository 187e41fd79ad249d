/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/utf8.h"
#include "service/conversation/conversation-internal.h"

static void check(const char *text, const char *expected)
{
        char *title;

        assert_int_equal(title_from_text(text, strlen(text), &title), 0);
        assert_string_equal(title, expected);
        free(title);
}

static void test_lines_and_sentences(void **state)
{
        check("", "");
        check(" \n\t\r\n ", "");
        check("What is a monad?", "What is a monad?");
        check("What is a monad? Explain it to a child.", "What is a monad?");
        check("Explain monads. With examples!", "Explain monads");
        check("Stop! Now explain monads. Please.", "Stop! Now explain monads");
        check("\n\n  First line\nsecond line", "First line");
        check("One\ttwo\r\nthree", "One two");
        check("What does e.g. this mean?", "What does e.g. this mean?");
        check("Who was J. S. Bach? A composer.", "Who was J. S. Bach?");
        check("Upgrade to 1.2.3 or not", "Upgrade to 1.2.3 or not");
        check("I wonder about it... Do you?", "I wonder about it");
        check("...", "");
        check("これは長い質問です。答えてください。", "これは長い質問です。");
        check("Hm", "Hm");
}

static void test_markup(void **state)
{
        check("# Heading", "Heading");
        check("> > quoted", "quoted");
        check("- item", "item");
        check("* *emphasis* and `code`", "emphasis and code");
        check("12. twelfth", "twelfth");
        check("12.5 is a number", "12.5 is a number");
        check("-5 is a number", "-5 is a number");
        check("**Bold** _slanted_ snake_case", "Bold slanted snake_case");
        check("See [the page](https://example.org/a) now", "See the page now");
        check("An array[3](4", "An array3(4");
        check("array[3] stays", "array[3] stays");
        check("```c\nint main;\n```", "int main;");
        check("\"quoted\"", "quoted");
        check("“typographic”", "typographic");
        check("'a' and 'b", "'a' and 'b");
        check("\"", "\"");
        check("\"\"", "");
}

static void test_hostile(void **state)
{
        char *title;

        check("red \x1b[31mtext\x07", "red [31mtext");
        check("a\xe2\x80\xae"
              "b",
                "ab");
        assert_int_equal(title_from_text("x\0y", 3, &title), 0);
        assert_true(utf8_is_clean_line(title, strlen(title)));
        free(title);
}

static size_t characters(const char *s)
{
        size_t n = 0;

        for (; *s; s++)
                n += ((unsigned char) *s & 0xc0) != 0x80;
        return n;
}

/* n times what, then the title of it. */
static char *title_of(const char *what, size_t n)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(16));
        char *title;

        while (n-- > 0)
                assert_int_equal(buffer_append_string(&b, what), 0);
        assert_int_equal(title_from_text(buffer_text(&b), b.size, &title), 0);
        assert_true(utf8_is_clean_line(title, strlen(title)));
        assert_true(characters(title) <= TITLE_LENGTH);
        assert_true(strlen(title) <= CONVERSATION_TITLE_MAX);
        return title;
}

static void test_length(void **state)
{
        static const char *const pieces[] = { "x", "word ", "é", "漢", "🎉", "e\xcc\x81",
                "👩\xe2\x80\x8d💻", "🇩🇪", "👍🏽", " " };
        _cleanup_free_ char *sixty = NULL, *more = NULL, *words = NULL;

        sixty = title_of("x", TITLE_LENGTH);
        assert_int_equal(strlen(sixty), TITLE_LENGTH);
        more = title_of("x", TITLE_LENGTH + 1);
        assert_int_equal(characters(more), TITLE_LENGTH);
        assert_string_equal(more + TITLE_LENGTH - 1, "…");
        words = title_of("words ", 20);
        assert_string_equal(words, "words words words words words words words words words words…");

        for (size_t i = 0; i < ELEMENTSOF(pieces); i++)
                for (size_t n = 0; n < 200; n++)
                        free(title_of(pieces[i], n));
        free(title_of("x", MIB(1)));
}

/* What a person sees as one character is not cut in two. */
static void test_graphemes(void **state)
{
        static const char *const pieces[] = { "e\xcc\x81", "👩\xe2\x80\x8d💻", "🇩🇪", "👍🏽" };

        for (size_t i = 0; i < ELEMENTSOF(pieces); i++)
                for (size_t shift = 0; shift < 4; shift++) {
                        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(16));
                        _cleanup_free_ char *title = NULL;
                        const char *p;

                        assert_int_equal(buffer_append(&b, "xxx", shift), 0);
                        for (size_t n = 0; n < 100; n++)
                                assert_int_equal(buffer_append_string(&b, pieces[i]), 0);
                        assert_int_equal(title_from_text(b.data, b.size, &title), 0);
                        p = title + shift;
                        while (startswith(p, pieces[i]))
                                p += strlen(pieces[i]);
                        assert_string_equal(p, "…");
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines_and_sentences),
                cmocka_unit_test(test_markup),
                cmocka_unit_test(test_hostile),
                cmocka_unit_test(test_length),
                cmocka_unit_test(test_graphemes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
