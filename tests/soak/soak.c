/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* soak: SOAK_MINUTES simulated minutes, each with what a busy one brings and no waiting between
 * them; or SOAK_SECONDS real ones at the pace of people. In the end the service and the curses
 * client have what they had after the first minutes. */

#include "tests/soak/soak.h"

#include "tests/bus/process.h"
#include "tests/bus/reader.h"

#define WARM_UP_MINUTES 30U /* each event came at least once */
/* What may be more in the end: fragments of the heap and SQLite's cache; a connection to an engine
 * that is kept; a timer that fires in the window. */
#define MEMORY_MORE      MIB(2)
#define DESCRIPTORS_MORE 2U
#define WAKEUPS_MORE     2U

#define LOAD_REPLIES 8U /* at once, of each model */
#define LOAD_TOKENS  2000U

static const char *const event_names[_SOAK_EVENT_MAX] = {
        [SOAK_STREAM] = "replies streamed by three engines and six models",
        [SOAK_RECONNECT] = "readers gone and back in mid-reply",
        [SOAK_ENGINE_RESTART] = "engine killed in mid-reply and started again",
        [SOAK_SUSPEND_SERVICE] = "service stopped and continued in mid-reply",
        [SOAK_SUSPEND_CLIENT] = "curses client stopped and continued",
        [SOAK_RELOAD] = "configuration changed and reloaded",
        [SOAK_BUS_RESTART] = "session bus killed and started again in mid-reply",
        [SOAK_HANG] = "engine that never answers beside the others",
        [SOAK_CLI] = "conductor ask",
};

static const char *const event_outcomes[_SOAK_EVENT_MAX] = {
        [SOAK_STREAM] = "each token there once, in order",
        [SOAK_RECONNECT] = "both halves join",
        [SOAK_ENGINE_RESTART] = "that reply failed, the next did not",
        [SOAK_SUSPEND_SERVICE] = "the reply is whole",
        [SOAK_SUSPEND_CLIENT] = "its next question was answered",
        [SOAK_RELOAD] = "accepted",
        [SOAK_BUS_RESTART] = "the reply on the private socket is whole, the name is back",
        [SOAK_HANG] = "it failed when its time was over, the others did not wait",
        [SOAK_CLI] = "answered",
};

static unsigned number_of(const char *variable)
{
        return (unsigned) strtoul(strempty(getenv(variable)), NULL, 10);
}

/* ---- several engines ---- */

static void soak_begin(Soak *s, Harness *h)
{
        static const SoakEngine engines[SOAK_ENGINES] = {
                { .name = "one", .type = "ollama" },
                { .name = "two", .type = "openai" },
                { .name = "three", .type = "anthropic" },
                { .name = "hung", .type = "openai" },
        };

        *s = (Soak){ .h = h, .real = number_of("SOAK_SECONDS") > 0 };
        for (unsigned i = 0; i < SOAK_ENGINES; i++) {
                s->engines[i] = engines[i];
                engine_start(s, &s->engines[i]);
                engine_configure(s, &s->engines[i], "");
        }
        harness_remove_config(h, "engines.d/builtin.conf");
        harness_write_config(h, "conductor.conf",
                "[Service]\nTrashKeepDays=0\n[Conversation]\nDefaultModel=one/tiny:latest\n");
        harness_start(h);
        s->bus = harness_connect(h, VIA_PRIVATE);
}

static void soak_end(Soak *s)
{
        harness_disconnectp(&s->bus);
        assert_int_equal(harness_stop(s->h), 0);
        for (unsigned i = 0; i < SOAK_ENGINES; i++)
                engine_end(&s->engines[i]);
}

/* ---- a long time ---- */

static void take_figures(Soak *s, Figures figures[static 2])
{
        sd_bus_message_unref(
                harness_call(s->h, s->bus, PATH_ROOT, INTERFACE_MANAGER, "PurgeDeleted", ""));
        figures_take(s, s->h->service, &figures[0]);
        if (s->tui.fd >= 0)
                figures_take(s, s->tui.pid, &figures[1]);
}

