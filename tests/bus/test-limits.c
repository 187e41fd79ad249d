/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The limits of the contract: for each where it is tried at its value and one over it. Those that a
 * client reaches in a call are tried here, on the bus. */

#include <sys/mman.h>

#include "service/conversation/conversation-face.h"
#include "service/conversation/conversations.h"
#include "service/conversation/follower.h"
#include "service/conversation/reply.h"
#include "service/engine/wire.h"
#include "service/manager-bus.h"
#include "service/surface/surface.h"
#include "tests/bus/harness.h"

#define MODEL "test/tiny:latest"

/* ---- one value below, at and over ---- */

typedef struct World {
        Harness *harness;
        sd_bus *bus;
        char *path; /* a conversation with an answered question */
        uint64_t reply;
} World;

/* "" or the error's name without the prefix of ours; takes the message over. */
static char *result_of(World *w, sd_bus_message *message)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = message;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char *name;

        if (sd_bus_call(w->bus, m, UINT64_MAX, &error, NULL) >= 0)
                return strdup("");
        assert_non_null(error.name);
        name = strdup(startswith(error.name, ERROR_PREFIX) ?: error.name);
        assert_non_null(name);
        return name;
}

static char *letters(size_t n)
{
        char *text = malloc(n + 1);

        assert_non_null(text);
        memset(text, 'x', n);
        text[n] = 0;
        return text;
}

static sd_bus_message *to_manager(World *w, const char *member)
{
        return harness_message(w->bus, PATH_ROOT, INTERFACE_MANAGER, member);
}

static sd_bus_message *to_conversation(World *w, const char *member)
{
        return harness_message(w->bus, w->path, INTERFACE_CONVERSATION, member);
}

static sd_bus_message *title(World *w, size_t n)
{
        _cleanup_free_ char *text = letters(n);
        sd_bus_message *m = to_conversation(w, "SetTitle");

        assert_return_code(sd_bus_message_append(m, "s", text), 0);
        return m;
}

static sd_bus_message *query(World *w, size_t n)
{
        _cleanup_free_ char *text = letters(n);
        sd_bus_message *m = to_manager(w, "Search");

        assert_return_code(sd_bus_message_append(m, "sa{sv}", text, 0), 0);
        return m;
}

static sd_bus_message *list(World *w, size_t n)
{
        sd_bus_message *m = to_manager(w, "ListConversations");

        assert_return_code(sd_bus_message_append(m, "a{sv}", 1, "limit", "u", (uint32_t) n), 0);
        return m;
}

static sd_bus_message *hits(World *w, size_t n)
{
        sd_bus_message *m = to_manager(w, "Search");

        assert_return_code(
                sd_bus_message_append(m, "sa{sv}", "word1", 1, "limit", "u", (uint32_t) n), 0);
        return m;
}

static sd_bus_message *page(World *w, size_t n)
{
        sd_bus_message *m = to_conversation(w, "GetMessages");

        assert_return_code(sd_bus_message_append(m, "tu", UINT64_C(0), (uint32_t) n), 0);
        return m;
}

static sd_bus_message *piece(World *w, size_t n)
{
        sd_bus_message *m = to_conversation(w, "GetReply");

        assert_return_code(
                sd_bus_message_append(m, "tstt", w->reply, "content", UINT64_C(0), (uint64_t) n),
                0);
        return m;
}

static sd_bus_message *token(World *w, size_t n)
{
        _cleanup_free_ char *text = letters(n);
        sd_bus_message *m = to_conversation(w, "Send");

        assert_return_code(sd_bus_message_append(m, "sa{sv}", "@tokens=1", 2, "queue", "b", true,
                                   "token", "s", text),
                0);
        return m;
}

static sd_bus_message *message(World *w, size_t n)
{
        _cleanup_free_ char *text = letters(n);
        sd_bus_message *m = to_conversation(w, "Send");

        assert_return_code(sd_bus_message_append(m, "sa{sv}", text, 1, "queue", "b", true), 0);
        return m;
}

static sd_bus_message *edited(World *w, size_t n)
{
        _cleanup_free_ char *text = letters(n);
        sd_bus_message *m = to_conversation(w, "Edit");

        assert_return_code(sd_bus_message_append(m, "ts", w->reply - 1, text), 0);
        return m;
}

static sd_bus_message *prompt(World *w, size_t n)
{
        _cleanup_free_ char *text = letters(n);
        sd_bus_message *m = to_conversation(w, "SetSystem");

        assert_return_code(sd_bus_message_append(m, "s", text), 0);
        return m;
}

