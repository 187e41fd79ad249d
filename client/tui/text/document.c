/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/document.h"

#include <limits.h>

#define SLOTS_FIRST  4U
#define KEPT_BY_TRIM 8U /* segments on both sides of a place */

typedef struct Slot {
        size_t segment;
        Layout *layout;
} Slot;

/* A segment's layout is in the slot of its number modulo n_slots: neighbours never drive each other
 * out, and looking one up costs nothing. */
struct Document {
        Segments segments;
        StyleRole role;
        LayoutFlags flags;
        unsigned width;
        Slot *slots;
        size_t n_slots; /* a power of two, or 0 */
        size_t bytes;   /* of all layouts */
        Buffer code;
        Builder *builder; /* NULL when no text is to come: a layout stays then */
        bool finished;
        uint64_t n_layouts;
};

int document_new(StyleRole role, LayoutFlags flags, size_t maximum, Document **ret)
{
        Document *d;

        assert(ret);

        d = malloc(sizeof *d);
        if (!d)
                return -ENOMEM;
        *d = (Document){
                .segments = SEGMENTS_INIT(maximum),
                .role = role,
                .flags = flags,
                .width = LAYOUT_WIDTH_MIN,
                .code = BUFFER_INIT(maximum),
        };
        d->segments.plain = flags & LAYOUT_PLAIN;
        *ret = d;
        return 0;
}

static void drop(Document *d, Slot *slot)
{
        if (!slot->layout)
                return;
        d->bytes -= slot->layout->bytes;
        slot->layout = layout_free(slot->layout);
}

static void drop_all(Document *d)
{
        for (size_t i = 0; i < d->n_slots; i++)
                drop(d, d->slots + i);
}

Document *document_free(Document *d)
{
        if (!d)
                return NULL;
        drop_all(d);
        free(d->slots);
        builder_free(d->builder);
        segments_done(&d->segments);
        buffer_done(&d->code);
        free(d);
        return NULL;
}

static void drop_changed(Document *d, size_t first)
{
        for (size_t i = 0; i < d->n_slots; i++)
                if (d->slots[i].segment >= first)
                        drop(d, d->slots + i);
}

int document_append(Document *d, const char *text, size_t size)
{
        size_t changed;
        int r;

        assert(d);

        d->finished = false;
        r = segments_append(&d->segments, text, size, &changed);
        if (r < 0) {
                drop_all(d);
                return r;
        }
        drop_changed(d, changed);
        return 0;
}

int document_finish(Document *d)
{
        size_t changed;
        int r;

        assert(d);

        d->finished = true;
        d->builder = builder_free(d->builder);
        r = segments_finish(&d->segments, &changed);
        if (r < 0) {
                drop_all(d);
                return r;
        }
        drop_changed(d, changed);
        return 0;
}

const char *document_source(const Document *d, size_t *ret_size)
{
        assert(d);

        if (ret_size)
                *ret_size = d->segments.source.size;
        return buffer_text(&d->segments.source);
}

bool document_is_empty(const Document *d)
{
        assert(d);
        return d->segments.n_items == 0;
}

void document_set_width(Document *d, unsigned width)
{
        assert(d);

        width = MIN(MAX(width, LAYOUT_WIDTH_MIN), LAYOUT_WIDTH_MAX);
        if (width == d->width)
                return;
        d->width = width;
        drop_all(d);
}

void document_forget_layouts(Document *d)
{
        assert(d);
        drop_all(d);
}

/* ---- layouts ---- */

static size_t distance(size_t a, size_t b)
{
        return a > b ? a - b : b - a;
}

static int grow_slots(Document *d)
{
        size_t n = MAX(d->n_slots, (size_t) SLOTS_FIRST);
        Slot *slots;

        while (n < d->segments.n_items && n < DOCUMENT_LAYOUTS_MAX)
                n *= 2;
        if (n == d->n_slots)
                return 0;
        slots = calloc(n, sizeof *slots);
        if (!slots)
                return -ENOMEM;
        for (size_t i = 0; i < d->n_slots; i++)
                if (d->slots[i].layout)
                        slots[d->slots[i].segment % n] = d->slots[i];
        free(d->slots);
        d->slots = slots;
        d->n_slots = n;
        return 0;
}

/* Layouts far from here go until the rest is small enough. */
static void make_room(Document *d, size_t segment)
{
        while (d->bytes > DOCUMENT_LAYOUT_BYTES_MAX) {
                Slot *far = NULL;

                for (size_t i = 0; i < d->n_slots; i++) {
                        Slot *slot = d->slots + i;

                        if (slot->layout && slot->segment != segment &&
                                (!far ||
                                        distance(slot->segment, segment) >
                                                distance(far->segment, segment)))
                                far = slot;
                }
                if (!far)
                        return;
                drop(d, far);
        }
}

