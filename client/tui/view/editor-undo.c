/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/editor-internal.h"

/* What a stack keeps of memory when it is empty. */
#define KEPT_MAX KIB(64)

static void drop_oldest(Steps *s, size_t n)
{
        size_t bytes = 0;

        for (size_t i = 0; i < n; i++) {
                bytes += s->steps[i].bytes;
                free(s->steps[i].chips);
        }
        buffer_consume(&s->bytes, bytes);
        memmove(s->steps, s->steps + n, (s->n - n) * sizeof *s->steps);
        s->n -= n;
}

static void steps_clear(Steps *s)
{
        if (s->n > 0)
                drop_oldest(s, s->n);
        if (s->bytes.allocated > KEPT_MAX)
                buffer_done(&s->bytes);
}

void steps_done(Steps *s)
{
        steps_clear(s);
        buffer_done(&s->bytes);
        free(s->steps);
        *s = (Steps){ 0 };
}

static Step *last_step(const Steps *s)
{
        return s->n > 0 ? s->steps + s->n - 1 : NULL;
}

static void pop(Steps *s)
{
        Step *last = last_step(s);

        s->bytes.size -= last->bytes;
        free(last->chips);
        s->n--;
}

static int make_room(Steps *s, size_t bytes)
{
        Step *steps;
        size_t n = 0, freed = 0;

        if (s->n == UNDO_MAX)
                drop_oldest(s, UNDO_MAX / 4);
        while (n < s->n && s->bytes.size - freed + bytes > UNDO_BYTES_MAX)
                freed += s->steps[n++].bytes;
        if (n > 0)
                drop_oldest(s, n);
        if (s->n < s->allocated)
                return 0;
        n = s->allocated ? s->allocated * 2 : 16;
        steps = reallocarray(s->steps, n, sizeof *steps);
        if (!steps)
                return -ENOMEM;
        s->steps = steps;
        s->allocated = n;
        return 0;
}

/* The chips that are whole within the range, from its start on. */
static int copy_chips(const Editor *e, size_t offset, size_t size, Chip **ret, size_t *ret_n)
{
        size_t n = 0;
        Chip *chips;

        *ret = NULL;
        *ret_n = 0;
        for (size_t i = 0; i < e->n_chips; i++)
                n += e->chips[i].start >= offset &&
                        e->chips[i].start + e->chips[i].size <= offset + size;
        if (n == 0)
                return 0;
        chips = calloc(n, sizeof *chips);
        if (!chips)
                return -ENOMEM;
        n = 0;
        for (size_t i = 0; i < e->n_chips; i++)
                if (e->chips[i].start >= offset &&
                        e->chips[i].start + e->chips[i].size <= offset + size)
                        chips[n++] = (Chip){ e->chips[i].start - offset, e->chips[i].size };
        *ret = chips;
        *ret_n = n;
        return 0;
}

/* Remembers what is to be replaced, and does it. */
static int replace(Editor *e, Steps *s, size_t offset, size_t size, const Piece *piece)
{
        Step step = {
                .offset = offset,
                .size = piece->size,
                .bytes = size,
                .cursor = e->cursor,
        };
        int r;

        s->bytes.maximum = UNDO_BYTES_MAX;
        r = make_room(s, size);
        if (r < 0)
                return r;
        r = copy_chips(e, offset, size, &step.chips, &step.n_chips);
        if (r < 0)
                return r;
        r = buffer_append(&s->bytes, buffer_text(&e->text) + offset, size);
        if (r < 0) {
                free(step.chips);
                return r;
        }
        s->steps[s->n++] = step;
        r = splice(e, offset, size, piece);
        if (r < 0)
                pop(s);
        return r;
}

/* What comes together may become one cluster: the cursor goes behind it. */
static void place_cursor(Editor *e, size_t offset)
{
        size_t start = snap(e, offset);

        e->cursor = start == offset ? offset : next_cluster(e, start);
}

int change(Editor *e, size_t offset, size_t size, const Piece *piece)
{
        int r;

        r = replace(e, &e->undo, offset, size, piece);
        if (r < 0)
                return r;
        steps_clear(&e->redo);
        place_cursor(e, offset + piece->size);
        return 0;
}

int change_typed(Editor *e, const Piece *piece)
{
        Step *last = last_step(&e->undo);
        int r;

        if (!last || last->bytes > 0 || last->offset + last->size != e->cursor)
                return change(e, e->cursor, 0, piece);
        r = splice(e, e->cursor, 0, piece);
        if (r < 0)
                return r;
        last->size += piece->size;
        place_cursor(e, e->cursor + piece->size);
        return 0;
}

int change_erased(Editor *e, size_t offset, size_t size)
{
        Step *last = last_step(&e->undo);
        Buffer *bytes = &e->undo.bytes;
        bool before;
        int r;

        if (!last || last->size > 0 || last->n_chips > 0 || chip_at(e, offset) ||
                (offset != last->offset && offset + size != last->offset) ||
                bytes->size + size > UNDO_BYTES_MAX)
                return change(e, offset, size, &(Piece){ 0 });
        before = offset != last->offset;
        r = buffer_append(bytes, e->text.data + offset, size);
        if (r < 0)
                return r;
        if (before) {
                char *former = bytes->data + bytes->size - size - last->bytes;

                memmove(former + size, former, last->bytes);
                memcpy(former, e->text.data + offset, size);
        }
        last->bytes += size;
        last->offset = offset;
        (void) splice(e, offset, size, &(Piece){ 0 }); /* what shrinks does not fail */
        place_cursor(e, offset);
        return 0;
}

/* Takes the last step of one stack back, which the other then can. */
static int take_back(Editor *e, Steps *from, Steps *to)
{
        Step *s = last_step(from);
        Piece piece;
        int r;

        e->doing = DOING_NOTHING;
        if (!s)
                return 0;
        piece = (Piece){
                .text = buffer_text(&from->bytes) + from->bytes.size - s->bytes,
                .size = s->bytes,
                .chips = s->chips,
                .n_chips = s->n_chips,
        };
        r = replace(e, to, s->offset, s->size, &piece);
        if (r < 0)
                return r;
        e->cursor = snap(e, s->cursor);
        pop(from);
        return 1;
}

int editor_undo(Editor *e)
{
        return take_back(e, &e->undo, &e->redo);
}

int editor_redo(Editor *e)
{
        return take_back(e, &e->redo, &e->undo);
}

void editor_forget_steps(Editor *e)
{
        e->doing = DOING_NOTHING;
        steps_clear(&e->undo);
        steps_clear(&e->redo);
}