/* n attachments, of this size each. */
static sd_bus_message *with_attachments(World *w, size_t n, size_t size)
{
        _cleanup_close_ int fd = memfd_create("attachment", MFD_CLOEXEC);
        sd_bus_message *m = to_conversation(w, "Send");

        assert_return_code(fd, errno);
        assert_return_code(ftruncate(fd, (off_t) size), errno);
        assert_return_code(sd_bus_message_append(m, "s", "@tokens=1"), 0);
        assert_return_code(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
        assert_return_code(sd_bus_message_append(m, "{sv}", "queue", "b", true), 0);
        harness_append_attachments(m, "a.bin", fd, n);
        assert_return_code(sd_bus_message_close_container(m), 0);
        return m;
}

static sd_bus_message *attachments(World *w, size_t n)
{
        return with_attachments(w, n, 1);
}

static sd_bus_message *attachment(World *w, size_t size)
{
        return with_attachments(w, 1, size);
}

static const struct {
        const char *what;
        size_t limit;
        sd_bus_message *(*call)(World *w, size_t n);
        const char *error; /* of one over it */
} tried[] = {
        { "bytes of a title", CONVERSATION_TITLE_MAX, title, "TooLarge" },
        { "bytes of a message", CONVERSATION_MESSAGE_MAX, message, "TooLarge" },
        { "bytes of an edited message", CONVERSATION_MESSAGE_MAX, edited, "TooLarge" },
        { "bytes of a system prompt", CONVERSATION_MESSAGE_MAX, prompt, "TooLarge" },
        { "attachments of a message", CONVERSATION_ATTACHMENTS_MAX, attachments, "TooLarge" },
        { "bytes of an attachment", CONVERSATION_ATTACHMENT_MAX, attachment, "TooLarge" },
        { "messages of a page", CONVERSATION_PAGE_MAX, page, "TooLarge" },
        { "bytes of a reply at once", GET_REPLY_MAX, piece, "TooLarge" },
        { "bytes of a token", 256, token, "TooLarge" },
        { "bytes of a query", MANAGER_QUERY_MAX, query, "TooLarge" },
        { "conversations of a list", MANAGER_LIST_MAX, list, "InvalidArgument" },
        { "hits of a search", MANAGER_LIST_MAX, hits, "InvalidArgument" },
};

/* ---- those that are tried elsewhere, and where ---- */

static const struct {
        const char *what;
        size_t limit, promised;
        const char *file, *word; /* which that test has */
} elsewhere[] = {
        { "bytes of a reply", REPLY_TEXT_MAX, MIB(64), "unit/test-reply.c", "REPLY_TEXT_MAX" },
        { "bytes of an engine's line", WIRE_LINE_MAX, MIB(8), "unit/test-wire.c", "WIRE_LINE_MAX" },
        { "followers of a conversation", CONVERSATION_FOLLOWERS_MAX, 256, "bus/test-flood.c",
                "CONVERSATION_FOLLOWERS_MAX" },
        { "followers", FOLLOWERS_MAX, 1024, "bus/test-flood.c", "FOLLOWERS_MAX" },
        { "surfaces", SURFACES_MAX, 64, "unit/test-surface.c", "SURFACES_MAX" },
        { "private connections", DOORS_PRIVATE_MAX, 1024, "bus/test-flood.c", "CONNECTIONS_MAX" },
        { "live replies", REPLIES_LIVE_MAX, 256, "unit/test-send.c", "REPLIES_LIVE_MAX" },
        { "waiting replies", REPLIES_WAITING_MAX, 1024, "unit/test-send.c", "REPLIES_WAITING_MAX" },
        { "calls in flight", DOORS_CALLS_MAX, 64, "bus/test-flood.c", "CALLS_MAX" },
        { "messages queued to one", DOORS_QUEUE_MESSAGES_MAX, 1024, "unit/test-private-door.c",
                "DOORS_QUEUE_MESSAGES_MAX" },
        { "bytes queued to one", DOORS_QUEUE_BYTES_MAX, MIB(4), "bus/test-flood.c",
                "test_unread_bytes" },
        { "bytes of a page", CONVERSATION_PAGE_BYTES, MIB(8), "bus/test-limits.c",
                "test_page_bytes" },
        { "exports not read", 16, 16, "bus/test-export.c", "test_exports_unread" },
        { "pipes not read", 256, 256, "bus/test-attack-descriptors.c", "PIPES_MAX" },
};

static void check_elsewhere(const char *name, const char *word)
{
        _cleanup_free_ char *path = NULL, *line = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        size_t allocated = 0;
        unsigned n = 0;

        assert_non_null(getenv("CONDUCTOR_INTERFACES"));
        assert_true(asprintf(&path, "%s/../tests/%s", getenv("CONDUCTOR_INTERFACES"), name) > 0);
        f = fopen(path, "re");
        assert_non_null(f);
        while (getline(&line, &allocated, f) > 0)
                n += strstr(line, word) != NULL;
        if (n == 0)
                fail_msg("%s no longer has %s", name, word);
}

static void test_table(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(elsewhere); i++) {
                print_message("# limit: %s, %zu: tests/%s\n", elsewhere[i].what, elsewhere[i].limit,
                        elsewhere[i].file);
                assert_int_equal(elsewhere[i].limit, elsewhere[i].promised);
                check_elsewhere(elsewhere[i].file, elsewhere[i].word);
        }
        for (size_t i = 0; i < ELEMENTSOF(tried); i++)
                print_message("# limit: %s, %zu: here\n", tried[i].what, tried[i].limit);
}

