/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor-notifier with notification servers as they are, and with none. */

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "client/desktop/notice.h"
#include "tests/desktop/fake-server.h"

static const char *const all[] = { "actions", "body", "body-markup", "inline-reply", NULL };
static const char *const few[] = { "body", NULL };

static uint32_t surfaces(Desk *d)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(d->h, d->bus,
                PATH_ROOT, "org.freedesktop.DBus.Properties", "Get", "ss", INTERFACE_MANAGER,
                "Surfaces");
        uint32_t n;

        assert_return_code(sd_bus_message_read(answer, "v", "u", &n), 0);
        return n;
}

/* The notifier is there when its surface is. */
static void begin(Desk *d)
{
        _cleanup_(watch_freep) Watch *changed = NULL;

        harness_start_engine(d->h, "ollama", "", NULL);
        harness_start(d->h);
        changed = harness_watch(
                d->h, d->bus, PATH_ROOT, "org.freedesktop.DBus.Properties", "PropertiesChanged");
        desk_start(d, "CONDUCTOR_NOTIFIER", NULL);
        harness_run_until(d->h, changed->n > 0);
        assert_int_equal(surfaces(d), 1);
}

static const Shown *wait_shown(FakeServer *s, unsigned n)
{
        harness_run_until(s->d->h, s->n_shown >= n);
        assert_int_equal(s->n_shown, n);
        return &s->shown[n - 1];
}

static char *add_surface(Desk *d, sd_bus *bus)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(d->h, bus, PATH_ROOT,
                INTERFACE_MANAGER, "RegisterSurface", "sasa{sv}", "screen", 1, "text", 0);
        const char *path;

        assert_return_code(sd_bus_message_read(answer, "o", &path), 0);
        return strdup(path);
}

static void set_focus(Desk *d, sd_bus *bus, const char *surface, const char *conversation)
{
        sd_bus_message_unref(harness_call(d->h, bus, surface, "org.freedesktop.DBus.Properties",
                "Set", "ssv", INTERFACE_SURFACE, "Focus", "o", conversation));
}

/* ---- what is shown ---- */

static void test_one(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_free_ char *conversation = NULL;
        Desk *d = *state;
        const Shown *shown;

        fake_server_start(&s, d, all);
        begin(d);
        desk_start_manager(d);
        conversation = desk_converse(d, "@say=\"An answer & <b>more</b>\" A question");
        shown = wait_shown(&s, 1);
        assert_int_equal(shown->replaces, 0);
        assert_non_null(strstr(shown->summary, "question"));
        assert_string_equal(shown->body, "An answer &amp; &lt;b&gt;more&lt;/b&gt;");
        assert_string_equal(shown->actions, "default,open,inline-reply,");
        assert_false(shown->transient);

        /* Of others, and of nobody's notifications. */
        assert_return_code(sd_bus_emit_signal(d->bus, "/org/freedesktop/Notifications",
                                   "org.freedesktop.Notifications", "ActionInvoked", "us",
                                   shown->id, "default"),
                0);
        fake_server_act(&s, "ActionInvoked", shown->id + 1, "default");
        fake_server_act(&s, "ActionInvoked", shown->id, "reboot");
        fake_server_act(&s, "ActivationToken", shown->id, "token-2");
        fake_server_act(&s, "ActionInvoked", shown->id, "default");
        harness_run_until(d->h, d->n_units > 0);
        assert_int_equal(d->n_units, 1);
        assert_string_equal(d->unit.environment, "XDG_ACTIVATION_TOKEN=token-2");
        assert_string_equal(d->unit.arguments[2], "--conversation");
        assert_non_null(strstr(conversation, d->unit.arguments[3]));
        assert_string_equal(d->unit.arguments[4], "--message");
}

static void test_focus(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_connection_ sd_bus *screen = NULL;
        _cleanup_free_ char *surface = NULL, *watched = NULL, *other = NULL;
        Desk *d = *state;

        fake_server_start(&s, d, all);
        begin(d);
        screen = harness_connect(d->h, VIA_PRIVATE);
        surface = add_surface(d, screen);
        watched = harness_create(d->h, d->bus, "");
        set_focus(d, screen, surface, watched);
        (void) harness_send(d->h, d->bus, watched, "Seen @say=\"seen\"");
        harness_engine_wait(d->h, "ended=1");
        other = desk_converse(d, "@say=\"unseen\" Other");
        assert_string_equal(wait_shown(&s, 1)->body, "unseen");

        /* The focus goes during a reply: exactly one. */
        (void) harness_send(d->h, d->bus, watched, "Left @fault=hold:1 @tokens=2");
        harness_engine_wait(d->h, "held=1");
        set_focus(d, screen, surface, "/");
        free(harness_engine_page(d->h, "/release", ""));
        assert_string_equal(wait_shown(&s, 2)->body, "word0 word1");
        /* And goes away when it is seen; the other one's stays. */
        set_focus(d, screen, surface, watched);
        harness_run_until(d->h, s.n_closed > 0);
        assert_int_equal(s.last_closed, s.shown[1].id);
        free(TAKE_PTR(other));
        other = desk_converse(d, "@say=\"last\" Last");
        (void) wait_shown(&s, 3);
        assert_int_equal(s.n_closed, 1);
}

