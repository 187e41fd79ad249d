/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The private socket, where no broker looks at messages first: conversations that end anywhere,
 * bytes that are not what they were, bodies that are not what their signature says. */

#include <sys/socket.h>

#include "common/buffer.h"
#include "tests/bus/attack.h"

#define GROWTH_MAX MIB(16)

#define AUTHENTICATION "\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"

/* ---- messages by hand: sd-bus makes no wrong ones ---- */

typedef struct Wire {
        Buffer bytes;
} Wire;

static void put(Buffer *b, const void *data, size_t size)
{
        assert_return_code(buffer_append(b, data, size), 0);
}

static void put_u32(Buffer *b, uint32_t n)
{
        put(b, &n, sizeof n);
}

static void align(Buffer *b, size_t from, size_t to)
{
        while ((b->size - from) % to != 0)
                put(b, "", 1);
}

static void put_string(Buffer *b, const char *s)
{
        put_u32(b, (uint32_t) strlen(s));
        put(b, s, strlen(s) + 1);
}

static void put_signature(Buffer *b, const char *s)
{
        uint8_t n = (uint8_t) strlen(s);

        put(b, &n, 1);
        put(b, s, n + 1U);
}

static void put_field(Buffer *b, size_t from, uint8_t code, const char *type, const char *value)
{
        align(b, from, 8);
        put(b, &code, 1);
        put_signature(b, type);
        if (*type == 'g')
                put_signature(b, value);
        else {
                align(b, from, 4);
                put_string(b, value);
        }
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE 'l'
#else
#define NATIVE 'B'
#endif

typedef struct Method {
        const char *path, *interface, *member, *signature;
} Method;

static void put_call(Buffer *b, uint32_t serial, const Method *m, const Buffer *body)
{
        const uint8_t head[] = { NATIVE, 1, 0, 1 };
        size_t from = b->size, fields;
        uint32_t size;

        put(b, head, sizeof head);
        put_u32(b, (uint32_t) body->size);
        put_u32(b, serial);
        put_u32(b, 0);
        fields = b->size;
        put_field(b, from, 1, "o", m->path);
        put_field(b, from, 6, "s", BUS_NAME);
        put_field(b, from, 2, "s", m->interface);
        put_field(b, from, 3, "s", m->member);
        if (*m->signature)
                put_field(b, from, 8, "g", m->signature);
        size = (uint32_t) (b->size - fields);
        memcpy(b->data + fields - sizeof size, &size, sizeof size);
        align(b, from, 8);
        put(b, buffer_text(body), body->size);
}

/* {"title": "words", "private": true} */
static void put_options(Buffer *b)
{
        size_t length, from;
        uint32_t size;

        length = b->size;
        put_u32(b, 0);
        align(b, 0, 8);
        from = b->size;
        put_string(b, "title");
        put_signature(b, "s");
        align(b, 0, 4);
        put_string(b, "words");
        align(b, 0, 8);
        put_string(b, "private");
        put_signature(b, "b");
        align(b, 0, 4);
        put_u32(b, 1);
        size = (uint32_t) (b->size - from);
        memcpy(b->data + length, &size, sizeof size);
}

static const Method create = { PATH_ROOT, INTERFACE_MANAGER, "CreateConversation", "a{sv}" };

/* Authentication, Hello (which other programs say), a call with a body. */
static void put_conversation(Buffer *b)
{
        static const Method hello = { "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello",
                "" };
        _cleanup_buffer_ Buffer none = BUFFER_INIT(1), body = BUFFER_INIT(KIB(4));

        put(b, AUTHENTICATION, sizeof AUTHENTICATION - 1);
        put_call(b, 1, &hello, &none);
        put_options(&body);
        put_call(b, 2, &create, &body);
}

/* ---- what comes back ---- */

typedef struct Raw {
        int fd;
        Buffer in;
        bool begun; /* the authentication's lines are read */
} Raw;

static void raw_done(Raw *r)
{
        r->fd = safe_close(r->fd);
        buffer_done(&r->in);
}

static Raw raw_open(const Harness *h)
{
        return (Raw){ .fd = attack_raw_connect(h->socket), .in = BUFFER_INIT(MIB(32)) };
}

/* Whether it could be said: the other side may have hung up before the end. */
static bool raw_say(Raw *r, const void *data, size_t size)
{
        while (size > 0) {
                ssize_t n = send(r->fd, data, size, MSG_NOSIGNAL);

                if (n < 0)
                        return false;
                data = (const char *) data + n;
                size -= (size_t) n;
        }
        return true;
}

/* One more piece; false at the end. Waiting for longer than patience is a failure. */
static bool raw_hear(Raw *r)
{
        char *place;
        ssize_t n;

        assert_return_code(buffer_reserve(&r->in, KIB(16), &place), 0);
        n = recv(r->fd, place, KIB(16), 0);
        if (n < 0 && errno == ECONNRESET)
                return false;
        assert_return_code(n, errno);
        buffer_advance(&r->in, (size_t) n);
        return n > 0;
}

static uint32_t number_at(const char *data)
{
        uint32_t n;

        memcpy(&n, data, sizeof n);
        return n;
}

/* The size of the message that begins here, 0 while it is not whole. */
static size_t message_size(const char *data, size_t size)
{
        size_t whole;

        if (size < 16)
                return 0;
        assert_int_equal(data[0], NATIVE);
        whole = 16 + ((number_at(data + 12) + 7U) & ~7U) + number_at(data + 4);
        return whole <= size ? whole : 0;
}

/* An error's name is the field 4, "s"; looked for as it stands. */
static const char *error_name(const char *data, size_t size)
{
        static const char field[] = { 4, 1, 's', 0 };
        const char *at = memmem(data, size, field, sizeof field);

        return at && at + 9 < data + size ? at + 8 : "";
}

typedef enum Answer { ANSWER_NONE, ANSWER_RETURN, ANSWER_ERROR } Answer;

/* Takes the next message out of what was heard; ANSWER_NONE when there is none whole. */
static Answer raw_take(Raw *r, uint32_t *ret_serial)
{
        for (size_t size; (size = message_size(r->in.data, r->in.size)) > 0;) {
                static const char serial[] = { 5, 1, 'u', 0 };
                const char *at = memmem(r->in.data, size, serial, sizeof serial);
                uint8_t type = (uint8_t) r->in.data[1];

                if (type == 3 && !attack_error_is_named(error_name(r->in.data, size)))
                        fail_msg("an error that is nobody's: %s", error_name(r->in.data, size));
                if (at && ret_serial)
                        *ret_serial = number_at(at + 4);
                buffer_consume(&r->in, size);
                if (type == 2 || type == 3)
                        return type == 2 ? ANSWER_RETURN : ANSWER_ERROR;
        }
        return ANSWER_NONE;
}

/* Past the lines of the authentication, of which the last is AGREE_UNIX_FD. */
static bool raw_begin(Raw *r)
{
        static const char last[] = "AGREE_UNIX_FD\r\n";

        if (!raw_say(r, AUTHENTICATION, sizeof AUTHENTICATION - 1))
                return false;
        for (;;) {
                const char *at = memmem(buffer_text(&r->in), r->in.size, last, sizeof last - 1);

                if (at) {
                        buffer_consume(&r->in, (size_t) (at - r->in.data) + sizeof last - 1);
                        return true;
                }
                if (!raw_hear(r))
                        return false;
        }
}

/* ---- it ends anywhere ---- */

static void test_cut(void **state)
{
        Harness *h = *state;
        _cleanup_buffer_ Buffer whole = BUFFER_INIT(KIB(16));
        Attack a;

        attack_begin(&a, h);
        put_conversation(&whole);
        for (size_t n = 0; n <= whole.size; n++) {
                Raw gone = raw_open(h), waits = raw_open(h);

                /* One is gone at once; the other hears whatever is to be heard. */
                (void) raw_say(&gone, whole.data, n);
                raw_done(&gone);
                assert_true(raw_say(&waits, whole.data, n));
                assert_return_code(shutdown(waits.fd, SHUT_WR), errno);
                while (raw_hear(&waits))
                        ;
                raw_done(&waits);
        }
        attack_end(&a, GROWTH_MAX, "a conversation on the private socket cut after each byte",
                (unsigned) whole.size + 1);
}

/* In pieces of one byte it is a conversation as any other. */
static void test_bytewise(void **state)
{
        Harness *h = *state;
        _cleanup_buffer_ Buffer whole = BUFFER_INIT(KIB(16));
        unsigned n_answers = 0;
        Raw raw;
        Attack a;

        attack_begin(&a, h);
        put_conversation(&whole);
        raw = raw_open(h);
        for (size_t i = 0; i < whole.size; i++)
                assert_true(raw_say(&raw, whole.data + i, 1));
        while (!memmem(buffer_text(&raw.in), raw.in.size, "AGREE_UNIX_FD\r\n", 15))
                assert_true(raw_hear(&raw));
        buffer_consume(&raw.in,
                (size_t) ((char *) memmem(raw.in.data, raw.in.size, "AGREE_UNIX_FD\r\n", 15) -
                        raw.in.data) +
                        15);
        for (Answer last = ANSWER_NONE; n_answers < 2;) {
                last = raw_take(&raw, NULL);
                if (last == ANSWER_NONE)
                        assert_true(raw_hear(&raw));
                else
                        n_answers++;
                if (n_answers == 2)
                        assert_int_equal(last, ANSWER_RETURN);
        }
        raw_done(&raw);
        attack_end(&a, GROWTH_MAX, "a conversation on the private socket in single bytes", 1);
}

/* ---- each byte is another ---- */

static void say_changed(Harness *h, const Buffer *whole, size_t at, uint8_t to)
{
        _cleanup_buffer_ Buffer changed = BUFFER_INIT(KIB(16));
        Raw raw = raw_open(h);

        put(&changed, whole->data, whole->size);
        changed.data[at] = (char) to;
        (void) raw_say(&raw, changed.data, changed.size);
        (void) shutdown(raw.fd, SHUT_WR);
        while (raw_hear(&raw))
                ;
        if (memmem(buffer_text(&raw.in), raw.in.size, "System.Error.", 13))
                fail_msg("byte %zu as %u: an error that is nobody's", at, to);
        raw_done(&raw);
}

static void test_changed(void **state)
{
        static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
        Harness *h = *state;
        _cleanup_buffer_ Buffer whole = BUFFER_INIT(KIB(16));
        unsigned n = 0;
        Attack a;

        attack_begin(&a, h);
        put_conversation(&whole);
        for (size_t i = 0; i < whole.size; i++) {
                uint8_t was = (uint8_t) whole.data[i];
                size_t n_values = MIN(attack_times(ELEMENTSOF(values)), ELEMENTSOF(values));

                for (size_t k = 0; k < n_values; k++, n++)
                        say_changed(h, &whole, i, values[(i + k) % ELEMENTSOF(values)]);
                say_changed(h, &whole, i, was ^ (uint8_t) (1U << attack_random(&a.seed, 8)));
                say_changed(h, &whole, i, was == 'l' ? 'B' : 'l');
                n += 2;
        }
        attack_end(&a, GROWTH_MAX, "a conversation on the private socket with one byte changed", n);
}

/* ---- lengths that nobody has ---- */

static void test_lengths(void **state)
{
        static const uint32_t lengths[] = { 0, 1, 3, 0x10000, 0x3ffffff, 0x4000000, 0x4000001,
                0x7fffff0, 0x7ffffff, 0x8000000, 0x8000001, 0x7fffffff, 0x80000000, 0xfffffff0,
                0xffffffff };
        Harness *h = *state;
        Raw held[ELEMENTSOF(lengths) * 2];
        unsigned n = 0;
        Memory during;
        Attack a;

        attack_begin(&a, h);
        for (size_t i = 0; i < ELEMENTSOF(lengths); i++)
                for (unsigned of_body = 0; of_body <= 1; of_body++) {
                        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(4));
                        const uint8_t head[] = { NATIVE, 1, 0, 1 };

                        put(&b, head, sizeof head);
                        put_u32(&b, of_body ? lengths[i] : 0);
                        put_u32(&b, 1);
                        put_u32(&b, of_body ? 16 : lengths[i]);
                        put(&b, "\1\1o\0\1\0\0\0/\0", 10);
                        held[n] = raw_open(h);
                        if (raw_begin(&held[n]))
                                (void) raw_say(&held[n], b.data, b.size);
                        n++;
                }
        /* What was only claimed takes no memory. */
        attack_check_served(h);
        harness_memory(h, &during);
        if (harness_can_measure())
                assert_in_range(during.private_dirty, 1, a.before.private_dirty + GROWTH_MAX);
        for (unsigned i = 0; i < n; i++)
                raw_done(&held[i]);
        attack_end(&a, GROWTH_MAX, "messages that claim to have up to 4 GiB", n);
}

