/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor-search, by the calls that GNOME Shell and KRunner make, in their order. */

#include <signal.h>

#include "client/desktop/answers-bus.h"
#include "client/desktop/hits.h"
#include "client/desktop/names.h"
#include "client/desktop/search-bus.h"
#include "tests/desktop/desk.h"

#define MODEL    "test/tiny:latest"
#define IDS_MAX  16U
#define PROVIDER "org.gnome.Shell.SearchProvider2"
#define RUNNER   "org.kde.krunner1"

typedef struct Ids {
        size_t n;
        char id[IDS_MAX][PLACE_MAX];
} Ids;

typedef struct Match {
        size_t n; /* in all; of the first: */
        char *id, *text, *icon, *subtext, *category;
        int relevance, multiline;
} Match;

static void match_clear(Match *m)
{
        free(m->id);
        free(m->text);
        free(m->icon);
        free(m->subtext);
        free(m->category);
        *m = (Match){ 0 };
}

static void begin(Desk *d, const char *argument)
{
        harness_start(d->h);
        desk_start_manager(d);
        desk_start(d, "CONDUCTOR_SEARCH", argument);
        desk_wait_name(d, SEARCH_NAME, true);
        desk_wait_name(d, APPLICATION_ID, true);
}

/* ---- GNOME Shell ---- */

static sd_bus_message *provider_message(Desk *d, const char *member)
{
        return desk_message(SEARCH_NAME, PROVIDER_PATH, PROVIDER, member, d, NULL);
}

static void read_ids(sd_bus_message *answer, Ids *ret)
{
        const char *id;

        *ret = (Ids){ 0 };
        assert_return_code(sd_bus_message_enter_container(answer, 'a', "s"), 0);
        while (sd_bus_message_read(answer, "s", &id) > 0) {
                assert_true(ret->n < IDS_MAX);
                assert_true(strlen(id) < PLACE_MAX);
                strcpy(ret->id[ret->n++], id);
        }
}

static void gnome_search(Desk *d, const char *term, Ids *ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;

        m = provider_message(d, "GetInitialResultSet");
        assert_return_code(sd_bus_message_append(m, "as", 1, term), 0);
        answer = harness_call_message(d->h, d->bus, m);
        read_ids(answer, ret);
}

static void gnome_narrow(Desk *d, const Ids *before, const char *a, const char *b, Ids *ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;

        m = provider_message(d, "GetSubsearchResultSet");
        assert_return_code(sd_bus_message_open_container(m, 'a', "s"), 0);
        for (size_t i = 0; i < before->n; i++)
                assert_return_code(sd_bus_message_append(m, "s", before->id[i]), 0);
        assert_return_code(sd_bus_message_close_container(m), 0);
        assert_return_code(sd_bus_message_append(m, "as", 2, a, b), 0);
        answer = harness_call_message(d->h, d->bus, m);
        read_ids(answer, ret);
}

/* Of one id; the caller frees. */
static char *gnome_meta(Desk *d, const char *id, const char *key)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;

        m = provider_message(d, "GetResultMetas");
        assert_return_code(sd_bus_message_append(m, "as", 1, id), 0);
        answer = harness_call_message(d->h, d->bus, m);
        assert_return_code(sd_bus_message_enter_container(answer, 'a', "a{sv}"), 0);
        return harness_read_string(answer, key);
}

static sd_bus_message *activation(Desk *d, const char *id)
{
        sd_bus_message *m = provider_message(d, "ActivateResult");

        assert_return_code(sd_bus_message_append(m, "sasu", id, 1, "word", 1234), 0);
        return m;
}

static void assert_opened(const Desk *d, const char *id)
{
        const char *slash = strchr(id, '/');

        assert_non_null(strstr(d->unit.arguments[0], "conductor-terminal"));
        assert_non_null(strstr(d->unit.arguments[1], "conductor-tui"));
        assert_string_equal(d->unit.arguments[2], "--conversation");
        assert_memory_equal(d->unit.arguments[3], id, (size_t) (slash - id));
        assert_int_equal(strlen(d->unit.arguments[3]), slash - id);
        assert_string_equal(d->unit.arguments[4], "--message");
        assert_string_equal(d->unit.arguments[5], slash + 1);
        assert_null(d->unit.arguments[6]);
        assert_non_null(startswith(d->unit.name, "app-" APPLICATION_ID "-"));
}

