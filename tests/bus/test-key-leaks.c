/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An engine's key is nowhere to be seen: an engine that sends it back in all that it says, and then
 * a look at everything that left the service: the bus's traffic, errors, the log at its most
 * talkative, exports, the database, arguments, and what another process of the user may see of it.
 */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base64.h"
#include "tests/bus/harness.h"
#include "tests/bus/process.h"

#define KEY   "sk-leak+0123456789/abcdefghijkl=XYZ"
#define MODEL "test/tiny:latest"
#define PART  10U /* bytes of the key in a row, anywhere, are a leak */

/* ---- looking ---- */

static char *whole_file(const char *path, size_t *ret_size)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        /* A service that has a key shows its environment to nobody but root. */
        if (fd < 0 && errno == EACCES && startswith(path, "/proc/")) {
                *ret_size = 0;
                return strdup("");
        }
        return harness_read_file(path, ret_size);
}

static unsigned count_parts(const char *data, size_t size, const char *form)
{
        unsigned n = 0;

        for (const char *part = form; strlen(part) >= PART; part++)
                n += memmem(data, size, part, PART) != NULL;
        return n;
}

/* The key as it is, and in base64 with each beginning. */
static void check_absent(const char *where, const char *data, size_t size)
{
        if (count_parts(data, size, KEY) > 0)
                fail_msg("%s has the key", where);
        for (size_t skip = 0; skip < 3; skip++) {
                _cleanup_buffer_ Buffer form = BUFFER_INIT(KIB(1));

                assert_return_code(
                        base64_append(&form, &KEY[skip], (strlen(KEY) - skip) / 3 * 3), 0);
                if (count_parts(data, size, buffer_text(&form)) > 0)
                        fail_msg("%s has the key in base64", where);
        }
}

static void check_file(const char *path)
{
        size_t size;
        _cleanup_free_ char *data = whole_file(path, &size);

        check_absent(path, data, size);
}

static unsigned check_folder(const char *folder)
{
        DIR *d = opendir(folder);
        struct dirent *entry;
        unsigned n = 0;

        assert_non_null(d);
        while ((entry = readdir(d))) {
                _cleanup_free_ char *path = NULL;
                struct stat st;

                assert_true(asprintf(&path, "%s/%s", folder, entry->d_name) > 0);
                if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
                        continue;
                check_file(path);
                n++;
        }
        assert_int_equal(closedir(d), 0);
        return n;
}

/* ---- all that goes over the bus, as it is ---- */

static pid_t start_recording(Harness *h, const char *path)
{
        _cleanup_free_ char *option = NULL;
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        usec_t deadline = harness_now() + HARNESS_PATIENCE;
        _cleanup_connection_ sd_bus *bus = NULL;
        struct stat st;
        pid_t pid;

        assert_return_code(fd, errno);
        assert_true(asprintf(&option, "--address=%s", h->address) > 0);
        assert_return_code(process_spawn(&(Spawn){ .arguments = (const char *const[]){ "busctl",
                                                           option, "capture", NULL },
                                                 .environment = (const char *const[]){ NULL },
                                                 .output = fd,
                                                 .errors = -EBADF,
                                                 .pass = -EBADF },
                                   &pid),
                0);
        /* It records when it has recorded something. */
        bus = harness_connect(h, VIA_SESSION);
        do {
                assert_in_range(harness_now(), 0, deadline);
                sd_bus_message_unref(
                        harness_call(h, bus, PATH_ROOT, "org.freedesktop.DBus.Peer", "Ping", ""));
                assert_return_code(fstat(fd, &st), errno);
        } while (st.st_size < 4096);
        return pid;
}

/* ---- the engine that tells ---- */

/* The first ones, which are not tried again and again. */
#define REFUSALS 2U

static const struct {
        const char *what, *script;
} tellings[] = {
        { "a refusal", "@status=401 @error=\"Wrong key: Bearer " KEY "\"" },
        { "a part of it", "@status=401 @error=\"Wrong key that ends in 6789/abcdefghijkl=XYZ\"" },
        { "a fault", "@status=500 @error=\"headers: {Authorization: Bearer " KEY "}\"" },
        { "a bad request", "@status=400 @error=\"" KEY KEY "\"" },
        { "too many", "@status=429 @retry-after=0 @error=\"" KEY "\"" },
        { "base64",
                "@status=500 @error=\"QmVhcmVyIHNrLWxlYWsrMDEyMzQ1Njc4OS9hYmNkZWZnaGlqa2w9WFla\"" },
        { "a web page", "@status=403 @type=text/html @error=\"<b>" KEY "</b>\"" },
        { "a redirect", "@status=302 @location=http://" KEY "@127.0.0.1:1/" KEY },
        { "a path to go on to", "@status=307 @location=/" KEY },
        { "a type of content", "@type=" KEY "/" KEY },
        { "an event", "@fault=error:2 @error=\"" KEY "\"" },
        { "an event in pieces", "@fault=error:2 @cut=3 @error=\"it was " KEY "\"" },
        { "a line in a stream", "@fault=error-line:1 @error=\"" KEY "\"" },
};

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        sd_bus_message **answer = userdata;

        *answer = sd_bus_message_ref(m);
        return 0;
}