/* One that waits for its answer, and one that listens, look at nothing. */
static void test_one_shot(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        _cleanup_server_ FakeServer s = { 0 };
        Desk *d = *state;

        fake_server_start(&s, d, all);
        begin(d);
        m = harness_message(d->bus, PATH_ROOT, INTERFACE_MANAGER, "Ask");
        assert_return_code(sd_bus_message_append(m, "sa{sv}", "@say=\"asked\" Now", 0), 0);
        answer = harness_call_message(d->h, d->bus, m);
        assert_string_equal(wait_shown(&s, 1)->body, "asked");
}

static void test_merged(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_free_ char *one = NULL, *two = NULL;
        Desk *d = *state;

        fake_server_start(&s, d, all);
        begin(d);
        one = desk_converse(d, "@say=\"first\" One");
        (void) wait_shown(&s, 1);
        two = desk_converse(d, "@say=\"second\" Two");
        assert_int_equal(wait_shown(&s, 2)->replaces, 0);
        (void) harness_send(d->h, d->bus, one, "@say=\"third\" Again");
        assert_int_equal(wait_shown(&s, 3)->replaces, s.shown[0].id);
        assert_string_equal(s.shown[2].body, "third");
        /* One that the person has closed is gone. */
        fake_server_close(&s, s.shown[0].id);
        (void) harness_send(d->h, d->bus, one, "@say=\"fourth\" Again");
        assert_int_equal(wait_shown(&s, 4)->replaces, 0);
        sd_bus_message_unref(harness_call(d->h, d->bus, PATH_ROOT, INTERFACE_MANAGER,
                "DeleteConversation", "s", strrchr(two, '/') + 1));
        harness_run_until(d->h, s.n_closed > 0);
        assert_int_equal(s.last_closed, s.shown[1].id);
}

static void test_failed(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_free_ char *failed = NULL, *cancelled = NULL, *after = NULL;
        _cleanup_(watch_freep) Watch *ended = NULL;
        Desk *d = *state;
        uint64_t reply;

        fake_server_start(&s, d, all);
        begin(d);
        failed = desk_converse(d, "@status=400 @error=\"no such thing\" Please");
        assert_non_null(strstr(wait_shown(&s, 1)->body, "Failed: "));
        assert_non_null(strstr(s.shown[0].body, "no such thing"));

        /* Who cancels knows that it has ended. */
        cancelled = harness_create(d->h, d->bus, "");
        ended = harness_watch(d->h, d->bus, cancelled, INTERFACE_CONVERSATION, "ReplyFinished");
        reply = harness_send(d->h, d->bus, cancelled, "@fault=hold:1 Wait");
        harness_engine_wait(d->h, "held=1");
        sd_bus_message_unref(harness_call(
                d->h, d->bus, cancelled, INTERFACE_CONVERSATION, "Cancel", "t", reply));
        harness_run_until(d->h, ended->n > 0);
        after = desk_converse(d, "@say=\"after\" That");
        assert_string_equal(wait_shown(&s, 2)->body, "after");
}

/* ---- what may be shown ---- */

static void test_locked(void **state)
{
        static const struct {
                Locked locked;
                bool quiet;
        } cases[] = { { UNLOCKED, false }, { LOCKED, true }, { SILENCE, true },
                { NOBODY_KNOWS, true } };
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_logind_ FakeLogind l = { 0 };
        Desk *d = *state;

        fake_logind_start(&l, d, /* without= */ false);
        fake_server_start(&s, d, all);
        begin(d);
        for (unsigned i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *conversation = NULL;
                const Shown *shown;

                l.locked = cases[i].locked;
                conversation = desk_converse(d, "@say=\"secret words\" The password");
                shown = wait_shown(&s, i + 1);
                assert_int_equal(l.n_asked, i + 1);
                assert_string_equal(shown->body, cases[i].quiet ? "" : "secret words");
                assert_int_equal(!strstr(shown->summary, "password"), cases[i].quiet);
                assert_string_equal(shown->actions,
                        l.locked == UNLOCKED ? "default,open,inline-reply," : "default,open,");
        }
}

