/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "tests/crash/disk.h"
#include "tests/crash/power.h"
#include "tests/unit/folder.h"

/* The power is cut at every moment of a store's life; the store is opened with what the disk may
 * have kept, and all that it had acknowledged is there, whole and once. CONDUCTOR_TEST_SEED repeats
 * a run, CONDUCTOR_TEST_ROUNDS says how often the whole tape is gone through. */

/* And more: so many facts are from before the tape. */
#define MARK_EARLIER ((uint64_t) FACTS_MAX * _KNOWN_MAX)

/* ---- cutting ---- */

static void empty_cut(World *w)
{
        folder_remove(w->cut);
        assert_return_code(mkdir(w->cut, 0700), errno);
}

static void note_mark(World *w, const DiskOp *op)
{
        if (op->kind != DISK_MARK)
                return;
        if (op->where < MARK_EARLIER)
                w->facts[op->where / _KNOWN_MAX].known = (Known) (op->where % _KNOWN_MAX);
        else
                for (size_t i = 0; i < op->where - MARK_EARLIER; i++)
                        w->facts[i].known = ACKNOWLEDGED;
}

static bool is_sync(const DiskOp *op)
{
        return op->kind == DISK_SYNC || op->kind == DISK_SYNC_FOLDER;
}

/* Cut while the store starts after a cut. */
static void cut_again(World *w, const Tape *tape)
{
        _cleanup_(disk_freep) Disk *d = disk_new(tape);
        const DiskOp *op;

        while ((op = disk_next(d))) {
                if (op->kind == DISK_HAD || (!is_sync(op) && rand_r(&w->seed) % 16 > 0))
                        continue;
                empty_cut(w);
                disk_cut(d, &w->seed, w->cut);
                check_cut(w);
                w->n_second++;
                if (*w->problem)
                        return;
        }
}

static void cut(World *w, const Disk *d, bool twice)
{
        Tape *tape;

        empty_cut(w);
        disk_cut(d, &w->seed, w->cut);
        if (twice)
                disk_record(w->cut);
        check_cut(w);
        w->n_cuts++;
        if (!twice)
                return;
        tape = disk_stop();
        if (!*w->problem)
                cut_again(w, tape);
        (void) tape_free(tape);
}

/* Before and after each sync, and now and then. */
static void cut_everywhere(World *w, const Tape *tape)
{
        _cleanup_(disk_freep) Disk *d = disk_new(tape);
        const DiskOp *op;
        unsigned seed;

        for (size_t i = 0; i < w->n_facts; i++)
                w->facts[i].known = UNKNOWN;
        for (size_t i = 0; (op = disk_next(d)); i++) {
                bool before = i + 1 < tape->n && is_sync(&tape->ops[i + 1]);

                note_mark(w, op);
                if (op->kind == DISK_HAD || (!is_sync(op) && !before && rand_r(&w->seed) % 64 > 0))
                        continue;
                seed = w->seed;
                cut(w, d, /* twice= */ rand_r(&w->seed) % 24 == 0);
                if (!*w->problem)
                        continue;
                w->n_lost++;
                print_message(
                        "# after %zu of %zu, seed %u: %s\n", i + 1, tape->n, seed, w->problem);
                return;
        }
}

/* ---- the tests ---- */

static int setup(void **state)
{
        const char *seed = getenv("CONDUCTOR_TEST_SEED");
        World *w = calloc(1, sizeof *w);
        void *f;

        assert_non_null(w);
        assert_int_equal(fixture_setup(&f), 0);
        w->f = f;
        fixture_close(w->f);
        (void) snprintf(w->cut, sizeof w->cut, "%s.cut", w->f->folder);
        (void) snprintf(w->path, sizeof w->path, "%s/state/conversations.db", w->cut);
        w->seed = seed ? (unsigned) strtoul(seed, NULL, 10) : (unsigned) getpid();
        print_message("# CONDUCTOR_TEST_SEED=%u\n", w->seed);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        World *w = *state;
        void *f = w->f;

        disk_ignore_syncs(false);
        folder_remove(w->cut);
        (void) fixture_teardown(&f);
        free(w);
        return 0;
}

/* From the first start on: no file, no folder is there. */
static Tape *record_first(World *w)
{
        char folder[96];

        (void) snprintf(folder, sizeof folder, "%s/state", w->f->folder);
        folder_remove(folder);
        disk_record(w->f->folder);
        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 6);
        fixture_close(w->f);
        return disk_stop();
}

/* An earlier version's database is brought up to date, used, closed; damaged, saved, used. */
static Tape *record_life(World *w)
{
        make_earlier(w, 1);
        disk_record(w->f->folder);
        disk_mark(MARK_EARLIER + w->n_facts);
        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 24);
        fixture_close(w->f);

        damage(w);
        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 6);
        assert_int_equal(w->f->notices[STORE_NOTICE_SALVAGED], 1);
        fixture_close(w->f);
        return disk_stop();
}

static Tape *record_upgrade(World *w)
{
        make_earlier(w, 2);
        disk_record(w->f->folder);
        disk_mark(MARK_EARLIER + w->n_facts);
        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 2);
        fixture_close(w->f);
        return disk_stop();
}

static void cut_tape(World *w, Tape *(*record)(World *), const char *what)
{
        const char *rounds = getenv("CONDUCTOR_TEST_ROUNDS");
        _cleanup_(tape_freep) Tape *tape = record(w);

        for (unsigned i = 0; i < (rounds ? strtoul(rounds, NULL, 10) : 1) && !*w->problem; i++)
                cut_everywhere(w, tape);
        if (*w->problem)
                fail_msg("%s", w->problem);
        print_message(
                "# tried | power cut, %s | %u | %lu acknowledged things there, %u started with"
                " a damaged file, %u more cuts while it started after a cut, 0 lost\n",
                what, w->n_cuts, (unsigned long) w->n_checked, w->n_salvaged, w->n_second);
}

static void test_first_start(void **state)
{
        cut_tape(*state, record_first, "from the first start on");
}

static void test_life(void **state)
{
        cut_tape(*state, record_life,
                "during upgrade, use, purge, close and the salvage of a"
                " damaged file");
}

static void test_upgrade(void **state)
{
        cut_tape(*state, record_upgrade, "during the upgrade from the version before");
}

/* Without syncs, what is acknowledged is lost: so this test sees it. There are few cuts then, as
 * most are beside a sync, and a disk may keep all. */
static void test_without_syncs(void **state)
{
        World *w = *state;
        _cleanup_(tape_freep) Tape *tape = NULL;

        disk_ignore_syncs(true);
        tape = record_first(w);
        for (unsigned i = 0; i < 32 && w->n_lost == 0; i++)
                cut_everywhere(w, tape);
        assert_int_equal(w->n_lost, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_start, setup, teardown),
                cmocka_unit_test_setup_teardown(test_life, setup, teardown),
                cmocka_unit_test_setup_teardown(test_upgrade, setup, teardown),
                cmocka_unit_test_setup_teardown(test_without_syncs, setup, teardown),
        };

        return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
