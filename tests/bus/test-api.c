/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What each call takes, refuses, keeps and gives back. */

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "common/buffer.h"
#include "tests/bus/harness.h"
#include "tests/bus/reader.h"

#define MODEL        "test/tiny:latest"
#define MESSAGE_MAX  MIB(16)
#define TITLE_MAX    256U
#define NO_SUCH_ID   UINT64_C(999999)
#define NO_SUCH_HEX  "0123456789abcdef0123456789abcdef"
#define HEX_OF(path) (strrchr(path, '/') + 1)

typedef struct Ids {
        uint64_t message, reply;
} Ids;

static Ids read_ids(sd_bus_message *answer)
{
        Ids ids = { 0 };

        assert_return_code(sd_bus_message_read(answer, "tt", &ids.message, &ids.reply), 0);
        assert_true(ids.message > 0 && ids.reply > 0 && ids.message != ids.reply);
        return ids;
}

/* With the option token, or none. */
static Ids send_text(Harness *h, sd_bus *bus, const char *path, const char *text, const char *token)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(h, bus, path,
                INTERFACE_CONVERSATION, "Send", "sa{sv}", text, token ? 1 : 0, "token", "s", token);

        return read_ids(answer);
}

static void call_plain(Harness *h, sd_bus *bus, const char *path, const char *interface,
        const char *member, const char *argument)
{
        sd_bus_message_unref(
                harness_call(h, bus, path, interface, member, argument ? "s" : "", argument));
}

static void assert_fails(char *name, const char *expected)
{
        _cleanup_free_ char *given = name;

        assert_string_equal(given, expected);
}

static char *repeated(char c, size_t n)
{
        char *s = malloc(n + 1);

        assert_non_null(s);
        memset(s, c, n);
        s[n] = 0;
        return s;
}

static char *get_string(
        Harness *h, sd_bus *bus, const char *path, const char *interface, const char *property)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, property);
        const char *value;
        char *copy;

        assert_return_code(sd_bus_message_read(answer, "v", "s", &value), 0);
        copy = strdup(value);
        assert_non_null(copy);
        return copy;
}

static uint64_t get_head(Harness *h, sd_bus *bus, const char *path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(h, bus, path,
                "org.freedesktop.DBus.Properties", "Get", "ss", INTERFACE_CONVERSATION, "Head");
        uint64_t head;

        assert_return_code(sd_bus_message_read(answer, "v", "t", &head), 0);
        return head;
}

/* ---- options ---- */

static const struct {
        const char *interface, *member, *before; /* arguments' types before the options */
        const char *const keys[12];
} with_options[] = {
        { INTERFACE_MANAGER, "CreateConversation", "",
                { "title", "model", "system", "private", "id" } },
        { INTERFACE_MANAGER, "ListConversations", "",
                { "limit", "before", "archived", "deleted" } },
        { INTERFACE_MANAGER, "Search", "s", { "limit", "order", "before", "archived", "hidden" } },
        { INTERFACE_MANAGER, "Ask", "s",
                { "conversation", "model", "title", "system", "private", "token", "queue",
                        "attachments", "follow" } },
        { INTERFACE_MANAGER, "RegisterSurface", "sas", { "passive" } },
        { INTERFACE_CONVERSATION, "Send", "s",
                { "model", "parent", "attachments", "queue", "token" } },
        { INTERFACE_CONVERSATION, "Regenerate", "t", { "model" } },
        { INTERFACE_CONVERSATION, "Follow", "", { "reply", "content", "reasoning", "passive" } },
};

/* No option is a double. */
static void check_option(Harness *h, sd_bus *bus, const char *path, size_t i, const char *key)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = harness_message(
                bus, path, with_options[i].interface, with_options[i].member);
        _cleanup_free_ char *sentence = NULL;

        for (const char *type = with_options[i].before; *type; type++) {
                if (*type == 'a') {
                        assert_return_code(sd_bus_message_append(m, "as", 1, "text"), 0);
                        type++;
                } else if (*type == 's')
                        assert_return_code(sd_bus_message_append(m, "s", "word"), 0);
                else
                        assert_return_code(sd_bus_message_append(m, "t", NO_SUCH_ID), 0);
        }
        assert_return_code(sd_bus_message_append(m, "a{sv}", 1, key, "d", 1.5), 0);
        assert_fails(harness_call_error_message(h, bus, m, &sentence), "InvalidArgument");
        if (!strstr(sentence, key))
                fail_msg("%s, option %s: %s", with_options[i].member, key, sentence);
}

