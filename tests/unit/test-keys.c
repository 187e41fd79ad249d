/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "service/engine/keys.h"
#include "tests/skip.h"
#include "tests/unit/folder.h"

static char *folder;

static char *path_of(const char *name)
{
        return folder_below(folder, name);
}

static char *write_file(const char *name, mode_t mode, const void *data, size_t size)
{
        char *path = path_of(name);
        _cleanup_close_ int fd = -EBADF;

        (void) unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, size), size);
        assert_int_equal(fchmod(fd, mode), 0);
        return path;
}

static void expect_key(const KeyPlaces *places, const char *text, KeySource source)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(key_freep) Key *k = NULL;

        if (key_read(places, &k, &failure) < 0)
                fail_msg("%s", failure_message(&failure));
        assert_non_null(k);
        assert_string_equal(key_text(k), text);
        assert_int_equal(key_source(k), source);
}

static void expect_refused(const KeyPlaces *places, const char *part)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Key *k = NULL;

        assert_true(key_read(places, &k, &failure) < 0);
        assert_null(k);
        assert_int_equal(failure.code, FAILURE_KEY_REFUSED);
        if (!strstr(failure_message(&failure), part))
                fail_msg("'%s' does not say '%s'", failure_message(&failure), part);
        assert_null(strstr(failure_message(&failure), "sekrit"));
}

static void test_contents(void **state)
{
        static const struct {
                const char *data, *key, *refused;
        } table[] = {
                { "sekrit", "sekrit", NULL },
                { "sekrit\n", "sekrit", NULL },
                { " \t\r\nsekrit \r\n\n", "sekrit", NULL },
                { "sek rit", "sek rit", NULL },
                { "", NULL, "empty" },
                { " \n\t\r ", NULL, "empty" },
                { "sekrit\nX-Injected: 1", NULL, "one line" },
                { "sekrit\rX", NULL, "one line" },
                { "sekrit\x7f", NULL, "one line" },
                { "\x01sekrit", NULL, "one line" },
                { "sekrit\xc3\xa4", NULL, "one line" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *path = write_file(
                        "key", 0600, table[i].data, strlen(table[i].data));
                KeyPlaces places = { .file = path };

                if (table[i].key)
                        expect_key(&places, table[i].key, KEY_SOURCE_FILE);
                else
                        expect_refused(&places, table[i].refused);
        }
}

static void test_nul(void **state)
{
        _cleanup_free_ char *path = write_file("key", 0600, "sek\0rit", 7);

        expect_refused(&(KeyPlaces){ .file = path }, "one line");
}

static void test_sizes(void **state)
{
        char data[KEY_SIZE_MAX + 1], text[KEY_SIZE_MAX + 1];

        memset(data, 'k', sizeof data);
        memset(text, 'k', KEY_SIZE_MAX);
        text[KEY_SIZE_MAX] = 0;
        for (size_t size = KEY_SIZE_MAX; size <= KEY_SIZE_MAX + 1; size++) {
                _cleanup_free_ char *path = write_file("key", 0600, data, size);
                KeyPlaces places = { .file = path };

                if (size <= KEY_SIZE_MAX)
                        expect_key(&places, text, KEY_SOURCE_FILE);
                else
                        expect_refused(&places, "longer than");
        }
}

static void test_modes(void **state)
{
        static const struct {
                mode_t mode;
                bool ok;
        } table[] = { { 0600, true }, { 0400, true }, { 0640, false }, { 0604, false },
                { 0620, false }, { 0601, false }, { 0644, false } };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *path = write_file("key", table[i].mode, "sekrit", 6);
                _cleanup_free_ char *command = NULL;
                KeyPlaces places = { .file = path };

                assert_true(asprintf(&command, "'chmod 600 %s'", path) > 0);
                if (table[i].ok)
                        expect_key(&places, "sekrit", KEY_SOURCE_FILE);
                else
                        expect_refused(&places, command);
        }
}

static void test_other_owner(void **state)
{
        _cleanup_free_ char *path = NULL;

        if (geteuid() != 0)
                skip_because("only root can give files away");
        path = write_file("key", 0600, "sekrit", 6);
        assert_int_equal(chown(path, 4711, -1), 0);
        expect_refused(&(KeyPlaces){ .file = path }, "belongs to another user");
}

