/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bus/reader.h"

#define TEXT_MAX MIB(128)

static void begin(Reader *r, uint64_t reply)
{
        r->reply = reply;
        r->sequence = r->acknowledged = 0;
        r->unacknowledged = 0;
        r->n_deltas = 0;
        r->dropped = false;
        r->reason = mfree(r->reason);
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                buffer_clear(&r->text[c]);
}

static void reader_acknowledge(Reader *r)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                r->bus, r->conversation, INTERFACE_CONVERSATION, "Ack");

        assert_return_code(sd_bus_message_set_expect_reply(m, false), 0);
        assert_return_code(sd_bus_message_set_auto_start(m, false), 0);
        assert_return_code(sd_bus_message_append(m, "tt", r->reply, r->sequence), 0);
        assert_return_code(sd_bus_send(r->bus, m, NULL), 0);
        r->acknowledged = r->sequence;
        r->unacknowledged = 0;
}

static void take_sequence(Reader *r, uint64_t reply, uint64_t sequence)
{
        if (reply != r->reply || sequence == 1)
                begin(r, reply);
        assert_null(r->reason);
        assert_int_equal(sequence, r->sequence + 1);
        r->sequence = sequence;
}

static int on_delta(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Reader *r = ASSERT_PTR(userdata);
        const char *channel, *text;
        uint64_t reply, sequence, offset;
        Channel c;

        assert_return_code(
                sd_bus_message_read(m, "ttsts", &reply, &sequence, &channel, &offset, &text), 0);
        take_sequence(r, reply, sequence);
        c = channel_from_string(channel);
        assert_true(c >= 0);
        assert_int_equal(offset, r->text[c].size + (reply == r->from_reply ? r->from[c] : 0));
        assert_return_code(buffer_append_string(&r->text[c], text), 0);
        r->n_deltas++;
        r->unacknowledged += strlen(text);
        if (!r->silent &&
                (r->sequence - r->acknowledged >= READER_ACK_EVERY ||
                        r->unacknowledged >= READER_ACK_BYTES))
                reader_acknowledge(r);
        return 0;
}

static int on_end(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Reader *r = ASSERT_PTR(userdata);
        uint64_t reply, sequence;
        const char *reason;

        assert_return_code(sd_bus_message_read(m, "tts", &reply, &sequence, &reason), 0);
        take_sequence(r, reply, sequence);
        r->reason = strdup(reason);
        assert_non_null(r->reason);
        r->n_ended++;
        if (!r->silent)
                reader_acknowledge(r);
        return 0;
}

static int on_dropped(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Reader *r = ASSERT_PTR(userdata);

        r->dropped = true;
        return 0;
}

static Reader *reader_make(Harness *h, sd_bus *bus, const char *conversation)
{
        static const struct {
                const char *member;
                sd_bus_message_handler_t handler;
        } signals[] = {
                { "ReplyDelta", on_delta },
                { "ReplyEnd", on_end },
                { "Dropped", on_dropped },
        };
        Reader *r = calloc(1, sizeof *r);

        assert_non_null(r);
        r->harness = h;
        r->bus = bus;
        r->conversation = strdup(conversation);
        assert_non_null(r->conversation);
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                r->text[c] = BUFFER_INIT(TEXT_MAX);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                assert_return_code(
                        sd_bus_match_signal(bus, &r->slots[i], BUS_NAME, conversation,
                                INTERFACE_CONVERSATION, signals[i].member, signals[i].handler, r),
                        0);
        return r;
}

static Reader *followed(Reader *r, sd_bus_message *answer)
{
        assert_return_code(sd_bus_message_read(answer, "tu", &r->epoch, &r->window), 0);
        return r;
}

Reader *reader_new(Harness *h, sd_bus *bus, const char *conversation)
{
        Reader *r = reader_make(h, bus, conversation);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "Follow", "a{sv}", 0);

        return followed(r, answer);
}

Reader *reader_new_from(Harness *h, sd_bus *bus, const char *conversation, uint64_t reply,
        const uint64_t from[static _CHANNEL_MAX])
{
        Reader *r = reader_make(h, bus, conversation);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;

        r->from_reply = reply;
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                r->from[c] = from[c];
        answer = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "Follow", "a{sv}", 3,
                "reply", "t", reply, "content", "t", from[CHANNEL_CONTENT], "reasoning", "t",
                from[CHANNEL_REASONING]);
        return followed(r, answer);
}

Reader *reader_free(Reader *r)
{
        if (!r)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(r->slots); i++)
                sd_bus_slot_unref(r->slots[i]);
        for (Channel c = 0; c < _CHANNEL_MAX; c++)
                buffer_done(&r->text[c]);
        free(r->conversation);
        free(r->reason);
        free(r);
        return NULL;
}

const char *reader_wait(Reader *r, uint64_t reply)
{
        usec_t deadline = harness_now() + HARNESS_PATIENCE;
        char what[96];

        while (r->reply != reply || !r->reason) {
                (void) snprintf(what, sizeof what, "the end of reply %" PRIu64 ", %zu bytes came",
                        reply, r->text[CHANNEL_CONTENT].size);
                harness_turn(r->harness, deadline, what);
        }
        return r->reason;
}
