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

#include "client/tui/drafts.h"
#include "tests/unit/folder.h"

#define ID    "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

static char *folder;

static char *below(const char *name)
{
        char *path;

        assert_true(asprintf(&path, "%s/conductor/tui/%s", folder, name) >= 0);
        return path;
}

/* Umasks, of which the modes of what is made do not depend. */
static mode_t umask_open = 0, umask_closed = 0777;

/* state: the umask, NULL for the usual one. */
static int setup(void **state)
{

        folder = folder_new();
        if (*state)
                (void) umask(*(const mode_t *) *state);
        return setenv("XDG_STATE_HOME", folder, 1);
}

static int teardown(void **state)
{
        (void) umask(0022);
        folder = folder_free(folder);
        return 0;
}

static Drafts *make(void)
{
        Drafts *d = NULL;

        assert_int_equal(drafts_new(0, &d), 0);
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
        _cleanup_buffer_ Buffer text = BUFFER_INIT(DRAFT_MAX);

        assert_int_equal(draft_read(d, id, &text), 0);
        assert_string_equal(buffer_text(&text), expected);
}

static int write_text(Drafts *d, const char *id, const char *text)
{
        return draft_write(d, id, DRAFT_REPLACE, text, strlen(text));
}

static int write_how(Drafts *d, DraftWrite how, const char *text)
{
        return draft_write(d, ID, how, text, strlen(text));
}

static void assert_unreadable(Drafts *d, const char *id, int error)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(DRAFT_MAX);

        assert_int_equal(draft_read(d, id, &text), error);
        assert_int_equal(text.size, 0);
}

static void assert_file(const char *name, const char *expected)
{
        _cleanup_free_ char *path = below(name);
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        char data[64] = "";

        assert_non_null(f);
        (void) !fread(data, 1, sizeof data - 1, f);
        assert_string_equal(data, expected);
}

static void assert_no_file(const char *name)
{
        _cleanup_free_ char *path = below(name);

        assert_int_equal(access(path, F_OK), -1);
}

/* As the keeper does, in two steps. */
static void add_to(Drafts *d, const char *id, const char *text)
{
        int r = history_remember(d, id, text, strlen(text));

        assert_return_code(r, 0);
        if (r > 0)
                assert_int_equal(history_write(d, id, text, strlen(text)), 0);
}

static void add(Drafts *d, const char *text)
{
        add_to(d, "", text);
}

static void assert_history_of(
        const Drafts *d, const char *id, const char *const *expected, size_t n)
{
        for (size_t i = 0; i < n; i++)
                assert_string_equal(strempty(history_get(d, id, i)), expected[i]);
        assert_null(history_get(d, id, n));
}

static void assert_history(const Drafts *d, const char *const *expected, size_t n)
{
        assert_history_of(d, "", expected, n);
}

/* ---- drafts ---- */

static void test_drafts(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *path = below("draft-" ID), *tui = below("");
        struct stat st;

        assert_draft(d, "", "");
        assert_int_equal(write_text(d, "", "new"), 0);
        assert_int_equal(write_text(d, ID, "one\ntwo"), 0);
        assert_int_equal(write_text(d, ID, "three"), 0);
        drafts_free(d);
        d = make();
        assert_draft(d, "", "new");
        assert_draft(d, ID, "three");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(tui, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(write_text(d, ID, ""), 0);
        assert_draft(d, ID, "");
        assert_int_equal(write_text(d, ID, ""), 0); /* there is none any more */
}

static void test_no_path_for_an_id(void **state)
{
        static const char *const ids[] = { "/etc/passwd", "../history", ".",
                "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcde", ID "0",
                "0123456789abcdef0123456789abcde/" };
        _cleanup_(drafts_freep) Drafts *d = make();

        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT(DRAFT_MAX);

                assert_int_equal(draft_read(d, ids[i], &text), -EINVAL);
                assert_int_equal(draft_sent(d, ids[i], "x", 1), -EINVAL);
                assert_int_equal(history_remember(d, ids[i], "x", 1), -EINVAL);
                assert_int_equal(draft_write(d, ids[i], DRAFT_REPLACE, "x", 1), -EINVAL);
        }
}

