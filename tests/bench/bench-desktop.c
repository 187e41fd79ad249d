/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A search as a desktop makes it, through the provider that it activates: the ids, then what the
 * first five are. With a hundred thousand messages, also while replies stream. The floor is the
 * service's own search. */

#include "client/desktop/names.h"
#include "tests/bench/bench.h"
#include "tests/bench/history.h"
#include "tests/bus/process.h"

#define PROVIDER "org.gnome.Shell.SearchProvider2"
#define SHOWN    5U
#define ROUNDS   bench_rounds(200, 20)
#define STREAMS  10U

static pid_t start_provider(Harness *h)
{
        _cleanup_free_ char *bus = NULL, *system = NULL;
        pid_t pid;

        assert_true(asprintf(&bus, "DBUS_SESSION_BUS_ADDRESS=%s", h->address) > 0);
        assert_true(asprintf(&system, "DBUS_SYSTEM_BUS_ADDRESS=%s", h->system_address) > 0);
        assert_return_code(
                process_spawn(
                        &(Spawn){ .arguments = (const char *const[]){ getenv("CONDUCTOR_SEARCH"),
                                          NULL },
                                .environment = (const char *const[]){ bus, system, NULL },
                                .output = -EBADF,
                                .errors = -EBADF,
                                .pass = -EBADF },
                        &pid),
                0);
        return pid;
}

static sd_bus_message *call(Harness *h, sd_bus *bus, sd_bus_message *m)
{
        sd_bus_message *answer = harness_call_message(h, bus, m);

        sd_bus_message_unref(m);
        return answer;
}

static sd_bus_message *provider_message(sd_bus *bus, const char *member)
{
        sd_bus_message *m = NULL;

        assert_return_code(sd_bus_message_new_method_call(
                                   bus, &m, SEARCH_NAME, PROVIDER_PATH, PROVIDER, member),
                0);
        return m;
}

static double search(Harness *h, sd_bus *bus, const char *word)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *ids = NULL, *metas = NULL;
        double before = bench_now_us();
        sd_bus_message *m;
        const char *id;
        unsigned n = 0;

        m = provider_message(bus, "GetInitialResultSet");
        assert_return_code(sd_bus_message_append(m, "as", 1, word), 0);
        ids = call(h, bus, m);
        m = provider_message(bus, "GetResultMetas");
        assert_return_code(sd_bus_message_open_container(m, 'a', "s"), 0);
        assert_return_code(sd_bus_message_enter_container(ids, 'a', "s"), 0);
        while (n < SHOWN && sd_bus_message_read(ids, "s", &id) > 0) {
                assert_return_code(sd_bus_message_append(m, "s", id), 0);
                n++;
        }
        assert_int_equal(n, SHOWN);
        assert_return_code(sd_bus_message_close_container(m), 0);
        metas = call(h, bus, m);
        return bench_now_us() - before;
}

static double search_bare(Harness *h, sd_bus *bus, const char *word)
{
        double before = bench_now_us();

        sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Search", "sa{sv}",
                word, 2, "limit", "u", 10U, "hidden", "b", false));
        return bench_now_us() - before;
}

static void measure(Harness *h, sd_bus *bus, const char *name, unsigned messages)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        char line[64];

        for (unsigned i = 0; i < ROUNDS; i++) {
                samples_add(&samples, search(h, bus, i % 2 ? "w0" : "needle"));
                samples_add(&floor, search_bare(h, bus, i % 2 ? "w0" : "needle"));
        }
        (void) snprintf(line, sizeof line, "%s/%u", name, messages);
        bench_print(line, "us", &samples, &floor);
}

static void wait_for_provider(Harness *h, sd_bus *bus)
{
        int owned = 0;

        while (!owned) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;

                assert_return_code(
                        sd_bus_message_new_method_call(bus, &m, "org.freedesktop.DBus",
                                "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner"),
                        0);
                assert_return_code(sd_bus_message_append(m, "s", SEARCH_NAME), 0);
                answer = harness_call_message(h, bus, m);
                assert_return_code(sd_bus_message_read(answer, "b", &owned), 0);
        }
}

int main(void)
{
        const unsigned conversations = bench_rounds(100, 50), messages = 1000;
        Harness *h = bench_begin();
        sd_bus *bus;
        pid_t provider;

        history_write(h->database, conversations, messages);
        harness_start_engine(h, "openai", "MaxConcurrent=10", NULL);
        bench_start(h);
        bus = harness_connect(h, VIA_SESSION);
        provider = start_provider(h);
        wait_for_provider(h, bus);
        measure(h, bus, "desktop-search", conversations * messages);
        for (unsigned i = 0; i < STREAMS; i++) {
                _cleanup_free_ char *conversation = harness_create(h, bus, "");

                (void) harness_send(h, bus, conversation, "@tokens=1000000 @rate=50");
        }
        measure(h, bus, "desktop-search-streaming", conversations * messages);
        process_end(&provider);
        sd_bus_flush_close_unref(bus);
        bench_end(h);
        return EXIT_SUCCESS;
}
