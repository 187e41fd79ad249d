/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "client/tui/terminal/screen-internal.h"
#include "tests/unit/tui-rows.h"
#include "tests/unit/tui-transcript-world.h"

/* ---- what a message looks like ---- */

static void test_messages(void **state)
{
        World *w = *state;
        MessageItem *user = fake_add(w->mirror, ROLE_USER, "What *is* this?"),
                    *reply = fake_add(w->mirror, ROLE_ASSISTANT, "It **is**\n\n- one\n- two");
        uint64_t siblings[] = { 7, 2, 9 };

        user->created = 1600000000 * USEC_PER_SEC;
        reply->siblings = siblings;
        reply->n_siblings = ELEMENTSOF(siblings);
        assert_screen(w,
                "▌ You  2020-09-13 12:26\n"
                "▌ What *is* this?\n"
                "\n"
                "  fake/model  2/3\n"
                "  It is\n"
                "\n"
                "  • one\n"
                "  • two\n");
}

static void test_time_of_today(void **state)
{
        World *w = *state;
        time_t now = time(NULL);
        char expected[32];
        struct tm tm;

        assert_non_null(localtime_r(&now, &tm));
        assert_true(strftime(expected, sizeof expected, "▌ You  %H:%M", &tm) > 0);
        fake_add(w->mirror, ROLE_USER, "hello")->created = (usec_t) now * USEC_PER_SEC;
        assert_row(w, 0, expected);
}

static void test_attachments_flow(void **state)
{
        World *w = *state;
        Attachment files[] = {
                { (char *) "a.txt", (char *) "text/plain", 999 },
                { (char *) "picture.png", (char *) "image/png", 12345 },
                { (char *) "a-name-that-is-longer-than-the-row.tar.gz", (char *) "", 2000000 },
        };
        MessageItem *user = fake_add(w->mirror, ROLE_USER, "see");

        user->attachments = files;
        user->n_attachments = ELEMENTSOF(files);
        assert_screen(w,
                "▌ You\n"
                "▌  a.txt, 999 B   picture.png, 12 KB\n"
                "▌  a-name-that-is-longer-than-the-row.…\n"
                "▌ see\n");
}

static void test_ends(void **state)
{
        static const struct {
                EndReason reason;
                const char *error, *row;
                bool cancelling;
        } cases[] = {
                { REASON_CANCELLED, NULL, "  cancelled", false },
                { REASON_NONE, NULL, "  cancelled", true },
                { REASON_INTERRUPTED, NULL, "  interrupted; Alt-c continues", false },
                { REASON_LENGTH, NULL, "  cut at the limit of its length; Alt-c", false },
                { REASON_INCOMPLETE, NULL, "  the engine broke off; Alt-c continues", false },
                { REASON_FILTERED, NULL, "  the engine withheld the rest", false },
                { REASON_FAILED, "Is it up?", "  failed: Is it up? Alt-r tries again", false },
                { REASON_FAILED, "no key", "  failed: no key; Alt-r tries again", false },
                { REASON_FAILED, NULL, "  failed; Alt-r tries again", false },
                { REASON_STOP, NULL, "", false },
        };
        World *w = *state;
        MessageItem *reply = fake_add(w->mirror, ROLE_ASSISTANT, "text");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                reply->reason = cases[i].reason;
                reply->error = (char *) cases[i].error;
                reply->cancelling = cases[i].cancelling;
                reply->live = cases[i].cancelling;
                assert_row(w, 2, cases[i].row);
        }
        assert_row(w, 3, "");
}

static void test_keys_as_configured(void **state)
{
        World *w = *state;

        transcript_set_keys(w->transcript, &(TranscriptKeys){ .resume = "F12" });
        fake_add(w->mirror, ROLE_ASSISTANT, "text")->reason = REASON_INTERRUPTED;
        assert_row(w, 2, "  interrupted; F12 continues");
}

/* Keys act on the last reply only: others do not promise it. */
static void test_ends_of_older_replies(void **state)
{
        World *w = *state;

        fake_add(w->mirror, ROLE_ASSISTANT, "text")->reason = REASON_INTERRUPTED;
        fake_add(w->mirror, ROLE_USER, "and?");
        assert_row(w, 2, "  interrupted");
}

static void test_empty_reply(void **state)
{
        World *w = *state;

        fake_add(w->mirror, ROLE_ASSISTANT, "");
        assert_row(w, 1, "  the model said nothing; Alt-r tries");
        assert_row(w, 2, "  again");
}

static void test_dropped_messages(void **state)
{
        World *w = *state;
        MessageItem *reply = fake_add(w->mirror, ROLE_ASSISTANT, "text");

        reply->dropped = 3;
        resize(w, 10, 80);
        assert_row(w, 2, "  the oldest 3 messages were left out: the context was full");
}

