/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Export through a real pipe, out of a store of the test's own that answers from the loop; and what
 * import makes of it. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "service/conversation/export.h"
#include "service/conversation/import.h"
#include "service/conversation/pipe-writer.h"

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

/* ---- import ---- */

static int new_file(const char *text, size_t size)
{
        int fd = memfd_create("test-import", MFD_CLOEXEC);

        assert_true(fd >= 0);
        for (size_t at = 0; at < size;) {
                ssize_t n = write(fd, text + at, size - at);

                assert_true(n > 0);
                at += n;
        }
        return fd;
}

static int import_text(const char *text, size_t size, Imported *ret, Failure *failure)
{
        _cleanup_(import_freep) Import *i = NULL;
        int r;

        assert_int_equal(import_new(&i, new_file(text, size), failure), 0);
        r = import_next(i, ret, failure);
        if (r > 0) {
                Imported more;

                assert_int_equal(import_next(i, &more, failure), 0);
        }
        return r;
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

/* ---- bad imports ---- */

#define C \
        "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\"," \
        "\"title\":\"t\",\"created\":1,\"modified\":2,\"head\":0}\n"
#define M1 \
        "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"user\",\"created\":1,\"content\":\"a\"}\n"
#define END0 "{\"type\":\"end\",\"messages\":0}\n"
#define END1 "{\"type\":\"end\",\"messages\":1}\n"

static const struct {
        const char *text, *message;
        FailureCode code; /* NONE = INVALID_ARGUMENT */
} bad[] = {
        { "garbage", "Line 1: This is no JSON object" },
        { "[1]", "Line 1: This is no JSON object" },
        { "\xff\xfe", "Line 1: This is no JSON object" },
        { "{\"type\":\"conversation\"", "Line 1: This is no JSON object" },
        { "{\"type\":3}", "Line 1: \"type\" is missing" },
        { "{\"a\":3}", "Line 1: \"type\" is missing" },
        { "# A title\n", "Only jsonl exports" },
        { "{\"version\":1,\"conversation\":{},\n\"messages\":[]}", "Line 1: This is no JSON" },
        { "\n\n{\"type\":\"song\"}", "Line 3: \"type\" is none" },
        { M1, "Line 1: A conversation must begin" },
        { END0, "Line 1: A conversation must begin" },
        { C, "ends in the middle of a conversation, after line 1" },
        { C M1, "ends in the middle of a conversation, after line 2" },
        { C C, "Line 2: A conversation begins before" },
        { C END1, "Line 2: The conversation should have 1 messages; 0 came" },
        { C M1 END0, "Line 3: The conversation should have 0 messages; 1 came" },
        { C M1 M1 END1, "Line 3: The messages' ids must increase" },
        { C "{\"type\":\"end\"}", "Line 2: \"messages\" is missing" },
        { C "{\"type\":\"end\",\"messages\":-1}", "Line 2: \"messages\" must be a whole number" },
        { C "{\"type\":\"end\",\"messages\":0.5}", "Line 2: \"messages\" must be a whole number" },
        { "{\"type\":\"conversation\",\"version\":2}", "version 2 of the format",
                FAILURE_NOT_SUPPORTED },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"xyz\"}", "must be 32 hex digits" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"00000000000000000000000000000000\"}",
                "must be 32 hex digits" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"title\":\"a\\nb\"}",
                "\"title\" has characters" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"title\":7}",
                "\"title\" must be a string" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"created\":1,\"modified\":2,\"head\":0,\"archived\":1}",
                "\"archived\" must be true or false" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"created\":1,\"modified\":99999999999999999999,\"head\":0}",
                "\"modified\" must be a whole number" },
        { "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\","
          "\"created\":1,\"modified\":2,\"head\":9}\n" M1 END1,
                "Line 3: The conversation's head is none of its messages" },
        { C "{\"type\":\"message\",\"id\":0,\"parent\":0}", "Line 2: The messages' ids" },
        { C "{\"type\":\"message\",\"id\":2,\"parent\":2}", "Line 2: The parent 2 is no message" },
        { C M1 "{\"type\":\"message\",\"id\":3,\"parent\":2}",
                "Line 3: The parent 2 is no message" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"king\"}", "\"role\" is none" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0}", "\"role\" must be a string" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"user\",\"created\":1}",
                "\"content\" is missing" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"user\",\"created\":1,"
            "\"content\":\"a\\u0000b\"}",
                "\"content\" has characters" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"assistant\",\"created\":1,"
            "\"content\":\"\",\"reason\":\"boredom\"}",
                "\"reason\" is none that is known" },
        { C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"assistant\",\"created\":1,"
            "\"content\":\"\",\"reason\":\"stop\",\"metadata\":[]}",
                "\"metadata\" must be an object" },
        { C "{\"type\":\"attachment\",\"message\":1}", "Line 2: An attachment belongs to" },
        { C M1 "{\"type\":\"attachment\",\"message\":2}", "Line 3: An attachment belongs to" },
        { C M1 "{\"type\":\"attachment\",\"message\":1,\"name\":\"../x\",\"data\":\"\"}",
                "\"name\" is no name of an attachment" },
        { C M1 "{\"type\":\"attachment\",\"message\":1,\"name\":\"x\"}", "\"data\" must be a" },
        { C M1 "{\"type\":\"attachment\",\"message\":1,\"name\":\"x\",\"data\":\"A\"}",
                "\"data\" is no base64" },
};

