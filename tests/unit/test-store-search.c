/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/store-fixture.h"

#include "common/utf8.h"
#include "tests/unit/sqlite-util.h"

static const struct {
        const char *query;
        unsigned hits;
} word_cases[] = {
        { "apple", 2 },
        { "APPLE", 2 },
        { "apple pear", 1 },
        { "pear apple", 1 },
        { "  apple\t\n pear ", 1 },
        { "appl", 2 }, /* the last word may be a beginning */
        { "appl*", 2 },
        { "app", 2 },
        { "ap", 0 }, /* of three characters at least */
        { "pear appl", 1 },
        { "appl pear", 0 },
        { "pple", 0 },
        { "foo-ba", 0 },
        { "foobar-b", 0 },
        { "apple, pe", 0 },
        { "APPLE, PEA!", 1 },
        { "äpp", 2 },
        { "str", 1 },
        { "st", 0 },
        { "apple*", 2 },
        { "strasse", 0 },
        { "straße", 1 },
        { "cafe", 1 },
        { "café", 1 },
        { "foo-bar", 1 }, /* a phrase */
        { "bar-foo", 0 },
        { "apple OR nothing", 0 }, /* operators are words */
        { "apple NOT pear", 0 },
        { "NEAR(apple pear)", 0 },
        { "content:apple", 0 },
        { "\"", 0 },
        { "\"apple", 2 },
        { "app\"le", 0 },
        { "apple ; DROP TABLE messages; --", 0 },
        { "^apple", 2 },
        { "apple*pear", 1 },
        { "(apple", 2 },
        { "+ apple -", 2 },
        { "日本", 1 }, /* any part of what is written without spaces */
        { "日本語", 1 },
        { "本", 1 },
        { "本語", 1 },
        { "語本", 0 },
        { "日語", 0 },
        { "日 語", 1 },
        { "苹果", 1 },
        { "果苹", 0 },
        { "吃苹果 喜欢", 1 },
        { "コーヒ", 1 },
        { "か\u3099", 1 }, /* a mark stays with its letter */
        { "학교", 1 },
        { "USBケーブル", 1 },
        { "usb", 1 },
        { "ケーブル3m", 1 },
        { "ケーブル 3m", 1 },
        { "𠀋", 1 },
        { "Ж", 0 },
};

static void test_words(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, "apple in a title");

        (void) add_message(f, n, 0, ROLE_USER, "An apple a day");
        (void) add_message(f, n, 0, ROLE_ASSISTANT, "apple, pear; foo-bar");
        (void) add_message(f, n, 0, ROLE_USER, "Die Straße zum Café, 日本語");
        (void) add_message(f, n, 0, ROLE_USER, "我喜欢吃苹果。コーヒーとか\u3099 학교에서");
        (void) add_message(f, n, 0, ROLE_USER, "USBケーブル3m 𠀋");

        for (size_t i = 0; i < ELEMENTSOF(word_cases); i++) {
                FailureCode code = do_search(f, word_cases[i].query, 0, 0, 10);

                if (streq(word_cases[i].query, "\"")) {
                        assert_int_equal(code, FAILURE_INVALID_ARGUMENT);
                        continue;
                }
                if (code != FAILURE_NONE || f->n_hits != word_cases[i].hits)
                        fail_msg("'%s': %s, %zu hits", word_cases[i].query,
                                failure_message(&f->failure), f->n_hits);
                assert_int_equal(do_search(f, word_cases[i].query, STORE_SEARCH_RANKED, 0, 10),
                        FAILURE_NONE);
                assert_int_equal(f->n_hits, word_cases[i].hits);
        }
}

static void test_refused(void **state)
{
        Fixture *f = *state;
        char words[256] = "", *end = words, *longest;

        assert_int_equal(do_search(f, "", 0, 0, 10), FAILURE_INVALID_ARGUMENT);
        assert_int_equal(do_search(f, " \t ", 0, 0, 10), FAILURE_INVALID_ARGUMENT);
        assert_int_equal(do_search(f, "... !?", 0, 0, 10), FAILURE_INVALID_ARGUMENT);
        assert_int_equal(do_search(f, "\xff", 0, 0, 10), FAILURE_INVALID_ARGUMENT);

        for (unsigned i = 0; i < 32; i++)
                end = stpcpy(end, "a ");
        assert_int_equal(do_search(f, words, 0, 0, 10), FAILURE_NONE);
        (void) strcpy(end, "a");
        assert_int_equal(do_search(f, words, 0, 0, 10), FAILURE_TOO_LARGE);

        longest = malloc(KIB(4) + 2);
        memset(longest, 'x', KIB(4) + 1);
        longest[KIB(4)] = 0;
        assert_int_equal(do_search(f, longest, 0, 0, 10), FAILURE_NONE);
        longest[KIB(4)] = '"';
        longest[KIB(4) + 1] = 0;
        assert_int_equal(do_search(f, longest, 0, 0, 10), FAILURE_TOO_LARGE);
        /* Quoted, it is twice as long. */
        memset(longest, '"', KIB(4));
        longest[0] = 'x';
        longest[KIB(4)] = 0;
        assert_int_equal(do_search(f, longest, 0, 0, 10), FAILURE_NONE);
        free(longest);
}

