/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client/tui/keeper.h"
#include "tests/unit/folder.h"

#define ID    "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"
#define THIRD "00000000000000000000000000000000"

typedef struct World {
        char *folder;
        sd_event *event;
        Drafts *drafts;
        Keeper *keeper;
        char *draft, *held, *sentence;
        int refuses;      /* what is given of drafts */
        bool leaves_held; /* what is given of what was held */
        unsigned n_drafts, n_failed, n_unkept, n_idle;
} World;

static void on_failed(const Failure *failure, void *userdata)
{
        World *w = userdata;

        w->n_failed++;
        assert_int_equal(free_and_strdup(&w->sentence, failure_message(failure)), 0);
}

static bool is_any_of(const char *id)
{
        return streq(id, ID) || streq(id, OTHER) || streq(id, "../x");
}

static void on_unkept(const char *id, void *userdata)
{
        World *w = userdata;

        w->n_unkept++;
        assert_true(is_any_of(id));
}

static int on_draft(const char *id, const char *text, size_t size, void *userdata)
{
        World *w = userdata;

        w->n_drafts++;
        free(w->draft);
        w->draft = strndup(text, size);
        assert_non_null(w->draft);
        return w->refuses;
}

static bool on_held(const char *id, const char *text, size_t size, void *userdata)
{
        World *w = userdata;

        free(w->held);
        w->held = strndup(text, size);
        assert_non_null(w->held);
        return !w->leaves_held;
}

static void on_idle(void *userdata)
{
        ((World *) userdata)->n_idle++;
}

static const KeeperOps ops = {
        .failed = on_failed,
        .unkept = on_unkept,
        .draft = on_draft,
        .held = on_held,
        .idle = on_idle,
};

static int setup(void **state)
{
        World *w = calloc(1, sizeof *w);

        assert_non_null(w);
        w->folder = folder_new();
        assert_int_equal(setenv("XDG_STATE_HOME", w->folder, 1), 0);
        assert_true(sd_event_new(&w->event) >= 0);
        assert_int_equal(drafts_new(0, &w->drafts), 0);
        assert_int_equal(keeper_new(w->event, w->drafts, &ops, w, &w->keeper), 0);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        World *w = *state;

        keeper_free(w->keeper);
        drafts_free(w->drafts);
        sd_event_unref(w->event);
        folder_free(w->folder);
        free(w->draft);
        free(w->held);
        free(w->sentence);
        free(w);
        return 0;
}

/* Until all is done, and no child is left. */
static void run(World *w)
{
        unsigned idle = w->n_idle;
        siginfo_t info;

        assert_false(keeper_is_idle(w->keeper));
        while (w->n_idle == idle || waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) >= 0)
                assert_true(sd_event_run(w->event, 10 * USEC_PER_SEC) > 0);
        assert_int_equal(w->n_idle, idle + 1);
        assert_true(keeper_is_idle(w->keeper));
}

/* Each sees what was written before it. */
static void test_order(void **state)
{
        World *w = *state;

        assert_int_equal(keeper_write_draft(w->keeper, ID, "one\ntwo", 7), 0);
        assert_int_equal(keeper_draft_sent(w->keeper, ID, "one", 3), 0);
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0);
        run(w);
        assert_string_equal(w->draft, "two");

        assert_int_equal(keeper_write_history(w->keeper, ID, "asked", 5), 0);
        assert_int_equal(keeper_tidy_history(w->keeper), 0);
        assert_int_equal(keeper_remember_avatar(w->keeper, false), 0);
        run(w);
        drafts_free(w->drafts);
        assert_int_equal(drafts_new(0, &w->drafts), 0);
        assert_string_equal(history_get(w->drafts, ID, 0), "asked");
        assert_int_equal(w->n_failed, 0);
}

static void test_forget(void **state)
{
        World *w = *state;

        assert_int_equal(keeper_write_draft(w->keeper, ID, "x", 1), 0);
        assert_int_equal(keeper_forget(w->keeper, ID), 0);
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0);
        run(w);
        assert_string_equal(w->draft, "");
}

static void test_large_draft(void **state)
{
        World *w = *state;
        _cleanup_free_ char *text = malloc(DRAFT_MAX);

        assert_non_null(text);
        memset(text, 'x', DRAFT_MAX);
        assert_int_equal(keeper_write_draft(w->keeper, "", text, DRAFT_MAX), 0);
        assert_int_equal(keeper_read_draft(w->keeper, ""), 0);
        run(w);
        assert_int_equal(strlen(w->draft), DRAFT_MAX);
}

static int write_text(World *w, const char *id, const char *text)
{
        return keeper_write_draft(w->keeper, id, text, strlen(text));
}