static void test_gnome(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        _cleanup_free_ char *first = NULL, *second = NULL, *hidden = NULL, *name = NULL,
                            *description = NULL, *icon = NULL, *id = NULL;
        Desk *d = *state;
        Ids found, narrowed;

        begin(d, NULL);
        first = desk_converse(d, "The axolotl sleeps in the lake");
        second = desk_converse(d, "An axolotl dances on the roof");
        hidden = desk_converse(d, "A secret axolotl dances");
        sd_bus_message_unref(
                harness_call(d->h, d->bus, hidden, INTERFACE_CONVERSATION, "Hide", "b", true));

        gnome_search(d, "axolotl", &found);
        assert_true(found.n >= 2);
        assert_non_null(strstr(second, strndupa(found.id[0], CONVERSATION_ID)));
        for (size_t i = 0; i < found.n; i++)
                assert_null(strstr(hidden, strndupa(found.id[i], CONVERSATION_ID)));
        gnome_narrow(d, &found, "axolotl", "danc", &narrowed);
        assert_int_equal(narrowed.n, 1);
        id = gnome_meta(d, narrowed.id[0], "id");
        assert_string_equal(id, narrowed.id[0]);
        name = gnome_meta(d, narrowed.id[0], "name");
        assert_true(*name);
        description = gnome_meta(d, narrowed.id[0], "description");
        assert_non_null(strstr(description, "axolotl dances"));
        icon = gnome_meta(d, narrowed.id[0], "gicon");
        assert_string_equal(icon, APPLICATION_ID);

        m = activation(d, narrowed.id[0]);
        answer = harness_call_message(d->h, d->bus, m);
        assert_int_equal(d->n_units, 1);
        assert_opened(d, narrowed.id[0]);
        assert_null(d->unit.environment);
}

static void test_newest_ten(void **state)
{
        Desk *d = *state;
        char *conversations[HITS_OF_SEARCH + 3];
        Ids found;

        begin(d, NULL);
        for (size_t i = 0; i < ELEMENTSOF(conversations); i++)
                conversations[i] = desk_converse(d, "@say=\"ok\" pineapple");
        gnome_search(d, "pineapple", &found);
        assert_int_equal(found.n, HITS_OF_SEARCH);
        for (size_t i = 0; i < found.n; i++)
                assert_non_null(strstr(conversations[ELEMENTSOF(conversations) - 1 - i],
                        strndupa(found.id[i], CONVERSATION_ID)));
        for (size_t i = 0; i < ELEMENTSOF(conversations); i++)
                free(conversations[i]);
}

static int on_answered(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        unsigned *counts = userdata;
        Ids found;

        assert_null(sd_bus_message_get_error(m));
        read_ids(m, &found);
        counts[found.n > 0]++;
        return 0;
}

/* Without waiting for an answer: each is answered, and what is over the limit finds nothing. */
static void test_many_at_once(void **state)
{
        Desk *d = *state;
        _cleanup_free_ char *conversation = NULL;
        const unsigned more = 10;
        unsigned counts[2] = { 0 };

        begin(d, NULL);
        conversation = desk_converse(d, "kiwi");
        for (unsigned i = 0; i < SEARCHES_MAX + more; i++) {
                _cleanup_(sd_bus_message_unrefp)
                        sd_bus_message *m = provider_message(d, "GetInitialResultSet");

                assert_return_code(sd_bus_message_append(m, "as", 1, "kiwi"), 0);
                assert_return_code(
                        sd_bus_call_async(d->bus, NULL, m, on_answered, counts, UINT64_MAX), 0);
        }
        harness_run_until(d->h, counts[0] + counts[1] == SEARCHES_MAX + more);
        assert_true(counts[1] >= SEARCHES_MAX);
}