static void test_draft_limit(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *text = malloc(DRAFT_MAX + 1);
        _cleanup_buffer_ Buffer back = BUFFER_INIT(DRAFT_MAX);

        assert_non_null(text);
        memset(text, 'x', DRAFT_MAX + 1);
        assert_int_equal(draft_write(d, ID, DRAFT_REPLACE, text, DRAFT_MAX), 0);
        assert_int_equal(draft_read(d, ID, &back), 0);
        assert_int_equal(back.size, DRAFT_MAX);
        assert_int_equal(draft_write(d, ID, DRAFT_REPLACE, text, DRAFT_MAX + 1), -EFBIG);
        buffer_clear(&back);
        assert_int_equal(draft_read(d, ID, &back), 0); /* all that there is of it */
        assert_int_equal(back.size, DRAFT_MAX);
        append_file("draft-" ID, "y", 1);
        assert_unreadable(d, ID, -EFBIG);
}

/* What cannot be read is told, and is not written over. */
static void test_strange_drafts(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *path = below("draft-" ID), *other = below("draft-new");

        append_file("draft-" ID, "\xff\xfe", 2);
        assert_unreadable(d, ID, -EILSEQ);
        assert_int_equal(draft_sent(d, ID, "x", 1), -EILSEQ);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        assert_unreadable(d, ID, -ELOOP);
        assert_int_equal(mkfifo(other, 0600), 0); /* is not waited for */
        assert_unreadable(d, "", -EINVAL);
        assert_int_equal(write_text(d, "", "x"), 0);
        assert_draft(d, "", "x");
        if (geteuid() == 0)
                return; /* who may read everything */
        assert_int_equal(chmod(other, 0), 0);
        assert_unreadable(d, "", -EACCES);
}

/* By whom has not read what is there. */
static void test_below(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *most = malloc(DRAFT_MAX);

        assert_non_null(most);
        assert_int_equal(write_how(d, DRAFT_BELOW, "first"), 0);
        assert_draft(d, ID, "first");
        assert_int_equal(write_how(d, DRAFT_BELOW, "second"), 0);
        assert_draft(d, ID, "first\nsecond");
        assert_int_equal(write_how(d, DRAFT_BELOW, ""), 0);
        assert_draft(d, ID, "first\nsecond");
        append_file("draft-" ID, "\xff", 1);
        assert_int_equal(write_how(d, DRAFT_BELOW, "third"), 0);
        assert_draft(d, ID, "third");
        assert_file("draft-" ID ".unread-1", "first\nsecond\xff");
        /* "third" and a line end before it: one byte too much. */
        memset(most, 'x', DRAFT_MAX);
        assert_int_equal(draft_write(d, ID, DRAFT_BELOW, most, DRAFT_MAX - 6), 0);
        assert_no_file("draft-" ID ".unread-2");
        assert_int_equal(write_text(d, ID, "third"), 0);
        assert_int_equal(draft_write(d, ID, DRAFT_BELOW, most, DRAFT_MAX - 5), 0);
        assert_file("draft-" ID ".unread-2", "third");
}

static void test_aside(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_buffer_ Buffer ids = BUFFER_INIT(KIB(1));
        char number[2] = "";

        assert_int_equal(write_how(d, DRAFT_ASIDE, "0"), 0);
        assert_int_equal(write_how(d, DRAFT_ASIDE, ""), 0);
        assert_draft(d, ID, "0");
        for (number[0] = '1'; number[0] <= '9'; number[0]++)
                assert_int_equal(write_how(d, DRAFT_ASIDE, number), 0);
        assert_file("draft-" ID ".unread-1", "0");
        assert_file("draft-" ID ".unread-9", "8");
        assert_int_equal(write_how(d, DRAFT_ASIDE, "more"), -EEXIST);
        assert_draft(d, ID, "9");
        assert_int_equal(drafts_list(d, &ids), 0);
        assert_string_equal(ids.data, ID);
        /* Its conversation is gone: of nothing something is left. */
        assert_int_equal(write_text(d, ID, ""), 0);
        buffer_clear(&ids);
        assert_int_equal(drafts_list(d, &ids), 0);
        assert_string_equal(ids.data, ID);
        assert_int_equal(drafts_forget(d, ID), 0);
        assert_no_file("draft-" ID ".unread-1");
        assert_no_file("draft-" ID ".unread-9");
}

