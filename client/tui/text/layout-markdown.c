/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/layout-markdown.h"

#include "client/tui/text/segment-line.h"

static void markdown_done(Markdown *m)
{
        buffer_done(&m->copy);
        buffer_done(&m->language);
        free(m->starts);
        builder_give_flow(m->b, &m->flow);
        flow_done(&m->code.flow);
        table_done(&m->table);
        for (unsigned i = 0; i < LINKS_MAX; i++)
                buffer_done(&m->links[i].address);
}

static int flush(Markdown *m)
{
        if (m->flow.text.size == 0)
                return 0;
        m->shown = true;
        return builder_flow(m->b, &m->flow, WRAP_WORDS, 0);
}

static int push_edge(Markdown *m, const Edge *edge)
{
        int r = builder_push(m->b, edge);

        if (r == -E2BIG) {
                m->n_skipped++;
                r = 0;
        }
        m->shown = false;
        return r;
}

static void pop_edge(Markdown *m)
{
        if (m->n_skipped > 0)
                m->n_skipped--;
        else
                builder_pop(m->b);
        m->shown = true;
}

static int enter_quote(Markdown *m)
{
        bool ascii = m->b->flags & LAYOUT_ASCII;
        Edge edge = { .cells = 2, .style = STYLE_QUOTE, .every = true };

        strcpy(edge.mark, ascii ? "| " : "│ ");
        m->n_quotes++;
        return push_edge(m, &edge);
}

static int enter_list(Markdown *m, List list)
{
        if (m->n_lists == 0 && m->n_quotes == 0 && list.numbered && m->segment->number > 0)
                list.number = m->segment->number;
        if (m->n_lists < LISTS_MAX)
                m->lists[m->n_lists] = list;
        m->n_lists++;
        return 0;
}

static int enter_item(Markdown *m, const MD_BLOCK_LI_DETAIL *detail)
{
        static const char *const bullets[] = { "• ", "◦ ", "▪ " };
        static const char *const ascii_bullets[] = { "* ", "- ", "+ " };
        bool ascii = m->b->flags & LAYOUT_ASCII;
        List *list = m->lists + MIN(m->n_lists, LISTS_MAX) - 1;
        size_t depth = (m->segment->depth + m->n_lists - 1) % ELEMENTSOF(bullets);
        Edge edge = { .cells = 2, .style = STYLE_ACCENT };
        bool done = detail->is_task && detail->task_mark != ' ';
        int r;

        if (list->loose && list->n_items > 0) {
                r = builder_blank(m->b);
                if (r < 0)
                        return r;
        }
        list->n_items++;
        if (detail->is_task && ascii) {
                strcpy(edge.mark, done ? "[x] " : "[ ] ");
                edge.cells = 4;
        } else if (detail->is_task)
                strcpy(edge.mark, done ? "☑ " : "☐ ");
        else if (list->numbered)
                edge.cells = (unsigned) snprintf(
                        edge.mark, sizeof edge.mark, "%u%c ", list->number++, list->delimiter);
        else
                strcpy(edge.mark, ascii ? ascii_bullets[depth] : bullets[depth]);
        return push_edge(m, &edge);
}

static int leave_item(Markdown *m)
{
        const Builder *b = m->b;
        int r = 0;

        /* An item without text has its mark all the same. */
        if (m->n_skipped == 0 && b->edges[b->n_edges - 1].pending) {
                r = builder_begin(m->b);
                if (r >= 0)
                        r = builder_end(m->b, 0);
        }
        pop_edge(m);
        return r;
}

static int show_rule(Markdown *m)
{
        bool ascii = m->b->flags & LAYOUT_ASCII;
        int r;

        r = builder_begin(m->b);
        if (r >= 0)
                r = builder_repeat(m->b, STYLE_DIM, ascii ? "-" : "─", builder_room(m->b));
        m->shown = true;
        return r < 0 ? r : builder_end(m->b, ROW_ADDED);
}

static int enter_code(Markdown *m, const MD_BLOCK_CODE_DETAIL *detail)
{
        m->in_code = true;
        buffer_clear(&m->language);
        return buffer_append(
                &m->language, detail->lang.text, MIN((size_t) detail->lang.size, (size_t) 32));
}

