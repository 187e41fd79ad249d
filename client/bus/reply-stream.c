/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/reply-stream.h"

#include "client/bus/call.h"
#include "client/bus/limits.h"
#include "common/names.h"

#define OWNER_CHANGED \
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus'," \
        "member='NameOwnerChanged',"

struct ReplyStream {
        sd_bus *bus; /* held: whoever made it may have given it up while it is asked whether it is
                        open */
        const ReplyStreamOps *ops;
        void *userdata;
        sd_bus_slot *filter, *ask, *fetch;
        sd_bus_slot *owner_changed, *owner_left, *owner_asked;
        char *service; /* who has the name on a bus, and keeps the reply also without it; NULL:
                          nobody, or it is no bus */

        char *conversation; /* NULL until Asked */
        uint64_t reply;
        uint64_t offsets[_CHANNEL_MAX];       /* told so far */
        uint64_t early_reply, early_sequence; /* of what came before Asked */
        unsigned unacknowledged;
        size_t unacknowledged_bytes;
        bool cancel_wanted;
        bool answered;          /* Ask has, */
        sd_bus_message *answer; /* with this, */
        Failure failure;        /* or this; */
        bool all_sent;          /* no more deltas will come; */
        bool fetching;          /* the rest is being read with GetReply; */
        bool fetching_last;     /* there is no more than that; */
        bool beyond;            /* the service, which fell, has less of it than was told; */
        Channel channel;        /* of this channel, */
        uint64_t from;          /* from here on: deltas may have come since it was asked; */
        bool rejoined;          /* by another connection than Ask's: the answer is GetReply's; */
        bool ended;             /* told so */
};

static void detach(ReplyStream *s)
{
        s->filter = sd_bus_slot_unref(s->filter);
        s->ask = sd_bus_slot_unref(s->ask);
        s->fetch = sd_bus_slot_unref(s->fetch);
        s->owner_changed = sd_bus_slot_unref(s->owner_changed);
        s->owner_left = sd_bus_slot_unref(s->owner_left);
        s->owner_asked = sd_bus_slot_unref(s->owner_asked);
        s->service = mfree(s->service);
}

ReplyStream *reply_stream_free(ReplyStream *s)
{
        if (!s)
                return NULL;
        detach(s);
        sd_bus_unref(s->bus);
        sd_bus_message_unref(s->answer);
        failure_done(&s->failure);
        free(s->conversation);
        free(s);
        return NULL;
}

static void end(ReplyStream *s, const Failure *failure, sd_bus_message *metadata)
{
        if (s->ended)
                return;
        s->ended = true;
        s->ops->ended(failure, metadata, s->userdata);
}

/* It is over, unless only this connection is. */
static void fail(ReplyStream *s, const Failure *failure)
{
        if (!s->ops->broken || !s->conversation || s->ended || sd_bus_is_open(s->bus) > 0) {
                end(s, failure, NULL);
                return;
        }
        detach(s);
        s->ops->broken(failure, s->userdata);
}

static void break_off(ReplyStream *s, int error, const char *what)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        (void) failure_set_errno(&failure, error, "%s", what);
        fail(s, &failure);
}

static int fetch(ReplyStream *s);

/* The answer and the text come by themselves; both must be here. */
static void end_when_complete(ReplyStream *s)
{
        int r;

        if (!s->answered || !s->all_sent || s->fetching)
                return;
        if (!s->answer && s->rejoined) {
                r = fetch(s);
                if (r < 0)
                        break_off(s, r, "The reply's end cannot be read");
                return;
        }
        if (!s->answer) {
                end(s, &s->failure, NULL);
                return;
        }
        /* The bus has moved its place in the message meanwhile. */
        r = sd_bus_message_rewind(s->answer, true);
        if (r >= 0)
                r = sd_bus_message_skip(s->answer, s->rejoined ? "sstb" : "s");
        if (r < 0)
                break_off(s, r, "The service's answer cannot be read");
        else
                end(s, NULL, s->answer);
}

static int send_quietly(
        ReplyStream *s, const char *member, const char *types, uint64_t a, uint64_t b)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = client_new_call(s->bus, s->conversation, INTERFACE_CONVERSATION, member, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, types, a, b);
        if (r < 0)
                return r;
        r = sd_bus_message_set_expect_reply(m, false);
        if (r < 0)
                return r;
        /* A service that was stopped must not be started again by it. */
        r = sd_bus_message_set_auto_start(m, false);
        if (r < 0)
                return r;
        return sd_bus_send(s->bus, m, NULL);
}

