/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every method and property of every interface is called with what it does not expect, by both
 * doors. Each call is answered, an error has a name, and everybody else is served. */

#include "tests/bus/attack.h"

#define GROWTH_MAX MIB(16)

/* In ./check heavy more of all that is drawn: CONDUCTOR_TEST_FACTOR. */
#define ROUNDS       16U
#define OPTION_TYPES 2U

static const char *const types[] = { "y", "b", "n", "q", "i", "u", "x", "t", "d", "s", "o", "g",
        "h", "v", "as", "ay", "a{sv}", "(ss)", "a(sh)", "a{ss}", "av", "aas" };

/* ---- values ---- */

static char *repeat(const char *part, size_t size)
{
        char *text = malloc(size + 1);

        assert_non_null(text);
        for (size_t i = 0; i < size; i++)
                text[i] = part[i % strlen(part)];
        text[size] = 0;
        return text;
}

/* Hostile, or near a limit. What is long is made of whole characters. */
static char *any_string(Attack *a)
{
        static const char *const words[] = { "", " ", "x", "@tokens=1", "0",
                "0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789ABCDEF",
                "0123456789abcdef0123456789abcde", "../../etc/passwd", "/", "a/b", ".", "..",
                "%s%n%x", "'; DROP TABLE messages; --", "\"\\\n\r\t", "\033]0;title\007\033[2J",
                "\177", "\302\205", "\357\273\277bom", "\342\200\256rtl", "e\314\201",
                "\355\237\277", "\356\200\200", "\364\217\277\275",
                "\360\237\221\251\342\200\215\360\237\221\251", "NEAR/2", "a* OR b",
                "test/tiny:latest", "test/", "/tiny", "nobody/none", "content", "reasoning",
                "markdown", "json", "jsonl", "text", "newest", "rank", "emerg",
                "org.aiway.Conductor1" };
        static const size_t sizes[] = { 255, 256, 257, 1023, 1024, 1025, 4096, 8192, 65537 };
        static const char *const parts[] = { "x", " ", "\n", "\"", "\\", "%",
                "[yolla:mood happy]" };
        unsigned n = attack_random(&a->seed, ELEMENTSOF(words) + 8);

        if (n < ELEMENTSOF(words))
                return repeat(words[n][0] ? words[n] : " ", strlen(words[n]));
        return repeat(parts[attack_random(&a->seed, ELEMENTSOF(parts))],
                sizes[attack_random(&a->seed, ELEMENTSOF(sizes))]);
}

static uint64_t any_number(Attack *a)
{
        static const uint64_t numbers[] = { 0, 1, 2, 3, 63, 64, 65, 255, 256, 1000, 1001, 65535,
                65536, INT32_MAX, UINT64_C(1) << 31, UINT32_MAX, UINT64_C(1) << 32, INT64_MAX,
                UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX };

        return numbers[attack_random(&a->seed, ELEMENTSOF(numbers))];
}

static void append_any(Attack *a, sd_bus_message *m, const char *type);

/* The length of the first complete type. */
static size_t type_length(const char *types_)
{
        size_t n = strspn(types_, "a"), depth = 0;

        do {
                depth += types_[n] == '(' || types_[n] == '{';
                depth -= types_[n] == ')' || types_[n] == '}';
                n++;
        } while (depth > 0);
        return n;
}

static char *first_type(const char *types_)
{
        char *type = strndup(types_, type_length(types_));

        assert_non_null(type);
        return type;
}

static void append_all(Attack *a, sd_bus_message *m, const char *types_)
{
        for (; *types_; types_ += type_length(types_)) {
                _cleanup_free_ char *type = first_type(types_);

                append_any(a, m, type);
        }
}

