/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A client that expects errors, and the end of its connection, wherever something was made to fail;
 * and then wants them to be said properly. */

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#include "tests/torture/torture.h"

/* sd-bus says so where an error has no better name. */
#define ERROR_FAILED "org.freedesktop.DBus.Error.Failed"

#define ACK_EVERY 32U

static usec_t now(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

bool client_may_fail(const Torture *t)
{
        return atomic_load(&t->run->failed);
}

/* ---- how long ---- */

typedef struct Wait {
        usec_t began, starved;
} Wait;

static Wait wait_begin(const Torture *t)
{
        return (Wait){ now(), service_starved(t) };
}

/* Of the patience; what the service was not let run does not count. */
static usec_t wait_left(const Torture *t, const Wait *w)
{
        usec_t until = w->began + patience, at = now(), starved;

        if (at >= until) {
                starved = service_starved(t);
                until += MIN(starved > w->starved ? starved - w->starved : 0, STARVED_MAX);
        }
        return at < until ? until - at : 0;
}

/* ---- what is heard ---- */

static Heard *heard(Torture *t, uint64_t reply)
{
        for (size_t i = 0; i < t->n_heard; i++)
                if (t->heard[i].reply == reply)
                        return &t->heard[i];
        if (t->n_heard == REPLIES_MAX)
                return &t->heard[0]; /* no scenario has so many */
        t->heard[t->n_heard] = (Heard){ .reply = reply };
        return &t->heard[t->n_heard++];
}

static void acknowledge(Torture *t, const char *path, uint64_t reply, uint64_t sequence)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (sd_bus_message_new_method_call(
                    t->bus, &m, BUS_NAME, path, INTERFACE_CONVERSATION, "Ack") < 0 ||
                sd_bus_message_set_expect_reply(m, false) < 0 ||
                sd_bus_message_append(m, "tt", reply, sequence) < 0)
                return;
        (void) sd_bus_send(t->bus, m, NULL); /* the connection's end is seen by the next call */
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Torture *t = ASSERT_PTR(userdata);
        const char *channel, *text, *reason;
        uint64_t reply, sequence, offset;
        Heard *h;

        if (sd_bus_message_is_signal(m, INTERFACE_CONVERSATION, "ReplyDelta") > 0) {
                if (sd_bus_message_read(m, "ttsts", &reply, &sequence, &channel, &offset, &text) <
                        0)
                        return 0;
                h = heard(t, reply);
                h->size += strlen(text);
                if (sequence % ACK_EVERY == 0)
                        acknowledge(t, sd_bus_message_get_path(m), reply, sequence);
        } else if (sd_bus_message_is_signal(m, INTERFACE_CONVERSATION, "ReplyEnd") > 0) {
                if (sd_bus_message_read(m, "tts", &reply, &sequence, &reason) < 0)
                        return 0;
                h = heard(t, reply);
                h->ended = true;
                (void) snprintf(h->reason, sizeof h->reason, "%s", reason);
                acknowledge(t, sd_bus_message_get_path(m), reply, sequence);
        } else if (sd_bus_message_is_signal(m, INTERFACE_CONVERSATION, "Dropped") > 0) {
                if (sd_bus_message_read(m, "t", &reply) >= 0)
                        heard(t, reply)->dropped = true;
        }
        return 0;
}

/* ---- the connection ---- */

void client_close(Torture *t)
{
        if (t->bus)
                sd_bus_close(t->bus);
        t->bus = sd_bus_unref(t->bus);
        t->follows = false;
}

static void lost(Torture *t)
{
        client_close(t);
        t->n_lost++;
        if (!client_may_fail(t))
                found(t, "the connection ended");
}

static int open_bus(Torture *t)
{
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *private = NULL;
        bool session = t->scenario->flags & SCENARIO_SESSION;
        int r;

        if (asprintf(&private, "unix:path=%s", t->socket) < 0)
                return -ENOMEM;
        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, session ? t->bus_address : private);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, session);
        if (r >= 0)
                r = sd_bus_negotiate_fds(bus, true);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_message, t);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                return r;
        t->bus = TAKE_PTR(bus);
        return 0;
}

/* Where it stands, it says itself; nothing more is asked of it. */
static void hangs(Torture *t, const char *what, const char *does_not)
{
        found(t, "%s %s", what, does_not);
        if (service_lives(t))
                (void) kill(t->service, SIGABRT);
}