static void test_bad_imports(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                Imported imported;

                assert_true(import_text(bad[i].text, strlen(bad[i].text), &imported, &failure) < 0);
                if (!strstr(failure_message(&failure), bad[i].message))
                        fail_msg("%zu: \"%s\" instead of \"%s\"", i, failure_message(&failure),
                                bad[i].message);
                assert_int_equal(failure.code,
                        bad[i].code == FAILURE_NONE ? FAILURE_INVALID_ARGUMENT : bad[i].code);
        }
}

/* A good file, cut anywhere: never imported, never anything worse. */
static void test_cut_anywhere(void **state)
{
        static const char good[] = C M1 END1;
        Imported imported;

        for (size_t n = 1; n + 1 < sizeof good - 1; n++)
                assert_true(import_text(good, n, &imported, NULL) < 0);
        /* The last line's end may be missing. */
        assert_int_equal(import_text(good, sizeof good - 2, &imported, NULL), 1);
        imported_done(&imported);
}

static void test_good_oddities(void **state)
{
        static const char *const table[] = {
                C END0, "\n\n" C "\n" END0 "\n\n",
                "{\"type\":\"conversation\",\"version\":1,"
                "\"id\":\"0123456789ABCDEF0123456789abcdef\",\"created\":1,\"modified\":2,"
                "\"head\":0,\"from the future\":{}}\r\n{\"type\":\"end\",\"messages\":0}\r\n",
                C M1 END1, /* no head: the newest */
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Imported imported;

                assert_int_equal(import_text(table[i], strlen(table[i]), &imported, NULL), 1);
                assert_int_equal(imported.conversation.head, imported.n_messages);
                imported_done(&imported);
        }
}

static void test_many_in_one_file(void **state)
{
        static const char text[] = C END0 C M1 END1 C M1 END0;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(import_freep) Import *i = NULL;
        Imported imported;

        assert_int_equal(import_new(&i, new_file(text, sizeof text - 1), NULL), 0);
        for (unsigned n = 0; n < 2; n++) {
                assert_int_equal(import_next(i, &imported, &failure), 1);
                assert_int_equal(imported.n_messages, n);
                imported_done(&imported);
        }
        assert_true(import_next(i, &imported, &failure) < 0);
        assert_non_null(strstr(failure_message(&failure), "Line 8:"));

        i = import_free(i);
        assert_int_equal(import_new(&i, new_file("", 0), NULL), 0);
        assert_int_equal(import_next(i, &imported, NULL), 0);
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

/* A limit, and one over: what comes before and after the part that grows. */
static void check_limit(const char *before, char fill, size_t limit, const char *after)
{
        for (size_t over = 0; over < 2; over++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(100));
                Imported imported;
                char *space;
                int r;

                assert_int_equal(buffer_append_string(&b, before), 0);
                assert_int_equal(buffer_reserve(&b, limit + over, &space), 0);
                memset(space, fill, limit + over);
                buffer_advance(&b, limit + over);
                assert_int_equal(buffer_append_string(&b, after), 0);
                r = import_text(b.data, b.size, &imported, &failure);
                if (over == 0) {
                        assert_int_equal(r, 1);
                        imported_done(&imported);
                } else {
                        assert_true(r < 0);
                        assert_int_equal(failure.code, FAILURE_TOO_LARGE);
                }
        }
}

