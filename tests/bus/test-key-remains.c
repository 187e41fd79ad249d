/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Of a key that is not used any more nothing remains in the service's memory: every block that is
 * given back is looked at, and all of the memory after each thing that may happen to a key. */

#include <fcntl.h>
#include <signal.h>

#include "tests/bus/harness.h"
#include "tests/bus/process.h"
#include "tests/sanitized.h"
#include "tests/skip.h"

/* Long, as such keys are: longer than what is copied at once by chance. */
#define KEY \
        "sk-remains-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-9876543210" \
        "zyxwvutsrqponmlkjihgfedcbaZYXWVUTSRQPONMLKJIHGFEDCBA"
#define OTHER "sk-of-another-day"
#define MODEL "test/tiny:latest"
#define PARTS 3U /* of a key, that are looked for */

typedef struct World {
        Harness *harness;
        sd_bus *bus;
        char *file; /* what was found, by the library in the service */
        char *variables[3];
        unsigned n_looks;
} World;

static int setup(void **state)
{
        char coded[] = KEY;
        World *w;

        if (harness_setup(state) < 0)
                return -1;
        w = calloc(1, sizeof *w);
        assert_non_null(w);
        w->harness = *state;
        for (char *c = coded; *c; c++)
                ++*c;
        assert_non_null(getenv("KEY_REMAINS_LIBRARY"));
        assert_true(asprintf(&w->file, "%s/remains", w->harness->folder) > 0);
        assert_true(asprintf(&w->variables[0], "LD_PRELOAD=%s", getenv("KEY_REMAINS_LIBRARY")) > 0);
        assert_true(asprintf(&w->variables[1], "KEY_REMAINS_OF=%s", coded) > 0);
        assert_true(asprintf(&w->variables[2], "KEY_REMAINS=%s", w->file) > 0);
        for (size_t i = 0; i < ELEMENTSOF(w->variables); i++)
                w->harness->environment[i] = w->variables[i];
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        World *w = *state;

        harness_disconnectp(&w->bus);
        for (size_t i = 0; i < ELEMENTSOF(w->variables); i++)
                free(w->variables[i]);
        *state = w->harness;
        free(w->file);
        free(w);
        return harness_teardown(state);
}

static void write_key(World *w, const char *key)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        assert_true(asprintf(&path, "%s/key", w->harness->home) > 0);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_return_code(fd, errno);
        assert_int_equal(dprintf(fd, "%s\n", key), strlen(key) + 1);
}

static void begin(World *w, const char *type, const char *key)
{
        _cleanup_free_ char *line = NULL;

        if (SANITIZED || !harness_can_measure()) {
                skip_because("its memory is not its own: a sanitizer, or a wrapper");
        }
        write_key(w, key);
        assert_true(asprintf(&line, "KeyFile=%s/key", w->harness->home) > 0);
        harness_start_engine(w->harness, type, line, (const char *const[]){ "--key", KEY, NULL });
        harness_start(w->harness);
        w->bus = harness_connect(w->harness, VIA_PRIVATE);
}

/* ---- looking ---- */

static char *findings(World *w)
{
        _cleanup_close_ int fd = open(w->file, O_RDONLY | O_CLOEXEC);
        char *text = calloc(1, KIB(64));
        ssize_t n;

        assert_return_code(fd, errno);
        assert_non_null(text);
        n = read(fd, text, KIB(64) - 1);
        assert_in_range(n, 0, KIB(64) - 2);
        return text;
}

static unsigned count(const char *text, const char *word)
{
        unsigned n = 0;

        for (; (text = strstr(text, word)); text++)
                n++;
        return n;
}

/* So many parts of the key are there in all, and nothing was given back that had one. */
static void expect_parts(World *w, const char *when, unsigned n)
{
        _cleanup_free_ char *text = findings(w), *last = NULL;

        assert_true(asprintf(&last, "looked %u\n", n) > 0);
        if (strstr(text, "free ") || !strstr(text, last) || count(text, "in ") != n)
                fail_msg("%s: not %u parts of the key:\n%s", when, n, text);
        assert_return_code(truncate(w->file, 0), errno);
}