int reply_stream_cancel(ReplyStream *s)
{
        s->cancel_wanted = true;
        if (!s->conversation || s->ended || sd_bus_is_open(s->bus) <= 0)
                return 0;
        return send_quietly(s, "Cancel", "t", s->reply, 0);
}

/* Text from the offset on, of which some may be known: what was read with GetReply can come again
 * as a delta. */
static void tell(ReplyStream *s, Channel c, uint64_t offset, const char *text)
{
        size_t size = strlen(text), known;

        assert(offset <= s->offsets[c]);
        known = s->offsets[c] - offset;
        if (known >= size)
                return;
        s->offsets[c] += size - known;
        s->ops->text(c, text + known, size - known, s->userdata);
}

static int on_phase(ReplyStream *s, sd_bus_message *m)
{
        const char *phase;
        uint32_t place;
        uint64_t reply;
        int r;

        r = sd_bus_message_read(m, "tsu", &reply, &phase, &place);
        if (r < 0 || reply != s->reply)
                return r;
        if (s->ops->phase)
                s->ops->phase(phase, place, s->userdata);
        return 0;
}

static int acknowledge(ReplyStream *s, uint64_t sequence)
{
        s->unacknowledged = 0;
        s->unacknowledged_bytes = 0;
        return send_quietly(s, "Ack", "tt", s->reply, sequence);
}

static int fetch_next(ReplyStream *s);

/* What was not sent is read, both channels from where they are. */
static int fetch(ReplyStream *s)
{
        if (s->fetching)
                return 0;
        s->fetching = true;
        s->fetching_last = s->all_sent;
        s->channel = 0;
        return fetch_next(s);
}

static int on_delta(ReplyStream *s, sd_bus_message *m)
{
        uint64_t reply, sequence, offset;
        const char *channel, *text;
        Channel c;
        int r;

        r = sd_bus_message_read(m, "ttsts", &reply, &sequence, &channel, &offset, &text);
        if (r < 0 || reply != s->reply)
                return r;
        c = channel_from_string(channel);
        if (c >= 0 && offset <= s->offsets[c])
                tell(s, c, offset, text);
        else if (c >= 0) {
                /* Something is missing before it; GetReply tells this text, too. */
                r = fetch(s);
                if (r < 0)
                        return r;
        }
        s->unacknowledged++;
        s->unacknowledged_bytes += strlen(text);
        if (s->unacknowledged < ACK_DELTAS && s->unacknowledged_bytes < ACK_BYTES)
                return 0;
        return acknowledge(s, sequence);
}

static int on_end(ReplyStream *s, sd_bus_message *m)
{
        uint64_t reply, sequence;
        int r;

        r = sd_bus_message_read(m, "tt", &reply, &sequence);
        if (r < 0 || reply != s->reply)
                return r;
        r = acknowledge(s, sequence);
        s->all_sent = true;
        end_when_complete(s);
        return r;
}

/* This program was stopped for so long that the service went on without it. */
static int on_dropped(ReplyStream *s, sd_bus_message *m)
{
        uint64_t reply;
        int r;

        r = sd_bus_message_read(m, "t", &reply);
        if (r < 0 || reply != s->reply)
                return r;
        s->all_sent = true;
        return fetch(s);
}

static int on_asked(ReplyStream *s, sd_bus_message *m)
{
        uint64_t message, reply;
        int r;

        if (s->conversation)
                return 0;
        r = sd_bus_message_read(m, "tt", &message, &reply);
        if (r < 0)
                return r;
        s->conversation = strdup(sd_bus_message_get_path(m));
        if (!s->conversation)
                return -ENOMEM;
        s->reply = reply;
        if (s->ops->asked)
                s->ops->asked(s->conversation, reply, s->userdata);
        if (s->early_reply == reply) {
                r = acknowledge(s, s->early_sequence);
                if (r >= 0)
                        r = fetch(s);
                if (r < 0)
                        return r;
        }
        return s->cancel_wanted ? reply_stream_cancel(s) : 0;
}

/* A connection that follows the conversation already can get text before it knows whose it is. */
static int note_early(ReplyStream *s, sd_bus_message *m)
{
        return sd_bus_message_read(m, "tt", &s->early_reply, &s->early_sequence);
}

/* ---- who says it ---- */