static void test_waiting(void **state)
{
        World *w = *state;
        MessageItem *live = add_live(w, "");

        assert_row(w, 0, "  fake/model  ◌ waiting, 12 s");
        assert_true(transcript_is_waiting(w->transcript));
        live->phase = (char *) "loading the model";
        live->place = 2;
        w->now += 60 * USEC_PER_SEC;
        assert_row(w, 0, "  fake/model  ◌ loading the model, 1 m…");
        resize(w, 10, 80);
        assert_row(w, 0, "  fake/model  ◌ loading the model, 1 min 12 s, 2 before it");
        live->first_text = w->now;
        fake_think(live, "Hm");
        assert_row(w, 0, "  fake/model  ● reasoning");
        append(live, "word");
        assert_row(w, 0, "  fake/model  ● streaming");
        assert_false(transcript_is_waiting(w->transcript));
        transcript_set_flags(w->transcript, TRANSCRIPT_ASCII);
        assert_row(w, 0, "  fake/model  * streaming");
}

static void test_reasoning(void **state)
{
        World *w = *state;
        MessageItem *reply = fake_add(w->mirror, ROLE_ASSISTANT, "answer");
        _cleanup_free_ char *long_text = malloc(1235);

        fake_think(reply, "Größe");
        assert_screen(w,
                "  fake/model\n"
                "  ▸ reasoning, 5 characters\n"
                "  answer\n");
        assert_int_equal(transcript_toggle_reasoning(w->transcript), 0);
        assert_screen(w,
                "  fake/model\n"
                "  ▾ reasoning, 5 characters\n"
                "│ Größe\n"
                "\n"
                "  answer\n");
        transcript_set_flags(w->transcript, TRANSCRIPT_REASONING | TRANSCRIPT_ASCII);
        assert_row(w, 1, "  > reasoning, 5 characters");
        assert_int_equal(transcript_toggle_reasoning(w->transcript), 0);
        assert_row(w, 1, "  v reasoning, 5 characters");
        assert_row(w, 2, "| Größe");

        assert_non_null(long_text);
        memset(long_text, 'x', 1234);
        long_text[1234] = 0;
        fake_think(reply, long_text);
        transcript_set_flags(w->transcript, 0);
        assert_row(w, 1, "  ▸ reasoning, 1,239 characters");
}

static void test_metadata(void **state)
{
        World *w = *state;
        MessageItem *reply = fake_add(w->mirror, ROLE_ASSISTANT, "answer");

        transcript_set_flags(w->transcript, TRANSCRIPT_METADATA);
        resize(w, 10, 80);
        assert_row(w, 2, ""); /* nothing is known */
        transcript_set_flags(w->transcript, 0);
        reply->engine = (char *) "here";
        reply->tokens_in = 1234;
        reply->tokens_out = 56;
        reply->elapsed = 3 * USEC_PER_SEC;
        reply->tokens_per_second = 18.66;
        assert_row(w, 2, "");
        transcript_set_flags(w->transcript, TRANSCRIPT_METADATA);
        assert_row(w, 2, "  here, 1,234 tokens in, 56 out, 3.0 s, 19 tokens/s");
        resize(w, 10, 40);
        assert_row(w, 2, "  here, 1,234 tokens in, 56 out, 3.0 s,");
        assert_row(w, 3, "  19 tokens/s");
}

static void test_nothing_there(void **state)
{
        World *w = *state;

        assert_screen(w,
                "\n\n\n"
                "   What would you like to talk about?\n"
                "\n"
                "Enter sends, Alt-Enter begins a new line\n"
                "F1 shows the keys, Ctrl-P finds actions\n");
}

static void test_no_link(void **state)
{
        World *w = *state;

        w->mirror->link = LINK_DOWN;
        w->mirror->sentence =
                "The service does not run: systemctl --user start conductord starts it";
        draw(w);
        assert_non_null(strstr(screen_text(w), "The service does not run: systemctl"));
        assert_non_null(strstr(screen_text(w), "starts it"));
        w->mirror->link = LINK_UP;
        w->mirror->loading = true;
        assert_row(w, 5, "       Loading the conversation…");
}

static void test_sizes(void **state)
{
        static const struct {
                int rows, columns, cells;
        } cases[] = {
                { 10, 40, 37 },
                { 24, 80, 77 },
                { 60, 200, 100 },
                { 400, 1000, 100 },
                { 1, 1, 0 },
                { 3, 5, 0 },
        };
        char text[401];
        World *w = *state;

        memset(text, 'x', sizeof text - 1);
        text[sizeof text - 1] = 0;
        fake_add(w->mirror, ROLE_USER, text);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *row = NULL;

                resize(w, cases[i].rows, cases[i].columns);
                draw(w);
                if (cases[i].cells == 0)
                        continue;
                row = screen_row_text(w->screen, 1);
                assert_int_equal(strlen(row), strlen("▌ ") + (size_t) cases[i].cells);
        }
}

/* ---- marks, hints, room ---- */

static void assert_marks(World *w, int row, const char *expected)
{
        char marks[SCREEN_COLUMNS_MAX + 1];
        int columns = screen_columns(w->screen);

        draw(w);
        for (int i = 0; i < columns; i++) {
                const Cell *c = screen_cell(w->screen->drawn, w->screen, row, i);

                marks[i] = STYLE_ROLE(c->style) == STYLE_MATCH ? '#' : '.';
        }
        marks[columns] = 0;
        assert_string_equal(marks, expected);
}

