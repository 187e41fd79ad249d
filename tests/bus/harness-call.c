/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls and signals, with the loop turning while they are waited for. */

#include "common/buffer.h"
#include "tests/bus/harness.h"

sd_bus *harness_connect(Harness *h, Via via)
{
        _cleanup_free_ char *address = NULL;
        sd_bus *bus = NULL;

        assert_return_code(sd_bus_new(&bus), 0);
        if (via == VIA_SESSION) {
                assert_return_code(sd_bus_set_address(bus, h->address), 0);
                assert_return_code(sd_bus_set_bus_client(bus, true), 0);
        } else {
                assert_true(asprintf(&address, "unix:path=%s", h->socket) > 0);
                assert_return_code(sd_bus_set_address(bus, address), 0);
        }
        assert_return_code(sd_bus_start(bus), 0);
        assert_return_code(sd_bus_attach_event(bus, h->event, SD_EVENT_PRIORITY_NORMAL), 0);
        return bus;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        sd_bus_message **answer = userdata;

        *answer = sd_bus_message_ref(m);
        return 0;
}

/* The answer, or the error answer. */
static sd_bus_message *call(Harness *h, sd_bus *bus, sd_bus_message *m)
{
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        sd_bus_message *answer = NULL;

        assert_return_code(
                sd_bus_call_async(bus, &slot, m, on_answer, &answer, /* usec= */ UINT64_MAX), 0);
        harness_run_until(h, answer);
        return answer;
}

sd_bus_message *harness_message(
        sd_bus *bus, const char *path, const char *interface, const char *member)
{
        sd_bus_message *m = NULL;

        assert_return_code(
                sd_bus_message_new_method_call(bus, &m, BUS_NAME, path, interface, member), 0);
        return m;
}

sd_bus_message *harness_call_message(Harness *h, sd_bus *bus, sd_bus_message *m)
{
        sd_bus_message *answer = call(h, bus, m);
        const sd_bus_error *error = sd_bus_message_get_error(answer);

        if (error)
                fail_msg("%s: %s: %s", sd_bus_message_get_member(m), error->name, error->message);
        return answer;
}

char *harness_call_error_message(Harness *h, sd_bus *bus, sd_bus_message *m, char **ret_sentence)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = call(h, bus, m);
        const sd_bus_error *error = sd_bus_message_get_error(answer);
        const char *ours;
        char *name;

        if (!error)
                fail_msg("%s did not fail", sd_bus_message_get_member(m));
        ours = startswith(error->name, ERROR_PREFIX);
        name = strdup(ours ? ours : error->name);
        assert_non_null(name);
        if (ret_sentence) {
                *ret_sentence = strdup(strempty(error->message));
                assert_non_null(*ret_sentence);
        }
        return name;
}

static sd_bus_message *build(sd_bus *bus, const char *path, const char *interface,
        const char *member, const char *types, va_list ap)
{
        sd_bus_message *m = harness_message(bus, path, interface, member);

        assert_return_code(sd_bus_message_appendv(m, types, ap), 0);
        return m;
}

sd_bus_message *harness_call(Harness *h, sd_bus *bus, const char *path, const char *interface,
        const char *member, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;

        va_start(ap, types);
        m = build(bus, path, interface, member, types, ap);
        va_end(ap);
        return harness_call_message(h, bus, m);
}

char *harness_call_error(Harness *h, sd_bus *bus, char **ret_sentence, const char *path,
        const char *interface, const char *member, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;

        va_start(ap, types);
        m = build(bus, path, interface, member, types, ap);
        va_end(ap);
        return harness_call_error_message(h, bus, m, ret_sentence);
}

void harness_assert_error(char *name, const char *expected)
{
        _cleanup_free_ char *given = name;

        assert_string_equal(given, expected);
}

/* ---- the name ---- */

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        bool *owned = userdata;
        const char *name, *before, *after;

        assert_return_code(sd_bus_message_read(m, "sss", &name, &before, &after), 0);
        *owned = *after;
        return 0;
}

void harness_wait_name(Harness *h, bool owned)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        bool now = false;
        int has;

        assert_return_code(sd_bus_add_match(bus, NULL,
                                   "type='signal',sender='org.freedesktop.DBus',"
                                   "member='NameOwnerChanged',arg0='" BUS_NAME "'",
                                   on_owner, &now),
                0);
        assert_return_code(sd_bus_message_new_method_call(bus, &m, "org.freedesktop.DBus",
                                   "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner"),
                0);
        assert_return_code(sd_bus_message_append(m, "s", BUS_NAME), 0);
        answer = harness_call_message(h, bus, m);
        assert_return_code(sd_bus_message_read(answer, "b", &has), 0);
        now = has;
        harness_run_until(h, now == owned);
}

/* ---- short forms ---- */

