/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client/tui/drafts.h"

#define ID "0123456789abcdef0123456789abcdef"

static char *folder;

static char *below(const char *name)
{
        char *path;

        assert_true(asprintf(&path, "%s/conductor/tui/%s", folder, name) >= 0);
        return path;
}

static int setup(void **state)
{
        char template[] = "/tmp/conductor-test-XXXXXX";

        folder = strdup(strempty(mkdtemp(template)));
        assert_true(folder && *folder);
        return setenv("XDG_STATE_HOME", folder, 1);
}

static int teardown(void **state)
{
        _cleanup_free_ char *command = NULL;

        if (asprintf(&command, "rm -rf '%s'", folder) < 0)
                return -1;
        folder = mfree(folder);
        return system(command);
}

static Drafts *make(void)
{
        Drafts *d = NULL;

        assert_int_equal(drafts_new(&d), 0);
        return d;
}

static void append_file(const char *name, const char *data, size_t size)
{
        _cleanup_free_ char *path = below(name);
        _cleanup_fclose_ FILE *f = fopen(path, "ae");

        assert_non_null(f);
        assert_int_equal(fwrite(data, 1, size, f), size);
}

static void assert_draft(Drafts *d, const char *id, const char *expected)
{
        _cleanup_free_ char *text = NULL;

        assert_int_equal(drafts_read(d, id, &text), 0);
        if (expected)
                assert_string_equal(strempty(text), expected);
        else
                assert_null(text);
}

static void add(Drafts *d, const char *text)
{
        assert_int_equal(history_add(d, text, strlen(text)), 0);
}

static void assert_history(const Drafts *d, const char *const *expected, size_t n)
{
        for (size_t i = 0; i < n; i++)
                assert_string_equal(strempty(history_get(d, i)), expected[i]);
        assert_null(history_get(d, n));
}

/* ---- drafts ---- */

static void test_drafts(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *path = below("draft-" ID), *tui = below("");
        struct stat st;

        assert_draft(d, "", NULL);
        assert_int_equal(drafts_write(d, "", "new", 3), 0);
        assert_int_equal(drafts_write(d, ID, "one\ntwo", 7), 0);
        assert_int_equal(drafts_write(d, ID, "three", 5), 0);
        drafts_free(d);
        d = make();
        assert_draft(d, "", "new");
        assert_draft(d, ID, "three");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(tui, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(drafts_write(d, ID, "", 0), 0);
        assert_draft(d, ID, NULL);
        assert_int_equal(drafts_write(d, ID, "", 0), 0); /* there is none any more */
}

static void test_no_path_for_an_id(void **state)
{
        static const char *const ids[] = { "/etc/passwd", "../history", ".",
                "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcde", ID "0",
                "0123456789abcdef0123456789abcde/" };
        _cleanup_(drafts_freep) Drafts *d = make();

        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                char *text = NULL;

                assert_int_equal(drafts_read(d, ids[i], &text), -EINVAL);
                assert_int_equal(drafts_write(d, ids[i], "x", 1), -EINVAL);
        }
}

static void test_draft_limit(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *text = malloc(DRAFT_MAX + 1), *back = NULL;

        assert_non_null(text);
        memset(text, 'x', DRAFT_MAX + 1);
        assert_int_equal(drafts_write(d, ID, text, DRAFT_MAX), 0);
        assert_int_equal(drafts_read(d, ID, &back), 0);
        assert_int_equal(strlen(back), DRAFT_MAX);
        assert_int_equal(drafts_write(d, ID, text, DRAFT_MAX + 1), 0);
        assert_draft(d, ID, NULL); /* and not what it was before */
        append_file("draft-" ID, text, DRAFT_MAX + 1);
        assert_draft(d, ID, NULL);
}

static void test_strange_drafts(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *path = below("draft-" ID), *other = below("draft-new");

        append_file("draft-" ID, "\xff\xfe", 2);
        assert_draft(d, ID, NULL);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        assert_draft(d, ID, NULL);
        assert_int_equal(mkfifo(other, 0600), 0); /* is not waited for */
        assert_draft(d, "", NULL);
        assert_int_equal(drafts_write(d, "", "x", 1), 0);
        assert_draft(d, "", "x");
}

static void test_no_folder(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = NULL;

        assert_int_equal(setenv("XDG_STATE_HOME", "/dev/null", 1), 0);
        d = make();
        assert_int_equal(drafts_write(d, ID, "x", 1), 0);
        assert_draft(d, ID, NULL);
        add(d, "one"); /* for this run */
        assert_string_equal(history_get(d, 0), "one");
}

/* ---- history ---- */

static void test_history(void **state)
{
        static const char *const expected[] = { "\"three\"\\", "two\nlines", "one" };
        _cleanup_(drafts_freep) Drafts *d = make();

        assert_null(history_get(d, 0));
        add(d, "one");
        add(d, "two\nlines");
        add(d, "two\nlines"); /* the same again */
        add(d, "");
        add(d, "\"three\"\\");
        assert_history(d, expected, 3);
        drafts_free(d);
        d = make();
        assert_history(d, expected, 3);
}

static void test_history_limits(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *text = malloc(HISTORY_TEXT + 2);
        char number[16];
        size_t n = 0;

        assert_non_null(text);
        for (unsigned i = 0; i <= HISTORY_MAX; i++) {
                (void) snprintf(number, sizeof number, "%u", i);
                add(d, number);
        }
        assert_string_equal(history_get(d, HISTORY_MAX - 1), "1");
        assert_null(history_get(d, HISTORY_MAX));

        memset(text, 'x', HISTORY_TEXT + 1);
        text[HISTORY_TEXT + 1] = 0;
        add(d, text); /* too large */
        assert_string_equal(history_get(d, 0), number);
        for (size_t i = 0; i <= HISTORY_BYTES / HISTORY_TEXT; i++) {
                text[0] = (char) ('a' + i % 26);
                assert_int_equal(history_add(d, text, HISTORY_TEXT), 0);
        }
        while (history_get(d, n))
                n++;
        assert_int_equal(n, HISTORY_BYTES / HISTORY_TEXT);
}