static int hold(World *w, const char *id, HeldFlags flags, const char *text)
{
        return keeper_hold(w->keeper, id, flags, text, strlen(text));
}

static void assert_read(World *w, const char *id, const char *expected)
{
        w->draft = mfree(w->draft);
        assert_int_equal(keeper_read_draft(w->keeper, id), 0);
        if (!keeper_is_idle(w->keeper))
                run(w);
        assert_string_equal(strempty(w->draft), expected);
}

/* Past the keeper. */
static void assert_disk(World *w, const char *id, const char *expected)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(DRAFT_MAX);

        assert_int_equal(draft_read(w->drafts, id, &text), 0);
        assert_string_equal(buffer_text(&text), expected);
}

static char *below(World *w, const char *name)
{
        char *path;

        assert_true(asprintf(&path, "%s/conductor/tui%s", w->folder, name) >= 0);
        return path;
}

static void break_disk(World *w)
{
        _cleanup_free_ char *path = below(w, ""), *away = below(w, "-away");

        assert_int_equal(rename(path, away), 0);
        assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
}

static void mend_disk(World *w)
{
        _cleanup_free_ char *path = below(w, ""), *away = below(w, "-away");

        assert_int_equal(unlink(path), 0);
        assert_int_equal(rename(away, path), 0);
}

/* It is said once, however often, and said again when it worked meanwhile; but each draft that is
 * not kept is one that is to be written again. What cannot be read is not. */
static void test_failures(void **state)
{
        World *w = *state;

        break_disk(w);
        assert_int_equal(write_text(w, ID, "x"), 0);
        run(w);
        assert_int_equal(write_text(w, ID, "xy"), 0);
        run(w);
        assert_int_equal(w->n_failed, 1);
        assert_int_equal(w->n_unkept, 2);
        assert_non_null(strstr(w->sentence, "cannot be kept on disk"));
        assert_int_equal(keeper_draft_sent(w->keeper, ID, "x", 1), 0);
        run(w);
        assert_int_equal(w->n_unkept, 3);
        assert_int_equal(keeper_read_draft(w->keeper, OTHER), 0);
        assert_int_equal(keeper_write_history(w->keeper, ID, "x", 1), 0);
        run(w);
        assert_int_equal(w->n_failed, 3);
        assert_int_equal(w->n_unkept, 3);
        assert_int_equal(w->n_drafts, 0);

        mend_disk(w);
        assert_int_equal(write_text(w, ID, "x"), 0);
        run(w);
        assert_int_equal(w->n_failed, 3);
        assert_int_equal(w->n_unkept, 3);
        assert_int_equal(write_text(w, "../x", "x"), 0);
        assert_int_equal(write_text(w, ID "0", "x"), -EINVAL);
        run(w);
        assert_int_equal(w->n_failed, 4);
        assert_int_equal(w->n_unkept, 4);
}

/* What the disk did not take is given back, whatever became of the conversation meanwhile, and is
 * written when the disk takes another one. */
static void test_not_taken(void **state)
{
        World *w = *state;

        assert_int_equal(write_text(w, ID, "older"), 0);
        run(w);
        break_disk(w);
        assert_int_equal(write_text(w, ID, "newer"), 0);
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0); /* behind it */
        run(w);
        assert_string_equal(strempty(w->draft), "newer");
        assert_int_equal(write_text(w, OTHER, "other"), 0);
        run(w);
        assert_read(w, ID, "newer");
        assert_read(w, OTHER, "other");
        assert_non_null(keeper_failure(w->keeper));

        mend_disk(w);
        assert_disk(w, ID, "older");
        assert_int_equal(write_text(w, THIRD, "third"), 0);
        run(w);
        assert_disk(w, ID, "newer");
        assert_disk(w, OTHER, "other");
        assert_null(keeper_failure(w->keeper));
        assert_int_equal(w->n_failed, 1);
        assert_read(w, ID, "newer");
}

/* Also text that was wiped is newer. */
static void test_wiped(void **state)
{
        World *w = *state;

        assert_int_equal(write_text(w, ID, "older"), 0);
        run(w);
        break_disk(w);
        assert_int_equal(write_text(w, ID, ""), 0);
        run(w);
        assert_read(w, ID, "");
        mend_disk(w);
        assert_int_equal(keeper_retry(w->keeper), 0);
        run(w);
        assert_disk(w, ID, "");
        assert_null(keeper_failure(w->keeper));
}

/* While one is not on disk, that is told at the end, whatever else works: a text that is too large
 * for the disk is refused each time. */
