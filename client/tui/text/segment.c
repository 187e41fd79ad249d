/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/segment.h"

#include "client/tui/terminal/width.h"
#include "client/tui/text/lexer.h"
#include "client/tui/text/segment-line.h"
#include "common/utf8.h"

#define ITEMS_FIRST 4U
/* A segment that is too long is cut behind a space this far from its limit, or at a cluster. */
#define CUT_FAR  KIB(1)
#define CUT_NEAR 64U
#define WORD_MAX 32U /* of the name of a language */

/* A line, or the beginning of one that is too long to be looked at as a whole. */
typedef struct Line {
        size_t start, end; /* in the source, without \n and the \r before it */
        size_t bytes;      /* of white space at its beginning */
        unsigned column;   /* where the text behind that begins */
        bool whole;
} Line;

void segments_done(Segments *s)
{
        assert(s);

        buffer_done(&s->source);
        free(s->items);
        *s = (Segments){ .source = BUFFER_INIT(s->source.maximum) };
}

static const char *line_text(const Segments *s, const Line *line, size_t *ret_size)
{
        size_t start = line->start + line->bytes;

        *ret_size = line->end - start;
        return s->source.data + start;
}

static void no_run(Style style, size_t start, size_t size, void *userdata)
{
}

size_t segment_line_indent(const Segment *segment, const char *line, size_t size)
{
        size_t n = 0;

        for (unsigned column = 0; n < size && column < segment->indent; n++) {
                if (line[n] != ' ' && line[n] != '\t')
                        break;
                column = line[n] == '\t' ? column / 4 * 4 + 4 : column + 1;
        }
        return n;
}

/* What the lexer knows at the end of a piece of code. */
static unsigned code_state(const Segments *s, const Segment *segment)
{
        const Language *language = language_find(
                s->source.data + segment->language, segment->n_language);
        const char *p = s->source.data + segment->start, *end = p + segment->size;
        unsigned state = segment->lexer_state;

        if (!language)
                return 0;
        while (p < end) {
                const char *nl = memchr(p, '\n', (size_t) (end - p)), *stop = nl ? nl : end;
                size_t size = (size_t) (stop - p), skip = segment_line_indent(segment, p, size);

                if (nl && size > skip && stop[-1] == '\r')
                        size--;
                state = lexer_line(language, state, p + skip, size - skip, no_run, NULL);
                p = nl ? nl + 1 : end;
        }
        return state;
}

static Segment *last_item(Segments *s)
{
        assert(s->n_items > 0);
        return s->items + s->n_items - 1;
}

static int add_item(Segments *s, Segment segment)
{
        if (s->n_items == s->n_allocated) {
                size_t n = MAX(s->n_allocated * 2, (size_t) ITEMS_FIRST);
                Segment *items = reallocarray(s->items, n, sizeof(Segment));

                if (!items)
                        return -ENOMEM;
                s->items = items;
                s->n_allocated = n;
        }
        s->items[s->n_items++] = segment;
        return 0;
}

static uint8_t lists_margin(const SegmentState *st, unsigned n)
{
        return n > 0 ? st->lists[n - 1].margin : 0;
}

/* A new segment for this line; indent and depth say how its lines begin. */
static int open_item(Segments *s, SegmentState *st, SegmentKind kind, size_t start, unsigned indent,
        unsigned depth)
{
        Segment segment = {
                .kind = kind,
                .start = (uint32_t) start,
                .indent = (uint16_t) MIN(indent, SEGMENT_INDENT_MAX),
                .depth = (uint8_t) depth,
                .margin = lists_margin(st, depth),
        };

        if (st->blank && s->n_items > 0)
                segment.flags |= SEGMENT_BLANK_BEFORE;
        st->blank = false;
        st->lines = 0;
        return add_item(s, segment);
}

/* The open segment goes on in another one from here on. */
static int split_item(Segments *s, SegmentState *st, size_t start, SegmentFlags flags)
{
        Segment *last = last_item(s), next = *last;
        unsigned offset;

        next.start = (uint32_t) start;
        next.size = 0;
        next.flags = flags;
        next.number = 0;
        switch (last->kind) {
        case SEGMENT_CODE:
                next.lexer_state = code_state(s, last);
                break;
        case SEGMENT_PROSE:
                if (st->depth > 0) {
                        offset = st->lists[st->depth - 1].offset;
                        next.indent = (uint16_t) MIN(offset, SEGMENT_INDENT_MAX);
                        next.depth = (uint8_t) st->depth;
                        next.margin = lists_margin(st, st->depth);
                }
                break;
        case SEGMENT_PLAIN:
                break;
        }
        st->lines = 0;
        return add_item(s, next);
}

