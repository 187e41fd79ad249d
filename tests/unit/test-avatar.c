/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "service/avatar/avatar.h"

/* ---- the object ---- */

typedef struct Seen {
        unsigned what, n_changed, n_commands;
        char verb[32], argument[32];
} Seen;

static void on_changed(Avatar *a, AvatarChange what, void *userdata)
{
        Seen *s = userdata;

        s->what = what;
        s->n_changed++;
}

static void on_command(Avatar *a, const char *verb, char *const *arguments, void *userdata)
{
        Seen *s = userdata;

        s->n_commands++;
        (void) snprintf(s->verb, sizeof s->verb, "%s", verb);
        (void) snprintf(s->argument, sizeof s->argument, "%s", strempty(arguments[0]));
}

static Avatar *new_avatar(Seen *seen)
{
        Avatar *a = NULL;

        assert_int_equal(avatar_new(&a), 0);
        avatar_set_observer(a, &(AvatarObserver){ on_changed, on_command, seen });
        return a;
}

static int apply(Avatar *a, const char *verb, const char *argument)
{
        return avatar_apply(a, verb, (char *[]){ (char *) argument, NULL });
}

static void test_state(void **state)
{
        Seen seen = { 0 };
        _cleanup_(avatar_freep) Avatar *a = new_avatar(&seen);

        assert_string_equal(avatar_mood(a), "neutral");
        assert_string_equal(avatar_gesture(a), "none");
        assert_string_equal(avatar_size(a), "medium");
        assert_string_equal(avatar_position(a), "right");
        assert_string_equal(avatar_activity_to_string(avatar_activity(a)), "idle");
        assert_true(avatar_visible(a));

        assert_int_equal(apply(a, "mood", "happy"), 0);
        assert_string_equal(avatar_mood(a), "happy");
        assert_int_equal(seen.what, AVATAR_CHANGED_MOOD);
        assert_string_equal(seen.verb, "mood");
        assert_string_equal(seen.argument, "happy");

        assert_int_equal(apply(a, "wave", NULL), 0);
        assert_string_equal(avatar_gesture(a), "wave");
        assert_int_equal(seen.what, AVATAR_CHANGED_GESTURE);
        assert_int_equal(apply(a, "gesture", "bow"), 0);
        assert_string_equal(avatar_gesture(a), "bow");
        assert_int_equal(apply(a, "move", "left"), 0);
        assert_string_equal(avatar_position(a), "left");
        assert_int_equal(apply(a, "size", "large"), 0);
        assert_string_equal(avatar_size(a), "large");
        assert_int_equal(apply(a, "hide", NULL), 0);
        assert_false(avatar_visible(a));
        assert_int_equal(seen.what, AVATAR_CHANGED_VISIBLE);
        assert_int_equal(seen.n_changed, 6);

        assert_int_equal(apply(a, "hide", NULL), 0); /* a command again, no change */
        assert_int_equal(seen.n_changed, 6);
        assert_int_equal(seen.n_commands, 7);
        assert_int_equal(apply(a, "show", NULL), 0);
        assert_true(avatar_visible(a));
}

static void test_unknown_commands_do_nothing(void **state)
{
        static const char *const bad[][2] = { { "mood", NULL }, { "mood", "furious" },
                { "wave", "left" }, { "move", "up" }, { "Wave", NULL }, { "", NULL },
                { "activity", "idle" }, { "hide", "" } };
        Seen seen = { 0 };
        _cleanup_(avatar_freep) Avatar *a = new_avatar(&seen);

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(apply(a, bad[i][0], bad[i][1]), -EINVAL);
        assert_int_equal(
                avatar_apply(a, "mood", (char *[]){ (char *) "happy", (char *) "sad", NULL }),
                -EINVAL);
        assert_int_equal(seen.n_changed + seen.n_commands, 0);
}

static void test_activity_ends_gesture(void **state)
{
        Seen seen = { 0 };
        _cleanup_(avatar_freep) Avatar *a = new_avatar(&seen);

        avatar_set_activity(a, AVATAR_TALKING);
        assert_int_equal(seen.what, AVATAR_CHANGED_ACTIVITY);
        avatar_set_activity(a, AVATAR_TALKING);
        assert_int_equal(seen.n_changed, 1);
        assert_int_equal(apply(a, "dance", NULL), 0);
        avatar_set_activity(a, AVATAR_IDLE);
        assert_int_equal(seen.what, AVATAR_CHANGED_ACTIVITY | AVATAR_CHANGED_GESTURE);
        assert_string_equal(avatar_gesture(a), "none");
}

/* ---- the filter ---- */

/* Text as it is, commands as {verb argument}. */
static int note_text(const char *text, size_t size, void *userdata)
{
        return buffer_append(userdata, text, size);
}

static int note_command(const char *verb, char *const *arguments, void *userdata)
{
        int r = buffer_append_format(userdata, "{%s", verb);

        for (; r >= 0 && *arguments; arguments++)
                r = buffer_append_format(userdata, " %s", *arguments);
        return r < 0 ? r : buffer_append_string(userdata, "}");
}

static const AvatarFilterOps note = { note_text, note_command };

#define SAME(s) \
        { \
                s, s \
        }

