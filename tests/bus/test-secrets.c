/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys from the desktop's keyring: the real service with a scripted keyring, and what only a
 * graphical session has, without the service around it. */
#include <fcntl.h>
#include <signal.h>

#include "common/key-text.h"
#include "service/secret-bus.h"
#include "tests/bus/harness.h"
#include "tests/bus/process.h"

#define KEY       "sk-test-0123456789-abcdefgh"
#define ATTRIBUTE "KeySecret=application=conductor engine=test\n"

static pid_t keyring;

static void start_keyring(Harness *h, const char *behaviour)
{
        _cleanup_free_ char *address = NULL;
        const char *program = getenv("FAKE_KEYRING");
        int out[2];
        char line[16];

        assert_non_null(program);
        assert_return_code(pipe2(out, O_CLOEXEC), errno);
        assert_true(asprintf(&address, "DBUS_SESSION_BUS_ADDRESS=%s", h->address) > 0);
        assert_return_code(
                process_spawn(&(Spawn){ .arguments = (const char *const[]){ program,
                                                isempty(behaviour) ? NULL : behaviour, NULL },
                                      .environment = (const char *const[]){ address, NULL },
                                      .output = out[1],
                                      .errors = -EBADF,
                                      .pass = -EBADF },
                        &keyring),
                0);
        safe_close(out[1]);
        assert_true(read(out[0], line, sizeof line) > 0);
        safe_close(out[0]);
}

static int setup(void **state)
{
        keyring = 0;
        return harness_setup(state);
}

static int teardown(void **state)
{
        process_end(&keyring);
        return harness_teardown(state);
}

/* ---- what the test tells the keyring ---- */

static sd_bus_message *control(sd_bus *bus, const char *member)
{
        sd_bus_message *m = NULL;

        assert_return_code(sd_bus_message_new_method_call(bus, &m, "org.freedesktop.secrets",
                                   "/control", "test.Keyring", member),
                0);
        return m;
}

static void put(Harness *h, sd_bus *bus, const char *engine, const char *more, const void *secret,
        size_t size)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = control(bus, "Put"), *reply = NULL;

        assert_return_code(sd_bus_message_append(m, "a{ss}", 3, "application", "conductor",
                                   "engine", engine, "more", more),
                0);
        assert_return_code(sd_bus_message_append_array(m, 'y', secret, size), 0);
        reply = harness_call_message(h, bus, m);
}

static void behave(Harness *h, sd_bus *bus, const char *behaviour)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = control(bus, "Behave"), *reply = NULL;

        assert_return_code(isempty(behaviour) ? sd_bus_message_append(m, "as", 0)
                                              : sd_bus_message_append(m, "as", 1, behaviour),
                0);
        reply = harness_call_message(h, bus, m);
}

static char *keyring_log(Harness *h, sd_bus *bus)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = control(bus, "Log"), *reply = NULL;
        const char *log;
        char *copy;

        reply = harness_call_message(h, bus, m);
        assert_return_code(sd_bus_message_read(reply, "s", &log), 0);
        copy = strdup(log);
        assert_non_null(copy);
        return copy;
}

static void wait_keyring_call(Harness *h, sd_bus *bus, const char *call)
{
        usec_t deadline = harness_now() + HARNESS_PATIENCE;
        bool came = false;

        while (!came) {
                _cleanup_free_ char *log = keyring_log(h, bus);

                came = strstr(log, call);
                assert_true(harness_now() < deadline);
        }
}

static void expect_calls(Harness *h, sd_bus *bus, const char *calls)
{
        _cleanup_free_ char *log = keyring_log(h, bus);

        assert_string_equal(log, calls);
}

/* ---- the service ---- */

static void start_all(Harness *h, const char *behaviour)
{
        harness_start_engine(h, "openai", ATTRIBUTE, (const char *const[]){ "--key", KEY, NULL });
        if (behaviour)
                start_keyring(h, behaviour);
        harness_start(h);
}

static void expect_answer(Harness *h, sd_bus *bus)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        reply = harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Ask", "sa{sv}", "hi", 1,
                "model", "s", "test/tiny:latest");
}