static void append_container(Attack *a, sd_bus_message *m, const char *type)
{
        _cleanup_free_ char *inner = type[0] == 'a' ? strdup(type + 1)
                                                    : strndup(type + 1, strlen(type) - 2);
        unsigned n = type[0] == 'a' ? attack_random(&a->seed, 4) : 1;
        char kind = type[0] == 'a' ? 'a' : type[0] == '(' ? 'r' : 'e';

        assert_non_null(inner);
        assert_return_code(sd_bus_message_open_container(m, kind, inner), 0);
        while (n-- > 0)
                append_all(a, m, inner);
        assert_return_code(sd_bus_message_close_container(m), 0);
}

static void append_variant(Attack *a, sd_bus_message *m)
{
        const char *type = types[attack_random(&a->seed, ELEMENTSOF(types))];

        assert_return_code(sd_bus_message_open_container(m, 'v', type), 0);
        append_any(a, m, type);
        assert_return_code(sd_bus_message_close_container(m), 0);
}

/* Anything of this type. */
static void append_any(Attack *a, sd_bus_message *m, const char *type)
{
        static const char *const paths[] = { "/", PATH_ROOT, PATH_CONVERSATION, PATH_SURFACE "/1",
                PATH_CONVERSATION "/0123456789abcdef0123456789abcdef", "/a/b/c/d/e/f" };
        _cleanup_free_ char *text = NULL;
        uint64_t number = any_number(a);
        double d = -1e308;
        int flag = (int) attack_random(&a->seed, 2), fd = STDIN_FILENO, r;

        switch (type[0]) {
        case 's':
                text = any_string(a);
                r = sd_bus_message_append_basic(m, 's', text);
                break;
        case 'o':
                r = sd_bus_message_append_basic(m, 'o',
                        attack_random(&a->seed, 4) == 0
                                ? a->path
                                : paths[attack_random(&a->seed, ELEMENTSOF(paths))]);
                break;
        case 'g':
                r = sd_bus_message_append_basic(m, 'g', "a{sv}(ss)");
                break;
        case 'b':
                r = sd_bus_message_append_basic(m, 'b', &flag);
                break;
        case 'h':
                r = sd_bus_message_append_basic(m, 'h', &fd);
                break;
        case 'd':
                r = sd_bus_message_append_basic(m, 'd', &d);
                break;
        case 'v':
                append_variant(a, m);
                return;
        case 'a':
        case '(':
        case '{':
                append_container(a, m, type);
                return;
        default: /* the smaller ones take the first bytes */
                r = sd_bus_message_append_basic(m, type[0], &number);
        }
        assert_return_code(r, 0);
}

/* What is right where it is not what is tested: an id, a known word, no option. */
static void append_right(Attack *a, sd_bus_message *m, const char *type)
{
        const char *id = strrchr(a->path, '/') + 1;
        uint64_t zero = 0;

        if (streq(type, "a{sv}"))
                assert_return_code(sd_bus_message_append(m, "a{sv}", 0), 0);
        else if (streq(type, "s"))
                assert_return_code(sd_bus_message_append_basic(m, 's', id), 0);
        else if (strchr("tubxiqny", type[0]))
                assert_return_code(sd_bus_message_append_basic(m, type[0], &zero), 0);
        else
                append_any(a, m, type);
}

/* ---- what is common to all of them ---- */

typedef struct Run {
        Attack attack;
        Members members;
        sd_bus *bus;
} Run;

static void register_surface(Run *r)
{
        _cleanup_(sd_bus_message_unrefp)
                sd_bus_message *answer = harness_call(r->attack.harness, r->bus, PATH_ROOT,
                        INTERFACE_MANAGER, "RegisterSurface", "sasa{sv}", "attacked", 1, "text", 0);
        const char *path;

        assert_return_code(sd_bus_message_read(answer, "o", &path), 0);
        (void) snprintf(r->attack.surface, sizeof r->attack.surface, "%s", path);
}

static sd_bus_message *message_to(Run *r, const Member *m)
{
        return harness_message(r->bus, attack_object(&r->attack, m), m->interface, m->name);
}