/* Whatever is still asked is refused then, which says it too; the text's end comes unasked. */
static void on_gone(ReplyStream *s)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (!s->answered || s->fetching)
                return;
        (void) failure_set(&failure, FAILURE_NO_SERVICE,
                "The conductor service went away before the reply's end. "
                "'journalctl --user -u conductor.service' says why.");
        fail(s, &failure);
}

/* A service that is stopped gives its name back first, and then ends its replies. Where it cannot
 * be known who it is, nothing that it says would be believed. */
static int set_service(ReplyStream *s, int error, const char *owner)
{
        if (error >= 0 && s->service && s->conversation)
                return 0;
        if (error >= 0)
                error = free_and_strdup(&s->service, isempty(owner) ? NULL : owner);
        if (error < 0)
                break_off(s, error, "The reply cannot be followed");
        return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const char *owner = NULL;
        int r = sd_bus_message_read(m, "sss", NULL, NULL, &owner);

        return set_service(ASSERT_PTR(userdata), r, owner);
}

static int on_owner_left(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        ReplyStream *s = ASSERT_PTR(userdata);
        const char *name;
        int r = sd_bus_message_read(m, "s", &name);

        if (r >= 0 && streq_ptr(name, s->service))
                on_gone(s);
        return r;
}

/* An error: nobody has it yet, and the question starts the service. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const char *owner = NULL;
        int r;

        if (sd_bus_message_is_method_error(m, NULL) > 0)
                return 0;
        r = sd_bus_message_read(m, "s", &owner);
        return set_service(ASSERT_PTR(userdata), r, owner);
}

/* Before the question: a bus answers in this order, so that it is known when the first signal
 * comes. */
static int watch_owner(ReplyStream *s)
{
        int r;

        if (sd_bus_is_bus_client(s->bus) <= 0)
                return 0;
        r = sd_bus_add_match_async(s->bus, &s->owner_changed, OWNER_CHANGED "arg0='" BUS_NAME "'",
                on_owner_changed, /* install_callback= */ NULL, s);
        if (r >= 0)
                r = sd_bus_add_match_async(s->bus, &s->owner_left, OWNER_CHANGED "arg2=''",
                        on_owner_left, /* install_callback= */ NULL, s);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(s->bus, &s->owner_asked, "org.freedesktop.DBus",
                "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner", on_owner, s, "s",
                BUS_NAME);
}

/* Anybody on a bus can send anything. */
static bool is_service(const ReplyStream *s, sd_bus_message *m)
{
        return sd_bus_is_bus_client(s->bus) <= 0 ||
                (s->service && streq_ptr(sd_bus_message_get_sender(m), s->service));
}

/* All of these come to this connection alone, so no match rule is needed. */
static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        ReplyStream *s = ASSERT_PTR(userdata);
        static const struct {
                const char *member;
                int (*handle)(ReplyStream *s, sd_bus_message *m);
                bool sequenced;
        } handlers[] = {
                { "Asked", on_asked },
                { "ReplyDelta", on_delta, true },
                { "ReplyEnd", on_end, true },
                { "ReplyPhase", on_phase },
                { "Dropped", on_dropped },
        };
        int r;

        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", "Disconnected") > 0) {
                on_gone(s);
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(handlers); i++) {
                if (sd_bus_message_is_signal(m, INTERFACE_CONVERSATION, handlers[i].member) <= 0)
                        continue;
                if (!is_service(s, m))
                        return 0;
                if (handlers[i].handle == on_asked ||
                        streq_ptr(sd_bus_message_get_path(m), s->conversation))
                        r = handlers[i].handle(s, m);
                else if (!s->conversation && handlers[i].sequenced)
                        r = note_early(s, m);
                else
                        return 0;
                if (r < 0)
                        break_off(s, r, "The reply cannot be followed");
                return 1;
        }
        return 0;
}

static int take_fetched(ReplyStream *s, sd_bus_message *m)
{
        const char *state, *text;
        uint64_t offset;
        int more, r;

        r = sd_bus_message_read(m, "sstb", &state, &text, &offset, &more);
        if (r < 0)
                return r;
        if (!s->beyond) /* else only how it ended was asked for */
                tell(s, s->channel, s->from, text);
        s->all_sent = s->all_sent || streq(state, "ended");
        if (!more || !*text || s->beyond) {
                s->channel++;
                s->beyond = false;
        }
        s->fetching = s->channel < _CHANNEL_MAX;
        if (s->fetching)
                return fetch_next(s);
        if (s->rejoined && (s->fetching_last || streq(state, "ended"))) {
                sd_bus_message_unref(s->answer);
                s->answer = sd_bus_message_ref(m);
        }
        return 0;
}