static void expect_refusal(Harness *h, sd_bus *bus, const char *part)
{
        _cleanup_free_ char *name = NULL, *sentence = NULL;

        name = harness_call_error(h, bus, &sentence, PATH_ROOT, INTERFACE_MANAGER, "Ask", "sa{sv}",
                "hi", 1, "model", "s", "test/tiny:latest");
        assert_string_equal(name, "KeyRefused");
        if (!strstr(sentence, part) || strstr(sentence, KEY) ||
                !strstr(sentence, "'conductor key set test'"))
                fail_msg("\"%s\" has not \"%s\"", sentence, part);
        assert_false(harness_logged(h, KEY));
}

static void test_question(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

        start_all(h, "");
        put(h, bus, "test", "1", KEY, strlen(KEY));
        put(h, bus, "other", "1", "sk-another-one", 14);
        /* Not before somebody needs it. */
        expect_calls(h, bus, "");
        expect_answer(h, bus);
        expect_calls(h, bus, "OpenSession SearchItems GetSecret");
        expect_answer(h, bus);
        expect_calls(h, bus, "");
        assert_false(harness_logged(h, KEY));
}

/* The key in the keyring is another one now: it is fetched again when the old one is refused. */
static void test_renewed(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

        start_all(h, "");
        put(h, bus, "test", "1", "sk-of-yesterday", 15);
        {
                _cleanup_free_ char *name = harness_call_error(h, bus, NULL, PATH_ROOT,
                        INTERFACE_MANAGER, "Ask", "sa{sv}", "hi", 1, "model", "s",
                        "test/tiny:latest");

                assert_string_equal(name, "KeyRefused");
        }
        process_end(&keyring);
        start_keyring(h, "");
        put(h, bus, "test", "1", KEY, strlen(KEY));
        expect_answer(h, bus);
}

static void test_white_space(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

        start_all(h, "");
        put(h, bus, "test", "1", " " KEY "\n", strlen(KEY) + 2);
        expect_answer(h, bus);
}

static void test_bad_keys(void **state)
{
        static char large[KIB(64)];
        static const struct {
                const char *text;
                size_t size;
                const char *part;
        } cases[] = {
                { "", 0, "empty" }, { "\n", 1, "empty" },
                { "one\ntwo", 7, "one line of plain ASCII" },
                { "one\0two", 7, "one line of plain ASCII" },
                { "one\xff", 4, "one line of plain ASCII" },
                { large, KEY_SIZE_MAX + 1, "longer than 8192 bytes" },
                { large, KIB(64), "too long for a key" },
                { large, KEY_SIZE_MAX, "refused" }, /* by the engine */
        };
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

        memset(large, 'k', sizeof large);
        start_all(h, NULL);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *name = NULL, *sentence = NULL;

                start_keyring(h, "");
                put(h, bus, "test", "1", cases[i].text, cases[i].size);
                name = harness_call_error(h, bus, &sentence, PATH_ROOT, INTERFACE_MANAGER, "Ask",
                        "sa{sv}", "hi", 1, "model", "s", "test/tiny:latest");
                assert_string_equal(name, "KeyRefused");
                if (!strstr(sentence, cases[i].part) || strstr(sentence, "kkkkkkkk"))
                        fail_msg("%zu: \"%s\"", i, sentence);
                process_end(&keyring);
        }
}

static void test_nobody_there(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

        start_all(h, NULL);
        expect_refusal(h, bus, "No keyring (Secret Service) runs");
        /* It is started, and the next question finds it. */
        start_keyring(h, "");
        expect_refusal(h, bus, "no secret with the attributes");
        put(h, bus, "test", "1", KEY, strlen(KEY));
        expect_answer(h, bus);
}

static void test_several(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

        start_all(h, "");
        put(h, bus, "test", "1", KEY, strlen(KEY));
        put(h, bus, "test", "2", KEY, strlen(KEY));
        expect_refusal(h, bus, "Several secrets");
        behave(h, bus, "locked");
        expect_refusal(h, bus, "Several secrets");
}

/* Nobody can be asked here: there is no graphical session. */
static void test_locked(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_free_ char *log = NULL;

        start_all(h, "locked");
        put(h, bus, "test", "1", KEY, strlen(KEY));
        expect_refusal(h, bus, "The keyring is locked, and it cannot ask");
        expect_refusal(h, bus, "The keyring is locked, and it cannot ask");
        /* Neither unlocked nor asked to unlock. */
        log = keyring_log(h, bus);
        assert_null(strstr(log, "Unlock"));
        assert_null(strstr(log, "Prompt"));
        behave(h, bus, "");
        expect_answer(h, bus);
}