static void expect_refused(Desk *d, sd_bus_message *m, const char *expected)
{
        _cleanup_free_ char *name = harness_call_error_message(d->h, d->bus, m, NULL);

        assert_string_equal(name, expected);
        sd_bus_message_unref(m);
}

static void test_bad_ids(void **state)
{
        static const char *const ids[] = { "", "special:1", "../../etc/passwd",
                "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef/",
                "0123456789abcdef0123456789abcdef/18446744073709551616",
                "0123456789abcdef0123456789abcdef/-1", "0123456789ABCDEF0123456789ABCDEF/1",
                "0123456789abcdef0123456789abcde/1", "0123456789abcdef0123456789abcdef0/1",
                "0123456789abcdef0123456789abcdef/1 --host=evil" };
        static const char forgotten[] = "0123456789abcdef0123456789abcdef/18446744073709551615";
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        Desk *d = *state;

        begin(d, NULL);
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                /* The shell shows nothing unless each id is answered. */
                _cleanup_free_ char *id = gnome_meta(d, ids[i], "id"),
                                    *name = gnome_meta(d, ids[i], "name");

                assert_string_equal(id, ids[i]);
                assert_true(*name);
                expect_refused(d, activation(d, ids[i]), SD_BUS_ERROR_INVALID_ARGS);
                expect_refused(d,
                        desk_message(SEARCH_NAME, RUNNER_PATH, RUNNER, "Run", d, "ss", ids[i], ""),
                        SD_BUS_ERROR_INVALID_ARGS);
        }
        assert_int_equal(d->n_units, 0);
        m = activation(d, forgotten);
        answer = harness_call_message(d->h, d->bus, m);
        assert_opened(d, forgotten);
}

static void test_clean(void **state)
{
        _cleanup_free_ char *conversation = NULL, *name = NULL, *description = NULL;
        Desk *d = *state;
        Ids found;

        begin(d, NULL);
        conversation = desk_converse(d,
                "mango \x1b]0;owned\x07 \xc2\x9b"
                "31m two\nlines \xe2\x80\xae reversed mango");
        gnome_search(d, "mango", &found);
        assert_int_equal(found.n > 0, true);
        description = gnome_meta(d, found.id[found.n - 1], "description");
        assert_non_null(strstr(description, "mango"));
        assert_null(strpbrk(description, "\x1b\x07\n\r"));
        assert_null(strstr(description, "\xc2\x9b"));
        assert_null(strstr(description, "\xe2\x80\xae"));
        name = gnome_meta(d, found.id[found.n - 1], "name");
        assert_null(strpbrk(name, "\x1b\x07\n\r"));
}

static void test_queries(void **state)
{
        char longest[1026];
        Desk *d = *state;
        Ids found;

        begin(d, NULL);
        gnome_search(d, "", &found);
        assert_int_equal(found.n, 0);
        memset(longest, 'x', sizeof longest);
        for (size_t size = 1023; size <= 1025; size++) {
                longest[size] = 0;
                gnome_search(d, longest, &found);
                assert_int_equal(found.n, 0);
                longest[size] = 'x';
        }
        /* Nothing in it has a meaning. */
        gnome_search(d, "\"NEAR( * - ' OR --", &found);
        assert_int_equal(found.n, 0);
}

static void test_no_service(void **state)
{
        Desk *d = *state;
        Ids found;

        begin(d, NULL);
        assert_int_equal(harness_stop(d->h), 0);
        gnome_search(d, "anything", &found);
        assert_int_equal(found.n, 0);
        assert_true(desk_logged(d, "Nothing is found"));
        harness_start(d->h);
        gnome_search(d, "anything", &found);
}

