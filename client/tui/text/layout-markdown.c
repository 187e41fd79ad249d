/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <md4c.h>

#include "client/tui/text/layout-build.h"
#include "client/tui/text/segment-line.h"

#define LISTS_MAX 16U
#define LINKS_MAX 4U /* an image in a link … */
#define HREF_MAX  KIB(4)

typedef struct List {
        bool numbered, loose;
        char delimiter;
        uint32_t number;
        size_t n_items;
} List;

typedef struct Link {
        size_t start; /* of its text */
        Buffer address;
} Link;

/* Where a line of the text given to md4c was in the segment. */
typedef struct LineStart {
        uint32_t copy, source;
} LineStart;

typedef struct Markdown {
        Builder *b;
        const Segment *segment;
        const char *text;
        size_t size;
        Buffer copy; /* the text without the indentation of lists around it */
        LineStart *starts;
        size_t n_starts, starts_allocated;

        Flow flow;
        Flow *target; /* that, or a table's cell */
        Table table;
        Code code;
        Buffer language;
        List lists[LISTS_MAX];
        unsigned n_lists, n_quotes, n_skipped;
        Link links[LINKS_MAX];
        unsigned n_links;
        unsigned emphasis, strong, strike, span_code, heading;
        bool in_code, in_head, in_table;
        bool shown; /* something, in this container */
} Markdown;

static void markdown_done(Markdown *m)
{
        buffer_done(&m->copy);
        buffer_done(&m->language);
        free(m->starts);
        flow_done(&m->flow);
        flow_done(&m->code.flow);
        table_done(&m->table);
        for (unsigned i = 0; i < LINKS_MAX; i++)
                buffer_done(&m->links[i].address);
}

/* ---- inline ---- */

static uint32_t source_of(const Markdown *m, const char *text)
{
        size_t at, low = 0, high = m->n_starts;

        if (text < m->text || text > m->text + m->size)
                return SOURCE_NONE;
        at = (size_t) (text - m->text);
        if (m->n_starts == 0)
                return (uint32_t) at;
        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (m->starts[middle].copy <= at)
                        low = middle;
                else
                        high = middle;
        }
        return m->starts[low].source + (uint32_t) at - m->starts[low].copy;
}

static Style style_now(const Markdown *m)
{
        Style style = m->n_quotes > 0 ? STYLE_QUOTE : m->b->role;

        if (m->heading > 0) {
                style = STYLE_TITLE;
                if (m->heading <= 2)
                        style |= STYLE_BOLD;
                if (m->heading == 1)
                        style |= STYLE_UNDERLINE;
        }
        if (m->n_links > 0)
                style = STYLE_ACCENT | STYLE_UNDERLINE;
        if (m->span_code > 0)
                style = STYLE_CODE;
        if (m->in_head || m->strong > 0)
                style |= STYLE_BOLD;
        if (m->emphasis > 0)
                style |= STYLE_ITALIC;
        if (m->strike > 0)
                style |= STYLE_STRIKE;
        return style;
}

/* A tab between words is a blank. */
static int add_text(Markdown *m, Style style, uint32_t source, const char *text, size_t size)
{
        int r;

        while (size > 0) {
                const char *tab = memchr(text, '\t', size);
                size_t n = tab ? (size_t) (tab - text) : size;

                r = flow_append(m->target, style, source, text, n);
                if (r >= 0 && tab)
                        r = flow_append(m->target, style, SOURCE_NONE, " ", 1);
                if (r < 0)
                        return r;
                n += tab ? 1 : 0;
                text += n;
                if (source != SOURCE_NONE)
                        source += (uint32_t) n;
                size -= n;
        }
        return 0;
}

static bool is_break(const char *text, size_t size)
{
        static const char *const tags[] = { "<br>", "<br/>", "<br />" };

        for (size_t i = 0; i < ELEMENTSOF(tags); i++)
                if (strlen(tags[i]) == size && strncasecmp(tags[i], text, size) == 0)
                        return true;
        return false;
}