uint64_t harness_head(Harness *h, sd_bus *bus, const char *conversation)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(h, bus, conversation,
                "org.freedesktop.DBus.Properties", "Get", "ss", INTERFACE_CONVERSATION, "Head");
        uint64_t head;

        assert_return_code(sd_bus_message_read(answer, "v", "t", &head), 0);
        return head;
}

char *harness_create(Harness *h, sd_bus *bus, const char *model)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *path;
        char *copy;

        answer = harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "CreateConversation", "a{sv}",
                isempty(model) ? 0 : 1, "model", "s", model);
        assert_return_code(sd_bus_message_read(answer, "o", &path), 0);
        copy = strdup(path);
        assert_non_null(copy);
        return copy;
}

Exchange harness_read_exchange(sd_bus_message *answer)
{
        Exchange e = { 0 };

        assert_return_code(sd_bus_message_read(answer, "tt", &e.message, &e.reply), 0);
        assert_true(e.message > 0 && e.reply > 0 && e.message != e.reply);
        return e;
}

Exchange harness_exchange(
        Harness *h, sd_bus *bus, const char *conversation, const char *text, const char *token)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(h, bus, conversation,
                INTERFACE_CONVERSATION, "Send", "sa{sv}", text, token ? 1 : 0, "token", "s", token);

        return harness_read_exchange(answer);
}

uint64_t harness_send(Harness *h, sd_bus *bus, const char *conversation, const char *text)
{
        return harness_exchange(h, bus, conversation, text, /* token= */ NULL).reply;
}

bool harness_read_value(sd_bus_message *m, const char *key, char type, void *ret)
{
        const char types[] = { type, 0 }, *name;
        bool found = false;

        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_return_code(sd_bus_message_read(m, "s", &name), 0);
                if (streq(name, key)) {
                        assert_return_code(sd_bus_message_read(m, "v", types, ret), 0);
                        found = true;
                } else
                        assert_return_code(sd_bus_message_skip(m, "v"), 0);
                assert_return_code(sd_bus_message_exit_container(m), 0);
        }
        assert_return_code(sd_bus_message_exit_container(m), 0);
        return found;
}

char *harness_read_string(sd_bus_message *m, const char *key)
{
        const char *found = "";
        char *copy;

        (void) harness_read_value(m, key, 's', &found);
        copy = strdup(found);
        assert_non_null(copy);
        return copy;
}

void harness_append_attachments(sd_bus_message *m, const char *name, int fd, size_t n)
{
        assert_return_code(sd_bus_message_open_container(m, 'e', "sv"), 0);
        assert_return_code(sd_bus_message_append(m, "s", "attachments"), 0);
        assert_return_code(sd_bus_message_open_container(m, 'v', "a(sh)"), 0);
        assert_return_code(sd_bus_message_open_container(m, 'a', "(sh)"), 0);
        for (size_t i = 0; i < n; i++)
                assert_return_code(sd_bus_message_append(m, "(sh)", name, fd), 0);
        for (unsigned i = 0; i < 3; i++)
                assert_return_code(sd_bus_message_close_container(m), 0);
}

char *harness_get_reply(Harness *h, sd_bus *bus, const char *conversation, uint64_t reply,
        const char *channel, char **ret_reason)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MIB(128));
        size_t size;
        char *copy;
        int more;

        do {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
                const char *state, *piece;
                uint64_t end;

                answer = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "GetReply",
                        "tstt", reply, channel, (uint64_t) text.size, (uint64_t) MIB(1));
                assert_return_code(
                        sd_bus_message_read(answer, "sstb", &state, &piece, &end, &more), 0);
                assert_return_code(buffer_append_string(&text, piece), 0);
                assert_int_equal(end, text.size);
                if (!more && ret_reason)
                        *ret_reason = harness_read_string(answer, "reason");
        } while (more);
        assert_return_code(buffer_steal(&text, &copy, &size), 0);
        return copy;
}

/* ---- signals ---- */

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Watch *w = ASSERT_PTR(userdata);

        w->n++;
        sd_bus_message_unref(w->last);
        w->last = sd_bus_message_ref(m);
        return 0;
}

Watch *harness_watch(
        Harness *h, sd_bus *bus, const char *path, const char *interface, const char *member)
{
        Watch *w = calloc(1, sizeof *w);

        assert_non_null(w);
        assert_return_code(
                sd_bus_match_signal(bus, &w->slot, BUS_NAME, path, interface, member, on_signal, w),
                0);
        return w;
}

Watch *watch_free(Watch *w)
{
        if (!w)
                return NULL;
        sd_bus_slot_unref(w->slot);
        sd_bus_message_unref(w->last);
        free(w);
        return NULL;
}

uint64_t harness_count_followers(Harness *h, sd_bus *bus)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "GetStatistics", "");
        uint64_t n;

        assert_true(harness_read_value(answer, "followers", 't', &n));
        return n;
}
