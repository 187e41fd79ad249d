/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "client/tui/terminal/screen-internal.h"
#include "client/tui/view/transcript.h"
#include "tests/unit/tui-fake-mirror.h"

#define NOW (1000 * USEC_PER_SEC)

/* Allocations are counted where the C library's can be stood before: not under a sanitizer. */
#ifndef __SANITIZE_ADDRESS__
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static size_t n_allocations;

void *malloc(size_t size)
{
        n_allocations++;
        return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
        n_allocations++;
        return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
        n_allocations++;
        return __libc_realloc(p, size);
}
#else
static const size_t n_allocations = 0;
#endif

typedef struct World {
        Mirror *mirror;
        Transcript *transcript;
        Screen *screen;
        usec_t now;
} World;

static int set_up(void **state)
{
        World *w = calloc(1, sizeof *w);

        assert_non_null(w);
        assert_int_equal(setenv("TZ", "UTC", 1), 0);
        tzset();
        w->mirror = fake_mirror_new();
        assert_int_equal(transcript_new(w->mirror, &w->transcript), 0);
        assert_int_equal(screen_new(&w->screen), 0);
        assert_int_equal(screen_resize(w->screen, 10, 40), 0);
        w->now = NOW;
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        World *w = *state;

        transcript_free(w->transcript);
        screen_free(w->screen);
        fake_mirror_free(w->mirror);
        free(w);
        return 0;
}

static void resize(World *w, int rows, int columns)
{
        assert_int_equal(screen_resize(w->screen, rows, columns), 0);
}

static void draw(World *w)
{
        screen_begin(w->screen);
        transcript_draw(w->transcript, w->screen,
                (Area){ 0, 0, screen_rows(w->screen), screen_columns(w->screen) }, w->now);
}

/* All rows, each with a line's end; blank ones at the end left out. */
static const char *screen_text(World *w)
{
        static char text[KIB(64)];
        size_t size = 0, end = 0;

        for (int i = 0; i < screen_rows(w->screen); i++) {
                _cleanup_free_ char *row = NULL;

                assert_int_equal(screen_row_text(w->screen, i, &row), 0);
                size += (size_t) snprintf(text + size, sizeof text - size, "%s\n", row);
                assert_true(size < sizeof text);
                if (*row)
                        end = size;
        }
        text[end] = 0;
        return text;
}

static void assert_screen(World *w, const char *expected)
{
        draw(w);
        assert_string_equal(screen_text(w), expected);
}

static void assert_row(World *w, int row, const char *expected)
{
        _cleanup_free_ char *text = NULL;

        draw(w);
        assert_int_equal(screen_row_text(w->screen, row, &text), 0);
        assert_string_equal(text, expected);
}

/* A row for each number: "line 1". */
static MessageItem *add_lines(World *w, Role role, unsigned n)
{
        char text[KIB(4)] = "";
        size_t size = 0;

        for (unsigned i = 1; i <= n; i++)
                size += (size_t) snprintf(
                        text + size, sizeof text - size, "%sline %u", i > 1 ? "\n" : "", i);
        return fake_add(w->mirror, role, text);
}

static void append(MessageItem *item, const char *text)
{
        assert_int_equal(document_append(item->channels[CHANNEL_CONTENT], text, strlen(text)), 0);
}

static MessageItem *add_live(World *w, const char *text)
{
        MessageItem *item = fake_add(w->mirror, ROLE_ASSISTANT, "");

        document_free(item->channels[CHANNEL_CONTENT]);
        assert_int_equal(
                document_new(STYLE_NORMAL, 0, MIB(16), &item->channels[CHANNEL_CONTENT]), 0);
        append(item, text);
        item->live = true;
        item->reason = REASON_NONE;
        item->started = NOW - 12 * USEC_PER_SEC;
        item->first_text = *text ? NOW : 0;
        w->mirror->live = item;
        return item;
}

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
        assert_row(w, 2, "  here, 1,234 tokens in, 56 out, 3 s, 18.7 tokens/s");
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
                assert_int_equal(screen_row_text(w->screen, 1, &row), 0);
                assert_int_equal(strlen(row), strlen("▌ ") + (size_t) cases[i].cells);
        }
}

/* ---- places ---- */

