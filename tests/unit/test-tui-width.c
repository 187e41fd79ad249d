/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/terminal/width.h"
#include "common/buffer.h"
#include "tests/skip.h"

/* Of the distribution: where Debian and Arch have it, and Fedora and openSUSE. */
static const char *const break_tests[] = {
        "/usr/share/unicode/auxiliary/GraphemeBreakTest.txt",
        "/usr/share/unicode/ucd/auxiliary/GraphemeBreakTest.txt",
};

static unsigned cells(const char *text)
{
        return text_cells(text, strlen(text));
}

/* The text is one cluster of so many cells. */
static void assert_one(const char *text, unsigned expected)
{
        Cluster c;

        cluster_measure(text, strlen(text), &c);
        if (c.size != strlen(text) || c.cells != expected)
                fail_msg("\"%s\": %zu of %zu bytes, %u cells, not %u", text, c.size, strlen(text),
                        c.cells, expected);
        assert_int_equal(cluster_previous(text, strlen(text)), 0);
}

static void append_utf8(Buffer *b, unsigned c)
{
        char s[4];
        size_t n;

        if (c < 0x80) {
                s[0] = (char) c;
                n = 1;
        } else if (c < 0x800) {
                s[0] = (char) (0xc0 | c >> 6);
                s[1] = (char) (0x80 | (c & 0x3f));
                n = 2;
        } else if (c < 0x10000) {
                s[0] = (char) (0xe0 | c >> 12);
                s[1] = (char) (0x80 | (c >> 6 & 0x3f));
                s[2] = (char) (0x80 | (c & 0x3f));
                n = 3;
        } else {
                s[0] = (char) (0xf0 | c >> 18);
                s[1] = (char) (0x80 | (c >> 12 & 0x3f));
                s[2] = (char) (0x80 | (c >> 6 & 0x3f));
                s[3] = (char) (0x80 | (c & 0x3f));
                n = 4;
        }
        assert_int_equal(buffer_append(b, s, n), 0);
}

/* One line of Unicode's list: U+00F7 before a character breaks, U+00D7 joins. */
static size_t check_line(char *line)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(1000);
        size_t ends[32], n_ends = 0, start = 0;
        char *save = NULL;

        line[strcspn(line, "#")] = 0;
        for (char *w = strtok_r(line, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save)) {
                if (!streq(w, "\u00f7") && !streq(w, "\u00d7"))
                        append_utf8(&text, (unsigned) strtoul(w, NULL, 16));
                else if (streq(w, "\u00f7") && text.size > 0)
                        ends[n_ends++] = text.size;
        }
        for (size_t i = 0; i < n_ends; i++) {
                unsigned n;

                assert_int_equal(cluster_previous(text.data, ends[i]), start);
                start += cluster_next(text.data + start, text.size - start, &n);
                assert_int_equal(start, ends[i]);
                assert_true(n <= CLUSTER_CELLS_MAX);
        }
        return n_ends;
}

static void test_unicode_list(void **state)
{
        _cleanup_fclose_ FILE *f = NULL;
        char line[1024];
        size_t lines = 0;

        for (size_t i = 0; i < ELEMENTSOF(break_tests) && !f; i++)
                f = fopen(break_tests[i], "re");
        if (!f) {
                skip_because("there is no GraphemeBreakTest.txt: install unicode-data");
        }
        while (fgets(line, sizeof line, f))
                lines += check_line(line) > 0;
        assert_true(lines > 500);
}

static void test_plain(void **state)
{
        assert_int_equal(cells(""), 0);
        assert_int_equal(cells("hello"), 5);
        assert_int_equal(cells("\u00e4\u00f6"), 2);
        assert_one("e\u0301", 1);
        assert_one("\u6f22", 2);
        assert_one("\uff21", 2);
        assert_one("\uff71", 1);
}

