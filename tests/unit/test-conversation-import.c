/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What becomes of an imported conversation: all of it, or nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "conversation-fakes.h"
#include "service/conversation/conversation-import.h"

#define ID SD_ID128_MAKE(01, 23, 45, 67, 89, ab, cd, ef, 01, 23, 45, 67, 89, ab, cd, ef)

#define HEAD(modified) \
        "{\"type\":\"conversation\",\"version\":1,\"id\":\"0123456789abcdef0123456789abcdef\"," \
        "\"title\":\"Old\",\"model\":\"a/b\",\"system\":\"s\",\"created\":1," \
        "\"modified\":" modified ",\"head\":0,\"archived\":true}\n"
#define MESSAGES \
        "{\"type\":\"message\",\"id\":10,\"parent\":0,\"role\":\"user\",\"created\":1," \
        "\"content\":\"a\"}\n" \
        "{\"type\":\"attachment\",\"message\":10,\"name\":\"n\",\"data\":\"QQ==\"}\n" \
        "{\"type\":\"message\",\"id\":20,\"parent\":10,\"role\":\"assistant\",\"created\":1," \
        "\"content\":\"b\",\"reason\":\"stop\"}\n" \
        "{\"type\":\"message\",\"id\":30,\"parent\":10,\"role\":\"assistant\",\"created\":1," \
        "\"content\":\"c\"}\n"
#define END(n) "{\"type\":\"end\",\"messages\":" n "}\n"

static const char whole[] = HEAD("2") MESSAGES END("3");
static const char empty[] = HEAD("2") END("0");

/* Reads the text, imports it, settles. */
static int import_text(const char *text)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Import *import;
        Imported imported;
        int fd, r;

        fd = memfd_create("test-conversation-import", MFD_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        assert_int_equal(import_new(&import, fd, NULL), 0);
        assert_int_equal(import_next(import, &imported, NULL), 1);
        import_free(import);

        told_clear(&world.told);
        r = conversations_import(world.cs, &imported, world_done, &world.told, &failure);
        assert_null(imported.messages); /* taken over, whatever happened */
        world_settle();
        return r;
}

static void test_whole(void **state)
{
        Conversation *c;

        assert_int_equal(import_text(whole), 0);
        assert_true(world.told.called);
        assert_int_equal(world.told.code, FAILURE_NONE);
        assert_log("added\n");

        for (unsigned again = 0; again < 2; again++) {
                uint64_t number, head;

                c = conversations_find(world.cs, ID);
                assert_non_null(c);
                number = conversation_number(c);
                head = conversation_head(c);
                assert_string_equal(conversation_title(c), "Old");
                assert_string_equal(conversation_model(c), "a/b");
                assert_true(conversation_archived(c));
                assert_int_equal(conversation_deleted(c), 0);
                assert_int_equal(conversation_modified(c), 2);
                assert_int_equal(conversation_messages(c), 3);
                assert_int_equal(conversation_unread(c), 0);
                assert_int_equal(fake_store_count(number), 3);
                assert_string_equal(fake_store_message(number, head)->content, "c");
                assert_int_equal(fake_store_message(number, head)->reason, REASON_INTERRUPTED);
                assert_int_equal(fake_store_message(number, head)->parent, head - 2);
                assert_int_equal(fake_store_message(number, head - 1)->parent, head - 2);
                assert_int_equal(fake_store_message(number, head - 2)->parent, 0);
                /* And after a restart. */
                world_restart();
        }
}

static void test_no_messages(void **state)
{
        Conversation *c;

        assert_int_equal(import_text(empty), 0);
        c = conversations_find(world.cs, ID);
        assert_non_null(c);
        assert_int_equal(conversation_head(c), 0);
        assert_int_equal(fake_store_conversation(conversation_number(c))->deleted, 0);
}

static void test_id_is_taken(void **state)
{
        Conversation *first;

        assert_int_equal(import_text(whole), 0);
        first = conversations_find(world.cs, ID);
        assert_int_equal(import_text(whole), 0);
        assert_int_equal(conversations_count(world.cs), 2);
        assert_ptr_equal(conversations_find(world.cs, ID), first);
}

/* The list stays in the order of time. */
static void test_order(void **state)
{
        static const char *const texts[] = { HEAD("20") END("0"), HEAD("40") END("0"),
                HEAD("10") END("0"), HEAD("30") END("0"), HEAD("30") END("0") };
        usec_t before = USEC_INFINITY;
        Conversation *now;
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_int_equal(import_text(texts[i]), 0);
        now = world_create();
        assert_ptr_equal(conversations_next(world.cs, NULL), now);
        for (Conversation *c = conversations_next(world.cs, NULL); c;
                c = conversations_next(world.cs, c)) {
                assert_true(conversation_modified(c) <= before);
                before = conversation_modified(c);
                n++;
        }
        assert_int_equal(n, ELEMENTSOF(texts) + 1);
}

/* When it fails, nothing is listed, now or later. */
static void test_failures(void **state)
{
        static const char *const texts[] = { empty, whole };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                for (unsigned refused = 0; refused < 2; refused++) {
                        int r;

                        *(refused ? &fake_store.refuse_mask : &fake_store.fail_mask) = 1U
                                << FAKE_CREATE_WHOLE;
                        r = import_text(texts[i]);
                        fake_store.refuse_mask = fake_store.fail_mask = 0;
                        /* Refused at once, or told later; never both. */
                        assert_int_equal(world.told.called, r >= 0);
                        if (r >= 0)
                                assert_int_not_equal(world.told.code, FAILURE_NONE);
                        assert_null(conversations_find(world.cs, ID));
                        assert_int_equal(conversations_count(world.cs), 0);
                        assert_log("");
                        world_restart();
                        assert_int_equal(conversations_count(world.cs), 0);
                }
}

/* The service dies before it is stored: nothing of it is there, not even in the trash. */
static void test_crash(void **state)
{
        fake_store.held = true;
        assert_int_equal(import_text(whole), 0);
        assert_false(world.told.called);
        assert_null(conversations_find(world.cs, ID));
        fake_store.held = false;
        world_restart();
        assert_int_equal(conversations_count(world.cs), 0);
}

static void on_stopped(void *userdata)
{
        *(bool *) userdata = true;
}

/* What came after the last thing that is waited for would not be there. */
static void test_stopping(void **state)
{
        bool stopped = false;

        assert_int_equal(conversations_stop(world.cs, on_stopped, &stopped), 0);
        assert_true(import_text(whole) < 0);
        assert_true(stopped);
        assert_false(world.told.called);
        assert_null(conversations_find(world.cs, ID));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_whole, world_set_up, world_tear_down),
                cmocka_unit_test_setup_teardown(test_no_messages, world_set_up, world_tear_down),
                cmocka_unit_test_setup_teardown(test_id_is_taken, world_set_up, world_tear_down),
                cmocka_unit_test_setup_teardown(test_order, world_set_up, world_tear_down),
                cmocka_unit_test_setup_teardown(test_failures, world_set_up, world_tear_down),
                cmocka_unit_test_setup_teardown(test_crash, world_set_up, world_tear_down),
                cmocka_unit_test_setup_teardown(test_stopping, world_set_up, world_tear_down),
        };

        return cmocka_run_group_tests_name("conversation-import", tests, NULL, NULL);
}