static void test_follows_only_at_the_end(void **state)
{
        World *w = *state;
        MessageItem *live;

        add_lines(w, ROLE_USER, 20);
        live = add_live(w, "first");
        assert_row(w, 9, "  first");
        append(live, "\nsecond");
        assert_row(w, 9, "  second");
        assert_true(transcript_at_end(w->transcript));

        assert_int_equal(transcript_scroll(w->transcript, -1), -1);
        assert_false(transcript_at_end(w->transcript));
        assert_row(w, 9, "  first");
        append(live, "\nthird\nfourth");
        assert_row(w, 9, "  first");
        assert_int_equal(transcript_scroll(w->transcript, 10), 3);
        assert_true(transcript_at_end(w->transcript));
        append(live, "\nfifth");
        assert_row(w, 9, "  fifth");
}

static void test_borders_of_scrolling(void **state)
{
        World *w = *state;

        assert_int_equal(transcript_scroll(w->transcript, -1), 0);
        assert_int_equal(transcript_page(w->transcript, 1), 0);
        add_lines(w, ROLE_USER, 5);
        draw(w);
        assert_int_equal(transcript_scroll(w->transcript, -1), 0);
        assert_true(transcript_at_end(w->transcript)); /* all of it is there to be seen */
        add_lines(w, ROLE_ASSISTANT, 20);
        draw(w);
        assert_int_equal(transcript_page(w->transcript, -1), -8);
        assert_row(w, 0, "  line 3");
        assert_int_equal(transcript_page(w->transcript, -3), -10);
        assert_row(w, 0, "▌ You");
        assert_int_equal(transcript_page(w->transcript, 1), 8);
        assert_int_equal(transcript_page(w->transcript, 5), 10);
        assert_true(transcript_at_end(w->transcript));
        assert_row(w, 9, "  line 20");
}

static void test_place_survives_widths(void **state)
{
        char text[KIB(8)];
        World *w = *state;
        _cleanup_free_ char *before = NULL;
        size_t size = 0;

        for (unsigned i = 0; i < 500; i++)
                size += (size_t) snprintf(text + size, sizeof text - size, "word%u ", i);
        fake_add(w->mirror, ROLE_ASSISTANT, text);
        draw(w);
        transcript_home(w->transcript);
        assert_int_equal(transcript_scroll(w->transcript, 50), 50);
        draw(w);
        assert_int_equal(screen_row_text(w->screen, 0, &before), 0);

        for (int columns = 200; columns > 12; columns -= 7) {
                _cleanup_free_ char *row = NULL;
                char word[32];

                resize(w, 10, columns);
                draw(w);
                assert_int_equal(screen_row_text(w->screen, 0, &row), 0);
                assert_int_equal(sscanf(before, " %31s", word), 1);
                assert_non_null(strstr(row, word));
        }
        resize(w, 10, 40);
        assert_row(w, 0, before);
}

static char *row_text(World *w, int row)
{
        char *text;

        draw(w);
        assert_int_equal(screen_row_text(w->screen, row, &text), 0);
        return text;
}

/* Borders show no byte of their own, and are places all the same. */
static void test_each_row_is_a_place(void **state)
{
        World *w = *state;

        fake_add(w->mirror, ROLE_ASSISTANT,
                "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\n```c\nint x;\nint y;\n```");
        add_lines(w, ROLE_USER, 30);
        draw(w);
        transcript_home(w->transcript);
        for (int i = 0; i < 14; i++) {
                _cleanup_free_ char *second = row_text(w, 1);

                assert_int_equal(transcript_scroll(w->transcript, 1), 1);
                assert_row(w, 0, second);
                resize(w, 10, 12);
                draw(w);
                resize(w, 10, 40);
                assert_row(w, 0, second);
        }
}

static void test_loads_by_pages(void **state)
{
        World *w = *state;

        fake_fill(w->mirror, 100000);
        draw(w);
        assert_int_equal(w->mirror->n_older, 0);
        assert_row(w, 9, "  with a second paragraph");

        for (unsigned i = 0; w->mirror->first > 98000; i++) {
                _cleanup_free_ char *before = NULL;

                assert_true(i < 10000);
                assert_int_equal(transcript_page(w->transcript, -1), -8);
                draw(w);
                assert_int_equal(screen_row_text(w->screen, 0, &before), 0);
                assert_row(w, 0, before); /* what came, and what went, moved nothing */
        }
        assert_int_equal(w->mirror->n_older, 39);
        assert_int_equal(w->mirror->n, MIRROR_KEPT);

        while (!transcript_at_end(w->transcript)) {
                assert_int_not_equal(transcript_page(w->transcript, 1), 0);
                draw(w);
        }
        assert_int_equal(w->mirror->first + w->mirror->n, 100000);
        assert_row(w, 9, "  with a second paragraph");
}