static void test_options(void **state)
{
        Harness *h = *state;

        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                _cleanup_free_ char *conversation = harness_create(h, bus, "");

                for (size_t i = 0; i < ELEMENTSOF(with_options); i++) {
                        const char *path = streq(with_options[i].interface, INTERFACE_MANAGER)
                                ? PATH_ROOT
                                : conversation;

                        check_option(h, bus, path, i, "colour");
                        for (size_t k = 0; with_options[i].keys[k]; k++)
                                check_option(h, bus, path, i, with_options[i].keys[k]);
                }
        }
        assert_int_equal(harness_stop(h), 0);
}

/* ---- ids ---- */

static void test_unknown_ids(void **state)
{
        static const char *const by_id[] = { "OpenConversation", "DeleteConversation",
                "RestoreConversation" };
        static const char *const by_message[] = { "Cancel", "Continue", "OpenStream",
                "ListBranches", "SelectBranch" };
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "");
        for (size_t i = 0; i < ELEMENTSOF(by_id); i++)
                assert_fails(harness_call_error(h, bus, NULL, PATH_ROOT, INTERFACE_MANAGER,
                                     by_id[i], "s", NO_SUCH_HEX),
                        "NoSuchConversation");
        for (size_t i = 0; i < ELEMENTSOF(by_message); i++)
                assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     by_message[i], "t", NO_SUCH_ID),
                        "NoSuchMessage");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                             "Regenerate", "ta{sv}", NO_SUCH_ID, 0),
                "NoSuchMessage");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION, "Edit",
                             "ts", NO_SUCH_ID, "text"),
                "NoSuchMessage");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                             "GetReply", "tstt", NO_SUCH_ID, "content", UINT64_C(0), UINT64_C(100)),
                "NoSuchMessage");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION, "Send",
                             "sa{sv}", "text", 1, "parent", "t", NO_SUCH_ID),
                "NoSuchMessage");
        assert_int_equal(harness_stop(h), 0);
}

/* ---- sizes ---- */

static void test_message_sizes(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *largest = repeated('a', MESSAGE_MAX),
                            *larger = repeated('a', MESSAGE_MAX + 1);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        const char *role, *text;
        uint64_t id, parent;
        Ids ids;

        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        conversation = harness_create(h, bus, "");
        reader = reader_new(h, bus, conversation);
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION, "Send",
                             "sa{sv}", "", 0),
                "InvalidArgument");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION, "Send",
                             "sa{sv}", larger, 0),
                "TooLarge");
        assert_int_equal(get_head(h, bus, conversation), 0);

        ids = send_text(h, bus, conversation, largest, NULL);
        assert_string_equal(reader_wait(reader, ids.reply), "stop");
        answer = harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "GetMessages", "tu", ids.message, 1);
        assert_true(sd_bus_message_enter_container(answer, 'a', "(ttssa{sv})") > 0);
        assert_true(sd_bus_message_enter_container(answer, 'r', "ttssa{sv}") > 0);
        assert_return_code(sd_bus_message_read(answer, "ttss", &id, &parent, &role, &text), 0);
        assert_int_equal(id, ids.message);
        assert_string_equal(role, "user");
        assert_int_equal(strcmp(text, largest), 0);
        assert_int_equal(harness_stop(h), 0);
}

static void test_title_sizes(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *longest = repeated('t', TITLE_MAX),
                            *longer = repeated('t', TITLE_MAX + 1), *title = NULL;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "");
        call_plain(h, bus, conversation, INTERFACE_CONVERSATION, "SetTitle", longest);
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                             "SetTitle", "s", longer),
                "TooLarge");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                             "SetTitle", "s", "two\nlines"),
                "InvalidArgument");
        title = get_string(h, bus, conversation, INTERFACE_CONVERSATION, "Title");
        assert_string_equal(title, longest);
        assert_fails(harness_call_error(h, bus, NULL, PATH_ROOT, INTERFACE_MANAGER,
                             "CreateConversation", "a{sv}", 1, "title", "s", longer),
                "TooLarge");
        assert_int_equal(harness_stop(h), 0);
}