static void check_figures(const Figures *before, const Figures *after)
{
        if (harness_can_measure())
                assert_in_range(after->memory, 0, before->memory + MEMORY_MORE);
        assert_in_range(after->descriptors, 0, before->descriptors + DESCRIPTORS_MORE);
        assert_in_range(after->tasks, 0, before->tasks);
        assert_in_range(after->wakeups, 0, before->wakeups + WAKEUPS_MORE);
}

static void print_events(const Soak *s, unsigned minutes, usec_t took)
{
        for (SoakEvent e = 0; e < _SOAK_EVENT_MAX; e++)
                printf("# tried | %s | %u | %s |\n", event_names[e], s->n[e], event_outcomes[e]);
        printf("# tried | %s | %u | in %u s |\n",
                s->real ? "rounds of a soak at the pace of people" : "simulated minutes of a soak",
                minutes, (unsigned) (took / USEC_PER_SEC));
}

static void test_soak(void **state)
{
        usec_t began = harness_now(), until = began + number_of("SOAK_SECONDS") * USEC_PER_SEC;
        unsigned minutes = number_of("SOAK_MINUTES"), minute = 0;
        Figures before[2] = { 0 }, after[2] = { 0 };
        Soak s;

        soak_begin(&s, *state);
        tui_start(&s);
        for (; minute < WARM_UP_MINUTES; minute++)
                soak_minute(&s, minute);
        take_figures(&s, before);
        for (; s.real ? harness_now() < until : minute < minutes; minute++)
                soak_minute(&s, minute);
        take_figures(&s, after);
        print_events(&s, minute, harness_now() - began);
        figures_print("service", &before[0], &after[0]);
        if (s.tui.fd >= 0)
                figures_print("curses client", &before[1], &after[1]);
        check_figures(&before[0], &after[0]);
        if (s.tui.fd >= 0)
                check_figures(&before[1], &after[1]);
        tui_end(&s);
        soak_end(&s);
}

/* ---- all at once ---- */

static void test_load(void **state)
{
        Harness *h = *state;
        Reader *readers[SOAK_HUNG * SOAK_MODELS * LOAD_REPLIES];
        uint64_t replies[ELEMENTSOF(readers)];
        _cleanup_free_ char *hung = NULL;
        char question[64];
        Soak s;

        soak_begin(&s, h);
        (void) snprintf(question, sizeof question, "@tokens=%u", LOAD_TOKENS);
        hung = harness_create(h, s.bus, "hung/tiny:latest");
        (void) harness_send(h, s.bus, hung, "@fault=silent");
        for (unsigned i = 0; i < ELEMENTSOF(readers); i++) {
                _cleanup_free_ char *model = engine_model(
                        &s.engines[i % SOAK_HUNG], i / SOAK_HUNG % SOAK_MODELS);
                _cleanup_free_ char *conversation = harness_create(h, s.bus, model);

                readers[i] = reader_new(h, s.bus, conversation);
                replies[i] = harness_send(h, s.bus, conversation, question);
        }
        for (unsigned i = 0; i < ELEMENTSOF(readers); i++) {
                assert_string_equal(reader_wait(readers[i], replies[i]), "stop");
                assert_non_null(
                        strstr(buffer_text(&readers[i]->text[CHANNEL_CONTENT]), "word1999 "));
                readers[i] = reader_free(readers[i]);
        }
        printf("# tried | replies of %u tokens at once from three engines and six models, a fourth "
               "engine hanging | %zu | all whole |\n",
                LOAD_TOKENS, ELEMENTSOF(readers));
        soak_end(&s);
}

int main(void)
{
        const struct CMUnitTest soak[] = {
                cmocka_unit_test_setup_teardown(test_soak, harness_setup, harness_teardown),
        };
        const struct CMUnitTest load[] = {
                cmocka_unit_test_setup_teardown(test_load, harness_setup, harness_teardown),
        };

        harness_require_bus();
        if (number_of("SOAK_SECONDS") > 0 || number_of("SOAK_MINUTES") > 0)
                return cmocka_run_group_tests_name("soak", soak, NULL, NULL);
        return cmocka_run_group_tests_name("load", load, NULL, NULL);
}