/* The last row that is loaded is not the end. */
static void test_loaded_end_is_not_the_end(void **state)
{
        World *w = *state;

        fake_fill(w->mirror, 200);
        w->mirror->n -= 10;
        w->mirror->loading = true;
        draw(w);
        assert_int_equal(transcript_page(w->transcript, -1), -8);
        assert_int_equal(transcript_page(w->transcript, 2), 8);
        assert_false(transcript_at_end(w->transcript));
        assert_row(w, 9, "  newer messages are being loaded…");
        assert_row(w, 8, "  with a second paragraph");
        w->mirror->n += 10; /* they came */
        assert_row(w, 8, "  with a second paragraph");
        assert_row(w, 9, "");
}

static void test_end_from_far_away(void **state)
{
        ConversationItem open = { .id = "c" };
        World *w = *state;

        w->mirror->open = &open;
        fake_fill(w->mirror, 1000);
        for (int i = 0; i < 300; i++) {
                draw(w);
                (void) transcript_page(w->transcript, -1);
        }
        assert_true(mirror_has_newer(w->mirror));
        transcript_end(w->transcript);
        assert_int_equal(w->mirror->n_opened, 1);
        assert_row(w, 7, "  Message number 1000");
}

static void test_says_that_it_loads(void **state)
{
        World *w = *state;

        fake_fill(w->mirror, 100);
        w->mirror->loading = true;
        draw(w);
        transcript_home(w->transcript);
        assert_row(w, 0, "  older messages are being loaded…");
        assert_row(w, 1, "▌ You");
        assert_int_equal(w->mirror->n_older, 0);
        w->mirror->loading = false;
        draw(w);
        assert_int_equal(w->mirror->n_older, 1);
        assert_row(w, 0, ""); /* the page has come: the place is what it was */
        assert_row(w, 2, "▌ Message number 51");
}

static uint64_t layouts(const World *w)
{
        uint64_t n = 0;

        for (size_t i = w->mirror->first; i < w->mirror->first + w->mirror->n; i++)
                n += document_layouts(w->mirror->messages[i]->channels[CHANNEL_CONTENT]);
        return n;
}

static void test_lays_out_what_is_seen(void **state)
{
        World *w = *state;
        uint64_t before;

        fake_fill(w->mirror, 100000);
        draw(w);
        assert_in_range(layouts(w), 1, 10);
        before = layouts(w);
        draw(w);
        assert_int_equal(layouts(w), before);
        (void) transcript_page(w->transcript, -1);
        draw(w);
        assert_in_range(layouts(w) - before, 1, 10);
}

static void test_long_message_is_not_laid_out(void **state)
{
        World *w = *state;
        _cleanup_free_ char *text = malloc(MIB(10) + 1);
        MessageItem *reply;

        assert_non_null(text);
        for (size_t i = 0; i < MIB(10); i++)
                text[i] = i % 100 == 99 ? '\n' : i % 7 == 6 ? ' ' : 'x';
        text[MIB(10)] = 0;
        reply = fake_add(w->mirror, ROLE_ASSISTANT, text);
        draw(w);
        assert_in_range(document_layouts(reply->channels[CHANNEL_CONTENT]), 1, 3);
        for (int i = 0; i < 20; i++) {
                assert_int_equal(transcript_page(w->transcript, -1), -8);
                draw(w);
        }
        assert_in_range(document_layouts(reply->channels[CHANNEL_CONTENT]), 1, 20);
}

static size_t memory(const World *w)
{
        size_t bytes = 0;

        for (size_t i = 0; i < w->mirror->n; i++)
                bytes += document_bytes(w->mirror->messages[i]->channels[CHANNEL_CONTENT]);
        return bytes;
}

/* Of all that was ever looked at, a few layouts are kept. */
static void test_memory_of_what_was_read(void **state)
{
        World *w = *state;
        char text[KIB(20)] = "";
        size_t size = 0, before;

        while (size + 64 < sizeof text)
                size += (size_t) snprintf(
                        text + size, sizeof text - size, "A paragraph of %zu bytes.\n\n", size);
        for (unsigned i = 0; i < 100; i++)
                fake_add(w->mirror, ROLE_ASSISTANT, text);
        before = memory(w);
        draw(w);
        while (transcript_page(w->transcript, -1) < 0)
                draw(w);
        /* The layouts of one message are larger than its text of 20 KiB. */
        assert_in_range(memory(w) - before, 1, KIB(20) * 100);
}