/* Much more than any call's limit, without an end; then gone. */
static void test_half_large(void **state)
{
        enum { N = 3 };
        /* Under valgrind, and a sanitizer, each realloc() copies all that was claimed. */
        const unsigned n_parts = harness_can_measure() ? 40 : 4;
        const uint32_t claimed = MIB(100);
        char what[80];
        Harness *h = *state;
        _cleanup_free_ char *part = calloc(1, MIB(1));
        _cleanup_buffer_ Buffer body = BUFFER_INIT(1);
        Attack a;

        assert_non_null(part);
        attack_begin(&a, h);
        for (unsigned i = 0; i < N; i++) {
                _cleanup_buffer_ Buffer call = BUFFER_INIT(KIB(4));
                Raw raw = raw_open(h);

                put_call(&call, 1, &create, &body);
                memcpy(call.data + 4, &claimed, sizeof claimed);
                assert_true(raw_begin(&raw));
                assert_true(raw_say(&raw, call.data, call.size));
                for (unsigned k = 0; k < n_parts; k++)
                        assert_true(raw_say(&raw, part, MIB(1)));
                attack_check_served(h);
                raw_done(&raw);
        }
        (void) snprintf(what, sizeof what, "%u MiB of a message of 100 MiB, then gone", n_parts);
        attack_end(&a, GROWTH_MAX, what, N);
}

