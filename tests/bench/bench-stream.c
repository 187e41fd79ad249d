/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One stream as fast as it goes, from the question to its last byte of text at the reader, and to
 * its end there, which is told when all of it is on disk and indexed; beside json-c alone on the
 * same lines, parsed and the text looked up. */

#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>

#include "common/buffer.h"
#include "tests/bench/bench.h"
#include "tests/bus/reader.h"

#define FLAT_QUESTION "@tokens=100000"
#define FLAT_ROUNDS   bench_rounds(15, 2)

static void fetch_lines(Harness *h, Buffer *lines)
{
        _cleanup_free_ char *url = NULL, *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        char *place;

        assert_true(asprintf(&url, "http://127.0.0.1:%d/api/chat", h->engine_port) > 0);
        assert_true(asprintf(&path, "%s/lines", h->folder) > 0);
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_return_code(fd, errno);
        (void) bench_run_us((const char *const[]){ "curl", "-sN", "-d",
                                    "{\"model\":\"tiny:latest\",\"messages\":[{\"role\":\"user\","
                                    "\"content\":\"" FLAT_QUESTION "\"}]}",
                                    url, NULL },
                (const char *const[]){ NULL }, fd);
        assert_return_code(fstat(fd, &st), errno);
        assert_return_code(buffer_reserve(lines, (size_t) st.st_size, &place), 0);
        assert_int_equal(pread(fd, place, (size_t) st.st_size, 0), st.st_size);
        buffer_advance(lines, (size_t) st.st_size);
}

/* Bytes of lines a µs, which is MB/s; ret_text: bytes of the text in them. */
static double decode_alone(const Buffer *lines, size_t *ret_text)
{
        json_tokener *tokener = json_tokener_new();
        double before = bench_now_us();

        assert_non_null(tokener);
        *ret_text = 0;
        for (const char *line = lines->data, *end = line + lines->size; line < end;) {
                const char *stop = memchr(line, '\n', (size_t) (end - line));
                json_object *object, *message, *text, *done;

                assert_non_null(stop);
                json_tokener_reset(tokener);
                object = json_tokener_parse_ex(tokener, line, (int) (stop - line));
                assert_true(json_object_object_get_ex(object, "message", &message));
                assert_true(json_object_object_get_ex(message, "content", &text));
                assert_true(json_object_object_get_ex(object, "done", &done));
                *ret_text += (size_t) json_object_get_string_len(text);
                (void) json_object_put(object);
                line = stop + 1;
        }
        before = bench_now_us() - before;
        json_tokener_free(tokener);
        return (double) lines->size / before;
}

/* The reply before is written and indexed after it was told: a durable change waits for that. */
static void settle(Harness *h, sd_bus *bus, const char *conversation)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;

        answer = harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "SetTitle", "s", "Flat out");
}

static void measure(Harness *h, Via via, const char *name, const char *stored_name)
{
        _cleanup_samples_ Samples samples = { 0 }, stored = { 0 }, floor = { 0 };
        _cleanup_buffer_ Buffer lines = BUFFER_INIT(MIB(256));
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);

        fetch_lines(h, &lines);
        for (unsigned i = 0; i < FLAT_ROUNDS; i++) {
                _cleanup_free_ char *conversation = harness_create(h, bus, "test/tiny:latest");
                _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
                const Buffer *text = &reader->text[CHANNEL_CONTENT];
                double before;
                uint64_t reply;
                size_t size;

                settle(h, bus, conversation);
                samples_add(&floor, decode_alone(&lines, &size));
                before = bench_now_us();
                reply = harness_send(h, bus, conversation, FLAT_QUESTION);
                harness_run_until(h, text->size == size);
                samples_add(&samples, (double) lines.size / (bench_now_us() - before));
                assert_string_equal(reader_wait(reader, reply), "stop");
                samples_add(&stored, (double) lines.size / (bench_now_us() - before));
                assert_int_equal(text->size, size);
        }
        bench_print(name, "MB/s", &samples, &floor);
        bench_print(stored_name, "MB/s", &stored, &floor);
}

/* What stays when all was written and the client has gone, which is when memory is given back. */
static void measure_rest(Harness *h)
{
        uint64_t before = UINT64_MAX;
        Memory memory = { 0 };

        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_PRIVATE);
                _cleanup_free_ char *conversation = harness_create(h, bus, "test/tiny:latest");

                settle(h, bus, conversation);
        }
        while (memory.private_dirty < before) {
                _unused_ _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

                before = memory.private_dirty > 0 ? memory.private_dirty : before;
                harness_memory(h, &memory);
        }
        bench_print_one("stream-private-dirty", "KiB", (double) memory.private_dirty / 1024);
}

int main(void)
{
        Harness *h = bench_begin();

        harness_start_engine(h, "ollama", "", NULL);
        bench_start(h);
        measure(h, VIA_SESSION, "stream-flat-session", "stream-flat-session-stored");
        measure(h, VIA_PRIVATE, "stream-flat-private", "stream-flat-private-stored");
        measure_rest(h);
        bench_end(h);
        return EXIT_SUCCESS;
}