typedef void (*attack_member_t)(Run *r, const Member *m);

static void attack_members(Harness *h, attack_member_t attack, const char *what)
{
        Run run = { 0 };
        unsigned n = 0;

        attack_begin(&run.attack, h);
        members_read(&run.members);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                run.bus = harness_connect(h, via);
                register_surface(&run);
                for (size_t i = 0; i < run.members.n; i++)
                        if (!run.members.members[i].property) {
                                attack(&run, &run.members.members[i]);
                                n++;
                        }
                attack_wait_answers(&run.attack);
                harness_disconnectp(&run.bus);
        }
        attack_end(&run.attack, GROWTH_MAX, what, n);
        members_done(&run.members);
}

/* ---- wrong types, one argument at a time ---- */

static void call_with_wrong_type(Run *r, const Member *m, size_t wrong, const char *type)
{
        sd_bus_message *message = message_to(r, m);
        size_t n = 0;

        for (const char *t = m->types; *t; t += type_length(t), n++) {
                _cleanup_free_ char *right = first_type(t);

                if (n == wrong)
                        append_any(&r->attack, message, type);
                else
                        append_right(&r->attack, message, right);
        }
        attack_call(&r->attack, r->bus, message);
}

static void attack_types(Run *r, const Member *m)
{
        size_t n = 0;

        for (const char *t = m->types; *t; t += type_length(t), n++)
                for (size_t i = 0; i < ELEMENTSOF(types); i++)
                        if (strlen(types[i]) != type_length(t) || !startswith(t, types[i]))
                                call_with_wrong_type(r, m, n, types[i]);
}

static void test_types(void **state)
{
        attack_members(
                *state, attack_types, "methods called with each wrong type of each argument");
}

/* ---- too few, too many, in another order, too deep, too large ---- */

static void call_with_part(Run *r, const Member *m, size_t n_wanted)
{
        sd_bus_message *message = message_to(r, m);
        const char *t = m->types;

        for (size_t n = 0; *t && n < n_wanted; t += type_length(t), n++) {
                _cleanup_free_ char *type = first_type(t);

                append_right(&r->attack, message, type);
        }
        attack_call(&r->attack, r->bus, message);
}

static size_t count_types(const char *types_)
{
        size_t n = 0;

        for (; *types_; types_ += type_length(types_))
                n++;
        return n;
}

static void append_reversed(Run *r, sd_bus_message *message, const char *types_)
{
        _cleanup_free_ char *type = NULL;

        if (!*types_)
                return;
        append_reversed(r, message, types_ + type_length(types_));
        type = first_type(types_);
        append_right(&r->attack, message, type);
}

/* The deepest that there is: 64 of each kind of container, as D-Bus limits it. */
static void append_deep(sd_bus_message *m, unsigned depth)
{
        if (depth == 0) {
                assert_return_code(sd_bus_message_append(m, "v", "s", "the bottom"), 0);
                return;
        }
        assert_return_code(sd_bus_message_open_container(m, 'v', "v"), 0);
        append_deep(m, depth - 1);
        assert_return_code(sd_bus_message_close_container(m), 0);
}

static void attack_shapes(Run *r, const Member *m)
{
        static const uint8_t zeros[MIB(1)];
        size_t n = count_types(m->types);
        sd_bus_message *message;

        for (size_t i = 0; i < n; i++)
                call_with_part(r, m, i);

        message = message_to(r, m);
        append_reversed(r, message, m->types);
        attack_call(&r->attack, r->bus, message);

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                message = message_to(r, m);
                append_all(&r->attack, message, m->types);
                append_any(&r->attack, message, types[i]);
                attack_call(&r->attack, r->bus, message);
        }

        message = message_to(r, m);
        append_deep(message, 60);
        attack_call(&r->attack, r->bus, message);

        message = message_to(r, m);
        assert_return_code(sd_bus_message_append_array(message, 'y', zeros, sizeof zeros), 0);
        attack_call(&r->attack, r->bus, message);
}