static void test_highlight(void **state)
{
        World *w = *state;

        resize(w, 5, 30);
        fake_add(w->mirror, ROLE_ASSISTANT, "Caf\u00e9 **caf\u00e9**s \u4e16\u754c cafe");
        assert_int_equal(transcript_highlight(w->transcript, " CAF\u00c9  (\"\u754c\")"), 0);
        assert_marks(w, 1, "..####.####....##.............");
        assert_int_equal(transcript_highlight(w->transcript, "fe* or"), 0);
        assert_marks(w, 1, "....................##........");
        assert_int_equal(transcript_highlight(w->transcript, " \"* "), 0);
        assert_marks(w, 1, "..............................");
        assert_int_equal(transcript_highlight(w->transcript, "cafe"), 0);
        assert_int_equal(transcript_highlight(w->transcript, NULL), 0);
        assert_marks(w, 1, "..............................");
}

/* With the hint the terminal scrolls: a fraction of the bytes. */
static void test_scrolling_is_cheap(void **state)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(MIB(1));
        World *w = *state;

        resize(w, 24, 80);
        screen_set_flags(w->screen, SCREEN_CAN_SCROLL | SCREEN_CAN_ERASE);
        for (unsigned i = 0; i < 20; i++)
                fake_add(w->mirror, ROLE_ASSISTANT,
                        i % 2 ? "Rows that have little to do with each other\n"
                                "so that they cannot be made of one another"
                              : "And quite another text, which is in between");
        draw(w);
        assert_int_equal(screen_render(w->screen, &out), 0);
        for (int by = -3; by <= 3; by++) {
                if (by == 0)
                        continue;
                if (by == 1) {
                        draw(w);
                        assert_int_equal(screen_render(w->screen, &out), 0);
                }
                buffer_clear(&out);
                assert_int_equal(transcript_scroll(w->transcript, by), by);
                draw(w);
                assert_int_equal(screen_render(w->screen, &out), 0);
                assert_in_range(out.size, 1, 250);
        }
}

static void test_free_area(void **state)
{
        World *w = *state;
        Area a;

        resize(w, 10, 40);
        fake_add(w->mirror, ROLE_USER, "1234567890");
        draw(w);
        a = transcript_free_area(w->transcript, 8); /* below the text */
        assert_int_equal(a.row, 2);
        assert_int_equal(a.column, 0);
        assert_int_equal(a.columns, 40);
        a = transcript_free_area(w->transcript, 9); /* beside "▌ 1234567890" and a blank */
        assert_int_equal(a.row, 1);
        assert_int_equal(a.column, 13);
        assert_int_equal(a.columns, 27);
        a = transcript_free_area(w->transcript, 11);
        assert_int_equal(a.columns, 0);
        a = transcript_free_area(w->transcript, 0);
        assert_int_equal(a.columns, 0);

        /* Beyond the width of text there is always room. */
        for (unsigned i = 0; i < 10; i++)
                fake_add(w->mirror, ROLE_ASSISTANT, "```\ncode fills its row\n```");
        resize(w, 10, 130);
        draw(w);
        a = transcript_free_area(w->transcript, 10);
        assert_int_equal(a.column, 2 + TRANSCRIPT_COLUMNS_MAX + 1);
        assert_int_equal(a.columns, 130 - a.column);
}

/* Whatever is drawn, no cell of the free area is written on. */
static void test_free_area_is_free(void **state)
{
        World *w = *state;

        for (unsigned i = 0; i < 30; i++) {
                MessageItem *m = fake_add(w->mirror, i % 2 ? ROLE_ASSISTANT : ROLE_USER,
                        "Words 世界 and **more**\n\n> quoted\n\n| a | b |\n|--|--|\n| 1 | 2 |");

                m->dropped = i % 3;
                fake_think(m, "thought");
        }
        for (int i = 0; i < 60; i++) {
                resize(w, 12, 30 + i * 3);
                draw(w);
                (void) transcript_scroll(w->transcript, -3);
                draw(w);
                for (int rows = 1; rows <= 12; rows++) {
                        _cleanup_free_ char *before = strdup(screen_text(w));
                        Area a = transcript_free_area(w->transcript, rows);

                        screen_fill(w->screen, a, STYLE_NORMAL);
                        assert_string_equal(screen_text(w), before);
                }
        }
}

int main(void)
{
        if (!setlocale(LC_ALL, "C.UTF-8")) /* letters have a case */
                return EXIT_FAILURE;
#define CASE(name) cmocka_unit_test_setup_teardown(name, transcript_set_up, transcript_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_messages),
                CASE(test_time_of_today),
                CASE(test_attachments_flow),
                CASE(test_ends),
                CASE(test_keys_as_configured),
                CASE(test_ends_of_older_replies),
                CASE(test_empty_reply),
                CASE(test_dropped_messages),
                CASE(test_waiting),
                CASE(test_reasoning),
                CASE(test_metadata),
                CASE(test_nothing_there),
                CASE(test_no_link),
                CASE(test_sizes),
                CASE(test_highlight),
                CASE(test_scrolling_is_cheap),
                CASE(test_free_area),
                CASE(test_free_area_is_free),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