static void test_no_manager(void **state)
{
        Desk *d = *state;

        begin(d, NULL);
        d->refusal = "It is there already.";
        expect_refused(d, activation(d, "0123456789abcdef0123456789abcdef/1"),
                "org.freedesktop.systemd1.UnitExists");
        d->manager = sd_bus_flush_close_unref(d->manager);
        desk_wait_name(d, "org.freedesktop.systemd1", false);
        expect_refused(d, activation(d, "0123456789abcdef0123456789abcdef/1"),
                SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

static void test_launch_search(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        Desk *d = *state;

        begin(d, NULL);
        m = provider_message(d, "LaunchSearch");
        assert_return_code(
                sd_bus_message_append(m, "asu", 3, "--help;", "$(reboot)", "${HOME}$$", 1), 0);
        answer = harness_call_message(d->h, d->bus, m);
        assert_string_equal(d->unit.arguments[2], "--search=--help; $(reboot) ${HOME}$$");
        assert_null(d->unit.arguments[3]);
}

/* ---- KRunner ---- */

static void krunner_match(Desk *d, const char *query, Match *ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        const char *id, *text, *icon;
        double relevance;

        m = desk_message(SEARCH_NAME, RUNNER_PATH, RUNNER, "Match", d, "s", query);
        answer = harness_call_message(d->h, d->bus, m);
        match_clear(ret);
        assert_return_code(sd_bus_message_enter_container(answer, 'a', "(sssida{sv})"), 0);
        while (sd_bus_message_enter_container(answer, 'r', "sssida{sv}") > 0) {
                if (ret->n++ > 0) {
                        assert_return_code(sd_bus_message_skip(answer, "sssida{sv}"), 0);
                } else {
                        assert_return_code(sd_bus_message_read(answer, "sssid", &id, &text, &icon,
                                                   &ret->relevance, &relevance),
                                0);
                        assert_true(relevance >= 0 && relevance <= 1);
                        ret->id = strdup(id);
                        ret->text = strdup(text);
                        ret->icon = strdup(icon);
                        assert_return_code(sd_bus_message_enter_container(answer, 'a', "{sv}"), 0);
                        while (sd_bus_message_enter_container(answer, 'e', "sv") > 0) {
                                const char *key, *value;

                                assert_return_code(sd_bus_message_read(answer, "s", &key), 0);
                                if (streq(key, "multiline"))
                                        assert_return_code(sd_bus_message_read(answer, "v", "b",
                                                                   &ret->multiline),
                                                0);
                                else if (streq(key, "subtext")) {
                                        assert_return_code(
                                                sd_bus_message_read(answer, "v", "s", &value), 0);
                                        ret->subtext = strdup(value);
                                } else
                                        assert_return_code(sd_bus_message_skip(answer, "v"), 0);
                                assert_return_code(sd_bus_message_exit_container(answer), 0);
                        }
                        assert_return_code(sd_bus_message_exit_container(answer), 0);
                }
                assert_return_code(sd_bus_message_exit_container(answer), 0);
        }
}

/* As KRunner does: nobody waits for its answer. */
static void krunner_run(Desk *d, const char *id, const char *token)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *t = NULL;

        t = desk_message(SEARCH_NAME, RUNNER_PATH, RUNNER, "SetActivationToken", d, "s", token);
        assert_return_code(sd_bus_message_set_expect_reply(t, false), 0);
        assert_return_code(sd_bus_send(d->bus, t, NULL), 0);
        m = desk_message(SEARCH_NAME, RUNNER_PATH, RUNNER, "Run", d, "ss", id, "");
        assert_return_code(sd_bus_message_set_expect_reply(m, false), 0);
        assert_return_code(sd_bus_send(d->bus, m, NULL), 0);
}

static void test_krunner(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *actions = NULL, *t = NULL,
                                                        *down = NULL;
        _cleanup_free_ char *conversation = NULL;
        _cleanup_(match_clear) Match match = { 0 };
        Desk *d = *state;

        begin(d, NULL);
        conversation = desk_converse(d, "A papaya is not a dialogue");
        m = desk_message(SEARCH_NAME, RUNNER_PATH, RUNNER, "Actions", d, NULL);
        actions = harness_call_message(d->h, d->bus, m);
        assert_true(sd_bus_message_has_signature(actions, "a(sss)"));
        krunner_match(d, "pap", &match);
        krunner_match(d, "papaya dialogue", &match);
        assert_int_equal(match.n, 1);
        assert_string_equal(match.icon, APPLICATION_ID);
        assert_non_null(strstr(match.subtext, "papaya"));
        assert_int_equal(match.relevance, 50);
        assert_false(match.multiline);
        krunner_run(d, match.id, "token-1");
        harness_run_until(d->h, d->n_units == 1);
        assert_opened(d, match.id);
        assert_string_equal(d->unit.environment, "XDG_ACTIVATION_TOKEN=token-1");
        t = desk_message(SEARCH_NAME, RUNNER_PATH, RUNNER, "Teardown", d, NULL);
        down = harness_call_message(d->h, d->bus, t);
}

static void test_ask(void **state)
{
        static const char question[] = "ask @say=\"one\\n\\n\\ntwo \\e[1mthree\" & why";
        _cleanup_(watch_freep) Watch *ended = NULL;
        _cleanup_(match_clear) Match match = { 0 };
        Desk *d = *state;
        char typed[sizeof question];

        harness_start_engine(d->h, "ollama", "", NULL);
        begin(d, NULL);
        ended = harness_watch(d->h, d->bus, NULL, INTERFACE_CONVERSATION, "ReplyFinished");
        /* As one types: nobody is asked. */
        for (size_t i = 1; i < sizeof question; i++) {
                memcpy(typed, question, i);
                typed[i] = 0;
                krunner_match(d, typed, &match);
        }
        assert_int_equal(match.n, 1);
        assert_int_equal(match.relevance, 100);
        assert_non_null(startswith(match.text, "Ask: @say="));
        assert_false(match.multiline);
        assert_int_equal(harness_engine_count(d->h, "chats"), 0);

        krunner_run(d, match.id, "");
        krunner_run(d, match.id, "");
        harness_run_until(d->h, ended->n > 0);
        /* The service answers its caller right after it; this call comes after that. */
        do
                krunner_match(d, question, &match);
        while (!match.multiline);
        assert_int_equal(match.n, 1);
        assert_string_equal(match.text, "one\n\ntwo [1mthree");
        assert_int_equal(harness_engine_count(d->h, "chats"), 1);
        assert_int_equal(d->n_units, 0);

        krunner_run(d, match.id, "");
        harness_run_until(d->h, d->n_units == 1);
        assert_non_null(strstr(sd_bus_message_get_path(ended->last), d->unit.arguments[3]));
        assert_int_equal(harness_engine_count(d->h, "chats"), 1);
}

static void test_ask_fails(void **state)
{
        static const char question[] = "Ask @fail-first=9 @status=400 @error=\"no such thing\"";
        _cleanup_(watch_freep) Watch *ended = NULL;
        _cleanup_(match_clear) Match match = { 0 };
        Desk *d = *state;

        harness_start_engine(d->h, "ollama", "", NULL);
        begin(d, NULL);
        ended = harness_watch(d->h, d->bus, NULL, INTERFACE_CONVERSATION, "ReplyFinished");
        krunner_match(d, question, &match);
        krunner_run(d, match.id, "");
        harness_run_until(d->h, ended->n == 1);
        do
                krunner_match(d, question, &match);
        while (!match.multiline);
        assert_non_null(strstr(match.text, "no such thing"));
        krunner_run(d, match.id, "");
        harness_run_until(d->h, ended->n == 2);
}

static void test_no_question(void **state)
{
        _cleanup_(match_clear) Match match = { 0 };
        char longest[sizeof "ask " + QUESTION_MAX + 1];
        Desk *d = *state;

        begin(d, NULL);
        krunner_match(d, "ask", &match);
        assert_int_equal(match.n, 0);
        krunner_match(d, "ask  ", &match);
        assert_int_equal(match.n, 0);
        krunner_match(d, "asking questions", &match);
        assert_int_equal(match.n, 0);
        memset(longest, 'x', sizeof longest);
        memcpy(longest, "ask ", 4);
        longest[4 + QUESTION_MAX] = 0;
        krunner_match(d, longest, &match);
        assert_int_equal(match.n, 1);
        longest[4 + QUESTION_MAX] = 'x';
        longest[4 + QUESTION_MAX + 1] = 0;
        krunner_match(d, longest, &match);
        assert_int_equal(match.n, 0);
        expect_refused(d,
                desk_message(SEARCH_NAME, RUNNER_PATH, RUNNER, "Run", d, "ss", "ask:", ""),
                SD_BUS_ERROR_INVALID_ARGS);
}

/* ---- the .desktop file's entry ---- */

static sd_bus_message *application_message(Desk *d, const char *member)
{
        return desk_message(
                APPLICATION_ID, APPLICATION_PATH, "org.freedesktop.Application", member, d, NULL);
}

static void call_and_free(Desk *d, sd_bus_message *m)
{
        sd_bus_message_unref(harness_call_message(d->h, d->bus, m));
        sd_bus_message_unref(m);
}

static void test_application(void **state)
{
        Desk *d = *state;
        sd_bus_message *m;

        begin(d, NULL);
        m = application_message(d, "Activate");
        assert_return_code(sd_bus_message_append(m, "a{sv}", 2, "desktop-startup-id", "s", "old",
                                   "activation-token", "s", "new"),
                0);
        call_and_free(d, m);
        assert_null(d->unit.arguments[2]);
        assert_string_equal(d->unit.environment, "XDG_ACTIVATION_TOKEN=new");

        m = application_message(d, "ActivateAction");
        assert_return_code(sd_bus_message_append(m, "sava{sv}", "continue", 0, 0), 0);
        call_and_free(d, m);
        assert_string_equal(d->unit.arguments[2], "--continue");
        m = application_message(d, "ActivateAction");
        assert_return_code(sd_bus_message_append(m, "sava{sv}", "new-conversation", 0, 0), 0);
        call_and_free(d, m);
        assert_null(d->unit.arguments[2]);
        m = application_message(d, "ActivateAction");
        assert_return_code(sd_bus_message_append(m, "sava{sv}", "reboot", 0, 0), 0);
        expect_refused(d, m, SD_BUS_ERROR_INVALID_ARGS);
        m = application_message(d, "Open");
        assert_return_code(sd_bus_message_append(m, "asa{sv}", 1, "file:///etc/passwd", 0), 0);
        call_and_free(d, m);
        assert_int_equal(d->n_units, 4);
}

/* ---- its end ---- */

typedef struct Leaving {
        unsigned answered, unknown, lost;
} Leaving;

static int on_maybe(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Leaving *l = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);

        if (!e)
                l->answered++;
        else if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN))
                l->unknown++; /* the bus would start it anew */
        else
                l->lost++;
        return 0;
}

