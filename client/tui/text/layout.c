/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/layout.h"

#include "client/tui/terminal/width.h"
#include "client/tui/text/layout-build.h"

/* Code stands apart from the text around it where there are no colours, too. */
#define CODE_INDENT       2U
#define CODE_INDENT_WIDTH 40U /* … on screens wider than this */

Layout *layout_free(Layout *l)
{
        free(l);
        return NULL;
}

/* A line of a person's own words: blanks are theirs, tabs are blanks. */
static int plain_line(Builder *b, Flow *flow, const char *line, size_t size, uint32_t source)
{
        unsigned column = 0;
        int r;

        b->source = MAX(b->source, source);
        while (size > 0) {
                const char *tab = memchr(line, '\t', size);
                size_t n = tab ? (size_t) (tab - line) : size;

                r = flow_append(flow, b->role, source, line, n);
                if (r < 0)
                        return r;
                column += text_cells(line, n);
                if (tab) {
                        r = flow_append(
                                flow, b->role, source + (uint32_t) n, "        ", 8 - column % 8);
                        if (r < 0)
                                return r;
                        column += 8 - column % 8;
                        n++;
                }
                line += n;
                source += (uint32_t) n;
                size -= n;
        }
        return builder_flow(b, flow, WRAP_WORDS, 0);
}

typedef int (*LineFunc)(Builder *b, void *userdata, const char *line, size_t size, uint32_t source);

static int on_plain(Builder *b, void *userdata, const char *line, size_t size, uint32_t source)
{
        return plain_line(b, userdata, line, size, source);
}

static int on_code(Builder *b, void *userdata, const char *line, size_t size, uint32_t source)
{
        return code_line(b, userdata, line, size, source);
}

static int each_line(
        Builder *b, const Segment *segment, const char *text, LineFunc func, void *userdata)
{
        size_t at = 0;
        int r;

        for (;;) {
                const char *nl = memchr(text + at, '\n', segment->size - at);
                size_t end = nl ? (size_t) (nl - text) : segment->size, skip;

                skip = segment_line_indent(segment, text + at, end - at);
                if (at == 0 && (segment->flags & SEGMENT_CONTINUED))
                        skip = 0;
                if (nl && end > at + skip && text[end - 1] == '\r')
                        end--;
                r = func(b, userdata, text + at + skip, end - at - skip, (uint32_t) (at + skip));
                if (r < 0 || !nl)
                        return r;
                at = (size_t) (nl - text) + 1;
        }
}

static int plain_rows(Builder *b, const Segment *segment, const char *text)
{
        Flow flow = builder_take_flow(b);
        int r;

        r = each_line(b, segment, text, on_plain, &flow);
        builder_give_flow(b, &flow);
        return r;
}

static int code_rows(Builder *b, const Segments *segments, const Segment *segment)
{
        const char *source = segments->source.data, *name = source + segment->language;
        Code code = {
                .language = language_find(name, segment->n_language),
                .state = segment->lexer_state,
                .flow = builder_take_flow(b),
        };
        int r = 0;

        if (b->width >= CODE_INDENT_WIDTH)
                b->indent += CODE_INDENT;
        if ((segment->flags & SEGMENT_FIRST) && segment->n_language > 0)
                r = code_label(b, name, segment->n_language);
        if (r >= 0 && (segment->size > 0 || b->n_rows == 0))
                r = each_line(b, segment, source + segment->start, on_code, &code);
        builder_give_flow(b, &code.flow);
        return r;
}

static int prose_rows(Builder *b, const Segment *segment, const char *text)
{
        int r;

        /* The middle of a line is not looked at as if it were a line's beginning. */
        if (segment->flags & SEGMENT_CONTINUED)
                return plain_rows(b, segment, text);

        r = markdown_rows(b, segment, text);
        if (r == -ENOTSUP || (r >= 0 && b->n_rows == 0)) {
                builder_clear(b);
                return plain_rows(b, segment, text);
        }
        return r;
}

/* A copy of what was built, without a byte too much. */
static Layout *layout_make(const Builder *b)
{
        size_t rows = b->n_rows * sizeof(Row), runs = b->n_runs * sizeof(Run);
        size_t bytes = sizeof(Layout) + rows + runs + b->text.size + 1;
        Layout *l = malloc(bytes);

        static_assert(_Alignof(Layout) % _Alignof(Row) == 0 && _Alignof(Row) % _Alignof(Run) == 0,
                "one lies behind the other");

        if (!l)
                return NULL;
        *l = (Layout){
                .width = b->width,
                .rows = (Row *) (l + 1),
                .runs = (Run *) ((Row *) (l + 1) + b->n_rows),
                .text = (char *) (l + 1) + rows + runs,
                .n_rows = b->n_rows,
                .n_runs = b->n_runs,
                .bytes = bytes,
        };
        memcpy(l->rows, b->rows, rows);
        if (runs > 0)
                memcpy(l->runs, b->runs, runs);
        memcpy(l->text, buffer_text(&b->text), b->text.size + 1);
        return l;
}

static Builder *builder_new(void)
{
        Builder *b = malloc(sizeof *b);

        if (b)
                *b = (Builder){ .text = BUFFER_INIT(MIB(64)), .flow = FLOW_INIT };
        return b;
}

int layout_new(const Segments *segments, size_t index, unsigned width, StyleRole role,
        LayoutFlags flags, Builder **kept, Layout **ret)
{
        _cleanup_(builder_freep) Builder *own = NULL;
        const Segment *segment;
        const char *text;
        Layout *layout;
        Builder *b;
        int r = 0;

        assert(segments);
        assert(index < segments->n_items);
        assert(ret);

        if (!kept)
                kept = &own;
        if (!*kept)
                *kept = builder_new();
        b = *kept;
        if (!b)
                return -ENOMEM;

        segment = segments->items + index;
        text = buffer_text(&segments->source) + segment->start;
        builder_clear(b);
        b->width = MIN(MAX(width, LAYOUT_WIDTH_MIN), LAYOUT_WIDTH_MAX);
        b->indent = MIN((unsigned) segment->margin, b->width / 3);
        b->role = role;
        b->flags = flags;
        b->source_max = segment->size;

        if ((flags & LAYOUT_PLAIN) || segment->kind == SEGMENT_PLAIN)
                r = plain_rows(b, segment, text);
        else if (segment->kind == SEGMENT_CODE)
                r = code_rows(b, segments, segment);
        else
                r = prose_rows(b, segment, text);
        if (r < 0)
                return r;

        if (index + 1 < segments->n_items && (segments->items[index + 1].flags & SEGMENT_CONTINUED))
                b->rows[b->n_rows - 1].flags |= ROW_SOFT;
        layout = layout_make(b);
        if (!layout)
                return -ENOMEM;
        *ret = layout;
        return 0;
}
