/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The a{sv} of a call, once as any bytes that came through a socket and once of values of all
 * types: what is taken is of the type asked for, what is refused names a reason. The first byte
 * decides. */

#include <sys/socket.h>

#include "common/utf8.h"
#include "service/bus/options.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX KIB(4)

typedef struct Wire {
        sd_bus *bus;
        int peer;
        sd_bus_message *received;
} Wire;

static Wire wire = { .peer = -EBADF };

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Wire *w = userdata;

        sd_bus_message_unref(w->received);
        w->received = sd_bus_message_ref(m);
        return 1;
}

static void wire_close(void)
{
        wire.received = sd_bus_message_unref(wire.received);
        wire.bus = sd_bus_close_unref(wire.bus);
        wire.peer = safe_close(wire.peer);
}

/* A bus whose other end is ours, past the greeting. */
static void wire_open(void)
{
        static const char greeting[] = "OK 00112233445566778899aabbccddeeff\r\nAGREE_UNIX_FD\r\n";
        static bool registered;
        char said[256];
        int fds[2];

        if (wire.bus)
                return;
        if (!registered)
                CHECK(atexit(wire_close) == 0);
        registered = true;
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) >= 0);
        wire.peer = fds[1];
        CHECK(sd_bus_new(&wire.bus) >= 0);
        CHECK(sd_bus_set_fd(wire.bus, fds[0], fds[0]) >= 0);
        CHECK(sd_bus_set_anonymous(wire.bus, true) >= 0);
        CHECK(sd_bus_add_filter(wire.bus, NULL, on_message, &wire) >= 0);
        CHECK(sd_bus_start(wire.bus) >= 0);
        CHECK(write(wire.peer, greeting, strlen(greeting)) == (ssize_t) strlen(greeting));
        while (!sd_bus_is_ready(wire.bus))
                CHECK(sd_bus_process(wire.bus, NULL) >= 0);
        while (read(wire.peer, said, sizeof said) > 0)
                ;
}

static void put_u32(Buffer *b, uint32_t value)
{
        fuzz_append(b, &value, sizeof value);
}

static void pad(Buffer *b, size_t to)
{
        while (b->size % to != 0)
                fuzz_append(b, "", 1);
}

/* A field of a message's header. */
static void put_field(Buffer *b, uint8_t code, char type, const char *value)
{
        char signature[] = { 1, type, 0 };

        pad(b, 8);
        fuzz_append(b, &code, 1);
        fuzz_append(b, signature, 3);
        if (type == 'g') {
                uint8_t n = (uint8_t) strlen(value);

                fuzz_append(b, &n, 1);
        } else
                put_u32(b, (uint32_t) strlen(value));
        fuzz_append(b, value, strlen(value) + 1);
}

/* The message as a caller may send it: its body is the input. NULL: the library refused it. */
static sd_bus_message *message_of_bytes(FuzzInput *in)
{
        _cleanup_buffer_ Buffer fields = BUFFER_INIT(KIB(4)), all = BUFFER_INIT(KIB(16));
        size_t n;
        const char *body = fuzz_bytes(in, BODY_MAX, &n);
        const bool little = *(const uint8_t *) &(const uint16_t){ 1 };
        static uint32_t serial;
        int r;

        wire_open();
        put_field(&fields, 1, 'o', "/a");
        put_field(&fields, 2, 's', "org.example");
        put_field(&fields, 3, 's', "Call");
        put_field(&fields, 8, 'g', "a{sv}");
        fuzz_append(&all, little ? "l\1\0\1" : "B\1\0\1", 4);
        put_u32(&all, (uint32_t) n);
        put_u32(&all, ++serial == 0 ? ++serial : serial);
        put_u32(&all, (uint32_t) fields.size);
        fuzz_append(&all, fields.data, fields.size);
        pad(&all, 8);
        fuzz_append(&all, body, n);

        CHECK(write(wire.peer, all.data, all.size) == (ssize_t) all.size);
        while ((r = sd_bus_process(wire.bus, NULL)) > 0)
                ;
        if (r < 0 || !sd_bus_is_open(wire.bus)) {
                wire_close();
                return NULL;
        }
        return TAKE_PTR(wire.received);
}

/* A basic value, in 64 bits that suffice for each. */
static void append_basic(sd_bus_message *m, char type, FuzzInput *in)
{
        static const char *const paths[] = { "/", "/a/b", "/org/aiway/Conductor1" };
        uint64_t number;

        if (type == 's' || type == 'g') {
                size_t n;
                const char *text = fuzz_text(in, type == 's' ? fuzz_byte(in) : 0, &n);
                _cleanup_free_ char *copy = strndup(text, n);

                CHECK(copy && sd_bus_message_append_basic(m, type, copy) >= 0);
                return;
        }
        if (type == 'o') {
                CHECK(sd_bus_message_append_basic(m, 'o', paths[fuzz_byte(in) % 3]) >= 0);
                return;
        }
        if (type == 'b') {
                CHECK(sd_bus_message_append_basic(m, 'b', &(int){ fuzz_byte(in) & 1 }) >= 0);
                return;
        }
        number = fuzz_u64(in);
        CHECK(sd_bus_message_append_basic(m, type, &number) >= 0);
}

