/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/transcript-internal.h"

bool is_unfolded(const Transcript *t, const MessageItem *m)
{
        bool unfolded = t->flags & TRANSCRIPT_REASONING;

        for (size_t i = 0; i < t->n_toggled; i++)
                if (t->toggled[i] == m->id)
                        return !unfolded;
        return unfolded;
}

ssize_t find_message(const Transcript *t, uint64_t id, size_t hint)
{
        size_t n;
        MessageItem *const *messages = mirror_messages(t->mirror, &n);

        if (hint < n && messages[hint]->id == id)
                return (ssize_t) hint;
        for (size_t i = n; i > 0; i--)
                if (messages[i - 1]->id == id)
                        return (ssize_t) i - 1;
        return -ENOENT;
}

ssize_t find_branch(const Transcript *t, uint64_t id, uint64_t parent)
{
        size_t n;
        MessageItem *const *messages = mirror_messages(t->mirror, &n);
        ssize_t found;

        found = find_message(t, id, SIZE_MAX);
        if (found >= 0)
                return found;
        for (size_t i = n; i > 0; i--)
                if (messages[i - 1]->parent == parent)
                        return (ssize_t) i - 1;
        return -ENOENT;
}

/* ---- documents ---- */

static void trim(Transcript *t, Kept *k)
{
        size_t n;
        MessageItem *const *messages = mirror_messages(t->mirror, &n);
        ssize_t index = find_message(t, k->message, SIZE_MAX);

        for (Channel c = 0; index >= 0 && c < _CHANNEL_MAX; c++)
                document_trim(messages[index]->channels[c], (RowPlace){ 0 });
        *k = (Kept){ 0 };
}

Kept *kept_of(Transcript *t, const MessageItem *m)
{
        Kept *k = t->kept + m->id % KEPT_MAX;

        if (k->message == m->id)
                return k;
        if (k->message != 0)
                trim(t, k);
        k->message = m->id;
        return k;
}

void trim_others(Transcript *t, size_t first, size_t last)
{
        size_t n;
        MessageItem *const *messages = mirror_messages(t->mirror, &n);

        for (Kept *k = t->kept; k < t->kept + KEPT_MAX; k++) {
                bool seen = k->message == 0;

                for (size_t i = first; !seen && i <= last && i < n; i++)
                        seen = messages[i]->id == k->message;
                if (!seen)
                        trim(t, k);
        }
}

Document *part_document(Transcript *t, MessageItem *m, Part part)
{
        Document *d;

        if (part != PART_CONTENT && part != PART_REASONING)
                return NULL;
        d = m->channels[part == PART_CONTENT ? CHANNEL_CONTENT : CHANNEL_REASONING];
        (void) kept_of(t, m);
        document_set_width(d, (unsigned) t->width);
        return d;
}

static bool has_part(Transcript *t, MessageItem *m, size_t index, Part part)
{
        Document *d = part_document(t, m, part);

        if (!d)
                return fixed_rows(t, m, index, part) > 0;
        return !document_is_empty(d) && (part == PART_CONTENT || is_unfolded(t, m));
}

/* ---- moving ---- */

static MessageItem *message_at(Transcript *t, size_t index)
{
        size_t n;
        MessageItem *const *messages = mirror_messages(t->mirror, &n);

        return index < n ? messages[index] : NULL;
}

/* To the first row of the next part. */
static bool next_part(Transcript *t, Position *p)
{
        size_t index = p->index;
        MessageItem *m = message_at(t, index);
        int part = (int) p->part + 1;

        while (m) {
                for (; part < _PART_MAX; part++)
                        if (has_part(t, m, index, (Part) part)) {
                                *p = (Position){ .index = index, .part = (Part) part };
                                return true;
                        }
                part = 0;
                m = message_at(t, ++index);
        }
        return false;
}

static RowPlace last_row(Transcript *t, MessageItem *m, size_t index, Part part)
{
        Document *d = part_document(t, m, part);

        return d ? document_last(d)
                 : (RowPlace){ .row = MAX(fixed_rows(t, m, index, part), (size_t) 1) - 1 };
}

/* To the last row of the part before. */
static bool previous_part(Transcript *t, Position *p)
{
        size_t index = p->index;
        int part = (int) p->part - 1;

        for (;;) {
                MessageItem *m = message_at(t, index);

                for (; m && part >= 0; part--)
                        if (has_part(t, m, index, (Part) part)) {
                                *p = (Position){ index, (Part) part,
                                        last_row(t, m, index, (Part) part) };
                                return true;
                        }
                if (index == 0)
                        return false;
                index--;
                part = _PART_MAX - 1;
        }
}