/* ---- bodies that are not what their signature says ---- */

typedef struct Bodies {
        Attack attack;
        Raw raw;
        uint32_t serial;
        unsigned n_thrown_out;
} Bodies;

/* It is answered, or the connection ends: then there is a new one. */
static void say_body(Bodies *b, const Method *m, const Buffer *body)
{
        _cleanup_buffer_ Buffer call = BUFFER_INIT(MIB(1));
        uint32_t serial = 0;
        Answer answer;

        if (b->raw.fd < 0) {
                b->raw = raw_open(b->attack.harness);
                assert_true(raw_begin(&b->raw));
        }
        put_call(&call, ++b->serial, m, body);
        b->attack.n_calls++;
        if (raw_say(&b->raw, call.data, call.size)) {
                do
                        while ((answer = raw_take(&b->raw, &serial)) == ANSWER_NONE)
                                if (!raw_hear(&b->raw))
                                        goto ended;
                while (serial != b->serial);
                b->attack.n_answered++;
                b->attack.n_refused += answer == ANSWER_ERROR;
                return;
        }
ended:
        b->n_thrown_out++;
        raw_done(&b->raw);
}

static void bodies_end(Bodies *b, const char *what, unsigned n)
{
        raw_done(&b->raw);
        /* A body is no reason to end a connection: each is answered. */
        assert_int_equal(b->n_thrown_out, 0);
        attack_end(&b->attack, GROWTH_MAX, what, n);
}

