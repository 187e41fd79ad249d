/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service as systemd and the person who configures it see it: the watchdog, leaving, reading
 * the configuration again, a turn that takes long, and nothing at all when there is nothing to do.
 */

#include <dirent.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/bus/harness.h"
#include "tests/bus/reader.h"
#include "tests/skip.h"

/* ---- what systemd hears ---- */

static void test_watchdog(void **state)
{
        Harness *h = *state;
        usec_t begin;

        h->environment[0] = "WATCHDOG_USEC=800000";
        harness_start(h);
        begin = harness_now();
        harness_run_until(h, h->n_watchdog >= 5);
        /* sd-event sends them in time, not in a hurry: between a quarter and three quarters. */
        if (harness_can_measure())
                assert_in_range(harness_now() - begin, 4 * 200000, 5 * 800000);
        assert_int_equal(harness_stop(h), 0);

        /* Not asked for, not sent. */
        h->environment[0] = NULL;
        h->n_watchdog = 0;
        harness_start(h);
        assert_int_equal(harness_stop(h), 0);
        assert_int_equal(h->n_watchdog, 0);
}

static void test_leaving(void **state)
{
        Harness *h = *state;

        h->activated = true;
        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);

                harness_write_config(h, "conductor.conf", "[Service]\nIdleTimeoutSec=50ms\n");
                sd_bus_message_unref(
                        harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Reload", ""));
                /* Somebody is connected: a reason to stay. */
                free(harness_create(h, bus, ""));
                assert_false(h->stopping);
        }
        assert_int_equal(harness_wait_exit(h), 0);
        harness_run_until(h, h->stopping && h->n_extended > 0);
        assert_true(harness_logged(h, "Nobody needs the service; it leaves"));
}

/* So that whoever says more waits. */
static void fill_notify(const Harness *h)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address;
        socklen_t size = sizeof address;

        assert_return_code(fd, errno);
        assert_return_code(getsockname(h->notify, (struct sockaddr *) &address, &size), errno);
        while (sendto(fd, "X=1", 3, 0, (struct sockaddr *) &address, size) >= 0)
                ;
        assert_int_equal(errno, EAGAIN);
}

static int on_line(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
        return 0;
}

/* Until the service's log has this; each line that it writes is a turn of our loop. */
static void wait_logged(Harness *h, const char *text)
{
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *watch = NULL;

        assert_return_code(
                sd_event_add_inotify(h->event, &watch, h->log, IN_MODIFY, on_line, NULL), 0);
        harness_run_until(h, harness_logged(h, text));
}

static int on_asked(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        sd_bus_message **answer = userdata;

        *answer = sd_bus_message_ref(m);
        return 0;
}

/* A question that comes between the decision to leave and the loss of the name is answered, however
 * long that takes, and systemd is asked for time again and again meanwhile. */
static void test_leaving_with_work(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_free_ char *page = NULL;
        const char *text;

        h->activated = true;
        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);

        /* It waits until it can say STOPPING=1, and the question comes before it could. */
        assert_return_code(sd_event_source_set_enabled(h->notify_source, SD_EVENT_OFF), 0);
        fill_notify(h);
        harness_write_config(h, "conductor.conf", "[Service]\nIdleTimeoutSec=1s\n");
        sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Reload", ""));
        wait_logged(h, "Nobody needs the service; it leaves");
        assert_false(h->stopping);
        assert_return_code(sd_bus_call_method_async(bus, NULL, BUS_NAME, PATH_ROOT,
                                   INTERFACE_MANAGER, "Ask", on_asked, &answer, "sa{sv}",
                                   "@tokens=3 @fault=hold:1", 1, "model", "s", "test/tiny:latest"),
                0);
        /* The bus answers in the order in which it is asked: the question is with the service. */
        assert_return_code(sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus", "GetId", NULL, NULL, ""),
                0);
        assert_return_code(sd_event_source_set_enabled(h->notify_source, SD_EVENT_ON), 0);
        harness_run_until(h, answer || (h->stopping && h->n_extended >= 2));
        assert_null(answer);
        harness_engine_wait(h, "held=1");

        page = harness_engine_page(h, "/release", "");
        harness_run_until(h, answer);
        assert_return_code(sd_bus_message_read(answer, "s", &text), 0);
        assert_string_equal(text, "word0 word1 word2 ");
        assert_int_equal(harness_wait_exit(h), 0);
}

/* ---- what a crash leaves ---- */

