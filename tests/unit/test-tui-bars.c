/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "client/tui/view/bars.h"
#include "client/tui/view/words.h"
#include "tests/unit/tui-fake-mirror.h"
#include "tests/unit/tui-rows.h"

#define NOW (1000 * USEC_PER_SEC)

typedef struct World {
        Mirror *mirror;
        Screen *screen;
        List list;
} World;

static int set_up(void **state)
{
        World *w = calloc(1, sizeof *w);

        assert_non_null(w);
        w->mirror = fake_mirror_new();
        assert_int_equal(screen_new(&w->screen), 0);
        assert_int_equal(screen_resize(w->screen, 10, 40), 0);
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        World *w = *state;

        screen_free(w->screen);
        fake_mirror_free(w->mirror);
        free(w);
        return 0;
}

static usec_t ago(uint64_t seconds)
{
        /* Half a unit of grace for a slow machine. */
        return ((usec_t) time(NULL) - seconds) * USEC_PER_SEC;
}

static void draw_list(World *w, int rows, int columns, bool ascii)
{
        screen_begin(w->screen);
        list_draw(&w->list, w->mirror, w->screen, (Area){ 0, 0, rows, columns }, true, ascii);
}

/* ---- the list ---- */

static void test_list(void **state)
{
        World *w = *state;
        ConversationItem items[] = {
                { .title = (char *) "Streams",
                        .state = CONVERSATION_STREAMING,
                        .modified = ago(5) },
                { .title = (char *) "Waits",
                        .state = CONVERSATION_WAITING,
                        .modified = ago(3 * 60 + 30) },
                { .title = (char *) "Fails", .failed = true, .modified = ago(5 * 3600 + 1800) },
                { .title = (char *) "Not read", .unread = 2, .modified = ago(2 * 86400 + 9000) },
                { .title = (char *) "A title that does not fit", .modified = ago(40 * 86400) },
                { .title = (char *) "世界世界世界世界世", .modified = ago(400 * 86400) },
                { .title = (char *) "", .modified = ago(0) + 90 * USEC_PER_SEC },
        };

        w->mirror->list = items;
        w->mirror->n_list = ELEMENTSOF(items);
        draw_list(w, 8, 25, false);
        assert_screen_row(w->screen, 0, "● Streams            now│");
        assert_screen_row(w->screen, 1, "◌ Waits               3m│");
        assert_screen_row(w->screen, 2, "! Fails               5h│");
        assert_screen_row(w->screen, 3, "• Not read            2d│");
        assert_screen_row(w->screen, 4, "  A title that does…  5w│");
        assert_screen_row(w->screen, 5, "  世界世界世界世界世  1y│");
        assert_screen_row(w->screen, 6, "  (no title)         now│");
        assert_screen_row(w->screen, 7, "                        │");

        draw_list(w, 8, 24, true);
        assert_screen_row(w->screen, 0, "* Streams           now|");
        assert_screen_row(w->screen, 1, "o Waits              3m|");
        assert_screen_row(w->screen, 3, "+ Not read           2d|");
        assert_screen_row(w->screen, 5, "  世界世界世界世界…  1y|");

        draw_list(w, 8, 12, false); /* no room for ages */
        assert_screen_row(w->screen, 0, "● Streams  │");
        assert_screen_row(w->screen, 4, "  A title …│");
}

static void test_list_of_nothing(void **state)
{
        World *w = *state;

        draw_list(w, 3, 25, false);
        assert_screen_row(w->screen, 0, "No conversations        │");
        w->mirror->link = LINK_CONNECTING; /* it is not known */
        draw_list(w, 3, 25, false);
        assert_screen_row(w->screen, 0, "                        │");
        draw_list(w, 0, 0, false);
        draw_list(w, 3, 1, false);
        assert_int_equal(list_at(&w->list, w->mirror, (Area){ 0, 0, 3, 25 }, 0), -1);
}