/* Where to cut a segment that has become too long: depends on no byte behind the limit. */
static size_t cut_place(const char *text)
{
        size_t place, end = SEGMENT_BYTES_MAX - CUT_NEAR;

        for (place = end; place > end - CUT_FAR; place--)
                if (text[place - 1] == ' ')
                        return place;

        place = end - CLUSTER_BYTES_MAX * 2;
        while (place < end && ((unsigned char) text[place] & 0xc0) == 0x80)
                place++;
        for (;;) {
                unsigned cells;
                size_t n = cluster_next(text + place, SEGMENT_BYTES_MAX - place, &cells);

                if (place + n > end)
                        return place;
                place += n;
        }
}

/* The open segment now reaches to here. */
static int extend_item(Segments *s, SegmentState *st, size_t end)
{
        int r;

        while (end - last_item(s)->start > SEGMENT_BYTES_MAX) {
                Segment *last = last_item(s);
                size_t cut = cut_place(s->source.data + last->start);

                last->size = (uint32_t) cut;
                r = split_item(s, st, last->start + cut, SEGMENT_CONTINUED);
                if (r < 0)
                        return r;
                st->lines = 1;
        }
        last_item(s)->size = (uint32_t) (end - last_item(s)->start);
        return 0;
}

/* The line belongs to the open segment, unless that would become too long. */
static int extend_line(Segments *s, SegmentState *st, const Line *line)
{
        const Segment *last = last_item(s);
        bool full = line->end - last->start > SEGMENT_BYTES_MAX ||
                (last->kind != SEGMENT_PROSE && st->lines >= SEGMENT_LINES_MAX);
        int r;

        if (full && st->lines > 0) {
                r = split_item(s, st, line->start, 0);
                if (r < 0)
                        return r;
        }
        st->lines++;
        return extend_item(s, st, line->end);
}

/* ---- fenced code ---- */

static int open_fence(
        Segments *s, SegmentState *st, const Line *line, unsigned fence_size, unsigned depth)
{
        size_t size, n, word;
        const char *text = line_text(s, line, &size);
        Segment *item;
        int r;

        r = open_item(s, st, SEGMENT_CODE, line->end, line->column, depth);
        if (r < 0)
                return r;
        item = last_item(s);
        item->flags |= SEGMENT_FIRST;
        for (n = fence_size; n < size && (text[n] == ' ' || text[n] == '\t'); n++)
                ;
        for (word = n; n < size && !strchr(" \t,{", text[n]); n++)
                ;
        item->language = (uint32_t) (text + word - s->source.data);
        item->n_language = (uint8_t) utf8_cut(text + word, n - word, WORD_MAX);

        st->mode = MODE_CODE;
        st->fence = text[0];
        st->fence_size = fence_size;
        return 0;
}

/* The closing fence may stand anywhere: models forget its indentation, and a block that ended
 * where a line is indented too little would tear their code apart. */
static bool ends_code(const Segments *s, const SegmentState *st, const Line *line)
{
        size_t size;
        const char *text = line_text(s, line, &size);

        return line->whole && line->column < s->items[s->n_items - 1].indent + 4U &&
                line_closes_fence(text, size, st->fence, st->fence_size);
}

static int code_line(Segments *s, SegmentState *st, const Line *line)
{
        if (ends_code(s, st, line)) {
                last_item(s)->flags |= SEGMENT_LAST;
                st->mode = MODE_NONE;
                return 0;
        }
        /* It begins with its first line. */
        if (st->lines == 0 && last_item(s)->size == 0)
                last_item(s)->start = (uint32_t) line->start;
        return extend_line(s, st, line);
}

/* ---- markdown ---- */

/* Lists that the line is inside of, by its indentation. */
static unsigned lists_around(const SegmentState *st, unsigned column)
{
        unsigned n = 0;

        while (n < st->n_lists && st->lists[n].offset <= column)
                n++;
        return n;
}

