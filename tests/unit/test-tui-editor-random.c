/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The editor in random use, beside what is known of any such use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/utf8.h"
#include "tests/unit/tui-editor-world.h"

static char *lines_of(size_t n)
{
        char *text = malloc(2 * n + 1);

        assert_non_null(text);
        for (size_t i = 0; i < n; i++)
                memcpy(text + 2 * i, "x\n", 3);
        return text;
}

/* ---- against a naive model ---- */

static unsigned long seed;

static unsigned random_below(unsigned n)
{
        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
        return (unsigned) (seed >> 33) % n;
}

typedef struct Model {
        char **texts; /* after each change since the start */
        size_t n, allocated;
} Model;

static void remember(Model *m, const char *text)
{
        if (m->n > 0 && streq(m->texts[m->n - 1], text))
                return;
        if (m->n == m->allocated) {
                m->allocated = m->allocated ? 2 * m->allocated : 64;
                m->texts = reallocarray(m->texts, m->allocated, sizeof *m->texts);
                assert_non_null(m->texts);
        }
        m->texts[m->n] = strdup(text);
        assert_non_null(m->texts[m->n]);
        m->n++;
}

static void forget(Model *m, size_t n)
{
        while (m->n > n)
                free(m->texts[--m->n]);
}

static void check_invariants(Editor *e)
{
        size_t size, last = 0;
        const char *text = editor_text(e, &size);

        assert_true(utf8_is_valid(text, size));
        assert_int_equal(text[size], 0);
        assert_int_equal(snap(e, editor_cursor(e)), editor_cursor(e));
        for (size_t i = 0; i < e->n_chips; i++) {
                assert_true(e->chips[i].start >= last && e->chips[i].size > 0);
                last = e->chips[i].start + e->chips[i].size;
        }
        assert_true(last <= size);
}

/* What was inserted at the cursor is there, and nothing else is different. */
static void check_inserted(Editor *e, const char *before, size_t cursor, const char *inserted)
{
        _cleanup_free_ char *expected = NULL;

        assert_true(asprintf(&expected, "%.*s%s%s", (int) cursor, before, inserted,
                            before + cursor) >= 0);
        assert_string_equal(editor_text(e, NULL), expected);
        cursor += strlen(inserted);
        if (snap(e, cursor) == cursor)
                assert_int_equal(editor_cursor(e), cursor);
        else /* it joined what is behind it */
                assert_int_equal(editor_cursor(e), next_cluster(e, snap(e, cursor)));
}

/* One stretch is gone, and nothing else is different. */
static void check_removed(Editor *e, const char *before)
{
        size_t size, old = strlen(before), start = 0;
        const char *text = editor_text(e, &size);

        assert_true(size <= old);
        while (start < size && text[start] == before[start])
                start++;
        assert_string_equal(text + start, before + start + (old - size));
}

static void random_change(Editor *e, const char *long_text)
{
        static const char *const words[] = { "a", "b", " ", "\n", "e\u0301", FAMILY, "\t", "one ",
                "\u65e5\u672c", "\U0001f1e9\U0001f1ea", "x, y", "\u0301" };
        const char *word = words[random_below(ELEMENTSOF(words))];
        _cleanup_free_ char *before = strdup(editor_text(e, NULL));
        size_t cursor = editor_cursor(e);

        assert_non_null(before);
        switch (random_below(8)) {
        case 0 ... 3:
                assert_int_equal(editor_insert(e, word, strlen(word)), 1);
                check_inserted(e, before, cursor, word);
                break;
        case 4:
                word = random_below(4) == 0 ? long_text : word;
                assert_int_equal(editor_paste(e, word, strlen(word)), 1);
                check_inserted(e, before, cursor, word);
                break;
        case 5:
                assert_true(editor_kill(e, (EditorKill) random_below(KILL_ALL)) >= 0);
                check_removed(e, before);
                break;
        case 6:
                assert_true((random_below(2) ? editor_yank(e) : editor_transpose(e)) >= 0);
                break;
        case 7:
                if (random_below(8) == 0)
                        assert_true(editor_unfold(e) >= 0);
                assert_true(editor_move(e, (EditorMove) random_below(MOVE_END + 1)) >= 0);
                assert_string_equal(editor_text(e, NULL), before);
                break;
        }
        check_invariants(e);
}

