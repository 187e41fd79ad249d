/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/line-splitter.h"
#include "common/utf8.h"
#include "service/engine/repeat.h"
#include "service/engine/sse.h"
#include "service/engine/think.h"
#include "service/engine/wire-private.h"

#define OUT_FLUSH        KIB(64) /* text that is told at once */
#define OUT_MAX          (OUT_FLUSH + (OUT_FLUSH + 1) * strlen(UTF8_REPLACEMENT))
#define EXCERPT_BYTES    80
#define CONTENT_TYPE_MAX 64

/* How the answer is written: decided by its first byte, because servers are careless about the
 * content type. */
typedef enum Framing {
        FRAMING_UNKNOWN,
        FRAMING_LINES,
        FRAMING_EVENTS,
        FRAMING_WHOLE,
} Framing;

struct WireDecoder {
        EngineType type;
        const WireFormat *format;
        WireOps ops;
        void *userdata;
        char *content_type;

        Framing framing;
        LineSplitter lines;
        Sse events;
        Buffer whole;
        struct json_tokener *tokener;

        Repeat repeat;
        Channel repeat_channel;
        /* What the present piece told: of the last member, borrowed from its JSON. */
        unsigned n_told;
        const char *told_key, *told_text;
        size_t told_size;
        Channel told_channel;

        Think think;
        Utf8Repair repair[_CHANNEL_MAX];
        Buffer out; /* what one feed brought, told in as few pieces as the channels allow */
        Channel out_channel;

        WireEnd end;
        EndReason hint;
        bool began;       /* something was understood */
        bool complete;    /* the end mark came */
        int refused;      /* the receiver wants no more text */
        Failure *failure; /* the caller's, while feeding */
};

const WireFormat *wire_format_of(EngineType type)
{
        switch (type) {
        case ENGINE_OLLAMA:
                return &wire_format_ollama;
        case ENGINE_OPENAI:
                return &wire_format_openai;
        case ENGINE_ANTHROPIC:
                return &wire_format_anthropic;
        case ENGINE_BUILTIN:
        case _ENGINE_TYPE_MAX:
        case _ENGINE_TYPE_INVALID:
                break;
        }
        return NULL;
}

int wire_decoder_new(WireDecoder **ret, EngineType type, const char *content_type,
        const WireOps *ops, void *userdata)
{
        _cleanup_(wire_decoder_freep) WireDecoder *d = NULL;
        int r;

        assert(wire_format_of(type));

        d = malloc(sizeof *d);
        if (!d)
                return -ENOMEM;
        *d = (WireDecoder){
                .type = type,
                .format = wire_format_of(type),
                .ops = *ops,
                .userdata = userdata,
                .lines = LINE_SPLITTER_INIT(LINE_ENDS_LF, WIRE_LINE_MAX),
                .whole = BUFFER_INIT(WIRE_LINE_MAX),
                .out = BUFFER_INIT(OUT_MAX),
        };
        sse_init(&d->events, WIRE_LINE_MAX);
        r = utf8_sanitize_line(strempty(content_type), strlen(strempty(content_type)),
                CONTENT_TYPE_MAX, &d->content_type);
        if (r < 0)
                return r;
        d->tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
        if (!d->tokener)
                return -ENOMEM;

        *ret = TAKE_PTR(d);
        return 0;
}

WireDecoder *wire_decoder_free(WireDecoder *d)
{
        if (!d)
                return NULL;

        line_splitter_done(&d->lines);
        sse_done(&d->events);
        buffer_done(&d->whole);
        buffer_done(&d->out);
        json_tokener_freep(&d->tokener);
        free(d->content_type);
        return mfree(d);
}

/* ---- text ---- */

static int flush(WireDecoder *d)
{
        if (d->out.size == 0)
                return 0;
        if (d->refused >= 0)
                d->refused = d->ops.text(d->out_channel, d->out.data, d->out.size, d->userdata);
        buffer_clear(&d->out);
        return MIN(d->refused, 0);
}

static int select_channel(WireDecoder *d, Channel channel)
{
        int r = 0;

        if (d->out_channel != channel || d->out.size >= OUT_FLUSH)
                r = flush(d);
        d->out_channel = channel;
        return r;
}

/* In slices, because each bad byte becomes three, and so does what waited for its rest. */
static int put(Channel channel, const char *text, size_t size, void *userdata)
{
        WireDecoder *d = ASSERT_PTR(userdata);
        int r;

        while (size > 0) {
                size_t n = MIN(size, OUT_FLUSH);

                r = select_channel(d, channel);
                if (r < 0)
                        return r;
                r = utf8_repair(&d->repair[channel], text, n, &d->out);
                if (r < 0)
                        return r;
                text += n;
                size -= n;
        }
        return 0;
}