static void test_no_logind(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_logind_ FakeLogind l = { 0 };
        _cleanup_free_ char *conversation = NULL;
        Desk *d = *state;

        fake_logind_start(&l, d, /* without= */ true);
        fake_server_start(&s, d, all);
        begin(d);
        conversation = desk_converse(d, "@say=\"words\" Hello");
        assert_string_equal(wait_shown(&s, 1)->body, "words");
}

static void test_private(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_server_ FakeServer s = { 0 };
        Desk *d = *state;
        const char *path;

        fake_server_start(&s, d, all);
        begin(d);
        answer = harness_call(d->h, d->bus, PATH_ROOT, INTERFACE_MANAGER, "CreateConversation",
                "a{sv}", 1, "private", "b", true);
        assert_return_code(sd_bus_message_read(answer, "o", &path), 0);
        (void) harness_send(d->h, d->bus, path, "@say=\"secret\" Private thing");
        assert_string_equal(wait_shown(&s, 1)->body, "");
        assert_null(strstr(s.shown[0].summary, "Private"));
        assert_true(s.shown[0].transient);
}

static size_t characters(const char *text)
{
        size_t n = 0;

        for (const char *p = text; *p; p++)
                n += ((unsigned char) *p & 0xc0) != 0x80;
        return n;
}

static void test_hostile(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_free_ char *escapes = NULL, *exact = NULL, *over = NULL, *question = NULL,
                            *longer = NULL;
        char text[NOTICE_BODY_MAX + 2];
        Desk *d = *state;

        fake_server_start(&s, d, few);
        begin(d);
        escapes = desk_converse(d, "@say=\"\\e[31mred\\n\\n<i>two</i>\\0 \\r&amp;\" Escapes");
        assert_null(strpbrk(wait_shown(&s, 1)->body, "\x1b\n\r"));
        assert_non_null(strstr(s.shown[0].body, "red <i>two</i>"));
        assert_string_equal(s.shown[0].actions, "");

        memset(text, 'x', sizeof text);
        text[NOTICE_BODY_MAX] = 0;
        assert_true(asprintf(&question, "@say=\"%s\" Exact", text) > 0);
        exact = desk_converse(d, question);
        assert_string_equal(wait_shown(&s, 2)->body, text);
        text[NOTICE_BODY_MAX] = 'x';
        text[NOTICE_BODY_MAX + 1] = 0;
        assert_true(asprintf(&longer, "@say=\"%s\" Over", text) > 0);
        over = desk_converse(d, longer);
        assert_int_equal(characters(wait_shown(&s, 3)->body), NOTICE_BODY_MAX);
        assert_non_null(strstr(s.shown[2].body, "x\xe2\x80\xa6"));
}

/* ---- servers ---- */

static void test_no_server(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_free_ char *one = NULL, *two = NULL, *three = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        _cleanup_free_ char *line = NULL;
        unsigned said = 0;
        size_t allocated = 0;
        Desk *d = *state;

        begin(d);
        one = desk_converse(d, "One");
        two = desk_converse(d, "Two");
        while (!desk_logged(d, "No notification server"))
                sd_bus_message_unref(harness_call(
                        d->h, d->bus, PATH_ROOT, INTERFACE_MANAGER, "GetStatistics", NULL));
        fake_server_start(&s, d, all);
        three = desk_converse(d, "@say=\"three\" Three");
        harness_run_until(d->h, s.n_shown > 0 && streq(s.shown[s.n_shown - 1].body, "three"));
        f = fopen(d->log, "re");
        while (f && getline(&line, &allocated, f) > 0)
                said += strstr(line, "No notification server") != NULL;
        assert_int_equal(said, 1);
}

static void test_another_server(void **state)
{
        _cleanup_server_ FakeServer first = { 0 }, second = { 0 };
        _cleanup_free_ char *one = NULL, *two = NULL;
        Desk *d = *state;

        fake_server_start(&first, d, all);
        begin(d);
        one = desk_converse(d, "@say=\"<one>\" One");
        assert_string_equal(wait_shown(&first, 1)->body, "&lt;one&gt;");
        two = desk_converse(d, "@say=\"two\" Two");
        (void) wait_shown(&first, 2);
        assert_int_equal(first.n_asked, 1); /* once */
        fake_server_stop(&first);
        fake_server_start(&second, d, few);
        (void) harness_send(d->h, d->bus, one, "@say=\"<again>\" One");
        assert_string_equal(wait_shown(&second, 1)->body, "<again>");
        assert_int_equal(second.shown[0].replaces, 0);
        assert_string_equal(second.shown[0].actions, "");
        assert_int_equal(second.n_asked, 1);
}

