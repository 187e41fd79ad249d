/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/text/languages.h"
#include "client/tui/text/lexer.h"
#include "common/buffer.h"

typedef struct Seen {
        Buffer out;
        const char *line;
        size_t at;
} Seen;

static void on_run(Style style, size_t start, size_t size, void *userdata)
{
        static const char letters[_STYLE_ROLE_MAX] = {
                [STYLE_KEYWORD] = 'k',
                [STYLE_TYPE] = 't',
                [STYLE_STRING] = 's',
                [STYLE_NUMBER] = 'n',
                [STYLE_COMMENT] = 'c',
                [STYLE_FUNCTION] = 'f',
                [STYLE_CODE] = '.',
        };
        Seen *seen = userdata;

        assert_int_equal(start, seen->at);
        assert_true(size > 0);
        assert_int_not_equal(letters[STYLE_ROLE(style)], 0);
        for (size_t i = 0; i < size; i++)
                assert_int_equal(buffer_append(&seen->out, letters + STYLE_ROLE(style), 1), 0);
        seen->at += size;
}

/* Lines of code, each followed by a line with a letter below each byte: what it is drawn as. */
static void check(const char *name, const char *const *lines, size_t n)
{
        const Language *language = language_find(name, strlen(name));
        unsigned state = 0;

        assert_non_null(language);
        for (size_t i = 0; i < n; i += 2) {
                Seen seen = { .out = BUFFER_INIT(KIB(64)), .line = lines[i] };

                state = lexer_line(language, state, lines[i], strlen(lines[i]), on_run, &seen);
                assert_int_equal(seen.at, strlen(lines[i]));
                if (strcmp(buffer_text(&seen.out), lines[i + 1]) != 0)
                        print_error("%s: %s\n", name, lines[i]);
                assert_string_equal(buffer_text(&seen.out), lines[i + 1]);
                buffer_done(&seen.out);
        }
        assert_int_equal(state, 0);
}

/* clang-format off */
static const char *const c_lines[] = {
        "#include <a.h> // x",
        "kkkkkkkk.sssss.cccc",
        "static int f(char *p) /* a",
        "kkkkkk.ttt.f.tttt.....cccc",
        "b */ return 0x1fU + '\\'' + \"a\\\"b\" + g(NULL);",
        "cccc.kkkkkk.nnnnn...ssss...ssssss...f.nnnn..",
};
static const char *const cpp_lines[] = {
        "template <class T> auto x = nullptr;",
        "kkkkkkkk..kkkkk....kkkk.....nnnnnnn.",
};
static const char *const python_lines[] = {
        "@cache",
        "ffffff",
        "def f(x: int) -> None:  # c",
        "kkk.f....ttt.....nnnn...ccc",
        "    \"\"\"a",
        "....ssss",
        "def \"\" b\"\"\" + 'it\\'s' + 1e-5",
        "sssssssssss...sssssss...nnnn",
};
static const char *const javascript_lines[] = {
        "const a = `x",
        "kkkkk.....ss",
        "${y}`; // c",
        "sssss..cccc",
        "await new Map(); let b: number = null",
        "kkkkk.kkk.fff....kkk....tttttt...nnnn",
};
static const char *const shell_lines[] = {
        "if [ \"$a\" ]; then apt-get $HOME; fi # c",
        "kk...ssss....kkkk.ttttttt.ttttt..kk.ccc",
        "echo 'a",
        "tttt.ss",
        "b' a#b ${x} \\\"",
        "ss.....tttt...",
};
static const char *const rust_lines[] = {
        "fn f<'a>(s: &'a str) -> Vec<u8> { p!(\"x",
        "kk...tt......tt.ttt.....ttt.tt....f..ss",
        "\", 'c'); } /* a /* b */",
        "s..sss.....cccccccccccc",
        "c */ None",
        "cccc.nnnn",
};
static const char *const go_lines[] = {
        "func f() error { return nil } // c",
        "kkkk.f...ttttt...kkkkkk.nnn...cccc",
        "x := `a",
        ".....ss",
        "b` + \"c\" + '\\n'",
        "ss...sss...ssss",
};
static const char *const java_lines[] = {
        "@Override public String f() { return null; }",
        "fffffffff.kkkkkk.tttttt.f.....kkkkkk.nnnn...",
};
static const char *const json_lines[] = {
        "{\"a\": [1, true, \"b\\\"\"],",
        ".ttt...n..nnnn..sssss..",
        "  \"c\" : null}",
        "..ttt...nnnn.",
};
static const char *const yaml_lines[] = {
        "# c",
        "ccc",
        "[Section]",
        "kkkkkkkkk",
        "key = yes ; c",
        "ttt...nnn.ccc",
        "- name: 'a' b#c # d",
        "..tttt..sss.....ccc",
        "a: don't",
        "t.......",
};
static const char *const html_lines[] = {
        "<a href=\"x",
        "kk.tttt.ss",
        "y\">t &amp; <!-- c",
        "ssk..nnnnn.cccccc",
        "--></a><br/>",
        "ccckkkkkkkkk",
};
static const char *const sql_lines[] = {
        "SELECT count(*) FROM t -- c",
        "kkkkkk.fffff....kkkk...cccc",
        "where a = 'it''s' and b IS NULL;",
        "kkkkk.....sssssss.kkk...kk.nnnn.",
};
static const char *const diff_lines[] = {
        "--- a",
        "kkkkk",
        "@@ -1 @@",
        "ffffffff",
        "-x",
        "nn",
        "+y",
        "ss",
        " z",
        "..",
};
/* clang-format on */