static int on_fetched(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        ReplyStream *s = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        if (!error)
                r = take_fetched(s, m);
        else if (s->rejoined && !s->beyond &&
                sd_bus_error_has_name(error, ERROR_PREFIX "InvalidArgument")) {
                s->beyond = true;
                r = fetch_next(s);
        } else {
                (void) client_fail(&failure, -sd_bus_message_get_errno(m), error);
                fail(s, &failure);
                return 0;
        }
        if (r < 0)
                break_off(s, r, "The rest of the reply cannot be read");
        else
                end_when_complete(s);
        return 0;
}

static int fetch_next(ReplyStream *s)
{
        s->fetch = sd_bus_slot_unref(s->fetch);
        s->from = s->beyond ? 0 : s->offsets[s->channel];
        return sd_bus_call_method_async(s->bus, &s->fetch, BUS_NAME, s->conversation,
                INTERFACE_CONVERSATION, "GetReply", on_fetched, s, "tstt", s->reply,
                channel_to_string(s->channel), s->from, s->beyond ? 0 : (uint64_t) REPLY_PART_MAX);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        ReplyStream *s = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int r;

        s->answered = true;
        if (error) {
                (void) client_fail(&s->failure, -sd_bus_message_get_errno(m), error);
                /* Nothing more comes when the question was refused, or the service is gone. */
                if (!s->conversation || !startswith(error->name, ERROR_PREFIX)) {
                        fail(s, &s->failure);
                        return 0;
                }
                if (!s->all_sent) {
                        /* It could not be followed to its end: what there is of it is read. */
                        s->all_sent = true;
                        r = fetch(s);
                        if (r < 0)
                                break_off(s, r, "The rest of the reply cannot be read");
                }
        } else
                s->answer = sd_bus_message_ref(m);
        end_when_complete(s);
        return 0;
}

/* ---- by another connection ---- */

static int on_followed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        ReplyStream *s = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        if (!error) {
                s->ops->rejoined(s->userdata);
                r = s->cancel_wanted ? reply_stream_cancel(s) : 0;
                if (r < 0)
                        break_off(s, r, "The reply cannot be cancelled");
                return 0;
        }
        (void) client_fail(&failure, -sd_bus_message_get_errno(m), error);
        if (startswith(error->name, ERROR_PREFIX))
                end(s, &failure, NULL);
        else { /* it was not the service that refused */
                detach(s);
                s->ops->broken(&failure, s->userdata);
        }
        return 0;
}

int reply_stream_rejoin(ReplyStream *s, sd_bus *bus)
{
        int r;

        detach(s);
        sd_bus_unref(s->bus);
        s->bus = sd_bus_ref(bus);
        s->rejoined = s->answered = true;
        s->all_sent = s->fetching = s->beyond = false;
        s->answer = sd_bus_message_unref(s->answer);
        s->unacknowledged = 0;
        s->unacknowledged_bytes = 0;
        r = sd_bus_add_filter(bus, &s->filter, on_signal, s);
        if (r >= 0)
                r = watch_owner(s);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(bus, &s->ask, BUS_NAME, s->conversation,
                INTERFACE_CONVERSATION, "Follow", on_followed, s, "a{sv}", 3, "reply", "t",
                s->reply, channel_to_string(CHANNEL_CONTENT), "t", s->offsets[CHANNEL_CONTENT],
                channel_to_string(CHANNEL_REASONING), "t", s->offsets[CHANNEL_REASONING]);
}

int reply_stream_new(sd_bus *bus, sd_bus_message *call, const ReplyStreamOps *ops, void *userdata,
        ReplyStream **ret)
{
        _cleanup_(reply_stream_freep) ReplyStream *s = NULL;
        int r;

        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->bus = sd_bus_ref(bus);
        s->ops = ops;
        s->userdata = userdata;

        r = sd_bus_message_append(call, "{sv}", "follow", "b", true);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(call);
        if (r < 0)
                return r;
        r = sd_bus_add_filter(bus, &s->filter, on_signal, s);
        if (r >= 0)
                r = watch_owner(s);
        if (r < 0)
                return r;
        r = sd_bus_call_async(bus, &s->ask, call, on_answer, s, UINT64_MAX);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}