/* What others, a crash or a full disk left there costs no more than itself. */
static void test_strange_history(void **state)
{
        static const char garbage[] = "\n\0\0\0\n{}\n17\n\"a\xff\"\n\"\"\n\"cut";
        static const char *const expected[] = { "two", "one" };
        _cleanup_(drafts_freep) Drafts *d = make();

        add(d, "one");
        append_file("history", garbage, sizeof garbage - 1);
        add(d, "two");
        drafts_free(d);
        d = make();
        assert_history(d, expected, 2);
}

static void test_history_is_written_anew(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *path = below("history");
        struct stat st;
        char number[32];

        for (unsigned i = 0; i < 3 * HISTORY_MAX; i++) {
                (void) snprintf(number, sizeof number, "number %u", i);
                add(d, number);
        }
        drafts_free(d);
        d = make(); /* … as there are far too many */
        assert_string_equal(history_get(d, 0), number);
        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_size < (off_t) (HISTORY_MAX * sizeof number));
        assert_int_equal(st.st_mode & 07777, 0600);
        drafts_free(d);
        d = make();
        assert_string_equal(history_get(d, 0), number);
        assert_string_equal(strempty(history_get(d, HISTORY_MAX - 1)), "number 1000");
}

/* The file is another's while he writes it anew: what is added meanwhile comes later. */
static void test_history_is_not_waited_for(void **state)
{
        static const char *const expected[] = { "three", "two", "one" };
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *path = below("history");
        _cleanup_close_ int fd = -EBADF;
        struct stat before, after;

        add(d, "one");
        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_int_equal(flock(fd, LOCK_EX), 0);
        assert_int_equal(fstat(fd, &before), 0);
        add(d, "two");
        assert_int_equal(fstat(fd, &after), 0);
        assert_int_equal(after.st_size, before.st_size);
        fd = safe_close(fd);
        add(d, "three");
        drafts_free(d);
        d = make();
        assert_history(d, expected, 3);
}

enum { CLIENTS = 4, TEXTS = 50 };

/* Says that it has begun, adds texts, and ends when the pipe does. */
_noreturn_ static void run_client(int client, int begun, int end)
{
        Drafts *d = make();
        char text[32], byte = 0;

        if (write(begun, &byte, 1) != 1)
                _exit(EXIT_FAILURE);

        for (int i = 0; i < TEXTS; i++) {
                (void) snprintf(text, sizeof text, "%i %i", client, i);
                if (history_add(d, text, strlen(text)) < 0)
                        _exit(EXIT_FAILURE);
        }
        if (read(end, &byte, 1) != 0)
                _exit(EXIT_FAILURE);
        drafts_free(d);
        _exit(EXIT_SUCCESS);
}

static void check_texts(const Drafts *d)
{
        bool seen[CLIENTS][TEXTS] = { 0 };
        const char *text;
        unsigned n = 0;

        for (size_t i = 0; (text = history_get(d, i)); i++) {
                int c, k;

                if (sscanf(text, "%d %d", &c, &k) != 2)
                        continue;
                assert_true(c >= 0 && c < CLIENTS && k >= 0 && k < TEXTS && !seen[c][k]);
                seen[c][k] = true;
                n++;
        }
        assert_int_equal(n, CLIENTS * TEXTS);
}

/* Several clients at once, and each of the first finds so much that it writes the file anew. */
static void test_several_clients(void **state)
{
        Drafts *d = make();
        char text[32];
        char bytes[CLIENTS];
        int begun[2], end[2], status;

        for (unsigned i = 0; i <= 2 * HISTORY_MAX; i++) {
                (void) snprintf(text, sizeof text, "old %u", i);
                add(d, text);
        }
        drafts_free(d);
        assert_int_equal(pipe2(begun, O_CLOEXEC), 0);
        assert_int_equal(pipe2(end, O_CLOEXEC), 0);
        for (int c = 0; c < CLIENTS; c++)
                if (fork() == 0) {
                        safe_close(end[1]);
                        run_client(c, begun[1], end[0]);
                }
        for (int i = 0; i < 5; i++)
                drafts_free(make());
        /* Nobody writes it anew any more: what waits is written by those who end. */
        for (int c = 0; c < CLIENTS; c++)
                assert_int_equal(read(begun[0], bytes + c, 1), 1);
        for (int i = 0; i < 2; i++) {
                safe_close(begun[i]);
                safe_close(end[i]);
        }
        for (int c = 0; c < CLIENTS; c++) {
                assert_true(wait(&status) > 0);
                assert_int_equal(status, 0);
        }
        d = make();
        check_texts(d);
        drafts_free(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_drafts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_path_for_an_id, setup, teardown),
                cmocka_unit_test_setup_teardown(test_draft_limit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_strange_drafts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_folder, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_limits, setup, teardown),
                cmocka_unit_test_setup_teardown(test_strange_history, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_is_written_anew, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_is_not_waited_for, setup, teardown),
                cmocka_unit_test_setup_teardown(test_several_clients, setup, teardown),
        };

        return cmocka_run_group_tests_name("tui-drafts", tests, NULL, NULL);
}
