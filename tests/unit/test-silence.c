/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who is asked on a bus of its own, and does not answer in time: sd-bus says so, inside of which
 * the connection is given up. */

#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/secret-session.h"
#include "service/secret-bus.h"
#include "service/unit-bus.h"
#include "tests/unit/folder.h"
#include "tests/unit/hostile-service.h"

typedef struct World {
        Hostile *silent;
        UnitStart *start;
        SecretLookup *lookup;
        unsigned n_asked, n_done;
} World;

static void say_nothing(Hostile *h, sd_bus_message *call, const char *member)
{
        World *w = h->userdata;

        if (streq(member, "Hello"))
                hostile_reply(call, "s", ":1.1");
        else
                w->n_asked++;
}

static void on_started(const Failure *failure, void *userdata)
{
        World *w = userdata;

        assert_non_null(failure);
        w->start = unit_start_free(w->start);
        w->n_done++;
}

static void test_manager(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_free_ char *folder = NULL, *private = NULL;
        World w = { 0 };

        w.silent = hostile_new(say_nothing, &w);
        folder = folder_below(w.silent->folder, "systemd");
        private = folder_below(folder, "private");
        assert_int_equal(mkdir(folder, 0700), 0);
        assert_int_equal(symlink(w.silent->socket, private), 0);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", w.silent->folder, 1), 0);
        assert_return_code(
                unit_start_new(&w.start, w.silent->event, "a.service", on_started, &w, &failure),
                0);
        hostile_run_until(w.silent, w.n_done > 0);
        assert_int_equal(w.n_asked, 1);
        hostile_free(w.silent);
}

static void on_found(const char *text, size_t size, const Failure *failure, void *userdata)
{
        World *w = userdata;

        assert_non_null(failure);
        w->lookup = secret_lookup_free(w->lookup);
        w->n_done++;
}

static void test_keyring(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        SecretQuestion question = { .attributes = "application=conductor" };
        World w = { 0 };

        w.silent = hostile_new(say_nothing, &w);
        assert_int_equal(
                setenv("DBUS_SESSION_BUS_ADDRESS", startswith(w.silent->address, "peer:"), 1), 0);
        assert_return_code(secret_session_new(&question.session), 0);
        assert_return_code(
                secret_lookup_new(&w.lookup, w.silent->event, &question, on_found, &w, &failure),
                0);
        hostile_run_until(w.silent, w.n_done > 0);
        assert_int_equal(w.n_asked, 1);
        hostile_free(w.silent);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_manager),
                cmocka_unit_test(test_keyring),
        };

        /* libsystemd's, of which 25 s are the usual ones. */
        if (setenv("SYSTEMD_BUS_TIMEOUT", "50ms", 1) < 0)
                return EXIT_FAILURE;
        return cmocka_run_group_tests_name("silence", tests, NULL, NULL);
}