static unsigned lists_column(const SegmentState *st, unsigned n)
{
        return n > 0 ? st->lists[n - 1].offset : 0;
}

static uint32_t item_number(const SegmentState *st, unsigned level, const Marker *marker)
{
        /* Lists all of ones are counted; numbers that go on are believed. */
        if (level < st->n_lists && st->lists[level].marker == marker->type)
                return MAX(marker->number, st->lists[level].number + 1);
        return marker->number;
}

/* The markers that the line begins with become levels; the line is what is behind them after. */
static void push_markers(const Segments *s, SegmentState *st, Line *line)
{
        while (st->n_lists < SEGMENT_DEPTH_MAX) {
                size_t size, blanks;
                const char *text = line_text(s, line, &size);
                unsigned columns, level = st->n_lists;
                Marker marker;

                if (line_is_rule(text, size) || !line_marker(text, size, &marker))
                        break;
                columns = line_indent(text + marker.size, size - marker.size,
                        line->column + (unsigned) marker.size, &blanks);
                line->column += (unsigned) marker.size;
                line->bytes += marker.size;
                if (marker.empty || columns > 4)
                        columns = 1;
                else
                        line->bytes += blanks;
                line->column += columns;
                st->lists[level] = (ListLevel){
                        .number = marker.number,
                        .offset = (uint16_t) line->column,
                        .margin = (uint8_t) (lists_margin(st, level) + marker.size + 1),
                        .marker = marker.type,
                };
                st->n_lists++;
                if (marker.empty)
                        break;
        }
}

static int open_list(Segments *s, SegmentState *st, Line *line, unsigned around)
{
        Line inner = *line;
        size_t size;
        const char *text = line_text(s, line, &size);
        unsigned fence;
        uint32_t number;
        Marker marker;
        int r;

        if (!line_marker(text, size, &marker))
                return -EINVAL;
        number = item_number(st, around, &marker);
        st->n_lists = around;
        r = open_item(s, st, SEGMENT_PROSE, line->start, lists_column(st, around), around);
        if (r < 0)
                return r;
        push_markers(s, st, &inner);
        if (st->n_lists > around)
                st->lists[around].number = number;
        if (marker.type == '.' || marker.type == ')')
                last_item(s)->number = number;
        st->mode = MODE_PARAGRAPH;
        st->depth = st->n_lists;

        text = line_text(s, &inner, &size);
        fence = inner.whole ? line_fence(text, size) : 0;
        if (fence == 0)
                return extend_line(s, st, line);
        /* Code right behind the marker. */
        r = extend_item(s, st, inner.start + inner.bytes);
        if (r < 0)
                return r;
        return open_fence(s, st, &inner, fence, st->n_lists);
}

typedef enum Start {
        START_TEXT, /* begins a paragraph, or goes on with one */
        START_FENCE,
        START_HEADING,
        START_RULE,
        START_QUOTE,
        START_LIST,
} Start;

/* What the line starts whatever was before it. */
static Start line_start(const Segments *s, const SegmentState *st, const Line *line)
{
        unsigned around = lists_around(st, line->column);
        bool inside = st->mode == MODE_PARAGRAPH && st->depth == around;
        size_t size;
        const char *text = line_text(s, line, &size);
        Marker marker;

        if (line->column - lists_column(st, around) >= 4)
                return START_TEXT;
        if (line->whole && line_fence(text, size) > 0)
                return START_FENCE;
        if (line_is_heading(text, size))
                return START_HEADING;
        if (line->whole && inside && line_is_setext(text, size))
                return START_TEXT;
        if (line->whole && line_is_rule(text, size))
                return START_RULE;
        if (size > 0 && text[0] == '>')
                return START_QUOTE;
        if (line_marker(text, size, &marker)) {
                bool numbered = marker.type == '.' || marker.type == ')';

                /* A number at a line's beginning may be one of the sentence. */
                if (!inside || (!marker.empty && (!numbered || marker.number == 1)))
                        return START_LIST;
        }
        return START_TEXT;
}

/* A line of dashes and bars makes the line before it a table's head: whatever is above that is a
 * paragraph of its own. */