/* All the way back and again forward: each text was there before, in that order. */
static void check_undo(Editor *e, const Model *m)
{
        size_t at = m->n - 1;

        while (editor_undo(e) > 0) {
                check_invariants(e);
                while (at > 0 && !streq(m->texts[at], editor_text(e, NULL)))
                        at--;
                assert_string_equal(editor_text(e, NULL), m->texts[at]);
        }
        assert_text(e, m->texts[0]);
        at = 0; /* the same text may have been there several times */
        while (editor_redo(e) > 0) {
                check_invariants(e);
                while (at < m->n - 1 && !streq(m->texts[at], editor_text(e, NULL)))
                        at++;
                assert_string_equal(editor_text(e, NULL), m->texts[at]);
        }
        assert_text(e, m->texts[m->n - 1]);
}

static void test_random(void **state)
{
        _cleanup_free_ char *long_text = lines_of(30);

        for (unsigned round = 0; round < 60; round++) {
                _cleanup_(editor_freep) Editor *e = make("");
                Model m = { 0 };

                seed = round;
                remember(&m, "");
                for (unsigned i = 0; i < 200; i++) {
                        random_change(e, long_text);
                        remember(&m, editor_text(e, NULL));
                        if (random_below(50) != 0)
                                continue;
                        check_undo(e, &m);
                        /* Back some steps, from which it goes on another way. */
                        for (unsigned k = random_below(5); k > 0 && editor_undo(e) > 0; k--)
                                while (!streq(m.texts[m.n - 1], editor_text(e, NULL)))
                                        forget(&m, m.n - 1);
                        type(e, "z");
                        remember(&m, editor_text(e, NULL));
                }
                check_undo(e, &m);
                forget(&m, 0);
                free(m.texts);
        }
}

/* ---- rows ---- */

/* Rows are all of the text in order, and every place finds its own row. */
static void check_rows(Editor *e, int columns)
{
        size_t start = 0, end;
        bool more;

        e->columns = columns;
        do {
                more = row_end(e, start, &end);
                assert_true(end > start || !more);
                for (size_t at = start; at < end; at = next_cluster(e, at))
                        assert_int_equal(row_start(e, at), start);
                if (!more) {
                        assert_int_equal(end, e->text.size);
                        assert_int_equal(row_start(e, end), start);
                }
                start = end;
        } while (more);
}

static void test_rows_of_anything(void **state)
{
        _cleanup_free_ char *long_text = lines_of(30);

        for (unsigned round = 0; round < 20; round++) {
                _cleanup_(editor_freep) Editor *e = make("");

                seed = round;
                for (unsigned i = 0; i < 100; i++)
                        random_change(e, long_text);
                for (int columns = 1; columns < 30; columns += 4)
                        check_rows(e, columns);
        }
}

static void test_rows_of_a_long_line(void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        _cleanup_(editor_freep) Editor *e = make("");
        _cleanup_free_ char *lines = lines_of(5000);

        for (unsigned i = 0; i < 2000; i++)
                assert_int_equal(buffer_append_string(&b, i % 3 ? "word " : FAMILY), 0);
        assert_int_equal(editor_set_text(e, b.data, b.size), 1);
        editor_set_cursor(e, 9000);
        assert_int_equal(editor_paste(e, lines, strlen(lines)), 1);
        editor_set_cursor(e, 3);
        assert_int_equal(editor_paste(e, lines, strlen(lines)), 1);
        check_rows(e, 40);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random),
                cmocka_unit_test(test_rows_of_anything),
                cmocka_unit_test(test_rows_of_a_long_line),
        };

        return cmocka_run_group_tests_name("tui-editor-random", tests, NULL, NULL);
}
