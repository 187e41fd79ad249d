/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/view/transcript-internal.h"
#include "tests/unit/tui-allocations.h"
#include "tests/unit/tui-rows.h"
#include "tests/unit/tui-transcript-world.h"

/* ---- places ---- */

static bool at_end(const World *w)
{
        return w->transcript->follow;
}

static void test_follows_only_at_the_end(void **state)
{
        World *w = *state;
        MessageItem *live;

        add_lines(w, ROLE_USER, 20);
        live = add_live(w, "first");
        assert_row(w, 9, "  first");
        append(live, "\nsecond");
        assert_row(w, 9, "  second");
        assert_true(at_end(w));

        assert_int_equal(transcript_scroll(w->transcript, -1), -1);
        assert_false(at_end(w));
        assert_row(w, 9, "  first");
        append(live, "\nthird\nfourth");
        assert_row(w, 9, "  first");
        assert_int_equal(transcript_scroll(w->transcript, 10), 3);
        assert_true(at_end(w));
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
        assert_true(at_end(w)); /* all of it is there to be seen */
        add_lines(w, ROLE_ASSISTANT, 20);
        draw(w);
        assert_int_equal(transcript_page(w->transcript, -1), -8);
        assert_row(w, 0, "  line 3");
        assert_int_equal(transcript_page(w->transcript, -3), -10);
        assert_row(w, 0, "▌ You");
        assert_int_equal(transcript_page(w->transcript, 1), 8);
        assert_int_equal(transcript_page(w->transcript, 5), 10);
        assert_true(at_end(w));
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
        before = screen_row_text(w->screen, 0);

        for (int columns = 200; columns > 12; columns -= 7) {
                _cleanup_free_ char *row = NULL;
                char word[32];

                resize(w, 10, columns);
                draw(w);
                row = screen_row_text(w->screen, 0);
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
        text = screen_row_text(w->screen, row);
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
                before = screen_row_text(w->screen, 0);
                assert_row(w, 0, before); /* what came, and what went, moved nothing */
        }
        assert_int_equal(w->mirror->n_older, 39);
        assert_int_equal(w->mirror->n, MIRROR_KEPT);

        while (!at_end(w)) {
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
        assert_false(at_end(w));
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
        assert_true(at_end(w));
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
        assert_false(at_end(w));
        w->mirror->open = &b;
        transcript_reset(w->transcript);
        assert_true(at_end(w));
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
        assert_false(at_end(w));
        assert_int_equal(transcript_current(w->transcript)->id, 3);

        /* One that never came is not looked for in the next but one. */
        assert_int_equal(transcript_show(w->transcript, 99), 0);
        w->mirror->open = &a;
        transcript_reset(w->transcript);
        w->mirror->open = &b;
        transcript_reset(w->transcript);
        w->mirror->messages[1]->id = 99;
        transcript_update(w->transcript);
        assert_true(at_end(w));
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

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, transcript_set_up, transcript_tear_down)
        const struct CMUnitTest tests[] = {
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
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