static int on_gone(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        bool *gone = userdata;

        *gone = true;
        return 0;
}

/* Called about when it leaves: what came to the name is answered. */
static void test_leaves(void **state)
{
        Desk *d = *state;
        Leaving l = { 0 };
        unsigned sent = 0;

        harness_start(d->h);
        for (unsigned life = 0; life < 20; life++) {
                _cleanup_(sd_event_source_disable_unrefp) sd_event_source *child = NULL;
                bool gone = false;

                desk_start(d, "CONDUCTOR_SEARCH", "--idle=1ms");
                assert_return_code(sd_event_add_child(d->h->event, &child, d->program, WEXITED,
                                           on_gone, &gone),
                        0);
                while (!gone) {
                        _cleanup_(sd_bus_message_unrefp)
                                sd_bus_message *m = provider_message(d, "GetInitialResultSet");
                        assert_return_code(sd_bus_message_append(m, "as", 1, "word"), 0);
                        assert_return_code(
                                sd_bus_call_async(d->bus, NULL, m, on_maybe, &l, UINT64_MAX), 0);
                        sent++;
                        /* Some at once, so that calls are under way when it leaves, and the next
                         * ones a little before or after it wants to. */
                        if (sent % 3 != 0)
                                continue;
                        harness_run_until(d->h, gone || l.answered + l.unknown + l.lost == sent);
                        if (!gone)
                                assert_return_code(
                                        sd_event_run(d->h->event, 800 + sent % 7 * 100), 0);
                }
                d->program = 0;
        }
        harness_run_until(d->h, l.answered + l.unknown + l.lost == sent);
        assert_int_equal(l.lost, 0);
        printf("# tried | searches while the provider leaves for being idle | %u | %u answered, %u "
               "for the next one, %u lost\n",
                sent, l.answered, l.unknown, l.lost);
}

