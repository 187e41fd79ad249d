/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/tui-rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/tui/terminal/screen-internal.h"

char *screen_row_text(const Screen *s, int row)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        size_t end = 0, size;
        char *text;

        assert_in_range(row, 0, s->rows - 1);
        for (int column = 0; column < s->columns; column++) {
                const Cell *c = screen_cell(s->drawn, s, row, column);

                assert_return_code(buffer_append(&b, cell_text(s, c), c->size), 0);
                if (!cell_is_blank(c))
                        end = b.size;
        }
        if (b.size > 0) {
                b.data[end] = 0;
                b.size = end;
        }
        assert_return_code(buffer_steal(&b, &text, &size), 0);
        return text;
}

void assert_screen_row(const Screen *s, int row, const char *expected)
{
        _cleanup_free_ char *text = screen_row_text(s, row);

        assert_string_equal(text, expected);
}