static int get_layout(Document *d, size_t segment, const Layout **ret)
{
        Layout *layout;
        Slot *slot;
        int r;

        r = grow_slots(d);
        if (r < 0)
                return r;
        slot = d->slots + segment % d->n_slots;
        if (!slot->layout || slot->segment != segment) {
                r = layout_new(&d->segments, segment, d->width, d->role, d->flags,
                        d->finished ? NULL : &d->builder, &layout);
                if (r < 0)
                        return r;
                drop(d, slot);
                *slot = (Slot){ .segment = segment, .layout = layout };
                d->bytes += layout->bytes;
                d->n_layouts++;
                make_room(d, segment);
        }
        *ret = slot->layout;
        return 0;
}

static size_t blanks_before(const Document *d, size_t segment)
{
        return d->segments.items[segment].flags & SEGMENT_BLANK_BEFORE ? 1 : 0;
}

static size_t count_rows(Document *d, size_t segment)
{
        const Layout *layout;

        if (get_layout(d, segment, &layout) < 0)
                return blanks_before(d, segment) + 1;
        return blanks_before(d, segment) + layout->n_rows;
}

/* ---- places ---- */

RowPlace document_first(Document *d)
{
        assert(d);
        return (RowPlace){ 0 };
}

RowPlace document_last(Document *d)
{
        size_t last;

        assert(d);

        if (d->segments.n_items == 0)
                return (RowPlace){ 0 };
        last = d->segments.n_items - 1;
        return (RowPlace){ .segment = last, .row = count_rows(d, last) - 1 };
}

/* A place that was kept may name what is no more. */
static RowPlace clamp(Document *d, RowPlace place)
{
        if (place.segment >= d->segments.n_items)
                return document_last(d);
        place.row = MIN(place.row, count_rows(d, place.segment) - 1);
        return place;
}

static int move_down(Document *d, RowPlace *p, int by)
{
        int moved = 0;

        while (moved < by) {
                size_t left = count_rows(d, p->segment) - 1 - p->row;
                size_t step = MIN(left, (size_t) (by - moved));

                p->row += step;
                moved += (int) step;
                if (moved == by || p->segment + 1 == d->segments.n_items)
                        break;
                p->segment++;
                p->row = 0;
                moved++;
        }
        return moved;
}

static int move_up(Document *d, RowPlace *p, int by)
{
        int moved = 0;

        while (moved < by) {
                size_t step = MIN(p->row, (size_t) (by - moved));

                p->row -= step;
                moved += (int) step;
                if (moved == by || p->segment == 0)
                        break;
                p->segment--;
                p->row = count_rows(d, p->segment) - 1;
                moved++;
        }
        return moved;
}

int document_move(Document *d, RowPlace *place, int by)
{
        RowPlace p;
        int moved;

        assert(d);
        assert(place);

        if (d->segments.n_items == 0) {
                *place = (RowPlace){ 0 };
                return 0;
        }
        p = clamp(d, *place);
        moved = by >= 0 ? move_down(d, &p, by) : move_up(d, &p, by == INT_MIN ? INT_MAX : -by);
        *place = p;
        return moved;
}

size_t document_offset(Document *d, RowPlace place)
{
        const Segment *segment;
        const Layout *layout;
        size_t blanks;

        assert(d);

        if (d->segments.n_items == 0)
                return 0;
        place = clamp(d, place);
        segment = d->segments.items + place.segment;
        blanks = blanks_before(d, place.segment);
        /* A blank row is the line's end before the segment. */
        if (place.row < blanks)
                return segment->start - (segment->start > 0 ? 1 : 0);
        if (get_layout(d, place.segment, &layout) < 0)
                return segment->start;
        return segment->start + layout->rows[MIN(place.row - blanks, layout->n_rows - 1)].source;
}

/* The last segment that begins at this byte or before it. */
static size_t find_segment(const Document *d, size_t offset)
{
        size_t low = 0, high = d->segments.n_items;

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (d->segments.items[middle].start <= offset)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

RowPlace document_place(Document *d, size_t offset)
{
        const Segment *segment;
        const Layout *layout;
        RowPlace place = { 0 };
        size_t low = 0, high;

        assert(d);

        if (d->segments.n_items == 0)
                return place;
        place.segment = find_segment(d, offset);
        segment = d->segments.items + place.segment;
        /* Right before the next one: its blank row. */
        if (place.segment + 1 < d->segments.n_items && offset >= segment->start + segment->size &&
                offset + 1 == segment[1].start && blanks_before(d, place.segment + 1) > 0)
                return (RowPlace){ .segment = place.segment + 1 };

        place.row = blanks_before(d, place.segment);
        if (offset <= segment->start || get_layout(d, place.segment, &layout) < 0)
                return place;
        offset -= segment->start;
        high = layout->n_rows;
        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (layout->rows[middle].source <= offset)
                        low = middle;
                else
                        high = middle;
        }
        /* Of rows that show the same byte, the first. */
        while (low > 0 && layout->rows[low - 1].source == layout->rows[low].source)
                low--;
        place.row += low;
        return place;
}

