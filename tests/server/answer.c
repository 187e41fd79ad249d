/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/server/answer.h"

#include <time.h>

#include "tests/server/text.h"

#define TOKEN_MAX MIB(64)
#define HTML_PAGE "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>\n"

typedef enum AnswerState {
        ANSWER_BEFORE_HEAD,
        ANSWER_BEFORE_TEXT,
        ANSWER_STREAMING,
        ANSWER_HUGE,   /* inside the one long line */
        ANSWER_SILENT, /* for ever, or until it is released */
        ANSWER_ENDING, /* made; the slow bytes of @drip still go out */
} AnswerState;

struct Answer {
        Connection *connection;
        Script script;
        Reply reply;
        TextSource text;
        char *model, *echo;
        bool stream, released, wants_room;
        AnswerState state;
        uint64_t thoughts, huge_left;
        usec_t begin; /* of the text, for the rate */
        sd_event_source *timer;
        Buffer token, event, drip;
        size_t drip_at;
};

Answer *answer_free(Answer *a)
{
        if (!a)
                return NULL;
        sd_event_source_disable_unref(a->timer);
        script_done(&a->script);
        buffer_done(&a->token);
        buffer_done(&a->event);
        buffer_done(&a->drip);
        free(a->model);
        free(a->echo);
        free(a);
        return NULL;
}
DEFINE_CLEANUP(Answer *, answer_free)

bool answer_wants_room(const Answer *a)
{
        return a->wants_room;
}

static void arm(Answer *a, usec_t when)
{
        (void) sd_event_source_set_time(a->timer, when);
        (void) sd_event_source_set_enabled(a->timer, SD_EVENT_ONESHOT);
}

/* ---- bytes of the body ---- */

/* Sends what stands in a->event: whole, in pieces, or byte by byte. */
static void emit(Answer *a)
{
        const char *data = buffer_text(&a->event);
        size_t size = a->event.size, cut = a->script.cut ?: size;

        if (a->script.drip_msec > 0) {
                (void) buffer_append(&a->drip, data, size);
                buffer_clear(&a->event);
                return;
        }
        for (size_t at = 0; at < size; at += cut)
                connection_body(a->connection, data + at, MIN(cut, size - at));
        buffer_clear(&a->event);
}

/* One byte now; true while there are more. */
static bool drip(Answer *a)
{
        if (a->drip_at == a->drip.size)
                return false;
        connection_body(a->connection, a->drip.data + a->drip_at++, 1);
        arm(a, now_usec() + a->script.drip_msec * USEC_PER_MSEC);
        return true;
}

/* The answer is made: the connection takes the next request. Frees a. */
static void finish(Answer *a)
{
        Connection *c = a->connection;

        connection_end(c);
        c->answer = NULL;
        answer_free(a);
        server_count(c->server, COUNTER_ENDED);
        connection_flush(c);
}

static void end_or_drip(Answer *a)
{
        a->state = ANSWER_ENDING;
        a->wants_room = false;
        if (drip(a))
                connection_flush(a->connection);
        else
                finish(a);
}

/* ---- the head ---- */

static const char *error_message(const Answer *a)
{
        return a->script.error ?: "the script says so";
}

static int retry_header(const Script *s, Buffer *b)
{
        char date[64];
        struct tm tm;
        time_t when;

        if (s->retry_after > 0)
                return buffer_append_format(
                        b, "Retry-After: %llu\r\n", (unsigned long long) s->retry_after);
        if (s->retry_date == 0)
                return 0;
        when = time(NULL) + (time_t) s->retry_date;
        (void) gmtime_r(&when, &tm);
        (void) strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        return buffer_append_format(b, "Retry-After: %s\r\n", date);
}

/* An answer with a status, or a page, in place of a stream. */
static int answer_refuse(Answer *a)
{
        _cleanup_buffer_ Buffer extra = BUFFER_INIT(KIB(4));
        unsigned status = (unsigned) a->script.status ?: 200;
        const char *type = "application/json; charset=utf-8";
        int r;

        r = retry_header(&a->script, &extra);
        if (r >= 0 && a->script.location)
                r = buffer_append_format(&extra, "Location: %s\r\n", a->script.location);
        if (r >= 0 && a->script.fault == FAULT_HTML) {
                type = "text/html; charset=utf-8";
                r = buffer_append_string(&a->event, HTML_PAGE);
        } else if (r >= 0)
                r = format_error(a->reply.format, &a->event, status, error_message(a));
        if (r < 0)
                return r;
        connection_head(a->connection, status, a->script.type ?: type, FRAMING_LENGTH,
                a->event.size, buffer_text(&extra));
        connection_body(a->connection, buffer_text(&a->event), a->event.size);
        return 0;
}

