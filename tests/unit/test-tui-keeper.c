/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client/tui/keeper.h"
#include "tests/unit/folder.h"

#define ID "0123456789abcdef0123456789abcdef"

typedef struct World {
        char *folder;
        sd_event *event;
        Drafts *drafts;
        Keeper *keeper;
        char *draft, *sentence;
        unsigned n_drafts, n_failed, n_unkept, n_idle;
} World;

static void on_failed(const Failure *failure, void *userdata)
{
        World *w = userdata;

        w->n_failed++;
        assert_int_equal(free_and_strdup(&w->sentence, failure_message(failure)), 0);
}

static void on_unkept(const char *id, void *userdata)
{
        World *w = userdata;

        w->n_unkept++;
        assert_true(streq(id, ID) || streq(id, "../x"));
}

static void on_draft(const char *id, const char *text, size_t size, void *userdata)
{
        World *w = userdata;

        w->n_drafts++;
        free(w->draft);
        w->draft = strndup(text, size);
        assert_non_null(w->draft);
}

static void on_idle(void *userdata)
{
        ((World *) userdata)->n_idle++;
}

static const KeeperOps ops = {
        .failed = on_failed,
        .unkept = on_unkept,
        .draft = on_draft,
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

/* It is said once, however often, and said again when it worked meanwhile; but each draft that is
 * not kept is one that is to be written again. What cannot be read is not. */
static void test_failures(void **state)
{
        World *w = *state;
        _cleanup_free_ char *path = NULL;

        assert_true(asprintf(&path, "%s/conductor/tui", w->folder) >= 0);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
        assert_int_equal(keeper_write_draft(w->keeper, ID, "x", 1), 0);
        assert_int_equal(keeper_write_draft(w->keeper, ID, "xy", 2), 0);
        run(w);
        assert_int_equal(w->n_failed, 1);
        assert_int_equal(w->n_unkept, 2);
        assert_non_null(strstr(w->sentence, "cannot be kept on disk"));
        assert_int_equal(keeper_draft_sent(w->keeper, ID, "x", 1), 0);
        run(w);
        assert_int_equal(w->n_unkept, 3);
        assert_int_equal(keeper_read_draft(w->keeper, ID), 0);
        assert_int_equal(keeper_write_history(w->keeper, ID, "x", 1), 0);
        run(w);
        assert_int_equal(w->n_failed, 3);
        assert_int_equal(w->n_unkept, 3);
        assert_int_equal(w->n_drafts, 0);

        assert_int_equal(unlink(path), 0);
        assert_int_equal(keeper_write_draft(w->keeper, ID, "x", 1), 0);
        run(w);
        assert_int_equal(w->n_failed, 3);
        assert_int_equal(w->n_unkept, 3);
        assert_int_equal(keeper_write_draft(w->keeper, "../x", "x", 1), 0);
        assert_int_equal(keeper_write_draft(w->keeper, ID "0", "x", 1), -EINVAL);
        run(w);
        assert_int_equal(w->n_failed, 4);
        assert_int_equal(w->n_unkept, 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
                cmocka_unit_test_setup_teardown(test_large_draft, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
        };

        return cmocka_run_group_tests_name("tui-keeper", tests, NULL, NULL);
}
