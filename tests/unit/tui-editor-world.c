/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tui-editor-world.h"

Editor *make(const char *text)
{
        Editor *e = NULL;

        assert_int_equal(editor_new(&e), 0);
        if (*text)
                assert_int_equal(editor_set_text(e, text, strlen(text)), 1);
        return e;
}

void type(Editor *e, const char *text)
{
        for (size_t i = 0; text[i];) {
                unsigned cells;
                size_t n = cluster_next(text + i, strlen(text + i), &cells);

                assert_int_equal(editor_insert(e, text + i, n), 1);
                i += n;
        }
}

void assert_text(Editor *e, const char *expected)
{
        size_t size;

        assert_string_equal(editor_text(e, &size), expected);
        assert_int_equal(size, strlen(expected));
}