static int wire_tell(WireDecoder *d, Channel channel, const char *text, size_t size)
{
        if (channel == CHANNEL_CONTENT)
                return think_feed(&d->think, text, size, put, d);
        return put(channel, text, size, d);
}

int wire_tell_member(WireDecoder *d, Channel channel, struct json_object *o, const char *key)
{
        const char *text;
        size_t size;
        int r;

        if (json_get_string(o, key, &text, &size) < 0 || size == 0)
                return 0;
        d->n_told++;
        d->told_key = key;
        d->told_text = text;
        d->told_size = size;
        d->told_channel = channel;
        r = wire_tell(d, channel, text, size);
        return r < 0 ? r : 1;
}

static int flush_all(WireDecoder *d)
{
        int r;

        r = think_flush(&d->think, put, d);
        for (Channel c = 0; r >= 0 && c < _CHANNEL_MAX; c++) {
                r = select_channel(d, c);
                if (r >= 0)
                        r = utf8_repair_flush(&d->repair[c], &d->out);
        }
        return r < 0 ? r : flush(d);
}

/* ---- events ---- */

EndReason wire_reason(const WireReason *table, size_t n, const char *word)
{
        for (size_t i = 0; i < n; i++)
                if (streq(word, table[i].word))
                        return table[i].reason;
        return REASON_STOP;
}

WireEnd *wire_end(WireDecoder *d)
{
        return &d->end;
}

void wire_hint(WireDecoder *d, EndReason reason)
{
        d->hint = reason;
}

void wire_complete(WireDecoder *d)
{
        d->complete = true;
}

int wire_fail(WireDecoder *d, struct json_object *o)
{
        return wire_error_object(o, d->failure);
}

static int fail_excerpt(WireDecoder *d, const char *what, const char *data, size_t size)
{
        _cleanup_free_ char *excerpt = NULL;

        (void) utf8_sanitize_line(data, size, EXCERPT_BYTES, &excerpt);
        return failure_set(d->failure, FAILURE_ENGINE_FAILED,
                "%s: \"%s%s\". Check the engine's Type= and Url=.", what, strempty(excerpt),
                size > EXCERPT_BYTES ? "…" : "");
}

static int decode(WireDecoder *d, const char *data, size_t size, bool whole)
{
        _cleanup_(json_putp) struct json_object *o = NULL;
        int r;

        r = json_parse_with(d->tokener, data, size, &o);
        if (r < 0)
                return r;
        if (!json_object_is_type(o, json_type_object))
                return -EBADMSG;
        d->began = true;
        if (whole)
                return d->format->whole(d, o);

        d->n_told = 0;
        r = d->format->event(d, o);
        /* All else that the line said would be said once more: that changes nothing. */
        if (r >= 0 && d->n_told == 1 && !d->complete) {
                repeat_learn(&d->repeat, data, size, d->told_key, d->told_text, d->told_size);
                d->repeat_channel = d->told_channel;
        }
        return r;
}

static bool is_blank(const char *data, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (!memchr(" \t\r\n", data[i], 4))
                        return false;
        return true;
}

/* -EBADMSG without a failure: no JSON. */
static int on_piece(const char *data, size_t size, void *userdata)
{
        WireDecoder *d = ASSERT_PTR(userdata);
        const char *text;
        size_t n;
        int r;

        if (d->complete)
                return 0;
        if (repeat_match(&d->repeat, data, size, &text, &n))
                return wire_tell(d, d->repeat_channel, text, n);
        if (is_blank(data, size))
                return 0;
        if (size >= 6 && memcmp(data, "[DONE]", 6) == 0 && is_blank(data + 6, size - 6)) {
                d->complete = true;
                return 0;
        }

        r = decode(d, data, size, false);
        if (r == -EBADMSG && !failure_is_set(d->failure))
                return fail_excerpt(d, "the engine sent something that is no JSON", data, size);
        return r;
}

/* ---- bytes ---- */

static int fail_html(WireDecoder *d)
{
        return failure_set(d->failure, FAILURE_ENGINE_FAILED,
                "the engine answered with a web page (%s) instead of a reply. Is Url= the address of "
                "its API?",
                *d->content_type ? d->content_type : "HTML");
}