int document_row(Document *d, RowPlace place, const Layout **ret_layout, const Row **ret_row)
{
        const Layout *layout;
        size_t blanks;
        int r;

        assert(d);
        assert(ret_layout);
        assert(ret_row);

        if (place.segment >= d->segments.n_items)
                return -ENOENT;
        blanks = blanks_before(d, place.segment);
        if (place.row < blanks) {
                *ret_layout = NULL;
                *ret_row = NULL;
                return 0;
        }
        r = get_layout(d, place.segment, &layout);
        if (r < 0)
                return r;
        if (place.row - blanks >= layout->n_rows)
                return -ENOENT;
        *ret_layout = layout;
        *ret_row = layout->rows + (place.row - blanks);
        return 0;
}

size_t document_count(Document *d, size_t limit)
{
        size_t n = 0;

        assert(d);

        for (size_t i = 0; i < d->segments.n_items && n < limit; i++)
                n += count_rows(d, i);
        return MIN(n, limit);
}

/* ---- code ---- */

static bool is_first(const Segment *segment)
{
        return segment->kind == SEGMENT_CODE && (segment->flags & SEGMENT_FIRST);
}

static int append_code(Document *d, const Segment *segment)
{
        const char *p = d->segments.source.data + segment->start, *end = p + segment->size;
        bool inside = segment->flags & SEGMENT_CONTINUED;
        int r;

        while (p < end) {
                const char *nl = memchr(p, '\n', (size_t) (end - p)), *next = nl ? nl + 1 : end;
                size_t size = (size_t) (next - p);

                if (!inside) {
                        size_t skip = segment_line_indent(segment, p, size);

                        p += skip;
                        size -= skip;
                }
                inside = false;
                r = buffer_append(&d->code, p, size);
                if (r < 0)
                        return r;
                p = next;
        }
        return 0;
}

int document_code(Document *d, size_t n, const char **ret, size_t *ret_size)
{
        const Segment *s, *end;
        int r;

        assert(d);
        assert(ret);
        assert(ret_size);

        s = d->segments.items;
        end = d->segments.n_items > 0 ? s + d->segments.n_items : s;
        for (; s < end; s++)
                if (is_first(s) && n-- == 0)
                        break;
        if (s >= end)
                return -ENOENT;

        buffer_clear(&d->code);
        for (const Segment *i = s; i < end && i->kind == SEGMENT_CODE; i++) {
                if (i > s && is_first(i))
                        break;
                if (i > s && !(i->flags & SEGMENT_CONTINUED)) {
                        r = buffer_append(&d->code, "\n", 1);
                        if (r < 0)
                                return r;
                }
                r = append_code(d, i);
                if (r < 0)
                        return r;
        }
        *ret = buffer_text(&d->code);
        *ret_size = d->code.size;
        return 0;
}

int document_code_at(const Document *d, RowPlace place, size_t *ret_n)
{
        size_t n = 0;

        assert(d);
        assert(ret_n);

        if (place.segment >= d->segments.n_items ||
                d->segments.items[place.segment].kind != SEGMENT_CODE)
                return -ENOENT;
        for (size_t i = 0; i < place.segment; i++)
                if (is_first(d->segments.items + i))
                        n++;
        if (!is_first(d->segments.items + place.segment))
                n--;
        *ret_n = n;
        return 0;
}

size_t document_bytes(const Document *d)
{
        assert(d);
        return sizeof *d + d->segments.source.allocated +
                d->segments.n_allocated * sizeof(Segment) + d->n_slots * sizeof(Slot) + d->bytes +
                d->code.allocated;
}

void document_trim(Document *d, RowPlace near)
{
        assert(d);

        for (size_t i = 0; i < d->n_slots; i++)
                if (distance(d->slots[i].segment, near.segment) > KEPT_BY_TRIM)
                        drop(d, d->slots + i);
        buffer_done(&d->code);
        d->builder = builder_free(d->builder);
}

uint64_t document_layouts(const Document *d)
{
        assert(d);
        return d->n_layouts;
}