static void test_list_scrolls(void **state)
{
        ConversationItem items[100];
        char titles[100][8];
        World *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(items); i++) {
                (void) snprintf(titles[i], sizeof titles[i], "t%zu", i);
                items[i] = (ConversationItem){ .title = titles[i] };
        }
        w->mirror->list = items;
        w->mirror->n_list = ELEMENTSOF(items);
        w->mirror->list_has_more = true;

        draw_list(w, 10, 8, false);
        assert_screen_row(w->screen, 0, "  t0   │");
        w->list.selected = 50;
        draw_list(w, 10, 8, false);
        assert_screen_row(w->screen, 9, "  t50  │");
        w->list.selected = 45; /* is on the screen: nothing moves */
        draw_list(w, 10, 8, false);
        assert_screen_row(w->screen, 9, "  t50  │");
        w->list.selected = 30;
        draw_list(w, 10, 8, false);
        assert_screen_row(w->screen, 0, "  t30  │");
        assert_int_equal(list_at(&w->list, w->mirror, (Area){ 5, 0, 10, 8 }, 3), 33);
        assert_int_equal(list_at(&w->list, w->mirror, (Area){ 5, 0, 10, 8 }, 10), -1);
        assert_int_equal(list_at(&w->list, w->mirror, (Area){ 5, 0, 10, 8 }, -1), -1);
        assert_int_equal(w->mirror->n_list_more, 0);
        w->list.selected = SIZE_MAX;
        draw_list(w, 10, 8, false);
        assert_screen_row(w->screen, 9, "  t99  │");
        assert_int_equal(w->list.selected, 99);
        assert_int_equal(w->mirror->n_list_more, 1);

        w->mirror->n_list = 5; /* some were deleted */
        draw_list(w, 10, 8, false);
        assert_screen_row(w->screen, 0, "  t0   │");
        assert_int_equal(w->list.selected, 4);
}

/* ---- the status line ---- */

static void assert_status(World *w, int columns, bool ascii, const char *expected)
{
        screen_begin(w->screen);
        status_draw(w->mirror, w->screen, (Area){ 0, 0, 1, columns }, NOW, ascii);
        assert_screen_row(w->screen, 0, expected);
}

static void begin_text(MessageItem *live)
{
        assert_int_equal(document_append(live->channels[CHANNEL_CONTENT], "x", 1), 0);
}

static void test_status(void **state)
{
        static const ConversationItem open = { .model = (char *) "here/small" };
        World *w = *state;
        MessageItem *counted = fake_add(w->mirror, ROLE_ASSISTANT, ""), *live;

        assert_int_equal(screen_resize(w->screen, 2, 120), 0);
        assert_status(w, 120, false, "");
        w->mirror->default_model = "there/big";
        assert_status(w, 120, false, " there/big");
        w->mirror->open = &open;
        w->mirror->engines[0] = (EngineItem){ .name = (char *) "hereabouts" };
        w->mirror->engines[1] = (EngineItem){ .name = (char *) "here", .state = (char *) "ready" };
        w->mirror->n_engines = 2;
        assert_status(w, 120, false, " here/small │ here ready");
        w->mirror->used = 3174;
        w->mirror->size = 8192;
        counted->context_used = 3174;
        counted->tokens_per_second = 42.4;
        assert_status(w, 120, false, " here/small │ here ready │ context 3.1k of 8k │ 42 tok/s");

        live = fake_add(w->mirror, ROLE_ASSISTANT, "");
        live->live = true;
        live->started = NOW - 75 * USEC_PER_SEC;
        live->place = 3;
        w->mirror->live = live;
        assert_status(w, 120, false,
                " ◌ waiting 1 min 15 s, 3 before it │ here/small │ here ready │ "
                "context ~3.1k of 8k");
        live->phase = (char *) "loading";
        live->place = 0;
        w->mirror->engines[1].state = (char *) "unreachable";
        assert_status(w, 120, true,
                " o loading 1 min 15 s | here/small | here unreachable | context ~3.1k of 8k");
        live->first_text = NOW;
        assert_status(w, 78, false,
                " ● reasoning 1 min 15 s │ here/small │ here unreachable │ context ~3.1k of 8k");
        begin_text(live);
        /* What matters least goes first; the last is cut. */
        assert_status(w, 78, false,
                " ● streaming 1 min 15 s │ here/small │ here unreachable │ context ~3.1k of 8k");
        assert_status(w, 77, false, " ● streaming 1 min 15 s │ here/small │ context ~3.1k of 8k");
        assert_status(w, 59, false, " ● streaming 1 min 15 s │ here/small │ context ~3.1k of 8k");
        assert_status(w, 58, false, " ● streaming 1 min 15 s │ here/small");
        assert_status(w, 36, false, " ● streaming 1 min 15 s");
        assert_status(w, 20, false, " ● streaming 1 min…");
        assert_status(w, 2, false, "");
        live->cancelling = true;
        assert_status(w, 40, false, " ● cancelling 1 min 15 s │ here/small");
}

