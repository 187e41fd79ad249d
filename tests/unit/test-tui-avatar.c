/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/avatar/avatar.h"
#include "tests/unit/tui-allocations.h"

#define START (1000 * USEC_PER_SEC)

typedef struct World {
        Sprites *sprites;
        Avatar *avatar;
        usec_t now;
} World;

static int set_up(void **state)
{
        _cleanup_free_ char *path = NULL;
        World *w = calloc(1, sizeof *w);

        assert_non_null(w);
        assert_true(asprintf(&path, "%s/../../client/tui/avatar", getenv("FIXTURES")) > 0);
        assert_int_equal(sprites_load(path, 0, &w->sprites, NULL), 0);
        assert_int_equal(avatar_new(w->sprites, &w->avatar), 0);
        w->now = START;
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        World *w = *state;

        avatar_free(w->avatar);
        sprites_free(w->sprites);
        free(w);
        return 0;
}

/* Lets time go by, from one frame to the next. Returns how many were shown. */
static size_t run(World *w, usec_t duration)
{
        usec_t end = w->now + duration;
        size_t n = 0;

        while (avatar_next(w->avatar) <= end) {
                w->now = avatar_next(w->avatar);
                n += avatar_advance(w->avatar, w->now);
        }
        w->now = end;
        return n;
}

static void settle(World *w)
{
        avatar_set_room(w->avatar, 12, 40, w->now);
        (void) run(w, 10 * USEC_PER_SEC);
        (void) avatar_advance(w->avatar, w->now);
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
}

static int column(const World *w)
{
        int row, column;

        assert_non_null(avatar_frame(w->avatar, &row, &column));
        return column;
}

static int columns(const World *w)
{
        int row, column;
        const SpriteFrame *frame = avatar_frame(w->avatar, &row, &column);

        return frame ? frame->columns : 0;
}

static void test_rest(void **state)
{
        World *w = *state;

        assert_int_equal(columns(w), 0); /* no room yet */
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
        settle(w);
        assert_int_equal(columns(w), 16);
        assert_int_equal(column(w), 24);
        assert_int_equal(run(w, 3600 * USEC_PER_SEC), 0);
        assert_false(avatar_advance(w->avatar, w->now));
}

static void test_activities(void **state)
{
        static const char *const moving[] = { "listening", "thinking", "talking", "working" };
        World *w = *state;

        settle(w);
        for (size_t i = 0; i < ELEMENTSOF(moving); i++) {
                assert_int_equal(avatar_set_activity(w->avatar, moving[i], w->now), 0);
                assert_true(avatar_advance(w->avatar, w->now)); /* the blink, at once */
                assert_in_range(run(w, 60 * USEC_PER_SEC), 100, 3600);
                assert_true(avatar_next(w->avatar) < w->now + USEC_PER_SEC);
        }
        assert_int_equal(avatar_set_activity(w->avatar, "worried", w->now), 0);
        assert_in_range(run(w, 60 * USEC_PER_SEC), 4, 60);
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
        assert_int_equal(avatar_set_activity(w->avatar, "idle", w->now), 0);
        assert_in_range(run(w, 60 * USEC_PER_SEC), 4, 60);
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
}

static void test_gestures(void **state)
{
        static const char *const gestures[] = { "wave", "nod", "shake", "dance", "bow", "shrug",
                "clap", "point" };
        World *w = *state;
        usec_t first;

        settle(w);
        for (size_t i = 0; i < ELEMENTSOF(gestures); i++) {
                assert_int_equal(avatar_set_gesture(w->avatar, gestures[i], w->now), 0);
                assert_true(avatar_advance(w->avatar, w->now));
                assert_in_range(run(w, 20 * USEC_PER_SEC), 4, 60);
                assert_true(avatar_next(w->avatar) == USEC_INFINITY);
        }

        /* A second wave begins anew; none ends it. */
        assert_int_equal(avatar_set_gesture(w->avatar, "wave", w->now), 0);
        first = avatar_next(w->avatar) - w->now;
        (void) run(w, first + 1);
        assert_int_equal(avatar_set_gesture(w->avatar, "wave", w->now), 0);
        assert_true(avatar_next(w->avatar) == w->now + first);
        assert_int_equal(avatar_set_gesture(w->avatar, "none", w->now), 0);
        (void) run(w, 5 * USEC_PER_SEC);
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
}

static void test_walk(void **state)
{
        static const struct {
                const char *place;
                int column;
        } cases[] = { { "left", 0 }, { "center", 12 }, { "right", 24 } };
        World *w = *state;

        settle(w);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                int before;

                assert_int_equal(avatar_set_position(w->avatar, cases[i].place, w->now), 0);
                before = column(w);
                while (column(w) != cases[i].column) {
                        w->now = avatar_next(w->avatar);
                        (void) avatar_advance(w->avatar, w->now);
                        assert_in_range(abs(column(w) - before), 0, 2);
                        before = column(w);
                }
                (void) run(w, 10 * USEC_PER_SEC);
                assert_int_equal(column(w), cases[i].column);
                assert_true(avatar_next(w->avatar) == USEC_INFINITY);
        }
}