/* ---- twice, and while busy ---- */

/* The same token is the same question, also after the service was killed; the engine is asked
 * once. */
static void test_token(void **state)
{
        Harness *h = *state;
        _cleanup_free_ char *conversation = NULL;
        Ids first, again, other;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
                _cleanup_(reader_freep) Reader *reader = NULL;

                conversation = harness_create(h, bus, MODEL);
                reader = reader_new(h, bus, conversation);
                first = send_text(h, bus, conversation, "Once.", "a-token");
                assert_string_equal(reader_wait(reader, first.reply), "stop");
                again = send_text(h, bus, conversation, "Once.", "a-token");
                assert_memory_equal(&again, &first, sizeof first);
                harness_kill(h, SIGKILL);
        }
        harness_start(h);
        {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);
                _cleanup_(reader_freep) Reader *reader = reader_new(h, bus, conversation);

                again = send_text(h, bus, conversation, "Once.", "a-token");
                assert_memory_equal(&again, &first, sizeof first);
                assert_int_equal(harness_engine_count(h, "chats"), 1);
                other = send_text(h, bus, conversation, "Once.", "another");
                assert_int_not_equal(other.message, first.message);
                assert_string_equal(reader_wait(reader, other.reply), "stop");
                assert_int_equal(harness_engine_count(h, "chats"), 2);
        }
        assert_int_equal(harness_stop(h), 0);
}

static void test_busy_and_queue(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL, *page = NULL, *text = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        Ids first, second;

        harness_start_engine(h, "ollama", "", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, MODEL);
        reader = reader_new(h, bus, conversation);
        first = send_text(h, bus, conversation, "@fault=hold:2", NULL);
        harness_engine_wait(h, "held=1");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION, "Send",
                             "sa{sv}", "Second.", 0),
                "Busy");
        answer = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "Send", "sa{sv}",
                "@text=echo", 1, "queue", "b", 1);
        second = read_ids(answer);
        assert_int_equal(harness_engine_count(h, "chats"), 1);
        page = harness_engine_page(h, "/release", "");
        assert_string_equal(reader_wait(reader, first.reply), "stop");
        assert_string_equal(reader_wait(reader, second.reply), "stop");
        /* It was asked with the first one's whole answer before it. */
        text = harness_get_reply(h, bus, conversation, second.reply, "content", NULL);
        assert_string_equal(text, "user:13 assistant:30 user:10");
        assert_int_equal(harness_stop(h), 0);
}

/* ---- branches ---- */

static void assert_branches(
        Harness *h, sd_bus *bus, const char *path, uint64_t message, uint64_t a, uint64_t b)
{
        const uint64_t expected[] = { a, b };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, path, INTERFACE_CONVERSATION, "ListBranches", "t", message);
        const void *ids;
        size_t size;

        assert_return_code(sd_bus_message_read_array(answer, 't', &ids, &size), 0);
        assert_int_equal(size, sizeof expected);
        assert_memory_equal(ids, expected, size);
}

static void test_branches(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL, *edited = NULL;
        uint64_t other;
        Ids first, edit;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "");
        reader = reader_new(h, bus, conversation);
        first = send_text(h, bus, conversation, "I am sad.", NULL);
        assert_string_equal(reader_wait(reader, first.reply), "stop");

        answer = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "Regenerate", "ta{sv}",
                first.reply, 0);
        assert_return_code(sd_bus_message_read(answer, "t", &other), 0);
        assert_string_equal(reader_wait(reader, other), "stop");
        assert_branches(h, bus, conversation, first.reply, first.reply, other);
        assert_int_equal(get_head(h, bus, conversation), other);

        edited = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "Edit", "ts",
                first.message, "I am glad.");
        edit = read_ids(edited);
        assert_string_equal(reader_wait(reader, edit.reply), "stop");
        assert_branches(h, bus, conversation, edit.message, first.message, edit.message);
        assert_int_equal(get_head(h, bus, conversation), edit.reply);

        sd_bus_message_unref(harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "SelectBranch", "t", first.reply));
        assert_int_equal(get_head(h, bus, conversation), first.reply);
        sd_bus_message_unref(harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "SelectBranch", "t", edit.message));
        assert_int_equal(get_head(h, bus, conversation), edit.reply);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- pages downwards ---- */

