/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has the service's name on the session bus, and answers as no service should:
 *
 *   false-service BEHAVIOUR [SEED]
 *   false-service forger        sends who comes to the bus a reply, without having the name
 *   false-service silent PATH   listens there, and says nothing
 *
 * It prints "ready" when it has what it needs, and ends with the bus. Behaviours are in the table
 * below.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "common/macro.h"
#include "common/names.h"

#define PAGE   1000U
#define PERSON PATH_CONVERSATION "/0123456789abcdef0123456789abcdef"

static sd_bus *bus;
static uint64_t seed;
static unsigned n_calls;

static uint64_t draw(uint64_t n)
{
        uint64_t z = (seed += 0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return (z ^ (z >> 31)) % n;
}

static void must(int r)
{
        if (r < 0) {
                (void) fprintf(stderr, "false-service: %s\n", strerror(-r));
                exit(EXIT_FAILURE);
        }
}

static bool is_call(sd_bus_message *m, const char *member)
{
        return streq_ptr(sd_bus_message_get_member(m), member);
}

static sd_bus_message *answer_to(sd_bus_message *call)
{
        sd_bus_message *m;

        must(sd_bus_message_new_method_return(call, &m));
        return m;
}

static void send_and_free(sd_bus_message *m)
{
        must(sd_bus_send(bus, m, NULL));
        sd_bus_message_unref(m);
}

/* ---- pages that do not come to an end ---- */

static void answer_page(sd_bus_message *call, unsigned page)
{
        sd_bus_message *m = answer_to(call);
        char path[sizeof PERSON];

        must(sd_bus_message_open_container(m, 'a', "(osstta{sv})"));
        for (unsigned i = 0; i < PAGE; i++) {
                (void) snprintf(path, sizeof path, PATH_CONVERSATION "/%032x", page * PAGE + i);
                must(sd_bus_message_append(m, "(osstta{sv})", path, "", "", 1, 1, 0));
        }
        must(sd_bus_message_close_container(m));
        send_and_free(m);
}

static void same_page(sd_bus_message *call)
{
        answer_page(call, 0);
}

/* First some that are never seen again. */
static void circle(sd_bus_message *call)
{
        answer_page(call, n_calls < 3 ? n_calls : 3 + n_calls % 5);
}

static void own_parent(sd_bus_message *call)
{
        sd_bus_message *m = answer_to(call);

        must(sd_bus_message_append(
                m, "a(ttssa{sv})", 1, (uint64_t) 7, (uint64_t) 7, "user", "x", 0));
        send_and_free(m);
}

static void grandchild(sd_bus_message *call)
{
        sd_bus_message *m = answer_to(call);
        uint64_t id = 7 + n_calls;

        must(sd_bus_message_append(m, "a(ttssa{sv})", 1, id + 1, id, "user", "x", 0));
        send_and_free(m);
}

static void empty_part(sd_bus_message *call)
{
        sd_bus_message *m = answer_to(call);

        must(sd_bus_message_append(m, "tay", (uint64_t) 1, 0));
        send_and_free(m);
}

/* ---- half a reply ---- */

static void send_asked(const char *to, bool end);

_noreturn_ static void leave_early(sd_bus_message *call)
{
        sd_bus_message *m = answer_to(call);

        send_asked(sd_bus_message_get_sender(call), false);
        must(sd_bus_message_append(m, "sa{sv}", "x", 0));
        send_and_free(m);
        must(sd_bus_flush(bus));
        exit(EXIT_SUCCESS);
}

/* ---- anything ---- */

static const struct {
        const char *member, *types;
} answers[] = {
        { "ListConversations", "a(osstta{sv})" },
        { "Search", "a(otssa{sv})" },
        { "GetMessages", "a(ttssa{sv})" },
        { "GetMessage", "a(ttssa{sv})" },
        { "ListModels", "a(sssa{sv})" },
        { "ListEngines", "a(sssa{sv})" },
        { "GetStatistics", "a{sv}" },
        { "GetSnapshot", "a{sv}" },
        { "GetReply", "sstb" },
        { "Ask", "sa{sv}" },
        { "Send", "tt" },
        { "RegisterSurface", "o" },
        { "Follow", "tu" },
        { "Get", "v" },
        { "CreateConversation", "o" },
        { "Siblings", "at" },
};

static const char *const any_types[] = { "", "u", "s", "as", "a{sv}", "(ss)", "v", "aav", "a(ss)",
        "ay", "tt", "a{us}", "a(osst)", "at", "b", "x", "d", "a(sv)", "aaas", "o", "g" };

static const struct {
        const char *interface, *member, *types;
} signals[] = {
        { INTERFACE_CONVERSATION, "Asked", "tt" },
        { INTERFACE_CONVERSATION, "ReplyDelta", "ttsts" },
        { INTERFACE_CONVERSATION, "ReplyDelta", "ttsts" },
        { INTERFACE_CONVERSATION, "ReplyDelta", "ttsts" },
        { INTERFACE_CONVERSATION, "ReplyEnd", "ttsa{sv}" },
        { INTERFACE_CONVERSATION, "ReplyPhase", "tsu" },
        { INTERFACE_CONVERSATION, "Dropped", "t" },
        { INTERFACE_CONVERSATION, "MessageAdded", "ttssa{sv}" },
        { INTERFACE_CONVERSATION, "ReplyStarted", "tta{sv}" },
        { INTERFACE_CONVERSATION, "ReplyFinished", "tsa{sv}" },
        { INTERFACE_CONVERSATION, "ReplyFailed", "tss" },
        { INTERFACE_MANAGER, "ConversationAdded", "o" },
        { INTERFACE_MANAGER, "ConversationRemoved", "o" },
        { INTERFACE_MANAGER, "EngineChanged", "ssa{sv}" },
        { INTERFACE_MANAGER, "Notice", "sssa{sv}" },
        { INTERFACE_AVATAR, "Command", "sas" },
        { "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as" },
};

static const char *const texts[] = { "", "x", "content", "reasoning", "user", "assistant", "ended",
        "streaming", "ready", "waiting", "stop", "failed", INTERFACE_CONVERSATION,
        INTERFACE_MANAGER, INTERFACE_AVATAR, "\x1b]0;owned\x07\x1b[2J",
        "\x7f\x01\r\n\t\xc2\x9b[31m", "\xe2\x80\xae\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
        "a\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
        "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97", "%s%n%s",
        "# a\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", "```c\nint x;\n", "\xcc\x81", "wave", "happy" };

static const char *const keys[] = { "state", "messages", "unread", "title", "created", "live",
        "reason", "reasoning", "content_size", "reasoning_size", "branches", "attachments",
        "elapsed_us", "tokens_per_second", "conversations", "engines", "avatar", "default_model",
        "Title", "Head", "Modified", "ContextSize", "Mood", "Size", "conversation", "reply", "url",
        "error", "note", "version", "key_failure" };

static const char *const variants[] = { "s", "t", "u", "b", "d", "as", "a(sst)", "a(osstta{sv})",
        "a(sssa{sv})", "a{sv}", "v", "x", "at" };

static const char *draw_text(void)
{
        static char large[KIB(96)];

        if (draw(40) == 0) {
                const char *piece = texts[1 + draw(ELEMENTSOF(texts) - 1)];
                size_t n = strlen(piece), size = 0;

                while (size + n < sizeof large) {
                        memcpy(large + size, piece, n);
                        size += n;
                }
                large[size] = 0;
                return large;
        }
        return texts[draw(ELEMENTSOF(texts))];
}

static uint64_t draw_number(void)
{
        switch (draw(8)) {
        case 0:
                return 0;
        case 1:
                return UINT64_MAX;
        case 2:
                return (uint64_t) 1 << 63;
        case 3:
                return UINT32_MAX;
        default:
                return draw(12);
        }
}

static void draw_path(char ret[static sizeof PERSON])
{
        if (draw(6) == 0)
                strcpy(ret, draw(2) ? "/" : PATH_ROOT);
        else
                (void) snprintf(
                        ret, sizeof PERSON, PATH_CONVERSATION "/%031x%x", 0, (unsigned) draw(4));
}

static void fill_basic(sd_bus_message *m, char type)
{
        uint64_t number = draw_number();
        double real = draw(3) ? (double) number : -1.0 / 0.0;
        char path[sizeof PERSON];
        int b = number & 1;
        uint32_t small = (uint32_t) number;

        switch (type) {
        case 's':
                must(sd_bus_message_append_basic(m, type, draw_text()));
                return;
        case 'o':
                draw_path(path);
                must(sd_bus_message_append_basic(m, type, path));
                return;
        case 'g':
                must(sd_bus_message_append_basic(m, type, "a{sv}"));
                return;
        case 'u':
                must(sd_bus_message_append_basic(m, type, &small));
                return;
        case 'b':
                must(sd_bus_message_append_basic(m, type, &b));
                return;
        case 'd':
                must(sd_bus_message_append_basic(m, type, &real));
                return;
        default: /* t, x, y */
                must(sd_bus_message_append_basic(m, type, &number));
                return;
        }
}

/* The length of the complete type that it begins with. */
static size_t type_length(const char *types)
{
        size_t n = 1;

        if (*types == 'a')
                return 1 + type_length(types + 1);
        if (*types != '(' && *types != '{')
                return 1;
        while (types[n] != ')' && types[n] != '}')
                n += type_length(types + n);
        return n + 1;
}

static void fill(sd_bus_message *m, const char *types, unsigned depth);

static void fill_array(sd_bus_message *m, const char *element, unsigned depth)
{
        uint64_t n = depth > 3 ? draw(2) : draw(50) == 0 ? PAGE : draw(6);

        must(sd_bus_message_open_container(m, 'a', element));
        for (uint64_t i = 0; i < n; i++)
                fill(m, element, depth + 1);
        must(sd_bus_message_close_container(m));
}

static void fill_container(sd_bus_message *m, const char *type, unsigned depth)
{
        bool entry = *type == '{';
        char *contents = strndupa(type + 1, strlen(type) - 2);

        must(sd_bus_message_open_container(m, entry ? 'e' : 'r', contents));
        if (entry && *contents == 's') {
                must(sd_bus_message_append_basic(m, 's', keys[draw(ELEMENTSOF(keys))]));
                contents++;
        }
        fill(m, contents, depth + 1);
        must(sd_bus_message_close_container(m));
}

static void fill(sd_bus_message *m, const char *types, unsigned depth)
{
        for (size_t n; *types; types += n) {
                char *type;

                n = type_length(types);
                type = strndupa(types, n);
                if (*type == 'v') {
                        const char *inner = depth > 5 ? "s" : variants[draw(ELEMENTSOF(variants))];

                        must(sd_bus_message_open_container(m, 'v', inner));
                        fill(m, inner, depth + 1);
                        must(sd_bus_message_close_container(m));
                } else if (*type == 'a')
                        fill_array(m, type + 1, depth);
                else if (*type == '(' || *type == '{')
                        fill_container(m, type, depth);
                else
                        fill_basic(m, *type);
        }
}

static sd_bus_message *new_signal(
        const char *path, const char *interface, const char *member, const char *to)
{
        sd_bus_message *m;

        must(sd_bus_message_new_signal(bus, &m, path, interface, member));
        must(sd_bus_message_set_destination(m, to));
        return m;
}

static void send_signals(const char *to)
{
        for (uint64_t n = draw(12); n > 0; n--) {
                size_t i = draw(ELEMENTSOF(signals));
                char path[sizeof PERSON];
                sd_bus_message *m;

                draw_path(path);
                m = new_signal(path, signals[i].interface, signals[i].member, to);
                fill(m, draw(10) ? signals[i].types : any_types[draw(ELEMENTSOF(any_types))], 0);
                send_and_free(m);
        }
}

static const char *types_of(sd_bus_message *call)
{
        if (draw(5) == 0)
                return any_types[draw(ELEMENTSOF(any_types))];
        for (size_t i = 0; i < ELEMENTSOF(answers); i++)
                if (is_call(call, answers[i].member))
                        return answers[i].types;
        return any_types[draw(ELEMENTSOF(any_types))];
}

static void refuse(sd_bus_message *call)
{
        static const char *const names[] = { ERROR_PREFIX "InvalidArgument", ERROR_PREFIX "Busy",
                ERROR_PREFIX "None", "org.freedesktop.DBus.Error.NoReply", "a.b",
                ERROR_PREFIX "StoreFull" };
        sd_bus_message *m;

        must(sd_bus_message_new_method_errorf(
                call, &m, names[draw(ELEMENTSOF(names))], "%s", draw_text()));
        send_and_free(m);
}

/* A reply that the client can wait for the end of; else it would, as long as it takes. */
static void send_asked(const char *to, bool end)
{
        sd_bus_message *m = new_signal(
                PERSON, INTERFACE_CONVERSATION, end ? "ReplyEnd" : "Asked", to);

        must(sd_bus_message_append(m, "tt", (uint64_t) 6, (uint64_t) 6));
        if (end)
                must(sd_bus_message_append(m, "sa{sv}", "stop", 0));
        send_and_free(m);
}

static void anything(sd_bus_message *call)
{
        const char *to = sd_bus_message_get_sender(call);
        sd_bus_message *m;

        if (is_call(call, "Ask"))
                send_asked(to, false);
        send_signals(to);
        for (unsigned n = draw(8) ? 1 : 2; n > 0; n--)
                if (draw(8) == 0)
                        refuse(call);
                else {
                        m = answer_to(call);
                        fill(m, types_of(call), 0);
                        send_and_free(m);
                }
        send_signals(to);
        if (is_call(call, "Ask"))
                send_asked(to, true);
}

/* ---- without the name ---- */

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name, *before, *after;
        sd_bus_message *delta;

        must(sd_bus_message_read(m, "sss", &name, &before, &after));
        if (name[0] != ':' || *before)
                return 0;
        send_asked(name, false);
        delta = new_signal(PERSON, INTERFACE_CONVERSATION, "ReplyDelta", name);
        must(sd_bus_message_append(
                delta, "ttsts", (uint64_t) 6, (uint64_t) 1, "content", (uint64_t) 0, "forged "));
        send_and_free(delta);
        send_asked(name, true);
        return 0;
}

