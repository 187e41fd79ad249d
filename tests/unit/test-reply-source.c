/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* OpenStream's bytes: a live reply and a stored one, through a pipe that is read slowly. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "common/utf8.h"
#include "service/conversation/pipe-writer.h"
#include "service/conversation/reply-source.h"

/* ---- a live reply of the test's own ---- */

struct ReplyWatch {
        Reply *reply;
        const ReplyWatchOps *ops;
        void *userdata;
};

struct Reply {
        ReplyState state;
        Buffer text;
        ReplyWatch *watch;
};

ReplyState reply_state(const Reply *r)
{
        return r->state;
}

const char *reply_text(const Reply *r, Channel c, size_t *ret_size)
{
        assert_int_equal(c, CHANNEL_CONTENT);
        *ret_size = r->text.size;
        return buffer_text(&r->text);
}

int reply_watch(Reply *r, const ReplyWatchOps *ops, void *userdata, ReplyWatch **ret)
{
        assert_null(r->watch);
        r->watch = calloc(1, sizeof *r->watch);
        assert_non_null(r->watch);
        *r->watch = (ReplyWatch){ r, ops, userdata };
        *ret = r->watch;
        return 0;
}

ReplyWatch *reply_watch_free(ReplyWatch *w)
{
        if (!w)
                return NULL;
        w->reply->watch = NULL;
        free(w);
        return NULL;
}

static void say(Reply *r, const char *text)
{
        assert_int_equal(buffer_append_string(&r->text, text), 0);
        r->watch->ops->text(r, r->watch->userdata);
}

static void end(Reply *r)
{
        r->state = REPLY_ENDED;
        r->watch->ops->ended(r, r->watch->userdata);
}

/* ---- a stored one ---- */

struct Store {
        sd_event *event;
        const char *text;
        size_t size;
        unsigned n_asked;
        FailureCode fail; /* of the second piece */
};

struct StoreSlot {
        Store *store;
        sd_event_source *source;
        uint64_t offset;
        size_t maximum;
        store_text_done_t done;
        void *userdata;
};

StoreSlot *store_slot_free(StoreSlot *slot)
{
        if (!slot)
                return NULL;
        sd_event_source_disable_unref(slot->source);
        free(slot);
        return NULL;
}

static StoreText piece_at(const Store *s, uint64_t offset, size_t maximum)
{
        return (StoreText){
                .text = (char *) s->text + offset,
                .size = utf8_cut(s->text + offset, s->size - offset, maximum),
                .offset = offset,
                .total = s->size,
                .reason = REASON_STOP,
        };
}

static int on_store(sd_event_source *source, void *userdata)
{
        StoreSlot *q = userdata;
        Failure failure = { .code = q->store->fail };
        StoreText text = piece_at(q->store, q->offset, q->maximum);

        q->store->n_asked++;
        q->done(failure.code == FAILURE_NONE ? NULL : &failure,
                failure.code == FAILURE_NONE ? &text : NULL, q->userdata);
        return 0;
}

int store_get_text(Store *s, uint64_t number, uint64_t reply, Channel channel, uint64_t offset,
        size_t maximum, store_text_done_t done, void *userdata, StoreSlot **ret_slot)
{
        StoreSlot *slot = calloc(1, sizeof *slot);

        assert_non_null(slot);
        assert_int_equal(number, 5);
        assert_int_equal(reply, 7);
        assert_int_equal(channel, CHANNEL_CONTENT);
        *slot = (StoreSlot){
                .store = s,
                .offset = offset,
                .maximum = maximum,
                .done = done,
                .userdata = userdata,
        };
        assert_true(sd_event_add_defer(s->event, &slot->source, on_store, slot) >= 0);
        *ret_slot = slot;
        return 0;
}

/* ---- a pipe ---- */

typedef struct Run {
        sd_event *event;
        ReplySource *source;
        PipeWriter *writer;
        int fd, error;
        bool closed;
        Buffer got;
} Run;

static int run_peek(const char **ret, size_t *ret_size, void *userdata)
{
        return reply_source_peek(((Run *) userdata)->source, ret, ret_size);
}

static void run_taken(size_t n, void *userdata)
{
        reply_source_taken(((Run *) userdata)->source, n);
}

static void run_closed(int error, void *userdata)
{
        Run *run = userdata;

        run->writer = pipe_writer_free(run->writer);
        run->closed = true;
        run->error = error;
}

static void run_wake(void *userdata)
{
        pipe_writer_wake(((Run *) userdata)->writer);
}

static const PipeSource run_source = { run_peek, run_taken, run_closed };

static void run_init(Run *run)
{
        *run = (Run){ .got = BUFFER_INIT(MIB(8)) };
        assert_int_equal(sd_event_new(&run->event), 0);
        assert_int_equal(pipe_writer_new(&run->writer, run->event, &run_source, run, &run->fd), 0);
        assert_true(fcntl(run->fd, F_SETFL, O_NONBLOCK) >= 0);
}

static void run_done(Run *run)
{
        pipe_writer_free(run->writer);
        reply_source_free(run->source);
        safe_close(run->fd);
        buffer_done(&run->got);
        sd_event_unref(run->event);
}

static void run_loop(Run *run)
{
        while (sd_event_run(run->event, 0) > 0)
                ;
}

/* All there is now; true at the end. */
static bool read_some(Run *run, size_t at_once)
{
        ssize_t n;

        do {
                char *space;

                run_loop(run);
                assert_int_equal(buffer_reserve(&run->got, at_once, &space), 0);
                n = read(run->fd, space, at_once);
                if (n > 0)
                        buffer_advance(&run->got, n);
        } while (n > 0);
        return n == 0;
}