static void test_failure_stays(void **state)
{
        World *w = *state;
        _cleanup_free_ char *large = malloc(DRAFT_MAX + 1);

        assert_non_null(large);
        memset(large, 'x', DRAFT_MAX + 1);
        assert_int_equal(keeper_write_draft(w->keeper, ID, large, DRAFT_MAX + 1), 0);
        run(w);
        assert_int_equal(w->n_failed, 1);
        assert_int_equal(write_text(w, OTHER, "other"), 0);
        run(w);
        assert_int_equal(keeper_remember_avatar(w->keeper, true), 0);
        run(w);
        assert_int_equal(w->n_failed, 1);
        assert_non_null(keeper_failure(w->keeper));
        assert_non_null(strstr(failure_message(keeper_failure(w->keeper)), "File too large"));
        w->draft = mfree(w->draft);
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0);
        assert_int_equal(strlen(strempty(w->draft)), DRAFT_MAX + 1);
        assert_int_equal(write_text(w, ID, "small"), 0);
        run(w);
        assert_null(keeper_failure(w->keeper));
}

/* What was sent is not held any more either. */
static void test_sent_is_not_held(void **state)
{
        World *w = *state;

        break_disk(w);
        assert_int_equal(write_text(w, ID, "sent\nrest"), 0);
        assert_int_equal(keeper_draft_sent(w->keeper, ID, "sent", 4), 0);
        run(w);
        assert_read(w, ID, "rest");
}

/* Written before it was known what is on disk: that comes first, and is not lost. */
static void test_before_it_was_read(void **state)
{
        World *w = *state;

        assert_int_equal(write_text(w, ID, "older"), 0);
        run(w);
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0);
        assert_int_equal(write_text(w, ID, "new"), 0);
        assert_int_equal(write_text(w, ID, "newer"), 0); /* in its place */
        run(w);
        assert_disk(w, ID, "older\nnewer");
        w->n_drafts = 0;
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0);
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0); /* it was left between them */
        assert_int_equal(write_text(w, ID, ""), 0);
        run(w);
        assert_int_equal(w->n_drafts, 1);
        assert_disk(w, ID, "older\nnewer");
        assert_int_equal(write_text(w, ID, ""), 0);
        run(w);
        assert_disk(w, ID, "");
}

/* What could not be read, or was not seen, is there still, beside what was written instead. */
static void test_unread(void **state)
{
        World *w = *state;
        _cleanup_free_ char *path = below(w, "/draft-" ID),
                            *first = below(w, "/draft-" ID ".unread-1"),
                            *second = below(w, "/draft-" ID ".unread-2");
        char target[16] = "";

        assert_int_equal(symlink("elsewhere", path), 0);
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0);
        run(w);
        assert_int_equal(w->n_failed, 1);
        assert_non_null(strstr(w->sentence, "cannot be read, and is not written over"));
        assert_int_equal(w->n_drafts, 0);
        assert_null(keeper_failure(w->keeper)); /* nothing that was written now is lost */
        assert_int_equal(write_text(w, ID, ""), 0);
        run(w);
        assert_int_equal(readlink(path, target, sizeof target - 1), 9);
        assert_int_equal(write_text(w, ID, "instead"), 0);
        run(w);
        assert_disk(w, ID, "instead");
        assert_int_equal(readlink(first, target, sizeof target - 1), 9);
        assert_int_equal(write_text(w, ID, "instead, and on"), 0);
        run(w);
        assert_int_equal(access(second, F_OK), -1);

        w->refuses = -ENOMEM;
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0);
        run(w);
        assert_int_equal(write_text(w, ID, "without having seen it"), 0);
        run(w);
        assert_disk(w, ID, "without having seen it");
        assert_int_equal(access(second, F_OK), 0);
}

/* Whether FOLDER has it in any file. */
static bool is_on_disk(World *w, const char *text)
{
        _cleanup_free_ char *path = below(w, "");
        DIR *folder = opendir(path);
        struct dirent *entry;
        bool found = false;

        assert_non_null(folder);
        while ((entry = readdir(folder))) {
                char data[256] = "";
                int fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC);

                assert_return_code(fd, errno);
                if (read(fd, data, sizeof data - 1) > 0 && strstr(data, text))
                        found = true;
                assert_int_equal(close(fd), 0);
        }
        assert_int_equal(closedir(folder), 0);
        return found;
}