static void test_idle(void **state)
{
        Desk *d = *state;

        desk_start(d, "CONDUCTOR_SEARCH", "--idle=0");
        assert_int_equal(desk_wait_exit(d), 0);
        desk_start(d, "CONDUCTOR_SEARCH", NULL);
        desk_wait_name(d, SEARCH_NAME, true);
        assert_int_equal(desk_stop(d), 0);
        desk_start(d, "CONDUCTOR_SEARCH", "--idle=soon");
        assert_int_equal(desk_wait_exit(d), 2);
}

/* The engine has the question when the program is told to end: the answer is waited for. */
static void test_busy(void **state)
{
        Desk *d = *state;

        harness_start_engine(d->h, "ollama", "", NULL);
        begin(d, NULL);
        krunner_run(d, "ask:@fault=hold:1 what now", "");
        harness_engine_wait(d->h, "held=1");
        assert_return_code(kill(d->program, SIGTERM), errno);
        desk_wait_name(d, APPLICATION_ID, false);
        free(harness_engine_page(d->h, "/release", ""));
        assert_int_equal(desk_wait_exit(d), 0);
        assert_false(desk_logged(d, "takes too long"));
}

/* The service stands still: what is asked of it is not waited for without end, and let go. Of what
 * is left in memory a build with AddressSanitizer says something, and does not end with 0. */