static int answer_whole(Answer *a)
{
        _cleanup_buffer_ Buffer reasoning = BUFFER_INIT(TOKEN_MAX), text = BUFFER_INIT(OUTPUT_MAX);
        int r;

        for (uint64_t i = 0; i < a->script.reasoning; i++) {
                r = text_reasoning(&reasoning, i);
                if (r < 0)
                        return r;
        }
        do {
                r = text_next(&a->text, &text);
                if (r < 0)
                        return r;
                a->reply.tokens_out += (uint64_t) r;
        } while (r > 0);
        r = format_whole(
                &a->reply, &a->event, buffer_text(&reasoning), buffer_text(&text), text.size);
        if (r < 0)
                return r;
        connection_head(a->connection, 200, a->script.type ?: "application/json; charset=utf-8",
                FRAMING_LENGTH, a->event.size, "");
        connection_body(a->connection, buffer_text(&a->event), a->event.size);
        return 0;
}

/* 1 when a stream begins, 0 when the answer is made. */
static int answer_head(Answer *a)
{
        int r;

        if (a->script.status > 0 || a->script.fault == FAULT_HTML) {
                r = answer_refuse(a);
                return r < 0 ? r : 0;
        }
        if (!a->stream) {
                r = answer_whole(a);
                return r < 0 ? r : 0;
        }
        connection_head(a->connection, 200, a->script.type ?: format_stream_type(a->reply.format),
                a->script.no_length ? FRAMING_CLOSE : FRAMING_CHUNKED, 0, "");
        r = format_begin(&a->reply, &a->event);
        if (r < 0)
                return r;
        emit(a);
        return 1;
}

/* ---- the text ---- */

static int think_inline(Answer *a, const char *tag)
{
        return format_text(&a->reply, &a->event, tag, strlen(tag));
}

static int next_thought(Answer *a)
{
        int r;

        if (a->script.think && a->thoughts == 0) {
                r = think_inline(a, "<think>");
                if (r < 0)
                        return r;
        }
        r = text_reasoning(&a->token, a->thoughts);
        if (r < 0)
                return r;
        r = (a->script.think ? format_text : format_reasoning)(
                &a->reply, &a->event, buffer_text(&a->token), a->token.size);
        if (r < 0)
                return r;
        if (++a->thoughts == a->script.reasoning && a->script.think)
                r = think_inline(a, "</think>");
        return r < 0 ? r : 1;
}

/* Makes one token. 0 when there is none any more. */
static int next_token(Answer *a)
{
        uint64_t pause = a->script.pause;
        int r;

        buffer_clear(&a->token);
        if (a->thoughts < a->script.reasoning)
                r = next_thought(a);
        else {
                r = text_next(&a->text, &a->token);
                if (r > 0)
                        r = format_text(&a->reply, &a->event, buffer_text(&a->token), a->token.size)
                                ?: 1;
        }
        if (r <= 0)
                return r;
        if (pause > 0 && a->reply.tokens_out % pause == 0)
                (void) format_pause(&a->reply, &a->event);
        a->reply.tokens_out++;
        emit(a);
        return 1;
}

/* Half of a line that would have been next. */
static void cut_json(Answer *a)
{
        (void) format_text(&a->reply, &a->event, "never whole", strlen("never whole"));
        a->event.size /= 2;
        emit(a);
        end_or_drip(a);
}

static void begin_huge(Answer *a)
{
        (void) format_text_begin(&a->reply, &a->event);
        emit(a);
        a->huge_left = a->script.huge;
        a->state = ANSWER_HUGE;
        answer_pump(a);
}

/* Everything that the script wants is made, or its fault is due. May free a. */
static void stream_over(Answer *a)
{
        Connection *c = a->connection; /* who flushes it may find it broken, which frees a */
        Fault fault = a->released ? FAULT_NONE : a->script.fault;

        a->wants_room = false;
        switch (fault) {

        case FAULT_NONE:
        case FAULT_HTML:
        case FAULT_SILENT:
                (void) format_end(&a->reply, &a->event);
                emit(a);
                end_or_drip(a);
                return;

        case FAULT_CUT_JSON:
                cut_json(a);
                return;

        case FAULT_ERROR:
        case FAULT_ERROR_LINE:
                (void) format_error_event(&a->reply, &a->event, error_message(a));
                emit(a);
                end_or_drip(a);
                return;

        case FAULT_EOF:
                end_or_drip(a);
                return;

        case FAULT_SILENCE:
        case FAULT_HOLD:
        case FAULT_STEP:
                a->state = ANSWER_SILENT;
                connection_flush(c);
                if (fault == FAULT_HOLD || fault == FAULT_STEP)
                        server_count(c->server, COUNTER_HELD);
                return;

        case FAULT_RESET:
        case FAULT_CLOSE:
                connection_flush(c);
                connection_close(c, /* reset= */ fault == FAULT_RESET);
                return;

        case FAULT_HUGE:
                begin_huge(a);
                return;
        }
}