static void test_live(void **state)
{
        Reply reply = { .state = REPLY_WAITING, .text = BUFFER_INIT(MIB(8)) };
        Run run;

        run_init(&run);
        assert_int_equal(reply_source_new_live(&run.source, &reply, run_wake, &run), 0);
        assert_false(read_some(&run, 100));
        assert_int_equal(run.got.size, 0);
        say(&reply, "Hello");
        assert_false(read_some(&run, 100));
        assert_string_equal(run.got.data, "Hello");
        say(&reply, ", ");
        say(&reply, "world");
        assert_false(read_some(&run, 3));
        assert_string_equal(run.got.data, "Hello, world");
        say(&reply, "!");
        end(&reply);
        assert_true(read_some(&run, 100));
        assert_string_equal(run.got.data, "Hello, world!");
        assert_true(run.closed);
        assert_int_equal(run.error, 0);
        run_done(&run);
        assert_null(reply.watch);
        buffer_done(&reply.text);
}

/* Far more than a pipe holds, all there before the reader comes. */
static void test_live_large(void **state)
{
        Reply reply = { .state = REPLY_STREAMING, .text = BUFFER_INIT(MIB(8)) };
        Run run;

        run_init(&run);
        for (unsigned i = 0; i < 200000; i++)
                assert_int_equal(buffer_append_format(&reply.text, "%u ", i), 0);
        assert_int_equal(reply_source_new_live(&run.source, &reply, run_wake, &run), 0);
        run_loop(&run);
        end(&reply);
        assert_true(read_some(&run, 7000));
        assert_int_equal(run.got.size, reply.text.size);
        assert_memory_equal(run.got.data, reply.text.data, reply.text.size);
        run_done(&run);
        buffer_done(&reply.text);
}

static void test_live_ended_before(void **state)
{
        Reply reply = { .state = REPLY_ENDED, .text = BUFFER_INIT(100) };
        Run run;

        run_init(&run);
        assert_int_equal(buffer_append_string(&reply.text, "Hello"), 0);
        assert_int_equal(reply_source_new_live(&run.source, &reply, run_wake, &run), 0);
        assert_true(read_some(&run, 100));
        assert_string_equal(run.got.data, "Hello");
        run_done(&run);
        buffer_done(&reply.text);
}

/* The reader's death is noticed while there is nothing to write, and with it the reply is let go.
 */
static void test_reader_goes_in_silence(void **state)
{
        Reply reply = { .state = REPLY_WAITING, .text = BUFFER_INIT(100) };
        Run run;

        run_init(&run);
        assert_int_equal(reply_source_new_live(&run.source, &reply, run_wake, &run), 0);
        run_loop(&run);
        run.fd = safe_close(run.fd);
        while (!run.closed)
                assert_true(sd_event_run(run.event, 10 * USEC_PER_SEC) > 0);
        assert_int_equal(run.error, -EPIPE);
        run_done(&run);
        buffer_done(&reply.text);
}

static void run_stored(Store *s, Run *run)
{
        StoreText first = piece_at(s, 0, REPLY_SOURCE_PIECE);

        run_init(run);
        s->event = run->event;
        assert_int_equal(reply_source_new_stored(&run->source, s, 5, 7, &first, run_wake, run), 0);
        assert_true(read_some(run, 10000));
}

static void test_stored(void **state)
{
        static const struct {
                size_t size;
                unsigned asked;
        } table[] = {
                { 0, 0 },
                { 1, 0 },
                { REPLY_SOURCE_PIECE, 0 },
                { REPLY_SOURCE_PIECE + 1, 1 },
                { 3 * REPLY_SOURCE_PIECE + 5, 3 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *text = malloc(table[i].size + 1);
                Store s = { .text = text, .size = table[i].size };
                Run run;

                assert_non_null(text);
                for (size_t n = 0; n < table[i].size; n++)
                        text[n] = 'a' + n % 26;
                run_stored(&s, &run);
                assert_int_equal(run.got.size, table[i].size);
                assert_memory_equal(buffer_text(&run.got), text, table[i].size);
                assert_int_equal(s.n_asked, table[i].asked);
                assert_int_equal(run.error, 0);
                run_done(&run);
        }
}

/* Pieces end between characters; the bytes are the same. */
static void test_stored_characters(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MIB(2));
        Store s = { 0 };
        Run run;

        assert_int_equal(buffer_append_string(&text, "x"), 0);
        while (text.size < MIB(1))
                assert_int_equal(buffer_append_string(&text, "\xf0\x9f\x98\x80"), 0);
        s.text = text.data;
        s.size = text.size;
        run_stored(&s, &run);
        assert_int_equal(run.got.size, text.size);
        assert_memory_equal(run.got.data, text.data, text.size);
        run_done(&run);
}

static void test_store_fails(void **state)
{
        _cleanup_free_ char *text = calloc(1, REPLY_SOURCE_PIECE + 2);
        Store s = { .text = text, .size = REPLY_SOURCE_PIECE + 1, .fail = FAILURE_STORE_FAILED };
        Run run;

        assert_non_null(text);
        memset(text, 'x', s.size);
        run_stored(&s, &run);
        assert_int_equal(run.got.size, REPLY_SOURCE_PIECE);
        assert_int_equal(run.error, -EIO);
        run_done(&run);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_live),
                cmocka_unit_test(test_live_large),
                cmocka_unit_test(test_live_ended_before),
                cmocka_unit_test(test_reader_goes_in_silence),
                cmocka_unit_test(test_stored),
                cmocka_unit_test(test_stored_characters),
                cmocka_unit_test(test_store_fails),
        };

        assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        return cmocka_run_group_tests_name("reply-source", tests, NULL, NULL);
}