static void append_value(sd_bus_message *m, FuzzInput *in, unsigned depth)
{
        static const char *const types[] = { "s", "o", "b", "u", "t", "ay", "v", "as", "a{sv}",
                "(su)", "d", "g", "y", "x" };
        const char *type = depth < 4 ? types[fuzz_byte(in) % ELEMENTSOF(types)] : "b";

        CHECK(sd_bus_message_open_container(m, 'v', type) >= 0);
        if (streq(type, "v"))
                append_value(m, in, depth + 1);
        else if (streq(type, "ay")) {
                size_t n;
                const char *bytes = fuzz_bytes(in, fuzz_byte(in), &n);

                CHECK(sd_bus_message_append_array(m, 'y', bytes, n) >= 0);
        } else if (streq(type, "as") || streq(type, "a{sv}"))
                CHECK(sd_bus_message_append(m, type, 0) >= 0);
        else if (streq(type, "(su)"))
                CHECK(sd_bus_message_append(m, type, "x", 1) >= 0);
        else
                append_basic(m, *type, in);
        CHECK(sd_bus_message_close_container(m) >= 0);
}

static sd_bus_message *message_of_values(FuzzInput *in)
{
        static const char *const keys[] = { "text", "path", "flag", "number", "large", "bytes" };
        sd_bus_message *m = NULL;

        wire_open();
        CHECK(sd_bus_message_new_method_call(wire.bus, &m, NULL, "/a", "org.example", "Call") >= 0);
        CHECK(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        while (in->size > 0) {
                _cleanup_free_ char *key = NULL;
                unsigned choice = fuzz_byte(in);
                size_t n;
                const char *text = fuzz_text(in, choice < 0xe0 ? 0 : choice, &n);

                key = choice < 0xe0 ? strdup(keys[choice % ELEMENTSOF(keys)]) : strndup(text, n);
                CHECK(key && sd_bus_message_open_container(m, 'e', "sv") >= 0);
                CHECK(sd_bus_message_append_basic(m, 's', key) >= 0);
                append_value(m, in, 0);
                CHECK(sd_bus_message_close_container(m) >= 0);
        }
        CHECK(sd_bus_message_close_container(m) >= 0);
        CHECK(sd_bus_message_seal(m, 1, 0) >= 0);
        CHECK(sd_bus_message_rewind(m, 1) >= 0);
        return m;
}

static unsigned n_parsed;

static int parse_bytes(sd_bus_message *m, void *value, sd_bus_error *error)
{
        const void *data;

        n_parsed++;

        return sd_bus_message_read_array(m, 'y', &data, value);
}

/* is_whole: it is a dictionary. */
static void read_message(sd_bus_message *m, bool is_whole)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *text = "", *path = "/";
        bool flag = false, given = false;
        uint32_t number = 0;
        uint64_t large = 0;
        size_t bytes = 0;
        const BusOption options[] = {
                { "text", "s", &text, &given },
                { "path", "o", &path },
                { "flag", "b", &flag },
                { "number", "u", &number },
                { "large", "t", &large },
                { "bytes", "ay", &bytes, NULL, parse_bytes },
        };
        int r;

        n_parsed = 0;
        r = bus_read_options(m, options, ELEMENTSOF(options), &error);
        CHECK(!sd_bus_error_is_set(&error) || r < 0);
        /* Without an error of ours the library refused bytes that are no dictionary. */
        if (sd_bus_error_is_set(&error))
                CHECK(*error.message && utf8_is_valid(error.message, strlen(error.message)));
        else if (is_whole)
                CHECK(r >= 0);
        else
                CHECK(r >= 0 || r == -EBADMSG || r == -EBUSY || r == -EINVAL || r == -ENXIO);
        CHECK(n_parsed <= 1);
        if (r < 0)
                return;
        CHECK(utf8_is_valid(text, strlen(text)) && path[0] == '/' && bytes <= BODY_MAX);
        CHECK(given || !*text);
        CHECK(sd_bus_message_at_end(m, true) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, MIN(size, BODY_MAX) };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        bool is_whole;

        is_whole = !(fuzz_byte(&in) & 1);
        m = is_whole ? message_of_values(&in) : message_of_bytes(&in);
        if (m)
                read_message(m, is_whole);
        return 0;
}