static void test_sequences(void **state)
{
        static const struct {
                const char *text;
                unsigned cells;
        } table[] = {
                { "\U0001f600", 2 },                                                 /* face */
                { "\u2764", 1 },                                                     /* heart */
                { "\u2764\ufe0f", 2 },                                               /* red heart */
                { "1\ufe0f\u20e3", 2 },                                              /* key cap */
                { "\U0001f1e9\U0001f1ea", 2 },                                       /* flag */
                { "\U0001f44d\U0001f3fd", 2 },                                       /* skin */
                { "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", 2 }, /* family */
                { "\u2764\ufe0f\u200d\U0001f525", 2 },
                { "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 2 },
                { "\u1112\u1161\u11ab", 2 }, /* Hangul in parts */
                { "\ud55c", 2 },             /* and whole */
                { "\u0915\u093e", 2 },       /* Devanagari, a spacing mark */
                { "\u0915\u0940\u0902", 2 },
                { "\u0e19\u0e49", 1 }, /* Thai, a tone above */
                { "\u0e19\u0e33", 2 }, /* Thai am */
                { "a\u200d", 1 },
                { "\u0600"
                  "1",
                        2 }, /* a sign of Arabic before a digit */
                { "\U0001f600\ufe0e", 2 },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_one(table[i].text, table[i].cells);
}

static void test_other_ways(void **state)
{
        unsigned n;

        width_set_ways(0);
        assert_int_equal(cells("\U0001f468\u200d\U0001f469\u200d\U0001f467"), 6);
        assert_int_equal(cluster_next("\U0001f468\u200d\U0001f469", 11, &n), 7);
        assert_int_equal(n, 2);
        assert_one("\u2764\ufe0f", 1);
        assert_one("\U0001f1e9\U0001f1ea", 4);
        assert_one("\U0001f1e9", 2);
        assert_one("\U0001f44d\U0001f3fd", 4);
        assert_one("\u0915\u093e", 1);
        width_set_ways(WIDTH_WAYS_DEFAULT);
        assert_one("\U0001f1e9", 1);
}

static void test_certainty(void **state)
{
        static const struct {
                const char *text;
                bool always, measured;
        } table[] = {
                { "a", true, true },
                { "\u6f22", true, true },
                { "e\u0301", true, true },
                { "\u1112\u1161\u11ab", true, true },
                { "\U0001f600", true, true },
                { "\u2764\ufe0f", false, true },
                { "\U0001f1e9\U0001f1ea", false, true },
                { "\U0001f44d\U0001f3fd", false, true },
                { "\U0001f468\u200d\U0001f469", false, true },
                { "\u0915\u093e", false, true },
                { "1\ufe0f\u20e3", false, false },
                { "\U0001f1e9", false, false },
                { "\u0600"
                  "1",
                        false, false },
                { "\U0001f600\ufe0e", false, false },
                { "\u4dc0", false, false },
                { "\U0001faf8", false, false }, /* of Unicode 15 */
                { "\u2764\ufe0f\u200d\U0001f525", false, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Cluster c;

                width_set_ways(WIDTH_WAYS_DEFAULT);
                cluster_measure(table[i].text, strlen(table[i].text), &c);
                assert_int_equal(c.certain, table[i].always);
                width_set_ways(WIDTH_WAYS_DEFAULT | WIDTH_MEASURED);
                cluster_measure(table[i].text, strlen(table[i].text), &c);
                assert_int_equal(c.certain, table[i].measured);
        }
        width_set_ways(WIDTH_WAYS_DEFAULT);
}

static void assert_kind(const char *text, size_t size, ClusterKind kind, unsigned n)
{
        Cluster c;

        cluster_measure(text, size, &c);
        assert_int_equal(c.kind, kind);
        assert_int_equal(c.cells, n);
        assert_int_equal(c.size, size);
}

static void test_kinds(void **state)
{
        assert_kind("\x1b", 1, CLUSTER_CONTROL, 1);
        assert_kind("\0", 1, CLUSTER_CONTROL, 1);
        assert_kind("\x7f", 1, CLUSTER_CONTROL, 1);
        assert_kind("\r\n", 2, CLUSTER_CONTROL, 1);
        assert_kind("\xc2\x85", 2, CLUSTER_CONTROL, 1);
        assert_kind("\u202e", 3, CLUSTER_CONTROL, 1);
        assert_kind("\u2028", 3, CLUSTER_CONTROL, 1);
        assert_kind("\xff", 1, CLUSTER_CONTROL, 1);
        assert_kind("\xe2", 1, CLUSTER_CONTROL, 1);
        assert_kind("\u0301", 2, CLUSTER_MARK, 1);
        assert_kind("\u200b", 3, CLUSTER_INVISIBLE, 0);
        assert_kind("\u00ad", 2, CLUSTER_INVISIBLE, 0);
        assert_kind("\u200d", 3, CLUSTER_INVISIBLE, 0);
        assert_kind("\ufe0f", 3, CLUSTER_INVISIBLE, 0);
}

static void test_ill_formed(void **state)
{
        static const char text[] = "a\xe2\x82"
                                   "b\xf0\x9f\x98"
                                   "c\xc0\xaf"
                                   "d\xed\xa0\x80";
        size_t offset = 0;

        while (offset < sizeof text - 1) {
                unsigned n;

                assert_int_equal(cluster_next(text + offset, sizeof text - 1 - offset, &n), 1);
                assert_int_equal(n, 1);
                assert_int_equal(cluster_previous(text, offset + 1), offset);
                offset++;
        }
}

static void test_limits(void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(64));
        unsigned n;
        size_t at;

        assert_int_equal(buffer_append_string(&b, "a"), 0);
        for (size_t i = 0; i < 10000; i++)
                assert_int_equal(buffer_append_string(&b, "\u0301"), 0);
        at = cluster_next(b.data, b.size, &n);
        assert_true(at <= CLUSTER_BYTES_MAX && at + 2 > CLUSTER_BYTES_MAX);
        assert_int_equal(n, 1);
        at = cluster_previous(b.data, b.size);
        assert_true(at < b.size && b.size - at <= CLUSTER_BYTES_MAX);

        /* Spacing marks without end: no cluster has more cells than a cell can say. */
        buffer_clear(&b);
        for (size_t i = 0; i < 100; i++)
                assert_int_equal(buffer_append_string(&b, "\u093e"), 0);
        assert_int_equal(cluster_next(b.data, b.size, &n), 4 * 3);
        assert_int_equal(n, CLUSTER_CELLS_MAX);
}

static void test_fit(void **state)
{
        static const char text[] = "ab\u6f22\u5b57e\u0301";
        static const struct {
                unsigned cells, used;
                size_t size;
        } table[] = { { 0, 0, 0 }, { 1, 1, 1 }, { 2, 2, 2 }, { 3, 2, 2 }, { 4, 4, 5 }, { 5, 4, 5 },
                { 6, 6, 8 }, { 7, 7, 11 }, { 100, 7, 11 } };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                unsigned used;

                assert_int_equal(
                        text_fit(text, sizeof text - 1, table[i].cells, &used), table[i].size);
                assert_int_equal(used, table[i].used);
        }
        assert_int_equal(text_fit(text, sizeof text - 1, 3, NULL), 2);
}

/* Going forward and back meets the same borders, whatever the bytes. */
static void test_forward_and_back(void **state)
{
        static const char *const parts[] = { "a", " ", "\r", "\n", "\u0301", "\u200d", "\ufe0f",
                "\U0001f1e9", "\U0001f468", "\U0001f3fd", "\u1112", "\u1161", "\u11ab", "\ud55c",
                "\u0600", "\u093e", "\xff", "\xe2\x82", "\u6f22", "\u202e" };
        unsigned seed = 7;

        for (unsigned round = 0; round < 3000; round++) {
                _cleanup_buffer_ Buffer b = BUFFER_INIT(1000);
                size_t offset = 0;

                for (unsigned i = 0; i < 8; i++)
                        assert_int_equal(
                                buffer_append_string(
                                        &b, parts[(unsigned) rand_r(&seed) % ELEMENTSOF(parts)]),
                                0);
                while (offset < b.size) {
                        unsigned n;
                        size_t size = cluster_next(b.data + offset, b.size - offset, &n);

                        assert_int_equal(cluster_previous(b.data, offset + size), offset);
                        offset += size;
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unicode_list),
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_sequences),
                cmocka_unit_test(test_other_ways),
                cmocka_unit_test(test_certainty),
                cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_ill_formed),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_fit),
                cmocka_unit_test(test_forward_and_back),
        };

        return cmocka_run_group_tests_name("tui-width", tests, NULL, NULL);
}