/* The kernel connects, and sd-bus would wait six times as long. */
static bool let_in(Torture *t)
{
        Wait w = wait_begin(t);
        int r;

        while ((r = sd_bus_is_ready(t->bus)) == 0) {
                usec_t left = wait_left(t, &w);

                if (left == 0) {
                        hangs(t, "a client", "is not let in");
                        return false;
                }
                r = sd_bus_process(t->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(t->bus, MIN(left, USEC_PER_SEC));
                if (r < 0)
                        return false;
        }
        return r > 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return 0; /* it only wakes who waits */
}

/* The service asks for its name when it starts, and does not wait for it. */
static int wait_name(Torture *t)
{
        Wait w = wait_begin(t);
        int r;

        r = sd_bus_match_signal(t->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                "org.freedesktop.DBus", "NameOwnerChanged", on_owner, NULL);
        while (r >= 0 && sd_bus_get_name_creds(t->bus, BUS_NAME, 0, NULL) == -ENXIO) {
                if (!service_lives(t) || wait_left(t, &w) == 0)
                        return -ETIMEDOUT;
                do
                        r = sd_bus_process(t->bus, NULL);
                while (r > 0);
                if (r >= 0)
                        r = sd_bus_wait(t->bus, USEC_PER_SEC);
        }
        return r;
}

static bool connected(Torture *t)
{
        if (t->bus)
                return true;
        if (!service_lives(t))
                return false;
        if (open_bus(t) >= 0) {
                if (t->scenario->flags & SCENARIO_SESSION ? wait_name(t) >= 0 : let_in(t))
                        return true;
                client_close(t);
        }
        if (!client_may_fail(t))
                found(t, "cannot connect");
        return false;
}

/* ---- calls ---- */

static bool is_named(const sd_bus_error *e)
{
        return startswith(e->name, ERROR_PREFIX) || streq(e->name, SD_BUS_ERROR_NO_MEMORY);
}

static void check_error(Torture *t, const sd_bus_error *e, const char *member)
{
        t->n_refused++;
        if (!client_may_fail(t))
                found(t, "%s: %s: %s", member, e->name, e->message);
        else if (!is_named(e) || isempty(e->message))
                found(t, "%s was refused with %s: \"%s\"", member, e->name, strempty(e->message));
}

/* Whether that means the end of the connection; on the session bus, that of who should answer. */
static bool is_gone(Torture *t, int r, const sd_bus_error *e)
{
        if (r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE || sd_bus_is_open(t->bus) <= 0)
                return true;
        if (!(t->scenario->flags & SCENARIO_SESSION) ||
                (r != -ETIMEDOUT && !sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN)))
                return false;
        service_may_end(t);
        return !service_lives(t);
}

sd_bus_message *client_message(
        Torture *t, const char *path, const char *interface, const char *member)
{
        sd_bus_message *m = NULL;

        if (!path || !connected(t))
                return NULL;
        if (sd_bus_message_new_method_call(t->bus, &m, BUS_NAME, path, interface, member) < 0)
                return NULL;
        return m;
}

bool client_call_message(Torture *t, sd_bus_message *m, sd_bus_message **ret)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        Wait w = wait_begin(t);
        char member[64];
        int r;

        /* The message's own may move when it is sent. */
        (void) snprintf(member, sizeof member, "%s", sd_bus_message_get_member(m));

        r = sd_bus_call(t->bus, m, patience, &error, &answer);
        if (r >= 0) {
                if (ret)
                        *ret = TAKE_PTR(answer);
                return true;
        }
        if (is_gone(t, r, &error))
                lost(t);
        else if (r == -ETIMEDOUT && wait_left(t, &w) == 0)
                hangs(t, member, "was not answered");
        else if (r == -ETIMEDOUT)
                client_close(t); /* it was not let run */
        else
                check_error(t, &error, member);
        return false;
}

bool client_call(Torture *t, sd_bus_message **ret, const char *path, const char *interface,
        const char *member, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp)
                sd_bus_message *m = client_message(t, path, interface, member);
        va_list ap;
        int r;

        if (!m)
                return false;
        va_start(ap, types);
        r = isempty(types) ? 0 : sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r < 0) {
                found(t, "%s cannot be asked: %s", member, strerror(-r));
                return false;
        }
        return client_call_message(t, m, ret);
}

/* ---- waiting ---- */

/* Whether a message came, or may still come. */
static bool turn(Torture *t, const Wait *w)
{
        usec_t left = wait_left(t, w);
        int r;

        if (!t->bus || left == 0)
                return false;
        r = sd_bus_process(t->bus, NULL);
        if (r == 0)
                r = sd_bus_wait(t->bus, MIN(left, USEC_PER_SEC));
        /* Of its end the session bus would tell, if it was asked; the private socket does. */
        if (r < 0 || (r == 0 && !service_lives(t))) {
                lost(t);
                return false;
        }
        return true;
}