static int choose_framing(WireDecoder *d, char first)
{
        if (first == '<')
                return fail_html(d);
        if (d->type == ENGINE_OLLAMA)
                d->framing = FRAMING_LINES;
        else
                d->framing = first == '{' || first == '[' ? FRAMING_WHOLE : FRAMING_EVENTS;
        return 0;
}

static int feed_framed(WireDecoder *d, const char *data, size_t size)
{
        switch (d->framing) {
        case FRAMING_LINES:
                return line_splitter_feed(&d->lines, data, size, on_piece, d);
        case FRAMING_EVENTS:
                return sse_feed(&d->events, data, size, on_piece, d);
        case FRAMING_WHOLE:
                return buffer_append(&d->whole, data, size);
        case FRAMING_UNKNOWN:
                break;
        }
        return 0;
}

/* Every negative result leaves with its failure. */
static int explain(WireDecoder *d, int error)
{
        if (failure_is_set(d->failure))
                return error;
        if (error == -EFBIG)
                return failure_set(d->failure, FAILURE_TOO_LARGE,
                        "the engine sent more than %zu MiB in one piece, or a reply over the limit.",
                        WIRE_LINE_MAX / MIB(1));
        return failure_set_errno(d->failure, error, "Failed to read the engine's answer");
}

int wire_decoder_feed(WireDecoder *d, const char *data, size_t size, Failure *failure)
{
        _cleanup_failure_ Failure unused = FAILURE_NULL;
        int r = 0, told;

        if (d->complete)
                return 1;

        d->failure = failure ? failure : &unused;
        if (d->framing == FRAMING_UNKNOWN) {
                while (size > 0 && memchr(" \t\r\n\xef\xbb\xbf", *data, 7)) {
                        data++;
                        size--;
                }
                if (size > 0)
                        r = choose_framing(d, *data);
        }
        if (r >= 0 && size > 0)
                r = feed_framed(d, data, size);

        /* What came before a fault is told too. */
        told = r < 0 ? flush_all(d) : flush(d);
        if (r >= 0 && told < 0)
                r = told;
        if (r < 0)
                r = explain(d, r);
        d->failure = NULL;
        return r < 0 ? r : d->complete;
}

static int finish_framed(WireDecoder *d)
{
        int r = 0;

        switch (d->framing) {
        case FRAMING_LINES:
                r = line_splitter_finish(&d->lines, on_piece, d);
                break;
        case FRAMING_EVENTS:
                r = sse_finish(&d->events, on_piece, d);
                if (r >= 0 && !d->began && !d->complete &&
                        !streq(d->content_type, "text/event-stream"))
                        return failure_set(d->failure, FAILURE_ENGINE_FAILED,
                                "the engine's answer (%s) is no stream of events. Check the engine's "
                                "Type= and Url=.",
                                *d->content_type ? d->content_type : "of no type");
                break;
        case FRAMING_WHOLE:
                r = decode(d, buffer_text(&d->whole), d->whole.size, true);
                if (r == -EBADMSG && !failure_is_set(d->failure))
                        return fail_excerpt(d, "the engine's answer is no whole JSON",
                                buffer_text(&d->whole), d->whole.size);
                if (r >= 0 && !d->complete)
                        return fail_excerpt(d, "the engine's answer is JSON, but no reply",
                                buffer_text(&d->whole), d->whole.size);
                break;
        case FRAMING_UNKNOWN:
                break;
        }
        return r;
}

static void finish_end(WireDecoder *d, WireEnd *ret)
{
        *ret = d->end;
        if (ret->reason == REASON_NONE)
                ret->reason = d->complete ? REASON_STOP : REASON_INCOMPLETE;
        if (ret->reason == REASON_STOP && d->hint != REASON_NONE)
                ret->reason = d->hint;
}

int wire_decoder_finish(WireDecoder *d, WireEnd *ret, Failure *failure)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        bool began = d->began;
        int r = 0, told;

        d->failure = &f;
        if (!d->complete)
                r = finish_framed(d);
        /* A last piece cut in half after others that were whole: the answer is incomplete. */
        if (began && f.code == FAILURE_ENGINE_FAILED) {
                failure_done(&f);
                r = 0;
        }
        told = flush_all(d);
        if (r >= 0 && told < 0)
                r = told;
        if (r < 0)
                r = explain(d, r);
        d->failure = NULL;
        if (r < 0) {
                if (failure && !failure_is_set(failure))
                        failure_copy(failure, &f);
                return r;
        }
        finish_end(d, ret);
        return 0;
}