static int split_table(Segments *s, SegmentState *st, const Line *line)
{
        Segment *last = last_item(s);
        size_t size, head = st->line;
        const char *text = line_text(s, line, &size);

        if (!line->whole || st->lines < 2 || !line_is_table(text, size) ||
                !memchr(s->source.data + head, '|', line->start - head))
                return 0;
        last->size = (uint32_t) (head - last->start);
        while (last->size > 0 && strchr("\r\n", s->source.data[last->start + last->size - 1]))
                last->size--;
        return split_item(s, st, head, 0);
}

static int text_line(Segments *s, SegmentState *st, const Line *line)
{
        unsigned around = lists_around(st, line->column);
        bool indented = line->column - lists_column(st, around) >= 4;
        int r;

        if (st->mode == MODE_PARAGRAPH) {
                r = split_table(s, st, line);
                if (r < 0)
                        return r;
                return extend_line(s, st, line);
        }
        if (st->mode == MODE_QUOTE || (st->mode == MODE_INDENTED && indented))
                return extend_line(s, st, line);

        r = open_item(s, st, SEGMENT_PROSE, line->start, lists_column(st, around), around);
        if (r < 0)
                return r;
        st->n_lists = st->depth = around;
        st->mode = indented ? MODE_INDENTED : MODE_PARAGRAPH;
        return extend_line(s, st, line);
}

static int markdown_line(Segments *s, SegmentState *st, Line *line)
{
        unsigned around = lists_around(st, line->column), fence;
        Start start = line_start(s, st, line);
        const char *text;
        size_t size;
        int r;

        switch (start) {
        case START_TEXT:
                return text_line(s, st, line);
        case START_LIST:
                return open_list(s, st, line, around);
        case START_FENCE:
                text = line_text(s, line, &size);
                fence = line_fence(text, size);
                st->n_lists = st->depth = around;
                return open_fence(s, st, line, fence, around);
        case START_QUOTE:
                if (st->mode == MODE_QUOTE && st->depth == around)
                        return extend_line(s, st, line);
                break;
        case START_HEADING:
                st->blank = true;
                break;
        case START_RULE:
                break;
        }

        st->n_lists = st->depth = around;
        r = open_item(s, st, SEGMENT_PROSE, line->start, lists_column(st, around), around);
        if (r < 0)
                return r;
        /* Headings and rules are one line each; what is over the limit goes on in more. */
        st->mode = start == START_QUOTE ? MODE_QUOTE : MODE_NONE;
        return extend_line(s, st, line);
}

static int take_line(Segments *s, SegmentState *st, Line line)
{
        int r;

        line.column = line_indent(
                s->source.data + line.start, line.end - line.start, 0, &line.bytes);
        if (st->mode == MODE_CODE)
                r = code_line(s, st, &line);
        else if (s->plain) {
                r = 0;
                if (st->mode == MODE_NONE)
                        r = open_item(s, st, SEGMENT_PLAIN, line.start, 0, 0);
                if (r < 0)
                        return r;
                st->mode = MODE_PLAIN;
                r = extend_line(s, st, &line);
        } else if (line.whole && line.bytes == line.end - line.start) {
                st->blank = true;
                st->mode = MODE_NONE;
                return 0;
        } else
                r = markdown_line(s, st, &line);
        st->line = line.start;
        return r;
}

/* ---- the stream ---- */

static size_t without_return(const Segments *s, size_t start, size_t end)
{
        return end > start && s->source.data[end - 1] == '\r' ? end - 1 : end;
}

/* Takes in what can be taken in for ever. After a failure it is as it was before the line. */
static int take_lines(Segments *s, SegmentState *st)
{
        const char *text = s->source.data;
        int r;

        while (st->position < s->source.size) {
                size_t left = s->source.size - st->position, end, next;
                const char *nl = memchr(text + st->position, '\n', left);
                SegmentState before = *st;

                /* A \r waits for what comes behind it. */
                end = nl ? (size_t) (nl - text) : s->source.size;
                if (!nl && st->in_line)
                        end = without_return(s, st->position, end);
                if (!nl && (st->in_line ? end == st->position : left < LINE_LOOK))
                        break;
                next = nl ? end + 1 : end;
                if (!st->in_line && end - st->position >= LINE_LOOK) {
                        end = next = st->position + LINE_LOOK;
                        r = take_line(s, st, (Line){ .start = st->position, .end = end });
                        st->in_line = true;
                } else if (st->in_line) {
                        r = extend_item(s, st, nl ? without_return(s, st->position, end) : end);
                        st->in_line = !nl;
                } else
                        r = take_line(s, st,
                                (Line){ .start = st->position,
                                        .end = without_return(s, st->position, end),
                                        .whole = true });
                if (r < 0) {
                        *st = before;
                        return r;
                }
                st->position = next;
                st->n_items = s->n_items;
                if (s->n_items > 0)
                        s->open = *last_item(s);
        }
        return 0;
}