#define PAGE_IDS 16U

/* The ids of a page, and what its messages say of their siblings. */
typedef struct PageIds {
        uint64_t ids[PAGE_IDS], branches[PAGE_IDS];
        unsigned n;
} PageIds;

static PageIds get_after(
        Harness *h, sd_bus *bus, const char *conversation, uint64_t after, unsigned count)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(h, bus, conversation,
                INTERFACE_CONVERSATION, "GetMessagesAfter", "tu", after, count);
        PageIds page = { 0 };

        assert_return_code(sd_bus_message_enter_container(answer, 'a', "(ttssa{sv})"), 0);
        while (sd_bus_message_enter_container(answer, 'r', "ttssa{sv}") > 0) {
                assert_true(page.n < PAGE_IDS);
                assert_return_code(sd_bus_message_read(answer, "t", &page.ids[page.n]), 0);
                assert_return_code(sd_bus_message_skip(answer, "tss"), 0);
                (void) harness_read_value(answer, "branches", 't', &page.branches[page.n++]);
                assert_return_code(sd_bus_message_exit_container(answer), 0);
        }
        return page;
}

static void assert_page(const PageIds *page, const uint64_t *ids, unsigned n)
{
        assert_int_equal(page->n, n);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(page->ids[i], ids[i]);
}

/* Three questions, the second of them with a second answer below which the third stands; then the
 * first answer's branch is the current one again. */
static void test_pages_after(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *conversation = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        uint64_t ids[6], other, old[4];
        PageIds page;
        Ids exchange;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "");
        page = get_after(h, bus, conversation, 0, 5);
        assert_page(&page, NULL, 0);
        reader = reader_new(h, bus, conversation);
        for (unsigned i = 0; i < 3; i++) {
                if (i == 2) {
                        answer = harness_call(h, bus, conversation, INTERFACE_CONVERSATION,
                                "Regenerate", "ta{sv}", ids[3], 0);
                        assert_return_code(sd_bus_message_read(answer, "t", &other), 0);
                        assert_string_equal(reader_wait(reader, other), "stop");
                        memcpy(old, ids, sizeof old);
                        ids[3] = other;
                }
                exchange = send_text(h, bus, conversation, "I am sad.", NULL);
                assert_string_equal(reader_wait(reader, exchange.reply), "stop");
                ids[2 * i] = exchange.message;
                ids[2 * i + 1] = exchange.reply;
        }

        page = get_after(h, bus, conversation, 0, PAGE_IDS);
        assert_page(&page, ids, 6);
        assert_int_equal(page.branches[2], 0);
        assert_int_equal(page.branches[3], 2);
        for (unsigned i = 0; i < 6; i++)
                for (unsigned n = 1; n < 6; n++) {
                        page = get_after(h, bus, conversation, ids[i], n);
                        assert_page(&page, ids + i + 1, MIN(n, 5 - i));
                }
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                             "GetMessagesAfter", "tu", old[3], 5),
                "NoSuchMessage");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                             "GetMessagesAfter", "tu", NO_SUCH_ID << 40, 5),
                "NoSuchMessage");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                             "GetMessagesAfter", "tu", UINT64_C(0), 0),
                "InvalidArgument");
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                             "GetMessagesAfter", "tu", UINT64_C(0), 1001),
                "TooLarge");

        sd_bus_message_unref(harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "SelectBranch", "t", old[3]));
        page = get_after(h, bus, conversation, old[0], PAGE_IDS);
        assert_page(&page, old + 1, 3);
        assert_fails(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                             "GetMessagesAfter", "tu", ids[4], 5),
                "NoSuchMessage");
        assert_int_equal(harness_stop(h), 0);
}

/* ---- found, set aside, gone, and back from a file ---- */

static unsigned count_hits(Harness *h, sd_bus *bus, const char *query, const char *path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "Search", "sa{sv}", query, 0);
        const char *where, *role, *snippet;
        uint64_t message;
        unsigned n = 0;

        assert_true(sd_bus_message_enter_container(answer, 'a', "(otssa{sv})") > 0);
        while (sd_bus_message_enter_container(answer, 'r', "otssa{sv}") > 0) {
                assert_return_code(
                        sd_bus_message_read(answer, "otss", &where, &message, &role, &snippet), 0);
                assert_string_equal(where, path);
                assert_non_null(strstr(snippet, "aardvark"));
                assert_return_code(sd_bus_message_skip(answer, "a{sv}"), 0);
                assert_return_code(sd_bus_message_exit_container(answer), 0);
                n++;
        }
        return n;
}