static void test_status_of_the_link(void **state)
{
        World *w = *state;

        assert_int_equal(screen_resize(w->screen, 2, 80), 0);
        w->mirror->link = LINK_CONNECTING;
        assert_status(w, 80, false, " connecting…");
        w->mirror->link = LINK_DOWN;
        assert_status(w, 80, false, " no connection");
        w->mirror->retry = NOW + 1500 * USEC_PER_MSEC;
        assert_status(w, 80, false, " no connection; tries again in 2 s");
        w->mirror->link = LINK_UP;
        w->mirror->loading = true;
        assert_status(w, 80, false, " loading…");
        assert_status(w, 80, false, " loading…");
}

static void test_notice(void **state)
{
        static const char sentence[] = "Deleted. `undelete` takes it back";
        World *w = *state;

        assert_int_equal(notice_rows("", 20, 3), 0);
        assert_int_equal(notice_rows(sentence, (int) strlen(sentence) + 2, 3), 1);
        assert_int_equal(notice_rows(sentence, (int) strlen(sentence) + 1, 3), 2);
        assert_int_equal(notice_rows(sentence, 20, 1), 1);
        assert_int_equal(notice_rows(sentence, 20, 0), 0);
        screen_begin(w->screen);
        notice_draw(w->screen, (Area){ 2, 10, 2, 21 }, sentence);
        assert_screen_row(w->screen, 2, "           Deleted. `undelete`");
        assert_screen_row(w->screen, 3, "           takes it back");
        screen_begin(w->screen);
        notice_draw(w->screen, (Area){ 3, 10, 1, 20 }, sentence);
        assert_screen_row(w->screen, 3, "           Deleted. `undelet…");
        notice_draw(w->screen, (Area){ 3, 10, 0, 20 }, sentence);
}

/* ---- words ---- */

typedef struct Case {
        void (*add)(Words *w, uint64_t n);
        uint64_t n;
        const char *expected;
} Case;

static void add_context(Words *w, uint64_t used)
{
        words_add_context(w, used, 200000);
}

static void add_context_of_unknown(Words *w, uint64_t used)
{
        words_add_context(w, used, 0);
}