static void test_unanswered(void **state)
{
        _cleanup_free_ char *id = NULL;
        Desk *d = *state;
        Leaving l = { 0 };
        int status;

        begin(d, NULL);
        assert_return_code(kill(d->h->service, SIGSTOP), errno);
        for (unsigned i = 0; i < 3; i++) {
                _cleanup_(sd_bus_message_unrefp)
                        sd_bus_message *m = provider_message(d, "GetInitialResultSet");

                assert_return_code(sd_bus_message_append(m, "as", 1, "word"), 0);
                assert_return_code(sd_bus_call_async(d->bus, NULL, m, on_maybe, &l, UINT64_MAX), 0);
        }
        krunner_run(d, "ask:what now", "");
        id = gnome_meta(d, "any", "id"); /* answered, and so those before have begun */
        status = desk_stop(d);
        harness_kill(d->h, SIGKILL);
        assert_int_equal(status, 0);
        assert_true(desk_logged(d, "takes too long"));
        harness_run_until(d->h, l.lost == 3);
}

static void test_bus_ends(void **state)
{
        Desk *d = *state;

        begin(d, NULL);
        harness_stop_bus(d->h);
        (void) desk_wait_exit(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_gnome),
                TEST(test_newest_ten),
                TEST(test_many_at_once),
                TEST(test_bad_ids),
                TEST(test_clean),
                TEST(test_queries),
                TEST(test_no_service),
                TEST(test_no_manager),
                TEST(test_launch_search),
                TEST(test_krunner),
                TEST(test_ask),
                TEST(test_ask_fails),
                TEST(test_no_question),
                TEST(test_application),
                TEST(test_leaves),
                TEST(test_idle),
                TEST(test_busy),
                TEST(test_unanswered),
                TEST(test_bus_ends),
        };

        harness_require_bus();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