static int add_entity(Markdown *m, const char *text, size_t size)
{
        uint32_t source = source_of(m, text);
        char decoded[8];
        size_t n = entity_decode(text, size, decoded);

        if (n == 0)
                return add_text(m, style_now(m), source, text, size);
        return flow_append(m->target, style_now(m), source, decoded, n);
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *userdata)
{
        Markdown *m = ASSERT_PTR(userdata);
        uint32_t source = source_of(m, text);

        switch (type) {
        case MD_TEXT_NULLCHAR:
                return flow_append(m->target, style_now(m), source, "\xef\xbf\xbd", 3);
        case MD_TEXT_BR:
        case MD_TEXT_SOFTBR:
                return flow_append(m->target, style_now(m), SOURCE_NONE,
                        m->in_table || m->heading > 0 ? " " : "\n", 1);
        case MD_TEXT_ENTITY:
                return add_entity(m, text, size);
        case MD_TEXT_HTML:
                if (is_break(text, size))
                        return flow_append(m->target, style_now(m), source, "\n", 1);
                break;
        case MD_TEXT_CODE:
                if (m->in_code)
                        return flow_append(&m->flow, STYLE_CODE, source, text, size);
                break;
        case MD_TEXT_NORMAL:
        case MD_TEXT_LATEXMATH:
                break;
        }
        return add_text(m, style_now(m), source, text, size);
}

/* ---- links ---- */

static int enter_link(Markdown *m, const MD_ATTRIBUTE *address)
{
        Link *link;

        if (m->n_links++ >= LINKS_MAX)
                return 0;
        link = m->links + m->n_links - 1;
        link->start = m->target->text.size;
        buffer_clear(&link->address);
        return buffer_append(&link->address, address->text, MIN((size_t) address->size, HREF_MAX));
}

/* The text is the address, or the address without what everybody knows. */
static bool is_same(const char *text, size_t size, const Buffer *address)
{
        static const char *const prefixes[] = { "", "mailto:", "http://", "https://" };

        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++) {
                size_t n = strlen(prefixes[i]);

                if (address->size == n + size && memcmp(address->data, prefixes[i], n) == 0 &&
                        (size == 0 || memcmp(address->data + n, text, size) == 0))
                        return true;
        }
        return false;
}

static int leave_link(Markdown *m)
{
        const Link *link;
        const char *text;
        bool empty;
        int r;

        if (m->n_links-- > LINKS_MAX)
                return 0;
        link = m->links + m->n_links;
        text = buffer_text(&m->target->text) + link->start;
        empty = m->target->text.size == link->start;
        if (link->address.size == 0 ||
                is_same(text, m->target->text.size - link->start, &link->address))
                return 0;
        r = flow_append(m->target, STYLE_DIM, SOURCE_NONE, empty ? "(" : " (", empty ? 1 : 2);
        if (r >= 0)
                r = add_text(m, STYLE_DIM, SOURCE_NONE, link->address.data, link->address.size);
        if (r >= 0)
                r = flow_append(m->target, STYLE_DIM, SOURCE_NONE, ")", 1);
        return r;
}

static int on_enter_span(MD_SPANTYPE type, void *detail, void *userdata)
{
        Markdown *m = ASSERT_PTR(userdata);

        switch (type) {
        case MD_SPAN_EM:
                m->emphasis++;
                break;
        case MD_SPAN_STRONG:
                m->strong++;
                break;
        case MD_SPAN_DEL:
                m->strike++;
                break;
        case MD_SPAN_CODE:
                m->span_code++;
                break;
        case MD_SPAN_A:
                return enter_link(m, &((MD_SPAN_A_DETAIL *) detail)->href);
        case MD_SPAN_IMG:
                return enter_link(m, &((MD_SPAN_IMG_DETAIL *) detail)->src);
        case MD_SPAN_LATEXMATH:
        case MD_SPAN_LATEXMATH_DISPLAY:
        case MD_SPAN_WIKILINK:
        case MD_SPAN_U:
                break;
        }
        return 0;
}

static int on_leave_span(MD_SPANTYPE type, void *detail, void *userdata)
{
        Markdown *m = ASSERT_PTR(userdata);

        switch (type) {
        case MD_SPAN_EM:
                m->emphasis--;
                break;
        case MD_SPAN_STRONG:
                m->strong--;
                break;
        case MD_SPAN_DEL:
                m->strike--;
                break;
        case MD_SPAN_CODE:
                m->span_code--;
                break;
        case MD_SPAN_A:
        case MD_SPAN_IMG:
                return leave_link(m);
        case MD_SPAN_LATEXMATH:
        case MD_SPAN_LATEXMATH_DISPLAY:
        case MD_SPAN_WIKILINK:
        case MD_SPAN_U:
                break;
        }
        return 0;
}

/* ---- blocks ---- */

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
                .enter_span = on_enter_span,
                .leave_span = on_leave_span,
                .text = on_text,
        };
        _cleanup_(markdown_done) Markdown m = {
                .b = b,
                .segment = segment,
                .text = text,
                .size = segment->size,
                .copy = BUFFER_INIT(MIB(1)),
                .flow = FLOW_INIT,
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