/* Code that is no segment of its own: indented, or in a quote. */
static int leave_code(Markdown *m)
{
        const char *text = buffer_text(&m->flow.text);
        size_t at = 0, size = m->flow.text.size, span = 0;
        const Span *spans = m->flow.spans;
        int r = 0;

        m->in_code = false;
        m->shown = true;
        m->code.language = language_find(buffer_text(&m->language), m->language.size);
        m->code.state = 0;
        if (m->language.size > 0)
                r = code_label(m->b, m->language.data, m->language.size);
        while (r >= 0 && at < size) {
                const char *nl = memchr(text + at, '\n', size - at);
                size_t end = nl ? (size_t) (nl - text) : size;
                uint32_t source;

                while (span + 1 < m->flow.n_spans && spans[span + 1].start <= at)
                        span++;
                source = spans[span].source == SOURCE_NONE
                        ? m->b->source
                        : spans[span].source + (uint32_t) (at - spans[span].start);
                source = MIN(source, m->b->source_max);
                r = code_line(m->b, &m->code, text + at, end - at, source);
                at = end + 1;
        }
        flow_clear(&m->flow);
        return r;
}

static int enter_table(Markdown *m, const MD_BLOCK_TABLE_DETAIL *detail)
{
        size_t rows = (size_t) detail->body_row_count + detail->head_row_count;

        if (detail->col_count > TABLE_COLUMNS_MAX || rows * detail->col_count > TABLE_CELLS_MAX)
                return -ENOTSUP;
        table_done(&m->table);
        m->table.n_columns = detail->col_count;
        m->in_table = true;
        return 0;
}

static int leave_table(Markdown *m)
{
        int r = table_rows(m->b, &m->table);

        table_done(&m->table);
        m->target = &m->flow;
        m->in_table = false;
        m->shown = true;
        return r;
}

static int enter_cell(Markdown *m, const MD_BLOCK_TD_DETAIL *detail)
{
        size_t column = m->table.n_cells % m->table.n_columns;

        switch (detail->align) {
        case MD_ALIGN_DEFAULT:
        case MD_ALIGN_LEFT:
                m->table.align[column] = ALIGN_LEFT;
                break;
        case MD_ALIGN_CENTER:
                m->table.align[column] = ALIGN_CENTER;
                break;
        case MD_ALIGN_RIGHT:
                m->table.align[column] = ALIGN_RIGHT;
                break;
        }
        return table_add(&m->table, &m->target);
}

static int enter_text_block(Markdown *m, unsigned heading)
{
        m->heading = heading;
        return m->shown ? builder_blank(m->b) : 0;
}

static int on_enter_block(MD_BLOCKTYPE type, void *detail, void *userdata)
{
        Markdown *m = ASSERT_PTR(userdata);
        const MD_BLOCK_OL_DETAIL *ol = detail;
        const MD_BLOCK_UL_DETAIL *ul = detail;
        int r = flush(m);

        if (r < 0)
                return r;
        switch (type) {
        case MD_BLOCK_QUOTE:
                return enter_quote(m);
        case MD_BLOCK_UL:
                return enter_list(m, (List){ .loose = !ul->is_tight });
        case MD_BLOCK_OL:
                return enter_list(m,
                        (List){ .numbered = true,
                                .loose = !ol->is_tight,
                                .delimiter = ol->mark_delimiter,
                                .number = ol->start });
        case MD_BLOCK_LI:
                return enter_item(m, detail);
        case MD_BLOCK_HR:
                return show_rule(m);
        case MD_BLOCK_H:
                return enter_text_block(m, ((MD_BLOCK_H_DETAIL *) detail)->level);
        case MD_BLOCK_P:
                return enter_text_block(m, 0);
        case MD_BLOCK_CODE:
                return enter_code(m, detail);
        case MD_BLOCK_TABLE:
                return enter_table(m, detail);
        case MD_BLOCK_THEAD:
                m->in_head = true;
                break;
        case MD_BLOCK_TH:
        case MD_BLOCK_TD:
                return enter_cell(m, detail);
        case MD_BLOCK_DOC:
        case MD_BLOCK_HTML:
        case MD_BLOCK_TBODY:
        case MD_BLOCK_TR:
                break;
        }
        return 0;
}

static int on_leave_block(MD_BLOCKTYPE type, void *detail, void *userdata)
{
        Markdown *m = ASSERT_PTR(userdata);
        int r;

        if (type == MD_BLOCK_CODE)
                return leave_code(m);
        r = flush(m);
        if (r < 0)
                return r;
        switch (type) {
        case MD_BLOCK_QUOTE:
                m->n_quotes--;
                pop_edge(m);
                break;
        case MD_BLOCK_UL:
        case MD_BLOCK_OL:
                m->n_lists--;
                break;
        case MD_BLOCK_LI:
                return leave_item(m);
        case MD_BLOCK_H:
                m->heading = 0;
                break;
        case MD_BLOCK_TABLE:
                return leave_table(m);
        case MD_BLOCK_THEAD:
                m->in_head = false;
                break;
        case MD_BLOCK_DOC:
        case MD_BLOCK_HR:
        case MD_BLOCK_P:
        case MD_BLOCK_CODE:
        case MD_BLOCK_HTML:
        case MD_BLOCK_TBODY:
        case MD_BLOCK_TR:
        case MD_BLOCK_TH:
        case MD_BLOCK_TD:
                break;
        }
        return 0;
}