/* Into a memfd, as Import wants one. */
static int export_all(Harness *h, sd_bus *bus, const char *path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, path, INTERFACE_CONVERSATION, "Export", "s", "jsonl");
        int pipe, file = memfd_create("export", MFD_CLOEXEC);
        char part[4096];
        ssize_t n;

        assert_return_code(file, errno);
        assert_return_code(sd_bus_message_read(answer, "h", &pipe), 0);
        while ((n = read(pipe, part, sizeof part)) > 0)
                assert_int_equal(write(file, part, (size_t) n), n);
        assert_int_equal(n, 0);
        return file;
}

/* One that is not read has a page in memory: so many, and no more until one is closed. */
static void test_exports_unread(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        sd_bus_message *exports[16] = { NULL };
        _cleanup_free_ char *path = NULL, *text = malloc(KIB(512)), *error = NULL;

        assert_non_null(text);
        memset(text, 'x', KIB(512) - 1);
        text[KIB(512) - 1] = 0;
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        path = harness_create(h, bus, "builtin/doctor");
        (void) harness_send(h, bus, path, text);
        for (size_t i = 0; i < ELEMENTSOF(exports); i++)
                exports[i] = harness_call(
                        h, bus, path, INTERFACE_CONVERSATION, "Export", "s", "jsonl");
        error = harness_call_error(
                h, bus, NULL, path, INTERFACE_CONVERSATION, "Export", "s", "jsonl");
        assert_string_equal(error, "Busy");

        exports[0] = sd_bus_message_unref(exports[0]); /* and with it its descriptor */
        free(harness_create(h, bus, ""));              /* by its answer that was seen */
        exports[0] = harness_call(h, bus, path, INTERFACE_CONVERSATION, "Export", "s", "jsonl");
        for (size_t i = 0; i < ELEMENTSOF(exports); i++)
                sd_bus_message_unref(exports[i]);
        assert_int_equal(harness_stop(h), 0);
}

static char *read_file(int fd, size_t *ret_size)
{
        off_t size = lseek(fd, 0, SEEK_END);
        char *text = malloc((size_t) size + 1);

        assert_non_null(text);
        assert_int_equal(pread(fd, text, (size_t) size, 0), size);
        *ret_size = (size_t) size;
        return text;
}

static uint64_t next_part(
        Harness *h, sd_bus *bus, const char *path, const char *format, uint64_t export, Buffer *all)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *part = harness_call(
                h, bus, path, INTERFACE_CONVERSATION, "ExportPart", "st", format, export);
        const void *data;
        size_t size;

        assert_return_code(sd_bus_message_read(part, "t", &export), 0);
        assert_return_code(sd_bus_message_read_array(part, 'y', &data, &size), 0);
        assert_in_range(size, export ? 1 : 0, export ? KIB(256) : 0);
        assert_return_code(buffer_append(all, data, size), 0);
        return export;
}

/* Part by part the same bytes come as by the pipe; one that is not read to its end is nobody's when
 * its connection ends. */