static void test_limits(void **state)
{
        check_limit("{\"type\":\"conversation\",\"version\":1,"
                    "\"id\":\"0123456789abcdef0123456789abcdef\",\"title\":\"",
                't', 256, "\",\"created\":1,\"modified\":2,\"head\":0}\n" END0);
        check_limit(C "{\"type\":\"message\",\"id\":1,\"parent\":0,\"role\":\"user\",\"created\":1,"
                      "\"content\":\"",
                'x', MIB(16), "\"}\n" END1);
}

/* A file of that many lines, the same ones but for their numbers, is refused in that line. */
static void check_size(size_t line_size, unsigned n, FailureCode code, const char *sentence)
{
        _cleanup_free_ char *text = malloc(line_size);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(import_freep) Import *i = NULL;
        Imported imported;
        int fd = memfd_create("test-export", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_non_null(text);
        memset(text, 'x', line_size);
        assert_true(dprintf(fd, "%s", C) > 0);
        for (unsigned k = 1; k <= n; k++) {
                assert_true(dprintf(fd,
                                    "{\"type\":\"message\",\"id\":%u,\"parent\":0,"
                                    "\"role\":\"user\",\"created\":1,\"content\":\"",
                                    k) > 0);
                assert_int_equal(write(fd, text, line_size), line_size);
                assert_true(dprintf(fd, "\"}\n") > 0);
        }
        assert_true(dprintf(fd, "{\"type\":\"end\",\"messages\":%u}\n", n) > 0);
        assert_int_equal(import_new(&i, fd, NULL), 0);
        assert_int_equal(import_next(i, &imported, &failure) >= 0, code == FAILURE_NONE);
        assert_int_equal(failure.code, code);
        if (code == FAILURE_NONE)
                imported_done(&imported);
        else
                assert_non_null(strstr(failure_message(&failure), sentence));
}

/* What is in memory at once, of a line and of a conversation. */
static void test_size_limits(void **state)
{
        check_size(MIB(16), 15, FAILURE_NONE, "");
        check_size(MIB(16), 16, FAILURE_TOO_LARGE, "Line 17: The conversation is larger than 256");
        check_size(IMPORT_LINE_MAX + MIB(1), 1, FAILURE_TOO_LARGE, "Line 2 is longer than");
}

static void test_attachments_limit(void **state)
{
        for (unsigned n = 16; n <= 17; n++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;
                _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
                Imported imported;
                int r;

                assert_int_equal(buffer_append_string(&b, C M1), 0);
                for (unsigned i = 0; i < n; i++)
                        assert_int_equal(buffer_append_string(&b,
                                                 "{\"type\":\"attachment\",\"message\":1,\"name\":"
                                                 "\"x\",\"data\":\"QQ==\"}\n"),
                                0);
                assert_int_equal(buffer_append_string(&b, END1), 0);
                r = import_text(b.data, b.size, &imported, &failure);
                if (n == 16) {
                        assert_int_equal(r, 1);
                        assert_int_equal(imported.messages[0].n_attachments, 16);
                        imported_done(&imported);
                } else
                        assert_int_equal(failure.code, FAILURE_TOO_LARGE);
        }
}

static void test_only_files(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Import *i;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_true(import_new(&i, fds[0], &failure) < 0);
        assert_int_equal(failure.code, FAILURE_INVALID_ARGUMENT);
        safe_close(fds[0]);
        safe_close(fds[1]);
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
                cmocka_unit_test(test_bad_imports),
                cmocka_unit_test(test_cut_anywhere),
                cmocka_unit_test(test_good_oddities),
                cmocka_unit_test(test_many_in_one_file),
                cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_size_limits),
                cmocka_unit_test(test_attachments_limit),
                cmocka_unit_test(test_only_files),
        };

        assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
