/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/layout-build.h"

#define TAB_COLUMNS 4U

#include "client/tui/terminal/width.h"

int code_label(Builder *b, const char *name, size_t size)
{
        _cleanup_flow_ Flow flow = FLOW_INIT;
        int r;

        r = flow_append(&flow, STYLE_COMMENT, SOURCE_NONE, name, size);
        if (r < 0)
                return r;
        return builder_flow(b, &flow, WRAP_CELLS, ROW_FILL | ROW_ADDED);
}

typedef struct CodeRuns {
        Flow *flow;
        const char *line;
        uint32_t source;
        unsigned column;
        int result;
} CodeRuns;

static int add_run(CodeRuns *c, Style style, size_t start, size_t size)
{
        int r;

        while (size > 0) {
                const char *text = c->line + start, *tab = memchr(text, '\t', size);
                size_t n = tab ? (size_t) (tab - text) : size;

                r = flow_append(c->flow, style, c->source + (uint32_t) start, text, n);
                if (r < 0)
                        return r;
                if (tab) {
                        unsigned blanks;

                        c->column += text_cells(text, n);
                        blanks = TAB_COLUMNS - c->column % TAB_COLUMNS;
                        r = flow_append(
                                c->flow, style, c->source + (uint32_t) (start + n), "    ", blanks);
                        if (r < 0)
                                return r;
                        c->column += blanks;
                        n++;
                } else
                        c->column += text_cells(text, n);
                start += n;
                size -= n;
        }
        return 0;
}

static void on_run(Style style, size_t start, size_t size, void *userdata)
{
        CodeRuns *c = ASSERT_PTR(userdata);

        if (c->result >= 0)
                c->result = add_run(c, style, start, size);
}

int code_line(Builder *b, Code *code, const char *line, size_t size, uint32_t source)
{
        CodeRuns c = { .flow = &code->flow, .line = line, .source = source };

        b->source = MAX(b->source, source);
        if (code->language)
                code->state = lexer_line(code->language, code->state, line, size, on_run, &c);
        else
                on_run(STYLE_CODE, 0, size, &c);
        if (c.result < 0)
                return c.result;
        return builder_flow(b, &code->flow, WRAP_CELLS, ROW_FILL);
}
