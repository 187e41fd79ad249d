/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/terminal/width.h"
#include "client/tui/text/layout-build.h"

/* No line begins with these … */
static const char *const closing[] = { "、", "。", "，", "．", "！", "？", "：", "；", "）", "」",
        "』", "】", "〕", "》", "〉", "〗", "］", "｝", "”", "’", "…", "ー", "々", "・", "％", "ぁ",
        "ぃ", "ぅ", "ぇ", "ぉ", "っ", "ゃ", "ゅ", "ょ", "ァ", "ィ", "ゥ", "ェ", "ォ", "ッ", "ャ",
        "ュ", "ョ" };
/* … or ends with these, between wide characters. */
static const char *const opening[] = { "（", "「", "『", "【", "〔", "《", "〈", "〖", "［", "｛",
        "“", "‘" };

void flow_done(Flow *f)
{
        buffer_done(&f->text);
        free(f->spans);
        *f = FLOW_INIT;
}

void flow_clear(Flow *f)
{
        buffer_clear(&f->text);
        f->n_spans = 0;
}

int flow_append(Flow *f, Style style, uint32_t source, const char *text, size_t size)
{
        const Span *last = f->n_spans > 0 ? f->spans + f->n_spans - 1 : NULL;
        uint32_t start = (uint32_t) f->text.size;
        int r;

        if (size == 0)
                return 0;
        if (!last || last->style != style || last->source + (start - last->start) != source) {
                r = grow((void **) &f->spans, &f->n_allocated, f->n_spans, sizeof(Span));
                if (r < 0)
                        return r;
                f->spans[f->n_spans++] = (Span){ .start = start, .source = source, .style = style };
        }
        return buffer_append(&f->text, text, size);
}

int flow_append_flow(Flow *f, const Flow *other)
{
        for (size_t i = 0; i < other->n_spans; i++) {
                const Span *s = other->spans + i;
                size_t end = i + 1 < other->n_spans ? s[1].start : other->text.size;
                int r = flow_append(
                        f, s->style, s->source, other->text.data + s->start, end - s->start);

                if (r < 0)
                        return r;
        }
        return 0;
}

void flow_lines_done(FlowLines *l)
{
        free(l->items);
        *l = (FlowLines){ 0 };
}

static bool is_one_of(const char *const *table, size_t n, const char *text, size_t size)
{
        for (size_t i = 0; i < n; i++)
                if (strlen(table[i]) == size && memcmp(table[i], text, size) == 0)
                        return true;
        return false;
}

/* The walk over one line. */
typedef struct Wrap {
        const Flow *flow;
        const Span *span; /* where it is */
        size_t at, end;   /* of the line */
        size_t start;     /* of the row */
        unsigned cells, width;
        WrapWay way;
        /* The last place to break: the row ends and the next begins. */
        size_t break_end, break_next;
        unsigned break_cells;
        /* The cluster before. */
        size_t before;
        unsigned cells_before;
} Wrap;

/* A cluster never reaches over a change of style: runs are measured one by one. */
static size_t next_cluster(Wrap *w, unsigned *ret_cells)
{
        const Flow *f = w->flow;
        const char *text = f->text.data + w->at;
        size_t end = w->end;

        while (w->span + 1 < f->spans + f->n_spans && w->span[1].start <= w->at)
                w->span++;
        if (w->span + 1 < f->spans + f->n_spans && w->span[1].start < end)
                end = w->span[1].start;
        if (text[0] >= ' ' && text[0] < 0x7f && (w->at + 1 == end || !(text[1] & 0x80))) {
                *ret_cells = 1;
                return 1;
        }
        return cluster_next(text, end - w->at, ret_cells);
}

static int add_line(FlowLines *lines, size_t start, size_t end, unsigned cells, bool soft)
{
        int r = grow(
                (void **) &lines->items, &lines->n_allocated, lines->n_items, sizeof(FlowLine));

        if (r < 0)
                return r;
        lines->items[lines->n_items++] = (FlowLine){
                .start = (uint32_t) start, .end = (uint32_t) end, .cells = cells, .soft = soft
        };
        return 0;
}

static void start_row(Wrap *w, size_t at)
{
        const Flow *f = w->flow;

        while (w->span > f->spans && w->span->start > at)
                w->span--;
        w->at = w->start = w->break_end = w->break_next = w->before = at;
        w->cells = w->break_cells = w->cells_before = 0;
}