static bool fault_due(const Answer *a)
{
        Fault fault = a->script.fault;

        return fault != FAULT_NONE && fault != FAULT_SILENT && !a->released &&
                a->reply.tokens_out >= a->script.fault_after;
}

static void pump_stream(Answer *a)
{
        usec_t now = now_usec();
        uint64_t rate = a->script.rate;

        a->wants_room = false;
        while (!fault_due(a)) {
                int r;

                if (rate > 0 && a->reply.tokens_out > (now - a->begin) * rate / USEC_PER_SEC) {
                        arm(a, a->begin + a->reply.tokens_out * USEC_PER_SEC / rate);
                        connection_flush(a->connection);
                        return;
                }
                if (connection_queued(a->connection) > OUTPUT_HIGH) {
                        a->wants_room = true;
                        connection_flush(a->connection);
                        return;
                }
                r = next_token(a);
                if (r < 0) {
                        connection_close(a->connection, /* reset= */ true);
                        return;
                }
                if (r == 0) {
                        /* There is nothing left to be let go one by one. */
                        a->released = a->released || a->script.fault == FAULT_STEP;
                        break;
                }
        }
        stream_over(a);
}

static void pump_huge(Answer *a)
{
        static char block[KIB(64)];

        memset(block, 'A', sizeof block);
        while (a->huge_left > 0 && connection_queued(a->connection) <= OUTPUT_HIGH) {
                size_t n = MIN(a->huge_left, (uint64_t) sizeof block);

                connection_body(a->connection, block, n);
                a->huge_left -= n;
        }
        a->wants_room = a->huge_left > 0;
        if (a->wants_room) {
                connection_flush(a->connection);
                return;
        }
        (void) format_text_end(&a->reply, &a->event);
        a->released = true;
        stream_over(a);
}

/* The moment of the first byte has come. May free a. */
static void pump_head(Answer *a)
{
        int r;

        if (a->script.fault == FAULT_SILENT) {
                a->state = ANSWER_SILENT;
                return;
        }
        r = answer_head(a);
        if (r < 0) {
                connection_close(a->connection, /* reset= */ true);
                return;
        }
        if (r == 0) {
                finish(a);
                return;
        }
        a->state = ANSWER_BEFORE_TEXT;
        a->begin = now_usec() + a->script.first_token_msec * USEC_PER_MSEC;
        if (a->script.first_token_msec > 0) {
                arm(a, a->begin);
                connection_flush(a->connection);
        } else
                answer_pump(a);
}

void answer_pump(Answer *a)
{
        switch (a->state) {

        case ANSWER_BEFORE_HEAD:
                pump_head(a);
                return;

        case ANSWER_BEFORE_TEXT:
                a->state = ANSWER_STREAMING;
                pump_stream(a);
                return;

        case ANSWER_STREAMING:
                pump_stream(a);
                return;

        case ANSWER_HUGE:
                pump_huge(a);
                return;

        case ANSWER_SILENT:
                return;

        case ANSWER_ENDING:
                end_or_drip(a);
                return;
        }
}

void answer_release(Answer *a)
{
        if (a->state != ANSWER_SILENT ||
                (a->script.fault != FAULT_HOLD && a->script.fault != FAULT_STEP))
                return;
        if (a->script.fault == FAULT_STEP)
                a->script.fault_after = a->reply.tokens_out + 1;
        else
                a->released = true;
        a->begin = now_usec() -
                (a->script.rate ? a->reply.tokens_out * USEC_PER_SEC / a->script.rate : 0);
        a->state = ANSWER_STREAMING;
        answer_pump(a);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        answer_pump(userdata);
        return 0;
}

int answer_start(Connection *c, const Question *question, Script *script)
{
        _cleanup_(answer_freep) Answer *a = NULL;
        int r;

        a = malloc(sizeof *a);
        if (!a) {
                script_done(script);
                return -ENOMEM;
        }
        *a = (Answer){ .connection = c,
                .script = *script,
                .stream = question->stream && !script->no_stream,
                .model = strdup(question->model),
                .echo = strdup(question->echo),
                .token = BUFFER_INIT(TOKEN_MAX),
                .event = BUFFER_INIT(OUTPUT_MAX),
                .drip = BUFFER_INIT(OUTPUT_MAX) };
        *script = (Script){ 0 };
        if (!a->model || !a->echo)
                return -ENOMEM;
        a->reply = (Reply){ .format = question->format,
                .script = &a->script,
                .model = a->model,
                .include_usage = question->include_usage,
                .tokens_in = question->tokens_in,
                .begin = now_usec() };
        a->text = (TextSource){ .script = &a->script, .echo = a->echo };
        if (a->script.no_keep)
                c->keep = false;

        r = sd_event_add_time(c->server->event, &a->timer, CLOCK_MONOTONIC,
                now_usec() + a->script.first_msec * USEC_PER_MSEC, 1, on_timer, a);
        if (r < 0)
                return r;
        c->answer = TAKE_PTR(a);
        return 0;
}