_noreturn_ static void be_silent(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        must(strlen(path) < sizeof address.sun_path ? 0 : -ENAMETOOLONG);
        memcpy(address.sun_path, path, strlen(path));
        must(bind(fd, (struct sockaddr *) &address, sizeof address) < 0 ? -errno : 0);
        must(listen(fd, 8) < 0 ? -errno : 0);
        (void) puts("ready");
        (void) fflush(stdout);
        for (;;)
                (void) pause();
}

/* ---- the whole ---- */

static const struct Behaviour {
        const char *name, *member; /* NULL: all calls */
        void (*answer)(sd_bus_message *call);
} behaviours[] = {
        { "same-page", "ListConversations", same_page },
        { "circle", "ListConversations", circle },
        { "own-parent", "GetMessages", own_parent },
        { "grandchild", "GetMessages", grandchild },
        { "empty-part", "ExportPart", empty_part },
        { "leave-early", "Ask", leave_early },
        { "anything", NULL, anything },
};

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const struct Behaviour *b = userdata;

        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0 ||
                sd_bus_message_get_expect_reply(m) <= 0 || (b->member && !is_call(m, b->member)))
                return 0;
        b->answer(m);
        n_calls++;
        return 1;
}

int main(int argc, char *argv[])
{
        const struct Behaviour *b = NULL;
        bool forger = argc == 2 && streq(argv[1], "forger");
        int r;

        if (argc == 3 && streq(argv[1], "silent"))
                be_silent(argv[2]);

        for (size_t i = 0; argc > 1 && i < ELEMENTSOF(behaviours); i++)
                if (streq(argv[1], behaviours[i].name))
                        b = &behaviours[i];
        if (!b && !forger)
                return EXIT_FAILURE;
        seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        must(sd_bus_open_user(&bus));
        if (forger)
                must(sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus", NULL,
                        "org.freedesktop.DBus", "NameOwnerChanged", on_name, NULL));
        else {
                must(sd_bus_add_filter(bus, NULL, on_message, (void *) b));
                must(sd_bus_request_name(bus, BUS_NAME, 0));
        }
        (void) puts("ready");
        (void) fflush(stdout);
        do {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        } while (r >= 0 || r == -EINTR);
        return EXIT_SUCCESS;
}
