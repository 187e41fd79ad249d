/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "service/engine/http.h"
#include "tests/skip.h"

#define LIMIT_USEC (20 * USEC_PER_SEC)

/* ---- a TLS server: openssl's own ---- */

typedef struct Server {
        pid_t pid;
        FILE *output;
        char url[64];
} Server;

static char *fixture(const char *name)
{
        char *path;

        assert_non_null(getenv("FIXTURES"));
        assert_true(asprintf(&path, "%s/tls/%s", getenv("FIXTURES"), name) > 0);
        return path;
}

static bool have_openssl(void)
{
        return system("openssl version >/dev/null 2>&1") == 0;
}

/* It says on which port it listens. */
static void server_start(Server *s, const char *certificate)
{
        _cleanup_free_ char *path = fixture(certificate);
        char *const argv[] = { (char *) "openssl", (char *) "s_server", (char *) "-accept",
                (char *) "127.0.0.1:0", (char *) "-cert", path, (char *) "-key", path,
                (char *) "-www", NULL };
        posix_spawn_file_actions_t actions;
        unsigned port = 0;
        char line[256];
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO), 0);
        assert_int_equal(
                posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0),
                0);
        assert_int_equal(posix_spawnp(&s->pid, "openssl", &actions, NULL, argv, environ), 0);
        assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
        (void) close(fds[1]);

        s->output = fdopen(fds[0], "r");
        assert_non_null(s->output);
        while (port == 0 && fgets(line, sizeof line, s->output))
                (void) sscanf(line, "ACCEPT 127.0.0.1:%u", &port);
        assert_int_not_equal(port, 0);
        (void) snprintf(s->url, sizeof s->url, "https://127.0.0.1:%u/", port);
}

static void server_stop(Server *s)
{
        assert_int_equal(kill(s->pid, SIGKILL), 0);
        assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
        (void) fclose(s->output);
}

/* ---- the client ---- */

static sd_event *event;

static void on_done(const HttpResult *result, void *userdata)
{
        failure_copy(userdata, &result->failure);
        assert_int_equal(result->headers.status, failure_is_set(&result->failure) ? 0 : 200);
        assert_int_equal(sd_event_exit(event, 0), 0);
}

static void get(const char *url, const char *ca_file, Failure *ret)
{
        static const HttpOps ops = { .done = on_done };
        _cleanup_(http_transfer_freep) HttpTransfer *transfer = NULL;
        _cleanup_(http_freep) Http *http = NULL;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(http_new(&http, event), 0);
        assert_int_equal(http_start(http,
                                 &(HttpRequest){
                                         .url = url,
                                         .ca_file = ca_file,
                                         .connect_timeout = LIMIT_USEC,
                                         .first_byte_timeout = LIMIT_USEC,
                                         .stall_timeout = LIMIT_USEC,
                                 },
                                 &ops, ret, &transfer, NULL),
                0);
        assert_true(sd_event_loop(event) >= 0);
        event = sd_event_unref(event);
}

static void test_certificates(void **state)
{
        static const struct {
                const char *certificate;
                bool authority;
                FailureCode code;
                const char *words;
        } table[] = {
                { "good.pem", true, FAILURE_NONE, NULL },
                { "good.pem", false, FAILURE_ENGINE_UNREACHABLE, "from an unknown authority" },
                { "other-host.pem", true, FAILURE_ENGINE_UNREACHABLE, "for another host" },
                { "expired.pem", true, FAILURE_ENGINE_UNREACHABLE, "has expired" },
                { "not-yet.pem", true, FAILURE_ENGINE_UNREACHABLE, "is not valid yet" },
        };
        _cleanup_free_ char *authority = fixture("authority.pem");

        if (!have_openssl())
                skip_because("openssl is missing");

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                Server s;

                server_start(&s, table[i].certificate);
                get(s.url, table[i].authority ? authority : "", &failure);
                server_stop(&s);
                assert_int_equal(failure.code, table[i].code);
                if (table[i].words)
                        assert_non_null(strstr(failure_message(&failure), table[i].words));
        }
}

static void test_no_authorities(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Server s;

        if (!have_openssl())
                skip_because("openssl is missing");

        server_start(&s, "good.pem");
        get(s.url, "/nonexistent", &failure);
        server_stop(&s);
        assert_int_equal(failure.code, FAILURE_CONFIGURATION);
        assert_non_null(strstr(failure_message(&failure), "CaFile="));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_certificates),
                cmocka_unit_test(test_no_authorities),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