static void test_misbehaving(void **state)
{
        static const struct {
                const char *behaviour, *part;
        } cases[] = {
                { "plain", "no encrypted session" },
                { "plain-anyway", "no encrypted session" },
                { "malformed", "no encrypted session" },
                { "public-empty", "not what its interface promises" },
                { "public-one", "not what its interface promises" },
                { "public-long", "not what its interface promises" },
                { "other-session", "not what its interface promises" },
                { "iv-short", "not what its interface promises" },
                { "value-empty", "not what its interface promises" },
                { "value-odd", "not what its interface promises" },
                { "value-unpadded", "not what its interface promises" },
                { "value-huge", "too long for a key" },
                { "refusing", "refuses (org.freedesktop.Secret.Error.Whatever)" },
                { "dying-open", "went away" },
                { "dying-secret", "went away" },
        };
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

        start_all(h, NULL);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                start_keyring(h, cases[i].behaviour);
                put(h, bus, "test", "1", KEY, strlen(KEY));
                expect_refusal(h, bus, cases[i].part);
                process_end(&keyring);
        }
        printf("# tried | a keyring that misbehaves, each in another way | %zu | each question "
               "failed with a sentence, 0 keys shown\n",
                ELEMENTSOF(cases));
        /* And none of it lasts. */
        start_keyring(h, "");
        put(h, bus, "test", "1", KEY, strlen(KEY));
        expect_answer(h, bus);
}

/* The question fails by our own limit, not by the bus's, and meanwhile others are answered. */
static void hang(Harness *h, const char *behaviour, const char *call)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_connection_ sd_bus *other = harness_connect(h, VIA_PRIVATE);
        _cleanup_(watch_freep) Watch *ended = NULL;
        _cleanup_free_ char *slow = NULL, *quick = NULL;
        usec_t begun;

        start_keyring(h, behaviour);
        put(h, bus, "test", "1", KEY, strlen(KEY));
        slow = harness_create(h, bus, "test/tiny:latest");
        ended = harness_watch(h, bus, slow, INTERFACE_CONVERSATION, "ReplyFinished");
        begun = harness_now();
        (void) harness_send(h, bus, slow, "hi");
        wait_keyring_call(h, bus, call);
        quick = harness_create(h, other, "builtin");
        (void) harness_send(h, other, quick, "hello");
        assert_int_equal(ended->n, 0);
        harness_run_until(h, ended->n > 0);
        printf("# %s: the question failed after %.2f s\n", behaviour,
                (double) (harness_now() - begun) / USEC_PER_SEC);
        /* The next one does not wait again. */
        expect_refusal(h, bus, "does not answer");
        expect_calls(h, bus, "");
        process_end(&keyring);
}

static void test_hangs_open(void **state)
{
        start_all(*state, NULL);
        hang(*state, "hang-open", "OpenSession");
}

static void test_hangs_search(void **state)
{
        start_all(*state, NULL);
        hang(*state, "hang-search", "SearchItems");
}

static void test_hangs_secret(void **state)
{
        start_all(*state, NULL);
        hang(*state, "hang-secret", "GetSecret");
}

/* The keyring is asked first; where it fails, another place does as well. */
static void test_second_place(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_free_ char *extra = NULL;

        assert_true(asprintf(&extra, ATTRIBUTE "KeyFile=%s/key", h->config) > 0);
        harness_write_config(h, "key", "%s\n", KEY);
        harness_start_engine(h, "openai", extra, (const char *const[]){ "--key", KEY, NULL });
        harness_start(h);
        expect_answer(h, bus);
        assert_true(harness_logged(h, "Its key is taken from elsewhere."));
}

static void test_no_session_bus(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;

        harness_stop_bus(h);
        start_all(h, NULL);
        bus = harness_connect(h, VIA_PRIVATE);
        expect_refusal(h, bus, "There is no session bus");
}

/* ---- unlocking: without the service, which sees no graphical session here ---- */

typedef struct Lookup {
        SecretLookup *lookup;
        bool done;
        char *text, *failure;
} Lookup;