static void test_words(void **state)
{
#define MINUTE (60 * USEC_PER_SEC)
        static const Case cases[] = {
                { words_add_duration, 0, "0 s" },
                { words_add_duration, MINUTE - 1, "59 s" },
                { words_add_duration, MINUTE, "1 min 00 s" },
                { words_add_duration, 60 * MINUTE - 1, "59 min 59 s" },
                { words_add_duration, 61 * MINUTE, "1 h 01 min" },
                { words_add_elapsed, 0, "0 ms" },
                { words_add_elapsed, 499, "0 ms" },
                { words_add_elapsed, 99499, "99 ms" },
                { words_add_elapsed, 99500, "0.1 s" },
                { words_add_elapsed, 449499, "0.4 s" },
                { words_add_elapsed, 9949499, "9.9 s" },
                { words_add_elapsed, 9949500, "10 s" },
                { words_add_elapsed, MINUTE, "1 min 00 s" },
                { words_add_age, MINUTE - 1, "now" },
                { words_add_age, MINUTE, "1m" },
                { words_add_age, 24 * 60 * MINUTE - 1, "23h" },
                { words_add_age, 7 * 24 * 60 * MINUTE, "1w" },
                { words_add_age, 365 * 24 * 60 * MINUTE, "1y" },
                { words_add_count, 0, "0" },
                { words_add_count, 999, "999" },
                { words_add_count, 1000, "1,000" },
                { words_add_count, 1234567, "1,234,567" },
                { words_add_count, UINT64_MAX, "18,446,744,073,709,551,615" },
                { words_add_bytes, 999, "999 B" },
                { words_add_bytes, 1000, "1 KB" },
                { words_add_bytes, 1499, "1 KB" },
                { words_add_bytes, 12345678, "12.3 MB" },
                { add_context, 999, "999 of 200k" },
                { add_context, 1000, "1k of 200k" },
                { add_context, 1049, "1k of 200k" },
                { add_context, 1050, "1.1k of 200k" },
                { add_context, 99999, "100k of 200k" },
                { add_context, 123456, "123k of 200k" },
                { add_context_of_unknown, 1500, "1.5k" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Words w = { 0 };

                cases[i].add(&w, cases[i].n);
                assert_string_equal(w.text, cases[i].expected);
                assert_int_equal(w.size, strlen(w.text));
        }
}

static void test_words_are_cut_between_characters(void **state)
{
        Words w = { 0 };

        for (size_t i = 0; i < 1000; i++)
                words_add(&w, "世");
        assert_int_equal(w.size, 1023);
        assert_int_equal(strlen(w.text), 1023);
        w = (Words){ 0 };
        words_add(&w, "x");
        for (size_t i = 0; i < 1000; i++)
                words_add(&w, "世");
        assert_int_equal(w.size, 1 + 340 * 3);
}

static void assert_wrapped(const char *text, int columns, const char *expected)
{
        char rows[256] = "";
        size_t start = 0, at = 0, size, n = 0;

        for (; words_wrap(text, columns, &start, &size); at = start)
                n += (size_t) snprintf(rows + n, sizeof rows - n, "%.*s|", (int) size, text + at);
        assert_string_equal(rows, expected);
}

static void test_wrap(void **state)
{
        assert_wrapped("", 5, "");
        assert_wrapped("one two three", 7, "one two|three|");
        assert_wrapped("one two three", 6, "one |two |three|");
        assert_wrapped("onetwothree", 4, "onet|woth|ree|");
        assert_wrapped("世界", 1, "世界|");
        assert_wrapped("世界", 3, "世|界|");
}

/* ---- figures ---- */

static void test_live_figures(void **state)
{
        static const ConversationItem open = { .model = (char *) "m" };
        char text[401] = { 0 };
        World *w = *state;
        MessageItem *question, *live;

        assert_int_equal(screen_resize(w->screen, 2, 120), 0);
        memset(text, 'x', 400);
        question = fake_add(w->mirror, ROLE_USER, text);
        live = fake_add(w->mirror, ROLE_ASSISTANT, "");
        live->live = true;
        w->mirror->open = &open;
        w->mirror->live = live;
        w->mirror->used = 7777; /* of another branch */
        assert_status(w, 120, false, " ◌ waiting │ m │ context ~100");
        question->attachments = &(Attachment){ .name = text, .type = (char *) "text/plain", 4000 };
        question->n_attachments = 1;
        assert_status(w, 120, false, " ◌ waiting │ m │ context ~1.1k");
        question->attachments->type = (char *) "image/png";
        assert_status(w, 120, false, " ◌ waiting │ m │ context ~100");
        w->mirror->size = 60;
        assert_status(w, 120, false, " ◌ waiting │ m │ context ~60 of 60");
        w->mirror->size = 0;

        /* A hundred bytes when it began to be seen, then four hundred in two seconds. */
        begin_text(live);
        live->first_text = live->flow_since = NOW - 2 * USEC_PER_SEC;
        live->flow_first = live->flow_size = 100;
        assert_status(w, 120, false, " ● streaming │ m │ context ~125");
        live->flow_seconds = 2;
        live->flow_size = 500;
        assert_status(w, 120, false, " ● streaming │ m │ context ~225 │ ~50 tok/s");
        live->flow_since = NOW - 3 * USEC_PER_SEC; /* the next piece may be on its way */
        assert_status(w, 120, false, " ● streaming │ m │ context ~225 │ ~50 tok/s");
        live->flow_since = NOW - 21 * USEC_PER_SEC; /* it stands still */
        assert_status(w, 120, false, " ● streaming │ m │ context ~225 │ ~5.0 tok/s");

        /* The engine counted, and ended; the service estimated. */
        live->live = false;
        w->mirror->live = NULL;
        w->mirror->used = 300;
        live->context_used = 300;
        live->tokens_per_second = 61;
        assert_status(w, 120, false, " m │ context 300 │ 61 tok/s");
        live->estimated = true;
        assert_status(w, 120, false, " m │ context ~300 │ 61 tok/s");
        live->tokens_per_second = 9.96;
        assert_status(w, 120, false, " m │ context ~300 │ 10 tok/s");
        live->tokens_per_second = 28169.4;
        assert_status(w, 120, false, " m │ context ~300 │ 28,169 tok/s");
        live->tokens_per_second = 1e300;
        assert_status(w, 120, false, " m │ context ~300 │ 1,000,000,000 tok/s");
        question->n_attachments = 0;
        question->attachments = NULL;
}

/* What the last reply was counted to be says how many bytes a token has. */
static void test_figures_go_by_the_last_count(void **state)
{
        static const ConversationItem open = { .model = (char *) "m" };
        char text[201] = { 0 };
        World *w = *state;
        MessageItem *counted, *live;

        assert_int_equal(screen_resize(w->screen, 2, 120), 0);
        memset(text, 'x', 200);
        (void) fake_add(w->mirror, ROLE_USER, text);
        counted = fake_add(w->mirror, ROLE_ASSISTANT, text);
        counted->context_used = 1000;
        counted->tokens_out = 100;
        (void) fake_add(w->mirror, ROLE_USER, text);
        live = fake_add(w->mirror, ROLE_ASSISTANT, "");
        live->live = true;
        begin_text(live);
        live->first_text = live->flow_since = NOW - 2 * USEC_PER_SEC;
        live->flow_seconds = 2;
        live->flow_size = 400;
        w->mirror->open = &open;
        w->mirror->live = live;
        assert_status(w, 120, false, " ● streaming │ m │ context ~1.3k │ ~100 tok/s");
        counted->tokens_out = 1; /* nonsense has bounds */
        assert_status(w, 120, false, " ● streaming │ m │ context ~1k │ ~13 tok/s");
        counted->tokens_out = UINT64_MAX;
        assert_status(w, 120, false, " ● streaming │ m │ context ~1.6k │ ~200 tok/s");
        counted->estimated = true;
        assert_status(w, 120, false, " ● streaming │ m │ context ~1.2k │ ~50 tok/s");
        /* It was cut: nobody counted. */
        counted->estimated = false;
        counted->tokens_out = 100;
        live->live = false;
        live->reason = REASON_CANCELLED;
        w->mirror->live = NULL;
        assert_int_equal(document_append(live->channels[CHANNEL_CONTENT], text, 200), 0);
        assert_status(w, 120, false, " m │ context ~1.2k");
        live->reason = REASON_STOP;
        assert_status(w, 120, false, " m");
        live->live = true;
        w->mirror->live = live;
        counted->estimated = true;
        /* The last count is on a page that is not here. */
        counted->context_used = 0;
        w->mirror->used = 5000;
        w->mirror->first = 1;
        w->mirror->n--;
        assert_status(w, 120, false, " ● streaming │ m │ context ~5k │ ~50 tok/s");
        w->mirror->first = 0;
        w->mirror->n++;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_list),
                CASE(test_list_of_nothing),
                CASE(test_list_scrolls),
                CASE(test_status),
                CASE(test_status_of_the_link),
                CASE(test_notice),
                CASE(test_live_figures),
                CASE(test_figures_go_by_the_last_count),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_words_are_cut_between_characters),
                cmocka_unit_test(test_wrap),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