static void test_bodies_changed(void **state)
{
        unsigned n = attack_times(3000);
        _cleanup_buffer_ Buffer right = BUFFER_INIT(KIB(4));
        Bodies b = { .raw.fd = -EBADF };

        attack_begin(&b.attack, *state);
        put_options(&right);
        for (unsigned i = 0; i < n; i++) {
                _cleanup_buffer_ Buffer body = BUFFER_INIT(KIB(4));

                put(&body, right.data, right.size);
                for (unsigned k = attack_random(&b.attack.seed, 3); k < 3; k++)
                        body.data[attack_random(&b.attack.seed, (unsigned) body.size)] = (char)
                                attack_random(&b.attack.seed, 256);
                say_body(&b, &create, &body);
        }
        bodies_end(&b, "options with one to three bytes changed, on the private socket", n);
}

static void test_bodies_cut(void **state)
{
        _cleanup_buffer_ Buffer right = BUFFER_INIT(KIB(4));
        Bodies b = { .raw.fd = -EBADF };
        unsigned n = 0;

        attack_begin(&b.attack, *state);
        put_options(&right);
        for (size_t size = 0; size <= right.size; size++, n++) {
                _cleanup_buffer_ Buffer body = BUFFER_INIT(KIB(4));

                put(&body, right.data, size);
                say_body(&b, &create, &body);
        }
        bodies_end(&b, "options cut after each byte, on the private socket", n);
}