static void test_frame_allocates_nothing(void **state)
{
        World *w = *state;
        MessageItem *live;
        size_t before;

        fake_think(fake_add(w->mirror, ROLE_ASSISTANT, "```c\nint x = 1;\n```\n\n- a\n- b"), "why");
        fake_add(w->mirror, ROLE_ASSISTANT, "x")->reason = REASON_INTERRUPTED;
        live = add_live(w, "");
        live->phase = (char *) "waiting";
        transcript_set_flags(w->transcript, TRANSCRIPT_METADATA);
        assert_int_equal(transcript_highlight(w->transcript, "int b"), 0);
        resize(w, 24, 80);
        draw(w);
        before = n_allocations;
        for (int i = 0; i < 10; i++) {
                w->now += USEC_PER_SEC;
                draw(w);
                (void) transcript_scroll(w->transcript, -1);
        }
        assert_int_equal(n_allocations, before);
}

/* ---- messages ---- */

static void test_message_by_message(void **state)
{
        World *w = *state;

        for (unsigned i = 0; i < 6; i++)
                add_lines(w, i % 2 ? ROLE_ASSISTANT : ROLE_USER, 6);
        draw(w);
        assert_int_equal(transcript_current(w->transcript)->id, 6);
        assert_int_equal(transcript_message(w->transcript, -1), 1);
        assert_int_equal(transcript_current(w->transcript)->id, 6);
        assert_int_equal(transcript_message(w->transcript, -1), 1);
        assert_row(w, 0, "▶ You");
        assert_int_equal(transcript_current(w->transcript)->id, 5);
        assert_int_equal(transcript_message(w->transcript, -2), 1);
        assert_int_equal(transcript_current(w->transcript)->id, 3);
        assert_int_equal(transcript_message(w->transcript, 1), 1);
        assert_int_equal(transcript_current(w->transcript)->id, 4);
        assert_row(w, 0, "▶ fake/model");
        assert_int_equal(transcript_scroll(w->transcript, 2), 2); /* no longer marked */
        assert_int_equal(transcript_message(w->transcript, -1), 1);
        assert_int_equal(transcript_current(w->transcript)->id, 4);
        assert_int_equal(transcript_scroll(w->transcript, 2), 2);
        assert_int_equal(transcript_message(w->transcript, 1), 1);
        assert_int_equal(transcript_current(w->transcript)->id, 5);
        assert_int_equal(transcript_message(w->transcript, 1), 1);
        assert_int_equal(transcript_message(w->transcript, 1), 0);
        assert_true(transcript_at_end(w->transcript));
        assert_int_equal(transcript_message(w->transcript, -100), 1);
        assert_int_equal(transcript_current(w->transcript)->id, 1);
}

static void test_shows_a_hit(void **state)
{
        World *w = *state;

        draw(w);
        assert_null(transcript_current(w->transcript));
        assert_int_equal(transcript_show(w->transcript, 2), 0); /* nothing is loaded */
        for (unsigned i = 0; i < 4; i++)
                add_lines(w, ROLE_ASSISTANT, 9);
        transcript_update(w->transcript);
        assert_row(w, 0, "▶ fake/model");
        assert_int_equal(transcript_current(w->transcript)->id, 2);
        assert_int_equal(transcript_show(w->transcript, 3), 1);
        assert_int_equal(transcript_current(w->transcript)->id, 3);
}

/* Another branch was chosen at the marked message: the mark and the place go over to it. */
static void test_branch_takes_the_mark(void **state)
{
        World *w = *state;

        for (unsigned i = 0; i < 4; i++)
                add_lines(w, ROLE_ASSISTANT, 9);
        draw(w);
        assert_int_equal(transcript_show(w->transcript, 2), 1);
        w->mirror->messages[1]->id = 77; /* parent stays */
        transcript_update(w->transcript);
        assert_int_equal(transcript_current(w->transcript)->id, 77);
        assert_row(w, 0, "▶ fake/model");

        w->mirror->loading = true;
        w->mirror->first = 1; /* it is the first one now, and again another */
        w->mirror->n--;
        w->mirror->messages[1]->id = 76;
        transcript_update(w->transcript);
        assert_row(w, 0, "▶ fake/model");
        assert_int_equal(transcript_current(w->transcript)->id, 76);
        w->mirror->first = 0;
        w->mirror->n++;

        /* One that is gone with no other in its place. */
        w->mirror->messages[1]->id = 78;
        w->mirror->messages[1]->parent = 99;
        transcript_update(w->transcript);
        assert_row(w, 0, "  fake/model");
}