/* Keys are in memory, and not everybody starts the service by its unit. */
static void test_no_core(void **state)
{
        Harness *h = *state;
        struct rlimit limit;

        harness_start(h);
        assert_return_code(prlimit(h->service, RLIMIT_CORE, NULL, &limit), errno);
        assert_int_equal(limit.rlim_cur, 0);
        assert_int_equal(limit.rlim_max, 0);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- the configuration ---- */

typedef enum Trigger {
        TRIGGER_FILE, /* it watches its folder */
        TRIGGER_SIGNAL,
        TRIGGER_CALL,
        _TRIGGER_MAX,
} Trigger;

static void reread(Harness *h, sd_bus *bus, Trigger trigger)
{
        switch (trigger) {
        case TRIGGER_FILE:
                break;
        case TRIGGER_SIGNAL:
                assert_return_code(kill(h->service, SIGHUP), errno);
                break;
        case TRIGGER_CALL:
                sd_bus_message_unref(
                        harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Reload", ""));
                break;
        case _TRIGGER_MAX:
                fail();
        }
}

static bool has_engine(Harness *h, sd_bus *bus, const char *wanted)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "ListEngines", "");
        const char *name, *type, *engine_state;
        bool found = false;

        assert_true(sd_bus_message_enter_container(answer, 'a', "(sssa{sv})") > 0);
        while (sd_bus_message_enter_container(answer, 'r', "sssa{sv}") > 0) {
                assert_return_code(
                        sd_bus_message_read(answer, "sss", &name, &type, &engine_state), 0);
                found = found || streq(name, wanted);
                assert_return_code(sd_bus_message_skip(answer, "a{sv}"), 0);
                assert_return_code(sd_bus_message_exit_container(answer), 0);
        }
        return found;
}

/* Until the service has this engine, or has it no more: each call is a turn of its loop. */
static void wait_engine(Harness *h, sd_bus *bus, const char *name, bool there)
{
        usec_t deadline = harness_now() + HARNESS_PATIENCE;

        while (has_engine(h, bus, name) != there)
                assert_in_range(harness_now(), 0, deadline);
}

static void test_configuration(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_(watch_freep) Watch *changed = NULL;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        changed = harness_watch(h, bus, PATH_ROOT, INTERFACE_MANAGER, "EngineChanged");
        for (Trigger t = 0; t < _TRIGGER_MAX; t++) {
                _cleanup_free_ char *name = NULL, *file = NULL;
                const char *engine, *engine_state;

                assert_true(asprintf(&name, "more%d", (int) t) > 0);
                assert_true(asprintf(&file, "engines.d/%s.conf", name) > 0);
                harness_write_config(h, file, "[Engine]\nType=ollama\nUrl=http://127.0.0.1:%d\n",
                        h->engine_port);
                reread(h, bus, t);
                wait_engine(h, bus, name, /* there= */ true);

                changed->n = 0;
                sd_bus_message_unref(harness_call(
                        h, bus, PATH_ROOT, INTERFACE_MANAGER, "ListModels", "b", /* refresh= */ 1));
                harness_run_until(h, changed->n > 0);
                assert_return_code(sd_bus_message_rewind(changed->last, true), 0);
                assert_return_code(
                        sd_bus_message_read(changed->last, "ss", &engine, &engine_state), 0);
                assert_string_equal(engine_state, "ready");

                harness_remove_config(h, file);
                reread(h, bus, t);
                wait_engine(h, bus, name, /* there= */ false);
        }
        assert_int_equal(harness_stop(h), 0);
}

/* What a file got wrong is a Notice that names the file and the line; the rest of it counts. */
static void test_bad_configuration(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_(watch_freep) Watch *notice = NULL;
        const char *level, *title, *text;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        notice = harness_watch(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Notice");
        harness_write_config(
                h, "conductor.conf", "[Service]\nIdleTimeoutSec=soon\nTrashKeepDays=3\nNoSuch=1\n");
        sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Reload", ""));
        harness_run_until(h, notice->n > 0);
        assert_return_code(sd_bus_message_read(notice->last, "sss", &level, &title, &text), 0);
        assert_string_equal(level, "warning");
        assert_string_equal(title, "The configuration has a mistake");
        assert_non_null(strstr(text, "conductor.conf:2: IdleTimeoutSec= wants a time"));
        assert_non_null(strstr(text, "(1 more in the journal)"));
        assert_true(has_engine(h, bus, "test"));
        assert_int_equal(harness_stop(h), 0);
}

/* A file that is written again and again is read meanwhile. */
static void test_configuration_in_motion(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_(watch_freep) Watch *notice = NULL;
        usec_t end;

        harness_write_config(h, "conductor.conf", "[Service]\n");
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        notice = harness_watch(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Notice");
        end = harness_now() + HARNESS_PATIENCE;
        while (notice->n == 0) {
                harness_write_config(h, "conductor.conf", "[Service]\nNoSuch=1\n");
                assert_return_code(sd_event_run(h->event, 0), 0);
                assert_true(harness_now() < end);
        }
        assert_int_equal(harness_stop(h), 0);
}

/* ---- a turn of the loop that takes long ---- */

/* systemd does not read what it is told when the service is to stop: until it does, calls are
 * answered as ever, and no turn of the loop waits for it. */
static void test_stop_unheard(void **state)
{
        _cleanup_connection_ sd_bus *bus = NULL;
        Harness *h = *state;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        assert_return_code(sd_event_source_set_enabled(h->notify_source, SD_EVENT_OFF), 0);
        fill_notify(h);
        assert_return_code(kill(h->service, SIGTERM), errno);
        for (unsigned i = 0; i < 10; i++)
                sd_bus_message_unref(
                        harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "GetSnapshot", ""));
        assert_false(h->stopping);
        assert_return_code(sd_event_source_set_enabled(h->notify_source, SD_EVENT_ON), 0);
        harness_run_until(h, h->stopping);
        assert_int_equal(harness_wait_exit(h), 0);
        if (harness_can_measure())
                assert_false(harness_logged(h, "A turn of the loop took "));
}

/* ---- nothing to do ---- */

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
        bool *over = userdata;

        *over = true;
        return 0;
}