void client_wait_text(Torture *t, uint64_t reply, size_t size)
{
        Wait w = wait_begin(t);
        Heard *h = heard(t, reply);

        if (!t->follows)
                return;
        while (h->size < size && !h->ended && !h->dropped && turn(t, &w))
                ;
        if (t->bus && wait_left(t, &w) == 0)
                found(t, "no text of the reply comes");
}

/* The follower was told nothing: what does the service say itself? */
static void ask_state(Torture *t, const char *path, uint64_t reply)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *state = "unknown";

        if (client_call(t, &answer, path, INTERFACE_CONVERSATION, "GetReply", "tstt", reply,
                    "content", UINT64_C(0), UINT64_C(1000)))
                (void) sd_bus_message_read(answer, "s", &state);
        found(t, "the end of a reply is not told; its state is %s", state);
}

void client_wait_end(Torture *t, const char *path, uint64_t reply)
{
        Wait w = wait_begin(t);
        Heard *h = heard(t, reply);

        if (!t->follows)
                return;
        while (!h->ended && !h->dropped && turn(t, &w))
                ;
        if (t->bus && !h->ended && !h->dropped)
                ask_state(t, path, reply);
        if (h->ended && streq(h->reason, "failed") && !client_may_fail(t) &&
                !(t->scenario->flags & SCENARIO_FAILS))
                found(t, "a reply failed");
}

ssize_t client_read_stream(Torture *t, sd_bus_message *answer)
{
        char data[4096];
        struct pollfd p = { .events = POLLIN };
        ssize_t n, size = 0;

        if (!answer || sd_bus_message_read(answer, "h", &p.fd) < 0)
                return -1;
        for (;;) {
                if (poll(&p, 1, (int) (patience / USEC_PER_MSEC)) == 0) {
                        found(t, "a pipe does not end");
                        return size;
                }
                n = read(p.fd, data, sizeof data);
                if (n <= 0)
                        return size;
                size += n;
        }
}

/* ---- what scenarios share ---- */

static const char *id_of(const char *path)
{
        return path + strlen(PATH_CONVERSATION "/");
}

void client_acknowledged(Torture *t, const char *path, uint64_t message, const char *text)
{
        Ack *a = &t->acks[t->n_acks];

        if (t->n_acks == ACKS_MAX) {
                found(t, "the scenario sends too much");
                return;
        }
        t->n_acks++;
        a->message = message;
        (void) snprintf(a->conversation, sizeof a->conversation, "%s", id_of(path));
        (void) snprintf(a->text, sizeof a->text, "%s", text);
}

void client_forget(Torture *t, const char *path)
{
        size_t n = 0;

        for (size_t i = 0; path && i < t->n_acks; i++)
                if (!streq(t->acks[i].conversation, id_of(path)))
                        t->acks[n++] = t->acks[i];
        t->n_acks = path ? n : t->n_acks;
}

char *client_create(Torture *t, const char *model)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *path;
        char *copy;

        if (!client_call(t, &answer, PATH_ROOT, INTERFACE_MANAGER, "CreateConversation", "a{sv}", 2,
                    "model", "s", model, "title", "s", "A title"))
                return NULL;
        if (sd_bus_message_read(answer, "o", &path) < 0) {
                found(t, "CreateConversation answered something else");
                return NULL;
        }
        client_acknowledged(t, path, 0, "");
        copy = strdup(path);
        return copy;
}

bool client_send(
        Torture *t, const char *path, const char *words, uint64_t *ret_message, uint64_t *ret_reply)
{
        char text[64], token[32];

        (void) snprintf(text, sizeof text, "question %u %s", t->n_texts, words);
        (void) snprintf(token, sizeof token, "token-%u", t->n_texts++);

        /* Refused or cut off, it is sent again, as clients do: it must be there once. */
        for (unsigned attempt = 0; attempt < 2; attempt++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;

                if (!client_call(t, &answer, path, INTERFACE_CONVERSATION, "Send", "sa{sv}", text,
                            1, "token", "s", token))
                        continue;
                if (sd_bus_message_read(answer, "tt", ret_message, ret_reply) < 0) {
                        found(t, "Send answered something else");
                        return false;
                }
                client_acknowledged(t, path, *ret_message, text);
                return true;
        }
        return false;
}

void client_follow(Torture *t, const char *path)
{
        t->follows = false;
        for (unsigned attempt = 0; attempt < 2 && !t->follows; attempt++)
                t->follows = client_call(
                        t, NULL, path, INTERFACE_CONVERSATION, "Follow", "a{sv}", 0);
}