static void say_drawn(Bodies *b, const Method *m, unsigned mask)
{
        _cleanup_buffer_ Buffer body = BUFFER_INIT(KIB(4));

        for (unsigned n = attack_random(&b->attack.seed, 96); n > 0; n--)
                put(&body, &(uint8_t){ (uint8_t) (attack_random(&b->attack.seed, 256) & mask) }, 1);
        say_body(b, m, &body);
}

/* A value that is none for each property: what is before it is right. */
static void say_drawn_value(Bodies *b, const Member *m)
{
        const Method set = { attack_object(&b->attack, m), "org.freedesktop.DBus.Properties", "Set",
                "ssv" };
        _cleanup_buffer_ Buffer body = BUFFER_INIT(KIB(4));

        put_string(&body, m->interface);
        align(&body, 0, 4);
        put_string(&body, m->name);
        if (attack_random(&b->attack.seed, 2))
                put_signature(&body, m->types);
        for (unsigned n = attack_random(&b->attack.seed, 32); n > 0; n--)
                put(&body, &(uint8_t){ (uint8_t) attack_random(&b->attack.seed, 256) }, 1);
        say_body(b, &set, &body);
}

/* Bodies of drawn bytes for each method, under its own signature. */
static void test_bodies_drawn(void **state)
{
        _cleanup_(members_done) Members members = { 0 };
        Bodies b = { .raw.fd = -EBADF };
        unsigned n = 0;

        attack_begin(&b.attack, *state);
        members_read(&members);
        for (size_t i = 0; i < members.n; i++) {
                const Member *m = &members.members[i];
                const Method method = { attack_object(&b.attack, m), m->interface, m->name,
                        m->types };

                /* Whoever claims descriptors and has none is thrown out, rightly. */
                if (strchr(m->types, 'h') || (!m->property && !*m->types))
                        continue;
                for (unsigned k = 0; k < attack_times(60); k++, n++)
                        if (m->property)
                                say_drawn_value(&b, m);
                        else
                                say_drawn(&b, &method, k % 2 ? 255 : 15);
        }
        bodies_end(
                &b, "bodies of drawn bytes for each method and property, on the private socket", n);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_cut),
                TEST(test_bytewise),
                TEST(test_changed),
                TEST(test_lengths),
                TEST(test_half_large),
                TEST(test_bodies_changed),
                TEST(test_bodies_cut),
                TEST(test_bodies_drawn),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("attack-bytes", tests, NULL, NULL);
}