static bool is_delimiters(const char *line, size_t size)
{
        while (size > 0 && strchr("\r\n", line[size - 1]))
                size--;
        return line_is_table(line, size);
}

/* From here on the copy is this of the segment. */
static int mark_source(Markdown *m, size_t source)
{
        int r = grow((void **) &m->starts, &m->starts_allocated, m->n_starts, sizeof(LineStart));

        if (r < 0)
                return r;
        m->starts[m->n_starts++] = (LineStart){ .copy = (uint32_t) m->copy.size,
                .source = (uint32_t) source };
        return 0;
}

/* md4c wants three dashes for a column, people write one. Nothing of this line is shown. */
static int copy_delimiters(Markdown *m, const char *line, size_t size)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < size; i++)
                if (line[i] == '-' && (i == 0 || line[i - 1] != '-'))
                        r = buffer_append_string(&m->copy, "---");
                else
                        r = buffer_append(&m->copy, line + i, 1);
        return r;
}

/* A cell of nothing at all is none to md4c, and those behind it would move. */
static int copy_cells(Markdown *m, const char *line, size_t size, size_t source)
{
        size_t at = 0;
        int r;

        for (size_t i = 1; i < size; i++)
                if (line[i] == '|' && line[i - 1] == '|') {
                        r = buffer_append(&m->copy, line + at, i - at);
                        if (r >= 0)
                                r = buffer_append(&m->copy, " ", 1);
                        if (r >= 0)
                                r = mark_source(m, source + i);
                        if (r < 0)
                                return r;
                        at = i;
                }
        return buffer_append(&m->copy, line + at, size - at);
}

/* Without the columns of the lists around it, which would be code to md4c. */
static int copy_text(Markdown *m, bool table)
{
        size_t at = 0;
        int r;

        for (size_t i = 0; at < m->segment->size; i++) {
                const char *nl = memchr(m->text + at, '\n', m->segment->size - at);
                size_t end = nl ? (size_t) (nl - m->text) + 1 : m->segment->size;
                size_t skip = segment_line_indent(m->segment, m->text + at, end - at);
                const char *line = m->text + at + skip;
                size_t size = end - at - skip;

                r = mark_source(m, at + skip);
                if (r < 0)
                        return r;
                if (!table)
                        r = buffer_append(&m->copy, line, size);
                else if (i == 1)
                        r = copy_delimiters(m, line, size);
                else
                        r = copy_cells(m, line, size, at + skip);
                if (r < 0)
                        return r;
                at = end;
        }
        m->text = buffer_text(&m->copy);
        m->size = m->copy.size;
        return 0;
}

/* A table stands at a segment's beginning: its second line is the one of dashes. */
static bool is_table(const Markdown *m)
{
        const char *nl = memchr(m->text, '\n', m->size), *end;
        size_t left;

        if (!nl)
                return false;
        left = m->size - (size_t) (nl + 1 - m->text);
        end = memchr(nl + 1, '\n', left);
        return is_delimiters(nl + 1, end ? (size_t) (end - nl) - 1 : left);
}

int markdown_rows(Builder *b, const Segment *segment, const char *text)
{
        static const MD_PARSER parser = {
                .flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS |
                        MD_FLAG_PERMISSIVEAUTOLINKS | MD_FLAG_NOHTMLBLOCKS,
                .enter_block = on_enter_block,
                .leave_block = on_leave_block,
                .enter_span = inline_enter_span,
                .leave_span = inline_leave_span,
                .text = inline_text,
        };
        _cleanup_(markdown_done) Markdown m = {
                .b = b,
                .segment = segment,
                .text = text,
                .size = segment->size,
                .copy = BUFFER_INIT(MIB(1)),
                .flow = builder_take_flow(b),
                .code.flow = FLOW_INIT,
                .language = BUFFER_INIT(64),
        };
        bool table;
        int r;

        m.target = &m.flow;
        for (unsigned i = 0; i < LINKS_MAX; i++)
                m.links[i].address = BUFFER_INIT(HREF_MAX);
        table = is_table(&m);
        if (segment->indent > 0 || table) {
                r = copy_text(&m, table);
                if (r < 0)
                        return r;
        }
        r = md_parse(m.text, (MD_SIZE) m.size, &parser, &m);
        /* Its own failures are all of memory. */
        return r == -1 ? -ENOMEM : r;
}
