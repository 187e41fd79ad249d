/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One stream as fast as it goes, beside json-c alone on the same lines. */

#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>

#include "common/buffer.h"
#include "tests/bench/bench.h"
#include "tests/bus/reader.h"

#define FLAT_QUESTION "@tokens=100000"
#define FLAT_ROUNDS   5U

static void fetch_lines(Harness *h, Buffer *lines)
{
        _cleanup_free_ char *url = NULL, *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        char *place;

        assert_true(asprintf(&url, "http://127.0.0.1:%d/api/chat", h->engine_port) > 0);
        assert_true(asprintf(&path, "%s/lines", h->folder) > 0);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
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

/* Megabytes of lines a second. */
static double decode_alone(const Buffer *lines)
{
        json_tokener *tokener = json_tokener_new();
        double before = bench_now_us();

        assert_non_null(tokener);
        for (const char *line = lines->data, *end = line + lines->size; line < end;) {
                const char *stop = memchr(line, '\n', (size_t) (end - line));
                json_object *object;

                assert_non_null(stop);
                json_tokener_reset(tokener);
                object = json_tokener_parse_ex(tokener, line, (int) (stop - line));
                assert_non_null(object);
                (void) json_object_put(object);
                line = stop + 1;
        }
        before = bench_now_us() - before;
        json_tokener_free(tokener);
        return (double) lines->size / before;
}

static void measure(Harness *h, Via via, const char *name)
{
        _cleanup_samples_ Samples samples = { 0 }, floor = { 0 };
        _cleanup_buffer_ Buffer lines = BUFFER_INIT(MIB(256));
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);

        fetch_lines(h, &lines);
        for (unsigned i = 0; i < FLAT_ROUNDS; i++) {
                _cleanup_free_ char *conversation = harness_create(h, bus, "test/tiny:latest");
                _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);
                double before;
                uint64_t reply;

                samples_add(&floor, decode_alone(&lines));
                before = bench_now_us();
                reply = harness_send(h, bus, conversation, FLAT_QUESTION);
                assert_string_equal(reader_wait(reader, reply), "stop");
                samples_add(&samples, (double) lines.size / (bench_now_us() - before));
        }
        bench_print(name, "MB/s", &samples, &floor);
}

int main(void)
{
        Harness *h = bench_begin();

        harness_start_engine(h, "ollama", "", NULL);
        bench_start(h);
        measure(h, VIA_SESSION, "stream-flat-session");
        measure(h, VIA_PRIVATE, "stream-flat-private");
        bench_end(h);
        return EXIT_SUCCESS;
}