static void mark_open(Segments *s)
{
        bool open = s->state.mode != MODE_NONE || s->state.in_line;
        size_t first = s->state.n_items - (open && s->state.n_items > 0 ? 1 : 0);

        for (size_t i = first; i < s->n_items; i++)
                s->items[i].flags |= SEGMENT_OPEN;
}

/* What would soon look otherwise is not shown yet: a fence, a mark that a byte may explain. */
static bool line_may_change(const SegmentState *st, const char *text, size_t size)
{
        if (st->mode == MODE_CODE)
                return line_closes_fence(text, size, st->fence, 0);
        return line_fence(text, size) > 0 || line_is_ambiguous(text, size);
}

/* The unfinished line as if it ended here; what is made of it is made anew by the next bytes. */
static int take_rest(Segments *s)
{
        SegmentState st = s->state;
        const char *text = s->source.data + st.position;
        size_t end, bytes;
        Line line;
        int r;

        mark_open(s);
        if (st.in_line || st.position == s->source.size)
                return 0;
        end = without_return(s, st.position, s->source.size);
        line = (Line){ .start = st.position, .end = end, .whole = true };
        (void) line_indent(text, end - st.position, 0, &bytes);
        if (!s->plain && line_may_change(&st, text + bytes, end - st.position - bytes))
                return 0;
        r = take_line(s, &st, line);
        if (r < 0)
                return r;
        mark_open(s);
        return 0;
}

static int take_end(Segments *s)
{
        SegmentState st = s->state;
        int r;

        if (st.position < s->source.size && !st.in_line) {
                r = take_line(s, &st,
                        (Line){ .start = st.position,
                                .end = without_return(s, st.position, s->source.size),
                                .whole = true });
                if (r < 0)
                        return r;
        }
        st.position = s->source.size;
        st.n_items = s->n_items;
        s->state = st;
        if (s->n_items > 0)
                s->open = *last_item(s);
        return 0;
}

static bool same(const Segment *a, const Segment *b)
{
        return a->kind == b->kind && (a->flags | SEGMENT_OPEN) == (b->flags | SEGMENT_OPEN) &&
                a->start == b->start && a->size == b->size && a->language == b->language &&
                a->n_language == b->n_language && a->number == b->number &&
                a->lexer_state == b->lexer_state && a->indent == b->indent &&
                a->depth == b->depth && a->margin == b->margin;
}

static int take(Segments *s, bool all, size_t *ret_changed)
{
        Segment was[4];
        size_t first = s->state.n_items > 0 ? s->state.n_items - 1 : 0;
        size_t n = MIN(s->n_items - first, ELEMENTSOF(was)), changed = 0;
        int r;

        if (n > 0)
                memcpy(was, s->items + first, n * sizeof was[0]);
        s->n_items = s->state.n_items;
        if (s->n_items > 0)
                *last_item(s) = s->open;

        r = take_lines(s, &s->state);
        if (r < 0) {
                s->n_items = s->state.n_items;
                if (s->n_items > 0)
                        *last_item(s) = s->open;
                return r;
        }
        r = all ? take_end(s) : take_rest(s);
        if (r < 0)
                return r;
        while (changed < n && first + changed < s->n_items &&
                same(was + changed, s->items + first + changed))
                changed++;
        if (ret_changed)
                *ret_changed = first + changed;
        return 0;
}

int segments_append(Segments *s, const char *text, size_t size, size_t *ret_changed)
{
        int r;

        assert(s);
        assert(text || size == 0);

        if (size > UINT32_MAX - 1 - s->source.size)
                return -EFBIG;
        r = buffer_append(&s->source, text, size);
        if (r < 0)
                return r;
        return take(s, /* all= */ false, ret_changed);
}

int segments_finish(Segments *s, size_t *ret_changed)
{
        assert(s);

        if (!s->source.data) {
                if (ret_changed)
                        *ret_changed = 0;
                return 0;
        }
        return take(s, /* all= */ true, ret_changed);
}