static void look(World *w, const char *when, unsigned n)
{
        usec_t deadline = harness_now() + HARNESS_PATIENCE;
        bool looked = false;

        assert_return_code(kill(w->harness->service, SIGUSR2), errno);
        while (!looked) {
                _cleanup_free_ char *text = findings(w);

                looked = strstr(text, "looked ");
                sd_bus_message_unref(harness_call(
                        w->harness, w->bus, PATH_ROOT, "org.freedesktop.DBus.Peer", "Ping", ""));
                assert_in_range(harness_now(), 0, deadline);
        }
        expect_parts(w, when, n);
        w->n_looks++;
}

static void end(World *w)
{
        harness_disconnectp(&w->bus);
        w->bus = NULL;
        assert_int_equal(harness_stop(w->harness), 0);
        expect_parts(w, "at the end", 0);
        w->n_looks++;
        print_message(
                "# tried | all memory and all that was given back, after requests that end in "
                "each way, a new key, an engine that goes, the end | %u | the key only where "
                "it is kept, and only while it is\n",
                w->n_looks);
}

/* ---- what may happen to a key ---- */

static void ask(World *w, const char *question, const char *expected)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *name = NULL;

        m = harness_message(w->bus, PATH_ROOT, INTERFACE_MANAGER, "Ask");
        assert_return_code(sd_bus_message_append(m, "sa{sv}", question, 1, "model", "s", MODEL), 0);
        if (!expected) {
                sd_bus_message_unref(harness_call_message(w->harness, w->bus, m));
                return;
        }
        name = harness_call_error_message(w->harness, w->bus, m, NULL);
        assert_string_equal(name, expected);
}

static void reload(World *w)
{
        sd_bus_message_unref(
                harness_call(w->harness, w->bus, PATH_ROOT, INTERFACE_MANAGER, "Reload", ""));
}

static void cancel_one(World *w)
{
        _cleanup_free_ char *path = harness_create(w->harness, w->bus, MODEL);
        uint64_t reply = harness_send(w->harness, w->bus, path, "@fault=hold:1");

        harness_engine_wait(w->harness, "held=1");
        sd_bus_message_unref(harness_call(
                w->harness, w->bus, path, INTERFACE_CONVERSATION, "Cancel", "t", reply));
        harness_engine_wait(w->harness, "cancelled=1");
}

static void check_life(World *w, const char *type)
{
        begin(w, type, KEY);
        look(w, "before it is needed", 0);
        ask(w, "@tokens=3", NULL);
        look(w, "after an answer", PARTS);
        ask(w, "@status=400 @error=\"no\"", "EngineRefused");
        look(w, "after a refusal", PARTS);
        ask(w, "@status=302 @location=http://127.0.0.1:1/", "EngineRefused");
        look(w, "after a redirect", PARTS);
        cancel_one(w);
        look(w, "after a cancelled one", PARTS);
        sd_bus_message_unref(harness_call(
                w->harness, w->bus, PATH_ROOT, INTERFACE_MANAGER, "ListModels", "b", true));
        look(w, "after a list of models", PARTS);

        write_key(w, OTHER);
        reload(w);
        ask(w, "@tokens=3", "KeyRefused");
        look(w, "when it is another one", 0);
        write_key(w, KEY);
        reload(w);
        ask(w, "@tokens=3", NULL);
        look(w, "when it is back", PARTS);
        harness_remove_config(w->harness, "engines.d/test.conf");
        reload(w);
        look(w, "when its engine is gone", 0);
        end(w);
}

static void test_openai(void **state)
{
        check_life(*state, "openai");
}

static void test_anthropic(void **state)
{
        check_life(*state, "anthropic");
}

/* The service ends while it has one, and a request is on its way. */
static void test_end(void **state)
{
        World *w = *state;
        _cleanup_free_ char *path = NULL;

        begin(w, "openai", KEY);
        path = harness_create(w->harness, w->bus, MODEL);
        (void) harness_send(w->harness, w->bus, path, "@fault=hold:1");
        harness_engine_wait(w->harness, "held=1");
        end(w);
}

/* What is no key leaves nothing either. */
static void test_refused_file(void **state)
{
        World *w = *state;

        begin(w, "openai", KEY "\n" KEY);
        ask(w, "@tokens=3", "KeyRefused");
        look(w, "after a file with two lines", 0);
        end(w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_openai),
                TEST(test_anthropic),
                TEST(test_end),
                TEST(test_refused_file),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("key-remains", tests, NULL, NULL);
}
