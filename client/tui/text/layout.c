/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/layout.h"

#include "client/tui/terminal/width.h"
#include "client/tui/text/layout-build.h"

/* Code stands apart from the text around it where there are no colours, too. */
#define CODE_INDENT       2U
#define CODE_INDENT_WIDTH 40U /* … on screens wider than this */

Layout *layout_free(Layout *l)
{
        if (!l)
                return NULL;
        free(l->text);
        free(l->runs);
        free(l->rows);
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
        _cleanup_flow_ Flow flow = FLOW_INIT;

        return each_line(b, segment, text, on_plain, &flow);
}

static int code_rows(Builder *b, const Segments *segments, const Segment *segment)
{
        const char *source = segments->source.data, *name = source + segment->language;
        Code code = {
                .language = language_find(name, segment->n_language),
                .state = segment->lexer_state,
                .flow = FLOW_INIT,
        };
        int r = 0;

        if (b->width >= CODE_INDENT_WIDTH)
                b->indent += CODE_INDENT;
        if ((segment->flags & SEGMENT_FIRST) && segment->n_language > 0)
                r = code_label(b, name, segment->n_language);
        if (r >= 0 && (segment->size > 0 || b->layout->n_rows == 0))
                r = each_line(b, segment, source + segment->start, on_code, &code);
        flow_done(&code.flow);
        return r;
}

static int prose_rows(Builder *b, const Segment *segment, const char *text)
{
        int r;

        /* The middle of a line is not looked at as if it were a line's beginning. */
        if (segment->flags & SEGMENT_CONTINUED)
                return plain_rows(b, segment, text);

        r = markdown_rows(b, segment, text);
        if (r == -ENOTSUP || (r >= 0 && b->layout->n_rows == 0)) {
                b->layout->n_rows = b->layout->n_runs = b->n_edges = 0;
                b->source = 0;
                buffer_clear(&b->text);
                return plain_rows(b, segment, text);
        }
        return r;
}

/* Gives back what was allocated beyond the need, and counts what is left. */
static void trim(Builder *b)
{
        Layout *l = b->layout;
        void *p;

        p = reallocarray(l->rows, l->n_rows, sizeof(Row));
        if (p)
                l->rows = p;
        p = l->n_runs > 0 ? reallocarray(l->runs, l->n_runs, sizeof(Run)) : NULL;
        if (p)
                l->runs = p;
        l->text = TAKE_PTR(b->text.data);
        p = l->text ? realloc(l->text, b->text.size + 1) : NULL;
        if (p)
                l->text = p;
        l->bytes = sizeof *l + l->n_rows * sizeof(Row) + l->n_runs * sizeof(Run) + b->text.size + 1;
        b->text = BUFFER_INIT(0);
}

int layout_new(const Segments *segments, size_t index, unsigned width, StyleRole role,
        LayoutFlags flags, Layout **ret)
{
        _cleanup_(builder_done) Builder b = {
                .text = BUFFER_INIT(MIB(64)),
                .width = MIN(MAX(width, LAYOUT_WIDTH_MIN), LAYOUT_WIDTH_MAX),
                .role = role,
                .flags = flags,
        };
        const Segment *segment;
        const char *text;
        int r = 0;

        assert(segments);
        assert(index < segments->n_items);
        assert(ret);

        segment = segments->items + index;
        text = buffer_text(&segments->source) + segment->start;
        b.source_max = segment->size;
        b.indent = MIN((unsigned) segment->margin, b.width / 3);
        b.layout = calloc(1, sizeof *b.layout);
        if (!b.layout)
                return -ENOMEM;
        b.layout->width = b.width;

        if ((flags & LAYOUT_PLAIN) || segment->kind == SEGMENT_PLAIN)
                r = plain_rows(&b, segment, text);
        else if (segment->kind == SEGMENT_CODE)
                r = code_rows(&b, segments, segment);
        else
                r = prose_rows(&b, segment, text);
        if (r < 0)
                return r;

        if (index + 1 < segments->n_items && (segments->items[index + 1].flags & SEGMENT_CONTINUED))
                b.layout->rows[b.layout->n_rows - 1].flags |= ROW_SOFT;
        trim(&b);
        *ret = TAKE_PTR(b.layout);
        return 0;
}