static void test_languages(void **state)
{
        static const struct {
                const char *name;
                const char *const *lines;
                size_t n;
        } table[] = {
#define LINES(lines) lines, ELEMENTSOF(lines)
                { "c", LINES(c_lines) },
                { "C++", LINES(cpp_lines) },
                { "python", LINES(python_lines) },
                { "ts", LINES(javascript_lines) },
                { "bash", LINES(shell_lines) },
                { "rust", LINES(rust_lines) },
                { "go", LINES(go_lines) },
                { "java", LINES(java_lines) },
                { "json", LINES(json_lines) },
                { "yaml", LINES(yaml_lines) },
                { "html", LINES(html_lines) },
                { "sql", LINES(sql_lines) },
                { "diff", LINES(diff_lines) },
#undef LINES
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                check(table[i].name, table[i].lines, table[i].n);
        assert_int_equal(ELEMENTSOF(table), n_languages);
}

static void test_names(void **state)
{
        static const char *const known[] = { "h", "PY", "jsx", "sh", "ini", "toml", "xml" };
        static const char *const unknown[] = { "", " ", "brainfuck", "p", "c ", " c", "c h" };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                assert_non_null(language_find(known[i], strlen(known[i])));
        for (size_t i = 0; i < ELEMENTSOF(unknown); i++)
                assert_null(language_find(unknown[i], strlen(unknown[i])));
        assert_ptr_equal(language_find("python", 2), language_find("py", 2));
}

/* Words are looked for between blanks: a list that does not begin and end with one loses two. */
static void test_tables(void **state)
{
        for (size_t i = 0; i < n_languages; i++) {
                const char *lists[] = { languages[i].names, languages[i].keywords,
                        languages[i].types, languages[i].constants };

                for (size_t k = 0; k < ELEMENTSOF(lists); k++)
                        if (lists[k]) {
                                assert_int_equal(lists[k][0], ' ');
                                assert_int_equal(lists[k][strlen(lists[k]) - 1], ' ');
                        }
        }
}

static void on_size(Style style, size_t start, size_t size, void *userdata)
{
        size_t *at = userdata;

        assert_int_equal(start, *at);
        *at += size;
}

/* Any bytes in any state: no gap, no end before the end, a state that is taken again. */
static void test_garbage(void **state)
{
        static const char bytes[] = "\"'`<>/*-!&;#$@{}[]=:\\aZ09_ \t\n\xc3\xff\x00.(";
        uint32_t seed = 3;

        for (size_t i = 0; i < n_languages; i++)
                for (unsigned n = 0; n < 400; n++) {
                        char line[40];
                        size_t size = n % sizeof line, at = 0;
                        unsigned next = n < 300 ? n % 9 : n * 7919;

                        for (size_t k = 0; k < size; k++) {
                                seed = seed * 1664525U + 1013904223U;
                                line[k] = bytes[(seed >> 8) % (sizeof bytes - 1)];
                        }
                        for (unsigned k = 0; k < 3; k++, at = 0) {
                                next = lexer_line(languages + i, next, line, size, on_size, &at);
                                assert_int_equal(at, size);
                        }
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_languages),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_tables),
                cmocka_unit_test(test_garbage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