/* Wide characters need no blank between them to be parted. */
static bool may_break(const Wrap *w, size_t size, unsigned cells)
{
        const char *text = w->flow->text.data;
        char c = text[w->at];

        if (w->at == w->start || text[w->before] == ' ')
                return false;
        if (cells < 2 && w->cells_before < 2)
                return false;
        if (cells < 2 && c > ' ' && strchr(".,;:!?)]}%'\"", c))
                return false;
        if (w->cells_before < 2 && strchr("([{'\"", text[w->before]))
                return false;
        return !is_one_of(closing, ELEMENTSOF(closing), text + w->at, size) &&
                !is_one_of(opening, ELEMENTSOF(opening), text + w->before, w->at - w->before);
}

static int take_space(Wrap *w, FlowLines *lines)
{
        const char *text = w->flow->text.data;
        bool first = w->at == w->start || text[w->at - 1] != ' ';
        int r;

        if (w->cells + 1 > w->width) {
                size_t end = first ? w->at : w->break_end;
                unsigned cells = first ? w->cells : w->break_cells;
                size_t next = w->at;

                while (next < w->end && text[next] == ' ')
                        next++;
                if (next == w->end) { /* nothing but blanks is left */
                        w->end = w->at = end;
                        w->cells = cells;
                        return 0;
                }
                r = add_line(lines, w->start, end, cells, true);
                if (r < 0)
                        return r;
                start_row(w, next);
                return 0;
        }
        if (first) {
                w->break_end = w->at;
                w->break_cells = w->cells;
        }
        w->before = w->at;
        w->cells_before = 1;
        w->at++;
        w->cells++;
        w->break_next = w->at;
        return 0;
}

static int take_cluster(Wrap *w, FlowLines *lines)
{
        unsigned cells;
        size_t n = next_cluster(w, &cells);
        int r;

        if (w->way == WRAP_WORDS && may_break(w, n, cells)) {
                w->break_end = w->break_next = w->at;
                w->break_cells = w->cells;
        }
        if (w->cells + cells > w->width && w->at > w->start) {
                bool word = w->break_end > w->start;

                r = word ? add_line(lines, w->start, w->break_end, w->break_cells, true)
                         : add_line(lines, w->start, w->at, w->cells, true);
                if (r < 0)
                        return r;
                start_row(w, word ? w->break_next : w->at);
                return 0;
        }
        w->before = w->at;
        w->cells_before = cells;
        w->at += n;
        w->cells += cells;
        return 0;
}

static int wrap_line(Wrap *w, FlowLines *lines)
{
        int r;

        start_row(w, w->start);
        while (w->at < w->end) {
                if (w->way == WRAP_WORDS && w->flow->text.data[w->at] == ' ')
                        r = take_space(w, lines);
                else
                        r = take_cluster(w, lines);
                if (r < 0)
                        return r;
        }
        if (w->way == WRAP_WORDS && w->end > w->start && w->flow->text.data[w->end - 1] == ' ' &&
                w->break_next == w->end) {
                w->end = w->break_end;
                w->cells = w->break_cells;
        }
        return add_line(lines, w->start, w->end, w->cells, false);
}

int flow_wrap(const Flow *f, unsigned width, WrapWay way, FlowLines *ret)
{
        Wrap w = { .flow = f, .span = f->spans, .width = MAX(width, 1U), .way = way };
        const char *text = buffer_text(&f->text);
        size_t start = 0;
        int r;

        for (;;) {
                const char *nl = memchr(text + start, '\n', f->text.size - start);

                w.start = start;
                w.end = nl ? (size_t) (nl - text) : f->text.size;
                if (w.end == start)
                        r = add_line(ret, start, start, 0, false);
                else
                        r = wrap_line(&w, ret);
                if (r < 0 || !nl)
                        return r;
                start = (size_t) (nl - text) + 1;
        }
}

unsigned flow_cells(const Flow *f)
{
        Wrap w = { .flow = f, .span = f->spans, .end = f->text.size };
        unsigned widest = 0, cells;

        while (w.at < w.end) {
                if (f->text.data[w.at] == '\n') {
                        w.cells = 0;
                        w.at++;
                        continue;
                }
                w.at += next_cluster(&w, &cells);
                w.cells += cells;
                widest = MAX(widest, w.cells);
        }
        return widest;
}
