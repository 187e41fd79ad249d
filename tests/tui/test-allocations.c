/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How often the real client allocates: never for the echo of a key, nor for a picture of Yollayah;
 * and for a text's frame only for the text, however much there is already. */

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#include "tests/bench/pty.h"
#include "tests/sanitized.h"

#define ROWS    40
#define COLUMNS 120

#define KEYS     100U /* of which none allocates; as many come before, for what grows at first */
#define PICTURES 40U
#define TOKENS   500U

typedef struct World {
        Harness *h;
        Pty pty;
        char *preload, *path;
        _Atomic unsigned long *counter;
} World;

static int set_up(void **state)
{
        World *w = calloc(1, sizeof *w);
        _cleanup_close_ int fd = -EBADF;
        void *harness = NULL, *page;

        assert_non_null(w);
        assert_int_equal(harness_setup(&harness), 0);
        w->h = harness;
        harness_start_engine(w->h, "ollama", "", NULL);
        harness_start(w->h);
        assert_non_null(getenv("COUNT_ALLOCATIONS"));
        assert_true(asprintf(&w->preload, "LD_PRELOAD=%s", getenv("COUNT_ALLOCATIONS")) > 0);
        assert_true(asprintf(&w->path, "ALLOCATIONS=%s/allocations", w->h->folder) > 0);
        fd = open(strchr(w->path, '=') + 1, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_return_code(fd, errno);
        assert_return_code(ftruncate(fd, sizeof *w->counter), errno);
        page = mmap(NULL, sizeof *w->counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(page != MAP_FAILED);
        w->counter = page;
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        World *w = *state;
        void *harness = w->h;

        pty_end(&w->pty);
        (void) munmap((void *) w->counter, sizeof *w->counter);
        assert_int_equal(harness_teardown(&harness), 0);
        free(w->preload);
        free(w->path);
        free(w);
        return 0;
}

static void start(World *w)
{
        const char *const more[] = { w->preload, w->path, NULL };

        pty_start_client(&w->pty, w->h, /* option= */ NULL, more, ROWS, COLUMNS);
        pty_wait(&w->pty, "test/tiny:latest");
        assert_true(atomic_load(w->counter) > 100); /* it does count */
}

static void type(World *w, const char *text)
{
        pty_write(&w->pty, text, strlen(text));
}

/* Found again in what the client sends: in no other word. */
static const char *const letters[] = { "é", "ö", "ø", "ñ", "ü", "å", "ç", "ß" };

static void test_keys(void **state)
{
        World *w = *state;
        unsigned long before = 0;

        start(w);
        type(w, "\033[18~"); /* F7: she goes */
        for (unsigned i = 0; i < 2 * KEYS; i++) {
                const char *letter = letters[i % ELEMENTSOF(letters)];

                if (i == KEYS) {
                        pty_forget(&w->pty);
                        type(w, "\x15"); /* Ctrl-U */
                        pty_wait(&w->pty, "Ask something");
                }
                if (i == KEYS + ELEMENTSOF(letters))
                        before = atomic_load(w->counter);
                pty_forget(&w->pty);
                type(w, letter);
                pty_wait(&w->pty, letter);
        }
        print_message("# keys: %lu allocations\n", atomic_load(w->counter) - before);
        assert_int_equal(atomic_load(w->counter), before);
}

static void read_pictures(World *w, unsigned n)
{
        double deadline = (double) (harness_now() + HARNESS_PATIENCE);

        for (unsigned i = 0; i < n; i++)
                assert_true(pty_read(&w->pty, deadline) > 0);
}

static void test_pictures(void **state)
{
        World *w = *state;
        unsigned long before;

        start(w);
        type(w, "@fault=hold:3\r"); /* she talks until the rest comes */
        pty_wait(&w->pty, "word2");
        read_pictures(w, PICTURES);
        before = atomic_load(w->counter);
        read_pictures(w, PICTURES);
        print_message("# pictures: %lu allocations\n", atomic_load(w->counter) - before);
        assert_int_equal(atomic_load(w->counter), before);
        free(harness_engine_page(w->h, "/release", ""));
}

/* For a reply of so many tokens, from the question to its last word. */
static double per_token(World *w, unsigned n)
{
        unsigned long before = atomic_load(w->counter);
        char question[64];

        (void) snprintf(question, sizeof question, "@tokens=%u @rate=1000\r", n);
        pty_forget(&w->pty);
        type(w, question);
        (void) snprintf(question, sizeof question, "word%u", n - 1);
        pty_wait(&w->pty, question);
        return (double) (atomic_load(w->counter) - before) / n;
}

static void test_text(void **state)
{
        World *w = *state;
        double first, last;

        start(w);
        first = per_token(w, TOKENS);
        last = per_token(w, 10 * TOKENS);
        print_message("# text: %.2f allocations a token of %u, %.2f of ten times as many\n", first,
                TOKENS, last);
        assert_true(first > 0 && last < 1.5 * first);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_pictures, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        };

        if (SANITIZED) {
                puts("1..0 # SKIP a sanitizer has an allocator of its own: nothing is counted");
                return EXIT_SUCCESS;
        }
        harness_require_bus();
        return cmocka_run_group_tests_name("tui-allocations", tests, NULL, NULL);
}