static void test_shapes(void **state)
{
        attack_members(*state, attack_shapes,
                "methods called with too few, too many, reordered, nested and huge arguments");
}

/* ---- the right types with hostile values ---- */

static void attack_values(Run *r, const Member *m)
{
        for (unsigned i = 0; i < (*m->types ? attack_times(ROUNDS) : 1); i++) {
                sd_bus_message *message = message_to(r, m);

                append_all(&r->attack, message, m->types);
                attack_call(&r->attack, r->bus, message);
        }
}

static void test_values(void **state)
{
        attack_members(*state, attack_values,
                "methods called with hostile values: sizes around limits, extremes, odd text");
}

/* ---- options ---- */

static void append_option(Run *r, sd_bus_message *m, const char *key, const char *type)
{
        assert_return_code(sd_bus_message_open_container(m, 'e', "sv"), 0);
        assert_return_code(sd_bus_message_append_basic(m, 's', key), 0);
        assert_return_code(sd_bus_message_open_container(m, 'v', type), 0);
        append_any(&r->attack, m, type);
        assert_return_code(sd_bus_message_close_container(m), 0);
        assert_return_code(sd_bus_message_close_container(m), 0);
}

/* All arguments right, and these n options of which each is the key and the type of its number. */
static void call_with_options(
        Run *r, const Member *m, const char *const *keys, const char *const *kinds, size_t n)
{
        sd_bus_message *message = message_to(r, m);

        for (const char *t = m->types; *t; t += type_length(t)) {
                _cleanup_free_ char *type = first_type(t);

                if (!streq(type, "a{sv}")) {
                        append_right(&r->attack, message, type);
                        continue;
                }
                assert_return_code(sd_bus_message_open_container(message, 'a', "{sv}"), 0);
                for (size_t i = 0; i < n; i++)
                        append_option(r, message, keys[i], kinds[i]);
                assert_return_code(sd_bus_message_close_container(message), 0);
        }
        attack_call(&r->attack, r->bus, message);
}

static void call_with_many_options(Run *r, const Member *m)
{
        enum { MANY = 2000 };
        const char *keys[MANY], *kinds[MANY];

        for (size_t i = 0; i < MANY; i++) {
                keys[i] = r->members.options[i % r->members.n_options];
                kinds[i] = "u";
        }
        call_with_options(r, m, keys, kinds, MANY);
}

static void attack_options(Run *r, const Member *m)
{
        static const char *const odd[] = {
                "", " ", "\n", "%s", "Title", "\360\237\246\212",
                "a-key-that-is-longer-than-what-an-error-shows-of-it-and-so-must-be-cut-somewhere"
        };

        if (!strstr(m->types, "a{sv}"))
                return;
        for (size_t i = 0; i < ELEMENTSOF(odd); i++)
                call_with_options(r, m, &odd[i], &types[i], 1);
        for (size_t i = 0; i < r->members.n_options; i++) {
                const char *key = r->members.options[i];

                /* A few of the types each time: all of them in the end, by some method. */
                for (unsigned k = 0; k < attack_times(OPTION_TYPES); k++)
                        call_with_options(r, m, (const char *const[]){ key },
                                &types[attack_random(&r->attack.seed, ELEMENTSOF(types))], 1);
                call_with_options(
                        r, m, (const char *const[]){ key }, (const char *const[]){ "s" }, 1);
                call_with_options(r, m, (const char *const[]){ key, key },
                        (const char *const[]){ "s", "s" }, 2);
        }
        call_with_many_options(r, m);
}

static void test_options(void **state)
{
        attack_members(*state, attack_options,
                "methods called with each option of any method, of each type, odd, twice, 2,000");
}

/* ---- properties ---- */

