/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/segment.h"

#include "client/tui/terminal/width.h"
#include "client/tui/text/lexer.h"
#include "client/tui/text/segment-internal.h"
#include "client/tui/text/segment-line.h"

#define ITEMS_FIRST 4U
/* A segment that is too long is cut behind a space this far from its limit, or at a cluster. */
#define CUT_FAR  KIB(1)
#define CUT_NEAR 64U

void segments_done(Segments *s)
{
        assert(s);

        buffer_done(&s->source);
        free(s->items);
        *s = (Segments){ .source = BUFFER_INIT(s->source.maximum) };
}

const char *segments_line_text(const Segments *s, const Line *line, size_t *ret_size)
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

Segment *segments_last(Segments *s)
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

uint8_t lists_margin(const SegmentState *st, unsigned n)
{
        return n > 0 ? st->lists[n - 1].margin : 0;
}

int segments_open(Segments *s, SegmentState *st, SegmentKind kind, size_t start, unsigned indent,
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

int segments_split(Segments *s, SegmentState *st, size_t start, SegmentFlags flags)
{
        Segment *last = segments_last(s), next = *last;
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

int segments_extend(Segments *s, SegmentState *st, size_t end)
{
        int r;

        while (end - segments_last(s)->start > SEGMENT_BYTES_MAX) {
                Segment *last = segments_last(s);
                size_t cut = cut_place(s->source.data + last->start);

                last->size = (uint32_t) cut;
                r = segments_split(s, st, last->start + cut, SEGMENT_CONTINUED);
                if (r < 0)
                        return r;
                st->lines = 1;
        }
        segments_last(s)->size = (uint32_t) (end - segments_last(s)->start);
        return 0;
}

int segments_extend_line(Segments *s, SegmentState *st, const Line *line)
{
        const Segment *last = segments_last(s);
        bool full = line->end - last->start > SEGMENT_BYTES_MAX ||
                (last->kind != SEGMENT_PROSE && st->lines >= SEGMENT_LINES_MAX);
        int r;

        if (full && st->lines > 0) {
                r = segments_split(s, st, line->start, 0);
                if (r < 0)
                        return r;
        }
        st->lines++;
        return segments_extend(s, st, line->end);
}

static int take_line(Segments *s, SegmentState *st, Line line)
{
        int r;

        line.column = line_indent(
                s->source.data + line.start, line.end - line.start, 0, &line.bytes);
        if (st->mode == MODE_CODE)
                r = segments_code_line(s, st, &line);
        else if (s->plain) {
                r = 0;
                if (st->mode == MODE_NONE)
                        r = segments_open(s, st, SEGMENT_PLAIN, line.start, 0, 0);
                if (r < 0)
                        return r;
                st->mode = MODE_PLAIN;
                r = segments_extend_line(s, st, &line);
        } else if (line.whole && line.bytes == line.end - line.start) {
                st->blank = true;
                st->mode = MODE_NONE;
                return 0;
        } else
                r = segments_markdown_line(s, st, &line);
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
                        r = segments_extend(s, st, nl ? without_return(s, st->position, end) : end);
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
                        s->open = *segments_last(s);
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
                s->open = *segments_last(s);
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
                *segments_last(s) = s->open;

        r = take_lines(s, &s->state);
        if (r < 0) {
                s->n_items = s->state.n_items;
                if (s->n_items > 0)
                        *segments_last(s) = s->open;
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