static void test_order(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), ids[5];

        for (unsigned i = 0; i < 5; i++)
                ids[i] = add_message(f, n, 0, ROLE_USER,
                        i == 1 ? "needle needle needle" : "one needle in a longer text of hay");

        assert_int_equal(do_search(f, "needle", 0, 0, 3), FAILURE_NONE);
        assert_int_equal(f->n_hits, 3);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(f->hits[i].message, ids[4 - i]);
                assert_int_equal(f->hits[i].number, n);
                assert_int_equal(f->hits[i].role, ROLE_USER);
                assert_int_equal(f->hits[i].created, 100 + ids[4 - i]);
        }
        assert_int_equal(do_search(f, "needle", 0, /* before= */ ids[2], 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 2);
        assert_int_equal(f->hits[0].message, ids[1]);

        assert_int_equal(do_search(f, "needle", STORE_SEARCH_RANKED, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 5);
        assert_int_equal(f->hits[0].message, ids[1]);
        assert_int_equal(do_search(f, "needle", STORE_SEARCH_RANKED, 0, 0), FAILURE_NONE);
        assert_int_equal(f->n_hits, 0);
}

static void test_which_conversations(void **state)
{
        static const struct {
                StoreConversation c;
                StoreField field;
        } kinds[] = {
                { { 0 }, STORE_READ },
                { { .hidden = true }, STORE_HIDDEN },
                { { .archived = true }, STORE_ARCHIVED },
                { { .deleted = 5 }, STORE_DELETED },
        };
        static const struct {
                StoreSearchFlags flags;
                unsigned hits;
        } cases[] = {
                { 0, 2 },
                { STORE_SEARCH_NO_HIDDEN, 1 },
                { STORE_SEARCH_ARCHIVED, 3 },
                { STORE_SEARCH_ARCHIVED | STORE_SEARCH_NO_HIDDEN, 2 },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                StoreConversation c = kinds[i].c;

                c.number = make_conversation(f, "");
                (void) add_message(f, c.number, 0, ROLE_USER, "word");
                assert_int_equal(do_update(f, &c, kinds[i].field), FAILURE_NONE);
        }
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(do_search(f, "word", cases[i].flags, 0, 10), FAILURE_NONE);
                assert_int_equal(f->n_hits, cases[i].hits);
                assert_int_equal(do_search(f, "word", cases[i].flags | STORE_SEARCH_RANKED, 0, 10),
                        FAILURE_NONE);
                assert_int_equal(f->n_hits, cases[i].hits);
        }
}

static void test_snippets(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, "");
        _cleanup_free_ char *text = malloc(4000);
        char *end = text;

        (void) add_message(f, n, 0, ROLE_USER, "start\n\tthe art\x1b[31m of it\n");
        assert_int_equal(do_search(f, "art", 0, 0, 1), FAILURE_NONE);
        assert_string_equal(f->hits[0].snippet, "start the art [31m of it");

        for (unsigned i = 0; i < 300; i++)
                end = stpcpy(end, "häy ");
        end = stpcpy(end, "needle ");
        for (unsigned i = 0; i < 300; i++)
                end = stpcpy(end, "häy ");
        (void) add_message(f, n, 0, ROLE_USER, text);
        assert_int_equal(do_search(f, "needle", 0, 0, 1), FAILURE_NONE);
        assert_non_null(strstr(f->hits[0].snippet, " needle "));
        assert_in_range(strlen(f->hits[0].snippet), 150, 200);
        assert_true(utf8_is_valid(f->hits[0].snippet, strlen(f->hits[0].snippet)));

        /* No space to begin at, and a word that is only like the one in the text. */
        memset(text, 0, 4000);
        for (end = text; end < text + 1000;)
                end = stpcpy(end, "語");
        (void) strcpy(end, "-Needle");
        (void) add_message(f, n, 0, ROLE_USER, text);
        assert_int_equal(do_search(f, "NEEDLE", 0, 0, 1), FAILURE_NONE);
        assert_non_null(strstr(f->hits[0].snippet, "-Needle"));
        assert_true(utf8_is_valid(f->hits[0].snippet, strlen(f->hits[0].snippet)));
        (void) add_message(f, n, 0, ROLE_USER, "Ein Café am Platz");
        assert_int_equal(do_search(f, "cafe", 0, 0, 1), FAILURE_NONE);
        assert_string_equal(f->hits[0].snippet, "Ein Café am Platz");

        (void) add_message(f, n, 0, ROLE_USER, "先週、東京でおいしいコーヒーを飲みました。");
        assert_int_equal(do_search(f, "コーヒー", 0, 0, 1), FAILURE_NONE);
        assert_string_equal(f->hits[0].snippet, "先週、東京でおいしいコーヒーを飲みました。");
}

