/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The repair of a stream: any split gives the same text; it is valid, and the bus sends it; valid
 * text stays as it is. */

#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

static void run(FuzzCut cut, uint32_t seed, const char *data, size_t size, Buffer *out)
{
        Utf8Repair repair = { 0 };

        while (size > 0) {
                size_t n = fuzz_piece(cut, &seed, size);

                CHECK(utf8_repair(&repair, data, n, out) == 0);
                CHECK(utf8_is_valid(buffer_text(out), out->size));
                data += n;
                size -= n;
        }
        CHECK(utf8_repair_flush(&repair, out) == 0);
        CHECK(utf8_is_valid(buffer_text(out), out->size));
}

static void check_cuts(const char *text, size_t size, size_t maximum)
{
        _cleanup_free_ char *line = NULL;
        size_t valid = utf8_valid_prefix(text, size), n;

        CHECK(valid <= size && utf8_is_valid(text, valid));
        CHECK(utf8_is_valid(text, size) == (valid == size));
        n = utf8_cut(text, valid, maximum);
        CHECK(n <= valid && n <= maximum && utf8_is_valid(text, n));
        CHECK(n == valid || n + 4 > maximum);

        CHECK(utf8_sanitize_line(text, size, maximum, &line) >= 0);
        CHECK(strlen(line) <= maximum && utf8_is_clean_line(line, strlen(line)));
}

static sd_bus *bus;

static void close_bus(void)
{
        bus = sd_bus_close_unref(bus);
}

static void open_bus(void)
{
        int fds[2];

        if (bus)
                return;
        CHECK(atexit(close_bus) == 0);
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) >= 0);
        CHECK(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fds[0], fds[0]) >= 0);
        CHECK(sd_bus_start(bus) >= 0);
        (void) close(fds[1]);
}

static void check_bus_takes(const char *text)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        open_bus();
        CHECK(sd_bus_message_new_signal(bus, &m, "/a", "org.example", "Text") >= 0);
        CHECK(sd_bus_message_append_basic(m, 's', text) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        uint32_t seed = fuzz_u16(&in);
        size_t n;
        const char *text = fuzz_bytes(&in, SIZE_MAX, &n);
        _cleanup_buffer_ Buffer whole = BUFFER_INIT(MIB(64));

        run(FUZZ_WHOLE, seed, text, n, &whole);
        for (FuzzCut cut = FUZZ_BYTES; cut < _FUZZ_CUT_MAX; cut++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(MIB(64));

                run(cut, seed, text, n, &out);
                CHECK_SAME(&whole, &out);
        }
        if (utf8_is_valid(text, n))
                CHECK(whole.size == n && (n == 0 || memcmp(whole.data, text, n) == 0));
        check_bus_takes(buffer_text(&whole));
        check_cuts(text, n, seed % 300);
        return 0;
}
