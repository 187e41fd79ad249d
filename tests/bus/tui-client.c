/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bus/tui-client.h"

static void on_changed(MirrorChange change, void *userdata)
{
        Client *c = userdata;

        c->told |= change;
}

static void on_notice(const char *level, const char *title, const char *text, void *userdata)
{
        Client *c = userdata;

        if (!streq(level, "warning") && !streq(level, "err"))
                return;
        print_message("# %s: %s: %s\n", level, title, text);
        c->n_notices++;
}

static void on_avatar(const char *verb, const char *word, void *userdata)
{
        Client *c = userdata;

        c->n_avatar++;
}

void client_on_done(const Failure *failure, void *userdata)
{
        Client *c = userdata;

        failure_done(&c->failure);
        c->failure = FAILURE_NULL;
        if (failure)
                failure_copy(&c->failure, failure);
        c->n_done++;
}

static const MirrorOps ops = { .changed = on_changed, .notice = on_notice, .avatar = on_avatar };

Client *client_new_at(Harness *h, const char *door)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Client *c = calloc(1, sizeof *c);

        assert_non_null(c);
        c->harness = h;
        assert_return_code(setenv("CONDUCTOR_BUS", door, 1), errno);
        assert_return_code(mirror_new(h->event, NULL, &ops, c, &c->mirror, &failure), 0);
        return c;
}

static Client *client_new(Harness *h, Via via)
{
        _cleanup_free_ char *door = NULL;

        if (via == VIA_SESSION)
                assert_true(asprintf(&door, "bus:%s", h->address) > 0);
        else
                assert_true(asprintf(&door, "peer:unix:path=%s", h->socket) > 0);
        return client_new_at(h, door);
}

Client *client_free(Client *c)
{
        if (!c)
                return NULL;
        mirror_free(c->mirror);
        failure_done(&c->failure);
        free(c);
        return NULL;
}
bool client_is_up(const Client *c)
{
        return mirror_link(c->mirror, NULL, NULL) == LINK_UP;
}

Client *client_up(Harness *h, Via via)
{
        Client *c = client_new(h, via);

        harness_run_until(h, client_is_up(c));
        return c;
}

void client_wait_done(Client *c, unsigned before)
{
        harness_run_until(c->harness, c->n_done > before);
        if (failure_is_set(&c->failure))
                fail_msg("%s", failure_message(&c->failure));
}

void begin_send(Client *c, const char *text)
{
        const SendRequest request = { .text = text, .size = strlen(text) };

        assert_return_code(mirror_send(c->mirror, &request, client_on_done, c), 0);
}

void send_text(Client *c, const char *text)
{
        unsigned before = c->n_done;

        begin_send(c, text);
        client_wait_done(c, before);
}

size_t count_messages(const Client *c)
{
        size_t n;

        (void) mirror_messages(c->mirror, &n);
        return n;
}

MessageItem *message(const Client *c, size_t nth)
{
        size_t n;
        MessageItem *const *all = mirror_messages(c->mirror, &n);

        return n < nth ? NULL : all[n - nth];
}

const char *text_of(const MessageItem *m, Channel channel)
{
        return document_source(m->channels[channel], NULL);
}

bool ended(const Client *c, size_t n)
{
        const MessageItem *last = message(c, 1);

        return count_messages(c) == n && last->role == ROLE_ASSISTANT && !last->live &&
                last->reason != REASON_NONE && !mirror_is_loading(c->mirror);
}

bool has_text(const Client *c, const char *text)
{
        const MessageItem *m = message(c, 1);

        return m && strstr(text_of(m, CHANNEL_CONTENT), text);
}

char *words(unsigned n)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(64));
        char *text;

        for (unsigned i = 0; i < n; i++)
                assert_return_code(buffer_append_format(&b, "word%u ", i), 0);
        assert_return_code(buffer_steal(&b, &text, NULL), 0);
        return text;
}

char *path_of_open(const Client *c)
{
        char *path;

        assert_non_null(mirror_open_conversation(c->mirror));
        assert_true(asprintf(&path, PATH_CONVERSATION "/%s",
                            mirror_open_conversation(c->mirror)->id) > 0);
        return path;
}

void check_texts(Client *c, sd_bus *bus)
{
        _cleanup_free_ char *path = path_of_open(c);

        for (size_t i = 1; i <= count_messages(c); i++) {
                const MessageItem *m = message(c, i);

                for (Channel channel = 0; channel < _CHANNEL_MAX; channel++) {
                        _cleanup_free_ char *text = NULL, *reason = NULL;

                        if (m->role != ROLE_ASSISTANT)
                                continue;
                        text = harness_get_reply(
                                c->harness, bus, path, m->id, channel_to_string(channel), &reason);
                        assert_string_equal(text_of(m, channel), text);
                        assert_string_equal(end_reason_to_string(m->reason), reason);
                }
        }
}