static const struct {
        const char *in, *out;
} cases[] = {
        SAME(""),
        SAME("plain text"),
        { "[yolla:wave]", "{wave}" },
        { "Hi [yolla:mood happy]there", "Hi {mood happy}there" },
        { "[yolla:wave][yolla:hide]", "{wave}{hide}" },
        { "[[yolla:wave]]", "[{wave}]" },
        { "[yolla:[yolla:wave]", "[yolla:{wave}" },
        { "[yolla:mood [yolla:mood sad]", "[yolla:mood {mood sad}" },
        { "a [yolla:move left] b\n[yolla:size small]\n", "a {move left} b\n{size small}\n" },
        { "[yolla:gesture shrug]", "{gesture shrug}" },
        SAME("[yolla:mood]"),
        SAME("[yolla:mood furious]"),
        SAME("[yolla:mood  happy]"),
        SAME("[yolla:mood happy ]"),
        SAME("[yolla: wave]"),
        SAME("[yolla:wave left]"),
        SAME("[yolla:Wave]"),
        SAME("[Yolla:wave]"),
        SAME("[yolla:]"),
        SAME("[yolla: ]"),
        SAME("[yolla]"),
        SAME("[yolla:wave"),
        SAME("[yolla:wa\nve]"),
        SAME("[yolla:mood happy sad angry more words]"),
        SAME("[a](b) [x] [y[o[l[l[a"),
        SAME("[yolla:unknown] [yolla:exec rm]"),
        SAME("[yolla:mood h\xc3\xa9]"),
        SAME("\xff[\xfe"),
};

static void feed(size_t i, size_t a, size_t b, bool single)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(1000);
        const char *in = cases[i].in;
        size_t n = strlen(in);
        AvatarFilter f = { 0 };

        if (single)
                for (size_t k = 0; k < n; k++)
                        assert_int_equal(avatar_filter_feed(&f, in + k, 1, &note, &out), 0);
        else {
                assert_int_equal(avatar_filter_feed(&f, in, a, &note, &out), 0);
                assert_int_equal(avatar_filter_feed(&f, in + a, b - a, &note, &out), 0);
                assert_int_equal(avatar_filter_feed(&f, in + b, n - b, &note, &out), 0);
        }
        assert_int_equal(avatar_filter_flush(&f, &note, &out), 0);
        assert_string_equal(buffer_text(&out), cases[i].out);
}

static void test_filter_every_cut(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t n = strlen(cases[i].in);

                feed(i, 0, 0, true);
                for (size_t a = 0; a <= n; a++)
                        for (size_t b = a; b <= n; b++)
                                feed(i, a, b, false);
        }
}

static void test_filter_holds_no_more_than_it_must(void **state)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(1000);
        AvatarFilter f = { 0 };
        char text[AVATAR_COMMAND_MAX + 10];

        assert_int_equal(avatar_filter_feed(&f, "see [note", 9, &note, &out), 0);
        assert_string_equal(out.data, "see [note");
        assert_int_equal(avatar_filter_feed(&f, "[yolla:", 7, &note, &out), 0);
        assert_string_equal(out.data, "see [note");
        assert_int_equal(avatar_filter_flush(&f, &note, &out), 0);
        assert_string_equal(out.data, "see [note[yolla:");

        buffer_clear(&out);
        memset(text, 'x', sizeof text);
        memcpy(text, "[yolla:", 7);
        assert_int_equal(avatar_filter_feed(&f, text, AVATAR_COMMAND_MAX - 1, &note, &out), 0);
        assert_int_equal(out.size, 0);
        assert_int_equal(avatar_filter_feed(&f, "x", 1, &note, &out), 0);
        assert_int_equal(out.size, AVATAR_COMMAND_MAX);
}

static void test_filter_off(void **state)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(1000);
        AvatarFilter f = { .off = true };

        assert_int_equal(avatar_filter_feed(&f, "a[yolla:wave]b[", 15, &note, &out), 0);
        assert_string_equal(out.data, "a[yolla:wave]b[");
        assert_int_equal(avatar_filter_flush(&f, &note, &out), 0);
        assert_string_equal(out.data, "a[yolla:wave]b[");
}

static int refuse_text(const char *text, size_t size, void *userdata)
{
        return -ENOBUFS;
}

static int refuse_command(const char *verb, char *const *arguments, void *userdata)
{
        return -ECANCELED;
}

static void test_filter_failures_come_out(void **state)
{
        static const AvatarFilterOps refuse = { refuse_text, refuse_command };

        assert_int_equal(avatar_filter_feed(&(AvatarFilter){ 0 }, "a", 1, &refuse, NULL), -ENOBUFS);
        assert_int_equal(
                avatar_filter_feed(&(AvatarFilter){ 0 }, "[x", 2, &refuse, NULL), -ENOBUFS);
        assert_int_equal(
                avatar_filter_feed(&(AvatarFilter){ 0 }, "[yolla:wave]", 12, &refuse, NULL),
                -ECANCELED);
        assert_int_equal(
                avatar_filter_flush(&(AvatarFilter){ .held = "[y", .n_held = 2 }, &refuse, NULL),
                -ENOBUFS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_state),
                cmocka_unit_test(test_unknown_commands_do_nothing),
                cmocka_unit_test(test_activity_ends_gesture),
                cmocka_unit_test(test_filter_every_cut),
                cmocka_unit_test(test_filter_holds_no_more_than_it_must),
                cmocka_unit_test(test_filter_off),
                cmocka_unit_test(test_filter_failures_come_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
