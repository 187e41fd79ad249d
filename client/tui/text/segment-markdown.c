/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/segment-internal.h"
#include "client/tui/text/segment-line.h"
#include "common/utf8.h"

#define WORD_MAX 32U /* of the name of a language */

/* ---- fenced code ---- */

static int open_fence(
        Segments *s, SegmentState *st, const Line *line, unsigned fence_size, unsigned depth)
{
        size_t size, n, word;
        const char *text = segments_line_text(s, line, &size);
        Segment *item;
        int r;

        r = segments_open(s, st, SEGMENT_CODE, line->end, line->column, depth);
        if (r < 0)
                return r;
        item = segments_last(s);
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
        const char *text = segments_line_text(s, line, &size);

        return line->whole && line->column < s->items[s->n_items - 1].indent + 4U &&
                line_closes_fence(text, size, st->fence, st->fence_size);
}

int segments_code_line(Segments *s, SegmentState *st, const Line *line)
{
        if (ends_code(s, st, line)) {
                segments_last(s)->flags |= SEGMENT_LAST;
                st->mode = MODE_NONE;
                return 0;
        }
        /* It begins with its first line. */
        if (st->lines == 0 && segments_last(s)->size == 0)
                segments_last(s)->start = (uint32_t) line->start;
        return segments_extend_line(s, st, line);
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
                const char *text = segments_line_text(s, line, &size);
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
        const char *text = segments_line_text(s, line, &size);
        unsigned fence;
        uint32_t number;
        Marker marker;
        int r;

        if (!line_marker(text, size, &marker))
                return -EINVAL;
        number = item_number(st, around, &marker);
        st->n_lists = around;
        r = segments_open(s, st, SEGMENT_PROSE, line->start, lists_column(st, around), around);
        if (r < 0)
                return r;
        push_markers(s, st, &inner);
        if (st->n_lists > around)
                st->lists[around].number = number;
        if (marker.type == '.' || marker.type == ')')
                segments_last(s)->number = number;
        st->mode = MODE_PARAGRAPH;
        st->depth = st->n_lists;

        text = segments_line_text(s, &inner, &size);
        fence = inner.whole ? line_fence(text, size) : 0;
        if (fence == 0)
                return segments_extend_line(s, st, line);
        /* Code right behind the marker. */
        r = segments_extend(s, st, inner.start + inner.bytes);
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
        const char *text = segments_line_text(s, line, &size);
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
        Segment *last = segments_last(s);
        size_t size, head = st->line;
        const char *text = segments_line_text(s, line, &size);

        if (!line->whole || st->lines < 2 || !line_is_table(text, size) ||
                !memchr(s->source.data + head, '|', line->start - head))
                return 0;
        last->size = (uint32_t) (head - last->start);
        while (last->size > 0 && strchr("\r\n", s->source.data[last->start + last->size - 1]))
                last->size--;
        return segments_split(s, st, head, 0);
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
                return segments_extend_line(s, st, line);
        }
        if (st->mode == MODE_QUOTE || (st->mode == MODE_INDENTED && indented))
                return segments_extend_line(s, st, line);

        r = segments_open(s, st, SEGMENT_PROSE, line->start, lists_column(st, around), around);
        if (r < 0)
                return r;
        st->n_lists = st->depth = around;
        st->mode = indented ? MODE_INDENTED : MODE_PARAGRAPH;
        return segments_extend_line(s, st, line);
}

int segments_markdown_line(Segments *s, SegmentState *st, Line *line)
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
                text = segments_line_text(s, line, &size);
                fence = line_fence(text, size);
                st->n_lists = st->depth = around;
                return open_fence(s, st, line, fence, around);
        case START_QUOTE:
                if (st->mode == MODE_QUOTE && st->depth == around)
                        return segments_extend_line(s, st, line);
                break;
        case START_HEADING:
                st->blank = true;
                break;
        case START_RULE:
                break;
        }

        st->n_lists = st->depth = around;
        r = segments_open(s, st, SEGMENT_PROSE, line->start, lists_column(st, around), around);
        if (r < 0)
                return r;
        /* Headings and rules are one line each; what is over the limit goes on in more. */
        st->mode = start == START_QUOTE ? MODE_QUOTE : MODE_NONE;
        return segments_extend_line(s, st, line);
}