/* What is private is given back as long as the program runs, and never is on disk. */
static void test_private(void **state)
{
        World *w = *state;

        assert_int_equal(hold(w, ID, HELD_PRIVATE, "secret"), 0);
        assert_int_equal(hold(w, ID, HELD_PRIVATE, "more secret"), 0);
        assert_int_equal(hold(w, ID, HELD_PRIVATE, ""), 0);
        assert_int_equal(keeper_settle(w->keeper, ID, false), 0); /* it is known */
        assert_int_equal(write_text(w, OTHER, "other"), 0);
        assert_int_equal(keeper_retry(w->keeper), 0);
        run(w);
        assert_false(is_on_disk(w, "secret"));
        assert_false(keeper_is_unsure(w->keeper));
        assert_null(keeper_failure(w->keeper));
        w->leaves_held = true;
        keeper_read_held(w->keeper, ID);
        assert_true(keeper_is_idle(w->keeper));
        w->leaves_held = false;
        w->held = mfree(w->held);
        keeper_read_held(w->keeper, ID);
        assert_string_equal(strempty(w->held), "more secret\nsecret");
        w->held = mfree(w->held);
        keeper_read_held(w->keeper, ID); /* whose it is now */
        assert_null(w->held);
        assert_int_equal(w->n_drafts, 0);
}

static void test_unsure(void **state)
{
        World *w = *state;

        assert_int_equal(write_text(w, ID, "older"), 0);
        run(w);
        assert_int_equal(hold(w, ID, HELD_UNSURE, "not private"), 0);
        assert_int_equal(hold(w, OTHER, HELD_UNSURE, "private"), 0);
        assert_int_equal(hold(w, THIRD, HELD_UNSURE, "given back"), 0);
        assert_int_equal(keeper_retry(w->keeper), 0);
        assert_true(keeper_is_idle(w->keeper));
        assert_true(keeper_is_unsure(w->keeper));
        /* What is on disk comes besides. */
        assert_read(w, THIRD, "");
        assert_string_equal(strempty(w->held), "given back");
        assert_int_equal(keeper_settle(w->keeper, OTHER, true), 0);
        assert_true(keeper_is_idle(w->keeper));
        assert_int_equal(keeper_settle(w->keeper, ID, false), 0);
        run(w);
        assert_disk(w, ID, "older\nnot private");
        assert_disk(w, OTHER, "");
        assert_false(keeper_is_unsure(w->keeper));
}

/* Of a conversation that is gone nothing is held. */
static void test_gone_is_not_held(void **state)
{
        World *w = *state;

        break_disk(w);
        assert_int_equal(write_text(w, ID, "x"), 0);
        assert_int_equal(keeper_forget(w->keeper, ID OTHER), 0);
        run(w);
        mend_disk(w);
        assert_read(w, ID, "");
}

static void name(char id[static DRAFT_ID], unsigned i)
{
        (void) snprintf(id, DRAFT_ID, "%032x", i);
}

/* The oldest is given up, and that is said. */
static void test_limits(void **state)
{
        World *w = *state;
        _cleanup_free_ char *large = malloc(HELD_BYTES + 1);
        char id[DRAFT_ID];

        assert_non_null(large);
        for (unsigned i = 1; i <= HELD_MAX; i++) {
                name(id, i);
                assert_int_equal(hold(w, id, HELD_PRIVATE, id), 0);
        }
        assert_int_equal(w->n_failed, 0);
        assert_int_equal(hold(w, ID, HELD_PRIVATE, "one more"), 0);
        assert_int_equal(w->n_failed, 1);
        assert_non_null(strstr(w->sentence, "the oldest of it is given up"));
        name(id, 1);
        keeper_read_held(w->keeper, id);
        assert_null(w->held);
        name(id, 2);
        keeper_read_held(w->keeper, id);
        assert_string_equal(strempty(w->held), id);

        memset(large, 'x', HELD_BYTES + 1);
        assert_int_equal(
                keeper_hold(w->keeper, OTHER, HELD_PRIVATE, large, HELD_BYTES + 1), -EFBIG);
        assert_int_equal(keeper_hold(w->keeper, OTHER, HELD_PRIVATE, large, HELD_BYTES), 0);
        assert_int_equal(hold(w, OTHER, HELD_PRIVATE, "above it"), -EFBIG);
        w->held = mfree(w->held);
        keeper_read_held(w->keeper, ID);
        assert_null(w->held);
        keeper_read_held(w->keeper, OTHER);
        assert_int_equal(strlen(strempty(w->held)), HELD_BYTES);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
                cmocka_unit_test_setup_teardown(test_large_draft, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
                cmocka_unit_test_setup_teardown(test_not_taken, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wiped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failure_stays, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sent_is_not_held, setup, teardown),
                cmocka_unit_test_setup_teardown(test_before_it_was_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unread, setup, teardown),
                cmocka_unit_test_setup_teardown(test_private, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unsure, setup, teardown),
                cmocka_unit_test_setup_teardown(test_gone_is_not_held, setup, teardown),
                cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        };

        return cmocka_run_group_tests_name("tui-keeper", tests, NULL, NULL);
}