static void property_call(Run *r, const Member *m, const char *member, const char *types_,
        const char *name, const char *type)
{
        sd_bus_message *message = harness_message(
                r->bus, attack_object(&r->attack, m), "org.freedesktop.DBus.Properties", member);

        assert_return_code(sd_bus_message_append(message, types_, m->interface, name), 0);
        if (type) {
                assert_return_code(sd_bus_message_open_container(message, 'v', type), 0);
                append_any(&r->attack, message, type);
                assert_return_code(sd_bus_message_close_container(message), 0);
        }
        attack_call(&r->attack, r->bus, message);
}

/* What is right is taken, by each door: not all is refused alike. */
static void set_right(Run *r)
{
        sd_bus_message *m = harness_message(
                r->bus, r->attack.surface, "org.freedesktop.DBus.Properties", "Set");

        assert_return_code(
                sd_bus_message_append(m, "ssv", INTERFACE_SURFACE, "Focus", "o", r->attack.path),
                0);
        sd_bus_message_unref(harness_call_message(r->attack.harness, r->bus, m));
        sd_bus_message_unref(m);
}

static void test_properties(void **state)
{
        Run run = { 0 };
        unsigned n = 0;

        attack_begin(&run.attack, *state);
        members_read(&run.members);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                run.bus = harness_connect(*state, via);
                register_surface(&run);
                for (size_t i = 0; i < run.members.n; i++) {
                        const Member *m = &run.members.members[i];

                        if (!m->property)
                                continue;
                        n++;
                        property_call(&run, m, "Get", "ss", m->name, NULL);
                        property_call(&run, m, "Get", "ss", "NoSuchThing", NULL);
                        property_call(&run, m, "GetAll", "s", NULL, NULL);
                        property_call(&run, m, "Get", "s", NULL, NULL);
                        for (size_t k = 0; k < ELEMENTSOF(types); k++)
                                property_call(&run, m, "Set", "ss", m->name, types[k]);
                }
                attack_wait_answers(&run.attack);
                set_right(&run);
                harness_disconnectp(&run.bus);
        }
        attack_end(&run.attack, GROWTH_MAX, "properties read and set with values of each type", n);
        members_done(&run.members);
}

/* ---- objects that are not there, interfaces of others ---- */

static void attack_objects(Run *r, const Member *m)
{
        static const char *const paths[] = { "/", PATH_ROOT, PATH_CONVERSATION, PATH_SURFACE,
                PATH_AVATAR, PATH_CONVERSATION "/0123456789abcdef0123456789abcdef",
                PATH_CONVERSATION "/0123456789ABCDEF0123456789ABCDEF", PATH_CONVERSATION "/_",
                PATH_CONVERSATION "/0123456789abcdef0123456789abcdef/0", PATH_SURFACE "/0",
                PATH_SURFACE "/18446744073709551616", PATH_SURFACE "/01", "/org/freedesktop/DBus" };
        static const char *const interfaces[] = { INTERFACE_AVATAR, "org.freedesktop.DBus.Peer",
                "org.freedesktop.DBus.ObjectManager", "a.b", NULL };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                sd_bus_message *message = harness_message(r->bus, paths[i], m->interface, m->name);

                append_all(&r->attack, message, m->types);
                attack_call(&r->attack, r->bus, message);
        }
        for (size_t i = 0; i < ELEMENTSOF(interfaces); i++) {
                sd_bus_message *message = harness_message(
                        r->bus, attack_object(&r->attack, m), interfaces[i], m->name);

                append_all(&r->attack, message, m->types);
                attack_call(&r->attack, r->bus, message);
        }
}

static void test_objects(void **state)
{
        attack_members(*state, attack_objects,
                "methods called at objects that are not there and by interfaces of others");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_types),
                TEST(test_shapes),
                TEST(test_values),
                TEST(test_options),
                TEST(test_properties),
                TEST(test_objects),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("attack", tests, NULL, NULL);
}
