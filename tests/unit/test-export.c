/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Export through a real pipe, out of a store of the test's own that answers from the loop; and what
 * import makes of it. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "service/conversation/export.h"
#include "service/conversation/pipe-writer.h"
#include "tests/unit/import-util.h"

#define NUMBER 42U

/* ---- the store ---- */

struct Store {
        sd_event *event;
        const char *system;
        StoreMessage *messages;
        size_t n_messages;
        unsigned n_pages;
        size_t largest_page;
        FailureCode fail; /* of every page */
};

struct StoreSlot {
        Store *store;
        sd_event_source *source;
        uint64_t id;
        uint32_t limit;
        size_t max_bytes;
        bool branch;
        store_messages_done_t done;
        void (*done_system)(const Failure *failure, const char *system, void *userdata);
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

static void copy_message(StoreMessage *to, const StoreMessage *from)
{
        *to = *from;
        to->content = strndup(from->content, from->content_size);
        to->reasoning = strdup(strempty(from->reasoning));
        to->metadata = strdup(strempty(from->metadata));
        to->attachments = calloc(from->n_attachments + 1, sizeof *to->attachments);
        for (size_t i = 0; i < from->n_attachments; i++) {
                StoreAttachment *a = &to->attachments[i];

                *a = from->attachments[i];
                a->name = strdup(a->name);
                a->type = strdup(a->type);
                a->data = malloc(a->size + 1);
                memcpy(a->data, from->attachments[i].data, a->size);
        }
}

static const StoreMessage *find_message(const Store *s, uint64_t id)
{
        for (size_t i = 0; i < s->n_messages; i++)
                if (s->messages[i].id == id)
                        return &s->messages[i];
        return NULL;
}

static size_t collect(const StoreSlot *q, const StoreMessage **found)
{
        const Store *s = q->store;
        size_t n = 0, bytes = 0;

        for (const StoreMessage *m = q->branch ? find_message(s, q->id) : s->messages;
                m && m < s->messages + s->n_messages && n < q->limit;
                m = q->branch ? find_message(s, m->parent) : m + 1) {
                if (!q->branch && m->id <= q->id)
                        continue;
                if (n > 0 && bytes + m->content_size > q->max_bytes)
                        break;
                bytes += m->content_size;
                found[n++] = m;
        }
        return n;
}

static int on_store(sd_event_source *source, void *userdata)
{
        StoreSlot *q = userdata;
        _cleanup_free_ const StoreMessage **found = NULL;
        Failure failure = { .code = q->store->fail };
        StoreMessages *page;

        if (q->done_system) {
                q->done_system(NULL, q->store->system, q->userdata);
                return 0;
        }
        q->store->n_pages++;
        if (q->store->fail != FAILURE_NONE) {
                q->done(&failure, NULL, q->userdata);
                return 0;
        }
        found = calloc(q->store->n_messages + 1, sizeof *found);
        page = calloc(1, sizeof *page);
        page->n_messages = collect(q, found);
        page->messages = calloc(page->n_messages + 1, sizeof *page->messages);
        for (size_t i = 0; i < page->n_messages; i++)
                copy_message(&page->messages[q->branch ? page->n_messages - 1 - i : i], found[i]);
        q->store->largest_page = MAX(q->store->largest_page, page->n_messages);
        q->done(NULL, page, q->userdata);
        return 0;
}

static int ask(Store *s, StoreSlot query, StoreSlot **ret)
{
        StoreSlot *slot = malloc(sizeof *slot);

        assert_non_null(slot);
        *slot = query;
        slot->store = s;
        assert_true(sd_event_add_defer(s->event, &slot->source, on_store, slot) >= 0);
        *ret = slot;
        return 0;
}

int store_get_system(Store *s, uint64_t number,
        void (*done)(const Failure *failure, const char *system, void *userdata), void *userdata,
        StoreSlot **ret_slot)
{
        assert_int_equal(number, NUMBER);
        return ask(s, (StoreSlot){ .done_system = done, .userdata = userdata }, ret_slot);
}

int store_get_page(Store *s, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes,
        store_messages_done_t done, void *userdata, StoreSlot **ret_slot)
{
        assert_int_equal(number, NUMBER);
        return ask(s,
                (StoreSlot){ .id = id,
                        .limit = limit,
                        .max_bytes = max_bytes,
                        .branch = true,
                        .done = done,
                        .userdata = userdata },
                ret_slot);
}

int store_get_all(Store *s, uint64_t number, uint64_t after, uint32_t limit, size_t max_bytes,
        store_messages_done_t done, void *userdata, StoreSlot **ret_slot)
{
        assert_int_equal(number, NUMBER);
        return ask(s,
                (StoreSlot){ .id = after,
                        .limit = limit,
                        .max_bytes = max_bytes,
                        .done = done,
                        .userdata = userdata },
                ret_slot);
}

/* ---- an export, through its pipe ---- */

typedef struct Run {
        Export *export;
        PipeWriter *writer;
        int error;
        bool closed;
} Run;

static int run_peek(const char **ret, size_t *ret_size, void *userdata)
{
        return export_peek(((Run *) userdata)->export, ret, ret_size);
}

static void run_taken(size_t n, void *userdata)
{
        export_taken(((Run *) userdata)->export, n);
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

static void run_begin(Run *run, Store *s, const ExportHead *head, ExportFormat format, int *ret_fd)
{
        *run = (Run){ 0 };
        assert_int_equal(export_new(&run->export, s, head, format, run_wake, run), 0);
        assert_int_equal(pipe_writer_new(&run->writer, s->event, &run_source, run, ret_fd), 0);
}

/* Reads slowly, so that the pipe fills. */
static Buffer export_whole(Store *s, const ExportHead *head, ExportFormat format, int *ret_error)
{
        _cleanup_close_ int fd = -EBADF;
        Buffer text = BUFFER_INIT(MIB(512));
        ssize_t n;
        Run run;

        run_begin(&run, s, head, format, &fd);
        assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0); /* for ordinary programs */
        assert_true(fcntl(fd, F_SETFL, O_NONBLOCK) >= 0);
        do {
                char *space;

                while (sd_event_run(s->event, 0) > 0)
                        ;
                assert_int_equal(buffer_reserve(&text, 8000, &space), 0);
                n = read(fd, space, 8000);
                if (n > 0)
                        buffer_advance(&text, n);
                assert_true(n >= 0 || errno == EAGAIN);
        } while (n != 0);
        assert_true(run.closed);
        if (ret_error)
                *ret_error = run.error;
        else
                assert_int_equal(run.error, 0);
        export_free(run.export);
        return text;
}

/* ---- a conversation ---- */

#define ID SD_ID128_MAKE(01, 23, 45, 67, 89, ab, cd, ef, 01, 23, 45, 67, 89, ab, cd, ef)

static ExportHead example_head(void)
{
        return (ExportHead){
                .number = NUMBER,
                .id = ID,
                .title = "A \"title\" with \\ and \xc3\xa4",
                .model = "ollama/llama3:8b",
                .created = UINT64_C(1700000000000000),
                .modified = UINT64_C(1700000001000001),
                .head = 5,
                .archived = true,
        };
}

#define TEXT(s) .content = (char *) (s), .content_size = sizeof(s) - 1

static StoreAttachment example_attachments[] = {
        { (char *) "notes.txt", (char *) "text/plain", (char *) "Hello\n", 6 },
        { (char *) "p.png", (char *) "image/png", (char *) "\x89PNG\r\n\x1a\n\0\1\2", 11 },
        { (char *) "empty", (char *) "text/plain", (char *) "", 0 },
};

static StoreMessage example_messages[] = {
        { .id = 1,
                .role = ROLE_USER,
                .created = 10,
                TEXT("What is \"this\"?\n\ttab"),
                .attachments = example_attachments,
                .n_attachments = 3 },
        { .id = 2,
                .parent = 1,
                .role = ROLE_ASSISTANT,
                .created = 11,
                TEXT("That\xe2\x80\xa8is \xf0\x9f\x98\x80 \x01\x1b[0m \\ /"),
                .reasoning = (char *) "hm",
                .reasoning_size = 2,
                .reason = REASON_STOP,
                .metadata = (char *) "{\"model\":\"a/b\",\"tokens_out\":7,\"rate\":1.5}" },
        { .id = 3,
                .parent = 1,
                .role = ROLE_ASSISTANT,
                .created = 12,
                TEXT(""),
                .reasoning = (char *) "",
                .reason = REASON_CANCELLED },
        { .id = 4, .parent = 2, .role = ROLE_USER, .created = 13, TEXT("More") },
        { .id = 5,
                .parent = 4,
                .role = ROLE_ASSISTANT,
                .created = 14,
                TEXT("</end>"),
                .reasoning = (char *) "",
                .reason = REASON_LENGTH,
                .metadata = (char *) "{}" },
};

typedef struct Fixture {
        Store store;
        ExportHead head;
} Fixture;

static int setup(void **state)
{
        Fixture *f = calloc(1, sizeof *f);

        assert_non_null(f);
        assert_int_equal(sd_event_new(&f->store.event), 0);
        f->store.system = "Be brief.\n";
        f->store.messages = example_messages;
        f->store.n_messages = ELEMENTSOF(example_messages);
        f->head = example_head();
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;

        sd_event_unref(f->store.event);
        free(f);
        return 0;
}

static uint64_t count_up(void *userdata)
{
        return ++*(uint64_t *) userdata;
}

/* Imports the text and exports what came of it, with ids from first + 1 on. */
static Buffer round_trip(const Fixture *f, const Buffer *text, uint64_t first)
{
        Imported imported;
        Buffer again;
        Store store = { .event = f->store.event };
        ExportHead head;

        assert_int_equal(import_text(text->data, text->size, &imported, NULL), 1);
        imported_number(&imported, count_up, &first);
        store.system = imported.system;
        store.messages = imported.messages;
        store.n_messages = imported.n_messages;
        head = (ExportHead){
                .number = NUMBER,
                .id = imported.conversation.id,
                .title = imported.conversation.title,
                .model = imported.conversation.model,
                .created = imported.conversation.created,
                .modified = imported.conversation.modified,
                .head = imported.conversation.head,
                .archived = imported.conversation.archived,
                .hidden = imported.conversation.hidden,
        };
        assert_int_equal(imported.conversation.messages, imported.n_messages);
        again = export_whole(&store, &head, EXPORT_JSONL, NULL);
        imported_done(&imported);
        return again;
}

static void test_round_trip(void **state)
{
        Fixture *f = *state;
        _cleanup_buffer_ Buffer one = export_whole(&f->store, &f->head, EXPORT_JSONL, NULL);
        _cleanup_buffer_ Buffer two = round_trip(f, &one, 0);
        _cleanup_buffer_ Buffer shifted = round_trip(f, &one, 1000);
        _cleanup_buffer_ Buffer three = round_trip(f, &shifted, 0);

        assert_string_equal(two.data, one.data);
        assert_string_not_equal(shifted.data, one.data);
        assert_string_equal(three.data, one.data);
}

static void test_what_is_imported(void **state)
{
        Fixture *f = *state;
        _cleanup_buffer_ Buffer text = export_whole(&f->store, &f->head, EXPORT_JSONL, NULL);
        _cleanup_(imported_done) Imported i = { 0 };

        assert_int_equal(import_text(text.data, text.size, &i, NULL), 1);
        assert_true(sd_id128_equal(i.conversation.id, ID));
        assert_string_equal(i.conversation.title, f->head.title);
        assert_string_equal(i.conversation.model, f->head.model);
        assert_true(i.conversation.archived);
        assert_false(i.conversation.hidden);
        assert_string_equal(i.system, "Be brief.\n");
        assert_int_equal(i.n_messages, 5);
        assert_int_equal(i.messages[4].parent, 4);
        assert_int_equal(i.conversation.head, 5);
        for (size_t n = 0; n < 5; n++) {
                assert_int_equal(i.messages[n].content_size, example_messages[n].content_size);
                assert_memory_equal(i.messages[n].content, example_messages[n].content,
                        example_messages[n].content_size);
                assert_int_equal(i.messages[n].role, example_messages[n].role);
                assert_int_equal(i.messages[n].reason, example_messages[n].reason);
                assert_int_equal(i.messages[n].n_attachments, example_messages[n].n_attachments);
        }
        for (size_t n = 0; n < 3; n++) {
                const StoreAttachment *a = &i.messages[0].attachments[n];

                assert_string_equal(a->name, example_attachments[n].name);
                assert_string_equal(a->type, example_attachments[n].type);
                assert_int_equal(a->size, example_attachments[n].size);
                assert_memory_equal(a->data, example_attachments[n].data, a->size);
        }
}

static void test_no_messages(void **state)
{
        Fixture *f = *state;
        Buffer one, two;

        f->store.n_messages = 0;
        f->head.head = 0;
        one = export_whole(&f->store, &f->head, EXPORT_JSONL, NULL);
        two = round_trip(f, &one, 0);
        assert_string_equal(two.data, one.data);
        buffer_done(&one);
        buffer_done(&two);
}

static void test_json(void **state)
{
        Fixture *f = *state;
        _cleanup_buffer_ Buffer text = export_whole(&f->store, &f->head, EXPORT_JSON, NULL);

        assert_non_null(strstr(text.data,
                "{\"version\":1,\"conversation\":{\"id\":"
                "\"0123456789abcdef0123456789abcdef\""));
        assert_non_null(strstr(text.data,
                "\"attachments\":[{\"name\":\"notes.txt\",\"mime\":"
                "\"text/plain\",\"data\":\"SGVsbG8K\"},{"));
        assert_non_null(strstr(text.data, "\"attachments\":[]},\n{\"id\":3,"));
        assert_string_equal(text.data + text.size - 6, "]}\n]}\n");
}

static void test_markdown(void **state)
{
        static const char expected[] = "# A \"title\" with \\ and \xc3\xa4\n\n"
                                       "2023-11-14 22:13 UTC, conversation "
                                       "0123456789abcdef0123456789abcdef\n"
                                       "\n## System\n\nBe brief.\n\n"
                                       "\n## User\n\n"
                                       "- attached: notes.txt (text/plain, 6 bytes)\n"
                                       "- attached: p.png (image/png, 11 bytes)\n"
                                       "- attached: empty (text/plain, 0 bytes)\n"
                                       "\nWhat is \"this\"?\n\ttab\n"
                                       "\n## Assistant\n\n"
                                       "That\xe2\x80\xa8is \xf0\x9f\x98\x80 \x01\x1b[0m \\ /\n"
                                       "\n## User\n\nMore\n"
                                       "\n## Assistant\n\n</end>\n\n*(length)*\n";
        Fixture *f = *state;
        _cleanup_buffer_ Buffer text = export_whole(&f->store, &f->head, EXPORT_MARKDOWN, NULL);

        assert_string_equal(text.data, expected);
}

/* Many pages, in each format; no more than one is in memory. */
static void test_pages(void **state)
{
        enum { N = 1500 };
        Fixture *f = *state;
        StoreMessage *messages = calloc(N, sizeof *messages);
        Buffer text;

        assert_non_null(messages);
        for (size_t i = 0; i < N; i++)
                messages[i] = (StoreMessage){
                        .id = i + 1,
                        .parent = i,
                        .role = i % 2 ? ROLE_ASSISTANT : ROLE_USER,
                        .reason = i % 2 ? REASON_STOP : REASON_NONE,
                        TEXT("a text that is not very long but long enough to fill a pipe"),
                };
        f->store.messages = messages;
        f->store.n_messages = N;
        f->head.head = N;
        for (ExportFormat format = 0; format < _EXPORT_FORMAT_MAX; format++) {
                size_t n = 0;

                f->store.n_pages = 0;
                text = export_whole(&f->store, &f->head, format, NULL);
                for (const char *p = text.data; (p = strstr(p, "long enough")); p++)
                        n++;
                assert_int_equal(n, N);
                assert_true(f->store.n_pages >= 6);
                assert_true(f->store.largest_page <= 256);
                if (format == EXPORT_JSONL) {
                        _cleanup_buffer_ Buffer again = round_trip(f, &text, 0);

                        assert_string_equal(again.data, text.data);
                }
                buffer_done(&text);
        }
        free(messages);
}

static void test_store_fails(void **state)
{
        Fixture *f = *state;
        Imported i;
        int error;

        f->store.fail = FAILURE_STORE_FAILED;
        for (ExportFormat format = 0; format < _EXPORT_FORMAT_MAX; format++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                _cleanup_buffer_ Buffer text = export_whole(&f->store, &f->head, format, &error);

                assert_int_equal(error, -EIO);
                if (format != EXPORT_JSONL)
                        continue;
                /* What came is seen to be cut off. */
                assert_true(import_text(text.data, text.size, &i, &failure) < 0);
                assert_non_null(strstr(failure_message(&failure), "ends in the middle"));
        }
}

static void test_reader_goes(void **state)
{
        Fixture *f = *state;
        Run run;
        int fd;

        run_begin(&run, &f->store, &f->head, EXPORT_JSONL, &fd);
        safe_close(fd);
        while (!run.closed)
                assert_true(sd_event_run(f->store.event, 10 * USEC_PER_SEC) > 0);
        assert_int_equal(run.error, -EPIPE);
        export_free(run.export);
}

/* Freed while the store is asked: nothing comes any more. */
static void test_freed_early(void **state)
{
        Fixture *f = *state;
        Run run;
        int fd;

        for (unsigned turns = 0; turns < 4; turns++) {
                run_begin(&run, &f->store, &f->head, EXPORT_JSONL, &fd);
                for (unsigned i = 0; i < turns && !run.closed; i++)
                        assert_true(sd_event_run(f->store.event, 0) >= 0);
                pipe_writer_free(run.writer);
                export_free(run.export);
                while (sd_event_run(f->store.event, 0) > 0)
                        ;
                safe_close(fd);
        }
}

/* Lines around and over the size of one read. */
static void test_long_lines(void **state)
{
        static const size_t sizes[] = { 1000, KIB(256) - 1, KIB(256), KIB(256) + 1, KIB(700) };
        Fixture *f = *state;
        StoreMessage m = { .id = 1, .role = ROLE_USER, .created = 1 };

        f->store.messages = &m;
        f->store.n_messages = 1;
        f->head.head = 1;
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                Buffer one, two;

                m.content = malloc(sizes[i]);
                assert_non_null(m.content);
                memset(m.content, 'x', sizes[i]);
                m.content_size = sizes[i];
                one = export_whole(&f->store, &f->head, EXPORT_JSONL, NULL);
                two = round_trip(f, &one, 0);
                assert_int_equal(one.size, two.size);
                assert_memory_equal(one.data, two.data, one.size);
                buffer_done(&one);
                buffer_done(&two);
                free(m.content);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_is_imported, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_messages, setup, teardown),
                cmocka_unit_test_setup_teardown(test_json, setup, teardown),
                cmocka_unit_test_setup_teardown(test_markdown, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
                cmocka_unit_test_setup_teardown(test_store_fails, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reader_goes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_freed_early, setup, teardown),
                cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
        };

        assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