/* What was sent while the service was away is kept before what is written. */
static void test_sent(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make();

        assert_int_equal(write_text(d, ID, "sent\nand more\nrest"), 0);
        assert_int_equal(draft_sent(d, ID, "other", 5), 0);
        assert_draft(d, ID, "sent\nand more\nrest");
        assert_int_equal(draft_sent(d, ID, "sent\nand more", 13), 0);
        assert_draft(d, ID, "rest");
        assert_int_equal(draft_sent(d, ID, "rest and more than there is", 27), 0);
        assert_draft(d, ID, "rest");
        assert_int_equal(draft_sent(d, ID, "rest", 4), 0);
        assert_draft(d, ID, "");
        assert_int_equal(draft_sent(d, ID, "rest", 4), 0);
}

static void test_no_folder(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_INIT(DRAFT_MAX);

        assert_int_equal(setenv("XDG_STATE_HOME", "/dev/null", 1), 0);
        d = make();
        assert_int_equal(write_text(d, ID, "x"), -ENOTDIR);
        assert_int_equal(draft_read(d, ID, &text), -ENOTDIR);
        assert_int_equal(history_write(d, ID, "x", 1), -ENOTDIR);
        assert_int_equal(history_remember(d, ID, "one", 3), 1); /* for this run */
        assert_string_equal(history_get(d, ID, 0), "one");
}

/* Those of other machines are not here to be asked for: they are kept, and not listed. */
static void test_remote(void **state)
{
        _cleanup_(drafts_freep) Drafts *d = make(), *remote = NULL;
        _cleanup_buffer_ Buffer ids = BUFFER_INIT(KIB(1));

        assert_int_equal(drafts_new(DRAFTS_REMOTE, &remote), 0);
        assert_int_equal(write_text(remote, ID, "there"), 0);
        assert_int_equal(history_write(remote, ID, "sent there", 10), 0);
        assert_draft(d, ID, "");
        assert_draft(remote, ID, "there");
        drafts_free(d);
        d = make();
        assert_string_equal(history_get(d, ID, 0), "sent there");
        assert_int_equal(drafts_list(d, &ids), 0);
        assert_int_equal(ids.size, 0);
        assert_int_equal(drafts_list(remote, &ids), 0);
        assert_int_equal(ids.size, 0);
}

/* ---- what is gone ---- */

static void test_forget(void **state)
{
        static const char *const left[] = { "of another", "of nobody" };
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_buffer_ Buffer ids = BUFFER_INIT(KIB(1));

        assert_int_equal(write_text(d, "", "new"), 0);
        assert_int_equal(write_text(d, ID, "gone"), 0);
        add(d, "of nobody");
        add_to(d, ID, "of what is gone");
        add_to(d, OTHER, "of another");
        assert_int_equal(drafts_list(d, &ids), 0);
        assert_string_equal(ids.data, ID OTHER);
        assert_int_equal(drafts_forget(d, ID), 0);
        assert_draft(d, ID, "");
        assert_draft(d, "", "new");
        assert_history(d, (const char *const[]){ "of nobody", "of another" }, 2);
        assert_history_of(d, OTHER, left, 2);
        drafts_free(d);
        d = make();
        assert_history_of(d, OTHER, left, 2);
}

/* ---- history ---- */