/* Within the part. */
static int move_inside(Transcript *t, Position *p, int by)
{
        MessageItem *m = message_at(t, p->index);
        Document *d = m ? part_document(t, m, p->part) : NULL;
        int to;

        if (!m)
                return 0;
        if (d)
                return document_move(d, &p->row, by);
        to = by > 0 ? MIN((int) fixed_rows(t, m, p->index, p->part) - 1 - (int) p->row.row, by)
                    : MIN((int) p->row.row, -by);
        to = MAX(to, 0);
        p->row.row = by > 0 ? p->row.row + (size_t) to : p->row.row - (size_t) to;
        return to;
}

int position_move(Transcript *t, Position *p, int by)
{
        int sign = by < 0 ? -1 : 1, left = by * sign, moved = 0;

        while (moved < left) {
                moved += move_inside(t, p, sign * (left - moved));
                if (moved == left)
                        break;
                if (!(sign > 0 ? next_part(t, p) : previous_part(t, p)))
                        break;
                moved++;
        }
        return moved;
}

static Position position_last(Transcript *t)
{
        Position p = { .part = _PART_MAX };
        size_t n;

        (void) mirror_messages(t->mirror, &n);
        p.index = n > 0 ? n - 1 : 0;
        (void) previous_part(t, &p);
        return p;
}

/* ---- the reader's place ---- */

void anchor_set(Transcript *t, Position p)
{
        MessageItem *m = message_at(t, p.index);
        Document *d = m ? part_document(t, m, p.part) : NULL;

        if (!m)
                return;
        t->anchor = (Anchor){ .message = m->id,
                .parent = m->parent,
                .index = p.index,
                .part = p.part,
                .row = p.row.row };
        if (!d)
                return;
        t->anchor.offset = document_offset(d, p.row);
        t->anchor.row = 0;
        /* Borders show no byte of their own; there are few of them in a row. */
        for (RowPlace q = document_place(d, t->anchor.offset); t->anchor.row < 4 &&
                (q.segment != p.row.segment || q.row < p.row.row) && document_move(d, &q, 1) == 1;)
                t->anchor.row++;
}

static RowPlace resolve_row(Document *d, const Anchor *a)
{
        RowPlace place = document_place(d, a->offset);
        size_t first = document_offset(d, place);

        for (size_t i = 0; i < a->row; i++) {
                RowPlace next = place;

                if (document_move(d, &next, 1) == 0 || document_offset(d, next) != first)
                        break;
                place = next;
        }
        return place;
}

static Position resolve(Transcript *t)
{
        Anchor *a = &t->anchor;
        Position p = { .part = PART_HEADING };
        MessageItem *m;
        ssize_t found;
        Document *d;
        size_t n;

        (void) mirror_messages(t->mirror, &n);
        found = find_message(t, a->message, a->index);
        if (found < 0) {
                found = find_branch(t, a->message, a->parent);
                p.index = found >= 0 ? (size_t) found : MIN(a->index, n - 1);
                return p;
        }
        p.index = a->index = (size_t) found;
        m = message_at(t, p.index);
        p.part = a->part;
        if (!has_part(t, m, p.index, p.part)) {
                /* It was folded, or a state has passed: the row before it, but not the message
                 * before. */
                if (p.part == PART_GAP || !previous_part(t, &p))
                        p = (Position){ .index = (size_t) found, .part = PART_HEADING };
                return p;
        }
        d = part_document(t, m, p.part);
        p.row = d ? resolve_row(d, a)
                  : (RowPlace){ .row = MIN(a->row, fixed_rows(t, m, p.index, p.part) - 1) };
        return p;
}

bool position_fill(Transcript *t, Position *p, int *ret_up)
{
        Position bottom = *p;
        int want = MAX(t->area.rows, 1) - 1, missing;

        missing = want - position_move(t, &bottom, want);
        if (ret_up)
                *ret_up = 0;
        if (missing > 0) {
                int up = position_move(t, p, -missing);

                if (ret_up)
                        *ret_up = up;
                return true;
        }
        return position_move(t, &bottom, 1) == 0;
}

Position position_top(Transcript *t)
{
        Position p;

        if (t->follow) {
                p = position_last(t);
                (void) position_move(t, &p, -(MAX(t->area.rows, 1) - 1));
                return p;
        }
        p = resolve(t);
        (void) position_fill(t, &p, NULL);
        return p;
}