static void test_kinds(void **state)
{
        _cleanup_free_ char *fifo = path_of("fifo"), *missing = path_of("missing");
        _cleanup_free_ char *key = write_file("key", 0600, "sekrit", 6), *linked = path_of("link");

        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(symlink(key, linked), 0);
        expect_refused(&(KeyPlaces){ .file = fifo }, "not a regular file");
        expect_refused(&(KeyPlaces){ .file = folder }, "not a regular file");
        expect_refused(&(KeyPlaces){ .file = missing }, "cannot be opened");
        expect_refused(&(KeyPlaces){ .file = "key" }, "not an absolute path");
        expect_key(&(KeyPlaces){ .file = linked }, "sekrit", KEY_SOURCE_FILE);
}

static void test_credential(void **state)
{
        _cleanup_free_ _unused_ char *path = write_file("cred", 0444, "sekrit\n", 7);

        assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
        expect_refused(&(KeyPlaces){ .credential = "cred" }, "LoadCredential=cred:");
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
        /* Its mode is systemd's affair. */
        expect_key(&(KeyPlaces){ .credential = "cred" }, "sekrit", KEY_SOURCE_CREDENTIAL);
        expect_refused(&(KeyPlaces){ .credential = "../cred" }, "not the name");
        expect_refused(&(KeyPlaces){ .credential = ".." }, "not the name");
        expect_refused(&(KeyPlaces){ .credential = "none" }, "cannot be opened");
}

static void test_environment(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        KeyPlaces places = { .environment = "CONDUCTOR_TEST_KEY" };
        Key *k = (Key *) 1;

        assert_int_equal(unsetenv("CONDUCTOR_TEST_KEY"), 0);
        assert_int_equal(key_read(&places, &k, &failure), 0);
        assert_null(k);
        assert_int_equal(setenv("CONDUCTOR_TEST_KEY", " sekrit\n", 1), 0);
        expect_key(&places, "sekrit", KEY_SOURCE_ENVIRONMENT);
        assert_int_equal(setenv("CONDUCTOR_TEST_KEY", "sekrit\nX: 1", 1), 0);
        expect_refused(&places, "variable CONDUCTOR_TEST_KEY");
        assert_int_equal(unsetenv("CONDUCTOR_TEST_KEY"), 0);
}

/* One after another; the first failure is told only when none has a key. */
static void test_order(void **state)
{
        _cleanup_free_ char *cred = write_file("cred", 0600, "c", 1);
        _cleanup_free_ char *file = write_file("key", 0600, "f", 1);
        KeyPlaces places = {
                .credential = "cred", .file = file, .environment = "CONDUCTOR_TEST_KEY"
        };

        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
        assert_int_equal(setenv("CONDUCTOR_TEST_KEY", "e", 1), 0);
        expect_key(&places, "c", KEY_SOURCE_CREDENTIAL);
        assert_int_equal(unlink(cred), 0);
        expect_key(&places, "f", KEY_SOURCE_FILE);
        assert_int_equal(unlink(file), 0);
        expect_key(&places, "e", KEY_SOURCE_ENVIRONMENT);
        assert_int_equal(unsetenv("CONDUCTOR_TEST_KEY"), 0);
        expect_refused(&places, "cred");
}

static void expect_hidden(const char *key, const char *text, const char *hidden)
{
        _cleanup_free_ char *path = write_file("key", 0600, key, strlen(key)), *copy = strdup(text);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(key_freep) Key *k = NULL;

        assert_int_equal(key_read(&(KeyPlaces){ .file = path }, &k, &failure), 0);
        assert_int_equal(key_hide(k, copy), 0);
        assert_string_equal(copy, hidden);
        assert_int_equal(unlink(path), 0);
}