static void test_history(void **state)
{
        static const char *const expected[] = { "\"three\"\\", "two\nlines", "one" };
        _cleanup_(drafts_freep) Drafts *d = make();
        _cleanup_free_ char *path = below("history");
        struct stat st;

        assert_null(history_get(d, "", 0));
        add(d, "one");
        add(d, "two\nlines");
        add(d, "two\nlines"); /* the same again */
        add(d, "");
        add(d, "\"three\"\\");
        assert_history(d, expected, 3);
        drafts_free(d);
        d = make();
        assert_history(d, expected, 3);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

/* Those of the conversation come first. */
static void test_history_of_conversations(void **state)
{
        static const char *const of_one[] = { "third", "first", "same", "second" },
                                 *const all[] = { "same", "third", "second", "first" };
        _cleanup_(drafts_freep) Drafts *d = make();

        add_to(d, ID, "first");
        add_to(d, OTHER, "second");
        add_to(d, ID, "third");
        add(d, "same");
        assert_history_of(d, ID, of_one, 4);
        assert_string_equal(history_get(d, OTHER, 0), "second");
        assert_history(d, all, 4);
        drafts_free(d);
        d = make();
        assert_history_of(d, ID, of_one, 4);
        assert_history(d, all, 4);
        /* Its conversation is known later. */
        history_adopt(d, "same", ID);
        assert_string_equal(history_get(d, ID, 0), "same");
        history_adopt(d, "second", ID);
        assert_string_equal(history_get(d, OTHER, 0), "second");
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
                assert_int_equal(history_remember(d, "", number, strlen(number)), 1);
        }
        assert_string_equal(history_get(d, "", HISTORY_MAX - 1), "1");
        assert_null(history_get(d, "", HISTORY_MAX));

        memset(text, 'x', HISTORY_TEXT + 1);
        text[HISTORY_TEXT + 1] = 0;
        assert_int_equal(history_remember(d, "", text, HISTORY_TEXT + 1), 0);
        assert_string_equal(history_get(d, "", 0), number);
        for (size_t i = 0; i <= HISTORY_BYTES / HISTORY_TEXT; i++) {
                text[0] = (char) ('a' + i % 26);
                assert_int_equal(history_remember(d, "", text, HISTORY_TEXT), 1);
        }
        while (history_get(d, "", n))
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
                (void) snprintf(number, sizeof number, "\n\"number %u\"\n", i);
                append_file("history", number, strlen(number));
        }
        (void) snprintf(number, sizeof number, "number %u", 3 * HISTORY_MAX - 1);
        assert_false(history_is_untidy(d));
        drafts_free(d);
        d = make();
        assert_true(history_is_untidy(d));
        assert_int_equal(history_tidy(d), 0);
        assert_string_equal(history_get(d, "", 0), number);
        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_size < (off_t) (HISTORY_MAX * sizeof number));
        assert_int_equal(st.st_mode & 07777, 0600);
        drafts_free(d);
        d = make();
        assert_string_equal(history_get(d, "", 0), number);
        assert_string_equal(strempty(history_get(d, "", HISTORY_MAX - 1)), "number 1000");
}

enum { CLIENTS = 4, TEXTS = 50 };

_noreturn_ static void run_client(int client)
{
        Drafts *d = make();
        char text[32];

        for (int i = 0; i < TEXTS; i++) {
                (void) snprintf(text, sizeof text, "%i %i", client, i);
                if (history_write(d, ID, text, strlen(text)) < 0)
                        _exit(EXIT_FAILURE);
        }
        drafts_free(d);
        _exit(EXIT_SUCCESS);
}

static void check_texts(const Drafts *d)
{
        bool seen[CLIENTS][TEXTS] = { 0 };
        const char *text;
        unsigned n = 0;

        for (size_t i = 0; (text = history_get(d, "", i)); i++) {
                int c, k;

                if (sscanf(text, "%d %d", &c, &k) != 2)
                        continue;
                assert_true(c >= 0 && c < CLIENTS && k >= 0 && k < TEXTS && !seen[c][k]);
                seen[c][k] = true;
                n++;
        }
        assert_int_equal(n, CLIENTS * TEXTS);
}

/* Several clients at once, while others write the file anew. */
static void test_several_clients(void **state)
{
        Drafts *d = make();
        int status;

        for (int c = 0; c < CLIENTS; c++)
                if (fork() == 0)
                        run_client(c);
        for (int i = 0; i < 20; i++)
                assert_int_equal(history_tidy(d), 0);
        for (int c = 0; c < CLIENTS; c++) {
                assert_true(wait(&status) > 0);
                assert_int_equal(status, 0);
        }
        drafts_free(d);
        d = make();
        check_texts(d);
        drafts_free(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_drafts, setup, teardown),
                cmocka_unit_test_prestate_setup_teardown(test_drafts, setup, teardown, &umask_open),
                cmocka_unit_test_prestate_setup_teardown(
                        test_history, setup, teardown, &umask_open),
                cmocka_unit_test_prestate_setup_teardown(
                        test_drafts, setup, teardown, &umask_closed),
                cmocka_unit_test_prestate_setup_teardown(
                        test_history, setup, teardown, &umask_closed),
                cmocka_unit_test_setup_teardown(test_no_path_for_an_id, setup, teardown),
                cmocka_unit_test_setup_teardown(test_draft_limit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_strange_drafts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_below, setup, teardown),
                cmocka_unit_test_setup_teardown(test_aside, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sent, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_folder, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remote, setup, teardown),
                cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_of_conversations, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_limits, setup, teardown),
                cmocka_unit_test_setup_teardown(test_strange_history, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_is_written_anew, setup, teardown),
                cmocka_unit_test_setup_teardown(test_several_clients, setup, teardown),
        };

        return cmocka_run_group_tests_name("tui-drafts", tests, NULL, NULL);
}