/* ---- actions ---- */

static void test_reply(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_free_ char *conversation = NULL;
        Desk *d = *state;

        fake_server_start(&s, d, all);
        begin(d);
        conversation = desk_converse(d, "@say=\"one\" One");
        fake_server_act(
                &s, "NotificationReplied", wait_shown(&s, 1)->id, "@say=\"two\" Go on; $(reboot)");
        fake_server_close(&s, s.shown[0].id);
        assert_string_equal(wait_shown(&s, 2)->body, "two");
        assert_int_equal(harness_engine_count(d->h, "chats"), 2);
}

static void test_copy(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_free_ char *conversation = NULL, *folder = NULL, *program = NULL, *path = NULL;
        Desk *d = *state;

        assert_true(asprintf(&folder, "%s/bin", d->h->folder) > 0);
        assert_true(asprintf(&program, "%s/xclip", folder) > 0);
        assert_true(asprintf(&path, "PATH=relative:%s:/bin", folder) > 0);
        assert_return_code(mkdir(folder, 0700), errno);
        assert_return_code(close(open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0700)), errno);
        d->environment[0] = path;
        d->environment[1] = "DISPLAY=:99";
        fake_server_start(&s, d, all);
        begin(d);
        desk_start_manager(d);
        conversation = desk_converse(d, "@say=\"line\\n\\\" 'quoted' $(reboot)\" Copy");
        assert_string_equal(wait_shown(&s, 1)->actions, "default,open,copy,inline-reply,");
        fake_server_act(&s, "ActionInvoked", s.shown[0].id, "copy");
        fake_server_close(&s, s.shown[0].id);
        harness_run_until(d->h, d->n_units == 1);
        assert_string_equal(d->unit.arguments[0], program);
        assert_string_equal(d->unit.arguments[1], "-selection");
        assert_non_null(strstr(d->unit.input, "line\n"));
        assert_non_null(strstr(d->unit.input, "$(reboot)"));
}

/* ---- its end ---- */

static void test_leaves(void **state)
{
        _cleanup_server_ FakeServer s = { 0 };
        _cleanup_free_ char *conversation = NULL;
        Desk *d = *state;

        fake_server_start(&s, d, all);
        begin(d);
        conversation = desk_converse(d, "@say=\"one\" One");
        (void) wait_shown(&s, 1);
        assert_int_equal(harness_stop(d->h), 0);
        desk_wait_name(d, BUS_NAME, false);
        /* It stays with its notification, and is there when the service comes back. */
        harness_start(d->h);
        (void) harness_send(d->h, d->bus, conversation, "@say=\"two\" Two");
        assert_int_equal(wait_shown(&s, 2)->replaces, s.shown[0].id);
        assert_int_equal(harness_stop(d->h), 0);
        fake_server_close(&s, s.shown[0].id);
        assert_int_equal(desk_wait_exit(d), 0);
        assert_int_equal(s.n_closed, 0);
}

static void test_leaves_with_it(void **state)
{
        Desk *d = *state;

        begin(d);
        assert_int_equal(harness_stop(d->h), 0);
        assert_int_equal(desk_wait_exit(d), 0);
}

/* It is no reason for the service to stay. */
static void test_passive(void **state)
{
        Desk *d = *state;

        harness_write_config(d->h, "conductor.conf", "[Service]\nIdleTimeoutSec=1\n");
        d->h->activated = true;
        begin(d);
        d->bus = sd_bus_flush_close_unref(d->bus);
        assert_int_equal(harness_wait_exit(d->h), 0);
        assert_int_equal(desk_wait_exit(d), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_one),
                TEST(test_focus),
                TEST(test_one_shot),
                TEST(test_merged),
                TEST(test_failed),
                TEST(test_locked),
                TEST(test_no_logind),
                TEST(test_private),
                TEST(test_hostile),
                TEST(test_no_server),
                TEST(test_another_server),
                TEST(test_reply),
                TEST(test_copy),
                TEST(test_leaves),
                TEST(test_leaves_with_it),
                TEST(test_passive),
        };

        harness_require_bus();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