static void on_found(const char *text, size_t size, const Failure *failure, void *userdata)
{
        Lookup *l = userdata;

        assert_false(l->done);
        l->done = true;
        if (failure_is_set(failure))
                l->failure = strdup(failure_message(failure));
        else
                l->text = strndup(text, size);
        l->lookup = secret_lookup_free(l->lookup);
}

static void look_up(Harness *h, Lookup *l, SecretFlags flags)
{
        SecretQuestion question = { .attributes = "engine=test", .flags = flags };

        *l = (Lookup){ 0 };
        assert_return_code(setenv("DBUS_SESSION_BUS_ADDRESS", h->address, 1), errno);
        assert_return_code(secret_session_new(&question.session), 0);
        assert_return_code(
                secret_lookup_new(&l->lookup, h->event, &question, on_found, l, NULL), 0);
}

static void expect_lookup(Harness *h, SecretFlags flags, const char *text, const char *failure)
{
        Lookup l;

        look_up(h, &l, flags);
        harness_run_until(h, l.done);
        if (!streq(strempty(l.text), text) || !strstr(strempty(l.failure), failure))
                fail_msg("\"%s\", \"%s\"", strempty(l.text), strempty(l.failure));
        free(l.text);
        free(l.failure);
}

static void test_prompt(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

        start_keyring(h, "");
        put(h, bus, "test", "1", KEY, strlen(KEY));
        {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = control(bus, "Behave"),
                                                                *reply = NULL;

                assert_return_code(sd_bus_message_append(m, "as", 2, "locked", "prompting"), 0);
                reply = harness_call_message(h, bus, m);
        }
        expect_lookup(h, 0, "", "is locked, and it cannot ask");
        expect_calls(h, bus, "OpenSession SearchItems");
        expect_lookup(h, SECRET_MAY_PROMPT, KEY, "");
        expect_calls(h, bus, "OpenSession SearchItems Unlock Prompt GetSecret");
        /* It is not locked any more. */
        expect_lookup(h, 0, KEY, "");
        /* One that asks nobody. */
        behave(h, bus, "locked");
        expect_calls(h, bus, "OpenSession SearchItems GetSecret");
        expect_lookup(h, SECRET_MAY_PROMPT, KEY, "");
        expect_calls(h, bus, "OpenSession SearchItems Unlock GetSecret");
}

static void prompt_fails(Harness *h, const char *behaviour, const char *failure)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;

        start_keyring(h, "");
        put(h, bus, "test", "1", KEY, strlen(KEY));
        m = control(bus, "Behave");
        assert_return_code(sd_bus_message_append(m, "as", 2, "locked", behaviour), 0);
        reply = harness_call_message(h, bus, m);
        expect_lookup(h, SECRET_MAY_PROMPT, "", failure);
        process_end(&keyring);
}

static void test_prompt_dismissed(void **state)
{
        prompt_fails(*state, "dismissed", "was not unlocked");
}

static void test_prompt_dies(void **state)
{
        prompt_fails(*state, "dying-prompt", "went away");
}

/* Who asked gives up while the person thinks. */
static void test_freed_while_prompting(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        Lookup l;

        start_keyring(h, "");
        put(h, bus, "test", "1", KEY, strlen(KEY));
        m = control(bus, "Behave");
        assert_return_code(sd_bus_message_append(m, "as", 2, "locked", "silent"), 0);
        reply = harness_call_message(h, bus, m);
        look_up(h, &l, SECRET_MAY_PROMPT);
        wait_keyring_call(h, bus, "Prompt");
        l.lookup = secret_lookup_free(l.lookup);
        assert_false(l.done);
        /* Nobody waits for what comes of it. */
        expect_lookup(h, 0, "", "is locked");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        static const struct CMUnitTest tests[] = {
                TEST(test_question),
                TEST(test_renewed),
                TEST(test_white_space),
                TEST(test_bad_keys),
                TEST(test_nobody_there),
                TEST(test_several),
                TEST(test_locked),
                TEST(test_misbehaving),
                TEST(test_hangs_open),
                TEST(test_hangs_search),
                TEST(test_hangs_secret),
                TEST(test_second_place),
                TEST(test_no_session_bus),
                TEST(test_prompt),
                TEST(test_prompt_dismissed),
                TEST(test_prompt_dies),
                TEST(test_freed_while_prompting),
        };

        harness_require_bus();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