static void test_export_parts(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL, *other = NULL, *third = NULL;
        _cleanup_buffer_ Buffer all = BUFFER_INIT(MIB(8)), none = BUFFER_INIT(MIB(8));
        _cleanup_free_ char *path = NULL, *text = malloc(MIB(1)), *piped = NULL;
        _cleanup_close_ int file = -EBADF;
        uint64_t export = 0, n = 0, left;
        size_t size;

        assert_non_null(text);
        memset(text, 'x', MIB(1) - 1);
        text[MIB(1) - 1] = 0;
        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        other = harness_connect(h, VIA_PRIVATE);
        third = harness_connect(h, VIA_PRIVATE);
        path = harness_create(h, bus, "builtin/doctor");
        for (unsigned i = 0; i < 3; i++)
                sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Ask",
                        "sa{sv}", text, 1, "conversation", "s", path));
        do
                export = next_part(h, bus, path, "jsonl", export, &all);
        while (n++, export != 0);
        assert_in_range(n, 3 * 4, UINT64_MAX);
        file = export_all(h, bus, path);
        piped = read_file(file, &size);
        assert_int_equal(all.size, size);
        assert_memory_equal(all.data, piped, size);

        assert_fails(harness_call_error(h, bus, NULL, path, INTERFACE_CONVERSATION, "ExportPart",
                             "st", "html", UINT64_C(0)),
                "InvalidArgument");
        /* Each connection has its own, */
        left = next_part(h, other, path, "json", 0, &none);
        assert_fails(harness_call_error(h, bus, NULL, path, INTERFACE_CONVERSATION, "ExportPart",
                             "st", "json", left),
                "InvalidArgument");
        /* and all together not more than there may be of both kinds. */
        for (unsigned i = 1; i < 16; i++)
                (void) next_part(h, other, path, "json", 0, &none);
        assert_fails(harness_call_error(h, bus, NULL, path, INTERFACE_CONVERSATION, "ExportPart",
                             "st", "json", UINT64_C(0)),
                "Busy");
        assert_fails(harness_call_error(
                             h, bus, NULL, path, INTERFACE_CONVERSATION, "Export", "s", "json"),
                "Busy");
        sd_bus_close(other);
        free(harness_create(h, third, "")); /* by its answer that was seen */
        assert_int_not_equal(next_part(h, bus, path, "json", 0, &none), 0);
        assert_int_equal(harness_stop(h), 0);
}

/* Messages get other numbers by an import. */
static void strike_numbers(char *text, const char *key)
{
        for (char *at = text; (at = strstr(at, key));) {
                at += strlen(key);
                memset(at, '#', strspn(at, "0123456789"));
        }
}

static char *read_export(int file)
{
        char *text = calloc(1, KIB(64));

        assert_non_null(text);
        assert_in_range(pread(file, text, KIB(64) - 1, 0), 100, KIB(64) - 2);
        strike_numbers(text, "\"head\":");
        strike_numbers(text, "\"id\":");
        strike_numbers(text, "\"parent\":");
        return text;
}

static void assert_same_export(int a, int b)
{
        _cleanup_free_ char *one = read_export(a), *two = read_export(b);

        assert_string_equal(one, two);
}

static char *import_one(Harness *h, sd_bus *bus, int file)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                h, bus, PATH_ROOT, INTERFACE_MANAGER, "Import", "h", file);
        const char *path;
        char *copy;

        assert_true(sd_bus_message_enter_container(answer, 'a', "o") > 0);
        assert_true(sd_bus_message_read(answer, "o", &path) > 0);
        copy = strdup(path);
        assert_non_null(copy);
        assert_int_equal(sd_bus_message_read(answer, "o", &path), 0);
        return copy;
}

static void test_keep_and_forget(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL;
        _cleanup_free_ char *path = NULL, *back = NULL, *copy = NULL;
        _cleanup_(reader_freep) Reader *reader = NULL;
        _cleanup_close_ int before = -EBADF, after = -EBADF;
        Ids ids;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        path = harness_create(h, bus, "");
        reader = reader_new(h, bus, path);
        ids = send_text(h, bus, path, "an aardvark plays banjo", NULL);
        assert_string_equal(reader_wait(reader, ids.reply), "stop");
        assert_int_equal(count_hits(h, bus, "banjo aardvark", path), 1);
        assert_int_equal(count_hits(h, bus, "aardvark zither", path), 0);
        before = export_all(h, bus, path);

        call_plain(h, bus, PATH_ROOT, INTERFACE_MANAGER, "DeleteConversation", HEX_OF(path));
        assert_int_equal(count_hits(h, bus, "banjo aardvark", path), 0);
        call_plain(h, bus, PATH_ROOT, INTERFACE_MANAGER, "RestoreConversation", HEX_OF(path));
        assert_int_equal(count_hits(h, bus, "banjo aardvark", path), 1);

        call_plain(h, bus, PATH_ROOT, INTERFACE_MANAGER, "DeleteConversation", HEX_OF(path));
        call_plain(h, bus, PATH_ROOT, INTERFACE_MANAGER, "PurgeDeleted", NULL);
        assert_fails(harness_call_error(h, bus, NULL, PATH_ROOT, INTERFACE_MANAGER,
                             "RestoreConversation", "s", HEX_OF(path)),
                "NoSuchConversation");

        /* Its id is free again, and is kept; the second time it is not free. */
        assert_int_equal(lseek(before, 0, SEEK_SET), 0);
        back = import_one(h, bus, before);
        assert_string_equal(back, path);
        assert_int_equal(count_hits(h, bus, "banjo aardvark", path), 1);
        after = export_all(h, bus, back);
        assert_same_export(before, after);
        assert_int_equal(lseek(before, 0, SEEK_SET), 0);
        copy = import_one(h, bus, before);
        assert_string_not_equal(copy, path);
        assert_int_equal(harness_stop(h), 0);
}