/* An index that an earlier version filled is converted while it is in use. */
static void test_earlier_index(void **state)
{
        enum { N = 1500 };
        static const struct {
                const char *query;
                unsigned hits;
        } cases[] = { { "日本", 64 }, { "plain", 64 }, { "added", 1 }, { "漢字", 1 }, { "gone", 0 },
                { "消", 0 }, { "changed", 1 }, { "改", 1 }, { "draft", 0 } };
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), gone = make_conversation(f, ""), live;

        for (unsigned i = 0; i < N; i++)
                (void) add_message(f, n, 0, ROLE_USER, i % 2 ? "これは日本語です" : "plain");
        (void) add_message(f, gone, 0, ROLE_USER, "gone 消える");
        live = add_message(f, n, 0, ROLE_ASSISTANT, "draft");
        fixture_close(f);
        (void) sqlite_change(f->path,
                "INSERT INTO search (search) VALUES ('rebuild');"
                "DELETE FROM meta WHERE key LIKE 'unsplit%';"
                "PRAGMA user_version = 1");

        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_true(store_pending(f->store) > 0);
        /* What changes meanwhile, on either side of where it is. */
        (void) add_message(f, n, 0, ROLE_USER, "added 漢字");
        assert_int_equal(do_end(f, n, live, "changed 改める", REASON_STOP), FAILURE_NONE);
        assert_int_equal(do_purge(f, gone), FAILURE_NONE);
        fixture_settle(f);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(do_search(f, cases[i].query, 0, 0, 64), FAILURE_NONE);
                if (f->n_hits != cases[i].hits)
                        fail_msg("'%s': %zu hits", cases[i].query, f->n_hits);
        }
        fixture_close(f);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(store_pending(f->store), 0);
        assert_int_equal(do_search(f, "日本", 0, 0, 64), FAILURE_NONE);
        assert_int_equal(f->n_hits, 64);

        fixture_close(f);
        (void) sqlite_change(f->path, "INSERT INTO search (search) VALUES ('integrity-check')");
        assert_int_equal(fixture_open(f), FAILURE_NONE);
}

/* Not in anybody's commit, and yet it is done: else each message would leave a part. */
static void test_index_is_merged(void **state)
{
        enum { N = 250 };
        Fixture *f = *state;
        uint64_t n = make_conversation(f, "");

        for (unsigned i = 0; i < N; i++)
                (void) add_message(f, n, 0, ROLE_USER, "One more that has some words.");
        fixture_close(f);
        assert_in_range(
                sqlite_number(f->path, "SELECT count(DISTINCT segid) FROM search_idx"), 1, 160);
        assert_int_equal(
                sqlite_number(f->path, "SELECT v FROM search_config WHERE k = 'automerge'"), 0);
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(do_search(f, "words", 0, 0, 64), FAILURE_NONE);
        assert_int_equal(f->n_hits, 64);
}

/* A reply is found when it has ended, with the text that it ended with. */
static void test_replies(void **state)
{
        Fixture *f = *state;
        uint64_t n = make_conversation(f, ""), r = add_live(f, n, 0);

        assert_return_code(store_append_reply(f->store, n, r, CHANNEL_CONTENT, 0, "draft", 5, NULL,
                                   NULL, NULL),
                0);
        assert_int_equal(do_search(f, "draft", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 0);

        assert_int_equal(do_end(f, n, r, "final", REASON_STOP), FAILURE_NONE);
        assert_int_equal(do_search(f, "final", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 1);
        assert_int_equal(f->hits[0].role, ROLE_ASSISTANT);
        assert_int_equal(do_search(f, "draft", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 0);

        assert_int_equal(do_reopen(f, n, r), FAILURE_NONE);
        assert_int_equal(do_search(f, "final", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 0);
        assert_int_equal(do_end(f, n, r, "final again", REASON_STOP), FAILURE_NONE);
        /* Ended twice: the second text counts. */
        assert_int_equal(do_end(f, n, r, "changed", REASON_STOP), FAILURE_NONE);
        assert_int_equal(do_search(f, "again", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 0);
        assert_int_equal(do_search(f, "changed", 0, 0, 10), FAILURE_NONE);
        assert_int_equal(f->n_hits, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_words, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_refused, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_order, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_which_conversations, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_snippets, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_earlier_index, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(
                        test_index_is_merged, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_replies, fixture_setup, fixture_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
