/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/tui-rows.h"
#include "tests/unit/tui-transcript-world.h"

int transcript_set_up(void **state)
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

int transcript_tear_down(void **state)
{
        World *w = *state;

        transcript_free(w->transcript);
        screen_free(w->screen);
        fake_mirror_free(w->mirror);
        free(w);
        return 0;
}

void resize(World *w, int rows, int columns)
{
        assert_int_equal(screen_resize(w->screen, rows, columns), 0);
}

void draw(World *w)
{
        screen_begin(w->screen);
        transcript_draw(w->transcript, w->screen,
                (Area){ 0, 0, screen_rows(w->screen), screen_columns(w->screen) }, w->now);
}

const char *screen_text(World *w)
{
        static char text[KIB(64)];
        size_t size = 0, end = 0;

        for (int i = 0; i < screen_rows(w->screen); i++) {
                _cleanup_free_ char *row = NULL;

                row = screen_row_text(w->screen, i);
                size += (size_t) snprintf(text + size, sizeof text - size, "%s\n", row);
                assert_true(size < sizeof text);
                if (*row)
                        end = size;
        }
        text[end] = 0;
        return text;
}

void assert_screen(World *w, const char *expected)
{
        draw(w);
        assert_string_equal(screen_text(w), expected);
}

void assert_row(World *w, int row, const char *expected)
{
        draw(w);
        assert_screen_row(w->screen, row, expected);
}

MessageItem *add_lines(World *w, Role role, unsigned n)
{
        char text[KIB(4)] = "";
        size_t size = 0;

        for (unsigned i = 1; i <= n; i++)
                size += (size_t) snprintf(
                        text + size, sizeof text - size, "%sline %u", i > 1 ? "\n" : "", i);
        return fake_add(w->mirror, role, text);
}

void append(MessageItem *item, const char *text)
{
        assert_int_equal(document_append(item->channels[CHANNEL_CONTENT], text, strlen(text)), 0);
}

MessageItem *add_live(World *w, const char *text)
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