static void try_limit(World *w, size_t i, size_t n, const char *expected)
{
        _cleanup_free_ char *name = result_of(w, tried[i].call(w, n));

        if (!streq_ptr(name, expected))
                fail_msg("%zu %s: \"%s\", not \"%s\"", n, tried[i].what, name, expected);
}

static void test_limits(void **state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        World w = { .harness = *state };
        const char *system;

        harness_start_engine(w.harness, "ollama", "", NULL);
        harness_start(w.harness);
        w.bus = harness_connect(w.harness, VIA_PRIVATE);
        w.path = harness_create(w.harness, w.bus, MODEL);
        w.reply = harness_send(w.harness, w.bus, w.path, "@tokens=3");
        for (size_t i = 0; i < ELEMENTSOF(tried); i++) {
                try_limit(&w, i, tried[i].limit, "");
                try_limit(&w, i, tried[i].limit + 1, tried[i].error);
        }
        answer = harness_call(w.harness, w.bus, w.path, INTERFACE_CONVERSATION, "GetSystem", "");
        assert_true(sd_bus_message_read(answer, "s", &system) > 0);
        assert_int_equal(strlen(system), CONVERSATION_MESSAGE_MAX);
        harness_disconnectp(&w.bus);
        free(w.path);
        assert_int_equal(harness_stop(w.harness), 0);
        print_message("# tried | limits of a call, at their value and one over | %zu | taken, and "
                      "refused by name\n",
                2 * ELEMENTSOF(tried));
}

/* Of large messages a page has fewer: at most 8 MiB. */
static void test_page_bytes(void **state)
{
        static const struct {
                size_t bytes; /* of each of two questions */
                unsigned n;   /* of them on the page */
        } pages[] = { { CONVERSATION_PAGE_BYTES / 2 - KIB(64), 2 },
                { CONVERSATION_PAGE_BYTES / 2 + 1, 1 } };
        World w = { .harness = *state };

        harness_start_engine(w.harness, "ollama", "", NULL);
        harness_start(w.harness);
        w.bus = harness_connect(w.harness, VIA_PRIVATE);
        for (size_t i = 0; i < ELEMENTSOF(pages); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
                _cleanup_free_ char *text = letters(pages[i].bytes);
                unsigned n_large = 0;
                const char *r, *content;

                w.path = harness_create(w.harness, w.bus, MODEL);
                for (unsigned k = 0; k < 2; k++) {
                        sd_bus_message *m = to_conversation(&w, "Send");

                        assert_return_code(
                                sd_bus_message_append(m, "sa{sv}", text, 1, "queue", "b", true), 0);
                        sd_bus_message_unref(harness_call_message(w.harness, w.bus, m));
                        sd_bus_message_unref(m);
                }
                answer = harness_call(w.harness, w.bus, w.path, INTERFACE_CONVERSATION,
                        "GetMessages", "tu", UINT64_C(0), UINT32_C(1000));
                assert_true(sd_bus_message_enter_container(answer, 'a', "(ttssa{sv})") > 0);
                while (sd_bus_message_enter_container(answer, 'r', "ttssa{sv}") > 0) {
                        assert_return_code(
                                sd_bus_message_read(answer, "ttss", NULL, NULL, &r, &content), 0);
                        n_large += strlen(content) == pages[i].bytes;
                        assert_return_code(sd_bus_message_skip(answer, "a{sv}"), 0);
                        assert_return_code(sd_bus_message_exit_container(answer), 0);
                }
                assert_int_equal(n_large, pages[i].n);
                free(w.path);
        }
        harness_disconnectp(&w.bus);
        assert_int_equal(harness_stop(w.harness), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                TEST(test_limits),
                TEST(test_page_bytes),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