static void test_room_and_size(void **state)
{
        static const struct {
                const char *size;
                int rows, columns, result;
        } cases[] = {
                { "large", 12, 24, 24 },
                { "large", 11, 24, 16 },
                { "large", 12, 23, 16 },
                { "medium", 100, 100, 16 },
                { "medium", 8, 15, 8 },
                { "small", 100, 100, 8 },
                { "large", 4, 8, 8 },
                { "large", 3, 8, 0 },
                { "large", 4, 7, 0 },
                { "large", 0, 0, 0 },
                { "large", -1, -1, 0 },
        };
        World *w = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(avatar_set_size(w->avatar, cases[i].size, w->now), 0);
                avatar_set_room(w->avatar, cases[i].rows, cases[i].columns, w->now);
                assert_true(avatar_advance(w->avatar, w->now));
                assert_int_equal(columns(w), cases[i].result);
                if (cases[i].result == 0)
                        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
                assert_int_equal(
                        avatar_set_activity(w->avatar, i % 2 ? "idle" : "talking", w->now), 0);
                assert_int_equal(avatar_set_gesture(w->avatar, "wave", w->now), 0);
                assert_int_equal(
                        avatar_set_position(w->avatar, i % 2 ? "left" : "right", w->now), 0);
        }
}

static void test_hide_and_show(void **state)
{
        World *w = *state;

        settle(w);
        avatar_set_visible(w->avatar, false, w->now);
        assert_int_equal(columns(w), 16); /* it goes, it does not vanish */
        (void) run(w, 10 * USEC_PER_SEC);
        assert_int_equal(columns(w), 0);
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
        assert_int_equal(avatar_set_activity(w->avatar, "talking", w->now), 0);
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
        avatar_set_visible(w->avatar, true, w->now);
        assert_int_equal(columns(w), 16);
        assert_true(run(w, 10 * USEC_PER_SEC) > 10);
        assert_int_equal(columns(w), 16);
}

static void test_focus(void **state)
{
        World *w = *state;

        settle(w);
        assert_int_equal(avatar_set_activity(w->avatar, "talking", w->now), 0);
        (void) run(w, USEC_PER_SEC);
        avatar_set_focused(w->avatar, false, w->now);
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
        (void) avatar_advance(w->avatar, w->now);

        /* Nothing moves, but nothing wrong is seen either. */
        assert_int_equal(avatar_set_activity(w->avatar, "thinking", w->now), 0);
        assert_true(avatar_advance(w->avatar, w->now));
        assert_int_equal(avatar_set_position(w->avatar, "left", w->now), 0);
        assert_int_equal(avatar_set_gesture(w->avatar, "wave", w->now), 0);
        assert_int_equal(column(w), 0);
        avatar_set_visible(w->avatar, false, w->now);
        assert_int_equal(columns(w), 0);
        avatar_set_visible(w->avatar, true, w->now);
        assert_int_equal(columns(w), 16);
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);

        avatar_set_focused(w->avatar, true, w->now);
        assert_true(run(w, 10 * USEC_PER_SEC) > 10);
        assert_int_equal(avatar_set_activity(w->avatar, "idle", w->now), 0);
        (void) run(w, 10 * USEC_PER_SEC);
        avatar_set_focused(w->avatar, false, w->now);
        avatar_set_focused(w->avatar, true, w->now);
        assert_true(avatar_next(w->avatar) == USEC_INFINITY); /* it rests as before */
}

static void test_words(void **state)
{
        World *w = *state;

        settle(w);
        assert_int_equal(avatar_set_activity(w->avatar, "wave", w->now), -EINVAL);
        assert_int_equal(avatar_set_activity(w->avatar, "", w->now), -EINVAL);
        assert_int_equal(avatar_set_gesture(w->avatar, "idle", w->now), -EINVAL);
        assert_int_equal(avatar_set_gesture(w->avatar, "change", w->now), -EINVAL);
        assert_int_equal(avatar_set_gesture(w->avatar, "x", w->now), -EINVAL);
        assert_int_equal(avatar_set_mood(w->avatar, "grim", w->now), -EINVAL);
        assert_int_equal(avatar_set_size(w->avatar, "huge", w->now), -EINVAL);
        assert_int_equal(avatar_set_position(w->avatar, "up", w->now), -EINVAL);
        assert_false(avatar_advance(w->avatar, w->now));
        assert_true(avatar_next(w->avatar) == USEC_INFINITY);
        assert_int_equal(avatar_set_mood(w->avatar, "happy", w->now), 0);
        assert_true(avatar_advance(w->avatar, w->now));
}

/* A machine that slept an hour does not draw that hour's frames. */
static void test_sleep(void **state)
{
        World *w = *state;

        settle(w);
        assert_int_equal(avatar_set_activity(w->avatar, "talking", w->now), 0);
        w->now += 3600 * USEC_PER_SEC + 1;
        assert_true(avatar_advance(w->avatar, w->now));
        assert_true(avatar_next(w->avatar) > w->now);
        /* A frame begins now: in the file are whole hundredths of a second. */
        assert_int_equal((avatar_next(w->avatar) - w->now) % (10 * USEC_PER_MSEC), 0);
        assert_true(avatar_next(w->avatar) < w->now + USEC_PER_SEC);
}

static void test_no_allocation(void **state)
{
        World *w = *state;
        size_t before;

        settle(w);
        before = n_allocations;
        assert_int_equal(avatar_set_activity(w->avatar, "talking", w->now), 0);
        assert_int_equal(avatar_set_mood(w->avatar, "sad", w->now), 0);
        assert_true(run(w, 60 * USEC_PER_SEC) > 100);
        assert_int_equal(avatar_set_gesture(w->avatar, "dance", w->now), 0);
        assert_int_equal(avatar_set_position(w->avatar, "left", w->now), 0);
        assert_int_equal(avatar_set_size(w->avatar, "large", w->now), 0);
        assert_true(run(w, 60 * USEC_PER_SEC) > 100);
        assert_int_equal(n_allocations, before);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_rest, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_activities, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_gestures, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_walk, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_room_and_size, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_hide_and_show, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_focus, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_sleep, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_no_allocation, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