/* Whole, each part that is long enough, and none that is not. */
static void test_hide(void **state)
{
        static const char key[] = "sk+0123/abcdefgh=XY";

        expect_hidden(key, "no key sk+0123 here", "no key sk+0123 here");
        expect_hidden(key, "key sk+0123/abcdefgh=XY.", "key *******************.");
        expect_hidden(key, "sk+0123/abcdefgh=XYsk+0123/", "***************************");
        for (size_t begin = 0; begin + 8 <= strlen(key); begin++)
                for (size_t n = 8; begin + n <= strlen(key); n++) {
                        _cleanup_free_ char *text = NULL, *stars = NULL;

                        assert_true(asprintf(&text, "<%.*s>", (int) n, key + begin) > 0);
                        assert_true(asprintf(&stars, "<%.*s>", (int) n, "*******************") > 0);
                        expect_hidden(key, text, stars);
                }
        expect_hidden(key, "<3/abcdef>", "<********>");
        expect_hidden(key, "<3/abcde>", "<3/abcde>");
        /* base64 of "x", "xy" and "xyz", each with the key after it: two characters at its ends
         * belong to its neighbours, too. */
        expect_hidden(key, "c2srMDEyMy9hYmNkZWZnaD1YWQ==", "************************WQ==");
        expect_hidden(key, "eHNrKzAxMjMvYWJjZGVmZ2g9WFk=", "eHNr********************WFk=");
        expect_hidden(key, "eHlzayswMTIzL2FiY2RlZmdoPVhZ", "eHlz************************");
        expect_hidden(key, "?k=sk%2B0123%2fabcdefgh%3DXY&", "?k=*************************&");
        expect_hidden("abc", "abc", "abc");
        expect_hidden("abcde", "abcd abcde", "abcd *****");
        assert_int_equal(key_hide(NULL, (char[]){ "text" }), 0);
}

static void test_equal(void **state)
{
        _cleanup_free_ char *a = write_file("a", 0600, "same", 4);
        _cleanup_free_ char *b = write_file("b", 0600, "same\n", 5);
        _cleanup_free_ char *c = write_file("c", 0600, "other", 5);
        _cleanup_(key_freep) Key *ka = NULL, *kb = NULL, *kc = NULL;

        assert_int_equal(key_read(&(KeyPlaces){ .file = a }, &ka, NULL), 0);
        assert_int_equal(key_read(&(KeyPlaces){ .file = b }, &kb, NULL), 0);
        assert_int_equal(key_read(&(KeyPlaces){ .file = c }, &kc, NULL), 0);
        assert_true(key_equal(ka, kb));
        assert_false(key_equal(ka, kc));
        assert_true(key_equal(NULL, NULL));
        assert_false(key_equal(ka, NULL));
        assert_null(key_free(NULL));
}

/* No other program of the user may look into a process that has a key. */
static void test_guarded(void **state)
{
        _cleanup_free_ char *path = write_file("key", 0600, "sekrit", 6);
        Key *one = NULL, *two = NULL;

        assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
        assert_int_equal(key_read(&(KeyPlaces){ .file = path }, &one, NULL), 0);
        assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
        assert_int_equal(key_from_keyring("sekrit", 6, &two, NULL), 0);
        one = key_free(one);
        assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
        two = key_free(two);
        assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
}

static void test_keyring(void **state)
{
        static char long_key[KEY_SIZE_MAX + 1];
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(key_freep) Key *k = NULL;
        Key *none = NULL;

        assert_int_equal(key_from_keyring(" sekrit\n", 8, &k, NULL), 0);
        assert_string_equal(key_text(k), "sekrit");
        assert_int_equal(key_source(k), KEY_SOURCE_KEYRING);
        k = key_free(k);
        memset(long_key, 'k', sizeof long_key);
        assert_int_equal(key_from_keyring(long_key, KEY_SIZE_MAX, &k, NULL), 0);
        assert_int_equal(strlen(key_text(k)), KEY_SIZE_MAX);
        assert_true(key_from_keyring(long_key, sizeof long_key, &none, &failure) < 0);
        assert_non_null(strstr(failure_message(&failure), "the keyring is longer than 8192"));
        assert_true(key_from_keyring("", 0, &none, NULL) < 0);
        assert_true(key_from_keyring("a\0b", 3, &none, NULL) < 0);
        assert_null(none);
}

static int group_setup(void **state)
{
        folder = folder_new();
        return 0;
}

static int group_teardown(void **state)
{
        folder = folder_free(folder);
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_contents),
                cmocka_unit_test(test_nul),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_modes),
                cmocka_unit_test(test_other_owner),
                cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_credential),
                cmocka_unit_test(test_environment),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_guarded),
                cmocka_unit_test(test_keyring),
                cmocka_unit_test(test_hide),
                cmocka_unit_test(test_equal),
        };

        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