/* Whatever comes of it has no key in it. */
static void ask(Harness *h, Via via, const char *what)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_(sd_bus_message_unrefp)
                sd_bus_message *m = harness_message(bus, PATH_ROOT, INTERFACE_MANAGER, "Ask"),
                               *answer = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        const sd_bus_error *e;

        assert_return_code(sd_bus_message_append(m, "sa{sv}", "Hello?", 1, "model", "s", MODEL), 0);
        assert_return_code(sd_bus_call_async(bus, &slot, m, on_answer, &answer, UINT64_MAX), 0);
        harness_run_until(h, answer);
        e = sd_bus_message_get_error(answer);
        if (e)
                check_absent(what, e->message, strlen(e->message));
}

static void provoke(Harness *h, size_t n_tellings)
{
        for (size_t i = 0; i < n_tellings; i++) {
                free(harness_engine_page(h, "/script", tellings[i].script));
                for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++)
                        ask(h, via, tellings[i].what);
        }
}

/* What else answers: lists, states, exports. */
static void look_around(Harness *h)
{
        static const char *const members[] = { "ListEngines", "GetSnapshot", "GetStatistics" };
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_free_ char *path = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        char part[4096];
        ssize_t n;
        int fd;

        free(harness_engine_page(h, "/script", ""));
        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                sd_bus_message_unref(
                        harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, members[i], ""));
        path = harness_create(h, bus, MODEL);
        (void) harness_send(h, bus, path, "Hello?");
        answer = harness_call(h, bus, path, INTERFACE_CONVERSATION, "Export", "s", "json");
        assert_return_code(sd_bus_message_read(answer, "h", &fd), 0);
        while ((n = read(fd, part, sizeof part)) > 0)
                check_absent("an export", part, (size_t) n);
}

/* What others see of the process. That of the environment is the starter's own word. */
static void check_process(const Harness *h, bool by_environment)
{
        static const char *const files[] = { "cmdline", "environ", "comm", "status", "maps" };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *path = NULL;

                if (by_environment && streq(files[i], "environ"))
                        continue;
                assert_true(asprintf(&path, "/proc/%d/%s", (int) h->service, files[i]) > 0);
                check_file(path);
        }
}

/* The engine has got it: else nothing would be shown by all this. */
static void check_used(Harness *h)
{
        _cleanup_free_ char *log = harness_engine_page(h, "/log", NULL);

        assert_non_null(strstr(log, "(a key)"));
}

static void check_nowhere(Harness *h, size_t n_tellings, bool by_environment)
{
        _cleanup_free_ char *record = NULL;
        pid_t recorder;
        unsigned n;

        harness_start(h);
        assert_true(asprintf(&record, "%s/record", h->folder) > 0);
        recorder = start_recording(h, record);
        provoke(h, n_tellings);
        look_around(h);
        check_used(h);
        check_process(h, by_environment);
        assert_true(harness_logged(h, "********"));
        assert_return_code(kill(recorder, SIGTERM), errno);
        (void) process_wait(recorder, HARNESS_PATIENCE);
        n = check_folder(h->state);
        check_file(record);
        check_file(h->log);
        assert_int_equal(harness_stop(h), 0);
        n += check_folder(h->state);
        print_message("# tried | an engine that sends its key back, in %zu ways | %zu | not in the "
                      "bus's traffic, %u files of the database, the log, exports, arguments\n",
                n_tellings, 2 * n_tellings, n);
}

static void write_key(const char *path)
{
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_return_code(fd, errno);
        assert_int_equal(write(fd, KEY "\n", strlen(KEY) + 1), strlen(KEY) + 1);
}

static void start_engine(Harness *h, const char *line)
{
        harness_start_engine(h, "openai", line, (const char *const[]){ "--key", KEY, NULL });
}

static void test_file(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *path = NULL, *line = NULL;

        assert_true(asprintf(&path, "%s/key", h->home) > 0);
        assert_true(asprintf(&line, "KeyFile=%s", path) > 0);
        write_key(path);
        start_engine(h, line);
        check_nowhere(h, ELEMENTSOF(tellings), /* by_environment= */ false);
}

static void test_credential(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *path = NULL, *variable = NULL;

        assert_true(asprintf(&path, "%s/test", h->home) > 0);
        assert_true(asprintf(&variable, "CREDENTIALS_DIRECTORY=%s", h->home) > 0);
        write_key(path);
        start_engine(h, "KeyCredential=test");
        h->environment[0] = variable;
        check_nowhere(h, REFUSALS, /* by_environment= */ false);
}

static void test_environment(void **state)
{
        Harness *h = *state;

        start_engine(h, "KeyEnvironment=OPENAI_API_KEY");
        h->environment[0] = "OPENAI_API_KEY=" KEY;
        check_nowhere(h, REFUSALS, /* by_environment= */ true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_file),
                TEST(test_credential),
                TEST(test_environment),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("key-leaks", tests, NULL, NULL);
}