static void test_reset(void **state)
{
        World *w = *state;
        ConversationItem a = { .id = "a" }, b = { .id = "b" };

        w->mirror->open = &a;
        transcript_reset(w->transcript);
        add_lines(w, ROLE_USER, 30);
        draw(w);
        assert_int_equal(transcript_show(w->transcript, 1), 1);
        transcript_reset(w->transcript); /* it has another title */
        assert_false(transcript_at_end(w->transcript));
        w->mirror->open = &b;
        transcript_reset(w->transcript);
        assert_true(transcript_at_end(w->transcript));
        assert_row(w, 9, "▌ line 30");
}

/* A hit in another conversation: asked for before that one is open. */
static void test_shows_a_hit_elsewhere(void **state)
{
        World *w = *state;
        ConversationItem a = { .id = "a" }, b = { .id = "b" };

        w->mirror->open = &a;
        transcript_reset(w->transcript);
        w->mirror->loading = true;
        for (unsigned i = 0; i < 4; i++)
                add_lines(w, ROLE_ASSISTANT, 9);
        draw(w);
        (void) transcript_show(w->transcript, 3);
        w->mirror->open = &b;
        transcript_reset(w->transcript);
        w->mirror->loading = false;
        transcript_update(w->transcript);
        assert_false(transcript_at_end(w->transcript));
        assert_int_equal(transcript_current(w->transcript)->id, 3);

        /* One that never came is not looked for in the next but one. */
        assert_int_equal(transcript_show(w->transcript, 99), 0);
        w->mirror->open = &a;
        transcript_reset(w->transcript);
        w->mirror->open = &b;
        transcript_reset(w->transcript);
        w->mirror->messages[1]->id = 99;
        transcript_update(w->transcript);
        assert_true(transcript_at_end(w->transcript));
}

static void assert_code(World *w, const char *expected)
{
        const char *code;
        size_t size;

        assert_int_equal(transcript_code(w->transcript, &code, &size), 0);
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(code, expected, size);
}

static void test_code(void **state)
{
        World *w = *state;
        const char *code;
        size_t size;

        fake_add(w->mirror, ROLE_ASSISTANT, "```\none\n```\n\nand\n\n```\ntwo\n```");
        fake_add(w->mirror, ROLE_USER, "none here");
        draw(w);
        assert_code(w, "two"); /* the last message has none */
        assert_code(w, "one");
        assert_int_equal(transcript_code(w->transcript, &code, &size), -ENOENT);
        assert_code(w, "two");

        /* What the reader looks at, not what is last. */
        add_lines(w, ROLE_USER, 30);
        fake_add(w->mirror, ROLE_ASSISTANT, "```\nthree\n```");
        transcript_end(w->transcript);
        draw(w);
        assert_code(w, "three");
        transcript_home(w->transcript);
        draw(w);
        assert_code(w, "two");
}

static void test_no_code(void **state)
{
        World *w = *state;
        const char *code;
        size_t size;

        assert_int_equal(transcript_code(w->transcript, &code, &size), -ENOENT);
        fake_add(w->mirror, ROLE_ASSISTANT, "none");
        draw(w);
        assert_int_equal(transcript_code(w->transcript, &code, &size), -ENOENT);
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
        assert(setlocale(LC_ALL, "C.UTF-8")); /* letters have a case */
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
                CASE(test_follows_only_at_the_end),
                CASE(test_borders_of_scrolling),
                CASE(test_place_survives_widths),
                CASE(test_each_row_is_a_place),
                CASE(test_loads_by_pages),
                CASE(test_loaded_end_is_not_the_end),
                CASE(test_end_from_far_away),
                CASE(test_says_that_it_loads),
                CASE(test_lays_out_what_is_seen),
                CASE(test_long_message_is_not_laid_out),
                CASE(test_memory_of_what_was_read),
                CASE(test_frame_allocates_nothing),
                CASE(test_message_by_message),
                CASE(test_shows_a_hit),
                CASE(test_branch_takes_the_mark),
                CASE(test_reset),
                CASE(test_shows_a_hit_elsewhere),
                CASE(test_code),
                CASE(test_no_code),
                CASE(test_highlight),
                CASE(test_scrolling_is_cheap),
                CASE(test_free_area),
                CASE(test_free_area_is_free),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
