/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a desktop is given to show, and the words that it gives back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/desktop/hits.h"
#include "client/desktop/notice.h"
#include "client/desktop/shown.h"

static void assert_line(const char *text, size_t characters, const char *expected)
{
        _cleanup_free_ char *line = NULL;

        assert_return_code(shown_line(text, characters, &line), 0);
        assert_string_equal(line, expected);
}

static void test_line(void **state)
{
        assert_line("", 3, "");
        assert_line("abc", 3, "abc");
        assert_line("abcd", 3, "ab…");
        assert_line("a \n b", 3, "a b");
        assert_line("ab cd", 4, "ab…");
        assert_line("äöü", 3, "äöü");
        assert_line("äöü😀", 3, "äö…");
        assert_line("😀😀😀😀", 4, "😀😀😀😀");
        assert_line("\x1b[0m\x07", 9, "[0m");
        assert_line("\xff", 1, "\xef\xbf\xbd");
}

static void test_text(void **state)
{
        _cleanup_free_ char *text = NULL, *cut = NULL;

        assert_return_code(shown_text("\n\n a\r\n\n\n\nb\x1b \nc\n\n", 99, &text), 0);
        assert_string_equal(text, "a\n\nb\nc");
        assert_return_code(shown_text("one\n\ntwo", 5, &cut), 0);
        assert_string_equal(cut, "one…");
}

static void test_escape(void **state)
{
        _cleanup_free_ char *text = NULL, *all = NULL;

        assert_return_code(shown_escape("a<b>&amp; \"c\"", &text), 0);
        assert_string_equal(text, "a&lt;b&gt;&amp;amp; \"c\"");
        assert_return_code(shown_escape("&&&&", &all), 0);
        assert_string_equal(all, "&amp;&amp;&amp;&amp;");
}

static void test_place(void **state)
{
        static const char path[] =
                "/org/aiway/Conductor1/conversation/0123456789abcdef0123456789abcdef";
        char word[PLACE_MAX];
        Place place, again;

        assert_return_code(place_of(path, UINT64_MAX, &place), 0);
        place_format(&place, word);
        assert_int_equal(strlen(word), PLACE_MAX - 1);
        assert_return_code(place_parse(word, &again), 0);
        assert_string_equal(again.conversation, place.conversation);
        assert_true(again.message == UINT64_MAX);
        assert_int_equal(place_of("/", 1, &again), -EINVAL);
        assert_int_equal(place_of("/org/aiway/Conductor1/conversation/", 1, &again), -EINVAL);
        for (size_t n = 0; n < 33; n++) {
                word[n] = 0;
                assert_true(place_parse(word, &again) < 0);
                place_format(&place, word);
        }
}

static void test_words(void **state)
{
        static const struct {
                NoticeFacts facts;
                const char *summary, *body;
        } cases[] = {
                { { "Title", "text", NULL, REASON_STOP, 0 }, "Title", "text" },
                { { NULL, NULL, NULL, REASON_STOP, 0 }, "An answer is ready", "" },
                { { "Title", "text", "why", REASON_FAILED, 0 }, "Title", "Failed: why" },
                { { "Title", "text", "why", REASON_FAILED, NOTICE_QUIET }, "An answer failed", "" },
                { { "<T>", "<i>", NULL, REASON_STOP, NOTICE_MARKUP }, "<T>", "&lt;i&gt;" },
                { { "T", "t", NULL, REASON_INTERRUPTED, 0 }, "T", "Interrupted: t" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *summary = NULL, *body = NULL;

                assert_return_code(notice_words(&cases[i].facts, &summary, &body), 0);
                assert_string_equal(summary, cases[i].summary);
                assert_string_equal(body, cases[i].body);
        }
        assert_true(notice_is_news(REASON_FAILED));
        assert_false(notice_is_news(REASON_CANCELLED));
        assert_false(notice_is_news(_REASON_INVALID));
}

static void test_hits(void **state)
{
        _cleanup_(hits_freep) Hits *hits = NULL;
        Place place = { "0123456789abcdef0123456789abcdef", 0 };

        assert_return_code(hits_new(&hits), 0);
        for (uint64_t i = 0; i <= HITS_KEPT; i++) {
                Hit hit = { .place = place, .title = strdup("t"), .snippet = strdup("s") };

                hit.place.message = i;
                hits_keep(hits, &hit);
                assert_null(hit.title);
        }
        /* The oldest is forgotten, and one that comes again takes no place. */
        assert_null(hits_find(hits, &place));
        place.message = 1;
        assert_non_null(hits_find(hits, &place));
        hits_keep(hits, &(Hit){ .place = place, .title = strdup("new"), .snippet = strdup("s") });
        assert_string_equal(hits_find(hits, &place)->title, "new");
        place.message = 2;
        assert_non_null(hits_find(hits, &place));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_line),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_escape),
                cmocka_unit_test(test_place),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_hits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
