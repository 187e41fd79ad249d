/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A question's other answers, an answer's other questions, and the pages of the branch that is
 * shown. */

#include "tests/bus/harness.h"
#include "tests/bus/reader.h"

#define NO_SUCH_ID UINT64_C(999999)

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
        Exchange first, edit;

        harness_start(h);
        bus = harness_connect(h, VIA_SESSION);
        conversation = harness_create(h, bus, "");
        reader = reader_new(h, bus, conversation);
        first = harness_exchange(h, bus, conversation, "I am sad.", NULL);
        assert_string_equal(reader_wait(reader, first.reply), "stop");

        answer = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "Regenerate", "ta{sv}",
                first.reply, 0);
        assert_return_code(sd_bus_message_read(answer, "t", &other), 0);
        assert_string_equal(reader_wait(reader, other), "stop");
        assert_branches(h, bus, conversation, first.reply, first.reply, other);
        assert_int_equal(harness_head(h, bus, conversation), other);

        edited = harness_call(h, bus, conversation, INTERFACE_CONVERSATION, "Edit", "ts",
                first.message, "I am glad.");
        edit = harness_read_exchange(edited);
        assert_string_equal(reader_wait(reader, edit.reply), "stop");
        assert_branches(h, bus, conversation, edit.message, first.message, edit.message);
        assert_int_equal(harness_head(h, bus, conversation), edit.reply);

        sd_bus_message_unref(harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "SelectBranch", "t", first.reply));
        assert_int_equal(harness_head(h, bus, conversation), first.reply);
        sd_bus_message_unref(harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "SelectBranch", "t", edit.message));
        assert_int_equal(harness_head(h, bus, conversation), edit.reply);
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
        Exchange exchange;

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
                exchange = harness_exchange(h, bus, conversation, "I am sad.", NULL);
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
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "GetMessagesAfter", "tu", old[3], 5),
                "NoSuchMessage");
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "GetMessagesAfter", "tu", NO_SUCH_ID << 40, 5),
                "NoSuchMessage");
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "GetMessagesAfter", "tu", UINT64_C(0), 0),
                "InvalidArgument");
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "GetMessagesAfter", "tu", UINT64_C(0), 1001),
                "TooLarge");

        sd_bus_message_unref(harness_call(
                h, bus, conversation, INTERFACE_CONVERSATION, "SelectBranch", "t", old[3]));
        page = get_after(h, bus, conversation, old[0], PAGE_IDS);
        assert_page(&page, old + 1, 3);
        harness_assert_error(harness_call_error(h, bus, NULL, conversation, INTERFACE_CONVERSATION,
                                     "GetMessagesAfter", "tu", ids[4], 5),
                "NoSuchMessage");
        assert_int_equal(harness_stop(h), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_branches, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(test_pages_after, harness_setup, harness_teardown),
        };

        harness_require_bus();
        return cmocka_run_group_tests_name("branches", tests, NULL, NULL);
}