/* ---- surfaces, the first screen ---- */

static void test_surface(void **state)
{
        Harness *h = *state;
        _cleanup_connection_ sd_bus *bus = NULL, *stranger = NULL;
        _cleanup_free_ char *conversation = NULL, *name = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL, *focus = NULL;
        const char *surface, *shown;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        stranger = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "");
        answer = harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "RegisterSurface", "sasa{sv}",
                "A window", 2, "text", "avatar", 0);
        assert_return_code(sd_bus_message_read(answer, "o", &surface), 0);
        name = get_string(h, bus, surface, INTERFACE_SURFACE, "Name");
        assert_string_equal(name, "A window");

        sd_bus_message_unref(harness_call(h, bus, surface, "org.freedesktop.DBus.Properties", "Set",
                "ssv", INTERFACE_SURFACE, "Focus", "o", conversation));
        assert_fails(
                harness_call_error(h, stranger, NULL, surface, "org.freedesktop.DBus.Properties",
                        "Set", "ssv", INTERFACE_SURFACE, "Focus", "o", "/"),
                "org.freedesktop.DBus.Error.AccessDenied");
        focus = harness_call(h, stranger, surface, "org.freedesktop.DBus.Properties", "Get", "ss",
                INTERFACE_SURFACE, "Focus");
        assert_return_code(sd_bus_message_read(focus, "v", "o", &shown), 0);
        assert_string_equal(shown, conversation);
        assert_fails(
                harness_call_error(h, bus, NULL, surface, "org.freedesktop.DBus.Properties", "Set",
                        "ssv", INTERFACE_SURFACE, "Focus", "o", PATH_CONVERSATION "/" NO_SUCH_HEX),
                "NoSuchConversation");
        assert_fails(harness_call_error(h, bus, NULL, PATH_ROOT, INTERFACE_MANAGER,
                             "RegisterSurface", "sasa{sv}", "A window", 1, "smell", 0),
                "InvalidArgument");
        assert_int_equal(harness_stop(h), 0);
}

static void test_snapshot(void **state)
{
        static const struct {
                const char *key, *type;
        } keys[] = {
                { "version", "s" },
                { "default_model", "s" },
                { "surfaces", "u" },
                { "conversations", "a(osstta{sv})" },
                { "replies", "a(ottsa{sv})" },
                { "engines", "a(sssa{sv})" },
                { "avatar", "a{sv}" },
        };
        Harness *h = *state;
        unsigned found = 0;

        harness_start(h);
        for (Via via = VIA_SESSION; via <= VIA_PRIVATE; via++) {
                _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = harness_call(
                        h, bus, PATH_ROOT, INTERFACE_MANAGER, "GetSnapshot", "");
                const char *key, *type;

                assert_true(sd_bus_message_enter_container(answer, 'a', "{sv}") > 0);
                while (sd_bus_message_enter_container(answer, 'e', "sv") > 0) {
                        assert_return_code(sd_bus_message_read(answer, "s", &key), 0);
                        assert_true(sd_bus_message_peek_type(answer, NULL, &type) > 0);
                        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                                if (!streq(keys[i].key, key))
                                        continue;
                                assert_string_equal(type, keys[i].type);
                                found++;
                        }
                        assert_return_code(sd_bus_message_skip(answer, "v"), 0);
                        assert_return_code(sd_bus_message_exit_container(answer), 0);
                }
        }
        assert_int_equal(found, 2 * ELEMENTSOF(keys));
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_options, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_unknown_ids, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_message_sizes, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_title_sizes, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_token, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_busy_and_queue, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_exports_unread, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_export_parts, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_branches, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_pages_after, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(
                        test_keep_and_forget, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_surface, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_snapshot, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