#define IDLE_USEC (10 * USEC_PER_SEC)

/* How often its threads were on a processor: a thread that sleeps throughout was not. */
static uint64_t count_switches(const Harness *h)
{
        _cleanup_free_ char *tasks = NULL;
        uint64_t sum = 0;
        struct dirent *d;
        DIR *folder;

        assert_true(asprintf(&tasks, "/proc/%d/task", (int) h->service) > 0);
        folder = opendir(tasks);
        assert_non_null(folder);
        while ((d = readdir(folder))) {
                _cleanup_free_ char *path = NULL;
                _cleanup_fclose_ FILE *f = NULL;
                char line[256];

                if (d->d_name[0] == '.')
                        continue;
                assert_true(asprintf(&path, "%s/%s/status", tasks, d->d_name) > 0);
                f = fopen(path, "re");
                assert_non_null(f);
                while (fgets(line, sizeof line, f)) {
                        const char *n = startswith(line, "voluntary_ctxt_switches:");

                        sum += n ? strtoull(n, NULL, 10) : 0;
                }
        }
        assert_int_equal(closedir(folder), 0);
        assert_true(sum > 0);
        return sum;
}

static void rest(Harness *h, usec_t usec)
{
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *timer = NULL;
        bool over = false;

        assert_return_code(sd_event_add_time_relative(
                                   h->event, &timer, CLOCK_MONOTONIC, usec, 1, on_time, &over),
                0);
        harness_run_until(h, over);
}

/* After a reply that followers have seen who are still there: one on each door, and one that only
 * watches. */
static void test_idle(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL, *session = NULL, *passive = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL, *other = NULL;
        _cleanup_free_ char *conversation = NULL;
        uint64_t before;

        if (!harness_can_measure())
                skip_because("a sanitizer has a thread of its own that wakes up");
        h->environment[0] = "WATCHDOG_USEC=180000000";
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        session = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, session, "");
        reader = reader_new(h, session, conversation);
        other = reader_new(h, bus, conversation);
        passive = harness_connect(h, VIA_SESSION);
        sd_bus_message_unref(harness_call(h, passive, conversation, INTERFACE_CONVERSATION,
                "Follow", "a{sv}", 1, "passive", "b", 1));
        assert_string_equal(
                reader_wait(reader, harness_send(h, bus, conversation, "I am sad.")), "stop");
        /* The last of its work, the text that is saved, is at most a second away. */
        rest(h, 2 * USEC_PER_SEC);

        before = count_switches(h);
        rest(h, IDLE_USEC);
        assert_int_equal(count_switches(h), before);
        assert_int_equal(harness_stop(h), 0);
}

/* The watchdog's wake-ups, and no other: one for each time that systemd hears of it. */
static void test_idle_with_watchdog(void **state)
{
        Harness *h = *state;
        uint64_t before, switches;
        unsigned heard;

        if (!harness_can_measure() || getenv("CONDUCTOR_TEST_TRACED"))
                skip_because("a sanitizer or strace stops it, which is a switch too");
        h->environment[0] = "WATCHDOG_USEC=1000000";
        harness_start(h);
        rest(h, 2 * USEC_PER_SEC);

        before = count_switches(h);
        heard = h->n_watchdog;
        rest(h, IDLE_USEC);
        switches = count_switches(h) - before;
        heard = h->n_watchdog - heard;
        /* sd-event wakes up after half to three quarters of the time. */
        assert_in_range(heard, 12, 20);
        assert_in_range(switches, heard - 1, heard + 1);
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_watchdog),
                TEST(test_leaving),
                TEST(test_leaving_with_work),
                TEST(test_no_core),
                TEST(test_configuration),
                TEST(test_bad_configuration),
                TEST(test_configuration_in_motion),
                TEST(test_stop_unheard),
                TEST(test_idle),
                TEST(test_idle_with_watchdog),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
